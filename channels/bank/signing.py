"""Who is who on the way to a bank: certificates of the connection, and the HMAC of pushed messages.

Pure but for reading the files that the settings name. Files themselves carry no signature here:
over HTTPS the connection is authenticated both ways, in a folder the file system's rights are.
"""

import hmac
import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from channels import fingerprints

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class KeyMaterialError(ValueError):
    """A key, certificate or secret cannot be used; the text says why and never quotes it."""


class Certificate(Struct, frozen=True):
    """What may be told of a certificate."""

    fingerprint: str
    not_after: datetime
    not_before: datetime


def load_certificates(raw: bytes) -> tuple[Certificate, ...]:
    """Every certificate of a PEM file, in its order."""
    try:
        found = x509.load_pem_x509_certificates(raw)
        return tuple(
            Certificate(
                fingerprints.of_public_key(one.public_key()),
                one.not_valid_after_utc,
                one.not_valid_before_utc,
            )
            for one in found
        )
    except (ValueError, TypeError) as error:
        raise KeyMaterialError("is not a PEM certificate") from error


def load_private_key(raw: bytes, password: str | None) -> PrivateKeyTypes:
    """A PEM private key."""
    try:
        return load_pem_private_key(raw, None if password is None else password.encode())
    except TypeError as error:
        raise KeyMaterialError("needs a password, or has none and was given one") from error
    except ValueError as error:
        raise KeyMaterialError("is not a PEM private key that its password opens") from error


def tls(
    ca_file: Path | None, cert_file: Path | None, key_file: Path | None, password: str | None
) -> ssl.SSLContext:
    """A context that trusts the given authority alone and shows our certificate."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file is not None:
        context.load_cert_chain(str(cert_file), str(key_file), password or "")
    return context


def verifies(
    secrets: tuple[str, ...],
    timestamp: str,
    signature: str,
    body: bytes,
    now: datetime,
    tolerance_s: int,
) -> bool:
    """Whether one of the live secrets signed TIMESTAMP.BODY, and not too long ago."""
    if _SECONDS.fullmatch(timestamp) is None or _HEX.fullmatch(signature) is None:
        return False
    if abs(int(now.astimezone(UTC).timestamp()) - int(timestamp)) > tolerance_s:
        return False
    signed = timestamp.encode() + b"." + body
    return any(
        hmac.compare_digest(hmac.digest(secret.encode(), signed, "sha256").hex(), signature)
        for secret in secrets
    )
