"""How merchants' fees look in JSON: the agreement, the month, what a payout was charged."""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from channels.money import Currency
from gateway.domain.merchant_fee import MerchantFee, flat_of, parts_of, told
from gateway.domain.payout import Payout
from policies.fees import MonthUse, tier_reached

FeeMode = Literal["on_top", "deducted"]
"""外扣 / 内扣."""


class MerchantTierView(TypedDict):
    """Flat and rate from a month's use of `floor` on, in the fee's basis."""

    floor: int
    flat_minor: int
    rate_ppm: int


class MerchantFeeView(TypedDict):
    """clamp(flat + rate, min, max) + surcharge; with `tiers`, flat and rate stand in them."""

    flat_minor: int
    rate_ppm: int
    min_minor: int
    max_minor: int | None
    surcharge_ppm: int
    mode: FeeMode
    tiers: list[MerchantTierView]
    basis: Literal["payouts", "amount"]
    scheme: Literal["all_units", "incremental"]
    on_return: Literal["kept", "refunded"]


class MonthView(TypedDict):
    """What a merchant asked for in a month in one currency, less what failed; tier from 1."""

    currency: Currency
    payouts: int
    minor: int
    tier: int | None


class AgreementView(TypedDict):
    """A merchant's fee, and its month so far."""

    merchant_id: str
    fee: MerchantFeeView
    month: str
    use: list[MonthView]


class ChargePartView(TypedDict):
    """How much of the amount was charged at which rate; the amounts add up."""

    tier: int | None
    amount_minor: int
    rate_ppm: int


class ChargeView(TypedDict):
    """How a payout's fee was computed: clamp(flat + parts, min, max) + surcharge.

    `month_payouts` and `month_minor` are what `month` had carried before it; 0 without tiers.
    """

    flat_minor: int
    parts: list[ChargePartView]
    min_minor: int
    max_minor: int | None
    surcharge_ppm: int
    month: str
    month_payouts: int
    month_minor: int
    on_return: Literal["kept", "refunded"]


class FeeReasonView(TypedDict):
    """The fee in words."""

    zh: str
    en: str


def merchant_fee_view(agreed: MerchantFee) -> MerchantFeeView:
    """What was agreed with a merchant."""
    fee = agreed.fee
    return {
        "flat_minor": fee.flat_minor,
        "rate_ppm": fee.rate_ppm,
        "min_minor": fee.min_minor,
        "max_minor": fee.max_minor,
        "surcharge_ppm": fee.surcharge_ppm,
        "mode": fee.mode,
        "tiers": [
            {"floor": tier.floor, "flat_minor": tier.flat_minor, "rate_ppm": tier.rate_ppm}
            for tier in fee.tiers
        ],
        "basis": fee.basis,
        "scheme": fee.scheme,
        "on_return": agreed.on_return,
    }


def month_view(agreed: MerchantFee, currency: Currency, use: MonthUse) -> MonthView:
    """A month in one currency."""
    tier = tier_reached(agreed.fee, use) + 1 if agreed.fee.tiers else None
    return {"currency": currency, "payouts": use.payouts, "minor": use.minor, "tier": tier}


def charge_view(payout: Payout) -> ChargeView | None:
    """How the fee was computed, as numbers."""
    charge = payout.charge
    if charge is None:
        return None
    fee = charge.terms.fee
    return {
        "flat_minor": flat_of(charge),
        "parts": [
            {"tier": part.tier, "amount_minor": part.minor, "rate_ppm": part.rate_ppm}
            for part in parts_of(charge, payout.asked.minor)
        ],
        "min_minor": fee.min_minor,
        "max_minor": fee.max_minor,
        "surcharge_ppm": fee.surcharge_ppm,
        "month": f"{charge.month_on:%Y-%m}",
        "month_payouts": charge.month.payouts,
        "month_minor": charge.month.minor,
        "on_return": charge.terms.on_return,
    }


def fee_reason_view(payout: Payout) -> FeeReasonView | None:
    """The same in words; None where no fee was agreed."""
    if payout.charge is None:
        return None
    zh, en = told(payout.charge, payout.asked, payout.fee)
    return {"zh": zh, "en": en}
