"""Whether a given signature is over some bytes: MD5 with a shared secret, or RSA.

An RSA signature is opened with the public key once. What is inside names the hash and the digest,
so that every other question about it is a comparison of digests.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from msgspec import Struct

from channels.unprinted import Unprinted
from gateway.api.explain.keys import Key
from gateway.api.explain.recipe import Recipe, bytes_of
from gateway.api.explain.sent import Field, raw

_HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_DIGEST_INFO = {
    "MD5": bytes.fromhex("3020300c06082a864886f70d020505000410"),
    "SHA-1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "SHA-256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "SHA-512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""RFC 8017, section 9.2, note 1."""
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}


class Way(Struct, frozen=True):
    """One way in which the signature may have been made."""

    recipe: Recipe
    fields: tuple[Field, ...]
    secret: str = "same"  # noqa: S105 - of `SECRETS`, no secret
    """How the secret was mistaken: one of `SECRETS`."""
    digest: str = "MD5"
    """One of `DIGESTS`; RSA tells its own."""
    twice: bool = False
    """The hex of a first digest was signed in place of the string."""


SECRETS: Mapping[str, Callable[[str], str]] = {
    "same": lambda secret: secret,
    "line end": lambda secret: secret + "\n",
    "Windows line end": lambda secret: secret + "\r\n",
    "blank behind": lambda secret: secret + " ",
    "blank before": lambda secret: " " + secret,
    "stripped": lambda secret: secret.strip(),
    "upper": lambda secret: secret.upper(),
    "lower": lambda secret: secret.lower(),
    "none": lambda _: "",
}

DIGESTS: Mapping[str, Callable[[bytes, bytes], str]] = {
    "MD5": lambda text, _: hashlib.md5(text, usedforsecurity=False).hexdigest(),
    "MD5 in base64": lambda text, _: base64.b64encode(
        hashlib.md5(text, usedforsecurity=False).digest()
    ).decode(),
    "SHA-1": lambda text, _: hashlib.sha1(text, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda text, _: hashlib.sha256(text).hexdigest(),
    "HMAC-MD5": lambda text, secret: hmac.new(secret, text, "md5").hexdigest(),
    "HMAC-SHA256": lambda text, secret: hmac.new(secret, text, "sha256").hexdigest(),
}


class Shared(Unprinted, frozen=True):
    """A signature that is a digest over the string and a secret."""

    hidden = frozenset({"keys"})

    keys: tuple[Key, ...]
    offered: str
    """The signature, trimmed; hex in lower case."""

    def finds(self, way: Way) -> Key | None:
        """The key with which this way makes the signature."""
        for key in self.keys:
            made = self.made(way, key)
            if made is not None and hmac.compare_digest(raw(made), raw(self.offered)):
                return key
        return None

    def made(self, way: Way, key: Key) -> str | None:
        """The signature that this way makes; hex in lower case."""
        if key.secret is None:
            return None
        secret = SECRETS[way.secret](key.secret)
        content = bytes_of(way.recipe, way.fields, secret)
        if content is None:
            return None
        return DIGESTS[way.digest](content, raw(secret))


class Opened(Unprinted, frozen=True):
    """What is inside an RSA signature."""

    hidden = frozenset({"key"})

    key: Key
    hash: str
    digest: bytes


class Rsa(Struct, frozen=True):
    """A signature that was opened with one of the keys."""

    opened: Opened

    def finds(self, way: Way) -> Key | None:
        """The key, when the digest inside is that of these bytes."""
        return self.opened.key if self.digest_of(way) == self.opened.digest else None

    def digest_of(self, way: Way) -> bytes | None:
        """The digest over what this way makes."""
        content = bytes_of(way.recipe, way.fields)
        if content is None:
            return None
        name = _HASHES[self.opened.hash]
        if way.twice:
            content = hashlib.new(name, content, usedforsecurity=False).hexdigest().encode()
        return hashlib.new(name, content, usedforsecurity=False).digest()


def open_rsa(keys: Sequence[Key], signature: bytes) -> Opened | None:
    """Open a signature with the first public key that fits."""
    for key in keys:
        if key.public is None:
            continue
        try:
            inside = key.public.recover_data_from_signature(signature, PKCS1v15(), None)
        except (InvalidSignature, ValueError):
            continue
        for name, prefix in _DIGEST_INFO.items():
            if inside.startswith(prefix):
                return Opened(key, name, inside.removeprefix(prefix))
    return None


# --- How the signature itself was written ------------------------------------------------------


class Written(Struct, frozen=True):
    """A signature as it was given, and what its form says."""

    text: str
    """Trimmed; hex in lower case."""
    is_hex: bool
    flaws: tuple[str, ...]
    """Codes of what was wrong with how it was written."""
    decoded: bytes = b""
    """Of one in base64."""


def written(given: str) -> Written:
    """Look at a signature's form."""
    flaws = []
    text = given.strip()
    if text != given:
        flaws.append("sign_blanks")
    if _HEX.fullmatch(text):
        return Written(text.lower(), is_hex=True, flaws=tuple(flaws))
    if "%" in text:
        flaws.append("sign_encoded_twice")
        text = unquote(text)
    if " " in text:
        flaws.append("sign_plus_lost")
        text = text.replace(" ", "+")
    if any(one in text for one in "\r\n\t"):
        flaws.append("sign_wrapped")
        text = "".join(text.split())
    if ("-" in text or "_" in text) and "+" not in text and "/" not in text:
        flaws.append("sign_url_alphabet")
        text = text.replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    return Written(text, is_hex=False, flaws=tuple(flaws), decoded=decoded)
