"""What a shadow's choice saves: one policy prices both, or nothing is claimed."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from gateway.domain.policy_change import Change, ChangeState, Plan
from gateway.engine import shadow as subject
from gateway.engine.following import Following
from gateway.engine.gateway import Gateway, Trial
from gateway.engine.shadow import also_decide, saving_micro
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.decide import decide
from policies.facts import ChannelFacts, Cycle, Decision
from policies.policy import ChannelLists, Policy
from tests.gateway.engine.rig import Witness
from tests.policies.builders import FRIDAY_NOON, channel, payout, policy

CHEAP, DEAR = channel("cheap", 100), channel("dear", 130)
SLOW = channel("slow", 10, cycle=Cycle(days=1, calendar="natural"))
NO_CHEAP = ChannelLists(deny=frozenset({"cheap"}))
MICRO = 1_000_000


def decided(by: Policy, *channels: ChannelFacts) -> Decision:
    """One payout of ¥500."""
    return decide(payout(), channels or (CHEAP, DEAR), by, FRIDAY_NOON, 0)


def test_the_same_choice_saves_nothing() -> None:
    """Whatever the other policy thinks of its price."""
    assert saving_micro(decided(policy()), decided(policy(fail_penalty_minor=9_000))) == 0


def test_a_dearer_choice_costs_the_difference() -> None:
    """Negative: 30 fen more, by the prices of the policy in use."""
    assert saving_micro(decided(policy()), decided(policy(NO_CHEAP))) == -30 * MICRO


def test_a_cheaper_choice_that_is_forbidden_now_saves_the_difference() -> None:
    """What the policy in use forbids has a price all the same."""
    assert saving_micro(decided(policy(NO_CHEAP)), decided(policy())) == 30 * MICRO


def test_an_opinion_saves_nothing_by_itself() -> None:
    """A shadow that calls capital free takes the slow channel; what that saves is said by ours."""
    ours = decided(policy(), SLOW, CHEAP)
    theirs = decided(policy(capital_rate_ppm=0), SLOW, CHEAP)
    costly = decided(policy(capital_rate_ppm=1_000_000), SLOW, CHEAP)
    assert ours.chosen is not None
    assert theirs.chosen is not None
    assert costly.chosen is not None
    assert (ours.chosen.channel, costly.chosen.channel) == ("slow", "cheap")
    slow, cheap = ours.order
    assert saving_micro(ours, costly) == slow.cost.total - cheap.cost.total


def test_without_a_price_nothing_is_claimed() -> None:
    """No channel for one of them, or none that has a price for this payout."""
    nothing = decided(policy(ChannelLists(deny=frozenset({"cheap", "dear"}))))
    assert saving_micro(decided(policy()), nothing) is None
    assert saving_micro(nothing, decided(policy())) is None
    ours = replace(decided(policy()), order=(), excluded=())
    theirs = decided(policy(NO_CHEAP))
    assert saving_micro(ours, theirs) is None


@dataclass
class Parts:
    """As much of a gateway as a shadow touches."""

    observer: Witness = field(default_factory=Witness)
    almanac: Almanac = PUBLISHED
    following: Following = field(default_factory=Following)


def trial(by: Policy) -> Trial:
    """A shadow."""
    change = Change(
        id="pc_1",
        policy_hash=by.hash,
        base_hash=None,
        plan=Plan(shadow=True),
        state=ChangeState.SHADOW,
        note="",
        proposed_by="key:w",
        proposed_person="Wang",
        proposed_at=FRIDAY_NOON - timedelta(days=1),
    )
    return Trial(change, by)


def test_it_is_kept_small_and_beside_the_decision() -> None:
    """Whose it is, which try, what instead of what, and the money."""
    parts = Parts()
    shadow = also_decide(
        cast("Gateway", parts), trial(policy(NO_CHEAP)), payout(), (CHEAP, DEAR), decided(policy())
    )
    kept = cast("dict[str, Any]", shadow["shadow"])
    cost = kept.pop("cost_micro")
    assert cost > 130 * MICRO
    assert kept == {
        "change": "pc_1",
        "policy_hash": "0" * 64,
        "number": 1,
        "channel": "dear",
        "instead_of": "cheap",
        "saving_micro": -30 * MICRO,
    }


def test_a_shadow_that_fails_costs_no_payout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told as a defect; the decision is stored without it."""

    def broken(*_: object) -> Decision:
        raise ZeroDivisionError

    monkeypatch.setattr(subject, "decide", broken)
    parts = Parts()
    shadow = trial(policy())
    found = also_decide(
        cast("Gateway", parts), shadow, payout(), (CHEAP,), decided(policy(), CHEAP)
    )
    assert found == {}
    assert [name for name, _ in parts.observer.defects] == ["policy.shadow_defect"]
