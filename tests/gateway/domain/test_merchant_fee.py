"""What merchants pay: exact at every edge of tiers and months, booked and given back in full."""

import dataclasses
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.money import Currency
from gateway.domain.ledger import Book, posting
from gateway.domain.lifecycle import apply
from gateway.domain.merchant_fee import Charge, MerchantFee, month_of, parts_of, told
from gateway.domain.payout import Accepted, Event, Payout
from policies.fees import PPM, Commitment, Fee, MonthUse, Tier
from tests.builders import (
    MERCHANT,
    NOW,
    armed,
    came_back,
    cancelled,
    cny,
    confirmed,
    died,
    failed,
    payout,
)

MARCH = date(2026, 3, 1)
RATES = st.integers(0, 20_000)
MONEY = st.integers(1, 10**9)
OF_THE_SEEDS = Fee(
    tiers=(Tier(0, 0, 3000), Tier(10_000_000, 0, 1000), Tier(50_000_000, 0, 500)),
    basis="amount",
    scheme="incremental",
)
"""0.3 %, the part above 100,000 yuan at 0.1 %, the part above 500,000 at 0.05 %."""


@st.composite
def tiered(draw: st.DrawFn) -> Fee:
    """Any fee with tiers."""
    floors = sorted({0, *draw(st.lists(st.integers(1, 10**7), max_size=4))})
    low = draw(st.integers(0, 500))
    return Fee(
        min_minor=low,
        max_minor=draw(st.none() | st.integers(low, 10**6)),
        surcharge_ppm=draw(RATES),
        mode=draw(st.sampled_from(("on_top", "deducted"))),
        tiers=tuple(Tier(floor, draw(st.integers(0, 300)), draw(RATES)) for floor in floors),
        basis=draw(st.sampled_from(("payouts", "amount"))),
        scheme=draw(st.sampled_from(("all_units", "incremental"))),
    )


def charge(fee: Fee, month: MonthUse | None = None) -> Charge:
    """A charge in March."""
    return Charge(MerchantFee(fee), MARCH, month or MonthUse())


def half_up(exact: Fraction) -> int:
    """The one rounding rule, said another way."""
    return int(exact + Fraction(1, 2))


@pytest.mark.parametrize(
    ("used", "asked", "fee"),
    [
        (0, 10_000_000, 30_000),
        (0, 10_000_001, 30_000),
        (0, 10_001_000, 30_001),
        (9_999_999, 1, 0),
        (9_900_000, 200_000, 300 + 100),
        (10_000_000, 100_000, 100),
        (49_950_000, 100_000, 50 + 25),
        (50_000_000, 100_000, 50),
        (0, 60_000_000, 30_000 + 40_000 + 5_000),
    ],
)
def test_each_part_costs_its_own_tier(used: int, asked: int, fee: int) -> None:
    """To the fen on both sides of a threshold, and across two of them."""
    assert charge(OF_THE_SEEDS, MonthUse(1, used)).fee_minor(asked) == fee


@pytest.mark.parametrize(
    ("basis", "use", "fee"),
    [
        ("payouts", MonthUse(9, 0), 200),
        ("payouts", MonthUse(10, 0), 100),
        ("amount", MonthUse(0, 9), 200),
        ("amount", MonthUse(0, 10), 100),
    ],
)
def test_all_units_costs_the_tier_that_was_reached_before(
    basis: Literal["payouts", "amount"], use: MonthUse, fee: int
) -> None:
    """The whole payout, however far beyond the next threshold it goes itself."""
    terms = Fee(tiers=(Tier(0, 200), Tier(10, 100)), basis=basis, scheme="all_units")
    assert charge(terms, use).fee_minor(1_000_000) == fee


@given(st.integers(0, 5_000), RATES, st.integers(0, 900), st.integers(900, 5_000), RATES, MONEY)
def test_a_fee_is_clamped_and_rounded_half_up_once(
    flat: int, rate: int, low: int, high: int, surcharge: int, asked: int
) -> None:
    """clamp(flat + rate, min, max) + surcharge, in exact fractions."""
    exact = half_up(flat + Fraction(asked * rate, PPM))
    expected = min(max(exact, low), high) + half_up(Fraction(asked * surcharge, PPM))
    assert charge(Fee(flat, rate, low, high, surcharge)).fee_minor(asked) == expected


