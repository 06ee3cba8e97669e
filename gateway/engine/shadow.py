"""What the shadow policy would have decided on the same facts, time and draw; nobody acts on it.

It is kept with the real decision, so that it can be added up (`PolicyStore.shadow_cells`).
"""

from collections.abc import Sequence

from gateway.engine.gateway import Gateway, Trial
from policies.decide import decide
from policies.explain import Json
from policies.facts import Candidate, ChannelFacts, Decision, Excluded, PayoutFacts


def also_decide(
    gateway: Gateway,
    shadow: Trial,
    facts: PayoutFacts,
    channels: Sequence[ChannelFacts],
    decision: Decision,
) -> dict[str, Json]:
    """What to store beside the decision; nothing when the shadow fails, which costs no payout."""
    try:
        at, draw_ppm = decision.decided_at, decision.draw_ppm
        other = decide(facts, channels, shadow.policy, at, draw_ppm, gateway.almanac)
    except Exception as error:  # noqa: BLE001 - a draft's defect must not touch real payouts
        gateway.observer.defect("policy.shadow_defect", error, change_id=shadow.change.id)
        return {}
    theirs, ours = other.chosen, decision.chosen
    return {
        "shadow": {
            "change": shadow.change.id,
            "policy_hash": other.policy_hash,
            "number": len(facts.tried) + 1,
            "channel": None if theirs is None else theirs.channel,
            "instead_of": None if ours is None else ours.channel,
            "cost_micro": None if theirs is None else theirs.cost.total,
            "saving_micro": saving_micro(decision, other),
        }
    }


def saving_micro(decision: Decision, other: Decision) -> int | None:
    """What the other choice saves, both priced by one policy: by ours if it can, else by the other.

    None where neither prices both. Prices of two policies are never subtracted from each other: a
    policy that thinks capital dearer saves nothing by thinking so.
    """
    ours, theirs = decision.chosen, other.chosen
    if ours is None or theirs is None:
        return None
    for judge in (decision, other):
        mine, its = _price(judge, ours), _price(judge, theirs)
        if mine is not None and its is not None:
            return mine - its
    return None


def _price(judge: Decision, choice: Candidate) -> int | None:
    """What a choice costs by this decision's policy, also where it forbids it."""
    priced: tuple[Candidate | Excluded, ...] = (*judge.order, *judge.excluded)
    for one in priced:
        if (one.channel, one.instrument) == (choice.channel, choice.instrument):
            return None if one.cost is None else one.cost.total
    return None
