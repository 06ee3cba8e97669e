"""Magic payees at Alipay: accounts and bank cards (payee_info.identity)."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

MAGIC: tuple[Magic, ...] = (
    # ---- Alipay accounts (payee_info.identity) ----
    payee("nobody@magic.test", "reject", "账户不存在", "no such account",
          code="PAYEE_NOT_EXIST"),
    payee("frozen@magic.test", "reject", "账户状态异常", "account frozen",
          code="PAYEE_ACCOUNT_STATUS_ERROR"),
    payee("wrong-name@magic.test", "reject", "姓名与账户不符", "name does not match",
          code="PAYEE_USERINFO_ERROR"),
    payee("unverified@magic.test", "reject", "收款方未实名", "payee not verified",
          code="PAYEE_NOT_RELNAME_CERTIFY"),
    payee("over-limit@magic.test", "reject", "收款额度超限", "payee over its limit",
          code="EXCEED_LIMIT_DC_RECEIVED"),
    # ---- bank cards at Alipay (payee_info.identity) ----
    payee("6222000000000001", "reject", "卡号无效", "no such card",
          code="INVALID_CARDNO"),
    payee("6222000000000002", "return_late", "成功后一天退票", "returned after a day",
          after="1d"),
    payee("6222000000000003", "return_late", "成功后三天退票",
          "returned after three days", after="3d"),
    payee("6222000000000004", "settle_fail", "受理后银行拒绝，资金退回",
          "taken, then refused by the bank; money back", reason="PAYEE_CARD_INFO_ERROR"),
    payee("6222000000000005", "settle_late", "次日才到账", "arrives a day later",
          after="1d"),
    payee("6222000000000006", "settle_never", "一直处理中", "stays under way for good"),
    *amounts(unsure="SYSTEM_ERROR"),
)  # fmt: skip
