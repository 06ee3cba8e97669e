"""The hard filters over one channel or one instrument: priced, dated, and what is against it.

Everything here holds whatever the policy's rules say; it is what `pool` counts.
"""

from datetime import datetime
from typing import Final, NamedTuple

from policies.arrivals_seen import arrivals_of
from policies.calendars.arrivals import is_open
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
from policies.policy import ChannelLists, Parameters
from policies.situation import Pool


class Screened(NamedTuple):
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
) -> Screened:
    """Price and date the channel, and collect what is against it whatever the instrument."""
    amount, fee = payout.amount_minor, channel.fee
    charged = None
    if fee is not None:
        charged = (fee_minor(fee, amount, channel.month), surcharge_minor(fee, amount))
    arrives, spread = arrivals_of(channel.cycle, channel.arrivals, now, almanac)
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


NO_POOL: Final = Pool()
"""For policies whose rules do not speak of the pool."""


def pool_of(payout: PayoutFacts, screened: list[Screened], now: datetime) -> Pool:
    """The channels together, before any rule has spoken."""
    every = [one.facts for one in screened]
    return Pool(
        channels=len(every),
        open=sum(one.status == "active" and is_open(one.hours, now) for one in every),
        eligible=sum(
            not one.reasons
            and any(
                not one.facts.health_of.get(instrument.index, one.facts.health).ill
                and not own_reasons(payout, one.facts, instrument.index, instrument.rail, now)
                for instrument in payout.instruments
            )
            for one in screened
        ),
        quarantined=sum(one.health.quarantined for one in every),
        in_doubt=sum(one.in_doubt for one in every),
        inflight=sum(one.inflight for one in every),
        float_minor=sum(one.float_minor or 0 for one in every),
    )
