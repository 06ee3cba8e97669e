"""What callers send, as pydantic models: the only validation between JSON and the domain.

Every model forbids unknown fields, so that a misspelt one is an error and not a silent default.
The OpenAPI document is generated from these models.
"""

import dataclasses
import re
import unicodedata
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Literal, Self, get_args

from msgspec.structs import replace
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    Instrument,
    Reason,
    WechatWallet,
    WireAccount,
)
from channels.money import INT64_MAX, Currency, Money, MoneyError
from gateway.api.explain.sent import SENT_BYTES_MAX
from gateway.domain.batch import BatchMode, BatchState, RowState
from gateway.domain.dialect import SOFT_DEDUPE_MINUTES_MAX, Switches, network
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import UNCONSTRAINED, Constraints, Event, PayoutState
from gateway.domain.split import LEGS_MAX, shares_of
from gateway.ports import Funding, Scope
from policies.fees import Fee, Tier

REF = re.compile(r"[\x21-\x7e]{1,64}", re.ASCII)
DEPOSIT_MAX = 10**15
"""Ten trillion yuan: nobody's deposit, and thousands of them fit into a 64-bit balance."""
KINDS = tuple(event.kind for event in get_args(Event))
SPLIT_KIND = "split.finished"

# RFC 3339, section 5.6: date-time.
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,19}", re.ASCII)


def day(value: object) -> date:
    """A day as RFC 3339 full-date text."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError("must be a day such as 2027-02-06")


def counted(value: date) -> date:
    """Refuse days that no payout will ever be counted over."""
    if not 2004 <= value.year <= 2200:
        raise ValueError("must lie between 2004 and 2200")
    return value


def visible(text: str) -> str:
    """Refuse control, format, surrogate and unassigned characters."""
    if text.isprintable():
        # None of these categories, and no separator but the space.
        return text
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise ValueError(f"contains the invisible character U+{ord(character):04X}")
    return text


def printable(text: str) -> str:
    """Refuse invisible characters, blank text, and blanks around it."""
    visible(text)
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
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise ValueError("must be RFC 3339 text with a time zone, e.g. 2026-03-02T10:00:00+08:00")
    return value


def in_utc(value: datetime) -> datetime:
    """Bring into UTC; the calendar's first and last hours may not have a place there."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


def whole(value: object) -> object:
    """Take plain digits only, where a number comes as text."""
    if not isinstance(value, str) or _WHOLE.fullmatch(value) is None:
        raise ValueError("must be a whole number")
    return value


def event_kind(text: str) -> str:
    """Refuse what no event is called; `payout.paid`, as webhooks say, is `paid`."""
    kind = text.removeprefix("payout.")
    if kind not in KINDS and kind != SPLIT_KIND:
        raise ValueError(f"must be one of {', '.join((*KINDS, SPLIT_KIND))}")
    return kind


def at_fault(param: str, message: str) -> PydanticCustomError:
    """Say which field a rule over several fields finds at fault."""
    return PydanticCustomError("rule", "{message}", {"message": message, "param": param})


_POSITIVE = r"^([1-9][0-9]{0,15}(\.[0-9]{1,6})?|0\.[0-9]{0,5}[1-9]0{0,5})$"

