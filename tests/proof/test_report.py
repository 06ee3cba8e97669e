"""`tests/proof/README.md` says what the kept figures say, and no cell is empty without a reason."""

import orjson
import pytest
from click.testing import CliRunner

from tests.proof import __main__ as prove
from tests.proof import report
from tests.proof.__main__ import LAYERS, present
from tests.proof.chaos.mischief import ACTS
from tests.proof.report import Row

LINE = {
    "seeds",
    "steps",
    "faults",
    "crash_points",
    "power_cuts",
    "double",
    "lost",
    "stuck",
    "wrong_rules",
    "wrong_rules_caught",
    "mutants",
    "mutants_found",
    "seeds_per_hour",
}


def test_the_page_says_what_was_kept() -> None:
    """The table is made from results.json; `make prove` writes both."""
    text = report.README.read_text(encoding="utf-8")
    assert text == report.page(text, report.kept())


def test_every_layer_there_is_was_run() -> None:
    """No layer of the quick run is missing from the figures; each holds, its controls found out."""
    rows = [Row(**one) for one in report.kept()["layers"]]
    assert set(present(quick=True)) <= {row.layer for row in rows} <= set(LAYERS)
    assert [row.layer for row in rows if not row.holds] == []


def test_no_cell_is_empty_without_a_reason() -> None:
    """Every point and fault that the fault model pairs is met, or says why not."""
    rows = [Row(**one) for one in report.kept()["layers"]]
    assert report.gaps(rows) == []


def test_tests_that_are_named_exist() -> None:
    """A cell held by ordinary tests names files that are there."""
    tests = report.HERE.parent
    for files in report.TESTS.values():
        for name in files.split(", "):
            assert (tests / f"{name}.py").exists(), name


def test_a_gap_shows() -> None:
    """Without any layer most cells are open, and the page says so of each."""
    page = report.render({"layers": []})
    assert report.gaps([])
    assert "a gap" in page


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Row("L6", "x", {"inputs": 9}, controls=2, caught=2), 0),
        (Row("L6", "x", {"inputs": 9}, controls=2, caught=1), 1),
        (Row("L6", "x", {"inputs": 9}, broken={"wrong": 1}), 1),
    ],
    ids=["holds", "blind", "broken"],
)
def test_a_run_ends_in_one_line_with_exactly_the_agreed_keys(
    row: Row, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in an exit code; a run of some layers leaves the kept figures alone."""
    before = report.RESULTS.read_bytes()
    monkeypatch.setattr(prove, "LAYERS", {**LAYERS, "L6": ("hostile", lambda _asked, _say: row)})
    done = CliRunner().invoke(prove.main, ["--only", "L6"])
    assert done.exit_code == code, done.output
    line = orjson.loads(done.output.strip().splitlines()[-1])
    assert set(line) == LINE
    assert (line["wrong_rules"], line["wrong_rules_caught"]) == (row.controls, row.caught)
    assert report.RESULTS.read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "writes"),
    [
        ([], True),
        (["--quick"], False),
        (["--only", "L6"], False),
        (["--quick", "--keep"], True),
        (["--only", "L6", "--keep"], True),
    ],
    ids=["full", "quick", "some", "quick, kept", "some, kept"],
)
def test_only_a_full_run_writes_unless_it_is_told_to(
    flags: list[str], writes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of CI leaves the tree as it was."""
    kept: list[Row] = []
    monkeypatch.setattr(report, "keep", kept.extend)
    monkeypatch.setattr(prove, "present", lambda **_: ["L6"])
    calm = {"L6": ("hostile", lambda _asked, _say: Row("L6", "x"))}
    monkeypatch.setattr(prove, "LAYERS", {**LAYERS, **calm})
    assert CliRunner().invoke(prove.main, flags).exit_code == 0
    assert bool(kept) is writes


def test_strikes_that_cover_a_cell_are_those_that_chaos_knows() -> None:
    """A strike that is called otherwise would cover nothing any more, silently."""
    named = {kind for kinds, _ in report.COVERS["L5"] for kind in kinds}
    assert named <= {name for _, name, _ in ACTS}


@pytest.mark.parametrize(
    ("strike", "cell"),
    [
        ("primary lost, standby promoted", (3, 6)),
        ("Redis lost", (5, 7)),
        ("gateway stopped", (18, 3)),
    ],
)
def test_servers_of_their_own_are_met_by_chaos(strike: str, cell: tuple[int, int]) -> None:
    """What no other layer can do to a server counts once it was done."""
    assert "L5" in report.covered([Row("L5", "x", faults={strike: 1})])[cell]
    assert "L5" not in report.covered([Row("L5", "x")]).get(cell, [])


def test_a_fault_that_was_not_injected_covers_nothing() -> None:
    """A cell counts as met only by a layer that reports the fault."""
    calm, rough = Row("L2", "x"), Row("L2", "x", faults={"crash": 3})
    assert "L2" not in report.covered([calm]).get((1, 1), [])
    assert "L2" in report.covered([rough])[1, 1]


def test_figures_of_some_layers_take_the_place_of_their_elders() -> None:
    """`--keep` leaves the other layers as they were, in order."""
    rows = report.merged([Row("L6", "x", {"inputs": 7})])
    assert [row.layer for row in rows] == sorted({row.layer for row in rows})
    assert next(row for row in rows if row.layer == "L6").counts == {"inputs": 7}


def test_bugs_come_from_the_notes_of_the_layers() -> None:
    """What the simulation found stands on the page, without its table's bars."""
    assert any(one.startswith("simulation, 7") and "|" not in one for one in report.bugs())


def test_a_broken_promise_or_a_blind_layer_does_not_hold() -> None:
    """Both make the exit code 1."""
    assert Row("L6", "x", controls=2, caught=2).holds
    assert not Row("L6", "x", controls=2, caught=1).holds
    assert not Row("L3", "x", broken={"lost": 1}).holds


@pytest.mark.parametrize("only", ["L9", "L6,nonsense"])
def test_an_unknown_layer_is_refused(only: str) -> None:
    """It names those there are."""
    done = CliRunner().invoke(prove.main, ["--only", only])
    assert done.exit_code == 2
    assert "L0" in done.output
