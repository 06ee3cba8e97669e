"""README.md says what the kept figures say, and they are of whole runs."""

from tests.bench.batch import page

KEPT = page.kept()


def test_the_page_says_what_was_kept() -> None:
    """The table is made from results.json; `--keep` writes both."""
    text = page.README.read_text(encoding="utf-8")
    assert text == page.page(text, KEPT)


def test_every_case_kept_was_measured_in_full() -> None:
    """100,000 rows each, every one of them accepted, with books that balance."""
    assert set(KEPT) <= set(page.cases())
    assert {(one["rows"], one["accepted"], one["done"]) for one in KEPT.values()} == {
        (page.ROWS, page.ROWS, True)
    }
