"""What callers send, as pydantic models: the only validation between JSON and the domain.

Every model forbids unknown fields, so that a misspelt one is an error and not a silent default.
The OpenAPI document is generated from these models.
"""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    Instrument,
    WechatWallet,
)
from channels.money import INT64_MAX, Currency, Money, MoneyError
from gateway.domain.payout import PayoutState
from gateway.ports import Funding, Scope

REF = re.compile(r"[\x21-\x7e]{1,64}", re.ASCII)


def printable(text: str) -> str:
    """Refuse control, format, surrogate and unassigned characters, and blank text."""
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise ValueError(f"contains the invisible character U+{ord(character):04X}")
    if not text.strip():
        raise ValueError("must not be blank")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return text


def reference(text: str) -> str:
    """Refuse anything but 1-64 visible ASCII characters."""
    if REF.fullmatch(text) is None:
        raise ValueError("must be 1 to 64 visible ASCII characters")
    return text


def moment(value: object) -> object:
    """Take RFC 3339 text only: numbers are guesses about units."""
    if not isinstance(value, str | datetime):
        raise ValueError("must be RFC 3339 text with a time zone")  # noqa: TRY004 - pydantic's way
    return value


Text64 = Annotated[StrictStr, Field(min_length=1, max_length=64), AfterValidator(printable)]
Text128 = Annotated[StrictStr, Field(min_length=1, max_length=128), AfterValidator(printable)]
Ref = Annotated[
    StrictStr,
    Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$"),
    AfterValidator(reference),
]
Minor = Annotated[StrictInt, Field(gt=0, le=INT64_MAX // 4)]
Digits = Annotated[StrictStr, Field(pattern=r"^[0-9]{8,32}$", min_length=8, max_length=32)]
Moment = Annotated[AwareDatetime, Field(strict=False)]
SlugId = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9_-]{1,31}$")]


class Model(BaseModel):
    """Strict, immutable, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AlipayAccountIn(Model):
    """An Alipay balance."""

    rail: Literal["alipay"]
    identity: Annotated[Text128, Field(description="Logon id (mail or phone), 2088 id or open id")]
    identity_type: AlipayIdentity = AlipayIdentity.LOGON_ID
    name: Text64 | None = None

    @model_validator(mode="after")
    def _name(self) -> Self:
        if self.identity_type is AlipayIdentity.LOGON_ID and self.name is None:
            raise ValueError("name is mandatory with a logon_id")
        return self

    def instrument(self) -> Instrument:
        """As the domain has it."""
        return AlipayAccount(self.identity, self.identity_type, self.name)


class WechatWalletIn(Model):
    """A WeChat balance."""

    rail: Literal["wechat"]
    openid: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_-]{6,128}$")]
    appid: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9]{6,32}$")] | None = None
    name: Text64 | None = None

    def instrument(self) -> Instrument:
        """As the domain has it."""
        return WechatWallet(self.openid, self.appid, self.name)


class BankCardIn(Model):
    """A personal bank card."""

    rail: Literal["bank_card"]
    number: Digits
    name: Text64
    bank_code: Annotated[StrictStr, Field(pattern=r"^[A-Z0-9]{2,16}$")] | None = None
    bank_name: Text64 | None = None

    def instrument(self) -> Instrument:
        """As the domain has it."""
        return BankCard(self.number, self.name, self.bank_code, self.bank_name)


class BankAccountIn(Model):
    """A corporate bank account."""

    rail: Literal["bank_account"]
    number: Digits
    name: Text64
    bank_code: Annotated[StrictStr, Field(pattern=r"^[0-9]{12}$", description="CNAPS line number")]
    bank_name: Text64
    branch_name: Text64 | None = None
    province: Text64 | None = None
    city: Text64 | None = None

    def instrument(self) -> Instrument:
        """As the domain has it."""
        return BankAccount(
            self.number,
            self.name,
            self.bank_code,
            self.bank_name,
            self.branch_name,
            self.province,
            self.city,
        )


InstrumentIn = Annotated[
    AlipayAccountIn | WechatWalletIn | BankCardIn | BankAccountIn, Field(discriminator="rail")
]


class BeneficiaryIn(Model):
    """Who gets the money: one or several ways to reach the same person, first preferred."""

    instruments: Annotated[list[InstrumentIn], Field(min_length=1, max_length=8)]


class PayoutIn(Model):
    """A payout. Give the amount either as `amount_minor` or as `amount`, not both."""

    merchant_ref: Ref | None = Field(
        default=None, description="Your own number; unique for ever; found again in every answer"
    )
    amount_minor: Minor | None = Field(default=None, description="Minor units: 1230 is 12.30 CNY")
    amount: Annotated[StrictStr, Field(max_length=24, examples=["12.30"])] | None = None
    currency: Currency
    beneficiary: BeneficiaryIn
    purpose: Annotated[Text64, Field(description="What the beneficiary sees")]
    speed: Literal["standard", "fast", "instant"] = "standard"
    deadline: Moment | None = None
    release_after: Moment | None = Field(
        default=None, description="Not before; the payout can be cancelled until then"
    )
    max_fee_minor: Annotated[StrictInt, Field(ge=0, le=INT64_MAX // 4)] | None = None
    metadata: Annotated[
        dict[Ref, Annotated[StrictStr, Field(max_length=256)]], Field(max_length=16)
    ] = {}

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.amount is None) == (self.amount_minor is None):
            raise ValueError("give exactly one of amount_minor and amount")
        _ = self.money
        for value in self.metadata.values():
            if value:
                printable(value)
        return self

    @property
    def money(self) -> Money:
        """The amount, however it was given."""
        if self.amount_minor is not None:
            return Money(self.amount_minor, self.currency)
        try:
            money = Money.parse(self.amount or "", self.currency)
        except MoneyError as error:
            raise ValueError(f"amount: {error}") from None
        if not 0 < money.minor <= INT64_MAX // 4:
            raise ValueError("amount: must be more than zero and storable")
        return money


class EndpointIn(Model):
    """Where webhooks go."""

    url: Annotated[StrictStr, Field(min_length=8, max_length=2048)]
    kinds: Annotated[list[SlugId], Field(max_length=32)] = []


class MerchantFeeIn(Model):
    """What a merchant pays on top: clamp(flat + rate, min, max) + surcharge."""

    flat_minor: Annotated[StrictInt, Field(ge=0, le=10**12)] = 0
    rate_ppm: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0
    min_minor: Annotated[StrictInt, Field(ge=0, le=10**12)] = 0
    max_minor: Annotated[StrictInt, Field(ge=0, le=10**12)] | None = None
    surcharge_ppm: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0


class MerchantIn(Model):
    """A merchant."""

    id: SlugId
    name: Text64
    funding: Funding = Funding.PREFUNDED
    credit_limit_minor: Annotated[StrictInt, Field(ge=0, le=INT64_MAX // 4)] = 0
    fee: MerchantFeeIn = MerchantFeeIn()
    release_delay_s: Annotated[StrictInt, Field(ge=0, le=30 * 86400)] = 0
    review_above_minor: Minor | None = None

    @model_validator(mode="after")
    def _credit(self) -> Self:
        if (self.funding is Funding.CREDIT) != (self.credit_limit_minor > 0):
            raise ValueError("credit_limit_minor goes with funding=credit, and is mandatory there")
        if self.fee.max_minor is not None and self.fee.max_minor < self.fee.min_minor:
            raise ValueError("fee.max_minor is below fee.min_minor")
        return self


class FundIn(Model):
    """Money that came in; `key` makes a repeated booking harmless."""

    amount_minor: Minor
    currency: Currency
    key: Ref


class KeyIn(Model):
    """A new API key."""

    label: Text64
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=8)]
    signed: StrictBool = Field(
        default=False, description="Demand an HMAC signature on each request"
    )


class SwitchIn(Model):
    """A channel's switch."""

    status: Literal["active", "paused", "draining"]
    reason: Text128


class AdvanceIn(Model):
    """How far a test clock moves."""

    seconds: Annotated[StrictInt, Field(gt=0, le=400 * 86400)]


class ListQuery(Model):
    """Filters of a payout list."""

    state: PayoutState | None = None
    merchant_ref: Ref | None = None
    channel: SlugId | None = None
    accepted_from: Moment | None = None
    accepted_until: Moment | None = None
    after: Annotated[str, Field(pattern=r"^po_[0-9a-v]{26}$")] | None = Field(
        default=None, description="The last id of the page before"
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class FeedQuery(Model):
    """Where to go on reading events."""

    after: Annotated[int, Field(ge=0, le=INT64_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
