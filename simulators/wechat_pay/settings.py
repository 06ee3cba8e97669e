"""The configuration of one WeChat Pay simulator: platform identities, merchants, and the knobs of
its behaviour.

Read once by `core.build`; unknown keys are errors. Keys may be given inline as PEM text or, with
the suffix `_file`, as a path. Money is in fen, durations in seconds. Defaults follow the merchant
transfer product of 2025 (API v3, `/v3/fund-app/mch-transfer`); where the public pages are silent
the choice is named beside the field.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from simulators.books import FeeSchedule
from simulators.wechat_pay import signing

FundAccount = Literal["BASIC", "OPERATION", "FEES"]
Seconds = Annotated[float, Field(ge=0)]

# Transfer scenes a merchant may have been granted; the set seen in the public samples.
SCENES = ("1000", "1002", "1004", "1005", "1009", "1010", "1011", "1013")

# 商家转账 notices: the interval before each further try, in seconds.
NOTICE_LADDER_S = (
    *(15, 15, 30, 180, 600, 1200, 1800, 1800, 1800),
    *(3600, 10800, 10800, 10800, 21600, 21600),
)


class _Strict(BaseModel):
    # Inputs are hidden because a complaint about a section would otherwise show the keys in it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Fee(_Strict):
    """What the platform takes per paid transfer, on top of the amount; see `FeeSchedule` for the
    rounding."""

    flat_fen: int = Field(default=0, ge=0)
    rate_ppm: int = Field(default=0, ge=0, le=1_000_000)
    min_fen: int = Field(default=0, ge=0)
    max_fen: int | None = Field(default=None, ge=0)

    def of(self, amount_fen: int) -> int:
        """The fee in fen."""
        return FeeSchedule(self.flat_fen, self.rate_ppm, self.min_fen, self.max_fen).of(amount_fen)


class SeededDetail(_Strict):
    """One line of a legacy batch that exists from the start."""

    out_detail_no: str
    openid: str
    transfer_amount: int = Field(ge=10)
    transfer_remark: str = "legacy"
    detail_status: Literal["INIT", "WAIT_PAY", "PROCESSING", "SUCCESS", "FAIL"] = "SUCCESS"
    fail_reason: str | None = None


class SeededBatch(_Strict):
    """A legacy batch (商家转账到零钱) of an old account; the product is closed, so it can only be
    read."""

    out_batch_no: str = Field(pattern=r"^[A-Za-z0-9]{1,32}$")
    batch_name: str = "legacy batch"
    batch_remark: str = "legacy batch"
    batch_status: Literal["WAIT_PAY", "ACCEPTED", "PROCESSING", "FINISHED", "CLOSED"] = "FINISHED"
    created_at: AwareDatetime = datetime(2025, 1, 15, 2, 0, tzinfo=UTC)
    close_reason: Literal["OVERDUE_CLOSE", "TRANSFER_SCENE_INVALID"] | None = None
    details: tuple[SeededDetail, ...] = Field(min_length=1)


class Account(_Strict):
    """One merchant (mchid) with its own keys, money and contract."""

    account: str
    mchid: str = Field(pattern=r"^[0-9]{6,32}$")
    appid: str = Field(pattern=r"^wx[0-9a-z]{4,30}$")
    serial_no: str = Field(pattern=r"^[0-9A-F]{8,40}$")
    public_key: str
    apiv3_key: SecretStr
    balance_fen: int = Field(default=0, ge=0)
    fee: Fee = Fee()
    notify_url: str | None = None  # used when a submission names none
    fund_account: FundAccount = "BASIC"  # the account that pays; the others stay empty
    scenes: tuple[str, ...] = SCENES
    max_fen: int = Field(default=2_000_000, ge=10)
    day_cap_fen: int | None = Field(default=None, ge=10)
    payee_day_cap_fen: int | None = Field(default=None, ge=10)
    submit_per_s: int = Field(default=100, ge=0)  # 0 = unlimited
    bill_per_s: int = Field(default=3, ge=0)  # 0 = unlimited
    balance_forbidden: bool = False  # direct merchants may not be granted the balance call
    batches: tuple[SeededBatch, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return inline_files(given, "public_key")

    @field_validator("public_key")
    @classmethod
    def _is_public_key(cls, pem: str) -> str:
        signing.load_public(pem)
        return pem

    @field_validator("apiv3_key")
    @classmethod
    def _has_32_bytes(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value().encode()) != 32:
            raise ValueError("must be 32 bytes")
        return key


class Settings(_Strict):
    """One simulator: the platform's identities, its merchants, and how it behaves."""

    name: str
    kind: Literal["wechat_pay"] = "wechat_pay"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    public_url: str | None = None  # base of download addresses; by default the Host header decides
    public_key_id: str = Field(pattern=r"^PUB_KEY_ID_[0-9]{10,40}$")
    platform_private_key: SecretStr
    # The identity for platform-certificate mode; made from the same key when absent.
    certificate: str | None = None
    certificate_private_key: SecretStr | None = None
    accounts: tuple[Account, ...] = Field(min_length=1)

    confirm_after_s: Seconds = 1  # the payee taps the confirmation
    pay_after_s: Seconds = 0  # TRANSFERING → SUCCESS or FAIL
    accept_after_s: Seconds = 0  # ACCEPTED → funds locked
    cancel_after_s: Seconds = 1  # CANCELING → CANCELLED
    confirm_window_s: Seconds = 86_400  # unconfirmed: closed with OVERDUE_CLOSE
    close_lag_s: Seconds = 0  # …but the closing may come this much later, and the payee in between
    cancel_race: Literal["platform", "payee"] = "platform"  # a tap while CANCELING: who wins
    retry_window_s: Seconds = 86_400  # a number may be re-sent this long
    retention_s: Seconds = 30 * 86_400  # a bill can be queried this long
    not_found_s: Seconds = 0  # a fresh bill cannot be found yet
    short_balance: Literal["reject", "hold"] = "reject"  # 403 NOT_ENOUGH, or stay in PROCESSING
    timestamp_skew_s: float = 0  # how far the platform's own clock is off in what it signs
    clock_tolerance_s: Seconds = 300
    token_s: Seconds = 30  # life of a bill download address
    statement_from_hour: int = Field(default=9, ge=0, le=23)  # Beijing time, the day after
    notice_ladder_s: tuple[float, ...] = NOTICE_LADDER_S
    probe_every: int = Field(default=0, ge=0)  # a SIGNTEST probe after every n-th notice; 0 = never
    bodyless_null: bool = False  # take the body `null` signed as empty (a fault of one async SDK)

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: object) -> object:
        return inline_files(given, "platform_private_key", "certificate", "certificate_private_key")

    @field_validator("platform_private_key", "certificate_private_key")
    @classmethod
    def _is_private_key(cls, pem: SecretStr | None) -> SecretStr | None:
        if pem is not None:
            signing.load_private(pem.get_secret_value())
        return pem

    @field_validator("certificate")
    @classmethod
    def _is_certificate(cls, pem: str | None) -> str | None:
        if pem is not None:
            signing.load_certificate(pem)
        return pem

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.certificate is None) != (self.certificate_private_key is None):
            raise ValueError("certificate and certificate_private_key go together")
        for unique in ("mchid", "account"):
            values = [getattr(account, unique) for account in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two accounts share one {unique}")
        return self


def inline_files(given: object, *names: str) -> object:
    """Replaces `<name>_file: path` by `<name>: text of the file`; both at once is left for pydantic
    to refuse."""
    if not isinstance(given, dict):
        return given
    merged = dict(given)
    for name in names:
        path = merged.get(f"{name}_file")
        if isinstance(path, str | Path) and name not in merged:
            del merged[f"{name}_file"]
            merged[name] = Path(path).read_text(encoding="utf-8")
    return merged
