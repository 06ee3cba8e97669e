"""The forecast laid out for a solver: lots of like payouts on like days, and what each would cost.

Days on which every channel takes equally long, and that are of like size, make one group: before
a weekend a T+1 channel is three days dear, which a share for the whole month would not see. What
the day caps allow is per group as well. Prices come from the same functions as a decision's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from policies.arrivals_seen import arrivals_of
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.cost import Spread, price
from policies.facts import Arrival, ChannelFacts
from policies.fees import PPM, Fee, Tier, fee_minor, surcharge_minor, tier_reached
from policies.plan.classes import PayoutClass
from policies.plan.forecast import Forecast, Volume
from policies.policy import Parameters

_NOON = time(12)
_FAST_DAYS = 1
_SIZES = 5
"""Steps in which a day's size may differ within a group, as parts of the mean day."""

UNSERVED_MICRO, UNSERVED_PPM = 10_000 * PPM, 50_000
"""What a solver pays for a payout without capacity: per payout and of its amount."""


class DayGroup(NamedTuple):
    """Days that a plan treats alike, and their share of the forecast."""

    days: tuple[date, ...]
    share_ppm: int


class Lot(NamedTuple):
    """Payouts of one class on one group of days."""

    group: int
    kind: PayoutClass
    payouts: int
    amount_minor: int
    """The mean of one."""


class Offer(NamedTuple):
    """A lot at a channel: what one payout costs there in micro units, without a tiered fee."""

    lot: int
    channel: int
    cost_micro: int


@dataclass(frozen=True)
class Layout:
    """Everything a solver needs. `low_ppm` and `high_ppm` bound what of the rest may come."""

    channels: tuple[ChannelFacts, ...]
    groups: tuple[DayGroup, ...]
    lots: tuple[Lot, ...]
    offers: tuple[Offer, ...]
    caps_minor: Mapping[tuple[int, int], int]
    """By (group, channel): what the day caps leave in the whole group."""
    low_ppm: int = PPM
    high_ppm: int = PPM

    @cached_property
    def kinds(self) -> tuple[PayoutClass, ...]:
        """The classes, in order."""
        return tuple(sorted({lot.kind for lot in self.lots}))

    @cached_property
    def amounts(self) -> Mapping[PayoutClass, int]:
        """The mean amount of each class."""
        return {lot.kind: lot.amount_minor for lot in self.lots}

    @cached_property
    def mean_minor(self) -> int:
        """The mean amount of all lots' payouts."""
        count = max(1, sum(lot.payouts for lot in self.lots))
        return sum(lot.payouts * lot.amount_minor for lot in self.lots) // count


