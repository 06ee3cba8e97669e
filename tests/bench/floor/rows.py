"""One table of payouts with group commit, as durable as the gateway's store.

SQLite: WAL, synchronous=FULL, one writer thread; whatever waits is committed together. PostgreSQL:
one connection, synchronous_commit on; whatever waits is one statement.
"""

import asyncio
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

import apsw
import asyncpg

GROUP_MAX = 256
CHECKPOINT_PAGES = 4_000
"""As the gateway's."""
_SCHEMA = "CREATE TABLE payouts (ref TEXT PRIMARY KEY, body {} NOT NULL, state TEXT NOT NULL)"

Write = tuple[str, bytes | None, str]
"""Reference, body (None: it is there already), state."""


class Rows(Protocol):
    """Where payouts are kept."""

    async def put(self, write: Write) -> None:
        """Insert or move a payout; returns once that is on disk."""


class SqliteRows:
    """In one file."""

    def __init__(self, path: str) -> None:
        """Create it."""
        self._loop = asyncio.get_running_loop()
        self._writes: SimpleQueue[tuple[Write, asyncio.Future[None]]] = SimpleQueue()
        self._connection = apsw.Connection(path)
        # Rows have to be fetched: at the first one the rest would wait, and never come.
        self._connection.execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
            f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; " + _SCHEMA.format("BLOB")
        ).fetchall()
        Thread(target=self._work, name="writer", daemon=True).start()

    async def put(self, write: Write) -> None:
        """Commit it with whatever else waits."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._writes.put((write, done))
        await done

    def _work(self) -> None:
        execute = self._connection.cursor().execute
        while True:
            group = [self._writes.get()]
            try:
                while len(group) < GROUP_MAX:
                    group.append(self._writes.get_nowait())
            except Empty:
                pass
            execute("BEGIN IMMEDIATE")
            for (reference, body, state), _ in group:
                if body is None:
                    execute("UPDATE payouts SET state = ? WHERE ref = ?", (state, reference))
                else:
                    execute("INSERT INTO payouts VALUES (?, ?, ?)", (reference, body, state))
            execute("COMMIT")
            self._loop.call_soon_threadsafe(_tell, [done for _, done in group])


class PostgresRows:
    """In one table of a server."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Made by `open`."""
        self._connection = connection
        self._waiting: list[tuple[Write, asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._worker = asyncio.create_task(self._work())

    @classmethod
    async def open(cls, url: str) -> "PostgresRows":
        """Create the table. Raises what asyncpg raises."""
        connection = await asyncpg.connect(url, server_settings={"synchronous_commit": "on"})
        await connection.execute("DROP TABLE IF EXISTS payouts")
        await connection.execute(_SCHEMA.format("BYTEA"))
        return cls(connection)

    async def put(self, write: Write) -> None:
        """Commit it with whatever else waits."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, done))
        self._arrived.set()
        await done

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
                columns = [list(column) for column in zip(*(one for one, _ in group), strict=True)]
                await self._connection.execute(
                    "INSERT INTO payouts SELECT ref, COALESCE(body, ''), state "
                    "FROM unnest($1::text[], $2::bytea[], $3::text[]) AS t (ref, body, state) "
                    "ON CONFLICT (ref) DO UPDATE SET state = excluded.state",
                    *columns,
                )
                _tell([done for _, done in group])


async def open_rows(database: str) -> Rows:
    """By `sqlite:///path` or `postgresql://…`."""
    if database.startswith("sqlite:"):
        return SqliteRows(database.removeprefix("sqlite://"))
    return await PostgresRows.open(database)


def _tell(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
