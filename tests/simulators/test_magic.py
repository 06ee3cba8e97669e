"""The magic table and the fault table: one truth, shown in the README, sound as rules."""

from __future__ import annotations

from pathlib import Path

from simulators.faults import Faults
from simulators.magic import rows, rules
from simulators.registry import KINDS
from tests.simulators.readme import action_rows, magic_rows

README = (Path(__file__).parents[2] / "simulators" / "README.md").read_text(encoding="utf-8")


def test_the_readme_shows_every_magic_row() -> None:
    """The table in the README is the table of the code, in its order."""
    assert "\n".join(magic_rows()) in README


def test_the_readme_shows_every_action() -> None:
    """So is the table of faults."""
    assert "\n".join(action_rows()) in README


def test_every_row_is_a_sound_rule() -> None:
    """Each row of a kind's table names one payee or one amount, once."""
    for kind, one in KINDS.items():
        assert all((row.payee is None) != (row.amount_fen is None) for row in one.magic)
        chosen = [row["payee"] or row["amount_fen"] for row in rows(one.magic, kind)]
        assert len(chosen) == len(set(chosen)) == len(rules(one.magic)) > 0
        assert Faults(magic=rules(one.magic)).rules == []
