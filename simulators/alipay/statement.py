"""The bill file of one day: a ZIP of two GBK CSV members, and the ledger rows of the log query.

Source: alipay.data.dataservice.bill.downloadurl.query (signcustomer) and the file's own layout;
alipay.data.bill.accountlog.query. Member names and the wording of 业务类型 are not published: here
转账, 收费, 退票 and 充值. Every cell ends in a TAB, outgoing amounts carry a minus.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from simulators.books import Movement
from simulators.clock import BEIJING

COLUMNS = (
    "账务流水号",
    "业务流水号",
    "商户订单号",
    "商品名称",
    "发生时间",
    "对方账号",
    "收入金额（+元）",
    "支出金额（-元）",
    "账户余额（元）",
    "交易渠道",
    "业务类型",
    "备注",
)
_KINDS = {"payout": "转账", "fee": "收费", "return": "退票", "topup": "充值"}
_REMARKS = {"payout": "单笔转账", "fee": "转账服务费", "return": "转账退票", "topup": ""}
_STAMP = "%Y年%m月%d日 %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the account's ledger."""

    log_id: str
    channel_ref: str
    reference: str
    at: datetime
    payee: str
    amount_minor: int
    """Positive for income, negative for expense."""
    balance_minor: int
    kind: str
    remark: str

    def off_by(self, fen: int) -> Line:
        """The same row with a larger (or smaller) size of its amount."""
        sign = -1 if self.amount_minor < 0 else 1
        return replace(self, amount_minor=self.amount_minor + sign * fen)


def line_of(movement: Movement) -> Line:
    """The ledger row a movement makes."""
    day = movement.at.astimezone(BEIJING).strftime("%Y%m%d")
    sign = -1 if movement.is_outgoing else 1
    return Line(
        log_id=f"{day}{movement.number:012d}",
        channel_ref=movement.channel_ref,
        reference=movement.reference,
        at=movement.at,
        payee=movement.payee,
        amount_minor=sign * movement.amount_minor,
        balance_minor=movement.balance_minor,
        kind=_KINDS[movement.kind],
        remark=_REMARKS[movement.kind],
    )


def yuan(fen: int) -> str:
    """Two decimals, without a float in between: 5 is "0.05", -1234 is "-12.34"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def mask(payee: str) -> str:
    """A payee as the platform prints it: the middle starred out."""
    return payee if len(payee) < 7 else f"{payee[:3]}***{payee[-3:]}"


def bill_file(
    user_id: str, first: date, last: date, lines: Sequence[Line], made: datetime
) -> bytes:
    """The ZIP for the days `first` to `last`, both included."""
    span = first.strftime("%Y%m%d") if first == last else first.strftime("%Y%m")
    head = [
        f"#账号：[{user_id}]",
        f"#起始日期：[{first.strftime('%Y年%m月%d日')} 00:00:00]   "
        f"终止日期：[{(last + timedelta(days=1)).strftime('%Y年%m月%d日')} 00:00:00]",
    ]
    spent = [line.amount_minor for line in lines if line.amount_minor < 0]
    earned = [line.amount_minor for line in lines if line.amount_minor >= 0]
    made_at = f"#导出时间：[{made.astimezone(BEIJING).strftime(_STAMP)}]"
    sums = [
        f"#支出合计：{len(spent)}笔，共{yuan(sum(spent))}元",
        f"#收入合计：{len(earned)}笔，共{yuan(sum(earned))}元",
    ]
    detail = [
        "#支付宝账务明细查询",
        *head,
        "#-----------------------------------------账务明细列表----------------------------------------",
        ",".join(COLUMNS),
        *(_row(line) for line in lines),
        "#-----------------------------------------账务明细列表结束------------------------------------",
        *sums,
        made_at,
    ]
    summary = [
        "#支付宝账务汇总查询",
        *head,
        "#-----------------------------------------账务汇总列表----------------------------------------",
        "业务类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）",
        *_summary_rows(lines),
        "#-----------------------------------------账务汇总列表结束------------------------------------",
        made_at,
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for title, rows in (("账务明细", detail), ("账务明细(汇总)", summary)):
            _write(bundle, f"{user_id}_{span}_{title}.csv", _gbk(rows), made)
    return out.getvalue()


def _row(line: Line) -> str:
    is_income = line.amount_minor >= 0
    cells = (
        line.log_id,
        line.channel_ref,
        line.reference,
        line.remark or line.kind,
        line.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
        mask(line.payee),
        yuan(line.amount_minor) if is_income else "",
        "" if is_income else yuan(line.amount_minor),
        yuan(line.balance_minor),
        "支付宝",
        line.kind,
        line.remark,
    )
    return ",".join(f"{cell}\t" for cell in cells)


def _summary_rows(lines: Iterable[Line]) -> list[str]:
    by_kind: dict[str, list[int]] = {}
    for line in lines:
        by_kind.setdefault(line.kind, []).append(line.amount_minor)
    rows = []
    for kind, amounts in by_kind.items():
        income = [a for a in amounts if a >= 0]
        expense = [a for a in amounts if a < 0]
        cells = (
            kind,
            str(len(income)),
            yuan(sum(income)),
            str(len(expense)),
            yuan(sum(expense)),
            yuan(sum(amounts)),
        )
        rows.append(",".join(f"{cell}\t" for cell in cells))
    return rows


def _gbk(rows: Iterable[str]) -> bytes:
    return ("\r\n".join(rows) + "\r\n").encode("gbk", errors="replace")


class _GbkName(zipfile.ZipInfo):
    """A member whose name stands in the directory as GBK bytes, as the platform writes it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's own hook
        return self.filename.encode("gbk"), self.flag_bits


def _write(bundle: zipfile.ZipFile, name: str, content: bytes, made: datetime) -> None:
    local = made.astimezone(BEIJING)
    stamp = (local.year, local.month, local.day, local.hour, local.minute, local.second)
    member = _GbkName(name, date_time=stamp)
    member.compress_type = zipfile.ZIP_DEFLATED
    bundle.writestr(member, content)
