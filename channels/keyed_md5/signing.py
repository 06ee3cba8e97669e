"""The signature of the Jeepay and XxPay families, and the JSON it is taken over. Pure.

Source: dialects.md §1 (Signing), §3.1. Build `k=v&` for every field that is neither null nor empty,
sort these whole strings without regard to case, append `key=` and the secret, take MD5 in upper
hex. Worked example with the secret `s`: {"b": 1, "A": "x", "c": ""} is `A=x&b=1&key=s`.

MD5 with a secret in the tail is weak, and the text does not say where a value ends: one that holds
`&state=3` reads like another field. So whoever reads a proven message must demand that names,
numbers and states are plain words, and take nothing out of a free text.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from channels import fingerprints
from channels.contract import Credential
from channels.unprinted import Unprinted

SIGN = "sign"
"""The field that carries the signature and is never part of it."""
SECRET_CHARS_MIN = 8


class UnsignableError(ValueError):
    """A value that their software would write in a way of its own, as an object or a list, or that
    cannot be written at all."""


class Secrets(Unprinted, frozen=True):
    """The live secrets of one merchant: the first signs, any verifies."""

    hidden = frozenset({"live"})

    live: tuple[str, ...]

    def sign(self, fields: Mapping[str, object]) -> str:
        """The signature over these fields."""
        return signature(fields, self.live[0])

    def proves(self, fields: Mapping[str, object], given: object) -> bool:
        """Whether `given` is a signature over these fields; upper or lower hex both count."""
        if not isinstance(given, str) or not given.isascii():
            return False
        try:
            made = [signature(fields, secret) for secret in self.live]
        except UnsignableError:
            return False
        return any(hmac.compare_digest(one, given.upper()) for one in made)


def signature(fields: Mapping[str, object], secret: str) -> str:
    """Sign with one secret; UnsignableError for nested values, and for half a character."""
    parts = [f"{name}={text}&" for name, text in _texts(fields).items()]
    parts.sort(key=str.lower)
    signed = "".join(parts) + f"key={secret}"
    try:
        content = signed.encode()
    except UnicodeEncodeError:
        # Without its cause, which would quote the text with the secret behind it.
        raise UnsignableError("text that is no Unicode") from None
    return hashlib.md5(content).hexdigest().upper()  # noqa: S324 - named by the protocol


def read_object(body: bytes) -> dict[str, object] | None:
    """The JSON object in these bytes; None if it is none, names a field twice, or holds half a
    character, which could neither be signed nor kept.

    Decimals stay text: that is how they were signed, and no amount may be one.
    """
    try:
        read = json.loads(
            body, object_pairs_hook=_unambiguous, parse_float=str, parse_constant=_refuse
        )
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def secrets_of(name: str, *given: SecretStr | None) -> Secrets:
    """The secrets that are configured; ValueError naming the setting, never its content."""
    live = tuple(one.get_secret_value() for one in given if one is not None)
    for secret in live:
        if len(secret) < SECRET_CHARS_MIN or secret != secret.strip() or not secret.isascii():
            raise ValueError(f"{name}: at least {SECRET_CHARS_MIN} ASCII characters, no blanks")
    if len(set(live)) != len(live):
        raise ValueError(f"{name}: the previous secret is the present one")
    return Secrets(live)


def credentials_of(secrets: Secrets, *names: str) -> tuple[Credential, ...]:
    """Name each secret, the present one first, by a fingerprint that does not give it away."""
    return tuple(
        Credential(name, "ours", fingerprints.of_secret(secret))
        for name, secret in zip(names, secrets.live, strict=False)
    )


def is_private(base_url: str) -> bool:
    """Whether nobody on the way can say what is not signed, or say again what was said about
    another order: TLS, or this machine."""
    parts = urlsplit(base_url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _texts(fields: Mapping[str, object]) -> dict[str, str]:
    texts = {}
    for name, value in fields.items():
        if name == SIGN or value is None or value == "":
            continue
        match value:
            case bool():
                texts[name] = "true" if value else "false"
            case int() | str():
                texts[name] = str(value)
            case _:
                raise UnsignableError(f"{name} is neither text nor number")
    return texts


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a field stands twice")
    return read


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no JSON")
