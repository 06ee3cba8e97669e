"""Which of the eligible candidates goes first: a due probe, the best, or one drawn for exploration.

Pure: the draw is an argument, and the propensities it was drawn by are part of the answer.
"""

from typing import Literal, TypeAlias

from policies.facts import MICRO, Candidate, PayoutFacts
from policies.policy import Parameters

Outcome: TypeAlias = Literal["cheapest", "preferred", "split", "explored", "probe"]


def choose(
    payout: PayoutFacts,
    ranked: list[Candidate],
    probes: list[Candidate],
    parameters: Parameters,
    draw_ppm: int,
) -> tuple[Outcome | Literal["none"], tuple[Candidate, ...], tuple[int, ...]]:
    """The order to try and each candidate's propensity; both lists come best first.

    Only first attempts explore and probe: a payout that has failed once must not be spent on
    learning, and failovers are another population for the estimators anyway.
    """
    tail = probes
    first = not payout.tried
    if not ranked and not tail:
        return "none", (), ()
    if not ranked or first:
        for at, one in enumerate(tail):
            if not ranked or _worth_probing(one, ranked[0], parameters):
                order = (one, *ranked, *tail[:at], *tail[at + 1 :])
                return "probe", order, (MICRO,) + (0,) * (len(order) - 1)
    best = ranked[0]
    outcome: Outcome = "preferred" if _costs_more(best, ranked) else "cheapest"
    pool = 1
    if first and parameters.explore_ppm:
        bound = best.cost.total + parameters.explore_cost_max_minor * MICRO
        while pool < len(ranked) and _comparable(ranked[pool], best, bound):
            pool += 1
    # Within the pool everybody gets the same share; the best one keeps what is left of the whole.
    share = parameters.explore_ppm // pool if pool > 1 else 0
    propensities = [share] * pool + [0] * (len(ranked) + len(tail) - pool)
    propensities[0] = MICRO - share * (pool - 1)
    picked = 0
    if draw_ppm >= propensities[0]:
        picked = 1 + (draw_ppm - propensities[0]) // share
        outcome = "explored"
    if picked:
        ranked.insert(0, ranked.pop(picked))
        propensities.insert(0, propensities.pop(picked))
    return outcome, (*ranked, *tail), tuple(propensities)


def _worth_probing(one: Candidate, best: Candidate, parameters: Parameters) -> bool:
    """Whether a probe stays inside the preference and the money that exploration may cost.

    Its bad record is left out of the price: the probe is there to find out whether it still holds.
    """
    bound = best.cost.certain + parameters.explore_cost_max_minor * MICRO
    return one.preferred == best.preferred and one.cost.certain <= bound


def _comparable(one: Candidate, best: Candidate, bound: int) -> bool:
    """Whether exploring `one` instead of `best` stays inside the preference and the money bound."""
    return one.preferred == best.preferred and one.cost.total <= bound


def _costs_more(best: Candidate, ranked: list[Candidate]) -> bool:
    """Whether preference, and not cost, put `best` first."""
    return best.preferred and any(one.cost.total < best.cost.total for one in ranked)
