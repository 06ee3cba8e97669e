"""Files that go out: no cell can act, and what we write we read again."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from channels.money import Currency
from gateway.api.batch_files import examine
from gateway.sheets.profile import ProfileError, Source, profiles, read_profile, shipped
from gateway.sheets.write import Format, Language, file_of, harmless, template, written_back


@given(st.sampled_from("=+-@\t\r\n＝＋－＠"), st.text(max_size=20))
def test_no_cell_begins_as_a_formula(first: str, rest: str) -> None:
    """Every way to begin one gets an apostrophe before it."""
    assert harmless(first + rest) == f"'{first}{rest}"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_hostile_name_comes_back_as_text(kind: Format) -> None:
    """In a workbook the cell is text, in CSV it begins with an apostrophe."""
    made = file_of([["=cmd|'/C calc'!A0", "6222021234567890123"]], kind)
    if kind == "csv":
        assert made.startswith(b"\xef\xbb\xbf")
        (row,) = csv.reader(io.StringIO(made.decode("utf-8-sig")))
        assert row[0].startswith("'=")
    else:
        cells = next(load_workbook(io.BytesIO(made)).worksheets[0].iter_rows())
        assert [cell.data_type for cell in cells] == ["s", "s"]
        assert str(cells[0].value).startswith("'=")
        assert cells[1].value == "6222021234567890123"


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_profile_is_called_as_its_file_is(name: str) -> None:
    """It is found by the file's name, and said to be called by its own."""
    assert shipped()[name].name == name


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_template_is_read_by_its_own_profile(name: str, kind: Format, language: Language) -> None:
    """Its headings are all known: all that is missing is rows."""
    profile = shipped()[name]
    made = template(profile, kind, language)
    found = examine(made, profile, Currency.CNY, "all_or_nothing", None)
    assert [one.code for one in found.faults] == ["file_empty"]


@pytest.mark.parametrize("name", ["dujiao-next", "acg-faka", "qs-faka"])
def test_a_platforms_profile_says_where_it_was_seen(name: str) -> None:
    """Source and revision; what its query selects are headings that it reads, all it needs."""
    profile = shipped()[name]
    assert all(" at " in one or one.startswith("the same, ") for one in profile.seen)
    assert profile.back is not None
    assert profile.ref_prefix
    selected = profile.query.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
    headings = [one.rpartition(" AS ")[2].rpartition(".")[2] for one in selected]
    assert {column.en for column in profile.columns.values()} >= set(headings)
    needed = {column.en for column in profile.columns.values() if column.required}
    assert needed <= set(headings)


def test_a_card_number_that_is_none_is_not_paid() -> None:
    """qs-faka keeps the identity number where the card's should be: such rows are for people."""
    lines = "id,actual_money,type,bank_card,realname,status\n7,5.00,{},{},王五,0"
    for kind, account, wrong in (
        ("1", "wang@example.test", []),
        ("3", "6222021234567890123", ["rail_unknown"]),
    ):
        content = lines.format(kind, account).encode()
        found = examine(content, shipped()["qs-faka"], Currency.CNY, "all_or_nothing", None)
        assert [one.code for one in found.faults][:1] == wrong


def test_acg_fakas_way_to_pay_is_its_card_column() -> None:
    """Its `type` says who asked for the withdrawal, not how it is paid."""
    head, row = "id,amount,card,alipay,nicename,status", "7,5.00,{},wang@example.test,王五,0"
    for card, wrong in (("0", []), ("1", ["rail_unknown"]), ("3", ["rail_unknown"])):
        content = f"{head}\n{row.format(card)}".encode()
        found = examine(content, shipped()["acg-faka"], Currency.CNY, "all_or_nothing", None)
        assert [one.code for one in found.faults][:1] == wrong


@pytest.mark.parametrize("name", ["dujiao-next", "acg-faka", "qs-faka"])
def test_only_what_is_proven_is_written_back(name: str) -> None:
    """A row under way, refused or returned is left out: the platform would give money back."""
    profile = shipped()[name]
    rows: list[tuple[dict[Source, str], dict[str, str]]] = [
        ({"status": status, "original_ref": status, "reason": "", "payout_id": ""}, {})
        for status in ("paid", "failed", "processing", "refused", "returned")
    ]
    made = written_back(profile, rows, "csv", "en").decode("utf-8-sig")
    assert [line[0] for line in csv.reader(io.StringIO(made))][1:] == ["paid", "failed"]


def test_a_withdrawal_that_was_paid_already_is_refused() -> None:
    """The platform does not wait for it any more."""
    profile = shipped()["dujiao-next"]
    lines = ["id,amount,channel,account,name,status", "7,5.00,支付宝,13800138000,王五,"]
    for status, wrong in (("pending_review", []), ("paid", ["row_not_payable"])):
        content = f"{lines[0]}\n{lines[1]}{status}".encode()
        found = examine(content, profile, Currency.CNY, "all_or_nothing", None)
        assert [one.code for one in found.faults] == wrong
        if not wrong:
            assert found.rows[0].merchant_ref == "dujiao-7"


def test_an_operators_own_profile_replaces_the_shipped_one(tmp_path: Path) -> None:
    """A copy with other headings is read instead; a mistake in it is told with its place."""
    own = shipped()["qs-faka"].model_copy(update={"unverified": ["mine"]})
    (tmp_path / "own.yaml").write_text(own.model_dump_json(), encoding="utf-8")
    assert profiles(tmp_path)["qs-faka"].unverified == ["mine"]
    with pytest.raises(ProfileError, match="colums"):
        read_profile("name: xx\ncolums: {}", "x.yaml")
