"""Callers that sign by few lines of their own, rightly and wrongly."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from gateway.api.explain.explain import Question, explain
from gateway.api.explain.keys import given
from gateway.api.explain.sent import read_fields
from gateway.api.explain.views import ExplanationView

SECRET = "Kq8mZ1xV5bN3cR7tY2wE9pL4sD6fG0hJ"
Pairs = Sequence[tuple[str, str]]

EPAY: Pairs = (
    ("timestamp", "1772416800"),
    ("pid", "1001"),
    ("type", "alipay"),
    ("name", "王小明"),
    ("money", "1.00"),
    ("remark", ""),
)
JEEPAY: Pairs = (
    ("mchNo", "M1621873433953"),
    ("amount", "1230"),
    ("appId", "60cc09bce4b0f1c0b83761c9"),
    ("accountName", "王小明"),
    ("ZoneId", "7"),
    ("bankName", ""),
    ("signType", "MD5"),
)
ALIPAY: Pairs = (
    ("app_id", "2021000000000001"),
    ("method", "alipay.fund.trans.uni.transfer"),
    ("charset", "utf-8"),
    ("sign_type", "RSA2"),
    ("timestamp", "2026-03-02 10:00:00"),
    ("biz_content", '{"trans_amount":"12.30","name":"王小明"}'),
)


@cache
def private_key() -> RSAPrivateKey:
    """A caller's, made once."""
    return generate_private_key(65537, 2048)


def pem(key: RSAPrivateKey | None = None, *, pkcs1: bool = False) -> str:
    """A private key as PEM."""
    form = serialization.PrivateFormat
    return (
        (key or private_key())
        .private_bytes(
            serialization.Encoding.PEM,
            form.TraditionalOpenSSL if pkcs1 else form.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def public_pem() -> str:
    """The public half."""
    return (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def rsa(text: str | bytes, algorithm: Any = None, key: RSAPrivateKey | None = None) -> str:
    """PKCS #1 v1.5 in base64."""
    content = text.encode() if isinstance(text, str) else text
    made = (key or private_key()).sign(content, PKCS1v15(), algorithm or hashes.SHA256())
    return base64.b64encode(made).decode()


def md5(text: str | bytes) -> str:
    """Lower hex."""
    content = text.encode() if isinstance(text, str) else text
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def sha1(text: str) -> str:
    """Lower hex."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def hmac_hex(text: str, secret: str, name: str) -> str:
    """HMAC in hex."""
    return hmac.new(secret.encode(), text.encode(), name).hexdigest()


def joined(pairs: Iterable[tuple[str, str]]) -> str:
    """`k=v` with ampersands between."""
    return "&".join(f"{name}={value}" for name, value in pairs)


def full(pairs: Pairs, *without: str) -> list[tuple[str, str]]:
    """The pairs with a value, sorted by name as bytes."""
    return sorted(one for one in pairs if one[1] and one[0] not in without)


def caseless(pairs: Pairs, *without: str) -> list[tuple[str, str]]:
    """The pairs with a value, sorted as Jeepay does."""
    kept = [one for one in pairs if one[1] and one[0] not in without]
    return sorted(kept, key=lambda one: f"{one[0]}={one[1]}&".lower())


def with_(pairs: Pairs, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """More pairs in front."""
    return [*more, *pairs]


def form(pairs: Pairs, sign: str) -> bytes:
    """As a well-behaved caller sends it."""
    return urlencode([*pairs, ("sign", sign)]).encode()


def as_json(fields: dict[str, Any], sign: str) -> bytes:
    """As JSON."""
    return orjson.dumps({**fields, "sign": sign})


def explained(dialect: str, sent: bytes, *keys: str, **more: Any) -> ExplanationView:
    """By somebody with keys of its own."""
    many = tuple(
        given(f"key {place}", one, newest=place == 0) for place, one in enumerate(keys or (SECRET,))
    )
    asked = {"show_ours": True, **more}
    return explain(Question(dialect, read_fields(sent, both=dialect != "epay"), many, **asked))


def codes(found: ExplanationView) -> list[str]:
    """Of the mistakes, as they are told."""
    return [one["code"] for one in found["mistakes"]]
