"""From exec to /readyz: with an empty database, and after a kill with many payouts open."""

import asyncio
from statistics import median
from typing import Any

from tests.bench.bench import Bench
from tests.bench.stage import Stage

UNDER_LOAD_S = 0.5
"""How long payouts have been coming in when it is killed."""


async def run(bench: Bench) -> dict[str, Any]:
    """`ready_s`, `recovery_s`."""
    size, ready, recovered = bench.size, [], []
    async with bench.stage("start") as here:
        for _ in range(size.starts):
            await here.gateway.stop()
            ready.append(await here.start())
        await here.gateway.stop()
        half = size.open_payouts // 2
        await here.seed(scheduled=half, pending=size.open_payouts - half)
        bench.say(f"start: {size.open_payouts:,} open payouts are stored")
        await here.start()
        await here.calm()
        for _ in range(size.starts):
            await _killed_at_work(here, size.callers)
            recovered.append(await here.start())
            await here.calm()
    return {
        "ready_s": round(median(ready), 3),
        "ready_worst_s": round(max(ready), 3),
        "recovery_s": round(median(recovered), 3),
        "recovery_worst_s": round(max(recovered), 3),
        "open_payouts": size.open_payouts,
    }


async def _killed_at_work(here: Stage, callers: int) -> None:
    load = asyncio.create_task(
        here.load(seconds=UNDER_LOAD_S + 0.2, callers=callers, told=False, patience_s=5)
    )
    await asyncio.sleep(UNDER_LOAD_S)
    await here.kill()
    await load
