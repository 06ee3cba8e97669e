"""The order of the candidates, and which of them goes first: levels, then cost, splits by share.

Candidates of one level compete; a level is what rules, merchant and request prefer or avoid. Within
the first level `choose` decides by cost and explores, unless a rule splits that level by volume.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from policies.choose import Outcome, choose
from policies.facts import MICRO, Candidate, PayoutFacts
from policies.plan.follow import PlanView
from policies.policy import Parameters
from policies.rules import AVOIDED

Key: TypeAlias = tuple[int, int, int, str, int]
"""Level, then weighted cost, then peak latency x (in flight + 1), then the names."""
Picked: TypeAlias = tuple[Outcome | Literal["none"], tuple[Candidate, ...], tuple[int, ...]]


class Ranked(Struct, frozen=True):
    """A candidate and its place."""

    key: Key
    candidate: Candidate


def pick(
    payout: PayoutFacts,
    healthy: Sequence[Ranked],
    probes: Sequence[Ranked],
    splits: Mapping[int, Mapping[str, int]],
    parameters: Parameters,
    draw_ppm: int,
    plan: PlanView | None = None,
) -> Picked:
    """The outcome, the order to try and each candidate's propensity; both come sorted by key.

    `splits` holds shares by rank; a split level leaves the month's plan aside.
    """
    waiting = [one.candidate for one in probes]
    if not healthy:
        return choose(payout, [], waiting, parameters, draw_ppm)
    level = healthy[0].key[0]
    every = [one.candidate for one in healthy]
    count = sum(one.key[0] == level for one in healthy)
    peers, rest = every[:count], every[count:]
    near = [one.candidate for one in probes if one.key[0] == level]
    shares = splits.get(level % AVOIDED)
    follow = plan if shares is None else None
    outcome, order, propensities = choose(payout, list(peers), near, parameters, draw_ppm, follow)
    if outcome == "probe":
        first, head, chances = order[0], order[: count + 1], propensities[: count + 1]
        waiting = [one for one in waiting if one is not first]
    elif shares is not None:
        outcome, head, chances = _split(peers, shares, draw_ppm)
    else:
        head, chances = order[:count], propensities[:count]
        costs = head[0].cost.total
        if outcome == "cheapest" and any(one.cost.total < costs for one in every):
            outcome = "preferred"
    return (
        outcome,
        (*head, *rest, *waiting),
        chances + (0,) * (len(rest) + len(waiting)),
    )


def _split(
    peers: list[Candidate], shares: Mapping[str, int], draw_ppm: int
) -> tuple[Outcome, tuple[Candidate, ...], tuple[int, ...]]:
    """Draw a channel by its share; who is out passes its share on in proportion to the rest.

    A channel's share goes to the cheapest of its instruments. There is no exploration on top: every
    member is tried anyway, with the propensities that are logged.
    """
    parts: list[int] = []
    seen: set[str] = set()
    for one in peers:
        parts.append(0 if one.channel in seen else shares[one.channel])
        seen.add(one.channel)
    whole = sum(parts)
    chances = [part * MICRO // whole for part in parts]
    chances[0] += MICRO - sum(chances)
    picked, below = 0, chances[0]
    while draw_ppm >= below:
        picked += 1
        below += chances[picked]
    order = [peers[picked], *peers[:picked], *peers[picked + 1 :]]
    told = [chances[picked], *chances[:picked], *chances[picked + 1 :]]
    return "split", tuple(order), tuple(told)
