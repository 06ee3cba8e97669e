"""When a channel's money really arrives: learned from proven arrivals, priced instead of a promise.

A *delay* is counted as the channel's cycle counts (the n-th working day; whole days for instant
ones), so that one Spring Festival does not make a punctual channel look slow. The newest arrivals
count most, and the promise counts as `PRIOR` arrivals, so a few slow ones move little. All
integers: the same arrivals give the same distribution on every machine.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeAlias

from policies.calendars.arrivals import arrival
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.facts import MICRO, Arrival, Cycle

Distribution: TypeAlias = tuple[tuple[int, int], ...]
"""`(days, ppm)`, rising, adding up to a million; empty means that the promise holds."""

ARRIVALS_MAX: Final = 1_000
"""Older ones would weigh less than a thirtieth; so many are read."""
PRIOR: Final = 20
"""The promise weighs as much as so many arrivals just seen."""
_ONE: Final = 10**12
_KEPT_PPM: Final = 996_540
"""0.5 ** (1 / 200): an arrival weighs half as much once 200 newer ones are known."""
_MOST_PPM: Final = 900_000
"""Shown as the arrival, and judged for speed: the day by which so much has arrived."""


def distribution(newest_first: Iterable[int], promised: int) -> Distribution:
    """How delays are distributed, given those seen and the promised one."""
    weights: defaultdict[int, int] = defaultdict(int)
    weights[promised] = PRIOR * _ONE
    weight = _ONE
    for days, _ in zip(newest_first, range(ARRIVALS_MAX), strict=False):
        weights[days] += weight
        weight = weight * _KEPT_PPM // MICRO
    if len(weights) == 1:
        return ()
    total = sum(weights.values())
    parts = {days: weights[days] * MICRO // total for days in sorted(weights)}
    # What rounding down leaves over goes to the latest: never cheaper than what was seen.
    parts[max(parts)] += MICRO - sum(parts.values())
    return tuple((days, ppm) for days, ppm in parts.items() if ppm)


def most_by(seen: Distribution, promised: int) -> int:
    """The delay within which 90 % arrive."""
    reached = 0
    for days, ppm in seen:
        reached += ppm
        if reached >= _MOST_PPM:
            return days
    return promised


def arrivals_of(
    cycle: Cycle, seen: Distribution, sent_at: datetime, almanac: Almanac = PUBLISHED
) -> tuple[Arrival, tuple[tuple[Arrival, int], ...]]:
    """The arrival to show for money sent now, and what to price: each possible one and its share.

    The second is empty when the promise holds.
    """
    if not seen:
        return arrival(cycle, sent_at, almanac), ()
    spread = tuple((arrival(cycle, sent_at, almanac, days), ppm) for days, ppm in seen)
    return arrival(cycle, sent_at, almanac, _shown(seen, cycle.days)), spread


_shown = lru_cache(maxsize=256)(most_by)
