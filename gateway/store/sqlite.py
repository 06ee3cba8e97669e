"""SQLite: group commit by one connection, reader threads, a lock against second processes.

What waits is committed together (`sqlite_group`), one group after another. A short group is written
on the event loop, which takes some hundred microseconds, and the writer thread only commits it,
which waits for the disk: a thread that runs statements gives the interpreter's lock away at each of
them and waits for a busy loop to give it back, some milliseconds each time. Whatever may be long,
or does not go through at once, is written by the thread.

Nobody else writes or checkpoints (WAL, synchronous=FULL): a commit is acknowledged once it is on
the disk. Disk full, I/O errors and corruption break the database for good: every waiting and every
later write fails with `StoreBrokenError`, and nothing unacknowledged is ever reported done.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import apsw
from msgspec import Struct

from gateway.ports import StoreBrokenError, StoreError
from gateway.store.database import GROUP_MAX, ClosedError, Returned, Rows, Unit
from gateway.store.errors import LockedError
from gateway.store.gather import Gatherer, Write
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
from gateway.store.sqlite_group import FATAL, GroupCommit, Outcomes, is_short

SQLITE_MIN = (3, 51, 3)
"""Older ones can lose acknowledged commits when a WAL is reset (sqlite.org, wal.html, 3.51.3)."""

_READERS = 2
_BUSY_MS = 5_000
_CHECKPOINT_PAGES = 4_000
_CACHE_KB = 16_000
"""Of the writer: rows go to random places of their indexes, and are looked for there first."""
_STATEMENTS = 400
"""Prepared statements kept by each connection."""

_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.IOError)
"""What ends everything even when a reader meets it."""


class _Job(Struct, frozen=True):
    """A group for the writer thread."""

    writes: list[Write]
    written: Outcomes | None
    """The outcomes if its rows are written, so that only the commit is missing."""


class _Read(Struct, frozen=True):
    query: Query
    params: Params
    future: asyncio.Future[Rows]


class SqliteDatabase:
    """One database file, owned by this process."""

    slot = 0
    is_alone = True

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        """Only remembers; `open` does the work."""
        self.queries = Queries("sqlite")
        self._path = path
        self._vfs = vfs
        self._loop = asyncio.get_running_loop()
        self._gatherer = Gatherer(self._loop, self._hand_over)
        self._held: list[Write] = []
        self._under_way: asyncio.Future[None] | None = None
        """Done when the group that is being committed has been told its outcome."""
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._reads: SimpleQueue[_Read | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._broken: str | None = None
        self._closed = False
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path, *, migrate: bool, vfs: str | None = None) -> "SqliteDatabase":
        """Take the lock, check versions, bring the schema up to date when asked, start threads.

        Raises `LockedError`, `SchemaError` or `StoreError`; then nothing is left open.
        """
        database = cls(path, vfs=vfs)
        await asyncio.to_thread(database._open, migrate)
        database._start()
        return database

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
        """Read from the last committed state."""
        if self._closed:
            raise ClosedError("the store is closed")
        future: asyncio.Future[Rows] = self._loop.create_future()
        self._reads.put(_Read(query.given(params), params, future))
        return await future

    async def copy(self, file: Path) -> None:
        """Write what is committed now to a new file, while readers and the writer go on."""
        if self._closed:
            raise ClosedError("the store is closed")
        await asyncio.to_thread(self._copy, file)

    async def aclose(self) -> None:
        """Commit what waits, stop the threads, close, and let go of the lock."""
        self._closed = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._shut())
        # Whoever is cancelled here must not take the outcome from those who wait for the disk.
        await asyncio.shield(self._closing)

    async def _shut(self) -> None:
        self._gatherer.flush()
        while self._under_way is not None:
            await self._under_way
        for _ in range(_READERS):
            self._reads.put(None)
        self._jobs.put(None)
        await asyncio.to_thread(self._close)

    # --- Groups, on the loop ---

    def _hand_over(self, gathered: list[Write]) -> None:
        self._held += gathered
        if self._under_way is None:
            self._begin()

    def _begin(self) -> None:
        """The next group's turn: nobody else has the writing connection now."""
        writes, self._held = self._held[:GROUP_MAX], self._held[GROUP_MAX:]
        self._under_way = self._loop.create_future()
        self._pass_on(_Job(writes, self._written([write.unit for write in writes])))

    def _written(self, units: list[Unit]) -> Outcomes | None:
        """Write a short group here; None, with nothing written, leaves all of it to the thread."""
        if self._broken is not None or not is_short(units):
            return None
        # Should somebody hold the file, with a shell of their own, it is the thread that waits.
        self._writer.set_busy_timeout(0)
        try:
            return self._group.write_together(units)
        except Exception as error:  # noqa: BLE001 - the thread meets it again, unless it ends all
            self._failure(error)
            self._group.take_back()
            return None
        finally:
            self._writer.set_busy_timeout(_BUSY_MS)

    def _pass_on(self, job: "_Job") -> None:
        self._jobs.put(job)

    def _ended(self, job: "_Job", outcomes: Outcomes) -> None:
        """A group is on the disk, or will never be: tell, and go on with what came meanwhile."""
        ended, self._under_way = self._under_way, None
        _resolve(list(zip((write.future for write in job.writes), outcomes, strict=True)))
        if ended is not None:
            ended.set_result(None)
        if self._held:
            self._begin()

    # --- Opening and closing, off the loop ---

    def _open(self, migrate: bool) -> None:
        version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
        if version < SQLITE_MIN:
            raise StoreError(
                f"SQLite {apsw.sqlite_lib_version()} is too old; at least "
                f"{'.'.join(map(str, SQLITE_MIN))} is needed"
            )
        with contextlib.ExitStack() as undo:
            self._lock = locked(self._path)
            undo.callback(os.close, self._lock)
            try:
                _private(self._path)
                self._writer = self._connect(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
                undo.callback(self._writer.close)
                self._prepare(migrate)
                self._group = GroupCommit(self._writer, self.queries, self.slot)
                self._readers = []
                for _ in range(_READERS):
                    reader = self._connect(apsw.SQLITE_OPEN_READONLY)
                    undo.callback(reader.close)
                    self._readers.append(reader)
            except (apsw.Error, OSError) as error:
                raise StoreError(f"{self._path} cannot be opened: {error}") from error
            undo.pop_all()

    def _connect(self, flags: int) -> apsw.Connection:
        connection = apsw.Connection(
            str(self._path), flags=flags, vfs=self._vfs, statementcachesize=_STATEMENTS
        )
        connection.set_busy_timeout(_BUSY_MS)
        # Else a statement is planned anew whenever the values it is given change.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 0")
        return connection

    def _copy(self, file: Path) -> None:
        """One read transaction holds the state; the copy is one file without a log beside it."""
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with (
                contextlib.closing(self._connect(apsw.SQLITE_OPEN_READONLY)) as source,
                contextlib.closing(apsw.Connection(str(file))) as copy,
            ):
                with source, copy.backup("main", source, "main") as backup:
                    backup.step(-1)
                copy.execute("PRAGMA journal_mode = DELETE")
                found = copy.execute("PRAGMA integrity_check").get
            if found != "ok":
                raise StoreError(f"{file}: the copy is damaged: {found}")
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except (apsw.Error, OSError) as error:
            raise StoreError(f"{file} could not be written: {error}") from error

    def _prepare(self, migrate: bool) -> None:
        writer = self._writer
        mode = writer.execute("PRAGMA journal_mode = WAL").get
        if mode != "wal":
            raise StoreError(f"{self._path} is on a file system without write-ahead logging")
        writer.execute(f"PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        writer.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        with writer:
            writer.execute(SCHEMA_TABLE)
            version = writer.execute(READ_VERSION).get
            if version > newest("sqlite"):
                require_compatible("sqlite", dict(writer.execute(READ_STEPS)))
                return
            if not migrate:
                require_current("sqlite", version)
            for step in missing("sqlite", version):
                writer.execute(step.sql)
                writer.execute(
                    "INSERT INTO schema_version (version, name) VALUES (?, ?)",
                    (step.version, step.name),
                )
                if step.since is not None:
                    writer.execute(
                        "INSERT INTO schema_compatible (version, since) VALUES (?, ?)",
                        (step.version, step.since),
                    )

    def _start(self) -> None:
        work: list[tuple[str, Callable[[], None]]] = [("sqlite-writer", self._write_loop)]
        for number, reader in enumerate(self._readers):
            loop = _ReadLoop(self._reads, reader, self._loop, self._failure)
            work.append((f"sqlite-reader-{number}", loop))
        self._threads = [Thread(target=run, name=name, daemon=True) for name, run in work]
        for thread in self._threads:
            thread.start()

    def _close(self) -> None:
        for thread in self._threads:
            thread.join()
        for reader in self._readers:
            reader.close()
        with contextlib.suppress(*FATAL):
            self._writer.close()
        os.close(self._lock)

    # --- The writer thread ---

    def _write_loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            outcomes = self._commit([write.unit for write in job.writes], job.written)
            with contextlib.suppress(RuntimeError):
                # A loop that was closed has no caller left who could want to know.
                self._loop.call_soon_threadsafe(self._ended, job, outcomes)

    def _commit(self, units: list[Unit], written: Outcomes | None) -> Outcomes:
        """One transaction for all of them; each gets its own outcome."""
        if self._broken is not None:
            self._group.take_back()
            return [StoreBrokenError(self._broken) for _ in units]
        try:
            outcomes = self._group.write(units) if written is None else written
            self._group.commit()
        except Exception as error:  # noqa: BLE001 - callers must hear of it, the thread must live on
            failure = self._failure(error)
            self._group.take_back()
            return [failure for _ in units]
        return outcomes

    def _failure(self, error: Exception) -> StoreError:
        if isinstance(error, FATAL):
            self._broken = f"{self._path}: {type(error).__name__}: {error}"
            return StoreBrokenError(self._broken)
        return StoreError(f"{self._path}: {type(error).__name__}: {error}")


class _ReadLoop:
    """One reader thread: answers queries until told to stop."""

    def __init__(
        self,
        reads: "SimpleQueue[_Read | None]",
        connection: apsw.Connection,
        loop: asyncio.AbstractEventLoop,
        failure: Callable[[Exception], StoreError] | None = None,
    ) -> None:
        self._failure = failure or _unreadable
        self._reads = reads
        self._execute = connection.cursor().execute
        self._loop = loop

    def __call__(self) -> None:
        while (read := self._reads.get()) is not None:
            outcome: Rows | Exception
            try:
                outcome = self._execute(read.query.text, read.params).fetchall()
            except _DAMAGED as error:
                # What cannot be read cannot be trusted: nothing may be sent on its word.
                outcome = self._failure(error)
            except apsw.Error as error:
                outcome = StoreError(f"{read.query.name}: {type(error).__name__}: {error}")
            except Exception as error:  # noqa: BLE001 - a defect must reach its caller, not a thread
                outcome = error
            with contextlib.suppress(RuntimeError):
                # As above.
                self._loop.call_soon_threadsafe(_resolve, [(read.future, outcome)])


def _resolve(outcomes: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in outcomes:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _unreadable(error: Exception) -> StoreError:
    return StoreBrokenError(f"{type(error).__name__}: {error}")


def _private(path: Path) -> None:
    """Create the file for its owner alone; SQLite gives the log beside it the same rights."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def locked(path: Path) -> int:
    """Take the lock file beside the database; it is held until its descriptor is closed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise LockedError(
            f"{path} is in use by another process; one process owns an embedded database"
        ) from None
    return descriptor
