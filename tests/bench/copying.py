"""Many paid payouts out of some: copied inside SQLite, a hundred times as fast as stored anew.

What the gateway's own store has written stands as the pattern; a copy has numbers of its own
everywhere, and what was counted is counted as often. Nobody can open a copy's sealed columns, which
are bound to the number, nor verify its leaves in the audit log: nobody does while something is
measured. The log's tree and chain go on as ever.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import apsw

from gateway.domain.audit import CHAIN_START, chained
from gateway.domain.merkle import Compact, leaf_hash
from gateway.store.tree import STEP

HEAD: Final = "'po_' || printf('%07x', :n) || substr({}, 11)"
"""A payout's id, or what begins with one, under the number of a copy."""
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "payouts": {
        "id": HEAD.format("id"),
        "idempotency_key": "printf('copy:%07x:', :n) || idempotency_key",
        "merchant_ref": "printf('c%07x-', :n) || merchant_ref",
    },
    "payees": {
        "payout_id": HEAD.format("payout_id"),
        "payee_index": "randomblob(length(payee_index))",
    },
    "attempts": {
        "payout_id": HEAD.format("payout_id"),
        "reference": "printf('%07x', :n) || substr(reference, 8)",
    },
    "events": {"payout_id": HEAD.format("payout_id"), "feed": ":feed + row_number() OVER ()"},
    "decisions": {"payout_id": HEAD.format("payout_id"), "id": "NULL"},
    "deliveries": {
        "payout_id": HEAD.format("payout_id"),
        "id": "printf('copy_%07x_', :n) || id",
        "state": "'delivered'",
    },
    "entries": {"posting": HEAD.format("posting")},
}
ORDER: Final = {"entries": "posting", "payouts": "id", "events": "feed", "decisions": "id"}
COUNTS: Final = {"balances": "minor", "tallies": "total"}

Counted = dict[str, dict[tuple[object, ...], int]]


def counted(path: Path) -> Counted:
    """Balances and tallies as they stand, by their keys."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {name: _rows(connection, name) for name in COUNTS}
    finally:
        connection.close()


def copy(path: Path, first_id: str, times: int, before: Counted) -> None:
    """Copy all payouts from `first_id` on; `before` is what was counted before they were stored.

    No gateway may run, and a power cut leaves nothing that could be used.
    """
    connection = apsw.Connection(str(path))
    try:
        connection.pragma("synchronous", "off")
        connection.pragma("cache_size", -400_000)
        for number in range(1, times + 1):
            with connection:
                for table in TABLES:
                    _copy_table(connection, table, first_id, number)
        with connection:
            for table, column in COUNTS.items():
                _count(connection, table, column, before[table], times)
            _log(connection)
        connection.pragma("wal_checkpoint", "truncate")
    finally:
        connection.close()


def _copy_table(connection: apsw.Connection, table: str, first_id: str, number: int) -> None:
    own = TABLES[table]
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    key = {"payouts": "id", "entries": "posting"}.get(table, "payout_id")
    taken = ", ".join(own.get(name, name) for name in columns)
    feed = connection.execute("SELECT MAX(feed) FROM events").get if table == "events" else None
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {taken} FROM {table} "  # noqa: S608 - the schema's own names
        f"WHERE {key} >= :first AND {key} < 'pp' ORDER BY {ORDER.get(table, key)}",
        {"n": number, "first": first_id, "feed": feed},
    )


def _log(connection: apsw.Connection) -> None:
    """Give every event a leaf that has none; the few leaves there are stay the first."""
    tree, chain = Compact(), CHAIN_START
    for leaf, last in connection.execute("SELECT hash, chain FROM audit_leaves ORDER BY position"):
        tree.append(bytes(leaf))
        chain = bytes(last)
    tops: list[tuple[int, int, bytes]] = []

    def leaves() -> Iterator[tuple[int, int, str, bytes, bytes]]:
        nonlocal chain
        events = connection.execute(
            "SELECT feed, merchant_id || '/' || payout_id || '/' || seq FROM events WHERE feed > "
            "(SELECT COALESCE(MAX(feed), 0) FROM audit_leaves WHERE source = 'event') ORDER BY feed"
        )
        for feed, subject in events:
            leaf = leaf_hash(str(subject).encode())
            chain = chained(chain, leaf)
            yield (tree.size, int(str(feed)), str(subject), leaf, chain)
            grown = tree.append(leaf)
            tops.extend((*span, top) for span, top in grown if span[0] % STEP == 0)

    connection.executemany(
        "INSERT INTO audit_leaves (position, source, feed, subject, hash, chain) "
        "VALUES (?, 'event', ?, ?, ?, ?)",
        leaves(),
    )
    connection.executemany(
        "INSERT INTO audit_subtrees (height, number, hash) VALUES (?, ?, ?)", tops
    )


def _rows(connection: apsw.Connection, table: str) -> dict[tuple[object, ...], int]:
    column = COUNTS[table]
    names = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    keys = [name for name in names if name != column]
    found = connection.execute(f"SELECT {', '.join(keys)}, {column} FROM {table}")  # noqa: S608 - the schema's own names
    return {tuple(row[:-1]): int(str(row[-1])) for row in found}


def _count(
    connection: apsw.Connection,
    table: str,
    column: str,
    before: Mapping[tuple[object, ...], int],
    times: int,
) -> None:
    names = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    keys = [name for name in names if name != column]
    where = " AND ".join(f"{name} = ?" for name in keys)
    for key, now in _rows(connection, table).items():
        more = (now - before.get(key, 0)) * times
        connection.execute(
            f"UPDATE {table} SET {column} = {column} + ? WHERE {where}",  # noqa: S608 - the schema's own names
            (more, *key),
        )
