"""At which amounts the cheaper of two channels changes: fee against time, exact integers.

"Zero fee" loses to a flat fee from some amount on, because money that is on its way for a week
costs interest; this says from which. Fees are compared unrounded, or the rounding of single fen
would make the order flicker around the crossing. Straight lines between the kinks of both fees
(clamps, tier thresholds) are searched, so nothing is missed and nothing is approximated.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Final

from policies.cost import DAYS_A_YEAR
from policies.fees import PPM, UNUSED, Fee, MonthUse, flat_and_rate_micro

AMOUNT_MAX: Final = 10**11
"""A billion yuan in fen; no payout is larger."""


def crossing(
    fee_a: Fee,
    days_a: int | Fraction,
    fee_b: Fee,
    days_b: int | Fraction,
    rate_ppm: int,
    month_a: MonthUse = UNUSED,
    month_b: MonthUse = UNUSED,
) -> tuple[int, ...]:
    """Amounts, rising, from each of which on the other channel is the cheaper one.

    `days` are calendar days until the money is there (a mean, perhaps), `rate_ppm` what a year of
    waiting costs. For plain fees it is at most one amount: flat-fee difference / rate difference.
    Empty when one of them is never dearer.
    """

    def ahead(amount: int) -> Fraction:
        """By how much `a` is dearer; any positive scale will do."""
        return _scaled(fee_a, days_a, amount, rate_ppm, month_a) - _scaled(
            fee_b, days_b, amount, rate_ppm, month_b
        )

    points = sorted({1, AMOUNT_MAX, *_kinks(fee_a, month_a), *_kinks(fee_b, month_b)})
    found: list[int] = []
    sign = _sign(ahead(1))
    for low, high in pairwise(points):
        at_low, at_high = ahead(low), ahead(high)
        turned = _sign(at_high)
        if sign and turned and turned != sign:
            # The first amount that is not on the old side of the straight line's zero.
            step = -(-abs(at_low) * (high - low) // (abs(at_low) + abs(at_high)))
            found.append(low + step)
        sign = turned or sign
    return tuple(found)


def _scaled(
    fee: Fee, days: int | Fraction, amount: int, rate_ppm: int, month: MonthUse
) -> Fraction:
    """Fee, surcharge and capital in micro units times the days of a year, unrounded."""
    micro = max(flat_and_rate_micro(fee, amount, month), fee.min_minor * PPM)
    if fee.max_minor is not None:
        micro = min(micro, fee.max_minor * PPM)
    charged = DAYS_A_YEAR * (micro + amount * fee.surcharge_ppm)
    return charged + Fraction(amount * rate_ppm * days)


def _kinks(fee: Fee, month: MonthUse) -> Iterator[int]:
    """The amounts on both sides of every bend of the fee."""
    edges = {1, AMOUNT_MAX}
    if fee.scheme == "incremental" and fee.basis == "amount":
        edges |= {
            tier.floor - month.minor
            for tier in fee.tiers
            if 1 < tier.floor - month.minor < AMOUNT_MAX
        }
    for low, high in pairwise(sorted(edges)):
        yield low
        start = flat_and_rate_micro(fee, low, month)
        rise = flat_and_rate_micro(fee, high, month) - start
        for bound in (fee.min_minor, fee.max_minor):
            if bound is not None and start < bound * PPM < start + rise:
                at = low + (bound * PPM - start) * (high - low) // rise
                yield from (at, at + 1)


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)
