"""L7: every mutant, over the processes there are; then the shipped code on the seeds that spoke."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.proof.mutants.catalogue import MUTANTS, Mutant
from tests.proof.mutants.overlay import ROOT

FINDERS = Path(__file__).with_name("finders.json")
"""Who found a mutant last time: asked first. Kept by `--keep`; a wrong one costs only time."""
SECONDS_MAX = 300
"""For one mutant."""

WHOLE = ("L0", "", 1)
"""What a finding of L0 is filed under."""

Say = Callable[[str], None]
Finder = tuple[str, str, int]
"""Layer, what about, seed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One mutant and who found it; an empty layer: nobody."""

    name: str
    rule: str
    layer: str = ""
    seed: int = 0
    what: str = ""
    about: str = ""


@dataclass(slots=True)
class Result:
    """Figures of one run."""

    mutants: int = 0
    found: int = 0
    rows: list[Row] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    """What a layer objected to in the shipped code, at a seed that found a mutant."""
    seconds: float = 0.0

    @property
    def missed(self) -> list[str]:
        """Mutants nobody found."""
        return [row.name for row in self.rows if not row.layer]

    @property
    def holds(self) -> bool:
        """Whether every mutant was found, and nothing else."""
        return self.mutants > 0 and not self.missed and not self.false_alarms

    def line(self) -> str:
        """One line of JSON."""
        by_layer: dict[str, int] = {}
        for row in self.rows:
            by_layer[row.layer or "missed"] = by_layer.get(row.layer or "missed", 0) + 1
        return json.dumps(
            {
                "mutants": self.mutants,
                "mutants_found": self.found,
                "by_layer": dict(sorted(by_layer.items())),
                "missed": self.missed,
                "false_alarms": self.false_alarms,
                "seconds": self.seconds,
            }
        )


def run(
    say: Say, *, processes: int | None = None, only: str = "", mutants: Iterable[Mutant] = MUTANTS
) -> Result:
    """Plant every mutant whose name contains `only`; tell who found it."""
    began = time.monotonic()
    chosen = {one.name: one for one in mutants if only in one.name}
    known = finders()
    result = Result(mutants=len(chosen))
    tasks = [_task(one, known.get(one.name)) for one in chosen.values()]
    cores = processes or os.cpu_count() or 1
    for answer in _answers(tasks, cores):
        mutant = chosen[answer["name"]]
        row = Row(
            mutant.name,
            mutant.rule,
            answer.get("layer", ""),
            answer.get("seed", 0),
            answer.get("what", answer.get("broke", "nobody objected")),
            answer.get("about", ""),
        )
        result.rows.append(row)
        result.found += bool(row.layer)
        by = f"{row.layer} at seed {row.seed}" if row.layer else "NOT FOUND"
        say(f"{len(result.rows):3d}/{len(tasks)} {by:16} {row.name}: {row.what[:140]}")
    result.rows.sort(key=lambda row: [*chosen].index(row.name))
    for alarm in _false_alarms(result.rows, cores):
        result.false_alarms.append(alarm)
        say(f"FALSE ALARM {alarm}")
    result.seconds = round(time.monotonic() - began, 1)
    return result


def finders() -> Mapping[str, Finder]:
    """Who found each mutant last time."""
    if not FINDERS.exists():
        return {}
    kept = json.loads(FINDERS.read_text(encoding="utf-8"))
    return {name: (layer, about, seed) for name, (layer, about, seed) in kept.items()}


def keep(result: Result) -> None:
    """Remember who found what."""
    found = {row.name: (row.layer, row.about, row.seed) for row in result.rows if row.layer}
    text = json.dumps(dict(finders()) | found, indent=1, sort_keys=True, ensure_ascii=False)
    FINDERS.write_text(text + "\n", encoding="utf-8")


def _task(mutant: Mutant, finder: Finder | None) -> dict[str, Any]:
    asks: list[tuple[str, str, list[int]]] = []
    for ask in mutant.asks:
        hint = finder[2] if finder is not None and finder[:2] == (ask.layer, ask.about) else None
        seeds = (ask.layer, ask.about, [*ask.numbers(hint)])
        asks.insert(0 if hint is not None else len(asks), seeds)
    return {
        "name": mutant.name,
        "edits": [asdict(edit) for edit in mutant.edits],
        "asks": asks,
        "seconds": SECONDS_MAX,
    }


def _false_alarms(rows: list[Row], cores: int) -> Iterator[str]:
    """What the layers say about the shipped code at the same seeds: nothing, if they are right.

    L0 is left out: its own run is this very search, whole.
    """
    spoke = sorted({(row.layer, row.about, row.seed) for row in rows if row.layer} - {WHOLE})
    tasks = [
        {
            "name": f"shipped code, part {part}",
            "edits": [],
            "asks": [(layer, about, [seed]) for layer, about, seed in spoke[part::cores]],
            "seconds": SECONDS_MAX * 4,
        }
        for part in range(min(cores, len(spoke)))
    ]
    for answer in _answers(tasks, cores):
        if "layer" in answer:
            yield f"{answer['layer']} at seed {answer['seed']}: {answer['what']}"
        elif "broke" in answer:
            yield str(answer["broke"])


def _answers(tasks: list[dict[str, Any]], cores: int) -> Iterator[dict[str, Any]]:
    if not tasks:
        return
    nursery = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "tests.proof.mutants.nursery", str(cores)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdin.write("".join(f"{json.dumps(task)}\n" for task in tasks))
        nursery.stdin.close()
        for line in nursery.stdout:
            yield json.loads(line)
    if nursery.returncode:
        raise RuntimeError(f"the nursery ended with {nursery.returncode}")
