"""PostgreSQL: one writer connection with group commit, a pool for reads, errors told apart.

A group first runs as a batch: the statements of all units together, one round trip per kind of
statement. If anything in it disagrees (a conflict, a floor, a unit that counts rows), the batch is
rolled back and the units run one by one, each in its own savepoint. Until COMMIT a lost connection
means that nothing was written; from COMMIT on it means that nobody knows (`CommitUnknownError`).
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from gateway.ports import CommitUnknownError, StoreBrokenError, StoreError
from gateway.store.database import (
    GROUP_MAX,
    AccountKey,
    ClosedError,
    Group,
    Returned,
    Row,
    Rows,
    Step,
    Unit,
    counted,
)
from gateway.store.errors import RefusedError
from gateway.store.queries import Params, Queries, Query
from gateway.store.schema import READ_VERSION, SCHEMA_TABLE, missing, require_current

_TIMEOUT_S = 10.0
_POOL_MAX = 4
_SLOTS = 64
_RETRIES = 3
_BACKOFF_S = (0.0, 0.1, 0.3, 1.0, 3.0, 5.0)
_MIGRATION_LOCK = 0x68616E67646F  # "hangdo": any number that no other program uses

_SETTINGS = {
    "application_name": "hangdao",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
}

# SQLSTATE classes (PostgreSQL manual, appendix A).
_REFUSED = ("22", "23", "42", "P0")
"""The statement itself is at fault: data, constraint, syntax, a raised exception."""
_AGAIN = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock: the same unit may well pass next time."""
_BROKEN = frozenset({"53100", "58030", "XX001", "XX002"})
"""Disk full, I/O error, corrupted data or index."""

_LOST = (OSError, asyncpg.InterfaceError, TimeoutError)


class _Write(NamedTuple):
    unit: Unit
    future: asyncio.Future[Returned]


class _AgainError(Exception):
    """Another writer was in the way; the unit may pass next time."""


