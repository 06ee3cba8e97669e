"""What a month's plan is made from: channels and prices it is for, volumes by day and class.

Also the step from there to a plan, which runs in a thread and touches nothing shared.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

from msgspec import Struct

from gateway.engine.following import BUSINESS
from gateway.ports import PlanVolume
from policies.calendars.workdays import Almanac
from policies.facts import ChannelFacts
from policies.fees import PPM
from policies.plan.classes import PayoutClass
from policies.plan.forecast import (
    NOTHING,
    Day,
    Volume,
    day_spread,
    days_until,
    from_history,
    level,
    month_bounds,
    weekday_payouts,
)
from policies.plan.make import make_plan
from policies.plan.model import Plan
from policies.policy import Parameters

LEAST_DAYS, LEAST_PAYOUTS = 7, 1_000
"""Less history than this is no ground for a plan."""
_HOUR_S = 3600


class Basis(Struct, frozen=True):
    """What a plan is made for, and a hash that tells when that has changed."""

    channels: tuple[ChannelFacts, ...]
    parameters: Parameters
    almanac: Almanac
    mark: str


class History(Struct, frozen=True):
    """Volumes by day and channel, before the month and in it, and when in a day payouts come."""

    before: tuple[Day, ...]
    month: tuple[Day, ...]
    passed_ppm: int
    """Which part of a usual day lies before now."""

    @property
    def ground(self) -> tuple[Day, ...]:
        """The days that a forecast is made from; those of this month when there are no others."""
        return self.before if len(self.before) >= LEAST_DAYS else self.before + self.month[:-1]

    @property
    def suffices(self) -> bool:
        """Whether there is enough of it."""
        days = self.ground
        count = sum(one.payouts for day in days for one in day.volumes.values())
        return len(days) >= LEAST_DAYS and count >= LEAST_PAYOUTS


def solved(
    basis: Basis,
    history: History,
    carried: dict[PayoutClass, dict[str, int]],
    now: datetime,
) -> Plan:
    """Forecast and divide; runs in a thread and touches nothing shared."""
    today = local(now).date()
    _, end = month_bounds(today)
    ground = history.ground
    pairs: list[tuple[int, int]] = []
    if ground is history.before:
        usual = weekday_payouts(ground)
        for day in history.month:
            whole = usual[day.on.weekday()]
            expected = whole * history.passed_ppm // PPM if day.on == today else whole
            pairs.append((expected, sum(one.payouts for one in day.volumes.values())))
    days = [(on, PPM) for on in days_until(today, end)]
    # Something may always come still: a day without any share would have no plan.
    days[0] = (today, max(1, PPM - history.passed_ppm))
    forecast = from_history(
        ground,
        days,
        level(pairs, day_ppm=day_spread(ground)),
        mix=history.before + history.month,
    )
    return make_plan(
        forecast, basis.channels, basis.parameters, now, carried=carried, almanac=basis.almanac
    )


def daily(known: Mapping[date, Sequence[PlanVolume]], days: Sequence[date]) -> tuple[Day, ...]:
    """Volumes of each of the days, by class over all channels."""
    found = []
    for on in days:
        volumes: dict[PayoutClass, Volume] = {}
        for one in known.get(on, ()):
            had = volumes.get(one.kind, NOTHING)
            volumes[one.kind] = Volume(had.payouts + one.payouts, had.minor + one.minor)
        found.append(Day(on, volumes))
    return tuple(found)


def passed_ppm(hours: Sequence[int], at: datetime) -> int:
    """Which part of a day's payouts has usually come by this time of day."""
    total = sum(hours)
    here = local(at)
    seconds = here.minute * 60 + here.second
    if not total:
        return (here.hour * _HOUR_S + seconds) * PPM // (24 * _HOUR_S)
    come = sum(hours[: here.hour]) * _HOUR_S + hours[here.hour] * seconds
    return come * PPM // (total * _HOUR_S)


def local(at: datetime) -> datetime:
    """In business time."""
    return at.astimezone(BUSINESS)


def midnight(day: date) -> datetime:
    """When a business day begins."""
    return datetime.combine(day, time(0), BUSINESS).astimezone(UTC)
