"""The configuration of one Alipay simulator: platform key, applications, and its knobs.

Read once by `core.build`; unknown keys are errors. Keys may stand inline as PEM text or, with the
suffix `_file`, as a path. Money is in fen, durations in seconds. Where the public pages are silent
the choice is named beside the field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from simulators.books import FeeSchedule

Seconds = Annotated[float, Field(ge=0)]
Product = Literal["TRANS_ACCOUNT_NO_PWD", "TRANS_BANKCARD_NO_PWD"]

NOTICE_LADDER_S = (240.0, 600.0, 600.0, 3600.0, 7200.0, 21600.0, 54000.0)
"""4m 10m 10m 1h 2h 6h 15h: third parties quote it for other messages; unpublished here."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fee(_Strict):
    """What is taken per paid order; see simulators.books.FeeSchedule for the rounding."""

    flat_fen: int = Field(default=0, ge=0)
    rate_ppm: int = Field(default=0, ge=0, le=1_000_000)
    min_fen: int = Field(default=0, ge=0)
    max_fen: int | None = Field(default=None, ge=0)

    def schedule(self) -> FeeSchedule:
        """As the books compute it."""
        return FeeSchedule(self.flat_fen, self.rate_ppm, self.min_fen, self.max_fen)


class Account(_Strict):
    """One application (app_id) and the Alipay account behind it."""

    account: str
    app_id: str = Field(pattern=r"^[0-9]{16}$")
    user_id: str = Field(pattern=r"^2088[0-9]{12}$")
    public_key: str | None = None
    app_certificate: str | None = None
    """Puts the application into certificate mode instead of `public_key`."""
    aes_key: SecretStr | None = None
    balance_fen: int = Field(default=0, ge=0)
    fee: Fee = Fee()
    bankcard_fee: Fee | None = None
    """For card orders; `fee` when absent."""
    notify_url: str | None = None
    """The application gateway, where order.changed goes; no notices when absent."""
    products: tuple[Product, ...] = ("TRANS_ACCOUNT_NO_PWD", "TRANS_BANKCARD_NO_PWD")
    min_fen: int = Field(default=10, ge=1)
    max_fen: int = Field(default=10_000_000_000, ge=1)
    day_cap_fen: int | None = Field(default=None, ge=1)
    scene_required: bool = False
    """Whether transfer_scene_name must be reported."""

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return _inline_files(given, "public_key", "app_certificate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.public_key is None) == (self.app_certificate is None):
            raise ValueError("give public_key or app_certificate, and only one of them")
        return self


class Settings(_Strict):
    """One simulator."""

    name: str = "alipay"
    kind: Literal["alipay"] = "alipay"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    public_url: str | None = None
    """Base of download addresses; by default the Host header decides."""
    platform_private_key: SecretStr
    platform_certificate: str | None = None
    """Named (by serial) in replies to applications in certificate mode."""
    root_certificates: str | None = None
    """The bundle whose serial such applications must send."""
    accounts: tuple[Account, ...] = Field(min_length=1)
    payees: dict[str, str] = Field(default_factory=dict)
    """Known payees, identity → real name; a given name is matched against it."""

    card_settle_after_s: Seconds = 2.0
    card_arrival_s: Seconds = 7200.0
    """arrival_time_end, the promise given for a card order."""
    notice_after_s: Seconds = 0.0
    notice_ladder_s: tuple[float, ...] = NOTICE_LADDER_S
    timestamp_tolerance_s: Seconds | None = None
    """Checked only when given: the real window is not published and SDKs send local time."""
    retry_window_s: Seconds | None = None
    """A number may be sent again this long, then PAYMENT_TIME_EXPIRE; not published, so off."""
    remark_required_from_fen: int = 5_000_000
    statement_from_hour: int = Field(default=9, ge=0, le=23)
    token_s: Seconds = 30.0
    """Life of a bill download address."""
    registered_on: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return _inline_files(
            given, "platform_private_key", "platform_certificate", "root_certificates"
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for unique in ("account", "app_id", "user_id"):
            values = [getattr(account, unique) for account in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two accounts share one {unique}")
        by_certificate = any(account.app_certificate for account in self.accounts)
        if by_certificate and not (self.platform_certificate and self.root_certificates):
            raise ValueError("certificate mode needs platform_certificate and root_certificates")
        return self


def _inline_files(given: object, *names: str) -> object:
    """Replace `<name>_file: path` by `<name>: its text`; both at once is left to be refused."""
    if not isinstance(given, dict):
        return given
    merged = dict(given)
    for name in names:
        path = merged.get(f"{name}_file")
        if isinstance(path, str | Path) and name not in merged:
            del merged[f"{name}_file"]
            merged[name] = Path(path).read_text(encoding="utf-8")
    return merged
