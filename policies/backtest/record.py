"""One payout of history, as backtests read it: what was asked, decided, and what became of it.

These values are also the file format: a line of an export is a `Record` as one JSON object, with
the fields below by their names. They hold no payee data: rails and bank codes only. A record is
complete in itself; everything that changes over time (health, quarantine, who was paused) is told
by the decision that met it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, TypedDict

from policies.facts import Decision, Speed


class Strictness(TypedDict):
    """How `lines` reads these classes: no other fields, no other types."""

    extra: str
    strict: bool


_STRICT: Final[Strictness] = {"extra": "forbid", "strict": True}


class Ending(StrEnum):
    """What became of an attempt, by whose doing; only the channel's failures count against it."""

    PAID = "paid"
    RETURNED = "returned"
    """Paid, and sent back later by the beneficiary's bank."""
    CHANNEL_FAILED = "channel_failed"
    PAYEE_FAILED = "payee_failed"
    INSTRUCTION_FAILED = "instruction_failed"
    OPERATOR_FAILED = "operator_failed"
    IN_DOUBT = "in_doubt"
    """Nobody knew when the history was read: not a failure."""
    OPEN = "open"


SETTLES_SUCCESS: Final = frozenset({Ending.PAID, Ending.RETURNED, Ending.CHANNEL_FAILED})
"""Endings that say whether the channel did its part."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to reach the beneficiary: its place in the payout, its rail, the bank if known."""

    __pydantic_config__: ClassVar[Strictness] = _STRICT

    index: int
    rail: str
    bank_code: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate as it was logged: cost parts in micro units, believed rates and propensity."""

    __pydantic_config__: ClassVar[Strictness] = _STRICT

    channel: str
    instrument: int
    fee: int
    surcharge: int
    capital: int
    lateness: int
    fail: int
    unknown: int
    days: int
    """Calendar days to arrival, as expected then."""
    success_ppm: int
    unknown_ppm: int
    propensity_ppm: int | None
    """How likely it was to be chosen; None where nobody logged that."""
    probing: bool = False


@dataclass(frozen=True, slots=True)
class Ruled:
    """A channel and instrument that were out, with the codes of all reasons."""

    __pydantic_config__: ClassVar[Strictness] = _STRICT

    channel: str
    instrument: int
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the attempt that a decision led to."""

    __pydantic_config__: ClassVar[Strictness] = _STRICT

    number: int
    ending: Ending
    armed_at: datetime
    promised_at: datetime | None
    ended_at: datetime | None
    """When it was proven paid or dead; None while it was neither."""
    fee_minor: int | None
    """What the channel said it charged."""
    doubted: bool
    """Whether nobody knew for a while."""
    censored: bool
    """Whether the history ends before the attempt does."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision. `order` begins with the chosen candidate; empty when there was none."""

    __pydantic_config__: ClassVar[Strictness] = _STRICT

    at: datetime
    policy: str
    plan: str | None
    draw_ppm: int
    outcome: str
    order: tuple[Option, ...]
    excluded: tuple[Ruled, ...]
    result: Result | None


@dataclass(frozen=True, slots=True)
class Record:
    """One payout with every decision about it, in order."""

    __pydantic_config__: ClassVar[Strictness] = _STRICT

    payout: str
    merchant: str
    accepted_at: datetime
    amount_minor: int
    currency: str
    ways: tuple[Way, ...]
    speed: Speed
    deadline_at: datetime | None
    max_fee_minor: int | None
    choices: tuple[Choice, ...]
    only: tuple[str, ...] = ()
    """Channels that the request itself allows; none: every one."""
    deny: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()

    @property
    def first(self) -> Choice | None:
        """The decision that led to the first attempt; else the last one, which found no channel."""
        for one in self.choices:
            if one.order:
                return one
        return self.choices[-1] if self.choices else None


def choice_of(decision: Decision, result: Result | None) -> Choice:
    """A decision as history keeps it."""
    return Choice(
        decision.decided_at,
        decision.policy_hash,
        decision.plan_id,
        decision.draw_ppm,
        decision.outcome,
        tuple(
            Option(
                one.channel,
                one.instrument,
                one.cost.fee,
                one.cost.surcharge,
                one.cost.capital,
                one.cost.lateness,
                one.cost.fail,
                one.cost.unknown,
                one.arrival.days_calendar,
                one.success_ppm,
                one.unknown_ppm,
                propensity,
                one.probing,
            )
            for one, propensity in zip(decision.order, decision.propensities_ppm, strict=True)
        ),
        tuple(
            Ruled(out.channel, out.instrument, tuple(one.code.value for one in out.reasons))
            for out in decision.excluded
        ),
        result,
    )
