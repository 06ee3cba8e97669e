"""Every respCode this simulator speaks, with the text that the published list gives it."""

from __future__ import annotations

TEXTS = {
    "00": "成功",
    "01": "交易失败。详情请咨询95516",
    "02": "系统未开放或暂时关闭，请稍后再试",
    "03": "交易通讯超时，请发起查询交易",
    "04": "交易状态未明，请查询对账结果",
    "05": "交易已受理，请稍后查询交易结果",
    "06": "系统繁忙，请稍后再试",
    "10": "报文格式错误",
    "11": "验证签名失败",
    "12": "重复交易",
    "13": "报文交易要素缺失",
    "30": "交易未通过，请尝试使用其他银联卡支付或联系95516",
    "31": "商户状态不正确",
    "32": "无此交易权限",
    "33": "交易金额超限",
    "34": "查无此交易",
    "37": "已超过最大查询次数或操作过于频繁",
    "38": "银联风险受限",
    "39": "交易不在受理时间范围内",
    "60": "交易失败，详情请咨询您的发卡行",
    "61": "输入的卡号无效，请确认后输入",
    "62": "交易失败，发卡银行不支持该商户，请更换其他银行卡",
    "63": "卡状态不正确",
    "66": "持卡人身份信息或手机号输入不正确，验证失败",
    "83": "发卡行（渠道）处理中",
    "90": "账户余额不足",
    "98": "文件不存在",
    "99": "通用错误",
    "A6": "有缺陷的成功",
}

_NUMBERS = {"00": "0000000", "34": "2600000"}
_SPOKEN = {"SYSTEM_ERROR": "04", "FAIL": "61", "SUCCESS": "00", "PROCESSING": "05"}
"""What the words of fault rules that were not written for this institution become here."""


class RefusedError(Exception):
    """Nothing was executed; becomes a signed reply with this code."""

    def __init__(self, code: str, message: str = "") -> None:
        """`message` replaces the published text."""
        super().__init__(code)
        self.code = code
        self.message = message


def spoken(word: str, instead: str | None = None) -> str:
    """The respCode for a word of a fault rule; `instead` is taken for the rules' own default."""
    if word == "SYSTEM_ERROR" and instead is not None:
        return instead
    return _SPOKEN.get(word, word)


def text_of(code: str) -> str:
    """The respMsg of a code: its text and, in brackets, a number of the platform's own."""
    return f"{TEXTS.get(code, '交易失败')}[{_NUMBERS.get(code, f'{code:0>7}')}]"
