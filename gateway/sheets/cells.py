"""One cell: what spreadsheets do to numbers, undone where it can be and refused where it cannot.

A card number that a spreadsheet took for a number has lost its last digits, or its leading zeros:
nobody may guess those. What only looks different (full-width digits, an apostrophe, separators of
thousands, blanks within a number) is put right, with a warning.
"""

import re
import unicodedata
from decimal import Decimal

from msgspec import Struct

from gateway.domain.batch import Fault

DIGITS_KEPT = 15
"""A spreadsheet keeps so many digits of a number (IEEE 754 doubles)."""
TEXT_MAX = 256

_EXPONENT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]+", re.ASCII)
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", re.ASCII)
_MOBILE = re.compile(r"1[3-9][0-9]{9}", re.ASCII)
WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


class Number(Struct, frozen=True):
    """What a spreadsheet holds as a number, written out exactly; it never was text."""

    text: str


Cell = str | Number | Fault
"""A fault is a cell that cannot be read at all, such as a formula; its line is not known yet."""

FORMULA = Fault(
    "cell_formula",
    "the cell holds a formula; formulas are not calculated here: paste it as a value",
    "单元格是公式，本系统不计算公式，请粘贴为数值",
)
LOST = Fault(
    "number_mangled",
    "the spreadsheet took this number for a quantity, so digits or leading zeros may be lost "
    "(6.22E+15); format the column as text and enter the number again",
    "电子表格把号码当成了数值（如 6.22E+15），末位或前导零可能已丢失；请将该列设为文本后重新录入",
)
_CONTROL = Fault(
    "cell_invisible",
    "the cell holds an invisible character or a line break; type the text again",
    "单元格含不可见字符或换行，请重新输入",
)
_LONG = Fault(
    "cell_too_long",
    f"the cell holds more than {TEXT_MAX} characters",
    f"单元格超过 {TEXT_MAX} 个字符",
)


def number_of(value: float) -> Number:
    """A number as its shortest exact text, never in exponents: 12.3 is `12.3`."""
    return Number(format(Decimal(repr(value)), "f").removesuffix(".0"))


def plain(cell: Cell) -> tuple[str, str | None] | Fault:
    """Text as a person reads it (names, purposes), without blanks around it; and a warning."""
    if isinstance(cell, Fault):
        return cell
    text = cell.text if isinstance(cell, Number) else cell
    text = text.strip().strip("\ufeff\u00a0\u200b").strip()
    if len(text) > TEXT_MAX:
        return _LONG
    if any(unicodedata.category(one) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for one in text):
        return _CONTROL
    return text, None


def code(cell: Cell) -> tuple[str, str | None] | Fault:
    """A number that identifies: an account, a reference, a bank's code."""
    found = plain(cell)
    if isinstance(found, Fault):
        return found
    text, changed = _narrow(found[0])
    if isinstance(cell, Number) or _EXPONENT.fullmatch(text):
        whole = text.isdigit() and len(text) <= DIGITS_KEPT
        return (text, changed) if whole else LOST
    return text, changed


def account(cell: Cell) -> tuple[str, str | None] | Fault:
    """An account: of what a spreadsheet holds as a number, only a mobile number is certain."""
    found = code(cell)
    if isinstance(found, Fault):
        return found
    text, changed = found
    if isinstance(cell, Number) and not _MOBILE.fullmatch(text):
        return LOST
    joined = text.replace(" ", "").replace("-", "")
    if joined != text and joined.isdigit():
        return joined, changed or "blanks within the number were taken out"
    return text, changed


def amount(cell: Cell) -> tuple[str, str | None] | Fault:
    """Major units as `Money.parse` takes them."""
    found = plain(cell)
    if isinstance(found, Fault):
        return found
    text, changed = _narrow(found[0])
    if _EXPONENT.fullmatch(text):
        return LOST
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", ""), "separators of thousands were taken out"
    return text, changed


def _narrow(text: str) -> tuple[str, str | None]:
    """ASCII for full-width characters, and without the apostrophe that marks text."""
    narrow = text.translate(WIDE)
    changed = None if narrow == text else "full-width characters were read as plain ones"
    if narrow.startswith("'"):
        return narrow[1:].strip(), "the leading apostrophe was taken out"
    return narrow, changed


WARNINGS_ZH = {
    "blanks within the number were taken out": "已去除号码中的空格或短横",
    "separators of thousands were taken out": "已去除千位分隔符",
    "full-width characters were read as plain ones": "全角字符已按半角读取",
    "the leading apostrophe was taken out": "已去除前导单引号",
}
