"""Replicas without a store: what they may send, and what they believe."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from gateway.clock import SystemClock, SystemEntropy
from gateway.health.replica import Reach, Replica
from policies.health import Health
from tests.gateway.engine.rig import Witness

LIMITS: Mapping[str, int | None] = {"a": 40, "b": None}


def reach(url: str) -> Reach:
    """As configured by default, but for a budget that a machine full of tests can keep."""
    return Reach(url, "hangdao", budget_s=0.06, connect_s=0.5, timeout_s=0.25)


def replica(
    url: str | None,
    witness: Witness | None = None,
    *,
    replicas: int = 2,
    limits: Mapping[str, int | None] = LIMITS,
    nudges: list[float] | None = None,
) -> Replica:
    """One that does not run yet."""
    seen = [] if nudges is None else nudges
    return Replica(
        None if url is None else reach(url),
        installation="test",
        limits=limits,
        replicas=replicas,
        health=Health(),
        clock=SystemClock(),
        entropy=SystemEntropy(),
        observer=witness or Witness(),
        nudge=lambda: seen.append(monotonic()),
    )


@asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[None]:
    """They run, and say goodbye at the end."""
    tasks = [asyncio.create_task(one.run()) for one in replicas]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in replicas:
            await one.aclose()


class Senders:
    """Senders that send whatever they are let, and when."""

    def __init__(self, replicas: Sequence[Replica], channel: str = "a") -> None:
        """Three for each replica."""
        self.times: list[float] = []
        self._tasks = [
            asyncio.create_task(self._send(one, channel))
            for one, _ in itertools.product(replicas, range(3))
        ]

    def since(self, at: float) -> list[float]:
        """When sends went out from a moment on."""
        return [one for one in self.times if one >= at]

    async def end(self) -> None:
        """Send no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self, one: Replica, channel: str) -> None:
        while True:
            wait_s = await one.turns.turn(channel)
            if wait_s is None:
                self.times.append(monotonic())
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(0.02)
