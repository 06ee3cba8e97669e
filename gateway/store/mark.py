"""The high-water mark: a small file outside the database that says how far the database had come.

A database that is behind its mark has been restored, or is another one. The file is replaced whole
and synced, so it is either the old mark or the new one.
"""

import os
from datetime import datetime
from pathlib import Path

import orjson

from gateway.engine.gateway import Halt
from gateway.ports import Position, StoreError

NAME = "high-water"
HALTED = "halted.json"


def read_mark(folder: Path) -> Position | None:
    """The mark, or None when there never was one. Raises `StoreError` for one that is damaged."""
    file = folder / NAME
    try:
        found = orjson.loads(file.read_bytes())
        return Position(str(found["installation"]), int(found["feed"]), int(found["attempts"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{file} cannot be read ({type(error).__name__}), so nobody knows whether the database "
            "was restored: remove the file to start, and if it was, run `hangdao quarantine begin`"
        ) from error


def write_mark(folder: Path, position: Position) -> None:
    """Replace the mark, durably; it may go back, once a quarantine has begun. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{NAME}.{os.getpid()}"
    content = orjson.dumps(
        {
            "installation": position.installation,
            "feed": position.feed,
            "attempts": position.attempts,
        }
    )
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(folder / NAME)
    sync_folder(folder)


def keep_halt(folder: Path, why: Halt, at: datetime) -> None:
    """Leave a note for `hangdao doctor` on why the last process halted. Raises OSError."""
    note = {"at": at.isoformat(), "code": why.code, "en": why.en, "zh": why.zh}
    (folder / HALTED).write_bytes(orjson.dumps(note))


def last_halt(folder: Path) -> dict[str, str] | None:
    """The note, if there is one that can be read."""
    try:
        found = orjson.loads((folder / HALTED).read_bytes())
    except (OSError, ValueError):
        return None
    return {key: str(found.get(key, "")) for key in ("at", "code", "en", "zh")}


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
