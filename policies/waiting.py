"""What a payout waits for that may come at any time: that somebody recovers, or that money comes.

How long for somebody to recover, too, and when it goes to the best of the ill instead.

Never ejecting the last channel of a rail would send everything to a channel that fails; ejecting it
for good would stop payouts without proof. So they wait, with an end.
"""

from datetime import datetime, timedelta
from typing import Final

from policies.exclusions import Code, Exclusion
from policies.facts import Decision, Excluded, PayoutFacts
from policies.policy import Parameters

BEFORE_DEADLINE: Final = timedelta(minutes=2)
"""So long before its deadline a payout waits no more: enough for a send, a refusal and another."""

ILLNESS: Final = frozenset({Code.QUARANTINED, Code.BANK_DOWN})
"""Reasons that only time or a probe takes away, and that a payout may be sent in spite of."""


def goes_at(payout: PayoutFacts, parameters: Parameters, now: datetime) -> datetime:
    """When a payout that only illness keeps back is sent in spite of it."""
    since = payout.waiting_since
    # A clock that was set back must not make anybody wait for longer than the policy says.
    since = now if since is None or since > now else since
    at = since + timedelta(seconds=parameters.queue_max_s)
    if payout.deadline_at is not None:
        at = min(at, payout.deadline_at - BEFORE_DEADLINE)
    return at


def only_ill(one: Excluded) -> bool:
    """Whether nothing but illness is against a candidate."""
    return all(reason.code in ILLNESS for reason in one.reasons)


def waits(decision: Decision) -> bool:
    """Whether the payout would have been sent, were everybody well."""
    return decision.chosen is None and any(only_ill(one) for one in decision.excluded)


def short_of(decision: Decision) -> dict[str, tuple[int, int]]:
    """By channel, what its float held and what was needed, in minor units: of those that nothing
    else is against. Empty unless the payout would have been sent, were there more."""
    if decision.chosen is not None:
        return {}
    found: dict[str, tuple[int, int]] = {}
    for one in decision.excluded:
        match one.reasons:
            case (Exclusion(code=Code.FLOAT_SHORT, values=(int(held), int(needed))),):
                found[one.channel] = held, needed
    return found
