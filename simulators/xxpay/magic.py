"""Magic payees at XxPay: bank cards and accounts (accountNo)."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

MAGIC: tuple[Magic, ...] = (
    payee("6222200000000001", "settle_fail", "受理后银行拒绝", "taken, then refused by the bank",
          reason="CARD"),
    payee("6222200000000002", "return_late", "成功后一天冲正（克隆版显示 6）",
          "reversed after a day (shown as 6 by clones)", after="1d"),
    payee("6222200000000003", "settle_late", "次日才到账", "arrives a day later", after="1d"),
    payee("6222200000000004", "settle_never", "一直处理中", "stays under way for good"),
    payee("6222200000000005", "failed_though_paid", "银行应答未通过验签：已付款却记为失败，不通知",
          "the bank's answer is not understood: paid, booked as failed, nobody told"),
    payee("6222200000000006", "left_created", "停在待处理状态，未付款",
          "left as pending, not paid"),
    *amounts(unsure="FAIL", without=("wrong_echo",)),
)  # fmt: skip
