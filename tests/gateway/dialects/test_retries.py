"""A held order that repeats another one: what callers hear once a person has said so."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from channels.contract import Reason, Rejected, Unknown, UnknownCause
from gateway.domain.dialect import original_of
from gateway.domain.errors import ConflictError
from gateway.domain.ledger import Book
from gateway.domain.payout import Payout, PayoutState
from gateway.engine import operate, record, retries
from tests.builders import after, came_back, contradicted, died, failed
from tests.gateway.api.desk import ACME, OPERATOR_SCOPES, Answer
from tests.gateway.dialects.conftest import OpenPlatform, Site
from tests.gateway.dialects.xxpay_shop import XxShop


async def confirm(
    xxshop: XxShop | Site | OpenPlatform,
    held: Payout,
    of: str,
    *,
    key: str = "wang",
    note: str = "同一笔提现",
) -> Answer:
    """Say so, as a person with a key of her own."""
    if "wang" not in xxshop.desk.keys:
        await xxshop.desk.add_key("wang", None, OPERATOR_SCOPES, person="Wang Fang")
    path = f"/v1/admin/payouts/{held.id}/retry"
    return await xxshop.desk.post(path, {"of": of, "note": note}, key=key)


async def doubt(xxshop: XxShop) -> tuple[Payout, Payout]:
    """A is out and nobody knows its outcome; B asks for the same and is held."""
    xxshop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await xxshop.caller.apply("A")
    await xxshop.work()
    await xxshop.caller.apply("B")
    return await xxshop.order("A"), await xxshop.order("B")


async def resolve(xxshop: XxShop) -> None:
    """The channel is asked about what is open."""
    xxshop.desk.clock.at = after(3600)
    await xxshop.work()


async def free_minor(xxshop: XxShop) -> int:
    """What the merchant can pay out."""
    found = await xxshop.desk.store.balances(Book.AVAILABLE, ACME)
    return sum(one.minor for one in found)


async def test_the_retry_hears_what_became_of_the_first(xxshop: XxShop) -> None:
    """Under its own number, with its own `extra`; the money moved once."""
    first, held = await doubt(xxshop)
    own = (await xxshop.caller.query("B"))["agentpayOrderId"]

    told = await confirm(xxshop, held, first.merchant_ref)
    before = await xxshop.caller.query("B")
    await resolve(xxshop)
    after_, again = await xxshop.caller.query("B"), await xxshop.caller.apply("B")

    assert (told.status, told.json["state"]) == (200, "cancelled")
    assert (before["status"], after_["status"], again.status) == ("1", "2", 2)
    assert (after_["mchOrderNo"], after_["agentpayOrderId"]) == ("B", own)
    assert after_["extra"] == again.reply["extra"] == "x-B"
    assert (await xxshop.caller.query("A"))["status"] == "2"
    assert len(xxshop.desk.till.sent) == 1
    assert await free_minor(xxshop) == 100_000_000 - 1260


async def test_its_own_content_still_counts(xxshop: XxShop) -> None:
    """The same number with another amount stays a conflict."""
    first, held = await doubt(xxshop)
    await confirm(xxshop, held, first.id)

    assert (await xxshop.caller.apply("B", amount="1231")).reply["retCode"] == "FAIL"


async def test_epay_hears_it_in_its_own_words(site: Site) -> None:
    """A submission of the number again is paid, with the site's numbers and its remark."""
    await site.plugin.submit("A")
    await site.work()
    await site.plugin.submit("B", remark="第二次")
    first, held = await site.payouts()

    await confirm(site, held, first.merchant_ref)
    again, found = await site.plugin.submit("B", remark="第二次"), await site.plugin.query("B")

    assert (again.ok, again.status, again.reply["out_biz_no"]) == (True, 1, "B")
    assert (found["status"], found["remark"], found["out_biz_no"]) == (1, "第二次", "B")
    assert again.reply["biz_no"] == found["biz_no"] != (await site.plugin.query("A"))["biz_no"]
    assert len(site.desk.till.sent) == 1


