"""The configuration of one Epay site: its key, its merchants, its rules, and how it was forked.

Read once by `core.build`; unknown keys are errors. Keys may stand inline (PEM or bare base64) or,
with the suffix `_file`, as a path. Money is in fen, rates in ppm, durations in seconds. Defaults
are those of a stock site; where it is silent the choice is named beside the field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

Seconds = Annotated[float, Field(ge=0)]
Way = Literal["channel", "queue", "off"]
"""How a type is paid: by the channel behind the site, by hand of its administrator, not at all."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ways(_Strict):
    """Which types the site pays out, and how."""

    alipay: Way = "channel"
    wxpay: Way = "channel"
    bank: Way = "channel"
    qqpay: Way = "off"


class Merchant(_Strict):
    """One merchant (pid) of the site, an account of the simulator."""

    account: str
    port: int = Field(default=0, ge=0, le=65535)
    pid: str = Field(pattern=r"^[1-9][0-9]{0,9}$")
    public_key: str | None = None
    """With it the merchant may sign with RSA."""
    md5_key: SecretStr | None = None
    """With it the merchant may sign with MD5, unless `rsa_only`."""
    rsa_only: bool = False
    balance_fen: int = Field(default=0, ge=0)
    banned: bool = False
    settles: bool = True
    """Off: the merchant is 异常 and may not pay out."""
    may_transfer: bool = True
    """Whether the transfer API is on for this merchant."""

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return _inline_files(given, "public_key")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.public_key is None and self.md5_key is None:
            raise ValueError("give public_key or md5_key")
        if self.rsa_only and self.public_key is None:
            raise ValueError("rsa_only needs public_key")
        return self


class Settings(_Strict):
    """One site."""

    name: str = "epay"
    kind: Literal["epay"] = "epay"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    public_url: str | None = None
    """Where payees find the confirmation page; by default the Host header decides."""
    platform_private_key: SecretStr
    accounts: tuple[Merchant, ...] = Field(min_length=1)

    # ---- rules of the site ----
    transfers_on: bool = True
    ways: Ways = Ways()
    transfer_rate_ppm: int = Field(default=0, ge=0, le=1_000_000)
    """On top of the amount; 0 falls back to `settle_rate_ppm`, as a stock site does."""
    settle_rate_ppm: int = Field(default=0, ge=0, le=1_000_000)
    min_fen: int = Field(default=0, ge=0)
    max_fen: int = Field(default=0, ge=0)
    """0: no limit, as for `payee_day_max`."""
    payee_day_max: int = Field(default=0, ge=0)
    """So many paid transfers a day to one account; those that are not paid yet do not count."""
    balance_mode: Literal["D+0", "D+1"] = "D+0"
    """D+1: what came in today cannot be paid out today; here the top-ups of the Beijing day."""
    tolerance_s: int = Field(default=300, ge=0)
    """How far a timestamp may be off."""

    # ---- forks ----
    era: Literal["stock", "old"] = "stock"
    """old: numbers must be 19 digits, every refusal is thrown, queries name no order, and a number
    that is used again is not noticed."""
    finds_out_biz_no: bool = False
    """EasyPay and others: a query by the merchant's number looks where it should."""
    name_required: bool = True
    mints_always: bool = False
    """A fork that pays under numbers of its own even for 19 digits."""

    # ---- the channel behind the site ----
    channel_is_idempotent: bool = True
    settle_after_s: Seconds = 2.0
    """Bank cards: from taken to paid or refused."""
    wechat_confirms: bool = True
    confirm_after_s: Seconds = 1.0
    confirm_within_s: Seconds = 86400.0
    queries_name_amount: bool = False
    """Whether the channel's own answer to a query names the amount; most plugins' do not."""
    failures_name_time: bool = False
    """Whether it names a time of failure as `paydate`, as WeChat's plugin does."""
    receipt_after_s: Seconds = 0.0

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return _inline_files(given, "platform_private_key")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for unique in ("account", "pid"):
            values = [getattr(one, unique) for one in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two merchants share one {unique}")
        return self

    @property
    def rate_ppm(self) -> int:
        """What is charged on top."""
        return self.transfer_rate_ppm or self.settle_rate_ppm

    def fee(self, amount_fen: int) -> int:
        """Worked example: 0.6 % (6000 ppm) of 123.45 is 0.7407, so 0.74."""
        return (amount_fen * self.rate_ppm + 500_000) // 1_000_000


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
