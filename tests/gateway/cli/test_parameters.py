"""Durations, pairs and amounts as people type them."""

from datetime import UTC, datetime, time, timedelta

import click
import pytest

from gateway.cli.parameters import (
    LOCAL_MOMENT,
    Duration,
    NextMoment,
    Pair,
    minor_units,
    seconds_until,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("15m", 900),
        ("2h", 7200),
        ("1d", 86400),
        ("1d12h", 129_600),
        ("1 day", 86400),
        ("2 days 3 hours", 183_600),
        ("90 min", 5400),
        ("1天12小时", 129_600),
        ("30分钟", 1800),
    ],
)
def test_a_duration_is_whole_seconds(text: str, seconds: int) -> None:
    """Units from seconds to days, also several at once."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text", ["", "1", "1w", "d", "-1d", "1.5h", "0s", "1d x", "١d", "1  d", "1dd", "1d  2h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Nothing is guessed: no unit, no sign, no fraction, no time at all."""
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("after=1d", ("after", "1d")),
        ("copies=2", ("copies", 2)),
        ("executed=true", ("executed", True)),
        ("code=A=B", ("code", "A=B")),
        ("code=", ("code", "")),
    ],
)
def test_a_pair_reads_json_where_it_is_json(text: str, pair: tuple[str, object]) -> None:
    """Numbers and booleans keep their type, anything else is text."""
    assert Pair().convert(text, None, None) == pair


@pytest.mark.parametrize("text", ["after", "=1d", ""])
def test_what_is_no_pair_is_refused(text: str) -> None:
    """A name and an equals sign are needed."""
    with pytest.raises(click.BadParameter):
        Pair().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23 01:00", "2026-11-23T01:00:00+08:00"),
        ("2026-11-23T01:00:30", "2026-11-23T01:00:30+08:00"),
        ("2026-11-23T01:00Z", "2026-11-23T01:00:00+00:00"),
    ],
)
def test_a_moment_is_on_the_business_clock_unless_it_says_so(text: str, moment: str) -> None:
    """Shanghai, where the operators are."""
    assert LOCAL_MOMENT.convert(text, None, None).isoformat() == moment


def test_what_is_no_moment_is_refused() -> None:
    """Nothing is guessed."""
    with pytest.raises(click.BadParameter):
        LOCAL_MOMENT.convert("tomorrow", None, None)


def test_an_amount_is_counted_in_the_currencys_own_unit() -> None:
    """Two decimals for CNY, none for JPY."""
    assert (minor_units("12.30", "CNY"), minor_units("12", "JPY")) == (1230, 12)


@pytest.mark.parametrize("text", ["0", "0.00", "-1", "1e3", "1.234", "1,000", "9" * 30])
def test_what_is_no_amount_is_a_usage_error(text: str) -> None:
    """Zero, signs, exponents, spare decimals, separators and what cannot be stored."""
    with pytest.raises(click.BadParameter):
        minor_units(text, "CNY")


NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""12:00 in Beijing."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("13:00", 3600),
        ("12:00", 86400),
        ("11:59:30", 86370),
        ("2026-03-03 12:00", 86400),
        ("2026-03-02T04:01:00Z", 60),
        ("2026-03-02 11:00", -3600),
    ],
)
def test_a_moment_ahead_is_the_next_of_its_kind(text: str, seconds: int) -> None:
    """A time of day on the business clock, today or tomorrow; a whole moment as it stands."""
    found = NextMoment().convert(text, None, None)
    assert seconds_until(found, NOON) == seconds


def test_a_moment_between_two_seconds_is_reached() -> None:
    """The clock moves in whole seconds, and never stops short."""
    assert seconds_until(NOON + timedelta(milliseconds=1), NOON) == 1
    assert seconds_until(time(12, 0, 1), NOON) == 1


@pytest.mark.parametrize("text", ["25:00", "noon", "", "2026-13-01"])
def test_what_is_no_moment_ahead_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(click.BadParameter):
        NextMoment().convert(text, None, None)
