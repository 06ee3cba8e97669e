"""What XxPay's callers are told by themselves, as their stock receiver reads it."""

from urllib.parse import parse_qs

import pytest

from channels.contract import Reason, Rejected, Unknown, UnknownCause
from gateway.engine import operate, record
from tests.builders import after, came_back
from tests.gateway.dialects.test_retries import confirm
from tests.gateway.dialects.xxpay_shop import XxShop


async def test_the_end_is_told_in_the_query_string(xxshop: XxShop) -> None:
    """A POST with nothing in its body: our number and theirs, status, fee, their `extra`."""
    told = await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    await xxshop.work()

    assert await xxshop.deliver() == 1

    ((method, query, body),) = xxshop.ears.raw
    assert (method, body) == ("POST", b"")
    assert set(parse_qs(query, keep_blank_values=True)) == {
        *("agentpayOrderId", "mchOrderNo", "status", "fee", "transMsg", "extra", "sign"),
    }
    (heard,) = xxshop.ears.told
    assert heard["agentpayOrderId"] == told.reply["agentpayOrderId"]
    assert (heard["mchOrderNo"], heard["status"], heard["fee"]) == ("A", "2", "30")
    assert (heard["extra"], heard["transMsg"]) == ("x-A", "")


async def test_a_failure_is_told_with_its_reason(xxshop: XxShop) -> None:
    """Once it is proven."""
    xxshop.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    await xxshop.work()
    await xxshop.deliver()

    (heard,) = xxshop.ears.told
    assert (heard["status"], heard["transMsg"]) == ("3", "转账失败：收款人拒绝收款")


@pytest.mark.parametrize(("way", "status"), [("returned", "6"), ("failed", "3")])
async def test_money_that_comes_back_is_told_too(xxshop: XxShop, way: str, status: str) -> None:
    """In the word that the account's caller knows."""
    await xxshop.set(returned_as=way)
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    await xxshop.work()
    await xxshop.deliver()
    back = came_back(1, amount_minor=1230, at=after(1))
    await record.move(xxshop.desk.gateway, await xxshop.order("A"), [back], actor="test")
    await xxshop.deliver()

    assert [one["status"] for one in xxshop.ears.told] == ["2", status]


async def test_nothing_is_told_before_the_end(xxshop: XxShop) -> None:
    """Nor to callers that gave no address."""
    xxshop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    await xxshop.work()
    await xxshop.caller.apply("B", amount="77")
    await xxshop.work()

    assert (await xxshop.caller.query("B"))["status"] == "2"
    assert await xxshop.deliver() == 0


async def test_a_deaf_receiver_is_told_on_its_own_ladder(xxshop: XxShop) -> None:
    """Five more times after n minutes each, as stock servers do; then further on."""
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    await xxshop.work()
    xxshop.ears.is_deaf = True
    seconds, heard = 0.0, []
    for wait in (0, 60, 120, 180, 240, 300, 1800):
        # Up to a tenth late, so that not all come at once.
        seconds += wait * 1.1 + 1
        xxshop.desk.clock.at = after(seconds)
        await xxshop.deliver()
        heard.append(len(xxshop.ears.raw))
    xxshop.ears.is_deaf = False
    xxshop.desk.clock.at = after(seconds + 7200 * 1.1)

    assert heard == [1, 2, 3, 4, 5, 6, 7]
    assert await xxshop.deliver() == 1
    assert xxshop.ears.told[0]["status"] == "2"


async def test_a_question_can_have_the_notice_sent_again(xxshop: XxShop) -> None:
    """`executeNotify`; without an end it is a question and nothing more."""
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    early = await xxshop.caller.query("A", executeNotify="true")
    await xxshop.work()
    await xxshop.deliver()
    asked = await xxshop.caller.query("A")
    assert await xxshop.deliver() == 0

    again = await xxshop.caller.query("A", executeNotify="true")

    assert await xxshop.deliver() == 1
    assert (early["status"], asked["status"], again["status"]) == ("1", "2", "2")
    assert xxshop.ears.told[0] == xxshop.ears.told[1]


@pytest.mark.parametrize("url", ["ftp://x", "http://10.0.0.1/", "nowhere", "http://\u0000/"])
async def test_an_address_that_is_none_refuses_no_order(xxshop: XxShop, url: str) -> None:
    """Its caller would read that as "not paid"; operators are told."""
    told = await xxshop.caller.apply("A", notifyUrl=url)
    await xxshop.work()

    await xxshop.deliver()

    assert told.ok
    assert xxshop.ears.raw == []
    assert "dialect.notify_refused" in {one["event"] for one in xxshop.desk.log_lines()}


