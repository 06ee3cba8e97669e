"""The gateway's past as backtests read it: records without payee data, and channels' terms.

Pure but for the store. A decision and the attempt it led to are matched by time and channel: both
are written in one commit, so the attempt's decision is the last one before it was armed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import orjson

from channels.contract import Channel, Fault, Instrument
from gateway.domain.payout import Attempt, AttemptState
from gateway.domain.pricing import priced
from gateway.engine.gateway import Gateway
from gateway.ports import Past
from policies.backtest.record import Choice, Ending, Record, Result, Way, choice_of
from policies.backtest.terms import Terms
from policies.explain import from_json
from policies.facts import Decision

_FAILED: Final = {
    Fault.CHANNEL: Ending.CHANNEL_FAILED,
    Fault.BENEFICIARY: Ending.PAYEE_FAILED,
    Fault.INSTRUCTION: Ending.INSTRUCTION_FAILED,
    Fault.OPERATOR: Ending.OPERATOR_FAILED,
}
_ENDED: Final = {
    AttemptState.ARMED: Ending.OPEN,
    AttemptState.PENDING: Ending.OPEN,
    AttemptState.IN_DOUBT: Ending.IN_DOUBT,
    AttemptState.CONFIRMED: Ending.PAID,
    AttemptState.RETURNED: Ending.RETURNED,
}


def record_of(past: Past) -> Record:
    """One payout's record. Raises ValueError for a decision whose layout nobody knows."""
    payout = past.payout
    return Record(
        payout.id,
        payout.merchant_id,
        payout.accepted_at,
        payout.amount.minor,
        payout.amount.currency,
        tuple(_way(index, one) for index, one in enumerate(payout.instruments)),
        payout.speed,
        payout.deadline_at,
        payout.max_fee_minor,
        tuple(_choices(past.decisions, payout.attempts)),
        tuple(sorted(payout.constraints.only)),
        tuple(sorted(payout.constraints.deny)),
        tuple(payout.constraints.prefer),
    )


def terms_of(gateway: Gateway) -> list[Terms]:
    """Every channel's lasting facts, by name."""
    return [_terms(gateway, gateway.channels[name]) for name in sorted(gateway.channels)]


def _terms(gateway: Gateway, channel: Channel) -> Terms:
    terms = channel.traits.terms
    price = priced(terms)
    return Terms(
        channel.name,
        channel.traits.rails,
        terms.currency,
        () if price.fees is None else price.fees.dated,
        price.cycle,
        price.hours,
        terms.amount_min,
        terms.amount_max,
        terms.day_cap_minor,
        gateway.load.arrivals.get(channel.name, ()),
    )


def _way(index: int, instrument: Instrument) -> Way:
    return Way(index, instrument.rail, getattr(instrument, "bank_code", None))


def _choices(
    decisions: Sequence[tuple[datetime, bytes]], attempts: Sequence[Attempt]
) -> Iterable[Choice]:
    made = [from_json(orjson.loads(text)) for _, text in decisions]
    led_to: dict[int, Attempt] = {}
    taken = -1
    for attempt in attempts:
        for at in range(len(made) - 1, taken, -1):
            if _led_to(made[at], attempt):
                led_to[at] = attempt
                taken = at
                break
    for at, decision in enumerate(made):
        armed = led_to.get(at)
        # A choice that armed nothing was overtaken (a cancellation, a full float): no choice.
        if armed is not None or not decision.order:
            yield choice_of(decision, None if armed is None else _result(armed))


def _led_to(decision: Decision, attempt: Attempt) -> bool:
    chosen = decision.chosen
    return (
        chosen is not None
        and decision.decided_at <= attempt.armed_at
        and (chosen.channel, chosen.instrument) == (attempt.channel, attempt.instrument)
    )


def _result(attempt: Attempt) -> Result:
    certificate = attempt.certificate
    ended_at: datetime | None
    if certificate is not None:
        ending, ended_at = _FAILED[certificate.reason.fault], certificate.at
    else:
        ending, ended_at = _ENDED[attempt.state], attempt.paid_at
    return Result(
        attempt.number,
        ending,
        attempt.armed_at,
        attempt.arrival_at,
        ended_at,
        attempt.fee_minor,
        attempt.doubted_at is not None,
        ending in {Ending.OPEN, Ending.IN_DOUBT},
    )
