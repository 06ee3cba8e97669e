"""The named statements: parsed once, translated faithfully, ordered as changes run them."""

import pytest

from gateway.store.queries import Dialect, Queries
from gateway.store.units import Units
from gateway.store.vault import Vault
from tests import builders as build
from tests.contracts.store.conftest import KEK


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_every_parameter_is_translated(dialect: Dialect) -> None:
    """No `:name` is left for PostgreSQL, and every `$n` has its name."""
    for query in Queries(dialect).all():
        assert not [name for name in query.names if f" :{name}" in query.numbered]
        assert all(f"${n}" in query.numbered for n in range(1, len(query.names) + 1))
        assert query.text.strip(), query.name


def test_a_parameter_used_twice_is_one_parameter() -> None:
    """Repeated names share their number."""
    query = Queries("postgres")["insert_deliveries"]

    assert len(set(query.names)) == len(query.names)
    assert query.values({name: name for name in query.names}) == query.names


def test_optional_lines_go_with_their_parameter() -> None:
    """A variant without a filter has neither its line nor its parameter."""
    query = Queries("sqlite")["find_payouts"]
    params = dict.fromkeys(query.optional) | {"limit": 1, "id": "po_1"}

    variant = query.given(params)

    assert "id = :id" in variant.text
    assert "merchant_id = :merchant_id" not in variant.text
    assert variant.names == ("id", "limit")
    assert query.given(params) is variant


def test_an_unknown_name_is_a_defect() -> None:
    """Asking for a statement that is not there raises."""
    with pytest.raises(KeyError):
        Queries("sqlite")["nonsense"]


def test_overrides_keep_their_place_and_add_few() -> None:
    """PostgreSQL's file differs in a handful of statements; order is that of the shared file."""
    shared = [query.name for query in Queries("sqlite").all()]
    overridden = [query.name for query in Queries("postgres").all()]

    assert overridden[: len(shared)] == shared
    alone = {"lock_balances", "raise_feed_base", "nudge", "standbys", "give_back"}
    alone |= {"lock_tallies", "guarded_tallies"}
    workers = {"enrol_worker", "beat_worker", "other_workers", "bury_worker", "hold_lock"}
    claims = {"claim_payouts", "take_payout", "claim_deliveries", "lock_turn", "unlock_turn"}
    assert set(overridden) - set(shared) == alone | workers | claims


def test_changes_run_their_statements_in_the_order_of_the_file() -> None:
    """PostgreSQL runs a commit's statements by kind in file order; no change may need another."""
    queries = Queries("postgres")
    vault = Vault(KEK)
    vault.adopt(vault.fresh_key(), sealing_since=build.NOW)
    vault.adopt_index(vault.fresh_key())
    units = Units(queries, vault, lambda *_: b"")
    subject = build.payout()
    armed = build.arm(subject).after
    change = build.change(
        armed,
        build.died(),
        build.armed(build.attempt(2)),
        evidence=build.evidence(),
        decision=b"{}",
    )
    accepted = units.accepted(build.accepted_change(subject), build.intake(), 0)

    for unit in (units.moved(change), accepted):
        first_use = list(dict.fromkeys(step.query.order for step in unit.steps))
        assert first_use == sorted(first_use)


def test_one_statement_takes_the_rows_of_many() -> None:
    """Its values are those of each row, in the order of its question marks."""
    query = Queries("sqlite")["insert_entry"]
    steps = [{name: f"{name} {number}" for name in query.names} for number in range(3)]

    text, values = query.many(steps)

    assert text.count("?") == len(values) == 3 * len(query.names)
    assert ":" not in text
    assert values == [value for params in steps for value in query.values(params)]


def test_a_change_of_one_row_finds_the_rows_of_many() -> None:
    """Each parameter is a column of what is given, in every place where it stood."""
    query = Queries("sqlite")["update_attempt"]
    steps = [{name: f"{name} {number}" for name in query.names} for number in range(2)]

    text, values = query.many(steps)

    assert text.count("?") == len(values) == 2 * len(query.names)
    assert ":" not in text
    assert "RETURNING" not in text
    assert values == [value for params in steps for value in query.values(params)]
    note = query.names.index("certificate_note") + 1
    assert f"COALESCE(certificate_note, given.column{note})" in text
    number = query.names.index("number") + 1
    assert text.endswith(f"number = given.column{number}")


@pytest.mark.parametrize(
    "name",
    ["insert_notice", "insert_audit", "beat", "move_leg", "deliveries_behind", "watched"],
)
def test_a_statement_that_must_run_alone_says_so(name: str) -> None:
    """One that returns what was not given, adds up, tells no count, or reads what it writes."""
    query = Queries("sqlite")[name]

    assert not query.takes_many
    with pytest.raises(ValueError, match="one row at a time"):
        query.many([])
