"""Exact all-in cost: the fee's clamp, rounding, time, lateness and risk."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.cost import (
    capital_micro,
    float_needed_minor,
    lateness_micro,
    price,
)
from policies.facts import Arrival, Cycle, HealthView, Hours
from policies.fees import Fee, fee_minor, surcharge_minor
from policies.policy import Parameters
from tests.policies.builders import LAW

AMOUNTS = st.integers(1, 10**12)
PPM = st.integers(0, 1_000_000)
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)


def arriving(days: int) -> Arrival:
    """An arrival so many days from noon."""
    return Arrival(date(2026, 11, 20) + timedelta(days), NOON + timedelta(days), days, known=True)


fees = st.builds(
    lambda flat, rate, low, extra, surcharge: Fee(flat, rate, low, low + extra, surcharge),
    st.integers(0, 10_000),
    PPM,
    st.integers(0, 1000),
    st.integers(0, 100_000),
    PPM,
)


@pytest.mark.parametrize(
    ("fee", "amount", "expected"),
    [
        (Fee(), 100_000, 0),
        (Fee(flat_minor=30), 1, 30),
        (Fee(rate_ppm=600), 100_000, 60),
        (Fee(rate_ppm=1000), 499, 0),
        (Fee(rate_ppm=1000), 500, 1),  # half a fen rounds up
        (Fee(rate_ppm=1000), 1499, 1),
        (Fee(rate_ppm=1000, min_minor=10), 100, 10),
        (Fee(rate_ppm=1000, max_minor=2500), 10_000_000, 2500),
        (Fee(flat_minor=5, max_minor=3), 1, 3),
    ],
)
def test_fee_is_clamped_and_rounded_half_up(fee: Fee, amount: int, expected: int) -> None:
    """The listed fee in whole minor units."""
    assert fee_minor(fee, amount) == expected


def test_surcharge_is_outside_the_clamp() -> None:
    """A capped fee still carries its whole surcharge."""
    fee = Fee(rate_ppm=1000, max_minor=10, surcharge_ppm=1500)
    assert (fee_minor(fee, 1_000_000), surcharge_minor(fee, 1_000_000)) == (10, 1500)


@pytest.mark.parametrize(("mode", "needed"), [("on_top", 1030), ("deducted", 1000)])
def test_float_needed(mode: str, needed: int) -> None:
    """A fee on top needs float; a deducted one is the payee's."""
    fee = Fee(flat_minor=30, mode="on_top" if mode == "on_top" else "deducted")
    assert float_needed_minor(fee, 1000, 30) == needed


def test_break_even_of_the_price_of_time() -> None:
    """At 12 % a year, T+3's mean of 4.28 days costs about 14 basis points."""
    assert capital_micro(10_000_00, 120_000, 428) / 100 / 10_000_00 == pytest.approx(1407, abs=1)


@pytest.mark.parametrize(
    ("late_by", "days"),
    [
        (timedelta(0), 0),
        (timedelta(seconds=-1), 0),
        (timedelta(seconds=1), 1),
        (timedelta(days=1), 1),
        (timedelta(days=1, seconds=1), 2),
    ],
)
def test_each_begun_day_of_lateness_costs(late_by: timedelta, days: int) -> None:
    """Lateness counts begun days after the deadline."""
    arrival = arriving(2)
    assert lateness_micro(1000, 500, arrival, arrival.at - late_by) == 1000 * 500 * days


def test_without_deadline_nothing_is_late() -> None:
    """No deadline, no lateness."""
    assert lateness_micro(1000, 500, arriving(300), None) == 0


@LAW
@given(fees, AMOUNTS, AMOUNTS)
def test_fees_grow_with_the_amount(fee: Fee, one: int, other: int) -> None:
    """A larger amount never has a smaller fee or surcharge, and neither is negative."""
    small, large = sorted((one, other))
    assert 0 <= fee_minor(fee, small) <= fee_minor(fee, large)
    assert 0 <= surcharge_minor(fee, small) <= surcharge_minor(fee, large)


@LAW
@given(AMOUNTS, PPM, st.integers(0, 400))
def test_capital_is_rounded_up_to_a_micro(amount: int, rate: int, days: int) -> None:
    """The capital cost is the exact fraction or less than one micro above it."""
    assert 0 <= capital_micro(amount, rate, days) * 365 - amount * rate * days < 365


@LAW
@given(
    AMOUNTS,
    st.integers(0, 100),
    st.integers(0, 100),
    st.tuples(PPM, PPM),
    st.tuples(PPM, PPM),
)
def test_total_grows_with_every_burden(
    amount: int, days: int, more_days: int, success: tuple[int, int], unknown: tuple[int, int]
) -> None:
    """Later, less reliable and more doubtful never costs less."""

    def total(days: int, success_ppm: int, unknown_ppm: int) -> int:
        return price(
            amount,
            (10, 5),
            arriving(days),
            deadline_at=NOON + timedelta(days=3),
            health=HealthView(success_ppm, unknown_ppm),
            parameters=Parameters(),
        ).total

    better = total(days, max(success), min(unknown))
    worse = total(days + more_days, min(success), max(unknown))
    assert better <= worse


def test_terms_that_contradict_are_refused() -> None:
    """Negative fees, crossed bounds, impossible cycles and unknown zones fail at once."""
    with pytest.raises(ValueError, match="negative"):
        Fee(flat_minor=-1)
    with pytest.raises(ValueError, match="below min"):
        Fee(min_minor=5, max_minor=4)
    with pytest.raises(ValueError, match="between 0 and 366"):
        Cycle(days=-1)
    with pytest.raises(ValueError, match="instant"):
        Cycle(days=1, instant=True)
    with pytest.raises(KeyError, match="Nowhere"):
        Hours(((time(9), time(17)),), "Asia/Nowhere")
