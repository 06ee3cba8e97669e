"""UnionPay's settlement files of a day: ZM (successes) and ZME (errors and adjustments).

Pure. Layout follows wire-protocols.md §3.7: base64(zlib(zip)); lines of fixed width, fields
separated by one space, GBK. Whether positions are bytes or characters when a line holds Chinese is
UNVERIFIED: bytes are tried first, characters second, and the separators tell which one fits; a line
that fits neither breaks the file. There are no totals, so each line is held against its own
figures, and the file against its merchant.

The meaning of ZME's columns is UNVERIFIED too. What they say of an earlier payout is believed only
if UnionPay's own ZM file has a payout with exactly that trace number, time, account and amount, and
the money went the other way: then it is a return. All else stays `OTHER`, with its raw text.
"""

import base64
import binascii
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from typing import AnyStr

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money
from channels.unionpay.wire import BEIJING, PAYOUT, short_moment

ZM_WIDTHS = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21),
    *(15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)
ZME_WIDTHS = (*(3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135),)
ENCODING = "gb18030"
"""The files are GBK; gb18030 is its superset, so a rare character in a name breaks nothing."""
UNPACKED_BYTES_MAX = 1 << 30
"""Some 1.7 million lines; what claims more is no day of one merchant."""
ORIGINALS_MAX = 8
"""So many earlier days are looked at, at most, for what adjustments are about."""

# Positions in a ZM line, counted from 0 (the specification counts from 1).
_TRACE, _TIME, _ACCOUNT, _AMOUNT = 3, 4, 5, 6
_QUERY_ID, _ORDER_ID, _FEE, _SETTLED, _TYPE, _MERCHANT = 9, 11, 15, 16, 19, 27
# Positions in a ZME line; the first ten resemble ZM, these follow "original trace and time, error
# reason, fees, settle amounts".
_ORIGINAL_TRACE, _ORIGINAL_TIME, _ADJUSTED = 10, 11, 15

_MEMBER = re.compile(r"(?:.*/)?INN[0-9A-Za-z]*?(ZME?)_([0-9A-Za-z]{15})", re.ASCII)
_DIGITS = re.compile(r"\d{12}", re.ASCII)
_SIGNED = re.compile(r"([CD])(\d{12})", re.ASCII)


class Archive(Struct, frozen=True):
    """The files of one settlement day, unpacked but not read."""

    payouts: bytes
    adjustments: bytes


class Original(Struct, frozen=True):
    """A payout of ours as a ZM line has it."""

    order_id: str
    query_id: str
    letter: str


OriginalKey = tuple[str, str, str, str]
"""Trace number, time, account and amount: what an adjustment names its payout by."""


def unpack(content: str, mer_id: str) -> Archive:
    """Open `fileContent`; every member must be known, empty, or the file is broken."""
    try:
        inflater = zlib.decompressobj()
        packed = base64.b64decode("".join(content.split()), validate=True)
        raw = inflater.decompress(packed, UNPACKED_BYTES_MAX)
        if not inflater.eof or inflater.unused_data:
            raise StatementBrokenError("the settlement file breaks off or is implausibly large")
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(info.file_size for info in archive.infolist()) > UNPACKED_BYTES_MAX:
                raise StatementBrokenError("the settlement file is implausibly large")
            return _members(archive, mer_id)
    except (binascii.Error, zlib.error) as error:
        raise StatementBrokenError("not base64 of a compressed file") from error
    except (zipfile.BadZipFile, EOFError, OSError, lzma.LZMAError) as error:
        # LZMAError: `zipfile` follows whatever way of packing the directory names.
        raise StatementBrokenError("not a readable ZIP") from error
    except (RuntimeError, ValueError) as error:
        # RuntimeError: encrypted, or packed in a way that is not known.
        raise StatementBrokenError("not a readable ZIP") from error


def read(
    archive: Archive, day: date, mer_id: str, earlier: Iterable[Archive] = ()
) -> Iterator[StatementLine]:
    """Yield every line of the day; `earlier` are archives that may hold what was adjusted."""
    for cells in _rows(archive.payouts, ZM_WIDTHS):
        yield from _zm_lines(cells, day, mer_id)
    if not archive.adjustments.strip():
        return
    originals = _originals((archive, *earlier))
    for cells in _rows(archive.adjustments, ZME_WIDTHS):
        yield _zme_line(cells, day, originals)


def adjusted_days(archive: Archive, day: date) -> Sequence[date]:
    """The days whose files may hold the payouts that this one's adjustments name, latest first.

    A payout made late in a day may settle on the next one, so both are named.
    """
    found: set[date] = set()
    for cells in _rows(archive.adjustments, ZME_WIDTHS):
        at = short_moment(cells[_ORIGINAL_TIME], _noon(day))
        if at is not None:
            made = at.astimezone(BEIJING).date()
            found |= {one for one in (made, made + timedelta(days=1)) if one < day}
    return sorted(found, reverse=True)[:ORIGINALS_MAX]


def _members(archive: zipfile.ZipFile, mer_id: str) -> Archive:
    found: dict[str, bytes] = {}
    for info in archive.infolist():
        if info.is_dir() or info.file_size == 0:
            continue
        member = _MEMBER.match(info.filename)
        if member is None:
            raise StatementBrokenError(f"a member nobody knows: {info.filename[:40]!r}")
        if member[2] != mer_id:
            raise StatementBrokenError("the settlement file of another merchant")
        if member[1] in found:
            raise StatementBrokenError(f"two {member[1]} files in one settlement file")
        found[member[1]] = archive.read(info)
    return Archive(found.get("ZM", b""), found.get("ZME", b""))


