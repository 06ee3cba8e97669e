"""The same on a real PostgreSQL, and two worker processes beside one.

Server, callers and institution share the cores that the gateway leaves; with two workers everything
shares every core, for one worker as for two, so that the two can be compared with one another.
"""

from contextlib import AsyncExitStack
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from tests.bench.bench import Bench
from tests.bench.rounds import Contestant, contest, middle
from tests.bench.server import postgres
from tests.bench.stage import StageError

PARTS: Final = ("accept", "payouts", "latency", "memory", "start", "loss")
KEYS: Final = (
    *("accept_ratio", "accept_rps", "e2e_ratio", "e2e_cpu_ratio", "e2e_rps", "p99_added_ms"),
    *("rss_mb", "growth_mb", "ready_s", "recovery_s", "acked_lost"),
)
WHERE_COUNTED: Final = ("accept_instructions_ratio", "e2e_instructions_ratio")
LESS_GROWTH: Final = 10
DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")


async def run(bench: Bench) -> dict[str, Any]:
    """`postgres`: the last line's keys, and the gain of a second worker."""
    with postgres(bench.layout) as server:
        settings = {name: server.shows(name) for name in (*DURABLE, "server_version")}
        if any(settings[name] != "on" for name in DURABLE):
            raise StageError(f"this PostgreSQL would forget what it acknowledged: {settings}")
        payouts = bench.size.growth_payouts // LESS_GROWTH
        there = replace(bench.sized(growth_payouts=payouts), server=server)
        parts: dict[str, dict[str, Any]] = {}
        for name in PARTS:
            bench.say(f"postgres: {name}")
            parts[name] = await import_module(f"tests.bench.parts.{name}").run(there)
        bench.say("postgres: two workers")
        parts["workers"] = await _workers(there)
    found = {key: value for one in parts.values() for key, value in one.items()}
    keys = (*KEYS, *(key for key in WHERE_COUNTED if key in found), "workers_gain")
    line = {key: found[key] for key in keys}
    return {"postgres": line, "settings": settings, "parts": parts}


async def _workers(bench: Bench) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(bench.stage("one", spread=True))
        two = await stack.enter_async_context(bench.stage("two", workers=2, spread=True))
        sides = [Contestant.gateway(one, "one"), Contestant.gateway(two, "two")]
        found = await contest(bench.size, sides)
    alone, both = middle(found["one"]), middle(found["two"])
    return {"workers_gain": round(both["rps"] / alone["rps"], 3), "one": alone, "two": both}
