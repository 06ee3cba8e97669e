"""Working days, cut-offs and arrival dates on the Chinese calendar."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import chinese_calendar
import holidays
import pytest

from policies.calendars import add_business_days, arrival, is_open, is_workday, next_open
from policies.calendars.arrivals import next_midnight
from policies.calendars.generate import CORRECTIONS, TARGET, main, published_years, render
from policies.calendars.workdays import LONGEST_REST_DAYS, PUBLISHED, known_years
from policies.cost import capital_micro
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


@pytest.mark.parametrize("year", sorted(known_years()))
def test_table_agrees_with_an_independent_package(year: int) -> None:
    """Every day of every year that both know, compared with the `holidays` package."""
    # It learns of a make-up day in December from the year after it.
    other = holidays.country_holidays("CN", years=(year, year + 1))
    differing = [
        day
        for day in every_day(year, year)
        if is_workday(day, "cn_statutory").works != other.is_working_day(day)
    ]
    assert differing == []


def test_the_table_follows_the_notices_where_its_source_errs() -> None:
    """31 December 2005 was worked for the New Year of 2006 (国办发明电〔2005〕35号); the source of
    the table says otherwise there, and nowhere else against the other package."""
    erring = [
        day
        for day in every_day(min(known_years()), max(known_years()))
        if is_workday(day, "cn_statutory").works != chinese_calendar.is_workday(day)
    ]
    assert erring == list(CORRECTIONS) == [date(2005, 12, 31)]


@pytest.mark.parametrize(
    ("days", "mean", "p95", "longest", "sent_on", "worst_bp"),
    [
        (1, 1.65, 4, 10, date(2026, 2, 14), (16, 33, 49)),
        (3, 4.29, 6, 12, date(2026, 2, 12), (20, 39, 59)),
        (7, 10.28, 15, 18, date(2026, 2, 6), (30, 59, 89)),
    ],
)
def test_price_of_time_in_2026(
    days: int, mean: float, p95: int, longest: int, sent_on: date, worst_bp: tuple[int, ...]
) -> None:
    """What T+n takes over 2026, at worst around Spring Festival, and what that costs at 6, 12 and
    18 % a year (routing.md section 4, which has 4.28 and 10.26 days by ending with the year)."""
    took = {
        day: (add_business_days(day, days, "cn_statutory").on - day).days
        for day in every_day(2026, 2026)
    }
    assert round(sum(took.values()) / len(took), 2) == mean
    assert sorted(took.values())[len(took) * 95 // 100] == p95
    assert max(took.values()) == longest == took[sent_on]
    costs = (capital_micro(10_000, rate, longest) for rate in (60_000, 120_000, 180_000))
    assert tuple(round(cost / 1_000_000) for cost in costs) == worst_bp


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


@pytest.mark.parametrize(("second", "on"), [(59, date(2026, 11, 18)), (0, date(2026, 11, 19))])
def test_the_cut_off_falls_exactly_on_its_second(second: int, on: date) -> None:
    """16:59:59.999999 is before 17:00, and 17:00:00 is not."""
    sent_at = datetime(2026, 11, 17, 17, tzinfo=SHANGHAI)
    if second:
        sent_at -= timedelta(microseconds=1)
    assert arrival(T1, sent_at.astimezone(UTC)).on == on


@pytest.mark.parametrize(
    ("utc_hour", "minute", "on"),
    [
        # London, 27 March 2026 (GMT) and 30 March (summer time): 17:00 is 17:00 or 16:00 UTC.
        ((27, 16), 59, date(2026, 3, 28)),
        ((27, 17), 0, date(2026, 3, 29)),
        ((30, 15), 59, date(2026, 3, 31)),
        ((30, 16), 0, date(2026, 4, 1)),
    ],
)
def test_a_cut_off_follows_summer_time(utc_hour: tuple[int, int], minute: int, on: date) -> None:
    """It is local wall time, on both sides of the change."""
    london = Cycle(days=1, cutoff=time(17), timezone="Europe/London")
    day, hour = utc_hour
    assert arrival(london, datetime(2026, 3, day, hour, minute, tzinfo=UTC)).on == on


def test_the_end_of_a_day_that_changes_the_clocks_is_its_local_end() -> None:
    """25 October 2026 has 25 hours in London; money of that day is there by its last second."""
    london = Cycle(days=1, timezone="Europe/London")
    result = arrival(london, datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert (result.on, result.days_calendar) == (date(2026, 10, 25), 1)
    assert result.at == datetime(2026, 10, 25, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cycle", "sent_at", "on"),
    [
        (Cycle(days=1), beijing(2024, 2, 28), date(2024, 2, 29)),
        (Cycle(days=2), beijing(2024, 2, 28), date(2024, 3, 1)),
        (Cycle(days=1), beijing(2025, 2, 28), date(2025, 3, 1)),
        (T1, beijing(2024, 2, 28, 18), date(2024, 3, 1)),
        (Cycle(days=1), beijing(2026, 12, 31), date(2027, 1, 1)),
        (T1, beijing(2025, 12, 31), date(2026, 1, 4)),  # a make-up Sunday
        (T1, beijing(2025, 12, 30, 17), date(2026, 1, 4)),
    ],
)
def test_leap_days_and_ends_of_years(cycle: Cycle, sent_at: datetime, on: date) -> None:
    """29 February is a day like others; a year's end is counted over."""
    assert arrival(cycle, sent_at).on == on
    assert arrival(cycle, sent_at).known


