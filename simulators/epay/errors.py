"""Every refusal this site speaks: thrown ones, which nobody signs, and returned ones.

Source: wire-protocols.md §6 and dialects.md §2; the wording is the stock site's.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulators.epay.signing import Value

NO_PARAMETERS, NO_METHOD = "未传入任何参数", "接口方法不存在"
NO_MERCHANT_ID, UNKNOWN_MERCHANT, BANNED = "商户ID不能为空", "商户不存在！", "商户已被封禁"
RSA_ONLY = "该商户只能使用RSA签名类型"
NO_TIMESTAMP = "时间戳(timestamp)字段不能为空"
BAD_TIMESTAMP = "时间戳字段不正确，请检查服务器时间"
NO_SIGNATURE = "缺少签名参数"
NO_PUBLIC_KEY = "签名校验失败，商户公钥错误"
TRANSFERS_OFF, API_OFF = "管理员未开启代付功能", "商户未开启代付API接口"

TAKEN_NUMBER = "该交易号已存在，请更换交易号"
SHORT = "需支付金额大于可转账余额"
ABNORMAL = "您的商户出现异常，无法使用代付功能"
PAYEE_DAY_LIMIT = "您今天向该账号的转账次数已达到上限"
BAD_TYPE, TYPE_OFF = "type参数错误", "未开启此转账方式"
NO_ORDER, NO_ORDER_OLD = "转账交易号不存在", "当前转账订单不存在"
NO_NUMBER = "转账交易号不能为空"
NO_CHANNEL = "支付通道不存在"
NO_RECEIPT = "电子回单生成中，请稍后再试"

CHANNEL_WORDS: Mapping[str, str] = {
    "SYSTEM_ERROR": "系统繁忙",
    "PAYEE_NOT_EXIST": "收款账号不存在",
    "PAYEE_USER_INFO_ERROR": "收款人姓名与账号不匹配",
    "PAYEE_CARD_INFO_ERROR": "收款人银行卡信息有误",
    "NAME_NOT_CORRECT": "收款方姓名校验不通过",
    "REAL_NAME_CHECK_FAIL": "收款人未实名认证",
    "ACCOUNT_FROZEN": "收款账户被冻结",
    "OVERDUE_CLOSE": "用户超时未确认收款",
}
"""What the channel behind the site says for its codes."""


class ThrownError(Exception):
    """Becomes {code, msg} and nothing else: unsigned."""

    def __init__(self, message: str, code: int = -1) -> None:
        """`code`: -1 business, -3 signature or time, -4 nothing given, -5 no such method."""
        super().__init__(message)
        self.code, self.message = code, message


class RefusedError(Exception):
    """Becomes a signed reply with code -1; `fields` name the order, if there is one."""

    def __init__(self, message: str, **fields: Value) -> None:
        """What it says besides code and text."""
        super().__init__(message)
        self.message, self.fields = message, fields


def channel_text(code: str, message: str = "") -> str:
    """How the site passes on what its channel said."""
    return message or f"[{code}]{CHANNEL_WORDS[code]}"
