"""RSA2 signatures, AES content and certificate serials of the open platform's v2 gateway.

Source: open platform documentation, "签名", "接口内容加密", "公钥证书签名". Written for this
simulator alone: the adapter under test has its own, so that a shared mistake cannot hide.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import SignatureAlgorithmOID

_ZERO_IV = bytes(16)
_RSA_SIGNED = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA1,
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)


@lru_cache(maxsize=8)
def load_private_key(pem: str) -> RSAPrivateKey:
    """Read a PKCS#1 or PKCS#8 PEM. Raises ValueError for anything but RSA.

    Kept, because checking a key takes 70 ms and a proof makes one simulator thousands of times.
    """
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the platform key must be RSA")  # noqa: TRY004 - a bad value, for pydantic
    return key


def load_public_key(pem: str) -> RSAPublicKey:
    """Read an SPKI PEM. Raises ValueError for anything but RSA."""
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("an application key must be RSA")  # noqa: TRY004 - a bad value, for pydantic
    return key


def sign_content(parameters: Mapping[str, str], *leave_out: str) -> str:
    """The text to sign: non-empty parameters but `sign`, by key, `k=v` joined with `&`, raw."""
    return "&".join(
        f"{name}={value}"
        for name, value in sorted(parameters.items())
        if value and name != "sign" and name not in leave_out
    )


def sign(key: RSAPrivateKey, content: bytes) -> str:
    """RSA2: RSASSA-PKCS1-v1_5 over SHA-256, base64."""
    return base64.b64encode(key.sign(content, PKCS1v15(), hashes.SHA256())).decode()


def is_signed(key: RSAPublicKey, content: bytes, signature: str) -> bool:
    """Whether the RSA2 signature fits these exact bytes."""
    try:
        key.verify(base64.b64decode(signature, validate=True), content, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def encrypt(aes_key: str, text: str, charset: str) -> str:
    """AES-CBC with PKCS#7 padding and an IV of sixteen zero bytes, base64."""
    padder = padding.PKCS7(128).padder()
    padded = padder.update(text.encode(charset)) + padder.finalize()
    engine = Cipher(algorithms.AES(base64.b64decode(aes_key)), modes.CBC(_ZERO_IV)).encryptor()
    return base64.b64encode(engine.update(padded) + engine.finalize()).decode()


def decrypt(aes_key: str, text: str, charset: str) -> str:
    """The inverse of `encrypt`. Raises ValueError."""
    raw = base64.b64decode(text, validate=True)
    engine = Cipher(algorithms.AES(base64.b64decode(aes_key)), modes.CBC(_ZERO_IV)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    padded = engine.update(raw) + engine.finalize()
    return (unpadder.update(padded) + unpadder.finalize()).decode(charset)


def certificate_serial(certificate: x509.Certificate) -> str:
    """The platform's serial of a certificate: md5 of issuer (most specific first) and number."""
    issuer = ",".join(
        f"{part.rfc4514_attribute_name}={part.value!s}"
        for part in reversed(list(certificate.issuer))
    )
    text = f"{issuer}{certificate.serial_number}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def root_serial(bundle_pem: str) -> str:
    """The serials of every RSA-signed certificate of the root bundle, joined by `_`."""
    return "_".join(
        certificate_serial(certificate)
        for certificate in x509.load_pem_x509_certificates(bundle_pem.encode())
        if certificate.signature_algorithm_oid in _RSA_SIGNED
    )


def certificate_key(certificate_pem: str) -> tuple[RSAPublicKey, str]:
    """Public key and serial of one PEM certificate. Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("a certificate must hold an RSA key")  # noqa: TRY004 - a bad value
    return key, certificate_serial(certificate)
