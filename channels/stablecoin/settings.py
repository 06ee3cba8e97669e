"""What an operator configures for one Circle Mint account, checked when it is loaded.

Keys are read and parsed here, once, so that a wrong file stops the start and not a payout. Secrets
are shown by no repr and by no validation error.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import (
    BaseModel,
    ConfigDict,
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
from channels.stablecoin import signing
from channels.stablecoin.profile import REFUSAL_LAG_S
from channels.stablecoin.signing import KeyMaterialError

RESEND_WINDOW_S = int(timedelta(days=1).total_seconds())
"""§5.3: the same key is answered with the original. That keys never expire is documented for a
sister product alone (UNVERIFIED here), so a day, in which most outages end, and then a person."""

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,16}$")]
Parsed = TypeVar("Parsed")


class NoticeKey(BaseModel):
    """One public key that signs v2 notices; X-Circle-Key-Id names it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    public_key: str | None = Field(default=None, repr=False)
    public_key_file: Path | None = None


class StablecoinSettings(HttpSettings):
    """One Mint account. Notices by SNS need `sns_topic_arns`, those by ECDSA `notice_keys`."""

    base_url: str = "https://api.circle.com"
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    rails: Annotated[tuple[Literal[Rail.WIRE, Rail.CHAIN], ...], Field(min_length=1)] = (Rail.WIRE,)
    """What the account is activated for: fiat payouts, crypto payouts or both."""
    wire_type: Literal["wire", "cbit"] = "wire"
    """How the registered bank accounts are reached."""
    chains: tuple[Code, ...] = ("ETH",)
    """Chains on which the account may pay out, as the institution spells them."""
    source_wallet_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")] | None = None
    """The wallet crypto payouts are taken from; absent, the account's own."""
    source_currency: Literal["USD", "EUR"] | None = None
    """What the balance is held in, where that is not what payouts are in; see `quote.py`."""
    quote_max_age_s: Annotated[int, Field(ge=1, le=3600)] = 60
    quote_refresh_s: Annotated[float, Field(gt=0, le=600)] = 20
    quote_max_move_ppm: Annotated[int, Field(ge=1, le=500_000)] = 10_000
    exposure_hours: Annotated[int, Field(ge=0, le=240)] = 1
    """How long a payout is exposed to the rate, from the quote to its execution."""
    exposure_ppm_per_hour: Annotated[int, Field(ge=0, le=100_000)] = 0
    """What an hour of that costs, in parts per million of the amount."""
    sns_topic_arns: tuple[
        Annotated[
            str,
            StringConstraints(pattern=r"^arn:aws"),
        ],
        ...,
    ] = ()
    """The topics of our own subscriptions: SNS signs for whoever has a topic, so others are no
    word of Circle's."""
    sns_certificate_files: tuple[Path, ...] = ()
    """Certificates that SNS signs with. One that is not here is fetched from the address a message
    names, if SNS would name that, and known until the process ends."""
    sns_origins: tuple[str, ...] = ()
    """Origins taken for SNS's own besides sns.<region>.amazonaws.com: of a sandbox."""
    notice_keys: Annotated[tuple[NoticeKey, ...], Field(max_length=2)] = ()
    """Two while the institution changes its own."""
    inquire_first_s: WholeSeconds = 10
    """reliability.md §4.4: first after ten seconds."""
    resend_window_s: Annotated[int, Field(ge=0, le=RESEND_WINDOW_S)] = RESEND_WINDOW_S
    """How long the same request may be sent again; 0 never."""
    resend_quiet_s: WholeSeconds = 60
    """How long after a send the same request is not sent again."""
    refusal_lag_s: WholeSeconds = REFUSAL_LAG_S
    """How far apart the two looks are that complete a refusal; seconds in a sandbox only."""

    _api_key: str = PrivateAttr()
    _certificates: tuple[x509.Certificate, ...] = PrivateAttr()
    _notice_keys: Mapping[str, EllipticCurvePublicKey] = PrivateAttr()

    @property
    def bearer(self) -> str:
        """The API key itself."""
        return self._api_key

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The configured certificates of SNS, parsed."""
        return self._certificates

    @property
    def verifiers(self) -> Mapping[str, EllipticCurvePublicKey]:
        """The configured keys of v2 notices, by id."""
        return self._notice_keys

    def credentials(self) -> tuple[Credential, ...]:
        """Each key and certificate this account works with."""
        ours = Credential("api_key", "ours", fingerprints.of_secret(self._api_key))
        certificates = tuple(
            Credential(
                "sns_certificate_files",
                "theirs",
                fingerprints.of_public_key(rsa_key(one)),
                one.not_valid_after_utc,
            )
            for one in self._certificates
        )
        keys = tuple(
            Credential("notice_keys", "theirs", fingerprints.of_public_key(key))
            for key in self._notice_keys.values()
        )
        return (ours, *certificates, *keys)

    @field_validator("base_url")
    @classmethod
    def _origin_only(cls, value: str) -> str:
        return _origin(value)

    @field_validator("sns_origins")
    @classmethod
    def _origins_only(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_origin(value) for value in values)

    @model_validator(mode="after")
    def _load(self) -> Self:
        if self.sns_certificate_files and not self.sns_topic_arns:
            raise ValueError("sns_certificate_files needs sns_topic_arns")
        if self.source_currency is not None and self.rails != (Rail.CHAIN,):
            raise ValueError("source_currency: only crypto payouts (rails: [chain]) convert")
        if Rail.CHAIN in self.rails and not self.chains:
            raise ValueError("chains: at least one must be named for the rail chain")
        given = None if self.api_key is None else self.api_key.get_secret_value()
        self._api_key = _one_of(_bearer, "api_key", given, self.api_key_file)
        self._certificates = tuple(
            _parsed(
                lambda path: signing.load_certificate(path.read_bytes()),
                "sns_certificate_files",
                one,
            )
            for one in self.sns_certificate_files
        )
        self._notice_keys = {
            one.key_id: _one_of(
                signing.load_notice_key,
                "notice_keys.public_key",
                one.public_key,
                one.public_key_file,
            )
            for one in self.notice_keys
        }
        if len(self._notice_keys) != len(self.notice_keys):
            raise ValueError("notice_keys: two share one key_id")
        return self


def rsa_key(certificate: x509.Certificate) -> RSAPublicKey:
    """The key a certificate from `load_certificate` vouches for."""
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise KeyMaterialError("not a certificate of an RSA key")
    return key


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be http(s)://host[:port]")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an origin, without path, query or user")
    return value.rstrip("/")


def _bearer(text: str) -> str:
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise KeyMaterialError("not an API key: one line of printable ASCII without spaces")
    return key


def _one_of(
    load: Callable[[str], Parsed], name: str, text: str | None, file: Path | None
) -> Parsed:
    if text is not None and file is None:
        return _parsed(load, name, text)
    if file is not None and text is None:
        return _parsed(lambda path: load(path.read_text(encoding="ascii")), f"{name}_file", file)
    raise ValueError(f"exactly one of {name} and {name}_file must be given")


Source = TypeVar("Source")


def _parsed(load: Callable[[Source], Parsed], name: str, source: Source) -> Parsed:
    try:
        return load(source)
    except KeyMaterialError as error:
        raise ValueError(f"{name}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {source} cannot be read") from error
