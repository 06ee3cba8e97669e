"""Many seeds, on several cores, by number or by minutes; the first failure is shrunk."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing import get_context

from tests.proof.simulation.plan import plan_of
from tests.proof.simulation.run import Outcome, run_plan
from tests.proof.simulation.shrink import shrunk

BATCH = 8
"""Seeds handed to a core at a time."""
RULES = ("double", "lost", "stuck")


@dataclass
class Result:
    """What a campaign came to."""

    seeds: int = 0
    steps: int = 0
    payouts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    """Broken promises by rule."""
    failing: list[int] = field(default_factory=list)
    """Seeds that broke one, in order."""
    seconds: float = 0.0

    @property
    def seeds_per_hour(self) -> int:
        """At the pace of this campaign."""
        return int(self.seeds / self.seconds * 3600) if self.seconds else 0

    def add(self, other: "Result") -> None:
        """Count another one in."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.payouts += other.payouts
        self.faults += other.faults
        self.broken += other.broken
        self.failing = sorted({*self.failing, *other.failing})

    def line(self) -> str:
        """One line of JSON."""
        others = sum(hits for rule, hits in self.broken.items() if rule not in RULES)
        return json.dumps(
            {
                "seeds": self.seeds,
                "steps": self.steps,
                "payouts": self.payouts,
                "faults": dict(sorted(self.faults.items())),
                **{rule: self.broken[rule] for rule in RULES},
                "other": others,
                "failing": self.failing[:20],
                "seeds_per_hour": self.seeds_per_hour,
            }
        )


def run(
    *,
    seeds: int | None = None,
    start: int = 1,
    minutes: float | None = None,
    cores: int | None = None,
    progress: Callable[[Result], None] = lambda _result: None,
) -> Result:
    """Run seeds from `start` on; ends after `seeds`, or after `minutes`, whichever comes first."""
    if seeds is None and minutes is None:
        raise ValueError("say how many seeds or how many minutes")
    began = time.monotonic()
    until = None if minutes is None else began + minutes * 60
    numbers: Iterator[int] = islice(count(start), seeds)
    result = Result()
    wanted = min(cores or os.cpu_count() or 1, max(1, (seeds or BATCH**2) // BATCH))
    for batch in _batches(numbers, until, wanted):
        result.add(batch)
        result.seconds = time.monotonic() - began
        progress(result)
    return result


def _batches(numbers: Iterator[int], until: float | None, cores: int) -> Iterator[Result]:
    def time_is_left() -> bool:
        return until is None or time.monotonic() < until

    if cores == 1:
        while time_is_left() and (batch := list(islice(numbers, BATCH))):
            yield run_batch(batch)
        return
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        running: set[Future[Result]] = set()
        while True:
            while len(running) < 2 * cores and time_is_left():
                batch = list(islice(numbers, BATCH))
                if not batch:
                    break
                running.add(pool.submit(run_batch, batch))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)


def run_batch(seeds: list[int]) -> Result:
    """A few seeds, here."""
    result = Result()
    for seed in seeds:
        outcome = run_plan(plan_of(seed))
        result.add(result_of(outcome))
    return result


def result_of(outcome: Outcome) -> Result:
    """One run as a result."""
    return Result(
        seeds=1,
        steps=outcome.steps,
        payouts=outcome.payouts,
        faults=outcome.faults,
        broken=Counter(one.rule for one in outcome.violations),
        failing=[outcome.plan.seed] if outcome.violations else [],
    )


def replayed(seed: int, *, shrink: bool = True) -> str:
    """Run a seed again and tell its story: of the payout concerned when a promise is broken."""
    outcome = run_plan(plan_of(seed), keeps=True)
    first = outcome.first
    if first is None:
        return f"seed {seed}: nothing is broken ({outcome.steps} steps, {outcome.payouts} payouts)"
    told = [f"seed {seed}: {one} (payout {one.number})" for one in outcome.violations]
    if shrink:
        outcome = shrunk(outcome)
        first = next(one for one in outcome.violations if one.rule == first.rule)
    plan = outcome.plan
    numbers = ", ".join(str(wish.number) for wish in plan.wishes)
    told += [
        f"shrunk to payouts {numbers}; {plan.replicas} replica(s); "
        f"faults: {', '.join(plan.faults) or 'none'}",
        f"{first} (payout {first.number})",
        "",
        outcome.story.of(first.number),
    ]
    return "\n".join(told)
