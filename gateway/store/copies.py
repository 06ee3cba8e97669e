"""Backups as files: making one, proving it whole, putting it in the place of the database.

A backup is one SQLite file and a manifest beside it (`<file>.json`). Payee data in it is as sealed
as in the database: without the key-encryption key it is worth nothing, also to its owner.
"""

import asyncio
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import apsw
import orjson
from msgspec import Struct
from msgspec.structs import asdict

from gateway.engine.quarantine import FEED_LEAP
from gateway.ports import Backup, Clock, Position, RestoreStore, StoreError
from gateway.store.mark import read_mark, sync_folder, write_mark
from gateway.store.restore import described
from gateway.store.schema import migrations
from gateway.store.sqlite import SqliteDatabase, locked
from gateway.store.store import SqlStore
from gateway.store.vault import Vault

FOLDER = "backups"


class Restored(Struct, frozen=True):
    """What a restore did."""

    backup: Backup
    set_aside: Path | None
    """Where the replaced database is; None when there was none."""


async def online_backup(store: RestoreStore, data_dir: Path, at: datetime) -> tuple[Path, Backup]:
    """Write a backup with its manifest into the data folder. Raises `StoreError`."""
    folder = data_dir / FOLDER
    file = folder / f"hangdao-{at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}.db"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}") from error
    made = await store.backup(file, at)
    await asyncio.to_thread(write_manifest, file, made)
    return file, made


def manifest_of(file: Path) -> Path:
    """Where a backup's manifest is."""
    return file.with_name(f"{file.name}.json")


def write_manifest(file: Path, made: Backup) -> None:
    """Put the manifest beside the file, durably. Raises `StoreError`."""
    target = manifest_of(file)
    try:
        with open(target, "wb", opener=_private) as stream:
            stream.write(orjson.dumps(made, default=asdict, option=orjson.OPT_INDENT_2))
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(f"{target} could not be written: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def move_backup(source: Path, target: Path) -> None:
    """Move a backup and its manifest; nothing at the target is overwritten. Raises `StoreError`."""
    for old, new in ((source, target), (manifest_of(source), manifest_of(target))):
        if new.exists():
            raise StoreError(f"{new} exists already")
        try:
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(old, new)
        except OSError as error:
            raise StoreError(f"{new} could not be written: {error.strerror}") from error


def verified(file: Path) -> Backup:
    """The manifest of a backup that is whole, down to the last page. Raises `StoreError`."""
    manifest = manifest_of(file)
    try:
        found = orjson.loads(manifest.read_bytes())
        position = Position(**found.pop("position"))
        said = Backup(position=position, **found | {"at": datetime.fromisoformat(found["at"])})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{manifest} cannot be read ({type(error).__name__}): a backup is two files, "
            "and without its manifest nobody knows whether it is whole"
        ) from error
    try:
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            state = connection.execute("PRAGMA integrity_check").get
        finally:
            connection.close()
        seen = described(file, said.at)
    except (apsw.Error, OSError) as error:
        raise StoreError(f"{file} is not a whole backup: {error}") from error
    if state != "ok":
        raise StoreError(f"{file} is damaged: {state}")
    if seen != said:
        raise StoreError(f"{file} is not the file that {manifest.name} describes")
    newest = migrations("sqlite")[-1].version
    if said.schema > newest:
        raise StoreError(
            f"the backup has schema version {said.schema}, this program knows only {newest}: "
            "use the newer program"
        )
    return said


async def put_back(
    file: Path,
    database: Path,
    data_dir: Path,
    vault: Vault,
    clock: Clock,
    actor: str,
    *,
    signed: str | None = None,
) -> Restored:
    """Verify a backup and put it, in quarantine, in the place of the database.

    `signed` is the newest checkpoint of the audit log that was signed here: the restore explains
    why the log does not continue it.
    What was there is kept beside it. Raises `LockedError` while a gateway runs, `StoreError` for a
    backup that cannot be used; then everything is as before.
    """
    lock = locked(database)
    try:
        said = await asyncio.to_thread(verified, file)
        fresh = database.with_name(f"{database.name}.restoring")
        await asyncio.to_thread(_copied, file, fresh)
        position = await _quarantined(fresh, said, _lost(data_dir), vault, clock, actor, signed)
        set_aside = await asyncio.to_thread(_swap, fresh, database, clock.now())
        write_mark(data_dir, position)
    finally:
        os.close(lock)
    return Restored(said, set_aside)


def _copied(file: Path, fresh: Path) -> None:
    try:
        for old in _family(fresh):
            old.unlink(missing_ok=True)
        shutil.copyfile(file, fresh)
        fresh.chmod(0o600)
    except OSError as error:
        raise StoreError(f"{fresh} could not be written: {error.strerror}") from error


async def _quarantined(
    fresh: Path,
    said: Backup,
    mark: Position | None,
    vault: Vault,
    clock: Clock,
    actor: str,
    signed: str | None,
) -> Position:
    """Write the mark of quarantine into the copy before it takes its place."""
    opened = await SqliteDatabase.open(fresh, migrate=True)
    store = SqlStore(opened, vault, clock, lambda *_: b"")
    try:
        await store.prepare()
        await store.begin_quarantine(
            f"restored from the backup of {said.at.isoformat()}", said.at, clock.now(), actor
        )
        if signed is not None:
            why = f"restored from the backup of {said.at.isoformat()}"
            await store.explain_restore(signed, why, actor)
        # Readers of the event feed may have seen positions that this copy never gave out.
        lost = 0 if mark is None else mark.feed
        await store.leap_feed(max(lost, said.position.feed) + FEED_LEAP)
    finally:
        await store.aclose()
    _one_file(fresh)
    return described(fresh, said.at).position


def _lost(data_dir: Path) -> Position | None:
    """How far the replaced database had come, if that can be read."""
    try:
        return read_mark(data_dir)
    except StoreError:
        return None


def _one_file(fresh: Path) -> None:
    """Bring the log into the file, so that one rename moves everything."""
    try:
        connection = apsw.Connection(str(fresh))
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            connection.close()
    except apsw.Error as error:
        raise StoreError(f"{fresh} could not be prepared: {error}") from error


def _swap(fresh: Path, database: Path, at: datetime) -> Path | None:
    """Set the database aside with its log, then let the copy take its place."""
    aside: Path | None = None
    try:
        if database.exists():
            aside = database.with_name(f"{database.name}.replaced-{at:%Y%m%dT%H%M%SZ}")
            if aside.exists():
                raise StoreError(f"{aside} exists already")
            for old in _family(database):
                if old.exists():
                    old.rename(aside.with_name(old.name.replace(database.name, aside.name, 1)))
        fresh.rename(database)
        Path(f"{fresh}.lock").unlink(missing_ok=True)
        sync_folder(database.parent)
    except OSError as error:
        raise StoreError(f"{database} could not be replaced: {error.strerror}") from error
    return aside


def _family(database: Path) -> tuple[Path, Path, Path]:
    """A database and what belongs to it until it is closed cleanly."""
    return database, Path(f"{database}-wal"), Path(f"{database}-shm")
