"""Magic payees at UnionPay: card and account numbers (accNo)."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

MAGIC: tuple[Magic, ...] = (
    payee("6221000000000001", "reject", "卡号无效", "no such card", code="61"),
    payee("6221000000000002", "reject", "卡状态不正确", "card blocked", code="63"),
    payee("6221000000000003", "reject", "姓名与卡不符", "name does not match", code="66"),
    payee("6221000000000004", "settle_fail", "受理后发卡行拒绝，资金退回",
          "taken, then refused by the issuer; money back", reason="62"),
    payee("6221000000000005", "settle_late", "次日才到账", "arrives a day later", after="1d"),
    payee("6221000000000006", "settle_never", "一直处理中", "stays under way for good"),
    payee("6221000000000007", "return_late", "成功后一天退票", "returned after a day",
          after="1d"),
    payee("6221000000000008", "return_late", "成功后三天退票", "returned after three days",
          after="3d"),
    payee("6221000000000009", "settle_fail", "受理后只答交易失败(60)，资金退回",
          "taken, then only 60 is said, which decides nothing; money back", reason="60"),
    *amounts(unsure="04"),
)  # fmt: skip
