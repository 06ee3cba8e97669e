"""`application/x-www-form-urlencoded`, byte for byte as `urllib.parse.urlencode` writes it.

The standard library looks every single byte up; here runs of bytes are taken at once, in a third of
its time. Each payout has a form or two, most of which is quotation marks and Chinese.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_SPECIAL = re.compile(rb"([^A-Za-z0-9_.\-~ ]+)")


def quoted(text: str) -> str:
    """As `quote_plus`."""
    parts = _SPECIAL.split(text.encode())
    parts[1::2] = [b"%" + special.hex("%").upper().encode() for special in parts[1::2]]
    return b"".join(parts).replace(b" ", b"+").decode()


_quoted_name = lru_cache(maxsize=256)(quoted)


def encoded(fields: Iterable[tuple[str, str]]) -> str:
    """As `urlencode`."""
    return "&".join([f"{_quoted_name(name)}={quoted(value)}" for name, value in fields])
