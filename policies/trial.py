"""The unit examples of a policy: decide each one, and say what came out instead.

They run whenever a policy is saved, on the policy's own sketch of the channels, or on the
installation's where it has none; so a rule that does not do what it was written for is not saved.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from policies.cases import ExampleDocument, ExpectDocument, PayoutDocument, SketchDocument
from policies.decide import decide
from policies.facts import (
    ChannelFacts,
    Constraints,
    Cycle,
    Decision,
    InstrumentFacts,
    PayoutFacts,
    Tried,
)
from policies.fees import Fee
from policies.policy import Policy
from policies.situation import ZONE

NOON: Final = datetime(2026, 3, 4, 12, 0, tzinfo=ZONE)
"""When examples happen that do not say: an ordinary Wednesday at noon."""
_RAIL: Final = "alipay"
_HEALTH: Final = ("success_ppm", "unknown_ppm", "observations", "latency_ms", "quarantined")
_CYCLE: Final = {"cycle_days": "days", "calendar": "calendar", "instant": "instant"}
_FEE: Final = ("flat_minor", "rate_ppm")


class Difference(NamedTuple):
    """An expectation that was not met: the keys that lead to it, and what was decided."""

    path: tuple[str | int, ...]
    message: str


def sketched(sketches: Mapping[str, SketchDocument]) -> list[ChannelFacts]:
    """Channels as a policy describes them; what it leaves out is open, instant and free."""
    plain = {
        name: ChannelFacts(
            name=name,
            rails=frozenset({_RAIL}),
            currency="CNY",
            fee=Fee(),
            cycle=Cycle(instant=True),
        )
        for name in sketches
    }
    return [changed(plain[name], sketch) for name, sketch in sketches.items()]


def changed(facts: ChannelFacts, sketch: SketchDocument) -> ChannelFacts:
    """The channel with what the sketch says. Raises ValueError for a cycle that cannot be."""
    given: dict[str, Any] = sketch.model_dump(exclude_unset=True)
    health = {key: given.pop(key) for key in _HEALTH if key in given}
    cycle = {field: given.pop(key) for key, field in _CYCLE.items() if key in given}
    fee = {key: given.pop(key) for key in _FEE if key in given}
    if cycle:
        cycle = {"instant": False} | cycle
    if "rails" in given:
        given["rails"] = frozenset(given["rails"])
    if health:
        # One view for every instrument: an example speaks of the channel, not of its segments.
        given |= {"health": replace(facts.health, **health), "health_of": {}}
    if fee:
        given["fee"] = Fee(**fee)
    if cycle:
        given["cycle"] = dataclasses.replace(facts.cycle, **cycle)
    return replace(facts, **given)


def run(example: ExampleDocument, policy: Policy, channels: Sequence[ChannelFacts]) -> Decision:
    """The decision of an example. Raises KeyError for an override of an unknown channel."""
    by_name = {one.name: one for one in channels}
    for name, sketch in example.channels.items():
        by_name[name] = changed(by_name[name], sketch)
    at = example.clock or NOON
    now = at if at.tzinfo is not None else at.replace(tzinfo=ZONE)
    payout = _payout(example.payout, example.merchant, now)
    return decide(payout, list(by_name.values()), policy, now, example.draw_ppm)


def differences(expect: ExpectDocument, decision: Decision) -> Iterator[Difference]:
    """Every given expectation that the decision does not meet."""
    given = expect.model_fields_set
    order = [one.channel for one in decision.order]
    if "chosen" in given:
        chosen = order[0] if order else None
        if expect.chosen != chosen:
            yield Difference(("chosen",), f"{chosen or 'nobody'} was chosen{_reasons(decision)}")
    if expect.order_starts and order[: len(expect.order_starts)] != expect.order_starts:
        yield Difference(("order_starts",), f"the order was {', '.join(order) or 'empty'}")
    for channel, code in expect.excluded.items():
        codes = {
            reason.code.value
            for one in decision.excluded
            if one.channel == channel
            for reason in one.reasons
        }
        if code not in codes:
            told = f"was out for {', '.join(sorted(codes))}" if codes else "was not excluded"
            yield Difference(("excluded", channel), f"{channel} {told}")
    for key in ("rules", "review", "max_attempts"):
        if key in given:
            wanted, found = getattr(expect, key), getattr(decision, key)
            found = list(found) if isinstance(found, tuple) else found
            if wanted != found:
                yield Difference((key,), f"{key} was {_worded(found)}")


def _worded(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "empty"
    return "none" if value is None else repr(value)


def _reasons(decision: Decision) -> str:
    """Why the others were out, in short, for the person who reads the refusal."""
    out = [f"{one.channel}: {one.reasons[0].code.value}" for one in decision.excluded[:5]]
    rules = f"; rules {', '.join(decision.rules)}" if decision.rules else ""
    return f" ({'; '.join(out)}{rules})" if out else rules


def _payout(asked: PayoutDocument, merchant: str, now: datetime) -> PayoutFacts:
    ways = [(one.rail, one.bank) for one in asked.instruments] or [
        (asked.rail or _RAIL, asked.bank)
    ]
    accepted_at = now - asked.age if asked.age else now
    limits = asked.constraints
    return PayoutFacts(
        payout_id="po_example",
        merchant_id=merchant,
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        instruments=tuple(
            InstrumentFacts(index, rail, bank) for index, (rail, bank) in enumerate(ways)
        ),
        speed=asked.speed,
        deadline_at=None if asked.deadline is None else accepted_at + asked.deadline,
        max_fee_minor=asked.max_fee_minor,
        tried=tuple(Tried(one.channel, 0, one.fault, "any") for one in asked.tried),
        accepted_at=accepted_at,
        merchant_ref=asked.merchant_ref,
        constraints=Constraints(
            frozenset(limits.only),
            frozenset(limits.deny),
            tuple(limits.prefer),
            limits.max_attempts,
        ),
        released=asked.released,
    )
