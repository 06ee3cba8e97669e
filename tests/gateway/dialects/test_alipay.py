"""Alipay's gateway as its callers meet it: signed calls on the wire, replies they believe."""

import asyncio
import dataclasses
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from msgspec.structs import replace

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import PayoutState
from gateway.engine import operate, record
from policies.fees import Fee
from tests.builders import after, cny, contradicted
from tests.gateway.api.desk import ACME
from tests.gateway.dialects.alipay_app import (
    BALANCE,
    QUERY,
    TRANSFER,
    UnbelievableError,
    about,
    card,
    transfer,
)
from tests.gateway.dialects.conftest import APP_ID, OpenPlatform, pairs

LOGON = AlipayAccount("zhang@example.com", AlipayIdentity.LOGON_ID, "张三丰")
CORPORATE = {"account_type": "1", "bank_code": "102100000450", "inst_branch_name": "海淀支行"}


async def test_a_transfer_is_taken_paid_and_found(platform: OpenPlatform) -> None:
    """Dealing at first, then a success with its day, found by each of its three numbers."""
    taken = await platform.app.pay("A-1")
    await platform.work()
    found = await platform.app.query("A-1")

    assert taken == {
        "code": "10000",
        "msg": "Success",
        "out_biz_no": "A-1",
        "order_id": taken["order_id"],
        "pay_fund_order_id": taken["pay_fund_order_id"],
        "status": "DEALING",
        "trans_date": "2026-03-02 10:00:00",
        "amount": "12.30",
    }
    assert len(taken["order_id"]) == 32
    assert taken["order_id"].isdigit()
    assert (found["status"], found["trans_amount"], found["order_fee"]) == (
        *("SUCCESS", "12.30", "0.30"),
    )
    assert found["pay_date"] == "2026-03-02 10:00:00"
    assert "error_code" not in found
    for name in ("order_id", "pay_fund_order_id"):
        assert await platform.app.call(QUERY, {name: taken[name]}) == found
    (payout,) = await platform.payouts()
    assert (payout.merchant_ref, payout.instruments, payout.purpose) == (
        *("da_1:A-1", (LOGON,), "提现"),
    )


@pytest.mark.parametrize(
    ("payee", "instrument"),
    [
        (
            {"identity": "2088123456789012", "identity_type": "ALIPAY_USER_ID"},
            AlipayAccount("2088123456789012", AlipayIdentity.USER_ID),
        ),
        (
            {"identity": "074a1CcTG1LelxKe4xQC0zgNdId0", "identity_type": "ALIPAY_OPEN_ID"},
            AlipayAccount("074a1CcTG1LelxKe4xQC0zgNdId0", AlipayIdentity.OPEN_ID),
        ),
        (card(), BankCard("6222021234567890123", "王小五", None, "中国工商银行")),
        (
            card(**CORPORATE, inst_province="北京市", inst_city="北京市"),
            BankAccount(
                "6222021234567890123",
                "王小五",
                "102100000450",
                "中国工商银行",
                "海淀支行",
                "北京市",
                "北京市",
            ),
        ),
    ],
)
async def test_every_kind_of_payee_is_reached(
    platform: OpenPlatform, payee: dict[str, Any], instrument: object
) -> None:
    """As documented; a card by either product."""
    said = await platform.app.pay("A", payee_info=payee)
    await platform.work()

    assert said["status"] == "DEALING"
    (payout,) = await platform.payouts()
    assert (payout.instruments, payout.state) == ((instrument,), PayoutState.PAID)


