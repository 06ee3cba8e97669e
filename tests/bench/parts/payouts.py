"""Payouts from the request to the merchant's webhook, beside a program with the same I/O alone."""

from typing import Any

from tests.bench.bench import Bench
from tests.bench.rounds import Contestant, contest, middle, shares


async def run(bench: Bench) -> dict[str, Any]:
    """`e2e_ratio`, `e2e_rps`.

    Where crowd and institution, and not the floor program, were busy all the time, the ratio of
    rates flatters the gateway; `e2e_cpu_ratio`, of the programs' own CPU time, does not.
    """
    async with bench.stage("payouts") as here, here.floor("payout") as floor:
        found = await contest(
            bench.size,
            [Contestant.floor(here, floor), Contestant.gateway(here)],
        )
    ours, bare = middle(found["gateway"]), middle(found["floor"])
    return {
        **shares(bare, ours, "e2e"),
        "e2e_rps": ours["rps"],
        "gateway": ours,
        "floor": bare,
    }
