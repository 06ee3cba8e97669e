"""kill -9 in the middle of the load: whatever was acknowledged is there afterwards, paid once."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.bench.bench import Bench
from tests.bench.stage import Stage, StageError

SETTLE_S: Final = 180.0
"""On PostgreSQL a killed worker's payouts are taken over once its lease has run out."""
SEED: Final = 20261122


async def run(bench: Bench) -> dict[str, Any]:
    """`acked_lost`, and how many payees got money twice."""
    size, draw = bench.size, random.Random(SEED)
    acknowledged: set[str] = set()
    broken = 0
    async with bench.stage("loss") as here:
        for number in range(size.kills):
            file = here.folder / f"taken-{number}"
            load = asyncio.create_task(
                here.load(
                    seconds=size.seconds,
                    callers=size.callers,
                    told=False,
                    patience_s=5,
                    taken_to=str(file),
                )
            )
            await asyncio.sleep(size.seconds * draw.uniform(0.3, 0.8))
            await here.kill()
            broken += (await load)["broken"]
            text = await asyncio.to_thread(Path(file).read_text, encoding="ascii")
            acknowledged.update(text.split())
            await here.start()
        known = await _settled(here)
        paid = Counter(one["payee"] for one in await here.truth() if one["kind"] == "payout")
        async with here.operator() as operator:
            ledger = await operator.get("/v1/admin/ledger")
    stuck = sum(one["state"] != "paid" for one in known.values())
    return {
        "acked_lost": len(acknowledged - known.keys()),
        "acknowledged": len(acknowledged),
        "kills": size.kills,
        "unanswered": broken,
        "stored": len(known),
        "not_paid": stuck,
        "paid_twice": sum(count > 1 for count in paid.values()),
        "books_balanced": ledger["balanced"],
    }


async def _settled(here: Stage) -> dict[str, dict[str, Any]]:
    """All payouts, once none is under way any more, or as they stand when patience ends."""
    known: dict[str, dict[str, Any]] = {}
    try:
        async with asyncio.timeout(SETTLE_S):
            while True:
                known = await here.payouts()
                if known and all(one["state"] == "paid" for one in known.values()):
                    return known
                await asyncio.sleep(1)
    except TimeoutError:
        if not known:
            raise StageError("the payouts could not be read") from None
        return known
