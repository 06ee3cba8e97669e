"""Several gateway processes behind one port: started, watched, started again, stopped together.

The kernel spreads connections over them (SO_REUSEPORT). Each is a whole gateway with an event loop
of its own; what keeps them from doing the same work is in the database. A process whose supervisor
has died notices by its standard input, which ends, and leaves in order.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

import orjson

from gateway.observe.log import Log

READY_S = 60
STOP_S = 70
"""Longer than a process may take to drain; then it is killed."""
STEADY_S = 60
"""A process that ran so long is started again without delay."""
BACKOFF_S = (0.2, 1.0, 3.0, 10.0, 30.0)
FAILURES_MAX = 6
"""So many ends in a row before it was ever ready, and the whole thing gives up."""
MISUSED = 2
"""Exit code of a process whose configuration cannot be used: another try would end the same."""


class Supervisor:
    """Runs `count` processes of one command until told to stop."""

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        log: Log,
        ready: Callable[[str], None],
    ) -> None:
        """`command` follows the interpreter; `ready` gets the URL once all have been ready."""
        self._command = command
        self._log = log
        self._ready = ready
        self._waited_for = set(range(count))
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._failed = False
        self._told = False

    async def run(self) -> int:
        """Until SIGTERM, SIGINT or a failure; 0 when every process has left in order."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stopping.set)
        async with asyncio.TaskGroup() as group:
            for number in sorted(self._waited_for):
                group.create_task(self._tend(number))
            group.create_task(self._stop())
        return 1 if self._failed else 0

    async def _tend(self, number: int) -> None:
        """Keep one process running."""
        failures = 0
        while not self._stopping.is_set():
            started = monotonic()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Ctrl-C reaches the whole foreground group; it is ours to pass on, once.
                start_new_session=True,
            )
            self._running[number] = process
            if self._stopping.is_set():
                process.terminate()
            was_ready = await self._until_ready(number, process)
            code = await process.wait()
            del self._running[number]
            if self._stopping.is_set():
                self._failed = self._failed or code != 0
                return
            self._log.error("worker.ended", pid=process.pid, code=code)
            failures = 0 if monotonic() - started >= STEADY_S else failures + 1
            if code == MISUSED or (failures >= FAILURES_MAX and not was_ready):
                self._failed = True
                self._stopping.set()
                return
            wait_s = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else 0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    async def _until_ready(self, number: int, process: asyncio.subprocess.Process) -> bool:
        """Wait for the line that says so; a process that never says it is ended."""
        line = b""
        if process.stdout is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(READY_S):
                    line = await process.stdout.readline()
        if not line.startswith(b"{"):
            with suppress(ProcessLookupError):
                process.terminate()
            return False
        self._log.info("worker.started", pid=process.pid)
        self._waited_for.discard(number)
        if not self._waited_for and not self._told and not self._stopping.is_set():
            self._told = True
            self._ready(str(orjson.loads(line)["url"]))
        return True

    async def _stop(self) -> None:
        """Pass the stop on, and insist after a while."""
        await self._stopping.wait()
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.terminate()
        deadline = monotonic() + STOP_S
        while self._running and monotonic() < deadline:  # noqa: ASYNC110 - ends ring no bell here
            await asyncio.sleep(0.05)
        for process in self._running.values():
            self._failed = True
            with suppress(ProcessLookupError):
                process.kill()


def reserved(host: str, port: int) -> socket.socket:
    """Hold the address for processes to share: bound, never listening. Raises `OSError`."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    held = socket.socket(family, kind)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except OSError:
        held.close()
        raise
    return held
