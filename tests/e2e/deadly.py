"""`python -m tests.e2e.deadly STEP:CALLS serve …`: the gateway, killed once a step is stored.

STEP is a method of the store, CALLS which call of it is the last thing the process ever does: no
handler runs, nothing is flushed. `STEP:wait:FILE` has the gateway wait after the step until the
file is there; FILE-reached is there once it waits. Batches go in small steps here, so that each has
a middle.
"""

import asyncio
import functools
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gateway.cli.root import main
from gateway.engine import batches
from gateway.store import SqlStore

Step = Callable[..., Awaitable[Any]]


def dying(step: Step, calls: int) -> Step:
    """The step, and after so many of them the end."""
    left = calls

    @functools.wraps(step)
    async def last(*args: object, **named: object) -> object:
        nonlocal left
        done = await step(*args, **named)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return last


def waiting(step: Step, file: Path) -> Step:
    """The step, and then nothing until the file is there."""

    @functools.wraps(step)
    async def patient(*args: object, **named: object) -> object:
        done = await step(*args, **named)
        reached(file).touch()
        await asyncio.to_thread(_until_there, file)
        return done

    return patient


def reached(file: Path) -> Path:
    """What is there once the gateway waits for `file`."""
    return file.with_name(f"{file.name}-reached")


def _until_there(file: Path) -> None:
    while not file.exists():
        time.sleep(0.02)


if __name__ == "__main__":
    for name in ("STORED_AT_ONCE", "READ_AT_ONCE", "IN_FLIGHT", "UNDONE_AT_ONCE"):
        setattr(batches, name, 5)
    batches.RELEASED_AT_ONCE = 5
    while ":" in sys.argv[1]:
        method, _, rest = sys.argv.pop(1).partition(":")
        kept: Step = getattr(SqlStore, method)
        file = rest.removeprefix("wait:")
        setattr(
            SqlStore,
            method,
            dying(kept, int(rest)) if file == rest else waiting(kept, Path(file)),
        )
    main()
