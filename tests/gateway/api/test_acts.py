"""A payout from its making to its end, as its merchant sees and steers it."""

import pytest

from channels.contract import Reason, Rejected, Unknown, UnknownCause
from gateway.engine.gateway import ChannelLabel
from tests.builders import after, merchant
from tests.gateway.api.desk import ACME, Desk, payout_body

PAYOUT_FIELDS = {
    *("id", "merchant_id", "merchant_ref", "state", "final", "reason", "owner", "amount_minor"),
    *(
        "amount",
        "currency",
        "fee_minor",
        "fee_mode",
        "beneficiary_amount_minor",
        "debit_minor",
        "charge",
        "split",
        "beneficiary",
        "purpose",
        "speed",
        "deadline",
    ),
    *("release_after", "max_fee_minor", "metadata", "channel", "channel_ref", "promised_at"),
    *("paid_at", "returned_at", "settled_on", "attempts", "action", "accepted_at", "updated_at"),
    *("version", "channels"),
}


async def test_a_payout_shows_what_was_asked_for(desk: Desk) -> None:
    """Every field of the request, with the fee, in the answer and afterwards."""
    body = payout_body(
        speed="fast",
        deadline=after(days=1).isoformat(),
        max_fee_minor=500,
        metadata={"order": "7"},
        channels={"only": ["till", "alipay-main"], "prefer": ["till"], "max_attempts": 2},
    )
    made = await desk.post("/v1/payouts", body)
    told = made.json
    assert set(told) == PAYOUT_FIELDS
    assert (told["state"], told["final"], told["version"]) == ("routing", False, 1)
    assert (told["amount_minor"], told["amount"], told["fee_minor"]) == (12_345, "123.45", 30)
    assert (told["merchant_id"], told["merchant_ref"]) == (ACME, "order-1")
    assert (told["speed"], told["max_fee_minor"]) == ("fast", 500)
    assert (told["metadata"], told["purpose"]) == ({"order": "7"}, "货款")
    assert told["channels"] == {
        "only": ["till", "alipay-main"],
        "deny": [],
        "prefer": ["till"],
        "max_attempts": 2,
    }
    assert told["accepted_at"] == "2026-03-02T02:00:00Z"
    assert (await desk.get(f"/v1/payouts/{told['id']}")).json == told


async def test_a_payout_can_be_cancelled_until_it_is_sent(desk: Desk) -> None:
    """Its hold is released, and repeating the cancellation is harmless."""
    made = await desk.pay()
    stopped = await desk.post(f"/v1/payouts/{made}/cancel")
    assert (stopped.status, stopped.json["state"], stopped.json["final"]) == (
        200,
        "cancelled",
        True,
    )
    again = await desk.post(f"/v1/payouts/{made}/cancel")
    assert (again.status, again.json) == (200, stopped.json)
    await desk.work(made)
    assert desk.till.sent == []
    found = (await desk.get("/v1/balances")).json["data"]
    assert {(one["book"], one["balance_minor"]) for one in found} == {
        ("available", 100_000_000),
        ("held", 0),
    }


async def test_a_payout_that_was_sent_cannot_be_cancelled(desk: Desk) -> None:
    """Neither when it is paid nor while nobody knows."""
    paid = await desk.pay("order-paid")
    await desk.work(paid)
    doubtful = await desk.pay("order-doubtful")
    desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await desk.work(doubtful)
    before = desk.rows()
    for made in (paid, doubtful):
        answer = await desk.post(f"/v1/payouts/{made}/cancel")
        assert (answer.status, answer.code) == (409, "state_forbids")
        assert answer.json["detail_zh"]
    assert desk.rows() == before


async def test_a_scheduled_payout_waits_and_can_be_let_go(desk: Desk) -> None:
    """Release sends it at once instead of at its time."""
    made = await desk.pay(release_after=after(days=1).isoformat())
    await desk.work(made)
    assert (await desk.get(f"/v1/payouts/{made}")).json["state"] == "scheduled"
    let_go = await desk.post(f"/v1/payouts/{made}/release")
    assert (let_go.status, let_go.json["state"]) == (200, "routing")
    await desk.work(made)
    assert (await desk.get(f"/v1/payouts/{made}")).json["state"] == "paid"
    again = await desk.post(f"/v1/payouts/{made}/release")
    assert (again.status, again.code) == (409, "state_forbids")


async def test_a_held_payout_is_released_by_an_operator_only(desk: Desk) -> None:
    """Its merchant may cancel it; letting it go is the review."""
    await desk.add_merchant(merchant("m_watched", review_above_minor=10_000))
    made = await desk.pay(key="watched")
    told = (await desk.get(f"/v1/payouts/{made}", key="watched")).json
    assert (told["state"], told["reason"], told["owner"]) == (
        "held",
        "review_amount",
        "operations",
    )
    own = await desk.post(f"/v1/payouts/{made}/release", key="watched")
    assert (own.status, own.code) == (403, "held_for_review")
    reviewed = await desk.post(f"/v1/payouts/{made}/release", key="operator")
    assert (reviewed.status, reviewed.json["state"]) == (200, "routing")


