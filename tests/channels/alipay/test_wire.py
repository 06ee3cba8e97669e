"""What is asked of Alipay, and what its verified answers mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.alipay import codes, wire
from channels.alipay.envelope import Node
from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    Evidence,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
    WechatWallet,
)
from channels.money import Currency, Money
from tests.channels.alipay.platform import (
    ACCOUNT,
    AMOUNT,
    CARD,
    CORPORATE,
    LOGON,
    ORDER,
    REFERENCE,
    SETTINGS,
    found,
    inquiry,
    instruction,
    paid,
    refused,
    settings,
)

SEEN = Evidence(http_status=200)
PAID_AT = datetime(2026, 11, 2, 1, 30, 1, tzinfo=UTC)


def submitted(fields: dict[str, object]) -> Outcome:
    """What this answer to our transfer means."""
    return wire.read_submission(node(fields), inquiry(), SEEN)


def inquired(fields: dict[str, object], channel_ref: str | None = None) -> Outcome | Absent:
    """What this answer to our query means."""
    return wire.read_inquiry(node(fields), inquiry(channel_ref=channel_ref), SEEN)


def node(fields: dict[str, object]) -> Node:
    """A verified answer."""
    return Node({name: value for name, value in fields.items() if isinstance(value, str)})


# --- asking ----------------------------------------------------------------------------------


def test_transfer_to_an_account() -> None:
    """Amount in yuan with two decimals; the purpose is title and remark."""
    assert wire.transfer(instruction(), SETTINGS) == {
        "out_biz_no": REFERENCE,
        "trans_amount": "123.45",
        "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "order_title": "十月佣金",
        "remark": "十月佣金",
        "payee_info": {
            "identity": "2088123456789012",
            "identity_type": "ALIPAY_USER_ID",
            "name": "张三丰",
        },
    }


@pytest.mark.parametrize(
    ("identity_type", "name"),
    [
        (AlipayIdentity.USER_ID, "ALIPAY_USER_ID"),
        (AlipayIdentity.LOGON_ID, "ALIPAY_LOGON_ID"),
        (AlipayIdentity.OPEN_ID, "ALIPAY_OPEN_ID"),
    ],
)
def test_identity_types_have_the_platform_s_names(identity_type: AlipayIdentity, name: str) -> None:
    """And a name that is not known is left out, not sent empty."""
    content = wire.transfer(instruction(AlipayAccount("x", identity_type)), SETTINGS)
    assert content["payee_info"] == {"identity": "x", "identity_type": name}


def test_transfer_to_a_personal_card() -> None:
    """Our short bank code is not their line number, so only the bank's name goes along."""
    content = wire.transfer(instruction(CARD), SETTINGS)
    assert content["product_code"] == "TRANS_BANKCARD_NO_PWD"
    assert content["payee_info"] == {
        "identity": "6222020200112233445",
        "identity_type": "BANKCARD_ACCOUNT",
        "name": "张三丰",
        "bankcard_ext_info": {"account_type": "2", "inst_name": "中国工商银行"},
    }


def test_transfer_to_a_corporate_account() -> None:
    """With the branch's line number; what is not known is left out."""
    content = wire.transfer(instruction(CORPORATE), SETTINGS)
    assert content["product_code"] == "TRANS_BANKCARD_NO_PWD"
    assert content["payee_info"] == {
        "identity": "0200004509022100123",
        "identity_type": "BANKCARD_ACCOUNT",
        "name": "杭州某某科技有限公司",
        "bankcard_ext_info": {
            "account_type": "1",
            "bank_code": "102100000450",
            "inst_name": "中国工商银行",
            "inst_branch_name": "海淀支行",
        },
    }


def test_empty_purpose_is_left_out() -> None:
    """No empty title, no empty remark."""
    content = wire.transfer(instruction(purpose=""), SETTINGS)
    assert not {"order_title", "remark"} & set(content)


def test_scene_is_reported_when_configured() -> None:
    """The scene's name and its lines."""
    info = {"info_type": "佣金报酬说明", "info_content": "十月推广佣金"}
    configured = settings(transfer_scene_name="佣金报酬", transfer_scene_report_infos=[info])
    content = wire.transfer(instruction(), configured)
    assert content["transfer_scene_name"] == "佣金报酬"
    assert content["transfer_scene_report_infos"] == [info]


def test_wallet_of_another_institution_cannot_be_paid() -> None:
    """`check` refuses it earlier; building it is a mistake."""
    wallet = instruction(WechatWallet("openid"))
    configured = SETTINGS.model_copy(update={"products": {wallet.instrument.rail: "X"}})
    with pytest.raises(ValueError, match="wechat"):
        wire.transfer(wallet, configured)


def test_query_prefers_the_platform_s_number() -> None:
    """By order_id if it is known, else by ours with product and scene."""
    assert wire.query(inquiry(channel_ref=ORDER)) == {"order_id": ORDER}
    assert wire.query(inquiry(CARD)) == {
        "out_biz_no": REFERENCE,
        "product_code": "TRANS_BANKCARD_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
    }


