"""What Jeepay's codes, states and failure words mean, as literal tables.

Sources in each row are sections of dialects.md; the sources of the words are the payout pages of
the channels behind Jeepay (wire-protocols.md §1.8, §2.5). Whatever no row names is `Unknown`.

Only code 0 is signed. All others are somebody's word on an open line, and 9999 is raised after the
channel behind has paid as well ("更新转账订单异常!"), so none of them is a refusal. Code 11 alone
comes out of the check of the fields, before an order is written, whoever sent it: it is kept as a
refusal that needs looks (`confirm`).
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from channels.contract import Reason, UnknownCause

OK = "0"
BUSINESS = "9999"


class Row(Struct, frozen=True):
    """What one code of the envelope means as the answer to a submission."""

    means: Reason | UnknownCause
    source: str


SUBMIT: Mapping[str, Row] = {
    "9999": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: business text; duplicates come so, too"),
    "10": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: system"),
    "11": Row(Reason.PARAMETER_REFUSED, "§1 envelope: params, before an order is written"),
    "12": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: database"),
    "5000": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: create failed"),
    "5001": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: delete failed"),
    "5002": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: update failed"),
    "5003": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: no such record"),
    "5004": Row(UnknownCause.CHANNEL_UNSURE, "§1 envelope: permission"),
}

NOT_FOUND = "订单不存在"
"""The text under 9999 by which a query finds nothing, in stock servers (3.2.9)."""


class Step(StrEnum):
    """Where a state puts a payout."""

    UNSURE = "unsure"
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


STATES: Mapping[str, Step] = {
    "0": Step.UNSURE,  # §1, §5 6: created; also after SYS_ERROR or a crash, paid or not
    "1": Step.PENDING,  # §1: processing
    "2": Step.PAID,  # §1: success
    "3": Step.FAILED,  # §1: failed
    "4": Step.FAILED,  # §1: closed; stock servers have the word and never write it
}

ALIPAY_WORDS: Mapping[str, Reason] = {
    # wire-protocols.md §1.8 (a), payee side: Alipay's own refusals, passed on as errCode.
    "PAYEE_NOT_EXIST": Reason.PAYEE_NOT_FOUND,
    "PAYEE_ACCOUNT_NOT_EXSIT": Reason.PAYEE_NOT_FOUND,  # the platform's spelling
    "PAYEE_ACCOUNT_STATUS_ERROR": Reason.PAYEE_BLOCKED,
    "PAYEE_USERINFO_ERROR": Reason.PAYEE_NAME_MISMATCH,
    "PAYEE_USERINFO_STATUS_ERROR": Reason.PAYEE_BLOCKED,
    "PAYEE_ACC_OCUPIED": Reason.INSTRUMENT_INVALID,
    "PAYEE_NOT_RELNAME_CERTIFY": Reason.PAYEE_UNVERIFIED,
    "PAYEE_USER_TYPE_ERROR": Reason.INSTRUMENT_INVALID,
    "PERMIT_NON_BANK_LIMIT_PAYEE": Reason.PAYEE_UNVERIFIED,
    "PERMIT_LIMIT_PAYEE": Reason.PAYEE_BLOCKED,
    "RELEASE_USER_FORBBIDEN_RECIEVE": Reason.PAYEE_BLOCKED,
    "EXCEED_LIMIT_UNRN_DM_AMOUNT": Reason.PAYEE_LIMIT,
    "EXCEED_LIMIT_DC_RECEIVED": Reason.PAYEE_LIMIT,
    "CARD_BIN_ERROR": Reason.INSTRUMENT_INVALID,
    "INVALID_CARDNO": Reason.INSTRUMENT_INVALID,
    "PAYEE_CARD_INFO_ERROR": Reason.INSTRUMENT_INVALID,
}
WECHAT_WORDS: Mapping[str, Reason] = {
    # wire-protocols.md §2.5, enum fail_reason: WeChat's state was FAIL, Jeepay passes that word on
    # as errCode and the reason as errMsg.
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
    "PAYEE_ACCOUNT_ABNORMAL": Reason.PAYEE_BLOCKED,
    "OVERDUE_CLOSE": Reason.PAYEE_EXPIRED,
}
WECHAT_FAIL = "FAIL"


def refusal(code: str) -> Reason | UnknownCause:
    """What an unsigned answer to a submission means."""
    row = SUBMIT.get(code)
    return UnknownCause.UNKNOWN_CODE if row is None else row.means


def listed(if_code: str, error_code: str, error_text: str) -> Reason | None:
    """Why a payout failed, if the words are those by which the channel behind says so itself.

    Jeepay turns every answer it does not know into state 3, and a question that Alipay or WeChat
    refused as well (§5, 7). These words they use for nothing but a payout that did not happen. What
    other interfaces say is nobody's published word, so none of theirs is listed.
    """
    match if_code:
        case "alipay":
            return ALIPAY_WORDS.get(error_code)
        case "wxpay" if error_code == WECHAT_FAIL:
            return WECHAT_WORDS.get(error_text)
        case _:
            return None
