"""How rate and latency change with callers, and with payouts that are already stored."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from tests.bench.bench import Bench
from tests.bench.rounds import Contestant, Round, contest, measured, middle
from tests.bench.stage import Stage


async def run(bench: Bench) -> dict[str, Any]:
    """`by_callers`, `by_rows`: medians of rounds that take turns over all settings."""
    return {"by_callers": await _callers(bench), "by_rows": await _rows(bench)}


async def _callers(bench: Bench) -> dict[str, Any]:
    size = bench.size
    found: dict[int, list[Round]] = {count: [] for count in size.curve}
    async with bench.stage("callers") as here:
        one = Contestant.gateway(here)
        await measured(one, seconds=size.warm_s, callers=size.callers)
        for _ in range(size.rounds):
            for count in size.curve:
                turn = await measured(one, seconds=size.seconds / 2, callers=count)
                found[count].append(turn)
    return {str(count): middle(turns) for count, turns in found.items()}


async def _rows(bench: Bench) -> dict[str, Any]:
    """A gateway for each count of rows; all but one are frozen at any time."""
    size = bench.size
    counts = (0, *size.rows)
    async with AsyncExitStack() as stack:
        stages: dict[int, Stage] = {}
        for count in counts:
            here = stages[count] = await stack.enter_async_context(bench.stage(f"rows{count}"))
            if count:
                await here.gateway.stop()
                await here.seed(paid=count)
                bench.say(f"scale: {count:,} payouts are stored")
                await here.start()
                await here.calm()
        halved = replace(size, seconds=size.seconds / 2)
        sides = [Contestant.gateway(here, str(count)) for count, here in stages.items()]
        found = await contest(halved, sides)
    return {count: middle(turns) for count, turns in found.items()}
