"""What the policy's rules say of a payout when it is taken in: review, fast lane, deadline.

Asked once, at acceptance, by the policy that holds then: a payout that a person has released is not
held again because the policy has changed.
"""

from datetime import datetime

from gateway.domain.payout import Payout
from gateway.engine.gateway import Gateway
from gateway.engine.route import channels_facts, payout_facts
from policies.decide import Screening, take_in

UNSCREENED = Screening()


def screen(gateway: Gateway, payout: Payout, now: datetime) -> Screening:
    """The policy's word on a payout that is not stored yet; nothing without such rules."""
    policy = gateway.policy_for(payout)
    if not policy.rules.screens:
        return UNSCREENED
    channels = channels_facts(gateway, payout, now) if policy.rules.uses_pool else []
    return take_in(payout_facts(gateway, payout), channels, policy, now, gateway.almanac)
