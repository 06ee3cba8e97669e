"""Durations, pairs and amounts as people type them."""

import click
import pytest

from gateway.cli.parameters import LOCAL_MOMENT, Duration, Pair, minor_units


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86400), ("1d12h", 129_600)],
)
def test_a_duration_is_whole_seconds(text: str, seconds: int) -> None:
    """Units from seconds to days, also several at once."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "1", "1w", "d", "-1d", "1.5h", "0s", "1d x", "١d"])
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
