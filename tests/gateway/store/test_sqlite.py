"""What only the embedded database can suffer: second processes, full disks, failing syncs."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import apsw
import pytest

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.errors import ConflictError
from gateway.domain.payout import Cancelled, Payout, PayoutId
from gateway.ports import StoreBrokenError, StoreError
from gateway.store import LockedError, SchemaError, SqlStore, Vault, open_store
from gateway.store.database import ClosedError
from gateway.store.payloads import webhook_payload
from gateway.store.sqlite import SQLITE_MIN, SqliteDatabase
from gateway.store.sqlite_group import SHORT, GroupCommit
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock
from tests.gateway.engine.rig import until


class FailingVfs(apsw.VFS):
    """The real file system, until it is told to fail."""

    def __init__(self) -> None:
        """Register itself under a name of its own."""
        self.fail: type[apsw.Error] | None = None
        self.fail_on = ""
        self.vfs_name = f"failing-{id(self)}"
        super().__init__(self.vfs_name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "FailingFile":  # noqa: N802 - SQLite's name
        """Open a file that asks this VFS before it writes."""
        return FailingFile(self, name, flags)


class FailingFile(apsw.VFSFile):
    """A file that fails as its VFS says."""

    def __init__(
        self, vfs: FailingVfs, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        """Open the real file."""
        self._shim = vfs
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        """Write, unless writing fails now."""
        self._maybe("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        """Sync, unless syncing fails now."""
        self._maybe("sync")
        super().xSync(flags)

    def _maybe(self, what: str) -> None:
        if self._shim.fail is not None and self._shim.fail_on == what:
            raise self._shim.fail("as the test wants it")


@pytest.fixture
def vfs() -> Iterator[FailingVfs]:
    """A file system that works until told otherwise."""
    shim = FailingVfs()
    yield shim
    shim.fail = None
    shim.unregister()


async def _open(path: Path, vfs: str | None = None) -> SqlStore:
    database = await SqliteDatabase.open(path, migrate=True, vfs=vfs)
    store = SqlStore(database, Vault(KEK), SettableClock(), webhook_payload)
    await store.prepare()
    return store


async def _accept(store: SqlStore) -> str:
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    return subject.id


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """While one process has the database, another gets a clear error and changes nothing."""
    store = await _open(tmp_path / "x.db")
    other = subprocess.run(  # noqa: ASYNC221, S603 - our own interpreter, and nothing else runs here
        [
            sys.executable,
            "-c",
            "import asyncio, pathlib, sys\n"
            "from gateway.store.sqlite import SqliteDatabase\n"
            "asyncio.run(SqliteDatabase.open(pathlib.Path(sys.argv[1]), migrate=True))",
            str(tmp_path / "x.db"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    await store.aclose()

    assert other.returncode != 0
    assert "LockedError" in other.stderr
    assert "in use by another process" in other.stderr


async def test_the_lock_goes_with_the_store(tmp_path: Path) -> None:
    """A second store waits for nothing once the first is closed, and is refused before."""
    first = await _open(tmp_path / "x.db")
    with pytest.raises(LockedError):
        await _open(tmp_path / "x.db")
    await first.aclose()

    second = await _open(tmp_path / "x.db")
    assert await second.healthy()
    await second.aclose()


async def test_an_unmigrated_database_is_not_opened(tmp_path: Path) -> None:
    """Without `migrate` an empty file is an older schema."""
    with pytest.raises(SchemaError, match="run `hangdao migrate`"):
        await open_store(f"sqlite://{tmp_path}/x.db", Vault(KEK), SettableClock(), migrate=False)


async def test_a_newer_schema_is_not_opened(tmp_path: Path) -> None:
    """A database from a newer program is refused, and its lock is given back."""
    await (await _open(tmp_path / "x.db")).aclose()
    with sqlite3.connect(tmp_path / "x.db") as newer:
        newer.execute("INSERT INTO schema_version VALUES (9999, 'from the future')")
    newer.close()

    for _ in range(2):
        with pytest.raises(SchemaError, match="9999"):
            await _open(tmp_path / "x.db")


@pytest.mark.parametrize(
    "url", ["sqlite://x.db", "sqlite:///", "mysql://x", "sqlite:relative.db", "/plain/path"]
)
async def test_a_url_that_names_no_database_is_refused(url: str) -> None:
    """Only absolute SQLite paths and PostgreSQL addresses."""
    with pytest.raises(StoreError):
        await open_store(url, Vault(KEK), SettableClock(), migrate=True)


async def test_a_path_that_cannot_be_written_is_refused() -> None:
    """A folder that cannot be made is a clear error."""
    with pytest.raises(StoreError, match="cannot be opened"):
        await open_store("sqlite:///dev/null/x.db", Vault(KEK), SettableClock(), migrate=True)


def test_the_installed_sqlite_is_new_enough() -> None:
    """The bundled library has the WAL-reset fix."""
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= SQLITE_MIN


async def test_commits_are_synced(tmp_path: Path) -> None:
    """Write-ahead log, and a sync at every commit."""
    database = await SqliteDatabase.open(tmp_path / "x.db", migrate=True)

    assert database._writer.execute("PRAGMA journal_mode").get == "wal"
    assert database._writer.execute("PRAGMA synchronous").get == 2
    await database.aclose()


@pytest.mark.parametrize(
    ("error", "on"),
    [(apsw.FullError, "write"), (apsw.IOError, "write"), (apsw.IOError, "sync")],
)
async def test_a_failing_disk_breaks_the_store_for_good(
    tmp_path: Path, vfs: FailingVfs, error: type[apsw.Error], on: str
) -> None:
    """Nothing unacknowledged is reported done, and no later write is taken, healed disk or not."""
    store = await _open(tmp_path / "x.db", vfs.vfs_name)
    kept = await _accept(store)
    vfs.fail, vfs.fail_on = error, on

    outcomes = await asyncio.gather(*(_accept(store) for _ in range(5)), return_exceptions=True)
    vfs.fail = None

    assert all(isinstance(outcome, StoreBrokenError) for outcome in outcomes)
    with pytest.raises(StoreBrokenError):
        await _accept(store)
    assert await store.healthy() is False
    assert await store.payout(PayoutId(kept)) is not None
    await store.aclose()

    again = await _open(tmp_path / "x.db")
    assert await again.payout(PayoutId(kept)) is not None
    assert await again.audit() == []
    await again.aclose()


@pytest.mark.parametrize("at_once", [20, 200])
async def test_a_full_database_breaks_the_store(tmp_path: Path, at_once: int) -> None:
    """SQLITE_FULL while statements run is as final as at COMMIT, whoever runs them."""
    database = await SqliteDatabase.open(tmp_path / "x.db", migrate=True)
    store = SqlStore(database, Vault(KEK), SettableClock(), webhook_payload)
    await store.prepare()
    used = database._writer.execute("PRAGMA page_count").get
    database._writer.execute(f"PRAGMA max_page_count = {used + 1}")

    outcomes = await asyncio.gather(
        *(_accept(store) for _ in range(at_once)), return_exceptions=True
    )
    assert isinstance(outcomes[-1], StoreBrokenError)
    assert await store.healthy() is False
    await store.aclose()


async def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Nobody else on the machine can read the database, its log or its lock."""
    store = await _open(tmp_path / "x.db")
    await _accept(store)

    files = await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
    modes = {path.name: path.stat().st_mode & 0o777 for path in files}
    await store.aclose()

    assert modes == dict.fromkeys(("x.db", "x.db-wal", "x.db-shm", "x.db.lock"), 0o600)


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Reads and writes after closing fail at once; closing twice is fine."""
    store = await _open(tmp_path / "x.db")
    await store.aclose()
    await store.aclose()

    with pytest.raises(StoreError, match="closed"):
        await _accept(store)
    with pytest.raises(StoreError, match="closed"):
        await store.counts()


async def test_closing_finishes_what_was_begun(tmp_path: Path) -> None:
    """Writes that were asked for before closing are committed."""
    store = await _open(tmp_path / "x.db")
    await _accept(store)
    tasks = [asyncio.create_task(_accept(store)) for _ in range(20)]
    await asyncio.sleep(0)
    await store.aclose()
    done = [PayoutId(payout_id) for payout_id in await asyncio.gather(*tasks)]

    again = await _open(tmp_path / "x.db")
    assert None not in [await again.payout(payout_id) for payout_id in done]
    await again.aclose()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE events SET kind = 'x'", "append-only"),
        ("DELETE FROM events", "append-only"),
        ("UPDATE entries SET amount_minor = 1", "append-only"),
        ("DELETE FROM entries", "append-only"),
        ("UPDATE payout_retries SET original_id = 'x'", "append-only"),
        ("DELETE FROM payout_retries", "append-only"),
        ("DELETE FROM payouts", "never deleted"),
        ("DELETE FROM attempts", "never deleted"),
        ("DELETE FROM audit", "append-only"),
        ("UPDATE attempts SET certificate = '{}'", "never changed"),
        ("UPDATE attempts SET certificate = NULL, state = 'armed'", "never changed"),
    ],
)
async def test_history_cannot_be_rewritten(tmp_path: Path, sql: str, message: str) -> None:
    """Not even by someone with the database in hand and plain SQL."""
    await _with_history(tmp_path / "x.db")
    connection = sqlite3.connect(tmp_path / "x.db")

    with pytest.raises(sqlite3.IntegrityError, match=message):
        connection.execute(sql)
    connection.close()


async def _with_history(path: Path) -> None:
    store = await _open(path)
    await store.set_channel_status(build.CHANNEL, "active", "", "ops")
    posting = ledger.topped_up(build.CHANNEL, Currency.CNY, 100_000)
    await store.post(posting, "", "float", "ops")
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    armed = build.arm(subject)
    await store.record(armed)
    await store.record(build.kill(armed.after))
    retry = build.payout(merchant_ref="da_1:B")
    await store.accept(build.accepted_change(retry), build.intake(retry), None)
    await store.record(build.change(retry, Cancelled("Wang", f"retry_of: {subject.id}")))
    await store.aclose()


class Watched:
    """Which threads write and commit, and a disk that does not answer until told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The disk answers."""
        self.calls: list[tuple[str, bool]] = []
        """What was called, and whether on the loop's thread."""
        self.free = Event()
        self.free.set()
        self.began = asyncio.Event()
        loop, here = asyncio.get_running_loop(), get_ident()
        together, alone, commit = GroupCommit.write_together, GroupCommit.write, GroupCommit.commit

        def write_together(group: GroupCommit, units: Any) -> Any:
            self.calls.append(("together", get_ident() == here))
            return together(group, units)

        def write(group: GroupCommit, units: Any) -> Any:
            self.calls.append(("all", get_ident() == here))
            return alone(group, units)

        def committing(group: GroupCommit) -> None:
            self.calls.append(("commit", get_ident() == here))
            loop.call_soon_threadsafe(self.began.set)
            self.free.wait()
            commit(group)

        monkeypatch.setattr(GroupCommit, "write_together", write_together)
        monkeypatch.setattr(GroupCommit, "write", write)
        monkeypatch.setattr(GroupCommit, "commit", committing)


