"""Key material as it is pasted: which form it has, and what of it checks a signature.

Nothing here is ever shown; what is said of a key is its form, never its content.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from channels.unprinted import Unprinted
from gateway.domain.dialect import KeySet

KEY_CHARS_MAX = 16_384
Form = Literal["PKCS#1 private", "PKCS#8 private", "PKCS#1 public", "SPKI public", "certificate"]
Holder = Literal["caller", "platform"]

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_LABELS = {
    "RSA PRIVATE KEY": "PKCS#1 private",
    "PRIVATE KEY": "PKCS#8 private",
    "RSA PUBLIC KEY": "PKCS#1 public",
    "PUBLIC KEY": "SPKI public",
    "CERTIFICATE": "certificate",
}


class KeyMaterialError(ValueError):
    """A given key cannot be used; says why in English and Chinese, and never quotes it."""

    def __init__(self, message: str, zh: str) -> None:
        """What is wrong and what to give instead."""
        super().__init__(message)
        self.message = message
        self.zh = zh


class Key(Unprinted, frozen=True):
    """One key that a signature may have been made with."""

    hidden = frozenset({"secret", "public", "private"})

    name: str
    """For people: a key set's id, or where it was given."""
    secret: str | None = None
    public: RSAPublicKey | None = None
    private: RSAPrivateKey | None = None
    """Only where whoever asks gave it."""
    form: Form | None = None
    label: Form | None = None
    """What its PEM header says that it is."""
    holder: Holder = "caller"
    newest: bool = True


def given(name: str, text: str, *, newest: bool = True) -> Key:
    """A key as a person gave it: RSA in any usual form, else a shared secret.

    A line end behind it belongs to the file and is taken off; what else is around it stays, since
    it may be the mistake.
    """
    if len(text) > KEY_CHARS_MAX:
        raise KeyMaterialError("the key is too long to be one", "密钥过长")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise KeyMaterialError("the key is empty", "密钥为空")
    found = _PEM.search(text)
    try:
        der = base64.b64decode("".join((found[2] if found else text).split()), validate=True)
    except (binascii.Error, ValueError):
        der = b""
    form, key = _read(der)
    if form is None:
        if found or "-----BEGIN" in text:
            raise KeyMaterialError(
                "this PEM holds no RSA key without a passphrase", "PEM 中没有可用的 RSA 密钥"
            )
        return Key(name, secret=text, newest=newest)
    label = _LABELS.get(found[1]) if found else None
    private = key if isinstance(key, RSAPrivateKey) else None
    public = key.public_key() if isinstance(key, RSAPrivateKey) else key
    return Key(name, None, public, private, form, label, newest=newest)  # type: ignore[arg-type] # a label is a form


def stored(sets: Sequence[KeySet]) -> tuple[Key, ...]:
    """The keys of an account, newest first: what its caller signs with, then what we do."""
    secrets = [
        Key(one.id, secret=one.secret, newest=place == 0)
        for place, one in enumerate(sets)
        if one.secret is not None
    ]
    theirs = [
        Key(one.id, public=given(one.id, one.theirs).public, newest=place == 0)
        for place, one in enumerate(sets)
        if one.theirs is not None
    ]
    ours = [
        Key(one.id, public=given(one.id, one.ours).public, holder="platform", newest=place == 0)
        for place, one in enumerate(sets)
        if one.ours is not None
    ]
    return (*secrets, *theirs, *ours)


def _read(der: bytes) -> tuple[Form | None, RSAPrivateKey | RSAPublicKey | None]:
    inner = _second_tag(der)
    loaders = (
        (
            ("PKCS#8 private" if inner == 0x30 else "PKCS#1 private"),
            lambda: serialization.load_der_private_key(der, None),
        ),
        (
            ("SPKI public" if der[:1] and _first_tag(der) == 0x30 else "PKCS#1 public"),
            lambda: serialization.load_der_public_key(der),
        ),
        ("certificate", lambda: x509.load_der_x509_certificate(der).public_key()),
    )
    for form, load in loaders:
        try:
            key = load()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if isinstance(key, RSAPrivateKey | RSAPublicKey):
            return form, key  # type: ignore[return-value] # the literal above
    return None, None


def _content(der: bytes) -> bytes:
    """What a SEQUENCE holds (ITU-T X.690, 8.1.3)."""
    if len(der) < 2 or der[0] != 0x30:
        return b""
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


def _first_tag(der: bytes) -> int:
    content = _content(der)
    return content[0] if content else 0


def _second_tag(der: bytes) -> int:
    """Behind the version number: another SEQUENCE in PKCS #8, the modulus in PKCS #1."""
    content = _content(der)
    if len(content) < 2 or content[0] != 0x02:
        return 0
    rest = content[2 + content[1] :]
    return rest[0] if rest else 0
