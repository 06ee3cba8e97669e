"""The policy as `decide` reads it: checked numbers and channel lists, no parsing, no pydantic.

`document` makes it from YAML; tests may make it directly. The fields' meaning and defaults are in
`policies/README.md`, which a test compares with this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from policies.rules import NO_RULES, RuleSet

EVERY_MERCHANT = "*"
"""The key of the lists that hold for merchants without an entry of their own."""


class Parameters(Struct, frozen=True):
    """The prices and bounds of routing; money in minor units of the payout's own currency."""

    capital_rate_ppm: int = 120_000
    """What tied-up money costs a year."""
    fail_penalty_minor: int = 200
    """What one failed attempt costs in delay and work."""
    unknown_penalty_minor: int = 3_000
    """What one payout in doubt costs: money locked, inquiries, perhaps a person."""
    lateness_ppm_per_day: int = 1_000
    """Price of each begun day after the deadline, as a share of the amount."""
    explore_ppm: int = 10_000
    """Share of first attempts spread evenly over eligible candidates, so that estimates live."""
    explore_cost_max_minor: int = 100
    """Exploration never takes a candidate dearer than the best by more than this."""
    probe_max_minor: int = 100_000
    """The largest payout risked on a quarantined channel, or at a bank that is down."""
    queue_max_s: int = 900
    """How long a payout waits for somebody to recover before it is sent to the best of the ill."""
    plan_cost_max_minor: int = 200
    """The month's plan never takes a candidate dearer than the best by more than this, and"""
    plan_cost_max_ppm: int = 500
    """by this share of the amount."""
    in_doubt_max: int = 200
    """At this many payouts in doubt no channel takes more, whatever its own cap says."""


class ChannelLists(Struct, frozen=True):
    """Which channels a merchant may, should and may only use."""

    deny: frozenset[str] = frozenset()
    prefer: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    """Empty means every channel."""


class MerchantTerms(Struct, frozen=True):
    """What rules may know of a merchant beside its id."""

    tier: str = ""
    tags: tuple[str, ...] = ()


_USUAL = Parameters()


@dataclass(frozen=True, slots=True)
class Policy:
    """One activated policy; `hash` identifies its content in every decision."""

    name: str
    hash: str
    parameters: Parameters = _USUAL
    lists: Mapping[str, ChannelLists] = field(default_factory=dict)
    terms: Mapping[str, MerchantTerms] = field(default_factory=dict)
    # Compiled code has no equality of its own; the hash stands for it.
    rules: RuleSet = field(default=NO_RULES, compare=False, repr=False)

    def lists_for(self, merchant_id: str) -> ChannelLists:
        """The merchant's resolved lists, else everybody's."""
        lists = self.lists
        found = lists.get(merchant_id)
        return found if found is not None else lists.get(EVERY_MERCHANT, _NO_LISTS)

    def terms_for(self, merchant_id: str) -> MerchantTerms:
        """The merchant's tier and tags, else everybody's."""
        terms = self.terms
        found = terms.get(merchant_id)
        return found if found is not None else terms.get(EVERY_MERCHANT, _NO_TERMS)


_NO_LISTS = ChannelLists()
_NO_TERMS = MerchantTerms()
