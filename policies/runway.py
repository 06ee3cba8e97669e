"""How long a channel's float still lasts at the pace money leaves it now.

The pace is a moving average over about an hour of what was given to the channel; what came back
from dead attempts counts against it. Amounts are whole minor units; only the pace is a fraction.
"""

from dataclasses import dataclass
from datetime import datetime
from math import exp
from typing import Final
from zoneinfo import ZoneInfo

_ZONE: Final = ZoneInfo("Asia/Shanghai")
"""Of the business day, whose midnight the use of a day starts again at."""
HOUR_S: Final = 3600.0
LEARNED_S: Final = 600.0
"""Before so many seconds of watching no pace is known."""
LONGEST_S: Final = 30 * 86_400
"""A float that lasts longer is told as lasting so long."""
AGAIN: Final = 1.25
"""So much above the threshold the float must come before another crossing can be told."""


@dataclass(slots=True)
class Runway:
    """One channel's. `sample` now and then, with what the store counts."""

    _used: int | None = None
    _at: datetime | None = None
    _watched_s: float = 0.0
    _pace: float = 0.0
    """Minor units a second, smoothed; divided by the weight that has come in so far."""
    _weight: float = 0.0
    _low: bool = False

    def sample(self, used_minor: int, at: datetime) -> None:
        """Take in the money given to the channel so far today, which falls at midnight and when
        attempts die; a clock that runs back is taken as no time."""
        if self._used is None or self._at is None:
            self._used, self._at = used_minor, at
            return
        passed = (at - self._at).total_seconds()
        if passed <= 0:
            self._at = min(self._at, at)
            return
        # A new day begins at nothing: what was used in it is all there is.
        new_day = self._at.astimezone(_ZONE).date() != at.astimezone(_ZONE).date()
        given = used_minor if new_day else used_minor - self._used
        keep = exp(-passed / HOUR_S)
        self._pace = self._pace * keep + given / passed * (1.0 - keep)
        self._weight = self._weight * keep + (1.0 - keep)
        self._watched_s += passed
        self._used, self._at = used_minor, at

    def seconds_left(self, float_minor: int) -> int | None:
        """How long the float lasts; None while the pace is not known. Nothing left is 0."""
        if self._watched_s < LEARNED_S:
            return None
        if float_minor <= 0:
            return 0
        pace = self._pace / self._weight
        if pace * LONGEST_S <= float_minor:
            return LONGEST_S
        return int(float_minor / pace)

    def crossed(self, seconds: int | None, threshold_s: int) -> bool:
        """Whether the float has just come to last less than the threshold; told once a crossing."""
        if seconds is None:
            return False
        if self._low:
            self._low = seconds < threshold_s * AGAIN
            return False
        self._low = seconds < threshold_s
        return self._low
