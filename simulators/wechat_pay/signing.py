"""API v3 cryptography as the platform does it: verify requests, sign replies and notices, open and
seal secrets.

Written from the public API v3 pages (签名生成, 签名验证, 敏感信息加解密, 证书和回调报文解密):
SHA256withRSA with PKCS#1 v1.5 over LF-terminated lines; RSA-OAEP with SHA-1 for sensitive fields;
AES-256-GCM under the APIv3 key. Nothing here reads a clock or global randomness: nonces come from
the caller.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID

SCHEME = "WECHATPAY2-SHA256-RSA2048"
_ATTRIBUTE = re.compile(r'\s*([a-z_]+)="([^"]*)"\s*')
_REQUIRED = frozenset({"mchid", "nonce_str", "signature", "timestamp", "serial_no"})
# 敏感信息加解密: RSAES-OAEP, SHA-1 for the hash and for MGF1. SHA-1 is the protocol's, not a
# choice.
_SHA1 = hashes.SHA1()  # noqa: S303 - what the platform encrypts with
_OAEP = padding.OAEP(mgf=padding.MGF1(_SHA1), algorithm=_SHA1, label=None)


class BadAuthorizationError(ValueError):
    """The Authorization header is absent or not of the documented shape."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The five attributes of the Authorization header, whatever their order."""

    mchid: str
    nonce_str: str
    signature: str
    timestamp: int
    serial_no: str


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A key pair of the platform and the serial that names it on the wire."""

    serial: str
    key: rsa.RSAPrivateKey

    def sign(self, text: bytes) -> str:
        """Base64 of SHA256withRSA over `text`."""
        signature = self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(signature).decode()

    def open(self, sealed: str) -> str:
        """The plain text of a sensitive field; ValueError when it does not decrypt to UTF-8."""
        try:
            return self.key.decrypt(base64.b64decode(sealed, validate=True), _OAEP).decode()
        except binascii.Error as error:
            raise ValueError("not base64") from error


def parse_authorization(header: str | None) -> Authorization:
    """Reads `WECHATPAY2-SHA256-RSA2048 mchid="..",nonce_str="..",…`; duplicate or missing
    attributes are errors."""
    scheme, _, rest = (header or "").partition(" ")
    if scheme != SCHEME:
        raise BadAuthorizationError("scheme")
    values: dict[str, str] = {}
    for part in rest.split(","):
        match = _ATTRIBUTE.fullmatch(part)
        if match is None or match[1] in values:
            raise BadAuthorizationError("attribute")
        values[match[1]] = match[2]
    if values.keys() != _REQUIRED or not all(values.values()):
        raise BadAuthorizationError("attributes")
    if not re.fullmatch(r"[0-9]{1,12}", values["timestamp"]):
        raise BadAuthorizationError("timestamp")
    return Authorization(
        mchid=values["mchid"],
        nonce_str=values["nonce_str"],
        signature=values["signature"],
        timestamp=int(values["timestamp"]),
        serial_no=values["serial_no"],
    )


def request_text(method: str, target: str, timestamp: int, nonce: str, body: bytes) -> bytes:
    """What a merchant signs: METHOD LF path?query LF timestamp LF nonce LF body LF."""
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What the platform signs on replies and notices: timestamp LF nonce LF body LF."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def verify(key: rsa.RSAPublicKey, signature: str, text: bytes) -> bool:
    """Whether `signature` (base64) is the key owner's SHA256withRSA over `text`."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def seal_for(key: rsa.RSAPublicKey, plain: str) -> str:
    """A sensitive field encrypted to its reader, base64."""
    return base64.b64encode(key.encrypt(plain.encode(), _OAEP)).decode()


def seal_resource(apiv3_key: str, nonce: str, associated_data: str, plain: bytes) -> str:
    """Base64(ciphertext || 16-byte tag) of AES-256-GCM under the APIv3 key; the nonce has 12 ASCII
    bytes."""
    sealed = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plain, associated_data.encode())
    return base64.b64encode(sealed).decode()


# Parsing checks the primes, some 40 ms; a proof builds the same simulator thousands of times.
@lru_cache(maxsize=64)
def load_private(pem: str) -> rsa.RSAPrivateKey:
    """An RSA private key from PEM; ValueError for anything else."""
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("an RSA private key is needed")  # noqa: TRY004 - the value is the mistake
    return key


def load_public(pem: str) -> rsa.RSAPublicKey:
    """An RSA public key from a PEM public key or a PEM certificate."""
    is_certificate = "BEGIN CERTIFICATE" in pem
    key = (
        load_certificate(pem).public_key() if is_certificate else load_pem_public_key(pem.encode())
    )
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("an RSA public key is needed")  # noqa: TRY004 - the value is the mistake
    return key


def load_certificate(pem: str) -> x509.Certificate:
    """A certificate from PEM; ValueError for anything else."""
    return x509.load_pem_x509_certificate(pem.encode())


def serial_of(certificate: x509.Certificate) -> str:
    """The serial as it stands in Wechatpay-Serial: upper-case hex, 40 digits for the platform's
    own."""
    return f"{certificate.serial_number:X}"


def self_signed(key: rsa.RSAPrivateKey, serial: int, common_name: str) -> x509.Certificate:
    """A platform certificate for `key`, valid 2020 to 2049 so that any virtual clock lies
    inside."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 12, 31, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )


def pem_of(certificate: x509.Certificate) -> str:
    """The certificate as PEM text."""
    return certificate.public_bytes(Encoding.PEM).decode()
