"""`make prove`: every layer of the proofs in turn, live figures, one JSON line at the end.

Exit code 1 when a promise was broken anywhere, or a layer did not notice a product that was broken
on purpose. Without flags some ten minutes; `--quick` is what CI runs.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import click
import orjson
from rich.console import Console

from tests.proof import report
from tests.proof.crash import run as crash
from tests.proof.hostile import run as hostile
from tests.proof.laws import run as laws
from tests.proof.model import run as model
from tests.proof.power import run as power
from tests.proof.report import Row

MINUTES = 10.0
"""What a run without flags takes on two idle cores."""
TELL_S = 5.0
"""Between two lines of progress where there is no terminal."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """How much was asked for."""

    seeds: int | None
    minutes: float
    quick: bool
    first: int = 1

    def much(self, quick: int, a_minute: int) -> int:
        """How many of something: as many as CI does, or by the minutes given."""
        return quick if self.quick else max(quick // 10, int(a_minute * self.minutes))


def _model(_: Asked, say: Say) -> Row:
    done = model.run(False, say)
    return Row(
        "L0",
        "the attempt protocol, searched whole: workers that pause, messages lost and late",
        {"states": done.states, "wrong rules": done.wrong_rules},
        broken={"wrong": done.violations},
        controls=done.wrong_rules,
        caught=done.wrong_rules_caught,
        seconds=done.seconds,
    )


def _laws(asked: Asked, say: Say) -> Row:
    done = laws.run(asked.much(40_000, 15_000), asked.first, say)
    return Row(
        "L1",
        "store, idempotency, lifecycle and ledger by any callers in any order; the store on SQLite "
        "and PostgreSQL against one model",
        {"steps": done.steps, "examples": done.examples},
        broken={"wrong": len(done.violations)},
        controls=done.controls,
        caught=done.controls_caught,
        seconds=done.seconds,
    )


def _crash(asked: Asked, say: Say) -> Row:
    done = crash.run(asked.first, say, every=not asked.quick, twice=not asked.quick)
    return Row(
        "L3",
        "the real process on SQLite, killed at every boundary of every scene, restarted, judged by "
        "the institutions' books",
        {"crash points": done.crash_points, "kinds of boundary": len(done.points)},
        {"kill -9": done.crash_points + done.second_deaths},
        {"double": done.double, "lost": done.lost, "stuck": done.stuck, "wrong": done.wrong},
        done.controls,
        done.controls_caught,
        done.points,
        done.seconds,
    )


def _power(asked: Asked, say: Say) -> Row:
    done = power.run(asked.much(5_000, 2_000), asked.first, say)
    caught = (done.control_lost, done.off_damaged, done.lying_damaged)
    return Row(
        "L4",
        "what survives a power cut that drops, tears and reorders what was not synced",
        {"power cuts": done.power_cuts, "commits": done.commits},
        {"power cut": done.power_cuts, **{f"write: {k}": n for k, n in done.faults.items()}},
        {"lost": done.lost, "wrong": done.torn + done.unarmed},
        len(caught),
        sum(map(bool, caught)),
        seconds=done.seconds,
    )


def _hostile(asked: Asked, say: Say) -> Row:
    done = hostile.run(asked.much(105_000, 40_000), asked.first, say)
    return Row(
        "L6",
        "every reply, notice and statement reader of both adapters against spoilt messages, signed "
        "and unsigned",
        {"inputs": done.inputs, "inputs a second": done.inputs_per_s},
        {f"spoilt {name}": count for name, count in done.by_aim.items()},
        {"wrong": len(done.violations)},
        done.controls,
        done.controls_caught,
        seconds=done.seconds,
    )


LAYERS: Mapping[str, Callable[[Asked, Say], Row]] = {
    "L0": _model,
    "L1": _laws,
    "L3": _crash,
    "L4": _power,
    "L6": _hostile,
}
"""The layers there are, in the order in which they run."""

REPLAYS: Mapping[str, Callable[[str, Say], bool]] = {
    "L1": laws.replay,
    "L3": crash.replay,
    "L4": lambda seed, say: power.replay(int(seed), say).lost == 0,
    "L6": hostile.replay,
}
"""Layers whose single failures can be told again; true when nothing is broken."""


class Screen:
    """Figures while it runs: one line that changes on a terminal, lines now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        """On this console."""
        self._console = console
        self._told = 0.0

    def run(self, layer: str, asked: Asked) -> Row:
        """Run a layer and show how it goes."""
        began = time.monotonic()
        with self._console.status(f"{layer} …") as status:

            def say(line: str) -> None:
                if self._console.is_terminal and not _matters(line):
                    status.update(f"{layer}  {line}")
                elif _matters(line) or time.monotonic() - self._told >= TELL_S:
                    self._told = time.monotonic()
                    self.tell(f"{layer}  {line}")

            row = LAYERS[layer](asked, say)
        counts = ", ".join(f"{count:,} {name}" for name, count in row.counts.items())
        broken = ", ".join(f"{count} {name}" for name, count in row.broken.items() if count)
        self.tell(
            f"{layer}  {counts}; broken: {broken or 'nothing'}; controls found out: {row.caught} "
            f"of {row.controls}; {time.monotonic() - began:,.0f} s"
        )
        return row

    def tell(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


def _matters(line: str) -> bool:
    """Whether a line stays on the screen: findings and controls do, progress does not."""
    words = ("NOT ", "VIOLATION", "died at", "control", "came out of it", "seed ", "wrongly signed")
    return any(word in line for word in words) and " a second" not in line


def totals(rows: list[Row]) -> dict[str, int]:
    """The last line's figures."""

    def broken(kind: str) -> int:
        return sum(row.broken.get(kind, 0) for row in rows)

    def count(layer: str, name: str) -> int:
        return sum(row.counts.get(name, 0) for row in rows if row.layer == layer)

    return {
        "seeds": count("L2", "seeds"),
        "steps": count("L1", "steps") + count("L2", "steps"),
        "faults": sum(sum(row.faults.values()) for row in rows),
        "crash_points": count("L3", "crash points"),
        "power_cuts": count("L4", "power cuts"),
        "double": broken("double"),
        "lost": broken("lost"),
        "stuck": broken("stuck"),
        "wrong_rules": sum(row.controls for row in rows if row.layer != "L7"),
        "wrong_rules_caught": sum(row.caught for row in rows if row.layer != "L7"),
        "mutants": count("L7", "mutants"),
        "mutants_found": count("L7", "found"),
        "seeds_per_hour": count("L2", "seeds an hour"),
    }


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seeds", type=click.IntRange(min=1), help="Seeds of the simulation (L2).")
@click.option("--minutes", type=click.FloatRange(min=0.1), default=MINUTES, show_default=True)
@click.option("--only", help=f"Some layers only, with commas: {','.join(LAYERS)}.")
@click.option("--first", type=int, default=1, show_default=True, help="The first seed.")
@click.option("--replay", metavar="SEED", help="With --only L: tell this one failure again.")
@click.option("--quick", is_flag=True, help="What CI runs.")
def main(
    seeds: int | None, minutes: float, only: str | None, first: int, replay: str | None, quick: bool
) -> None:
    """Prove, layer by layer, that nothing is paid twice, lost or silently stuck."""
    console = Console(stderr=False)
    screen = Screen(console)
    chosen = list(LAYERS) if only is None else [one.strip() for one in only.split(",")]
    unknown = [one for one in chosen if one not in LAYERS]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}; there are {', '.join(LAYERS)}")
    if replay is not None:
        (layer,) = chosen if len(chosen) == 1 else [""]
        if layer not in REPLAYS:
            raise click.BadParameter(f"--replay needs --only with one of {', '.join(REPLAYS)}")
        sys.exit(0 if REPLAYS[layer](replay, screen.tell) else 1)
    asked = Asked(seeds, minutes, quick, first)
    rows = [screen.run(layer, asked) for layer in chosen]
    line = totals(rows)
    if only is None and not quick:
        report.keep(rows, line)
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
