"""The configuration of one simulated bank: accounts, hours, and its knobs.

Read once by `core.build`; unknown keys are errors. Money is in minor units, durations in seconds,
hours are Beijing time. No bank publishes these figures: each is a choice of ours, named here.
"""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from simulators.books import FeeSchedule

Seconds = Annotated[float, Field(ge=0)]

NOTICE_LADDER_S = (60.0, 300.0, 1800.0, 7200.0)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fee(_Strict):
    """What is taken per executed payment; see simulators.books.FeeSchedule for the rounding."""

    flat_fen: int = Field(default=0, ge=0)
    rate_ppm: int = Field(default=0, ge=0, le=1_000_000)
    min_fen: int = Field(default=0, ge=0)
    max_fen: int | None = Field(default=None, ge=0)

    def schedule(self) -> FeeSchedule:
        """As the books compute it."""
        return FeeSchedule(self.flat_fen, self.rate_ppm, self.min_fen, self.max_fen)


class Account(_Strict):
    """One corporate account and the customer it belongs to."""

    account: str
    customer_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,35}$")
    number: str = Field(pattern=r"^[A-Za-z0-9]{1,34}$")
    owner: str = Field(min_length=1, max_length=140)
    currency: str = Field(default="CNY", pattern=r"^[A-Z]{3}$")
    exponent: int = Field(default=2, ge=0, le=5)
    """Decimals of the currency's minor unit."""
    balance_fen: int = Field(default=0, ge=0)
    fee: Fee = Fee()
    max_fen: int = Field(default=10_000_000_000, ge=1)
    """The agreed limit of one payment (AM14)."""
    client_certificate_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """With it only a connection with this certificate speaks for the account."""
    notify_url: str | None = None
    notice_secret: SecretStr | None = None
    """Signs what is pushed to `notify_url`."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.notify_url is not None and self.notice_secret is None:
            raise ValueError("notify_url needs notice_secret")
        return self


class Settings(_Strict):
    """One simulator."""

    name: str = "bank"
    kind: Literal["bank"] = "bank"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    accounts: tuple[Account, ...] = Field(min_length=1)
    payees: dict[str, str] = Field(default_factory=dict)
    """Known payees, account number → real name; another name is BE01."""

    checked_after_s: Seconds = 1.0
    """From receipt to ACTC."""
    accepted_after_s: Seconds = 2.0
    """From receipt (or from the opening of the value day) to ACSP."""
    settled_after_s: Seconds = 10.0
    """To ACSC: the account is debited."""
    credited_after_s: Seconds | None = 20.0
    """To ACCC; None: this bank does not tell it."""
    opens: time = time(9)
    cut_off: time = time(17)
    """Later files, and files of days without business, are carried out the next business day."""
    holidays: tuple[date, ...] = ()
    """Weekdays without business."""
    duplicate_window_days: int = Field(default=30, ge=1)
    """How long MsgId and EndToEndId are known again; afterwards they pay again."""
    statement_from_hour: int = Field(default=8, ge=0, le=23)
    statement_balances: Literal["books", "lines"] = "books"
    """What a statement with a wrong line closes with: what is truly there (its equation breaks), or
    what its lines lead to (the next day's opening does not follow)."""
    notice_after_s: Seconds = 0.0
    notice_ladder_s: tuple[float, ...] = NOTICE_LADDER_S

    @model_validator(mode="after")
    def _check(self) -> Self:
        for unique in ("account", "customer_id", "number"):
            values = [getattr(account, unique) for account in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two accounts share one {unique}")
        if self.opens >= self.cut_off:
            raise ValueError("opens must come before cut_off")
        return self
