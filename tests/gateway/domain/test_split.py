"""Splits: shares that add up to the total exactly, and one status out of many states."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.payout import PayoutState
from gateway.domain.split import SplitStatus, fate_of, shares_of, status_of
from policies.fees import PPM

P = PayoutState


@st.composite
def shares(draw: st.DrawFn) -> list[int]:
    """Shares that add up to a whole million."""
    cuts = sorted({0, PPM, *draw(st.lists(st.integers(1, PPM - 1), min_size=1, max_size=49))})
    return [after - before for before, after in pairwise(cuts)]


@given(st.integers(1, 10**15), shares())
def test_legs_add_up_to_the_total_exactly(total: int, ppm: list[int]) -> None:
    """And none is a whole unit away from its exact share."""
    found = shares_of(total, ppm)
    assert sum(found) == total
    for minor, share in zip(found, ppm, strict=True):
        assert abs(minor * PPM - total * share) < PPM


@pytest.mark.parametrize(
    ("total", "ppm", "legs"),
    [
        (100, (333_333, 333_333, 333_334), (33, 33, 34)),
        (10, (250_000, 250_000, 250_000, 250_000), (3, 3, 2, 2)),
        (1, (500_000, 500_000), (1, 0)),
        (10_001, (700_000, 300_000), (7_001, 3_000)),
        (10_003, (700_000, 300_000), (7_002, 3_001)),
    ],
)
def test_the_largest_remainders_get_what_is_left(
    total: int, ppm: tuple[int, ...], legs: tuple[int, ...]
) -> None:
    """Of equal ones the earlier leg's."""
    assert shares_of(total, ppm) == legs


@pytest.mark.parametrize("ppm", [(500_000, 499_999), (500_000, 500_001)])
def test_shares_that_are_not_the_whole_are_refused(ppm: tuple[int, int]) -> None:
    """A fen short or a fen over."""
    with pytest.raises(ValueError, match="not to 1000000"):
        shares_of(100, ppm)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((P.PAID, P.SETTLED), SplitStatus.PAID),
        ((P.FAILED, P.CANCELLED), SplitStatus.FAILED),
        ((P.PAID, P.FAILED), SplitStatus.PARTLY_FAILED),
        ((P.RETURNED, P.FAILED), SplitStatus.PARTLY_FAILED),
        ((P.RETURNED, P.RETURNED), SplitStatus.RETURNED),
        ((P.RETURNED, P.SETTLED), SplitStatus.PARTLY_RETURNED),
        ((P.PAID, P.PARKED), SplitStatus.OPEN),
        ((P.FAILED, P.HELD), SplitStatus.OPEN),
    ],
)
def test_a_status_says_where_the_legs_stand(
    states: tuple[PayoutState, ...], status: SplitStatus
) -> None:
    """Whatever order they stand in."""
    assert status_of(states) is status_of(reversed(states)) is status


@given(st.lists(st.sampled_from(P), min_size=1))
def test_a_split_is_open_as_long_as_a_leg_is(states: list[PayoutState]) -> None:
    """And final otherwise."""
    is_open = any(fate_of(state) == "open" for state in states)
    assert status_of(states).is_final is not is_open
