"""Builders for history: records, channels' terms and replays; a test names what it is about."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from policies.backtest.record import Choice, Ending, Option, Record, Result, Ruled, Way
from policies.backtest.replay import Comparison, replay
from policies.backtest.terms import ALWAYS, Terms
from policies.facts import Cycle
from policies.fees import Fee
from policies.policy import Policy
from tests.policies.builders import beijing
from tests.policies.builders import policy as routing_policy

NOON = beijing(2026, 3, 2)
"""A Monday of an ordinary month."""


def terms(name: str = "a", fee: Fee | None = None, **changes: Any) -> Terms:
    """An instant channel for bank cards, ¥1 a payout unless `fee` says."""
    fees = changes.pop("fees", ((ALWAYS, fee or Fee(flat_minor=100)),))
    return Terms(
        name,
        frozenset({"bank_card"}),
        "CNY",
        fees,
        changes.pop("cycle", Cycle(instant=True)),
        **changes,
    )


def option(channel: str = "a", propensity_ppm: int | None = 0, **changes: Any) -> Option:
    """A candidate that never fails, ¥1."""
    facts: dict[str, Any] = {
        "fee": 100_000_000,
        "surcharge": 0,
        "capital": 0,
        "lateness": 0,
        "fail": 0,
        "unknown": 0,
        "days": 0,
        "success_ppm": 1_000_000,
        "unknown_ppm": 0,
    }
    return Option(channel, 0, **(facts | {"propensity_ppm": propensity_ppm} | changes))


def result(at: datetime = NOON, ending: Ending = Ending.PAID, **changes: Any) -> Result:
    """The first attempt, ended at once."""
    facts: dict[str, Any] = {
        "promised_at": at,
        "ended_at": at,
        "fee_minor": 100,
        "doubted": False,
        "censored": False,
    }
    return Result(1, ending, at, **(facts | changes))


def choice(
    *channels: str | Option,
    at: datetime = NOON,
    excluded: Sequence[tuple[str, str]] = (),
    ending: Ending = Ending.PAID,
    **changes: Any,
) -> Choice:
    """A decision for the first of `channels`, which was certain to be chosen."""
    order = tuple(
        one if isinstance(one, Option) else option(one, 0 if place else 1_000_000)
        for place, one in enumerate(channels)
    )
    facts: dict[str, Any] = {
        "policy": "logged",
        "plan": None,
        "draw_ppm": 500_000,
        "outcome": "cheapest" if order else "none",
        "result": result(at, ending) if order else None,
    }
    ruled = tuple(Ruled(channel, 0, (code,)) for channel, code in excluded)
    return Choice(at, order=order, excluded=ruled, **(facts | changes))


_NUMBERS = iter(range(1, 10**9))


def record(*choices: Choice, amount_minor: int = 10_000, **changes: Any) -> Record:
    """A payout of ¥100 to one ICBC card, accepted when it was decided."""
    facts: dict[str, Any] = {
        "payout": f"po_{next(_NUMBERS):08d}",
        "merchant": "m_1",
        "accepted_at": choices[0].at if choices else NOON,
        "currency": "CNY",
        "ways": (Way(0, "bank_card", "ICBC"),),
        "speed": "standard",
        "deadline_at": None,
        "max_fee_minor": None,
    }
    return Record(amount_minor=amount_minor, choices=choices, **(facts | changes))


def run(
    records: Iterable[Record], channels: Sequence[Terms], draft: Policy | None = None, **more: Any
) -> Comparison:
    """A replay under a draft that wants the cheapest, without exploration."""
    return replay(records, channels, draft or routing_policy(), **more)
