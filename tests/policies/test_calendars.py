"""Working days, cut-offs and arrival dates on the Chinese calendar."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import holidays
import pytest

from policies.calendars import add_business_days, arrival, is_open, is_workday, next_open
from policies.calendars.arrivals import next_midnight
from policies.calendars.generate import TARGET, main, published_years, render
from policies.calendars.workdays import LONGEST_REST_DAYS, known_years
from policies.facts import Cycle, Hours
from tests.policies.builders import SHANGHAI, T1, beijing

DAY = timedelta(days=1)


def every_day(first: int, last: int) -> list[date]:
    """All days of the years given."""
    start = date(first, 1, 1)
    return [start + DAY * n for n in range((date(last, 12, 31) - start).days + 1)]


def test_the_frozen_table_is_what_the_generator_makes() -> None:
    """Nobody edited the table by hand."""
    text = TARGET.read_text(encoding="utf-8")
    assert text == render(min(known_years()), max(known_years()))


def test_generator_covers_every_published_year(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running the generator writes all years that the package knows."""
    target = tmp_path / "cn.toml"
    monkeypatch.setattr("policies.calendars.generate.TARGET", target)
    main()
    first, last = published_years()
    assert known_years() == frozenset(range(first, last + 1))
    assert target.read_bytes() == TARGET.read_bytes()


def test_table_agrees_with_an_independent_package() -> None:
    """Two sources agree on every day; the one exception is known and long past."""
    other = holidays.country_holidays("CN", years=range(2004, 2027))
    differing = [
        day
        for day in every_day(2004, 2026)
        if is_workday(day, "cn_statutory").works != other.is_working_day(day)
    ]
    assert differing == [date(2005, 12, 31)]


@pytest.mark.parametrize(
    ("days", "mean", "longest", "sent_on"),
    [
        (1, 1.65, 10, date(2026, 2, 14)),
        (3, 4.29, 12, date(2026, 2, 14)),
        (7, 10.28, 18, date(2026, 2, 6)),
    ],
)
def test_price_of_time_in_2026(days: int, mean: float, longest: int, sent_on: date) -> None:
    """T+n takes on average, and at worst around Spring Festival, what was measured for 2026."""
    took = {
        day: (add_business_days(day, days, "cn_statutory").on - day).days
        for day in every_day(2026, 2026)
    }
    assert round(sum(took.values()) / len(took), 2) == mean
    assert max(took.values()) == longest == took[sent_on]


@pytest.mark.parametrize(
    ("day", "statutory", "no_makeup"),
    [
        (date(2026, 2, 13), True, True),
        (date(2026, 2, 14), True, False),  # make-up Saturday before Spring Festival
        (date(2026, 2, 15), False, False),
        (date(2026, 2, 23), False, False),  # Monday, last day of the festival
        (date(2026, 2, 24), True, True),
        (date(2026, 10, 1), False, False),
        (date(2026, 11, 21), False, False),
    ],
)
def test_calendar_classes(day: date, *, statutory: bool, no_makeup: bool) -> None:
    """The classes differ on make-up days only; natural days always count."""
    assert is_workday(day, "cn_statutory") == (statutory, True)
    assert is_workday(day, "cn_no_makeup") == (no_makeup, True)
    assert is_workday(day, "natural") == (True, True)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2027, 1, 1), False),
        (date(2027, 1, 2), False),
        (date(2027, 1, 4), True),
        (date(2027, 10, 1), False),
        (date(2003, 12, 31), True),
    ],
)
def test_unpublished_year_is_never_silent(day: date, *, works: bool) -> None:
    """Weekends and fixed-date holidays rest, and the answer says it is a guess."""
    assert is_workday(day, "cn_statutory") == (works, False)


def test_spring_festival_takes_ten_days() -> None:
    """T+1 money sent on 14 February 2026 arrives on the 24th, at the end of the local day."""
    result = arrival(T1, beijing(2026, 2, 14))
    assert (result.on, result.days_calendar, result.known) == (date(2026, 2, 24), 10, True)
    assert result.at == datetime(2026, 2, 24, 23, 59, 59, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("hour", "minute", "on"),
    [(16, 59, date(2026, 11, 18)), (17, 0, date(2026, 11, 19)), (23, 59, date(2026, 11, 19))],
)
def test_cut_off_moves_the_start(hour: int, minute: int, on: date) -> None:
    """From the cut-off on, T+1 counts from the next day."""
    assert arrival(T1, beijing(2026, 11, 17, hour, minute)).on == on