async def test_the_decision_is_kept(xxshop: XxShop) -> None:
    """Who, which orders, and why, as an event that nothing changes any more."""
    first, held = await doubt(xxshop)
    await confirm(xxshop, held, first.merchant_ref)

    told = await xxshop.desk.get(f"/v1/payouts/{held.id}/timeline", key="operator")

    (event,) = [one for one in told.json["data"] if one["type"] == "payout.cancelled"]
    assert event["data"] == {
        "by": "Wang Fang",
        "reason": f"retry_of: {first.id}",
        "note": "同一笔提现",
    }
    assert event["actor"].startswith("key:")
    assert original_of(await xxshop.order("B")) == first.id


async def test_saying_it_again_changes_nothing(xxshop: XxShop) -> None:
    """And another order cannot be named any more."""
    first, held = await doubt(xxshop)
    once = await confirm(xxshop, held, first.id)
    again = await confirm(xxshop, held, first.merchant_ref)
    other = await confirm(xxshop, held, "da_x:C")

    assert once.json == again.json
    assert (other.status, other.code, other.json["param"]) == (409, "decided_already", "of")


@pytest.mark.parametrize("which", ["da_x:B", "da_x:Z", "po_00000000000000000000000000"])
async def test_only_the_suspected_order_can_be_named(xxshop: XxShop, which: str) -> None:
    """A slip of the hand must not tie two orders that have nothing in common."""
    _, held = await doubt(xxshop)

    told = await confirm(xxshop, held, which)

    assert (told.status, told.code, told.json["param"]) == (422, "another_order", "of")
    assert (await xxshop.order("B")).state is PayoutState.HELD


async def test_only_a_suspected_retry_can_be_one(xxshop: XxShop) -> None:
    """Not an order that goes on, nor one that was released or cancelled."""
    first, held = await doubt(xxshop)
    open_ = await confirm(xxshop, first, "da_x:B")
    await operate.cancel(xxshop.desk.gateway, held.id, None, "ops")
    cancelled = await confirm(xxshop, held, first.id)

    assert open_.code == cancelled.code == "not_a_suspected_retry"
    assert (await xxshop.caller.query("B"))["status"] == "3"


async def test_a_real_second_payment_is_released(xxshop: XxShop) -> None:
    """And answers for itself, whatever becomes of the first."""
    first, held = await doubt(xxshop)
    await operate.release(xxshop.desk.gateway, held.id, None, "ops")
    refused = await confirm(xxshop, held, first.id)
    await xxshop.work()

    assert refused.code == "not_a_suspected_retry"
    assert (await xxshop.caller.query("B"))["status"] == "2"
    assert len(xxshop.desk.till.sent) == 2


async def test_a_first_order_that_pays_nothing_takes_no_other_with_it(xxshop: XxShop) -> None:
    """Then this one is released, or cancelled, as what it is."""
    await xxshop.caller.apply("A")
    await xxshop.caller.apply("B")
    first, held = await xxshop.order("A"), await xxshop.order("B")
    xxshop.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await xxshop.desk.work(first.id)

    told = await confirm(xxshop, held, first.merchant_ref)

    assert (told.status, told.code) == (409, "original_unpaid")
    assert (await xxshop.order("B")).state is PayoutState.HELD


async def test_nobody_without_a_name_decides(xxshop: XxShop) -> None:
    """Nor a merchant; and a reason is given."""
    first, held = await doubt(xxshop)

    nameless = await confirm(xxshop, held, first.id, key="operator")
    merchant = await confirm(xxshop, held, first.id, key="acme")
    silent = await confirm(xxshop, held, first.id, note="")

    assert (nameless.status, nameless.code) == (403, "person_unknown")
    assert merchant.code == "scope_missing"
    assert (silent.status, silent.json["param"]) == (422, "note")
    assert (await xxshop.order("B")).state is PayoutState.HELD


async def test_a_failure_of_the_first_is_a_failure_of_both(xxshop: XxShop) -> None:
    """True of either number: and a channel that takes it back takes it back for both."""
    first, held = await doubt(xxshop)
    await confirm(xxshop, held, first.id)
    first = await xxshop.order("A")
    refusal: dict[str, Any] = {"amount_minor": 1230}
    await _kill(xxshop, first)
    failed = await xxshop.caller.query("B")
    first = await xxshop.order("A")
    late = contradicted(1, **refusal)
    await record.move(xxshop.desk.gateway, first, [late], actor="test")

    assert failed["status"] == "3"
    assert {(await xxshop.caller.query(one))["status"] for one in "AB"} == {"1"}


