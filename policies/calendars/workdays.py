"""Which days are working days, by calendar class: the frozen table `cn.toml` and what people add.

The State Council publishes a year's holidays only in the November before. For a year without a
table the answer is never silent: `known` is False, weekends and the fixed-date holidays rest, and
`longest_rest_days` tells how long a holiday may come on top. An `Almanac` is a value that callers
pass on; without one the published table holds.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from policies.facts import CalendarClass

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5
_NOVEMBER: Final = 11
FIXED_RESTS: Final = frozenset({(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)})
"""Holidays whose dates the law itself fixes (全国年节及纪念日放假办法, article 2)."""


class Workday(NamedTuple):
    """Whether a day is worked, and whether its year's table is published."""

    works: bool
    known: bool


class Counted(NamedTuple):
    """The day reached by counting working days, and whether every day passed is known."""

    on: date
    known: bool


# Compared by identity: it is part of the keys of caches that are asked on every decision.
@dataclass(frozen=True, slots=True, eq=False)
class Almanac:
    """The working days of the years it knows; immutable, made anew when people override a day."""

    years: frozenset[int]
    """Years of which every day is known."""
    rests: frozenset[date]
    """Days without work, weekends aside."""
    make_ups: frozenset[date]
    """Days with work although they would rest."""
    longest_rest_days: int
    """The longest run of days without work in all published years."""

    def with_days(
        self, days: Iterable[tuple[date, bool]], complete: Iterable[int] = ()
    ) -> "Almanac":
        """With people's overrides `(day, works)` laid over it, and years declared complete."""
        rests, make_ups = set(self.rests), set(self.make_ups)
        for day, works in days:
            rests.discard(day)
            make_ups.discard(day)
            (make_ups if works else rests).add(day)
        return Almanac(
            self.years | frozenset(complete),
            frozenset(rests),
            frozenset(make_ups),
            self.longest_rest_days,
        )

    def years_ahead(self, today: date) -> int:
        """How many years after this one are known without a gap; -1 when this one is not."""
        year = today.year
        while year in self.years:
            year += 1
        return year - 1 - today.year

    def missing_year(self, today: date) -> int | None:
        """The year whose table somebody must fill in now: this one, or from November the next."""
        ahead = self.years_ahead(today)
        if ahead < 0:
            return today.year
        return today.year + 1 if ahead == 0 and today.month >= _NOVEMBER else None


def _load() -> Almanac:
    text = files("policies.calendars").joinpath("cn.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    longest = int(table.pop("longest_rest_days"))
    days: dict[str, set[date]] = {"rest": set(), "work": set()}
    for year, lists in table.items():
        for kind, entries in lists.items():
            days[kind].update(date.fromisoformat(f"{year}-{entry}") for entry in entries)
    years = frozenset(map(int, table))
    return Almanac(years, frozenset(days["rest"]), frozenset(days["work"]), longest)


PUBLISHED: Final = _load()
"""The table that this program was released with."""
LONGEST_REST_DAYS: Final = PUBLISHED.longest_rest_days


def known_years() -> frozenset[int]:
    """Years of the published table."""
    return PUBLISHED.years


def is_workday(day: date, calendar: CalendarClass, almanac: Almanac = PUBLISHED) -> Workday:
    """`natural` works every day; `cn_no_makeup` also rests on make-up Saturdays and Sundays."""
    if calendar == "natural":
        return Workday(works=True, known=True)
    known = day.year in almanac.years
    if day.weekday() >= _SATURDAY:
        return Workday(calendar == "cn_statutory" and day in almanac.make_ups, known)
    if day in almanac.rests:
        return Workday(works=False, known=known)
    fixed = not known and (day.month, day.day) in FIXED_RESTS
    return Workday(not fixed or day in almanac.make_ups, known)


@lru_cache(maxsize=8192)
def add_business_days(
    day: date, days: int, calendar: CalendarClass, almanac: Almanac = PUBLISHED
) -> Counted:
    """The `days`-th working day after `day`; with 0 days the first one not before it."""
    if calendar == "natural":
        return Counted(day + _DAY * days, known=True)
    known = True
    on = day if days == 0 else day + _DAY
    left = max(days, 1)
    while True:
        worked = is_workday(on, calendar, almanac)
        known = known and worked.known
        left -= worked.works
        if left == 0:
            return Counted(on, known)
        on += _DAY
