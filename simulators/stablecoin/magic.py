"""Magic beneficiaries at Circle Mint: registered with every account, by id."""

from __future__ import annotations

from simulators.magic import Magic, amounts, payee

_ID = "00000000-0000-4000-8000-0000000000"

MAGIC: tuple[Magic, ...] = (
    # ---- bank accounts (destination type wire) ----
    payee(f"{_ID}01", "reject", "收款账户未登记", "bank account not registered", code="2"),
    payee(f"{_ID}02", "settle_fail", "电汇路由号无效", "routing number is invalid",
          reason="invalid_wire_rtn"),
    payee(f"{_ID}03", "return_late", "成功后一天退回", "returned after a day", after="1d"),
    payee(f"{_ID}04", "settle_fail", "风控拒绝", "denied by risk",
          reason="transaction_denied"),
    payee(f"{_ID}05", "settle_late", "风控复核，次日才完成", "in review, complete a day later",
          after="1d"),
    payee(f"{_ID}06", "settle_never", "一直处理中", "stays under way for good"),
    payee(f"{_ID}07", "settle_fail", "失败但原因不明，需人工核实",
          "failed for a reason that leaves doubt", reason="transaction_failed"),
    # ---- address-book entries (destination type address_book, chain ETH) ----
    payee(f"{_ID}11", "settle_fail", "链上收款被风控拒绝", "on-chain payee denied by risk",
          reason="transaction_denied"),
    payee(f"{_ID}12", "settle_late", "链上拥堵，一小时后确认", "chain is full: an hour late",
          after="1h"),
    payee(f"{_ID}13", "settle_never", "链上一直未确认", "never confirmed on the chain"),
    *amounts(unsure="-1", without=("bad_signature",)),
)  # fmt: skip

WIRE_IDS = frozenset(f"{_ID}{n:02d}" for n in range(1, 8))
CHAIN_IDS = frozenset(f"{_ID}{n:02d}" for n in range(11, 14))
