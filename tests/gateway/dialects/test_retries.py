"""A held order that repeats another one: what callers hear once a person has said so."""

from dataclasses import replace
from typing import Any

import pytest

from channels.contract import Reason, Rejected, Unknown, UnknownCause
from gateway.domain.dialect import original_of
from gateway.domain.ledger import Book
from gateway.domain.payout import Payout, PayoutState
from gateway.engine import operate, record
from tests.builders import after, came_back, contradicted
from tests.gateway.api.desk import ACME, OPERATOR_SCOPES, Answer
from tests.gateway.dialects.conftest import Shop, Site


async def confirm(
    shop: Shop | Site, held: Payout, of: str, *, key: str = "wang", note: str = "同一笔提现"
) -> Answer:
    """Say so, as a person with a key of her own."""
    if "wang" not in shop.desk.keys:
        await shop.desk.add_key("wang", None, OPERATOR_SCOPES, person="Wang Fang")
    path = f"/v1/admin/payouts/{held.id}/retry"
    return await shop.desk.post(path, {"of": of, "note": note}, key=key)


async def doubt(shop: Shop) -> tuple[Payout, Payout]:
    """A is out and nobody knows its outcome; B asks for the same and is held."""
    shop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await shop.caller.apply("A")
    await shop.work()
    await shop.caller.apply("B")
    return await shop.order("A"), await shop.order("B")


async def resolve(shop: Shop) -> None:
    """The channel is asked about what is open."""
    shop.desk.clock.at = after(3600)
    await shop.work()


async def free_minor(shop: Shop) -> int:
    """What the merchant can pay out."""
    found = await shop.desk.store.balances(Book.AVAILABLE, ACME)
    return sum(one.minor for one in found)


async def test_the_retry_hears_what_became_of_the_first(shop: Shop) -> None:
    """Under its own number, with its own `extra`; the money moved once."""
    first, held = await doubt(shop)
    own = (await shop.caller.query("B"))["agentpayOrderId"]

    told = await confirm(shop, held, first.merchant_ref)
    before = await shop.caller.query("B")
    await resolve(shop)
    after_, again = await shop.caller.query("B"), await shop.caller.apply("B")

    assert (told.status, told.json["state"]) == (200, "cancelled")
    assert (before["status"], after_["status"], again.status) == ("1", "2", 2)
    assert (after_["mchOrderNo"], after_["agentpayOrderId"]) == ("B", own)
    assert after_["extra"] == again.reply["extra"] == "x-B"
    assert (await shop.caller.query("A"))["status"] == "2"
    assert len(shop.desk.till.sent) == 1
    assert await free_minor(shop) == 100_000_000 - 1260


async def test_its_own_content_still_counts(shop: Shop) -> None:
    """The same number with another amount stays a conflict."""
    first, held = await doubt(shop)
    await confirm(shop, held, first.id)

    assert (await shop.caller.apply("B", amount="1231")).reply["retCode"] == "FAIL"


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


async def test_the_decision_is_kept(shop: Shop) -> None:
    """Who, which orders, and why, as an event that nothing changes any more."""
    first, held = await doubt(shop)
    await confirm(shop, held, first.merchant_ref)

    told = await shop.desk.get(f"/v1/payouts/{held.id}/timeline", key="operator")

    (event,) = [one for one in told.json["data"] if one["type"] == "payout.cancelled"]
    assert event["data"] == {
        "by": "Wang Fang",
        "reason": f"retry_of: {first.id}",
        "note": "同一笔提现",
    }
    assert event["actor"].startswith("key:")
    assert original_of(await shop.order("B")) == first.id


async def test_saying_it_again_changes_nothing(shop: Shop) -> None:
    """And another order cannot be named any more."""
    first, held = await doubt(shop)
    once = await confirm(shop, held, first.id)
    again = await confirm(shop, held, first.merchant_ref)
    other = await confirm(shop, held, "da_x:C")

    assert once.json == again.json
    assert (other.status, other.code, other.json["param"]) == (409, "decided_already", "of")


@pytest.mark.parametrize("which", ["da_x:B", "da_x:Z", "po_00000000000000000000000000"])
async def test_only_the_suspected_order_can_be_named(shop: Shop, which: str) -> None:
    """A slip of the hand must not tie two orders that have nothing in common."""
    _, held = await doubt(shop)

    told = await confirm(shop, held, which)

    assert (told.status, told.code, told.json["param"]) == (422, "another_order", "of")
    assert (await shop.order("B")).state is PayoutState.HELD


