"""The closed lists, copied by hand from wire-protocols.md and apart from the adapters' own tables.

What stands in none of these must never prove anything: see `judge.py`. A code that is added to an
adapter has to be added here too, by somebody who has read the source.
"""

ALIPAY_DEAD = frozenset(
    [
        "PAYEE_NOT_EXIST",
        "PAYEE_ACCOUNT_NOT_EXSIT",
        "PAYEE_ACCOUNT_STATUS_ERROR",
        "PAYEE_USERINFO_ERROR",
        "PAYEE_USERINFO_STATUS_ERROR",
        "PAYEE_ACC_OCUPIED",
        "PAYEE_NOT_RELNAME_CERTIFY",
        "PAYEE_USER_TYPE_ERROR",
        "PERMIT_NON_BANK_LIMIT_PAYEE",
        "PERMIT_LIMIT_PAYEE",
        "PERM_AML_NOT_REALNAME_REV",
        "RELEASE_USER_FORBBIDEN_RECIEVE",
        "EXCEED_LIMIT_UNRN_DM_AMOUNT",
        "EXCEED_LIMIT_DC_RECEIVED",
        "PAYEE_TRUSTEESHIP_ACC_OVER_LIMIT",
        "TRUSTEESHIP_RECIEVE_QUOTA_LIMIT",
        "CARD_BIN_ERROR",
        "INVALID_CARDNO",
        "PAYEE_CARD_INFO_ERROR",
        "BANKCODE_OR_BRANCHNAME_INFO_ERROR",
        "PAYER_PAYEE_CANNOT_SAME",
        "EXCEED_LIMIT_SM_MIN_AMOUNT",
        "EXCEED_LIMIT_SM_AMOUNT",
        "EXCEED_LIMIT_PERSONAL_SM_AMOUNT",
        "EXCEED_LIMIT_ENT_SM_AMOUNT",
        "MEMO_REQUIRED_IN_TRANSFER_ERROR",
        "REMARK_HAS_SENSITIVE_WORD",
        "SECURITY_CHECK_FAILED",
        "INVALID_PARAMETER",
        "TRANSFER_SCENE_NAME_BLANK",
        "TRANSFER_SCENE_NAME_ILLEGAL",
        "TRANSFER_SCENE_REPORT_INFO_ILLEGAL",
    ]
)
"""§1.8 (a): refused by itself, if it was the only send."""

ALIPAY_DEAD_IF_CONFIRMED = frozenset(
    [
        "PAYEE_USER_INFO_ERROR",
        "PAYER_BALANCE_NOT_ENOUGH",
        "BALANCE_IS_NOT_ENOUGH",
        "BALANCE_NOT_ENOUGH",
        "PAYMENT_MONEY_NOT_ENOUGH",
        "EXCEED_LIMIT_DM_AMOUNT",
        "EXCEED_LIMIT_DM_MAX_AMOUNT",
        "EXCEED_LIMIT_MM_AMOUNT",
        "EXCEED_LIMIT_MM_MAX_AMOUNT",
        "PAYER_STATUS_ERROR",
        "PAYCARD_UNABLE_PAYMENT",
        "PERMIT_PAYER_FORBIDDEN",
        "JUDICIAL_FREEZE",
        "MONEY_PAY_CLOSED",
        "PRODUCT_NOT_SIGN",
        "NO_ACCOUNT_PAYMENT_PERMISSION",
        "TRANSFER_SCENE_INFO_ADMIT_FAIL",
        "INST_PAY_UNABLE",
        "isv.invalid-signature",
        "isv.insufficient-isv-permissions",
    ]
)
"""§1.8 (d), and the one of the third-party list: only after an inquiry."""

ALIPAY_GATEWAY_CODES = frozenset({"20001", "40001", "40002", "40003", "40006"})
ALIPAY_FAILED = frozenset({"FAIL", "CLOSED"})

WECHAT_DEAD_IF_CONFIRMED: tuple[tuple[int, str, str], ...] = (
    (400, "INVALID_REQUEST", "不允许调用接口"),
    (400, "INVALID_REQUEST", "白名单"),
    (400, "INVALID_REQUEST", "APPID不存在"),
    (400, "INVALID_REQUEST", "未获取转账场景"),
    (400, "INVALID_REQUEST", "未获取该转账场景"),
    (400, "INVALID_REQUEST", "超出商户单日转账额度"),
    (400, "INVALID_REQUEST", "超过单笔转账上下限"),
    (400, "PARAM_ERROR", ""),
    (403, "NOT_ENOUGH", ""),
    (403, "NO_AUTH", ""),
    (403, "ACCOUNTERROR", ""),
    (401, "APPID_MCHID_NOT_MATCH", ""),
    (401, "SIGN_ERROR", ""),
    (400, "USER_ERROR", ""),
    (401, "USER_ERROR", ""),
    (403, "USER_ERROR", ""),
    (429, "QUOTA_EXCEED", ""),
)
"""§2.5 (a) and (d): status, code, and what the message must hold; never without an inquiry."""

WECHAT_DOUBT = ("单号已存在", "超出重试期")
"""§2.5 row 3: with one of these an INVALID_REQUEST proves nothing whatever else it says."""

WECHAT_FAILED = frozenset({"FAIL", "CANCELLED"})
WECHAT_LEGACY_FAILED = frozenset({"FAIL"})

