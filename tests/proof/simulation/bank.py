"""The world bank: it alone knows what money moved, by payee, whatever anybody says.

Every payee belongs to one payout, so money that reaches a payee names its payout without help from
any reference. At no moment may one payout have been paid more than once, net of returns.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.books import Movement
from tests.proof.simulation.story import Story


@dataclass(slots=True)
class Bank:
    """What reached whom."""

    story: Story
    payout_of: dict[str, int] = field(default_factory=dict)
    """Payee → number of the payout it belongs to."""
    on_double: Callable[[int, str], None] = lambda _number, _what: None
    paid: dict[int, list[Movement]] = field(default_factory=lambda: defaultdict(list))
    returned: dict[int, list[Movement]] = field(default_factory=lambda: defaultdict(list))

    def moved(self, movement: Movement) -> None:
        """Take note of money that moved, and shout if it should not have."""
        if movement.kind not in {"payout", "return"}:
            return
        number = self.payout_of.get(movement.payee, 0)
        what = f"{movement.account} {movement.reference} {movement.amount_minor}"
        self.story.tell("BANK", number, f"{movement.kind} {what}")
        if number == 0:
            self.on_double(0, f"money for nobody we know: {what}")
            return
        side = self.paid if movement.kind == "payout" else self.returned
        side[number].append(movement)
        if self.net(number) > 1:
            self.on_double(number, f"paid {self.net(number)} times: {what}")

    def net(self, number: int) -> int:
        """How often a payout is paid now, net of returns."""
        return len(self.paid.get(number, ())) - len(self.returned.get(number, ()))
