"""One group commit on one PostgreSQL connection.

First as a batch: the statements of all units together, a round trip for several kinds of insert or
for one kind of change. If anything disagrees (a conflict, a floor, a unit that counts rows), the
batch is rolled back and the units run one by one, each in its own savepoint. Until COMMIT a lost
connection means that nothing was written; from COMMIT on it means that nobody knows
(`CommitUnknownError`).
"""

import itertools
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TypeAlias

import asyncpg

from gateway.ports import CommitUnknownError, StoreError
from gateway.store.bundles import Records, bundles, is_bundled, text_of
from gateway.store.database import (
    AccountKey,
    Group,
    Returned,
    Rows,
    TallyKey,
    Unit,
    bounded,
    by_query,
    counted,
    filled,
    is_solo,
)
from gateway.store.errors import RefusedError
from gateway.store.queries import Queries, Query

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_Writes = dict[Query, list[tuple[object, ...]]]
"""The values of each row, by statement."""

# SQLSTATE classes (PostgreSQL manual, appendix A).
_REFUSED = ("22", "23", "42", "P0")
"""The statement itself is at fault: data, constraint, syntax, a raised exception."""
AGAIN = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock: the same unit may well pass next time."""
BROKEN = frozenset({"53100", "58030", "XX001", "XX002"})
"""Disk full, I/O error, corrupted data or index."""

_HARMLESS = frozenset({"NOTICE", "INFO", "LOG", "DEBUG"})
"""Server messages that take nothing back."""

LOST = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)
"""What the client raises when the connection, or its patience, has ended; also in mid-sentence."""


class AgainError(Exception):
    """Another writer was in the way; the unit may pass next time."""


class GroupCommit:
    """Commits groups of units on a connection that nobody else uses."""

    def __init__(
        self, connection: Connection, queries: Queries, *, slot: int, feed_base: int
    ) -> None:
        """`slot` is this writer's number in tallies; `feed_base` leads to feed positions."""
        self._connection = connection
        self._queries = queries
        self._slot = slot
        self._feed_base = lambda: feed_base
        self._records: dict[Query, Records] = {}

    @property
    def is_open(self) -> bool:
        """Whether the connection is there still."""
        return not self._connection.is_closed()

    def drop(self) -> None:
        """End the connection, whatever is under way on it."""
        self._connection.terminate()

    async def commit(self, units: list[Unit]) -> Sequence[Returned | Exception]:
        """Each unit's own outcome, once the commit is acknowledged.

        Raises `CommitUnknownError` from COMMIT on; before it whatever ended the session.
        """
        outcomes: Sequence[Returned | Exception] | None = None
        if not any(map(is_solo, units)):
            outcomes = await self._batch(units)
        if outcomes is None:
            outcomes = await self._one_by_one(units)
        return outcomes

    async def _batch(self, units: list[Unit]) -> list[Returned] | None:
        """All units at once; None, with nothing written, when that is not plain success."""
        try:
            returned = await self._together(units)
        except asyncpg.PostgresError as error:
            if self._connection.is_closed() or error.sqlstate in BROKEN:
                raise
            returned = None
        except LOST:
            raise
        except Exception:  # noqa: BLE001 - one unit's affair: it will be found one by one
            returned = None
        if returned is None:
            await self._connection.execute("ROLLBACK")
            return None
        await self._end()
        return [
            [returned.get(id(step), ()) for step in unit.steps if step.query.counted]
            for unit in units
        ]

    async def _together(self, units: list[Unit]) -> dict[int, Rows] | None:
        """Run all but the COMMIT; None when a statement did not touch what it had to."""
        group = await self._begin(units)
        for unit in units:
            group.check(unit)
            group.add(unit)
        numbers = itertools.count(1)
        steps = dict(by_query(units))
        writes: _Writes = {
            query: [
                query.values(params) for params in filled(query, taken, self._feed_base, numbers)
            ]
            for query, taken in steps.items()
        }
        writes |= self._closing(group)
        returned: dict[int, Rows] = {}
        for bundle in bundles(sorted(writes, key=attrgetter("order"))):
            (query, *_) = bundle
            if is_bundled(query):
                if not await self._insert(bundle, writes):
                    return None
            elif not query.counted:
                await self._connection.executemany(query.numbered, writes[query])
            else:
                rows = await self._connection.fetchmany(query.numbered, writes[query])
                if len(rows) != len(writes[query]):
                    return None
                found = zip(steps[query], rows, strict=True)
                returned.update((id(step), (row,)) for step, row in found)
        return returned

    async def _insert(self, bundle: Sequence[Query], writes: _Writes) -> bool:
        """Whether each of the statements that is counted has written all its rows."""
        records = [await self._records_of(query) for query in bundle]
        given = [each.json(writes[each.query]) for each in records]
        row = await self._connection.fetchrow(text_of(*records), *given)
        written = zip(bundle, row or (), strict=True)
        return all(count == len(writes[query]) for query, count in written if query.counted)

    async def _records_of(self, query: Query) -> Records:
        known = self._records.get(query)
        if known is None:
            prepared = await self._connection.prepare(query.numbered)
            types = [parameter.name for parameter in prepared.get_parameters()]
            known = self._records[query] = Records(query, types)
        return known

    async def _one_by_one(self, units: list[Unit]) -> list[Returned | Exception]:
        """Each unit in its own savepoint; each gets its own outcome."""
        group = await self._begin(units)
        numbers = itertools.count(1)
        outcomes = [await self._apply(group, unit, numbers) for unit in units]
        await self._close_books(group)
        await self._end()
        return outcomes

    async def _apply(
        self,
        group: Group,
        unit: Unit,
        numbers: Iterator[int],
    ) -> Returned | Exception:
        returned: Returned = []
        await self._connection.execute("SAVEPOINT unit")
        try:
            for step in unit.steps:
                (params,) = filled(step.query, [step], self._feed_base, numbers)
                values = step.query.values(params)
                if step.query.counted:
                    rows = await self._connection.fetch(step.query.numbered, *values)
                    returned.append(counted(step, rows))
                else:
                    await self._connection.execute(step.query.numbered, *values)
            group.check(unit)
        except asyncpg.PostgresError as error:
            if self._connection.is_closed() or not _concerns_one(error):
                raise
            await self._connection.execute("ROLLBACK TO unit")
            if error.sqlstate in AGAIN:
                return AgainError(named(error))
            return RefusedError(named(error))
        except LOST:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this unit alone
            await self._connection.execute("ROLLBACK TO unit")
            return error
        await self._connection.execute("RELEASE unit")
        group.add(unit)
        return returned

    async def _begin(self, units: list[Unit]) -> Group:
        """Open the transaction and lock every balance it will move, in one order."""
        await self._connection.execute("BEGIN")
        accounts = sorted(
            {account for unit in units for account in unit.moves}
            | {guard.account for unit in units for guard in unit.guards}
        )
        known: dict[AccountKey, int] = {}
        if accounts:
            books, owners, currencies = zip(*accounts, strict=True)
            query = self._queries["lock_balances"]
            params = {"books": books, "owners": owners, "currencies": currencies}
            for row in await self._connection.fetch(query.numbered, *query.values(params)):
                known[row[0], row[1], row[2]] = row[3]
        return Group(known, await self._tallies(sorted(bounded(units))))

    async def _tallies(self, tallies: list[TallyKey]) -> dict[TallyKey, int]:
        """What was counted, by whom ever, while nobody else may rely on the same tally."""
        if not tallies:
            return {}
        # Two statements: what others committed while this one waited for a lock must be seen.
        locked = self._queries["lock_tallies"]
        keys = {"keys": ["/".join(map(str, tally)) for tally in tallies]}
        await self._connection.execute(locked.numbered, *locked.values(keys))
        query = self._queries["guarded_tallies"]
        params = dict(zip(("kinds", "owners", "buckets"), zip(*tallies, strict=True), strict=True))
        rows = await self._connection.fetch(query.numbered, *query.values(params))
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    async def _close_books(self, group: Group) -> None:
        for query, values in self._closing(group).items():
            await self._connection.executemany(query.numbered, values)

    def _closing(self, group: Group) -> _Writes:
        writes: _Writes = {}
        for query, params in group.closing(self._queries, self._slot):
            writes.setdefault(query, []).append(query.values(params))
        return writes

    async def _end(self) -> None:
        """Commit. Only an answer decides; without one nobody knows."""
        warnings: list[str] = []

        def warned(_: object, message: asyncpg.PostgresLogMessage) -> None:
            # Whatever the server warns of while it commits: above all that the wait for the
            # synchronous standby was cancelled (manual, 19.6 `synchronous_commit`): committed here,
            # perhaps nowhere else, and still answered with COMMIT.
            if getattr(message, "severity_en", "WARNING") not in _HARMLESS:
                warnings.append(str(getattr(message, "sqlstate", "")))

        self._connection.add_log_listener(warned)
        try:
            tag = await self._connection.execute("COMMIT")
        except asyncpg.PostgresError as error:
            if not self._connection.is_closed() and _concerns_one(error):
                raise
            raise CommitUnknownError(f"no answer to COMMIT: {named(error)}") from error
        except LOST as error:
            raise CommitUnknownError(f"no answer to COMMIT: {named(error)}") from error
        finally:
            self._connection.remove_log_listener(warned)
        if warnings:
            raise CommitUnknownError(f"PostgreSQL warned while it committed: {', '.join(warnings)}")
        if tag != "COMMIT":
            raise StoreError(f"PostgreSQL answered {tag} to COMMIT")


def _concerns_one(error: asyncpg.PostgresError) -> bool:
    """Whether a server error is the statement's own affair and the session goes on."""
    state = error.sqlstate or ""
    return state in AGAIN or state.startswith(_REFUSED)


def named(error: BaseException) -> str:
    """Type and first line, without what quotes a row or a value."""
    if isinstance(error, asyncpg.DataError):
        return f"{type(error).__name__}: a value does not fit its column"
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]
