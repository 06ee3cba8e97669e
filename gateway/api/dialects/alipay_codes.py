"""What Alipay's gateway says when it refuses, and which of our facts each word stands for. Data.

Facts: wire-protocols.md §1.8. A caller reads 40004 with a code it knows as "not paid", 20000 as
"ask about the same number", and 40004 with one of `ASK_AGAIN` as the same.
"""

from collections.abc import Mapping

from channels.contract import Rail, Reason
from gateway.domain.dialect import SUSPECTED_RETRY, Standing, standing_of
from gateway.domain.errors import (
    ConflictError,
    ForbiddenError,
    GatewayError,
    InvalidError,
    UnfundedError,
)
from gateway.domain.payout import Payout

OK: Mapping[str, str] = {"code": "10000", "msg": "Success"}
UNSURE = "isp.unknow-error"
DIFFERS = "PAYMENT_INFO_INCONSISTENCY"
ABSENT = "ORDER_NOT_EXIST"
INVALID = "INVALID_PARAMETER"
ASK_AGAIN = frozenset({DIFFERS, "REQUEST_PROCESSING", "BIZ_UNIQUE_EXCEPTION"})
"""Business refusals after which a caller asks before it pays by another way."""

_TOPS: Mapping[str, str] = {
    "20000": "Service Currently Unavailable",
    "20001": "Insufficient Token Permissions",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
    "40006": "Insufficient Permissions",
}
_TEXTS: Mapping[str, str] = {
    UNSURE: "系统繁忙，请以原商户单号查询",
    "aop.invalid-app-auth-token": "不支持代商户调用，请以商户自己的 app_id 发起",
    "isv.invalid-app-id": "无效的AppID参数",
    "isv.invalid-signature": "验签失败，请检查应用私钥、签名类型和待签名内容",
    "isv.invalid-signature-type": "无效的签名类型，请使用 RSA2",
    "isv.invalid-method": "不存在的方法名",
    "isv.invalid-charset": "字符集错误，请使用 UTF-8 或 GBK 并与内容一致",
    "isv.invalid-format": "无效的数据格式，仅支持 JSON",
    "isv.invalid-version": "无效的版本，仅支持 1.0",
    "isv.invalid-timestamp": "无效的时间戳参数，格式为 yyyy-MM-dd HH:mm:ss，请校准服务器时间",
    "isv.invalid-encrypt": "不支持加密内容，请去掉 encrypt_type 以明文发送 biz_content",
    "isv.invalid-app-cert-sn": "不支持证书模式，请改用公钥模式并去掉 app_cert_sn",
    "isv.invalid-parameter": "参数无效",
    "isv.insufficient-isv-permissions": "本网关不提供该接口",
    INVALID: "参数有误",
    DIFFERS: "两次请求商户单号一样，但是参数不一致",
    "BIZ_UNIQUE_EXCEPTION": "该商户单号已存在，请查询原单",
    "REQUEST_PROCESSING": "系统处理中，请稍后再试",
    ABSENT: "转账订单不存在",
    "PAYER_BALANCE_NOT_ENOUGH": "付款方余额不足",
    "PAYER_STATUS_ERROR": "付款方账户状态异常",
    "PRODUCT_NOT_SIGN": "产品未签约，没有渠道支持该收款方式",
    "EXCEED_LIMIT_SM_AMOUNT": "单笔额度超限",
    "EXCEED_LIMIT_SM_MIN_AMOUNT": "单笔转账额度低于下限",
    "INVALID_CARDNO": "无效的银行卡号",
    "BANKCODE_OR_BRANCHNAME_INFO_ERROR": "对公账户须有 12 位联行号 bank_code 和 inst_name",
}

