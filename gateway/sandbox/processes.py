"""Child processes that say when they are ready, and are ended by whoever started them."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import orjson

READY_S = 30


class ProcessError(Exception):
    """A child did not become ready, or ended by itself; the message says what it wrote."""


class Child:
    """A Python module run as a process, ready once it prints one JSON line with `ready`."""

    def __init__(self, *arguments: str, log: Path, env: Mapping[str, str] | None = None) -> None:
        """`arguments` follow `python -m`; its standard error goes to the file `log`."""
        self._arguments = arguments
        self._log = log
        self._env = {**os.environ, **(env or {})}
        self._process: asyncio.subprocess.Process | None = None
        self.ready: dict[str, object] = {}

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> Self:
        """Start and wait for the ready line. Raises `ProcessError`."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._arguments,
                env=self._env,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        stdout = self._process.stdout
        if stdout is None:
            raise ProcessError("a child without standard output")
        try:
            async with asyncio.timeout(READY_S):
                line = await stdout.readline()
        except TimeoutError:
            line = b""
        if not line.startswith(b"{"):
            await self.stop()
            raise ProcessError(f"{self._arguments[0]} did not start: {self.last_words()}")
        self.ready = orjson.loads(line)
        return self

    async def wait(self) -> int:
        """Wait until it ends by itself; returns its exit code."""
        if self._process is None:
            return 0
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, wait, and insist after ten seconds. Safe to call twice."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def last_words(self) -> str:
        """The end of what it wrote to its log."""
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return text[-600:] or "it said nothing"
