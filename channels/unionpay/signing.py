"""UnionPay's cryptography: the 5.1.0 RSA signature, its certificates, and sensitive fields.

Pure. Source: wire-protocols.md §3.4. Signed are all fields but `signature`, sorted by name, raw
`k=v` joined with `&`; of that text the SHA-256 in lower-case hex is what SHA256withRSA signs. A
reply brings its own certificate (`signPubKeyCert`), which is believed only if it is valid now, was
issued by a configured intermediate under a configured root, and belongs to UnionPay by its subject.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from msgspec import Struct

from channels.unprinted import Unprinted

SIGNATURE = "signature"
CERTIFICATE = "signPubKeyCert"
KEY_BITS_MIN = 2048


class KeyMaterialError(ValueError):
    """A configured key or certificate is unusable; the message never quotes it."""


class DistrustError(ValueError):
    """A certificate that came with a message is not UnionPay's, or not any more."""


class Trust(Struct, frozen=True):
    """Whose certificates are believed."""

    middles: tuple[x509.Certificate, ...]
    roots: tuple[x509.Certificate, ...]
    signers: frozenset[str]
    """What the third `@` part of the subject's common name may be."""


class Keys(Unprinted, frozen=True):
    """Everything parsed once from the settings; nothing of it is ever shown."""

    hidden = frozenset({"private"})

    private: RSAPrivateKey
    certificate: x509.Certificate
    trust: Trust
    encryption: x509.Certificate | None = None
    """UnionPay's certificate for sensitive fields; None leaves them plain."""

    @property
    def cert_id(self) -> str:
        """The number by which UnionPay knows our signing certificate."""
        return serial(self.certificate)


# --- Loading ---------------------------------------------------------------------------------


def load_pfx(content: bytes, password: str) -> tuple[RSAPrivateKey, x509.Certificate]:
    """Our key and certificate from the PKCS#12 file that CFCA hands out."""
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(content, password.encode())
    except UnsupportedAlgorithm as error:
        raise KeyMaterialError("locked in a way nothing here opens: convert it to PEM") from error
    except ValueError as error:
        raise KeyMaterialError("not a PKCS#12 file that this password opens") from error
    if certificate is None:
        raise KeyMaterialError("holds no certificate")
    return _private(key), certificate


def load_private_key(text: str) -> RSAPrivateKey:
    """PEM, PKCS #1 or #8."""
    try:
        return _private(serialization.load_pem_private_key(text.encode(), password=None))
    except (TypeError, UnsupportedAlgorithm) as error:
        raise KeyMaterialError("not a private key in PEM form") from error
    except ValueError as error:
        if isinstance(error, KeyMaterialError):
            raise
        raise KeyMaterialError("not a private key in PEM form") from error


def load_certificates(text: str) -> tuple[x509.Certificate, ...]:
    """Every certificate of a PEM text, at least one, each with an RSA key."""
    try:
        found = tuple(x509.load_pem_x509_certificates(text.encode()))
    except ValueError as error:
        raise KeyMaterialError("not a PEM certificate") from error
    for certificate in found:
        public_key(certificate)
    return found


def public_key(certificate: x509.Certificate) -> RSAPublicKey:
    """Take the RSA key that a certificate vouches for."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyMaterialError("not a certificate of a readable key") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise KeyMaterialError(f"not a certificate of an RSA key of at least {KEY_BITS_MIN} bits")
    return key


def serial(certificate: x509.Certificate) -> str:
    """The serial number as `certId` and `encryptCertId` carry it: decimal."""
    return str(certificate.serial_number)


def is_pair(private: RSAPrivateKey, certificate: x509.Certificate) -> bool:
    """Whether the certificate is about this key."""
    return private.public_key().public_numbers() == public_key(certificate).public_numbers()


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether the moment lies within the certificate's life."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


# --- Signing and verifying -------------------------------------------------------------------


def sign(key: RSAPrivateKey, fields: Mapping[str, str]) -> str:
    """Sign every field that is not blank, base64."""
    text = _text(sorted((k, v) for k, v in fields.items() if v and k != SIGNATURE))
    return base64.b64encode(key.sign(_digest(text), PKCS1v15(), hashes.SHA256())).decode()


def verifies(key: RSAPublicKey, fields: Mapping[str, str]) -> bool:
    """Whether `signature` among the fields is that key's over all the others.

    Blank fields are left out of what is signed; the official library verifies with whatever stands
    in the message, so a blank one that was signed along is taken too: it says nothing either way.
    """
    try:
        signature = base64.b64decode("".join(fields.get(SIGNATURE, "").split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    given = sorted((k, v) for k, v in fields.items() if k != SIGNATURE)
    return any(_fits(key, signature, text) for text in _variants(given))


def signer(pem: str, trust: Trust, now: datetime) -> RSAPublicKey:
    """The key of the certificate inside a message, once it is proven to be UnionPay's.

    The chain comes first: what nobody has issued is not read for its names and uses, whose readers
    fail in ways of their own on spoilt ones.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = public_key(certificate)
    except (ValueError, x509.InvalidVersion) as error:
        raise DistrustError("the message's certificate cannot be read") from error
    if not is_valid(certificate, now):
        raise DistrustError("the message's certificate is not valid now")
    middles = _issuers(certificate, trust.middles, now)
    if not any(True for middle in middles for _ in _issuers(middle, trust.roots, now)):
        raise DistrustError("the message's certificate has no chain to a configured root")
    if not _may_sign(certificate):
        raise DistrustError("the message's certificate is not for signatures")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if not any(_holder(str(name.value)) in trust.signers for name in names):
        raise DistrustError("the message's certificate belongs to somebody else")
    return key


def encrypt(certificate: x509.Certificate, text: str) -> str:
    """Encrypt a sensitive field: RSA with PKCS #1 v1.5 padding, base64."""
    return base64.b64encode(public_key(certificate).encrypt(text.encode(), PKCS1v15())).decode()


def _private(key: object) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
        raise KeyMaterialError(f"not an RSA private key of at least {KEY_BITS_MIN} bits")
    return key


def _text(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


def _variants(given: list[tuple[str, str]]) -> set[str]:
    return {_text(given), _text((name, value) for name, value in given if value)}


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).hexdigest().encode()


def _fits(key: RSAPublicKey, signature: bytes, text: str) -> bool:
    try:
        key.verify(signature, _digest(text), PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _holder(common_name: str) -> str:
    """Whom a name such as `041@8310000000083040@中国银联股份有限公司@00016494` belongs to."""
    parts = common_name.split("@")
    return parts[2] if len(parts) > 2 else ""


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether the certificate, if it limits its use at all, allows signatures."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except (ValueError, x509.DuplicateExtension):
        return False
    return usage.digital_signature or usage.content_commitment


def _issuers(
    certificate: x509.Certificate, candidates: Iterable[x509.Certificate], now: datetime
) -> Iterator[x509.Certificate]:
    """Those of the candidates, valid now, that have issued the certificate."""
    for issuer in candidates:
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        if is_valid(issuer, now):
            yield issuer
