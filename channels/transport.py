"""The one place that decides *sent or not sent*.

`post` puts at most one request on the wire: no redirect, no retry, no proxy, no cookie, no second
hop, so whatever fails before the connection is handed over provably left nothing behind (`NotSent`)
and whatever fails after it may have moved money (`Unknown`). An HTTP status decides nothing here:
any complete reply is a `Reply`, and only an adapter that has verified it may believe it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, Self

import aiohttp
from aiohttp.http import RawResponseMessage
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt, wait_fixed
from yarl import URL

from channels.contract import Evidence, NotSent, NotSentCause, Unknown, UnknownCause
from channels.line import Line
from channels.unprinted import Unprinted

EVIDENCE_BYTES = 4096
REPLY_BYTES_MAX = 1 << 20
IDLE_CONNECTION_S = 15.0

Headers = tuple[tuple[str, str], ...]


class Reply(Unprinted, frozen=True):
    """A complete HTTP reply, not yet verified by anyone. Header names are lower case."""

    hidden = frozenset({"headers", "body"})

    status: int
    headers: Mapping[str, str]
    body: bytes

    def evidence(self, code: str | None = None, message: str | None = None) -> Evidence:
        """What the peer said, cut to what may be kept."""
        return Evidence(self.status, code, message, self.body[:EVIDENCE_BYTES])


@dataclass(slots=True)
class _Progress:
    """How far one request came; `touched` once a connection was handed over for writing."""

    touched: bool = False
    status: int | None = None
    received: bytearray = field(default_factory=bytearray)

    def touch(self) -> None:
        """From now on bytes may leave."""
        self.touched = True

    def evidence(self, message: str) -> Evidence:
        return Evidence(self.status, None, message, bytes(self.received[:EVIDENCE_BYTES]))


class _TooLargeError(Exception):
    """The reply is longer than the caller is willing to hold."""


class Reach(Protocol):
    """How far a channel's settings let its transport go."""

    @property
    def connect_timeout_s(self) -> float:
        """For one connection, TLS and all."""

    @property
    def total_timeout_s(self) -> float:
        """For one request, once it has a connection to use."""

    @property
    def pool_wait_s(self) -> float:
        """For a free connection."""

    @property
    def connections(self) -> int:
        """At once, at most."""

    @property
    def tls_ca_file(self) -> Path | None:
        """The authorities to trust instead of the system's."""


