"""Durable intake beside a handler that stores nothing: payouts released tomorrow, answers only."""

from datetime import timedelta
from typing import Any

from gateway.clock import SystemClock
from tests.bench.bench import Bench
from tests.bench.rounds import Contestant, contest, middle, shares


def tomorrow() -> str:
    """When payouts of a measure of intake are released."""
    return (SystemClock().now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def run(bench: Bench) -> dict[str, Any]:
    """`accept_ratio`, `accept_rps`."""
    async with bench.stage("accept") as here, here.floor("accept") as floor:
        found = await contest(
            bench.size,
            [Contestant.floor(here, floor), Contestant.gateway(here)],
            told=False,
            release_after=tomorrow(),
        )
    ours, bare = middle(found["gateway"]), middle(found["floor"])
    return {
        **shares(bare, ours, "accept"),
        "accept_rps": ours["rps"],
        "gateway": ours,
        "floor": bare,
    }
