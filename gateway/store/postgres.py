"""PostgreSQL: one writer connection with group commit, a pool for reads, reconnecting.

How a group is committed is in `postgres_group`; here is who waits, on which connection, and what a
failure means: reconnect with backoff, or, for a full or failing disk, no write ever again.
"""

import asyncio
import contextlib
from collections import deque
from pathlib import Path

import asyncpg

from gateway.ports import CommitUnknownError, StoreBrokenError, StoreError
from gateway.store.database import (
    GROUP_MAX,
    ClosedError,
    Returned,
    Rows,
    Unit,
)
from gateway.store.gather import Gatherer, Write
from gateway.store.postgres_group import (
    AGAIN,
    BROKEN,
    LOST,
    AgainError,
    Connection,
    GroupCommit,
    named,
)
from gateway.store.queries import Params, Queries, Query
from gateway.store.schema import (
    READ_STEPS,
    READ_VERSION,
    SCHEMA_TABLE,
    missing,
    newest,
    require_compatible,
    require_current,
)

_TIMEOUT_S = 10.0
_POOL_MAX = 4
_SLOTS = 64
_RETRIES = 3
_BACKOFF_S = (0.0, 0.1, 0.3, 1.0, 3.0, 5.0)
_STATEMENTS = 256
"""Prepared for as long as the connection lives: every kind, and the bundles that occur of them."""
_MIGRATION_LOCK = 0x68616E67646F  # "hangdo": any number that no other program uses

_SETTINGS = {
    "application_name": "hangdao",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    # Estimates decide what is compiled; for short statements that takes more than it saves (manual,
    # "When to JIT?").
    "jit": "off",
    # Of a process that was stopped in the middle of a commit: its locks are on balances that every
    # other process needs.
    "idle_in_transaction_session_timeout": "5s",
}

_READING = {
    "default_transaction_read_only": "on",
    # Reads are small and many; parallel workers take ten milliseconds to start, each time.
    "max_parallel_workers_per_gather": "0",
}


