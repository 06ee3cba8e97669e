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
