"""How each layer is asked whether the code in force keeps its promises, one seed at a time.

A probe answers None, or what it objects to. It runs in a process of its own, in which the packages
are imported for the first time: they may be a mutant's. Imports are therefore inside.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

Probe = Callable[[str, int], str | None]


@dataclass(frozen=True, slots=True)
class Ask:
    """Which layer is asked, about what, and over which seeds until one objects."""

    layer: str
    about: str = ""
    seeds: int = 1
    first: int = 1

    def numbers(self, hint: int | None) -> Iterator[int]:
        """Every seed once, the one that found it last time first."""
        if hint is not None:
            yield hint
        yield from (n for n in range(self.first, self.first + self.seeds) if n != hint)


def model(about: str, _seed: int) -> str | None:
    """L0: the whole space under the shipped rule, as the code in force has it."""
    from gateway.domain.lifecycle import TransitionError
    from tests.proof.model.rules import SHIPPED
    from tests.proof.model.run import worlds
    from tests.proof.model.search import Search

    for _, world in worlds(deep=False)[::-1]:
        search = Search(SHIPPED, world)
        try:
            found = search.run()
        except TransitionError as error:
            return f"no edge: {error}"
        if found.broken is not None:
            return found.broken
        if about == "liveness" and search.liveness()[2]:
            return "stuck"
    return None


def laws(about: str, seed: int) -> str | None:
    """L1: one stretch of a machine on SQLite; `about` is the machine's name."""
    from tests.proof.laws.run import Task, done

    _, _, trouble = done(Task(about, "sqlite", seed, EXAMPLES[about], "", None))
    return None if trouble is None else " ".join(trouble.split())[:200]


EXAMPLES: Mapping[str, int] = {
    "store": 25,
    "idempotency": 15,
    "lifecycle and ledger": 60,
    "silence": 250,
    "forgery": 8,
}


def simulation(about: str, seed: int) -> str | None:
    """L2: one seed; `about` may name the kinds of fault it is to be rich in: `kind=rate,…`."""
    from tests.proof.simulation.plan import plan_of
    from tests.proof.simulation.run import run_plan

    plan = plan_of(seed)
    if about:
        pairs = (one.split("=") for one in about.split(","))
        plan = replace(plan, faults={kind: float(rate) for kind, rate in pairs})
    first = run_plan(plan).first
    return None if first is None else str(first)


def power(_about: str, seed: int) -> str | None:
    """L4: one story with its power cuts."""
    from tests.proof.power.run import replay

    tale = replay(seed, lambda _line: None)
    what = {"lost": tale.lost, "torn": tale.torn, "unarmed": tale.unarmed}
    return ", ".join(f"{name} {count}" for name, count in what.items() if count) or None


INPUTS = 1_000


def hostile(about: str, seed: int) -> str | None:
    """L6: a thousand hostile inputs for each parser of an institution."""
    from tests.proof.hostile.run import AIMS, once

    aims = [aim for aim in AIMS if aim.name.startswith(about)]
    for number in range(INPUTS):
        for aim in aims:
            _, objection, _ = once(aim, seed, number)
            if objection is not None:
                return f"{aim.name} {seed}/{number}: {objection}"
    return None


PROBES: Mapping[str, Probe] = {
    "L0": model,
    "L1": laws,
    "L2": simulation,
    "L4": power,
    "L6": hostile,
}