@pytest.mark.parametrize(
    ("changes", "sub_code", "hint"),
    [
        ({"trans_amount": "12.301"}, "INVALID_PARAMETER", "trans_amount"),
        ({"trans_amount": "1e3"}, "INVALID_PARAMETER", "trans_amount"),
        ({"trans_amount": "-1"}, "INVALID_PARAMETER", "trans_amount"),
        ({"trans_amount": True}, "INVALID_PARAMETER", "trans_amount"),
        ({"trans_amount": None}, "INVALID_PARAMETER", "trans_amount"),
        ({"trans_amount": "0.00"}, "EXCEED_LIMIT_SM_MIN_AMOUNT", ""),
        ({"trans_amount": "100000000.01"}, "EXCEED_LIMIT_SM_AMOUNT", ""),
        ({"trans_amount": "9000000.00"}, "EXCEED_LIMIT_SM_AMOUNT", ""),
        ({"trans_amount": "1000000.00"}, "PAYER_BALANCE_NOT_ENOUGH", "付款方余额不足"),
        ({"out_biz_no": ""}, "INVALID_PARAMETER", "out_biz_no"),
        ({"out_biz_no": "x" * 65}, "INVALID_PARAMETER", "out_biz_no"),
        ({"out_biz_no": " A"}, "INVALID_PARAMETER", "out_biz_no"),
        ({"product_code": "STD_RED_PACKET"}, "PRODUCT_NOT_SIGN", ""),
        ({"product_code": None}, "INVALID_PARAMETER", "product_code"),
        ({"biz_scene": "ENTRUST_TRANSFER"}, "INVALID_PARAMETER", "biz_scene"),
        ({"order_title": "长" * 129}, "INVALID_PARAMETER", "order_title"),
        ({"remark": "a\u0007b"}, "INVALID_PARAMETER", "remark"),
        ({"payee_info": "zhang"}, "INVALID_PARAMETER", "payee_info"),
        ({"payee_info": {"identity_type": "ALIPAY_USER_ID"}}, "INVALID_PARAMETER", "identity"),
        (
            {"payee_info": {"identity": "2089", "identity_type": "ALIPAY_USER_ID"}},
            *("INVALID_PARAMETER", "payee_info.identity"),
        ),
        (
            {"payee_info": {"identity": "a@b.cn", "identity_type": "ALIPAY_LOGON_ID"}},
            *("INVALID_PARAMETER", "payee_info.name"),
        ),
        (
            {"payee_info": {"identity": "x", "identity_type": "EXPRESS_DC_STFA"}},
            *("INVALID_PARAMETER", "payee_info.identity_type"),
        ),
        (
            {"payee_info": {**card(), "cert_type": "IDENTITY_CARD", "cert_no": "11"}},
            *("INVALID_PARAMETER", "payee_info.cert_type"),
        ),
        ({"payer_info": {"identity": "2088123456789012"}}, "INVALID_PARAMETER", "payer_info"),
        ({"mutiple_currency_detail": {"trans_currency": "USD"}}, "INVALID_PARAMETER", "人民币"),
        ({"payee_info": card("62x")}, "INVALID_CARDNO", ""),
        ({"payee_info": card(account_type="3")}, "INVALID_PARAMETER", "account_type"),
        ({"payee_info": card(account_type="1")}, "BANKCODE_OR_BRANCHNAME_INFO_ERROR", ""),
        ({"payee_info": card(bank_code="ICBC")}, "BANKCODE_OR_BRANCHNAME_INFO_ERROR", ""),
        (
            {"product_code": "TRANS_BANKCARD_NO_PWD"},
            *("INVALID_PARAMETER", "payee_info.identity_type"),
        ),
    ],
)
async def test_fields_are_refused_in_documented_words(
    platform: OpenPlatform, changes: dict[str, Any], sub_code: str, hint: str
) -> None:
    """With the field at fault; nothing is stored, and a query says so."""
    said = await platform.app.call(TRANSFER, transfer("A", **changes))

    assert (said["code"], said["msg"], said["sub_code"]) == (
        *("40004", "Business Failed", sub_code),
    )
    assert hint in said["sub_msg"]
    assert await platform.payouts() == []
    assert (await platform.app.query("A"))["sub_code"] == "ORDER_NOT_EXIST"


async def test_a_product_that_no_channel_carries(platform: OpenPlatform) -> None:
    """Is not signed for."""
    platform.desk.till.traits = replace(platform.desk.till.traits, rails=frozenset())
    said = await platform.app.pay("A", payee_info=card())

    assert said["sub_code"] == "PRODUCT_NOT_SIGN"


