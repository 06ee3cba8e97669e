"""Splits by the API: shares to the fen, all legs or none, the same again under the same key."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.gateway.api.desk import BANK_CARD, Desk

KEY = {"Idempotency-Key": "key-of-a-split-0001"}


def leg(**changes: Any) -> dict[str, Any]:
    """One beneficiary with a card."""
    return {"beneficiary": {"instruments": [dict(BANK_CARD)]}, "purpose": "分润", **changes}


def split_body(*legs: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A split of 100.01 by thirds unless told otherwise."""
    shares = legs or tuple(leg(share_ppm=ppm) for ppm in (333_333, 333_333, 333_334))
    body = {"merchant_ref": "s-1", "amount_minor": 10_001, "currency": "CNY", **changes}
    return {**body, "legs": list(shares)}


async def test_shares_become_payouts_that_add_up(desk: Desk) -> None:
    """Each with its place, its number and its fee; the split shows where they stand."""
    made = await desk.post("/v1/splits", split_body(), headers=KEY)
    assert made.status == 201, made.raw
    told = made.json
    assert [one["amount_minor"] for one in told["legs"]] == [3_334, 3_333, 3_334]
    assert [one["merchant_ref"] for one in told["legs"]] == ["s-1.1", "s-1.2", "s-1.3"]
    assert (told["status"], told["final"], told["fee_minor"], told["debit_minor"]) == (
        *("open", False, 90),
        10_091,
    )
    for one in told["legs"]:
        await desk.work(one["id"])
    shown = (await desk.get(made.headers["Location"])).json
    assert (shown["status"], shown["final"]) == ("paid", True)
    assert shown["legs"][2]["split"] == {
        "id": told["id"],
        "merchant_ref": "s-1",
        "leg": 3,
        "legs": 3,
    }
    assert await desk.store.audit() == []


async def test_the_same_request_is_the_same_split(desk: Desk) -> None:
    """And another body under its key, or its number, is a conflict."""
    first = await desk.post("/v1/splits", split_body(), headers=KEY)
    again = await desk.post("/v1/splits", split_body(), headers=KEY)
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    other = split_body(amount_minor=20_000)
    refused = await desk.post("/v1/splits", other, headers=KEY)
    assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    refused = await desk.post("/v1/splits", other)
    assert (refused.status, refused.code) == (409, "merchant_ref_reused")
    assert desk.rows()["payouts"] == 3


async def test_a_leg_that_nothing_reaches_stops_the_whole(desk: Desk) -> None:
    """The leg is named, and nothing is stored."""
    chain = {"rail": "chain", "chain": "ETH", "address": "0x" + "a" * 40}
    bad = leg(amount_minor=500) | {"beneficiary": {"instruments": [chain]}}
    body = split_body(leg(amount_minor=500), bad)
    del body["amount_minor"]
    refused = await desk.post("/v1/splits", body)
    assert (refused.status, refused.code) == (422, "no_channel")
    assert refused.json["param"] == "legs.1.beneficiary"
    assert refused.json["detail"].startswith("leg 2: ")
    assert desk.rows()["splits"] == desk.rows()["payouts"] == 0


async def test_legs_are_paid_for_together_or_not_at_all(desk: Desk) -> None:
    """402 for the sum, with every leg affordable by itself."""
    legs = (
        leg(amount_minor=40_000_000),
        leg(amount_minor=40_000_000),
        leg(amount_minor=40_000_000),
    )
    body = split_body(*legs, amount_minor=120_000_000)
    refused = await desk.post("/v1/splits", body)
    assert (refused.status, refused.code) == (402, "insufficient_funds")
    assert desk.rows()["payouts"] == 0


async def test_tiers_see_the_legs_one_after_another(desk: Desk) -> None:
    """A threshold within a split is crossed by the leg that crosses it."""
    tiers = [{"floor": 0, "rate_ppm": 10_000}, {"floor": 15_000, "rate_ppm": 1000}]
    fee = "/v1/admin/merchants/m_acme/fee"
    assert (await desk.post(fee, {"tiers": tiers}, key="operator")).status == 200
    legs = tuple(leg(amount_minor=10_000) for _ in range(3))
    made = await desk.post("/v1/splits", split_body(*legs, amount_minor=30_000))
    assert [one["fee_minor"] for one in made.json["legs"]] == [100, 50 + 5, 10]
    assert await desk.store.audit() == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (split_body(leg(share_ppm=1_000_000)), "legs"),
        (split_body(leg(share_ppm=500_000), leg(share_ppm=499_999)), "legs"),
        (split_body(leg(share_ppm=500_000), leg(amount_minor=5)), "legs.1"),
        (split_body(leg(share_ppm=500_000), leg()), "legs.1"),
        (split_body(leg(share_ppm=999_999), leg(share_ppm=1), amount_minor=9), "legs.1.share_ppm"),
        (split_body(leg(amount_minor=5), leg(amount_minor=6)), "amount_minor"),
        (split_body(*[leg(amount_minor=1)] * 51), "legs"),
        (
            split_body(
                leg(amount_minor=5, merchant_ref="x"),
                leg(amount_minor=5, merchant_ref="x"),
                amount_minor=10,
            ),
            "legs.1.merchant_ref",
        ),
    ],
)
async def test_legs_that_do_not_add_up_are_refused(
    desk: Desk, body: dict[str, Any], param: str
) -> None:
    """With the field at fault, and nothing stored."""
    refused = await desk.post("/v1/splits", body)
    assert (refused.status, refused.json["param"]) == (422, param), refused.raw
    assert desk.rows()["splits"] == desk.rows()["payouts"] == 0


async def test_a_split_is_its_merchants_own(desk: Desk) -> None:
    """404 for another; an operator sees it."""
    made = await desk.post("/v1/splits", split_body())
    path = f"/v1/splits/{made.json['id']}"
    assert (await desk.get(path, key="other")).code == "split_not_found"
    assert (await desk.get(path, key="operator")).json["id"] == made.json["id"]
