"""The real worker, but for how long it waits between two looks at an idle store.

A poll that finds nothing changes nothing: such polls are left out, and the worker looks again when
the store holds something due, or when something happened that could make a difference. This is what
lets days pass in milliseconds.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.engine.gateway import Gateway
from gateway.engine.worker import REFRESH, Worker

if TYPE_CHECKING:
    from tests.proof.simulation.world import World

POLL_S = 0.5
assert REFRESH.total_seconds() != POLL_S, "the two pauses are told apart by their length"


@dataclass
class Nap:
    """One wait of the worker."""

    future: "asyncio.Future[None]"
    polls: bool
    until: float = 0.0
    timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """End it."""
        if not self.future.done():
            self.future.set_result(None)


class NappingWorker(Worker):
    """See the module."""

    def __init__(self, gateway: Gateway, world: "World", **more: Any) -> None:
        """`world` says when a nap ends."""
        super().__init__(gateway, **more)
        self._world = world
        self._naps: list[Nap] = []

    def stop(self) -> None:
        """As the worker does; and nobody naps on."""
        super().stop()
        self.rouse()

    def rouse(self) -> None:
        """End every nap: something happened."""
        for nap in self._naps:
            nap.wake()

    def look_again(self) -> None:
        """What is due has changed: a nap may have become too long."""
        for nap in self._naps:
            if nap.polls and self._world.wake_at(self._gateway, polls=True) < nap.until:
                self._arm(nap)

    async def _pause(self, seconds: float) -> None:
        if self._stopping.is_set():
            return
        nap = Nap(self._world.loop.create_future(), seconds == POLL_S)
        self._naps.append(nap)
        self._arm(nap)
        try:
            await nap.future
        finally:
            self._naps.remove(nap)
            if nap.timer is not None:
                nap.timer.cancel()

    def _arm(self, nap: Nap) -> None:
        if nap.timer is not None:
            nap.timer.cancel()
        loop = self._world.loop
        nap.until = self._world.wake_at(self._gateway, polls=nap.polls)
        nap.timer = loop.after(nap.until - loop.time(), nap.wake)
