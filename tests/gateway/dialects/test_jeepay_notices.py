"""Jeepay's callers are told how their orders end: once, truly, and until they have heard."""

from dataclasses import replace
from typing import Any

import pytest

from channels.contract import Reason, Rejected, Unknown, UnknownCause
from gateway.domain.dialect import KeySet
from gateway.domain.payout import PayoutState
from gateway.engine import operate
from gateway.ports import DeliveryState
from tests import builders as build
from tests.builders import after
from tests.gateway.dialects.jeepay_shop import APP_ID, MCH_NO, Shop

NOTICES = "/v1/admin/dialects/da_1/notices"


async def paid(shop: Shop, number: str = "M-1", **given: Any) -> None:
    """One order of the plugin's, paid."""
    await shop.plugin.withdraw(number, **given)
    await shop.work()


async def listed(shop: Shop, number: str | None = None) -> list[dict[str, Any]]:
    """As an operator sees them."""
    query = {} if number is None else {"number": number}
    told = await shop.desk.get(NOTICES, query=query, key="operator")
    assert told.status == 200, told.raw
    found: list[dict[str, Any]] = told.json["data"]
    return found


async def test_a_payment_is_told_once(shop: Shop) -> None:
    """As a form with what a query says, signed with its moment; the site books it."""
    await paid(shop)

    assert await shop.deliver() == 1
    assert await shop.deliver() == 0

    (told,) = shop.told
    assert told.pop("sign") == shop.plugin.make_sign(told)
    asked = (await shop.sdk.query(mchOrderNo="M-1"))["data"]
    assert told.pop("reqTime").isdigit()
    assert told == {name: str(value) for name, value in asked.items()}
    assert (told["mchNo"], told["appId"], told["state"]) == (MCH_NO, APP_ID, "2")
    assert shop.plugin.rows["M-1"].status == 1


async def test_nothing_is_told_before_the_end(shop: Shop) -> None:
    """Taken in, sent, in doubt: silence."""
    shop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await shop.plugin.withdraw("M-1")
    assert await shop.deliver() == 0
    await shop.work()

    assert await shop.deliver() == 0
    (order,) = await listed(shop)
    assert (order["standing"], order["notices"]) == ("open", [])


async def test_a_failure_and_a_rejection_are_told(shop: Shop) -> None:
    """State 3 with a text; the site gives the money back, once."""
    shop.desk.till.outcomes.append(Rejected(Reason.PAYEE_NOT_FOUND, "X", ""))
    await paid(shop, "M-1")
    await shop.plugin.withdraw("M-2", amount=77)
    await shop.plugin.withdraw("M-3", amount=77)
    (held,) = [one for one in await shop.payouts() if one.state is PayoutState.HELD]
    await operate.cancel(shop.desk.gateway, held.id, None, "operator")

    assert await shop.deliver() == 2

    said = {one["mchOrderNo"]: (one["state"], one["errMsg"]) for one in shop.told}
    assert said["M-1"] == ("3", "转账失败：收款账号不存在")
    assert ("3", "转账已取消") in said.values()
    assert shop.plugin.rows["M-1"].refunds == 1


async def test_a_return_is_told_after_the_payment(shop: Shop) -> None:
    """Real Jeepay never tells it."""
    await paid(shop)
    await shop.deliver()
    await shop.come_back()

    assert await shop.deliver() == 1

    assert [one["state"] for one in shop.told] == ["2", "3"]
    assert shop.told[1]["errMsg"] == "已退票，款项已退回"
    (order,) = await listed(shop)
    assert [one["standing"] for one in order["notices"]] == ["returned", "paid"]


async def test_a_notice_says_how_things_stand_when_it_is_sent(shop: Shop) -> None:
    """A payment that has come back meanwhile is told as that, twice rather than wrongly."""
    await paid(shop)
    await shop.come_back()

    while await shop.deliver():
        pass

    assert [one["state"] for one in shop.told] == ["3", "3"]


async def test_a_contradicted_failure_is_not_told(shop: Shop) -> None:
    """The money may be out: the caller must not give it back on our word."""
    shop.desk.till.outcomes.append(Rejected(Reason.PAYEE_NOT_FOUND, "X", ""))
    await paid(shop)
    (failed,) = await shop.payouts()
    event = build.contradicted(1, amount_minor=failed.amount.minor)
    await shop.desk.store.record(build.change(failed, event, at=shop.desk.clock.now()))

    assert await shop.deliver() == 1

    assert shop.told == []
    (order,) = await listed(shop)
    assert order["standing"] == "open"
    assert order["notices"][0]["state"] == DeliveryState.DEAD
    assert "open again" in order["notices"][0]["last_error"]


