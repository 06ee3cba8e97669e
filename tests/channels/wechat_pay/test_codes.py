"""Every row of every table, and that whatever is not in a table stays unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import (
    Absent,
    Elsewhere,
    Fault,
    Paid,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.wechat_pay import codes
from channels.wechat_pay.answers import Reader
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import NOW

READER = Reader(platform.settings())

# HTTP status, code, message as the platform words it → what it must mean. Written out once more,
# apart from the table, so that a slip there shows.
SUBMIT = [
    (500, "SYSTEM_ERROR", "系统异常，请稍后重试", UnknownCause.CHANNEL_UNSURE),
    (429, "FREQUENCY_LIMITED", "频率超限", UnknownCause.THROTTLED),
    (
        400,
        "INVALID_REQUEST",
        "单号已存在但信息不一致，请查单后比较确认",
        UnknownCause.CHANNEL_UNSURE,
    ),
    (
        400,
        "INVALID_REQUEST",
        "对应单号已超出重试期,请查单确认后决定是否换单请求",
        UnknownCause.CHANNEL_UNSURE,
    ),
    (400, "INVALID_REQUEST", "此IP地址不允许调用接口,请按开发指引设置", Reason.NOT_PERMITTED),
    (400, "INVALID_REQUEST", "IP地址不在白名单内", Reason.NOT_PERMITTED),
    (400, "INVALID_REQUEST", "APPID不存在", Reason.NOT_PERMITTED),
    (400, "INVALID_REQUEST", "商户未获取转账场景", Reason.NOT_PERMITTED),
    (400, "INVALID_REQUEST", "你尚未获取该转账场景", Reason.NOT_PERMITTED),
    (400, "INVALID_REQUEST", "超出商户单日转账额度", Reason.QUOTA_EXHAUSTED),
    (400, "INVALID_REQUEST", "转账金额超过单笔转账上下限", Reason.AMOUNT_ABOVE_MAXIMUM),
    (400, "PARAM_ERROR", "openid与appid不匹配", Reason.INSTRUMENT_INVALID),
    (400, "PARAM_ERROR", "需传入转账场景报备信息", Reason.PARAMETER_REFUSED),
    (403, "NOT_ENOUGH", "资金不足", Reason.FLOAT_SHORT),
    (403, "NO_AUTH", "没有权限", Reason.NOT_PERMITTED),
    (403, "ACCOUNTERROR", "商户账户付款受限", Reason.ACCOUNT_SUSPENDED),
    (401, "APPID_MCHID_NOT_MATCH", "不匹配", Reason.NOT_PERMITTED),
    (401, "SIGN_ERROR", "签名错误", Reason.SIGNATURE_REFUSED),
    (400, "USER_ERROR", "商户异常", Reason.ACCOUNT_SUSPENDED),
    (401, "USER_ERROR", "商户异常", Reason.ACCOUNT_SUSPENDED),
    (403, "USER_ERROR", "商户异常", Reason.ACCOUNT_SUSPENDED),
    (429, "QUOTA_EXCEED", "超出商户单日转账额度", Reason.QUOTA_EXHAUSTED),
]
PAYEE_SIDE = {
    "ACCOUNT_FROZEN": Reason.PAYEE_BLOCKED,
    "ACCOUNT_NOT_EXIST": Reason.PAYEE_NOT_FOUND,
    "REAL_NAME_CHECK_FAIL": Reason.PAYEE_UNVERIFIED,
    "NAME_NOT_CORRECT": Reason.PAYEE_NAME_MISMATCH,
    "OPENID_INVALID": Reason.INSTRUMENT_INVALID,
    "ID_CARD_NOT_CORRECT": Reason.PAYEE_NAME_MISMATCH,
    "DAY_RECEIVED_QUOTA_EXCEED": Reason.PAYEE_LIMIT,
    "MONTH_RECEIVED_QUOTA_EXCEED": Reason.PAYEE_LIMIT,
    "DAY_RECEIVED_COUNT_EXCEED": Reason.PAYEE_LIMIT,
    "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED": Reason.PAYEE_LIMIT,
    "RECEIVE_ACCOUNT_NOT_PERMMIT": Reason.PAYEE_BLOCKED,
    "RECEIVE_ACCOUNT_NOT_CONFIGURE": Reason.PAYEE_BLOCKED,
    "PAYEE_ACCOUNT_ABNORMAL": Reason.PAYEE_BLOCKED,
    "TRANSFER_RISK": Reason.RISK_REFUSED,
    "BANK_CARD_STATUS_ABNORMAL": Reason.INSTRUMENT_INVALID,
    "BLOCK_B2C_USERLIMITAMOUNT_MONTH": Reason.PAYEE_LIMIT,
    "TRANSFER_REMARK_SET_FAIL": Reason.PURPOSE_REFUSED,
    "OVERDUE_CLOSE": Reason.PAYEE_EXPIRED,
    "OTHER_FAIL_REASON_TYPE": Reason.PAYEE_BLOCKED,
    "MERCHANT_REJECT": Reason.RECALLED,
    "MERCHANT_NOT_CONFIRM": Reason.RECALLED,
    "MCH_CANCEL": Reason.RECALLED,
}
CHANNEL_SIDE = {
    "TRANSFER_QUOTA_EXCEED": Reason.QUOTA_EXHAUSTED,
    "PRODUCT_AUTH_CHECK_FAIL": Reason.NOT_PERMITTED,
    "PAYER_ACCOUNT_ABNORMAL": Reason.ACCOUNT_SUSPENDED,
    "TRANSFER_SCENE_UNAVAILABLE": Reason.NOT_PERMITTED,
    "TRANSFER_SCENE_INVALID": Reason.NOT_PERMITTED,
    "BUDGET_NOT_ENOUGH": Reason.FLOAT_SHORT,
    "BLOCK_B2C_MERCHANTLIMITAMOUNT_DAY": Reason.QUOTA_EXHAUSTED,
}
KNOWN_CODES = {row.code for row in codes.SUBMIT}


def _is_unlisted(word: str) -> bool:
    families = tuple(prefix for prefix, _ in codes.FAIL_REASON_FAMILIES)
    return word not in codes.FAIL_REASONS and not word.startswith(families)


@pytest.mark.parametrize(("status", "code", "message", "means"), SUBMIT)
def test_each_submission_error(
    status: int, code: str, message: str, means: Reason | UnknownCause
) -> None:
    """A verified refusal counts only after an inquiry; every doubtful code stays unknown."""
    said = platform.reply(status, {"code": code, "message": message})
    outcome = READER.submitted(said, platform.instruction(), NOW)
    if isinstance(means, Reason):
        assert outcome == Rejected(means, code, message, confirm=True)
    else:
        assert isinstance(outcome, Unknown)
        assert (outcome.cause, outcome.evidence.code) == (means, code)
        assert outcome.evidence.http_status == status


def test_every_row_is_exercised_above() -> None:
    """No row of the table is dead: each is the one that some worded example meets."""
    met = set()
    for status, code, message, _ in SUBMIT:
        fitting = [
            row
            for row in codes.SUBMIT
            if (row.status, row.code) == (status, code)
            and (row.fragment is None or row.fragment in message)
        ]
        met.add(fitting[0])
    assert met == set(codes.SUBMIT)


@pytest.mark.parametrize(
    "row", [r for r in codes.SUBMIT if "(d)" in r.source], ids=lambda r: f"{r.code}-{r.fragment}"
)
def test_channel_wide_rows_blame_the_channel(row: codes.Row) -> None:
    """Class (d) counts against the channel and lets another one try."""
    assert isinstance(row.means, Reason)
    assert (row.means.fault, row.means.elsewhere) == (Fault.CHANNEL, Elsewhere.ANY)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "INVALID_REQUEST", "一句没有见过的话"),
        (400, "INVALID_REQUEST", ""),
        (403, "INVALID_REQUEST", "APPID不存在"),
        (400, "NOT_ENOUGH", "资金不足"),
        (404, "NOT_FOUND", "记录不存在"),
        (404, "RESOURCE_NOT_EXISTS", "资源不存在"),
        (500, "PARAM_ERROR", "参数错误"),
        (400, "param_error", "参数错误"),
        (202, "ACCEPTED", "处理中"),
    ],
)
def test_an_unlisted_submission_error_is_unknown(status: int, code: str, message: str) -> None:
    """A code in another company than the table's, or none of it, proves nothing."""
    said = platform.reply(status, {"code": code, "message": message})
    outcome = READER.submitted(said, platform.instruction(), NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNKNOWN_CODE
    assert outcome.evidence.code == code


@given(
    status=st.integers(201, 599),
    code=st.text(min_size=1, max_size=40).filter(lambda text: text not in KNOWN_CODES),
    message=st.text(max_size=40),
)
def test_no_invented_code_is_ever_a_refusal(status: int, code: str, message: str) -> None:
    """Whatever code the platform invents, with whatever status: unknown, also when inquiring."""
    assert codes.meaning(codes.SUBMIT, status, code, message) is UnknownCause.UNKNOWN_CODE
    assert codes.meaning(codes.INQUIRE, status, code, message) is UnknownCause.UNKNOWN_CODE


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (500, "SYSTEM_ERROR", UnknownCause.CHANNEL_UNSURE),
        (429, "FREQUENCY_LIMITED", UnknownCause.THROTTLED),
        (403, "NO_AUTH", UnknownCause.UNKNOWN_CODE),
        (400, "PARAM_ERROR", UnknownCause.UNKNOWN_CODE),
        (401, "SIGN_ERROR", UnknownCause.UNKNOWN_CODE),
        (404, "RESOURCE_NOT_EXISTS", UnknownCause.UNKNOWN_CODE),
        (400, "NOT_FOUND", UnknownCause.UNKNOWN_CODE),
    ],
)
def test_a_refused_inquiry_says_nothing_about_the_payout(
    status: int, code: str, cause: UnknownCause
) -> None:
    """Also codes that refuse a submission leave the payout unknown when they refuse a question."""
    said = platform.reply(status, {"code": code, "message": "x"})
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is cause


