"""The page's table and the tests beside it say the same."""

import re
from pathlib import Path

HERE = Path(__file__).parent
DEFECTS = range(1, 16)
"""Dialects.md §5."""


def test_every_defect_has_a_row_that_leads_to_its_tests() -> None:
    """All fifteen, in order; the tests of a number are in the files of its row and nowhere else."""
    page = (HERE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| [^|]+ \| (`[^|]+`) \|$", page, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(DEFECTS)
    assert {int(number): set(re.findall(r"`(\w+\.py)`", files)) for number, files in rows} == {
        number: files_of(number) for number in DEFECTS
    }


def files_of(number: int) -> set[str]:
    """The files with tests of a defect."""
    found = re.compile(rf"^(?:async )?def test_{number:02}_\w+\(", re.MULTILINE)
    return {path.name for path in HERE.glob("test_*.py") if found.search(path.read_text("utf-8"))}


def test_every_test_of_a_number_is_of_one_that_there_is() -> None:
    """A typing error in a name would leave a test out of the table."""
    numbers = {
        int(number)
        for path in HERE.glob("test_*.py")
        for number in re.findall(r"def test_(\d+)_", path.read_text("utf-8"))
    }
    assert numbers == {*DEFECTS}
