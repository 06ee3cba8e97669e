"""From bytes to lines of cells: which kind of file it is, in which encoding, within bounds.

Whatever the bytes are, the answer is lines or a fault (`FileFaultError`), never another exception.
Lines come one by one and are not kept: a file of any size takes the memory of a line, but for a
workbook's texts. Formulas are not calculated, links not followed, document types not read.
"""

import codecs
import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

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
_CHUNK = 64 * 1024
_DELIMITERS = ",;\t"

Kind = Literal["csv", "xlsx", "jsonl"]
Line = tuple[int, list[Cell]]
"""Its number in the file, and its cells."""


class Grid(Struct, frozen=True):
    """A file as lines, read while they are taken; blank ones are left out."""

    kind: Kind
    encoding: str
    lines: Iterator[Line]


class FileFaultError(Exception):
    """The file is not readable, or not from here on: nothing of it counts."""

    def __init__(self, fault: Fault) -> None:
        """`fault` concerns the file as a whole."""
        super().__init__(fault.en)
        self.fault = fault


def grid_of(content: bytes) -> Grid:
    """Every line of a spreadsheet. Raises `FileFaultError`, also while lines are taken."""
    sized(content)
    if content.startswith(_OLE):
        raise _fault(
            "file_old_or_locked",
            "this is an old .xls workbook, or one with a password; save it as .xlsx without one",
            "这是旧版 .xls 或加密的工作簿，请另存为不带密码的 .xlsx",
        )
    if content.startswith(_ZIP):
        _parts(content)
        return Grid("xlsx", "xlsx", _workbook(content))
    encoding = encoding_of(content)
    return Grid("csv", encoding.removesuffix("-sig"), _text(content, encoding))


def sized(content: bytes) -> None:
    """Refuse what is too large. Raises `FileFaultError`."""
    if len(content) > SIZE_MAX:
        raise _fault(
            "file_too_large",
            f"the file has more than {SIZE_MAX // 1024 // 1024} MiB; split it into several batches",
            f"文件超过 {SIZE_MAX // 1024 // 1024} MiB，请拆分为多个批次",
        )


def encoding_of(content: bytes) -> str:
    """By its mark, else UTF-8, else GB 18030, which holds GBK. Raises `FileFaultError`."""
    marked = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(content[:2])
    for encoding in [marked] if marked else ["utf-8-sig", "gb18030"]:
        if _is_text(content, encoding):
            return encoding
    raise _fault(
        "file_encoding",
        "the file is neither UTF-8 nor GBK text nor an .xlsx workbook; save it again as "
        "'CSV UTF-8' or .xlsx",
        "文件既不是 UTF-8/GBK 文本也不是 .xlsx，请另存为“CSV UTF-8”或 .xlsx",
    )


def text_of(content: bytes, encoding: str, newline: str) -> io.TextIOWrapper:
    """Its text, decoded as it is taken."""
    return io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline=newline)


def _is_text(content: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), _CHUNK):
            if "\0" in decoder.decode(content[start : start + _CHUNK]):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _fault(code: str, en: str, zh: str, line: int | None = None) -> FileFaultError:
    return FileFaultError(Fault(code, en, zh, line))


def _text(content: bytes, encoding: str) -> Iterator[Line]:
    with text_of(content, encoding, "\n") as text:
        head = next((one for one in text if one.strip("\r\n")), "")
    delimiter = max(_DELIMITERS, key=head.count)
    with text_of(content, encoding, "") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            yield from _bounded((reader.line_num, row) for row in reader)
        except csv.Error as error:
            raise _fault(
                "csv_broken",
                f"the text cannot be read as CSV ({error}); mostly a quotation mark is not closed",
                "无法按 CSV 解析，多为引号未闭合",
                reader.line_num,
            ) from None


def _bounded(lines: Iterable[tuple[int, list[str] | list[Cell]]]) -> Iterator[Line]:
    kept = 0
    for number, cells in lines:
        if not any(not isinstance(cell, str) or cell.strip() for cell in cells):
            continue
        kept += 1
        if kept > ROWS_MAX + 1:
            raise _fault(
                "file_too_many_rows",
                f"the file has more than {ROWS_MAX:,} rows; split it into several batches",
                f"文件超过 {ROWS_MAX:,} 行，请拆分为多个批次",
            )
        if len(cells) > COLUMNS_MAX:
            raise _fault(
                "file_too_many_columns",
                f"the line has more than {COLUMNS_MAX} columns",
                f"列数超过 {COLUMNS_MAX}",
                number,
            )
        yield number, list(cells)


def _workbook(content: bytes) -> Iterator[Line]:
    # A quarter of a second of start-up that a gateway without workbooks does not pay.
    from gateway.sheets.workbook import lines_of  # noqa: PLC0415 - see above

    try:
        yield from _bounded(lines_of(content, LINES_MAX, COLUMNS_MAX + 1))
    except FileFaultError:
        raise
    except Exception as error:  # noqa: BLE001 - a workbook can be broken in any way there is
        raise _fault(
            "xlsx_broken",
            f"the workbook cannot be read ({type(error).__name__}); open it and save it again",
            "工作簿无法读取，请打开后重新另存为 .xlsx",
        ) from None


def _parts(content: bytes) -> None:
    """Look at a workbook's parts before any is unpacked in whole. Raises `FileFaultError`."""
    try:
        wrong = _wrong_part(content)
    except Exception:  # noqa: BLE001 - zip and its decompressors each have errors of their own
        wrong = _fault(
            "xlsx_broken",
            "the workbook is damaged or has a password; open and save it again as .xlsx",
            "工作簿损坏或带密码，请打开后重新另存为 .xlsx",
        )
    if wrong is not None:
        raise wrong


def _wrong_part(content: bytes) -> FileFaultError | None:
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
            with packed.open(one) as part:
                head = part.read(_PROLOGUE)
            if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                return _fault(
                    "xlsx_doctype",
                    "the workbook defines a document type, which no spreadsheet does: refused",
                    "工作簿含文档类型定义，正常表格不会出现，已拒绝",
                )
    return None