def test_only_a_verified_404_not_found_is_absence() -> None:
    """NOT_FOUND with its status is Absent, and carries what was said."""
    said = platform.reply(404, {"code": "NOT_FOUND", "message": "记录不存在"})
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert isinstance(outcome, Absent)
    assert (outcome.evidence.http_status, outcome.evidence.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize("word", ["ACCEPTED", "PROCESSING", "TRANSFERING", "CANCELING"])
def test_states_on_the_way_are_pending(word: str) -> None:
    """Nothing is decided, and the platform's own word is kept; CANCELING has not yet cancelled."""
    for outcome in (
        READER.inquired(platform.reply(200, platform.bill(state=word)), platform.inquiry(), NOW),
        READER.submitted(
            platform.reply(200, platform.taken(state=word, package_info=None)),
            platform.instruction(),
            NOW,
        ),
    ):
        assert outcome == Pending(platform.BILL_NO, word)


def test_the_table_of_states_is_the_platforms() -> None:
    """All eight states are known and no ninth: an enum that grows must be seen."""
    assert set(codes.STATES) == {
        *("ACCEPTED", "PROCESSING", "WAIT_USER_CONFIRM", "TRANSFERING"),
        *("SUCCESS", "FAIL", "CANCELING", "CANCELLED"),
    }


@pytest.mark.parametrize(("word", "reason"), list({**PAYEE_SIDE, **CHANNEL_SIDE}.items()))
def test_each_fail_reason(word: str, reason: Reason) -> None:
    """FAIL is final by our number; the reason says whose fault it was."""
    said = platform.reply(200, platform.bill(state="FAIL", fail_reason=word))
    outcome = READER.inquired(said, platform.inquiry(), NOW)
    assert outcome == Rejected(reason, word, channel_ref=platform.BILL_NO)


def test_every_fail_reason_is_exercised_above() -> None:
    """No fail reason of the table goes untested, nor any family of them."""
    tested = {**PAYEE_SIDE, **CHANNEL_SIDE}
    assert set(codes.FAIL_REASONS) <= set(tested)
    for prefix, reason in codes.FAIL_REASON_FAMILIES:
        assert any(word.startswith(prefix) and tested[word] is reason for word in tested)


@pytest.mark.parametrize("word", CHANNEL_SIDE)
def test_channel_side_fail_reasons_blame_the_channel(word: str) -> None:
    """A reason on the merchant account's side counts against the channel."""
    assert codes.fail_reason(word).fault is Fault.CHANNEL


@pytest.mark.parametrize("word", PAYEE_SIDE)
def test_payee_side_fail_reasons_spare_the_channel(word: str) -> None:
    """A payee's trouble, or our own people's decision, never hurts a channel's health."""
    assert codes.fail_reason(word).fault is not Fault.CHANNEL


@given(word=st.none() | st.text(max_size=60).filter(_is_unlisted))
def test_an_unexplained_failure_goes_nowhere_by_itself(word: str | None) -> None:
    """FAIL without a known reason is final, but a person decides what comes next."""
    reason = codes.fail_reason(word)
    assert reason.elsewhere is Elsewhere.NEVER
    assert reason.fault is not Fault.CHANNEL


@given(word=st.text(min_size=1, max_size=40).filter(lambda text: text not in codes.STATES))
def test_no_invented_state_is_ever_final(word: str) -> None:
    """A state no table knows is unknown, never a failure and never paid."""
    outcome = READER.inquired(
        platform.reply(200, platform.bill(state=word)), platform.inquiry(), NOW
    )
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNKNOWN_STATE


@given(body=st.binary(max_size=200), status=st.sampled_from([200, 400, 404, 429, 500]))
def test_random_bytes_even_signed_decide_nothing(body: bytes, status: int) -> None:
    """Verified garbage is unreadable, whatever its status."""
    said = platform.reply(status, body)
    for outcome in (
        READER.submitted(said, platform.instruction(), NOW),
        READER.inquired(said, platform.inquiry(), NOW),
    ):
        assert not isinstance(outcome, Rejected | Paid | Pending | Absent)
