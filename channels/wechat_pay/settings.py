"""What an operator configures for one WeChat Pay merchant account, checked when it is loaded.

Keys are read and parsed here, once, so that a wrong file stops the start and not a payout. Secrets
are shown by no repr and by no validation error.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

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
from channels.contract import Credential
from channels.http_settings import HttpSettings, WholeSeconds
from channels.wechat_pay.profile import REFUSAL_LAG_S
from channels.wechat_pay.signing import (
    MerchantKey,
    PlatformKey,
    PlatformKeys,
    load_certificate,
    load_private,
    load_public,
)


class ReportInfo(BaseModel):
    """One line of 转账场景报备信息; which lines a scene wants is written in its product page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    info_type: Annotated[str, StringConstraints(min_length=1, max_length=15)]
    info_content: Annotated[str, StringConstraints(min_length=1, max_length=32)]


class WechatPaySettings(HttpSettings):
    """One merchant account. Either key mode is enough; both while the platform switches."""

    base_url: str = "https://api.mch.weixin.qq.com"
    mchid: Annotated[str, StringConstraints(pattern=r"^[0-9]{6,32}$")]
    appid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    serial_no: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8,64}$", to_upper=True)]
    """Serial of the merchant API certificate, hex."""
    certificate_file: Path | None = None
    """That certificate (apiclient_cert.pem): with it, serial and key are compared with it at the
    start, and its end is watched."""
    private_key: SecretStr | None = None
    private_key_file: Path | None = None
    public_key: str | None = Field(default=None, repr=False)
    public_key_file: Path | None = None
    public_key_id: Annotated[str, StringConstraints(pattern=r"^PUB_KEY_ID_[0-9]+$")] | None = None
    platform_certificates: tuple[Path, ...] = ()
    apiv3_key: SecretStr
    transfer_scene_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,36}$")]
    transfer_scene_report_infos: Annotated[tuple[ReportInfo, ...], Field(min_length=1)]
    user_recv_perception: Annotated[str, StringConstraints(min_length=1)] | None = None
    """What the payee is told the money is; the scene decides which words are allowed."""
    fund_account: Literal["BASIC", "OPERATION", "FEES"] = "BASIC"
    """Which of the merchant's accounts pays: its balance and its bill are the ones read."""
    statement_gzip: bool = True
    resend_quiet_s: WholeSeconds = 60
    """How long after a send the same number is not sent again: not concurrently with paying."""
    refusal_lag_s: WholeSeconds = REFUSAL_LAG_S
    """How far apart the two looks are that complete a refusal; seconds in a sandbox only."""

    _merchant_key: MerchantKey = PrivateAttr()
    _certificate: PlatformKey | None = PrivateAttr(default=None)
    _platform_keys: PlatformKeys = PrivateAttr()

    @property
    def merchant_key(self) -> MerchantKey:
        """Our key, parsed."""
        return self._merchant_key

    @property
    def platform_keys(self) -> PlatformKeys:
        """The platform's keys, parsed."""
        return self._platform_keys

    def credentials(self) -> tuple[Credential, ...]:
        """Ours, then the platform's; a certificate stands for its key."""
        name = "private_key" if self.private_key is not None else "private_key_file"
        own = fingerprints.of_public_key(self._merchant_key.key.public_key())
        secret = fingerprints.of_secret(self.apiv3_key.get_secret_value())
        found = [Credential(name, "ours", own), Credential("apiv3_key", "ours", secret)]
        if self._certificate is not None:
            ends = self._certificate.not_after
            found.append(Credential("certificate_file", "ours", own, ends))
        bare = "public_key" if self.public_key is not None else "public_key_file"
        found += [
            Credential(
                bare if key.not_after is None else "platform_certificates",
                "theirs",
                key.fingerprint,
                key.not_after,
            )
            for key in self._platform_keys.live()
        ]
        return tuple(found)

    @field_validator("base_url")
    @classmethod
    def _origin_only(cls, value: str) -> str:
        # The path is part of the signed text, so a base path would be signed in one place and not
        # in another; only an origin is taken.
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be http(s)://host[:port]")
        if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
            raise ValueError("must be an origin, without path, query or user")
        return value.rstrip("/")

    @field_validator("apiv3_key")
    @classmethod
    def _aes_key(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if len(text) != 32 or not text.isascii():
            raise ValueError("must be 32 ASCII characters")
        return value

    @model_validator(mode="after")
    def _load_keys(self) -> Self:
        inline = None if self.private_key is None else self.private_key.get_secret_value()
        pem = _one_of("private_key", inline, self.private_key_file)
        self._merchant_key = MerchantKey(self.mchid, self.serial_no, load_private(pem))
        self._platform_keys = PlatformKeys([*self._public_keys(), *self._certificates()])
        own = fingerprints.of_public_key(self._merchant_key.key.public_key())
        if own in [key.fingerprint for key in self._platform_keys.live()]:
            raise ValueError("public_key: that is your own key; the platform's is needed")
        if self.certificate_file is not None:
            self._certificate = load_certificate(_read("certificate_file", self.certificate_file))
            if self._certificate.fingerprint != own:
                raise ValueError("certificate_file: not the certificate of this private key")
            if self._certificate.serial.lstrip("0") != self.serial_no.lstrip("0"):
                raise ValueError("certificate_file: its serial is not serial_no")
        return self

    def _public_keys(self) -> Sequence[PlatformKey]:
        if self.public_key is None and self.public_key_file is None:
            if self.public_key_id is not None:
                raise ValueError("public_key_id is given without public_key or public_key_file")
            return ()
        if self.public_key_id is None:
            raise ValueError("public_key needs public_key_id")
        pem = _one_of("public_key", self.public_key, self.public_key_file)
        return (load_public(self.public_key_id, pem),)

    def _certificates(self) -> Sequence[PlatformKey]:
        return [
            load_certificate(_read("platform_certificates", p)) for p in self.platform_certificates
        ]


def _one_of(name: str, text: str | None, file: Path | None) -> str:
    if text is not None and file is None:
        return text
    if file is not None and text is None:
        return _read(f"{name}_file", file)
    raise ValueError(f"exactly one of {name} and {name}_file must be given")


def _read(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: {file} cannot be read as PEM text") from error
