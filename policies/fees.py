"""What a channel charges for one payout, by its contract: clamps, tiers over a month, dates.

All integers, in minor units of the channel's currency. A tier is chosen by what the channel has
carried in the calendar month before this payout (`MonthUse`), counted in payouts or in money:
*all units* prices every payout of the month at the tier that the month ends in (so a payout is
priced at the tier that is planned for, and billed provisionally at the one that is reached);
*incremental* prices each part at the tier it falls into.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """Terms from a month's use of `floor` on (payouts or minor units, by the fee's `basis`)."""

    floor: int
    flat_minor: int = 0
    rate_ppm: int = 0

    def __post_init__(self) -> None:
        """Refuse terms that would make a fee negative."""
        if min(self.floor, self.flat_minor, self.rate_ppm) < 0:
            raise ValueError("tier parts must not be negative")


@dataclass(frozen=True, slots=True)
class Commitment:
    """A promised month: what is missing at its end is charged for.

    `least` and `shortfall` follow the fee's `basis`: minor units for each missing payout, or parts
    per million of the missing money.
    """

    least: int
    shortfall: int

    def __post_init__(self) -> None:
        """Refuse a promise without content."""
        if self.least <= 0 or self.shortfall < 0:
            raise ValueError("a commitment needs a positive least and no negative shortfall")


@dataclass(frozen=True, slots=True)
class MonthUse:
    """What a channel has carried since the first of the local month, before this payout."""

    payouts: int = 0
    minor: int = 0


UNUSED: Final = MonthUse()


@dataclass(frozen=True, slots=True)
class Fee:
    """What a channel charges: clamp(flat + rate, min, max) + surcharge.

    With `tiers`, flat and rate come from the tier instead (the first has floor 0).
    `on_top` takes the charge from our float beside the amount; `deducted` out of the amount.
    """

    flat_minor: int = 0
    rate_ppm: int = 0
    min_minor: int = 0
    max_minor: int | None = None
    surcharge_ppm: int = 0
    mode: Literal["on_top", "deducted"] = "on_top"
    tiers: tuple[Tier, ...] = ()
    basis: Literal["payouts", "amount"] = "payouts"
    scheme: Literal["all_units", "incremental"] = "incremental"
    commitment: Commitment | None = None

    def __post_init__(self) -> None:
        """Refuse terms that would make a fee negative or its bounds contradict."""
        parts = (self.flat_minor, self.rate_ppm, self.min_minor, self.surcharge_ppm)
        if min(parts) < 0:
            raise ValueError("fee parts must not be negative")
        if self.max_minor is not None and self.max_minor < self.min_minor:
            raise ValueError("fee max_minor is below min_minor")
        if self.tiers:
            floors = [tier.floor for tier in self.tiers]
            if floors[0] != 0 or floors != sorted(set(floors)):
                raise ValueError("tiers must begin at floor 0 and rise")
            if self.flat_minor or self.rate_ppm:
                raise ValueError("with tiers, flat and rate belong into the tiers")


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """Fees by the local date from which each holds; rising, at least one."""

    dated: tuple[tuple[date, Fee], ...]

    def __post_init__(self) -> None:
        """Refuse an empty or unordered schedule."""
        days = [on for on, _ in self.dated]
        if not days or days != sorted(set(days)):
            raise ValueError("a fee schedule needs rising dates")

    def fee_on(self, day: date) -> Fee | None:
        """The fee in force; None before the first one, when the channel has no price."""
        found: Fee | None = None
        for on, fee in self.dated:
            if on > day:
                break
            found = fee
        return found


def fee_minor(
    fee: Fee, amount_minor: int, month: MonthUse = UNUSED, planned_tier: int | None = None
) -> int:
    """The listed fee in whole minor units, rounded half up, without the surcharge.

    `planned_tier` (an index) prices an all-units fee at the tier the month is planned to end in;
    without it, at the tier that has been reached.
    """
    micro = flat_and_rate_micro(fee, amount_minor, month, planned_tier)
    charged = max((micro + PPM // 2) // PPM, fee.min_minor)
    return charged if fee.max_minor is None else min(charged, fee.max_minor)


def surcharge_minor(fee: Fee, amount_minor: int) -> int:
    """The surcharge in whole minor units; it is outside the fee's clamp."""
    return (amount_minor * fee.surcharge_ppm + PPM // 2) // PPM


def quote_minor(fee: Fee, amount_minor: int, month: MonthUse = UNUSED) -> int:
    """What may leave our float beside the amount: fee and surcharge as booked *now*, so at the
    tier that has been reached and not at a planned one; nothing when they are deducted.
    """
    if fee.mode == "deducted":
        return 0
    return fee_minor(fee, amount_minor, month) + surcharge_minor(fee, amount_minor)


def tier_reached(fee: Fee, month: MonthUse) -> int:
    """The index of the tier that the month's use has reached; 0 without tiers."""
    used = month.payouts if fee.basis == "payouts" else month.minor
    reached = 0
    for index, tier in enumerate(fee.tiers):
        if tier.floor <= used:
            reached = index
    return reached


def flat_and_rate_micro(
    fee: Fee, amount_minor: int, month: MonthUse = UNUSED, planned_tier: int | None = None
) -> int:
    """Flat and rate in millionths of a minor unit, before clamping and rounding."""
    if not fee.tiers:
        return fee.flat_minor * PPM + amount_minor * fee.rate_ppm
    reached = tier_reached(fee, month)
    if fee.scheme == "all_units":
        tier = fee.tiers[reached if planned_tier is None else planned_tier]
        return tier.flat_minor * PPM + amount_minor * tier.rate_ppm
    first = fee.tiers[reached]
    if fee.basis == "payouts":
        return first.flat_minor * PPM + amount_minor * first.rate_ppm
    # A payout that crosses a threshold pays each tier's rate for its part, one flat: the first's.
    return first.flat_minor * PPM + sum(
        part * fee.tiers[index].rate_ppm for index, part in parts(fee, amount_minor, month)
    )


def parts(fee: Fee, amount_minor: int, month: MonthUse = UNUSED) -> tuple[tuple[int, int], ...]:
    """Which tier (its index) prices how much of an amount now; the amounts add up. With tiers."""
    reached = tier_reached(fee, month)
    if fee.scheme == "all_units" or fee.basis == "payouts":
        return ((reached, amount_minor),)
    found, at, left = [], month.minor, amount_minor
    for index in range(reached, len(fee.tiers)):
        last = index + 1 == len(fee.tiers)
        part = left if last else min(left, fee.tiers[index + 1].floor - at)
        found.append((index, part))
        at, left = at + part, left - part
        if not left:
            break
    return tuple(found)


def holds_between(fee: Fee, amount_minor: int, month: MonthUse) -> tuple[int, int | None] | None:
    """From which month's use to which (in the fee's basis, inclusive) the same is charged.

    None: at any; an open end is None too. A payout that crosses a threshold holds only at exactly
    the use that it was priced at.
    """
    if not fee.tiers:
        return None
    reached = tier_reached(fee, month)
    low = fee.tiers[reached].floor
    if reached + 1 == len(fee.tiers):
        return low, None
    following = fee.tiers[reached + 1].floor
    if fee.scheme == "all_units" or fee.basis == "payouts":
        return low, following - 1
    if month.minor + amount_minor > following:
        return month.minor, month.minor
    return low, following - amount_minor