JEEPAY_NOT_FOUND = "订单不存在"
JEEPAY_REFUSED_IF_CONFIRMED = frozenset({"11"})
"""dialects.md §1: raised by the check of the fields, before an order is written; not signed."""
JEEPAY_FAILED = frozenset({"3", "4"})
JEEPAY_ALIPAY_DEAD = frozenset(
    [
        "PAYEE_NOT_EXIST",
        "PAYEE_ACCOUNT_NOT_EXSIT",
        "PAYEE_ACCOUNT_STATUS_ERROR",
        "PAYEE_USERINFO_ERROR",
        "PAYEE_USERINFO_STATUS_ERROR",
        "PAYEE_ACC_OCUPIED",
        "PAYEE_NOT_RELNAME_CERTIFY",
        "PAYEE_USER_TYPE_ERROR",
        "PERMIT_NON_BANK_LIMIT_PAYEE",
        "PERMIT_LIMIT_PAYEE",
        "RELEASE_USER_FORBBIDEN_RECIEVE",
        "EXCEED_LIMIT_UNRN_DM_AMOUNT",
        "EXCEED_LIMIT_DC_RECEIVED",
        "CARD_BIN_ERROR",
        "INVALID_CARDNO",
        "PAYEE_CARD_INFO_ERROR",
    ]
)
"""Alipay's words about the payee (§1.8 a) as Jeepay passes them on in a failed order."""

XXPAY_TAKEN = frozenset({"SUCCESS", "0"})
XXPAY_REFUSED = frozenset({"FAIL", "9999"})
XXPAY_NOT_FOUND = "代付订单不存在"
XXPAY_STATES: dict[tuple[bool, str], str] = {
    # Whether it is a submission's answer, which names no amount and so proves no payment.
    **{(at_once, state): "Pending" for at_once in (True, False) for state in ("0", "1", "4")},
    **{(at_once, "3"): "Rejected" for at_once in (True, False)},
    (True, "2"): "Pending",
    (True, "6"): "Pending",
    (False, "2"): "Paid",
    (False, "6"): "Returned",
}
"""dialects.md §3.1: what each state may be taken for."""

EPAY_DEAD = frozenset(
    [
        "单笔最小代付金额限制为{n}元",
        "单笔最大代付金额限制为{n}元",
        "您今天向该账号的转账次数已达到上限",
        "type参数错误",
        "代付方式(type)不能为空",
        "收款人账号(account)不能为空",
        "收款人姓名(name)不能为空",
        "转账金额(money)不能为空",
        "转账金额输入不规范",
        "交易号输入不规范",
        "转账备注最多{n}个字",
    ]
)
"""§6.6 (a): refused before the site asks its own channel; numbers written as {n}."""
EPAY_DEAD_IF_CONFIRMED = frozenset(
    [
        "需支付金额大于可转账余额",
        "未开启此转账方式",
        "当前支付通道信息不存在",
        "您的商户出现异常，无法使用代付功能",
        "管理员未开启代付功能",
        "商户未开启代付API接口",
    ]
)
"""§6.6 (d): only after an inquiry."""
EPAY_NOT_FOUND = frozenset({"转账交易号不存在", "当前转账订单不存在"})
EPAY_ALIVE = frozenset({"支付通道不存在"})

STABLECOIN_REFUSED = frozenset({(400, 2)})
"""§5.4 (a): HTTP status and code of a refusal before anything was made."""
STABLECOIN_REFUSED_IF_CONFIRMED = frozenset({401, 403})
"""§5.4 (d): whatever the code but -1, which is transient everywhere."""
STABLECOIN_FAILED_FOR_GOOD = frozenset(
    [
        "invalid_bank_account_number",
        "invalid_ach_rtn",
        "invalid_wire_rtn",
        "transaction_denied",
        "insufficient_funds",
        "fiat_account_limit_exceeded",
        "vendor_inactive",
    ]
)
"""§5.2, §5.4 (a), (d): words of a failed payout after which the bank cannot have had the money."""

UNIONPAY_DEAD = frozenset(
    [
        *("10", "13", "33", "44", "61", "62", "63", "64", "65", "66"),
    ]
)
"""§3.5 (a): refused, and the message and the published list agree that no money moved."""
UNIONPAY_DEAD_IF_CONFIRMED = frozenset(
    [
        *("14", "40", "43", "67", "68", "69", "71", "72", "73", "76", "77", "78"),
        *("79", "80", "81", "82", "84", "02", "11", "30", "31", "32", "38", "39"),
        *("90", "91", "92", "93", "94", "95", "96"),
    ]
)
"""§3.5 (d), and (a) with a text from a mirrored list: only after a query."""
UNIONPAY_ZM_CELLS = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21),
    *(15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)
UNIONPAY_ZME_CELLS = (
    3,
    11,
    11,
    6,
    10,
    19,
    12,
    4,
    2,
    2,
    6,
    10,
    4,
    12,
    13,
    13,
    15,
    15,
    1,
    12,
    2,
    135,
)
UNIONPAY_ZM = {
    "amount": (66, 78),
    "query": (87, 108),
    "order": (112, 144),
    "type": (215, 217),
    "merchant": (293, 308),
}
"""§3.7: where the cells of a ZM line begin and end that a line is held against."""
