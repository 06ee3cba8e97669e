"""Every refusal this simulator can speak, with the HTTP status and text the platform uses for it.

Source: the error tables of 发起转账, 撤销转账, 查询转账单, 申请资金账单 and the API v3 basics
pages. A refusal means that nothing was executed. Fail reasons are not refusals: they stand on an
accepted bill whose state is FAIL.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class RefusedError(Exception):
    """The request was not executed; becomes a signed `{code, message, detail?}` reply."""

    status: int
    code: str
    message: str
    detail: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON object of the reply."""
        said: dict[str, object] = {"code": self.code, "message": self.message}
        if self.detail:
            said["detail"] = self.detail
        return said


# Names a fault rule may use in `reject(code)`: the wire code, or CODE/variant where one code has
# several meanings.
REFUSALS: dict[str, tuple[int, str, str]] = {
    "SYSTEM_ERROR": (500, "SYSTEM_ERROR", "系统异常，请稍后重试"),
    "FREQUENCY_LIMITED": (429, "FREQUENCY_LIMITED", "频率超限，请求未受理，请降低频率后原单重试"),
    "QUOTA_EXCEED": (429, "QUOTA_EXCEED", "超出商户单日转账额度"),
    "NOT_ENOUGH": (403, "NOT_ENOUGH", "商户运营账户资金不足，请充值后原单重试"),
    "NO_AUTH": (403, "NO_AUTH", "商户号没有该产品权限"),
    "ACCOUNTERROR": (403, "ACCOUNTERROR", "商户账户异常"),
    "USER_ERROR": (403, "USER_ERROR", "商户异常"),
    "APPID_MCHID_NOT_MATCH": (401, "APPID_MCHID_NOT_MATCH", "商户号与appid不匹配"),
    "SIGN_ERROR": (401, "SIGN_ERROR", "错误的签名，验签失败"),
    "NOT_FOUND": (404, "NOT_FOUND", "记录不存在"),
    "RESOURCE_NOT_EXISTS": (404, "RESOURCE_NOT_EXISTS", "请求的资源不存在"),
    "NO_STATEMENT_EXIST": (400, "NO_STATEMENT_EXIST", "账单文件不存在"),
    "STATEMENT_CREATING": (400, "STATEMENT_CREATING", "账单生成中"),
    "PARAM_ERROR": (400, "PARAM_ERROR", "参数错误"),
    "PARAM_ERROR/report_infos": (400, "PARAM_ERROR", "需传入转账场景报备信息"),
    "PARAM_ERROR/openid": (400, "PARAM_ERROR", "openid与appid不匹配"),
    "PARAM_ERROR/user_name": (400, "PARAM_ERROR", "收款用户姓名解密失败"),
    "INVALID_REQUEST": (400, "INVALID_REQUEST", "请求不符合业务规则"),
    "INVALID_REQUEST/changed": (
        400,
        "INVALID_REQUEST",
        "单号已存在但信息不一致，请查单后比较确认",
    ),
    "INVALID_REQUEST/expired": (
        400,
        "INVALID_REQUEST",
        "对应单号已超出重试期,请查单确认后决定是否换单请求",
    ),
    "INVALID_REQUEST/ip": (400, "INVALID_REQUEST", "IP地址不在白名单内"),
    "INVALID_REQUEST/appid": (400, "INVALID_REQUEST", "APPID不存在"),
    "INVALID_REQUEST/scene": (400, "INVALID_REQUEST", "商户未获取转账场景"),
    "INVALID_REQUEST/day_cap": (400, "INVALID_REQUEST", "超出商户单日转账额度"),
    "INVALID_REQUEST/bounds": (400, "INVALID_REQUEST", "转账金额超过单笔转账上下限"),
    "INVALID_REQUEST/cancel": (400, "INVALID_REQUEST", "当前转账单状态不支持撤销"),
    "INVALID_REQUEST/receipt": (400, "INVALID_REQUEST", "不满足电子回单申请条件"),
}

# fail_reason of a bill whose state is FAIL (查询转账单); the spelling is the platform's.
FAIL_REASONS = frozenset(
    {
        *("ACCOUNT_FROZEN", "ACCOUNT_NOT_EXIST", "REAL_NAME_CHECK_FAIL", "NAME_NOT_CORRECT"),
        *("OPENID_INVALID", "ID_CARD_NOT_CORRECT", "DAY_RECEIVED_QUOTA_EXCEED"),
        *("MONTH_RECEIVED_QUOTA_EXCEED", "DAY_RECEIVED_COUNT_EXCEED"),
        *("REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED", "RECEIVE_ACCOUNT_NOT_PERMMIT"),
        *("RECEIVE_ACCOUNT_NOT_CONFIGURE", "PAYEE_ACCOUNT_ABNORMAL", "TRANSFER_RISK"),
        *("BANK_CARD_ACCOUNT_ABNORMAL", "BANK_CARD_BANK_INFO_WRONG", "BANK_CARD_CARD_INFO_WRONG"),
        *(
            "BANK_CARD_COLLECTIONS_ABOVE_QUOTA",
            "BANK_CARD_PARAM_ERROR",
            "BANK_CARD_STATUS_ABNORMAL",
        ),
        *("BLOCK_B2C_USERLIMITAMOUNT_BSRULE_MONTH", "BLOCK_B2C_USERLIMITAMOUNT_MONTH"),
        *("TRANSFER_REMARK_SET_FAIL", "OVERDUE_CLOSE", "MERCHANT_REJECT", "MERCHANT_NOT_CONFIRM"),
        *("MCH_CANCEL", "OTHER_FAIL_REASON_TYPE", "TRANSFER_QUOTA_EXCEED"),
        *("PRODUCT_AUTH_CHECK_FAIL", "PAYER_ACCOUNT_ABNORMAL", "TRANSFER_SCENE_UNAVAILABLE"),
        *("TRANSFER_SCENE_INVALID", "BUDGET_NOT_ENOUGH"),
    }
)


def refused(name: str, **detail: str) -> RefusedError:
    """The refusal of that name; a code outside the table is spoken as it is with HTTP 400."""
    status, code, message = REFUSALS.get(name, (400, name, "业务错误"))
    return RefusedError(status, code, message, detail)


def bad_field(name: str, issue: str) -> RefusedError:
    """400 PARAM_ERROR about one request field; the value itself is not repeated, since it may be a
    secret."""
    detail = {"location": "body", "field": name, "issue": issue}
    return RefusedError(400, "PARAM_ERROR", f"参数错误：{name} {issue}", detail)
