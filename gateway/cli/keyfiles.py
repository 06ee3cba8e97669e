"""Whether a channel's keys can be what they are said to be: type, size, pairs, age, file mode.

The adapters have parsed them already; this finds what parses and is wrong all the same. Our own
public key in the place of the platform's is the commonest: every answer would look forged.
"""

import base64
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import BaseModel, SecretStr

from gateway.cli.findings import Finding, State

_PRIVATE = ("private_key", "private_key_file")
_PLATFORM = (
    *("alipay_public_key", "alipay_public_key_file", "alipay_cert_file"),
    *("public_key", "public_key_file", "platform_certificates"),
)
_OWN_CERTIFICATE = ("app_cert_file",)
_BITS_MIN = 2048
_SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Keys:
    private: RSAPrivateKey | None = field(repr=False)
    platform: Sequence[RSAPublicKey]
    certificates: Sequence[tuple[str, x509.Certificate]]


def inspect(name: str, credentials: BaseModel, now: datetime) -> Iterator[Finding]:
    """What is wrong with one channel's keys, or one finding that all is well."""
    troubles = list(_troubles(name, credentials, now))
    if not troubles:
        bits = ", ".join(str(key.key_size) for key in _keys(credentials).platform)
        yield Finding(
            f"keys {name}",
            State.OK,
            f"RSA keys fit together (platform: {bits} bits)",
            f"密钥类型与配对正常（平台公钥 {bits} 位）",
        )
    yield from troubles


def _troubles(name: str, credentials: BaseModel, now: datetime) -> Iterator[Finding]:
    check = f"keys {name}"
    keys = _keys(credentials)
    if keys.private is None:
        yield Finding(check, State.FAIL, "the private key is not RSA", "私钥不是 RSA 密钥")
        return
    own = keys.private.public_key()
    for key in (own, *keys.platform):
        if key.key_size < _BITS_MIN:
            text = f"a key has {key.key_size} bits; at least {_BITS_MIN} are needed"
            yield Finding(check, State.FAIL, text, f"密钥仅 {key.key_size} 位，至少 {_BITS_MIN} 位")
    if own.public_numbers() in [key.public_numbers() for key in keys.platform]:
        yield Finding(
            check,
            State.FAIL,
            "the platform's public key is your own: download the platform's",
            "配置的平台公钥是商户自己的公钥，请下载平台公钥",
        )
    yield from _certificates(check, keys, own, now)
    file = getattr(credentials, "private_key_file", None)
    if isinstance(file, Path) and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            check,
            State.WARN,
            f"{file} can be read by others: chmod 600",
            f"{file} 可被其他用户读取，请 chmod 600",
        )


def _certificates(check: str, keys: _Keys, own: RSAPublicKey, now: datetime) -> Iterator[Finding]:
    for field_name, certificate in keys.certificates:
        ends = certificate.not_valid_after_utc
        if ends - now < _SOON:
            state = State.FAIL if ends <= now else State.WARN
            text = f"a certificate of {field_name} ends on {ends:%Y-%m-%d}"
            yield Finding(check, state, text, f"{field_name} 证书于 {ends:%Y-%m-%d} 到期")
        key = certificate.public_key()
        if (
            field_name in _OWN_CERTIFICATE
            and isinstance(key, RSAPublicKey)
            and key.public_numbers() != own.public_numbers()
        ):
            text = f"{field_name} is not of this private key"
            yield Finding(check, State.FAIL, text, f"{field_name} 与私钥不匹配")


def _keys(credentials: BaseModel) -> _Keys:
    certificates = [
        (name, certificate)
        for name in (*_PLATFORM, *_OWN_CERTIFICATE)
        for text in _texts(credentials, name)
        for certificate in _certificates_in(text)
    ]
    platform = [
        key for name in _PLATFORM for text in _texts(credentials, name) for key in _publics(text)
    ]
    privates = [
        key for name in _PRIVATE for text in _texts(credentials, name) for key in _privates(text)
    ]
    return _Keys(privates[0] if privates else None, platform, certificates)


def _texts(credentials: BaseModel, name: str) -> list[str]:
    """What a field holds, or the contents of the files that it names."""
    value = getattr(credentials, name, None)
    found = value if isinstance(value, tuple) else () if value is None else (value,)
    return [
        one.read_text(encoding="utf-8")
        if isinstance(one, Path)
        else one.get_secret_value()
        if isinstance(one, SecretStr)
        else str(one)
        for one in found
    ]


def _privates(text: str) -> list[RSAPrivateKey]:
    try:
        key = (
            load_pem_private_key(text.encode(), None)
            if _is_pem(text)
            else load_der_private_key(base64.b64decode(text), None)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return []
    return [key] if isinstance(key, RSAPrivateKey) else []


def _publics(text: str) -> list[RSAPublicKey]:
    certificates = _certificates_in(text)
    if certificates:
        keys = [certificate.public_key() for certificate in certificates]
        return [key for key in keys if isinstance(key, RSAPublicKey)]
    try:
        key = (
            load_pem_public_key(text.encode())
            if _is_pem(text)
            else load_der_public_key(base64.b64decode(text))
        )
    except (ValueError, UnsupportedAlgorithm):
        return []
    return [key] if isinstance(key, RSAPublicKey) else []


def _certificates_in(text: str) -> list[x509.Certificate]:
    if "BEGIN CERTIFICATE" not in text:
        return []
    return list(x509.load_pem_x509_certificates(text.encode()))


def _is_pem(text: str) -> bool:
    """Else it is the bare Base64 that Alipay's tool hands out."""
    return "-----BEGIN" in text
