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

ALWAYS: Final = date(1970, 1, 1)
"""From when a fee without a date holds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """One channel. `fees` are by the local date from which each holds, rising."""

    name: str
    rails: frozenset[str]
    currency: str
    fees: tuple[tuple[date, Fee], ...]
    cycle: Cycle
    hours: Hours = field(default_factory=Hours)
    min_minor: int = 1
    max_minor: int | None = None
    day_cap_minor: int | None = None

    def __post_init__(self) -> None:
        """Refuse terms without a price, or with unordered ones."""
        days = [on for on, _ in self.fees]
        if not days or days != sorted(set(days)):
            raise ValueError("fees need rising dates, and at least one")

    def period(self, day: date) -> int:
        """Which of `fees` holds on a local day; -1 before the first."""
        if day >= self.fees[-1][0]:
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
