"""A plan as a plain value: shares by group of days and class, planned tiers, what it relies on."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from policies.plan.classes import PayoutClass
from policies.plan.forecast import Forecast
from policies.plan.layout import DayGroup
from policies.plan.split import Marginal, Method


class Share(Struct, frozen=True):
    """How the payouts of one class are divided on a group of days; the parts are a million."""

    group: int
    kind: PayoutClass
    parts: tuple[tuple[str, int], ...]


class Bonus(Struct, frozen=True):
    """What a channel's bounds add to its price in one group of days (see `Marginal`)."""

    group: int
    channel: str
    marginal: Marginal


class ChannelPlan(Struct, frozen=True):
    """What is planned for one channel until the month's end.

    `used`, `planned`, `floor`, `next_floor` and the commitment count in the fee's basis: payouts or
    minor units. `planned` includes `used`. `margin` is how far the planned end lies above the floor
    that an all-units tier relies on; None where nothing is relied on.
    """

    name: str
    basis: Literal["payouts", "amount"]
    used: int
    planned: int
    payouts: int
    minor: int
    """Payouts and money planned for the rest of the month."""
    tier: int | None = None
    floor: int = 0
    next_floor: int | None = None
    margin: int | None = None
    committed: int | None = None
    shortfall: int = 0
    shortfall_cost_minor: int = 0

    @property
    def margin_ppm(self) -> int | None:
        """The cliff margin relative to the floor."""
        return None if self.margin is None else self.margin * 1_000_000 // max(1, self.floor)


class Scarce(Struct, frozen=True):
    """Payouts that no capacity was found for, and whose day caps stood in the way."""

    kind: PayoutClass
    payouts: int
    channels: tuple[str, ...]


class Plan(Struct, frozen=True):
    """The division of a month's rest from `made_at` on; `id` is a hash of everything else.

    `cost_micro` is the expected all-in cost of the rest, with what tiers change about the month so
    far; `unplanned_micro` the same for choosing the cheapest at the current tier each time.
    `carried` is, in millionths of a payout, what the plan before it still owed each channel.
    """

    id: str
    month: date
    currency: str
    made_at: datetime
    method: Method
    forecast: Forecast
    groups: tuple[DayGroup, ...]
    shares: tuple[Share, ...]
    channels: tuple[ChannelPlan, ...]
    bonuses: tuple[Bonus, ...]
    scarce: tuple[Scarce, ...]
    cost_micro: int
    unplanned_micro: int
    carried: Mapping[PayoutClass, Mapping[str, int]]

    def group_on(self, day: date) -> int:
        """The group of a day; the nearest later one, else the last, for a day without one."""
        best: tuple[date, int] | None = None
        for index, group in enumerate(self.groups):
            for on in group.days:
                if on >= day and (best is None or on < best[0]):
                    best = (on, index)
        return best[1] if best is not None else len(self.groups) - 1
