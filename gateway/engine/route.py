"""Gather the facts, ask the policy, keep the whole Decision: which channel is tried next, and why.

The decision itself is `policies.decide`, pure; here the gateway's values become its facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

import orjson

from channels.contract import (
    BankAccount,
    BankCard,
    Channel,
    Instrument,
    Reason,
)
from gateway.domain.payout import Attempt, Payout
from gateway.domain.pricing import priced
from gateway.engine.accept import instruction_of
from gateway.engine.gateway import Gateway
from policies.decide import decide
from policies.explain import to_json
from policies.facts import (
    ChannelFacts,
    Decision,
    HealthView,
    InstrumentFacts,
    PayoutFacts,
    Tried,
)
from policies.fees import quote_minor
from policies.health import keep_one_per_rail

AGAIN_S: Mapping[Reason, int] = {
    Reason.NEVER_SENT: 30,
    Reason.RAIL_DOWN: 300,
    Reason.FLOAT_SHORT: 600,
    Reason.OUTSIDE_HOURS: 900,
    Reason.QUOTA_EXHAUSTED: 3600,
}
"""Troubles that pass: the same channel may be tried again after so many seconds."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the next attempt goes, or when to ask again, with the decision that says why."""

    decision: Decision
    decision_json: bytes
    quoted_fee_minor: int = 0


BANKS = frozenset(
    {
        *("ICBC", "ABC", "BOC", "CCB", "COMM", "PSBC", "CMB", "CITIC", "CEB", "CMBC", "CIB"),
        *("SPDB", "PAB", "HXB", "GDB", "CZB", "BOHAIB", "HFB", "BJBANK", "SHBANK", "NJCB"),
        *("NBBANK", "HZCB", "JSBANK", "GZB", "CDCB", "WHCCB", "QDCCB", "XACB", "TCCB"),
    }
)
"""Banks whose health is kept apart: the national ones and the largest city banks. Merchants name
the bank, so an open set would let anybody grow the estimators without bound."""


def segment_of(instrument: Instrument) -> str:
    """The part of a channel whose health an outcome speaks of: the rail, and a well-known bank."""
    if isinstance(instrument, BankCard | BankAccount) and instrument.bank_code in BANKS:
        return f"{instrument.rail}:{instrument.bank_code}"
    return str(instrument.rail)


def route(gateway: Gateway, payout: Payout, now: datetime) -> Route:
    """Decide for the payout's next attempt. Pure but for the random draw and the time it takes."""
    started = perf_counter()
    health = _health(gateway, payout, now)
    facts = PayoutFacts(
        payout_id=payout.id,
        merchant_id=payout.merchant_id,
        amount_minor=payout.amount.minor,
        currency=payout.amount.currency,
        instruments=tuple(
            InstrumentFacts(index, instrument.rail, getattr(instrument, "bank_code", None))
            for index, instrument in enumerate(payout.instruments)
        ),
        speed=payout.speed,
        deadline_at=payout.deadline_at,
        max_fee_minor=payout.max_fee_minor,
        tried=tuple(_tried(attempt) for attempt in payout.attempts),
    )
    channels = [
        _channel_facts(gateway, payout, channel, health, now)
        for channel in gateway.channels.values()
    ]
    decision = decide(facts, channels, gateway.policy, now, gateway.entropy.ppm(), gateway.almanac)
    gateway.observer.decided(perf_counter() - started)
    chosen = decision.chosen
    quoted = 0
    if chosen is not None:
        # Not what the decision weighed, which may be a planned tier: the float must cover what the
        # channel books now.
        given = next(one for one in channels if one.name == chosen.channel)
        if given.fee is not None:
            quoted = quote_minor(given.fee, payout.amount.minor, given.month)
    return Route(decision, orjson.dumps(to_json(decision)), quoted)


def _health(
    gateway: Gateway, payout: Payout, now: datetime
) -> tuple[Mapping[str, HealthView], ...]:
    """Per instrument, every channel's view in that instrument's segment.

    The last channel that could still take this payout is never quarantined: one that has already
    failed it, or whose limits it does not fit, is no alternative, however healthy.
    """
    tried = {attempt.channel for attempt in payout.attempts}
    open_for: dict[str, frozenset[str]] = {
        name: frozenset(channel.traits.rails)
        for name, channel in gateway.channels.items()
        if name not in tried
        and gateway.load.status.get(name, "active") == "active"
        and channel.traits.terms.amount_min <= payout.amount.minor
        and payout.amount.minor <= channel.traits.terms.amount_max
    }
    return tuple(
        keep_one_per_rail(
            gateway.health.views(gateway.channels, segment_of(instrument), now), open_for
        )
        for instrument in payout.instruments
    )


def _channel_facts(
    gateway: Gateway,
    payout: Payout,
    channel: Channel,
    health: tuple[Mapping[str, HealthView], ...],
    now: datetime,
) -> ChannelFacts:
    name, terms, load = channel.name, channel.traits.terms, gateway.load
    price = priced(terms)
    problems: dict[int, tuple[str, ...]] = {}
    for index, instrument in enumerate(payout.instruments):
        if instrument.rail in channel.traits.rails:
            told = instruction_of(
                gateway,
                payout.id,
                payout,
                channel=name,
                instrument=index,
                number=len(payout.attempts) + 1,
            )
            found = channel.check(told)
            if found:
                problems[index] = tuple(f"{one.field}: {one.message}" for one in found)
    return ChannelFacts(
        name=name,
        rails=channel.traits.rails,
        currency=terms.currency,
        fee=price.fee_at(now),
        cycle=price.cycle,
        month=load.month(name, now),
        arrivals=load.arrivals.get(name, ()),
        min_minor=terms.amount_min,
        max_minor=terms.amount_max,
        day_cap_minor=terms.day_cap_minor,
        day_used_minor=load.used(name, now),
        float_minor=load.float_minor[name],
        inflight=load.sending[name],
        inflight_max=terms.inflight_max,
        in_doubt=load.in_doubt[name],
        in_doubt_max=terms.in_doubt_max,
        status=load.status.get(name, "active"),
        hours=price.hours,
        health=health[0][name],
        health_of={index: views[name] for index, views in enumerate(health)},
        problems=problems,
    )


def _tried(attempt: Attempt) -> Tried:
    """A dead attempt as the policy sees it; live ones never reach routing."""
    certificate = attempt.certificate
    if certificate is None:
        raise ValueError(f"attempt {attempt.reference} is not proven dead")
    seconds = AGAIN_S.get(certificate.reason)
    return Tried(
        channel=attempt.channel,
        instrument=attempt.instrument,
        fault=certificate.reason.fault,
        elsewhere=certificate.reason.elsewhere.value,
        retry_at=None if seconds is None else certificate.at + timedelta(seconds=seconds),
    )