_RAIL_SHUT = "INST_PAY_UNABLE"
_UNNAMED = "PAYMENT_FAIL"
"""No more is known than that it failed: whoever reads it looks before it pays by another way."""
_REASONS: Mapping[Reason, str] = {
    Reason.PAYEE_NOT_FOUND: "PAYEE_NOT_EXIST",
    Reason.PAYEE_NAME_MISMATCH: "PAYEE_USERINFO_ERROR",
    Reason.PAYEE_BLOCKED: "PAYEE_ACCOUNT_STATUS_ERROR",
    Reason.PAYEE_UNVERIFIED: "PAYEE_NOT_RELNAME_CERTIFY",
    Reason.PAYEE_LIMIT: "EXCEED_LIMIT_DC_RECEIVED",
    Reason.AMOUNT_BELOW_MINIMUM: "EXCEED_LIMIT_SM_MIN_AMOUNT",
    Reason.AMOUNT_ABOVE_MAXIMUM: "EXCEED_LIMIT_SM_AMOUNT",
    Reason.PURPOSE_REFUSED: "REMARK_HAS_SENSITIVE_WORD",
    Reason.PARAMETER_REFUSED: INVALID,
    Reason.RISK_REFUSED: "SECURITY_CHECK_FAILED",
    # Our own accounts and ways: of no more interest to a caller than a bank that is closed.
    Reason.FLOAT_SHORT: _RAIL_SHUT,
    Reason.QUOTA_EXHAUSTED: _RAIL_SHUT,
    Reason.ACCOUNT_SUSPENDED: _RAIL_SHUT,
    Reason.NOT_PERMITTED: _RAIL_SHUT,
    Reason.SIGNATURE_REFUSED: _RAIL_SHUT,
    Reason.RAIL_DOWN: _RAIL_SHUT,
    Reason.OUTSIDE_HOURS: _RAIL_SHUT,
    Reason.THROTTLED: _RAIL_SHUT,
    Reason.NEVER_SENT: _RAIL_SHUT,
    Reason.NEVER_ARRIVED: _RAIL_SHUT,
}


class RefusedError(Exception):
    """Told as a node of its own instead of an answer."""

    def __init__(self, sub_code: str, message: str = "") -> None:
        """`message` is Chinese; without one it is the code's own."""
        super().__init__(sub_code)
        self.sub_code = sub_code
        self.message = message or _TEXTS.get(sub_code, "参数缺失，请补齐必填公共参数")

    @property
    def node(self) -> Mapping[str, str]:
        """As it is told."""
        top = _top(self.sub_code)
        return {
            "code": top,
            "msg": _TOPS[top],
            "sub_code": self.sub_code,
            "sub_msg": self.message,
        }


def _top(sub_code: str) -> str:
    if sub_code == UNSURE:
        return "20000"
    if sub_code.startswith("aop."):
        return "20001"
    if sub_code.startswith("isv.missing-"):
        return "40001"
    if sub_code.startswith("isv.insufficient-"):
        return "40006"
    return "40002" if sub_code.startswith("isv.") else "40004"


def refusal_of(error: GatewayError) -> RefusedError:
    """A refusal of ours in Alipay's words. Whatever may pass by itself is `UNSURE`: the caller
    asks, hears that there is no such order, and sends the same again."""
    match error:
        case UnfundedError():
            return RefusedError("PAYER_BALANCE_NOT_ENOUGH")
        case ConflictError() if error.code == SUSPECTED_RETRY:
            return RefusedError("REQUEST_PROCESSING", error.zh)
        case ConflictError() if error.code == "order_exists":
            return RefusedError("BIZ_UNIQUE_EXCEPTION")
        case ConflictError():
            return RefusedError(DIFFERS)
        case ForbiddenError():
            return RefusedError("PAYER_STATUS_ERROR", error.zh)
        case InvalidError() if error.code == "amount_below_fee":
            return RefusedError("EXCEED_LIMIT_SM_MIN_AMOUNT", error.zh)
        case InvalidError():
            return RefusedError(INVALID, error.zh)
    return RefusedError(UNSURE, error.zh)


def error_code(payout: Payout) -> str:
    """Why an order ended unpaid."""
    standing = standing_of(payout)
    if standing is Standing.RETURNED:
        return "PAYEE_CARD_INFO_ERROR"
    if standing is Standing.REJECTED:
        return _UNNAMED
    proofs = [one.certificate for one in payout.attempts if one.certificate is not None]
    if not proofs:
        return _RAIL_SHUT
    reason = proofs[-1].reason
    if reason is Reason.INSTRUMENT_INVALID:
        is_account = payout.instruments[0].rail is Rail.ALIPAY
        return "PAYEE_USER_TYPE_ERROR" if is_account else "PAYEE_CARD_INFO_ERROR"
    return _REASONS.get(reason, _UNNAMED)
