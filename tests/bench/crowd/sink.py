"""The merchant's webhook receiver: verifies each message and says which payout it told of."""

import asyncio
import base64
import hmac
import re
from collections.abc import Callable
from typing import Final, cast

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID: Final = re.compile(rb"\r\nwebhook-id: *([^\r]+)", re.IGNORECASE)
_STAMP: Final = re.compile(rb"\r\nwebhook-timestamp: *([^\r]+)", re.IGNORECASE)
_SIGNATURE: Final = re.compile(rb"\r\nwebhook-signature: *([^\r]+)", re.IGNORECASE)
_REFERENCE: Final = re.compile(rb'"merchant_ref":"([^"]+)"')
_TAKEN: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_REFUSED: Final = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """Which secrets are believed, and who is told."""

    def __init__(self, heard: Callable[[str], None]) -> None:
        """`heard` gets the merchant_ref of each message that verified."""
        self.heard = heard
        self.secrets: list[bytes] = []
        self.refused = 0

    def trust(self, secret: str) -> None:
        """Believe messages signed with this endpoint secret, too."""
        self.secrets.append(base64.b64decode(secret.removeprefix("whsec_")))

    def connection(self) -> "Connection":
        """For each connection one; a protocol factory."""
        return Connection(self)

    def take(self, head: bytes, body: bytes) -> bytes:
        """Judge one message; the reply's bytes."""
        named = _REFERENCE.search(body)
        if named is None or not self._is_signed(head, body):
            self.refused += 1
            return _REFUSED
        self.heard(named[1].decode())
        return _TAKEN

    def _is_signed(self, head: bytes, body: bytes) -> bool:
        found = [pattern.search(head) for pattern in (_ID, _STAMP, _SIGNATURE)]
        parts = [one[1] for one in found if one is not None]
        if len(parts) != len(found):
            return False
        message_id, stamp, given = parts
        signed = b"%b.%b.%b" % (message_id, stamp, body)
        offered = given.split(b" ")
        for secret in self.secrets:
            expected = b"v1," + base64.b64encode(hmac.digest(secret, signed, "sha256"))
            if any(hmac.compare_digest(expected, one) for one in offered):
                return True
        return False


class Connection(asyncio.Protocol):
    """One connection of a sender, which may send one message after another on it."""

    def __init__(self, receiver: Receiver) -> None:
        """Of this receiver."""
        self._receiver = receiver
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody called."""
        # uvloop's transports are streams and derive from no common class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every message that is whole."""
        self._received += data
        while self._transport is not None:
            head = self._received.find(_END)
            length = _LENGTH.search(self._received, 0, head) if head >= 0 else None
            if length is None:
                return
            begin = head + len(_END)
            end = begin + int(length[1])
            if len(self._received) < end:
                return
            reply = self._receiver.take(
                bytes(self._received[: head + 2]), bytes(self._received[begin:end])
            )
            del self._received[:end]
            self._transport.write(reply)
