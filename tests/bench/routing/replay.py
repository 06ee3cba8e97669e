"""How long a month of 300,000 payouts takes to replay: read from a file, decided again, priced.

The month is generated and written before the clock starts. The draft differs from the policy that
made the history, so that nothing is saved by agreement.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from policies.backtest.lines import KIND, LAYOUT, Header, header_line, read, record_line
from policies.backtest.replay import replay
from policies.backtest.world import FULL, World
from policies.policy import Parameters, Policy

QUICK = 15_000


def run(options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Seconds for a full month in one process; with the option `quick`, from a small one's pace."""
    asked = dict(options or {})
    count = int(asked.get("payouts") or (QUICK if asked.get("quick") else FULL))
    world = World(1_000, count)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "month.jsonl"
        with file.open("wb") as out:
            out.write(header_line(Header(KIND, LAYOUT, None, None, None, world.terms)))
            out.writelines(map(record_line, world.records()))
        draft = Policy("draft", "draft", Parameters(capital_rate_ppm=60_000))
        with file.open("rb") as lines:
            started = perf_counter()
            header, records = read(lines)
            compared = replay(records, header.channels, draft)
            took = perf_counter() - started
    if compared.counts.compared + compared.counts.neither < 0.99 * count:
        raise AssertionError("the replay lost payouts")
    return {"replay_s": round(took * FULL / count, 1)}