class PostgresDatabase:
    """One database, shared with the other processes of the installation."""

    is_alone = False

    def __init__(self, url: str, pool: "asyncpg.Pool[asyncpg.Record]", feed_base: int) -> None:
        """Made by `open`."""
        self.queries = Queries("postgres")
        self.slot = 0
        self._url = url
        self._pool = pool
        self._feed_base = feed_base
        self._committer: GroupCommit | None = None
        self._failures = 0
        self._connect_at = 0.0
        self._gatherer = Gatherer(asyncio.get_running_loop(), self._hand_over)
        self._waiting: deque[Write] = deque()
        self._arrived = asyncio.Event()
        self._broken: str | None = None
        self._closed = False
        self._closing: asyncio.Task[None] | None = None
        self._worker = asyncio.create_task(self._work(), name="postgres-writer")

    @classmethod
    async def open(cls, url: str, *, migrate: bool) -> "PostgresDatabase":
        """Check the schema, bring it up to date when asked, connect. Raises `StoreError`."""
        try:
            connection = await _connect(url)
            try:
                await _prepare(connection, migrate=migrate)
                feed_base = await _feed_base(connection)
            finally:
                await connection.close()
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=_POOL_MAX,
                command_timeout=_TIMEOUT_S * 3,
                server_settings=_SETTINGS | _READING,
                reset=_as_it_is,
            )
        except (asyncpg.PostgresError, *LOST) as error:
            raise StoreError(f"PostgreSQL cannot be reached: {named(error)}") from error
        return cls(url, pool, feed_base)

    async def copy(self, file: Path) -> None:
        """Refuse: the server's own tools do it, and better."""
        raise StoreError(
            f"{file.name} was not written: back up PostgreSQL with its own tools (pg_basebackup "
            "with WAL archiving, or pg_dump); when the gateway meets a database that is behind the "
            "mark in its data folder, it starts in quarantine by itself"
        )

    @property
    def broken(self) -> str | None:
        """Why no write is taken any more; None while all is well."""
        return self._broken

    async def write(self, unit: Unit) -> Returned:
        """Commit a unit with whatever else is waiting."""
        if self._closed:
            raise ClosedError("the store is closed")
        return await self._gatherer.add(unit)

    async def read(self, query: Query, params: Params) -> Rows:
        """Read from a committed snapshot."""
        if self._closed:
            raise ClosedError("the store is closed")
        query = query.given(params)
        try:
            return await self._pool.fetch(query.numbered, *query.values(params))
        except (asyncpg.PostgresError, *LOST) as error:
            raise StoreError(f"{query.name}: {named(error)}") from error

    async def aclose(self) -> None:
        """Commit what waits and close every connection."""
        self._closed = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._shut())
        # Whoever is cancelled here must not take the outcome from those who wait for the server.
        await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        self._gatherer.flush()
        self._arrived.set()
        await self._worker
        await self._drop()
        with contextlib.suppress(*LOST):
            await self._pool.close()

    # --- The writer task ---

    def _hand_over(self, gathered: list[Write]) -> None:
        self._waiting.extend(gathered)
        self._arrived.set()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            while self._waiting:
                size = min(len(self._waiting), GROUP_MAX)
                group = [self._waiting.popleft() for _ in range(size)]
                outcomes = await self._commit([write.unit for write in group])
                for write, outcome in zip(group, outcomes, strict=True):
                    if write.future.done():
                        continue
                    if isinstance(outcome, BaseException):
                        write.future.set_exception(outcome)
                    else:
                        write.future.set_result(outcome)
            if self._closed:
                return
            self._arrived.clear()

    async def _commit(self, units: list[Unit]) -> list[Returned | Exception]:
        """Commit a group; units in the way of other writers are tried again a few times."""
        outcomes = await self._once(units)
        for _ in range(_RETRIES):
            again = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, AgainError)]
            if not again:
                return outcomes
            for n, outcome in zip(again, await self._once([units[n] for n in again]), strict=True):
                outcomes[n] = outcome
        return [
            StoreError(str(outcome)) if isinstance(outcome, AgainError) else outcome
            for outcome in outcomes
        ]

    async def _once(self, units: list[Unit]) -> list[Returned | Exception]:
        if self._broken is not None:
            return [StoreBrokenError(self._broken) for _ in units]
        try:
            committer = await self._connected()
            return list(await committer.commit(units))
        except CommitUnknownError as error:
            await self._drop()
            return [error for _ in units]
        except (asyncpg.PostgresError, *LOST) as error:
            return await self._failed(error, len(units))
        except StoreError as error:
            return [error for _ in units]
        except Exception as error:  # noqa: BLE001 - a defect must reach its callers, not this task
            await self._drop()
            return [error for _ in units]

    async def _failed(self, error: Exception, count: int) -> list[Returned | Exception]:
        """Nothing of the group was committed: say why, and start afresh with a new connection."""
        await self._drop()
        state = getattr(error, "sqlstate", None)
        if state in BROKEN:
            self._broken = f"PostgreSQL: {named(error)}"
            return [StoreBrokenError(self._broken) for _ in range(count)]
        if state in AGAIN:
            return [AgainError(named(error)) for _ in range(count)]
        return [StoreError(f"PostgreSQL: {named(error)}") for _ in range(count)]

    # --- The connection ---

    async def _connected(self) -> GroupCommit:
        if self._committer is not None and self._committer.is_open:
            return self._committer
        now = asyncio.get_running_loop().time()
        if now < self._connect_at:
            raise StoreError("PostgreSQL cannot be reached; trying again shortly")
        try:
            connection = await _connect(self._url)
        except (asyncpg.PostgresError, *LOST) as error:
            self._failures += 1
            wait = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
            self._connect_at = asyncio.get_running_loop().time() + wait
            raise StoreError(f"PostgreSQL cannot be reached: {named(error)}") from error
        self._failures = 0
        self.slot = connection.get_server_pid() % _SLOTS
        self._committer = GroupCommit(
            connection, self.queries, slot=self.slot, feed_base=self._feed_base
        )
        return self._committer

    async def _drop(self) -> None:
        committer, self._committer = self._committer, None
        if committer is not None:
            committer.drop()


async def _connect(url: str) -> Connection:
    return await asyncpg.connect(
        url,
        timeout=_TIMEOUT_S,
        command_timeout=_TIMEOUT_S,
        server_settings=_SETTINGS,
        statement_cache_size=_STATEMENTS,
        max_cached_statement_lifetime=0,
        max_cacheable_statement_size=0,
    )


async def _as_it_is(_: Connection) -> None:
    """A read leaves nothing behind: to clear up after it would be a second round trip."""


async def _prepare(connection: Connection, *, migrate: bool) -> None:
    """Check or bring up to date the schema; one process at a time."""
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        known = await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL")
        version = int(await connection.fetchval(READ_VERSION)) if known else 0
        if version > newest("postgres"):
            rows = await connection.fetch(READ_STEPS)
            require_compatible("postgres", {row[0]: row[1] for row in rows})
            return
        if not migrate:
            require_current("postgres", version)
            return
        steps = missing("postgres", version)
        if not known:
            await connection.execute(SCHEMA_TABLE)
        for step in steps:
            await connection.execute(step.sql)
            await connection.execute(
                "INSERT INTO schema_version (version, name) VALUES ($1, $2)",
                step.version,
                step.name,
            )
            if step.since is not None:
                await connection.execute(
                    "INSERT INTO schema_compatible (version, since) VALUES ($1, $2)",
                    step.version,
                    step.since,
                )


async def _feed_base(connection: Connection) -> int:
    queries = Queries("postgres")
    await connection.execute(queries["raise_feed_base"].numbered)
    return int(await connection.fetchval(queries["feed_base"].numbered))
