"""A channel's contract terms as the policy prices them: fees by date, cycle and opening hours.

`channels` and `policies` know nothing of each other; here their values meet.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from channels.contract import Tariff, Terms, Window
from policies.facts import Cycle, Hours
from policies.fees import Commitment, Fee, FeeSchedule, Tier

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class Priced(Struct, frozen=True):
    """What a channel charges, how long it takes, and when it is open."""

    fees: FeeSchedule | None
    """None: its contract names no fee, so it has no price and may not win."""
    cycle: Cycle
    hours: Hours
    zone: ZoneInfo

    def fee_at(self, now: datetime) -> Fee | None:
        """The fee in force on the local day of `now`."""
        return None if self.fees is None else self.fees.fee_on(now.astimezone(self.zone).date())

    def month_start(self, now: datetime) -> datetime:
        """When the calendar month of `now` began where the channel is."""
        return month_start(now, self.zone)


@lru_cache(maxsize=256)
def priced(terms: Terms) -> Priced:
    """The terms for the policy. Raises ValueError for fees that contradict themselves."""
    cycle = terms.cycle
    return Priced(
        schedule_of(terms.tariffs),
        Cycle(
            cycle.days,
            cycle.calendar,
            cycle.cutoff,
            cycle.timezone,
            instant=cycle.days == 0 and cycle.calendar == "natural",
        ),
        Hours(tuple(_pair(window) for window in terms.hours), cycle.timezone),
        ZoneInfo(cycle.timezone),
    )


def schedule_of(tariffs: tuple[Tariff, ...]) -> FeeSchedule | None:
    """Tariffs as the policy's schedule; None when there is none."""
    if not tariffs:
        return None
    return FeeSchedule(tuple((one.start_on, fee_of(one)) for one in tariffs))


def fee_of(tariff: Tariff) -> Fee:
    """One tariff as the policy's fee. Raises ValueError when it contradicts itself."""
    promised = tariff.commitment
    return Fee(
        tariff.flat_minor,
        tariff.rate_ppm,
        tariff.min_minor,
        tariff.max_minor,
        tariff.surcharge_ppm,
        tariff.mode,
        tuple(Tier(one.floor, one.flat_minor, one.rate_ppm) for one in tariff.tiers),
        tariff.basis,
        tariff.scheme,
        None if promised is None else Commitment(promised.least, promised.shortfall),
    )


def month_start(now: datetime, zone: tzinfo | None) -> datetime:
    """Midnight of the first of the local month."""
    # Months begin on whole minutes of UTC; those before 1901 did not, and nothing was paid then.
    return _month_start((now - _EPOCH) // _MINUTE, zone)


@lru_cache(maxsize=1024)
def _month_start(minute: int, zone: tzinfo | None) -> datetime:
    local = datetime.fromtimestamp(minute * 60, zone)
    return datetime.combine(local.date().replace(day=1), time(0), zone)


def _pair(window: Window) -> tuple[time, time]:
    return window.opens, window.closes