# --- Overrides ---------------------------------------------------------------------------------


def test_an_overridden_day_counts_from_then_on() -> None:
    """A rest that nobody published moves an arrival, a work day brings one forward."""
    monday, saturday = date(2026, 11, 23), date(2026, 11, 28)
    storm = PUBLISHED.with_days([(monday, False)])
    assert arrival(T1, beijing(2026, 11, 20), storm).on == date(2026, 11, 24)
    assert arrival(T1, beijing(2026, 11, 20)).on == monday
    extra = PUBLISHED.with_days([(saturday, True)])
    assert arrival(T1, beijing(2026, 11, 27), extra).on == saturday
    assert is_workday(saturday, "cn_no_makeup", extra) == (False, True)
    assert is_workday(monday, "natural", storm) == (True, True)


def test_the_newest_override_holds_and_may_take_one_back() -> None:
    """Saying what was published undoes what was said before."""
    day = date(2026, 10, 1)
    said = PUBLISHED.with_days([(day, True)])
    assert is_workday(day, "cn_statutory", said).works
    back = said.with_days([(day, False)])
    assert not is_workday(day, "cn_statutory", back).works
    assert not is_workday(day, "cn_statutory").works


def test_days_of_an_unknown_year_may_be_given_before_it_is_complete() -> None:
    """Each counts as said, and the year stays a guess."""
    day = date(2027, 2, 8)
    said = PUBLISHED.with_days([(day, False), (date(2027, 1, 1), True)])
    assert is_workday(day, "cn_statutory", said) == (False, False)
    assert is_workday(date(2027, 1, 1), "cn_statutory", said) == (True, False)


def test_a_year_declared_complete_is_known() -> None:
    """Then nothing is guessed any more: fixed dates count as said, too."""
    days = [(date(2027, 1, 1), False), (date(2027, 1, 2), True)]
    said = PUBLISHED.with_days(days, [2027])
    result = arrival(T1, beijing(2026, 12, 31), said)
    assert (result.on, result.known) == (date(2027, 1, 2), True)


@pytest.mark.parametrize(
    ("today", "complete", "ahead", "missing"),
    [
        (date(2026, 10, 31), (), 0, None),
        (date(2026, 11, 1), (), 0, 2027),
        (date(2026, 12, 31), (), 0, 2027),
        (date(2027, 1, 1), (), -1, 2027),
        (date(2026, 11, 1), (2027,), 1, None),
        (date(2026, 11, 1), (2028,), 0, 2027),
        (date(2025, 11, 1), (2027,), 2, None),
    ],
)
def test_a_missing_year_is_told_from_november(
    today: date, complete: tuple[int, ...], ahead: int, missing: int | None
) -> None:
    """The next year from 1 November on, this year at any time; a year with a gap before it counts
    for nothing."""
    almanac = PUBLISHED.with_days((), complete)
    assert (almanac.years_ahead(today), almanac.missing_year(today)) == (ahead, missing)


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
