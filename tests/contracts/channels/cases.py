"""The table of cases. Each is a function of an open `Scene`, registered by `@case`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pydantic import JsonValue

from tests.contracts.channels.rig import Expect, Rig
from tests.contracts.channels.scene import Scene

TAKEN: Final = Expect(object, why="as `Rig.takes`")
"""The usual answer to a plain submission: the rig's."""
UNSEEN: Final = Expect(object, why="as `Rig.unseen`")
"""The usual answer to a question about what is not there: the rig's."""

Run = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """One behaviour that every kind shows, or says why its protocol cannot."""

    id: str
    group: str
    """A kind can lack a whole group; `GROUPS` names those."""
    says: str
    run: Run
    actions: tuple[str, ...] = ()
    """Fault actions it needs the simulator to honour."""
    steps: Mapping[str, Expect] = field(default_factory=dict)
    """The usual answers; an entry may give others."""
    total_timeout_s: float = 5.0

    def lacked_by(self, rig: Rig) -> str | None:
        """Why a kind does not have this case; None when it has it."""
        for key in (self.id, *self.actions, self.group):
            if key in rig.lacks:
                return rig.lacks[key]
        return None

    def expected(self, rig: Rig) -> dict[str, Expect]:
        """The answers that a kind must give, step by step."""
        usual = {
            step: Expect(rig.takes) if one is TAKEN else rig.unseen if one is UNSEEN else one
            for step, one in self.steps.items()
        }
        return {step: rig.answers.get(f"{self.id}.{step}", one) for step, one in usual.items()}

    def differences(self, rig: Rig) -> list[str]:
        """In words, how a kind's answers differ from the usual ones."""
        given = (rig.answers.get(f"{self.id}.{step}") for step in self.steps)
        return [one.why for one in given if one is not None]


class Spoilt(NamedTuple):
    """One way for an answer to go wrong, from which a case is made."""

    id: str
    says: str
    action: str
    params: Mapping[str, JsonValue]
    answer: Expect
    """The usual one."""


CASES: dict[str, Case] = {}
"""Every case by its id, in the order of the matrix."""


def case(
    group: str,
    says: str,
    /,
    *actions: str,
    name: str | None = None,
    total_timeout_s: float = 5.0,
    **steps: Expect,
) -> Callable[[Run], Run]:
    """Register a case under its function's name. `steps` are the usual answers."""

    def register(run: Run) -> Run:
        known = name or str(getattr(run, "__name__", ""))
        if known in CASES:
            raise ValueError(f"two cases are called {known}")
        CASES[known] = Case(known, group, says, run, actions, steps, total_timeout_s)
        return run

    return register
