"""Workbooks, by openpyxl: cells as they are held, never calculated; text only when written."""

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time

import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils.exceptions import IllegalCharacterError

from gateway.domain.batch import Fault
from gateway.sheets.cells import FORMULA, Cell, number_of


def lines_of(content: bytes, lines_max: int, columns_max: int) -> Iterator[tuple[int, list[Cell]]]:
    """The first sheet's lines with their numbers. Raises whatever a broken workbook makes it."""
    with warnings.catch_warnings():
        # Extensions that it cannot show do not matter to what the cells hold.
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=False, keep_links=False
        )
        try:
            rows = book.worksheets[0].iter_rows(max_row=lines_max, max_col=columns_max)
            for number, row in enumerate(rows, 1):
                # A row is filled up to `columns_max`, and most of it is never more than that.
                end = len(row)
                while end and row[end - 1] is EMPTY_CELL:
                    end -= 1
                cells = [_cell(one) for one in row[:end]]
                while cells and cells[-1] == "":
                    cells.pop()
                yield number, cells
        finally:
            book.close()


def workbook_of(lines: Iterable[Sequence[str]]) -> bytes:
    """A workbook of one sheet, every cell of it text."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("payouts")
    for line in lines:
        sheet.append([_as_text(sheet, cell) for cell in line])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def _as_text(sheet: object, text: str) -> WriteOnlyCell:
    try:
        cell = WriteOnlyCell(sheet, value=text)
    except IllegalCharacterError:
        cell = WriteOnlyCell(sheet, value="".join(filter(str.isprintable, text)))
    cell.data_type = "s"
    cell.number_format = "@"
    return cell


def _cell(cell: object) -> Cell:
    value = getattr(cell, "value", None)
    if value is None:
        return ""
    kind = getattr(cell, "data_type", "")
    if kind == "f":
        return FORMULA
    if kind == "e":
        return Fault("cell_error", f"the cell shows {value!s:.10}", "单元格是错误值，请改正")
    match value:
        case bool():
            return str(value)
        case int() | float():
            return number_of(value)
        case datetime() | date() | time():
            return value.isoformat()
    return str(value)
