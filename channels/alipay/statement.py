"""Alipay's account statement of a day: a ZIP of GBK CSV files, read line by line.

Pure. Layout follows wire-protocols.md §1.6 (bill type signcustomer): four heading lines, a row of
column names, the movements, and a footer with count and sum of each direction. The footer is the
checksum: a file whose lines do not add up to it is broken, and so is one that ends without it.
"""

import csv
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import IO

from channels.alipay.wire import moment
from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money, MoneyError

TITLE = "#支付宝账务明细查询"
ENCODING = "gb18030"
"""The files are GBK; gb18030 is its superset, so a rare character in a name breaks nothing."""
SUMMARY_MARK = "汇总"
"""In the name of the second file of the ZIP, which repeats the sums."""
UNPACKED_BYTES_MAX = 4 << 30

# Column names of the detail file; newer files append more, which nothing here needs.
SERIAL = "账务流水号"
ORDER = "业务流水号"
REFERENCE = "商户订单号"
TIME = "发生时间"
INCOME = "收入金额（+元）"
OUTGO = "支出金额（-元）"
TYPE = "业务类型"
REMARK = "备注"
REQUIRED = (SERIAL, ORDER, REFERENCE, TIME, INCOME, OUTGO, TYPE, REMARK)

FEE_WORDS = ("收费", "手续费", "服务费")
RETURN_WORDS = ("退票", "退回", "退款")
PAYOUT_WORDS = ("转账", "代发", "付款", "红包")
"""Words in 业务类型, tried in this order. The platform publishes no list, so they only sort the
lines: what fits none stays `OTHER` with its reference, and reconciliation still finds it by that.
备注 is not looked at: it holds what we wrote ourselves."""

_ACCOUNT = re.compile(r"#账号：\[(\d+)\]")
_PERIOD = re.compile(r"#起始日期：\[(\d{4})年(\d\d)月(\d\d)日 00:00:00\]\s+终止日期：\[.+\]")
_SUM = re.compile(r"#(支出|收入)合计：(\d+)笔，共-?([\d.]+)元")
_BEGIN = re.compile(r"#-+账务明细列表-+")
_END = re.compile(r"#-+账务明细列表结束-+")
_AMOUNT = re.compile(r"([+-]?)(\d[\d.]*)")


@dataclass(slots=True)
class _Tally:
    """How many movements of one direction, and how much."""

    count: int = 0
    minor: int = 0


