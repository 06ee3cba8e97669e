"""The configuration of one XxPay simulator: merchants, and the knobs of defects and clones.

Read once by `core.build`; unknown keys are errors. Money is in fen, durations in seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from simulators.books import FeeSchedule

Seconds = Annotated[float, Field(ge=0)]
NOTICE_LADDER_S = (60.0, 120.0, 180.0, 240.0, 300.0)
"""After the n-th try n minutes: five more tries, then never again."""


class _Strict(BaseModel):
    # Inputs are hidden because a complaint about a section would otherwise show the keys in it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Fee(_Strict):
    """What is taken per order, on top; see simulators.books.FeeSchedule for the rounding."""

    flat_fen: int = Field(default=0, ge=0)
    rate_ppm: int = Field(default=0, ge=0, le=1_000_000)
    min_fen: int = Field(default=0, ge=0)
    max_fen: int | None = Field(default=None, ge=0)

    def of(self, amount_fen: int) -> int:
        """The fee in fen."""
        return FeeSchedule(self.flat_fen, self.rate_ppm, self.min_fen, self.max_fen).of(amount_fen)


class Account(_Strict):
    """One merchant (mchId) and its payout balance."""

    account: str
    mch_id: str = Field(pattern=r"^[0-9]{1,20}$")
    private_key: SecretStr
    balance_fen: int = Field(default=0, ge=0)
    fee: Fee = Fee()
    notify_url: str | None = None
    """Where notices go when a request names no address of its own."""
    is_enabled: bool = True


class Settings(_Strict):
    """One simulator."""

    name: str = "xxpay"
    kind: Literal["xxpay"] = "xxpay"
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    accounts: tuple[Account, ...] = Field(min_length=1)

    settle_after_s: Seconds = 2.0
    """How long the bank takes; 0 pays before the answer."""
    same_payee_s: Seconds = 600.0
    """For so long the same card and amount are refused, unless the first has failed."""
    notice_after_s: Seconds = 0.0
    notice_ladder_s: tuple[float, ...] = NOTICE_LADDER_S
    codes: Literal["words", "numbers"] = "words"
    """SUCCESS and FAIL as documented, or 0 and 9999 as the code answers."""
    needs_sub_amount_from: bool = False
    """Newer servers demand it; older ones and clones do not know it."""
    signs_refusals: bool = False
    """Whether answers other than success are signed, as some clones do."""
    notices_name_reference: bool = False
    """Whether notices carry mchOrderNo, as clones' do."""
    shows_returns: bool = False
    """Whether an order becomes 6 (冲正) when its money comes back; else it stays paid."""
    lower_case: bool = False
    """Sign, and demand signatures, in lower-case hex."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for unique in ("account", "mch_id"):
            values = [getattr(account, unique) for account in self.accounts]
            if len(set(values)) != len(values):
                raise ValueError(f"two accounts share one {unique}")
        return self
