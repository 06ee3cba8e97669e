"""The kills beside the database: a small file that a restore of the database leaves alone.

Replaced whole and synced, as the high-water mark is.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import orjson

from gateway.ports import Kill, StoreError
from gateway.store.mark import sync_folder

NAME = "killed.json"


def read_kills(folder: Path) -> list[Kill]:
    """What was killed when the file was written. Raises `StoreError` for one that is damaged."""
    file = folder / NAME
    try:
        found = orjson.loads(file.read_bytes())
        return [
            Kill(
                id=str(row["id"]),
                channel=str(row["channel"]),
                reason=str(row["reason"]),
                killed_at=datetime.fromisoformat(row["killed_at"]),
                killed_by=str(row["killed_by"]),
            )
            for row in found
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{file} cannot be read ({type(error).__name__}), so nobody knows which channels were "
            "killed before a restore: look at `hangdao channel ls`, then remove the file"
        ) from error


def write_kills(folder: Path, kills: Sequence[Kill]) -> None:
    """Replace the file, durably. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{NAME}.{os.getpid()}"
    content = orjson.dumps(
        [
            {
                "id": one.id,
                "channel": one.channel,
                "reason": one.reason,
                "killed_at": one.killed_at.isoformat(),
                "killed_by": one.killed_by,
            }
            for one in kills
        ]
    )
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(folder / NAME)
    sync_folder(folder)
