"""Laws of what names keys and secrets without giving them away."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from channels import fingerprints

KEYS = [
    rsa.generate_private_key(65537, 2048).public_key(),
    ec.generate_private_key(ec.SECP256R1()).public_key(),
]


@pytest.mark.parametrize("key", KEYS, ids=["rsa", "p256"])
def test_a_public_key_is_named_by_the_hash_of_its_spki(key: PublicKeyTypes) -> None:
    """As `openssl pkey -pubin -outform DER | sha256sum` prints it, however it was read."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert fingerprints.of_public_key(key) == hashlib.sha256(spki).hexdigest()
    assert fingerprints.of_public_key(load_der_public_key(spki)) == fingerprints.of_public_key(key)


def test_a_secret_is_named_and_not_shown() -> None:
    """Equal for equal ones, as text or as bytes; different for others; no plain hash of it."""
    named = fingerprints.of_secret("an8chars")
    assert named == fingerprints.of_secret(b"an8chars")
    assert named != fingerprints.of_secret("an8charS")
    assert len(bytes.fromhex(named)) == 32
    assert named != hashlib.sha256(b"an8chars").hexdigest()
