"""Fingerprints of keys, certificates and shared secrets, as `Credential` shows them. Pure.

Every kind makes them alike, so that one key at work in two channels shows as one, whatever the
kinds are.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SALT = b"hangdao credential fingerprint"
_COST = 2**14


def of_public_key(key: PublicKeyTypes) -> str:
    """SHA-256 (hex) of the key's SPKI in DER; a certificate is named by its key."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def of_secret(secret: str | bytes) -> str:
    """Equal for equal secrets, and too dear to guess one by.

    Some institutions let merchants choose short ones, and a plain hash of those could be guessed.
    One salt serves all: with one for each account, a secret that two accounts share would not show.
    """
    content = secret.encode() if isinstance(secret, str) else secret
    return hashlib.scrypt(content, salt=_SALT, n=_COST, r=8, p=1, dklen=32).hex()
