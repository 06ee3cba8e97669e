"""WeChat Pay API v3 cryptography on the merchant's side; pure but for OAEP's own randomness.

Signs requests (`WECHATPAY2-SHA256-RSA2048`: SHA256withRSA, PKCS#1 v1.5), proves replies and notices
over their raw bytes with the key that `Wechatpay-Serial` names, encrypts names (RSA-OAEP, SHA-1)
and opens notice resources (AES-256-GCM under the APIv3 key). Source: wire-protocols.md §2.1, from
the API v3 pages 签名生成, 签名验证, 敏感信息加解密, 证书和回调报文解密.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from channels import fingerprints
from channels.unprinted import Unprinted

SCHEME = "WECHATPAY2-SHA256-RSA2048"
TOLERANCE_S = 300
"""How far a timestamp may be from the reader's clock (签名验证: five minutes, either way)."""
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
"""Begins the signature of a probe that must be refused (wire-protocols.md §2.4)."""
RSA_BITS_MIN = 2048
GCM_NONCE_BYTES = 12

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
# SHA-1 is the protocol's choice (敏感信息加解密); OAEP does not rest on its collisions.
_OAEP = padding.OAEP(
    mgf=padding.MGF1(hashes.SHA1()),  # noqa: S303 - named by the protocol
    algorithm=hashes.SHA1(),  # noqa: S303 - named by the protocol
    label=None,
)
NAME_BYTES_MAX = RSA_BITS_MIN // 8 - 2 * 20 - 2
"""What OAEP with SHA-1 can carry under a 2048-bit key: 214 bytes of UTF-8."""


class UnsealError(ValueError):
    """A resource does not open: wrong APIv3 key, altered bytes, or not base64."""


class MerchantKey(Unprinted, frozen=True):
    """Our private key and the name under which the platform knows it."""

    hidden = frozenset({"key"})

    mchid: str
    serial_no: str
    key: rsa.RSAPrivateKey

    def authorization(self, method: str, target: str, body: bytes, at: datetime, nonce: str) -> str:
        """Value of the Authorization header; `target` is path and query exactly as sent.

        Signed text: METHOD LF target LF timestamp LF nonce LF body LF, the body raw or empty.
        """
        timestamp = str(int(at.timestamp()))
        head = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode()
        signature = self.key.sign(head + body + b"\n", padding.PKCS1v15(), hashes.SHA256())
        return (
            f'{SCHEME} mchid="{self.mchid}",nonce_str="{nonce}",'
            f'signature="{base64.b64encode(signature).decode()}",'
            f'timestamp="{timestamp}",serial_no="{self.serial_no}"'
        )


class PlatformKey(Unprinted, frozen=True):
    """A public key of the platform: a bare one (`PUB_KEY_ID_…`) or that of a certificate."""

    hidden = frozenset({"key"})

    serial: str
    key: rsa.RSAPublicKey
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """Names the key whatever vouches for it, and is no secret."""
        return fingerprints.of_public_key(self.key)

    def is_valid(self, at: datetime) -> bool:
        """Whether its certificate, if it has one, covers that moment."""
        return (self.not_before is None or self.not_before <= at) and (
            self.not_after is None or at <= self.not_after
        )

    def seal(self, text: str) -> str:
        """Encrypt a sensitive field for the platform; a fresh ciphertext every time."""
        return base64.b64encode(self.key.encrypt(text.encode(), _OAEP)).decode()


