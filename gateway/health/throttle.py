"""A send's turn on its channel: within the limit of all replicas, or later; never refused.

Each replica keeps to the whole limit by a bucket of its own, whatever Redis says. With a lease it
takes from the shared bucket as well; alone it keeps to its part.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from gateway.domain.bucket import Bucket, Pace, pace_of
from gateway.health.lease import Standing

PATIENCE_S = 0.5
"""A payout waits here for its turn at most so long; then it is postponed."""
WAITING_MAX = 32
"""On one channel: the worker's other slots are for the other channels."""
LATER_MAX_S = 60.0
SHORT_S = 1.0
"""So long after sends stood in line, inquiries keep to their share."""
INQUIRY_PART = 5
"""One inquiry for five sends (reliability.md §4.7)."""
UNSURE_US = 20_000
BETWEEN_US = 50_000


class Shared(Protocol):
    """The shared buckets, as far as one replica may use them."""

    @property
    def replicas(self) -> int:
        """How many replicas there are."""

    def standing(self) -> Standing:
        """Whether to take from them now."""

    async def take(self, channel: str, per_s: int) -> int | None:
        """Take a send: 0, or microseconds until one may be free; None when nobody knows."""


class Single:
    """No Redis: a fixed number of replicas, each with its part."""

    def __init__(self, replicas: int) -> None:
        """As configured."""
        self.replicas = replicas

    def standing(self) -> Standing:
        """Always alone."""
        return Standing.ALONE

    async def take(self, channel: str, per_s: int) -> int | None:
        """There is nothing to take from."""
        return None


@dataclass(slots=True)
class _Lane:
    per_s: int
    bucket: Bucket
    asking: Bucket
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    short_until: float = 0.0
    horizon: float = 0.0
    """Until when the postponed ones fill the channel."""


class Turns:
    """`ports.Throttle` for every channel that has a limit."""

    def __init__(
        self,
        per_s: Mapping[str, int],
        shared: Shared,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`per_s`: sends per second by channel; `clock` gives monotonic seconds."""
        self._shared = shared
        self._clock = clock
        now_us = int(clock() * 1e6)
        self._lanes = {
            name: _Lane(limit, Bucket(now_us), Bucket(now_us)) for name, limit in per_s.items()
        }
        self.tokens: Counter[tuple[str, str]] = Counter()
        """Sends let through, by channel and by whose bucket: `shared` or `local`."""
        self.postponed: Counter[str] = Counter()

    async def turn(self, channel: str) -> float | None:
        """Wait for a send's turn; None: it has come. Else come back after so many seconds."""
        lane = self._lanes.get(channel)
        if lane is None:
            return None
        step_s = self._pace(lane).interval_us / 1e6
        if lane.waiting >= WAITING_MAX or lane.waiting * step_s > PATIENCE_S:
            return self._later(channel, lane, step_s)
        deadline = self._clock() + PATIENCE_S
        lane.waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_S), lane.lock:
                while True:
                    wait_us = await self._take(channel, lane)
                    if wait_us == 0:
                        return None
                    if lane.waiting > 1:
                        lane.short_until = self._clock() + SHORT_S
                    if self._clock() + wait_us / 1e6 > deadline:
                        break
                    await asyncio.sleep(wait_us / 1e6)
        except TimeoutError:
            pass
        finally:
            lane.waiting -= 1
        return self._later(channel, lane, step_s)

    def take(self, channel: str) -> bool:
        """Take a send's turn if one is free now, of this replica's own bucket and with no queue."""
        lane = self._lanes.get(channel)
        if lane is None:
            return True
        if lane.waiting or self._shared.standing() is not Standing.ALONE:
            return False
        if lane.bucket.take(self._pace(lane), self._now_us()) > 0:
            return False
        self.tokens[channel, "local"] += 1
        return True

    def give_back(self, channel: str) -> None:
        """What was taken by `take` is not sent."""
        lane = self._lanes.get(channel)
        if lane is not None:
            lane.bucket.give_back(self._pace(lane))

    def may_ask(self, channel: str) -> bool:
        """Whether an inquiry may go out now; always while sends need not wait."""
        lane = self._lanes.get(channel)
        now = self._clock()
        if lane is None or now >= lane.short_until:
            return True
        pace = pace_of(lane.per_s, 1, INQUIRY_PART * self._shared.replicas)
        return lane.asking.take(pace, int(now * 1e6)) == 0

    def _pace(self, lane: _Lane) -> Pace:
        """What this replica gets in the long run."""
        return pace_of(lane.per_s, 1, self._shared.replicas)

    async def _take(self, channel: str, lane: _Lane) -> int:
        """Take a send; returns 0, or the microseconds after which to try again."""
        match self._shared.standing():
            case Standing.BETWEEN:
                return BETWEEN_US
            case Standing.ALONE:
                wait_us = lane.bucket.take(self._pace(lane), self._now_us())
                if wait_us == 0:
                    self.tokens[channel, "local"] += 1
                return wait_us
        whole = pace_of(lane.per_s)
        wait_us = lane.bucket.wait_us(whole, self._now_us())
        if wait_us > 0:
            return wait_us
        answer = await self._shared.take(channel, lane.per_s)
        if answer is None:
            return UNSURE_US
        if answer == 0:
            lane.bucket.take(whole, self._now_us())
            self.tokens[channel, "shared"] += 1
        return answer

    def _later(self, channel: str, lane: _Lane, step_s: float) -> float:
        """When to come back: behind all that were postponed before."""
        now = self._clock()
        lane.short_until = now + SHORT_S
        lane.horizon = max(lane.horizon, now + PATIENCE_S) + step_s
        self.postponed[channel] += 1
        return min(lane.horizon - now, LATER_MAX_S)

    def _now_us(self) -> int:
        return int(self._clock() * 1e6)
