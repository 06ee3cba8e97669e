"""What a rule's condition can speak of: every fact's name, kind, bounds and where it is read.

Every fact always has a value; one that is not known or not limited has a stated stand-in, so that
no condition can meet an absent field. `policies/README.md` lists the facts; a test compares them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from policies.situation import ZONE, Asked, AtHand

Value: TypeAlias = bool | int | str | tuple[str, ...] | tuple[int, ...] | frozenset[str]

UNLIMITED: Final = 10**15
"""Stands for a bound that a channel or a payout does not have, in minor units."""
NEVER_MINUTES: Final = 10**9
"""Stands for the time left to a deadline that was not given."""

_MINUTE: Final = 60
_HOUR: Final = 3600


class Kind(StrEnum):
    """The types of the language; there are no floating numbers and nothing is ever null."""

    INT = "int"
    STRING = "string"
    BOOL = "bool"
    STRINGS = "list(string)"
    INTS = "list(int)"


class Bounds(NamedTuple):
    """What every value of a fact lies within, for analysis; `corners` are values worth trying."""

    low: int | None = None
    high: int | None = None
    choices: frozenset[str] | None = None
    corners: tuple[int, ...] = (0, 1, 1_000_000)


class Fact(NamedTuple):
    """One name of the language.

    `read`: where it stands under what its root stands for (`situation`), as a dotted path, or what
    computes it from that. `every_s` tells how soon the value may change while a payout waits; 0
    means that it never does.
    """

    name: str
    kind: Kind
    read: str | Callable[[Any], Value]
    bounds: Bounds = Bounds()
    every_s: int = 0

    @property
    def root(self) -> str:
        """The part before the dot."""
        return self.name.partition(".")[0]

    @property
    def corners(self) -> tuple[Value, ...]:
        """Values at which a condition is tried before it is trusted."""
        match self.kind:
            case Kind.INT:
                return self.bounds.corners
            case Kind.BOOL:
                return (False, True)
            case Kind.STRING:
                return ("", "x")
            case _:
                return ((), ("x",))


def _range(low: int, high: int) -> Bounds:
    return Bounds(low, high, corners=(low, low + 1, high))


INT, STRING, BOOL, STRINGS = Kind.INT, Kind.STRING, Kind.BOOL, Kind.STRINGS
_ANY: Final = Bounds()
_COUNT: Final = Bounds(low=0)
_ORDINAL: Final = Bounds(low=1, corners=(1, 2, 9))
_SHARE: Final = _range(0, 1_000_000)
_MONEY: Final = Bounds(low=0, corners=(0, 1, 10**12))
_AMOUNT: Final = Bounds(low=1, corners=(1, 2, 10**12))
_LEFT: Final = Bounds(corners=(-1, 0, 1, NEVER_MINUTES))
_SPEED: Final = Bounds(choices=frozenset({"standard", "fast", "instant"}))
_CALENDAR: Final = Bounds(choices=frozenset({"natural", "cn_statutory", "cn_no_makeup"}))


def _accepted_at(asked: Asked) -> datetime:
    return asked.facts.accepted_at or asked.now


def _age_minutes(asked: Asked) -> int:
    # A clock that went backwards must not make a payout younger than it was when it came.
    return max(0, (asked.now - _accepted_at(asked)) // timedelta(minutes=1))


def _deadline_minutes(asked: Asked) -> int:
    at = asked.facts.deadline_at
    return NEVER_MINUTES if at is None else (at - asked.now) // timedelta(minutes=1)


def _max_fee(asked: Asked) -> int:
    most = asked.facts.max_fee_minor
    return UNLIMITED if most is None else most


def _rails(asked: Asked) -> tuple[str, ...]:
    return tuple(one.rail for one in asked.facts.instruments)


def _banks(asked: Asked) -> tuple[str, ...]:
    return tuple(one.bank_code for one in asked.facts.instruments if one.bank_code)


def _float(at: AtHand) -> int:
    held = at.facts.float_minor
    return UNLIMITED if held is None else held


def _day_left(at: AtHand) -> int:
    cap = at.facts.day_cap_minor
    return UNLIMITED if cap is None else max(0, cap - at.facts.day_used_minor)


_ALL: Final = (
    Fact("payout.amount_minor", INT, "facts.amount_minor", _AMOUNT),
    Fact("payout.currency", STRING, "facts.currency"),
    Fact("payout.rail", STRING, lambda a: a.facts.instruments[0].rail),
    Fact("payout.rails", STRINGS, _rails),
    Fact("payout.bank", STRING, lambda a: a.facts.instruments[0].bank_code or ""),
    Fact("payout.banks", STRINGS, _banks),
    Fact("payout.instruments", INT, lambda a: len(a.facts.instruments), _ORDINAL),
    Fact("payout.speed", STRING, "facts.speed", _SPEED),
    Fact("payout.merchant_ref", STRING, lambda a: a.facts.merchant_ref or ""),
    Fact("payout.attempt", INT, lambda a: len(a.facts.tried) + 1, _ORDINAL),
    Fact("payout.hour", INT, lambda a: _accepted_at(a).astimezone(ZONE).hour, _range(0, 23)),
    Fact("payout.age_minutes", INT, _age_minutes, _COUNT, _MINUTE),
    Fact("payout.has_deadline", BOOL, lambda a: a.facts.deadline_at is not None),
    Fact("payout.deadline_minutes", INT, _deadline_minutes, _LEFT, _MINUTE),
    Fact("payout.max_fee_minor", INT, _max_fee, _MONEY),
    Fact("merchant.id", STRING, "id"),
    Fact("merchant.tier", STRING, "tier"),
    Fact("merchant.tags", STRINGS, "tags"),
    Fact("channel.name", STRING, "facts.name"),
    Fact("channel.rail", STRING, "rail"),
    Fact("channel.rails", STRINGS, "facts.rails"),
    Fact("channel.success_ppm", INT, "health.success_ppm", _SHARE, _MINUTE),
    Fact("channel.unknown_ppm", INT, "health.unknown_ppm", _SHARE, _MINUTE),
    Fact("channel.observations", INT, "health.observations", _COUNT, _MINUTE),
    Fact("channel.latency_ms", INT, "health.latency_ms", _COUNT, _MINUTE),
    Fact("channel.quarantined", BOOL, "health.quarantined", _ANY, _MINUTE),
    Fact("channel.cycle_days", INT, "facts.cycle.days", _COUNT),
    Fact("channel.calendar", STRING, "facts.cycle.calendar", _CALENDAR),
    Fact("channel.instant", BOOL, "facts.cycle.instant"),
    Fact("channel.fee_minor", INT, "fee_minor", _MONEY),
    Fact("channel.arrival_days", INT, "arrival_days", _COUNT, _HOUR),
    Fact("channel.float_minor", INT, _float, _MONEY, _MINUTE),
    Fact("channel.float_known", BOOL, lambda a: a.facts.float_minor is not None),
    Fact("channel.day_used_minor", INT, "facts.day_used_minor", _MONEY, _MINUTE),
    Fact("channel.day_left_minor", INT, _day_left, _MONEY, _MINUTE),
    Fact("channel.month_payouts", INT, "facts.month.payouts", _COUNT, _MINUTE),
    Fact("channel.month_minor", INT, "facts.month.minor", _MONEY, _MINUTE),
    Fact("channel.inflight", INT, "facts.inflight", _COUNT, _MINUTE),
    Fact("channel.in_doubt", INT, "facts.in_doubt", _COUNT, _MINUTE),
    Fact("pool.channels", INT, "channels", _COUNT, _MINUTE),
    Fact("pool.open", INT, "open", _COUNT, _MINUTE),
    Fact("pool.eligible", INT, "eligible", _COUNT, _MINUTE),
    Fact("pool.quarantined", INT, "quarantined", _COUNT, _MINUTE),
    Fact("pool.in_doubt", INT, "in_doubt", _COUNT, _MINUTE),
    Fact("pool.inflight", INT, "inflight", _COUNT, _MINUTE),
    Fact("pool.float_minor", INT, "float_minor", _MONEY, _MINUTE),
    Fact("clock.year", INT, "year", _ORDINAL, _HOUR),
    Fact("clock.month", INT, "month", _range(1, 12), _HOUR),
    Fact("clock.day", INT, "day", _range(1, 31), _HOUR),
    Fact("clock.hour", INT, "hour", _range(0, 23), _HOUR),
    Fact("clock.minute", INT, "minute", _range(0, 59), _MINUTE),
    Fact("clock.weekday", INT, "weekday", _range(1, 7), _HOUR),
    Fact("clock.date", STRING, "date", _ANY, _HOUR),
    Fact("clock.is_workday", BOOL, "is_workday", _ANY, _HOUR),
    Fact("clock.is_holiday_eve", BOOL, "is_holiday_eve", _ANY, _HOUR),
    Fact("clock.rest_days_ahead", INT, "rest_days_ahead", _COUNT, _HOUR),
)

FACTS: Final[Mapping[str, Fact]] = {fact.name: fact for fact in _ALL}
"""Every fact by its name."""
ROOTS: Final = ("payout", "merchant", "channel", "pool", "clock")
"""The roots, as the language lists them; `lists` and `values` hold the policy's own constants."""
