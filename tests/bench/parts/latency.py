"""What the gateway adds to a payout's way at half load, beside the floor at the same pace.

From when a request was due to be sent until the merchant's webhook is there, on both sides; the
answer's own latency stands beside it.
"""

from statistics import median
from typing import Any

from tests.bench.bench import Bench
from tests.bench.rounds import Contestant, contest, middle

LINES = 256
"""Connections; enough that nobody waits for one."""


async def run(bench: Bench) -> dict[str, Any]:
    """`p99_added_ms`."""
    bench = bench.sized(seconds=bench.size.half_load_s)
    async with bench.stage("latency") as here, here.floor("payout") as floor:
        rate = await bench.capacity(here) / 2
        found = await contest(
            bench.size,
            [Contestant.floor(here, floor), Contestant.gateway(here)],
            rate=rate,
            callers=LINES,
        )
    pairs = list(zip(found["gateway"], found["floor"], strict=True))
    return {
        "p99_added_ms": round(median(a.told_ms["p99"] - b.told_ms["p99"] for a, b in pairs), 2),
        "p50_added_ms": round(median(a.told_ms["p50"] - b.told_ms["p50"] for a, b in pairs), 2),
        "half_load_rps": round(rate, 1),
        "gateway": middle(found["gateway"]),
        "floor": middle(found["floor"]),
    }
