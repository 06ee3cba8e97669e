"""`application/x-www-form-urlencoded`, byte for byte as `urllib.parse.urlencode` writes it.

The standard library looks every single byte up; here each kind of byte is replaced all at once, in
a fraction of its time. Each payout has a form or two, most of which needs no change.
"""

import string
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_PLAIN: Final = f"{string.ascii_letters}{string.digits}_.-~".encode()
_WRITTEN: Final = tuple((bytes([byte]), b"%%%02X" % byte) for byte in range(256))
_PERCENT, _BLANK = b"% "


def quoted(text: str) -> str:
    """As `quote_plus`."""
    written = text.encode()
    special = written.translate(None, _PLAIN)
    if not special:
        return text
    kinds = set(special)
    # What is written for any other byte has the one in it, and the other becomes a byte of its own.
    if _PERCENT in kinds:
        written = written.replace(*_WRITTEN[_PERCENT])
    for byte in kinds - {_PERCENT, _BLANK}:
        written = written.replace(*_WRITTEN[byte])
    return written.replace(b" ", b"+").decode()


_quoted_name = lru_cache(maxsize=256)(quoted)


def encoded(fields: Iterable[tuple[str, str]]) -> str:
    """As `urlencode`."""
    return "&".join([f"{_quoted_name(name)}={quoted(value)}" for name, value in fields])
