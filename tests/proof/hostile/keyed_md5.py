"""What Jeepay and XxPay sign, written down once more and apart from the adapters.

Judged is the text that was signed, not its fields: it does not say where a value ends, and a value
that holds `&state=3` is the protocol's own weakness (channels/keyed_md5/signing.py).
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from tests.proof.hostile.alipay import strict
from tests.proof.hostile.mutate import Spoiler


def signer(secret: str) -> Callable[[bytes], str]:
    """Whoever knows this secret."""

    def sign(content: bytes) -> str:
        whole = content + b"key=" + secret.encode()
        return hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()

    return sign


def signed_text(fields: Mapping[str, object]) -> bytes:
    """`k=v&` of all that is not empty, sorted without regard to case; empty if there is no rule."""
    parts = []
    for name, value in fields.items():
        if name == "sign" or value is None or value == "":
            continue
        if not isinstance(value, bool | int | str):
            return b""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        parts.append(f"{name}={text}&")
    return "".join(sorted(parts, key=str.lower)).encode(errors="surrogatepass")


def object_in(raw: bytes) -> Mapping[str, Any] | None:
    """The JSON object, whole numbers as their value is written, so `-0` as `0`."""
    return strict(raw, lambda digits: str(int(digits)))


def seal(content: bytes, signature: object) -> bytes:
    """The two together: only both say that somebody signed this."""
    said = signature.upper() if isinstance(signature, str) else ""
    return content + b"\n" + said.encode(errors="surrogatepass")


def sign_somehow(
    spoiler: Spoiler,
    content: bytes,
    other: Mapping[str, object],
    right: Callable[[bytes], str],
    wrong: Callable[[bytes], str],
) -> tuple[str, tuple[bytes, ...]]:
    """A signature, and the seals of what was really signed."""
    said, proven = spoiler.signature(content, signed_text(other), right, wrong)
    return said, tuple(seal(one, said) for one in proven)


def form_in(text: str) -> Mapping[str, str] | None:
    """The form in a body or query; None if it is none or names a field twice."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) else None


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A field as text; absent, null and empty are the same."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def number_in(fields: Mapping[str, Any], name: str) -> int | None:
    """A field of digits."""
    text = text_of(fields, name)
    return int(text) if text.isascii() and text.isdigit() else None