Watching = tuple[SqlStore, Watched]


@pytest.fixture
async def watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SqlStore, Watched]]:
    """A store that knows a payout, watched from now on."""
    store = await _open(tmp_path / "x.db")
    await _accept(store)
    watched = Watched(monkeypatch)
    try:
        yield store, watched
    finally:
        watched.free.set()
        await store.aclose()


async def test_a_short_group_is_written_by_the_loop_and_committed_beside_it(
    watching: Watching,
) -> None:
    """The thread has nothing to do but to wait for the disk."""
    store, watched = watching
    await asyncio.gather(*(_accept(store) for _ in range(9)))
    assert watched.calls == [("together", True), ("commit", False)]


async def test_a_long_group_is_left_to_the_thread(watching: Watching) -> None:
    """The loop has other things to do than to write thousands of rows."""
    store, watched = watching
    await asyncio.gather(*(_accept(store) for _ in range(SHORT // 2)))
    assert watched.calls == [("all", False), ("together", False), ("commit", False)]


async def test_a_statement_that_finds_its_rows_itself_is_left_to_the_thread(
    watching: Watching,
) -> None:
    """Nobody knows how many they are."""
    store, watched = watching
    await store.prune_claims(build.NOW, 10_000)
    assert {on_the_loop for _, on_the_loop in watched.calls} == {False}


async def test_nobody_is_told_before_the_disk_answers_and_who_comes_meanwhile_is_next(
    watching: Watching,
) -> None:
    """What is written and not committed is seen by nobody, and the loop goes on."""
    store, watched = watching
    watched.free.clear()
    subject = build.payout()
    intake = build.intake(subject)
    first = asyncio.create_task(store.accept(build.accepted_change(subject), intake, None))
    await watched.began.wait()
    others = [asyncio.create_task(_accept(store)) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert await store.payout(subject.id) is None
    assert not any(task.done() for task in (first, *others))
    watched.free.set()
    await asyncio.gather(first, *others)
    assert watched.calls == [("together", True), ("commit", False)] * 2


async def test_closing_waits_for_the_disk_and_for_who_came_meanwhile(
    watching: Watching, tmp_path: Path
) -> None:
    """A group on its way, and the one behind it, are committed before the store is closed."""
    store, watched = watching
    watched.free.clear()
    first = asyncio.create_task(_accept(store))
    await watched.began.wait()
    second = asyncio.create_task(_accept(store))
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(store.aclose())
    await asyncio.sleep(0.02)
    assert not closing.done()
    watched.free.set()
    kept = [PayoutId(one) for one in await asyncio.gather(first, second)]
    await closing
    again = await _open(tmp_path / "x.db")
    assert None not in [await again.payout(one) for one in kept]
    await again.aclose()


async def test_a_closing_that_is_cancelled_takes_no_outcome_from_anybody(
    watching: Watching,
) -> None:
    """Who waits for the disk hears from it, and the store can be closed once more."""
    store, watched = watching
    watched.free.clear()
    asked = asyncio.create_task(_accept(store))
    await watched.began.wait()
    closing = asyncio.create_task(store.aclose())
    await asyncio.sleep(0.02)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    watched.free.set()
    assert await asked
    await store.aclose()
    with pytest.raises(ClosedError):
        await _accept(store)


async def test_what_was_written_when_a_reader_met_damage_is_taken_back(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was on its way to the disk, which nobody trusts any more: refused, and not there."""
    store, watched = watching
    database = store._database
    assert isinstance(database, SqliteDatabase)
    held: list[Any] = []
    monkeypatch.setattr(database, "_pass_on", held.append)
    asked = asyncio.create_task(_accept(store))
    await until(lambda: bool(held))
    database._failure(apsw.CorruptError("as the test wants it"))
    database._jobs.put(held[0])
    with pytest.raises(StoreBrokenError):
        await asked
    assert not database._writer.in_transaction
    assert watched.calls == [("together", True)]


async def test_an_endpoint_that_is_being_put_is_owed_what_comes_behind_it(
    watching: Watching,
) -> None:
    """Nobody wanted to hear of anything as far as was known, but it is on its way to the disk."""
    store, watched = watching
    await store.learn_wanted()
    watched.free.clear()
    putting = asyncio.create_task(store.put_endpoint(build.endpoint(), "ops"))
    await watched.began.wait()
    accepting = asyncio.create_task(_accept(store))
    await asyncio.sleep(0.02)
    watched.free.set()
    await putting
    assert len(await store.deliveries(build.MERCHANT, PayoutId(await accepting), 10)) == 1


async def test_no_webhook_is_written_that_nobody_wants(tmp_path: Path) -> None:
    """Once it is known what endpoints want; until then the commit finds out."""
    written: list[str] = []

    def payload_of(payout: Payout, event: Any, seq: int, at: Any) -> bytes:
        written.append(event.kind)
        return webhook_payload(payout, event, seq, at)

    url = f"sqlite:///{tmp_path / 'x.db'}"
    store = await open_store(url, Vault(KEK), SettableClock(), migrate=True, payload_of=payload_of)
    await store.put_endpoint(build.endpoint(kinds=("payout.held",)), "ops")
    await _accept(store)
    await store.learn_wanted()
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    await store.record(build.change(subject, build.held()))
    assert written == ["accepted", "held"]
    assert [one.seq for one in await store.deliveries(build.MERCHANT, subject.id, 10)] == [2]
    await store.aclose()


async def test_a_file_that_somebody_has_locked_stops_the_thread_and_not_the_loop(
    tmp_path: Path,
) -> None:
    """A person's own shell holds it: reads are answered meanwhile, and the write comes after."""
    store = await _open(tmp_path / "x.db")
    await _accept(store)
    # By the same library: another one's locks are not seen within a process.
    shell = apsw.Connection(str(tmp_path / "x.db"))
    shell.execute("BEGIN IMMEDIATE")
    asked = asyncio.create_task(_accept(store))
    await asyncio.sleep(0.1)
    assert await store.payout(PayoutId("po_none")) is None
    assert not asked.done()
    shell.execute("COMMIT")
    shell.close()
    assert await store.payout(PayoutId(await asked)) is not None
    await store.aclose()


async def test_one_turn_of_the_loop_is_one_commit(tmp_path: Path) -> None:
    """Whoever asks in the same turn is committed together."""
    database = await SqliteDatabase.open(tmp_path / "x.db", migrate=True)
    store = SqlStore(database, Vault(KEK), SettableClock(), webhook_payload)
    await store.prepare()
    await _accept(store)
    commits: list[int] = []

    def counted() -> bool:
        commits.append(1)
        return False

    database._writer.set_commit_hook(counted)

    await asyncio.gather(*(_accept(store) for _ in range(100)))

    assert len(commits) == 1
    await store.aclose()


async def test_a_group_with_conflicts_gives_each_its_own_outcome(tmp_path: Path) -> None:
    """Repeats are answered from what is stored, other bodies refused, all others taken in."""
    store = await _open(tmp_path / "x.db")
    first = build.payout()
    await store.accept(build.accepted_change(first), build.intake(first), None)
    fresh = [build.payout() for _ in range(70)]

    async def take(subject: Payout, body: str = "body") -> Payout:
        intake = build.intake(subject, body=body)
        return await store.accept(build.accepted_change(subject), intake, None)

    again, changed, *others = await asyncio.gather(
        take(first), take(first, "another body"), *map(take, fresh), return_exceptions=True
    )

    assert isinstance(again, Payout)
    assert again.id == first.id
    assert isinstance(changed, ConflictError)
    assert others == fresh
    assert await store.audit() == []
    events = await store.feed(None, 0, 100)
    assert [event.payout_id for event in events] == [one.id for one in (first, *fresh)]
    assert [event.feed for event in events] == list(range(1, 72))
    await store.aclose()
