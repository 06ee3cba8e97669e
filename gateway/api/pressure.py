"""How much may be under way in the process while its event loop is late.

Everything that one process does takes turns on one loop: reading requests, answering them, and all
that follows with the payouts taken in before. Once there is more to do than a core can do, every
turn gets longer, and whoever asks waits for a few of them, whether or not the store is quick. So
the length of a turn is the wait to be kept short (CoDel measures a queue by how long one waits in
it, and not by how many do), and what is bounded is not only who waits for an answer, but also what
was taken in and not finished: what has been begun comes to its end before more is let in.

Turns alone would say nothing on a core that is quick: workers' slots bound how long a turn can be,
not how many payouts wait for one. So while the loop has no time to spare, what follows may take
`WAIT_S` as well, by Little's law: what is under way, over what was finished in a second.

The bound moves as that of `Admission`: while either takes longer than it may, it shrinks by as
much as that is too long, half at most each twentieth of a second, and never below `LEAST`; else it
grows by its square root where it was used, from what is under way on.
So a channel or a receiver that takes its time bounds nothing: what waits for it may pile up, since
the loop has little to do meanwhile. A slow or busy machine is no overload either: turns may take
twice as long as they do while next to nothing is under way.
"""

from collections.abc import Callable
from math import inf, sqrt
from time import monotonic
from typing import Protocol

TURN_S = 0.006
"""A turn may take so long on average: a payout needs some ten of them from request to webhook."""
WAIT_S = 0.25
"""What is under way may take so long while the loop has no time to spare; a house as full as
workers' slots allow takes less, on any machine that finishes 256 payouts a second."""
BUSY = 0.8
"""The loop has no time to spare while its thread works for more than this part of the time."""
FEW = 4
"""Next to nothing: while so few follow, answers are all of the work; while so few are under way in
all, turns are as long as they normally are."""
TOLERANCE = 2.0
LEARN = 0.1
NORMAL_MAX_S = 0.05
"""Whatever is slower than that is not normal."""
WINDOW_S = 0.05
SAMPLES = 5
FORGET_S = 2.0
"""After so long without a turn to measure, what was learnt says nothing."""
LEAST = 16.0
"""The bound never falls below, however long turns are: a small crowd always has room, together with
what follows from its payouts."""
START = 48
"""The bound of a process in which turns were short or not measured for a while."""


class Follows(Protocol):
    """Who goes on with what was taken in; the process's `Worker` does."""

    @property
    def in_hand(self) -> int:
        """Payouts taken in that wait for their turn, or have it."""

    @property
    def done(self) -> int:
        """Turns that have come to their end since the start."""


class _Nothing:
    in_hand = done = 0


class Pressure:
    """The bound on what is under way; one for the process, used on its event loop alone."""

    def __init__(
        self,
        *,
        follows: Follows | None = None,
        worked: Callable[[], float] = float,
        now: Callable[[], float] = monotonic,
    ) -> None:
        """`worked`: seconds that the loop's thread has had a core, since whenever."""
        self._worker: Follows = follows or _Nothing()
        self._worked, self._now = worked, now
        self.limit = float(START)
        self.turn_s = 0.0
        """A turn of the loop, on average over the last window."""
        self._normal_s = 0.0
        self._since, self._took_s, self._count = now(), 0.0, 0
        self._peak = 0
        self._worked_s, self._done = worked(), self._worker.done
        self._follow = self._followed = 0
        """The most that followed in this window, and in the one before."""

    def has_room(self, asking: int, times: int = 1) -> bool:
        """Whether one more may come in beside `asking`, who wait for their answer."""
        follows = self._worker.in_hand
        house = asking + follows
        self._peak = max(self._peak, house)
        self._follow = max(self._follow, follows)
        # Where answers are all of the work, the bound on answers is enough, and large groups of
        # them are cheap.
        return max(self._follow, self._followed) <= FEW or house < times * self.limit

    def turned(self, seconds: float) -> None:
        """A turn of the loop took so long."""
        now = self._now()
        if now - self._since >= FORGET_S:
            self.limit = max(self.limit, float(START))
            self._begin(now)
        self._took_s += seconds
        self._count += 1
        if self._count >= SAMPLES and now - self._since >= WINDOW_S:
            self._learn(self._took_s / self._count, now - self._since)
            self._begin(now)

    def _learn(self, turn_s: float, seconds: float) -> None:
        self.turn_s = turn_s
        if self._peak <= FEW:
            self._normal_s += (min(turn_s, NORMAL_MAX_S) - self._normal_s) * LEARN
        late = turn_s / max(TURN_S, TOLERANCE * self._normal_s)
        if self._worked() - self._worked_s > BUSY * seconds:
            late = max(late, self._wait_s(seconds) / WAIT_S)
        if late > 1:
            used = min(self.limit, self._peak)
            self.limit = max(used * max(0.5, 1 / late), LEAST)
        elif self._peak > self.limit / 2:
            self.limit = max(self.limit, self._peak) + sqrt(self.limit)
        elif self.limit < START:
            self.limit = min(self.limit + sqrt(self.limit), START)

    def _wait_s(self, seconds: float) -> float:
        """Until all that follows now is finished, at the pace of a window of so long."""
        finished, follows = self._worker.done - self._done, self._worker.in_hand
        return follows * seconds / finished if finished else inf if follows else 0.0

    def _begin(self, now: float) -> None:
        self._since, self._took_s, self._count, self._peak = now, 0.0, 0, 0
        self._worked_s, self._done = self._worked(), self._worker.done
        self._follow, self._followed = 0, self._follow
