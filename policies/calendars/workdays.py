"""Which days are working days, by calendar class, from the frozen table `cn.toml`.

The State Council publishes a year's holidays only in the November before. For a year without a
table the answer is never silent: `known` is False, weekends and the fixed-date holidays rest, and
`longest_rest_days` tells how long a holiday may come on top.
"""

import tomllib
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from policies.facts import CalendarClass

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5
_FIXED_RESTS: Final = frozenset({(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)})
"""Holidays whose dates the law itself fixes (全国年节及纪念日放假办法, article 2)."""


class Workday(NamedTuple):
    """Whether a day is worked, and whether its year's table is published."""

    works: bool
    known: bool


class Counted(NamedTuple):
    """The day reached by counting working days, and whether every day passed is known."""

    on: date
    known: bool


def _load() -> tuple[int, frozenset[int], frozenset[date], frozenset[date]]:
    text = files("policies.calendars").joinpath("cn.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    longest = int(table.pop("longest_rest_days"))
    days: dict[str, set[date]] = {"rest": set(), "work": set()}
    for year, lists in table.items():
        for kind, entries in lists.items():
            days[kind].update(date.fromisoformat(f"{year}-{entry}") for entry in entries)
    return longest, frozenset(map(int, table)), frozenset(days["rest"]), frozenset(days["work"])


LONGEST_REST_DAYS, _YEARS, _RESTS, _MAKE_UPS = _load()


def known_years() -> frozenset[int]:
    """Years with a published table; an operator is warned from November when the next is absent."""
    return _YEARS


def is_workday(day: date, calendar: CalendarClass) -> Workday:
    """`natural` works every day; `cn_no_makeup` also rests on make-up Saturdays and Sundays."""
    if calendar == "natural":
        return Workday(works=True, known=True)
    weekend = day.weekday() >= _SATURDAY
    if day.year not in _YEARS:
        return Workday(works=not weekend and (day.month, day.day) not in _FIXED_RESTS, known=False)
    if weekend:
        return Workday(works=calendar == "cn_statutory" and day in _MAKE_UPS, known=True)
    return Workday(works=day not in _RESTS, known=True)


@lru_cache(maxsize=8192)
def add_business_days(day: date, days: int, calendar: CalendarClass) -> Counted:
    """The `days`-th working day after `day`; with 0 days the first one not before it."""
    if calendar == "natural":
        return Counted(day + _DAY * days, known=True)
    known = True
    on = day if days == 0 else day + _DAY
    left = max(days, 1)
    while True:
        worked = is_workday(on, calendar)
        known = known and worked.known
        left -= worked.works
        if left == 0:
            return Counted(on, known)
        on += _DAY
