"""The all-in price of one payout at one channel, in exact integers.

Unit: a *micro* is a millionth of a minor unit, so that amount x ppm needs no division at all.
Two roundings remain, both stated: fee and surcharge are booked by institutions in whole minor
units and are each rounded half up; capital and lateness, where they are expectations over the
days on which money is seen to arrive, divide once and are rounded up to a micro.

Worked example, CNY 1,234.56 (123,456 fen), fee 30 fen + 600 ppm between 10 and 2,500 fen,
surcharge 1,000 ppm, T+1 over a weekend (3 days), 12 % a year, 98 % success, 0.1 % in doubt,
penalties 200 and 3,000 fen, no deadline:
fee 30 + 74.0736 = 104.0736 -> 104 fen; surcharge 123.456 -> 123 fen; capital
123,456 x 0.12 x 3 / 365 = 121.764822 fen; failing 0.02 x 200 = 4 fen; doubt 0.001 x 3,000 = 3 fen;
total 355.764822 fen = CNY 3.55764822.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from policies.facts import MICRO, Arrival, CostParts, HealthView
from policies.fees import Fee
from policies.policy import Parameters

DAYS_A_YEAR = 365
_DAY = timedelta(days=1)

Spread: TypeAlias = Sequence[tuple[Arrival, int]]
"""When money arrives, each with its share in ppm; the shares add up to a million."""


def float_needed_minor(fee: Fee, amount_minor: int, charged_minor: int) -> int:
    """What the channel's account must hold: the charge comes on top, or out of the amount."""
    return amount_minor + (charged_minor if fee.mode == "on_top" else 0)


def capital_micro(amount_minor: int, rate_ppm: int, days_calendar: int) -> int:
    """What having the amount on its way costs over real calendar days."""
    return -(-amount_minor * rate_ppm * days_calendar // DAYS_A_YEAR)


def expected_capital_micro(amount_minor: int, rate_ppm: int, spread: Spread) -> int:
    """The same over the days on which money really arrives."""
    days_ppm = sum(share * one.days_calendar for one, share in spread)
    return -(-amount_minor * rate_ppm * days_ppm // (DAYS_A_YEAR * MICRO))


def lateness_micro(
    amount_minor: int, ppm_per_day: int, arrival: Arrival, deadline_at: datetime | None
) -> int:
    """The price of every begun day between the deadline and the arrival."""
    if deadline_at is None or arrival.at <= deadline_at:
        return 0
    return amount_minor * ppm_per_day * -(-(arrival.at - deadline_at) // _DAY)


def expected_lateness_micro(
    amount_minor: int, ppm_per_day: int, spread: Spread, deadline_at: datetime | None
) -> int:
    """The same over the days on which money really arrives."""
    return -(
        -sum(
            share * lateness_micro(amount_minor, ppm_per_day, one, deadline_at)
            for one, share in spread
        )
        // MICRO
    )


def price(
    amount_minor: int,
    charged_minor: tuple[int, int],
    arrival: Arrival,
    *,
    deadline_at: datetime | None,
    health: HealthView,
    parameters: Parameters,
    spread: Spread = (),
) -> CostParts:
    """Every part of the expected cost; `charged_minor` is the fee and the surcharge.

    With a `spread`, time is priced over it; else as if all money came with `arrival`.
    """
    rate, late = parameters.capital_rate_ppm, parameters.lateness_ppm_per_day
    if spread:
        capital = expected_capital_micro(amount_minor, rate, spread)
        lateness = expected_lateness_micro(amount_minor, late, spread, deadline_at)
    else:
        capital = capital_micro(amount_minor, rate, arrival.days_calendar)
        lateness = lateness_micro(amount_minor, late, arrival, deadline_at)
    return CostParts(
        charged_minor[0] * MICRO,
        charged_minor[1] * MICRO,
        capital,
        lateness,
        (MICRO - health.success_ppm) * parameters.fail_penalty_minor,
        health.unknown_ppm * parameters.unknown_penalty_minor,
    )
