"""`make prove`: every layer of the proofs in turn, live figures, one JSON line at the end.

Exit code 1 when a promise was broken anywhere, a layer did not notice a product that was broken on
purpose, or a seeded bug was found by nobody. Without flags some ten minutes; `--quick` is what CI
runs. A full run writes its figures and the page that they make; a quick or partial one changes
nothing in the tree unless it is told to. A layer runs when its package is there.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
import orjson
from rich.console import Console

from tests.proof import report
from tests.proof.report import Row, totals

MINUTES = 10.0
"""What a run without flags takes on two idle cores."""
TELL_S = 5.0
"""Between two lines of progress where there is no terminal."""
CONTROL_SEEDS = 60
"""Within so many seeds the simulation finds each of its wrong rules."""

CRASHED = ("TypeError(", "AttributeError(")
"""What shows that a wrong rule no longer fits the engine, not that anybody found it out."""

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
    done = _layer("model").run(False, say)
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
    done = _layer("laws").run(asked.much(100_000, 12_000), asked.first, say)
    return Row(
        "L1",
        "lifecycle, ledger, certificates, idempotency, store, incidents and audit log by any "
        "callers in any order; the store on SQLite and PostgreSQL, and two workers' claims, "
        "against one model",
        {"steps": done.steps, "examples": done.examples},
        broken={"wrong": len(done.violations)},
        controls=done.controls,
        caught=done.controls_caught,
        seconds=done.seconds,
    )


def _simulation(asked: Asked, say: Say) -> Row:
    campaign, wrong = (import_module(f"tests.proof.simulation.{n}") for n in ("campaign", "wrong"))

    def show(so_far: Any) -> None:
        say(
            f"{so_far.seeds:,} seeds, {so_far.payouts:,} payouts, {so_far.faults.total():,} "
            f"faults, {so_far.broken.total()} broken, {so_far.seeds_per_hour:,} seeds an hour"
        )

    seeds = asked.seeds or (2_000 if asked.quick else None)
    minutes = None if seeds else asked.minutes * 0.25
    done = campaign.run(seeds=seeds, minutes=minutes, start=asked.first, progress=show)
    if done.failing:
        say("VIOLATION " + campaign.replayed(done.failing[0]))
    caught = 0
    for name in wrong.WRONG:
        found = wrong.found_by(name, range(1, CONTROL_SEEDS + 1))
        told = found is not None and not any(word in found[1] for word in CRASHED)
        caught += told
        how = f"seed {found[0]}: {found[1]}" if found else "no seed"
        how = f"{'found out' if told else 'NOT found out'}: {how}"
        say(f"control {name!r}: {how}")
    known = ("double", "lost", "stuck")
    broken = {name: done.broken[name] for name in known}
    return Row(
        "L2",
        "whole gateways, one to three replicas, in virtual time under seeded faults, judged by "
        "what money really moved; then calm days in which everything must end",
        {
            "seeds": done.seeds,
            "steps": done.steps,
            "payouts": done.payouts,
            "seeds an hour": done.seeds_per_hour,
        },
        dict(done.faults),
        {**broken, "wrong": done.broken.total() - sum(broken.values())},
        len(wrong.WRONG),
        caught,
        seconds=done.seconds,
    )


def _crash(asked: Asked, say: Say) -> Row:
    done = _layer("crash").run(
        asked.first, say, every=not asked.quick, twice=not asked.quick and asked.minutes > MINUTES
    )
    return Row(
        "L3",
        "the real process on SQLite, killed at every boundary of every scene, restarted, judged by "
        "the institutions' books, the merchant's ears and the audit log",
        {"crash points": done.crash_points, "kinds of boundary": len(done.points)},
        {"kill -9": done.crash_points + done.second_deaths},
        {"double": done.double, "lost": done.lost, "stuck": done.stuck, "wrong": done.wrong},
        done.controls,
        done.controls_caught,
        done.points,
        seconds=done.seconds,
    )


def _power(asked: Asked, say: Say) -> Row:
    done = _layer("power").run(asked.much(5_000, 1_500), asked.first, say)
    caught = (done.control_lost, done.off_damaged, done.lying_damaged)
    return Row(
        "L4",
        "what survives a power cut that drops, tears and reorders what was not synced",
        {"power cuts": done.power_cuts, "commits": done.commits},
        {"power cut": done.power_cuts, **{f"write: {k}": n for k, n in done.faults.items()}},
        {"lost": done.lost, "wrong": done.torn + done.unarmed + done.control_torn},
        len(caught),
        sum(map(bool, caught)),
        seconds=done.seconds,
    )


def _chaos(asked: Asked, say: Say) -> Row:
    done = _layer("chaos").run(asked.minutes * 0.15, say)
    for sentence in done.sentences:
        say(f"VIOLATION {sentence}")
    return Row(
        "L5",
        "real PostgreSQL with a synchronous standby, Valkey and three gateways under load, while "
        "processes are killed, stopped, cut off and failed over",
        {"payouts": done.payouts, "failovers": done.failovers, "restarts": done.restarts},
        dict(done.strikes),
        {"double": done.double, "lost": done.lost, "stuck": done.stuck, "wrong": done.other},
        seconds=done.seconds,
    )


def _hostile(asked: Asked, say: Say) -> Row:
    done = _layer("hostile").run(asked.much(130_000, 40_000), asked.first, say)
    return Row(
        "L6",
        "replies, notices and statements of eight kinds of channel, and orders at the dialects' "
        "doors, spoilt, signed and unsigned",
        {"inputs": done.inputs, "inputs a second": done.inputs_per_s},
        {f"spoilt {name}": count for name, count in done.by_aim.items()},
        {"wrong": len(done.violations)},
        done.controls,
        done.controls_caught,
        seconds=done.seconds,
    )


def _mutants(_: Asked, say: Say) -> Row:
    done = _layer("mutants").run(say, processes=2)
    wrong = len(done.missed) + int(not done.holds and not done.missed)
    return Row(
        "L7",
        "our own rules, broken one at a time: some layer must object, and to the shipped code none",
        {"mutants": done.mutants, "found": done.found},
        broken={"wrong": wrong},
        mutants=[[one.name, one.rule, one.layer, str(one.seed)] for one in done.rows],
        seconds=done.seconds,
    )


def _layer(folder: str) -> Any:
    return import_module(f"tests.proof.{folder}.run")


LAYERS: Mapping[str, tuple[str, Callable[[Asked, Say], Row]]] = {
    "L0": ("model", _model),
    "L1": ("laws", _laws),
    "L2": ("simulation", _simulation),
    "L3": ("crash", _crash),
    "L4": ("power", _power),
    "L5": ("chaos", _chaos),
    "L6": ("hostile", _hostile),
    "L7": ("mutants", _mutants),
}
"""Folder and shell of every layer, in the order in which they run."""

NOT_QUICK = frozenset({"L5"})
"""Takes real time, whatever the machine."""


def present(*, quick: bool = False) -> list[str]:
    """The layers whose package is in the tree."""
    return [
        layer
        for layer, (folder, _) in LAYERS.items()
        if (report.HERE / folder / "run.py").exists() and not (quick and layer in NOT_QUICK)
    ]


def _simulated_again(seed: str, say: Say) -> bool:
    campaign = import_module("tests.proof.simulation.campaign")
    told: str = campaign.replayed(int(seed))
    say(told)
    return told.startswith(f"seed {seed}: nothing is broken")


def _cut_again(seed: str, say: Say) -> bool:
    tale = _layer("power").replay(int(seed), say)
    return not (tale.lost or tale.torn or tale.unarmed)


REPLAYS: Mapping[str, Callable[[str, Say], bool]] = {
    "L0": lambda rule, say: bool(_layer("model").story(rule, say)),
    "L1": lambda which, say: bool(_layer("laws").replay(which, say)),
    "L2": _simulated_again,
    "L3": lambda which, say: bool(_layer("crash").replay(which, say)),
    "L4": _cut_again,
    "L6": lambda which, say: bool(_layer("hostile").replay(which, say)),
}
"""Layers whose single findings can be told again; true when nothing is broken."""


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
                if _matters(line):
                    self.tell(f"{layer}  {line}")
                elif self._console.is_terminal:
                    status.update(f"{layer}  {line}")
                elif time.monotonic() - self._told >= TELL_S:
                    self._told = time.monotonic()
                    self.tell(f"{layer}  {line}")

            row = LAYERS[layer][1](asked, say)
        row.seconds = round(time.monotonic() - began, 1)
        counts = ", ".join(f"{count:,} {name}" for name, count in row.counts.items())
        broken = ", ".join(f"{count} {name}" for name, count in row.broken.items() if count)
        self.tell(
            f"{layer}  {counts}; broken: {broken or 'nothing'}; controls found out: {row.caught} "
            f"of {row.controls}; {row.seconds:,.0f} s"
        )
        return row

    def tell(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


def _matters(line: str) -> bool:
    """Whether a line stays on the screen: findings and controls do, progress does not."""
    words = ("NOT ", "VIOLATION", "ALARM", "died at", "control", "came out of it", "seed ")
    return any(word in line for word in words) and " a second" not in line


def _chosen(only: str | None, *, quick: bool) -> list[str]:
    if only is None:
        return present(quick=quick)
    chosen = [one.strip() for one in only.split(",")]
    there = present()
    unknown = [one for one in chosen if one not in there]
    if unknown:
        raise click.BadParameter(f"{', '.join(unknown)}; there are {', '.join(there)}")
    return [layer for layer in there if layer in chosen]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seeds", type=click.IntRange(min=1), help="Seeds of the simulation (L2).")
@click.option("--minutes", type=click.FloatRange(min=0.1), default=MINUTES, show_default=True)
@click.option("--only", help=f"Some layers only, with commas: {','.join(LAYERS)}.")
@click.option("--first", type=int, default=1, show_default=True, help="The first seed.")
@click.option("--replay", metavar="SEED", help="Tell one finding again; of L2 without --only.")
@click.option("--quick", is_flag=True, help="What CI runs.")
@click.option("--keep", is_flag=True, help="Write these figures, though they are not a full run's.")
def main(
    seeds: int | None,
    minutes: float,
    only: str | None,
    first: int,
    replay: str | None,
    quick: bool,
    keep: bool,
) -> None:
    """Prove, layer by layer, that nothing is paid twice, lost or silently stuck."""
    screen = Screen(Console(stderr=False))
    if replay is not None:
        (layer,) = asked_for if len(asked_for := _chosen(only or "L2", quick=False)) == 1 else [""]
        if layer not in REPLAYS:
            raise click.BadParameter(f"--replay needs --only with one of {', '.join(REPLAYS)}")
        sys.exit(0 if REPLAYS[layer](replay, screen.tell) else 1)
    asked = Asked(seeds, minutes, quick, first)
    rows = [screen.run(layer, asked) for layer in _chosen(only, quick=quick)]
    if keep or (only is None and not quick):
        report.keep(report.merged(rows))
    sys.stdout.write(orjson.dumps(totals(rows)).decode() + "\n")
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
