"""Epay's cryptography: one string to sign, RSA or MD5 for requests, always RSA for replies.

Pure. Source: wire-protocols.md §6 and dialects.md §2.2. Keys travel as bare base64 (PKCS #8 for
ours, SubjectPublicKeyInfo for the site's); PEM is taken as well.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from channels.unprinted import Unprinted

KEY_BITS_MIN = 2048
BLANKS = " \t\n\r\0\x0b"
"""What PHP's `trim` takes off: a value of nothing else is left out of the string to sign."""
NEVER_SIGNED = frozenset({"sign", "sign_type"})


class KeyMaterialError(ValueError):
    """A configured key is unusable; the message never quotes it."""


class Keys(Unprinted, frozen=True):
    """Everything parsed once from the settings; nothing of it is ever shown."""

    hidden = frozenset({"platform", "private", "md5"})

    platform: tuple[RSAPublicKey, ...]
    """The site's keys; two while it changes its own."""
    private: RSAPrivateKey | None = None
    md5: str | None = None
    """The merchant's shared key, where requests are signed with MD5."""

    @property
    def sign_type(self) -> str:
        """How requests are signed."""
        return "MD5" if self.private is None else "RSA"


def load_private_key(text: str) -> RSAPrivateKey:
    """PEM, or bare base64 of PKCS #8 (or #1) as the site's page hands it out."""
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        else:
            key = serialization.load_der_private_key(_base64(text), password=None)
    except (ValueError, TypeError) as error:
        raise KeyMaterialError("not a private key in PEM or base64 form") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise KeyMaterialError(f"not an RSA private key of at least {KEY_BITS_MIN} bits")
    return key


def load_public_key(text: str) -> RSAPublicKey:
    """PEM, or bare base64 of SubjectPublicKeyInfo as the site's page shows it."""
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            key = serialization.load_der_public_key(_base64(text))
    except ValueError as error:
        raise KeyMaterialError("not a public key in PEM or base64 form") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise KeyMaterialError(f"not an RSA public key of at least {KEY_BITS_MIN} bits")
    return key


def string_to_sign(fields: Mapping[str, str]) -> bytes:
    """`k=v` of every field that is not blank, sorted by key, joined by `&`, nothing encoded."""
    kept = sorted((k, v) for k, v in fields.items() if v.strip(BLANKS) and k not in NEVER_SIGNED)
    return "&".join(f"{key}={value}" for key, value in kept).encode()


def sign(keys: Keys, content: bytes) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256 in base64; or MD5 in lower hex, the key right behind."""
    if keys.private is not None:
        return base64.b64encode(keys.private.sign(content, PKCS1v15(), hashes.SHA256())).decode()
    if keys.md5 is None:
        raise ValueError("no key to sign with")
    return hashlib.md5(content + keys.md5.encode(), usedforsecurity=False).hexdigest()


def verifies(keys: Keys, content: bytes, signature: str) -> bool:
    """Whether the base64 signature over exactly these bytes is from one of the site's keys."""
    try:
        raw = _base64(signature)
    except ValueError:
        return False
    return any(_fits(key, content, raw) for key in keys.platform)


def _fits(key: RSAPublicKey, content: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, content, PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