async def test_what_came_back_came_back_for_both(xxshop: XxShop) -> None:
    """The money is nowhere but at the merchant."""
    first, held = await doubt(xxshop)
    await confirm(xxshop, held, first.id)
    await resolve(xxshop)
    first = await xxshop.order("A")
    back = came_back(1, amount_minor=1230, at=xxshop.desk.clock.at)
    await record.move(xxshop.desk.gateway, first, [back], actor="test")

    assert {(await xxshop.caller.query(one))["status"] for one in "AB"} == {"6"}


async def test_the_guard_still_knows_the_first(xxshop: XxShop) -> None:
    """A third number is a suspected retry as well; once the first has failed, it may pay."""
    first, held = await doubt(xxshop)
    await confirm(xxshop, held, first.id)
    await xxshop.caller.apply("C")
    third = await xxshop.order("C")
    await _kill(xxshop, await xxshop.order("A"))
    await xxshop.caller.apply("D")

    assert third.reason == "suspected_retry: da_x:A"
    assert (await xxshop.order("D")).state is PayoutState.ROUTING


async def test_another_merchants_order_is_out_of_reach(xxshop: XxShop) -> None:
    """Even one that bears the same reference."""
    first, held = await doubt(xxshop)
    stranger = await xxshop.desk.pay(first.merchant_ref, key="other", amount_minor=1230)

    told = await confirm(xxshop, held, stranger)

    assert told.code == "another_order"


async def test_of_two_decisions_at_once_one_counts(xxshop: XxShop) -> None:
    """Released as a payment of its own, or a retry: never both."""
    first, held = await doubt(xxshop)
    gateway = xxshop.desk.gateway

    released, found = await asyncio.gather(
        operate.release(gateway, held.id, None, "ops"),
        retries.confirm(gateway, held.id, of=first.id, note="", actor="ops", person="Wang"),
        return_exceptions=True,
    )
    await xxshop.work()

    assert isinstance(released, ConflictError) != isinstance(found, ConflictError)
    sent = 1 + isinstance(found, ConflictError)
    assert len(xxshop.desk.till.sent) == sent


async def test_a_restored_database_decides_nothing(xxshop: XxShop) -> None:
    """It may have forgotten that the held one was released and paid."""
    first, held = await doubt(xxshop)
    await xxshop.desk.add_key("wang", None, OPERATOR_SCOPES, person="Wang Fang")
    at = (xxshop.desk.clock.now() - timedelta(hours=1)).isoformat()
    body = {"reason": "snapshot of the machine", "backup_at": at}
    await xxshop.desk.post("/v1/admin/quarantine", body, key="wang")

    told = await confirm(xxshop, held, first.id)

    assert (told.status, told.code) == (409, "quarantined")
    assert (await xxshop.order("B")).state is PayoutState.HELD


async def test_alipays_caller_hears_of_it_under_its_own_number(platform: OpenPlatform) -> None:
    """Its number, its amount and its own parameters come back, with the state of the first."""
    platform.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await platform.app.pay("A", passback_params="a", order_title="甲")
    await platform.work()
    second = await platform.app.pay("B", passback_params="b", order_title="乙")
    stored = {one.merchant_ref: one for one in await platform.payouts()}
    await confirm(platform, stored["da_1:B"], "da_1:A")
    platform.desk.clock.at = after(3600)
    await platform.work()

    asked, again = (
        await platform.app.query("B"),
        await platform.app.pay("B", passback_params="b", order_title="乙"),
    )

    assert (asked["status"], again["status"]) == ("SUCCESS", "SUCCESS")
    assert (asked["out_biz_no"], asked["order_id"]) == ("B", second["order_id"])
    assert (asked["passback_params"], asked["trans_amount"], again["amount"]) == (
        *("b", "12.30", "12.30"),
    )
    assert len(platform.desk.till.sent) == 1


async def _kill(xxshop: XxShop, payout: Payout) -> None:
    """The channel proves that nothing moved, and no other channel is left."""
    await record.move(xxshop.desk.gateway, payout, [died(1), failed()], actor="test")
