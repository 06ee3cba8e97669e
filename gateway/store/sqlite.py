"""SQLite: one writer thread with group commit, reader threads, a lock against second processes.

What waits is committed together: first as a batch, one statement for the rows of many units, as
each statement takes the interpreter's lock away and back from the loop. If anything disagrees (a
conflict, a floor, a unit that counts rows), the batch is rolled back and the units run one by one,
each in its own savepoint.

The writer alone writes and checkpoints (WAL, synchronous=FULL): a commit is acknowledged once it is
on the disk. Disk full, I/O errors and corruption break the database for good: every waiting and
every later write fails with `StoreBrokenError`, and nothing unacknowledged is ever reported done.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import apsw

from gateway.domain.errors import GatewayError
from gateway.ports import StoreBrokenError, StoreError
from gateway.store.database import (
    GROUP_MAX,
    AccountKey,
    ClosedError,
    Group,
    Returned,
    Rows,
    TallyKey,
    Unit,
    bounded,
    by_query,
    counted,
    guarded,
    is_solo,
)
from gateway.store.errors import LockedError, RefusedError
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

SQLITE_MIN = (3, 51, 3)
"""Older ones can lose acknowledged commits when a WAL is reset (sqlite.org, wal.html, 3.51.3)."""

_READERS = 2
_BUSY_MS = 5_000
_CHECKPOINT_PAGES = 4_000
_CACHE_KB = 16_000
"""Of the writer: rows go to random places of their indexes, and are looked for there first."""
_ROWS = (64, 32, 16, 8, 4, 2, 1)
"""How many rows one statement takes: few lengths, so that each text is prepared once."""
_STATEMENTS = 400
"""Prepared statements kept by each connection."""

_FATAL = (
    apsw.FullError,
    apsw.IOError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.NoMemError,
    apsw.InternalError,
    apsw.MisuseError,
)


_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.IOError)
"""What ends everything even when a reader meets it."""


class _Read(NamedTuple):
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
        self._writes: SimpleQueue[Write | None] = SimpleQueue()
        self._reads: SimpleQueue[_Read | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._broken: str | None = None
        self._closed = False

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
        if self._closed:
            return
        self._closed = True
        self._gatherer.flush()
        for _ in range(_READERS):
            self._reads.put(None)
        self._writes.put(None)
        await asyncio.to_thread(self._close)

    def _hand_over(self, gathered: list[Write]) -> None:
        for write in gathered:
            self._writes.put(write)

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
                self._execute = self._writer.cursor().execute
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
        with contextlib.suppress(*_FATAL):
            self._writer.close()
        os.close(self._lock)

    # --- The writer thread ---

    def _write_loop(self) -> None:
        while (first := self._writes.get()) is not None:
            group, last = [first], False
            with contextlib.suppress(Empty):
                while len(group) < GROUP_MAX:
                    more = self._writes.get_nowait()
                    if more is None:
                        last = True
                        break
                    group.append(more)
            outcomes = self._commit([write.unit for write in group])
            _tell(self._loop, list(zip((w.future for w in group), outcomes, strict=True)))
            if last:
                return

    def _commit(self, units: list[Unit]) -> list[Returned | Exception]:
        """One transaction for all of them; each gets its own outcome."""
        if self._broken is not None:
            return [StoreBrokenError(self._broken) for _ in units]
        outcomes: list[Returned | Exception] | None = None
        try:
            if not any(map(is_solo, units)):
                outcomes = self._batch(units)
            if outcomes is None:
                outcomes = self._one_by_one(units)
        except Exception as error:  # noqa: BLE001 - callers must hear of it, the thread must live on
            failure = self._failure(error)
            with contextlib.suppress(apsw.Error):
                self._execute("ROLLBACK")
            return [failure for _ in units]
        return outcomes

    def _batch(self, units: list[Unit]) -> list[Returned | Exception] | None:
        """All units at once; None, with nothing written, when that is not plain success."""
        group = self._begin(units)
        try:
            returned = self._together(group, units)
        except _FATAL:
            raise
        except Exception:  # noqa: BLE001 - one unit's affair: it will be found one by one
            returned = None
        if returned is None:
            self._execute("ROLLBACK")
            return None
        self._end(group)
        return [
            [returned.get(id(step), ()) for step in unit.steps if step.query.counted]
            for unit in units
        ]

    def _together(self, group: Group, units: list[Unit]) -> dict[int, Rows] | None:
        """Run all but the commit; None when a statement did not touch what it had to."""
        for unit in units:
            group.check(unit)
            group.add(unit)
        returned: dict[int, Rows] = {}
        for query, steps in by_query(units):
            if query.takes_many:
                touched = self._run(query, [step.params for step in steps])
                if query.counted and touched != len(steps):
                    return None
                continue
            for step in steps:
                rows = self._execute(query.text, step.params).fetchall()
                if query.counted:
                    if len(rows) != 1:
                        return None
                    returned[id(step)] = rows
        return returned

    def _run(self, query: Query, given: Sequence[Params]) -> int:
        """As few statements as take them all; how many rows they touched.

        Rows returned would each take the interpreter's lock away and back.
        """
        touched = done = 0
        for length in _ROWS:
            while len(given) - done >= length:
                self._execute(*query.many(given[done : done + length]))
                touched += self._writer.changes()
                done += length
        return touched

    def _one_by_one(self, units: list[Unit]) -> list[Returned | Exception]:
        """Each unit in its own savepoint."""
        group = self._begin(units)
        outcomes = [self._apply(group, unit) for unit in units]
        self._end(group)
        return outcomes

    def _begin(self, units: list[Unit]) -> Group:
        self._execute("BEGIN IMMEDIATE")
        return Group(self._balances(guarded(units)), self._tallies(bounded(units)))

    def _end(self, group: Group) -> None:
        """Write what the units add up to, and commit."""
        writes: dict[Query, list[Params]] = {}
        for query, params in group.closing(self.queries, self.slot):
            writes.setdefault(query, []).append(params)
        for query, given in writes.items():
            self._run(query, given)
        self._execute("COMMIT")

    def _balances(self, accounts: set[AccountKey]) -> dict[AccountKey, int]:
        execute, query = self._execute, self.queries["guarded_balance"].text
        known = {}
        for account in accounts:
            row = execute(query, dict(zip(("book", "owner", "currency"), account, strict=True)))
            known[account] = row.get or 0
        return known

    def _tallies(self, tallies: set[TallyKey]) -> dict[TallyKey, int]:
        execute, query = self._execute, self.queries["guarded_tally"].text
        return {
            tally: execute(query, dict(zip(("kind", "owner", "bucket"), tally, strict=True))).get
            for tally in tallies
        }

    def _apply(self, group: Group, unit: Unit) -> Returned | Exception:
        """Run a unit in its own savepoint; only a broken database is raised."""
        execute = self._execute
        returned: Returned = []
        execute("SAVEPOINT unit")
        try:
            for step in unit.steps:
                query = step.query
                if query.counted:
                    returned.append(counted(step, execute(query.text, step.params).fetchall()))
                else:
                    execute(query.text, step.params)
            group.check(unit)
        except _FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this unit alone
            execute("ROLLBACK TO unit")
            execute("RELEASE unit")
            return _refused(error)
        execute("RELEASE unit")
        group.add(unit)
        return returned

    def _failure(self, error: Exception) -> StoreError:
        if isinstance(error, _FATAL):
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
            _tell(self._loop, [(read.future, outcome)])


def _tell(loop: asyncio.AbstractEventLoop, outcomes: list[tuple[Any, Any]]) -> None:
    """Hand outcomes to their callers with one wake-up of the loop."""
    # A loop that was closed has no caller left who could want to know.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, outcome in outcomes:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _refused(error: Exception) -> Exception:
    if isinstance(error, StoreError | GatewayError):
        return error
    if isinstance(error, apsw.Error):
        return RefusedError(f"{type(error).__name__}: {error}")
    return error


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
