"""The settlement files of one day: ZM and ZME lines of fixed width in GBK, zipped and deflated.

Source: the widths in the platform's own sample reader (42 and 22 fields, one space between) and the
published names of ZM's fields. Amounts are twelve digits of fen, signed ones C or D before them: D
is what the merchant owes, C what it gets. ZME's columns have no published names: after the ten that
resemble ZM stand the original trace number and time, a reason, fees and the settled amount.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time

from simulators.clock import BEIJING
from simulators.unionpay.messages import short_stamp

ZM = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21),
    *(15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)
ZME = (3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135)
_AGENT = "00010000000"


@dataclass(frozen=True, slots=True)
class Line:
    """One movement as the files show it."""

    mer_id: str
    trace: str
    at: datetime
    number: str
    amount_minor: int
    fee_minor: int
    query_id: str
    order_id: str
    account_type: str = "01"
    short_name: str = ""
    original: tuple[str, datetime] | None = None
    """Trace number and time of the payout that came back; makes it a ZME line."""

    def off_by(self, fen: int) -> Line:
        """The same movement of another amount."""
        return replace(self, amount_minor=self.amount_minor + fen)


def extra(mer_id: str, reference: str, amount_minor: int, on: date) -> Line:
    """A payout that never was."""
    number = int.from_bytes(hashlib.blake2b(reference.encode(), digest_size=4).digest())
    return Line(
        mer_id=mer_id,
        trace=f"{number % 10**6:06d}",
        at=datetime.combine(on, time(12), BEIJING),
        number="6200000000000000",
        amount_minor=amount_minor,
        fee_minor=0,
        query_id=f"{on:%Y%m%d}120000{number % 10**7:07d}",
        order_id="".join(letter for letter in reference if letter.isalnum()),
    )


def content(mer_id: str, day: date, lines: Sequence[Line], *, by_letters: bool) -> str:
    """fileContent of a day: base64(zlib(zip)); a day without movements has two empty members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for kind, widths in (("ZM", ZM), ("ZME", ZME)):
            rows = [_cells(line) for line in lines if (line.original is None) == (kind == "ZM")]
            text = b"".join(_fixed(cells, widths, by_letters) + b"\r\n" for cells in rows)
            member = zipfile.ZipInfo(f"INN{day:%y%m%d}88{kind}_{mer_id}", (day.year, 1, 1, 0, 0, 0))
            bundle.writestr(member, text)
    return base64.b64encode(zlib.compress(packed.getvalue())).decode("ascii")


def _cells(line: Line) -> Mapping[int, str]:
    """The fields that are filled, by their number in the list of fields."""
    common = {
        1: "E74" if line.original else "S30",
        2: _AGENT,
        3: _AGENT,
        4: line.trace,
        5: short_stamp(line.at),
        6: line.number[:19],
        7: f"{line.amount_minor:012d}",
        8: "6012",
        9: "07",
    }
    if line.original is not None:
        return common | {
            11: line.original[0],
            12: short_stamp(line.original[1]),
            13: "9701",
            15: "C" + "0" * 12,
            16: f"C{line.amount_minor:012d}",
            17: line.mer_id,
        }
    return common | {
        10: line.query_id,
        12: line.order_id[:32],
        13: "01",
        16: f"D{line.fee_minor:012d}",
        17: f"D{line.amount_minor + line.fee_minor:012d}",
        20: "12",
        21: "00",
        22: "000401",
        23: line.account_type,
        28: line.mer_id,
        31: line.short_name,
    }


def _fixed(cells: Mapping[int, str], widths: Sequence[int], by_letters: bool) -> bytes:
    """A line: every field padded to its width, counted in letters or in bytes."""
    fields = []
    for number, width in enumerate(widths, start=1):
        text = cells.get(number, "")
        raw = text.encode("gbk")
        missing = width - (len(text) if by_letters else len(raw))
        if missing < 0:
            raise ValueError(f"field {number} does not fit {width}")
        fields.append(raw + b" " * missing)
    return b" ".join(fields)
