"""Epay's signatures as the site's side makes and checks them (dialects.md §2.2). Pure.

One string: every field but `sign` and `sign_type` that is not blank, sorted by name as bytes,
`k=v` joined by `&`, nothing encoded. A caller signs it with RSA (PKCS #1 v1.5, SHA-256, base64) or
appends its secret and takes MD5 in lower hex; replies are signed with RSA whatever it used. Keys
travel as bare base64 of PKCS #8 and SubjectPublicKeyInfo. An example to build a caller against:

    fields: pid=1001 timestamp=1772416800 type=alipay money=1.00 remark=(empty) sign_type=MD5
    string: money=1.00&pid=1001&timestamp=1772416800&type=alipay
    secret: 0123456789abcdef0123456789abcdef
    sign:   2cae4e17b336b9bcd721ebd060840498
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
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
from gateway.domain.dialect import KeySet

BLANKS = b" \t\n\r\0\x0b"
"""What PHP's `trim` takes off."""
UNSIGNED = frozenset({"sign", "sign_type"})
KEY_BITS_MIN = 1024
"""Stock sites hand out 2048; what callers bring may be older."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Which keys a request was signed with, and which of its fields nobody knows."""

    keys: KeySet
    unknown: tuple[str, ...]


def string_to_sign(fields: Mapping[str, str]) -> bytes:
    """The one string, as bytes."""
    kept = sorted(
        (raw(name), raw(value))
        for name, value in fields.items()
        if name not in UNSIGNED and raw(value).strip(BLANKS)
    )
    return b"&".join(name + b"=" + value for name, value in kept)


def prove(
    fields: Mapping[str, str], keys: tuple[KeySet, ...], known: frozenset[str], *, rsa_only: bool
) -> Proof | None:
    """Who signed this; None when nobody did. Unknown fields may be part of it, or may not."""
    kind, given = fields.get("sign_type", "MD5").strip().upper() or "MD5", fields.get("sign", "")
    if kind not in {"MD5", "RSA"} or (rsa_only and kind != "RSA"):
        return None
    unknown = tuple(sorted(fields.keys() - known - UNSIGNED))
    texts = [string_to_sign(fields)]
    if unknown:
        texts.append(string_to_sign({n: v for n, v in fields.items() if n in known}))
    for one in keys:
        for text in texts:
            if _is_md5(text, one, given) if kind == "MD5" else _is_rsa(text, one, given):
                return Proof(one, unknown)
    return None


def sign_reply(fields: Mapping[str, object], keys: KeySet) -> str:
    """The signature over a reply; numbers are signed as they are written."""
    if keys.ours is None:
        raise ValueError("this key set has no key to sign replies with")
    text = string_to_sign({name: str(value) for name, value in fields.items()})
    made = _private(keys.ours).sign(text, PKCS1v15(), hashes.SHA256())
    return base64.b64encode(made).decode()


def md5(text: bytes, secret: str) -> str:
    """Lower hex; the secret stands right behind the text."""
    return hashlib.md5(text + secret.encode(), usedforsecurity=False).hexdigest()


def new_pair() -> tuple[str, str]:
    """A private key of 2048 bits and its public key, as bare base64. Takes a while."""
    made = generate_private_key(public_exponent=65537, key_size=2048)
    der = made.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    text = base64.b64encode(der).decode()
    return text, public_of(text)


def public_of(private: str) -> str:
    """The public key of one of ours, as callers configure it."""
    spki = (
        _private(private)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(spki).decode()


def check_public(text: str) -> str | None:
    """What is wrong with a caller's public key; None when it can be used."""
    try:
        _public(text)
    except ValueError as error:
        return str(error)
    return None


def _is_md5(text: bytes, keys: KeySet, given: str) -> bool:
    if keys.secret is None:
        return False
    return hmac.compare_digest(md5(text, keys.secret).encode(), raw(given))


def _is_rsa(text: bytes, keys: KeySet, given: str) -> bool:
    if keys.theirs is None:
        return False
    try:
        # A plus sign that a form did not encode arrives as a blank.
        signature = base64.b64decode(given.strip().replace(" ", "+"), validate=True)
        _public(keys.theirs).verify(signature, text, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


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
