"""What is reserved for a row covers it, wherever in the month it comes to be accepted."""

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.money import Currency, Money
from gateway.domain.batch import Batch, BatchRow, BatchState
from gateway.domain.merchant_fee import MerchantFee
from gateway.engine import accept
from gateway.engine.batches import hold_of
from policies.fees import Fee, MonthUse, Tier
from tests.builders import MERCHANT, NOW, merchant


@st.composite
def fees(draw: st.DrawFn) -> Fee:
    """Up to four tiers, dearer or cheaper than the one before."""
    floors = sorted(draw(st.sets(st.integers(1, 400), max_size=3)))
    tiers = [
        Tier(at, *draw(st.tuples(st.integers(0, 50), st.integers(0, 60_000))))
        for at in [0, *floors]
    ]
    return Fee(
        tiers=tuple(tiers),
        basis=draw(st.sampled_from(["payouts", "amount"])),
        scheme=draw(st.sampled_from(["incremental", "all_units"])),
        mode=draw(st.sampled_from(["on_top", "deducted"])),
        max_minor=draw(st.none() | st.integers(60, 90)),
    )


@settings(max_examples=60)
@given(fees(), st.lists(st.integers(1, 150), min_size=1, max_size=6), st.integers(0, 300))
def test_no_order_of_the_rows_takes_more(fee: Fee, amounts: list[int], used: int) -> None:
    """At every use of the month that a row can meet within its batch."""
    payer = merchant(fee=MerchantFee(fee))
    before = MonthUse(used, used)
    batch = _batch(len(amounts), sum(amounts))
    for number, minor in enumerate(amounts, 1):
        row = BatchRow(number, number, f"r{number}", minor, 0, b"")
        asked = Money(minor, Currency.CNY)
        most = max(
            (price.amount + price.fee).minor
            for use in range(used, used + _room(fee, amounts, minor) + 1)
            for price in [accept.price_at(payer, asked, NOW, MonthUse(use, use))]
        )
        assert hold_of(payer, batch, row, before) >= most


def _room(fee: Fee, amounts: list[int], minor: int) -> int:
    """How far other rows can have taken the month before this one."""
    return sum(amounts) - minor if fee.basis == "amount" else len(amounts) - 1


def _batch(count: int, total: int) -> Batch:
    return Batch(
        id="ba_0",
        merchant_id=MERCHANT,
        key="k",
        fingerprint=b"",
        content=None,
        mode="all_or_nothing",
        profile="native",
        currency=Currency.CNY,
        count=count,
        total_minor=total,
        state=BatchState.STORING,
        reserved_minor=0,
        created_at=NOW,
        updated_at=NOW,
        actor="test",
    )
