"""What an Epay site's texts, codes and statuses mean, as literal tables.

Nearly every refusal has the code -1: only its Chinese text tells one from another, and operators
edit texts. A text that no row names is `Unknown`, for it may be the site's own channel speaking
after the money has gone. Numbers in a text stand in the tables as `{n}`. Sources are sections of
wire-protocols.md; §6.6 names the class of each text: (a) refused before any money was asked for,
(b) cannot tell, (d) the merchant or the site; believed only after an inquiry has found no order.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from channels.contract import Reason, UnknownCause


class Row(Struct, frozen=True):
    """What one text means."""

    means: Reason | UnknownCause
    source: str
    confirm: bool = False
    """Refused, but only believed once an inquiry finds no such order or a failed one."""


_A = "§6.6 (a)"
_D = "§6.6 (d)"
_THROWN = "§6, thrown: a stock site does not sign it, and then it proves nothing"

SUBMIT: Mapping[str, Row] = {
    # (a) Checked before the site asks its own channel.
    "单笔最小代付金额限制为{n}元": Row(Reason.AMOUNT_BELOW_MINIMUM, _A),
    "单笔最大代付金额限制为{n}元": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "您今天向该账号的转账次数已达到上限": Row(Reason.PAYEE_LIMIT, _A),
    "type参数错误": Row(Reason.PARAMETER_REFUSED, _A),
    "代付方式(type)不能为空": Row(Reason.PARAMETER_REFUSED, _THROWN),
    "收款人账号(account)不能为空": Row(Reason.PARAMETER_REFUSED, _THROWN),
    "收款人姓名(name)不能为空": Row(Reason.PARAMETER_REFUSED, _THROWN),
    "转账金额(money)不能为空": Row(Reason.PARAMETER_REFUSED, _THROWN),
    "转账金额输入不规范": Row(Reason.PARAMETER_REFUSED, _THROWN),
    "交易号输入不规范": Row(Reason.PARAMETER_REFUSED, _THROWN),
    "转账备注最多{n}个字": Row(Reason.PURPOSE_REFUSED, _THROWN),
    # (d) Our account there, or what the site has switched on.
    "需支付金额大于可转账余额": Row(Reason.FLOAT_SHORT, _D, True),
    "未开启此转账方式": Row(Reason.NOT_PERMITTED, _D, True),
    "当前支付通道信息不存在": Row(Reason.RAIL_DOWN, _D, True),
    "您的商户出现异常，无法使用代付功能": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "管理员未开启代付功能": Row(Reason.NOT_PERMITTED, _D + "; " + _THROWN, True),
    "商户未开启代付API接口": Row(Reason.NOT_PERMITTED, _D + "; " + _THROWN, True),
    # (b) An order under this number exists: its fate must be looked up.
    "该交易号已存在，请更换交易号": Row(UnknownCause.CHANNEL_UNSURE, "§6, hazard 1"),
}

REFUSED = "-1"
"""§6: the code of every refusal that may be believed."""
OK = "0"

NOT_FOUND = frozenset({"转账交易号不存在", "当前转账订单不存在"})
"""§6, hazard 2: no row under our number, which proves nothing. Thrown, so never signed; the second
is what older sites say."""

ALIVE = frozenset({"支付通道不存在"})
"""§6, hazard 5: the site has the order but no channel to ask: it waits for an administrator."""

QUEUED = "3"


class Step(StrEnum):
    """Where a status puts a payout."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


# §6: 0 processing, 1 success, 2 failed, 3 awaiting an administrator; 4 is a link that nobody has
# opened yet (dialects.md §2.1).
STATUSES: Mapping[str, Step] = {
    "0": Step.PENDING,
    "1": Step.PAID,
    "2": Step.FAILED,
    "3": Step.PENDING,
    "4": Step.PENDING,
}

