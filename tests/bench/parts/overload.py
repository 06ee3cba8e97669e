"""Three times what it can carry: who is admitted, how long they wait, and when it is over."""

from typing import Any, Final

from tests.bench.bench import Bench

TIMES: Final = 3
LINES: Final = 1024
PATIENCE_S: Final = 10.0
BACKLOG_S: Final = 300.0
SHED: Final = frozenset({"429", "503"})


async def run(bench: Bench) -> dict[str, Any]:
    """Shares of what was asked; latencies of what was admitted, beside those at half load."""
    size = bench.size
    async with bench.stage("overload") as here:
        capacity = await bench.capacity(here)
        half = await here.load(seconds=size.overload_s, callers=LINES, rate=capacity / 2)
        file = here.folder / "taken"
        came = await here.load(
            seconds=size.overload_s,
            callers=LINES,
            rate=capacity * TIMES,
            patience_s=PATIENCE_S,
            told_patience_s=BACKLOG_S,
            taken_to=str(file),
        )
        taken = set(file.read_text(encoding="ascii").split())
        known = await here.payouts()
        again = await here.load(seconds=size.overload_s, callers=LINES, rate=capacity / 2)
    asked = max(came["asked"], 1)
    shed = sum(count for status, count in came["statuses"].items() if status in SHED)
    return {
        "capacity_rps": round(capacity, 1),
        "asked_rps": round(capacity * TIMES, 1),
        "admitted_share": round(came["taken"] / asked, 3),
        "shed_share": round(shed / asked, 3),
        "unanswered_share": round(came["broken"] / asked, 3),
        "lost": len(taken - known.keys()),
        "untold": came["untold"],
        "recovered_s": round(max(came["took_s"] - size.overload_s, 0.0), 1),
        "half_load": {"answered_ms": half["answered_ms"], "told_ms": half["told_ms"]},
        "overload": {"answered_ms": came["answered_ms"], "told_ms": came["told_ms"]},
        "afterwards": {"answered_ms": again["answered_ms"], "told_ms": again["told_ms"]},
    }
