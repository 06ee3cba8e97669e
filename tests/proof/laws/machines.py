"""The machines by name, and the domain's own machine, counted."""

from collections.abc import Mapping

from hypothesis.stateful import RuleBasedStateMachine, invariant

from gateway.domain.payout import Armed, Contradicted, Released, Unparked
from tests.proof.laws.claims import ClaimLaws
from tests.proof.laws.forgery import ForgeryLaws
from tests.proof.laws.guard import GuardLaws
from tests.proof.laws.intake import IdempotencyLaws
from tests.proof.laws.shared import Counted
from tests.proof.laws.silence import SilenceLaws
from tests.proof.laws.store import StoreLaws
from tests.properties.test_life_of_a_payout import LifeOfAPayout


class Life(LifeOfAPayout):
    """Lifecycle and ledger: the domain's own machine, counted."""

    @invariant()
    def count(self) -> None:
        """One more."""
        Counted.steps += 1

    @invariant()
    def a_contradiction_is_told_once(self) -> None:
        """I10: and booked once, however often the channel repeats it."""
        told = [(one.number, one.says) for one in self.events if isinstance(one, Contradicted)]
        assert len(told) == len(set(told)), told

    @invariant()
    def nothing_goes_on_over_a_contradiction(self) -> None:
        """I10: a person releases the payout before it is given to another channel, or fails."""
        doubted = False
        for event in self.events:
            if isinstance(event, Contradicted):
                doubted = True
            elif isinstance(event, Released | Unparked):
                doubted = False
            assert not (doubted and isinstance(event, Armed)), self.events


BOTH = ("sqlite", "postgres")

MACHINES: Mapping[str, tuple[type[RuleBasedStateMachine], tuple[str, ...]]] = {
    "lifecycle and ledger": (Life, ()),
    "silence": (SilenceLaws, ()),
    "store": (StoreLaws, BOTH),
    "idempotency": (IdempotencyLaws, BOTH),
    "incidents and log": (GuardLaws, BOTH),
    "forgery": (ForgeryLaws, BOTH),
    "claims": (ClaimLaws, ("postgres",)),
}
"""By name: the machine, and on which databases it runs; on none where it needs no store."""
