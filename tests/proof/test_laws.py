"""L1: every machine runs a stretch without a finding, on both databases, and controls are found."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis.stateful import RuleBasedStateMachine

from tests.proof.laws.controls import CONTROLS
from tests.proof.laws.machines import BOTH, MACHINES
from tests.proof.laws.run import told
from tests.proof.laws.shared import Counted, Shared

EXAMPLES = 12
FEWER = 5
"""Of PostgreSQL, whose every commit waits for a disk."""
ON_SQLITE, ON_POSTGRES = (
    [name for name, (_, databases) in MACHINES.items() if one in databases] for one in BOTH
)


@contextmanager
def on(url: str) -> Iterator[None]:
    """The machines' store, while a test runs."""
    Shared.begin(url)
    try:
        yield
    finally:
        Shared.end()


def machine(name: str) -> type[RuleBasedStateMachine]:
    """By its name."""
    return MACHINES[name][0]


def test_lifecycle_and_ledger_hold() -> None:
    """Any answers in any order: nothing in the domain gives way, and steps are counted."""
    before = Counted.steps
    assert told(machine("lifecycle and ledger"), 1, EXAMPLES) is None
    assert Counted.steps - before > EXAMPLES


@pytest.mark.parametrize("name", ON_SQLITE)
def test_sqlite_agrees_with_the_model(name: str, tmp_path: Path) -> None:
    """Whatever is asked, the store answers as the dictionaries do."""
    with on(f"sqlite://{tmp_path}/laws.db"):
        assert told(machine(name), 2, EXAMPLES) is None


@pytest.mark.parametrize("name", ON_POSTGRES)
def test_postgresql_agrees_with_the_model(name: str, fresh_postgres_url: str) -> None:
    """The same dictionaries, the other database."""
    with on(fresh_postgres_url):
        assert told(machine(name), 3, FEWER) is None


def found_out(name: str, url: str) -> None:
    """A control's machine objects."""
    which, breaking = CONTROLS[name]
    with on(url), breaking():
        found = told(machine(which), 1, 100, shrink=False)
    assert found is not None
    assert "AssertionError" in found or "Flaky" in found


@pytest.mark.parametrize("name", [name for name in CONTROLS if CONTROLS[name][0] in ON_SQLITE])
def test_a_broken_store_is_found_out(name: str, tmp_path: Path) -> None:
    """Each control breaks one promise, and the machine says so."""
    found_out(name, f"sqlite://{tmp_path}/laws.db")


@pytest.mark.parametrize("name", [name for name in CONTROLS if CONTROLS[name][0] not in ON_SQLITE])
def test_a_careless_worker_is_found_out(name: str, fresh_postgres_url: str) -> None:
    """The same, of promises that several workers rely on."""
    found_out(name, fresh_postgres_url)
