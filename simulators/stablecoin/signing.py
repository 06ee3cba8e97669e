"""How notices are signed: Amazon SNS over canonical lines, v2 products over the raw body.

Sources: Amazon SNS, "Verifying the signatures of Amazon SNS messages"; Circle, "Verify webhook
signatures" (X-Circle-Signature, X-Circle-Key-Id). Only signing is here: nothing arrives signed.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = (
    *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
)
VALID = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def load_rsa(pem: str) -> RSAPrivateKey:
    """The key of SNS. Raises ValueError."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA private key")  # noqa: TRY004 - pydantic reports it
    return key


def load_p256(pem: str) -> ec.EllipticCurvePrivateKey:
    """The key of v2 notices. Raises ValueError."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a private key on P-256")  # noqa: TRY004 - as above
    return key


def certificate(key: RSAPrivateKey, entropy: random.Random) -> str:
    """A certificate of its own making, PEM."""
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.sim.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(entropy.getrandbits(120) | 1)
        .not_valid_before(VALID[0])
        .not_valid_after(VALID[1])
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def sns_signature(key: RSAPrivateKey, message: Mapping[str, str], version: str) -> str:
    """Over the lines that a message of its type has."""
    names = _NOTIFICATION if message["Type"] == "Notification" else _CONFIRMATION
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - SNS version 1
    return base64.b64encode(key.sign(text.encode(), PKCS1v15(), digest)).decode()


def ecdsa_signature(key: ec.EllipticCurvePrivateKey, body: bytes) -> str:
    """Over exactly these bytes."""
    return base64.b64encode(key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()


def public_key_text(key: ec.EllipticCurvePrivateKey) -> str:
    """SubjectPublicKeyInfo in base64, as GET /v2/notifications/publicKey/{id} shows it."""
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()
