"""L1: the machines by the thousand examples, over the processes and both databases."""

import contextlib
import io
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.stateful import RuleBasedStateMachine, get_state_machine_test

from tests.proof import scratch
from tests.proof.laws import databases
from tests.proof.laws.controls import CONTROLS
from tests.proof.laws.machines import MACHINES
from tests.proof.laws.shared import Counted, Shared

STEPS_PER_EXAMPLE = 50
EXAMPLES_PER_TASK = 40
CONTROL_EXAMPLES = 100
SHARES = (
    ("store", "postgres", 1, 12),
    ("idempotency", "postgres", 1, 10),
    ("incidents and log", "postgres", 1, 12),
    ("claims", "postgres", 1, EXAMPLES_PER_TASK),
    ("forgery", "postgres", 1, 4),
    ("forgery", "sqlite", 1, 10),
    ("incidents and log", "sqlite", 3, EXAMPLES_PER_TASK),
    ("store", "sqlite", 4, EXAMPLES_PER_TASK),
    ("idempotency", "sqlite", 1, EXAMPLES_PER_TASK),
    ("lifecycle and ledger", "", 32, EXAMPLES_PER_TASK),
    ("silence", "", 17, EXAMPLES_PER_TASK),
)
"""Machine, database, how many tasks of a round are its, of how many examples; the slowest begin."""
ROUND = 100_000
"""Steps of a round, about; less is asked for by fewer tasks of each."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """Figures of one run."""

    steps: int = 0
    examples: int = 0
    by_machine: dict[str, int] = field(default_factory=dict)
    """Steps by machine and database."""
    violations: list[str] = field(default_factory=list)
    controls: int = 0
    controls_caught: int = 0
    steps_per_s: int = 0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing was found, and the controls prove that something would have been."""
        return not self.violations and self.controls == self.controls_caught and self.steps > 0


@dataclass(frozen=True, slots=True)
class Task:
    """A stretch of examples for one process."""

    machine: str
    database: str
    seed: int
    examples: int
    postgres: str
    control: str | None = None


def run(steps: int, first: int, say: Say, *, processes: int = 2) -> Result:
    """Make at least so many steps from seed `first` on; tell on the way."""
    began = time.monotonic()
    result = Result()
    with databases.server() as postgres, _pool(processes) as submit:
        told, number = began, _seeds(first)
        while result.steps < steps and not result.violations:
            share = min(1.0, (steps - result.steps) / ROUND)
            batch = [
                Task(machine, database, next(number), examples, postgres)
                for machine, database, tasks, examples in SHARES
                for _ in range(math.ceil(tasks * share))
            ]
            for name, made, trouble in submit(batch):
                result.steps += made
                result.examples += made // STEPS_PER_EXAMPLE
                result.by_machine[name] = result.by_machine.get(name, 0) + made
                if trouble:
                    result.violations.append(f"{name}: {trouble}")
                    say("VIOLATION " + result.violations[-1])
                    break
                if time.monotonic() - told >= 1:
                    told = time.monotonic()
                    say(
                        f"steps {result.steps:,} of {steps:,}, broken {len(result.violations)}, "
                        f"{result.steps / (told - began):,.0f} a second"
                    )
        result.seconds = round(time.monotonic() - began, 1)
        result.steps_per_s = round(result.steps / max(time.monotonic() - began, 0.001))
        broken = [
            Task(machine, MACHINES[machine][1][0], first, CONTROL_EXAMPLES, postgres, name)
            for name, (machine, _) in CONTROLS.items()
        ]
        for name, _, trouble in submit(broken):
            result.controls += 1
            # A store that is broken for good fails differently when told again: found out as well.
            caught = trouble is not None and ("AssertionError" in trouble or "Flaky" in trouble)
            result.controls_caught += caught
            last = (trouble or "").strip().partition("\n")[0][:160]
            say(f"control {name!r}: {'found out' if caught else 'NOT found out'}: {last}")
    return result


def _seeds(first: int) -> Iterator[int]:
    """Seeds, one after the other."""
    while True:
        yield first
        first += 1


Submit = Callable[[list[Task]], Iterator[tuple[str, int, str | None]]]


@contextmanager
def _pool(processes: int) -> Iterator[Submit]:
    if processes == 1:
        yield lambda tasks: (done(task) for task in tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:

        def submit(tasks: list[Task]) -> Iterator[tuple[str, int, str | None]]:
            futures = [pool.submit(done, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

        yield submit


def done(task: Task) -> tuple[str, int, str | None]:
    """Run a stretch in this process: its name, steps made, and the story of a failure."""
    machine, databases_of = MACHINES[task.machine]
    name = " on ".join(filter(None, (task.machine, task.database)))
    breaking = CONTROLS[task.control][1]() if task.control else contextlib.nullcontext()
    before = Counted.steps
    with tempfile.TemporaryDirectory(dir=scratch.folder()) as folder, breaking:
        if databases_of:
            postgres = task.database == "postgres"
            url = databases.fresh(task.postgres) if postgres else f"sqlite://{Path(folder)}/laws.db"
            Shared.begin(url)
        try:
            trouble = told(machine, task.seed, task.examples, shrink=task.control is None)
        finally:
            if databases_of:
                Shared.end()
    return task.control or name, Counted.steps - before, trouble


def replay(which: str, say: Say) -> bool:
    """Run one stretch again, `MACHINE on DATABASE/SEED`; whether nothing was broken."""
    name, _, number = which.rpartition("/")
    machine, _, database = name.partition(" on ")
    with databases.server() if database == "postgres" else contextlib.nullcontext("") as postgres:
        examples = next(one[3] for one in SHARES if one[:2] == (machine, database))
        task = Task(machine, database, int(number), examples, postgres)
        _, steps, trouble = done(task)
    say(trouble or f"{steps} steps, nothing is broken")
    return trouble is None


def told(
    machine: type[RuleBasedStateMachine], number: int, examples: int, *, shrink: bool = True
) -> str | None:
    """Run a machine from a seed; the (shrunk) story of its failure, if it fails."""
    chosen = settings(
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        report_multiple_bugs=False,
        print_blob=False,
        max_examples=examples,
        stateful_step_count=STEPS_PER_EXAMPLE,
        deadline=None,
        database=InMemoryExampleDatabase(),
        suppress_health_check=list(HealthCheck),
    )
    test = seed(number)(get_state_machine_test(machine, settings=chosen))
    said = io.StringIO()
    try:
        with mock.patch("hypothesis.reporting.report", lambda text: said.write(f"{text}\n")):
            test()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        notes = "\n".join(getattr(error, "__notes__", ()))
        return f"seed {number}: {error!r:.300}\n{said.getvalue()}{notes}"
    return None
