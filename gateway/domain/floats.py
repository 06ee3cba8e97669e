"""An institution's balance held against our float there: pure.

Our books know what must still be on the account (the float) and what may have left it or not: money
in transit, and fees that no statement has confirmed. A balance within these two is explained. One
outside is told to people once it has been so for several looks in a row: a payout that is being
booked, or a top-up on its way, must not call anybody.
"""

from datetime import datetime
from enum import StrEnum
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import Balance
from channels.money import Currency, Money


class Extent(Struct, frozen=True):
    """What may lie on an account by our books, in minor units."""

    low_minor: int
    """The float: nothing that is under way has to come back for it."""
    high_minor: int
    """The float, if none of what is under way has left."""

    def with_(self, other: Self) -> "Extent":
        """Whatever either allows: the books moved while the institution was asked."""
        return Extent(min(self.low_minor, other.low_minor), max(self.high_minor, other.high_minor))

    def off(self, minor: int, tolerance_minor: int) -> int:
        """By how much a balance lies below (negative) or above; 0 when it is explained."""
        if minor < self.low_minor - tolerance_minor:
            return minor - self.low_minor
        if minor > self.high_minor + tolerance_minor:
            return minor - self.high_minor
        return 0

    @property
    def width_minor(self) -> int:
        """How large a difference it could hide."""
        return self.high_minor - self.low_minor


class BalancePace(Struct, frozen=True):
    """How often a channel's balance is asked for, and when a difference is told."""

    every_s: int = 300
    """0: never."""
    looks: int = 6
    tolerance_minor: int = 0


class KeptBalance(Struct, frozen=True):
    """What an institution said last, held against our books of that moment."""

    channel: str
    currency: Currency
    due_at: datetime
    """When to ask again."""
    available_minor: int | None = None
    """None until it has answered once."""
    said_at: datetime | None = None
    extent: Extent = Extent(0, 0)
    off_minor: int = 0
    """How far outside the extent it lies; negative: money is missing there."""
    off_looks: int = 0
    """Looks in a row that found more than people know of."""
    told_minor: int = 0
    """What people have been told of."""
    failures: int = 0
    """Looks in a row without an answer."""
    problem: str = ""

    def free_minor(self, float_minor: int) -> int:
        """What may be counted on: our float now, but no more than the institution has shown.

        What it lacked when it was asked still lacks; money that it has not shown yet (a top-up
        booked since) does not count before it does.
        """
        if self.available_minor is None:
            return float_minor
        lacking = max(0, self.extent.low_minor - self.available_minor)
        return min(float_minor - lacking, self.available_minor)


class Verdict(StrEnum):
    """What a look means for people."""

    NOTHING = "nothing"
    OFF = "off"
    """A difference has lasted, and is more than they know of."""
    AGREES = "agrees"
    """What they were told of is gone."""


def compare(
    before: KeptBalance, said: Balance, extent: Extent, pace: BalancePace
) -> tuple[KeptBalance, Verdict]:
    """Take in what the institution says; `before` carries the time of the next look."""
    off = extent.off(said.available.minor, pace.tolerance_minor)
    looked = replace(
        before,
        available_minor=said.available.minor,
        said_at=said.at,
        extent=extent,
        off_minor=off,
        off_looks=0,
        failures=0,
        problem="",
    )
    told = before.told_minor
    if off == 0:
        # As long as so much is under way that it could hide what was told, nothing has been seen.
        if told and extent.width_minor < abs(told):
            return replace(looked, told_minor=0), Verdict.AGREES
        return looked, Verdict.NOTHING
    if off * told > 0 and abs(off) <= abs(told):
        return looked, Verdict.NOTHING
    looks = before.off_looks + 1 if off * before.off_minor > 0 else 1
    if looks < pace.looks:
        return replace(looked, off_looks=looks), Verdict.NOTHING
    return replace(looked, told_minor=off), Verdict.OFF


def failed(before: KeptBalance, problem: str) -> KeptBalance:
    """Nothing was heard: what was said before stays, with its age."""
    return replace(before, failures=before.failures + 1, problem=problem)


def evidence(kept: KeptBalance) -> str:
    """What a person reads in the incident, in both languages."""
    unit = kept.currency

    def text(minor: int) -> str:
        return f"{Money(minor, unit)} {unit}"

    more = kept.off_minor > 0
    by = text(abs(kept.off_minor))
    low, high = text(kept.extent.low_minor), text(kept.extent.high_minor)
    books = low if low == high else f"{low} - {high}"
    has = text(kept.available_minor or 0)
    return (
        f"the channel has {has}, our books say {books}: {by} too {'much' if more else 'little'} / "
        f"机构余额 {has}，账面 {books}：{'多' if more else '少'} {by}"
    )
