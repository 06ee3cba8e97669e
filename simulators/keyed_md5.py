"""The signature of Jeepay and XxPay as their servers compute it, and the texts it is taken over.

Source: the public descriptions of both (签名算法): fields that are null or empty are left out,
`name=value&` strings are put into an order that ignores case, `key=SECRET` follows, and the MD5 of
all that is written in upper-case hex. Values are taken as they are, not URL-encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

SIGN = "sign"


def sign(fields: Mapping[str, object], secret: str) -> str:
    """The signature over everything in `fields` but a `sign` that may already be there."""
    said = (f"{name}={_java(value)}&" for name, value in fields.items() if name != SIGN)
    kept = [part for part in said if not part.endswith("=&")]
    text = "".join(sorted(kept, key=str.casefold)) + "key=" + secret
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def is_signed(fields: Mapping[str, object], secret: str) -> bool:
    """Whether `sign` fits the rest; upper and lower hex are the same."""
    given = fields.get(SIGN)
    return isinstance(given, str) and given.upper() == sign(fields, secret)


def another(signature: str) -> str:
    """A signature of the same look that belongs to something else."""
    return ("0" if signature[:1] != "0" else "1") + signature[1:]


def _java(value: object) -> str:
    """A value as Java's string concatenation writes it; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