async def test_a_payout_beyond_the_balance_is_refused(desk: Desk) -> None:
    """402, nothing stored: amount and fee together must be covered."""
    before = desk.rows()
    answer = await desk.post("/v1/payouts", payout_body(amount_minor=99_999_971))
    assert (answer.status, answer.code) == (402, "insufficient_funds")
    assert answer.json["detail_zh"]
    assert desk.rows() == before
    assert (await desk.post("/v1/payouts", payout_body(amount_minor=99_999_970))).status == 201


async def test_a_paid_payout_says_so(desk: Desk) -> None:
    """State, channel, the channel's number, and when."""
    made = await desk.pay()
    await desk.work(made)
    told = (await desk.get(f"/v1/payouts/{made}")).json
    assert (told["state"], told["channel"], told["attempts"]) == ("paid", "till", 1)
    assert told["channel_ref"].startswith("till-")
    assert told["paid_at"] == "2026-03-02T02:00:00Z"
    assert told["final"] is False


async def test_attempts_show_why_one_failed(desk: Desk) -> None:
    """The certificate says by which proof, for what reason and in whose words."""
    made = await desk.pay()
    desk.till.outcomes.append(
        Rejected(Reason.PAYEE_NOT_FOUND, "NO_SUCH_CARD", "card 6222021234567890123 of 王小五")
    )
    await desk.work(made)
    (one,) = (await desk.get(f"/v1/payouts/{made}/attempts")).json["data"]
    assert (one["number"], one["channel"], one["state"], one["sends"]) == (1, "till", "dead", 1)
    proof = one["certificate"]
    assert (proof["kind"], proof["reason"]) == ("C1", "payee_not_found")
    assert (proof["code"], proof["by"]) == ("NO_SUCH_CARD", "gateway")
    assert proof["message"] == "card 622202******0123 of **五"


async def test_the_timeline_has_no_gap(desk: Desk) -> None:
    """Every event once, numbered from one, in order, each with its state and actor."""
    made = await desk.pay(release_after=after(days=1).isoformat())
    await desk.post(f"/v1/payouts/{made}/release")
    desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await desk.work(made)
    desk.clock.advance(minutes=10)
    await desk.work(made)
    page = (await desk.get(f"/v1/payouts/{made}/timeline")).json
    told = page["data"]
    assert [one["type"] for one in told] == [
        "payout.accepted",
        "payout.released",
        "payout.armed",
        "payout.in_doubt",
        "payout.paid",
    ]
    assert [one["seq"] for one in told] == [1, 2, 3, 4, 5]
    feeds = [one["feed"] for one in told]
    assert feeds == sorted(set(feeds))
    assert page["next_after"] == feeds[-1]
    assert {one["payout_id"] for one in told} == {made}
    assert told[0]["actor"] == told[1]["actor"]
    assert told[0]["actor"].startswith("key:")
    assert told[2]["actor"] == "gateway"
    assert (await desk.get(f"/v1/payouts/{made}")).json["version"] == 5


async def test_why_tells_in_two_languages_and_shows_the_facts(desk: Desk) -> None:
    """One decision per routing, with every candidate, and a sentence for people."""
    made = await desk.pay()
    assert (await desk.get(f"/v1/payouts/{made}/why")).json["data"] == []
    desk.gateway.labels = {"till": ChannelLabel("一号柜台", "First till")}
    await desk.work(made)
    (one,) = (await desk.get(f"/v1/payouts/{made}/why")).json["data"]
    assert one["labels"] == {"till": {"zh": "一号柜台", "en": "First till"}}
    assert "till" in one["zh"]
    assert "till" in one["en"]
    assert one["zh"] != one["en"]
    assert one["decision"]["order"][0]["channel"] == "till"
    assert {each["channel"] for each in one["decision"]["excluded"]} == {
        "alipay-main",
        "wechat-main",
    }
    others = {each["channel"]: each for each in one["alternatives"]}
    assert set(others) == {"alipay-main", "wechat-main"}
    for each in others.values():
        assert each["channel"] in each["zh"]
        assert "would need all of" in each["en"]


@pytest.mark.parametrize("view", ["", "/attempts", "/timeline", "/why", "/deliveries"])
async def test_every_view_of_a_payout_that_is_not_there_is_a_404(desk: Desk, view: str) -> None:
    """The same code everywhere."""
    answer = await desk.get(f"/v1/payouts/po_00000000000000000000000000{view}")
    assert (answer.status, answer.code) == (404, "payout_not_found")
    assert answer.json["detail_zh"] == "代付单不存在"
