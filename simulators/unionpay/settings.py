"""The configuration of one UnionPay simulator: its certificates, merchants, and its knobs.

Read once by `core.build`; unknown keys are errors. Keys and certificates may stand inline as PEM
text or, with the suffix `_file`, as a path. Money is in fen, durations in seconds. Where the public
pages are silent the choice is named beside the field.
"""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from simulators.books import FeeSchedule
from simulators.unionpay.signing import load_certificate, load_private_key

Seconds = Annotated[float, Field(ge=0)]
AccountType = Literal["01", "04"]

NOTICE_LADDER_S = (60.0, 120.0, 240.0, 300.0)
"""Five deliveries, 1, 2, 4 and 5 minutes apart."""


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


class Hours(_Strict):
    """Beijing times between which payouts are taken (else 39); may cross midnight."""

    opens: time
    closes: time

    def hold(self, at: time) -> bool:
        """Whether a time of day lies between."""
        if self.opens <= self.closes:
            return self.opens <= at < self.closes
        return at >= self.opens or at < self.closes


class Account(_Strict):
    """One merchant and the account it pays from."""

    account: str
    mer_id: str = Field(pattern=r"^[0-9A-Za-z]{15}$")
    certificate: str
    """The merchant's signing certificate; its serial is the certId that requests name."""
    balance_fen: int = Field(default=0, ge=0)
    fee: Fee = Fee()
    notify_url: str | None = None
    """Takes the notices whatever `backUrl` says; by default each goes to its order's own."""
    account_types: tuple[AccountType, ...] = ("01", "04")
    min_fen: int = Field(default=1, ge=1)
    max_fen: int = Field(default=999_999_999_999, ge=1)
    day_cap_fen: int | None = Field(default=None, ge=1)
    hours: Hours | None = None
    short_name: str = ""
    """二级商户简称 on ZM lines: Chinese makes a line hold fewer letters than bytes."""

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return _inline_files(given, "certificate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        load_certificate(self.certificate)
        return self


class Settings(_Strict):
    """One simulator."""

    name: str = "unionpay"
    kind: Literal["unionpay"] = "unionpay"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    signing_private_key: SecretStr
    signing_certificate: str
    """The leaf that goes along with every reply as signPubKeyCert."""
    encrypt_private_key: SecretStr
    encrypt_certificate: str
    """For sensitive fields; merchants name its serial as encryptCertId."""
    accounts: tuple[Account, ...] = Field(min_length=1)
    payees: dict[str, str] = Field(default_factory=dict)
    """Known payees, number → real name; another name gets 66."""

    settle_after_s: Seconds = 2.0
    notice_after_s: Seconds = 0.0
    notice_ladder_s: tuple[float, ...] = NOTICE_LADDER_S
    txn_time_tolerance_s: Seconds | None = 3600.0
    """txnTime must be current; how far off it may be is not published. None takes any."""
    settle_cutoff_hour: int = Field(default=24, ge=1, le=24)
    """From this Beijing hour on a payout settles on the next day."""
    statement_from_hour: int = Field(default=9, ge=0, le=23)
    widths_count: Literal["bytes", "letters"] = "bytes"
    """What the widths of the settlement file count when a line holds Chinese; not published."""

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return _inline_files(
            given,
            "signing_private_key",
            "signing_certificate",
            "encrypt_private_key",
            "encrypt_certificate",
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for unique in ("account", "mer_id"):
            values = [getattr(account, unique) for account in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two accounts share one {unique}")
        for name in ("signing", "encrypt"):
            key = load_private_key(getattr(self, f"{name}_private_key").get_secret_value())
            certified, _ = load_certificate(getattr(self, f"{name}_certificate"))
            if key.public_key().public_numbers() != certified.public_numbers():
                raise ValueError(f"{name}_certificate is about another key")
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
