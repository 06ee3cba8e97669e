"""Resident memory, and how it grows over many payouts that are asked for one after another."""

from typing import Any

from tests.bench.bench import Bench
from tests.bench.rounds import went_through
from tests.bench.slope import slope
from tests.bench.stage import StageError

WARM_SHARE = 0.1
"""The first tenth fills caches and pools; growth counts from there."""


async def run(bench: Bench) -> dict[str, Any]:
    """`rss_mb` at its highest, `growth_mb` from the first tenth to the end."""
    size = bench.size
    looks: list[tuple[int, float]] = []
    async with bench.stage("memory") as here:
        meter, done = here.meter(), 0
        at_start = meter.rss_mb()
        each = max(size.growth_payouts // size.growth_looks, 1)
        while done < size.growth_payouts:
            came = await here.load(count=each, callers=size.callers)
            if not went_through(came) or came["untold"]:
                raise StageError(f"not every payout went through: {came}")
            done += came["taken"]
            looks.append((done, meter.rss_mb()))
            if len(looks) % 10 == 0:
                bench.say(f"memory: {done:,} payouts, {looks[-1][1]:.1f} MB")
    warm = [look for look in looks if look[0] >= WARM_SHARE * size.growth_payouts]
    return {
        "rss_mb": round(max(rss for _, rss in looks), 1),
        "growth_mb": round(warm[-1][1] - warm[0][1], 2),
        "growth_payouts": done,
        "mb_per_100k": round(slope(warm) * 100_000, 2),
        "at_start_mb": round(at_start, 1),
        "looks": [[count, round(rss, 1)] for count, rss in looks],
    }
