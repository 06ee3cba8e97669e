"""The whole of L0: the shipped rule, its liveness, every wrong rule, every promise; and figures."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.proof.model import real
from tests.proof.model.rules import (
    DEEP,
    HARMLESS,
    LIVE,
    LOST,
    PROMISES,
    SHIPPED,
    SHORT,
    WRONG,
    Case,
)
from tests.proof.model.search import Found, Search
from tests.proof.model.world import World

Say = Callable[[str], None]

TWICE = "PAID TWICE"
LIMIT = 10_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """The figures; `violations` counts everything that was not as it must be."""

    states: int
    depth: int
    violations: int
    wrong_rules: int
    wrong_rules_caught: int
    seconds: float


def worlds(*, deep: bool) -> tuple[tuple[str, World], ...]:
    """What is searched whole under the shipped rule."""
    if not deep:
        return (
            ("3 attempts; two profiles that can do all the others can", SHORT),
            ("2 attempts; every profile", LIVE),
        )
    return (
        ("3 attempts; every profile", DEEP),
        ("3 attempts; two profiles, query lag of two ticks", replace(SHORT, lag=2, declared_lag=2)),
        ("2 attempts; every profile", LIVE),
    )


def run(deep: bool, say: Say) -> Result:
    """Search everything; `say` gets the lines as they come."""
    started = time.perf_counter()
    states, depth, violations = 0, 0, 0
    for name, world in worlds(deep=deep):
        found = shipped(name, Search(SHIPPED, world), say)
        states += found.states
        depth = max(depth, found.depth)
        violations += (found.broken is not None) + (not found.complete) + found.stuck
    caught = sum(wrong(case, say) for case in WRONG)
    violations += sum(not harmless(case, say) for case in HARMLESS)
    violations += sum(not needed(case, say) for case in PROMISES)
    violations += not lost(say)
    say(f"distinct questions to the real rules: {real.questions()}")
    return Result(
        states, depth, violations, len(WRONG), caught, round(time.perf_counter() - started, 1)
    )


def shipped(name: str, search: Search, say: Say) -> Found:
    """Safety in every reachable state, then liveness from every reachable state."""
    say(f"shipped rule: {name}")
    found = search.run(say, LIMIT)
    if found.broken is None and found.complete:
        found.closed, found.parked, found.stuck = search.liveness()
    say(
        f"  {found.states:,} states, {found.transitions:,} steps, depth {found.depth}, "
        f"{found.seconds:.1f} s: {found.broken or 'no violation'}"
        f"{'' if found.complete else ', NOT COMPLETE'}; with faults off {found.closed:,} can end, "
        f"{found.parked:,} only with an owner, {found.stuck:,} stuck"
    )
    _tell(found, say)
    return found


def wrong(case: Case, say: Say) -> bool:
    """Whether the wrong rule was caught paying twice; tells how."""
    found = Search(case.rules, case.world).run(limit=LIMIT, until=TWICE)
    caught = found.broken is not None
    verdict = f"caught after {found.states:,} states" if caught else "NOT CAUGHT"
    say(f"wrong rule {case.key}: {verdict}. {case.says}")
    _tell(found, say)
    return caught


def harmless(case: Case, say: Say) -> bool:
    """Whether the whole space of a deviation that should be harmless shows no violation."""
    found = Search(case.rules, case.world).run(limit=LIMIT)
    good = found.broken is None and found.complete
    verdict = "no violation" if good else "VIOLATION"
    say(f"harmless {case.key}: {verdict} in {found.states:,} states. {case.says}")
    _tell(found, say)
    return good


def needed(case: Case, say: Say) -> bool:
    """Whether breaking a promise of the outside breaks safety, so that it is rightly listed."""
    found = Search(case.rules, case.world).run(limit=LIMIT)
    verdict = "safety rests on it" if found.broken else "NOT NEEDED"
    say(f"promise {case.key}: {verdict}. If not: {case.says}")
    _tell(found, say)
    return found.broken is not None


def lost(say: Say) -> bool:
    """Whether the liveness pass notices payouts that nobody looks at any more."""
    search = Search(LOST.rules, LOST.world)
    search.run(limit=LIMIT)
    _, _, stuck = search.liveness()
    say(f"liveness control {LOST.key}: {stuck:,} states stuck, as must be. {LOST.says}")
    return stuck > 0


def story(key: str, say: Say) -> bool:
    """Tell one case by its name; False when there is none."""
    tellers = ((WRONG, wrong), (HARMLESS, harmless), (PROMISES, needed))
    for cases, tell in tellers:
        for case in cases:
            if case.key == key:
                tell(case, say)
                return True
    return False


def _tell(found: Found, say: Say) -> None:
    for line in found.story:
        say(f"    {line}")