class Transport:
    """One channel's way out: its own pool, its own bounds, its own TLS context.

    Nothing is opened before the first request; `aclose` may be called twice, and afterwards every
    request is `NotSent`. A cancelled call propagates `CancelledError`: its fate is unknown.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        total_timeout_s: float,
        pool_wait_s: float,
        connections: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._total_timeout_s = total_timeout_s
        self._pool_wait_s = pool_wait_s
        self._slots = asyncio.Semaphore(connections)
        self._tls = tls
        self._line: Line | None = None
        self._closed = False

    @classmethod
    def of(cls, reach: Reach, *, tls: ssl.SSLContext | None = None) -> Self:
        """As the settings say; `tls` for a channel that has more to say than whom it trusts."""
        authorities = reach.tls_ca_file
        if tls is None and authorities is not None:
            tls = ssl.create_default_context(cafile=authorities)
        return cls(
            connect_timeout_s=reach.connect_timeout_s,
            total_timeout_s=reach.total_timeout_s,
            pool_wait_s=reach.pool_wait_s,
            connections=reach.connections,
            tls=tls,
        )

    async def post(
        self, url: str, headers: Headers, body: bytes, *, max_bytes: int = REPLY_BYTES_MAX
    ) -> Reply | NotSent | Unknown:
        """Send exactly these bytes as one POST, at most once, and hear the whole reply."""
        return await self._once("POST", url, headers, body, max_bytes)

    async def get(
        self, url: str, headers: Headers, *, max_bytes: int = REPLY_BYTES_MAX
    ) -> Reply | Unknown:
        """Read; never for anything that moves money. A question that was not sent is unanswered."""
        return unanswered(await self._once("GET", url, headers, None, max_bytes))

    async def aclose(self) -> None:
        """Drop every connection; requests on the wire become `Unknown`."""
        self._closed = True
        line, self._line = self._line, None
        if line is not None:
            await line.aclose()

    async def _once(
        self, method: str, url: str, headers: Headers, body: bytes | None, max_bytes: int
    ) -> Reply | NotSent | Unknown:
        if self._slots.locked():
            try:
                async with asyncio.timeout(self._pool_wait_s):
                    await self._slots.acquire()
            except TimeoutError:
                detail = f"no free connection in {self._pool_wait_s} s"
                return NotSent(NotSentCause.POOL_WAIT, detail)
        else:
            # It does not wait, so no timer is set.
            await self._slots.acquire()
        try:
            # A kept-alive connection that the peer has closed is noticed only when the loop turns:
            # once to poll the socket, once to run what the poll found. Without these two turns a
            # busy loop writes onto it and the payout is in doubt for no reason.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await self._exchange(method, url, headers, body, max_bytes)
        finally:
            self._slots.release()

    async def _exchange(
        self, method: str, url: str, headers: Headers, body: bytes | None, max_bytes: int
    ) -> Reply | NotSent | Unknown:
        if self._closed:
            return NotSent(NotSentCause.PREPARE, "the channel is closed")
        progress = _Progress()
        try:
            async with asyncio.timeout(self._total_timeout_s):
                return await self._opened().ask(
                    *(method, URL(url, encoded=True), headers, body),
                    partial(_receive, progress, max_bytes),
                    handed=progress.touch,
                )
        except Exception as error:  # noqa: BLE001 - no exception may pass for "failed"
            if not progress.touched:
                return NotSent(_before(error, url), _described(error))
            return Unknown(_after(error), progress.evidence(_described(error)))

    def _opened(self) -> Line:
        if self._line is None:
            self._line = Line(
                # `limit=0`: the semaphore alone bounds connections, so a wait for one can never
                # hide inside the connect timeout.
                aiohttp.TCPConnector(
                    limit=0,
                    # Reading whom the system trusts takes the loop's time; aiohttp has done it.
                    ssl=self._tls or True,
                    keepalive_timeout=IDLE_CONNECTION_S,
                ),
                connect_timeout_s=self._connect_timeout_s,
            )
        return self._line


async def _receive(
    progress: _Progress,
    max_bytes: int,
    message: RawResponseMessage,
    body: aiohttp.StreamReader,
) -> Reply:
    """Take in the whole body, keeping what came so far as evidence should it stop."""
    progress.status = message.code
    async for chunk in body.iter_any():
        progress.received += chunk
        if len(progress.received) > max_bytes:
            raise _TooLargeError
    return Reply(message.code, _lowered(message), bytes(progress.received))


def unanswered(answer: Reply | NotSent | Unknown) -> Reply | Unknown:
    """Turn a question that never left into one without an answer; inquiries are never `NotSent`."""
    match answer:
        case NotSent(NotSentCause.CONNECT_TIMEOUT | NotSentCause.POOL_WAIT as cause, detail):
            return Unknown(UnknownCause.TIMEOUT, Evidence(message=f"{cause}: {detail}"))
        case NotSent(cause, detail):
            return Unknown(UnknownCause.CONNECTION_LOST, Evidence(message=f"{cause}: {detail}"))
        case _:
            return answer


async def read(
    ask: Callable[[], Awaitable[Reply | NotSent | Unknown]], *, tries: int = 3, pause_s: float = 0.2
) -> Reply | Unknown:
    """Ask again when a question was lost on the way; only for reads, never for a payout.

    A timeout is not repeated: it has cost enough, and whoever asked will ask again later.
    """

    async def once() -> Reply | NotSent | Unknown:
        return await ask()  # tenacity does not see through a lambda that returns an awaitable

    retrying = AsyncRetrying(
        retry=retry_if_result(_lost),
        stop=stop_after_attempt(tries),
        wait=wait_fixed(pause_s),
        retry_error_callback=_last_answer,
    )
    answer: Reply | NotSent | Unknown = await retrying(once)
    return unanswered(answer)


def _lost(answer: Reply | NotSent | Unknown) -> bool:
    match answer:
        case Reply():
            return False
        case NotSent(cause):
            return cause in {NotSentCause.DNS, NotSentCause.REFUSED, NotSentCause.UNREACHABLE}
        case Unknown(cause):
            return cause is UnknownCause.CONNECTION_LOST


async def _last_answer(state: RetryCallState) -> Reply | NotSent | Unknown:
    if state.outcome is None:
        raise AssertionError("tenacity stops only after an attempt")
    answer: Reply | NotSent | Unknown = state.outcome.result()
    return answer


def _before(error: Exception, url: str) -> NotSentCause:
    """Why no connection came to be."""
    match error:
        case TimeoutError():
            return NotSentCause.CONNECT_TIMEOUT
        case aiohttp.ClientConnectorDNSError():
            return NotSentCause.DNS
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return NotSentCause.TLS
        case aiohttp.ClientConnectorError(os_error=TimeoutError()):
            return NotSentCause.CONNECT_TIMEOUT
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return NotSentCause.REFUSED
        case aiohttp.ClientConnectorError(
            os_error=ConnectionResetError() | ConnectionAbortedError()
        ) if url.startswith("https:"):
            return NotSentCause.TLS  # the peer hung up in the handshake
        case aiohttp.ClientConnectionError() | OSError():
            return NotSentCause.UNREACHABLE
        case _:
            return NotSentCause.PREPARE


def _after(error: Exception) -> UnknownCause:
    """Why the answer is missing or worthless although the request may have arrived."""
    match error:
        case TimeoutError():
            return UnknownCause.TIMEOUT
        case aiohttp.ClientResponseError() | _TooLargeError() | ValueError():
            return UnknownCause.UNREADABLE
        case _:
            return UnknownCause.CONNECTION_LOST


def _described(error: Exception) -> str:
    """Name the failure without its text: messages of the HTTP library may quote URL and body."""
    os_error = getattr(error, "os_error", None)
    cause = os_error if isinstance(os_error, OSError) else error
    number = getattr(cause, "errno", None)
    return type(cause).__name__ + (f" (errno {number})" if number else "")


def _lowered(message: RawResponseMessage) -> Mapping[str, str]:
    lowered: dict[str, str] = {}
    for name, value in message.headers.items():
        key = name.lower()
        lowered[key] = f"{lowered[key]}, {value}" if key in lowered else value
    return lowered
