"""Magic payees at an Epay site: accounts, openids and bank cards (`account`)."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

MAGIC: tuple[Magic, ...] = (
    # ---- Alipay accounts ----
    payee("nobody@magic.test", "reject", "下游拒绝，站点无记录，查无此单",
          "refused by the channel behind the site: no row, not found", code="PAYEE_NOT_EXIST"),
    payee("repeats@magic.test", "double_execute", "下游不幂等，重发即重复付款",
          "the channel behind the site pays a repeated number again"),
    payee("fails@magic.test", "settle_fail", "受理后失败，资金退回",
          "taken, then failed; money back", reason="PAYEE_USER_INFO_ERROR"),
    # ---- WeChat openids ----
    payee("magic-never-confirms", "confirm_never", "用户不确认，24 小时后失败",
          "never confirms, failed after 24 hours"),
    payee("magic-confirms-late", "confirm_late", "用户 23 小时后确认",
          "confirms after 23 hours", after="23h"),
    payee("magic-wrong-name", "settle_fail", "姓名不符", "name does not match",
          reason="NAME_NOT_CORRECT"),
    # ---- bank cards ----
    payee("6222000000000002", "return_late", "成功后一天被站长退回",
          "taken back by the administrator a day after success", after="1d"),
    payee("6222000000000004", "settle_fail", "受理后银行拒绝，资金退回",
          "taken, then refused by the bank; money back", reason="PAYEE_CARD_INFO_ERROR"),
    payee("6222000000000005", "settle_late", "次日才到账", "arrives a day later", after="1d"),
    payee("6222000000000006", "settle_never", "一直处理中", "stays under way for good"),
    *amounts(
        unsure="SYSTEM_ERROR", without=("notice_duplicate", "notice_lost", "notice_forged")
    ),
)  # fmt: skip
