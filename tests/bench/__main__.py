"""`make bench`: run the parts there are; the last line of output is one line of JSON."""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import click

from gateway.sandbox.processes import ProcessError
from tests.bench import page
from tests.bench.bench import Bench
from tests.bench.machine import described
from tests.bench.size import FULL, QUICK, Size
from tests.bench.stage import StageError

PARTS: Final = (
    *("decision", "accept", "payouts", "latency", "memory", "start", "loss", "overload"),
    *("scale", "profile", "postgres"),
)
"""Modules of `parts`, in the order in which they run; `soak` runs when it is asked for."""
SOAK: Final = "soak"
KEYS: Final = (
    *("accept_ratio", "e2e_ratio", "accept_rps", "e2e_rps", "decision_us", "p99_added_ms"),
    *("rss_mb", "growth_mb", "ready_s", "recovery_s", "acked_lost", "postgres"),
)
UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """`90s`, `30m`, `24h`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """In seconds."""
        text = str(value)
        try:
            return float(text[:-1]) * UNITS[text[-1:]]
        except (KeyError, ValueError):
            self.fail(f"{text!r} is not a duration such as 90s, 30m or 24h", param, ctx)


class Count(click.ParamType[int]):
    """A whole number, also written as 1e6."""

    name = "count"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """As an integer."""
        try:
            number = float(str(value))
        except ValueError:
            number = 0.5
        if number < 1 or number != int(number):
            self.fail(f"{value!r} is not a whole number above 0, such as 200000 or 1e6", param, ctx)
        return int(number)


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
@click.option("--quick", is_flag=True, help="Some minutes; the figures say little.")
@click.option("--soak", type=Duration(), help="Half load for so long, e.g. 30m; nothing else.")
@click.option("--rounds", type=click.IntRange(min=1), help="Of each program; 5 if not given.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Of each round; 8 if not given.")
@click.option("--payouts", type=Count(), help="Over which memory may grow; 200,000 if not given.")
@click.option("--rows", type=Count(), multiple=True, help="Also with so many stored, e.g. 1e6.")
@click.option("--keep/--no-keep", default=None, help="Write results.json and README.md's tables.")
def main(
    only: tuple[str, ...],
    *,
    quick: bool,
    soak: float | None,
    rounds: int | None,
    seconds: float | None,
    payouts: int | None,
    rows: tuple[int, ...],
    keep: bool | None,
) -> None:
    """How fast one machine is, beside programs that do the same I/O and nothing else.

    A whole run in full size keeps its figures; `--keep` makes any other run replace its own.
    """
    size = QUICK if quick else FULL
    size = replace(
        size,
        rounds=rounds or size.rounds,
        seconds=seconds or size.seconds,
        growth_payouts=payouts or size.growth_payouts,
        rows=(*size.rows, *(one for one in rows if one not in size.rows)),
        soak_s=soak or 0.0,
    )
    chosen = (SOAK,) if soak else tuple(one for one in PARTS if one in (only or PARTS))
    keep = not (quick or only or soak) if keep is None else keep
    machine = described() | {"rounds": size.rounds, "seconds": size.seconds}

    def finished(part: str, found: Mapping[str, Any]) -> None:
        # At once: a part that fails later must not take the others' figures with it.
        if keep:
            page.keep(machine, {part: found})

    # Asked to end, it ends what it has started, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pictures = page.HERE if keep else Path(tempfile.gettempdir()) / "hangdao-bench"
    try:
        found = asyncio.run(measure(chosen, size, pictures / "pictures", finished))
    except (StageError, ProcessError) as error:
        raise click.ClickException(str(error)) from None
    sys.stdout.write(page.summary(found) + "\n")
    flat = {key: value for one in found.values() for key, value in one.items()}
    line = {key: flat[key] for key in KEYS if key in flat}
    sys.stdout.write(json.dumps(line or flat) + "\n")


async def measure(
    parts: tuple[str, ...],
    size: Size,
    pictures: Path,
    finished: Callable[[str, Mapping[str, Any]], None],
) -> dict[str, dict[str, Any]]:
    """Run the parts one after another; later ones know what earlier ones found.

    Raises `StageError` or `ProcessError` for the first that cannot be measured.
    """
    found: dict[str, dict[str, Any]] = {}
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="hangdao-bench-"))
    known: dict[str, Any] = {}
    try:
        for part in parts:
            bench = Bench(size, folder / part, pictures, known=known)
            bench.say(f"{part} …")
            started = perf_counter()
            one: dict[str, Any] = await import_module(f"tests.bench.parts.{part}").run(bench)
            found[part] = one | {"took_s": round(perf_counter() - started, 1)}
            known.update(one)
            finished(part, found[part])
            bench.say(f"{part}: {found[part]['took_s']} s")
            await asyncio.to_thread(shutil.rmtree, folder / part, ignore_errors=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return found


if __name__ == "__main__":
    main()
