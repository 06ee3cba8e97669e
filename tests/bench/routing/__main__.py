"""`make bench-routing`: run the parts there are; the last line of output is one line of JSON."""

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from os import cpu_count
from time import perf_counter
from typing import Final

import click

from tests.bench.routing import page

PARTS: Final = ("speed", "replay", "cost", "sr")
"""Modules of this package with `run(options) -> dict`, times first.

Options: `seeds` (a count; absent: each part's full one), `jobs` (also as `processes`), `quick`.
"""
KEYS: Final = ("regret", "wins_vs_window", "cost_gap_pct", "decision_us", "replay_s")


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
@click.option("--seeds", type=click.IntRange(min=1), help="Instead of the full counts.")
@click.option("--jobs", type=click.IntRange(min=1), default=cpu_count() or 1, show_default=True)
@click.option("--quick", is_flag=True, help="A minute's worth; the figures say little.")
@click.option("--keep", is_flag=True, help="Write results.json and README.md's tables.")
def main(only: tuple[str, ...], seeds: int | None, jobs: int, *, quick: bool, keep: bool) -> None:
    """How payouts are routed: success (sr), cost (cost), and time, live (speed) and in replay."""
    options: dict[str, int] = {"jobs": jobs, "processes": jobs, "quick": quick}
    if seeds is not None:
        options["seeds"] = seeds
    parts: dict[str, dict[str, object]] = {}
    for part in (one for one in PARTS if one in (only or PARTS)):
        run: Callable[[Mapping[str, int]], dict[str, object]] = import_module(
            f"{__package__}.{part}"
        ).run
        started = perf_counter()
        parts[part] = run(options) | {"took_s": round(perf_counter() - started, 1)}
    found = {key: value for one in parts.values() for key, value in one.items()}
    line = {key: found[key] for key in KEYS if key in found}
    if keep:
        before = page.kept()["parts"] if only and page.RESULTS.exists() else {}
        _keep({"parts": before | parts})
    sys.stdout.write(json.dumps(line) + "\n")


def _keep(results: dict[str, dict[str, object]]) -> None:
    page.RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if all(part in results["parts"] for part in PARTS):
        text = page.README.read_text(encoding="utf-8")
        page.README.write_text(page.page(text, results), encoding="utf-8")


if __name__ == "__main__":
    main()