@pytest.mark.parametrize(
    ("common", "code", "sub_code"),
    [
        ({"app_id": None}, "40001", "isv.missing-app-id"),
        ({"app_id": "2021000000000009"}, "40002", "isv.invalid-app-id"),
        ({"app_id": "no"}, "40002", "isv.invalid-app-id"),
        ({"method": None}, "40001", "isv.missing-method"),
        ({"method": "hangdao.pay"}, "40002", "isv.invalid-method"),
        ({"method": "alipay.trade.pay"}, "40006", "isv.insufficient-isv-permissions"),
        ({"sign_type": None}, "40001", "isv.missing-signature-type"),
        ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
        ({"charset": None}, "40001", "isv.missing-charset"),
        ({"charset": "utf-16"}, "40002", "isv.invalid-charset"),
        ({"timestamp": None}, "40001", "isv.missing-timestamp"),
        ({"timestamp": "yesterday"}, "40002", "isv.invalid-timestamp"),
        ({"timestamp": "0001-01-01 00:00:00"}, "40002", "isv.invalid-timestamp"),
        ({"version": None}, "40001", "isv.missing-version"),
        ({"version": "2.0"}, "40002", "isv.invalid-version"),
        ({"format": "xml"}, "40002", "isv.invalid-format"),
        ({"encrypt_type": "AES"}, "40002", "isv.invalid-encrypt"),
        ({"app_auth_token": "202x"}, "20001", "aop.invalid-app-auth-token"),
        ({"app_cert_sn": "0" * 32}, "40002", "isv.invalid-app-cert-sn"),
        ({"biz_content": None}, "40001", "isv.missing-biz-content"),
    ],
)
async def test_common_parameters_are_refused_in_documented_words(
    platform: OpenPlatform, common: dict[str, str | None], code: str, sub_code: str
) -> None:
    """Signed as soon as it is known whose key to sign for; each says what to do."""
    body = await platform.app.post(platform.app.signed(TRANSFER, transfer("A"), **common))

    (node,) = [one for name, one in json.loads(body).items() if name != "sign"]
    assert (node["code"], node["sub_code"]) == (code, sub_code)
    assert node["sub_msg"]
    if "app_id" in common:
        with pytest.raises(UnbelievableError):
            platform.app.open(body)
    else:
        assert platform.app.open(body) == node
    assert await platform.payouts() == []


async def test_a_number_in_use_is_never_told_a_refusal_that_reads_as_not_paid(
    platform: OpenPlatform,
) -> None:
    """Whatever is wrong with a later request under it: the caller is told to ask."""
    await platform.app.pay("A")
    wrong = [
        transfer("A", trans_amount="0.001"),
        transfer("A", trans_amount="9999999.00"),
        transfer("A", payee_info=card()),
        transfer("A", biz_scene="?"),
    ]
    said = [await platform.app.call(TRANSFER, one) for one in wrong]
    said.append(await platform.app.call(TRANSFER, transfer("A"), version="2.0"))
    said.append(await platform.app.call(TRANSFER, transfer("A"), app_auth_token="t"))

    assert {one["sub_code"] for one in said} == {"PAYMENT_INFO_INCONSISTENCY"}
    assert len(await platform.payouts()) == 1


async def test_who_is_not_proven_changes_nothing(platform: OpenPlatform) -> None:
    """A stranger's key, a changed parameter, no signature: refused in signed words."""
    stranger = dataclasses.replace(platform.app, private_key=pairs()[2][0])
    good = platform.app.signed(TRANSFER, transfer("A"))
    changed = {**good, "biz_content": good["biz_content"].replace("12.30", "99.30")}
    bare = {name: value for name, value in good.items() if name != "sign"}
    told = [
        await platform.app.post(stranger.signed(TRANSFER, transfer("A"))),
        await platform.app.post(changed),
        await platform.app.post({**good, "sign": "not base64 at all"}),
        await platform.app.post({**good, "extra": "unsigned"}),
        await platform.app.post(bare),
    ]

    codes = [platform.app.open(one)["sub_code"] for one in told]
    assert codes == ["isv.invalid-signature"] * 4 + ["isv.missing-signature"]
    assert await platform.payouts() == []


async def test_a_parameter_that_stands_twice_is_refused(platform: OpenPlatform) -> None:
    """Which one was signed would be a guess."""
    good = platform.app.signed(TRANSFER, transfer("A"))
    parts = [f"{name}={quote_plus(value)}" for name, value in good.items()]
    raw = await platform.app.send("POST", "&".join(parts), f"biz_content={quote_plus('{}')}")

    assert json.loads(raw)["error_response"]["sub_code"] == "isv.invalid-parameter"
    assert await platform.payouts() == []


