"""One HTTP request on one pooled connection, written in one piece, at most once.

aiohttp looks names up, connects, speaks TLS, pools and parses. What its session does beside that
(redirects, cookies, proxies, retries, kinds of payloads) neither money nor webhooks want, and it is
half of what a request costs.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from yarl import URL

DESTINATIONS_KEPT = 256
"""Servers that need not be prepared for again."""
CONNECTIONS_TRIED = 3
"""Before anything is written: kept ones may have gone bad."""
_SWITCHING_PROTOCOLS = 101
# RFC 9110, section 5.5: a control character in a field could begin another field, or a request.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_Heard = TypeVar("_Heard")
Hear = Callable[[RawResponseMessage, aiohttp.StreamReader], Awaitable[_Heard]]
"""Gets status and headers, and the body as it comes; what it leaves unread costs the connection."""


class Line:
    """A way out over one connector, which it owns."""

    def __init__(
        self, connector: aiohttp.TCPConnector, *, connect_timeout_s: float | None = None
    ) -> None:
        self._connector = connector
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s)
        self._destinations: dict[URL, ClientRequest] = {}
        """By the URL without its path."""

    async def ask(
        self,
        method: str,
        url: URL,
        headers: Iterable[tuple[str, str]],
        body: bytes | None,
        hear: Hear[_Heard],
        *,
        handed: Callable[[], None] = lambda: None,
    ) -> _Heard:
        """Send exactly this, and hear the answer; no redirect is followed, nothing is repeated.

        `handed` is called once there is a connection to write to: before it, no byte has left.
        Raises what aiohttp raises, `ValueError` for what cannot be a request.
        """
        destination = self._destination(url)
        request = _written(method, url.raw_path_qs, [*destination.headers.items(), *headers], body)
        connection, protocol, transport = await self._connected(destination)
        handed()
        try:
            # Nothing is unpacked: a small reply must not become a big one.
            protocol.set_response_params(auto_decompress=False, read_until_eof=True)
            transport.write(request)
            message, payload = await protocol.read()
            while 100 <= message.code < 200 and message.code != _SWITCHING_PROTOCOLS:
                message, payload = await protocol.read()
            heard = await hear(message, payload)
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientResponseError(
                destination.request_info, (), status=error.code, message=error.message
            ) from error
        except BaseException:
            connection.close()
            raise
        if payload.is_eof():
            connection.release()
        else:
            connection.close()
        return heard

    async def _connected(
        self, destination: ClientRequest
    ) -> tuple[Connection, ResponseHandler, asyncio.Transport]:
        """Get a connection on which nothing has been said that was not asked for."""
        for _ in range(CONNECTIONS_TRIED):
            connection = await self._connector.connect(destination, [], self._timeout)
            protocol, transport = connection.protocol, connection.transport
            if protocol is not None and transport is not None and _is_fit(protocol, transport):
                return connection, protocol, transport
            connection.close()
        raise aiohttp.ClientConnectionResetError("the peer hangs up at once")

    async def aclose(self) -> None:
        """Drop every connection; requests on the wire break."""
        await self._connector.close()

    def _destination(self, url: URL) -> ClientRequest:
        """What tells the connector where to, and us the Host; it is never sent itself."""
        if url.scheme not in {"http", "https"}:
            raise ValueError("the URL is not one of HTTP")
        server = url.with_path("/", encoded=True)
        known = self._destinations.get(server)
        if known is None:
            # Built without a body and without defaults: nothing is among its headers but Host, and
            # what a name and a password in the URL ask for.
            skip = ("Accept", "Accept-Encoding", "User-Agent")
            loop = asyncio.get_running_loop()
            known = ClientRequest("GET", server, loop=loop, skip_auto_headers=skip)
            if len(self._destinations) >= DESTINATIONS_KEPT:
                self._destinations.clear()
            self._destinations[server] = known
        return known


def _is_fit(protocol: ResponseHandler, transport: asyncio.Transport) -> bool:
    """What came since the last answer would be taken for the next one."""
    return not protocol.should_close and not transport.is_closing()


def _written(method: str, target: str, fields: list[tuple[str, str]], body: bytes | None) -> bytes:
    """The request as it goes over the wire (RFC 9112, section 3)."""
    if body is not None:
        fields = [*fields, ("Content-Length", str(len(body)))]
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    head = " ".join(lines)
    # What is printable throughout has none; to find that out takes half the time.
    if not head.isprintable() and _CONTROL.search(head):
        raise ValueError("a control character in a header")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
