"""What an operator configures for one UnionPay merchant, checked when it is loaded.

Keys and certificates are read and parsed here, once, so that a wrong file stops the start and not a
payout. Secrets are shown by no repr and by no validation error. Whether a certificate is still
valid needs a clock, so `channel.build` asks `expired`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509 import Certificate
from pydantic import (
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from channels import fingerprints
from channels.contract import Credential, Rail
from channels.http_settings import HttpSettings, WholeSeconds
from channels.unionpay import signing
from channels.unionpay.profile import REFUSAL_LAG_S
from channels.unionpay.signing import KeyMaterialError, Keys, Trust

UNIONPAY = "中国银联股份有限公司"
"""§3.4: whom the signing certificate must name; the test environment has 00040000:SIGN."""

RAILS = frozenset({Rail.BANK_CARD, Rail.BANK_ACCOUNT})

LiveFiles = Annotated[tuple[Path, ...], Field(min_length=1, max_length=2)]
"""Two while one is being replaced by the other."""


class UnionpaySettings(HttpSettings):
    """One merchant number (merId) and the certificate it signs with.

    Our key comes either as the PFX that CFCA hands out (`pfx_file` and `pfx_password`) or as
    `private_key(_file)` with `certificate_file`.
    """

    gateway_url: str = "https://gateway.95516.com"
    file_url: str = "https://filedownload.95516.com"
    mer_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{15}$")]
    pfx_file: Path | None = None
    pfx_password: SecretStr | None = None
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    certificate_file: Path | None = None
    middle_cert_files: LiveFiles
    root_cert_files: LiveFiles
    signer_names: Annotated[tuple[str, ...], Field(min_length=1)] = (UNIONPAY,)
    """Third `@` part of the common name in certificates of replies."""
    encrypt_cert_file: Path | None = None
    """UnionPay's certificate for sensitive fields; with it account numbers go encrypted."""
    rails: frozenset[Rail] = RAILS
    """What the merchant's contract allows: cards (accType 01), corporate accounts (04)."""
    back_url: str | None = None
    """Where notices go when the gateway names no address of its own."""
    inquire_first_s: WholeSeconds = 180
    """wire-protocols.md §3.5, official cadence: first about three minutes after the payout."""
    refusal_lag_s: WholeSeconds = REFUSAL_LAG_S
    """How far apart the two looks are that complete a refusal; seconds in a sandbox only."""

    _keys: Keys = PrivateAttr()

    @property
    def keys(self) -> Keys:
        """Everything cryptographic, parsed."""
        return self._keys

    def credentials(self) -> tuple[Credential, ...]:
        """Every key and certificate this merchant works with, by the setting it came from."""
        return tuple(
            Credential(
                name,
                "ours" if name == self._ours else "theirs",
                fingerprints.of_public_key(certificate.public_key()),
                certificate.not_valid_after_utc,
            )
            for name, certificates in self._loaded()
            for certificate in certificates
        )

    def expired(self, now: datetime) -> tuple[str, ...]:
        """The settings none of whose certificates is valid now."""
        return tuple(
            name
            for name, certificates in self._loaded()
            if not any(signing.is_valid(certificate, now) for certificate in certificates)
        )

    @field_validator("gateway_url", "file_url")
    @classmethod
    def _origin_only(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be http(s)://host[:port]")
        if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
            raise ValueError("must be an origin, without path, query or user")
        return value.rstrip("/")

    @field_validator("rails")
    @classmethod
    def _reachable(cls, value: frozenset[Rail]) -> frozenset[Rail]:
        if not value or not value <= RAILS:
            raise ValueError("must be bank_card, bank_account or both")
        return value

    @model_validator(mode="after")
    def _load(self) -> Self:
        private, certificate = self._signing_pair()
        if not signing.is_pair(private, certificate):
            raise ValueError(f"{self._ours}: the certificate belongs to another key")
        encryption = self.encrypt_cert_file
        self._keys = Keys(
            private=private,
            certificate=certificate,
            trust=Trust(
                middles=_certificates("middle_cert_files", *self.middle_cert_files),
                roots=_certificates("root_cert_files", *self.root_cert_files),
                signers=frozenset(self.signer_names),
            ),
            encryption=_certificates("encrypt_cert_file", encryption)[0] if encryption else None,
        )
        return self

    @property
    def _ours(self) -> str:
        return "pfx_file" if self.pfx_file is not None else "certificate_file"

    def _loaded(self) -> Iterator[tuple[str, Sequence[Certificate]]]:
        yield self._ours, [self._keys.certificate]
        yield "middle_cert_files", self._keys.trust.middles
        yield "root_cert_files", self._keys.trust.roots
        if self._keys.encryption is not None:
            yield "encrypt_cert_file", [self._keys.encryption]

    def _signing_pair(self) -> tuple[RSAPrivateKey, Certificate]:
        plain = (self.private_key, self.private_key_file, self.certificate_file)
        if self.pfx_file is not None:
            if plain != (None, None, None):
                raise ValueError("pfx_file excludes private_key(_file) and certificate_file")
            if self.pfx_password is None:
                raise ValueError("pfx_file needs pfx_password")
            return _pfx(self.pfx_file, self.pfx_password.get_secret_value())
        if self.pfx_password is not None:
            raise ValueError("pfx_password is given without pfx_file")
        if self.certificate_file is None:
            raise ValueError("pfx_file, or private_key(_file) with certificate_file, must be given")
        if (self.private_key is None) == (self.private_key_file is None):
            raise ValueError("exactly one of private_key and private_key_file must be given")
        name, text = "private_key", ""
        if self.private_key is not None:
            text = self.private_key.get_secret_value()
        elif self.private_key_file is not None:
            name, text = "private_key_file", _text("private_key_file", self.private_key_file)
        try:
            key = signing.load_private_key(text)
        except KeyMaterialError as error:
            raise ValueError(f"{name}: {error}") from error
        return key, _certificates("certificate_file", self.certificate_file)[0]


def _pfx(file: Path, password: str) -> tuple[RSAPrivateKey, Certificate]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"pfx_file: {file} cannot be read") from error
    try:
        return signing.load_pfx(content, password)
    except KeyMaterialError as error:
        raise ValueError(f"pfx_file: {error}") from error


def _certificates(name: str, *files: Path) -> tuple[Certificate, ...]:
    try:
        return tuple(
            certificate
            for file in files
            for certificate in signing.load_certificates(_text(name, file))
        )
    except KeyMaterialError as error:
        raise ValueError(f"{name}: {error}") from error


def _text(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {file} cannot be read as PEM text") from error
