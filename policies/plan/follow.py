"""Keeping decisions to the plan: the channel that lags its share most goes first.

A `PlanView` is the plan as one day's decisions see it, with what has been given since it was made.
A candidate that has become much dearer than the best one (by what the plan knows a channel's
bounds to be worth) is passed over; what it misses stays its deficit.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeAlias

from msgspec import Struct, field

from policies.facts import MICRO, Candidate, PayoutFacts
from policies.plan.classes import PayoutClass, class_of
from policies.plan.model import Plan
from policies.plan.split import NO_MARGINAL, Marginal
from policies.policy import Parameters

Counts: TypeAlias = Mapping[PayoutClass, Mapping[str, int]]

_NO_COUNTS: Mapping[str, int] = {}


class PlanView(Struct, frozen=True):
    """What `decide` needs of a plan. `given` counts payouts by class and channel since it began."""

    plan_id: str
    shares: Mapping[PayoutClass, tuple[tuple[str, int], ...]]
    tiers: Mapping[str, int]
    marginals: Mapping[str, Marginal]
    given: Counts = field(default_factory=dict)
    carried: Counts = field(default_factory=dict)


def view_on(plan: Plan, day: date, given: Counts) -> PlanView:
    """The plan as it stands on a local day; `given` may go on counting while the view is used."""
    group = plan.group_on(day)
    return PlanView(
        plan.id,
        {share.kind: share.parts for share in plan.shares if share.group == group},
        {one.name: one.tier for one in plan.channels if one.tier is not None},
        {one.channel: one.marginal for one in plan.bonuses if one.group == group},
        given,
        plan.carried,
    )


def deficits(view: PlanView, kind: PayoutClass) -> dict[str, int]:
    """By channel, in millionths of a payout: what its share of the next payout's total lacks."""
    given = view.given.get(kind, _NO_COUNTS)
    carried = view.carried.get(kind, _NO_COUNTS)
    total = sum(given.values()) + 1
    return {
        channel: share * total - given.get(channel, 0) * MICRO + carried.get(channel, 0)
        for channel, share in view.shares.get(kind, ())
    }


def owed(view: PlanView) -> dict[PayoutClass, dict[str, int]]:
    """What each channel still lacks of its shares, at most one payout: the next plan's `carried`.

    Without it a class with few payouts between two plans would always go to its largest share.
    """
    found: dict[PayoutClass, dict[str, int]] = {}
    for kind, parts in view.shares.items():
        now = deficits(view, kind)
        lacks = {
            channel: max(-MICRO, min(MICRO, now[channel] - share))
            for channel, share in parts
            if share < MICRO
        }
        if any(lacks.values()):
            found[kind] = lacks
    return found


def planned(
    payout: PayoutFacts, ranked: Sequence[Candidate], view: PlanView, parameters: Parameters
) -> int | None:
    """The place in `ranked` of the candidate that the plan wants next; None when it wants none.

    Only candidates that the policy prefers as much as the best one are asked.
    """
    if not ranked:
        return None
    preferred = ranked[0].preferred
    count = sum(1 for one in ranked if one.preferred == preferred)
    totals = [(one.channel, one.cost.total) for one in ranked[:count]]
    return lagging(class_of(payout), payout.amount_minor, totals, view, parameters)


def lagging(
    kind: PayoutClass,
    amount_minor: int,
    totals: Sequence[tuple[str, int]],
    view: PlanView,
    parameters: Parameters,
) -> int | None:
    """The place of the channel that lags its share most, among (channel, expected cost in micro).

    Channels whose price is not within the plan's bound of the lowest are passed over.
    """
    lacks = deficits(view, kind)
    if not lacks:
        return None
    marginals = view.marginals
    prices = []
    for channel, total in totals:
        payout_micro, amount_ppm = marginals.get(channel, NO_MARGINAL)
        prices.append(total + payout_micro + amount_minor * amount_ppm)
    bound = (
        min(prices)
        + parameters.plan_cost_max_minor * MICRO
        + parameters.plan_cost_max_ppm * amount_minor
    )
    best: int | None = None
    most = 0
    for at, price in enumerate(prices):
        lack = lacks.get(totals[at][0])
        if lack is not None and price <= bound and (best is None or lack > most):
            best, most = at, lack
    return best
