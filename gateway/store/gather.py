"""Who is committed together: when units that were asked for are handed to the writer.

A commit costs the same for one unit as for ten. While the loop has other work, that work may ask
for more, and whoever has to wait for a commit loses nothing; once it has none, nobody can join.
So units go when the loop falls idle, and while it does not, after `WINDOW_S`. A lone caller's unit
goes at once. Patient ones, which nobody waits for, ride with the others or go after `PATIENCE_S`.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter

from msgspec import Struct

from gateway.store.database import Returned, Unit

WINDOW_S = 0.024
"""As long as a unit waits at most while the loop is busy: they would wait for it anyway."""
IDLE_TURN_S = 0.000_05
"""A turn of the loop that takes less has found nothing to do."""
PATIENCE_S = 0.01
"""As long as a patient unit waits for company."""


class Write(Struct, frozen=True):
    """A unit, and who waits for it."""

    unit: Unit
    future: asyncio.Future[Returned]


class Gatherer:
    """Holds what was asked for until it is time to commit; used on the loop alone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hand_over: Callable[[list[Write]], None],
        *,
        window_s: float = WINDOW_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`hand_over` gets at least one at a time, in the order in which they were asked for."""
        self._loop = loop
        self._hand_over = hand_over
        self._window_s, self._patience_s = window_s, patience_s
        self._held: list[Write] = []
        self._goes_at: float | None = None
        """When what is held goes at the latest; None while it is patient."""
        self._turn_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, unit: Unit) -> asyncio.Future[Returned]:
        """Hold a unit; what is returned tells its outcome."""
        future: asyncio.Future[Returned] = self._loop.create_future()
        self._held.append(Write(unit, future))
        if self._goes_at is not None:
            return future
        if unit.is_patient:
            if self._timer is None:
                self._timer = self._loop.call_later(self._patience_s, self.flush)
        else:
            self._turn_at = perf_counter()
            self._goes_at = self._turn_at + self._window_s
            # Not now: who else is ready in this turn of the loop comes along.
            self._loop.call_soon(self._look)
        return future

    def flush(self) -> None:
        """Hand over what is held."""
        held, self._held, self._goes_at = self._held, [], None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if held:
            self._hand_over(held)

    def _look(self) -> None:
        """Once a turn: whether the loop is idle, or somebody has waited long enough."""
        if self._goes_at is None:
            return
        before, now = self._turn_at, perf_counter()
        self._turn_at = now
        if now - before < IDLE_TURN_S or now >= self._goes_at:
            self.flush()
        else:
            self._loop.call_soon(self._look)
