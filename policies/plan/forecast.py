"""What is expected of the rest of a month: payouts and money by class, and by day.

A forecast is a mix of classes for the whole rest, and each day's share of it; how far the month
may be off as a whole is one number, its spread. `from_history` makes one from past days,
`level` corrects it by what the month has shown so far.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import isqrt
from typing import Final, NamedTuple

from msgspec import Struct

from policies.fees import PPM
from policies.plan.classes import PayoutClass

EARLY_SIGMAS_PPM: Final = 842_000
"""P20 of a normal distribution lies so many standard deviations below the mean: enough while later
plans can still correct it."""
LATE_SIGMAS_PPM: Final = 2_000_000
"""So many more on the last day, after which nothing can be corrected; in between, in inverse
proportion to the days left."""
LEVEL_SPREAD_PPM: Final = 150_000
"""How far a month is off its forecast as a whole, before anything of it is seen."""
DAY_SPREAD_PPM: Final = 60_000
"""The least that a single day may be off, whatever history says."""


class Volume(NamedTuple):
    """So many payouts of so much money in all."""

    payouts: int
    minor: int


NOTHING: Final = Volume(0, 0)


class Day(NamedTuple):
    """What one day of history had, by class."""

    on: date
    volumes: Mapping[PayoutClass, Volume]


class Forecast(Struct, frozen=True):
    """Expected volume per class until the month's end, spread over `days`.

    `days` holds each remaining day's share of it in parts per million (they add up to a million);
    `spread_ppm` is one standard deviation of the rest's size, relative to it.
    """

    volumes: tuple[tuple[PayoutClass, Volume], ...]
    days: tuple[tuple[date, int], ...]
    spread_ppm: int = 0

    def __post_init__(self) -> None:
        """Refuse shares that are not a whole."""
        if sum(share for _, share in self.days) != PPM:
            raise ValueError("the days' shares must add up to a million")

    @property
    def payouts(self) -> int:
        """Payouts expected in all."""
        return sum(volume.payouts for _, volume in self.volumes)

    @property
    def minor(self) -> int:
        """Money expected in all."""
        return sum(volume.minor for _, volume in self.volumes)

    @property
    def low_ppm(self) -> int:
        """What of the expected size may be relied on for a floor: P20 early, nearly all late."""
        return max(PPM // 2, PPM - self._doubt_ppm)

    @property
    def high_ppm(self) -> int:
        """As `low_ppm` on the other side: hardly more will come."""
        return PPM + self._doubt_ppm

    @property
    def _doubt_ppm(self) -> int:
        sigmas = EARLY_SIGMAS_PPM + LATE_SIGMAS_PPM // max(1, len(self.days))
        return self.spread_ppm * sigmas // PPM


class Level(NamedTuple):
    """How much larger than forecast the month is believed to be, and how sure that is."""

    ratio_ppm: int
    spread_ppm: int


def level(
    pairs: Iterable[tuple[int, int]],
    *,
    before_ppm: int = LEVEL_SPREAD_PPM,
    day_ppm: int = DAY_SPREAD_PPM,
) -> Level:
    """The month's level from (expected, actual) payouts of each day so far.

    The forecast's own uncertainty and each day's noise are weighed by their variances; a day with
    nothing expected says nothing.
    """
    weight = PPM * PPM // (before_ppm * before_ppm or 1)
    day_weight = PPM * PPM // (day_ppm * day_ppm or 1)
    total, said = weight, weight * PPM
    seen = [(expected, actual) for expected, actual in pairs if expected > 0]
    if seen:
        # Days weigh by their size: half a day says half as much.
        mean = max(1, sum(expected for expected, _ in seen) // len(seen))
        for expected, actual in seen:
            part = day_weight * min(expected, 2 * mean) // mean
            total += part
            said += part * actual * PPM // expected
    total = max(1, total)
    return Level(said // total, isqrt(PPM * PPM // total))


def from_history(
    history: Sequence[Day],
    days: Sequence[tuple[date, int]],
    level_now: Level,
    *,
    mix: Sequence[Day] | None = None,
) -> Forecast:
    """A forecast for `days` (each with the ppm of the day that is still to come).

    The classes' mix is that of `mix` (by default history) as a whole, a day's size that of its
    weekday; days without a payout count too. `level_now` scales the whole. Raises ValueError
    without history or days.
    """
    if not history or not days:
        raise ValueError("a forecast needs history and days")
    by_day = _weekday_millionths(history)
    sizes = [by_day[on.weekday()] * part // PPM for on, part in days]
    expected = sum(sizes) * level_now.ratio_ppm // (PPM * PPM)
    source = history if mix is None else mix
    total = sum(volume.payouts for day in source for volume in day.volumes.values())
    if not total or not sum(sizes):
        raise ValueError("a forecast needs payouts in its history")
    summed: dict[PayoutClass, Volume] = {}
    for day in source:
        for kind, volume in day.volumes.items():
            had = summed.get(kind, NOTHING)
            summed[kind] = Volume(had.payouts + volume.payouts, had.minor + volume.minor)
    volumes = tuple(
        (kind, Volume(-(-had.payouts * expected // total), -(-had.minor * expected // total)))
        for kind, had in sorted(summed.items())
        if had.payouts
    )
    left = sum(1 for _, part in days if part)
    noise = day_spread(history)
    spread = isqrt(level_now.spread_ppm**2 + noise * noise // max(1, left))
    shares = shares_of([max(size, 1) for size in sizes])
    return Forecast(
        volumes, tuple((on, share) for (on, _), share in zip(days, shares, strict=True)), spread
    )


def weekday_payouts(history: Sequence[Day]) -> tuple[int, ...]:
    """Mean payouts of each weekday, Monday first; a weekday never seen has the overall mean."""
    return tuple((mean + PPM // 2) // PPM for mean in _weekday_millionths(history))


def _weekday_millionths(history: Sequence[Day]) -> tuple[int, ...]:
    """The same in millionths of a payout: few payouts a day are not none."""
    sums, counts = [0] * 7, [0] * 7
    for day in history:
        sums[day.on.weekday()] += sum(volume.payouts for volume in day.volumes.values()) * PPM
        counts[day.on.weekday()] += 1
    mean = sum(sums) // max(1, len(history))
    return tuple(sums[at] // counts[at] if counts[at] else mean for at in range(7))


def day_spread(history: Sequence[Day]) -> int:
    """One standard deviation of a day's payouts around its weekday's mean, relative to it."""
    means = weekday_payouts(history)
    squares = [
        ((sum(volume.payouts for volume in day.volumes.values()) - mean) * PPM // mean) ** 2
        for day in history
        if (mean := means[day.on.weekday()])
    ]
    freedom = max(1, len(squares) - 7)
    return max(DAY_SPREAD_PPM, isqrt(sum(squares) // freedom)) if squares else DAY_SPREAD_PPM


def days_until(start: date, end: date) -> tuple[date, ...]:
    """The days from `start` to `end`, without `end`."""
    return tuple(start + timedelta(days=step) for step in range((end - start).days))


def month_bounds(day: date) -> tuple[date, date]:
    """The first day of the month of `day`, and that of the next."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def shares_of(weights: Sequence[int]) -> tuple[int, ...]:
    """Weights as parts per million that add up to exactly a million, by largest remainder.

    Weights must not be negative, nor all be 0.
    """
    total = sum(weights)
    shares = [weight * PPM // total for weight in weights]
    rests = sorted(range(len(weights)), key=lambda at: (-(weights[at] * PPM % total), at))
    for at in rests[: PPM - sum(shares)]:
        shares[at] += 1
    return tuple(shares)
