"""Planned maintenance: when a channel is not to be used, once or every week.

Written as `2026-11-23 01:00-05:00`, `2026-11-23 22:00 - 2026-11-24 02:00` or `Sun 02:00-04:00`, on
the wall clock of the channel's time zone; an end at or before its start lies on the next day.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONGEST: Final = timedelta(days=31)
"""A longer absence is none that was planned: pause the channel instead."""

_ONCE = re.compile(
    r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2})\s*-\s*(?:(\d{4}-\d{2}-\d{2}) )?(\d{2}:\d{2})", re.ASCII
)
_WEEKLY = re.compile(r"([A-Z][a-z]{2}) (\d{2}:\d{2})\s*-\s*(\d{2}:\d{2})", re.ASCII)
_DAY: Final = timedelta(days=1)


class Once(Struct, frozen=True):
    """From a moment until before another one."""

    from_at: datetime
    until_at: datetime

    def __post_init__(self) -> None:
        """Refuse what could never begin, or would hardly end."""
        if not timedelta(0) < self.until_at - self.from_at <= LONGEST:
            raise ValueError(f"maintenance must end after it begins, within {LONGEST.days} days")

    def end(self, now: datetime) -> datetime | None:
        """When it ends, if it is under way."""
        return self.until_at if self.from_at <= now < self.until_at else None


class Weekly(Struct, frozen=True):
    """On one day of each week (0 is Monday), by the wall clock."""

    weekday: int
    opens: time
    closes: time
    timezone: str

    def end(self, now: datetime) -> datetime | None:
        """When it ends, if it is under way."""
        zone = ZoneInfo(self.timezone)
        local = now.astimezone(zone)
        # One that crosses midnight may have begun the day before.
        for back in (0, 1):
            day = local.date() - back * _DAY
            if day.weekday() != self.weekday:
                continue
            last = day + _DAY if self.closes <= self.opens else day
            begins = datetime.combine(day, self.opens, zone)
            ends = datetime.combine(last, self.closes, zone)
            if begins <= local < ends:
                return ends.astimezone(UTC)
        return None


Planned: TypeAlias = Once | Weekly


def parse(text: str, timezone: str) -> Planned:
    """Read one window. Raises `ValueError` that says how to write it."""
    once = _ONCE.fullmatch(text.strip())
    weekly = _WEEKLY.fullmatch(text.strip())
    zone = ZoneInfo(timezone)
    try:
        if once is not None:
            begins = datetime.fromisoformat(f"{once[1]}T{once[2]}")
            ends = datetime.fromisoformat(f"{once[3] or once[1]}T{once[4]}")
            if once[3] is None and ends <= begins:
                ends += _DAY
            return Once(
                begins.replace(tzinfo=zone).astimezone(UTC),
                ends.replace(tzinfo=zone).astimezone(UTC),
            )
        if weekly is not None and weekly[1] in DAYS:
            opens, closes = time.fromisoformat(weekly[2]), time.fromisoformat(weekly[3])
            return Weekly(DAYS.index(weekly[1]), opens, closes, timezone)
    except ValueError as error:
        raise ValueError(f"{text!r} is no maintenance window: {error}") from None
    raise ValueError(
        f"{text!r} is no maintenance window; write 2026-11-23 01:00-05:00, "
        "2026-11-23 22:00 - 2026-11-24 02:00, or Sun 02:00-04:00"
    )


def under_way(windows: Iterable[Planned], now: datetime) -> datetime | None:
    """When what is under way ends; windows that follow each other without a gap count as one."""
    every = tuple(windows)
    until: datetime | None = None
    for _ in range(len(every) + 1):
        ends = [end for one in every if (end := one.end(until or now)) is not None]
        if not ends:
            break
        until = max(ends)
    return until
