"""When money sent now arrives, and when a channel is open: local time, cut-off, working days.

Counting starts on the local day of sending, or on the next day when the cut-off has passed; a T+1
channel given money on Saturday therefore pays on Monday, as Chinese institutions count.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from policies.calendars.workdays import PUBLISHED, Almanac, add_business_days
from policies.facts import Arrival, CalendarClass, Cycle, Hours

_DAY: Final = timedelta(days=1)
_END_OF_DAY: Final = time(23, 59, 59)
DAYS_MAX: Final = 30
"""Money that takes longer than this beyond the promise is priced as taking so long: by then it is a
break for a person."""


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=256)
def _local(timezone: str, at: datetime) -> datetime:
    """All channels of a decision ask for the same moment."""
    return at.astimezone(_zone(timezone))


def arrival(
    cycle: Cycle, sent_at: datetime, almanac: Almanac = PUBLISHED, days: int | None = None
) -> Arrival:
    """When money sent at `sent_at` is with the beneficiary, after so many `days` of the cycle's own
    counting (for an instant cycle whole days of 24 hours); by default as the cycle promises.

    In a year without a published calendar the longest holiday on record is added.
    """
    here = _local(cycle.timezone, sent_at)
    sent_on = here.date()
    count = cycle.days if days is None else days
    if cycle.instant:
        at = sent_at + _DAY * count
        on = at.astimezone(here.tzinfo).date() if count else sent_on
        return Arrival(on, at, count, known=True)
    late = here.time() >= cycle.cutoff
    return _counted(count, cycle.calendar, cycle.timezone, sent_on, late, almanac)


def days_taken(
    cycle: Cycle, sent_at: datetime, arrived_at: datetime, almanac: Almanac = PUBLISHED
) -> int:
    """How long money took in the cycle's own counting (`arrival(…, days)` is then the day on which
    it arrived), at least what the cycle promises and at most `DAYS_MAX` more.
    """
    most = cycle.days + DAYS_MAX
    if cycle.instant:
        return min(max((arrived_at - sent_at) // _DAY, 0), most)
    zone = _zone(cycle.timezone)
    here, arrived_on = sent_at.astimezone(zone), arrived_at.astimezone(zone).date()
    start = here.date() + _DAY if here.time() >= cycle.cutoff else here.date()
    for days in range(cycle.days, most):
        if add_business_days(start, days, cycle.calendar, almanac).on >= arrived_on:
            return days
    return most


@lru_cache(maxsize=4096)
def _counted(
    days: int,
    calendar: CalendarClass,
    timezone: str,
    sent_on: date,
    late: bool,
    almanac: Almanac,
) -> Arrival:
    start = sent_on + _DAY if late else sent_on
    on, known = add_business_days(start, days, calendar, almanac)
    if not known:
        later = on + _DAY * almanac.longest_rest_days
        on = add_business_days(later, 0, calendar, almanac).on
    at = datetime.combine(on, _END_OF_DAY, _zone(timezone)).astimezone(UTC)
    return Arrival(on, at, (on - sent_on).days, known)


def is_open(hours: Hours, at: datetime) -> bool:
    """Whether a channel with these hours takes payouts at `at`."""
    if not hours.windows:
        return True
    now = _local(hours.timezone, at).time()
    for opens, closes in hours.windows:
        if opens < closes:
            if opens <= now < closes:
                return True
        elif now >= opens or now < closes:
            return True
    return False


def next_open(hours: Hours, at: datetime) -> datetime:
    """The first moment from `at` on at which the channel is open, in UTC."""
    if is_open(hours, at):
        return at.astimezone(UTC)
    zone = _zone(hours.timezone)
    today = at.astimezone(zone).date()
    starts = (
        datetime.combine(day, opens, zone).astimezone(UTC)
        for opens, _ in hours.windows
        for day in (today, today + _DAY)
    )
    return min(start for start in starts if start > at)


def next_midnight(timezone: str, at: datetime) -> datetime:
    """When the next local day begins, in UTC."""
    tomorrow = at.astimezone(_zone(timezone)).date() + _DAY
    return datetime.combine(tomorrow, time(0), _zone(timezone)).astimezone(UTC)
