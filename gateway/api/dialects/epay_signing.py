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

import hashlib
import hmac
from collections.abc import Mapping

from msgspec import Struct

from gateway.api.dialects import rsa
from gateway.api.dialects.wire import raw
from gateway.domain.dialect import KeySet

BLANKS = b" \t\n\r\0\x0b"
"""What PHP's `trim` takes off."""
UNSIGNED = frozenset({"sign", "sign_type"})


class Proof(Struct, frozen=True):
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
    return rsa.sign(keys.ours, text)


def md5(text: bytes, secret: str) -> str:
    """Lower hex; the secret stands right behind the text."""
    return hashlib.md5(text + secret.encode(), usedforsecurity=False).hexdigest()


def _is_md5(text: bytes, keys: KeySet, given: str) -> bool:
    if keys.secret is None:
        return False
    return hmac.compare_digest(md5(text, keys.secret).encode(), raw(given))


def _is_rsa(text: bytes, keys: KeySet, given: str) -> bool:
    return keys.theirs is not None and rsa.verifies(keys.theirs, text, given)
