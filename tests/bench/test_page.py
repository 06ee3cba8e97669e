"""README.md says what the kept figures say."""

from tests.bench import page
from tests.bench.__main__ import KEYS, PARTS


def test_the_page_says_what_was_kept() -> None:
    """The tables are made from results.json; a run that keeps its figures writes both."""
    text = page.README.read_text(encoding="utf-8")
    assert text == page.page(text, page.kept())


def test_every_part_was_kept() -> None:
    """And with them every figure of the last line."""
    parts = page.kept()["parts"]
    assert [part for part in PARTS if part not in parts] == []
    assert [key for key in KEYS if not any(key in one for one in parts.values())] == []


def test_every_part_is_explained() -> None:
    """The page has a row for each."""
    text = page.README.read_text(encoding="utf-8")
    assert [part for part in PARTS if f"| `{part}` |" not in text] == []
