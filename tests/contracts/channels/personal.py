"""What must be read by nobody: payees and secrets, and how a text is searched for them."""

import base64
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from channels.contract import Instrument

_PAYEE_FIELDS = ("identity", "openid", "number", "account_id", "address", "recipient_id", "name")
_FRAGMENT = 16
_BASE64 = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")


def marks(payee: Instrument) -> list[str]:
    """What tells a person: must not be read by who reads journals, logs or errors."""
    values = (getattr(payee, name, None) for name in _PAYEE_FIELDS)
    return [value for value in values if isinstance(value, str) and value]


def fragments(secrets: Sequence[str]) -> list[bytes]:
    """Each secret, and each long line of those that have lines, in the writings it may take."""
    found: list[bytes] = []
    for secret in secrets:
        lines = [line for line in secret.splitlines() if not line.startswith("-----")]
        for raw in (line.encode() for line in lines if len(line) >= _FRAGMENT or len(lines) == 1):
            found += [raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode()]
    return found


def revealed(text: str, hidden: Sequence[str]) -> list[str]:
    """Which of these a text shows, as it stands or within base64."""
    plain = text.encode()
    everything = plain + b"\n" + b"\n".join(_unpacked(plain))
    return [one for one in hidden if one.encode() in everything]


def _unpacked(plain: bytes) -> Iterator[bytes]:
    """What every long run of base64 in a text holds."""
    run = bytearray()
    for byte in plain + b"\n":
        if byte in _BASE64:
            run.append(byte)
            continue
        if len(run) >= 24:
            cut = bytes(run[: len(run) // 4 * 4])
            yield base64.b64decode(cut.translate(bytes.maketrans(b"-_", b"+/")))
        run.clear()


@contextmanager
def listening_to_logs() -> Iterator[list[str]]:
    """Every line that any logger writes meanwhile."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, keep = logging.getLogger(), Keep()
    before = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(keep)
        root.setLevel(before)
