"""What an operator configures for one account at one bank, checked when it is loaded.

The bank itself is a profile (see `profile.py`): `profile: cn-https` names one that comes along, a
mapping under `profile` or a `profile_file` is one's own. Certificates, keys and secrets are parsed
here, once; they are shown by no repr and by no validation error.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    field_validator,
    model_validator,
)

from channels import fingerprints
from channels.bank import profile as profiles
from channels.bank import signing
from channels.bank.profile import BankProfile, Folder, Https, Member
from channels.bank.signing import KeyMaterialError
from channels.contract import Credential

INQUIRE_FIRST_S = 300
INQUIRE_MAX_S = int(timedelta(hours=6).total_seconds())
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SECRET_CHARS_MIN = 16

Seconds = Annotated[float, Field(gt=0, le=300)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=140, strip_whitespace=True)]


class BankSettings(BaseModel):
    """The account we pay from, the bank that keeps it, and how files get there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    profile: str | BankProfile | None = None
    profile_file: Path | None = None
    account_number: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,34}$")] = Field(
        repr=False
    )
    account_name: Name = Field(repr=False)
    agent_member_id: Member
    """The 12-digit line number of the branch that keeps our account."""
    initiating_party: Name | None = None
    """Who sends the files; the account's owner if absent."""
    customer_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,35}$")] | None = None
    base_url: str | None = None
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    client_key_password: SecretStr | None = None
    tls_ca_file: Path | None = None
    """Trust this authority and no other."""
    notice_secrets: Annotated[tuple[SecretStr, ...], Field(max_length=2)] = ()
    """Of pushed messages; two while one takes over from the other."""
    folder_out: Path | None = None
    """Where our files are dropped."""
    folder_in: Path | None = None
    """Where the bank's files appear."""
    connect_timeout_s: Seconds = 5
    total_timeout_s: Seconds = 60
    pool_wait_s: Seconds = 5
    connections: Annotated[int, Field(ge=1, le=1000)] = 8
    inquire_first_s: Annotated[int, Field(ge=1)] = INQUIRE_FIRST_S
    inquire_max_s: Annotated[int, Field(ge=1)] = INQUIRE_MAX_S
    inquire_horizon_days: Annotated[int, Field(ge=1)] | None = None
    """For how long the bank keeps its files, if it removes them."""

    _bank: BankProfile = PrivateAttr()
    _credentials: tuple[Credential, ...] = PrivateAttr(default=())

    @property
    def bank(self) -> BankProfile:
        """The bank's profile, wherever it came from."""
        return self._bank

    def credentials(self) -> tuple[Credential, ...]:
        """Every certificate and secret this channel works with."""
        return self._credentials

    def refuse_expired(self, now: datetime) -> None:
        """ValueError naming the first certificate that is over."""
        for one in self._credentials:
            if one.not_after is not None and one.not_after <= now:
                raise ValueError(f"{one.name}: expired on {one.not_after:%Y-%m-%d}")

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = TypeAdapter(HttpUrl).validate_python(value)
        if url.query or url.fragment or url.username or url.password:
            raise ValueError("must be a plain address, without query, fragment or user")
        if url.scheme == "http" and urlsplit(value).hostname not in LOOPBACK:
            raise ValueError("must be https: unencrypted files go to this machine only")
        return value.rstrip("/")

    @field_validator("notice_secrets")
    @classmethod
    def _long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(one.get_secret_value()) < SECRET_CHARS_MIN for one in value):
            raise ValueError(f"a secret has at least {SECRET_CHARS_MIN} characters")
        return value

    @model_validator(mode="after")
    def _load(self) -> Self:
        if self.inquire_max_s < self.inquire_first_s:
            raise ValueError("inquire_max_s must not be below inquire_first_s")
        self._bank = self._chosen()
        match self._bank.delivery:
            case Https() as envelope:
                self._over_https(envelope)
            case Folder():
                self._over_folders()
        if self.notice_secrets and self._bank.notices is None:
            raise ValueError("notice_secrets: the bank's profile signs no messages")
        self._credentials = self._told()
        return self

    def _chosen(self) -> BankProfile:
        if (self.profile is None) == (self.profile_file is None):
            raise ValueError("exactly one of profile and profile_file must be given")
        if isinstance(self.profile, BankProfile):
            return self.profile
        if self.profile is not None:
            return profiles.named(self.profile)
        try:
            return profiles.load(self.profile_file or Path())
        except ValueError as error:
            raise ValueError(f"profile_file: {error}") from error

    def _over_https(self, envelope: Https) -> None:
        if self.base_url is None:
            raise ValueError("base_url must be given: the bank's profile delivers over HTTPS")
        if self.folder_out is not None or self.folder_in is not None:
            raise ValueError("folder_out and folder_in belong to a profile with folders")
        pair = (self.client_cert_file, self.client_key_file)
        if (pair[0] is None) != (pair[1] is None):
            raise ValueError("client_cert_file and client_key_file go together")
        if self.base_url.startswith("https:") and pair[0] is None:
            raise ValueError("client_cert_file is missing: the bank knows us by our certificate")
        if envelope.customer_header is not None and self.customer_id is None:
            raise ValueError(
                f"customer_id must be given: the bank expects it in {envelope.customer_header}"
            )

    def _over_folders(self) -> None:
        for name, folder in (("folder_out", self.folder_out), ("folder_in", self.folder_in)):
            if folder is None:
                raise ValueError(f"{name} must be given: the bank's profile delivers in folders")
            if not folder.is_dir():
                raise ValueError(f"{name}: {folder} is not a folder")
        if self.folder_out == self.folder_in:
            raise ValueError("folder_out and folder_in must differ")
        if self.base_url is not None or self.client_cert_file is not None or self.notice_secrets:
            raise ValueError("base_url, certificates and secrets belong to a profile with HTTPS")

    def _told(self) -> tuple[Credential, ...]:
        told: list[Credential] = []
        if self.client_cert_file is not None and self.client_key_file is not None:
            told.append(self._own_certificate(self.client_cert_file, self.client_key_file))
        if self.tls_ca_file is not None:
            told += _authorities(self.tls_ca_file)
        told += [
            Credential("notice_secrets", "theirs", fingerprints.of_secret(one.get_secret_value()))
            for one in self.notice_secrets
        ]
        return tuple(told)

    def _own_certificate(self, cert_file: Path, key_file: Path) -> Credential:
        certificates = _certificates("client_cert_file", cert_file)
        password = self.client_key_password
        try:
            key = signing.load_private_key(
                _bytes("client_key_file", key_file),
                None if password is None else password.get_secret_value(),
            )
            public = fingerprints.of_public_key(key.public_key())
        except KeyMaterialError as error:
            raise ValueError(f"client_key_file: {error}") from error
        own = certificates[0]
        if public != own.fingerprint:
            raise ValueError("client_key_file: does not belong to client_cert_file")
        return Credential("client_cert_file", "ours", own.fingerprint, own.not_after)


def _authorities(file: Path) -> list[Credential]:
    found = _certificates("tls_ca_file", file)
    return [Credential("tls_ca_file", "theirs", one.fingerprint, one.not_after) for one in found]


def _certificates(name: str, file: Path) -> tuple[signing.Certificate, ...]:
    try:
        return signing.load_certificates(_bytes(name, file))
    except KeyMaterialError as error:
        raise ValueError(f"{name}: {error}") from error


def _bytes(name: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{name}: {file} cannot be read") from error
