"""Alipay's cryptography: RSA2 over raw values, certificate serials, AES of whole messages.

Pure. Source: open platform documentation, "签名" and "内容加密" (wire-protocols.md §1.1): a request
is signed over `key=value` pairs sorted by key, values not URL-encoded; a reply over the exact bytes
of its node; a notice over its form fields, with or without `sign_type`.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from channels.unprinted import Unprinted

if TYPE_CHECKING:
    from cryptography import x509

RSA_SIGNATURE_OIDS = "1.2.840.113549.1.1."
"""PKCS #1 arc: the root bundle's other members (SM2, ECDSA) do not count towards its serial."""
AES_BLOCK_BITS = 128
AES_IV = bytes(16)
"""Fixed by the platform: 16 zero bytes."""
KEY_BITS_MIN = 2048
"""RSA2 keys are 2048 bits or longer ("签名": RSA2 密钥长度)."""


class KeyMaterialError(ValueError):
    """A configured key or certificate is unusable; the message never quotes it."""


class Keys(Unprinted, frozen=True):
    """Everything parsed once from the settings; nothing of it is ever shown."""

    hidden = frozenset({"private", "platform", "aes"})

    private: RSAPrivateKey
    platform: Mapping[str, RSAPublicKey]
    """Alipay's public keys by certificate serial; without certificates, the first is under ""."""
    app_cert_sn: str | None = None
    root_cert_sn: str | None = None
    aes: bytes | None = None


# --- Loading ---------------------------------------------------------------------------------


def load_private_key(text: str) -> RSAPrivateKey:
    """PEM (PKCS #1 or #8), or the bare base64 of either as the platform's tool hands it out."""
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        else:
            key = serialization.load_der_private_key(_base64(text), password=None)
    except (ValueError, TypeError) as error:
        raise KeyMaterialError("not a private key in PEM or base64 form") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise KeyMaterialError(f"not an RSA private key of at least {KEY_BITS_MIN} bits")
    return key


def load_public_key(text: str) -> RSAPublicKey:
    """PEM, or bare base64 of SubjectPublicKeyInfo as the platform's page shows it."""
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            key = serialization.load_der_public_key(_base64(text))
    except ValueError as error:
        raise KeyMaterialError("not a public key in PEM or base64 form") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise KeyMaterialError(f"not an RSA public key of at least {KEY_BITS_MIN} bits")
    return key


def load_certificates(text: str) -> "tuple[x509.Certificate, ...]":
    """Every certificate of a PEM bundle, at least one."""
    from cryptography import x509  # noqa: PLC0415 - only an application with certificates needs it

    try:
        return tuple(x509.load_pem_x509_certificates(text.encode()))
    except ValueError as error:
        raise KeyMaterialError("not a bundle of PEM certificates") from error


def certificate_key(certificate: "x509.Certificate") -> RSAPublicKey:
    """Take the RSA key a platform certificate vouches for."""
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise KeyMaterialError(f"not a certificate of an RSA key of at least {KEY_BITS_MIN} bits")
    return key


def load_aes_key(text: str) -> bytes:
    """Base64 of 16, 24 or 32 bytes."""
    try:
        key = _base64(text)
    except ValueError as error:
        raise KeyMaterialError("not base64") from error
    if len(key) not in {16, 24, 32}:
        raise KeyMaterialError("not an AES key of 16, 24 or 32 bytes")
    return key


def certificate_sn(certificate: "x509.Certificate") -> str:
    """MD5 (hex) of issuer name, most specific part first, followed by the decimal serial."""
    named = f"{certificate.issuer.rfc4514_string()}{certificate.serial_number}"
    return hashlib.md5(named.encode(), usedforsecurity=False).hexdigest()


def root_sn(bundle: "Iterable[x509.Certificate]") -> str:
    """Serials of all RSA-signed members of the root bundle, joined by underscores."""
    return "_".join(
        certificate_sn(certificate)
        for certificate in bundle
        if certificate.signature_algorithm_oid.dotted_string.startswith(RSA_SIGNATURE_OIDS)
    )


# --- Signing and verifying -------------------------------------------------------------------


def string_to_sign(params: Mapping[str, str], *leave_out: str, charset: str = "utf-8") -> bytes:
    """`k=v` of every non-empty parameter but `leave_out`, sorted by key, joined by `&`."""
    kept = sorted((k, v) for k, v in params.items() if v and k not in leave_out)
    return "&".join(f"{key}={value}" for key, value in kept).encode(charset)


def sign(key: RSAPrivateKey, content: bytes) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256, base64."""
    return base64.b64encode(key.sign(content, PKCS1v15(), hashes.SHA256())).decode()


def verifies(key: RSAPublicKey, content: bytes, signature: str) -> bool:
    """Whether the base64 signature over exactly these bytes is from that key."""
    try:
        key.verify(_base64(signature), content, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


# --- Encryption ------------------------------------------------------------------------------


def encrypt(key: bytes, content: bytes) -> str:
    """AES-CBC with PKCS #7 padding, base64."""
    padder = padding.PKCS7(AES_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(AES_IV)).encryptor()
    padded = padder.update(content) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt(key: bytes, content: str) -> bytes:
    """Undo `encrypt`; ValueError if it is not such a text. Only for verified content."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(AES_IV)).decryptor()
    unpadder = padding.PKCS7(AES_BLOCK_BITS).unpadder()
    padded = decryptor.update(_base64(content)) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
