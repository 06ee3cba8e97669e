"""One kept-alive HTTP connection on which one question at a time is asked."""

import asyncio
import re
from contextlib import suppress
from typing import Final, cast

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END: Final = b"\r\n\r\n"

Answer = tuple[int, bytes]
"""Status and body."""


class LineBrokenError(ConnectionError):
    """The connection ended before the answer was whole: what became of the request is unknown."""


class Line(asyncio.Protocol):
    """Connects when it is first used, and again after it broke."""

    def __init__(self, host: str, port: int) -> None:
        """Where the server is."""
        self._address = (host, port)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._received = bytearray()

    async def ask(self, request: bytes, patience_s: float) -> Answer:
        """Send these bytes and hear the answer. Raises `OSError` or `TimeoutError`."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, *self._address)
        transport = self._transport
        if transport is None:
            raise LineBrokenError("closed at once")
        waiting: asyncio.Future[Answer] = loop.create_future()
        self._waiting = waiting
        alarm = loop.call_later(patience_s, self._give_up)
        try:
            transport.write(request)
            return await waiting
        finally:
            alarm.cancel()
            self._waiting = None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to ask."""
        # uvloop's transports are streams and derive from no common class.
        self._transport = cast("asyncio.Transport", transport)
        self._received.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits will hear nothing."""
        self._transport = None
        self._fail(LineBrokenError(str(exc or "closed by the server")))

    def data_received(self, data: bytes) -> None:
        """Collect until the answer is whole."""
        self._received += data
        head = self._received.find(_END)
        if head < 0:
            return
        length = _LENGTH.search(self._received, 0, head)
        end = head + len(_END) + (int(length[1]) if length else 0)
        if len(self._received) < end:
            return
        answer = (int(self._received[9:12]), bytes(self._received[head + len(_END) : end]))
        del self._received[:end]
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def _give_up(self) -> None:
        self._fail(TimeoutError())
        self.close()

    def _fail(self, error: Exception) -> None:
        with suppress(asyncio.InvalidStateError):
            if self._waiting is not None:
                self._waiting.set_exception(error)
