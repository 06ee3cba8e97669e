"""A channel's lasting facts for a backtest: what it charges, when money arrives, its limits.

They come from the installation as it is now; an export carries them in its first line. What
changes by the minute (health, load, status) is not here but in each record.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from policies.facts import Cycle, Hours
from policies.fees import Fee

ALWAYS: Final = date.min
"""From when a fee without a date holds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """One channel. `fees` are by the local date from which each holds, rising; none: no price."""

    name: str
    rails: frozenset[str]
    currency: str
    fees: tuple[tuple[date, Fee], ...]
    cycle: Cycle
    hours: Hours = field(default_factory=Hours)
    min_minor: int = 1
    max_minor: int | None = None
    day_cap_minor: int | None = None
    arrivals: tuple[tuple[int, int], ...] = ()
    """How its money has been seen to arrive (`ChannelFacts.arrivals`)."""

    def __post_init__(self) -> None:
        """Refuse unordered prices."""
        days = [on for on, _ in self.fees]
        if days != sorted(set(days)):
            raise ValueError("fees need rising dates")

    def fee_in(self, period: int) -> Fee | None:
        """The fee of a period; None before the first."""
        return self.fees[period][1] if period >= 0 else None

    def period(self, day: date) -> int:
        """Which of `fees` holds on a local day; -1 before the first."""
        if self.fees and day >= self.fees[-1][0]:
            return len(self.fees) - 1
        found = -1
        for at, (on, _) in enumerate(self.fees):
            if on > day:
                break
            found = at
        return found


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_day(timezone: str, at: datetime) -> date:
    """The day of a moment where the channel counts its days."""
    return at.astimezone(_zone(timezone)).date()
