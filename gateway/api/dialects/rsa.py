"""RSA as other platforms use it: PKCS #1 v1.5 with SHA-256, base64; keys as bare base64. Pure.

Private keys travel as PKCS #8, public ones as SubjectPublicKeyInfo; callers may bring PEM as well.
"""

import base64
import binascii
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)

from gateway.api.dialects.wire import raw

KEY_BITS_MIN = 1024
"""Platforms hand out 2048; what callers bring may be older."""


def new_pair() -> tuple[str, str]:
    """A private key of 2048 bits and its public key, as bare base64. Takes a while."""
    made = generate_private_key(public_exponent=65537, key_size=2048)
    text = _bare(made, serialization.PrivateFormat.PKCS8)
    return text, public_of(text)


def public_of(private: str) -> str:
    """The public key of one of ours, as callers configure it."""
    spki = (
        _private(private)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(spki).decode()


def pkcs1_of(private: str) -> str:
    """One of ours in the older form, which some callers' software demands."""
    return _bare(_private(private), serialization.PrivateFormat.TraditionalOpenSSL)


def check_public(text: str, bits_min: int = KEY_BITS_MIN) -> str | None:
    """What is wrong with a caller's public key; None when it can be used."""
    try:
        key = _public(text)
    except ValueError as error:
        return str(error)
    if key.key_size < bits_min:
        return f"not an RSA public key of at least {bits_min} bits"
    return None


def sign(private: str, content: bytes) -> str:
    """A signature of ours."""
    made = _private(private).sign(content, PKCS1v15(), hashes.SHA256())
    return base64.b64encode(made).decode()


def verifies(public: str, content: bytes, given: str) -> bool:
    """Whether the text is that key's signature over exactly these bytes."""
    try:
        # A plus sign that a form did not encode arrives as a blank.
        signature = base64.b64decode(raw(given.strip().replace(" ", "+")), validate=True)
        _public(public).verify(signature, content, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _bare(key: RSAPrivateKey, form: serialization.PrivateFormat) -> str:
    der = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    return base64.b64encode(der).decode()


@lru_cache(maxsize=1024)
def _private(text: str) -> RSAPrivateKey:
    key = serialization.load_der_private_key(base64.b64decode(text), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA private key")
    return key


@lru_cache(maxsize=1024)
def _public(text: str) -> RSAPublicKey:
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            body = base64.b64decode("".join(text.split()), validate=True)
            key = serialization.load_der_public_key(body)
    except ValueError as error:
        raise ValueError("not a public key in PEM or base64 form") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise ValueError(f"not an RSA public key of at least {KEY_BITS_MIN} bits")
    return key
