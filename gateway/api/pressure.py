"""How much may be under way in the process while its event loop is late.

Everything that one process does takes turns on one loop: reading requests, answering them, and all
that follows with the payouts taken in before. Once there is more to do than a core can do, every
turn gets longer, and whoever asks waits for a few of them, whether or not the store is quick. So
the length of a turn is the wait to be kept short (CoDel measures a queue by how long one waits in
it, and not by how many do), and what is bounded is not only who waits for an answer, but also what
was taken in and not finished: what has been begun comes to its end before more is let in.

The bound moves as that of `Admission`: while turns take longer than `TURN_S`, it shrinks by as much
as they do, half at most each twentieth of a second, and never below `LEAST`; else it grows by its
square root where it was used, from what is under way on. So a channel or a receiver that takes its
time bounds nothing: what waits for it may pile up, since the loop has little to do meanwhile. A
slow or busy machine is no overload either: turns may take twice as long as they do while next to
nothing is under way.
"""

from collections.abc import Callable
from math import sqrt
from time import monotonic

TURN_S = 0.006
"""A turn may take so long on average: a payout needs some ten of them from request to webhook."""
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


class Pressure:
    """The bound on what is under way; one for the process, used on its event loop alone."""

    def __init__(
        self, *, under_way: Callable[[], int] = int, now: Callable[[], float] = monotonic
    ) -> None:
        """`under_way`: payouts taken in that wait for their turn, or have it."""
        self._under_way, self._now = under_way, now
        self.limit = float(START)
        self.turn_s = 0.0
        """A turn of the loop, on average over the last window."""
        self._normal_s = 0.0
        self._since, self._took_s, self._count = now(), 0.0, 0
        self._peak = 0
        self._follow = self._followed = 0
        """The most that followed in this window, and in the one before."""

    def has_room(self, asking: int, times: int = 1) -> bool:
        """Whether one more may come in beside `asking`, who wait for their answer."""
        follows = self._under_way()
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
            self._learn(self._took_s / self._count)
            self._begin(now)

    def _learn(self, turn_s: float) -> None:
        self.turn_s = turn_s
        if self._peak <= FEW:
            self._normal_s += (min(turn_s, NORMAL_MAX_S) - self._normal_s) * LEARN
        allowed_s = max(TURN_S, TOLERANCE * self._normal_s)
        if turn_s > allowed_s:
            used = min(self.limit, self._peak)
            self.limit = max(used * max(0.5, allowed_s / turn_s), LEAST)
        elif self._peak > self.limit / 2:
            self.limit = max(self.limit, self._peak) + sqrt(self.limit)
        elif self.limit < START:
            self.limit = min(self.limit + sqrt(self.limit), START)

    def _begin(self, now: float) -> None:
        self._since, self._took_s, self._count, self._peak = now, 0.0, 0, 0
        self._follow, self._followed = 0, self._follow
