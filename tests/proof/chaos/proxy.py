"""A loopback connection that can be made bad: slow, dripping, cut, or silent."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

from gateway.sandbox.installation import free_port

Mode = Literal["open", "slow", "drip", "hole", "cut"]
CHUNK = 65_536
DRIP_BYTES = 48
DRIP_S = 0.004


@dataclass(slots=True)
class Link:
    """Listens on `port` and passes everything on to `upstream`, as `mode` allows."""

    name: str
    upstream: int
    port: int = 0
    mode: Mode = "open"
    """`slow`: each chunk waits; `drip`: a few bytes at a time; `hole`: connections stay and
    nothing passes; `cut`: connections are reset and refused."""
    delay_s: float = 0.0
    _server: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] | None = None
    _writers: set[asyncio.StreamWriter] | None = None
    _changed: asyncio.Event | None = None

    async def start(self) -> Self:
        """Begin to listen."""
        self.port = self.port or free_port()
        self._tasks, self._writers, self._changed = set(), set(), asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def stop(self) -> None:
        """End, with every connection."""
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in [*(self._tasks or ())]:
            task.cancel()
        await asyncio.gather(*(self._tasks or ()), return_exceptions=True)

    def become(self, mode: Mode, *, delay_s: float = 0.0) -> None:
        """Change what happens to bytes from now on; what was swallowed goes on when it opens."""
        self.mode, self.delay_s = mode, delay_s
        if mode == "cut":
            self.reset()
        if self._changed is not None:
            self._changed.set()
            self._changed = asyncio.Event()

    def reset(self) -> None:
        """Cut every connection there is."""
        for writer in [*(self._writers or ())]:
            writer.transport.abort()

    def lead_to(self, upstream: int) -> None:
        """Another server behind the same address: connections to the old one end."""
        self.upstream = upstream
        self.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert self._tasks is not None
        assert self._writers is not None
        self._tasks.add(task)
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            if self.mode == "cut":
                return
            back, there = await asyncio.open_connection("127.0.0.1", self.upstream)
            self._writers.add(there)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there))
                group.create_task(self._pump(back, writer))
        except (OSError, asyncio.CancelledError, ExceptionGroup):
            pass
        finally:
            for one in filter(None, (writer, there)):
                self._writers.discard(one)
                one.transport.abort()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            while self.mode == "hole" and self._changed is not None:
                await self._changed.wait()
            if self.mode == "slow":
                await asyncio.sleep(self.delay_s)
            size = DRIP_BYTES if self.mode == "drip" else CHUNK
            for at in range(0, len(data), size):
                writer.write(data[at : at + size])
                await writer.drain()
                if self.mode == "drip":
                    await asyncio.sleep(DRIP_S)
        with suppress(OSError, RuntimeError):
            writer.write_eof()
