"""What UnionPay's respCodes mean for a payout (代付), as one literal table.

Sources in each row are sections of wire-protocols.md: §3.5 lists the codes with the class of each,
and the texts are those of the published list. One code can stand in two places: `respCode` of the
reply to a payout, and `origRespCode` of a query, the payout's own fate. Whatever no row names is
`Unknown`: an unlisted code must never pass for a refusal.

Classes: (a) refused, no money moved; (b) cannot tell; (c) slow down; (d) the channel or our account
refuses. §8.3: no official 代付 specification is public and the texts of 67 to 84 come from a
mirrored list. Where a text speaks of a debit (42, 74, 75), of something still under way (70), or of
a thing that a payout does not have (35, 36, 41, 45, 98), the row is doubt although the class is (a)
or (d): a person may know more, a table may not.
"""

from collections.abc import Mapping

from msgspec import Struct

from channels.contract import Reason, UnknownCause


class Row(Struct, frozen=True):
    """What one respCode means."""

    means: Reason | UnknownCause
    text: str
    source: str
    confirm: bool = False
    """As the reply to a payout it is believed only once a query agrees; as `origRespCode` of a
    verified query it *is* what that query says."""


ACCEPTED = "00"
"""§3.5: as the reply to a payout only that it was taken in, never that it is paid."""
UNDER_WAY = "05"
"""交易已受理: accepted, ask later."""
NOT_FOUND = "34"
"""§3.5: the one answer to a query that means absence; soon after a submission it means nothing."""
NO_FILE = "98"
"""§3.7: the settlement file is not there yet."""

PAID = frozenset({"00", "A6"})
"""§3.5, origRespCode: success and flawed success."""
PENDING = frozenset({"03", "04", "05"})
"""§3.5, origRespCode: not decided, keep asking."""

_A = "§3.5 (a)"
_A_MIRRORED = "§3.5 (a), text from a mirrored list (§8.3)"
_B = "§3.5 (b)"
_C = "§3.5 (c)"
_D = "§3.5 (d)"
_A_DOUBT = "§3.5 (a), but its text does not prove that no money moved (§8.3)"
_D_DOUBT = "§3.5 (d), but not about a payout"

_UNSURE = UnknownCause.CHANNEL_UNSURE

