"""Magic payees at Jeepay: Alipay logon ids, openids and bank cards (accountNo)."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

MAGIC: tuple[Magic, ...] = (
    payee("nobody@jeepay.test", "reject", "账户不存在（支付宝拒绝）",
          "no such account, says Alipay", code="PAYEE_NOT_EXIST", message="收款账号不存在"),
    payee("strange@jeepay.test", "reject", "上游返回未知错误，网关记为失败",
          "an error nobody knows, booked as failed", code="SOME_NEW_ERROR"),
    payee("magic-jeepay-unsure", "reject", "微信已付款却答系统错误，网关记为失败",
          "WeChat paid and answered that it cannot tell; booked as failed",
          code="SYSTEM_ERROR", executed=True),
    payee("magic-jeepay-never-confirms", "confirm_never", "用户不确认，24 小时后关单",
          "never confirms, closed after 24 hours"),
    payee("magic-jeepay-confirms-late", "confirm_late", "用户 23 小时后确认",
          "confirms after 23 hours", after="23h"),
    payee("magic-jeepay-frozen", "settle_fail", "收款账户冻结", "account frozen",
          reason="ACCOUNT_FROZEN"),
    payee("6222100000000001", "left_created", "停在已创建状态，未付款",
          "left as created, not paid"),
    payee("6222100000000002", "left_created", "停在已创建状态，实际已付款",
          "left as created, yet paid", executed=True),
    payee("6222100000000003", "return_late", "一天后退票，网关永不更新",
          "returned after a day, which the gateway never shows", after="1d"),
    payee("6222100000000004", "settle_late", "25 小时后到账，补单窗口已过，永远处理中",
          "arrives after 25 hours, when nobody looks any more", after="25h"),
    payee("6222100000000005", "failed_though_paid", "已付款，却永远记为失败",
          "paid, and booked as failed for good"),
    *amounts(unsure="9999"),
)  # fmt: skip