class PlatformKeys:
    """Every platform key that is live, by serial; a bare public key, if any, leads.

    During the platform's own switch from certificates to the public key both kinds sign, so both
    may be configured; whichever a message names is the one that must prove it.
    """

    def __init__(self, keys: Iterable[PlatformKey]) -> None:
        self._keys = {_canonical(key.serial): key for key in keys}
        if not self._keys:
            raise ValueError("no platform key: neither a public key nor a certificate is given")

    def live(self) -> tuple[PlatformKey, ...]:
        """All of them, in the order in which they were given."""
        return tuple(self._keys.values())

    def leading(self, at: datetime) -> PlatformKey:
        """The key to encrypt to and to ask replies from: bare first, else the youngest valid one.

        With every certificate outside its dates the youngest is still named: the platform then
        refuses, which is a clear answer, whereas refusing here would hide the reason.
        """
        bare = [key for key in self._keys.values() if key.not_before is None]
        if bare:
            return bare[0]
        dated = list(self._keys.values())
        valid = [key for key in dated if key.is_valid(at)] or dated
        return max(valid, key=lambda key: key.not_before or datetime.min.replace(tzinfo=UTC))

    def objection(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
        """Say why these bytes are not proven to be the platform's, or None if they are.

        Header names are lower case. Signed text: timestamp LF nonce LF body LF. A message signed
        longer ago than the tolerance proves nothing: it may be an old one played again.
        """
        values = [headers.get(f"wechatpay-{part}") for part in _PROOF]
        if not all(values):
            return "unsigned: a Wechatpay-* header is missing"
        kind, serial, timestamp, nonce, signature = (value or "" for value in values)
        if kind != SCHEME:
            return "signed with an unknown scheme"
        if signature.startswith(PROBE_PREFIX):
            return "a signature probe"
        key = self._keys.get(_canonical(serial))
        if key is None:
            return "signed with a key that is not configured"
        if not key.is_valid(now):
            return "signed with a certificate outside its dates"
        if _TIMESTAMP.fullmatch(timestamp) is None:
            return "the timestamp is not a number of seconds"
        if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
            return "signed too long ago, or in the future"
        try:
            text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
            raw = base64.b64decode(signature, validate=True)
            key.key.verify(raw, text, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return "the signature does not fit"
        return None


_PROOF = ("signature-type", "serial", "timestamp", "nonce", "signature")
"""The five headers that carry a proof (wire-protocols.md §2.1)."""


def nonce(subject: str, at: datetime) -> str:
    """32 hex digits that depend on nothing else, so that signing twice gives the same bytes.

    The nonce guards nothing here: a payout sent twice is caught by its number, not by a nonce.
    """
    return hashlib.sha256(f"{subject}\n{at.isoformat()}".encode()).hexdigest()[:32].upper()


def open_resource(apiv3_key: str, given_nonce: str, associated_data: str, sealed: str) -> bytes:
    """Open an AEAD_AES_256_GCM resource (base64 of ciphertext and tag), or UnsealError."""
    iv = given_nonce.encode()
    if len(iv) != GCM_NONCE_BYTES:
        raise UnsealError("the nonce is not 12 bytes")
    try:
        raw = base64.b64decode(sealed, validate=True)
        return AESGCM(apiv3_key.encode()).decrypt(iv, raw, associated_data.encode())
    except InvalidTag as error:
        raise UnsealError("the resource does not open with this APIv3 key") from error
    except ValueError as error:
        raise UnsealError("the resource is not base64") from error


def load_private(pem: str) -> rsa.RSAPrivateKey:
    """Our RSA key from PEM; ValueError, without a word of the key, if it is anything else."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ValueError("not an unencrypted PEM private key") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < RSA_BITS_MIN:
        raise ValueError("not an RSA private key of at least 2048 bits")
    return key


def load_public(serial: str, pem: str) -> PlatformKey:
    """The platform's bare public key, named `PUB_KEY_ID_…`."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise ValueError("not a PEM public key") from error
    return PlatformKey(serial, _strong(key))


def load_certificate(pem: str) -> PlatformKey:
    """A platform certificate; its serial is the number in upper-case hex, as the SDKs send it."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise ValueError("not a PEM certificate") from error
    return PlatformKey(
        f"{certificate.serial_number:X}",
        _strong(certificate.public_key()),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def _canonical(serial: str) -> str:
    """Fold a serial to what is compared: hex digits count, their case and leading zeros do not."""
    return serial.upper().lstrip("0")


def _strong(key: object) -> rsa.RSAPublicKey:
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise ValueError("not an RSA public key of at least 2048 bits")
    return key
