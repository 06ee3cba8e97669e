"""What a merchant pays us for a payout, fixed when the payout is accepted. Pure.

The arithmetic is the one of channel fees (`policies.fees`), with one rounding rule: fee and
surcharge are each rounded half up to whole minor units, once, at the very end. What is counted is
what the merchant *asked for* in the calendar month in Asia/Shanghai, per currency, less payouts
that failed or were cancelled. All units: a whole payout costs the tier that the month has reached
before it; nothing that was charged earlier in the month is charged anew.
"""

from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from channels.money import Money
from gateway.domain.pricing import month_start
from policies.fees import (
    UNUSED,
    Fee,
    MonthUse,
    fee_minor,
    holds_between,
    parts,
    surcharge_minor,
    tier_reached,
)
from policies.wording import amount, percent

ZONE: Final = ZoneInfo("Asia/Shanghai")
FREE_OF_CHARGE: Final = Fee()


class MerchantFee(Struct, frozen=True):
    """What was agreed with a merchant."""

    fee: Fee = FREE_OF_CHARGE
    on_return: Literal["kept", "refunded"] = "kept"
    """What becomes of the fee when all of a paid amount comes back (退票)."""

    def __post_init__(self) -> None:
        """Refuse what is a channel's affair."""
        if self.fee.commitment is not None:
            raise ValueError("a merchant's fee has no commitment")

    @property
    def is_nothing(self) -> bool:
        """Whether it is free at any amount, so that there is nothing to remember."""
        return self == FREE


FREE: Final = MerchantFee()


class Charge(Struct, frozen=True):
    """How a payout's fee was computed: the agreement and the month as they were."""

    terms: MerchantFee
    month_on: date
    """The first of the month it was counted in."""
    month: MonthUse = UNUSED
    """What the month had carried before it; nothing where there are no tiers to reach."""

    def fee_minor(self, asked_minor: int) -> int:
        """The fee for an amount that was asked for."""
        fee = self.terms.fee
        return fee_minor(fee, asked_minor, self.month) + surcharge_minor(fee, asked_minor)

    def holds_between(self, asked_minor: int) -> tuple[int, int | None] | None:
        """From which month's use to which the fee is this one; None: whatever the use."""
        return holds_between(self.terms.fee, asked_minor, self.month)


class Part(Struct, frozen=True):
    """How much of an amount was charged at which tier's rate."""

    tier: int | None
    """From 1; None without tiers."""
    minor: int
    rate_ppm: int


def month_of(at: datetime) -> date:
    """The first of the month that a moment belongs to."""
    return month_start(at, ZONE).date()


def parts_of(charge: Charge, asked_minor: int) -> tuple[Part, ...]:
    """The amount by rates, in order; it adds up to the amount."""
    fee = charge.terms.fee
    if not fee.tiers:
        return (Part(None, asked_minor, fee.rate_ppm),)
    return tuple(
        Part(index + 1, part, fee.tiers[index].rate_ppm)
        for index, part in parts(fee, asked_minor, charge.month)
    )


def flat_of(charge: Charge) -> int:
    """The flat part, of the tier that was reached where there are tiers."""
    fee = charge.terms.fee
    return fee.tiers[tier_reached(fee, charge.month)].flat_minor if fee.tiers else fee.flat_minor


def told(charge: Charge, asked: Money, fee: Money) -> tuple[str, str]:
    """How the fee came about, in Chinese and in English."""
    currency, rest = asked.currency, asked.minor - fee.minor
    zh, en = _formula(charge, asked)
    if charge.terms.fee.tiers:
        used, count = amount(charge.month.minor, currency), charge.month.payouts
        month = f"{charge.month_on:%Y-%m}"
        zh += f"；{month} 此前已计 {count} 笔、{used}"
        en += f"; before it {month} had {count} payouts, {used}"
    deducted = charge.terms.fee.mode == "deducted"
    zh_taken = f"内扣，收款人得 {amount(rest, currency)}" if deducted else "外扣"
    en_taken = f"deducted, the beneficiary gets {amount(rest, currency)}" if deducted else "on top"
    charged = amount(fee.minor, currency)
    return f"手续费 {charged}（{zh_taken}）：{zh}", f"fee {charged} ({en_taken}): {en}"


def _formula(charge: Charge, asked: Money) -> tuple[str, str]:
    fee, currency = charge.terms.fee, asked.currency
    zh, en = [], []
    flat = flat_of(charge)
    if flat:
        zh.append(f"固定 {amount(flat, currency)}")
        en.append(f"{amount(flat, currency)} flat")
    for part in parts_of(charge, asked.minor):
        if part.rate_ppm:
            of, rate = amount(part.minor, currency), percent(part.rate_ppm)
            zh.append(f"{of} × {rate}" + (f"（第 {part.tier} 档）" if part.tier else ""))
            en.append(f"{rate} of {of}" + (f" (tier {part.tier})" if part.tier else ""))
    said_zh, said_en = " + ".join(zh) or "无固定与比例", " + ".join(en) or "no flat, no rate"
    if fee.min_minor:
        said_zh += f"，最低 {amount(fee.min_minor, currency)}"
        said_en += f", at least {amount(fee.min_minor, currency)}"
    if fee.max_minor is not None:
        said_zh += f"，最高 {amount(fee.max_minor, currency)}"
        said_en += f", at most {amount(fee.max_minor, currency)}"
    if fee.surcharge_ppm:
        said_zh += f"，另加 {percent(fee.surcharge_ppm)}"
        said_en += f", and {percent(fee.surcharge_ppm)} beside it"
    return said_zh, said_en
