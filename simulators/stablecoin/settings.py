"""The configuration of one Circle Mint simulator: its keys, its accounts, its pace.

Read once by `core.build`; unknown keys are errors. Keys may be given inline as PEM or, with the
suffix `_file`, as a path. Money is in cents, durations in seconds.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from simulators.books import FeeSchedule
from simulators.stablecoin import signing

Seconds = Annotated[float, Field(ge=0)]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
CurrencyCode = Literal["USD", "EUR"]

NOTICE_LADDER_S = (20.0, 20.0, 20.0)
"""Amazon SNS, default delivery policy for HTTP: three retries, twenty seconds apart."""


class _Strict(BaseModel):
    # Inputs are hidden because a complaint about a section would otherwise show the keys in it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Fee(_Strict):
    """What is taken per payout, on top; see simulators.books.FeeSchedule for the rounding."""

    flat_fen: int = Field(default=0, ge=0)
    rate_ppm: int = Field(default=0, ge=0, le=1_000_000)
    min_fen: int = Field(default=0, ge=0)
    max_fen: int | None = Field(default=None, ge=0)

    def of(self, amount_minor: int) -> int:
        """The fee in cents."""
        fee = FeeSchedule(self.flat_fen, self.rate_ppm, self.min_fen, self.max_fen)
        return fee.of(amount_minor)


class Recipient(_Strict):
    """One entry of an account's address book."""

    chain: str = "ETH"
    address: str


class Rate(_Strict):
    """What one unit of the first currency costs in the second, and how that moves."""

    buy: Decimal = Field(gt=0)
    sell: Decimal = Field(gt=0)
    drift_ppm_per_hour: int = Field(default=0, ge=-1_000_000, le=1_000_000)


class Chain(_Strict):
    """How long a transfer on a chain takes until it counts."""

    block_s: Seconds
    confirmations: int = Field(ge=1)

    @property
    def settles_after_s(self) -> float:
        """All confirmations."""
        return self.block_s * self.confirmations


CHAINS = {
    "ETH": Chain(block_s=12, confirmations=12),
    "BASE": Chain(block_s=2, confirmations=30),
    "SOL": Chain(block_s=0.4, confirmations=33),
}


class Account(_Strict):
    """One Mint account: a balance in one currency, an API key, registered beneficiaries."""

    account: str
    api_key: SecretStr
    client_id: Uuid
    wallet_id: str = Field(default="1000000001", pattern=r"^[0-9]{1,32}$")
    currency: CurrencyCode = "USD"
    balance_fen: int = Field(default=0, ge=0)
    fee: Fee = Fee()
    network_fee_fen: int = Field(default=0, ge=0)
    """Of a crypto payout, beside `fee`."""
    notify_url: str | None = None
    """A subscription that is confirmed from the start."""
    notices: Literal["sns", "ecdsa"] = "sns"
    products: tuple[Literal["fiat", "crypto"], ...] = ("fiat", "crypto")
    wires: dict[Uuid, str] = Field(default_factory=dict)
    """Registered bank accounts, id → name."""
    recipients: dict[Uuid, Recipient] = Field(default_factory=dict)
    max_fen: int = Field(default=10_000_000_000, ge=1)
    min_fen: int = Field(default=1, ge=1)
    requests_per_s: int = Field(default=0, ge=0)
    """Beyond it 429; 0 is without limit, as the pages say."""


class Settings(_Strict):
    """One simulator."""

    name: str = "stablecoin"
    kind: Literal["stablecoin"] = "stablecoin"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    public_url: str | None = None
    """Base of the addresses in notices; by default the Host header of the account's requests."""
    sns_private_key: SecretStr
    sns_certificate: str | None = None
    """Made of the key when absent."""
    sns_signature_version: Literal["1", "2"] = "2"
    topic_arn: str = "arn:aws:sns:us-east-1:000000000000:sim-mint-notifications"
    notice_private_key: SecretStr | None = None
    """P-256; signs the notices of accounts with `notices: ecdsa`."""
    notice_key_id: Uuid = "0a5e0000-0000-4000-8000-000000000001"
    accounts: tuple[Account, ...] = Field(min_length=1)
    rates: dict[str, Rate] = Field(
        default_factory=lambda: {
            "EUR-USD": Rate(buy=Decimal("1.10000"), sell=Decimal("1.09000")),
            "USD-EUR": Rate(buy=Decimal("0.91700"), sell=Decimal("0.90900")),
        }
    )
    chains: dict[str, Chain] = Field(default_factory=lambda: dict(CHAINS))

    wire_settle_after_s: Seconds = 2
    return_clear_s: Seconds = 0
    """How long a return stays `pending`."""
    returned_status: Literal["failed", "complete"] = "failed"
    """What a payout that came back shows: failed with transaction_returned, or still complete."""
    notice_ladder_s: tuple[float, ...] = NOTICE_LADDER_S

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return _inline_files(given, "sns_private_key", "sns_certificate", "notice_private_key")

    @field_validator("sns_private_key")
    @classmethod
    def _is_rsa(cls, pem: SecretStr) -> SecretStr:
        signing.load_rsa(pem.get_secret_value())
        return pem

    @field_validator("notice_private_key")
    @classmethod
    def _is_p256(cls, pem: SecretStr | None) -> SecretStr | None:
        if pem is not None:
            signing.load_p256(pem.get_secret_value())
        return pem

    @model_validator(mode="after")
    def _check(self) -> Self:
        for unique in ("account", "client_id"):
            values = [getattr(account, unique) for account in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two accounts share one {unique}")
        keys = {account.api_key.get_secret_value() for account in self.accounts}
        if len(keys) != len(self.accounts):
            raise ValueError("two accounts share one api_key")
        if self.notice_private_key is None and any(a.notices == "ecdsa" for a in self.accounts):
            raise ValueError("notices: ecdsa needs notice_private_key")
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
