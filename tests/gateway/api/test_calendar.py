"""The working calendar over the API: overrides that hold at once, and a whole year."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway.engine import calendar
from gateway.engine.worker import refresh
from policies.calendars.workdays import PUBLISHED
from tests.gateway.api.desk import Desk
from tests.gateway.api.test_admin import ask, refused

CALENDAR = "/v1/admin/calendar"
NOTE = "国办发明电〔2026〕9号"


def whole(year: int, *without: str) -> list[dict[str, Any]]:
    """The rests that every year must have, but for those left out, and one make-up day."""
    rests = ("01-01", "02-05", "02-08", "05-01", "10-01", "10-02", "10-03")
    days = [{"on": f"{year}-{day}", "works": False} for day in rests if day not in without]
    return [*days, {"on": f"{year}-02-20", "works": True}]


async def test_the_calendar_shows_what_is_known(desk: Desk) -> None:
    """The published years, nothing said, and how a day counts when one is asked for."""
    found = await ask(desk, "GET", f"{CALENDAR}?day=2026-02-14")
    assert (found["first_year"], found["last_year"]) == (2004, 2026)
    assert (found["days"], found["years"], found["missing_year"]) == ([], [], None)
    assert found["day"] == {
        "on": "2026-02-14",
        "cn_statutory": True,
        "cn_no_makeup": False,
        "known": True,
    }


async def test_a_day_that_is_set_counts_at_once(desk: Desk) -> None:
    """Here, and on every other replica with its next look; who said it is on record."""
    day = {"on": "2026-03-09", "works": False}
    found = await ask(desk, "POST", CALENDAR, {"days": [day], "note": "typhoon"})
    (said,) = found["days"]
    assert (said["on"], said["works"], said["published"]) == ("2026-03-09", False, True)
    assert said["note"] == "typhoon"
    assert desk.gateway.almanac is not PUBLISHED
    # As another replica would see it.
    desk.gateway.almanac, desk.gateway.calendar_mark = PUBLISHED, (0, 0)
    await refresh(desk.gateway)
    assert date(2026, 3, 9) in desk.gateway.almanac.rests
    before = desk.gateway.almanac
    await refresh(desk.gateway)
    assert desk.gateway.almanac is before
    trail = [row for row in await desk.store.audit_trail(100) if row.action == "calendar.set"]
    assert [row.subject for row in trail] == ["2026-03-09"]


async def test_a_whole_year_makes_it_known(desk: Desk) -> None:
    """Once it is declared complete, in one step with its days."""
    desk.clock.at = datetime(2026, 11, 2, tzinfo=UTC)
    assert (await ask(desk, "GET", CALENDAR))["missing_year"] == 2027
    body = {"days": whole(2027), "note": NOTE, "complete": 2027}
    found = await ask(desk, "POST", CALENDAR, body)
    assert (found["missing_year"], found["last_year"], found["problem"]) == (None, 2027, None)
    assert found["years"][0]["note"] == NOTE
    assert calendar.years_ahead(desk.gateway) == 1


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (whole(2027, "10-02"), "10-02"),
        (whole(2027, "02-05", "02-08"), "Lunar New Year"),
        ([*whole(2027), {"on": "2028-01-03", "works": False}], "2028-01-03"),
    ],
)
async def test_a_year_cut_short_is_not_complete(
    desk: Desk, days: list[dict[str, Any]], said: str
) -> None:
    """What lacks a holiday that every year has, or strays, is refused whole."""
    body = {"days": days, "note": NOTE, "complete": 2027}
    assert await refused(desk, "POST", CALENDAR, body) == (422, "calendar_incomplete", "days")
    answer = await desk.call("POST", CALENDAR, body, key="operator")
    assert said in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"days": [], "note": "x"}, "days"),
        ({"days": [{"on": "2027-02-30", "works": True}], "note": "x"}, "days.0.on"),
        ({"days": [{"on": "1999-01-01", "works": True}], "note": "x"}, "days.0.on"),
        ({"days": [{"on": "2027-01-01", "works": 1}], "note": "x"}, "days.0.works"),
        ({"days": [{"on": "2027-01-01", "works": True}] * 2, "note": "x"}, "days"),
        ({"days": [{"on": "2027-01-01", "works": True}]}, "note"),
    ],
)
async def test_nonsense_is_refused(desk: Desk, body: dict[str, Any], param: str) -> None:
    """With the field at fault; nothing is stored."""
    status, code, at = await refused(desk, "POST", CALENDAR, body)
    assert (status, code, at) == (422, "field_invalid", param)


async def test_a_missing_year_is_alarmed_once_a_day(desk: Desk) -> None:
    """From 1 November on, until it is there."""

    def alarms() -> int:
        return desk.log.getvalue().count('"event":"calendar.missing"')

    desk.clock.at = datetime(2026, 10, 31, 12, tzinfo=UTC)
    await calendar.refresh(desk.gateway)
    assert alarms() == 0
    for hours, count in ((6, 1), (7, 1), (30, 2)):
        desk.clock.at = datetime(2026, 10, 31, 12, tzinfo=UTC) + timedelta(hours=hours)
        await calendar.refresh(desk.gateway)
        assert alarms() == count
