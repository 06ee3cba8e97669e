"""The machines by name, and the domain's own machine, counted."""

from collections.abc import Mapping

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.proof.laws.intake import IdempotencyLaws
from tests.proof.laws.shared import Counted
from tests.proof.laws.store import StoreLaws
from tests.properties.test_life_of_a_payout import LifeOfAPayout


class Life(LifeOfAPayout):
    """Lifecycle and ledger: the domain's own machine, counted."""

    @invariant()
    def count(self) -> None:
        """One more."""
        Counted.steps += 1


MACHINES: Mapping[str, tuple[type[RuleBasedStateMachine], bool]] = {
    "lifecycle and ledger": (Life, False),
    "store": (StoreLaws, True),
    "idempotency": (IdempotencyLaws, True),
}
"""By name: the machine, and whether it needs a store."""
