"""The product's `SqliteDatabase` without its threads, so that a seed replays call by call.

Opening, migrating, grouping, committing, refusing and breaking are the product's own code: the real
writer loop and reader loop run, on the event loop's thread, whenever something waits for them.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Protocol, cast

from gateway.store.database import ClosedError, Returned, Rows, Unit
from gateway.store.gather import Gatherer
from gateway.store.queries import Params, Query
from gateway.store.sqlite import SqliteDatabase, _Job, _Read, _ReadLoop
from gateway.store.sqlite_group import Outcomes
from tests.proof.power import vfs


class Durability(StrEnum):
    """How the store is run; only FULL on an honest drive is the product."""

    FULL = "full"
    NORMAL = "normal"
    OFF = "off"
    LYING = "lying"
    """FULL, on a drive that acknowledges a sync without doing it."""


class Listener(Protocol):
    """Who hears of every write and every commit."""

    def asked(self, unit: Unit) -> None:
        """The running task wants this committed."""

    def commits(self, units: list[Unit]) -> None:
        """These are about to be committed together."""

    def committed(self, units: list[Unit]) -> None:
        """They were, or were not; the callers hear next."""


class _AtOnce:
    """Stands in for the event loop towards a reader that runs on the loop's own thread."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> None:
        """Hand the answer over now: there is no other thread to wake."""
        callback(*args)


class SteppedDatabase(SqliteDatabase):
    """One database file on a modelled drive."""

    durability = Durability.FULL
    checkpoint_pages: int | None = None
    listener: Listener | None = None

    @classmethod
    async def stepped(
        cls,
        path: Path,
        *,
        durability: Durability = Durability.FULL,
        checkpoint_pages: int | None = None,
        listener: Listener | None = None,
    ) -> "SteppedDatabase":
        """Open and bring up to date, as `open` does; None leaves the product's checkpoints."""
        database = cls(path, vfs=vfs.NAME)
        database.durability = durability
        database.checkpoint_pages = checkpoint_pages
        database.listener = listener
        # Not by how long a turn takes: a seed commits the same units together each time.
        database._gatherer = Gatherer(
            database._loop, database._hand_over, window_s=0.0, patience_s=0.0
        )
        database._open(migrate=True)
        database._start()
        return database

    async def write(self, unit: Unit) -> Returned:
        """Commit with whatever else is asked for in this turn of the loop."""
        if self.listener is not None:
            self.listener.asked(unit)
        return await super().write(unit)

    async def read(self, query: Query, params: Params) -> Rows:
        """Read on the first reader connection, at once."""
        if self._closed:
            raise ClosedError("the store is closed")
        future: asyncio.Future[Rows] = self._loop.create_future()
        self._reads.put(_Read(query.given(params), params, future))
        self._reads.put(None)
        self._read_loop()
        return await future

    async def aclose(self) -> None:
        """Close, on this thread."""
        if not self._closed:
            self._closed = True
            self._close()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Ask a reader directly, past the store."""
        return self._readers[0].execute(sql).fetchall()

    def _prepare(self, migrate: bool) -> None:
        super()._prepare(migrate)
        if self.checkpoint_pages is not None:
            self._writer.execute(f"PRAGMA wal_autocheckpoint={self.checkpoint_pages}")
        if self.durability in {Durability.NORMAL, Durability.OFF}:
            self._writer.execute(f"PRAGMA synchronous={self.durability}")

    def _start(self) -> None:
        self._read_loop = _ReadLoop(
            self._reads, self._readers[0], cast(asyncio.AbstractEventLoop, _AtOnce())
        )

    def _pass_on(self, job: _Job) -> None:
        """The writer's turn comes at once."""
        super()._pass_on(job)
        self._jobs.put(None)
        self._write_loop()

    def _commit(self, units: list[Unit], written: Outcomes | None) -> Outcomes:
        if self.listener is None:
            return super()._commit(units, written)
        self.listener.commits(units)
        outcomes = super()._commit(units, written)
        self.listener.committed(units)
        return outcomes