def read_zip(file: IO[bytes], day: date, user_id: str | None) -> Iterator[StatementLine]:
    """Yield every movement of the one detail file in the ZIP, or `StatementBrokenError`."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(info.file_size for info in archive.infolist()) > UNPACKED_BYTES_MAX:
                raise StatementBrokenError("the statement is implausibly large")
            details = [info for info in archive.infolist() if _is_detail(info)]
            if len(details) != 1:
                raise StatementBrokenError(f"{len(details)} detail files in the ZIP, not one")
            with (
                archive.open(details[0]) as raw,
                io.TextIOWrapper(raw, encoding=ENCODING, newline="") as text,
            ):
                yield from read_lines(text, day, user_id)
    except (UnicodeDecodeError, EOFError, OSError, csv.Error) as error:
        raise StatementBrokenError("the detail file breaks off or is not GBK CSV") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, ValueError) as error:
        # RuntimeError: encrypted, or packed in a way that is not known. ValueError: `zipfile` seeks
        # to wherever a spoilt directory says, also to before the beginning.
        raise StatementBrokenError("not a readable ZIP") from error


def read_lines(text: Iterable[str], day: date, user_id: str | None) -> Iterator[StatementLine]:
    """Yield every movement of a detail file; the footer is checked after the last."""
    rows = (cells for row in csv.reader(text) if any(cells := [cell.strip() for cell in row]))
    columns = _heading(rows, day, user_id)
    tallies = {"支出": _Tally(), "收入": _Tally()}
    for row in rows:
        if row[0].startswith("#"):
            if _END.fullmatch(row[0]) is None:
                raise StatementBrokenError("a heading in the middle of the movements")
            break
        if len(row) != len(columns):
            raise StatementBrokenError(f"a line of {len(row)} cells under {len(columns)} columns")
        line = _line(dict(zip(columns, row, strict=True)))
        tally = tallies["收入" if line.credit else "支出"]
        tally.count += 1
        tally.minor += line.amount.minor
        yield line
    else:
        raise StatementBrokenError("the file ends before its footer")
    _check_footer(rows, tallies)


def _is_detail(info: zipfile.ZipInfo) -> bool:
    """Member names are GBK bytes without a flag saying so, which `zipfile` reads as cp437."""
    name = info.filename
    if not info.flag_bits & 0x800:
        name = name.encode("cp437").decode(ENCODING, errors="replace")
    return name.lower().endswith(".csv") and SUMMARY_MARK not in name


def _heading(rows: Iterator[list[str]], day: date, user_id: str | None) -> list[str]:
    title, account, period, begin = (next(rows, [""])[0] for _ in range(4))
    owner, start = _ACCOUNT.fullmatch(account), _PERIOD.fullmatch(period)
    if title.removeprefix("\ufeff") != TITLE or owner is None or start is None:
        raise StatementBrokenError("not an account statement")
    if user_id is not None and owner[1] != user_id:
        raise StatementBrokenError("the statement of another account")
    if start.groups() != (f"{day:%Y}", f"{day:%m}", f"{day:%d}"):
        raise StatementBrokenError("the statement of another day")
    columns = next(rows, [])
    if _BEGIN.fullmatch(begin) is None or len(set(columns)) != len(columns):
        raise StatementBrokenError("no list of movements")
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise StatementBrokenError(f"columns missing: {', '.join(missing)}")
    return columns


def _line(row: Mapping[str, str]) -> StatementLine:
    income, outgo = _minor(row[INCOME]), -_minor(row[OUTGO])
    at = moment(row[TIME])
    if (income > 0) == (outgo > 0) or min(income, outgo) < 0 or at is None or not row[SERIAL]:
        raise StatementBrokenError(
            f"line {row[SERIAL][:64]!r} has no single amount, time or serial"
        )
    credit = income > 0
    return StatementLine(
        kind=_kind(row[TYPE], credit=credit),
        amount=Money(income if credit else outgo, Currency.CNY),
        credit=credit,
        booked_at=at,
        reference=row[REFERENCE] or None,
        channel_ref=row[ORDER] or None,
        line_ref=row[SERIAL],
        memo=row[TYPE],
    )


def _kind(word: str, *, credit: bool) -> LineKind:
    if any(fee in word for fee in FEE_WORDS):
        return LineKind.FEE
    if any(back in word for back in RETURN_WORDS):
        # The same words on an outgoing line are a refund to a customer of the operator's shop.
        return LineKind.RETURN if credit else LineKind.OTHER
    if any(out in word for out in PAYOUT_WORDS) and not credit:
        return LineKind.PAYOUT
    return LineKind.OTHER


def _minor(cell: str) -> int:
    """Fen of a cell such as `-12.30`, `+5.00` or nothing at all."""
    if not cell:
        return 0
    match = _AMOUNT.fullmatch(cell)
    if match is None:
        raise StatementBrokenError("a cell that is not an amount")
    try:
        minor = Money.parse(match[2], Currency.CNY).minor
    except MoneyError as error:
        raise StatementBrokenError("a cell that is not an amount") from error
    return -minor if match[1] == "-" else minor


def _check_footer(rows: Iterator[list[str]], tallies: Mapping[str, _Tally]) -> None:
    """Compare the footer's counts and sums with what was read; both directions must be there."""
    checked: set[str] = set()
    for row in rows:
        text = ",".join(row)
        if not text.startswith("#"):
            raise StatementBrokenError("movements after the end of the list")
        total = _SUM.fullmatch(text)
        if total is not None:
            tally = tallies[total[1]]
            if (int(total[2]), _minor(total[3])) != (tally.count, tally.minor):
                raise StatementBrokenError(f"{total[1]} does not add up to the footer")
            checked.add(total[1])
    if checked != set(tallies):
        raise StatementBrokenError("the footer is incomplete")
