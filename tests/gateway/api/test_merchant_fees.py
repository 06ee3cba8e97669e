"""A merchant's fee by the API: agreed, charged to the fen under load, shown with its reasons."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.money import Currency
from gateway.domain.payout import MerchantId
from tests.gateway.api.desk import ACME, Desk, payout_body

FEE = f"/v1/admin/merchants/{ACME}/fee"
TIERS = [{"floor": 0, "rate_ppm": 3000}, {"floor": 100_000, "rate_ppm": 1000}]


async def agree(desk: Desk, **fee: Any) -> Any:
    """Set the fee; gives the answer."""
    answer = await desk.post(FEE, fee, key="operator")
    assert answer.status == 200, answer.raw
    return answer.json


async def shown(desk: Desk, payout_id: str) -> Any:
    """A payout as its merchant sees it."""
    return (await desk.get(f"/v1/payouts/{payout_id}")).json


async def test_a_new_fee_counts_for_the_next_payout_only(desk: Desk) -> None:
    """A payout keeps what it was charged; the month is shown with the tier it has reached."""
    before = await desk.pay("a", amount_minor=60_000)
    answer = await agree(desk, tiers=TIERS)
    assert (answer["fee"]["basis"], answer["month"]) == ("amount", "2026-03")
    assert answer["use"] == [{"currency": "CNY", "payouts": 1, "minor": 60_000, "tier": 1}]
    after = await desk.pay("b", amount_minor=60_000)

    assert (await shown(desk, before))["fee_minor"] == 30
    later = await shown(desk, after)
    assert later["fee_minor"] == 120 + 20
    assert later["charge"]["parts"] == [
        {"tier": 1, "amount_minor": 40_000, "rate_ppm": 3000},
        {"tier": 2, "amount_minor": 20_000, "rate_ppm": 1000},
    ]
    assert (later["charge"]["month_payouts"], later["charge"]["month_minor"]) == (1, 60_000)
    assert (await desk.get(FEE, key="operator")).json["use"][0]["tier"] == 2


async def test_a_deducted_fee_leaves_the_beneficiary_the_rest(desk: Desk) -> None:
    """The merchant is debited what it asked for, and the channel is told what is left."""
    await agree(desk, rate_ppm=10_000, mode="deducted")
    made = await desk.pay(amount_minor=10_000)
    await desk.work(made)
    found = await shown(desk, made)
    assert found["state"] == "paid"
    assert found["fee_mode"] == "deducted"
    names = ("amount_minor", "fee_minor", "beneficiary_amount_minor", "debit_minor")
    assert [found[name] for name in names] == [10_000, 100, 9_900, 10_000]
    assert found["amount"] == "100.00"
    balances = (await desk.get("/v1/balances")).json["data"]
    assert {one["book"]: one["balance_minor"] for one in balances} == {
        "available": 100_000_000 - 10_000,
        "held": 0,
    }
    float_left = await desk.store.balances(None, "till")
    assert 100_000_000 - 9_900 in [one.minor for one in float_left]
    assert await desk.store.audit() == []


async def test_a_fee_on_top_is_debited_beside_the_amount(desk: Desk) -> None:
    """And the beneficiary gets all that was asked for."""
    found = await shown(desk, await desk.pay(amount_minor=10_000))
    names = ("amount_minor", "fee_minor", "beneficiary_amount_minor", "debit_minor", "fee_mode")
    assert [found[name] for name in names] == [10_000, 30, 10_000, 10_030, "on_top"]


@pytest.mark.parametrize("asked", [1, 500])
async def test_an_amount_that_its_fee_would_eat_up_is_refused(desk: Desk, asked: int) -> None:
    """With both figures; nothing is stored."""
    await agree(desk, flat_minor=500, mode="deducted")
    answer = await desk.post("/v1/payouts", payout_body(amount_minor=asked))
    assert (answer.status, answer.code, answer.json["param"]) == (422, "amount_below_fee", "amount")
    assert "5.00 CNY" in answer.json["detail"]
    assert desk.rows()["payouts"] == 0


async def test_a_request_repeated_after_the_fee_rose_is_still_answered(desk: Desk) -> None:
    """Even where the new fee would eat it up."""
    await agree(desk, mode="deducted", flat_minor=10)
    first = await desk.pay(amount_minor=100)
    await agree(desk, mode="deducted", flat_minor=500)
    again = await desk.post("/v1/payouts", payout_body(merchant_ref="order-1", amount_minor=100))
    assert (again.status, again.json["id"]) == (201, first)
    assert again.json["fee_minor"] == 10


async def test_payouts_at_once_are_charged_as_if_one_after_another(desk: Desk) -> None:
    """The tiers see every one of them: the fees add up to those of the month in a row."""
    await agree(desk, tiers=TIERS)
    made = await asyncio.gather(*(desk.pay(f"n-{n}", amount_minor=7_000) for n in range(30)))
    fees = [(await shown(desk, one))["fee_minor"] for one in made]
    # 14 payouts of 21 fen reach 98,000; the next crosses: 2,000 at 0.3 % and 5,000 at 0.1 %.
    assert sorted(fees) == [7] * 15 + [11] + [21] * 14
    assert await desk.store.audit() == []


async def test_tiers_begin_anew_with_the_month_in_shanghai(desk: Desk) -> None:
    """One microsecond before midnight of the first is the old month, midnight the new one."""
    await agree(desk, tiers=TIERS)
    desk.clock.at = datetime(2026, 3, 31, 15, 59, 59, tzinfo=UTC)
    await desk.pay("a", amount_minor=150_000)
    last = await shown(desk, await desk.pay("b", amount_minor=100_000))
    desk.clock.at = datetime(2026, 3, 31, 16, tzinfo=UTC)
    first = await shown(desk, await desk.pay("c", amount_minor=100_000))
    assert [(one["charge"]["month"], one["fee_minor"]) for one in (last, first)] == [
        ("2026-03", 100),
        ("2026-04", 300),
    ]


async def test_a_cancelled_payout_gives_fee_and_month_back(desk: Desk) -> None:
    """The merchant's money is whole again, and the next payout is charged as if it never was."""
    await agree(desk, tiers=TIERS)
    gone = await desk.pay("a", amount_minor=100_000, release_after="2026-03-03T00:00:00Z")
    assert (await desk.post(f"/v1/payouts/{gone}/cancel")).status == 200
    assert (await shown(desk, await desk.pay("b", amount_minor=100_000)))["fee_minor"] == 300
    month = await desk.store.merchant_month(
        MerchantId(ACME), Currency.CNY, datetime(2026, 3, 1, tzinfo=UTC).date()
    )
    assert (month.payouts, month.minor) == (1, 100_000)