RESP_CODES: Mapping[str, Row] = {
    # (a) The message and the amount.
    "10": Row(Reason.PARAMETER_REFUSED, "报文格式错误", _A),
    "13": Row(Reason.PARAMETER_REFUSED, "报文交易要素缺失", _A),
    "14": Row(Reason.PARAMETER_REFUSED, "批量文件格式错误", _A, True),
    "33": Row(Reason.AMOUNT_ABOVE_MAXIMUM, "交易金额超限", _A),
    "40": Row(Reason.NOT_PERMITTED, "绑定关系检查失败", _A, True),
    "43": Row(Reason.NOT_PERMITTED, "无此业务权限", _A, True),
    "44": Row(Reason.INSTRUMENT_INVALID, "输入卡号错误或暂未开通此项业务", _A),
    # (a) The payee's card or account.
    "61": Row(Reason.INSTRUMENT_INVALID, "输入的卡号无效", _A),
    "62": Row(Reason.INSTRUMENT_INVALID, "发卡银行不支持该商户", _A),
    "63": Row(Reason.PAYEE_BLOCKED, "卡状态不正确", _A),
    "64": Row(Reason.UNEXPLAINED, "卡上的余额不足", _A),
    "65": Row(Reason.PAYEE_UNVERIFIED, "输入的密码、有效期或CVN2有误", _A),
    "66": Row(Reason.PAYEE_NAME_MISMATCH, "持卡人身份信息或手机号输入不正确，验证失败", _A),
    "67": Row(Reason.PAYEE_BLOCKED, "密码输入次数超限", _A_MIRRORED, True),
    "68": Row(Reason.INSTRUMENT_INVALID, "您的银行卡暂不支持该业务", _A_MIRRORED, True),
    "69": Row(Reason.UNEXPLAINED, "您的输入超时，交易失败", _A_MIRRORED, True),
    "71": Row(Reason.PAYEE_UNVERIFIED, "动态口令或短信验证码校验失败", _A_MIRRORED, True),
    "72": Row(Reason.PAYEE_UNVERIFIED, "未加办银联无卡支付业务", _A_MIRRORED, True),
    "73": Row(Reason.INSTRUMENT_INVALID, "支付卡已超过有效期", _A_MIRRORED, True),
    "76": Row(Reason.PAYEE_UNVERIFIED, "需要验密开通", _A_MIRRORED, True),
    "77": Row(Reason.PAYEE_UNVERIFIED, "银行卡未开通认证支付", _A_MIRRORED, True),
    "78": Row(Reason.PAYEE_BLOCKED, "发卡行交易权限受限", _A_MIRRORED, True),
    "79": Row(Reason.UNEXPLAINED, "此卡可用，但发卡行暂不支持短信验证", _A_MIRRORED, True),
    "80": Row(Reason.UNEXPLAINED, "交易失败，Token已过期", _A_MIRRORED, True),
    "81": Row(Reason.PAYEE_LIMIT, "月累计交易笔数(金额)超限", _A_MIRRORED, True),
    "82": Row(Reason.PAYEE_UNVERIFIED, "需要校验密码", _A_MIRRORED, True),
    "84": Row(Reason.UNEXPLAINED, "", _A_MIRRORED, True),
    # (a) by class, doubt by their own words.
    "35": Row(_UNSURE, "原交易不存在或状态不正确", _A_DOUBT),
    "36": Row(_UNSURE, "与原交易信息不符", _A_DOUBT),
    "41": Row(_UNSURE, "批量状态不正确，无法下载", _A_DOUBT),
    "42": Row(_UNSURE, "扣款成功但交易超过规定支付时间", _A_DOUBT),
    "45": Row(_UNSURE, "原交易已被成功退货或已被成功撤销", _A_DOUBT),
    "70": Row(_UNSURE, "交易已跳转，等待持卡人输入", _A_DOUBT),
    "74": Row(_UNSURE, "扣款成功，销账未知", _A_DOUBT),
    "75": Row(_UNSURE, "扣款成功，销账失败", _A_DOUBT),
    # (b) Cannot tell. 01 and 60 say "failed", and the official cadence keeps asking all the same.
    "01": Row(_UNSURE, "交易失败。详情请咨询95516", _B),
    "03": Row(_UNSURE, "交易通讯超时，请发起查询交易", _B),
    "04": Row(_UNSURE, "交易状态未明，请查询对账结果", _B),
    "05": Row(_UNSURE, "交易已受理，请稍后查询交易结果", _B),
    "06": Row(_UNSURE, "系统繁忙，请稍后再试", f"{_B} and (c)"),
    "12": Row(
        _UNSURE, "重复交易", f"{_B}: an order under this number exists, look, never fail over"
    ),
    "34": Row(_UNSURE, "查无此交易", _B),
    "60": Row(_UNSURE, "交易失败，详情请咨询您的发卡行", _B),
    "83": Row(_UNSURE, "发卡行（渠道）处理中", _B),
    "A1": Row(_UNSURE, "", _B),
    # (c) Slow down.
    "37": Row(UnknownCause.THROTTLED, "已超过最大查询次数或操作过于频繁", _C),
    # (d) Our account, its rights, hours and float.
    "02": Row(Reason.RAIL_DOWN, "系统未开放或暂时关闭，请稍后再试", _D, True),
    "11": Row(Reason.SIGNATURE_REFUSED, "验证签名失败", _D, True),
    "30": Row(Reason.UNEXPLAINED, "交易未通过，请尝试使用其他银联卡支付或联系95516", _D, True),
    "31": Row(Reason.ACCOUNT_SUSPENDED, "商户状态不正确", _D, True),
    "32": Row(Reason.NOT_PERMITTED, "无此交易权限", _D, True),
    "38": Row(Reason.RISK_REFUSED, "银联风险受限", _D, True),
    "39": Row(Reason.OUTSIDE_HOURS, "交易不在受理时间范围内", _D, True),
    "90": Row(Reason.FLOAT_SHORT, "账户余额不足", _D, True),
    "91": Row(Reason.NOT_PERMITTED, "认证失败", _D, True),
    "92": Row(Reason.ACCOUNT_SUSPENDED, "营业执照过期", _D, True),
    "93": Row(Reason.ACCOUNT_SUSPENDED, "营业执照吊销", _D, True),
    "94": Row(Reason.ACCOUNT_SUSPENDED, "营业执照注销", _D, True),
    "95": Row(Reason.ACCOUNT_SUSPENDED, "营业执照迁出", _D, True),
    "96": Row(Reason.ACCOUNT_SUSPENDED, "营业执照撤销", _D, True),
    "98": Row(_UNSURE, "文件不存在", _D_DOUBT),
    "99": Row(_UNSURE, "通用错误", f"{_D}: treat as (b) first"),
}
"""`00` and `A6` stand in no row: what they mean depends on where they stand (`ACCEPTED`, `PAID`).

64 speaks of the *card's* balance, which a payout does not touch: no table explains it.
"""

_NOT_LISTED = Row(UnknownCause.UNKNOWN_CODE, "", "§0, any code not in a list")


def meaning(code: str) -> Row:
    """What a code other than `ACCEPTED`, `PAID` and `PENDING` means, wherever it stands."""
    return RESP_CODES.get(code, _NOT_LISTED)


def inquiry_error(code: str) -> UnknownCause:
    """Why a query that was not answered leaves the payout's fate open.

    Also the codes that would refuse a payout refuse, here, the question alone.
    """
    row = RESP_CODES.get(code)
    if row is None:
        return UnknownCause.UNKNOWN_CODE
    if code in {"06", "37"}:
        return UnknownCause.THROTTLED
    return UnknownCause.CHANNEL_UNSURE
