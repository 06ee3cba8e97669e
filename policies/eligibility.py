"""The hard filters: every reason why a channel or an instrument may not carry a payout now.

All reasons are collected, not just the first, so that an operator sees at once what would have
to change. A reason carries the time at which it may lift; without one, waiting does not help.
"""

from datetime import datetime, timedelta
from typing import Final

from policies.calendars.arrivals import is_open, next_midnight, next_open
from policies.exclusions import Code, Exclusion
from policies.facts import Arrival, ChannelFacts, HealthView, PayoutFacts, Tried
from policies.fees import Fee, quote_minor
from policies.policy import ChannelLists, Parameters

# How soon it is worth asking again when nobody can know: a slot frees itself within the second, an
# operator or a top-up takes a minute. The engine may well ask earlier when it hears of a change.
_IN_FLIGHT_RECHECK: Final = timedelta(seconds=1)
_IN_DOUBT_RECHECK: Final = timedelta(seconds=30)
_PROBE_RECHECK: Final = timedelta(seconds=30)
_OPERATOR_RECHECK: Final = timedelta(seconds=60)

_WHOLE_CHANNEL: Final = frozenset({"channel", "instruction"})
"""Faults that another instrument at the same channel would meet again."""
_FAST_DAYS: Final = 1


def standing_reasons(
    channel: ChannelFacts, lists: ChannelLists, parameters: Parameters, now: datetime
) -> tuple[Exclusion, ...]:
    """What is against the channel now, whatever the payout: its status, hours, queues, policy."""
    reasons: tuple[Exclusion, ...] = ()
    if channel.killed:
        reasons += (Exclusion(Code.KILLED, (), now + _OPERATOR_RECHECK),)
    if channel.expired is not None:
        reasons += (Exclusion(Code.CREDENTIAL_EXPIRED, channel.expired, now + _OPERATOR_RECHECK),)
    if channel.status != "active":
        code = Code.PAUSED if channel.status == "paused" else Code.DRAINING
        reasons += (Exclusion(code, (), now + _OPERATOR_RECHECK),)
    if channel.name in lists.deny:
        reasons += (Exclusion(Code.POLICY_DENIES),)
    if lists.only and channel.name not in lists.only:
        reasons += (Exclusion(Code.POLICY_ONLY),)
    if channel.inflight >= channel.inflight_max:
        values = (channel.inflight, channel.inflight_max)
        reasons += (Exclusion(Code.IN_FLIGHT_FULL, values, now + _IN_FLIGHT_RECHECK),)
    doubt_max = min(channel.in_doubt_max, parameters.in_doubt_max)
    if channel.in_doubt >= doubt_max:
        values = (channel.in_doubt, doubt_max)
        reasons += (Exclusion(Code.IN_DOUBT_FULL, values, now + _IN_DOUBT_RECHECK),)
    if channel.hours.windows and not is_open(channel.hours, now):
        reasons += (Exclusion(Code.CLOSED, (), next_open(channel.hours, now)),)
    until = channel.maintenance_until
    if until is not None and until > now:
        reasons += (Exclusion(Code.MAINTENANCE, (), until),)
    return reasons


def fit_reasons(
    payout: PayoutFacts,
    channel: ChannelFacts,
    charged: tuple[int, int] | None,
    arrival: Arrival,
    now: datetime,
) -> tuple[Exclusion, ...]:
    """What is against this payout at the channel; `charged` is the fee and the surcharge, if any
    fee is in force.
    """
    if channel.currency != payout.currency:
        # Limits, fee and float speak of another currency; comparing them would mean nothing.
        return (Exclusion(Code.CURRENCY, (channel.currency, payout.currency)),)
    reasons = _amount_reasons(payout.amount_minor, channel, now)
    if channel.fee is None or charged is None:
        reasons += (Exclusion(Code.NO_FEE, (), now + _OPERATOR_RECHECK),)
    else:
        reasons += _fee_reasons(payout, channel, channel.fee, sum(charged), now)
    if payout.speed != "standard":
        # An instant channel that is seen to take days is no instant channel.
        days = arrival.days_calendar
        instant = channel.cycle.instant and days == 0
        if days > _FAST_DAYS or (payout.speed == "instant" and not instant):
            reasons += (Exclusion(Code.TOO_SLOW, (payout.speed, days)),)
    return reasons