@given(tiered(), MONEY, st.integers(0, 10**7), st.integers(0, 2 * 10**7))
def test_parts_add_up_to_the_amount(fee: Fee, asked: int, payouts: int, minor: int) -> None:
    """Whatever tiers it crosses, in their order."""
    found = parts_of(charge(fee, MonthUse(payouts, minor)), asked)
    assert sum(part.minor for part in found) == asked
    assert [part.tier for part in found] == sorted({part.tier or 0 for part in found})


@given(st.lists(st.integers(1, 3 * 10**7), min_size=1, max_size=12))
def test_a_month_in_parts_costs_what_it_costs_at_once(amounts: list[int]) -> None:
    """Before rounding: splitting payouts finer neither saves nor costs anything at a threshold."""
    exact, used = Fraction(0), 0
    for asked in amounts:
        for part in parts_of(charge(OF_THE_SEEDS, MonthUse(0, used)), asked):
            exact += Fraction(part.minor * part.rate_ppm, PPM)
        used += asked
    whole = parts_of(charge(OF_THE_SEEDS), used)
    assert exact == sum(Fraction(part.minor * part.rate_ppm, PPM) for part in whole)


@given(tiered(), MONEY, st.integers(0, 10**7), st.integers(0, 2 * 10**7), st.data())
def test_a_fee_holds_exactly_as_far_as_it_says(
    fee: Fee, asked: int, payouts: int, minor: int, data: st.DataObject
) -> None:
    """Anywhere between, another use of the month charges the same parts: commits rely on it."""
    made = charge(fee, MonthUse(payouts, minor))
    between = made.holds_between(asked)
    assert between is not None
    low, high = between
    used = data.draw(st.integers(low, low + 10**6 if high is None else high))
    there = MonthUse(used, minor) if fee.basis == "payouts" else MonthUse(payouts, used)
    again = replace(made, month=there)
    assert parts_of(again, asked) == parts_of(made, asked)
    assert again.fee_minor(asked) == made.fee_minor(asked)


def test_a_payout_across_a_threshold_holds_at_its_own_use_only() -> None:
    """One fen more before it, and its parts are others."""
    made = charge(OF_THE_SEEDS, MonthUse(3, 9_999_000))
    assert made.holds_between(1_000) == (0, 9_999_000)
    assert made.holds_between(1_001) == (9_999_000, 9_999_000)
    assert charge(Fee(rate_ppm=1)).holds_between(5) is None


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2026, 2, 28, 15, 59, 59, 999_999, UTC), date(2026, 2, 1)),
        (datetime(2026, 2, 28, 16, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2025, 12, 31, 16, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2028, 2, 29, 15, 59, tzinfo=UTC), date(2028, 2, 1)),
    ],
)
def test_months_begin_at_midnight_in_shanghai(at: datetime, month: date) -> None:
    """To the microsecond, over a year's end and in a leap year."""
    assert month_of(at) == month


def test_a_merchant_promises_no_volume() -> None:
    """A commitment belongs to a channel's contract."""
    with pytest.raises(ValueError, match="commitment"):
        MerchantFee(Fee(commitment=Commitment(1, 1)))


def test_the_words_name_mode_parts_bounds_and_month() -> None:
    """In both languages, to the fen."""
    fee = dataclasses.replace(
        OF_THE_SEEDS, mode="deducted", min_minor=100, max_minor=90_000, surcharge_ppm=50
    )
    made = charge(fee, MonthUse(7, 9_900_000))
    zh, en = told(made, cny(200_000), cny(410))
    assert en == (
        "fee ¥4.10 (deducted, the beneficiary gets ¥1,995.90): 0.3 % of ¥1,000.00 (tier 1) "
        "+ 0.1 % of ¥1,000.00 (tier 2), at least ¥1.00, at most ¥900.00, and 0.005 % beside it; "
        "before it 2026-03 had 7 payouts, ¥99,000.00"
    )
    assert zh == (
        "手续费 ¥4.10（内扣，收款人得 ¥1,995.90）：¥1,000.00 × 0.3 %（第 1 档） "
        "+ ¥1,000.00 × 0.1 %（第 2 档），最低 ¥1.00，最高 ¥900.00，另加 0.005 %；"
        "2026-03 此前已计 7 笔、¥99,000.00"
    )


