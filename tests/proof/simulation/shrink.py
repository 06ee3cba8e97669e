"""Make a failing run small: leave out payouts, then faults, then replicas, while it still fails."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.proof.simulation.plan import Plan
from tests.proof.simulation.run import Outcome, run_plan

RUNS_MAX = 120


def shrunk(failing: Outcome, run: Callable[[Plan], Outcome] = run_plan) -> Outcome:
    """The smallest run found that breaks the same promise; its story is kept."""
    first = failing.first
    if first is None:
        raise ValueError("nothing was broken")
    best, runs = failing, 0
    improved = True
    while improved and runs < RUNS_MAX:
        improved = False
        for smaller in _smaller(best.plan):
            runs += 1
            tried = run(smaller)
            if any(one.rule == first.rule for one in tried.violations):
                best, improved = tried, True
                break
            if runs >= RUNS_MAX:
                break
    return run_plan(best.plan, keeps=True) if run is run_plan else best


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with less in them, the greatest savings first."""
    numbers = [wish.number for wish in plan.wishes]
    size = len(numbers) // 2
    while size:
        for begin in range(0, len(numbers), size):
            yield plan.without(numbers=frozenset(numbers[begin : begin + size]))
        size //= 2
    for kind in plan.faults:
        yield plan.without(kind=kind)
    if plan.replicas > 1:
        yield replace(plan, replicas=plan.replicas - 1)
