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
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_template_is_read_by_its_own_profile(name: str, kind: Format, language: Language) -> None:
    """Its headings are all known: all that is missing is rows."""
    profile = shipped()[name]
    made = template(profile, kind, language)
    found = examine(made, profile, Currency.CNY, "all_or_nothing", None)
    assert [one.code for one in found.faults] == ["file_empty"]


@pytest.mark.parametrize("name", ["dujiao-next", "acg-faka", "qs-faka"])
def test_a_platforms_profile_says_what_is_not_verified(name: str) -> None:
    """Nobody takes a guess for a documented format."""
    profile = shipped()[name]
    assert profile.unverified
    assert profile.ref_prefix


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
    own = shipped()["qs-faka"].model_copy(update={"unverified": []})
    (tmp_path / "own.yaml").write_text(own.model_dump_json(), encoding="utf-8")
    assert profiles(tmp_path)["qs-faka"].unverified == []
    with pytest.raises(ProfileError, match="colums"):
        read_profile("name: xx\ncolums: {}", "x.yaml")
