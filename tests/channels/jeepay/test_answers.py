"""What the Jeepay adapter makes of answers: proof first, then codes, then every field."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from channels.contract import (
    Absent,
    Instrument,
    Paid,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.jeepay import codes
from channels.jeepay.answers import Reader
from tests.channels.jeepay.gateway import (
    CARD,
    LOGON,
    NOW,
    TRANSFER,
    WALLET,
    compact,
    envelope,
    inquiry,
    order,
    refusal,
    reply,
    settings,
    signature,
    taken,
)

READER = Reader(settings())
WECHAT = {"ifCode": "wxpay", "entryType": "WX_CASH", "accountNo": WALLET.openid}
BANK = {"ifCode": "bank", "entryType": "BANK_CARD", "accountNo": CARD.number}


def asked(data: dict[str, object], instrument: Instrument = LOGON, **trust: object) -> object:
    """What a query's answer means."""
    reader = Reader(settings(**trust))
    return reader.inquired(reply(envelope(data)), inquiry(instrument), NOW)


def sent(data: dict[str, object], instrument: Instrument = LOGON, **trust: object) -> object:
    """What a submission's answer means."""
    reader = Reader(settings(**trust))
    return reader.submitted(reply(envelope(data)), inquiry(instrument), NOW)


def test_a_paid_order_is_paid_when_it_says() -> None:
    """State 2, dated by successTime; a submission's answer has none, and it has just happened."""
    at = datetime(2026, 11, 2, 1, 30, 1, tzinfo=UTC)
    assert asked(order()) == Paid(TRANSFER, at)
    assert sent(taken()) == Paid(TRANSFER, NOW)


def test_numbers_written_as_text_are_read_alike() -> None:
    """Resellers do so, and sign both the same."""
    assert asked(order(amount="12345", state="2")) == asked(order())


@pytest.mark.parametrize("state", [0, "0"])
def test_created_is_no_state_to_rest_in(state: object) -> None:
    """After SYS_ERROR or a crash the order stays so, paid or not: keep asking."""
    outcome = asked(order(state=state, errMsg="系统异常"))
    assert isinstance(outcome, Unknown)
    assert (outcome.cause, outcome.evidence.message) == (UnknownCause.CHANNEL_UNSURE, "系统异常")


def test_processing_is_pending() -> None:
    """State 1."""
    assert asked(order(state=1, successTime=None)) == Pending(TRANSFER, "1")


@pytest.mark.parametrize("state", ["5", 17, "ARCHIVED", -1, 1.5])
def test_a_state_no_table_knows_is_unknown(state: object) -> None:
    """Enums drift."""
    outcome = asked(order(state=state))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNKNOWN_STATE


@pytest.mark.parametrize("state", [True, None, "", "2&amount=1", ["2"]])
def test_a_state_that_is_no_word_is_unreadable(state: object) -> None:
    """Neither a flag nor nothing nor something that poses as more fields."""
    outcome = asked(order(state=state))
    assert isinstance(outcome, Unknown)
    assert outcome.cause in {UnknownCause.UNREADABLE, UnknownCause.BAD_SIGNATURE}


# ---- failures: whose word is it? ----


@pytest.mark.parametrize(
    ("instrument", "said", "reason"),
    [
        (LOGON, {"errCode": "PAYEE_NOT_EXIST", "errMsg": "收款账号不存在"}, Reason.PAYEE_NOT_FOUND),
        (LOGON, {"errCode": "PAYEE_USERINFO_ERROR"}, Reason.PAYEE_NAME_MISMATCH),
        (WALLET, {**WECHAT, "errCode": "FAIL", "errMsg": "ACCOUNT_FROZEN"}, Reason.PAYEE_BLOCKED),
        (WALLET, {**WECHAT, "errCode": "FAIL", "errMsg": "OVERDUE_CLOSE"}, Reason.PAYEE_EXPIRED),
    ],
)
def test_the_channels_own_word_about_a_payee_is_a_failure(
    instrument: Instrument, said: dict[str, object], reason: Reason
) -> None:
    """Rejected when asked about; on sending it must be looked at first."""
    data = order(state=3, successTime=None, **said)
    found = asked(data, instrument)
    assert isinstance(found, Rejected)
    assert (found.reason, found.confirm, found.channel_ref) == (reason, False, TRANSFER)
    first = sent(taken(state=3, **said), instrument)
    assert isinstance(first, Rejected)
    assert (first.reason, first.confirm, first.channel_ref) == (reason, True, TRANSFER)


