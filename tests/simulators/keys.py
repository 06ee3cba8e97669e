"""RSA keys for the tests of the simulators, made once a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its two PEM texts."""

    key: RSAPrivateKey
    private_pem: str
    public_pem: str


@cache
def pair(name: str) -> Pair:
    """The key of this name; equal names give the same key."""
    key = generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Pair(key, private.decode(), public.decode())
