"""The schema: alike in both databases, and saying the same as the domain."""

import re
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import get_args

import asyncpg
import pytest

from channels.contract import LineKind
from gateway.domain.incident import IncidentKind
from gateway.domain.ledger import Book, Side
from gateway.domain.lifecycle import ATTEMPT_EDGES, PAYOUT_EDGES
from gateway.domain.payout import AttemptState, PayoutState, Speed
from gateway.domain.proposal import ProposalState
from gateway.domain.reconciliation import BreakKind
from gateway.ports import ChannelStatus, DeliveryState, Funding
from gateway.store import SchemaError, migrate
from gateway.store import schema as steps_of
from gateway.store.queries import Dialect
from gateway.store.schema import (
    Migration,
    migrations,
    missing,
    newest,
    require_compatible,
    require_current,
)

Column = tuple[str, str, bool]
Schema = dict[str, tuple[list[Column], list[tuple[str, bool, str]]]]

TYPES = {
    "BIGINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "BYTEA": "BLOB",
    "TEXT": "TEXT",
    "INTEGER": "INTEGER",
    "BLOB": "BLOB",
}


def _sqlite_schema(path: Path) -> Schema:
    connection = sqlite3.connect(path)
    schema: Schema = {}
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (table,) in tables:
        columns = [
            (name, TYPES[kind], bool(required or key))
            for _, name, kind, required, _, key in connection.execute(f"PRAGMA table_info({table})")
        ]
        indexes = []
        for _, name, unique, origin, _ in connection.execute(f"PRAGMA index_list({table})"):
            if origin == "c":
                keys = ",".join(row[2] for row in connection.execute(f"PRAGMA index_info({name})"))
                indexes.append((name, bool(unique), keys))
        schema[table] = (columns, sorted(indexes))
    connection.close()
    return schema


async def _postgres_schema(url: str) -> Schema:
    connection = await asyncpg.connect(url)
    columns = await connection.fetch(
        "SELECT table_name, column_name, upper(data_type), is_nullable = 'NO' "
        "FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT IN "
        "(SELECT table_name FROM information_schema.views WHERE table_schema = 'public') "
        "ORDER BY table_name, ordinal_position"
    )
    indexes = await connection.fetch(
        "SELECT t.relname, i.relname, x.indisunique, string_agg(a.attname, ',' ORDER BY k.n) "
        "FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
        "JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace "
        "CROSS JOIN unnest(x.indkey) WITH ORDINALITY AS k (attnum, n) "
        "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum "
        "WHERE s.nspname = 'public' AND NOT x.indisprimary GROUP BY 1, 2, 3"
    )
    await connection.close()
    schema: Schema = {row[0]: ([], []) for row in columns}
    for table, name, kind, required in columns:
        schema[table][0].append((name, TYPES[kind], required))
    for table, name, unique, keys in indexes:
        schema[table][1].append((name, unique, keys))
    for _, found in schema.values():
        found.sort()
    return schema


async def test_both_databases_have_the_same_schema(tmp_path: Path, fresh_postgres_url: str) -> None:
    """Once migrated: the same tables, columns, nullability and indexes."""
    await migrate(f"sqlite://{tmp_path}/x.db")
    await migrate(fresh_postgres_url)

    sqlite, postgres = _sqlite_schema(tmp_path / "x.db"), await _postgres_schema(fresh_postgres_url)

    assert sqlite.keys() == postgres.keys()
    for table, found in sqlite.items():
        assert found == postgres[table], table
    assert len(sqlite) > 20


def _checks(dialect: Dialect, table: str, column: str) -> set[str]:
    sql = "\n".join(step.sql for step in migrations(dialect))
    body = rf"CREATE TABLE {table} \((?:(?!\n\)).)*?"
    # A later step may have replaced the check.
    changed = rf"ALTER TABLE {table} ADD CONSTRAINT \w+ "
    listed = re.findall(rf"(?:{body}|{changed})CHECK \({column} IN \((.*?)\)", sql, flags=re.DOTALL)
    assert listed, (table, column)
    return set(re.findall(r"'(\w+)'", listed[-1]))


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    ("table", "column", "enum"),
    [
        ("payouts", "state", PayoutState),
        ("events", "state", PayoutState),
        ("attempts", "state", AttemptState),
        ("deliveries", "state", DeliveryState),
        ("entries", "book", Book),
        ("entries", "side", Side),
        ("merchants", "funding", Funding),
        ("statement_lines", "kind", LineKind),
        ("breaks", "kind", BreakKind),
        ("incidents", "kind", IncidentKind),
        ("proposals", "state", ProposalState),
    ],
)
def test_checks_list_exactly_the_domains_values(
    dialect: Dialect, table: str, column: str, enum: type[StrEnum]
) -> None:
    """A value added to the domain needs a migration, and none is allowed that the domain lacks."""
    assert _checks(dialect, table, column) == {member.value for member in enum}


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_checks_of_literals_match_too(dialect: Dialect) -> None:
    """Speeds and channel statuses are the ones of the contract."""
    assert _checks(dialect, "payouts", "speed") == set(get_args(Speed))
    assert _checks(dialect, "channel_statuses", "status") == set(get_args(ChannelStatus))


