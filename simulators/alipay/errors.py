"""Every refusal this simulator can speak, with the top-level code and text the platform uses.

Source: the open platform's common error codes (10000, 20000, 40001-40006) and the error tables of
alipay.fund.trans.uni.transfer, alipay.fund.trans.common.query and the bill download call. The
spelling of codes, mistakes included, is the platform's.
"""

from __future__ import annotations

TOP_MESSAGES = {
    "10000": "Success",
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
    "40006": "Insufficient Permissions",
}

_MESSAGES = {
    "isp.unknow-error": "系统繁忙",
    "aop.unknow-error": "系统繁忙",
    "isv.invalid-signature": "无效签名",
    "isv.invalid-app-id": "无效的AppID参数",
    "isv.invalid-method": "不存在的方法名",
    "isv.invalid-timestamp": "无效的时间戳参数",
    "isv.invalid-charset": "字符集错误",
    "isv.invalid-format": "无效的数据格式",
    "isv.invalid-signature-type": "无效的签名类型",
    "isv.invalid-encrypt": "解密异常",
    "isv.invalid-parameter": "参数无效",
    "isv.insufficient-isv-permissions": "ISV权限不足",
    "SYSTEM_ERROR": "系统繁忙",
    "INVALID_PARAMETER": "参数有误",
    "PAYMENT_INFO_INCONSISTENCY": "两次请求商户单号一样，但是参数不一致",
    "PAYMENT_TIME_EXPIRE": "请求已过期，本笔资金订单有效支付时间已经超过",
    "PAYER_BALANCE_NOT_ENOUGH": "付款方余额不足",
    "PAYER_PAYEE_CANNOT_SAME": "收付款方不能相同",
    "PAYEE_NOT_EXIST": "收款账号不存在",
    "PAYEE_ACCOUNT_STATUS_ERROR": "收款方账号异常",
    "PAYEE_USERINFO_ERROR": "收款方信息有误",
    "PAYEE_NOT_RELNAME_CERTIFY": "收款方未实名认证",
    "PAYEE_CARD_INFO_ERROR": "收款人银行卡信息有误",
    "INVALID_CARDNO": "无效的银行卡号",
    "BANKCODE_OR_BRANCHNAME_INFO_ERROR": "联行号或支行信息有误",
    "EXCEED_LIMIT_SM_MIN_AMOUNT": "单笔转账额度低于下限",
    "EXCEED_LIMIT_SM_AMOUNT": "单笔额度超限",
    "EXCEED_LIMIT_DM_AMOUNT": "日累计额度超限",
    "EXCEED_LIMIT_DC_RECEIVED": "收款方单日收款笔数超限",
    "MEMO_REQUIRED_IN_TRANSFER_ERROR": "单笔转账金额达到50000元时，需要填写付款理由",
    "PRODUCT_NOT_SIGN": "产品未签约",
    "RESOURCE_LIMIT_EXCEED": "请求超过资源限制",
    "TRANSFER_SCENE_NAME_BLANK": "转账场景名称为空",
    "TRANSFER_SCENE_NAME_ILLEGAL": "转账场景名称不合法",
    "TRANSFER_SCENE_REPORT_INFO_ILLEGAL": "转账场景报备信息不合法",
    "ORDER_NOT_EXIST": "转账订单不存在",
    "BILL_NOT_EXIST": "账单不存在",
    "INVAILID_ARGUMENTS": "入参不合法",
    "TYPE_NOT_SUPPORTED": "账单类型不支持",
    "BILL_DATE_BEFORE_REGISTRATION": "账单日期早于注册日期",
}


class RefusedError(Exception):
    """Nothing was executed; becomes a signed error node."""

    def __init__(self, code: str, message: str = "") -> None:
        """`code` is a sub_code, or `20000` for the unavailable service."""
        super().__init__(code)
        self.node = node_of(code, message)


class GatewayRefusedError(Exception):
    """The gateway refused before any method ran; becomes a signed error node."""

    def __init__(self, code: str, method: str = "", message: str = "") -> None:
        """`method` is empty when the call named none we know: the node is `error_response`."""
        super().__init__(code)
        self.method = method
        self.node = node_of(code, message)


def top_code(sub_code: str) -> str:
    """The top-level code a sub_code comes under."""
    if sub_code in ("20000", "isp.unknow-error", "aop.unknow-error"):
        return "20000"
    if sub_code.startswith("isv.missing-"):
        return "40001"
    if sub_code.startswith("isv.insufficient-"):
        return "40006"
    if sub_code.startswith("isv."):
        return "40002"
    return "40004"


def node_of(code: str, message: str = "") -> dict[str, object]:
    """The response node of a refusal; a code outside the table is spoken as it is."""
    top = top_code(code)
    sub_code = "isp.unknow-error" if code == "20000" else code
    return {
        "code": top,
        "msg": TOP_MESSAGES[top],
        "sub_code": sub_code,
        "sub_msg": message or _MESSAGES.get(sub_code, "业务处理失败"),
    }
