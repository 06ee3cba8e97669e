"""From bytes to lines of cells: which kind of file it is, in which encoding, within bounds.

Whatever the bytes are, the answer is lines or a fault, never an exception, and never more memory
than the bounds allow. Formulas are not calculated, links not followed, document types not read.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.domain.batch import Fault
from gateway.sheets.cells import Cell

SIZE_MAX = 32 * 1024 * 1024
ROWS_MAX = 100_000
COLUMNS_MAX = 64
LINES_MAX = 1_048_576
"""As many lines as a sheet can have (ECMA-376)."""
UNPACKED_MAX = 256 * 1024 * 1024
PARTS_MAX = 512

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_PROLOGUE = 64 * 1024
_DELIMITERS = ",;\t"

Kind = Literal["csv", "xlsx", "jsonl"]
Line = tuple[int, list[Cell]]
"""Its number in the file, and its cells."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A file as lines; blank ones are left out."""

    kind: Kind
    encoding: str
    lines: list[Line]


def grid_of(content: bytes) -> Grid | Fault:
    """Every line of a spreadsheet."""
    if len(content) > SIZE_MAX:
        return _fault(
            "file_too_large",
            f"the file has more than {SIZE_MAX // 1024 // 1024} MiB; split it into several batches",
            f"文件超过 {SIZE_MAX // 1024 // 1024} MiB，请拆分为多个批次",
        )
    if content.startswith(_OLE):
        return _fault(
            "file_old_or_locked",
            "this is an old .xls workbook, or one with a password; save it as .xlsx without one",
            "这是旧版 .xls 或加密的工作簿，请另存为不带密码的 .xlsx",
        )
    try:
        if content.startswith(_ZIP):
            return _workbook(content)
        return _text(content)
    except _TooManyError as error:
        return error.fault


def decoded(content: bytes) -> tuple[str, str] | Fault:
    """Text and its encoding: by its mark, else UTF-8, else GB 18030, which holds GBK."""
    marked = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(content[:2])
    for encoding in [marked] if marked else ["utf-8-sig", "gb18030"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding.removesuffix("-sig")
    return _fault(
        "file_encoding",
        "the file is neither UTF-8 nor GBK text nor an .xlsx workbook; save it again as "
        "'CSV UTF-8' or .xlsx",
        "文件既不是 UTF-8/GBK 文本也不是 .xlsx，请另存为“CSV UTF-8”或 .xlsx",
    )


class _TooManyError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.en)
        self.fault = fault


def _fault(code: str, en: str, zh: str, line: int | None = None) -> Fault:
    return Fault(code, en, zh, line)


def _text(content: bytes) -> Grid | Fault:
    found = decoded(content)
    if isinstance(found, Fault):
        return found
    text, encoding = found
    head = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return Grid("csv", encoding, list(_bounded((reader.line_num, row) for row in reader)))
    except csv.Error as error:
        return _fault(
            "csv_broken",
            f"the text cannot be read as CSV ({error}); mostly a quotation mark is not closed",
            "无法按 CSV 解析，多为引号未闭合",
            reader.line_num,
        )


def _bounded(lines: Iterable[tuple[int, list[str] | list[Cell]]]) -> Iterator[Line]:
    kept = 0
    for number, cells in lines:
        if not any(not isinstance(cell, str) or cell.strip() for cell in cells):
            continue
        kept += 1
        if kept > ROWS_MAX + 1:
            raise _TooManyError(
                _fault(
                    "file_too_many_rows",
                    f"the file has more than {ROWS_MAX:,} rows; split it into several batches",
                    f"文件超过 {ROWS_MAX:,} 行，请拆分为多个批次",
                )
            )
        if len(cells) > COLUMNS_MAX:
            raise _TooManyError(
                _fault(
                    "file_too_many_columns",
                    f"the line has more than {COLUMNS_MAX} columns",
                    f"列数超过 {COLUMNS_MAX}",
                    number,
                )
            )
        yield number, list(cells)


def _workbook(content: bytes) -> Grid | Fault:
    wrong = _parts(content)
    if wrong is not None:
        return wrong
    # A quarter of a second of start-up that a gateway without workbooks does not pay.
    from gateway.sheets.workbook import lines_of  # noqa: PLC0415 - see above

    try:
        return Grid("xlsx", "xlsx", list(_bounded(lines_of(content, LINES_MAX, COLUMNS_MAX + 1))))
    except _TooManyError:
        raise
    except Exception as error:  # noqa: BLE001 - a workbook can be broken in any way there is
        return _fault(
            "xlsx_broken",
            f"the workbook cannot be read ({type(error).__name__}); open it and save it again",
            "工作簿无法读取，请打开后重新另存为 .xlsx",
        )


def _parts(content: bytes) -> Fault | None:
    """Look at a workbook's parts before any is unpacked in whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = packed.infolist()
            # What a part says of its size is the most that is ever unpacked of it.
            if len(parts) > PARTS_MAX or sum(one.file_size for one in parts) > UNPACKED_MAX:
                return _fault(
                    "xlsx_too_large",
                    "the workbook is too large once unpacked; keep only the sheet to be paid",
                    "工作簿解压后过大，请只保留需要付款的工作表",
                )
            for one in parts:
                with packed.open(one) as opened:
                    head = opened.read(_PROLOGUE)
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                    return _fault(
                        "xlsx_doctype",
                        "the workbook defines a document type, which no spreadsheet does: refused",
                        "工作簿含文档类型定义，正常表格不会出现，已拒绝",
                    )
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, NotImplementedError, EOFError):
        return _fault(
            "xlsx_broken",
            "the workbook is damaged or has a password; open and save it again as .xlsx",
            "工作簿损坏或带密码，请打开后重新另存为 .xlsx",
        )
    except Exception as error:  # noqa: BLE001 - decompressors have errors of their own
        return _fault(
            "xlsx_broken", f"the workbook is damaged ({type(error).__name__})", "工作簿损坏"
        )
    return None
