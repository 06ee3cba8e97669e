"""How long a float lasts: a known pace, a changing one, midnight, a clock that runs back."""

from datetime import datetime, timedelta

import pytest

from policies.runway import LONGEST_S, Runway
from tests.policies.builders import beijing

NOON = beijing(2026, 11, 23)


def paced(per_minute: int, minutes: int, begin: datetime = NOON) -> Runway:
    """A channel that is given the same each minute."""
    runway = Runway()
    for minute in range(minutes + 1):
        runway.sample(per_minute * minute, begin + timedelta(minutes=minute))
    return runway


def test_a_steady_pace_gives_the_hours_left() -> None:
    """¥100 a minute out of ¥24,000: four hours, from ten minutes on."""
    assert paced(10_000, 9).seconds_left(2_400_000) is None
    for minutes in (10, 60, 600):
        assert paced(10_000, minutes).seconds_left(2_400_000) == pytest.approx(14_400, rel=0.001)


def test_nothing_left_is_no_time_left() -> None:
    """Whatever the pace."""
    assert paced(0, 10).seconds_left(0) == 0
    assert paced(10_000, 10).seconds_left(-5) == 0


def test_without_use_the_float_lasts() -> None:
    """Also when more comes back than goes out."""
    assert paced(0, 60).seconds_left(1) == LONGEST_S
    runway = paced(10_000, 10)
    runway.sample(0, NOON + timedelta(minutes=11))
    assert runway.seconds_left(1) == LONGEST_S


def test_the_pace_follows_what_happens() -> None:
    """An hour after it doubled, most of that is known."""
    runway = paced(10_000, 300)
    before = runway.seconds_left(2_400_000)
    for minute in range(1, 61):
        runway.sample(3_000_000 + 20_000 * minute, NOON + timedelta(minutes=300 + minute))
    after = runway.seconds_left(2_400_000)
    assert before is not None
    assert after is not None
    assert 0.5 * before < after < 0.65 * before


def test_midnight_does_not_look_like_money_coming_back() -> None:
    """The use of the day starts again at nothing, and the pace goes on."""
    begin = beijing(2026, 11, 23, 23, 0)
    runway = Runway()
    used = 0
    for minute in range(120):
        used = 0 if minute == 60 else used + 10_000
        runway.sample(used, begin + timedelta(minutes=minute))
    assert runway.seconds_left(2_400_000) == pytest.approx(14_400, rel=0.02)


def test_a_clock_that_runs_back_is_no_time() -> None:
    """The pace stays as it was, and goes on from the earlier time."""
    runway = paced(10_000, 60)
    before = runway.seconds_left(2_400_000)
    runway.sample(600_000, NOON)
    assert runway.seconds_left(2_400_000) == before
    runway.sample(610_000, NOON + timedelta(minutes=1))
    assert runway.seconds_left(2_400_000) == pytest.approx(before, rel=0.01)


def test_a_crossing_is_told_once() -> None:
    """Until the float has recovered by a quarter, so that it does not flutter."""
    runway = Runway()
    told = [runway.crossed(seconds, 100) for seconds in (None, 150, 99, 98, 101, 99, 125, 99, None)]
    assert told == [False, False, True, False, False, False, False, True, False]