async def test_parameters_may_all_come_by_query_or_by_form(platform: OpenPlatform) -> None:
    """Some clients use GET, others one form."""
    by_get = dataclasses.replace(platform.app, by_get=True)
    good = platform.app.signed(TRANSFER, transfer("B", payee_info=card()))
    form = "&".join(f"{name}={quote_plus(value)}" for name, value in good.items())

    assert (await by_get.pay("A"))["status"] == "DEALING"
    assert platform.app.open(await platform.app.send("POST", "", form))["status"] == "DEALING"
    assert len(await platform.payouts()) == 2


async def test_gbk_is_read_and_answered_in_gbk(platform: OpenPlatform) -> None:
    """Signed over the bytes on the wire, both ways."""
    app = dataclasses.replace(platform.app, charset="gbk")
    taken = await app.pay("转账一号")
    refused = await app.pay("B", trans_amount="x")
    mixed = app.signed(TRANSFER, transfer("C"), charset="utf-8")

    assert (taken["status"], taken["out_biz_no"]) == ("DEALING", "转账一号")
    assert "金额" in refused["sub_msg"]
    assert (await app.query("转账一号"))["status"] == "DEALING"
    (payout,) = await platform.payouts()
    assert payout.purpose == "提现"
    wrong = json.loads(await app.post(mixed))["alipay_fund_trans_uni_transfer_response"]
    assert wrong["sub_code"] == "isv.invalid-charset"


async def test_what_has_no_value_may_be_signed_or_not(platform: OpenPlatform) -> None:
    """Clients differ."""
    from gateway.api.dialects import rsa

    good = platform.app.signed(TRANSFER, transfer("A"), notify_url="")
    content = "&".join(f"{name}={good[name]}" for name in sorted(good) if name != "sign")
    also = {**good, "sign": rsa.sign(platform.app.private_key, content.encode())}

    assert platform.app.open(await platform.app.post(good))["code"] == "10000"
    assert platform.app.open(await platform.app.post(also))["code"] == "10000"


async def test_the_same_order_again_is_told_as_it_stands(platform: OpenPlatform) -> None:
    """However its amount is written and whenever it is signed; another content is a conflict."""
    first = await platform.app.pay("A", trans_amount="12.3")
    await platform.work()
    platform.desk.clock.at = after(30)

    same = await platform.app.pay("A", trans_amount=12.30)
    other = await platform.app.pay("A", trans_amount="12.31")
    renamed = await platform.app.pay("A", remark="另一个")

    assert (same["status"], same["order_id"]) == ("SUCCESS", first["order_id"])
    assert same["trans_date"] == "2026-03-02 10:00:00"
    for one in (other, renamed):
        assert (one["code"], one["sub_code"]) == ("40004", "PAYMENT_INFO_INCONSISTENCY")
    assert len(await platform.payouts()) == 1


async def test_fifty_at_once_are_one_order(platform: OpenPlatform) -> None:
    """All of them hear of it, under one number."""
    told = await asyncio.gather(*(platform.app.pay("A") for _ in range(50)))
    await platform.desk.taken_in()

    assert {(one["status"], one["order_id"]) for one in told} == {
        ("DEALING", told[0]["order_id"]),
    }
    assert len(await platform.payouts()) == 1


async def test_a_replayed_signature_is_the_idempotent_answer(platform: OpenPlatform) -> None:
    """Also days afterwards; what was recorded and never arrived makes no order then."""
    sent = platform.app.signed(TRANSFER, transfer("A"))
    unsent = platform.app.signed(TRANSFER, transfer("B", payee_info=card()))
    await platform.app.post(sent)
    await platform.work()
    platform.desk.clock.at = after(days=2)

    again = platform.app.open(await platform.app.post(sent))
    never = platform.app.open(await platform.app.post(unsent))

    assert again["status"] == "SUCCESS"
    assert (never["code"], never["sub_code"]) == ("40002", "isv.invalid-timestamp")
    assert len(await platform.payouts()) == 1