def test_every_state_of_the_transition_table_can_be_stored() -> None:
    """What the lifecycle can reach, the schema admits."""
    payouts = {state for (state, _), after in PAYOUT_EDGES.items() for state in (state, after)}
    attempts = {state for (state, _), after in ATTEMPT_EDGES.items() for state in (state, after)}

    assert payouts <= _checks("sqlite", "payouts", "state")
    assert attempts <= _checks("sqlite", "attempts", "state")


def test_versions_are_numbered_alike() -> None:
    """Each step exists for both databases, under the same number, from 1 on, no number twice."""
    sqlite, postgres = migrations("sqlite"), migrations("postgres")

    assert [(s.version, s.name) for s in sqlite] == [(s.version, s.name) for s in postgres]
    numbers = [step.version for step in sqlite]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_a_newer_schema_is_refused_with_both_versions() -> None:
    """An older program must not touch a newer database."""
    newest = migrations("sqlite")[-1].version

    with pytest.raises(SchemaError, match=f"version {newest + 1}.*only {newest}"):
        missing("sqlite", newest + 1)


@pytest.mark.parametrize(
    ("steps", "accepted"),
    [
        ({1: 0}, True),
        ({1: -1}, True),
        ({1: 1}, False),
        ({1: None}, False),
        ({1: 0, 3: 0}, True),
        ({1: 0, 3: 1}, False),
        ({1: 0, 3: None}, False),
    ],
)
def test_a_newer_schema_is_accepted_when_every_step_says_so(
    steps: dict[int, int | None], accepted: bool
) -> None:
    """Each step beyond this program names a schema it knows; numbers are relative to the newest."""
    known = newest("postgres")
    taken: dict[int, int | None] = dict.fromkeys(range(1, known + 1))
    taken |= {known + n: None if since is None else known + since for n, since in steps.items()}

    if accepted:
        require_compatible("postgres", taken)
    else:
        with pytest.raises(SchemaError, match=f"only {known}"):
            require_compatible("postgres", taken)


async def test_a_database_with_a_compatible_next_step_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the next program's file promises is kept beside the version, and read by this one."""
    step = Migration(9001, "next", "-- compatible: since 5\nALTER TABLE payouts ADD COLUMN x TEXT;")
    real = steps_of.migrations
    url = f"sqlite://{tmp_path}/x.db"
    with monkeypatch.context() as patch:
        patch.setattr(steps_of, "migrations", lambda dialect: (*real(dialect), step))
        await migrate(url)

    await migrate(url)

    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("SELECT version, since FROM schema_compatible").fetchall() == [
        (9001, 5)
    ]
    connection.close()


async def test_incidents_of_before_outlive_the_step_that_adds_banks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite makes the table anew: the rows are there, and still nobody may delete them."""
    real = steps_of.migrations
    url = f"sqlite://{tmp_path}/x.db"
    with monkeypatch.context() as patch:
        patch.setattr(
            steps_of,
            "migrations",
            lambda dialect: tuple(step for step in real(dialect) if step.version < 7),
        )
        await migrate(url)
    connection = sqlite3.connect(tmp_path / "x.db")
    row = ("in_1", "regress", 0, "a", None, None, "event 4", 7, "operations", None, None, None)
    connection.execute(f"INSERT INTO incidents VALUES ({','.join('?' * len(row))})", row)  # noqa: S608 - question marks
    connection.commit()
    connection.close()

    await migrate(url)

    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("SELECT * FROM incidents").fetchall() == [(*row, None)]
    with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        connection.execute("DELETE FROM incidents")
    connection.close()


def test_an_older_schema_needs_migrate() -> None:
    """Without being asked to migrate, an older or empty database is refused."""
    newest = migrations("postgres")[-1].version

    require_current("postgres", newest)
    with pytest.raises(SchemaError, match="hangdao migrate"):
        require_current("postgres", 0)
