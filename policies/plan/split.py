"""How a solver divides a layout: payouts per offer, planned tiers, and what a bound is worth."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct, field

Method: TypeAlias = Literal["milp", "greedy"]


class Marginal(NamedTuple):
    """What a channel's bounds add to a payout's cost: per payout in micro, and per million of it.

    Positive where a cap is scarce, negative where a floor has still to be reached.
    """

    payout_micro: int = 0
    amount_ppm: int = 0

    def micro(self, amount_minor: int) -> int:
        """For one payout."""
        return self.payout_micro + amount_minor * self.amount_ppm


NO_MARGINAL = Marginal()


class Split(Struct, frozen=True):
    """A divided layout. `given` is by offer, in payouts; `tiers` and `marginals` by channel.

    `marginals` are by (group, channel). `unserved` has the lots for which no capacity was left.
    """

    method: Method
    given: tuple[float, ...]
    tiers: Mapping[int, int]
    marginals: Mapping[tuple[int, int], Marginal] = field(default_factory=dict)
    unserved: Mapping[int, float] = field(default_factory=dict)
