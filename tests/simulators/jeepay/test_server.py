"""The Jeepay simulator as a stock server: what it takes, refuses, says and tells."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

from simulators.kernel import Request, UnknownTriggerError
from tests.simulators.jeepay.merchant import (
    QUERY,
    TRANSFER,
    account,
    alipay,
    card,
    merchant,
    told,
    wechat,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SECRET_LIKE = "something-that-looks-secret"


def test_alipay_pays_before_the_answer() -> None:
    """State 2 at once; the query adds when, and what was asked."""
    one = merchant()
    data = one.data(TRANSFER, alipay())
    assert (data["state"], data["mchOrderNo"], data["amount"]) == (2, "po1", 1234)
    assert one.moved() == [("payout", "po1", 1234)]
    asked = one.data(QUERY, {"mchOrderNo": "po1"})
    assert asked["successTime"] == asked["createdAt"] == int(one.now.timestamp() * 1000)
    assert (asked["ifCode"], asked["currency"], asked["mchNo"]) == ("alipay", "cny", "M1")
    assert asked == one.data(QUERY, {"transferId": data["transferId"]})


def test_a_form_is_taken_as_well_as_json() -> None:
    """The same fields, the same signature."""
    one = merchant()
    answer = one.simulator.handle(one.request(TRANSFER, alipay(), form=True), one.now)
    assert answer.reply is not None
    assert json.loads(answer.reply.body)["data"]["state"] == 2


def test_a_bank_takes_its_time() -> None:
    """State 1, then 2."""
    one = merchant()
    assert one.data(TRANSFER, card())["state"] == 1
    assert one.moved() == []
    one.wait(MINUTE)
    assert one.state() == 2
    assert one.moved() == [("payout", "po1", 1234)]


def test_a_wechat_user_confirms_first() -> None:
    """State 1 with the gateway's page and WeChat's package."""
    one = merchant()
    data = one.data(TRANSFER, wechat())
    attached = json.loads(data["channelResData"])
    assert data["state"] == 1
    assert attached["userH5ConfirmUrl"].endswith(data["transferId"])
    assert {"appId", "mchId", "package", "userH5ConfirmQrImgUrl"} <= attached.keys()
    one.wait(MINUTE)
    assert one.state() == 2


def test_a_wechat_order_without_scene_stays_created() -> None:
    """SYS_ERROR: never sent, never repaired."""
    one = merchant()
    assert one.data(TRANSFER, wechat(channelExtra="{}"))["state"] == 0
    one.wait(3 * DAY)
    assert one.state() == 0
    assert one.moved() == []
    older = merchant(account(wechat_version="old"))
    assert older.data(TRANSFER, wechat(channelExtra=""))["state"] == 1


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"mchOrderNo": ""}, 11, "商户订单号不能为空"),
        ({"accountNo": " "}, 11, "收款账号不能为空"),
        ({"transferDesc": None}, 11, "转账备注信息不能为空"),
        ({"amount": 0}, 11, "不能小于1分"),
        ({"amount": "1.5"}, 10, "系统异常"),
        ({"version": ""}, 11, "版本号不能为空"),
        ({"sign": ""}, 11, "签名值不能为空"),
        ({"mchNo": "M9"}, 9999, "不存在"),
        ({"sign": "0" * 32}, 9999, "验签失败"),
        ({"notifyUrl": "ftp://x"}, 9999, "异步通知地址"),
        ({"ifCode": "hnapay"}, 9999, "未开通"),
        ({"entryType": "WX_CASH"}, 9999, "不支持该入账方式"),
    ],
)
def test_what_a_stock_server_refuses(changes: dict[str, object], code: int, text: str) -> None:
    """With its own code and words, unsigned, and no order is written."""
    one = merchant()
    said = one.ask(TRANSFER, alipay(**changes))
    assert said["code"] == code
    assert text in said["msg"]
    assert "sign" not in said
    assert one.ask(QUERY, {"mchOrderNo": "po1"}) == {"code": 9999, "msg": "订单不存在"}


def test_an_extra_signed_field_breaks_the_signature() -> None:
    """The server signs the fields it knows, and no others."""
    one = merchant()
    fields = alipay(surprise="x")
    assert one.ask(TRANSFER, fields)["msg"] == "验签失败"
    del fields["surprise"]
    signed = one.request(TRANSFER, fields)
    extra = json.dumps({**json.loads(signed.body), "surprise": "x"}).encode()
    answer = one.simulator.handle(Request("POST", TRANSFER, signed.headers, extra), one.now)
    assert answer.reply is not None
    assert json.loads(answer.reply.body)["code"] == 0


def test_an_unreadable_body_is_a_system_error() -> None:
    """Code 10."""
    one = merchant()
    for body in (b"", b"[]", b"{", b"[" * 50_000):
        request = Request("POST", TRANSFER, {"content-type": "application/json"}, body)
        answer = one.simulator.handle(request, one.now)
        assert answer.reply is not None
        assert json.loads(answer.reply.body)["code"] == 10
    for method, path in (("GET", TRANSFER), ("POST", "/api/other")):
        answer = one.simulator.handle(Request(method, path, {}, b""), one.now)
        assert answer.reply is not None
        assert answer.reply.status == 404


def test_a_disabled_application_is_refused() -> None:
    """As an unknown one, nearly."""
    assert merchant(account(is_enabled=False)).ask(TRANSFER, alipay())["code"] == 9999


def test_a_second_order_of_a_number_is_refused() -> None:
    """Code 9999, whether the first was paid or not, and whatever the second asks."""
    one = merchant()
    one.ask(TRANSFER, alipay())
    for again in (alipay(), alipay("po1", 99)):
        assert one.ask(TRANSFER, again) == {"code": 9999, "msg": "商户订单[po1]已存在"}
    assert one.moved() == [("payout", "po1", 1234)]


def test_short_money_is_the_channels_refusal() -> None:
    """State 3 with Alipay's word: Jeepay itself holds no balance."""
    one = merchant(account(balance_fen=1000))
    data = one.data(TRANSFER, alipay())
    assert (data["state"], data["errCode"]) == (3, "PAYER_BALANCE_NOT_ENOUGH")
    assert one.moved() == []


