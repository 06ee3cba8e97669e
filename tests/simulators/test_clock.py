"""The clock goes forward only, and durations read as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from simulators.clock import VirtualClock, parse_duration

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), (1.5, 1.5), ("500ms", 0.5), ("10s", 10), ("2h", 7200), ("1d12h", 129_600)],
)
def test_durations(text: str | float, seconds: float) -> None:
    """Numbers are seconds; units may follow one another."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "1y", "1h x", "-5", "1h2", True])
def test_what_is_no_duration(text: str | bool) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_frozen_clock_moves_only_when_told() -> None:
    """It stands at its start, and goes where it is put."""
    clock = VirtualClock(START, frozen=True)
    assert clock.now() == clock.now() == START
    assert clock.advance(timedelta(days=1)) == START + timedelta(days=1)


def test_a_running_clock_keeps_its_offset() -> None:
    """Started elsewhere, it runs on from there."""
    clock = VirtualClock(START)
    assert START <= clock.now() < START + timedelta(minutes=1)
    clock.advance(timedelta(days=2))
    assert START + timedelta(days=2) <= clock.now() < START + timedelta(days=2, minutes=1)


def test_time_does_not_run_backwards() -> None:
    """Books cannot un-happen."""
    clock = VirtualClock(START, frozen=True)
    with pytest.raises(ValueError, match="does not go back"):
        clock.set(START - timedelta(seconds=1))
    naive = START.replace(tzinfo=None)
    with pytest.raises(ValueError, match="time zone"):
        clock.set(naive)
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(naive)
