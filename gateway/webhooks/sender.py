"""One try of one webhook: sign, guard, POST, hear the status.

The status line is the whole answer. The body is read only so that the connection can be used again,
up to a bound, and thrown away, save its beginning, where another platform's receivers say that they
have heard; redirects are answers like any other and never followed.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
from aiohttp.http import RawResponseMessage
from msgspec.structs import replace

from channels.line import Line
from gateway.engine.deliver import Answer
from gateway.ports import Delivery, Endpoint
from gateway.webhooks.egress import Destination, Egress, EgressError
from gateway.webhooks.resolve import Lookup, SystemLookup, connector
from gateway.webhooks.signing import signed_headers

TIMEOUT_S = 10.0
"""For everything: look-up, connect, TLS, request, status, rest of the reply (reliability.md §6)."""
REPLY_BYTES_MAX = 64 * 1024
SAID_BYTES_MAX = 256
USER_AGENT = "hangdao-webhooks"


class WebhookSender:
    """Sends to any endpoint the egress rules admit. Nothing is opened before the first webhook."""

    def __init__(
        self,
        egress: Egress,
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self._egress = egress
        self._timeout_s = timeout_s
        self._tls = tls
        self._system = SystemLookup()
        self._lookup: Lookup = lookup or self._system
        self._lines: dict[bool, Line] = {}
        self._closed = False

    async def send(self, endpoint: Endpoint, delivery: Delivery, at: datetime) -> Answer:
        """Try once, at most; whatever the receiver or its URL does wrong comes back as an answer.

        `at` is the signature's timestamp: receivers refuse one that is more than minutes off.
        """
        try:
            headers = signed_headers(delivery.id, delivery.payload, endpoint.secrets, at)
        except Exception as error:  # noqa: BLE001 - one webhook's trouble must not stop the others
            return Answer(None, self._described(error))
        headers |= {"User-Agent": USER_AGENT, "content-type": "application/json"}
        return replace(await self._post(endpoint.url, delivery.payload, headers), said=b"")

    async def post(self, url: str, body: bytes, content_type: str) -> Answer:
        """Try once to say something in another platform's form, which signs its own way."""
        headers = {"User-Agent": USER_AGENT} | ({"content-type": content_type} if body else {})
        return await self._post(url, body, headers)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        reply = _Reply()
        try:
            destination = self._egress.destination(url)
            async with asyncio.timeout(self._timeout_s):
                line = self._line(destination)
                await line.ask("POST", destination.url, headers.items(), body, reply.hear)
        except Exception as error:  # noqa: BLE001 - one webhook's trouble must not stop the others
            if reply.status is None:
                return Answer(None, self._described(error))
        return Answer(reply.status, said=bytes(reply.said))

    async def aclose(self) -> None:
        """Drop every connection; may be called twice. Nothing is sent afterwards."""
        self._closed = True
        while self._lines:
            _, line = self._lines.popitem()
            await line.aclose()
        self._system.close()

    def _line(self, destination: Destination) -> Line:
        if self._closed:
            raise EgressError("the gateway is stopping")
        line = self._lines.get(destination.listed)
        if line is None:
            # Reading whom the system trusts takes the loop's time; aiohttp has done it.
            pool = connector(
                self._egress, self._lookup, self._tls or True, listed=destination.listed
            )
            line = self._lines[destination.listed] = Line(pool)
        return line

    def _described(self, error: Exception) -> str:
        """Say it for the merchant; the HTTP library's own texts may quote URLs and stay here."""
        match error:
            case EgressError() | aiohttp.ClientConnectorError(os_error=EgressError()):
                return str(getattr(error, "os_error", error))
            case aiohttp.ClientConnectorDNSError():
                return "the host name does not resolve"
            case aiohttp.ClientConnectorCertificateError():
                return "the TLS certificate is not trusted or is for another host"
            case aiohttp.ClientConnectorSSLError():
                return "the TLS handshake failed"
            case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
                return "the connection was refused"
            case aiohttp.ClientConnectorError():
                return "no connection could be made"
            case TimeoutError():
                return f"no answer within {self._timeout_s:g} s"
            case aiohttp.ClientResponseError():
                return "the answer was not readable as HTTP"
            case aiohttp.ClientConnectionError() | OSError():
                return "the connection broke before an answer came"
            case _:
                return f"it could not be sent ({type(error).__name__})"


@dataclass(slots=True)
class _Reply:
    """What came of a reply so far."""

    status: int | None = None
    said: bytearray = field(default_factory=bytearray)
    """Its beginning, which is longer than any word."""

    async def hear(self, message: RawResponseMessage, body: aiohttp.StreamReader) -> None:
        """Read to the end so that the connection can serve again, or not all of a long one."""
        self.status = message.code
        left = REPLY_BYTES_MAX
        while left > 0:
            chunk = await body.read(left)
            if not chunk:
                return
            left -= len(chunk)
            self.said += chunk[: SAID_BYTES_MAX - len(self.said)]
