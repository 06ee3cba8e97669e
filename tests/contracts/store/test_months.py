"""A channel's month, counted in the commit; when money arrived; days that people gave."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import apsw
import asyncpg
import pytest

from gateway.domain.payout import Payout
from gateway.domain.pricing import month_start
from gateway.ports import CalendarDay, CalendarYear
from gateway.store import SqlStore
from gateway.store.schema import migrations
from policies.fees import UNUSED, MonthUse
from tests import builders as build
from tests.contracts.store.conftest import Backend, Fund

MARCH = datetime(2026, 2, 28, 16, tzinfo=UTC)
"""Midnight of 1 March in Shanghai."""
AMOUNT = build.payout().amount.minor


async def armed(store: SqlStore, at: datetime) -> Payout:
    """One payout that leaves at that moment."""
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    change = build.arm(subject, at=at)
    await store.record(change)
    return change.after


async def month(store: SqlStore, start: datetime = MARCH) -> MonthUse:
    """The channel's month from a start on."""
    return (await store.use(start, {build.CHANNEL: start}))[build.CHANNEL].month


@pytest.mark.parametrize(
    "zone", ["Asia/Shanghai", "UTC", "America/New_York", "Asia/Kathmandu", "Australia/Eucla"]
)
async def test_a_month_is_exact_in_every_time_zone(store: SqlStore, fund: Fund, zone: str) -> None:
    """From its first local second on, whatever the zone's offset; the second before is February."""
    await fund(1_000_000)
    start = month_start(datetime(2026, 3, 15, tzinfo=UTC), ZoneInfo(zone))
    second = timedelta(seconds=1)
    for at in (start - second, start, start + timedelta(hours=20), start + timedelta(days=30)):
        await armed(store, at.astimezone(UTC))

    assert await month(store, start) == MonthUse(3, 3 * AMOUNT)
    assert await store.audit() == []


async def test_what_died_leaves_its_month_again(store: SqlStore, fund: Fund) -> None:
    """Whenever it dies; what came back was carried all the same."""
    await fund(1_000_000)
    gone = await armed(store, MARCH)
    paid = await armed(store, MARCH)
    await store.record(build.kill(gone, at=MARCH + timedelta(days=40)))
    confirmed = build.confirm(paid, at=MARCH)
    await store.record(confirmed)
    await store.record(build.change(confirmed.after, build.came_back()))

    assert await month(store) == MonthUse(1, AMOUNT)
    assert await store.audit() == []


async def test_a_month_survives_a_restart(backend: Backend, store: SqlStore, fund: Fund) -> None:
    """It is in the store, and another process counts the same."""
    await fund(1_000_000)
    await armed(store, MARCH + timedelta(days=3))
    assert await month(await again(backend, store)) == MonthUse(1, AMOUNT)


async def test_the_upgrade_counts_what_was_there(
    backend: Backend, store: SqlStore, fund: Fund
) -> None:
    """An older database has the quarter's money only; the step counts the rest from attempts."""
    await fund(1_000_000)
    await store.record(build.kill(await armed(store, MARCH), at=MARCH))
    for hours in (1, 30):
        await armed(store, MARCH + timedelta(hours=hours))
    (step,) = [one for one in migrations(backend.kind) if one.name == "calendar"]
    fill = re.findall(r"^INSERT INTO tallies.*?;", step.sql, re.DOTALL | re.MULTILINE)
    assert len(fill) == 3
    await by_hand(backend, "DELETE FROM tallies WHERE kind <> 'armed' AND kind LIKE 'armed%'")
    assert await store.audit() != []

    for statement in fill:
        await by_hand(backend, statement)

    assert await store.audit() == []
    assert await month(store) == MonthUse(2, 2 * AMOUNT)


async def by_hand(backend: Backend, statement: str) -> None:
    """Run what no store would."""
    if backend.kind == "sqlite":
        database = apsw.Connection(backend.url.removeprefix("sqlite://"))
        try:
            database.execute(statement)
        finally:
            database.close()
    else:
        connection = await asyncpg.connect(backend.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def again(backend: Backend, store: SqlStore) -> SqlStore:
    """The same database after a restart; a second process where several may be."""
    if backend.kind == "sqlite":
        await store.aclose()
        backend.opened.remove(store)
    return await backend.open()


async def test_channels_with_other_months_do_not_mix(store: SqlStore, fund: Fund) -> None:
    """Each is counted from its own start; one that nobody asked about is not counted."""
    await fund(1_000_000)
    await armed(store, MARCH + timedelta(hours=1))
    later = MARCH + timedelta(hours=13)
    use = await store.use(MARCH, {build.CHANNEL: later, "elsewhere": MARCH})
    assert use[build.CHANNEL].month == UNUSED
    assert (await store.use(MARCH))[build.CHANNEL].month == UNUSED


async def test_arrivals_are_the_latest_paid_attempts(store: SqlStore, fund: Fund) -> None:
    """By when their money was there, newest first; open and returned ones are no arrivals."""
    await fund(1_000_000)
    for days in (2, 1, 3):
        subject = await armed(store, MARCH)
        await store.record(build.confirm(subject, at=MARCH + timedelta(days=days)))
    await armed(store, MARCH)

    found = await store.arrivals(build.CHANNEL, 2)

    assert found == [(MARCH, MARCH + timedelta(days=days)) for days in (3, 2)]
    assert await store.arrivals("elsewhere", 2) == []


async def test_the_newest_word_on_a_day_holds_and_all_are_kept(store: SqlStore) -> None:
    """With who said it, why and when; each leaves an audit row."""
    first, second = date(2027, 2, 8), date(2027, 2, 9)
    assert await store.calendar_mark() == (0, 0)
    await store.set_calendar([(first, False), (second, False)], "notice", "ann", build.NOW)
    before = await store.calendar_mark()
    later = build.NOW + timedelta(days=1)
    await store.set_calendar([(first, True)], "corrected", "bob", later)

    assert await store.calendar_days() == [
        CalendarDay(first, works=True, note="corrected", actor="bob", at=later),
        CalendarDay(second, works=False, note="notice", actor="ann", at=build.NOW),
    ]
    assert await store.calendar_mark() > before
    trail = [row for row in await store.audit_trail(100) if row.action == "calendar.set"]
    assert [(row.actor, row.subject) for row in trail] == [
        ("ann", "2027-02-08"),
        ("bob", "2027-02-08"),
    ]
    assert trail[0].detail["rest"] == ["2027-02-08", "2027-02-09"]


async def test_a_year_is_declared_complete_once(store: SqlStore) -> None:
    """In one commit with its days; declaring it again changes nothing of it."""
    new_year = date(2027, 1, 1)
    await store.set_calendar([(new_year, False)], "notice", "ann", build.NOW, complete=2027)
    mark = await store.calendar_mark()
    await store.set_calendar([(new_year, False)], "again", "bob", build.NOW, complete=2027)

    assert await store.calendar_years() == [CalendarYear(2027, "notice", "ann", build.NOW)]
    assert await store.calendar_mark() != mark
