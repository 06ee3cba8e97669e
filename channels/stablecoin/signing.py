"""Keys of Circle Mint: our idempotency key, and the two ways in which its notices are signed.

Pure. Sources: wire-protocols.md §5.3 (the key), §5.5 (Amazon SNS for Mint, ECDSA for the v2
products). SNS signs `name LF value LF` lines of the fields that a message of its type has.
"""

import base64
import binascii
import hashlib
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

KEY_SALT = "hangdao/stablecoin/idempotency-key/1:"
RSA_BITS_MIN = 2048
AWS_HOSTS = ("sns.", (".amazonaws.com", ".amazonaws.com.cn"))
"""§5.5: sns.<region>.amazonaws.com (AWS convention)."""

SNS_LINES: Mapping[str, tuple[str, ...]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
    "UnsubscribeConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
"""Amazon SNS, "Verifying the signatures of messages": the signed fields, in order."""
SNS_DIGESTS: Mapping[str, hashes.HashAlgorithm] = {
    "1": hashes.SHA1(),  # noqa: S303 - the sender's choice; a second preimage is out of reach
    "2": hashes.SHA256(),
}


class KeyMaterialError(ValueError):
    """A configured key or certificate is unusable; the message never quotes it."""


def idempotency_key(reference: str) -> str:
    """Make the UUID that stands for our reference, for ever.

    The first 128 bits of SHA-256 over salt and reference, with the six bits that RFC 9562 §5.4
    fixes: the version nibble is 4 and the variant 10. That is all a version-4 UUID has of a
    format, the other 122 bits are free; here they are as unlikely to collide as random ones,
    because a reference is unique per channel account for ever.
    """
    digest = hashlib.sha256((KEY_SALT + reference).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def load_certificate(pem: bytes) -> x509.Certificate:
    """One PEM certificate of an RSA key, as SNS signs with."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError as error:
        raise KeyMaterialError("not a PEM certificate") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise KeyMaterialError(f"not a certificate of an RSA key of at least {RSA_BITS_MIN} bits")
    return certificate


def load_notice_key(text: str) -> ec.EllipticCurvePublicKey:
    """PEM, or the base64 of SubjectPublicKeyInfo as /v2/notifications/publicKey shows it."""
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            raw = base64.b64decode(text.strip(), validate=True)
            key = serialization.load_der_public_key(raw)
    except (ValueError, binascii.Error) as error:
        raise KeyMaterialError("not a public key in PEM or base64 form") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyMaterialError("not an elliptic-curve key on P-256")
    return key


def is_sns_address(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether an address is one that SNS itself would name.

    HTTPS at sns.<region>.amazonaws.com without port, or an origin that the operator has named.
    """
    try:
        parts = urlsplit(url)
        plain = parts.username is None and parts.password is None
        if f"{parts.scheme}://{parts.netloc}" in hosts:
            return plain
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return False
    start, ends = AWS_HOSTS
    region = next((host[len(start) : -len(end)] for end in ends if host.endswith(end)), "")
    named = host.startswith(start) and bool(region) and region.replace("-", "").isalnum()
    return plain and parts.scheme == "https" and port is None and named


def sns_verifies(key: RSAPublicKey, message: Mapping[str, str]) -> bool:
    """Whether the signature of an SNS message of a known type fits."""
    names = SNS_LINES.get(message.get("Type", ""))
    digest = SNS_DIGESTS.get(message.get("SignatureVersion", ""))
    if names is None or digest is None:
        return False
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        key.verify(signature, signed.encode(), PKCS1v15(), digest)
    except (InvalidSignature, ValueError):
        return False
    return True


def ecdsa_verifies(key: ec.EllipticCurvePublicKey, body: bytes, signature: str) -> bool:
    """Whether X-Circle-Signature fits the raw body."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
