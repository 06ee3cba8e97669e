"""The seeded bugs (proof layer L7): they can be planted, they are found, and only they are."""

import json

import pytest

from tests.proof.mutants.catalogue import MUTANTS, Mutant
from tests.proof.mutants.overlay import ROOT, Edit, NoSuchPlaceError
from tests.proof.mutants.probes import Ask
from tests.proof.mutants.run import FINDERS, run

QUICK = ("not found is a failure", "no compare-and-set", "commits do not wait for the disk")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_its_place_is_still_there(mutant: Mutant) -> None:
    """The text that a bug replaces stands in its file exactly once."""
    for edit in mutant.edits:
        text = (ROOT / edit.file).read_text(encoding="utf-8")
        assert edit.applied(text) != text


def test_there_are_enough_and_each_has_a_name() -> None:
    """Forty at least, no two under one name, and each says where it is looked for."""
    assert len(MUTANTS) >= 40
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)
    assert all(one.asks for one in MUTANTS)


def test_known_finders_are_of_known_mutants() -> None:
    """What is remembered about who found what is about bugs that are still seeded."""
    kept = json.loads(FINDERS.read_text(encoding="utf-8"))
    assert kept.keys() <= {one.name for one in MUTANTS}


def test_a_bug_is_found_and_the_shipped_code_is_not() -> None:
    """Three bugs, three layers; the same seeds say nothing about the code that ships."""
    chosen = [one for one in MUTANTS if one.name in QUICK]
    result = run(lambda _line: None, processes=2, mutants=chosen)
    assert (result.mutants, result.missed, result.false_alarms) == (len(QUICK), [], [])


def test_what_changes_nothing_is_not_found() -> None:
    """The control: an edit that breaks no rule is reported as missed."""
    edit = Edit("gateway/domain/pace.py", "CANARY", "CANARY")
    text = Edit("gateway/domain/pace.py", "0-10 %", "0 to 10 %")
    with pytest.raises(NoSuchPlaceError):
        edit.applied("nothing of the kind")
    harmless = Mutant("harmless", "none", (text,), (Ask("L1", "lifecycle and ledger"),))
    result = run(lambda _line: None, processes=1, mutants=[harmless])
    assert (result.found, result.missed, result.holds) == (0, ["harmless"], False)