async def test_why_says_how_the_fee_came_about(desk: Desk) -> None:
    """In both languages; nothing where no fee was agreed."""
    await agree(desk, rate_ppm=3000, min_minor=50)
    charged = await desk.pay("a")
    await agree(desk)
    free = await desk.pay("b")
    told = (await desk.get(f"/v1/payouts/{charged}/why")).json["fee"]
    assert told["en"] == "fee ¥0.50 (on top): 0.3 % of ¥123.45, at least ¥0.50"
    assert told["zh"].startswith("手续费 ¥0.50（外扣）")
    assert (await desk.get(f"/v1/payouts/{free}/why")).json["fee"] is None


@pytest.mark.parametrize(
    ("fee", "param"),
    [
        ({"tiers": [{"floor": 1, "rate_ppm": 1}]}, "tiers"),
        ({"tiers": [{"floor": 0}, {"floor": 0}]}, "tiers"),
        ({"tiers": TIERS, "rate_ppm": 5}, "tiers"),
        ({"tiers": [{"floor": 0, "rate_ppm": 1_000_001}]}, "tiers.0.rate_ppm"),
        ({"min_minor": 2, "max_minor": 1}, "max_minor"),
        ({"rate_ppm": 0.5}, None),
        ({"mode": "beside"}, "mode"),
    ],
)
async def test_a_fee_that_contradicts_itself_changes_nothing(
    desk: Desk, fee: dict[str, Any], param: str | None
) -> None:
    """With the field at fault."""
    answer = await desk.post(FEE, fee, key="operator")
    assert (answer.status, answer.json.get("param")) == (422, param), answer.raw
    assert (await desk.get(FEE, key="operator")).json["fee"]["flat_minor"] == 30


async def test_nobody_has_no_fee_and_merchants_may_not_set_theirs(desk: Desk) -> None:
    """404 and 403."""
    nobody = await desk.get("/v1/admin/merchants/m_none/fee", key="operator")
    assert (nobody.status, nobody.code) == (404, "no_such_merchant")
    assert (await desk.post(FEE, {}, key="acme")).status == 403