@pytest.mark.parametrize("hours", [-23, -8, 8, 23])
async def test_a_wrong_time_zone_does_not_matter(platform: OpenPlatform, hours: int) -> None:
    """SDKs write local time."""
    app = dataclasses.replace(
        platform.app, now=lambda: platform.desk.clock.now() + timedelta(hours=hours)
    )

    assert (await app.pay("A"))["status"] == "DEALING"


async def test_another_number_for_the_same_waits_for_a_person(platform: OpenPlatform) -> None:
    """Or, where the merchant wants it refused, is told to come again: never that it failed."""
    await platform.app.pay("A")
    held = await platform.app.pay("B")
    await platform.set(soft_dedupe_as="refuse")
    refused = await platform.app.pay("C")

    assert (held["status"], (await platform.app.query("B"))["status"]) == ("DEALING", "DEALING")
    assert refused["sub_code"] == "REQUEST_PROCESSING"
    states = [one.state for one in await platform.payouts()]
    assert states == [PayoutState.ROUTING, PayoutState.HELD]
    assert (await platform.app.query("C"))["sub_code"] == "ORDER_NOT_EXIST"


async def test_replays_can_be_refused(platform: OpenPlatform) -> None:
    """With a word after which callers ask."""
    await platform.set(replay_duplicates=False)
    await platform.app.pay("A")

    assert (await platform.app.pay("A"))["sub_code"] == "PAYMENT_INFO_INCONSISTENCY"


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.PAYEE_NOT_FOUND, "PAYEE_NOT_EXIST"),
        (Reason.INSTRUMENT_INVALID, "PAYEE_USER_TYPE_ERROR"),
        (Reason.UNEXPLAINED, "PAYMENT_FAIL"),
    ],
)
async def test_a_proven_failure_is_told_with_its_cause(
    platform: OpenPlatform, reason: Reason, error: str
) -> None:
    """In the query and to the same submission again; never in the channel's own words."""
    platform.desk.till.outcomes.append(Rejected(reason, "NO", "张三丰 is unknown"))
    await platform.app.pay("A")
    await platform.work()

    found, again = await platform.app.query("A"), await platform.app.pay("A")

    assert (found["status"], found["error_code"]) == ("FAIL", error)
    assert (again["status"], again["sub_status"]) == ("FAIL", error)
    assert found["fail_reason"].startswith("转账失败")
    assert "张三丰" not in json.dumps(found, ensure_ascii=False)


async def test_a_refusal_that_another_try_may_follow_is_dealing(platform: OpenPlatform) -> None:
    """The channel's own trouble is nobody's business while the order may yet be paid."""
    platform.desk.till.outcomes.append(Rejected(Reason.RAIL_DOWN, "DOWN", ""))
    await platform.app.pay("A")
    await platform.work()

    found = await platform.app.query("A")

    assert found["status"] == "DEALING"
    assert "error_code" not in found


async def test_a_late_success_takes_the_failure_back(platform: OpenPlatform) -> None:
    """A channel that contradicts its refusal: nobody may pay by another way."""
    platform.desk.till.outcomes.append(Rejected(Reason.PAYEE_NOT_FOUND, "NO", ""))
    await platform.app.pay("A")
    await platform.work()
    failed = await platform.app.query("A")
    (payout,) = await platform.payouts()
    event = contradicted(amount_minor=1230)
    await record.move(platform.desk.gateway, payout, [event], actor="test")

    late, again = await platform.app.query("A"), await platform.app.pay("A")

    assert (failed["status"], late["status"], again["status"]) == ("FAIL", "DEALING", "DEALING")
    assert "error_code" not in late


async def test_money_that_came_back_is_a_refund(platform: OpenPlatform) -> None:
    """With the day it was paid, and why it is here again."""
    came_back = Returned("till-1", after(5), cny(1230), Reason.BANK_RETURNED)
    platform.desk.till.outcomes.append(came_back)
    await platform.app.pay("A", payee_info=card())
    await platform.work()

    found = await platform.app.query("A")

    assert (found["status"], found["error_code"]) == ("REFUND", "PAYEE_CARD_INFO_ERROR")
    assert found["fail_reason"] == "已退票，款项已退回"


async def test_an_unknown_outcome_is_dealing(platform: OpenPlatform) -> None:
    """And names no error."""
    platform.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await platform.app.pay("A")
    await platform.work()

    found, again = await platform.app.query("A"), await platform.app.pay("A")

    assert (found["status"], again["status"]) == ("DEALING", "DEALING")
    assert "fail_reason" not in found


