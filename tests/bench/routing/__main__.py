"""`make bench-routing`: run the parts there are; the last line of output is one line of JSON."""

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from os import cpu_count
from pathlib import Path
from typing import Final

import click

PARTS: Final = ("sr", "cost", "speed")
"""Modules of this package with `run(options) -> dict`.

Options: `seeds` (a count; absent: each part's full one), `jobs` (also as `processes`), `quick`.
"""
KEYS: Final = ("regret", "wins_vs_window", "cost_gap_pct", "decision_us", "replay_s")
RESULTS: Final = Path(__file__).with_name("results.json")


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
@click.option("--seeds", type=click.IntRange(min=1), help="Instead of the full counts.")
@click.option("--jobs", type=click.IntRange(min=1), default=cpu_count() or 1, show_default=True)
@click.option("--quick", is_flag=True, help="A minute's worth; the figures say little.")
@click.option("--keep", is_flag=True, help=f"Write {RESULTS.name} beside the program.")
def main(only: tuple[str, ...], seeds: int | None, jobs: int, *, quick: bool, keep: bool) -> None:
    """How well payouts are routed: success (sr), cost (cost), time (speed)."""
    options: dict[str, int] = {"jobs": jobs, "processes": jobs, "quick": quick}
    if seeds is not None:
        options["seeds"] = seeds
    results: dict[str, object] = {}
    for part in only or PARTS:
        name = f"{__package__}.{part}"
        if find_spec(name) is None:
            continue
        run: Callable[[Mapping[str, int]], dict[str, object]] = import_module(name).run
        results.update(run(options))
    if keep:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    line = {key: results[key] for key in KEYS if key in results}
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
