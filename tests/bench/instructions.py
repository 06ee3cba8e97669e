"""Instructions that a program executes in user space, where `perf` is there to count them.

They repeat to the hundredth on machines whose clocks swing by half. What a cache miss or the kernel
costs is not in them.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from subprocess import DEVNULL
from typing import Final

EVENT: Final = "instructions:u"
BEGIN_S: Final = 5.0
"""For `perf` to find every thread of a process."""


@dataclass
class Count:
    """What was executed."""

    instructions: int | None = None
    """None before its end, and where nobody can count."""


@asynccontextmanager
async def counting(pids: Sequence[int]) -> AsyncIterator[Count]:
    """Count all threads of these processes, also those that they start meanwhile."""
    count, perf = Count(), shutil.which("perf")
    async with AsyncExitStack() as stack:
        if perf is not None:
            await stack.enter_async_context(_counting(perf, pids, count))
        yield count


@asynccontextmanager
async def _counting(perf: str, pids: Sequence[int], count: Count) -> AsyncIterator[None]:
    # `perf stat --control`: it begins when told to, and says so; else a round's start is not seen.
    told, tell = os.pipe()
    heard, say = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(perf, "stat", "--field-separator", ",", "--delay", "-1", "--event", EVENT),
            *("--pid", ",".join(map(str, pids)), "--control", f"fd:{told},{say}"),
            pass_fds=(told, say),
            stdout=DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        )
        for end in (told, say):
            os.close(end)
        # Where it may not count it has ended, and closed its sides: nothing is read.
        with suppress(BrokenPipeError):
            os.write(tell, b"enable\n")
        await asyncio.wait_for(asyncio.to_thread(os.read, heard, 16), BEGIN_S)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
            count.instructions = counted(said.decode())
    finally:
        for end in (tell, heard):
            os.close(end)


def counted(said: str) -> int | None:
    """What `perf stat` found; None where it says that the event cannot be counted."""
    rows = (line.split(",") for line in said.splitlines())
    found = [row[0] for row in rows if len(row) > 2 and row[2].startswith(EVENT)]
    return int(found[0]) if found and found[0].isdecimal() else None