async def test_a_payee_who_must_act_is_shown_where(platform: OpenPlatform) -> None:
    """The link comes with the answer to the same order again."""
    link = "https://pay.example.com/confirm/{1}"
    platform.desk.till.outcomes.append(
        Pending("till-1", "waiting", PayeeAction("open_link", link, after(days=1)))
    )
    await platform.app.pay("A")
    await platform.work()

    assert (await platform.app.pay("A"))["link"] == link


async def test_what_a_person_stopped_has_failed(platform: OpenPlatform) -> None:
    """With a code that says no more than that."""
    await platform.app.pay("A")
    await platform.app.pay("B")
    await operate.cancel(platform.desk.gateway, (await platform.payouts())[1].id, None, "ops")

    found = await platform.app.query("B")

    assert (found["status"], found["error_code"], found["fail_reason"]) == (
        *("FAIL", "PAYMENT_FAIL", "转账已取消"),
    )


async def test_the_balance_counts_what_can_be_paid_out(platform: OpenPlatform) -> None:
    """And what is promised to transfers under way."""
    asked = {"account_type": "ACCTRANS_ACCOUNT", "alipay_user_id": "2088000000000001"}
    before = await platform.app.call(BALANCE, asked)
    await platform.app.pay("A")
    told = await platform.app.call(BALANCE, asked)
    other = await platform.app.call(BALANCE, {"account_type": "BALANCE"})

    assert before["available_amount"] == "1000000.00"
    assert (told["available_amount"], told["freeze_amount"]) == ("999987.40", "12.60")
    assert other["sub_code"] == "INVALID_PARAMETER"


async def test_a_deducted_fee_leaves_the_order_what_was_asked_for(platform: OpenPlatform) -> None:
    """The amount is the caller's own; what the fee eats up is refused."""
    fee = MerchantFee(Fee(flat_minor=100, mode="deducted"))
    merchant = (await platform.desk.store.merchants())[0]
    await platform.desk.add_merchant(replace(merchant, id=type(ACME)("m_in"), fee=fee))
    other = replace(
        platform.account,
        id="da_3",
        public_id="2021000000000003",
        merchant_id=type(ACME)("m_in"),
    )
    await platform.desk.store.add_dialect_account(other, "test")
    app = dataclasses.replace(platform.app, app_id="2021000000000003")

    taken, found = await app.pay("A"), await app.query("A")
    eaten = await app.pay("B", trans_amount="1.00")

    assert (taken["amount"], found["trans_amount"], found["order_fee"]) == (
        *("12.30", "12.30", "1.00"),
    )
    assert eaten["sub_code"] == "EXCEED_LIMIT_SM_MIN_AMOUNT"


async def test_nobody_sees_another_accounts_orders(platform: OpenPlatform) -> None:
    """Nor is another account's order of the same number the same order."""
    taken = await platform.app.pay("A")
    other = replace(platform.account, id="da_2", public_id="2021000000000002")
    await platform.desk.store.add_dialect_account(other, "test")
    app = dataclasses.replace(platform.app, app_id="2021000000000002")

    assert (await app.query("A"))["sub_code"] == "ORDER_NOT_EXIST"
    absent = await app.call(QUERY, {"order_id": taken["order_id"]})
    assert absent["sub_code"] == "ORDER_NOT_EXIST"
    assert (await app.pay("A", payee_info=card()))["order_id"] != taken["order_id"]
    assert len(await platform.payouts()) == 2


async def test_what_the_caller_gave_along_comes_back(platform: OpenPlatform) -> None:
    """With braces and quotes that naive clients would count."""
    passed = '{"a": "}", "sign": "x"} 说明'
    await platform.app.pay("A", passback_params=passed, remark="备注", secret_hint="s3cret")
    body = await platform.app.post(platform.app.signed(QUERY, about("A")))

    assert platform.app.open(body)["passback_params"] == passed
    assert body.count(b"{") == body.count(b"}") == 2
    (payout,) = await platform.payouts()
    assert payout.metadata == {"passback_params": passed, "remark": "备注"}
    lines = [one for one in platform.desk.log_lines() if one["event"] == "dialect.unknown_fields"]
    assert [one["problem"] for one in lines] == ["'secret_hint'"]
    assert "s3cret" not in platform.desk.log.getvalue()


