"""Certificates for the tests of certificate mode: an RSA root, an EC root beside it, leaves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

from tests.simulators.keys import pair

_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Pay"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Authority"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Test Root R1"),
    ]
)
_ISSUER_TEXT = "CN=Test Root R1,OU=Authority,O=Test Pay,C=CN"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate for the key of the same name."""

    pem: str
    serial: str


class Authority:
    """A root that issues leaves."""

    def __init__(self) -> None:
        """Make the RSA root and an EC one that must not count."""
        self._key = pair("root").key
        self.certificate = _certify(_NAME, 1001, self._key, self._key)
        elliptic = ec.generate_private_key(ec.SECP256R1())
        other = (
            x509.CertificateBuilder()
            .subject_name(_NAME)
            .issuer_name(_NAME)
            .public_key(elliptic.public_key())
            .serial_number(1002)
            .not_valid_before(_FROM)
            .not_valid_after(_FROM + timedelta(days=9000))
            .sign(elliptic, hashes.SHA256())
        )
        self.bundle = _pem(self.certificate) + _pem(other)
        self.serial = _serial(1001)

    def issue(self, name: str) -> Leaf:
        """A certificate over the key called `name`."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        number = 5000 + len(name)
        return Leaf(_pem(_certify(subject, number, pair(name).key, self._key)), _serial(number))


def _serial(number: int) -> str:
    return hashlib.md5(f"{_ISSUER_TEXT}{number}".encode(), usedforsecurity=False).hexdigest()


def _certify(
    subject: x509.Name, number: int, key: RSAPrivateKey, issuer_key: RSAPrivateKey
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(_FROM)
        .not_valid_after(_FROM + timedelta(days=9000))
        .sign(issuer_key, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
