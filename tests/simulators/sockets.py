"""Raw HTTP/1.1 over real sockets, and a receiver of notices, for the tests of the shell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from simulators.kernel import Request


def wire(request: Request, *, target: str | None = None) -> bytes:
    """The bytes of a request."""
    head = [f"{request.method} {target or request.target} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in request.headers.items()]
    head += [f"content-length: {len(request.body)}", "connection: close"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + request.body


async def exchange(url: str, raw: bytes) -> tuple[bytes, bool]:
    """Everything that came back, and whether the connection ended in a reset."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    received = b""
    try:
        writer.write(raw)
        await writer.drain()
        while chunk := await reader.read(65536):
            received += chunk
    except ConnectionResetError:
        return received, True
    finally:
        writer.close()
    return received, False


@dataclass
class Receiver:
    """Takes notices; `says` is what it answers, in turn, the last for ever."""

    says: list[tuple[int, str]] = field(default_factory=lambda: [(200, "success")])
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.BaseRequest) -> web.Response:
        """Keep the body and answer."""
        self.bodies.append(await request.read())
        status, text = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        return web.Response(status=status, text=text)


@asynccontextmanager
async def receiving(*says: tuple[int, str]) -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(list(says) or [(200, "success")])
    runner = web.ServerRunner(web.Server(receiver.take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/notices"
    try:
        yield receiver
    finally:
        await runner.cleanup()