async def test_callers_outside_the_allow_list_are_refused(platform: OpenPlatform) -> None:
    """By network."""
    await platform.set(ip_allow=("10.0.0.0/8",))
    body = await platform.app.post(platform.app.signed(TRANSFER, transfer("A")))

    node = json.loads(body)["alipay_fund_trans_uni_transfer_response"]
    assert (node["code"], node["sub_msg"]) == ("40006", "请求 IP 不在白名单内")
    assert await platform.payouts() == []


async def test_a_closed_account_is_still_told_of_what_it_asked_for(platform: OpenPlatform) -> None:
    """And gets nothing new."""
    await platform.app.pay("A")
    await platform.work()
    closed = replace(platform.account, version=2, removed_at=after(1))
    await platform.desk.store.change_dialect_account(closed, "removed", "ops")

    known, fresh = await platform.app.pay("A"), await platform.app.pay("B")

    assert known["status"] == "SUCCESS"
    assert (fresh["code"], fresh["sub_code"]) == ("40004", "PAYER_STATUS_ERROR")
    assert len(await platform.payouts()) == 1


async def test_two_key_sets_work_while_keys_are_exchanged(platform: OpenPlatform) -> None:
    """Whoever asks with one is answered with the same one's."""
    fresh = replace(platform.account.keys[0], id="k2", theirs=pairs()[2][1], ours=pairs()[2][0])
    rotated = platform.account.rotated(fresh, only=False)
    await platform.desk.store.change_dialect_account(rotated, "rotated", "ops")
    private, public = pairs()[2]
    new = dataclasses.replace(platform.app, private_key=private, alipay_public_key=public)

    assert (await platform.app.pay("A"))["code"] == "10000"
    assert (await new.pay("A"))["code"] == "10000"


@pytest.mark.parametrize("path", ["/d/alipay/", "/d/alipay/other.do", "/d/alipay/gateway.do/"])
async def test_other_addresses_say_where_to_ask(platform: OpenPlatform, path: str) -> None:
    """Unsigned, since nobody was asked for by then."""
    app = dataclasses.replace(platform.app, url=str(platform.desk.server.make_url(path)))
    told = json.loads(await app.post(app.signed(QUERY, about("A"))))

    assert told["alipay_fund_trans_common_query_response"]["sub_code"] == "isv.invalid-method"


async def test_the_stock_path_answers_on_a_host_of_its_own(platform: OpenPlatform) -> None:
    """On others it does not exist."""
    server = platform.desk.server
    platform.desk.api.dialect_hosts = {"127.0.0.1": "alipay"}
    here = dataclasses.replace(platform.app, url=str(server.make_url("/gateway.do")))
    assert (await here.pay("A"))["status"] == "DEALING"

    platform.desk.api.dialect_hosts = {"pay.example.com": "alipay"}
    async with platform.desk.http.get(server.make_url("/gateway.do")) as told:
        assert told.status == 404


async def test_replies_name_their_charset(platform: OpenPlatform) -> None:
    """The Java client reads them by it."""
    given = platform.app.signed(QUERY, about("A"), charset="GBK")
    query = "&".join(f"{name}={quote_plus(value)}" for name, value in given.items())
    async with platform.desk.http.get(f"{platform.app.url}?{query}") as told:
        assert told.headers["Content-Type"] == "application/json;charset=gbk"


async def test_no_key_is_told_or_logged(platform: OpenPlatform) -> None:
    """Neither side's private key, nor a payee."""
    bodies = [
        await platform.app.post(platform.app.signed(TRANSFER, transfer("A"))),
        await platform.app.post({**platform.app.signed(TRANSFER, transfer("B")), "sign": "x"}),
        await platform.app.post({"app_id": APP_ID}),
    ]
    await platform.work()
    (keys,) = platform.account.keys
    seen = b"".join(bodies) + platform.desk.log.getvalue().encode()

    assert keys.ours is not None
    for secret in (keys.ours[100:160], platform.app.private_key[100:160], "zhang@example.com"):
        assert secret.encode() not in seen
