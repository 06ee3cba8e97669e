"""Magic payees at WeChat Pay: users by openid."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

MAGIC: tuple[Magic, ...] = (
    # ---- WeChat users (openid) ----
    payee("magic-never-confirms", "confirm_never",
          "用户不确认，24 小时后关单", "never confirms, closed after 24 hours"),
    payee("magic-confirms-late", "confirm_late", "用户 23 小时后确认",
          "confirms after 23 hours", after="23h"),
    payee("magic-frozen", "settle_fail", "收款账户冻结", "account frozen",
          reason="ACCOUNT_FROZEN"),
    payee("magic-wrong-name", "settle_fail", "姓名不符", "name does not match",
          reason="NAME_NOT_CORRECT"),
    payee("magic-unverified", "settle_fail", "实名校验失败",
          "real-name check failed", reason="REAL_NAME_CHECK_FAIL"),
    payee("magic-over-limit", "settle_fail", "收款额度超限",
          "payee over its limit", reason="DAY_RECEIVED_QUOTA_EXCEED"),
    payee("magic-never-settles", "settle_never", "一直处理中",
          "stays under way for good"),
    *amounts(unsure="SYSTEM_ERROR"),
)  # fmt: skip
