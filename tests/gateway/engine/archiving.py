"""A process that archives and is killed in the middle: `python -m … URL FOLDER PLACE`."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from gateway.engine import archive
from gateway.engine.gateway import Gateway
from gateway.store import SqlStore, Vault, open_store
from gateway.store.archive_files import ArchiveFiles
from tests.builders import after
from tests.contracts.store.conftest import KEK, SettableClock

PLACES = ("write", "written", "keep", "kept", "clear", "second", "close", "closed")
DAYS = 100
AT_ONCE = 2


def gateway_of(store: SqlStore, clock: SettableClock) -> Gateway:
    """As much of a gateway as archiving needs."""
    return cast("Gateway", SimpleNamespace(store=store, clock=clock, channels={}))


async def run(url: str, folder: Path, place: str) -> None:
    """One step, killed at a place; to its end for a place that is none."""
    clock = SettableClock(after(days=DAYS))
    store = await open_store(url, Vault(KEK), clock, migrate=False)
    archive.CLEARED_AT_ONCE = AT_ONCE
    files = ArchiveFiles(folder)
    _dies(files, "write", place == "write", place == "written")
    _dies(store, "keep_archive", place == "keep", place == "kept")
    _dies(store, "clear", place == "clear", place == "second")
    _dies(store, "close_archive", place == "close", place == "closed")
    await archive.step(
        *(gateway_of(store, clock), files), older_than_days=90, after=None, actor="x", dry_run=False
    )
    await store.aclose()


def _dies(owner: object, name: str, before: bool, behind: bool) -> None:
    act: Callable[..., Any] = getattr(owner, name)

    async def awaited(*given: object) -> None:
        if before:
            os.kill(os.getpid(), signal.SIGKILL)
        await act(*given)
        if behind:
            os.kill(os.getpid(), signal.SIGKILL)

    def called(*given: object) -> None:
        if before:
            os.kill(os.getpid(), signal.SIGKILL)
        act(*given)
        if behind:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, awaited if asyncio.iscoroutinefunction(act) else called)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
