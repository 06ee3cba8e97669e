"""Bad lines: one that is cut before answers come back, and one whose answers never end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Cutter:
    """Passes on whole requests; cuts so many answers off, and then none."""

    port: int
    to: int
    cuts: int = 0
    hold: asyncio.Event | None = None
    """Answers are kept back until it is set."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the gateway has answered a request."""
    passed: list[bytes] = field(default_factory=list)
    """Requests that reached the gateway and were answered by it, in order."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection: answers say that it closes."""
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                request = await _message(reader)
                inner, outer = await asyncio.open_connection("127.0.0.1", self.to)
                try:
                    outer.write(request.replace(b"onnection: keep-alive", b"onnection: close", 1))
                    answer = await _message(inner)
                finally:
                    outer.close()
                self.passed.append(request)
                self.arrived.set()
                if self.hold is not None:
                    await self.hold.wait()
                if self.cuts:
                    self.cuts -= 1
                    writer.transport.abort()
                    return
                writer.write(answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                await writer.drain()
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.partition(b":")[2]))
    return head


@asynccontextmanager
async def cutter(to: int) -> AsyncIterator[Cutter]:
    """Listen for the length of a test, before the gateway on this port."""
    made = Cutter(0, to)
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def dripping() -> AsyncIterator[str]:
    """A server that answers 201 and sends one blank after the other; where it listens."""
    over, under_way = asyncio.Event(), set[asyncio.Task[None]]()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        with suppress(ConnectionError):
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
            while not over.is_set():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        over.set()
        await asyncio.gather(*under_way)
        server.close()
        await server.wait_closed()
