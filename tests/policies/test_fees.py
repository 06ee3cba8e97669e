"""What a contract charges: tiers over a month, commitments, dates; and the laws they keep."""

import random
from datetime import date
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.fees import (
    UNUSED,
    Commitment,
    Fee,
    FeeSchedule,
    MonthUse,
    Tier,
    fee_minor,
    flat_and_rate_micro,
    quote_minor,
    surcharge_minor,
    tier_reached,
)
from tests.policies.builders import LAW

VOLUME = (Tier(0, 200), Tier(50_000, 120), Tier(150_000, 80))
"""A flat fee by payouts a month: 2.00, 1.20, 0.80 yuan (routing.md section 5, C2)."""
MONEY = (Tier(0, 50, 600), Tier(10_000_000_000, 50, 400), Tier(30_000_000_000, 50, 250))
"""0.50 yuan and a rate by money a month: 6, 4, 2.5 basis points (C3)."""
ALL_UNITS = Fee(tiers=VOLUME, scheme="all_units", commitment=Commitment(60_000, 100))
INCREMENTAL = Fee(tiers=MONEY, basis="amount")


@pytest.mark.parametrize(
    ("payouts", "tier", "fee"),
    [(0, 0, 200), (49_999, 0, 200), (50_000, 1, 120), (149_999, 1, 120), (150_000, 2, 80)],
)
def test_an_all_units_fee_is_the_tier_reached(payouts: int, tier: int, fee: int) -> None:
    """A tier begins with the payout that finds its floor used."""
    month = MonthUse(payouts, 0)
    assert tier_reached(ALL_UNITS, month) == tier
    assert fee_minor(ALL_UNITS, 100_000, month) == fee


def test_a_planned_tier_prices_what_is_quoted_at_the_tier_reached() -> None:
    """The decision may count on the month's end; the float may not."""
    month = MonthUse(10, 0)
    assert fee_minor(ALL_UNITS, 100_000, month, planned_tier=2) == 80
    assert quote_minor(ALL_UNITS, 100_000, month) == 200


def test_a_payout_across_a_threshold_pays_each_part_at_its_tier() -> None:
    """One flat, 40 yuan at 6 bp and 60 yuan at 4 bp."""
    month = MonthUse(0, 10_000_000_000 - 4_000)
    micro = 50 * 1_000_000 + 4_000 * 600 + 6_000 * 400
    assert flat_and_rate_micro(INCREMENTAL, 10_000, month) == micro
    assert fee_minor(INCREMENTAL, 10_000, month) == 55


def test_a_payout_may_cross_several_thresholds() -> None:
    """All that lies beyond the last floor is priced there."""
    fee = Fee(tiers=(Tier(0, 0, 1_000), Tier(100, 0, 500), Tier(200, 0, 0)), basis="amount")
    assert flat_and_rate_micro(fee, 1_000, MonthUse(0, 50)) == 50 * 1_000 + 100 * 500


def test_incremental_by_payouts_prices_each_at_its_own_tier() -> None:
    """The first payout of a tier is the one that finds its floor used."""
    fee = Fee(tiers=(Tier(0, 30), Tier(2, 20)))
    paid = [fee_minor(fee, 100, MonthUse(payouts, 0)) for payouts in range(4)]
    assert paid == [30, 30, 20, 20]


def test_a_deducted_fee_takes_no_float() -> None:
    """It is kept back from the amount, so nothing leaves beside it."""
    fee = Fee(flat_minor=30, surcharge_ppm=1_000, mode="deducted")
    assert quote_minor(fee, 100_000) == 0
    assert fee_minor(fee, 100_000) + surcharge_minor(fee, 100_000) == 130


@pytest.mark.parametrize(
    ("day", "flat"),
    [
        (date(2026, 6, 30), None),
        (date(2026, 7, 1), 30),
        (date(2026, 12, 31), 30),
        (date(2027, 1, 1), 20),
        (date(2030, 1, 1), 20),
    ],
)
def test_a_schedule_says_what_holds_on_a_day(day: date, flat: int | None) -> None:
    """From its first day on, until the next one; nothing before."""
    schedule = FeeSchedule(((date(2026, 7, 1), Fee(30)), (date(2027, 1, 1), Fee(20))))
    found = schedule.fee_on(day)
    assert (None if found is None else found.flat_minor) == flat


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tier(-1), "negative"),
        (lambda: Commitment(0, 1), "positive least"),
        (lambda: Fee(tiers=(Tier(1),)), "begin at floor 0"),
        (lambda: Fee(tiers=(Tier(0), Tier(0))), "rise"),
        (lambda: Fee(flat_minor=1, tiers=(Tier(0),)), "belong into the tiers"),
        (lambda: FeeSchedule(()), "rising dates"),
        (lambda: FeeSchedule(((date(2027, 1, 1), Fee()),) * 2), "rising dates"),
    ],
)
def test_contradictions_are_refused(make: object, said: str) -> None:
    """Terms nobody could bill by fail when they are made."""
    assert callable(make)
    with pytest.raises(ValueError, match=said):
        make()


