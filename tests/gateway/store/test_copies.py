"""Backups: consistent while writing goes on, whole or refused, put back in quarantine."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import apsw
import orjson
import pytest

from gateway.ports import Search, StoreBrokenError, StoreError
from gateway.store import LockedError, SqlStore, Vault
from gateway.store.copies import manifest_of, move_backup, online_backup, put_back, verified
from gateway.store.mark import NAME, read_mark, write_mark
from gateway.store.payloads import webhook_payload
from gateway.store.sqlite import SqliteDatabase
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock


async def opened(path: Path) -> SqlStore:
    """A store on that file."""
    database = await SqliteDatabase.open(path, migrate=True)
    store = SqlStore(database, Vault(KEK), SettableClock(), webhook_payload)
    await store.prepare()
    return store


async def accept(store: SqlStore) -> None:
    """One more payout."""
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)


async def test_a_backup_is_of_one_moment_while_writing_goes_on(tmp_path: Path) -> None:
    """Its events are the first ones without a gap, and it is as its manifest says."""
    store = await opened(tmp_path / "x.db")
    await asyncio.gather(*(accept(store) for _ in range(50)))
    writing = asyncio.gather(*(accept(store) for _ in range(300)))
    file, made = await online_backup(store, tmp_path, build.NOW)
    await writing
    assert 50 <= made.position.feed <= 350
    assert verified(file) == made
    assert (await store.position()).feed == 350
    await store.aclose()
    copy = apsw.Connection(str(file))
    assert copy.execute("SELECT COUNT(*) FROM events").get == made.position.feed
    assert copy.execute("SELECT COUNT(*) FROM payouts").get == made.position.feed
    copy.close()


async def test_a_restore_keeps_what_it_replaces_and_begins_a_quarantine(tmp_path: Path) -> None:
    """New event positions are past all that were given out; the mark fits the new database."""
    store = await opened(tmp_path / "x.db")
    await accept(store)
    file, made = await online_backup(store, tmp_path, build.NOW)
    await accept(store)
    write_mark(tmp_path, await store.position())
    with pytest.raises(LockedError):
        await put_back(file, tmp_path / "x.db", tmp_path, Vault(KEK), SettableClock(), "t")
    await store.aclose()
    done = await put_back(file, tmp_path / "x.db", tmp_path, Vault(KEK), SettableClock(), "t")
    assert done.backup == made
    assert done.set_aside is not None
    assert await asyncio.to_thread(done.set_aside.exists)
    store = await opened(tmp_path / "x.db")
    assert await store.position() == read_mark(tmp_path)
    quarantine = await store.quarantine()
    assert quarantine is not None
    assert (quarantine.ended_at, quarantine.backup_at) == (None, build.NOW)
    await accept(store)
    assert (await store.position()).feed > 1_000_000
    await store.aclose()


def _shorter(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4096])


def _other_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _no_manifest(file: Path) -> None:
    manifest_of(file).unlink()


def _other_manifest(file: Path) -> None:
    said = orjson.loads(manifest_of(file).read_bytes())
    manifest_of(file).write_bytes(orjson.dumps(said | {"schema": 99}))


@pytest.mark.parametrize("harm", [_shorter, _other_byte, _no_manifest, _other_manifest])
async def test_a_harmed_backup_is_refused(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """Then the database is as it was, and not locked."""
    store = await opened(tmp_path / "x.db")
    await accept(store)
    file, _ = await online_backup(store, tmp_path, build.NOW)
    await store.aclose()
    harm(file)
    with pytest.raises(StoreError):
        await put_back(file, tmp_path / "x.db", tmp_path, Vault(KEK), SettableClock(), "t")
    store = await opened(tmp_path / "x.db")
    assert await store.quarantine() is None
    assert (await store.position()).feed == 1
    await store.aclose()


async def test_nothing_is_overwritten_by_a_backup(tmp_path: Path) -> None:
    """A target that exists is refused."""
    store = await opened(tmp_path / "x.db")
    file, _ = await online_backup(store, tmp_path, build.NOW)
    await store.aclose()
    (tmp_path / "out.db").touch()
    with pytest.raises(StoreError, match="exists already"):
        move_backup(file, tmp_path / "out.db")


def test_a_damaged_mark_is_not_taken_for_none(tmp_path: Path) -> None:
    """Nobody may conclude from it that nothing was restored."""
    assert read_mark(tmp_path) is None
    (tmp_path / NAME).write_bytes(b"{")
    with pytest.raises(StoreError, match="remove the file"):
        read_mark(tmp_path)


async def test_a_smuggled_entry_shows_at_the_next_look(tmp_path: Path) -> None:
    """Whole ledger and quick look; an account whose balance was changed by hand as well."""
    store = await opened(tmp_path / "x.db")
    await accept(store)
    assert await store.ledger_faults(None) == await store.ledger_faults(0) == []
    by_hand = apsw.Connection(str(tmp_path / "x.db"))
    by_hand.execute(
        "INSERT INTO entries SELECT merchant_id, posting, 9, book, owner, currency, 'credit', 77, "
        "at FROM entries LIMIT 1"
    )
    assert len(await store.ledger_faults(0)) == 1
    assert len(await store.ledger_faults(None)) == 2
    by_hand.execute("UPDATE balances SET minor = minor + 1 WHERE book = 'held'")
    assert any("over all accounts" in one for one in await store.ledger_faults(10**9))
    by_hand.close()
    await store.aclose()


async def test_a_damaged_page_breaks_the_store_for_readers_too(tmp_path: Path) -> None:
    """Nothing is sent on the word of a database that cannot be read."""
    store = await opened(tmp_path / "x.db")
    for _ in range(40):
        await accept(store)
    await store.aclose()
    path = tmp_path / "x.db"
    layout = apsw.Connection(str(path))
    root = layout.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'payouts'").get
    layout.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    store = await opened(path)
    with pytest.raises(StoreBrokenError):
        await store.search(Search(None))
    assert store.broken is not None
    with pytest.raises(StoreBrokenError):
        await accept(store)
    await store.aclose()
