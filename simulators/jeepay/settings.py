"""The configuration of one Jeepay simulator: merchants' applications, and the knobs of its defects.

Read once by `core.build`; unknown keys are errors. Money is in fen, durations in seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

Seconds = Annotated[float, Field(ge=0)]
NOTICE_LADDER_S = (30.0, 60.0, 90.0, 120.0, 150.0)
"""Six tries in all, the last after seven and a half minutes."""


class _Strict(BaseModel):
    # Inputs are hidden because a complaint about a section would otherwise show the keys in it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Account(_Strict):
    """One application (appId) of one merchant (mchNo), and the money behind it."""

    account: str
    mch_no: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    app_id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    app_secret: SecretStr
    balance_fen: int = Field(default=0, ge=0)
    """What the accounts at Alipay, WeChat and the bank hold together."""
    notify_url: str | None = None
    """Where notices go when a request names no address of its own."""
    if_codes: tuple[str, ...] = ("alipay", "wxpay", "bank")
    """The interfaces opened for it. Stock servers ship the first two."""
    is_enabled: bool = True
    wechat_version: Literal["old", "new202501"] = "new202501"
    """The second needs channelExtra, and its payees confirm."""


class Settings(_Strict):
    """One simulator."""

    name: str = "jeepay"
    kind: Literal["jeepay"] = "jeepay"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    accounts: tuple[Account, ...] = Field(min_length=1)
    site_url: str = "https://pay.example.test"
    """Where the page is on which payees confirm."""

    alipay_settle_after_s: Seconds = 0.0
    bank_settle_after_s: Seconds = 60.0
    wechat_confirm_after_s: Seconds = 60.0
    """How long the ordinary payee takes to confirm."""
    repair_s: Seconds | None = 86_400.0
    """How long the repair job asks about an order in state 1; later it stays there for good."""
    notice_after_s: Seconds = 0.0
    notice_ladder_s: tuple[float, ...] = NOTICE_LADDER_S
    wechat_repairs_doubt: bool = False
    """Whether an undecided answer of WeChat (SYSTEM_ERROR) leaves an order in state 1. The stock
    server knows only the older spelling SYSTEMERROR, and books the other as failed."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for unique in ("account", "app_id"):
            values = [getattr(account, unique) for account in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two accounts share one {unique}")
        return self