# --- In the ledger -----------------------------------------------------------------------------

HELD_THEN: dict[str, tuple[Event, ...]] = {
    "paid": (armed(), confirmed()),
    "failed": (armed(), died(), failed()),
    "cancelled": (cancelled(),),
    "returned": (armed(), confirmed(), came_back(amount_minor=9_970)),
}


def booked(first: Payout, events: tuple[Event, ...]) -> Counter[tuple[Book, str]]:
    """Balances after a life; every posting's debits equal its credits."""
    balances: Counter[tuple[Book, str]] = Counter()
    before: Payout | None = None
    after = first
    for event in (Accepted(first.state), *events):
        if before is not None:
            after = apply(before, event, NOW + timedelta(seconds=1))
        signed = 0
        for entry in posting(before, after, event):
            balances[entry.account.book, entry.account.owner] += entry.change_minor
            grows = entry.change_minor > 0
            signed += entry.change_minor if entry.account.book.is_debit_normal else 0
            signed -= 0 if entry.account.book.is_debit_normal else entry.change_minor
            assert grows or entry.change_minor < 0
        assert signed == 0
        before = after
    return balances


def deducted(on_return: Literal["kept", "refunded"] = "kept") -> Payout:
    """100.00 asked for, of which 0.30 is our fee."""
    terms = MerchantFee(Fee(flat_minor=30, mode="deducted"), on_return)
    return payout(amount=cny(9_970), fee=cny(30), charge=Charge(terms, MARCH))


@pytest.mark.parametrize(
    ("life", "available", "income"),
    [("paid", -10_000, 30), ("failed", 0, 0), ("cancelled", 0, 0), ("returned", -30, 30)],
)
def test_a_deducted_fee_is_part_of_what_was_asked_for(
    life: str, available: int, income: int
) -> None:
    """The merchant pays the amount and no more; what fails comes back with its fee."""
    first = deducted()
    assert (first.asked, first.hold_minor) == (cny(10_000), 10_000)
    balances = booked(first, HELD_THEN[life])
    assert balances[Book.AVAILABLE, MERCHANT] == available
    assert balances[Book.FEE_INCOME, ""] == income
    assert balances[Book.HELD, MERCHANT] == 0


def test_a_fee_is_given_back_with_returned_money_where_agreed() -> None:
    """退票 of the whole amount leaves the merchant as it was; of a part, the fee stays."""
    first = deducted("refunded")
    whole = booked(first, HELD_THEN["returned"])
    assert (whole[Book.AVAILABLE, MERCHANT], whole[Book.FEE_INCOME, ""]) == (0, 0)
    partly = booked(first, (armed(), confirmed(), came_back(amount_minor=5_000)))
    assert (partly[Book.AVAILABLE, MERCHANT], partly[Book.FEE_INCOME, ""]) == (-5_000, 30)


@given(tiered(), st.integers(10**6, 10**9), st.sampled_from(sorted(HELD_THEN)))
def test_no_fee_is_lost_in_the_books(fee: Fee, asked: int, life: str) -> None:
    """In any mode, what the merchant pays in the end is what others have, to the fen."""
    made = charge(fee)
    owed = cny(made.fee_minor(asked))
    amount = cny(asked) - owed if fee.mode == "deducted" else cny(asked)
    if amount.minor <= 0:
        return
    first = payout(amount=amount, fee=owed, charge=made)
    assert first.asked == cny(asked)
    events = HELD_THEN[life]
    if life == "returned":
        events = (*events[:-1], came_back(amount_minor=amount.minor))
    balances = booked(first, events)
    paid = -balances[Book.AVAILABLE, MERCHANT]
    expected = {"paid": amount.minor + owed.minor, "returned": owed.minor}.get(life, 0)
    assert paid == expected
    assert balances[Book.FEE_INCOME, ""] == (owed.minor if life in {"paid", "returned"} else 0)
    assert first.amount.currency is Currency.CNY
