"""One port of a simulator: takes HTTP, or truly refuses it.

A refusing port stays bound without listening, so that callers get a real ECONNREFUSED and nobody
else can take the number meanwhile. Resets carry no FIN: the caller sees ECONNRESET, as after a
crash.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulators.kernel import Cut, Reply

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LINGER_NONE = struct.pack("ii", 1, 0)
_BACKLOG = 512
_SHUTDOWN_S = 0.2


class Listener:
    """A listening, or refusing, socket for some accounts."""

    def __init__(
        self,
        host: str,
        port: int,
        accounts: tuple[str, ...],
        handler: Handler,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Bind at once (port 0: a free one). Raises OSError."""
        self.accounts = accounts
        self._tls = tls
        self._host = host
        self._handler = handler
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'http' if self._tls is None else 'https'}://{self._host}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether connections are taken."""
        return self._runner is not None

    async def open(self) -> None:
        """Take connections from now on."""
        if self._runner is None:
            runner = web.ServerRunner(
                web.Server(self._handler, handler_cancellation=True, access_log=None),
                shutdown_timeout=_SHUTDOWN_S,
            )
            await runner.setup()
            await web.SockSite(
                runner, self._socket, backlog=_BACKLOG, ssl_context=self._tls
            ).start()
            self._runner = runner

    async def refuse(self) -> None:
        """Refuse connections from now on and reset those that are open."""
        if self._runner is not None:
            await self._shut(self._runner)
            self._socket = _bound(self._host, self.port)

    async def close(self) -> None:
        """Give the port back."""
        if self._runner is not None:
            await self._shut(self._runner)
        self.release()

    def release(self) -> None:
        """Give back a port that takes no connections."""
        self._socket.close()

    async def _shut(self, runner: web.ServerRunner) -> None:
        self._runner = None
        for site in list(runner.sites):
            await site.stop()
        if runner.server is not None:
            for connection in list(runner.server.connections):
                abort(connection.transport)
        await runner.cleanup()


def abort(transport: asyncio.BaseTransport | None) -> None:
    """Reset a connection: what is unsent is lost and the other side gets ECONNRESET."""
    if not isinstance(transport, asyncio.Transport):
        return
    raw = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()


async def send(request: web.BaseRequest, reply: Reply | None, cut: Cut) -> web.StreamResponse:
    """Put a reply on the wire, whole or cut."""
    if reply is None or cut in (Cut.BEFORE, Cut.AFTER):
        abort(request.transport)
        return web.Response(status=500)
    headers = dict(reply.headers)
    if cut is Cut.NONE:
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    partial = web.StreamResponse(status=reply.status, headers=headers)
    partial.content_length = len(reply.body)
    await partial.prepare(request)
    await partial.write(reply.body[: len(reply.body) // 2])
    # The reset would overtake bytes still in this process; loopback needs one turn to take them.
    await asyncio.sleep(0.01)
    abort(request.transport)
    return partial


def origin_form(target: str) -> str:
    """`/path?query` of a request target that may name scheme and host (RFC 9112, 3.2.2)."""
    if target.startswith("/"):
        return target
    _, _, rest = target.partition("://")
    _, slash, path = rest.partition("/")
    return slash + path or "/"


def _bound(host: str, port: int) -> socket.socket:
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        raw.bind((host, port))
    except OSError:
        raw.close()
        raise
    raw.setblocking(False)
    return raw
