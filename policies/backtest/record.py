"""One payout of history, as backtests read it: what was asked, decided, and what became of it.

These values are also the file format: a line of an export is a `Record` as one JSON object, with
the fields below by their names. They hold no payee data: rails and bank codes only. A record is
complete in itself; everything that changes over time (health, quarantine, who was paused) is told
by the decision that met it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import AwareDatetime, ConfigDict, Field

from policies.facts import Speed

_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Count = Annotated[int, Field(ge=0)]
_Index = Annotated[int, Field(ge=0, le=100)]
_Ppm = Annotated[int, Field(ge=0, le=1_000_000)]
_Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
_STRICT: Final = ConfigDict(extra="forbid", strict=True)


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

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    index: _Index
    rail: _Name
    bank_code: Annotated[str, Field(max_length=32)] | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate as it was logged: cost parts in micro units, believed rates and propensity."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    channel: _Name
    instrument: _Index
    fee: _Count
    surcharge: _Count
    capital: _Count
    lateness: _Count
    fail: _Count
    unknown: _Count
    days: Annotated[int, Field(ge=0, le=1000)]
    """Calendar days to arrival, as expected then."""
    success_ppm: _Ppm
    unknown_ppm: _Ppm
    propensity_ppm: _Ppm | None
    """How likely it was to be chosen; None where nobody logged that."""
    probing: bool = False


@dataclass(frozen=True, slots=True)
class Ruled:
    """A channel and instrument that were out, with the codes of all reasons."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    channel: _Name
    instrument: _Index
    codes: tuple[_Name, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the attempt that a decision led to."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    number: Annotated[int, Field(ge=1)]
    ending: Ending
    armed_at: AwareDatetime
    promised_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    """When it was proven paid or dead; None while it was neither."""
    fee_minor: _Count | None
    """What the channel said it charged."""
    doubted: bool
    """Whether nobody knew for a while."""
    censored: bool
    """Whether the history ends before the attempt does."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision. `order` begins with the chosen candidate; empty when there was none."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    at: AwareDatetime
    policy: str
    plan: str | None
    draw_ppm: Annotated[int, Field(ge=0, lt=1_000_000)]
    outcome: _Name
    order: tuple[Option, ...]
    excluded: tuple[Ruled, ...]
    result: Result | None


@dataclass(frozen=True, slots=True)
class Record:
    """One payout with every decision about it, in order."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    payout: _Name
    merchant: _Name
    accepted_at: AwareDatetime
    amount_minor: Annotated[int, Field(ge=1)]
    currency: _Currency
    ways: Annotated[tuple[Way, ...], Field(min_length=1)]
    speed: Speed
    deadline_at: AwareDatetime | None
    max_fee_minor: _Count | None
    choices: tuple[Choice, ...]

    @property
    def first(self) -> Choice | None:
        """The decision that led to the first attempt; else the last one, which found no channel."""
        for one in self.choices:
            if one.order:
                return one
        return self.choices[-1] if self.choices else None
