"""The fund-flow bill (资金账单) of one account and one Beijing day, as CSV text.

Pure. Source: 申请资金账单 and 下载账单: UTF-8, a header line, one line per movement with a backtick
before every value, then a summary header and one summary line; amounts in yuan with two decimals.
The texts in 业务名称 and 业务类型 and the use of 业务凭证号 for the merchant's number are this
simulator's reading: the public pages do not fix them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from simulators.books import Movement, MovementKind
from simulators.clock import BEIJING

HEADER = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,"
    "收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
)
SUMMARY_HEADER = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"

_BUSINESS: dict[MovementKind, tuple[str, str]] = {
    "payout": ("商家转账", "商家转账"),
    "fee": ("商家转账", "扣除交易手续费"),
    "return": ("商家转账", "商家转账退回"),
    "topup": ("充值", "充值"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One movement as the bill tells it."""

    at: datetime
    transfer_bill_no: str
    flow_no: str
    kind: MovementKind
    amount_fen: int
    balance_fen: int
    out_bill_no: str

    @property
    def is_income(self) -> bool:
        """Whether the account received the money."""
        return self.kind in {"return", "topup"}


def line_of(movement: Movement) -> Line:
    """The true line of a movement."""
    day = movement.at.astimezone(BEIJING).strftime("%Y%m%d")
    return Line(
        at=movement.at,
        transfer_bill_no=movement.channel_ref or f"TOPUP{movement.number:010d}",
        flow_no=f"{day}{movement.number:012d}",
        kind=movement.kind,
        amount_fen=movement.amount_minor,
        balance_fen=movement.balance_minor,
        out_bill_no=movement.reference,
    )


def write(lines: Iterable[Line], mchid: str) -> bytes:
    """The file; 1234 fen is written `12.34, and an empty value is a lone backtick."""
    rows: list[str] = []
    income: list[int] = []
    expense: list[int] = []
    for line in lines:
        (income if line.is_income else expense).append(line.amount_fen)
        name, kind = _BUSINESS[line.kind]
        rows.append(
            _row(
                line.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
                line.transfer_bill_no,
                line.flow_no,
                name,
                kind,
                "收入" if line.is_income else "支出",
                yuan(line.amount_fen),
                yuan(line.balance_fen),
                f"{mchid}API",
                "",
                line.out_bill_no,
            )
        )
    summary = _row(
        str(len(rows)), str(len(income)), yuan(sum(income)), str(len(expense)), yuan(sum(expense))
    )
    return "\r\n".join((HEADER, *rows, SUMMARY_HEADER, summary, "")).encode()


def yuan(amount_fen: int) -> str:
    """Two decimals, integers all the way: 5 fen is 0.05, -120 fen is -1.20."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100}.{abs(amount_fen) % 100:02d}"


def _row(*values: str) -> str:
    return ",".join("`" + value for value in values)
