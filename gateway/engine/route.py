"""Gather the facts, ask the policy, keep the whole Decision: which channel is tried next, and why.

The decision itself is `policies.decide`, pure; here the gateway's values become its facts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from time import perf_counter

import orjson
from msgspec import Struct

from channels.contract import (
    BankAccount,
    BankCard,
    Channel,
    Instrument,
    Reason,
)
from channels.money import Money
from gateway.domain.payout import UNCONSTRAINED, Attempt, Payout
from gateway.domain.pricing import priced
from gateway.engine.gateway import Gateway
from gateway.engine.instruct import instruction_of
from gateway.engine.shadow import also_decide
from policies import health
from policies.decide import decide
from policies.explain import to_json
from policies.facts import (
    FREE,
    ChannelFacts,
    Constraints,
    Decision,
    HealthView,
    InstrumentFacts,
    PayoutFacts,
    Tried,
)
from policies.fees import quote_minor

AGAIN_S: Mapping[Reason, int] = {
    Reason.NEVER_SENT: 30,
    Reason.RAIL_DOWN: 300,
    Reason.FLOAT_SHORT: 600,
    Reason.OUTSIDE_HOURS: 900,
    Reason.QUOTA_EXHAUSTED: 3600,
}
"""Troubles that pass: the same channel may be tried again after so many seconds."""


class Route(Struct, frozen=True):
    """Where the next attempt goes, or when to ask again, with the decision that says why."""

    decision: Decision
    decision_json: bytes
    quoted_fee_minor: int = 0


def segment_of(instrument: Instrument, amount: Money) -> str:
    """The part of a channel whose health an outcome speaks of."""
    bank = instrument.bank_code if isinstance(instrument, BankCard | BankAccount) else None
    return health.segment_of(instrument.rail, bank, amount.minor, amount.currency)


def segments_of(payout: Payout) -> tuple[str, ...]:
    """One for each of the payout's instruments."""
    return tuple(segment_of(one, payout.amount) for one in payout.instruments)


def route(gateway: Gateway, payout: Payout, now: datetime) -> Route:
    """Decide for the payout's next attempt. Pure but for the random draw and the time it takes."""
    started = perf_counter()
    facts, channels = payout_facts(gateway, payout), channels_facts(gateway, payout, now)
    policy, draw_ppm = gateway.policy_for(payout), gateway.entropy.ppm()
    plan = gateway.following.view(payout.amount.currency, now)
    decision = decide(facts, channels, policy, now, draw_ppm, gateway.almanac, plan=plan)
    gateway.observer.decided(perf_counter() - started)
    told = to_json(decision)
    if gateway.shadow is not None:
        told |= also_decide(gateway, gateway.shadow, facts, channels, decision)
    chosen = decision.chosen
    quoted = 0
    if chosen is not None:
        # Not what the decision weighed, which may be a planned tier: the float must cover what the
        # channel books now.
        given = next(one for one in channels if one.name == chosen.channel)
        if given.fee is not None:
            quoted = quote_minor(given.fee, payout.amount.minor, given.month)
    return Route(decision, orjson.dumps(told), quoted)


def payout_facts(gateway: Gateway, payout: Payout) -> PayoutFacts:
    """What was asked, and what has been tried, as the policy sees it.

    Rules that hold a payout for review speak when it is taken in, so here it counts as released.
    """
    asked = payout.constraints
    return PayoutFacts(
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
        accepted_at=max(payout.accepted_at, payout.release_at or payout.accepted_at),
        merchant_ref=payout.merchant_ref,
        constraints=FREE
        if asked == UNCONSTRAINED
        else Constraints(
            *(frozenset(asked.only), frozenset(asked.deny), asked.prefer, asked.max_attempts)
        ),
        released=True,
        waiting_since=gateway.waiting.since(payout.id),
    )


def channels_facts(gateway: Gateway, payout: Payout, now: datetime) -> list[ChannelFacts]:
    """Every channel as it stands now, for this payout."""
    views = _health(gateway, payout, now)
    return [
        _channel_facts(gateway, payout, channel, views, now)
        for channel in gateway.channels.values()
    ]


def _health(
    gateway: Gateway, payout: Payout, now: datetime
) -> tuple[Mapping[str, HealthView], ...]:
    """Per instrument, every channel's view in that instrument's segment."""
    again = bool(payout.attempts)
    return tuple(
        gateway.health.views(gateway.channels, segment, now, again=again)
        for segment in segments_of(payout)
    )


def _channel_facts(
    gateway: Gateway,
    payout: Payout,
    channel: Channel,
    views: tuple[Mapping[str, HealthView], ...],
    now: datetime,
) -> ChannelFacts:
    name, terms, load = channel.name, channel.traits.terms, gateway.load
    price = priced(terms)
    ended = gateway.expired(name, now)
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
        killed=load.is_killed(name),
        expired=None if ended is None else (ended.name, ended.at.date().isoformat()),
        maintenance_until=gateway.maintenance_until(name, now),
        health=views[0][name],
        health_of={index: view[name] for index, view in enumerate(views)},
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