UNLISTED: list[tuple[Instrument, dict[str, object]]] = [
    (LOGON, {}),
    (LOGON, {"errCode": "SYSTEM_ERROR"}),
    (LOGON, {"errCode": "PAYER_BALANCE_NOT_ENOUGH"}),
    (LOGON, {"errCode": "SOME_NEW_ERROR", "errMsg": "PAYEE_NOT_EXIST"}),
    (LOGON, {"errCode": "payee_not_exist"}),
    (LOGON, {"errCode": "FAIL", "errMsg": "ACCOUNT_FROZEN"}),
    (WALLET, {**WECHAT, "errCode": "SYSTEM_ERROR", "errMsg": "系统错误"}),
    (WALLET, {**WECHAT, "errCode": "ACCOUNT_FROZEN"}),
    (WALLET, {**WECHAT, "errCode": "FAIL", "errMsg": "BUDGET_NOT_ENOUGH"}),
    (WALLET, {**WECHAT, "errCode": "CANCELLING", "errMsg": "转账失败，该笔转账记录已执行撤销操作"}),
    (CARD, {**BANK, "errCode": "PAYEE_CARD_INFO_ERROR"}),
]


@pytest.mark.parametrize("state", [3, 4])
@pytest.mark.parametrize(("instrument", "said"), UNLISTED)
def test_any_other_failure_waits_for_a_person(
    state: int, instrument: Instrument, said: dict[str, object]
) -> None:
    """Jeepay writes 3 for whatever it does not understand, money moved or not."""
    for outcome in (
        asked(order(state=state, **said), instrument),
        sent(taken(state=state, **said), instrument),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.CHANNEL_UNSURE


def test_an_operator_can_trust_all_failures() -> None:
    """With a cause nobody knows, nothing is tried elsewhere by itself."""
    outcome = asked(order(state=4, errCode="SOME_NEW_ERROR"), trust_failures="all")
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (Reason.UNEXPLAINED, "SOME_NEW_ERROR")


def test_an_operator_can_trust_none() -> None:
    """Not even the channel's own word."""
    outcome = asked(order(state=3, errCode="PAYEE_NOT_EXIST"), trust_failures="none")
    assert isinstance(outcome, Unknown)


def test_the_payee_is_blotted_out_of_their_words() -> None:
    """Error texts like to repeat account and name."""
    text = f"收款人{LOGON.name}账号{LOGON.identity}不存在"
    outcome = asked(order(state=3, errCode="PAYEE_NOT_EXIST", errMsg=text))
    assert isinstance(outcome, Rejected)
    assert outcome.message == "收款人***账号***不存在"


# ---- proof ----


@pytest.mark.parametrize(
    "changes",
    [
        {"sign": None},
        {"sign": ""},
        {"sign": "0" * 32},
        {"sign": 7},
        {"data": None},
        {"data": []},
        {"data": {"state": {"nested": 2}}},
    ],
)
def test_what_is_not_signed_is_not_believed(changes: dict[str, object]) -> None:
    """Code 0 without a signature that fits its data."""
    outcome = READER.inquired(reply(envelope(order(), **changes)), inquiry(), NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.BAD_SIGNATURE


def test_one_changed_field_breaks_the_proof() -> None:
    """Whatever it is, also one that is not read."""
    for name in order():
        changed = {**order(), name: "7"}
        body = compact({"code": 0, "data": changed, "sign": signature(order())})
        outcome = READER.inquired(reply(body), inquiry(), NOW)
        assert isinstance(outcome, Unknown), name
        assert outcome.cause is UnknownCause.BAD_SIGNATURE, name


def test_the_previous_secret_is_still_believed() -> None:
    """Their side changes it at another moment than ours."""
    data = order()
    body = envelope(data, sign=signature(data, "the-previous-secret"))
    reader = Reader(settings(previous_app_secret="the-previous-secret"))
    assert isinstance(reader.inquired(reply(body), inquiry(), NOW), Paid)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mchOrderNo", "P7K2M9X4Q1A2"),
        ("amount", 12344),
        ("accountNo", "li@example.test"),
        ("mchNo", "M1"),
        ("appId", "another"),
        ("ifCode", "wxpay"),
        ("entryType", "BANK_CARD"),
        ("currency", "usd"),
    ],
)
def test_an_order_that_is_not_ours_is_a_mismatch(name: str, value: object) -> None:
    """Every echo is compared, and the one that differs is named."""
    outcome = asked(order(**{name: value}))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH
    assert name in (outcome.evidence.message or "")


def test_another_order_of_theirs_is_a_mismatch() -> None:
    """Their number is compared once it is known."""
    got = READER.inquired(reply(envelope(order())), inquiry(channel_ref="T1"), NOW)
    assert isinstance(got, Unknown)
    assert got.cause is UnknownCause.MISMATCH


@pytest.mark.parametrize("name", ["transferId", "mchOrderNo", "amount", "accountNo", "state"])
def test_an_order_without_what_is_compared_is_unreadable(name: str) -> None:
    """Nothing is filled in."""
    outcome = asked(order(**{name: None}))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNREADABLE


@pytest.mark.parametrize("amount", [-1, "12345.0", "1e4", " 12345", True, 2**63, "一"])
def test_an_amount_that_is_no_whole_number_is_unreadable(amount: object) -> None:
    """Fen are digits."""
    outcome = asked(order(amount=amount))
    assert isinstance(outcome, Unknown)
    assert outcome.cause in {UnknownCause.UNREADABLE, UnknownCause.BAD_SIGNATURE}