def test_settings_are_strict() -> None:
    """Unknown keys and shared names are errors, and no secret is shown."""
    with pytest.raises(ValidationError, match="share one app_id"):
        merchant(account(), account(account="b"))
    with pytest.raises(ValidationError) as refused:
        merchant(account(surprise=SECRET_LIKE))
    assert SECRET_LIKE not in str(refused.value)


# ---- notices ----


def test_a_final_order_is_told_once() -> None:
    """A form with the query's fields; a return later is never told."""
    one = merchant()
    one.add("return_late", params={"after": "1h"})
    (push,) = one.simulator.handle(one.request(TRANSFER, alipay()), one.now).pushes
    fields = told(push)
    assert (fields["mchOrderNo"], fields["state"]) == ("po1", "2")
    assert "reqTime" in fields
    one.simulator.on_push_result(push, 200, one.now, b"success")
    assert one.wait(DAY) == ()
    assert one.moved()[-1] == ("return", "po1", 1234)
    assert one.state() == 2


def test_the_ladder_has_six_tries() -> None:
    """30, 60, 90, 120, 150 seconds apart; then never again. The status does not matter."""
    one = merchant()
    (push,) = one.simulator.handle(one.request(TRANSFER, alipay()), one.now).pushes
    tries, waits = [push], []
    while True:
        one.simulator.on_push_result(tries[-1], 200, one.now, b"OK")
        before = one.now
        if one.simulator.next_tick_at() is None:
            break
        one.now = one.simulator.next_tick_at() or one.now
        tries += one.simulator.tick(one.now)
        waits.append((one.now - before).total_seconds())
    assert waits == [30, 60, 90, 120, 150]
    assert {again.body for again in tries} == {push.body}
    one.simulator.on_push_result(push, 500, one.now, b"SUCCESS")
    assert one.simulator.next_tick_at() is None


def test_an_address_in_the_request_comes_first() -> None:
    """Without any, nothing is told."""
    one = merchant()
    answer = one.simulator.handle(
        one.request(TRANSFER, alipay(notifyUrl="http://127.0.0.1:2/mine")), one.now
    )
    assert [push.url for push in answer.pushes] == ["http://127.0.0.1:2/mine"]
    silent = merchant(account(notify_url=None))
    assert silent.simulator.handle(silent.request(TRANSFER, alipay()), silent.now).pushes == ()


def test_a_forged_notice_lies_under_a_bad_signature() -> None:
    """Beside the true one."""
    one = merchant()
    one.add("notice_forged", op="notice")
    forged, true = one.simulator.handle(one.request(TRANSFER, alipay()), one.now).pushes
    assert told(true)["state"] == "2"
    with pytest.raises(AssertionError):
        told(forged)
    assert b"state=3" in forged.body


# ---- administration ----


def test_events_can_be_forced() -> None:
    """On orders that can take them."""
    one = merchant(bank_settle_after_s=3600)
    one.ask(TRANSFER, card("po1"))
    one.ask(TRANSFER, card("po2"))
    with pytest.raises(UnknownTriggerError):
        one.simulator.trigger("notice.resend", "po1", one.now)
    assert len(one.simulator.trigger("payout.settled", "po1", one.now)) == 1
    assert len(one.simulator.trigger("notice.resend", "po1", one.now)) == 1
    one.simulator.trigger("payout.failed", "po2", one.now)
    one.simulator.trigger("payout.returned", "po1", one.now)
    assert (one.state("po1"), one.state("po2")) == (2, 3)
    assert one.moved() == [("payout", "po1", 1234), ("return", "po1", 1234)]
    for event, reference in (("payout.failed", "po1"), ("no.event", "po1"), ("payout.failed", "?")):
        with pytest.raises(UnknownTriggerError):
            one.simulator.trigger(event, reference, one.now)


def test_a_topup_is_a_movement() -> None:
    """On a known account."""
    one = merchant()
    one.simulator.topup("jeepay-1", 500, one.now)
    assert one.moved() == [("topup", "", 500)]
    assert one.simulator.accounts()[0]["balance_fen"] == 1_000_500
    with pytest.raises(LookupError):
        one.simulator.topup("nobody", 1, one.now)


def test_no_row_shows_a_secret() -> None:
    """Accounts are public facts."""
    shown = repr(merchant().simulator.accounts()) + repr(merchant().simulator.magic())
    assert "secret" not in shown
