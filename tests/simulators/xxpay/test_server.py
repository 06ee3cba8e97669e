"""The XxPay simulator as a stock server, and the clones' additions as knobs."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from simulators.kernel import Request, UnknownTriggerError
from tests.simulators.xxpay.merchant import (
    APPLY,
    BALANCE,
    QUERY,
    account,
    merchant,
    payout,
    signature,
    told,
)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def test_a_payout_is_processing_and_then_paid() -> None:
    """The first answer repeats `extra` and names no amount, the second the other way round."""
    one = merchant()
    first = one.proven(APPLY, payout())
    assert first == {
        "retCode": "SUCCESS",
        "agentpayOrderId": first["agentpayOrderId"],
        "status": 1,
        "fee": 7,
        "extra": "po1",
    }
    one.wait(MINUTE)
    assert one.proven(QUERY, {"mchOrderNo": "po1"}) == {
        "retCode": "SUCCESS",
        "agentpayOrderId": first["agentpayOrderId"],
        "mchOrderNo": "po1",
        "amount": "1234",
        "fee": "7",
        "status": "2",
        "transMsg": "",
    }
    assert one.moved() == [("payout", "po1", 1234), ("fee", "po1", 7)]


def test_the_balance_sets_aside_what_is_under_way() -> None:
    """Amount and fee, free again or gone at the end."""
    one = merchant()
    one.ask(APPLY, payout())
    said = one.proven(BALANCE, {})
    assert (said["agentpayBalance"], said["availableAgentpayBalance"]) == ("1000000", "998759")
    one.wait(MINUTE)
    assert one.proven(BALANCE, {})["agentpayBalance"] == "998759"


def test_three_ways_to_put_the_same_request() -> None:
    """Form, query string, and one field of JSON."""
    for number in range(3):
        one = merchant()
        fields = one.fields(payout())
        forms = (
            Request("POST", APPLY, {}, urlencode(fields).encode()),
            Request("POST", f"{APPLY}?{urlencode(fields)}", {}, b""),
            Request("POST", APPLY, {}, urlencode({"params": json.dumps(fields)}).encode()),
        )
        answer = one.simulator.handle(forms[number], one.now)
        assert answer.reply is not None
        assert json.loads(answer.reply.body)["retCode"] == "SUCCESS"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"mchId": "x"}, "mchId"),
        ({"mchId": "1"}, "商户不存在"),
        ({"mchOrderNo": ""}, "mchOrderNo"),
        ({"amount": "1.5"}, "amount"),
        ({"amount": "0"}, "大于0"),
        ({"accountName": ""}, "accountName"),
        ({"accountNo": "62 17"}, "accountNo"),
        ({"accountAttr": "1"}, "对公代付"),
        ({"remark": ""}, "remark"),
        ({"reqTime": "2026-03-02"}, "reqTime"),
        ({"reqTime": "20261302100000"}, "reqTime"),
        ({"sign": ""}, "sign"),
        ({"sign": "0" * 32}, "验证签名不通过"),
    ],
)
def test_what_a_stock_server_refuses(changes: dict[str, str], text: str) -> None:
    """With FAIL and its own words, unsigned, and no order is written."""
    one = merchant()
    said = one.ask(APPLY, payout(**changes))
    assert said["retCode"] == "FAIL"
    assert text in said["retMsg"]
    assert "sign" not in said
    assert one.ask(QUERY, {"mchOrderNo": "po1"})["retMsg"] == "代付订单不存在"


def test_every_field_sent_is_signed() -> None:
    """Also one that the server does not know."""
    one = merchant()
    assert one.ask(APPLY, payout(passageId="3"))["retCode"] == "SUCCESS"
    fields = one.fields(payout("po2"))
    body = urlencode({**fields, "cip": "1.2.3.4"}).encode()
    answer = one.simulator.handle(Request("POST", APPLY, {}, body), one.now)
    assert answer.reply is not None
    assert "验证签名不通过" in json.loads(answer.reply.body)["retMsg"]


def test_a_company_gives_its_branch() -> None:
    """Four fields more."""
    branch = {"province": "京", "city": "京", "bankName": "工行", "bankNumber": "102100000450"}
    one = merchant()
    assert one.ask(APPLY, payout(accountAttr="1", **branch))["retCode"] == "SUCCESS"


def test_nonsense_is_answered() -> None:
    """No path, no order number, no JSON, a merchant who is switched off."""
    one = merchant()
    answer = one.simulator.handle(Request("POST", "/api/other", {}, b""), one.now)
    assert answer.reply is not None
    assert answer.reply.status == 404
    for body in (b"params=%5B%5D", b"params=%7B", b"\xff"):
        answer = one.simulator.handle(Request("POST", APPLY, {}, body), one.now)
        assert answer.reply is not None
        assert json.loads(answer.reply.body)["retCode"] == "FAIL"
    assert "mchOrderNo or payOrderId" in one.ask(QUERY, {})["retMsg"]
    off = merchant(account(is_enabled=False))
    assert "不可用" in off.ask(APPLY, payout())["retMsg"]


def test_the_same_card_and_amount_are_refused_for_ten_minutes() -> None:
    """Unless the first has failed; another amount is another matter."""
    one = merchant()
    one.ask(APPLY, payout("po1"))
    refused = one.ask(APPLY, payout("po2"))
    assert refused["retMsg"] == "频繁代付,卡号:6217000000000009,金额:12.34元"
    assert one.ask(APPLY, payout("po3", 1235))["retCode"] == "SUCCESS"
    one.wait(timedelta(minutes=10))
    assert one.ask(APPLY, payout("po2"))["retCode"] == "SUCCESS"
    failing = merchant()
    failing.add("settle_fail")
    failing.ask(APPLY, payout("po1"))
    failing.wait(MINUTE)
    assert failing.ask(APPLY, payout("po2"))["retCode"] == "SUCCESS"


def test_a_number_twice_is_refused_in_words() -> None:
    """Paid or not, whatever the second asks."""
    one = merchant(same_payee_s=0)
    one.ask(APPLY, payout())
    for again in (payout(), payout("po1", 99)):
        assert one.ask(APPLY, again)["retMsg"] == "商户代付单号重复"
    one.wait(MINUTE)
    assert one.moved()[:1] == [("payout", "po1", 1234)]
    assert len(one.moved()) == 2


def test_short_money_is_refused() -> None:
    """Amount and fee must be there."""
    one = merchant(account(balance_fen=1240))
    assert one.ask(APPLY, payout())["retMsg"] == "账户余额不足"
    assert one.ask(APPLY, payout("po1", 1233))["retCode"] == "SUCCESS"


# ---- notices ----


def test_a_final_order_is_told_in_the_query_string() -> None:
    """By their number and our `extra`, with an empty body."""
    one = merchant()
    number = one.proven(APPLY, payout())["agentpayOrderId"]
    (push,) = one.wait(MINUTE)
    assert told(push) == {
        "agentpayOrderId": number,
        "status": "2",
        "fee": "7",
        "transMsg": "",
        "extra": "po1",
    }
    one.simulator.on_push_result(push, 200, one.now, b"SUCCESS")
    assert one.wait(DAY) == ()


def test_the_ladder_is_n_minutes() -> None:
    """Five more tries after 1, 2, 3, 4 and 5 minutes."""
    one = merchant()
    one.ask(APPLY, payout())
    push = one.wait(MINUTE)[0]
    waits: list[float] = []
    while True:
        one.simulator.on_push_result(push, None, one.now)
        next_at = one.simulator.next_tick_at()
        if next_at is None:
            break
        waits.append((next_at - one.now).total_seconds())
        one.now = next_at
        push = one.simulator.tick(one.now)[0]
    assert waits == [60, 120, 180, 240, 300]


def test_a_query_can_have_it_told_again() -> None:
    """executeNotify, once the order is final."""
    one = merchant()
    one.ask(APPLY, payout())
    one.ask(QUERY, {"mchOrderNo": "po1", "executeNotify": "true"})
    early = one.last.pushes
    assert early == ()
    one.wait(MINUTE)
    one.ask(QUERY, {"mchOrderNo": "po1", "executeNotify": "true"})
    assert [told(push)["status"] for push in one.last.pushes] == ["2"]
    silent = merchant(account(notify_url=None))
    silent.ask(APPLY, payout())
    assert silent.wait(MINUTE) == ()


# ---- clones ----


def test_clones_answer_with_numbers() -> None:
    """0 and 9999."""
    one = merchant(codes="numbers")
    assert one.proven(APPLY, payout())["retCode"] == "0"
    assert one.ask(APPLY, payout())["retCode"] == "9999"


def test_clones_sign_refusals() -> None:
    """Then they are proof of having been said."""
    one = merchant(signs_refusals=True)
    said = one.ask(QUERY, {"mchOrderNo": "po1"})
    assert said.pop("sign") == signature(said)
    refused = one.ask(APPLY, payout(amount="0"))
    assert refused.pop("sign") == signature(refused)
    assert "sign" not in one.ask(APPLY, payout(mchId="1"))


def test_clones_want_lower_hex() -> None:
    """And write it."""
    one = merchant(lower_case=True)
    assert "验证签名不通过" in one.ask(APPLY, payout())["retMsg"]
    fields = one.fields(payout())
    fields["sign"] = fields["sign"].lower()
    said = one.ask(APPLY, fields)
    assert said["sign"] == said["sign"].lower()


def test_newer_servers_want_to_know_which_balance() -> None:
    """subAmountFrom."""
    one = merchant(needs_sub_amount_from=True)
    assert "subAmountFrom" in one.ask(APPLY, payout())["retMsg"]
    assert one.ask(APPLY, payout(subAmountFrom="2"))["retCode"] == "SUCCESS"


def test_clones_show_and_tell_a_reversal() -> None:
    """Status 6 and a second notice; a stock server says 2 for ever."""
    for shows, status, tells in ((True, "6", ["2", "6"]), (False, "2", ["2"])):
        one = merchant(shows_returns=shows, notices_name_reference=True)
        one.add("return_late", params={"after": "1d"})
        one.ask(APPLY, payout())
        pushes = [told(push) for push in one.wait(2 * DAY)]
        assert [fields["status"] for fields in pushes] == tells
        assert {fields["mchOrderNo"] for fields in pushes} == {"po1"}
        assert one.status() == status
        assert [kind for kind, _, _ in one.moved()] == ["payout", "fee", "return"]


# ---- administration ----


def test_events_can_be_forced() -> None:
    """On orders that can take them."""
    one = merchant(settle_after_s=3600, same_payee_s=0)
    one.ask(APPLY, payout("po1"))
    one.ask(APPLY, payout("po2"))
    with pytest.raises(UnknownTriggerError):
        one.simulator.trigger("notice.resend", "po1", one.now)
    assert len(one.simulator.trigger("payout.settled", "po1", one.now)) == 1
    assert len(one.simulator.trigger("notice.resend", "po1", one.now)) == 1
    one.simulator.trigger("payout.failed", "po2", one.now)
    assert (one.status("po1"), one.status("po2")) == ("2", "3")
    with pytest.raises(UnknownTriggerError):
        one.simulator.trigger("payout.failed", "po1", one.now)


def test_a_topup_is_a_movement() -> None:
    """On a known account."""
    one = merchant()
    one.simulator.topup("xxpay-1", 500, one.now)
    assert one.moved() == [("topup", "", 500)]
    with pytest.raises(LookupError):
        one.simulator.topup("nobody", 1, one.now)
    assert "SECRET" not in repr(one.simulator.accounts()) + repr(one.simulator.magic())


def test_settings_are_strict() -> None:
    """Unknown keys and shared names are errors, and no secret is shown."""
    with pytest.raises(ValidationError, match="share one mch_id"):
        merchant(account(), account(account="b"))
    with pytest.raises(ValidationError) as refused:
        merchant(account(surprise="something-that-looks-secret"))
    assert "something-that-looks-secret" not in str(refused.value)
