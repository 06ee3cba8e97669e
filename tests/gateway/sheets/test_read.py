"""Reading files: what is put right, what is refused; whatever the bytes are, no exception."""

import io
import zipfile
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from channels.money import Currency, Money
from gateway.api.batch_files import Declared, Examined, examine
from gateway.domain.batch import BatchMode, RowState
from gateway.sheets.grid import UNPACKED_MAX, FileFaultError, grid_of
from gateway.sheets.profile import shipped

HEAD = "商户单号,金额,付款方式,收款账号,收款人,用途"
CARD = "6222021234567890123"
GOOD = f"a-1,12.30,银行卡,{CARD},王小五,货款"
NATIVE = shipped()["native"]


def look(
    content: bytes, *, mode: BatchMode = "all_or_nothing", declared: Declared | None = None
) -> Examined:
    """Examine it as the native template."""
    return examine(content, NATIVE, Currency.CNY, mode, declared)


def text(*lines: str, encoding: str = "utf-8") -> bytes:
    """A CSV file."""
    return "\r\n".join((HEAD, *lines)).encode(encoding)


def book(*rows: Sequence[object]) -> bytes:
    """A workbook."""
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    for row in (HEAD.split(","), *rows):
        sheet.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def codes(found: Examined) -> list[tuple[int | None, str | None, str]]:
    """Where and what, of every fault."""
    return [(one.line, one.column, one.code) for one in found.faults]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_chinese_text_in_its_usual_encodings(encoding: str) -> None:
    """Whatever a spreadsheet saved it as, the row is the same row."""
    found = look(text(GOOD, encoding=encoding))
    assert found.faults == []
    assert found.total_minor == 1230
    assert found.content == look(text(GOOD)).content


def test_headings_in_english_and_any_order() -> None:
    """The template's other language, with the columns shuffled."""
    found = look(
        f"name,amount,rail,account,merchant_ref,purpose\n王五,1.00,bank_card,{CARD},x1,pay".encode()
    )
    assert found.faults == []
    assert found.rows[0].merchant_ref == "x1"


@pytest.mark.parametrize("cell", ["6.22202E+18", "6.22E18"])
def test_a_mangled_card_number_is_refused_with_its_reason(cell: str) -> None:
    """What a spreadsheet made of a card number is never guessed at."""
    found = look(text(f"a-1,12.30,银行卡,{cell},王小五,货款"))
    assert codes(found) == [(2, "收款账号", "number_mangled")]
    assert "text" in found.faults[0].en
    assert "文本" in found.faults[0].zh


def test_a_card_number_held_as_a_number_is_refused() -> None:
    """A workbook's number has lost digits beyond the fifteenth."""
    found = look(book(["a-1", 12.3, "银行卡", 6222021234567890123, "王小五", "货款"]))
    assert codes(found) == [(2, "收款账号", "number_mangled")]


def test_a_mobile_number_and_an_amount_may_be_numbers() -> None:
    """Eleven digits and a price lose nothing; 12.3 is 12.30."""
    found = look(book(["a-1", 12.3, "支付宝", 13800138000, "王小五", "货款"]))
    assert found.faults == []
    assert found.total_minor == 1230


def test_a_formula_is_not_calculated() -> None:
    """The cell is refused, whatever it would come to."""
    found = look(book(["a-1", "=1+1", "银行卡", CARD, "王小五", "货款"]))
    assert codes(found) == [(2, "金额", "cell_formula")]


def test_what_only_looks_different_is_put_right_with_a_warning() -> None:
    """Apostrophe, full-width digits, separators of thousands, blanks within a number."""
    found = look(
        text(
            '\'a-1,"1,234.50",银行卡,6222 0212 3456 7890 123,王小五,货款',
            f"a-2,１２．３０,银行卡,'{CARD},王小五,货款",
        )
    )
    assert found.faults == []
    assert [row.amount_minor for row in found.rows] == [123450, 1230]
    assert found.rows[0].merchant_ref == "a-1"
    assert [one.code for one in found.warnings] == ["cell_corrected"] * 5


def test_a_reference_twice_is_an_error_and_a_payee_twice_a_warning() -> None:
    """Two rows for one payee may be meant; one number for two payments never is."""
    found = look(text(GOOD, GOOD, GOOD.replace("a-1", "a-2")))
    assert codes(found) == [(3, "商户单号", "ref_twice")]
    assert [(one.line, one.code) for one in found.warnings] == [
        (3, "payee_twice"),
        (4, "payee_twice"),
    ]


def test_every_fault_is_told_with_its_place() -> None:
    """Three rows, four faults; a person corrects them all at once."""
    found = look(
        text("a 1,1.234,银行卡,abc,王小五,货款", "a-2,5,支票,1,王,货款", "a-3,,银行卡,1,,x")
    )
    assert {(line, column) for line, column, _ in codes(found)} >= {
        (2, "商户单号"),
        (2, "收款账号"),
        (3, "付款方式"),
        (4, "收款账号"),
    }
    assert all(one.zh and one.en for one in found.faults)


def test_a_missing_column_is_named() -> None:
    """Before any row is looked at."""
    found = look("商户单号,金额\na-1,1".encode())
    assert {column for _, column, _ in codes(found)} == {"付款方式", "收款账号", "收款人", "用途"}


