"""What befalls processes and clocks while the world is disturbed, each at its drawn moments."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from tests.proof.simulation.replica import Replica
from tests.proof.simulation.world import World

HOUR_S = 3600.0


def befall(world: World) -> None:
    """Begin: every replica gets a fate of its own."""
    if world.plan.restores:
        world.loop.start(world.loop.world, _restore(world))
    for replica in world.replicas:
        for kind, strike in _KINDS.items():
            rate = world.plan.rate(kind)
            if rate:
                fate = _again_and_again(world, replica, kind, rate, strike)
                world.loop.start(world.loop.world, fate)
        if world.plan.rate("clock_skew"):
            share = world.dice.unit(f"skew/{replica.name}") * 2 - 1
            # Most clocks are wrong by little, some by much.
            replica.clock.wrong_by = timedelta(seconds=HOUR_S * share**3)
            world.story.fault("clock_skew", replica.name, 0, str(replica.clock.wrong_by))


async def _restore(world: World) -> None:
    span_s = world.plan.disturbed_s
    copied_s = span_s * 0.8 * world.dice.unit("copied")
    await asyncio.sleep(copied_s)
    world.server.copy()
    world.story.tell("people", 0, "a copy of the database is made")
    await asyncio.sleep((span_s - copied_s) * 0.95 * world.dice.unit("restored"))
    world.story.fault("restore", "people", 0)
    world.put_back()


async def _again_and_again(
    world: World,
    replica: Replica,
    kind: str,
    rate: float,
    strike: Callable[[World, Replica], None],
) -> None:
    name = f"{kind}/{replica.name}"
    # A short run must meet the faults it has switched on, too.
    mean_s = min(HOUR_S / rate, world.plan.disturbed_s / 2)
    while True:
        await asyncio.sleep(mean_s * 2 * world.dice.next(name))
        if not world.is_disturbed:
            return
        if replica.process is not None and not replica.process.is_paused:
            world.story.fault(kind, replica.name, 0)
            strike(world, replica)


def _crash(world: World, replica: Replica) -> None:
    replica.kill()
    quick = world.dice.next("revival")
    world.loop.after(0.5 + 300 * quick**4, world.revive, replica)


def _pause(world: World, replica: Replica) -> None:
    process = replica.process
    if process is None:
        return
    process.is_paused = True
    length_s = HOUR_S * world.dice.next("standstill") ** 4 + 1

    def resume() -> None:
        process.is_paused = False
        world.story.tell(process.name, 0, "goes on")

    world.loop.after(length_s, resume)


def _step_clock(world: World, replica: Replica) -> None:
    share = world.dice.next("step") * 2 - 1
    replica.clock.wrong_by += timedelta(seconds=HOUR_S * share**3)
    world.story.tell(replica.name, 0, f"clock is off by {replica.clock.wrong_by}")
    world.rouse()


_KINDS: dict[str, Callable[[World, Replica], None]] = {
    "crash": _crash,
    "pause": _pause,
    "clock_step": _step_clock,
}