class PostgresDatabase:
    """One database, shared with the other processes of the installation."""

    def __init__(self, url: str, pool: "asyncpg.Pool[asyncpg.Record]", feed_base: int) -> None:
        """Made by `open`."""
        self.queries = Queries("postgres")
        self.slot = 0
        self._url = url
        self._pool = pool
        self._feed_base = feed_base
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._failures = 0
        self._connect_at = 0.0
        self._waiting: deque[_Write] = deque()
        self._arrived = asyncio.Event()
        self._broken: str | None = None
        self._closed = False
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
                server_settings=_SETTINGS | {"default_transaction_read_only": "on"},
            )
        except (asyncpg.PostgresError, *_LOST) as error:
            raise StoreError(f"PostgreSQL cannot be reached: {_named(error)}") from error
        return cls(url, pool, feed_base)

    @property
    def broken(self) -> str | None:
        """Why no write is taken any more; None while all is well."""
        return self._broken

    async def write(self, unit: Unit) -> Returned:
        """Commit a unit with whatever else is waiting."""
        if self._closed:
            raise ClosedError("the store is closed")
        future: asyncio.Future[Returned] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(unit, future))
        self._arrived.set()
        return await future

    async def read(self, query: Query, params: Params) -> Rows:
        """Read from a committed snapshot."""
        if self._closed:
            raise ClosedError("the store is closed")
        query = query.given(params)
        try:
            return await self._pool.fetch(query.numbered, *query.values(params))
        except (asyncpg.PostgresError, *_LOST) as error:
            raise StoreError(f"{query.name}: {_named(error)}") from error

    async def aclose(self) -> None:
        """Commit what waits and close every connection."""
        if self._closed:
            return
        self._closed = True
        self._arrived.set()
        await self._worker
        await self._drop()
        with contextlib.suppress(*_LOST):
            await self._pool.close()

    # --- The writer task ---

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
            again = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, _AgainError)]
            if not again:
                return outcomes
            for n, outcome in zip(again, await self._once([units[n] for n in again]), strict=True):
                outcomes[n] = outcome
        return [
            StoreError(str(outcome)) if isinstance(outcome, _AgainError) else outcome
            for outcome in outcomes
        ]

    async def _once(self, units: list[Unit]) -> list[Returned | Exception]:
        if self._broken is not None:
            return [StoreBrokenError(self._broken) for _ in units]
        try:
            connection = await self._connected()
            outcomes: Sequence[Returned | Exception] | None = None
            if not any(_solo(unit) for unit in units):
                outcomes = await self._batch(connection, units)
            if outcomes is None:
                outcomes = await self._one_by_one(connection, units)
        except CommitUnknownError as error:
            await self._drop()
            return [error for _ in units]
        except (asyncpg.PostgresError, *_LOST) as error:
            return await self._failed(error, len(units))
        except StoreError as error:
            return [error for _ in units]
        except Exception as error:  # noqa: BLE001 - a defect must reach its callers, not this task
            await self._drop()
            return [error for _ in units]
        return list(outcomes)

    async def _failed(self, error: Exception, count: int) -> list[Returned | Exception]:
        """Nothing of the group was committed: say why, and start afresh with a new connection."""
        await self._drop()
        state = getattr(error, "sqlstate", None)
        if state in _BROKEN:
            self._broken = f"PostgreSQL: {_named(error)}"
            return [StoreBrokenError(self._broken) for _ in range(count)]
        if state in _AGAIN:
            return [_AgainError(_named(error)) for _ in range(count)]
        return [StoreError(f"PostgreSQL: {_named(error)}") for _ in range(count)]

    async def _batch(
        self, connection: "asyncpg.Connection[asyncpg.Record]", units: list[Unit]
    ) -> list[Returned] | None:
        """All units at once; None, with nothing written, when that is not plain success."""
        try:
            returned = await self._together(connection, units)
        except asyncpg.PostgresError as error:
            if connection.is_closed() or error.sqlstate in _BROKEN:
                raise
            returned = None
        except _LOST:
            raise
        except Exception:  # noqa: BLE001 - one unit's affair: it will be found one by one
            returned = None
        if returned is None:
            await connection.execute("ROLLBACK")
            return None
        await _end(connection)
        return [
            [[returned[id(step)]] for step in unit.steps if step.query.counted] for unit in units
        ]

    async def _together(
        self, connection: "asyncpg.Connection[asyncpg.Record]", units: list[Unit]
    ) -> dict[int, Row] | None:
        """Run all but the COMMIT; None when a statement did not touch what it had to."""
        steps: dict[Query, list[Step]] = {}
        for unit in units:
            for step in unit.steps:
                steps.setdefault(step.query, []).append(step)
        numbers = itertools.count(1)
        returned: dict[int, Row] = {}
        group = await self._begin(connection, units)
        for query in sorted(steps, key=lambda query: query.order):
            values = [query.values(self._filled(step, numbers)) for step in steps[query]]
            if not query.counted:
                await connection.executemany(query.numbered, values)
                continue
            rows = await connection.fetchmany(query.numbered, values)
            if len(rows) != len(values):
                return None
            returned.update(zip(map(id, steps[query]), rows, strict=True))
        for unit in units:
            group.check(unit)
            group.add(unit)
        await self._close_books(connection, group)
        return returned

    async def _one_by_one(
        self, connection: "asyncpg.Connection[asyncpg.Record]", units: list[Unit]
    ) -> list[Returned | Exception]:
        """Each unit in its own savepoint; each gets its own outcome."""
        group = await self._begin(connection, units)
        numbers = itertools.count(1)
        outcomes = [await self._apply(connection, group, unit, numbers) for unit in units]
        await self._close_books(connection, group)
        await _end(connection)
        return outcomes

    async def _apply(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        group: Group,
        unit: Unit,
        numbers: Iterator[int],
    ) -> Returned | Exception:
        returned: Returned = []
        await connection.execute("SAVEPOINT unit")
        try:
            for step in unit.steps:
                values = step.query.values(self._filled(step, numbers))
                if step.query.counted:
                    rows = await connection.fetch(step.query.numbered, *values)
                    returned.append(counted(step, rows))
                else:
                    await connection.execute(step.query.numbered, *values)
            group.check(unit)
        except asyncpg.PostgresError as error:
            if connection.is_closed() or not _concerns_one(error):
                raise
            await connection.execute("ROLLBACK TO unit")
            if error.sqlstate in _AGAIN:
                return _AgainError(_named(error))
            return RefusedError(_named(error))
        except _LOST:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this unit alone
            await connection.execute("ROLLBACK TO unit")
            return error
        await connection.execute("RELEASE unit")
        group.add(unit)
        return returned

    async def _begin(
        self, connection: "asyncpg.Connection[asyncpg.Record]", units: list[Unit]
    ) -> Group:
        """Open the transaction and lock every balance it will move, in one order."""
        await connection.execute("BEGIN")
        accounts = sorted(
            {account for unit in units for account in unit.moves}
            | {guard.account for unit in units for guard in unit.guards}
        )
        known: dict[AccountKey, int] = {}
        if accounts:
            books, owners, currencies = zip(*accounts, strict=True)
            query = self.queries["lock_balances"]
            params = {"books": books, "owners": owners, "currencies": currencies}
            for row in await connection.fetch(query.numbered, *query.values(params)):
                known[row[0], row[1], row[2]] = row[3]
        return Group(known)

    async def _close_books(
        self, connection: "asyncpg.Connection[asyncpg.Record]", group: Group
    ) -> None:
        writes: dict[Query, list[tuple[object, ...]]] = {}
        for query, params in group.closing(self.queries, self.slot):
            writes.setdefault(query, []).append(query.values(params))
        for query, values in writes.items():
            await connection.executemany(query.numbered, values)

    def _filled(self, step: Step, numbers: Iterator[int]) -> Mapping[str, object]:
        """Add what only the writer knows: the place of an event in the feed."""
        if "n_in_tx" not in step.query.names:
            return step.params
        number = next(numbers)
        return {**step.params, "n_in_tx": number, "feed_base": self._feed_base}

    # --- The connection ---

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        now = asyncio.get_running_loop().time()
        if now < self._connect_at:
            raise StoreError("PostgreSQL cannot be reached; trying again shortly")
        try:
            connection = await _connect(self._url)
        except (asyncpg.PostgresError, *_LOST) as error:
            self._failures += 1
            wait = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
            self._connect_at = asyncio.get_running_loop().time() + wait
            raise StoreError(f"PostgreSQL cannot be reached: {_named(error)}") from error
        self._failures = 0
        self._connection = connection
        self.slot = connection.get_server_pid() % _SLOTS
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        url, timeout=_TIMEOUT_S, command_timeout=_TIMEOUT_S, server_settings=_SETTINGS
    )


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]", *, migrate: bool) -> None:
    """Check or bring up to date the schema; one process at a time."""
    async with connection.transaction():
        await connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        known = await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL")
        version = int(await connection.fetchval(READ_VERSION)) if known else 0
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


async def _feed_base(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    queries = Queries("postgres")
    await connection.execute(queries["raise_feed_base"].numbered)
    return int(await connection.fetchval(queries["feed_base"].numbered))


async def _end(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Commit. Only an answer decides; without one nobody knows."""
    try:
        tag = await connection.execute("COMMIT")
    except asyncpg.PostgresError as error:
        if not connection.is_closed() and _concerns_one(error):
            raise
        raise CommitUnknownError(f"no answer to COMMIT: {_named(error)}") from error
    except _LOST as error:
        raise CommitUnknownError(f"no answer to COMMIT: {_named(error)}") from error
    if tag != "COMMIT":
        raise StoreError(f"PostgreSQL answered {tag} to COMMIT")


def _solo(unit: Unit) -> bool:
    """Whether a unit counts rows, which a batch cannot tell apart."""
    return any(step.query.counted and step.otherwise is None for step in unit.steps)


def _concerns_one(error: asyncpg.PostgresError) -> bool:
    """Whether a server error is the statement's own affair and the session goes on."""
    state = error.sqlstate or ""
    return state in _AGAIN or state.startswith(_REFUSED)


def _named(error: BaseException) -> str:
    """Type and message; a constraint's detail would quote the row, so it is left out."""
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]
