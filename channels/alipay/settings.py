"""What an operator configures for one Alipay application, checked when it is loaded.

Keys are read and parsed here, once, so that a wrong file stops the start and not a payout. Secrets
are shown by no repr and by no validation error.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from msgspec.structs import replace
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
from channels.alipay import signing
from channels.alipay.profile import REFUSAL_LAG_S
from channels.alipay.signing import KeyMaterialError, Keys
from channels.contract import Credential, Rail
from channels.http_settings import HttpSettings, WholeSeconds

if TYPE_CHECKING:
    from cryptography import x509

RESEND_WINDOW_S = int(timedelta(days=1).total_seconds())
"""The same out_biz_no may always be sent again; only PAYMENT_TIME_EXPIRE bounds it, at an age the
documentation does not give. A day covers every outage after which a person should look anyway."""

LIVE_KEYS_MAX = 2
"""The platform's key before a change and the one after it."""

Product = Literal["TRANS_ACCOUNT_NO_PWD", "TRANS_BANKCARD_NO_PWD"]
PRODUCTS: Mapping[Rail, Product] = {
    Rail.ALIPAY: "TRANS_ACCOUNT_NO_PWD",
    Rail.BANK_CARD: "TRANS_BANKCARD_NO_PWD",
    Rail.BANK_ACCOUNT: "TRANS_BANKCARD_NO_PWD",
}
"""Which product can carry which rail (uni.transfer `product_code`)."""

Source = TypeVar("Source")
Parsed = TypeVar("Parsed")


