"""PR-COST's months: payouts, channels and prices, drawn by seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from policies.facts import ChannelFacts, Cycle, HealthView
from policies.fees import Commitment, Fee, Tier
from policies.plan.classes import BANDS, PayoutClass, band_of
from policies.plan.forecast import Day, Volume, days_until
from policies.policy import Parameters

PAYOUTS = 300_000
PEAK, PEAKS = 1.4, 4
URGENT = 0.15
RAIL = "bank_card"
PARAMETERS = Parameters(fail_penalty_minor=0, unknown_penalty_minor=0, explore_ppm=0)
"""12 % a year; no failures, no doubts and no exploration in this benchmark."""
START, END = date(2026, 6, 1), date(2026, 7, 1)
"""A month with one holiday (Friday 19 June); T+1 is 1.6 calendar days on average."""
BEFORE = date(2026, 5, 1)
"""The forecast comes from another seed's payouts on this month's days."""


def channels() -> tuple[ChannelFacts, ...]:
    """The six channels of the benchmark; what is called surcharge there is one here."""
    t1, t3, t7 = (Cycle(days=days, calendar="cn_statutory") for days in (1, 3, 7))
    now = Cycle(instant=True)
    return (
        _channel("C1", Fee(100, surcharge_ppm=1_000), now, 2_000_000_000),
        _channel(
            "C2",
            Fee(
                tiers=(Tier(0, 200), Tier(50_000, 120), Tier(150_000, 80)),
                scheme="all_units",
                commitment=Commitment(60_000, 100),
            ),
            t1,
        ),
        _channel(
            "C3",
            Fee(
                tiers=(
                    Tier(0, 50, 600),
                    Tier(10_000_000_000, 50, 400),
                    Tier(30_000_000_000, 50, 250),
                ),
                basis="amount",
            ),
            t1,
        ),
        _channel("C4", Fee(), t7),
        _channel("C5", Fee(30), t3),
        _channel("C6", Fee(300, surcharge_ppm=300), now, 1_500_000_000),
    )


def _channel(name: str, fee: Fee, cycle: Cycle, cap: int | None = None) -> ChannelFacts:
    sound = HealthView(success_ppm=1_000_000)
    return ChannelFacts(name, frozenset({RAIL}), "CNY", fee, cycle, day_cap_minor=cap, health=sound)


@dataclass(frozen=True)
class Month:
    """One month's payouts in the order in which they come."""

    days: tuple[date, ...]
    sizes: tuple[int, ...]
    """Payouts of each day."""
    amounts: Sequence[int]
    urgent: Sequence[bool]

    @cached_property
    def kinds(self) -> list[PayoutClass]:
        """Each payout's class."""
        known = {
            (urgent, band): PayoutClass(RAIL, "instant" if urgent else "standard", band)
            for urgent in (False, True)
            for band in range(BANDS)
        }
        return [
            known[urgent, band_of(amount)]
            for amount, urgent in zip(self.amounts, self.urgent, strict=True)
        ]

    @cached_property
    def minor(self) -> int:
        """All the money."""
        return sum(self.amounts)

    def history(self) -> tuple[Day, ...]:
        """The month as the planner's history."""
        found, at = [], 0
        for on, size in zip(self.days, self.sizes, strict=True):
            counts: Counter[PayoutClass] = Counter()
            money: Counter[PayoutClass] = Counter()
            for index in range(at, at + size):
                counts[self.kinds[index]] += 1
                money[self.kinds[index]] += self.amounts[index]
            found.append(Day(on, {kind: Volume(counts[kind], money[kind]) for kind in counts}))
            at += size
        return tuple(found)


def draw(seed: int, start: date = START, end: date = END, size: float = 1.0) -> Month:
    """A month of 300,000 payouts times `size`: log-normal amounts, four unforeseen peak days."""
    rng = np.random.default_rng(seed)
    days = days_until(start, end)
    weights = np.ones(len(days))
    weights[rng.choice(len(days), PEAKS, replace=False)] = PEAK
    sizes = rng.multinomial(round(PAYOUTS * size), weights / weights.sum())
    count = int(sizes.sum())
    amounts = np.clip(rng.lognormal(6.6, 1.7, count), 1, 200_000)
    urgent = rng.random(count) < URGENT
    return Month(
        days,
        tuple(int(one) for one in sizes),
        [int(one) for one in np.round(amounts * 100)],
        [bool(one) for one in urgent],
    )
