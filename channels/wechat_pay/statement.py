"""The fund-flow bill (资金账单) of one day: unpack, prove complete, read line by line. Pure.

Format: wire-protocols.md §2.6. UTF-8 CSV, a backtick before every value, amounts in yuan; then a
summary header and one summary line, against which every line read is counted. A line (cut):

    `2026-03-02 10:15:30,`10300012,`20260302000001,`商家转账,`商家转账,`支出,`12.34,…,`,`PO1

Columns are checked by name: a bill with another layout is broken, not guessed at. Which text stands
in 业务名称 and 业务类型 for transfers is not documented, so kinds go by the words they contain.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money, MoneyError

ZONE = ZoneInfo("Asia/Shanghai")
BYTES_MAX = 256 << 20
"""A day's bill beyond this is refused rather than held in memory (about a million lines)."""

_COLUMNS = (
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务名称",
    "业务类型",
    "收支类型",
    "收支金额(元)",
    "账户结余(元)",
    "资金变更提交申请人",
    "备注",
    "业务凭证号",
)
_SUMMARY = ("资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")
_MEMO = _COLUMNS.index("备注")
_DIRECTIONS = {"收入": True, "支出": False}
_FEE_WORDS = ("手续费", "服务费")
_TRANSFER_WORDS = ("转账", "付款到零钱", "企业付款")
_REFERENCE = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,12}", re.ASCII)
_GZIP_MAGIC = b"\x1f\x8b"


def unpack(raw: bytes, sha1: str) -> bytes:
    """The uncompressed file, or StatementBrokenError if it is not the one announced."""
    plain = _inflate(raw) if raw.startswith(_GZIP_MAGIC) else raw
    # SHA-1 is what the platform offers (hash_type SHA1); the announcement itself is signed.
    if hashlib.sha1(plain, usedforsecurity=False).hexdigest() != sha1:
        raise StatementBrokenError("the bill is not the announced one: its SHA-1 differs")
    return plain


def _inflate(raw: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(raw, BYTES_MAX)
    except zlib.error as error:
        raise StatementBrokenError("the bill is not readable GZIP") from error
    if not inflater.eof:
        raise StatementBrokenError("the bill is cut short, or too large")
    return plain


@dataclass(slots=True)
class _Tally:
    """What has been read so far, in the terms of the summary line."""

    count: dict[bool, int]
    minor: dict[bool, int]

    def add(self, line: StatementLine) -> None:
        self.count[line.credit] += 1
        self.minor[line.credit] += line.amount.minor

    def summary(self) -> tuple[int, int, int, int, int]:
        return (
            self.count[True] + self.count[False],
            self.count[True],
            self.minor[True],
            self.count[False],
            self.minor[False],
        )


def lines(plain: bytes, currency: Currency = Currency.CNY) -> Iterator[StatementLine]:
    """Every line in file order. Ends in StatementBrokenError unless the summary agrees exactly."""
    rows = _rows(plain)
    number, header = next(rows, (1, ""))
    _demand(_split(header) == list(_COLUMNS), number, "the header is not that of a fund-flow bill")
    tally = _Tally({True: 0, False: 0}, {True: 0, False: 0})
    for number, row in rows:
        if _split(row) == list(_SUMMARY):
            _close(rows, number, tally, currency)
            return
        line = _line(number, row, currency)
        tally.add(line)
        yield line
    raise StatementBrokenError("the bill ends without its summary")


def _close(
    rows: Iterator[tuple[int, str]], header_number: int, tally: _Tally, currency: Currency
) -> None:
    number, row = next(rows, (header_number + 1, ""))
    cells = _split(row)
    _demand(len(cells) == len(_SUMMARY), number, "the summary is incomplete")
    stated = (
        _count(cells[0], number),
        _count(cells[1], number),
        _money(cells[2], number, currency).minor,
        _count(cells[3], number),
        _money(cells[4], number, currency).minor,
    )
    _demand(stated == tally.summary(), number, "the summary disagrees with the lines")
    _demand(next(rows, None) is None, number + 1, "something follows the summary")


def _line(number: int, row: str, currency: Currency) -> StatementLine:
    cells = _split(row)
    # Only the remark is free text and may hold the separator itself, so it takes the surplus.
    surplus = len(cells) - len(_COLUMNS)
    _demand(surplus >= 0 and row.startswith("`"), number, "a line has too few columns")
    memo = ",`".join(cells[_MEMO : _MEMO + surplus + 1])
    booked, channel_ref, line_ref, name, kind, direction, amount, *_ = cells
    _demand(direction in _DIRECTIONS, number, "收支类型 is neither 收入 nor 支出")
    _demand(line_ref != "", number, "资金流水单号 is empty")
    credit = _DIRECTIONS[direction]
    return StatementLine(
        kind=_kind(name + kind, credit=credit),
        amount=_money(amount, number, currency),
        credit=credit,
        booked_at=_moment(booked, number),
        reference=cells[-1] if _REFERENCE.fullmatch(cells[-1]) else None,
        channel_ref=channel_ref or None,
        line_ref=line_ref,
        memo=memo or name,
    )


def _kind(words: str, *, credit: bool) -> LineKind:
    if any(word in words for word in _FEE_WORDS):
        return LineKind.FEE
    if any(word in words for word in _TRANSFER_WORDS):
        return LineKind.RETURN if credit else LineKind.PAYOUT
    return LineKind.OTHER


def _rows(plain: bytes) -> Iterator[tuple[int, str]]:
    """Non-empty lines with their numbers. Split at LF only: other breaks may stand in a remark."""
    start = 3 if plain.startswith(b"\xef\xbb\xbf") else 0
    number = 0
    while start < len(plain):
        end = plain.find(b"\n", start)
        end = len(plain) if end < 0 else end
        number += 1
        try:
            row = plain[start:end].decode().removesuffix("\r")
        except UnicodeDecodeError as error:
            raise StatementBrokenError(f"line {number}: not UTF-8") from error
        if row.strip():
            yield number, row
        start = end + 1


def _split(row: str) -> list[str]:
    """Split the cells of a row: with backticks, as values come, or without, as headers come."""
    if row.startswith("`"):
        return row[1:].split(",`")
    return [cell.strip().replace("（", "(").replace("）", ")") for cell in row.split(",")]


def _moment(text: str, number: int) -> datetime:
    try:
        local = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
        moment = local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise StatementBrokenError(f"line {number}: 记账时间 is not a time") from error
    return moment


def _money(text: str, number: int, currency: Currency) -> Money:
    try:
        return Money.parse(text, currency)
    except MoneyError as error:
        raise StatementBrokenError(f"line {number}: an amount is not one in yuan") from error


def _count(text: str, number: int) -> int:
    _demand(_COUNT.fullmatch(text) is not None, number, "a count is not a number")
    return int(text)


def _demand(holds: bool, number: int, complaint: str) -> None:
    if not holds:
        raise StatementBrokenError(f"line {number}: {complaint}")
