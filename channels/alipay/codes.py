"""What Alipay's codes and states mean, as literal tables.

Sources in each row are sections of wire-protocols.md: §1.8 lists the business codes of
alipay.fund.trans.uni.transfer with the class of each, §1.3 and §1.4 the states. Only `sub_code`
decides, never `sub_msg`. Whatever no row names is `Unknown`: an unlisted code must never pass for
a refusal.

Classes: (a) refused, no money moved; (b) cannot tell; (c) not taken in, the same may be sent again;
(d) the channel or our account refuses; believed only after an inquiry has found no paid order.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from channels.contract import Reason, UnknownCause


class Row(Struct, frozen=True):
    """What one `sub_code` means."""

    means: Reason | UnknownCause
    source: str
    confirm: bool = False
    """Refused, but only believed once an inquiry finds no such order or a failed one."""


_A = "§1.8 (a)"
_B = "§1.8 (b)"
_C = "§1.8 (c)"
_D = "§1.8 (d)"

SUBMIT: Mapping[str, Row] = {
    # (a) The payee.
    "PAYEE_NOT_EXIST": Row(Reason.PAYEE_NOT_FOUND, _A),
    "PAYEE_ACCOUNT_NOT_EXSIT": Row(Reason.PAYEE_NOT_FOUND, _A),  # the platform's spelling
    "PAYEE_ACCOUNT_STATUS_ERROR": Row(Reason.PAYEE_BLOCKED, _A),
    "PAYEE_USERINFO_ERROR": Row(Reason.PAYEE_NAME_MISMATCH, _A),
    "PAYEE_USERINFO_STATUS_ERROR": Row(Reason.PAYEE_BLOCKED, _A),
    "PAYEE_USER_INFO_ERROR": Row(Reason.PAYEE_NAME_MISMATCH, _A + ", third-party list", True),
    "PAYEE_ACC_OCUPIED": Row(Reason.INSTRUMENT_INVALID, _A),  # one logon id, several accounts
    "PAYEE_NOT_RELNAME_CERTIFY": Row(Reason.PAYEE_UNVERIFIED, _A),
    "PAYEE_USER_TYPE_ERROR": Row(Reason.INSTRUMENT_INVALID, _A),
    "PERMIT_NON_BANK_LIMIT_PAYEE": Row(Reason.PAYEE_UNVERIFIED, _A),
    "PERMIT_LIMIT_PAYEE": Row(Reason.PAYEE_BLOCKED, _A),
    "PERM_AML_NOT_REALNAME_REV": Row(Reason.PAYEE_UNVERIFIED, _A),
    "RELEASE_USER_FORBBIDEN_RECIEVE": Row(Reason.PAYEE_BLOCKED, _A),
    "EXCEED_LIMIT_UNRN_DM_AMOUNT": Row(Reason.PAYEE_LIMIT, _A),
    "EXCEED_LIMIT_DC_RECEIVED": Row(Reason.PAYEE_LIMIT, _A),
    "PAYEE_TRUSTEESHIP_ACC_OVER_LIMIT": Row(Reason.PAYEE_LIMIT, _A),
    "TRUSTEESHIP_RECIEVE_QUOTA_LIMIT": Row(Reason.PAYEE_LIMIT, _A),
    "CARD_BIN_ERROR": Row(Reason.INSTRUMENT_INVALID, _A),
    "INVALID_CARDNO": Row(Reason.INSTRUMENT_INVALID, _A),
    "PAYEE_CARD_INFO_ERROR": Row(Reason.INSTRUMENT_INVALID, _A),
    "BANKCODE_OR_BRANCHNAME_INFO_ERROR": Row(Reason.INSTRUMENT_INVALID, _A),
    "PAYER_PAYEE_CANNOT_SAME": Row(Reason.INSTRUMENT_INVALID, _A),
    # (a) The instruction.
    "EXCEED_LIMIT_SM_MIN_AMOUNT": Row(Reason.AMOUNT_BELOW_MINIMUM, _A),
    "EXCEED_LIMIT_SM_AMOUNT": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "EXCEED_LIMIT_PERSONAL_SM_AMOUNT": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "EXCEED_LIMIT_ENT_SM_AMOUNT": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "MEMO_REQUIRED_IN_TRANSFER_ERROR": Row(Reason.PARAMETER_REFUSED, _A),
    "REMARK_HAS_SENSITIVE_WORD": Row(Reason.PURPOSE_REFUSED, _A),
    "SECURITY_CHECK_FAILED": Row(Reason.RISK_REFUSED, _A),
    "INVALID_PARAMETER": Row(Reason.PARAMETER_REFUSED, _A),
    "TRANSFER_SCENE_NAME_BLANK": Row(Reason.PARAMETER_REFUSED, _A),
    "TRANSFER_SCENE_NAME_ILLEGAL": Row(Reason.PARAMETER_REFUSED, _A),
    "TRANSFER_SCENE_REPORT_INFO_ILLEGAL": Row(Reason.PARAMETER_REFUSED, _A),
    # (b) Cannot tell.
    "SYSTEM_ERROR": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "REQUEST_PROCESSING": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "TRANS_ORDER_DEALING": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "PROMO_TRANS_ORDER_DEALING": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "BANK_RESPONSE_ERROR": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "PAYMENT_FAIL": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "PROCESS_FAIL": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "BIZ_UNIQUE_EXCEPTION": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "PAYMENT_INFO_INCONSISTENCY": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "REP_INCONSISTENT": Row(UnknownCause.CHANNEL_UNSURE, _B),
    # "The order is too old": an order under this number exists, so its fate must be looked up.
    "PAYMENT_TIME_EXPIRE": Row(UnknownCause.CHANNEL_UNSURE, "§1.8, rules"),
    "isp.unknow-error": Row(UnknownCause.CHANNEL_UNSURE, "§1.8, top code 20000"),
    "aop.unknow-error": Row(UnknownCause.CHANNEL_UNSURE, "§1.8, top code 20000"),
    # (c) Not taken in.
    "RESOURCE_LIMIT_EXCEED": Row(UnknownCause.THROTTLED, _C),
    "isv.app-call-limited": Row(UnknownCause.THROTTLED, _C),
    # (d) Our account, its limits and rights, or the rail behind it.
    "PAYER_BALANCE_NOT_ENOUGH": Row(Reason.FLOAT_SHORT, _D, True),
    "BALANCE_IS_NOT_ENOUGH": Row(Reason.FLOAT_SHORT, _D, True),
    "BALANCE_NOT_ENOUGH": Row(Reason.FLOAT_SHORT, _D, True),
    "PAYMENT_MONEY_NOT_ENOUGH": Row(Reason.FLOAT_SHORT, _D, True),
    "EXCEED_LIMIT_DM_AMOUNT": Row(Reason.QUOTA_EXHAUSTED, _D, True),
    "EXCEED_LIMIT_DM_MAX_AMOUNT": Row(Reason.QUOTA_EXHAUSTED, _D, True),
    "EXCEED_LIMIT_MM_AMOUNT": Row(Reason.QUOTA_EXHAUSTED, _D, True),
    "EXCEED_LIMIT_MM_MAX_AMOUNT": Row(Reason.QUOTA_EXHAUSTED, _D, True),
    "PAYER_STATUS_ERROR": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "PAYCARD_UNABLE_PAYMENT": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "PERMIT_PAYER_FORBIDDEN": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "JUDICIAL_FREEZE": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "MONEY_PAY_CLOSED": Row(Reason.NOT_PERMITTED, _D, True),
    "PRODUCT_NOT_SIGN": Row(Reason.NOT_PERMITTED, _D, True),
    "NO_ACCOUNT_PAYMENT_PERMISSION": Row(Reason.NOT_PERMITTED, _D, True),
    "TRANSFER_SCENE_INFO_ADMIT_FAIL": Row(Reason.NOT_PERMITTED, _D, True),
    "INST_PAY_UNABLE": Row(Reason.RAIL_DOWN, _D, True),
    "isv.invalid-signature": Row(Reason.SIGNATURE_REFUSED, _D, True),
    "isv.insufficient-isv-permissions": Row(Reason.NOT_PERMITTED, _D, True),
}

# A question that was refused says nothing about the payout; only its cause is worth knowing.
INQUIRE: Mapping[str, UnknownCause] = {
    "SYSTEM_ERROR": UnknownCause.CHANNEL_UNSURE,  # §1.4
    "INVALID_PARAMETER": UnknownCause.CHANNEL_UNSURE,  # §1.4
    "NO_ORDER_PERMISSION": UnknownCause.CHANNEL_UNSURE,  # §1.4
    "isp.unknow-error": UnknownCause.CHANNEL_UNSURE,  # §1.8, top code 20000
    "aop.unknow-error": UnknownCause.CHANNEL_UNSURE,  # §1.8, top code 20000
    "RESOURCE_LIMIT_EXCEED": UnknownCause.THROTTLED,  # §1.8 (c)
    "isv.app-call-limited": UnknownCause.THROTTLED,  # §1.8 (c)
}
NOT_FOUND = "ORDER_NOT_EXIST"
"""The one answer to an inquiry that means absence (§1.4); it proves nothing by itself."""

STATEMENT_NOT_READY = frozenset({"NO_BILL_DATA", "BILL_NOT_EXIST"})
"""§1.6: not made yet. A day without movements has a file of its own, marked by `EMPTY_STATEMENT`,
so these two never mean "nothing happened"."""
EMPTY_STATEMENT = "EMPTY_DATA_WITH_BILL_FILE"
"""§1.6 `bill_file_code`: the day has no movements."""

OK = "10000"
UNAVAILABLE = "20000"
BUSINESS_FAILURE = "40004"
GATEWAY_REFUSALS = frozenset({"20001", "40001", "40002", "40003", "40006"})
"""§1.8, top codes: token, missing or bad parameter, permission. Their sub-codes begin `isv.`."""


class Step(StrEnum):
    """Where a status puts a payout."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


