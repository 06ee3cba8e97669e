"""What WeChat Pay's codes, states and fail reasons mean, as literal tables.

Sources in each row are sections of wire-protocols.md (error tables of 发起转账, 查询转账单 and
申请资金账单; enums `state` and `fail_reason`; 商家转账到零钱 for legacy batch details). Whatever no
row names is `Unknown`: an unlisted code must never pass for a refusal.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from channels.contract import Reason, UnknownCause


class Row(Struct, frozen=True):
    """One line of an error table: HTTP status, code and, where one code means much, some text."""

    status: int
    code: str
    fragment: str | None
    """Must occur in `message`; None takes any message."""
    means: Reason | UnknownCause
    """A Reason: refused, but only believed once an inquiry finds no such payout or a failed one."""
    source: str


# Rows that leave the outcome open come first: where two fragments fit, doubt wins.
SUBMIT: tuple[Row, ...] = (
    Row(500, "SYSTEM_ERROR", None, UnknownCause.CHANNEL_UNSURE, "§2.5 row 1 (b)"),
    Row(429, "FREQUENCY_LIMITED", None, UnknownCause.THROTTLED, "§2.5 row 2 (c)"),
    Row(400, "INVALID_REQUEST", "单号已存在", UnknownCause.CHANNEL_UNSURE, "§2.5 row 3 (b)"),
    Row(400, "INVALID_REQUEST", "超出重试期", UnknownCause.CHANNEL_UNSURE, "§2.5 row 3 (b)"),
    Row(400, "INVALID_REQUEST", "不允许调用接口", Reason.NOT_PERMITTED, "§2.5 row 4 (d), IP"),
    Row(400, "INVALID_REQUEST", "白名单", Reason.NOT_PERMITTED, "§2.5 row 4 (d), IP"),
    Row(400, "INVALID_REQUEST", "APPID不存在", Reason.NOT_PERMITTED, "§2.5 row 4 (d)"),
    Row(400, "INVALID_REQUEST", "未获取转账场景", Reason.NOT_PERMITTED, "§2.5 row 4 (d)"),
    Row(400, "INVALID_REQUEST", "未获取该转账场景", Reason.NOT_PERMITTED, "§2.5 row 4 (d)"),
    Row(400, "INVALID_REQUEST", "超出商户单日转账额度", Reason.QUOTA_EXHAUSTED, "§2.5 row 4 (d)"),
    Row(
        400, "INVALID_REQUEST", "超过单笔转账上下限", Reason.AMOUNT_ABOVE_MAXIMUM, "§2.5 row 5 (a)"
    ),
    Row(400, "PARAM_ERROR", "openid", Reason.INSTRUMENT_INVALID, "§2.5 row 5 (a)"),
    Row(400, "PARAM_ERROR", None, Reason.PARAMETER_REFUSED, "§2.5 row 5 (a)"),
    Row(403, "NOT_ENOUGH", None, Reason.FLOAT_SHORT, "§2.5 row 6 (d)"),
    Row(403, "NO_AUTH", None, Reason.NOT_PERMITTED, "§2.5 row 7 (d)"),
    Row(403, "ACCOUNTERROR", None, Reason.ACCOUNT_SUSPENDED, "§2.5 row 7 (d)"),
    Row(401, "APPID_MCHID_NOT_MATCH", None, Reason.NOT_PERMITTED, "§2.5 row 7 (d)"),
    Row(401, "SIGN_ERROR", None, Reason.SIGNATURE_REFUSED, "§2.5 row 7 (d)"),
    # The table gives USER_ERROR (商户异常) no HTTP status; it stands among 400, 401 and 403.
    Row(400, "USER_ERROR", None, Reason.ACCOUNT_SUSPENDED, "§2.5 row 7 (d)"),
    Row(401, "USER_ERROR", None, Reason.ACCOUNT_SUSPENDED, "§2.5 row 7 (d)"),
    Row(403, "USER_ERROR", None, Reason.ACCOUNT_SUSPENDED, "§2.5 row 7 (d)"),
    Row(429, "QUOTA_EXCEED", None, Reason.QUOTA_EXHAUSTED, "§2.5 row 8 (d)"),
)

# A question that was refused says nothing about the payout; only its cause is worth knowing.
INQUIRE: tuple[Row, ...] = (
    Row(500, "SYSTEM_ERROR", None, UnknownCause.CHANNEL_UNSURE, "§2.5 row 1"),
    Row(429, "FREQUENCY_LIMITED", None, UnknownCause.THROTTLED, "§2.5 row 2"),
)
NOT_FOUND = (404, "NOT_FOUND")
"""The one answer to an inquiry that means absence (§2.5 row 9); it proves nothing by itself."""

TOO_MANY = 429
"""§2.5: too many requests; the same one may be put again a little later."""
STATEMENT_EMPTY = "NO_STATEMENT_EXIST"
STATEMENT_NOT_READY = frozenset({STATEMENT_EMPTY, "STATEMENT_CREATING"})
"""§2.6: no movement that day or not made yet; told by `code`, since the HTTP status varies."""


class Step(StrEnum):
    """Where a state puts a payout."""

    PENDING = "pending"
    CONFIRM = "confirm"
    PAID = "paid"
    FAILED = "failed"
    RECALLED = "recalled"


# §2.2, table of states; TRANSFERING is the platform's spelling.
STATES: Mapping[str, Step] = {
    "ACCEPTED": Step.PENDING,
    "PROCESSING": Step.PENDING,
    "WAIT_USER_CONFIRM": Step.CONFIRM,
    "TRANSFERING": Step.PENDING,
    "SUCCESS": Step.PAID,
    "FAIL": Step.FAILED,
    "CANCELING": Step.PENDING,
    "CANCELLED": Step.RECALLED,
}

# §2.3, detail states of the closed product 商家转账到零钱.
LEGACY_STATES: Mapping[str, Step] = {
    "INIT": Step.PENDING,
    "WAIT_PAY": Step.PENDING,
    "PROCESSING": Step.PENDING,
    "SUCCESS": Step.PAID,
    "FAIL": Step.FAILED,
}

# §2.5, enum fail_reason; the spelling RECEIVE_ACCOUNT_NOT_PERMMIT is the platform's.
FAIL_REASONS: Mapping[str, Reason] = {
    # Payee side, class (a).
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
    "TRANSFER_REMARK_SET_FAIL": Reason.PURPOSE_REFUSED,
    "OVERDUE_CLOSE": Reason.PAYEE_EXPIRED,
    "OTHER_FAIL_REASON_TYPE": Reason.PAYEE_BLOCKED,
    # Our own people or their inaction stopped it: nobody else should pay it by itself.
    "MERCHANT_REJECT": Reason.RECALLED,
    "MERCHANT_NOT_CONFIRM": Reason.RECALLED,
    "MCH_CANCEL": Reason.RECALLED,
    # Channel side, class (d).
    "TRANSFER_QUOTA_EXCEED": Reason.QUOTA_EXHAUSTED,
    "PRODUCT_AUTH_CHECK_FAIL": Reason.NOT_PERMITTED,
    "PAYER_ACCOUNT_ABNORMAL": Reason.ACCOUNT_SUSPENDED,
    "TRANSFER_SCENE_UNAVAILABLE": Reason.NOT_PERMITTED,
    "TRANSFER_SCENE_INVALID": Reason.NOT_PERMITTED,
    "BUDGET_NOT_ENOUGH": Reason.FLOAT_SHORT,
}
FAIL_REASON_FAMILIES: tuple[tuple[str, Reason], ...] = (
    ("BANK_CARD_", Reason.INSTRUMENT_INVALID),
    ("BLOCK_B2C_USERLIMITAMOUNT_", Reason.PAYEE_LIMIT),
    ("BLOCK_B2C_MERCHANTLIMITAMOUNT_", Reason.QUOTA_EXHAUSTED),
)

UNEXPLAINED = Reason.UNEXPLAINED
"""FAIL with a reason no table knows, or with none.

The state alone decides that no money moved, so this is a failure and not an unknown. But the cause
may lie with the payee (blocked, under investigation), and paying such a one by another way without
a person looking would be wrong; so it is a reason that goes nowhere else by itself, and one that
does not count against the channel's health. The channel's own word is kept as the code.
"""


def meaning(table: tuple[Row, ...], status: int, code: str, message: str) -> Reason | UnknownCause:
    """What a verified error answer means; `UNKNOWN_CODE` if no row fits."""
    for row in table:
        if (row.status, row.code) == (status, code) and (
            row.fragment is None or row.fragment in message
        ):
            return row.means
    return UnknownCause.UNKNOWN_CODE


def fail_reason(word: str | None) -> Reason:
    """Why a payout in state FAIL failed."""
    if word is None:
        return UNEXPLAINED
    known = FAIL_REASONS.get(word)
    if known is not None:
        return known
    return next((r for prefix, r in FAIL_REASON_FAMILIES if word.startswith(prefix)), UNEXPLAINED)