# What a pattern can say of `printable`: the rest of Unicode's invisible characters is too many.
_PRINTABLE = {"pattern": r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"}

Text64 = Annotated[
    StrictStr,
    Field(min_length=1, max_length=64, json_schema_extra=_PRINTABLE),
    AfterValidator(printable),
]
Text128 = Annotated[
    StrictStr,
    Field(min_length=1, max_length=128, json_schema_extra=_PRINTABLE),
    AfterValidator(printable),
]
Text1000 = Annotated[
    StrictStr,
    Field(min_length=1, max_length=1000, json_schema_extra=_PRINTABLE),
    AfterValidator(printable),
]
Ref = Annotated[
    StrictStr,
    Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$"),
    AfterValidator(reference),
]
Minor = Annotated[StrictInt, Field(gt=0, le=INT64_MAX // 4)]
Digits = Annotated[StrictStr, Field(pattern=r"^[0-9]{8,32}$", min_length=8, max_length=32)]
Moment = Annotated[AwareDatetime, BeforeValidator(moment), AfterValidator(in_utc)]
Day = Annotated[
    date,
    Field(json_schema_extra={"pattern": r"^(200[4-9]|20[1-9][0-9]|21[0-9][0-9]|2200)-"}),
    BeforeValidator(day),
    AfterValidator(counted),
]
Kind = Annotated[
    StrictStr,
    AfterValidator(event_kind),
    WithJsonSchema(
        {"type": "string", "enum": [*KINDS, *(f"payout.{kind}" for kind in KINDS), SPLIT_KIND]},
    ),
]
SlugId = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9_-]{1,31}$")]


class Model(BaseModel):
    """Strict, immutable, no unknown fields."""

    # Sixty validators are not built before the first request asks for one (`app.warm_up`).
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


class AlipayAccountIn(Model):
    """An Alipay balance. A logon id needs the name."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["name"], "properties": {"name": {"type": "string"}}},
                {
                    "required": ["identity_type"],
                    "properties": {"identity_type": {"enum": ["user_id", "open_id"]}},
                },
            ]
        }
    )

    rail: Literal["alipay"]
    identity: Annotated[Text128, Field(description="Logon id (mail or phone), 2088 id or open id")]
    identity_type: AlipayIdentity = AlipayIdentity.LOGON_ID
    name: Text64 | None = None

    @model_validator(mode="after")
    def _name(self) -> Self:
        if self.identity_type is AlipayIdentity.LOGON_ID and self.name is None:
            raise at_fault("name", "name is mandatory with a logon_id")
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


class WireAccountIn(Model):
    """A bank account abroad, under the id that the paying institution registered it with."""

    rail: Literal["wire"]
    account_id: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
    name: Text128

    def instrument(self) -> Instrument:
        """As the domain has it."""
        return WireAccount(self.account_id, self.name)


class ChainAddressIn(Model):
    """An address on a blockchain."""

    rail: Literal["chain"]
    address: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9]{20,128}$")]
    chain: Annotated[StrictStr, Field(pattern=r"^[A-Z0-9-]{2,16}$", description="ETH, SOL …")]
    recipient_id: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")] | None = Field(
        default=None, description="Its entry in the paying institution's address book"
    )
    name: Text128 | None = None

    def instrument(self) -> Instrument:
        """As the domain has it."""
        return ChainAddress(self.address, self.chain, self.recipient_id, self.name)


InstrumentIn = Annotated[
    AlipayAccountIn | WechatWalletIn | BankCardIn | BankAccountIn | WireAccountIn | ChainAddressIn,
    Field(discriminator="rail"),
]


class BeneficiaryIn(Model):
    """Who gets the money: one or several ways to reach the same person, first preferred."""

    instruments: Annotated[list[InstrumentIn], Field(min_length=1, max_length=8)]


ChannelName = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
ChannelNames = Annotated[
    list[ChannelName], Field(max_length=32, json_schema_extra={"uniqueItems": True})
]


class ChannelsIn(Model):
    """Limits to the choice of channel, for this payout alone; the policy's prohibitions stay."""

    only: ChannelNames = Field(default=[], description="No other channel; empty: any")
    deny: ChannelNames = []
    prefer: ChannelNames = Field(default=[], description="Best first; before the policy's own")
    max_attempts: Annotated[StrictInt, Field(ge=1, le=100)] | None = Field(
        default=None, description="Tries at channels at most; each later one needs its own proof"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for part in ("only", "deny", "prefer"):
            names = getattr(self, part)
            if len(set(names)) != len(names):
                raise at_fault(part, "a name is given twice")
        for name in self.deny:
            if name in self.only or name in self.prefer:
                raise at_fault("deny", f"{name} is denied and wanted at once")
        for name in self.prefer:
            if self.only and name not in self.only:
                raise at_fault("prefer", f"{name} is preferred but not among only")
        return self

    @property
    def constraints(self) -> Constraints:
        """As the payout keeps it."""
        if not self.model_fields_set:
            return UNCONSTRAINED
        return Constraints(
            tuple(self.only), tuple(self.deny), tuple(self.prefer), self.max_attempts
        )


@cache
def _any_channel() -> ChannelsIn:
    """What a request says that says nothing about channels: built once, as it is immutable."""
    return ChannelsIn()


class PayoutIn(Model):
    """A payout. Give the amount either as `amount_minor` or as `amount`, not both."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["amount_minor"],
                    "properties": {"amount_minor": {"type": "integer"}, "amount": {"type": "null"}},
                },
                {
                    "required": ["amount"],
                    "properties": {"amount": {"type": "string"}, "amount_minor": {"type": "null"}},
                },
            ]
        }
    )

    merchant_ref: Ref | None = Field(
        default=None, description="Your own number; unique for ever; found again in every answer"
    )
    amount_minor: Minor | None = Field(default=None, description="Minor units: 1230 is 12.30 CNY")
    amount: (
        Annotated[
            StrictStr,
            Field(
                max_length=24,
                description="Major units, with at most the currency's decimals",
                examples=["12.30"],
                json_schema_extra={"pattern": _POSITIVE},
            ),
        ]
        | None
    ) = None
    currency: Currency
    beneficiary: BeneficiaryIn
    purpose: Annotated[Text64, Field(description="What the beneficiary sees")]
    speed: Literal["standard", "fast", "instant"] = "standard"
    deadline: Moment | None = None
    release_after: Moment | None = Field(
        default=None, description="Not before; the payout can be cancelled until then"
    )
    max_fee_minor: Annotated[StrictInt, Field(ge=0, le=INT64_MAX // 4)] | None = None
    channels: ChannelsIn = Field(default_factory=_any_channel)
    metadata: Annotated[
        dict[Ref, Annotated[StrictStr, Field(max_length=256), AfterValidator(visible)]],
        Field(max_length=16, json_schema_extra={"additionalProperties": False}),
    ] = {}

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.amount is None) == (self.amount_minor is None):
            raise at_fault("amount", "give exactly one of amount_minor and amount")
        if self.amount is not None:
            _ = self.money
        return self

    @property
    def money(self) -> Money:
        """The amount, however it was given."""
        if self.amount_minor is not None:
            return Money(self.amount_minor, self.currency)
        try:
            money = Money.parse(self.amount or "", self.currency)
        except MoneyError as error:
            raise at_fault("amount", f"amount: {error}") from None
        if not 0 < money.minor <= INT64_MAX // 4:
            raise at_fault("amount", "amount: must be more than zero and storable")
        return money


class LegIn(Model):
    """One beneficiary of a split, and what it gets: an amount, or a share of the whole."""

    beneficiary: BeneficiaryIn
    purpose: Annotated[Text64, Field(description="What the beneficiary sees")]
    amount_minor: Minor | None = Field(default=None, description="Minor units")
    share_ppm: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Parts per million of `amount_minor` of the split"
    )
    merchant_ref: Ref | None = Field(
        default=None, description="Of this leg; else the split's own with `.1`, `.2` …"
    )


class SplitIn(Model):
    """A split payout (分账): all legs are accepted, or none.

    Either every leg names its `amount_minor`, or every leg its `share_ppm` of the split's
    `amount_minor`; the shares then add up to 1,000,000, and every leg gets its share rounded down,
    plus one minor unit each for the largest remainders (of equal ones the earlier leg's).
    """

    merchant_ref: Annotated[
        StrictStr,
        Field(min_length=1, max_length=60, pattern=r"^[\x21-\x7e]+$"),
        AfterValidator(reference),
    ]
    amount_minor: Minor | None = Field(
        default=None, description="Of all legs together; needed with shares"
    )
    currency: Currency
    legs: Annotated[list[LegIn], Field(min_length=2, max_length=LEGS_MAX)]
    speed: Literal["standard", "fast", "instant"] = "standard"
    deadline: Moment | None = None
    release_after: Moment | None = None
    max_fee_minor: Annotated[StrictInt, Field(ge=0, le=INT64_MAX // 4)] | None = None
    channels: ChannelsIn = Field(default_factory=_any_channel)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _ = self.amounts
        refs = self.refs
        for number, ref in enumerate(refs):
            if ref in refs[:number]:
                raise at_fault(
                    f"legs.{number}.merchant_ref",
                    f"legs {refs.index(ref) + 1} and {number + 1} "
                    f"have the same merchant_ref {ref}; it names one payout",
                )
        return self

    @property
    def refs(self) -> list[str]:
        """Each leg's own number."""
        named = enumerate(self.legs, start=1)
        return [leg.merchant_ref or f"{self.merchant_ref}.{number}" for number, leg in named]

    @property
    def amounts(self) -> tuple[int, ...]:
        """What each leg asks for; they add up to the split's amount."""
        for number, leg in enumerate(self.legs):
            if (leg.amount_minor is None) == (leg.share_ppm is None):
                raise at_fault(
                    f"legs.{number}", "give exactly one of amount_minor and share_ppm in each leg"
                )
            if (leg.share_ppm is None) != (self.legs[0].share_ppm is None):
                raise at_fault(
                    f"legs.{number}", "give amount_minor in all legs, or share_ppm in all"
                )
        if self.legs[0].share_ppm is not None:
            return self._shared()
        found = tuple(leg.amount_minor or 0 for leg in self.legs)
        if self.amount_minor not in {None, sum(found)}:
            raise at_fault(
                "amount_minor",
                f"the legs add up to {sum(found)} minor units, amount_minor says "
                f"{self.amount_minor}",
            )
        if sum(found) > INT64_MAX // 4:
            raise at_fault("legs", "the legs add up to more than can be stored")
        return found

    def _shared(self) -> tuple[int, ...]:
        if self.amount_minor is None:
            raise at_fault("amount_minor", "shares need the split's amount_minor")
        try:
            found = shares_of(self.amount_minor, [leg.share_ppm or 0 for leg in self.legs])
        except ValueError as error:
            raise at_fault("legs", str(error)) from None
        for number, minor in enumerate(found):
            if not minor:
                raise at_fault(
                    f"legs.{number}.share_ppm",
                    f"leg {number + 1} would get less than one minor unit of {self.amount_minor}",
                )
        return found


class EndpointIn(Model):
    """Where webhooks go."""

    url: Annotated[StrictStr, Field(min_length=8, max_length=2048)]
    kinds: Annotated[
        list[Kind], Field(max_length=32, description="Events wanted; none means all")
    ] = []


class MerchantTierIn(Model):
    """Flat and rate from a month's use of `floor` on; the first tier has floor 0."""

    floor: Annotated[
        StrictInt,
        Field(ge=0, le=INT64_MAX // 4, description="Payouts or minor units, by the fee's `basis`"),
    ]
    flat_minor: Annotated[StrictInt, Field(ge=0, le=10**12)] = 0
    rate_ppm: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0


class MerchantFeeIn(Model):
    """What a merchant pays: clamp(flat + rate, min, max) + surcharge, each rounded half up.

    With `tiers`, flat and rate stand in them; what the merchant asked for since the first of the
    month (Asia/Shanghai), less what failed, says which tier a payout is charged at.
    """

    flat_minor: Annotated[StrictInt, Field(ge=0, le=10**12)] = 0
    rate_ppm: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0
    min_minor: Annotated[StrictInt, Field(ge=0, le=10**12)] = 0
    max_minor: Annotated[StrictInt, Field(ge=0, le=10**12)] | None = None
    surcharge_ppm: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0
    mode: Literal["on_top", "deducted"] = Field(
        default="on_top",
        description="`on_top` (外扣): the merchant pays amount and fee; `deducted` (内扣): it pays "
        "the amount, of which the beneficiary gets what the fee leaves",
    )
    tiers: Annotated[list[MerchantTierIn], Field(max_length=20)] = []
    basis: Literal["payouts", "amount"] = Field(default="amount", description="What tiers count")
    scheme: Literal["all_units", "incremental"] = Field(
        default="incremental",
        description="The tier that the month has reached for all of a payout, or each part of it "
        "at its own tier",
    )
    on_return: Literal["kept", "refunded"] = Field(
        default="kept", description="What becomes of the fee when all of the money comes back"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.max_minor is not None and self.max_minor < self.min_minor:
            raise at_fault("max_minor", "max_minor is below min_minor")
        try:
            _ = self.agreed
        except ValueError as error:
            raise at_fault("tiers", str(error)) from None
        return self

    @property
    def agreed(self) -> MerchantFee:
        """As the merchant keeps it."""
        tiers = tuple(Tier(one.floor, one.flat_minor, one.rate_ppm) for one in self.tiers)
        fee = Fee(
            self.flat_minor,
            self.rate_ppm,
            self.min_minor,
            self.max_minor,
            self.surcharge_ppm,
            self.mode,
        )
        if tiers:
            fee = dataclasses.replace(fee, tiers=tiers, basis=self.basis, scheme=self.scheme)
        return MerchantFee(fee, self.on_return)


class MerchantIn(Model):
    """A merchant. A credit limit goes with `funding: credit`, and only with it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {
                    "required": ["funding", "credit_limit_minor"],
                    "properties": {
                        "funding": {"const": "credit"},
                        "credit_limit_minor": {"minimum": 1},
                    },
                },
                {
                    "properties": {
                        "funding": {"enum": ["prefunded", "pass_through"]},
                        "credit_limit_minor": {"maximum": 0},
                    },
                },
            ]
        }
    )

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
            raise at_fault(
                "credit_limit_minor",
                "credit_limit_minor goes with funding=credit, and is mandatory there",
            )
        return self


def _network(text: str) -> str:
    try:
        return str(network(text))
    except ValueError:
        raise ValueError("must be an IP address or a network such as 203.0.113.0/24") from None


Network = Annotated[
    StrictStr,
    Field(max_length=64, json_schema_extra={"pattern": r"^(1?[1-9]?[0-9]\.){3}1?[1-9]?[0-9]$"}),
    AfterValidator(_network),
]


class DialectSwitchesIn(Model):
    """How an account is treated where its protocol leaves a choice."""

    replay_duplicates: StrictBool = Field(
        default=True, description="Answer the same order again with what became of it"
    )
    soft_dedupe_minutes: Annotated[StrictInt, Field(ge=0, le=SOFT_DEDUPE_MINUTES_MAX)] = Field(
        default=10, description="Same payee and amount under another number; 0: never"
    )
    soft_dedupe_as: Literal["hold", "refuse"] = "hold"
    soft_dedupe_native: StrictBool = Field(
        default=False, description="Payouts made by the API, in files and splits count as well"
    )
    awaiting_review_as: Literal["processing", "review"] = "processing"
    rsa_only: StrictBool = False
    ip_allow: Annotated[list[Network], Field(max_length=64)] = Field(
        default=[], description="Who may ask; empty: any address"
    )

    returned_as: Literal["returned", "failed"] = Field(
        default="returned", description="What came back after it was paid; XxPay's 6, or 3"
    )

    def switches(self) -> Switches:
        """As the domain has it."""
        return self.over(Switches())

    def over(self, before: Switches) -> Switches:
        """These, where they were given; what was not stays as it is."""
        given = self.model_dump(exclude_unset=True)
        if "ip_allow" in given:
            given["ip_allow"] = tuple(given["ip_allow"])
        return replace(before, **given)


class DialectIn(Model):
    """An account in another platform's protocol."""

    dialect: Literal["epay", "jeepay", "xxpay", "alipay"]
    public_id: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_:.-]{1,128}$")] | None = Field(
        default=None,
        description="Its pid (jeepay: mchNo:appId, alipay: app_id), if it keeps one; else new",
    )
    public_key: Annotated[StrictStr, Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="The caller's own; else a pair is made for it"
    )
    switches: DialectSwitchesIn = DialectSwitchesIn()


class DialectSwitchIn(Model):
    """Switches of an account to change; those that are not given stay as they are."""

    switches: DialectSwitchesIn
    version: Annotated[StrictInt, Field(ge=1)] | None = Field(
        default=None, description="The account's when it was looked at: refused if it has changed"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.switches.model_fields_set:
            raise at_fault("switches", "give at least one switch to change")
        return self


class DialectRotateIn(Model):
    """Fresh keys for an account; the newest ones before go on working beside them."""

    public_key: Annotated[StrictStr, Field(min_length=1, max_length=4096)] | None = None
    only: StrictBool = Field(default=False, description="The keys before end now: they leaked")


class NotifiedQuery(Model):
    """Which orders of an account."""

    number: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(visible)] | None = (
        Field(default=None, description="Either number of one order")
    )
    limit: Annotated[int, Field(ge=1, le=200), BeforeValidator(whole)] = 50


class RenotifyIn(Model):
    """Whose end is told again."""

    number: Annotated[StrictStr, Field(min_length=1, max_length=128), AfterValidator(visible)]


class SignatureIn(Model):
    """A signature to explain. Nothing of it is kept or logged."""

    dialect: Literal["epay", "jeepay", "xxpay", "alipay", "webhook"]
    request: Annotated[StrictStr, Field(min_length=1, max_length=SENT_BYTES_MAX)] = Field(
        description="As it was sent: form, JSON, query, address, or the whole HTTP message"
    )
    account: Annotated[StrictStr, Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="Id or public id of the account, or of the webhook endpoint; else as the "
        "request says",
    )
    string: Annotated[StrictStr, Field(min_length=1, max_length=SENT_BYTES_MAX)] | None = Field(
        default=None, description="What you signed, to be compared; without the secret"
    )
    encoding: Literal["text", "base64"] = Field(
        default="text", description="Of `request`; base64 for bytes that are no UTF-8"
    )


class FundIn(Model):
    """Money that came in; `key` makes a repeated booking harmless."""

    amount_minor: Annotated[StrictInt, Field(gt=0, le=DEPOSIT_MAX)]
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


class ReasonIn(Model):
    """Why a person does it."""

    reason: Text128


class RetryIn(Model):
    """A person's word that a held payout repeats another one."""

    of: Annotated[
        Ref, Field(description="The order that it repeats: the payout's id or merchant_ref")
    ]
    note: Annotated[Text128, Field(description="What showed that it is the same payment")]


class MaintenanceIn(Model):
    """When a channel is planned to be away."""

    from_at: Moment
    until_at: Moment
    reason: Text128


class QuarantineIn(Model):
    """A restore that was not noticed."""

    reason: Text128
    backup_at: Moment | None = Field(
        default=None, description="From when on things may be forgotten; else the newest event"
    )


class VouchIn(Model):
    """What one of two people says about a channel in quarantine."""

    channel: SlugId
    reason: Text128


class CertificateIn(Model):
    """A proposal to declare a doubtful attempt dead (certificate C7)."""

    reason: Reason = Field(description="Decides whether the payout may be tried elsewhere")
    evidence: Annotated[Text1000, Field(description="What proves that no money moved")]
    evidence_sha256: Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Of a document that is kept elsewhere"
    )


class NoteIn(Model):
    """A remark, if there is something to say."""

    note: Text128 | Literal[""] = ""


class ReleaseIn(Model):
    """What was found before an incident was released."""

    reason: Text128


POLICY_MAX = 256 * 1024
PolicyHash = Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}$")]


class PolicyTextIn(Model):
    """A policy to look at; nothing is stored."""

    text: Annotated[StrictStr, Field(min_length=1, max_length=POLICY_MAX, description="YAML")]


class PolicyProposalIn(PolicyTextIn):
    """A policy that another person should agree to, and what that sets going."""

    note: Annotated[Text1000, Field(description="Why; the second person reads it")]
    shadow: StrictBool = Field(default=False, description="Begin as a shadow: decide in vain")
    share_ppm: Annotated[StrictInt, Field(gt=0, lt=1_000_000)] | None = Field(
        default=None, description="Begin as a canary for this share of the payouts"
    )
    activates_at: Moment | None = Field(
        default=None, description="Become active for everybody then; without it somebody does that"
    )


class PolicyActivationIn(Model):
    """When a policy becomes active."""

    at: Moment | None = Field(default=None, description="Without it, now")


class PolicyShareIn(Model):
    """How large a canary is."""

    share_ppm: Annotated[StrictInt, Field(gt=0, lt=1_000_000)]


class PolicyRollbackIn(Model):
    """Away from a policy."""

    leaving: PolicyHash = Field(
        description="The canary's hash, or the active policy's; a second request finds it gone"
    )
    to: PolicyHash | None = Field(
        default=None, description="What was active before; without it, the last one"
    )
    reason: Text1000


class PolicyDiffQuery(Model):
    """What a policy is compared with."""

    against: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")] = "active"


class ShadowQuery(Model):
    """Which shadow."""

    change: Annotated[str, Field(pattern=r"^pc_[0-9a-v]{26}$")] | None = Field(
        default=None, description="Without it, the one that runs"
    )


class AdvanceIn(Model):
    """How far a test clock moves."""

    seconds: Annotated[StrictInt, Field(gt=0, le=400 * 86400)]


class CalendarDayIn(Model):
    """A day, and whether it is worked."""

    on: Day
    works: StrictBool


class CalendarIn(Model):
    """What somebody says of days, over the published calendar."""

    days: Annotated[list[CalendarDayIn], Field(min_length=1, max_length=400)]
    note: Text128
    complete: Annotated[StrictInt, Field(ge=2004, le=2200)] | None = Field(
        default=None, description="The year of which every day is now given"
    )

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({one.on for one in self.days}) != len(self.days):
            raise at_fault("days", "a day is given twice")
        return self


class CalendarQuery(Model):
    """A day to look up as well."""

    day: Day | None = None


class CompareQuery(Model):
    """Two channels."""

    a: SlugId
    b: SlugId


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
    limit: Annotated[int, Field(ge=1, le=200), BeforeValidator(whole)] = 50


class HistoryQuery(Model):
    """Which past payouts, by acceptance, and where to go on reading them."""

    since: Moment | None = None
    until: Moment | None = None
    after: Annotated[str, Field(pattern=r"^po_[0-9a-v]{26}$")] | None = Field(
        default=None, description="`next` of the page before"
    )
    limit: Annotated[int, Field(ge=1, le=500), BeforeValidator(whole)] = 200


class CheckpointQuery(Model):
    """Where to go on reading signed checkpoints, newest first."""

    before: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole)] = 100


