"""Magic payees at the bank: account and card numbers (CdtrAcct/Id/Othr/Id)."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

MAGIC: tuple[Magic, ...] = (
    payee("6222000000000001", "reject", "账号错误", "no such account", code="AC01"),
    payee("6222000000000002", "return_late", "成功后一天退票", "returned after a day", after="1d"),
    payee("6222000000000003", "return_late", "成功后三天退票", "returned after three days",
          after="3d"),
    payee("6222000000000004", "settle_fail", "受理后被拒（账户已销户）",
          "taken, then refused: account closed", reason="AC04"),
    payee("6222000000000005", "settle_late", "次日才到账", "arrives a day later", after="1d"),
    payee("6222000000000006", "settle_never", "一直处理中", "stays under way for good"),
    payee("6222000000000007", "reject", "户名不符", "name does not match", code="BE01"),
    payee("6222000000000008", "reject", "账户冻结", "account blocked", code="AC06"),
    payee("6222000000000009", "settle_fail", "清算超时（结果不明）",
          "broken off in clearing: cannot tell", reason="AB06"),
    *amounts(unsure="AB06", without=("bad_signature",)),
)  # fmt: skip