class ReportInfo(BaseModel):
    """One line of `transfer_scene_report_infos`; the scene decides which lines are wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    info_type: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    info_content: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class AlipaySettings(HttpSettings):
    """One application (app_id) and the account it pays from.

    Either `alipay_public_key(_file)` or all of `app_cert_file`, `root_cert_file` and
    `alipay_cert_file` must be given, as the application is configured on the open platform.
    """

    gateway_url: str = "https://openapi.alipay.com/gateway.do"
    app_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{16}$")]
    user_id: Annotated[str, StringConstraints(pattern=r"^2088[0-9]{12}$")] | None = None
    """The paying account; with it, balances name it and statements must be its own."""
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    alipay_public_key: str | tuple[str, ...] | None = Field(default=None, repr=False)
    alipay_public_key_file: Path | tuple[Path, ...] | None = None
    """A list of two while the platform changes its own: either proves its messages."""
    app_cert_file: Path | None = None
    root_cert_file: Path | None = None
    alipay_cert_file: Path | None = None
    """May hold several certificates while the platform changes its own."""
    aes_key: SecretStr | None = None
    """Base64; encrypts every request and is expected of every answer."""
    products: Mapping[Rail, Product] = Field(default={Rail.ALIPAY: "TRANS_ACCOUNT_NO_PWD"})
    """The rails this application is signed for, and the product that carries each."""
    transfer_scene_name: Annotated[str, StringConstraints(min_length=1)] | None = None
    transfer_scene_report_infos: tuple[ReportInfo, ...] = ()
    inquire_first_s: WholeSeconds = 10
    """reliability.md §4.4: first after ten seconds."""
    resend_window_s: Annotated[int, Field(ge=0)] | None = None
    """How long the same number may be sent again; 0 never, absent a day."""
    resend_quiet_s: WholeSeconds = 60
    """How long after a send the same number is not sent again."""
    refusal_lag_s: WholeSeconds = REFUSAL_LAG_S
    """How far apart the two looks are that complete a refusal; seconds in a sandbox only."""

    _keys: Keys = PrivateAttr()
    _certificates: "tuple[tuple[str, x509.Certificate], ...]" = PrivateAttr(default=())

    @property
    def keys(self) -> Keys:
        """Everything cryptographic, parsed."""
        return self._keys

    def credentials(self) -> tuple[Credential, ...]:
        """Ours, then the platform's; a certificate stands for its key."""
        name = "private_key" if self.private_key is not None else "private_key_file"
        own = fingerprints.of_public_key(self._keys.private.public_key())
        found = [Credential(name, "ours", own)]
        if self._keys.aes is not None:
            secret = fingerprints.of_secret(self._keys.aes)
            found.append(Credential("aes_key", "ours", secret))
        for name, certificate in self._certificates:
            named = fingerprints.of_public_key(signing.certificate_key(certificate))
            ends = certificate.not_valid_after_utc
            found.append(
                Credential(name, "ours", named, ends)
                if name == "app_cert_file"
                else Credential(name, "theirs", named, ends)
            )
        if not self._certificates:
            inline = self.alipay_public_key is not None
            name = "alipay_public_key" if inline else "alipay_public_key_file"
            found += [
                Credential(name, "theirs", fingerprints.of_public_key(key))
                for key in self._keys.platform.values()
            ]
        return tuple(found)

    @field_validator("gateway_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        url = TypeAdapter(HttpUrl).validate_python(value)
        if url.query or url.fragment or url.username or url.password:
            raise ValueError("must be a plain address, without query, fragment or user")
        return value

    @field_validator("products")
    @classmethod
    def _products_fit(cls, value: Mapping[Rail, Product]) -> Mapping[Rail, Product]:
        if not value:
            raise ValueError("must name at least one rail")
        for rail, product in value.items():
            if PRODUCTS.get(rail) != product:
                raise ValueError(f"{product} cannot carry {rail}")
        return value

    @model_validator(mode="after")
    def _load(self) -> Self:
        if self.transfer_scene_report_infos and self.transfer_scene_name is None:
            raise ValueError("transfer_scene_report_infos needs transfer_scene_name")
        private = _one_of(
            signing.load_private_key, "private_key", self.private_key, self.private_key_file
        )
        aes = None if self.aes_key is None else self.aes_key.get_secret_value()
        self._keys = self._trust(
            Keys(private, {}, aes=_parsed(signing.load_aes_key, "aes_key", aes) if aes else None)
        )
        return self

    def _trust(self, keys: Keys) -> Keys:
        files = (self.app_cert_file, self.root_cert_file, self.alipay_cert_file)
        if files == (None, None, None):
            live = self._live()
            _refuse_own(keys.private, live, "alipay_public_key")
            # No serial is empty or begins with #, so these names collide with none.
            names = ("", *(f"#{number}" for number in range(2, len(live) + 1)))
            return replace(keys, platform=dict(zip(names, live, strict=True)))
        if self.alipay_public_key is not None or self.alipay_public_key_file is not None:
            raise ValueError("alipay_public_key and certificate files exclude each other")
        app, root, platform = (
            _read(signing.load_certificates, name, file)
            for name, file in zip(
                ("app_cert_file", "root_cert_file", "alipay_cert_file"), files, strict=True
            )
        )
        theirs = {
            signing.certificate_sn(certificate): _parsed(
                signing.certificate_key, "alipay_cert_file", certificate
            )
            for certificate in platform
        }
        _refuse_own(keys.private, theirs.values(), "alipay_cert_file")
        own = _parsed(signing.certificate_key, "app_cert_file", app[0])
        if own.public_numbers() != keys.private.public_key().public_numbers():
            raise ValueError("app_cert_file: not the certificate of this private key")
        self._certificates = (
            ("app_cert_file", app[0]),
            *(("alipay_cert_file", certificate) for certificate in platform),
        )
        return replace(
            keys,
            platform=theirs,
            app_cert_sn=signing.certificate_sn(app[0]),
            root_cert_sn=signing.root_sn(root),
        )

    def _live(self) -> list[RSAPublicKey]:
        """The platform's bare keys, in the order in which they are given."""
        name, texts, files = (
            "alipay_public_key",
            _listed(self.alipay_public_key),
            _listed(self.alipay_public_key_file),
        )
        if bool(texts) == bool(files):
            raise ValueError(f"exactly one of {name} and {name}_file must be given")
        if len(texts) + len(files) > LIVE_KEYS_MAX:
            raise ValueError(f"{name}: at most {LIVE_KEYS_MAX} keys are live at a time")
        return [
            *(_parsed(signing.load_public_key, name, text) for text in texts),
            *(_read(signing.load_public_key, f"{name}_file", file) for file in files),
        ]


def _listed(given: Source | tuple[Source, ...] | None) -> tuple[Source, ...]:
    if isinstance(given, tuple):
        return given
    return () if given is None else (given,)


def _refuse_own(private: RSAPrivateKey, theirs: Iterable[RSAPublicKey], name: str) -> None:
    """The commonest mistake: every answer would look forged."""
    own = private.public_key().public_numbers()
    if own in [key.public_numbers() for key in theirs]:
        raise ValueError(f"{name}: that is your own key; the platform's is needed")


def _one_of(
    load: Callable[[str], Parsed], name: str, given: SecretStr | str | None, file: Path | None
) -> Parsed:
    text = given.get_secret_value() if isinstance(given, SecretStr) else given
    if text is not None and file is None:
        return _parsed(load, name, text)
    if file is not None and text is None:
        return _read(load, f"{name}_file", file)
    raise ValueError(f"exactly one of {name} and {name}_file must be given")


def _read(load: Callable[[str], Parsed], name: str, file: Path | None) -> Parsed:
    if file is None:
        raise ValueError(f"{name} is missing: certificate mode needs all three certificate files")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {file} cannot be read as text") from error
    return _parsed(load, name, text)


def _parsed(load: Callable[[Source], Parsed], name: str, source: Source) -> Parsed:
    try:
        return load(source)
    except KeyMaterialError as error:
        raise ValueError(f"{name}: {error}") from error