# --- submitted -------------------------------------------------------------------------------


def test_success_is_paid() -> None:
    """With the platform's number and time; no fee is named, so none is claimed."""
    assert submitted(paid()) == Paid(ORDER, PAID_AT, None)


def test_dealing_is_pending() -> None:
    """A card is on its way."""
    assert submitted(paid(status="DEALING", sub_status="BANK")) == Pending(ORDER, "BANK")


def test_fail_is_rejected_once_confirmed() -> None:
    """The table of codes does not speak of a FAIL answer, so an inquiry has to agree."""
    outcome = submitted(paid(status="FAIL", error_code="PAYEE_CARD_INFO_ERROR"))
    assert outcome == Rejected(
        Reason.INSTRUMENT_INVALID,
        "PAYEE_CARD_INFO_ERROR",
        confirm=True,
        channel_ref=ORDER,
    )


def test_refund_is_returned() -> None:
    """A resend may find the order already returned."""
    outcome = submitted(paid(status="REFUND", refund_date="2026-11-03 10:00:00"))
    assert outcome == Returned(ORDER, datetime(2026, 11, 3, 2, tzinfo=UTC), AMOUNT)


@pytest.mark.parametrize("status", ["", "success", "PAID", "UNKNOWN", "SUCCESS "])
def test_unknown_status_is_unknown(status: str) -> None:
    """A word the table does not know is not a state; it is what people are told of."""
    seen = replace(SEEN, code=status)
    assert submitted(paid(status=status)) == Unknown(UnknownCause.UNKNOWN_STATE, seen)


@pytest.mark.parametrize(
    "changes",
    [
        {"out_biz_no": "OTHER"},
        {"out_biz_no": ""},
        {"amount": "123.46"},
        {"trans_amount": "1234.5"},
        {"amount": "12345"},
        {"amount": "about 123.45"},
        {"amount": "1.2345e2"},
        {"amount": "-123.45"},
    ],
)
@pytest.mark.parametrize("status", ["SUCCESS", "FAIL", "DEALING", "REFUND"])
def test_answer_about_something_else_is_a_mismatch(status: str, changes: dict[str, object]) -> None:
    """Another number or another amount: whatever state it reports is not ours."""
    outcome = submitted(paid(status=status) | changes)
    assert outcome == Unknown(UnknownCause.MISMATCH, SEEN)


def test_amount_in_fewer_decimals_is_the_same_amount() -> None:
    """The platform may drop a trailing zero."""
    asked = replace(inquiry(), amount=Money(12_340, Currency.CNY))
    outcome = wire.read_submission(node(paid(amount="123.4")), asked, SEEN)
    assert isinstance(outcome, Paid)


@pytest.mark.parametrize(
    "changes",
    [
        {"trans_date": ""},
        {"trans_date": "2026-13-02 09:30:01"},
        {"trans_date": "yesterday"},
        {"order_id": ""},
    ],
)
def test_success_without_time_or_number_is_unreadable(changes: dict[str, object]) -> None:
    """Paid needs both; the inquiry will tell."""
    assert submitted(paid() | changes) == Unknown(UnknownCause.UNREADABLE, SEEN)


def test_definite_refusal_is_rejected() -> None:
    """Class (a), with the platform's own words."""
    assert submitted(refused("PAYEE_NOT_EXIST")) == Rejected(
        Reason.PAYEE_NOT_FOUND, "PAYEE_NOT_EXIST", "业务处理失败"
    )


def test_refusal_of_another_number_is_a_mismatch() -> None:
    """If it names a number, it must be ours."""
    outcome = submitted(refused("PAYEE_NOT_EXIST", out_biz_no="OTHER"))
    assert outcome == Unknown(UnknownCause.MISMATCH, SEEN)


def test_short_balance_wants_confirmation() -> None:
    """Class (d)."""
    outcome = submitted(refused("PAYER_BALANCE_NOT_ENOUGH"))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm) == (Reason.FLOAT_SHORT, True)


@pytest.mark.parametrize(
    ("sub_code", "cause"),
    [
        ("SYSTEM_ERROR", UnknownCause.CHANNEL_UNSURE),
        ("RESOURCE_LIMIT_EXCEED", UnknownCause.THROTTLED),
        ("NEVER_HEARD_OF", UnknownCause.UNKNOWN_CODE),
    ],
)
def test_doubtful_refusal_is_unknown(sub_code: str, cause: UnknownCause) -> None:
    """Classes (b) and (c), and codes of no class."""
    assert submitted(refused(sub_code)) == Unknown(cause, SEEN)


# --- inquired --------------------------------------------------------------------------------


def test_query_success_is_paid_with_the_fee_it_names() -> None:
    """order_fee is the platform's word on the fee."""
    fee = Money(12, Currency.CNY)
    assert inquired(found()) == Paid(ORDER, PAID_AT, fee)


