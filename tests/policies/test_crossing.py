"""Where the cheaper of two channels changes, exactly."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from policies.cost import capital_micro
from policies.crossing import crossing
from policies.fees import Fee, MonthUse, Tier, fee_minor, surcharge_minor
from tests.policies.builders import LAW

RATE = 120_000
CENT = 100


def all_in(fee: Fee, days: int, amount: int, month: MonthUse) -> float:
    """Fee, surcharge and capital in fen, as charged."""
    charged = fee_minor(fee, amount, month) + surcharge_minor(fee, amount)
    return charged + capital_micro(amount, RATE, days) / 1_000_000


def test_free_and_slow_loses_to_a_flat_fee_above_this_amount() -> None:
    """routing.md section 4: T+7 at 10.26 days against 0.30 yuan and T+3 at 4.28 days: 153 yuan."""
    # A hundred times the days at a hundredth of the rate keeps the means exact.
    assert crossing(Fee(), 1026, Fee(flat_minor=30), 428, RATE // CENT) == (15_260,)


def test_it_does_not_matter_who_is_asked_first() -> None:
    """The crossing of A and B is that of B and A."""
    instant, slow = Fee(rate_ppm=1_000), Fee(flat_minor=50)
    assert crossing(instant, 0, slow, 3, RATE) == crossing(slow, 3, instant, 0, RATE)


def test_a_channel_that_is_never_dearer_has_no_crossing() -> None:
    """Free and instant beats everything, at every amount."""
    assert crossing(Fee(), 0, Fee(flat_minor=1), 1, RATE) == ()
    assert crossing(Fee(), 1, Fee(), 1, RATE) == ()


def test_a_cap_makes_a_second_crossing() -> None:
    """A capped rate is cheap, dear, and cheap again against a flat fee that costs time."""
    capped = Fee(rate_ppm=1_000, max_minor=2_500)
    flat = Fee(flat_minor=100)
    first, second = crossing(capped, 0, flat, 1, RATE)
    assert fee_minor(capped, first) == half_up(100 + first * RATE / 365 / 1_000_000)
    assert 2_500 <= 100 + second * RATE / 365 / 1_000_000 < 2_501


def half_up(value: float) -> int:
    """Half up, as fees are rounded."""
    return int(value + 0.5)


amounts = st.integers(1, 10**10)
fees = st.one_of(
    st.builds(
        lambda flat, rate, low, extra: Fee(flat, rate, low, low + extra),
        *(st.integers(0, 5_000), st.integers(0, 20_000), st.integers(0, 500)),
        st.integers(0, 10_000),
    ),
    st.builds(
        lambda floor, rates: Fee(
            tiers=tuple(Tier(at * floor, 10 * at, rate) for at, rate in enumerate(rates)),
            basis="amount",
        ),
        st.integers(1, 10**8),
        st.lists(st.integers(0, 5_000), min_size=1, max_size=4),
    ),
)


@LAW
@given(fees, st.integers(0, 20), fees, st.integers(0, 20), st.integers(0, 10**9), amounts, amounts)
@example(Fee(min_minor=1, max_minor=2), 0, Fee(rate_ppm=1), 0, 0, 1, 10**9)
def test_between_crossings_the_cheaper_one_stays(
    fee_a: Fee, days_a: int, fee_b: Fee, days_b: int, used: int, one: int, other: int
) -> None:
    """Two amounts without a crossing between them are never more than roundings apart in order."""
    month = MonthUse(minor=used)
    found = crossing(fee_a, days_a, fee_b, days_b, RATE, month, month)
    assert list(found) == sorted(set(found))
    low, high = sorted((one, other))
    if any(low < at <= high for at in found):
        return
    gaps = [
        all_in(fee_a, days_a, amount, month) - all_in(fee_b, days_b, amount, month)
        for amount in (low, high)
    ]
    assert max(gaps) <= 2 or min(gaps) >= -2


@LAW
@given(fees, st.integers(0, 20), fees, st.integers(0, 20))
def test_at_each_crossing_the_order_turns(fee_a: Fee, days_a: int, fee_b: Fee, days_b: int) -> None:
    """Midway between neighbours the signs alternate."""
    found = crossing(fee_a, days_a, fee_b, days_b, RATE)
    if not found:
        return
    ends = (1, *found, 10**11)
    signs = []
    for low, high in pairwise(ends):
        middle = (low + high) // 2
        gap = all_in(fee_a, days_a, middle, MonthUse()) - all_in(fee_b, days_b, middle, MonthUse())
        signs.append(gap)
    for before, after in pairwise(signs):
        assert before * after <= 0 or min(abs(before), abs(after)) <= 2
