"""A merchant's web server: real sockets, everything it heard, and a behaviour per path."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]
    """Tells connections apart."""

    @property
    def id(self) -> str:
        """The delivery's id."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Answers 204 unless told otherwise."""

    host: str
    port: int = 0
    scheme: str = "http"
    heard: list[Heard] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    busy: int = 0
    busiest: int = 0
    """The most requests that were ever being answered at one time."""

    @property
    def origin(self) -> str:
        """`host:port`, as an allow-list names it."""
        return f"{self.host}:{self.port}"

    def url(self, path: str = "/hook") -> str:
        """Where to send."""
        return f"{self.scheme}://{self.origin}{path}"

    def ids(self, path: str | None = None) -> list[str]:
        """Deliveries heard, in order."""
        return [heard.id for heard in self.heard if path in (None, heard.path)]

    def answers(self, path: str, *statuses: int) -> None:
        """Answer these one after the other, and then the last one for ever."""
        left = list(statuses)

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=left.pop(0) if len(left) > 1 else left[0])

        self.behaviours[path] = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note the request down, then behave."""
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            assert request.transport is not None
            peer = request.transport.get_extra_info("peername")
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.heard.append(Heard(request.path_qs, headers, await request.read(), peer))
            behaviour = self.behaviours.get(request.path)
            return await behaviour(request) if behaviour else web.Response(status=204)
        finally:
            self.busy -= 1


@asynccontextmanager
async def receiver(
    host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Listen for the length of a test."""
    listening = Receiver(host, scheme="https" if tls else "http")
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", listening.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    await site.start()
    listening.port = runner.addresses[0][1]
    try:
        yield listening
    finally:
        await runner.cleanup()
