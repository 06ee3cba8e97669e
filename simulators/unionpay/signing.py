"""ACP 5.1.0 signatures with certificates, and sensitive fields.

Source: the platform's signature rules (signMethod 01) as its own Java library applies them. Written
for this simulator alone: the adapter under test has its own, so that a shared mistake cannot hide.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey


@lru_cache(maxsize=8)
def load_private_key(pem: str) -> RSAPrivateKey:
    """Read a PKCS#1 or PKCS#8 PEM. Raises ValueError for anything but RSA.

    Kept, because checking a key takes 70 ms and a proof makes one simulator thousands of times.
    """
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the key must be RSA")  # noqa: TRY004 - a bad value, for pydantic
    return key


def load_certificate(pem: str) -> tuple[RSAPublicKey, str]:
    """Public key and decimal serial of one PEM certificate. Raises ValueError."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise ValueError("not a PEM certificate") from None
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("a certificate must hold an RSA key")  # noqa: TRY004 - a bad value
    return key, str(certificate.serial_number)


def digest(fields: Mapping[str, str]) -> bytes:
    """What RSA signs: the lower-case hex of SHA-256 over the sorted, joined, non-blank fields."""
    text = "&".join(
        f"{name}={fields[name]}" for name in sorted(fields) if name != "signature" and fields[name]
    )
    return hashlib.sha256(text.encode("utf-8")).hexdigest().encode("ascii")


def sign(key: RSAPrivateKey, fields: Mapping[str, str]) -> str:
    """SHA256withRSA over the digest text, base64."""
    return base64.b64encode(key.sign(digest(fields), PKCS1v15(), hashes.SHA256())).decode()


def is_signed(key: RSAPublicKey, fields: Mapping[str, str]) -> bool:
    """Whether the `signature` among the fields is this key's."""
    try:
        raw = base64.b64decode(fields.get("signature", ""), validate=True)
        key.verify(raw, digest(fields), PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def decrypt(key: RSAPrivateKey, text: str) -> str:
    """Open a sensitive field. Raises ValueError."""
    return key.decrypt(base64.b64decode(text, validate=True), PKCS1v15()).decode("utf-8")