async def test_only_a_suspected_retry_can_be_one(shop: Shop) -> None:
    """Not an order that goes on, nor one that was released or cancelled."""
    first, held = await doubt(shop)
    open_ = await confirm(shop, first, "da_x:B")
    await operate.cancel(shop.desk.gateway, held.id, None, "ops")
    cancelled = await confirm(shop, held, first.id)

    assert open_.code == cancelled.code == "not_a_suspected_retry"
    assert (await shop.caller.query("B"))["status"] == "3"


async def test_a_real_second_payment_is_released(shop: Shop) -> None:
    """And answers for itself, whatever becomes of the first."""
    first, held = await doubt(shop)
    await operate.release(shop.desk.gateway, held.id, None, "ops")
    refused = await confirm(shop, held, first.id)
    await shop.work()

    assert refused.code == "not_a_suspected_retry"
    assert (await shop.caller.query("B"))["status"] == "2"
    assert len(shop.desk.till.sent) == 2


async def test_a_first_order_that_pays_nothing_takes_no_other_with_it(shop: Shop) -> None:
    """Then this one is released, or cancelled, as what it is."""
    await shop.caller.apply("A")
    await shop.caller.apply("B")
    first, held = await shop.order("A"), await shop.order("B")
    shop.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await shop.desk.work(first.id)

    told = await confirm(shop, held, first.merchant_ref)

    assert (told.status, told.code) == (409, "original_unpaid")
    assert (await shop.order("B")).state is PayoutState.HELD


async def test_nobody_without_a_name_decides(shop: Shop) -> None:
    """Nor a merchant; and a reason is given."""
    first, held = await doubt(shop)

    nameless = await confirm(shop, held, first.id, key="operator")
    merchant = await confirm(shop, held, first.id, key="acme")
    silent = await confirm(shop, held, first.id, note="")

    assert (nameless.status, nameless.code) == (403, "person_unknown")
    assert merchant.code == "scope_missing"
    assert (silent.status, silent.json["param"]) == (422, "note")
    assert (await shop.order("B")).state is PayoutState.HELD


async def test_a_failure_of_the_first_is_a_failure_of_both(shop: Shop) -> None:
    """True of either number: and a channel that takes it back takes it back for both."""
    first, held = await doubt(shop)
    await confirm(shop, held, first.id)
    first = await shop.order("A")
    refusal: dict[str, Any] = {"amount_minor": 1230}
    await _kill(shop, first)
    failed = await shop.caller.query("B")
    first = await shop.order("A")
    late = contradicted(1, **refusal)
    await record.move(shop.desk.gateway, first, [late], actor="test")

    assert failed["status"] == "3"
    assert {(await shop.caller.query(one))["status"] for one in "AB"} == {"1"}


async def test_what_came_back_came_back_for_both(shop: Shop) -> None:
    """The money is nowhere but at the merchant."""
    first, held = await doubt(shop)
    await confirm(shop, held, first.id)
    await resolve(shop)
    first = await shop.order("A")
    back = came_back(1, amount_minor=1230, at=shop.desk.clock.at)
    await record.move(shop.desk.gateway, first, [back], actor="test")

    assert {(await shop.caller.query(one))["status"] for one in "AB"} == {"6"}


async def test_the_guard_still_knows_the_first(shop: Shop) -> None:
    """A third number is a suspected retry as well; once the first has failed, it may pay."""
    first, held = await doubt(shop)
    await confirm(shop, held, first.id)
    await shop.caller.apply("C")
    third = await shop.order("C")
    await _kill(shop, await shop.order("A"))
    await shop.caller.apply("D")

    assert third.reason == "suspected_retry: da_x:A"
    assert (await shop.order("D")).state is PayoutState.ROUTING


async def test_another_merchants_order_is_out_of_reach(shop: Shop) -> None:
    """The first order is looked for among the merchant's own only."""
    _, held = await doubt(shop)
    forged = replace(held, reason="suspected_retry: order-1")
    await shop.desk.pay("order-1", key="other", amount_minor=1230)
    assert forged.merchant_id == ACME

    told = await confirm(shop, held, "order-1")

    assert told.code == "another_order"


async def _kill(shop: Shop, payout: Payout) -> None:
    """The channel proves that nothing moved, and no other channel is left."""
    from tests.builders import died, failed

    await record.move(shop.desk.gateway, payout, [died(1), failed()], actor="test")