@pytest.mark.parametrize(
    ("count", "total", "code"), [(2, 1230, "count_differs"), (1, 1231, "total_differs")]
)
def test_a_file_that_does_not_hold_what_was_declared(count: int, total: int, code: str) -> None:
    """A file cut off in the middle, or the wrong one, is refused."""
    found = look(text(GOOD), declared=Declared(count, Money(total, Currency.CNY)))
    assert [one.code for one in found.faults] == [code]


def test_per_row_sets_a_bad_row_aside() -> None:
    """Its number and amount are clear, so the others can be paid and the total still holds."""
    bad = "a-2,1.00,银行卡,12,王小五,货款"
    declared = Declared(2, Money(1330, Currency.CNY))
    found = look(text(GOOD, bad), mode="per_row", declared=declared)
    assert found.faults == []
    assert [row.state for row in found.rows] == [RowState.WAITING, RowState.REFUSED]


def test_per_row_refuses_the_file_when_an_amount_is_unclear() -> None:
    """Nobody can tell whether the declared total holds."""
    found = look(text(GOOD, f"a-2,1.2.3,银行卡,{CARD},王,货款"), mode="per_row")
    assert codes(found)[0][:2] == (3, "金额")


def test_json_lines_are_payouts_of_the_native_api() -> None:
    """One a line, the same fields, the same refusals."""
    row = (
        '{"merchant_ref":"j-1","amount_minor":1230,"currency":"CNY","purpose":"货款","beneficiary":'
        f'{{"instruments":[{{"rail":"bank_card","number":"{CARD}","name":"王小五"}}]}}}}'
    )
    found = look(f"{row}\n{row.replace('j-1', 'j-2').replace('1230', '12.5')}\n".encode())
    assert [row.merchant_ref for row in found.rows] == ["j-1"]
    assert codes(found) == [(2, "amount_minor", "cell_invalid")]


def test_an_old_workbook_is_named_as_such() -> None:
    """The person learns what to save it as."""
    assert codes(look(b"\xd0\xcf\x11\xe0" + bytes(100))) == [(None, None, "file_old_or_locked")]


def packed(name: str, content: bytes) -> bytes:
    """A ZIP file of one part."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    return out.getvalue()


def test_a_zip_bomb_is_not_unpacked() -> None:
    """What it says of its size is enough to refuse it."""
    bomb = packed("xl/worksheets/sheet1.xml", bytes(UNPACKED_MAX + 1))
    assert len(bomb) < 1_000_000
    assert codes(look(bomb)) == [(None, None, "xlsx_too_large")]


def test_a_document_type_is_refused() -> None:
    """No spreadsheet has one; entities are how a small file becomes a large one."""
    bomb = packed("xl/workbook.xml", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>')
    assert codes(look(bomb)) == [(None, None, "xlsx_doctype")]


def test_rows_beyond_the_limit_are_not_read() -> None:
    """The fault says to split the file."""
    found = look((HEAD + "\n" + f"{GOOD}\n" * 100_001).encode())
    assert codes(found) == [(None, None, "file_too_many_rows")]


PIECES = st.sampled_from(
    [b",", b"\n", b'"', b"'", b"=1", b"\x00", b"\xff\xfe", b"\xb1\xb1", b"{", b"}", b"PK\x03\x04"]
)
BYTES = st.one_of(
    st.binary(max_size=400),
    st.lists(st.one_of(PIECES, st.text(max_size=8).map(str.encode)), max_size=40).map(b"".join),
)


@settings(max_examples=300)
@given(BYTES, st.booleans(), st.sampled_from(["all_or_nothing", "per_row"]))
def test_whatever_the_bytes_are_there_is_an_answer(
    content: bytes, has_head: bool, mode: BatchMode
) -> None:
    """Rows or faults, never an exception; and every row that is kept is whole."""
    found = look(HEAD.encode() + b"\n" + content if has_head else content, mode=mode)
    assert found.faults or found.rows
    assert all(row.merchant_ref and row.amount_minor > 0 for row in found.rows)


@settings(max_examples=100)
@given(st.integers(0, 6_000), st.binary(min_size=1, max_size=4))
def test_a_damaged_workbook_is_rows_or_a_fault(at: int, scrap: bytes) -> None:
    """Bytes of a real workbook overwritten anywhere."""
    whole = book(["a-1", "12.30", "银行卡", CARD, "王小五", "货款"])
    at %= len(whole)
    with suppress(FileFaultError):
        lines = list(grid_of(whole[:at] + scrap + whole[at + len(scrap) :]).lines)
        assert all(number > 0 for number, _ in lines)


@settings(max_examples=200)
@given(st.lists(st.text(max_size=12), min_size=6, max_size=6))
def test_any_cells_are_rows_or_faults(cells: list[str]) -> None:
    """The same text in a CSV cell, whatever it is."""
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    found = look(f"{HEAD}\n{line}\n".encode("utf-8", "replace"))
    assert found.faults or found.rows


def test_deeply_nested_json_is_a_fault() -> None:
    """Nesting that no payout has exhausts nothing."""
    deep = b'{"a":' * 500 + b"1" + b"}" * 500
    assert look(deep).faults
