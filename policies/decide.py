"""Facts in, Decision out: which channel carries a payout, in which order the others follow, why.

Pure: time and the random draw are arguments, so the same facts give the same Decision, byte for
byte. Order of evaluation: hard filters, quarantine, the policy's preference, expected total cost,
then a small exploration whose propensities are part of the Decision.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from policies.arrivals_seen import arrivals_of
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.choose import choose
from policies.cost import price
from policies.eligibility import (
    fit_reasons,
    quarantine_reason,
    retry_at,
    standing_reasons,
    tried_reason,
)
from policies.exclusions import Code, Exclusion
from policies.facts import (
    MICRO,
    Candidate,
    ChannelFacts,
    Decision,
    Excluded,
    PayoutFacts,
    Tried,
)
from policies.fees import fee_minor, surcharge_minor
from policies.policy import ChannelLists, Parameters, Policy

Key: TypeAlias = tuple[bool, int, int, str, int]
"""Ranking: preferred first, then cost, then peak latency x (in flight + 1), then the names."""


class _Ranked(NamedTuple):
    key: Key
    candidate: Candidate


class _Case(NamedTuple):
    """What all channels of one decision are judged by."""

    payout: PayoutFacts
    lists: ChannelLists
    parameters: Parameters
    now: datetime
    almanac: Almanac


class _Sorted(NamedTuple):
    """Every channel x instrument, in exactly one of the three lists."""

    healthy: list[_Ranked]
    probes: list[_Ranked]
    excluded: list[Excluded]


def decide(
    payout: PayoutFacts,
    channels: Sequence[ChannelFacts],
    policy: Policy,
    now: datetime,
    draw_ppm: int,
    almanac: Almanac = PUBLISHED,
) -> Decision:
    """Choose for one attempt; `draw_ppm` is a uniform draw from 0 up to, not including, a million.

    The result does not depend on the order of `channels`. Raises ValueError for a draw out of
    range or two channels of one name: both are the caller's defects.
    """
    if not 0 <= draw_ppm < MICRO:
        raise ValueError("draw_ppm must be at least 0 and below 1,000,000")
    if len({channel.name for channel in channels}) != len(channels):
        raise ValueError("two channels have the same name")
    into = _Sorted([], [], [])
    case = _Case(payout, policy.lists_for(payout.merchant_id), policy.parameters, now, almanac)
    for channel in channels:
        _examine(case, channel, into)
    healthy, probes, excluded = into
    if healthy:
        # A quarantined channel may be risked on small payouts only, as long as others can pay.
        limit = policy.parameters.probe_max_minor
        if payout.amount_minor > limit and probes:
            excluded += _withheld(probes, channels, now)
            probes = []
    healthy.sort(key=itemgetter(0))
    probes.sort(key=itemgetter(0))
    excluded.sort(key=lambda one: (one.channel, one.instrument))
    outcome, order, propensities = choose(
        payout,
        [one.candidate for one in healthy],
        [one.candidate for one in probes],
        policy.parameters,
        draw_ppm,
    )
    return Decision(
        payout.payout_id,
        payout.merchant_id,
        payout.amount_minor,
        payout.currency,
        now,
        policy.hash,
        draw_ppm,
        outcome,
        order,
        propensities,
        tuple(excluded),
        None if order else retry_at([one.reasons for one in excluded]),
    )


def next_after(decision: Decision, tried: Iterable[Tried], now: datetime) -> Candidate | None:
    """The next candidate of a stored order, given what has failed since.

    For callers without fresh facts; deciding again with `tried` among the facts is better, as
    health and limits move.
    """
    failed = tuple(tried)
    for one in decision.order:
        if tried_reason(failed, one.channel, one.instrument, now) is None:
            return one
    return None


def _examine(case: _Case, channel: ChannelFacts, into: _Sorted) -> None:
    """Sort each of the channel's instruments into one of the three lists."""
    payout, lists, parameters, now, almanac = case
    amount = payout.amount_minor
    fee = channel.fee
    charged = None
    if fee is not None:
        charged = (fee_minor(fee, amount, channel.month), surcharge_minor(fee, amount))
    arrives, spread = arrivals_of(channel.cycle, channel.arrivals, now, almanac)
    common = standing_reasons(channel, lists, parameters, now)
    common += fit_reasons(payout, channel, charged, arrives, now)
    preferred = channel.name in lists.prefer
    for instrument in payout.instruments:
        index = instrument.index
        health = channel.health_of.get(index, channel.health)
        reasons = common
        if instrument.rail not in channel.rails:
            reasons += (Exclusion(Code.RAIL, (instrument.rail,)),)
        elif index in channel.problems:
            reasons += tuple(Exclusion(Code.PROBLEM, (text,)) for text in channel.problems[index])
        if payout.tried:
            failed = tried_reason(payout.tried, channel.name, index, now)
            if failed is not None:
                reasons += (failed,)
        if health.quarantined and not health.probing:
            reasons += (quarantine_reason(health, now),)
        if reasons or charged is None:
            into.excluded.append(Excluded(channel.name, index, reasons))
            continue
        cost = price(
            amount,
            charged,
            arrives,
            deadline_at=payout.deadline_at,
            health=health,
            parameters=parameters,
            spread=spread,
        )
        candidate = Candidate(
            channel.name,
            index,
            instrument.rail,
            cost,
            arrives,
            health.success_ppm,
            health.unknown_ppm,
            preferred,
            health.quarantined,
        )
        waiting = health.latency_ms * (channel.inflight + 1)
        key = (not preferred, cost.total, waiting, channel.name, index)
        (into.probes if health.quarantined else into.healthy).append(_Ranked(key, candidate))


def _withheld(
    probes: list[_Ranked], channels: Sequence[ChannelFacts], now: datetime
) -> list[Excluded]:
    """Probing candidates turned into exclusions, because the payout is too large for a probe."""
    by_name = {channel.name: channel for channel in channels}
    withheld: list[Excluded] = []
    for _, one in probes:
        channel = by_name[one.channel]
        health = channel.health_of.get(one.instrument, channel.health)
        reason = quarantine_reason(health, now)
        withheld.append(Excluded(one.channel, one.instrument, (reason,)))
    return withheld
