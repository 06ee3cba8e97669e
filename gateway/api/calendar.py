"""The working calendar under `/v1/admin/calendar`: what is known and said of days; saying it."""

from datetime import date

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from gateway.api.context import Answer, Call
from gateway.api.schemas import CalendarIn, CalendarQuery
from gateway.api.views import stamp
from gateway.engine import calendar
from gateway.engine.gateway import Gateway
from gateway.ports import CalendarDay, CalendarYear
from policies.calendars.workdays import PUBLISHED, Almanac, is_workday


class SaidView(TypedDict):
    """What somebody said of a day; `published` is what the program was released with."""

    on: str
    works: bool
    published: bool
    note: str
    by: str
    at: str | None


class WholeYearView(TypedDict):
    """A year that somebody declared complete."""

    year: int
    note: str
    by: str
    at: str | None


class DayView(TypedDict):
    """How a day counts, by calendar class; `known` is false in a year that nobody has given."""

    on: str
    cn_statutory: bool
    cn_no_makeup: bool
    known: bool


class CalendarView(TypedDict):
    """Working days as this gateway counts them."""

    first_year: int
    last_year: int
    missing_year: int | None
    problem: str | None
    problem_zh: str | None
    days: list[SaidView]
    years: list[WholeYearView]
    day: DayView | None


async def show(call: Call) -> Answer:
    """GET /v1/admin/calendar."""
    query: CalendarQuery = call.query
    return 200, await _view(call.gateway, query.day)


async def say(call: Call) -> Answer:
    """POST /v1/admin/calendar: days are worked or not, from now on, on every replica."""
    body: CalendarIn = call.body
    days = [(one.on, one.works) for one in body.days]
    await calendar.set_days(call.gateway, days, body.note, call.caller.actor, body.complete)
    return 200, await _view(call.gateway, days[0][0])


async def _view(gateway: Gateway, day: date | None) -> CalendarView:
    today = calendar.local_day(gateway.clock.now())
    said = await gateway.store.calendar_days()
    years = await gateway.store.calendar_years()
    almanac = await calendar.read(gateway)
    note = calendar.missing_note(almanac, today)
    return {
        "first_year": min(almanac.years),
        "last_year": max(almanac.years),
        "missing_year": almanac.missing_year(today),
        "problem": None if note is None else note.en,
        "problem_zh": None if note is None else note.zh,
        "days": [_said(one) for one in said],
        "years": [_whole(one) for one in years],
        "day": None if day is None else _day(day, almanac),
    }


def _said(one: CalendarDay) -> SaidView:
    return {
        "on": one.on.isoformat(),
        "works": one.works,
        "published": is_workday(one.on, "cn_statutory", PUBLISHED).works,
        "note": one.note,
        "by": one.actor,
        "at": stamp(one.at),
    }


def _whole(one: CalendarYear) -> WholeYearView:
    return {"year": one.year, "note": one.note, "by": one.actor, "at": stamp(one.at)}


def _day(day: date, almanac: Almanac) -> DayView:
    statutory = is_workday(day, "cn_statutory", almanac)
    return {
        "on": day.isoformat(),
        "cn_statutory": statutory.works,
        "cn_no_makeup": is_workday(day, "cn_no_makeup", almanac).works,
        "known": statutory.known,
    }
