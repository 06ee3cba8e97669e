"""What an operator configures for one merchant of an Epay site, checked when it is loaded.

Keys are read and parsed here, once, so that a wrong file stops the start and not a payout. Secrets
are shown by no repr and by no validation error.
"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from pydantic import (
    BeforeValidator,
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
from channels.contract import Credential, Rail, Reason
from channels.epay import codes, signing
from channels.epay.profile import REFUSAL_LAG_S
from channels.epay.signing import KeyMaterialError, Keys
from channels.http_settings import Connections, HttpSettings, Seconds, WholeSeconds

RAILS = frozenset({Rail.ALIPAY, Rail.WECHAT, Rail.BANK_CARD})
NOT_THEIRS_TO_SAY = frozenset(
    {Reason.NEVER_SENT, Reason.NEVER_ARRIVED, Reason.RECALLED, Reason.BANK_RETURNED}
)
"""What no text of a site can mean."""

Parsed = TypeVar("Parsed")


def _listed(given: object) -> object:
    """One key, or a list of them."""
    return (given,) if isinstance(given, str | Path) else given


TwoTexts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(max_length=2, repr=False)]
TwoFiles = Annotated[tuple[Path, ...], BeforeValidator(_listed), Field(max_length=2)]
Host = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$", to_lower=True)
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class EpaySettings(HttpSettings):
    """One merchant (pid) of one site.

    `private_key(_file)` for `sign_type: RSA`, `md5_key` for MD5. The site signs its replies with
    RSA either way, so `public_key(_file)`, the site's, is always needed; two while it changes.
    """

    base_url: str
    """The site's address, e.g. https://pay.example.com/; https, or http on this machine alone."""
    pid: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,9}$")]
    sign_type: Literal["RSA", "MD5"] = "RSA"
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    md5_key: SecretStr | None = None
    public_key: TwoTexts = ()
    public_key_file: TwoFiles = ()
    rails: Annotated[frozenset[Rail], Field(min_length=1)] = frozenset({Rail.ALIPAY})
    """What the site pays out for this merchant: alipay, wechat, bank_card."""
    wechat_appid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")] | None = None
    """The appid behind the site's WeChat channel; openids of another one are refused here."""
    name_required: bool = True
    """A stock site refuses an empty name; some forks take it."""
    refusals: Mapping[Text, Reason] = Field(default={})
    """The site's own texts for refusals spoken before any money is asked for, numbers as `{n}`."""
    not_found: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = ()
    """The site's own texts for an unknown order, beside the stock ones."""
    receipt_hosts: Annotated[tuple[Host, ...], BeforeValidator(_listed)] = ()
    """Hosts beside the site's own from which receipts are fetched, by https: `host` or `host:port`.
    A site names any address it likes, and ours reaches what the site cannot."""
    total_timeout_s: Seconds = 30
    """Long: a site answers only when the channel behind it has."""
    connections: Connections = 32
    inquire_first_s: WholeSeconds = 10
    """reliability.md §4.4: first after ten seconds."""
    resend_window_s: Annotated[int, Field(ge=0)] = 0
    """How long the same number may be sent again; 0: never. See `channel.py` before changing it."""
    resend_quiet_s: WholeSeconds = 60
    """How long after a send the same number is not sent again."""
    refusal_lag_s: WholeSeconds = REFUSAL_LAG_S
    """How far apart the two looks are that complete a refusal; seconds in a sandbox only."""

    _keys: Keys = PrivateAttr()

    @property
    def keys(self) -> Keys:
        """Everything cryptographic, parsed."""
        return self._keys

    @property
    def absences(self) -> frozenset[str]:
        """Every text that means "no such order" at this site."""
        return codes.NOT_FOUND | set(self.not_found)

    def credentials(self) -> tuple[Credential, ...]:
        """Name the keys this channel works with."""
        private, secret = self._keys.private, self._keys.md5
        if private is not None:
            name = "private_key" if self.private_key is not None else "private_key_file"
            ours = Credential(name, "ours", fingerprints.of_public_key(private.public_key()))
        elif secret is not None:
            ours = Credential("md5_key", "ours", fingerprints.of_secret(secret))
        else:
            raise AssertionError("the validator lets no merchant through without a key")
        name = "public_key" if self.public_key else "public_key_file"
        theirs = (fingerprints.of_public_key(key) for key in self._keys.platform)
        return (ours, *(Credential(name, "theirs", one) for one in theirs))

    @field_validator("base_url")
    @classmethod
    def _bound_by_tls(cls, value: str) -> str:
        url = TypeAdapter(HttpUrl).validate_python(value)
        if url.query or url.fragment or url.username or url.password:
            raise ValueError("must be a plain address, without query, fragment or user")
        if url.scheme != "https" and not _is_here(url.host or ""):
            # A refusal names no order: without TLS yesterday's could be played back today.
            raise ValueError("must be https, for only TLS ties a refusal to its request")
        return value.rstrip("/")

    @field_validator("rails")
    @classmethod
    def _rails_fit(cls, value: frozenset[Rail]) -> frozenset[Rail]:
        if value - RAILS:
            raise ValueError(f"only {', '.join(sorted(RAILS))} can be paid through an Epay site")
        return value

    @field_validator("refusals")
    @classmethod
    def _refusals_fit(cls, value: Mapping[str, Reason]) -> Mapping[str, Reason]:
        stock = codes.SUBMIT.keys() | codes.NOT_FOUND | codes.ALIVE
        for text, reason in value.items():
            if text != codes.shape(text):
                raise ValueError("numbers in a text are written {n}")
            if text in stock:
                raise ValueError("the stock texts mean what they mean")
            if reason in NOT_THEIRS_TO_SAY:
                raise ValueError(f"no text of a site can mean {reason}")
        return value

    @model_validator(mode="after")
    def _load(self) -> Self:
        if set(self.not_found) & (self.refusals.keys() | codes.SUBMIT.keys() | codes.ALIVE):
            raise ValueError("not_found: a text means one thing only")
        platform = tuple(self._platform())
        if self.sign_type == "MD5":
            if self.md5_key is None or not self.md5_key.get_secret_value().strip():
                raise ValueError("md5_key must be given for sign_type MD5")
            if self.private_key is not None or self.private_key_file is not None:
                raise ValueError("private_key is of no use with sign_type MD5")
            self._keys = Keys(platform, md5=self.md5_key.get_secret_value())
            return self
        if self.md5_key is not None:
            raise ValueError("md5_key is of no use with sign_type RSA")
        private = self._private()
        if private.public_key() in platform:
            raise ValueError("public_key: this is our own public key, not the site's")
        self._keys = Keys(platform, private=private)
        return self

    def _private(self) -> RSAPrivateKey:
        inline, file = self.private_key, self.private_key_file
        if inline is not None and file is None:
            return _parsed(signing.load_private_key, "private_key", inline.get_secret_value())
        if file is not None and inline is None:
            text = _read("private_key_file", file)
            return _parsed(signing.load_private_key, "private_key_file", text)
        raise ValueError("exactly one of private_key and private_key_file must be given")

    def _platform(self) -> Iterator[RSAPublicKey]:
        if bool(self.public_key) == bool(self.public_key_file):
            raise ValueError("exactly one of public_key and public_key_file must be given")
        for text in self.public_key:
            yield _parsed(signing.load_public_key, "public_key", text)
        for file in self.public_key_file:
            text = _read("public_key_file", file)
            yield _parsed(signing.load_public_key, "public_key_file", text)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _read(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {file} cannot be read as text") from error


def _parsed(load: Callable[[str], Parsed], name: str, text: str) -> Parsed:
    try:
        return load(text)
    except KeyMaterialError as error:
        raise ValueError(f"{name}: {error}") from error
