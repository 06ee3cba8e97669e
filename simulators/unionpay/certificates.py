"""The certificates of a UnionPay of one's own: root, intermediate, and what they issue.

The names have the shape of the real ones, whose third `@` part says whom a certificate is about.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

UNIONPAY = "041@8310000000083040@中国银联股份有限公司@00016494"
FROM = datetime(2020, 1, 1, tzinfo=UTC)
UNTIL = datetime(2049, 12, 31, tzinfo=UTC)
"""Wide enough for every virtual clock."""


def merchant_name(mer_id: str) -> str:
    """The common name of a merchant's certificate."""
    return f"041@Z{mer_id}@{mer_id}@00000001"


def pem(certificate: x509.Certificate) -> str:
    """As text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def authority(
    name: str, key: RSAPrivateKey, issuer: tuple[str, RSAPrivateKey] | None = None
) -> x509.Certificate:
    """A root, or with `issuer` (its name and key) an intermediate."""
    return _made(name, key, issuer or (name, key), is_authority=True)


def leaf(
    name: str,
    key: RSAPrivateKey,
    issuer: tuple[str, RSAPrivateKey],
    *,
    not_before: datetime = FROM,
    not_after: datetime = UNTIL,
) -> x509.Certificate:
    """A certificate that signs and encrypts."""
    return _made(name, key, issuer, not_before=not_before, not_after=not_after)


def _made(
    name: str,
    key: RSAPrivateKey,
    issuer: tuple[str, RSAPrivateKey],
    *,
    is_authority: bool = False,
    not_before: datetime = FROM,
    not_after: datetime = UNTIL,
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=not is_authority,
        key_encipherment=not is_authority,
        data_encipherment=not is_authority,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(_subject(issuer[0]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer[1], hashes.SHA256())
    )


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Simulated CFCA"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
