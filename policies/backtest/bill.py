"""What one side of a comparison pays: exact sums, and the bill that a month's end makes of them.

A payout is carried by its first channel with the believed probability of success, and by the next
one otherwise; so sums are weighted by parts per million and stay integers ("micro-ppm": a micro
unit times a part per million). All-units tiers are known only when the month is over: each sum
keeps what every tier would have cost, and `closed` picks the one the month ended in.
"""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from operator import add
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from policies.backtest.terms import Terms
from policies.facts import MICRO
from policies.fees import UNUSED, Fee, MonthUse, fee_minor, tier_reached

Month: TypeAlias = tuple[int, int]
"""Year and month where the channel counts its months."""


class Sum(NamedTuple):
    """Money in micro units; payouts and their days to arrival weighted by parts per million."""

    payouts: int = 0
    amount: int = 0
    fee: int = 0
    surcharge: int = 0
    capital: int = 0
    lateness: int = 0
    risk: int = 0
    days: int = 0

    @property
    def total(self) -> int:
        """All that is paid or expected to be, but for what commitments miss."""
        return self.fee + self.surcharge + self.capital + self.lateness + self.risk

    def plus(self, other: "Sum") -> "Sum":
        """Both together."""
        return Sum(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Priced(NamedTuple):
    """One payout at one channel: the fee by tier in minor units, and the other parts in micro."""

    channel: str
    period: int
    fees: tuple[int, ...]
    reached: int
    """The tier that the month had reached; an index of `fees`."""
    surcharge: int
    capital: int
    lateness: int
    risk: int
    days: tuple[tuple[int, int], ...]
    """Calendar days to arrival, each with its share in ppm."""

    @property
    def certain(self) -> int:
        """What is paid if the attempt goes well, at the tier reached so far; micro units."""
        return self.fees[self.reached] * MICRO + self.surcharge + self.capital + self.lateness


LOTS_MAX = 4096
"""Sums kept by day and merchant at once: a day's worth, however many merchants there are."""

_PAYOUTS, _AMOUNT, _SURCHARGE, _CAPITAL, _LATENESS, _RISK, _DAYS, _FEES = range(8)
Cell: TypeAlias = list[int]
"""A running sum in micro-ppm, at the places above; from the last one on, the fee by tier."""


def _closed(cell: Cell, tier: int) -> Sum:
    """In micro units, once it is known which tier the month ended in."""
    return Sum(
        cell[_PAYOUTS],
        cell[_AMOUNT],
        _micro(cell[min(_FEES + tier, len(cell) - 1)]),
        _micro(cell[_SURCHARGE]),
        _micro(cell[_CAPITAL]),
        _micro(cell[_LATENESS]),
        _micro(cell[_RISK]),
        cell[_DAYS],
    )


class MonthLine(Struct, frozen=True):
    """How a channel's month stands: use, tier, and what its commitment misses."""

    month: Month
    channel: str
    use: MonthUse
    tier: int
    tiers: int
    next_floor: int | None
    basis: str
    least: int | None
    """The commitment, cut to the days that the history covers."""
    shortfall: int
    """What is charged for what is missing, in micro units."""
    whole: bool
    """Whether the history covers the whole month; else tiers are those reached so far."""


@dataclass(slots=True)
class Closed:
    """One side's bill."""

    by_day: dict[tuple[date, str], Sum] = field(default_factory=dict)
    by_merchant: dict[tuple[str, str], Sum] = field(default_factory=dict)
    months: list[MonthLine] = field(default_factory=list)
    arrivals: dict[int, int] = field(default_factory=dict)
    """Payouts (ppm) by calendar days to arrival."""
    progress: dict[tuple[str, date], int] = field(default_factory=dict)
    """A tiered channel's month's use at each day's end, in what its tiers count."""

    def total(self, channels: Iterable[str] | None = None) -> Sum:
        """Everything but shortfalls, of some channels or all."""
        wanted = None if channels is None else set(channels)
        found = Sum()
        for (_, channel), part in self.by_day.items():
            if wanted is None or channel in wanted:
                found = found.plus(part)
        return found

    def shortfall(self, channels: Iterable[str] | None = None) -> int:
        """What commitments miss, in micro units."""
        wanted = None if channels is None else set(channels)
        return sum(
            line.shortfall for line in self.months if wanted is None or line.channel in wanted
        )


class Side:
    """One policy's choices over the history, as they add up."""

    def __init__(self, terms: Mapping[str, Terms]) -> None:
        """Begin with nothing carried."""
        self._terms = terms
        self._used: dict[tuple[str, Month], list[int]] = {}
        self._day_used: dict[tuple[str, date], int] = {}
        self._lots: dict[tuple[date, str, str, int], Cell] = {}
        """By day, merchant, channel and period of its fee: what is not yet in the next two."""
        self._days: dict[tuple[date, str, int], Cell] = {}
        self._merchants: dict[tuple[Month, str, str, int], Cell] = {}
        self._arrivals: dict[int, int] = {}

    def use(self, channel: str, day: date) -> MonthUse:
        """What the channel has carried in the day's month so far, in whole payouts and units."""
        used = self._used.get((channel, (day.year, day.month)))
        return UNUSED if used is None else MonthUse(used[0] // MICRO, used[1] // MICRO)

    def day_used(self, channel: str, day: date) -> int:
        """What it has carried on that day, in minor units."""
        return self._day_used.get((channel, day), 0) // MICRO

    def carry(
        self,
        priced: Priced,
        share_ppm: int,
        tried_ppm: int,
        merchant: str,
        amount_minor: int,
        day: date,
        *,
        counted: bool,
    ) -> None:
        """A channel carries a share of a payout and is tried with a share that is no smaller.

        Uncounted, it moves tiers and caps only.
        """
        channel, month = priced.channel, (day.year, day.month)
        weighed = amount_minor * share_ppm
        used = self._used.get((channel, month))
        if used is None:
            used = self._used[channel, month] = [0, 0]
        used[0] += share_ppm
        used[1] += weighed
        at_day = (channel, day)
        self._day_used[at_day] = self._day_used.get(at_day, 0) + weighed
        if not counted:
            return
        added = (
            share_ppm,
            weighed,
            priced.surcharge * share_ppm,
            priced.capital * share_ppm,
            priced.lateness * share_ppm,
            priced.risk * tried_ppm,
            sum(days * ppm for days, ppm in priced.days) * share_ppm // MICRO,
            *[fee * MICRO * share_ppm for fee in priced.fees],
        )
        lot = (day, merchant, channel, priced.period)
        cell = self._lots.get(lot)
        if cell is None:
            if len(self._lots) == LOTS_MAX:
                self._sort_out()
            self._lots[lot] = [*added]
        else:
            cell[:] = map(add, cell, added)
        arrivals = self._arrivals
        for days, ppm in priced.days:
            arrivals[days] = arrivals.get(days, 0) + share_ppm * ppm // MICRO

    def close(self, covered: tuple[date, date]) -> Closed:
        """The bill, for a history that covers these days (both included)."""
        self._sort_out()
        made = Closed(arrivals=dict(sorted(self._arrivals.items())))
        tiers: dict[tuple[str, Month], int] = {}
        for channel, month in sorted(self._used):
            line = self._line(channel, month, covered)
            if line is not None:
                made.months.append(line)
                tiers[channel, month] = line.tier
        self._idle_commitments(made, covered)
        for (day, channel, _), cell in self._days.items():
            part = _closed(cell, tiers.get((channel, (day.year, day.month)), 0))
            made.by_day[day, channel] = made.by_day.get((day, channel), Sum()).plus(part)
        for (month, merchant, channel, _), cell in self._merchants.items():
            part = _closed(cell, tiers.get((channel, month), 0))
            found = made.by_merchant.get((merchant, channel), Sum())
            made.by_merchant[merchant, channel] = found.plus(part)
        self._progress(made)
        return made

    def _sort_out(self) -> None:
        """Add the lots to their days and merchants."""
        days, merchants = self._days, self._merchants
        for (day, merchant, channel, period), added in self._lots.items():
            on_day = (day, channel, period)
            cell = days.get(on_day)
            days[on_day] = [*added] if cell is None else [*map(add, cell, added)]
            for_whom = ((day.year, day.month), merchant, channel, period)
            cell = merchants.get(for_whom)
            merchants[for_whom] = [*added] if cell is None else [*map(add, cell, added)]
        self._lots.clear()

    def _line(self, channel: str, month: Month, covered: tuple[date, date]) -> MonthLine | None:
        fee = self._fee_at_end(channel, month)
        if fee is None:
            return None
        used = self._used.get((channel, month), [0, 0])
        use = MonthUse(used[0] // MICRO, used[1] // MICRO)
        tier = tier_reached(fee, use)
        above = fee.tiers[tier + 1 :]
        days = monthrange(*month)[1]
        seen = _days_of(month, covered)
        least, shortfall = None, 0
        if fee.commitment is not None:
            least = fee.commitment.least * seen // days
            carried = use.payouts if fee.basis == "payouts" else use.minor
            missing = max(least - carried, 0)
            # For payouts the price is minor units each, for money parts per million of it.
            shortfall = missing * fee.commitment.shortfall
            if fee.basis == "payouts":
                shortfall *= MICRO
        return MonthLine(
            month,
            channel,
            use,
            tier,
            len(fee.tiers),
            above[0].floor if above else None,
            fee.basis,
            least,
            shortfall,
            whole=seen == days,
        )

    def _fee_at_end(self, channel: str, month: Month) -> Fee | None:
        terms = self._terms.get(channel)
        if terms is None:
            return None
        return terms.fee_in(terms.period(date(*month, monthrange(*month)[1])))

    def _idle_commitments(self, made: Closed, covered: tuple[date, date]) -> None:
        """A promise to a channel that got nothing in a month is missed as a whole."""
        known = {(line.channel, line.month) for line in made.months}
        for month in _months_of(covered):
            for channel in self._terms:
                fee = self._fee_at_end(channel, month)
                if fee is None or fee.commitment is None or (channel, month) in known:
                    continue
                line = self._line(channel, month, covered)
                if line is not None:
                    made.months.append(line)

    def _progress(self, made: Closed) -> None:
        running: dict[tuple[str, Month], int] = {}
        for day, channel in sorted(made.by_day):
            fee = self._fee_at_end(channel, (day.year, day.month))
            if fee is None or not (fee.tiers or fee.commitment):
                continue
            part = made.by_day[day, channel]
            counted = part.payouts if fee.basis == "payouts" else part.amount
            key = (channel, (day.year, day.month))
            running[key] = running.get(key, 0) + counted
            made.progress[channel, day] = running[key] // MICRO


def fees_by_tier(fee: Fee, amount_minor: int, use: MonthUse) -> tuple[int, ...]:
    """The fee in minor units as each tier of an all-units schedule would bill it; else one."""
    if fee.tiers and fee.scheme == "all_units":
        return tuple(fee_minor(fee, amount_minor, use, at) for at in range(len(fee.tiers)))
    return (fee_minor(fee, amount_minor, use),)


def _micro(micro_ppm: int) -> int:
    """Rounded half up to a micro."""
    return (micro_ppm + MICRO // 2) // MICRO


def _days_of(month: Month, covered: tuple[date, date]) -> int:
    first = max(date(*month, 1), covered[0])
    last = min(date(*month, monthrange(*month)[1]), covered[1])
    return max((last - first).days + 1, 0)


def _months_of(covered: tuple[date, date]) -> list[Month]:
    found: list[Month] = []
    year, month = covered[0].year, covered[0].month
    while (year, month) <= (covered[1].year, covered[1].month):
        found.append((year, month))
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found
