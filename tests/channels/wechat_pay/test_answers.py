"""Reading replies: nothing without proof, nothing on a mismatch, and what is left to believe."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.contract import (
    Absent,
    BankCard,
    Paid,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.transport import Reply
from channels.wechat_pay.answers import MESSAGE_CHARS_MAX, Reader
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import BILL_NO, NOW, OPENID

READER = Reader(platform.settings())
PAID_AT = datetime(2026, 3, 2, 2, 5, tzinfo=UTC)


def unsigned(status: int, message: object) -> Reply:
    """The same reply without its signature headers, as a proxy would invent it."""
    return replace(platform.reply(status, message), headers={})


def forged(status: int, message: object) -> Reply:
    """A reply whose signature belongs to another body."""
    return replace(platform.reply(status, message), headers=platform.proof(b"something else"))


ANSWERS = [
    (200, platform.taken()),
    (200, platform.taken(state="FAIL", fail_reason="ACCOUNT_FROZEN")),
    (200, platform.bill()),
    (200, platform.bill(state="FAIL", fail_reason="ACCOUNT_FROZEN")),
    (400, {"code": "PARAM_ERROR", "message": "参数错误"}),
    (403, {"code": "NOT_ENOUGH", "message": "资金不足"}),
    (404, {"code": "NOT_FOUND", "message": "记录不存在"}),
    (429, {"code": "FREQUENCY_LIMITED", "message": "频率超限"}),
    (500, {"code": "SYSTEM_ERROR", "message": "系统异常"}),
    (502, b"<html>Bad Gateway</html>"),
]


@pytest.mark.parametrize(("status", "message"), ANSWERS)
@pytest.mark.parametrize("spoil", [unsigned, forged])
def test_without_proof_nothing_is_an_answer(
    status: int, message: object, spoil: Callable[[int, object], Reply]
) -> None:
    """Unsigned or badly signed, success and error alike: unknown, with the bytes kept."""
    said = spoil(status, message)
    for outcome in (
        READER.submitted(said, platform.instruction(), NOW),
        READER.inquired(said, platform.inquiry(), NOW),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.BAD_SIGNATURE
        assert outcome.evidence.http_status == status
        assert outcome.evidence.body == said.body


def test_an_old_reply_is_not_an_answer() -> None:
    """A true reply played again six minutes later is refused."""
    outcome = READER.inquired(
        platform.reply(200, platform.bill()), platform.inquiry(), platform.later(minutes=6)
    )
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.BAD_SIGNATURE


def test_waiting_for_the_payee_carries_what_the_page_needs() -> None:
    """Package_info, whose it is, and the moment 24 hours after creation."""
    outcome = READER.submitted(platform.reply(200, platform.taken()), platform.instruction(), NOW)
    action = PayeeAction(
        "wechat_confirm",
        "affffddafdfafddffda==",
        platform.later(hours=24),
        app_id=READER.settings.appid,
        mch_id=READER.settings.mchid,
    )
    assert outcome == Pending(BILL_NO, "WAIT_USER_CONFIRM", action)


def test_waiting_without_package_info_asks_for_nothing() -> None:
    """A query while waiting names the stage only."""
    said = platform.reply(200, platform.bill(state="WAIT_USER_CONFIRM"))
    assert READER.inquired(said, platform.inquiry(), NOW) == Pending(BILL_NO, "WAIT_USER_CONFIRM")


def test_paid_by_the_inquiry() -> None:
    """SUCCESS with everything matching is paid at update_time, in UTC; the fee is not told."""
    outcome = READER.inquired(platform.reply(200, platform.bill()), platform.inquiry(), NOW)
    assert outcome == Paid(BILL_NO, PAID_AT, None)
    assert isinstance(outcome, Paid)
    assert outcome.at.tzinfo is UTC


def test_success_of_a_resend_waits_for_the_inquiry() -> None:
    """A submission's answer names neither amount nor payee, so SUCCESS there is not yet paid."""
    said = platform.reply(200, platform.taken(state="SUCCESS", package_info=None))
    assert READER.submitted(said, platform.instruction(), NOW) == Pending(BILL_NO, "SUCCESS")