async def test_an_address_with_a_query_keeps_it(xxshop: XxShop) -> None:
    """Stock servers append a second question mark."""
    await xxshop.caller.apply("A", notifyUrl=f"{xxshop.notify_url}?shop=7&x=1")
    await xxshop.work()
    await xxshop.deliver()

    query = parse_qs(xxshop.ears.raw[0][1])
    assert (query["shop"], query["x"], query["status"]) == (["7"], ["1"], ["2"])


async def test_what_does_not_fit_into_an_address_goes_as_a_form(xxshop: XxShop) -> None:
    """A long Chinese `extra` has nine characters for each of its own."""
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url, extra="长" * 512)
    await xxshop.work()
    await xxshop.deliver()

    ((_, query, body),) = xxshop.ears.raw
    assert (query, bool(body)) == ("", True)
    assert xxshop.ears.told[0]["extra"] == "长" * 512


async def held_retry(xxshop: XxShop) -> None:
    """A is in doubt, B is held as a retry of it; both callers want to hear."""
    xxshop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    await xxshop.work()
    await xxshop.caller.apply("B", notifyUrl=xxshop.notify_url)


async def test_a_confirmed_retry_is_told_with_the_first(xxshop: XxShop) -> None:
    """Not that it was cancelled: its caller hears "paid" when the first one is."""
    await held_retry(xxshop)
    await confirm(xxshop, await xxshop.order("B"), "da_x:A")
    assert await xxshop.deliver() == 1  # the retry's own notice ends unsaid
    assert xxshop.ears.raw == []

    xxshop.desk.clock.at = after(3600)
    await xxshop.work()
    await xxshop.deliver()

    heard = {one["mchOrderNo"]: one for one in xxshop.ears.told}
    assert {number: one["status"] for number, one in heard.items()} == {"A": "2", "B": "2"}
    assert heard["B"]["extra"] == "x-B"
    assert heard["A"]["agentpayOrderId"] != heard["B"]["agentpayOrderId"]


async def test_a_retry_of_what_is_paid_is_told_at_once(xxshop: XxShop) -> None:
    """The finding itself owes the notice; what comes back later is told to both."""
    await xxshop.caller.apply("A", notifyUrl=xxshop.notify_url)
    await xxshop.caller.apply("B", notifyUrl=xxshop.notify_url)
    await xxshop.work()
    await xxshop.deliver()
    await confirm(xxshop, await xxshop.order("B"), "da_x:A")
    await xxshop.deliver()
    back = came_back(1, amount_minor=1230, at=after(1))
    await record.move(xxshop.desk.gateway, await xxshop.order("A"), [back], actor="test")
    await xxshop.deliver()

    told = [(one["mchOrderNo"], one["status"]) for one in xxshop.ears.told]
    assert told[:2] == [("A", "2"), ("B", "2")]
    assert sorted(told[2:]) == [("A", "6"), ("B", "6")]


async def test_what_is_cancelled_for_other_reasons_is_told_as_failed(xxshop: XxShop) -> None:
    """By a person who found no retry in it."""
    await held_retry(xxshop)
    await operate.cancel(xxshop.desk.gateway, (await xxshop.order("B")).id, None, "ops")
    await xxshop.deliver()

    (heard,) = xxshop.ears.told
    assert (heard["mchOrderNo"], heard["status"]) == ("B", "3")


async def test_operators_see_a_retry_as_it_is_told(xxshop: XxShop) -> None:
    """And cannot send a notice before there is something to say."""
    await held_retry(xxshop)
    await confirm(xxshop, await xxshop.order("B"), "da_x:A")
    path = "/v1/admin/dialects/da_x/notices"
    early = await xxshop.desk.post(f"{path}/resend", {"number": "B"}, key="operator")
    xxshop.desk.clock.at = after(3600)
    await xxshop.work()
    shown = await xxshop.desk.get(f"{path}?number=B", key="operator")

    assert (early.status, early.code) == (409, "order_not_final")
    (one,) = shown.json["data"]
    assert one["standing"] == "paid"
    assert [each["standing"] for each in one["notices"]] == ["paid", "retry_of"]