@pytest.mark.parametrize("fee", ["", "free", "0.123"])
def test_unreadable_fee_is_no_fee(fee: str) -> None:
    """The payout is paid all the same; the statement books the fee."""
    assert inquired(found(order_fee=fee)) == Paid(ORDER, PAID_AT, None)


@pytest.mark.parametrize("status", ["WAIT_PAY", "DEALING"])
def test_query_of_an_open_order_is_pending(status: str) -> None:
    """Keep asking."""
    assert inquired(found(status=status)) == Pending(ORDER, status)


@pytest.mark.parametrize("status", ["CLOSED", "FAIL"])
def test_query_of_a_failed_order_is_a_certificate(status: str) -> None:
    """A verified terminal failure under our number, needing no further confirmation."""
    outcome = inquired(
        found(status=status, error_code="INVALID_CARDNO", fail_reason="卡号有误", trans_amount="")
    )
    assert outcome == Rejected(
        Reason.INSTRUMENT_INVALID, "INVALID_CARDNO", "卡号有误", channel_ref=ORDER
    )


def test_query_of_a_failed_order_without_code_names_the_state() -> None:
    """Something must be shown to people."""
    outcome = inquired(found(status="FAIL"))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (Reason.UNEXPLAINED, "FAIL")


def test_query_of_a_returned_order_dates_it_by_payment() -> None:
    """A query names no day of return; the statement will."""
    assert inquired(found(status="REFUND")) == Returned(ORDER, PAID_AT, AMOUNT)


def test_query_of_a_returned_order_without_any_time_is_unreadable() -> None:
    """Nothing is invented."""
    outcome = inquired(found(status="REFUND", pay_date=""))
    assert outcome == Unknown(UnknownCause.UNREADABLE, SEEN)


@pytest.mark.parametrize("status", ["SUCCESS", "REFUND"])
def test_query_must_name_the_amount_of_money_that_moved(status: str) -> None:
    """Paid or returned only if the amount is named and ours."""
    outcome = inquired(found(status=status, trans_amount=""))
    assert outcome == Unknown(UnknownCause.MISMATCH, SEEN)


@pytest.mark.parametrize(
    "changes", [{"out_biz_no": "OTHER"}, {"trans_amount": "0.01"}, {"order_id": "999"}]
)
def test_query_about_something_else_is_a_mismatch(changes: dict[str, object]) -> None:
    """Reference, amount and known order must agree."""
    outcome = inquired(found() | changes, channel_ref=ORDER)
    assert outcome == Unknown(UnknownCause.MISMATCH, SEEN)


def test_order_that_does_not_exist_is_absent() -> None:
    """Absent, which is never by itself a failure."""
    assert inquired(refused("ORDER_NOT_EXIST")) == Absent(SEEN)


@pytest.mark.parametrize(
    "fields",
    [
        refused("ORDER_NOT_EXIST", code="40002"),
        refused("ORDER_NOT_EXIST", code="10001"),
        refused("PAYEE_NOT_EXIST"),
        refused("SYSTEM_ERROR"),
        refused("ORDER_NOT_EXIST", out_biz_no="OTHER"),
    ],
)
def test_failed_query_is_unknown(fields: dict[str, object]) -> None:
    """A refusal of the question is no refusal of the payout."""
    assert isinstance(inquired(fields), Unknown)


# --- laws ------------------------------------------------------------------------------------

WORDS = st.text(max_size=12) | st.sampled_from(
    ["10000", "40004", "20000", "SUCCESS", "FAIL", REFERENCE, ORDER, "123.45", *codes.SUBMIT]
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("code", "sub_code", "status", "out_biz_no", "order_id", "amount"),
            *("trans_amount", "trans_date", "pay_date", "error_code", "order_fee"),
        ),
        WORDS,
    ),
)


@given(ANSWERS)
def test_no_answer_pays_or_refuses_without_saying_so(fields: dict[str, str]) -> None:
    """Paid needs code, number and state; Rejected needs a code or state from the tables."""
    for outcome in (
        wire.read_submission(Node(fields), inquiry(), SEEN),
        wire.read_inquiry(Node(fields), inquiry(), SEEN),
    ):
        if isinstance(outcome, Paid | Returned):
            assert fields["code"] == "10000"
            assert fields["out_biz_no"] == REFERENCE
            assert codes.STATUSES[fields["status"]] in {codes.Step.PAID, codes.Step.RETURNED}
        if isinstance(outcome, Rejected):
            failed = codes.STATUSES.get(fields.get("status", "")) is codes.Step.FAILED
            assert fields.get("sub_code") in codes.SUBMIT or failed


def test_instruments_of_the_tests_are_the_three_kinds() -> None:
    """Account, logon id, card and company account all have a payee block."""
    kinds = {
        str(wire.transfer(instruction(i), SETTINGS)["product_code"])
        for i in (ACCOUNT, LOGON, CARD, CORPORATE)
    }
    assert kinds == {"TRANS_ACCOUNT_NO_PWD", "TRANS_BANKCARD_NO_PWD"}