def _rows(content: bytes, widths: Sequence[int]) -> Iterator[list[str]]:
    """Cut every line into its fields, spaces around them removed."""
    ended = False
    for number, line in enumerate(io.BytesIO(content), start=1):
        bare = line.rstrip(b"\r\n")
        if ended:
            raise StatementBrokenError(f"line {number - 1} is empty")
        if bare:
            yield _cut(bare, widths, number)
        else:
            ended = True


def _cut(line: bytes, widths: Sequence[int], number: int) -> list[str]:
    try:
        by_bytes = _cells(line, b" ", widths)
        if by_bytes is not None:
            return [cell.decode(ENCODING).strip() for cell in by_bytes]
        by_letters = _cells(line.decode(ENCODING), " ", widths)
    except UnicodeDecodeError as error:
        raise StatementBrokenError(f"line {number} is not GBK") from error
    if by_letters is None:
        raise StatementBrokenError(f"line {number} does not fit the layout")
    return [cell.strip() for cell in by_letters]


def _cells(line: AnyStr, space: AnyStr, widths: Sequence[int]) -> list[AnyStr] | None:
    """Slice a line of exactly this layout; None if its length or a separator is off."""
    ends = list(accumulate(widths, lambda end, width: end + 1 + width))
    if len(line) != ends[-1] or any(line[end : end + 1] != space for end in ends[:-1]):
        return None
    return [line[end - width : end] for end, width in zip(ends, widths, strict=True)]


def _zm_lines(cells: Sequence[str], day: date, mer_id: str) -> Iterator[StatementLine]:
    """Read the movement of one ZM line, and its fee if it has one.

    Which of C and D means "from us" is UNVERIFIED, so a payout's direction does not hang on it: a
    payout leaves us, and a fee with the settled amount's letter moves the same way.
    """
    if cells[_MERCHANT] != mer_id:
        raise StatementBrokenError("a line of another merchant")
    amount = _amount(cells[_AMOUNT])
    letter, settled = _signed(cells[_SETTLED])
    fee_letter, fee = _signed(cells[_FEE])
    if not cells[_QUERY_ID]:
        raise StatementBrokenError("a line without queryId")
    if settled not in {amount, amount + fee if fee_letter == letter else amount - fee}:
        raise StatementBrokenError("a line whose amount, fee and settled amount do not agree")
    is_payout = cells[_TYPE] == PAYOUT
    movement = StatementLine(
        kind=LineKind.PAYOUT if is_payout else LineKind.OTHER,
        amount=Money(amount, Currency.CNY),
        credit=not is_payout and letter == "C",
        booked_at=_booked_at(cells[_TIME], day),
        reference=cells[_ORDER_ID] or None,
        channel_ref=cells[_QUERY_ID],
        line_ref=cells[_QUERY_ID],
        memo=f"ZM {cells[_TYPE]}",
    )
    yield movement
    if fee:
        yield replace(
            movement,
            kind=LineKind.FEE,
            amount=Money(fee, Currency.CNY),
            credit=movement.credit == (fee_letter == letter),
            line_ref=f"{movement.line_ref}-fee",
            memo="ZM fee",
        )


def _zme_line(
    cells: Sequence[str], day: date, originals: Mapping[OriginalKey, Original | None]
) -> StatementLine:
    amount = _amount(cells[_AMOUNT])
    letter, settled = _signed(cells[_ADJUSTED])
    key = (cells[_ORIGINAL_TRACE], cells[_ORIGINAL_TIME], cells[_ACCOUNT], cells[_AMOUNT])
    original = originals.get(key)
    if original is not None and (letter == original.letter or settled < amount):
        original = None
    return StatementLine(
        kind=LineKind.OTHER if original is None else LineKind.RETURN,
        amount=Money(amount, Currency.CNY),
        credit=letter == "C" if original is None else True,
        booked_at=_booked_at(cells[_TIME], day),
        reference=None if original is None else original.order_id,
        channel_ref=None if original is None else original.query_id,
        line_ref=f"ZME-{day:%Y%m%d}-{cells[_TIME]}-{cells[_TRACE]}",
        memo="ZME " + "|".join(cells),
    )


def _originals(archives: Iterable[Archive]) -> Mapping[OriginalKey, Original | None]:
    """Every payout that an adjustment can name; None where two would have the same name."""
    found: dict[OriginalKey, Original | None] = {}
    for archive in archives:
        for cells in _rows(archive.payouts, ZM_WIDTHS):
            if cells[_TYPE] != PAYOUT or not cells[_ORDER_ID]:
                continue
            key = (cells[_TRACE], cells[_TIME], cells[_ACCOUNT], cells[_AMOUNT])
            one = Original(cells[_ORDER_ID], cells[_QUERY_ID], _signed(cells[_SETTLED])[0])
            found[key] = one if found.get(key, one) == one else None
    return found


def _amount(cell: str) -> int:
    """Fen of a cell of twelve digits; a movement of nothing is none."""
    if _DIGITS.fullmatch(cell) is None or not int(cell):
        raise StatementBrokenError("a cell that is not an amount")
    return int(cell)


def _signed(cell: str) -> tuple[str, int]:
    """Letter and fen of a cell such as `D000000001234`."""
    match = _SIGNED.fullmatch(cell)
    if match is None:
        raise StatementBrokenError("a cell that is not a signed amount")
    return match[1], int(match[2])


def _booked_at(cell: str, day: date) -> datetime:
    at = short_moment(cell, _noon(day))
    if at is None:
        raise StatementBrokenError("a line of another time")
    return at


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), BEIJING)