def _fee_reasons(
    payout: PayoutFacts, channel: ChannelFacts, fee: Fee, charged: int, now: datetime
) -> tuple[Exclusion, ...]:
    reasons: tuple[Exclusion, ...] = ()
    if channel.float_minor is not None:
        # Without tiers what is charged is what is quoted; deciding is too frequent to ask twice.
        plain = not fee.tiers and fee.mode == "on_top"
        needed = payout.amount_minor + (
            charged if plain else quote_minor(fee, payout.amount_minor, channel.month)
        )
        if needed > channel.float_minor:
            values = (channel.float_minor, needed)
            reasons += (Exclusion(Code.FLOAT_SHORT, values, now + _OPERATOR_RECHECK),)
    if payout.max_fee_minor is not None and charged > payout.max_fee_minor:
        reasons += (Exclusion(Code.FEE_OVER_MAXIMUM, (charged, payout.max_fee_minor)),)
    return reasons


def request_reasons(channel: str, payout: PayoutFacts) -> tuple[Exclusion, ...]:
    """What the request itself rules out; it can only narrow what the merchant's lists allow."""
    constraints = payout.constraints
    reasons: tuple[Exclusion, ...] = ()
    if channel in constraints.deny:
        reasons += (Exclusion(Code.REQUEST_DENIES),)
    if constraints.only and channel not in constraints.only:
        reasons += (Exclusion(Code.REQUEST_ONLY),)
    return reasons


def attempts_reasons(payout: PayoutFacts, max_attempts: int | None) -> tuple[Exclusion, ...]:
    """Whether the payout has had all the attempts it may have."""
    if max_attempts is None or len(payout.tried) < max_attempts:
        return ()
    return (Exclusion(Code.ATTEMPTS_EXHAUSTED, (max_attempts,)),)


def _amount_reasons(amount: int, channel: ChannelFacts, now: datetime) -> tuple[Exclusion, ...]:
    reasons: tuple[Exclusion, ...] = ()
    if amount < channel.min_minor:
        reasons += (Exclusion(Code.AMOUNT_BELOW_MINIMUM, (amount, channel.min_minor)),)
    if channel.max_minor is not None and amount > channel.max_minor:
        reasons += (Exclusion(Code.AMOUNT_ABOVE_MAXIMUM, (amount, channel.max_minor)),)
    cap = channel.day_cap_minor
    if cap is not None and channel.day_used_minor + amount > cap:
        # A new day helps only a payout that fits into an unused cap.
        lifts = next_midnight(channel.cycle.timezone, now) if amount <= cap else None
        reasons += (Exclusion(Code.DAY_CAP, (channel.day_used_minor, cap), lifts),)
    return reasons


def tried_reason(
    tried: tuple[Tried, ...], channel: str, instrument: int, now: datetime
) -> Exclusion | None:
    """What earlier attempts say against this candidate; the strongest reason wins.

    `never` rules out everything. `other_instrument` rules the instrument out at every channel.
    `any` rules out the pair, and the whole channel when channel or instruction were at fault.
    """
    found: Exclusion | None = None
    for one in tried:
        if one.elsewhere == "never":
            return Exclusion(Code.TRIED_FINAL, (one.channel,))
        if one.retry_at is not None and one.retry_at <= now:
            continue
        if one.elsewhere == "other_instrument":
            hit = one.instrument == instrument
            reason = Exclusion(Code.TRIED_INSTRUMENT, (one.channel,), one.retry_at)
        else:
            hit = one.channel == channel and (
                one.instrument == instrument or one.fault in _WHOLE_CHANNEL
            )
            reason = Exclusion(Code.TRIED, (one.fault,), one.retry_at)
        if hit and (found is None or _longer(reason, found)):
            found = reason
    return found


def _longer(one: Exclusion, other: Exclusion) -> bool:
    """Whether `one` holds for longer than `other`; without a time it holds for ever."""
    if other.lifts_at is None:
        return False
    return one.lifts_at is None or one.lifts_at > other.lifts_at


def illness_reasons(health: HealthView, now: datetime) -> tuple[Exclusion, ...]:
    """Why only probes may go to a quarantined channel, or to a bank that is down, and when the next
    one is due."""
    due = health.probe_at
    at = due if due is not None and due > now else now + _PROBE_RECHECK
    reasons: tuple[Exclusion, ...] = ()
    if health.quarantined:
        reasons += (Exclusion(Code.QUARANTINED, (), at),)
    if health.bank_down is not None:
        reasons += (Exclusion(Code.BANK_DOWN, (health.bank_down,), at),)
    return reasons


def retry_at(reasons_of_each: list[tuple[Exclusion, ...]]) -> datetime | None:
    """When the first candidate may become eligible, if nothing but time is against it."""
    earliest: datetime | None = None
    for reasons in reasons_of_each:
        lifts = [one.lifts_at for one in reasons if one.lifts_at is not None]
        if len(lifts) == len(reasons):
            at = max(lifts)
            earliest = at if earliest is None or at < earliest else earliest
    return earliest
