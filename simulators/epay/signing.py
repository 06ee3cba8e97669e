"""How an Epay site signs, verifies, and writes its JSON.

Source: the rules in wire-protocols.md §6 and dialects.md §2.2. Written for this simulator alone:
the adapter under test has its own, so that a shared mistake cannot hide.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_TRIMMED = " \t\n\r\0\x0b"


@dataclass(frozen=True, slots=True)
class Float:
    """A number of yuan as PHP's floats print: 12340 fen is `123.4`, 10000 fen is `100`."""

    fen: int

    def __str__(self) -> str:
        """As echo and json_encode both write it."""
        sign, yuan, fen = "-" if self.fen < 0 else "", *divmod(abs(self.fen), 100)
        return sign + f"{yuan}.{fen:02d}".rstrip("0").rstrip(".")


Value = str | int | Float | None
"""What stands in a reply."""


def yuan(fen: int) -> str:
    """A decimal(10,2) column as the database gives it."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


@lru_cache(maxsize=8)
def load_private_key(text: str) -> RSAPrivateKey:
    """PEM or bare base64. Raises ValueError for anything but RSA."""
    if "-----BEGIN" in text:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    else:
        key = serialization.load_der_private_key(base64.b64decode(text), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the site's key must be RSA")  # noqa: TRY004 - a bad value, for pydantic
    return key


@lru_cache(maxsize=64)
def load_public_key(text: str) -> RSAPublicKey:
    """PEM or bare base64. Raises ValueError for anything but RSA."""
    if "-----BEGIN" in text:
        key = serialization.load_pem_public_key(text.encode())
    else:
        key = serialization.load_der_public_key(base64.b64decode(text))
    if not isinstance(key, RSAPublicKey):
        raise ValueError("a merchant's key must be RSA")  # noqa: TRY004 - a bad value, for pydantic
    return key


def content(values: Mapping[str, Value]) -> bytes:
    """The text to sign: by key, `k=v&k=v`, without sign, sign_type and whatever is blank."""
    lines = []
    for name in sorted(values):
        value = values[name]
        if name in ("sign", "sign_type") or value is None or not str(value).strip(_TRIMMED):
            continue
        lines.append(f"{name}={value}")
    return "&".join(lines).encode()


def rsa(key: RSAPrivateKey, text: bytes) -> str:
    """SHA256withRSA (PKCS#1 v1.5), base64."""
    return base64.b64encode(key.sign(text, PKCS1v15(), hashes.SHA256())).decode()


def rsa_fits(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    """Whether the signature is by that key over these bytes."""
    try:
        key.verify(base64.b64decode(signature), text, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def md5(text: bytes, key: str) -> str:
    """Lower-case hex of the text with the key right behind it."""
    return hashlib.md5(text + key.encode(), usedforsecurity=False).hexdigest()


def written(values: Mapping[str, Value]) -> bytes:
    """JSON as PHP writes it here: Chinese as it is, slashes escaped, floats as they print."""
    return (
        "{" + ",".join(f"{_text(name)}:{_literal(v)}" for name, v in values.items()) + "}"
    ).encode()


def _literal(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return _text(value)
    return str(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("/", "\\/")
