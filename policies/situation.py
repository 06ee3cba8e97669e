"""What the roots of a rule's condition stand for during one decision.

Plain values made from the facts of the decision: the payout that was asked, its merchant, the
channel at hand, the pool of all channels, and the wall clock in Asia/Shanghai.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from policies.calendars.workdays import PUBLISHED, Almanac, is_workday
from policies.facts import ChannelFacts, HealthView, PayoutFacts

ZONE: Final = ZoneInfo("Asia/Shanghai")
_DAY: Final = timedelta(days=1)
_MINUTE_S: Final = 60
_SATURDAY: Final = 6


class Asked(Struct, frozen=True):
    """`payout`: what was asked, at the moment of the decision."""

    facts: PayoutFacts
    now: datetime


class Merchant(Struct, frozen=True):
    """`merchant`: whose payout it is; tier and tags come from the policy itself."""

    id: str
    tier: str
    tags: tuple[str, ...]


class AtHand(Struct, frozen=True):
    """`channel`: one channel with the instrument it would pay to."""

    facts: ChannelFacts
    health: HealthView
    rail: str
    fee_minor: int
    arrival_days: int


class Pool(Struct, frozen=True):
    """`pool`: all channels together, before any rule."""

    channels: int = 0
    open: int = 0
    eligible: int = 0
    quarantined: int = 0
    in_doubt: int = 0
    inflight: int = 0
    float_minor: int = 0


class Clock(Struct, frozen=True):
    """`clock`: the time of the decision on the Shanghai wall clock."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    weekday: int
    date: str
    is_workday: bool
    is_holiday_eve: bool
    rest_days_ahead: int


def clock_at(now: datetime, almanac: Almanac = PUBLISHED) -> Clock:
    """The wall clock and calendar at a moment."""
    return _clock_of_minute(int(now.timestamp()) // _MINUTE_S, almanac)


@lru_cache(maxsize=64)
def _clock_of_minute(minute: int, almanac: Almanac) -> Clock:
    here = datetime.fromtimestamp(minute * _MINUTE_S, UTC).astimezone(ZONE)
    today = here.date()
    ahead, holiday = _rest_after(today, almanac)
    works = is_workday(today, "cn_statutory", almanac).works
    return Clock(
        *(here.year, here.month, here.day, here.hour, here.minute, here.isoweekday()),
        date=today.isoformat(),
        is_workday=works,
        is_holiday_eve=works and holiday,
        rest_days_ahead=ahead,
    )


def _rest_after(today: date, almanac: Almanac) -> tuple[int, bool]:
    """How many days of rest follow, and whether one of them is not a plain weekend day."""
    count, holiday, day = 0, False, today + _DAY
    while not is_workday(day, "cn_statutory", almanac).works:
        count += 1
        holiday = holiday or day.isoweekday() < _SATURDAY
        day += _DAY
    return count, holiday
