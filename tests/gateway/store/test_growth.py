"""No statement of the payout's way, or of the rounds behind it, reads a growing table as a whole.

Both databases are asked how they would go about every statement, on their own real schema. Those
that add everything up are named here: people ask for them, or a start of a small database does.
"""

import re
from pathlib import Path

import apsw
import asyncpg
import pytest

from gateway.store import migrate
from gateway.store.queries import Queries, Query

WHOLE = frozenset(
    {
        *("unbalanced_postings", "entry_sums", "accounts_off"),  # hangdao ledger check
        *("recounted", "all_tallies", "split_faults"),  # hangdao doctor
        *("payouts_gone", "directory_not_logged", "events_not_logged"),  # hangdao audit verify
    }
)
GROWING = frozenset(
    {
        *("payouts", "payees", "attempts", "events", "decisions", "evidence", "deliveries"),
        *("entries", "tallies", "notices", "statement_lines", "audit_leaves", "audit_checkpoints"),
        *("audit_subtrees", "dialect_orders", "dialect_notifies", "payee_claims", "payout_retries"),
        *("batches", "batch_rows", "splits", "watches", "nonces", "archived_payouts"),
    }
)
OPEN = frozenset({"attempts_armed", "notices_open", "batches_under_way", "batches_storing"})
"""Indexes of nothing but what is open: few rows, however many are stored."""
FIRST_ROW = frozenset({"last_event_at", "log_head"})
"""SQLite calls it a scan where it reads the first row in the order of the key."""
_SCAN = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
_SEQUENTIAL = re.compile(r"Seq Scan on (\w+)")


def tables(query: Query) -> dict[str, str]:
    """The growing tables that a statement names, by their aliases and names."""
    found = {}
    for name in GROWING:
        for match in re.finditer(rf"(?:FROM|JOIN|UPDATE|INTO) {name}(?: AS (\w+))?\b", query.text):
            found[match[1] or name] = name
    return found


def checked(dialect: str) -> list[Query]:
    """Every statement that must stay quick."""
    queries = Queries("sqlite" if dialect == "sqlite" else "postgres").all()
    return [one for one in queries if one.name not in WHOLE and tables(one)]


async def test_sqlite_searches_growing_tables(tmp_path: Path) -> None:
    """With nothing known of the values, as the store plans."""
    await migrate(f"sqlite://{tmp_path}/x.db")
    connection = apsw.Connection(str(tmp_path / "x.db"))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    scans = []
    for query in checked("sqlite"):
        if query.name == "lock_payouts" or query.name in FIRST_ROW:
            continue
        aliases = tables(query)
        nothing = dict.fromkeys(query.names)
        for *_, line in connection.execute(f"EXPLAIN QUERY PLAN {query.text}", nothing):
            scan = _SCAN.match(str(line))
            if scan and scan[1] in aliases and scan[2] not in OPEN:
                scans.append(f"{query.name}: {line}")
    connection.close()

    assert scans == []


async def test_postgres_searches_growing_tables(fresh_postgres_url: str) -> None:
    """Where it would rather not read a table as a whole, it need not."""
    await migrate(fresh_postgres_url)
    connection = await asyncpg.connect(fresh_postgres_url)
    scans = []
    try:
        await connection.execute(
            "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan"
        )
        for query in checked("postgres"):
            if query.numbered.startswith("LOCK"):
                continue
            for table in _SEQUENTIAL.findall(await _plan(connection, query)):
                if table in GROWING:
                    scans.append(f"{query.name}: {table}")
    finally:
        await connection.close()

    assert scans == []


@pytest.mark.parametrize(
    "name",
    [
        *("find_batch_rows", "count_batch_rows", "release_batch_rows", "taken_refs"),
        *("payouts_to_payee", "owe_notice_of_retries"),
    ],
)
async def test_what_belongs_to_a_payout_finds_it_by_itself(
    fresh_postgres_url: str, name: str
) -> None:
    """Of a merchant whose payouts were not counted yet all ways seem as short, and such a plan is
    kept: it must not compare whatever the merchant has by then with every row."""
    await migrate(fresh_postgres_url)
    connection = await asyncpg.connect(fresh_postgres_url)
    query = Queries("postgres")[name]
    if query.optional:
        query = query.given({"state": "waiting", "payout_state": None})
    try:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        plan = await _plan(connection, query)
    finally:
        await connection.close()
    assert "Join Filter" not in plan
    assert not re.search(r"on payouts.*\n\s+Index Cond: \(merchant_id = \$\d\)\n", plan)


async def test_an_event_to_log_looks_its_predecessor_up(fresh_postgres_url: str) -> None:
    """By all of its key, although to a table not analysed yet the merchant's part seems as good."""
    await migrate(fresh_postgres_url)
    connection = await asyncpg.connect(fresh_postgres_url)
    try:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        plan = await _plan(connection, Queries("postgres")["events_to_log"])
    finally:
        await connection.close()
    key = "(merchant_id = e.merchant_id) AND (payout_id = e.payout_id) AND (seq < e.seq)"
    assert f"Index Cond: ({key})" in plan


async def _plan(connection: "asyncpg.Connection[asyncpg.Record]", query: Query) -> str:
    """How the server would go about it, whatever the values are."""
    nothing = f"({', '.join(['NULL'] * len(query.names))})" if query.names else ""
    await connection.execute(f"PREPARE asked AS {query.numbered}")
    lines = await connection.fetch(f"EXPLAIN EXECUTE asked{nothing}")
    await connection.execute("DEALLOCATE asked")
    return "\n".join(str(line[0]) for line in lines)


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_the_exceptions_exist(dialect: str) -> None:
    """A name that no statement bears any more excuses nothing."""
    names = {one.name for one in Queries("sqlite" if dialect == "sqlite" else "postgres").all()}
    assert names >= WHOLE | FIRST_ROW