# Codes of the channel behind the site, as they sometimes stand in `errmsg` (§6.6). They only tell
# why: that no money moved is said by the status.
CAUSES: Mapping[str, Reason] = {
    # Alipay, §1.8 (a)
    "PAYEE_NOT_EXIST": Reason.PAYEE_NOT_FOUND,
    "PAYEE_ACCOUNT_NOT_EXSIT": Reason.PAYEE_NOT_FOUND,
    "PAYEE_ACCOUNT_STATUS_ERROR": Reason.PAYEE_BLOCKED,
    "PAYEE_USERINFO_ERROR": Reason.PAYEE_NAME_MISMATCH,
    "PAYEE_USER_INFO_ERROR": Reason.PAYEE_NAME_MISMATCH,
    "PAYEE_USERINFO_STATUS_ERROR": Reason.PAYEE_BLOCKED,
    "PAYEE_NOT_RELNAME_CERTIFY": Reason.PAYEE_UNVERIFIED,
    "PERMIT_NON_BANK_LIMIT_PAYEE": Reason.PAYEE_UNVERIFIED,
    "PERM_AML_NOT_REALNAME_REV": Reason.PAYEE_UNVERIFIED,
    "PERMIT_LIMIT_PAYEE": Reason.PAYEE_BLOCKED,
    "RELEASE_USER_FORBBIDEN_RECIEVE": Reason.PAYEE_BLOCKED,
    "EXCEED_LIMIT_UNRN_DM_AMOUNT": Reason.PAYEE_LIMIT,
    "PAYEE_TRUSTEESHIP_ACC_OVER_LIMIT": Reason.PAYEE_LIMIT,
    "TRUSTEESHIP_RECIEVE_QUOTA_LIMIT": Reason.PAYEE_LIMIT,
    "PAYEE_ACC_OCUPIED": Reason.INSTRUMENT_INVALID,
    "PAYEE_USER_TYPE_ERROR": Reason.INSTRUMENT_INVALID,
    "CARD_BIN_ERROR": Reason.INSTRUMENT_INVALID,
    "INVALID_CARDNO": Reason.INSTRUMENT_INVALID,
    "PAYEE_CARD_INFO_ERROR": Reason.INSTRUMENT_INVALID,
    # WeChat Pay, §2.5 (fail reasons)
    "ACCOUNT_NOT_EXIST": Reason.PAYEE_NOT_FOUND,
    "OPENID_INVALID": Reason.INSTRUMENT_INVALID,
    "ACCOUNT_FROZEN": Reason.PAYEE_BLOCKED,
    "REAL_NAME_CHECK_FAIL": Reason.PAYEE_UNVERIFIED,
    "NAME_NOT_CORRECT": Reason.PAYEE_NAME_MISMATCH,
    "ID_CARD_NOT_CORRECT": Reason.PAYEE_NAME_MISMATCH,
    "PAYEE_ACCOUNT_ABNORMAL": Reason.PAYEE_BLOCKED,
    "TRANSFER_QUOTA_EXCEED": Reason.PAYEE_LIMIT,
    "DAY_RECEIVED_QUOTA_EXCEED": Reason.PAYEE_LIMIT,
    "DAY_RECEIVED_COUNT_EXCEED": Reason.PAYEE_LIMIT,
    "MONTH_RECEIVED_QUOTA_EXCEED": Reason.PAYEE_LIMIT,
    "TRANSFER_RISK": Reason.RISK_REFUSED,
}

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


def shape(text: str) -> str:
    """Write a text as the tables do, with every number as `{n}`."""
    return _NUMBER.sub("{n}", text.strip())


def submission_refusal(code: str, text: str, more: Mapping[str, Reason]) -> Row:
    """What a signed refusal of a submission means; `UNKNOWN_CODE` if no row fits.

    `more` are the rows of the operator, who knows the site's own texts. The stock table goes first,
    so that no configuration makes a failure of what is none; and their rows always ask for a look.
    """
    if code != REFUSED:
        return Row(UnknownCause.UNKNOWN_CODE, "§0, any code not in a list")
    known = shape(text)
    if known in SUBMIT:
        return SUBMIT[known]
    if known in more:
        return Row(more[known], "settings", confirm=True)
    return Row(UnknownCause.UNKNOWN_CODE, "§6.6, any other text")


def failure_reason(text: str) -> tuple[Reason, str]:
    """Why a failed order failed, and the code that says so; `UNEXPLAINED` if no row fits."""
    for code in _CODE.findall(text):
        if code in CAUSES:
            return CAUSES[code], code
    return Reason.UNEXPLAINED, ""