# ---- codes ----


@pytest.mark.parametrize(
    "row", [row for row in codes.SUBMIT if isinstance(codes.SUBMIT[row].means, UnknownCause)]
)
def test_an_unsigned_code_never_proves_a_failure(row: str) -> None:
    """9999 comes after a payment as well; so may the others."""
    for read in (READER.submitted, READER.inquired):
        outcome = read(reply(refusal(int(row), "失败")), inquiry(), NOW)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.CHANNEL_UNSURE
        assert outcome.evidence.code == row


def test_refused_fields_need_looks() -> None:
    """Code 11 is raised before an order is written: a refusal, but not signed."""
    body = refusal(11, "参数有误[转账金额不能为空]")
    outcome = READER.submitted(reply(body), inquiry(), NOW)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code, outcome.confirm) == (
        Reason.PARAMETER_REFUSED,
        "11",
        True,
    )
    assert isinstance(READER.inquired(reply(body), inquiry(), NOW), Unknown)


@pytest.mark.parametrize("code", [1, 5005, "NEW", -1])
def test_a_code_no_table_knows_is_unknown(code: object) -> None:
    """On sending and on asking."""
    for read in (READER.submitted, READER.inquired):
        outcome = read(reply(refusal(code, "?")), inquiry(), NOW)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNKNOWN_CODE


def test_not_found_is_absence_only_where_it_is_trusted() -> None:
    """It comes unsigned; and only this text under this code."""
    body = refusal(9999, "订单不存在")
    assert isinstance(READER.inquired(reply(body), inquiry(), NOW), Unknown)
    trusting = Reader(settings(trust_not_found=True))
    assert isinstance(trusting.inquired(reply(body), inquiry(), NOW), Absent)
    for other in (refusal(9999, "订单不存在！"), refusal(10, "订单不存在")):
        assert isinstance(trusting.inquired(reply(other), inquiry(), NOW), Unknown)
    assert isinstance(trusting.submitted(reply(body), inquiry(), NOW), Unknown)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, envelope(order())),
        (404, b'{"status":404}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"msg":"SUCCESS"}'),
        (200, b'{"code":null}'),
        (200, b""),
    ],
)
def test_an_http_status_or_a_stranger_is_no_answer(status: int, body: bytes) -> None:
    """Only 200 with an envelope is read at all."""
    for read in (READER.submitted, READER.inquired):
        outcome = read(reply(body, status), inquiry(), NOW)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNREADABLE


# ---- what the payee has to do ----


def test_the_gateways_page_is_where_the_payee_confirms() -> None:
    """Within 24 hours of the order; without the page, WeChat's package is handed on."""
    page = "https://pay.example.test/cashier/transfer/T1"
    attached = {"appId": "wx1", "mchId": "19", "package": "ABBQO+x", "userH5ConfirmUrl": page}
    until = datetime(2026, 11, 3, 1, 30, 0, 123000, tzinfo=UTC)

    def action(**given: object) -> PayeeAction | None:
        data = order(
            **WECHAT,
            state=1,
            successTime=None,
            channelResData=compact(given).decode() if given else None,
        )
        outcome = asked(data, WALLET)
        assert isinstance(outcome, Pending)
        return outcome.action

    assert action(**attached) == PayeeAction("open_link", page, until)
    del attached["userH5ConfirmUrl"]
    assert action(**attached) == PayeeAction(
        "wechat_confirm", "ABBQO+x", until, app_id="wx1", mch_id="19"
    )
    assert action(package="x", userH5ConfirmUrl="javascript:1") == PayeeAction(
        "wechat_confirm", "x", until
    )
    assert action() is None
    assert action(code="10000") is None


def test_a_fresh_order_expires_a_day_from_now() -> None:
    """A submission's answer does not say when it was made."""
    data = taken(**WECHAT, state=1, channelResData='{"package":"p"}')
    outcome = sent(data, WALLET)
    assert isinstance(outcome, Pending)
    assert outcome.action == PayeeAction("wechat_confirm", "p", NOW + timedelta(hours=24))


@pytest.mark.parametrize("half", ["\ud800", "\ud83d\ude00"])
def test_half_a_character_is_unreadable_and_never_an_error(half: str) -> None:
    """Whoever stands on the line can write it; a send must end in an outcome all the same."""
    body = json.dumps({"code": 0, "data": order(errMsg="x"), "sign": "0" * 32}).encode()
    body = body.replace(
        b'"errMsg": "x"', b'"errMsg": "' + half.encode(errors="surrogatepass") + b'"'
    )
    for answer in (
        READER.submitted(reply(body), inquiry(), NOW),
        READER.inquired(reply(body), inquiry(), NOW),
    ):
        assert isinstance(answer, Unknown)
        assert answer.cause is UnknownCause.UNREADABLE