def test_cut_off_uses_the_channels_clock() -> None:
    """23:30 UTC on Monday is Tuesday morning in Shanghai and still Monday in London."""
    sent_at = datetime(2026, 11, 16, 23, 30, tzinfo=UTC)
    assert arrival(T1, sent_at).on == date(2026, 11, 18)
    london = Cycle(days=1, calendar="natural", timezone="Europe/London")
    assert arrival(london, sent_at).on == date(2026, 11, 17)


def test_saturday_money_arrives_on_monday() -> None:
    """A day of rest is a day of sending too, as Chinese institutions count."""
    assert arrival(T1, beijing(2026, 11, 21)).days_calendar == 2


@pytest.mark.parametrize(
    ("cycle", "sent_at", "days"),
    [
        (Cycle(instant=True), beijing(2026, 2, 17, 23, 59), 0),
        (Cycle(days=0), beijing(2026, 2, 17), 0),
        (Cycle(days=1), beijing(2026, 2, 17), 1),
        (Cycle(days=0, cutoff=time(10)), beijing(2026, 2, 17), 1),
        (Cycle(days=0, calendar="cn_statutory"), beijing(2026, 2, 17), 7),
        (Cycle(days=0, calendar="cn_statutory"), beijing(2026, 2, 24), 0),
    ],
)
def test_natural_and_same_day_cycles(cycle: Cycle, sent_at: datetime, days: int) -> None:
    """D+n runs through holidays; T+0 waits for the first working day."""
    assert arrival(cycle, sent_at).days_calendar == days


def test_instant_arrives_when_sent() -> None:
    """An instant channel promises the moment itself."""
    sent_at = beijing(2026, 2, 17)
    assert arrival(Cycle(instant=True), sent_at).at == sent_at


def test_unpublished_year_adds_the_longest_holiday() -> None:
    """Money that arrives in 2027 is priced as if a long holiday lay in between."""
    cautious = arrival(T1, beijing(2026, 12, 31))
    plain = add_business_days(date(2026, 12, 31), 1, "cn_statutory")
    assert plain == (date(2027, 1, 4), False)
    assert cautious.on >= plain.on + DAY * LONGEST_REST_DAYS
    assert not cautious.known
    assert is_workday(cautious.on, "cn_statutory").works


def test_natural_days_need_no_table() -> None:
    """D+n is known for ever."""
    assert arrival(Cycle(days=3), beijing(2030, 1, 1)).known


@pytest.mark.parametrize(
    ("windows", "hour", "minute", "expected"),
    [
        ((), 3, 0, True),
        (((time(9), time(17)),), 8, 59, False),
        (((time(9), time(17)),), 9, 0, True),
        (((time(9), time(17)),), 17, 0, False),
        (((time(22), time(2)),), 23, 0, True),
        (((time(22), time(2)),), 1, 59, True),
        (((time(22), time(2)),), 2, 0, False),
        (((time(9), time(11)), (time(13), time(17))), 12, 0, False),
        (((time(9), time(11)), (time(13), time(17))), 14, 0, True),
    ],
)
def test_opening_hours(
    windows: tuple[tuple[time, time], ...], hour: int, minute: int, *, expected: bool
) -> None:
    """Windows hold their opening and not their closing; some cross midnight."""
    assert is_open(Hours(windows), beijing(2026, 11, 20, hour, minute)) is expected


@pytest.mark.parametrize(
    ("at", "opens_at"),
    [
        (beijing(2026, 11, 20, 8), beijing(2026, 11, 20, 9)),
        (beijing(2026, 11, 20, 12), beijing(2026, 11, 20, 13)),
        (beijing(2026, 11, 20, 18), beijing(2026, 11, 21, 9)),
        (beijing(2026, 11, 20, 10), beijing(2026, 11, 20, 10)),
    ],
)
def test_next_opening(at: datetime, opens_at: datetime) -> None:
    """A closed channel opens at its next window, today or tomorrow."""
    hours = Hours(((time(9), time(11)), (time(13), time(17))))
    assert next_open(hours, at) == opens_at


def test_next_midnight_is_local() -> None:
    """A daily cap starts anew when the channel's own day does."""
    assert next_midnight("Asia/Shanghai", beijing(2026, 11, 20, 23, 30)) == beijing(2026, 11, 21, 0)