# --- Laws ----------------------------------------------------------------------------------------

AMOUNTS = st.integers(1, 10**7)


Scheme = Literal["all_units", "incremental"]
SCHEMES: tuple[Scheme, ...] = ("all_units", "incremental")


@st.composite
def by_money(draw: st.DrawFn, scheme: Scheme = "incremental") -> Fee:
    """A fee with one to four tiers by money, each cheaper than the one before."""
    floors = sorted(draw(st.sets(st.integers(1, 10**7), max_size=3)))
    rates = sorted(draw(st.lists(st.integers(0, 10_000), min_size=4, max_size=4)), reverse=True)
    tiers = tuple(Tier(floor, 0, rate) for floor, rate in zip((0, *floors), rates, strict=False))
    return Fee(tiers=tiers, basis="amount", scheme=scheme)


@LAW
@given(by_money(), st.lists(AMOUNTS, min_size=1, max_size=8))
def test_a_month_costs_the_sum_of_its_parts_whatever_their_size(
    fee: Fee, amounts: list[int]
) -> None:
    """Incremental by money and unrounded: one payout of the whole month costs what its parts do."""
    used = total = 0
    for amount in amounts:
        total += flat_and_rate_micro(fee, amount, MonthUse(0, used))
        used += amount
    assert total == flat_and_rate_micro(fee, used, UNUSED)


@LAW
@given(by_money(), st.lists(AMOUNTS, min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_a_month_changes_only_roundings(
    fee: Fee, amounts: list[int], order: random.Random
) -> None:
    """The same payouts in another order cost the same, but for half a unit each."""
    shuffled = list(amounts)
    order.shuffle(shuffled)
    totals = []
    for month in (amounts, shuffled):
        used = total = 0
        for amount in month:
            total += fee_minor(fee, amount, MonthUse(0, used))
            used += amount
        totals.append(total)
    assert abs(totals[0] - totals[1]) <= len(amounts)


@LAW
@given(by_money(), st.integers(0, 2 * 10**7), st.integers(0, 10**7), AMOUNTS)
def test_a_fuller_month_is_never_dearer_when_tiers_fall(
    fee: Fee, used: int, more: int, amount: int
) -> None:
    """With rates that fall from tier to tier, for both schemes."""
    for scheme in SCHEMES:
        one = Fee(tiers=fee.tiers, basis="amount", scheme=scheme)
        assert fee_minor(one, amount, MonthUse(0, used + more)) <= fee_minor(
            one, amount, MonthUse(0, used)
        )


@LAW
@given(by_money("all_units"), AMOUNTS)
def test_a_higher_planned_tier_is_never_dearer_when_tiers_fall(fee: Fee, amount: int) -> None:
    """Planning for more volume never raises the price of a payout."""
    planned = [fee_minor(fee, amount, UNUSED, planned_tier=at) for at in range(len(fee.tiers))]
    assert all(before >= after for before, after in pairwise(planned))


@LAW
@given(by_money(), st.integers(0, 3 * 10**7), AMOUNTS)
def test_an_incremental_payout_lies_between_its_first_and_last_tier(
    fee: Fee, used: int, amount: int
) -> None:
    """It is never dearer than the tier it starts in nor cheaper than the one it ends in."""
    first = fee.tiers[tier_reached(fee, MonthUse(0, used))]
    last = fee.tiers[tier_reached(fee, MonthUse(0, used + amount))]
    micro = flat_and_rate_micro(fee, amount, MonthUse(0, used))
    assert amount * last.rate_ppm <= micro <= amount * first.rate_ppm


@LAW
@given(by_money(), st.integers(0, 10**8), AMOUNTS, st.integers(0, 10_000))
def test_the_quote_covers_what_is_booked_now(
    fee: Fee, used: int, amount: int, surcharge: int
) -> None:
    """Fee and surcharge at the tier reached, exactly."""
    month = MonthUse(0, used)
    given_fee = Fee(surcharge_ppm=surcharge, tiers=fee.tiers, basis="amount")
    charged = fee_minor(given_fee, amount, month) + surcharge_minor(given_fee, amount)
    assert quote_minor(given_fee, amount, month) == charged
