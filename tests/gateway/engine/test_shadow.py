"""What a shadow's choice saves: one policy prices both, or nothing is claimed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.domain.policy_change import Act, ActKind, Plan, fold
from gateway.engine import shadow as subject
from gateway.engine.gateway import Trial
from gateway.engine.shadow import also_decide, saving_micro
from policies.decide import decide
from policies.facts import ChannelFacts, Cycle, Decision, PayoutFacts
from policies.policy import ChannelLists, Parameters, Policy
from tests.gateway.engine.rig import Rig
from tests.policies.builders import channel, payout

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def decision(policy: Policy, *channels: ChannelFacts) -> Decision:
    """On the same payout."""
    return decide(payout(), channels, policy, NOW, 0)


OURS = Policy("ours", "o" * 64, Parameters(explore_ppm=0))
DEAR, CHEAP = channel("dear"), channel("cheap")