def test_failed_is_final() -> None:
    """FAIL by our number is a rejection that needs no second look, whoever was asked."""
    changes = {"state": "FAIL", "fail_reason": "NAME_NOT_CORRECT", "package_info": None}
    failed = Rejected(Reason.PAYEE_NAME_MISMATCH, "NAME_NOT_CORRECT", channel_ref=BILL_NO)
    submitted = platform.reply(200, platform.taken(**changes))
    assert READER.submitted(submitted, platform.instruction(), NOW) == failed
    inquired = platform.reply(200, platform.bill(**changes))
    assert READER.inquired(inquired, platform.inquiry(), NOW) == failed


def test_failed_without_a_reason_is_final_and_stays_here() -> None:
    """A missing fail_reason does not make a failure doubtful; the state is kept as its code."""
    said = platform.reply(200, platform.bill(state="FAIL"))
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert outcome == Rejected(Reason.UNEXPLAINED, "FAIL", channel_ref=BILL_NO)


def test_cancelled_is_recalled() -> None:
    """CANCELLED means that we stopped it."""
    said = platform.reply(200, platform.bill(state="CANCELLED"))
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert outcome == Rejected(Reason.RECALLED, "CANCELLED", channel_ref=BILL_NO)


@pytest.mark.parametrize("state", ["SUCCESS", "FAIL", "CANCELLED", "PROCESSING"])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"out_bill_no": "PO999"}, "out_bill_no"),
        ({"transfer_amount": 12_35}, "transfer_amount"),
        ({"mch_id": "1900000110"}, "mch_id"),
        ({"appid": "wx0000000000000000"}, "appid"),
        ({"openid": "oSomebodyElse"}, "openid"),
        ({"transfer_bill_no": "1"}, "transfer_bill_no"),
    ],
)
def test_another_payout_is_a_mismatch(changes: dict[str, object], field: str, state: str) -> None:
    """Whatever the state, an answer about something else decides nothing and names the field."""
    said = platform.reply(200, platform.bill(state=state, **changes))
    outcome = READER.inquired(said, platform.inquiry(channel_ref=BILL_NO), NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH
    assert outcome.evidence.message == f"differs from what was sent: {field}"
    assert outcome.evidence.body == said.body


def test_every_differing_field_is_named() -> None:
    """A person looking at the evidence sees all that is wrong at once."""
    said = platform.reply(200, platform.bill(mch_id="1900000110", transfer_amount=1))
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.evidence.message == "differs from what was sent: transfer_amount, mch_id"


def test_an_inquiry_for_another_kind_of_payee_is_a_mismatch() -> None:
    """A payout to a bank card cannot have been paid here."""
    asked = replace(platform.inquiry(), instrument=BankCard("6222021234567890123", "王五"))
    outcome = READER.inquired(platform.reply(200, platform.bill()), asked, NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH


def test_a_refused_inquiry_for_another_kind_of_payee_is_unknown() -> None:
    """There is no openid to blot out then, and the sentence is kept as it came."""
    asked = replace(platform.inquiry(), instrument=BankCard("6222021234567890123", "王五"))
    said = platform.reply(500, {"code": "SYSTEM_ERROR", "message": "系统异常"})
    outcome = READER.inquired(said, asked, NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.evidence.message == "系统异常"


def test_the_platform_may_leave_the_openid_out() -> None:
    """openid is optional in the answer; everything else still has to match."""
    said = platform.reply(200, platform.bill(openid=None))
    assert READER.inquired(said, platform.inquiry(), NOW) == Paid(BILL_NO, PAID_AT)


def test_a_submission_answered_for_another_number_is_a_mismatch() -> None:
    """The echo of our number is compared before the state is looked at."""
    for state in ("FAIL", "SUCCESS", "ACCEPTED"):
        said = platform.reply(200, platform.taken(out_bill_no="PO999", state=state))
        outcome = READER.submitted(said, platform.instruction(), NOW)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.MISMATCH


@pytest.mark.parametrize(
    "changes",
    [
        {"out_bill_no": None},
        {"transfer_bill_no": None},
        {"transfer_bill_no": ""},
        {"state": None},
        {"state": 7},
        {"transfer_amount": None},
        {"transfer_amount": "1234"},
        {"transfer_amount": 1234.0},
        {"transfer_amount": True},
        {"transfer_amount": -1234},
        {"transfer_amount": 2**63},
        {"update_time": None},
        {"update_time": "2026-03-02T10:05:00"},
        {"update_time": "yesterday"},
        {"update_time": "0001-01-01T00:00:00+08:00"},
        {"update_time": "9999-12-31T23:59:59-08:00"},
        {"create_time": 1772416800},
    ],
)
def test_a_malformed_answer_is_unreadable(changes: dict[str, object]) -> None:
    """A missing field, a wrong type, a time without offset or out of this age: unknown."""
    said = platform.reply(200, platform.bill(**changes))
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNREADABLE


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"code":1}', b"\xff\xfe", b"{}"])
def test_an_unreadable_error_is_unknown(body: bytes) -> None:
    """A verified error without a code says nothing."""
    for status in (400, 404, 500):
        outcome = READER.submitted(platform.reply(status, body), platform.instruction(), NOW)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNREADABLE


def test_unknown_fields_are_let_by() -> None:
    """The platform may add fields without stopping us."""
    said = platform.reply(200, platform.bill(brand_new={"a": [1]}))
    assert isinstance(READER.inquired(said, platform.inquiry(), NOW), Paid)


def test_a_message_that_repeats_the_payee_is_blotted_out() -> None:
    """Openid and name never get into an outcome's text, and the text is bounded."""
    message = f"用户{OPENID}({platform.NAME})异常" + "x" * 1000
    said = platform.reply(400, {"code": "PARAM_ERROR", "message": message})
    outcome = READER.submitted(said, platform.instruction(name=platform.NAME), NOW)
    assert isinstance(outcome, Rejected)
    assert outcome.message.startswith("用户***(***)异常")
    assert len(outcome.message) == MESSAGE_CHARS_MAX


def test_evidence_is_cut_to_four_kibibytes() -> None:
    """A long body is kept only so far."""
    said = platform.reply(500, {"code": "SYSTEM_ERROR", "message": "x" * 9000})
    outcome = READER.submitted(said, platform.instruction(), NOW)
    assert isinstance(outcome, Unknown)
    assert len(outcome.evidence.body) == 4096


LEGACY = replace(platform.inquiry(), reference="B202412/D0001")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            Paid(
                "1040000071100999991182020050700019500100", platform.later(minutes=-59, seconds=-55)
            ),
        ),
        ({"detail_status": "INIT"}, Pending("1040000071100999991182020050700019500100", "INIT")),
        (
            {"detail_status": "WAIT_PAY"},
            Pending("1040000071100999991182020050700019500100", "WAIT_PAY"),
        ),
        (
            {"detail_status": "PROCESSING"},
            Pending("1040000071100999991182020050700019500100", "PROCESSING"),
        ),
        (
            {"detail_status": "FAIL", "fail_reason": "ACCOUNT_FROZEN"},
            Rejected(
                Reason.PAYEE_BLOCKED,
                "ACCOUNT_FROZEN",
                channel_ref="1040000071100999991182020050700019500100",
            ),
        ),
    ],
)
def test_a_line_of_a_legacy_batch(changes: dict[str, object], expected: object) -> None:
    """The closed batch product is still inquired about, line by line."""
    said = platform.reply(200, platform.detail(**changes))
    assert READER.inquired(said, LEGACY, NOW) == expected


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"out_batch_no": "B2"}, UnknownCause.MISMATCH),
        ({"out_detail_no": "D2"}, UnknownCause.MISMATCH),
        ({"transfer_amount": 1}, UnknownCause.MISMATCH),
        ({"mchid": "1"}, UnknownCause.MISMATCH),
        ({"appid": "wx1"}, UnknownCause.MISMATCH),
        ({"openid": "other"}, UnknownCause.MISMATCH),
        ({"detail_status": "CANCELLED"}, UnknownCause.UNKNOWN_STATE),
        ({"detail_id": None}, UnknownCause.UNREADABLE),
    ],
)
def test_a_legacy_line_is_compared_as_strictly(
    changes: dict[str, object], cause: UnknownCause
) -> None:
    """Another line, another amount, a state of the other product: unknown."""
    outcome = READER.inquired(platform.reply(200, platform.detail(**changes)), LEGACY, NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is cause


@given(body=st.binary(max_size=300), status=st.integers(100, 599), headers=st.booleans())
def test_random_bytes_without_proof_decide_nothing(body: bytes, status: int, headers: bool) -> None:
    """Whatever an intruder sends without the platform's key is unknown."""
    said = Reply(status, platform.proof(b"other") if headers else {}, body)
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert not isinstance(outcome, Paid | Rejected | Pending | Absent)