def lay_out(
    forecast: Forecast,
    channels: Sequence[ChannelFacts],
    parameters: Parameters,
    now: datetime,
    timezone: str = "Asia/Shanghai",
    almanac: Almanac = PUBLISHED,
) -> Layout:
    """Group the days, cut the forecast into lots and price every lot at every fitting channel.

    A channel without a price takes no part: decisions exclude it, and say so.
    """
    priced = (one for one in channels if one.fee is not None)
    ordered = tuple(sorted(priced, key=lambda one: one.name))
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    mean = PPM // max(1, len(forecast.days))

    def arriving(on: date) -> list[tuple[Arrival, Spread]]:
        sent = now if on == today else datetime.combine(on, _NOON, zone)
        return [arrivals_of(one.cycle, one.arrivals, sent, almanac) for one in ordered]

    found: dict[object, list[tuple[date, int]]] = {}
    for on, share in forecast.days:
        takes = tuple(
            (one.days_calendar, *((each.days_calendar, ppm) for each, ppm in spread))
            for one, spread in arriving(on)
        )
        key = (on == today, takes, share * _SIZES // max(1, mean))
        found.setdefault(key, []).append((on, share))
    groups, arrivals, caps = [], [], {}
    for index, days in enumerate(sorted(found.values())):
        groups.append(DayGroup(tuple(on for on, _ in days), sum(share for _, share in days)))
        first = days[0][0]
        arrivals.append(arriving(first))
        for at, one in enumerate(ordered):
            if one.day_cap_minor is not None:
                used = one.day_used_minor if first == today else 0
                caps[index, at] = max(0, one.day_cap_minor * len(days) - used)
    lots = _lots(forecast, groups)
    offers = [
        Offer(at, k, _cost(channel, lot, arrivals[lot.group][k], parameters))
        for at, lot in enumerate(lots)
        for k, channel in enumerate(ordered)
        if carries(channel, lot.kind, lot.amount_minor, arrivals[lot.group][k][0])
    ]
    return Layout(
        ordered,
        tuple(groups),
        lots,
        tuple(offers),
        caps,
        forecast.low_ppm,
        forecast.high_ppm,
    )


def _lots(forecast: Forecast, groups: Sequence[DayGroup]) -> tuple[Lot, ...]:
    """Every class on every group; the groups' counts add up to the forecast's."""
    lots, before = [], 0
    for index, group in enumerate(groups):
        until = before + group.share_ppm
        for kind, volume in forecast.volumes:
            if volume.payouts:
                count = volume.payouts * until // PPM - volume.payouts * before // PPM
                lots.append(Lot(index, kind, count, mean_minor(volume)))
        before = until
    return tuple(lots)


def mean_minor(volume: Volume) -> int:
    """The mean amount of a volume's payouts, at least one minor unit."""
    return max(1, (volume.minor + volume.payouts // 2) // max(1, volume.payouts))


def carries(channel: ChannelFacts, kind: PayoutClass, amount_minor: int, arrives: Arrival) -> bool:
    """Whether the channel can carry the class: rail, amount and speed, as a decision judges."""
    if kind.rail not in channel.rails or amount_minor < channel.min_minor:
        return False
    if channel.max_minor is not None and amount_minor > channel.max_minor:
        return False
    if kind.speed == "standard" or channel.cycle.instant:
        return True
    return kind.speed == "fast" and arrives.days_calendar <= _FAST_DAYS


def _cost(
    channel: ChannelFacts, lot: Lot, arriving: tuple[Arrival, Spread], parameters: Parameters
) -> int:
    amount, fee = lot.amount_minor, fee_of(channel)
    listed = 0 if fee.tiers else fee_minor(fee, amount)
    return price(
        amount,
        (listed, surcharge_minor(fee, amount)),
        arriving[0],
        deadline_at=None,
        health=channel.health,
        parameters=parameters,
        spread=arriving[1],
    ).total


def fee_of(channel: ChannelFacts) -> Fee:
    """The fee of a channel that takes part in a plan; ValueError for one without a price."""
    if channel.fee is None:
        raise ValueError(f"{channel.name} has no price")
    return channel.fee


def tier_fee_micro(fee: Fee, index: int, amount_minor: int) -> int:
    """The listed fee of one payout wholly within one tier, in micro units."""
    return fee_minor(at_tier(fee, fee.tiers[index]), amount_minor) * PPM


def at_tier(fee: Fee, tier: Tier) -> Fee:
    """The fee as if the tier's terms were all there is."""
    return replace(fee, tiers=(), flat_minor=tier.flat_minor, rate_ppm=tier.rate_ppm)


def unit(fee: Fee, amount_minor: int) -> int:
    """What one payout adds to the use that tiers and commitments count."""
    return 1 if fee.basis == "payouts" else amount_minor


def used_units(channel: ChannelFacts) -> int:
    """What the channel has carried this month, as its fee counts."""
    month = channel.month
    return month.payouts if fee_of(channel).basis == "payouts" else month.minor


def tier_of(channel: ChannelFacts, units: int) -> int:
    """The tier in force once `units` are reached."""
    reached = tier_reached(fee_of(channel), channel.month)
    for index, tier in enumerate(fee_of(channel).tiers):
        if tier.floor <= units:
            reached = max(reached, index)
    return reached


def cliff_micro(channel: ChannelFacts, index: int, mean_amount: int) -> int:
    """What missing the floor of an all-units tier by one unit would cost over the whole month."""
    fee = fee_of(channel)
    tier, below = fee.tiers[index], fee.tiers[index - 1]
    missing = max(0, tier.floor - used_units(channel))
    if fee.basis == "payouts":
        payouts, minor = tier.floor, channel.month.minor + missing * mean_amount
    else:
        payouts, minor = channel.month.payouts + missing // max(1, mean_amount), tier.floor
    dearer = (below.flat_minor - tier.flat_minor) * PPM * payouts
    return max(0, dearer + (below.rate_ppm - tier.rate_ppm) * minor)


def billed_micro(fee: Fee, index: int, payouts: int, minor: int) -> int:
    """What a month's use is billed at an all-units tier, clamps aside."""
    tier = fee.tiers[index]
    return payouts * tier.flat_minor * PPM + minor * tier.rate_ppm
