"""Working days as people know them: overrides taken over, the missing year told in time.

The State Council publishes a year's holidays in the November before. From the first of November on
a missing next year is said everywhere, once a day in the log: nothing may be priced silently by a
guess.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.domain.errors import InvalidError
from gateway.engine.gateway import Gateway
from gateway.engine.standby import Note
from policies.calendars.workdays import FIXED_RESTS, PUBLISHED, Almanac

_ZONE: Final = ZoneInfo("Asia/Shanghai")
_SPRING: Final = ((1, 21), (2, 21))
"""Lunar New Year's Day lies between these, in every year."""


async def refresh(gateway: Gateway) -> None:
    """Take over what people said, when there is something new; alarm once a day. Raises
    `StoreError`."""
    mark = await gateway.store.calendar_mark()
    if mark != gateway.calendar_mark:
        gateway.almanac = await read(gateway)
        gateway.calendar_mark = mark
    today = local_day(gateway.clock.now())
    missing = gateway.almanac.missing_year(today)
    if missing is not None and gateway.calendar_alarmed_on != today:
        gateway.calendar_alarmed_on = today
        gateway.observer.alarm("calendar.missing", code=f"year_{missing}", on=str(today))


async def read(gateway: Gateway) -> Almanac:
    """The published calendar with everything that was said of it. Raises `StoreError`."""
    said = await gateway.store.calendar_days()
    years = await gateway.store.calendar_years()
    if not said and not years:
        return PUBLISHED
    return PUBLISHED.with_days(((one.on, one.works) for one in said), (one.year for one in years))


async def set_days(
    gateway: Gateway,
    days: Sequence[tuple[date, bool]],
    note: str,
    actor: str,
    complete: int | None = None,
) -> None:
    """Store what somebody says of days. Raises `InvalidError` for a year that cannot be complete
    with them."""
    if complete is not None:
        _check_year(complete, days)
    await gateway.store.set_calendar(days, note, actor, gateway.clock.now(), complete)
    await refresh(gateway)


def _check_year(year: int, days: Sequence[tuple[date, bool]]) -> None:
    """A file cut short must not pass for a whole year: nothing would warn of it any more."""
    off = {day for day, works in days if not works}
    lacking = [
        f"{day:%m-%d}"
        for day in sorted(date(year, month, day) for month, day in FIXED_RESTS)
        if day not in off
    ]
    first, last = (date(year, month, day) for month, day in _SPRING)
    if not any(first <= day <= last for day in off):
        lacking.append("春节 / Lunar New Year")
    strangers = [day for day, _ in days if not date(year - 1, 12, 1) <= day <= date(year, 12, 31)]
    if lacking or strangers:
        said = (
            f"it has no rest on {', '.join(lacking)}"
            if lacking
            else f"{strangers[0]} is not of that year"
        )
        raise InvalidError(
            "calendar_incomplete",
            f"this cannot be the whole of {year}: {said}",
            zh=f"{year} 年日历不完整：缺少 {'、'.join(lacking)}"
            if lacking
            else f"{strangers[0]} 不属于 {year} 年",
            param="days",
        )


def years_ahead(gateway: Gateway) -> int:
    """How many years after this one are known; -1 when this one is not."""
    return gateway.almanac.years_ahead(local_day(gateway.clock.now()))


def note(gateway: Gateway) -> Note | None:
    """What to tell operators while a year's table is due and missing."""
    return missing_note(gateway.almanac, local_day(gateway.clock.now()))


def missing_note(almanac: Almanac, today: date) -> Note | None:
    """The same for any calendar and day."""
    year = almanac.missing_year(today)
    if year is None:
        return None
    return Note(
        "calendar_missing",
        f"no working days are known for {year}: T+n arrivals in it are priced as a cautious guess; "
        "update the program, or `hangdao calendar import FILE` with the State Council's notice",
        f"缺少 {year} 年工作日历，跨入该年的 T+n 到账日按保守估计计价；"
        "请升级程序，或用 hangdao calendar import FILE 导入国务院放假通知",
    )


def local_day(now: datetime) -> date:
    """The day of business."""
    return now.astimezone(_ZONE).date()
