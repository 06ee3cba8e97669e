"""The real worker, but for how long it waits between two looks at an idle store.

A poll that finds nothing changes nothing: such polls are left out, and the worker looks again when
the store holds something due that it is not busy with, when the store has changed since it last
counted, or when something happened that could make a difference. This is what lets days pass in
milliseconds.
"""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from gateway.engine.gateway import Gateway, Told
from gateway.engine.worker import Worker

if TYPE_CHECKING:
    from tests.proof.simulation.world import World

POLL_S = 0.5
NAP_MAX_S = 30 * 86400.0


class Awaits(Enum):
    """What one of the worker's loops waits for."""

    PAYOUTS = auto()
    WATCHES = auto()
    CHANGES = auto()
    ARRIVALS = auto()


AWAITS: ContextVar[Awaits] = ContextVar("awaits")


@dataclass(eq=False)
class Nap:
    """One wait of the worker."""

    future: "asyncio.Future[None]"
    awaits: Awaits
    jitter_s: float
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
        self._counted = -1
        """How many commits there were when this worker last began to count."""

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
            if self._end_of(nap) < nap.until:
                self._arm(nap)

    async def _from_store(self) -> None:
        AWAITS.set(Awaits.PAYOUTS)
        await super()._from_store()

    async def _watching(self) -> None:
        AWAITS.set(Awaits.WATCHES)
        await super()._watching()

    async def _refreshing(self) -> None:
        AWAITS.set(Awaits.CHANGES)
        self._counted = self._world.server.commits
        await super()._refreshing()

    async def _measuring(self) -> None:
        AWAITS.set(Awaits.ARRIVALS)
        await super()._measuring()

    async def _turn(self, told: Told) -> None:
        await super()._turn(told)
        self.look_again()

    async def _pause(self, seconds: float) -> None:
        if self._stopping.is_set():
            return
        world, awaits = self._world, AWAITS.get()
        nap = Nap(world.loop.create_future(), awaits, world.jitter(awaits, seconds))
        self._naps.append(nap)
        self._arm(nap)
        try:
            await nap.future
        finally:
            self._naps.remove(nap)
            if nap.timer is not None:
                nap.timer.cancel()
        if awaits is Awaits.CHANGES:
            self._counted = world.server.commits

    def _end_of(self, nap: Nap) -> float:
        wait_s = self._world.idle_s(nap.awaits, self._gateway, self._busy, self._counted)
        return self._world.loop.time() + wait_s + nap.jitter_s

    def _arm(self, nap: Nap) -> None:
        if nap.timer is not None:
            nap.timer.cancel()
        nap.until = self._end_of(nap)
        nap.timer = self._world.loop.after(nap.until - self._world.loop.time(), nap.wake)
