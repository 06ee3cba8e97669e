"""README.md says what the kept figures say, and what it says of the bars is so."""

import json
from typing import Any

from click.testing import CliRunner

from tests.bench.routing import __main__ as bench
from tests.bench.routing import page
from tests.bench.routing.world import VARIANTS

KEPT: Any = page.kept()["parts"]


def test_the_page_says_what_was_kept() -> None:
    """The tables are made from results.json; `--keep` writes both."""
    text = page.README.read_text(encoding="utf-8")
    assert text == page.page(text, page.kept())


def test_every_world_was_measured_in_full() -> None:
    """No short run's figures are shown as the real ones."""
    worlds = KEPT["sr"]["seeds"]
    assert worlds == {one.name: one.seeds for one in VARIANTS.values()}
    assert KEPT["cost"]["seeds"] >= 8


def test_the_kept_figures_keep_the_bars() -> None:
    """Regret, wins and cost gaps; they follow from seeds alone, so any machine finds the same."""
    regret, wins = KEPT["sr"]["regret"], KEPT["sr"]["wins_vs_window"]
    assert [name for name, bar in page.BARS.items() if regret[name] > bar] == []
    assert [name for name, least in page.WINS.items() if wins[name] < least] == []
    gap = KEPT["cost"]["cost_gap_pct"]
    assert (gap["on"] <= 1.0, gap["off"] <= 3.0, gap["worst"] <= 6.0) == (True, True, True)


def test_the_last_line_is_json() -> None:
    """A part alone ends with its own keys."""
    result = CliRunner().invoke(bench.main, ["--only", "speed", "--quick"])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout.splitlines()[-1])) == {"decision_us"}