async def test_who_does_not_hear_is_told_again(shop: Shop) -> None:
    """After 30, 60, 90, 120 and 150 seconds, and then on for days; never the others' loss."""
    shop.deaf = True
    await paid(shop, "M-1")
    waits = []
    for _ in range(8):
        assert await shop.deliver() == 1
        (order,) = await listed(shop, "M-1")
        due_at = (await shop.desk.store.deliveries(order_merchant(shop), None, 1))[0].due_at
        waits.append(int((due_at - shop.desk.clock.now()).total_seconds()))
        shop.desk.clock.at = due_at
    shop.deaf = False

    assert await shop.deliver() == 1

    stock = [30, 60, 90, 120, 150, 1800, 7200, 18000]
    assert all(wait <= real <= wait * 1.1 for wait, real in zip(stock, waits, strict=True))
    assert shop.plugin.rows["M-1"].status == 1
    (order,) = await listed(shop, "M-1")
    assert (order["notices"][0]["state"], order["notices"][0]["tries"]) == ("delivered", 9)


def order_merchant(shop: Shop) -> Any:
    """Whose orders they are."""
    return shop.account.merchant_id


async def test_notices_are_signed_with_the_newest_key(shop: Shop) -> None:
    """Also those of orders that were asked for with the one before."""
    await paid(shop)
    fresh = KeySet("k2", after(1), "f" * 64)
    await shop.change(keys=(fresh, *shop.account.keys))
    shop.plugin = replace(shop.plugin, appkey="f" * 64)

    await shop.deliver()

    assert shop.plugin.rows["M-1"].status == 1


async def test_a_removed_account_is_still_told(shop: Shop) -> None:
    """What it asked for is."""
    await paid(shop)
    await shop.change(removed_at=build.NOW)

    assert await shop.deliver() == 1
    assert shop.told[0]["state"] == "2"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379/",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://shop.example/",
        "not a url",
        "https://user:pw@shop.example/",
        "https://shop.example/" + "x" * 3000,
        "https://shop.example/\x00a",
        "http://[::1",
    ],
)
async def test_a_bad_address_never_refuses_the_order(shop: Shop, url: str) -> None:
    """It is logged without the address, and shown with the account."""
    assert (await shop.sdk.transfer(notifyUrl=url))["code"] == 0
    await shop.work()

    account = (await shop.desk.get("/v1/admin/dialects/da_1", key="operator")).json
    assert account["refused_notify"]["number"] == "M-1"
    assert account["refused_notify"]["problem"]
    (line,) = [one for one in shop.desk.log_lines() if one["event"] == "dialect.notify_refused"]
    assert line["problem"]
    assert "meta-data" not in shop.desk.log.getvalue()
    assert (await shop.sdk.query(mchOrderNo="M-1"))["data"]["state"] == 2
    shop.sender._egress = type(shop.sender._egress)()  # as configured: nothing on loopback
    assert await shop.deliver() == 1
    (order,) = await listed(shop)
    assert (order["notices"][0]["state"], order["notices"][0]["last_status"]) == ("due", None)
    assert shop.ears.heard == []


async def test_who_gave_no_address_is_told_nothing(shop: Shop) -> None:
    """It asks."""
    await shop.sdk.transfer()
    await shop.work()

    assert await shop.deliver() == 0
    assert await listed(shop) == []


async def test_operators_list_and_send_again(shop: Shop) -> None:
    """By either number; an order that is not final has nothing to be told."""
    await shop.plugin.withdraw("M-1")
    own = shop.plugin.rows["M-1"].orderid
    early = await shop.desk.post(f"{NOTICES}/resend", {"number": "M-1"}, key="operator")
    none = await shop.desk.post(f"{NOTICES}/resend", {"number": "M-9"}, key="operator")
    await shop.work()
    await shop.deliver()

    again = await shop.desk.post(f"{NOTICES}/resend", {"number": own}, key="operator")

    assert (early.status, early.code) == (409, "order_not_final")
    assert (none.status, none.code) == (404, "order_not_told")
    assert (again.status, again.json["number"], again.json["standing"]) == (202, "M-1", "paid")
    assert again.json["notices"][0]["state"] == "due"
    assert await shop.deliver() == 1
    assert [one["state"] for one in shop.told] == ["2", "2"]
    assert await listed(shop, own) == await listed(shop, "M-1") == await listed(shop)
    refused = await shop.desk.get(NOTICES, key="acme")
    assert refused.code == "scope_missing"


async def test_a_bug_of_ours_loses_no_notice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and tried again."""
    await paid(shop)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.api.dialects.jeepay._described", broken)
    assert await shop.deliver() == 1
    monkeypatch.undo()
    shop.desk.clock.at = after(60)

    assert await shop.deliver() == 1
    assert shop.plugin.rows["M-1"].status == 1
    assert "dialect.notify_defect" in shop.desk.log.getvalue()