class OpenQuery(Model):
    """Whether closed ones are wanted as well."""

    state: Literal["open", "all"] = "open"


class PlanQuery(Model):
    """Whose plan is wanted."""

    currency: Currency = Currency.CNY


class PlanIn(Model):
    """Whose plan is to be made anew."""

    currency: Currency = Currency.CNY


class ArchiveIn(Model):
    """Which payouts may go to an archive."""

    older_than_days: Annotated[
        int,
        Field(strict=True, ge=1, le=10_000, description="Since when they have been left alone"),
    ]
    after: Annotated[
        str | None, Field(max_length=128, description="`next_after` of the last step")
    ] = None
    dry_run: Annotated[
        bool, Field(strict=True, description="Only count; write and remove nothing")
    ] = True


class FeedQuery(Model):
    """Where to go on reading events."""

    after: Annotated[int, Field(ge=0, le=INT64_MAX), BeforeValidator(whole)] = 0
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole)] = 100


class BatchQuery(Model):
    """What the caller says of a file of payouts: a file that was cut off does not hold it."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["total"]}, {"required": ["total_minor"]}]}
    )

    count: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(whole)] = Field(
        description="Rows in the file, headings not counted"
    )
    total: Annotated[str, Field(max_length=24, pattern=_POSITIVE)] | None = Field(
        default=None, description="What the rows come to, in major units"
    )
    total_minor: Annotated[int, Field(gt=0, le=INT64_MAX // 4), BeforeValidator(whole)] | None = (
        Field(default=None, description="The same in minor units; give one of both")
    )
    currency: Currency = Currency.CNY
    mode: BatchMode = Field(
        default="all_or_nothing", description="`per_row` pays the good rows and refuses the others"
    )
    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")] = "native"
    repeat: Literal["true", "false"] = Field(
        default="false", description="`true`: the same rows are really to be paid again"
    )

    @model_validator(mode="after")
    def _one_total(self) -> Self:
        if (self.total is None) == (self.total_minor is None):
            raise at_fault("total", "give exactly one of total and total_minor")
        _ = self.money
        return self

    @property
    def money(self) -> Money:
        """The total, however it was given."""
        if self.total_minor is not None:
            return Money(self.total_minor, self.currency)
        try:
            return Money.parse(self.total or "", self.currency)
        except MoneyError as error:
            raise at_fault("total", f"total: {error}") from None


class BatchListQuery(Model):
    """A page of batches, newest first."""

    state: BatchState | None = None
    after: Annotated[str, Field(pattern=r"^ba_[0-9a-f]{26}$")] | None = Field(
        default=None, description="The last id of the page before"
    )
    limit: Annotated[int, Field(ge=1, le=200), BeforeValidator(whole)] = 50


class BatchRowsQuery(Model):
    """A page of a batch's rows, in the order of the file."""

    state: RowState | None = None
    payout_state: PayoutState | None = None
    after: Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole)] = Field(
        default=0, description="The last number of the page before"
    )
    limit: Annotated[int, Field(ge=1, le=1000), BeforeValidator(whole)] = 200


class BatchResultQuery(Model):
    """How a batch's outcome is written."""

    lang: Literal["zh", "en"] = "zh"


class BatchTemplateQuery(BatchResultQuery):
    """Which template."""

    format: Literal["csv", "xlsx"] = "xlsx"
    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")] = "native"
