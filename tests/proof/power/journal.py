"""The outside journal: what was asked, what was committed, what was acknowledged, what was sent.

A history of whole states. `floor` is the newest state that somebody was told of: a machine that
comes back may show it or a later one that was on its way, and nothing else.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from gateway.store import SqlStore
from gateway.store.database import Unit
from tests.proof.power.facts import Effects, Facts

UPKEEP = {"beat", "insert_data_key"}
"""First statements of units that an operation writes beside what it is about."""


class WorkloadError(AssertionError):
    """The store answered otherwise than the journal had worked out, with the power on."""


@dataclass(slots=True, eq=False)
class Operation:
    """One call of the store, and what it must come to."""

    what: str
    run: Callable[[SqlStore], Awaitable[object]]
    effects: Effects = field(default_factory=Effects)
    refused: type[Exception] | None = None
    """What it must be refused with; then it leaves nothing."""
    answer: object = ...
    """What it must return, when that matters."""
    sends: tuple[str, str] | None = None
    """Channel and reference that go out on the wire once it is acknowledged."""


CURRENT: ContextVar[Operation | None] = ContextVar("operation", default=None)


@dataclass(slots=True)
class Journal:
    """States in the order of their commits."""

    history: list[Facts]
    floor: int = 0
    sent: list[tuple[str, str]] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    """How many operations each commit held."""
    stopped: bool = False
    """The machine is off: nothing asked for from here on can reach the drive."""
    _asked: dict[int, tuple[Unit, Operation]] = field(default_factory=dict)

    @property
    def now(self) -> Facts:
        """What a reader sees."""
        return self.history[-1]

    def asked(self, unit: Unit) -> None:
        """Remember whose unit it is, unless it is the store's own upkeep."""
        operation = CURRENT.get()
        if operation is not None and unit.steps[0].query.name not in UPKEEP:
            self._asked[id(unit)] = unit, operation

    def commits(self, units: list[Unit]) -> None:
        """From here on, the state with all of them may be found after a cut."""
        if self.stopped:
            return
        after = self.now
        for operation in self._of(units):
            if operation is not None and operation.refused is None:
                after = operation.effects.on(after)
        self.history.append(after)

    def committed(self, units: list[Unit]) -> None:
        """Count it. What it came to, its callers hear and compare."""
        self.groups.append(len(units))
        self._asked.clear()

    def acknowledge(self, sends: tuple[str, str] | None = None) -> None:
        """Somebody was told: all that is visible now must survive; only then bytes go out."""
        self.floor = len(self.history) - 1
        if sends is not None:
            self.sent.append(sends)

    def found(self, index: int, *, durable: bool) -> None:
        """A machine came back showing this state; after a power cut it is all there is."""
        self.stopped = False
        self._asked.clear()
        del self.history[index + 1 :]
        self.floor = index if durable else min(self.floor, index)

    def _of(self, units: list[Unit]) -> list[Operation | None]:
        return [self._asked[id(unit)][1] if id(unit) in self._asked else None for unit in units]
