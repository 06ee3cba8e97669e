"""The hard filters over one channel or one instrument: priced, dated, and what is against it.

Everything here holds whatever the policy's rules say; it is what `pool` counts.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from policies.arrivals_seen import arrivals_of
from policies.calendars.arrivals import arrival
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.cost import Spread
from policies.eligibility import (
    fit_reasons,
    request_reasons,
    standing_reasons,
    tried_reason,
)
from policies.exclusions import Code, Exclusion
from policies.facts import FREE, Arrival, ChannelFacts, PayoutFacts
from policies.fees import fee_minor, surcharge_minor
from policies.plan.follow import PlanView
from policies.policy import ChannelLists, Parameters
from policies.situation import Pool

_SHUT: Final = frozenset({Code.KILLED, Code.PAUSED, Code.DRAINING, Code.CLOSED, Code.MAINTENANCE})


class Screened(Struct, frozen=True):
    """A channel after the filters that do not depend on the instrument.

    `charged`: fee and surcharge in minor units; None without a fee in force. `spread`: the days on
    which its money really arrives; empty when the promise holds.
    """

    facts: ChannelFacts
    charged: tuple[int, int] | None
    arrives: Arrival
    spread: Spread
    reasons: tuple[Exclusion, ...]


def screen(
    payout: PayoutFacts,
    channel: ChannelFacts,
    lists: ChannelLists,
    parameters: Parameters,
    now: datetime,
    almanac: Almanac = PUBLISHED,
    plan: PlanView | None = None,
) -> Screened:
    """Price and date the channel, and collect what is against it whatever the instrument."""
    amount, fee = payout.amount_minor, channel.fee
    charged = None
    if fee is not None:
        tier = plan.tiers.get(channel.name) if plan is not None and fee.tiers else None
        charged = (fee_minor(fee, amount, channel.month, tier), surcharge_minor(fee, amount))
    spread: Spread = ()
    if channel.arrivals:
        arrives, spread = arrivals_of(channel.cycle, channel.arrivals, now, almanac)
    else:
        arrives = arrival(channel.cycle, now, almanac)
    reasons = standing_reasons(channel, lists, parameters, now)
    reasons += fit_reasons(payout, channel, charged, arrives, now)
    if payout.constraints is not FREE:
        reasons += request_reasons(channel.name, payout)
    return Screened(channel, charged, arrives, spread, reasons)


def own_reasons(
    payout: PayoutFacts, channel: ChannelFacts, index: int, rail: str, now: datetime
) -> tuple[Exclusion, ...]:
    """What is against one instrument at the channel."""
    reasons: tuple[Exclusion, ...] = ()
    if rail not in channel.rails:
        reasons += (Exclusion(Code.RAIL, (rail,)),)
    elif index in channel.problems:
        reasons += tuple(Exclusion(Code.PROBLEM, (text,)) for text in channel.problems[index])
    if payout.tried:
        failed = tried_reason(payout.tried, channel.name, index, now)
        if failed is not None:
            reasons += (failed,)
    return reasons


def pool_of(payout: PayoutFacts, screened: list[Screened], now: datetime) -> Pool:
    """The channels together, before any rule has spoken."""
    opened = eligible = quarantined = in_doubt = inflight = held = 0
    for one in screened:
        channel = one.facts
        quarantined += channel.health.quarantined
        in_doubt += channel.in_doubt
        inflight += channel.inflight
        held += channel.float_minor or 0
        if one.reasons:
            opened += not any(reason.code in _SHUT for reason in one.reasons)
            continue
        opened += 1
        for instrument in payout.instruments:
            index = instrument.index
            ill = channel.health_of.get(index, channel.health).ill
            if not ill and not own_reasons(payout, channel, index, instrument.rail, now):
                eligible += 1
                break
    return Pool(len(screened), opened, eligible, quarantined, in_doubt, inflight, held)


NO_POOL: Final = Pool()
"""For policies whose rules do not speak of the pool."""