# §1.3 (SUCCESS, FAIL, DEALING, REFUND) and §1.4 (also WAIT_PAY, CLOSED).
STATUSES: Mapping[str, Step] = {
    "SUCCESS": Step.PAID,
    "WAIT_PAY": Step.PENDING,
    "DEALING": Step.PENDING,
    "CLOSED": Step.FAILED,
    "FAIL": Step.FAILED,
    "REFUND": Step.RETURNED,
}


def submission_error(code: str, sub_code: str) -> Row:
    """What a verified error answer to a transfer means; `UNKNOWN_CODE` if no row fits.

    A refusal counts only under the top code it belongs to: a business refusal under a gateway
    error, or the other way round, is a combination no document explains. Doubt counts always.
    """
    row = SUBMIT.get(sub_code)
    if row is not None and isinstance(row.means, UnknownCause):
        return row
    if code == UNAVAILABLE:
        return Row(UnknownCause.CHANNEL_UNSURE, "§1.8, top code 20000")
    fits = code in GATEWAY_REFUSALS if "." in sub_code else code == BUSINESS_FAILURE
    if row is None or not fits:
        return Row(UnknownCause.UNKNOWN_CODE, "§0, any code not in a list")
    return row


def inquiry_error(code: str, sub_code: str) -> UnknownCause:
    """Why a verified error answer to a query leaves the payout's fate open."""
    default = UnknownCause.CHANNEL_UNSURE if code == UNAVAILABLE else UnknownCause.UNKNOWN_CODE
    return INQUIRE.get(sub_code, default)


def failure_reason(error_code: str) -> Reason:
    """Why an order in the state FAIL or CLOSED failed.

    The state alone decides that no money moved, so without a known code (or with one that says only
    "unsure") this is still a failure, not an unknown. But its cause may lie with the payee, and
    paying such a one by another way without a person looking would be wrong: `UNEXPLAINED`.
    """
    row = SUBMIT.get(error_code)
    if row is not None and isinstance(row.means, Reason):
        return row.means
    return Reason.UNEXPLAINED
