"""A routing decision with its full trace: eight channels, twenty rules (`bench.routing.speed`)."""

import asyncio
from typing import Any

from tests.bench.bench import Bench
from tests.bench.machine import on
from tests.bench.routing import speed


async def run(bench: Bench) -> dict[str, Any]:
    """`decision_us`: the calmest of several measurements."""
    with on(bench.layout.measured):
        found = await asyncio.to_thread(speed.run, {"rounds": bench.size.decisions})
    return {name: round(value, 2) for name, value in found.items()}
