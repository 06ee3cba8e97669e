"""What is aimed at, whatever the institution: one input, one reading, one judgement."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from channels.transport import Reply
from tests.proof.hostile.mutate import Spoiler


@dataclass(frozen=True, slots=True)
class Input:
    """A spoilt message, and what only its maker knows."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    proven: tuple[bytes, ...] = ()
    """Byte strings that carry a right signature; empty when nobody signed."""
    real: bool = False
    """Signed with RSA, not with the stamp."""


class Aim(Protocol):
    """One parser of one adapter."""

    @property
    def name(self) -> str:
        """Institution and message."""

    @property
    def words(self) -> Sequence[str]:
        """Values worth trying anywhere."""

    def spoil(self, spoiler: Spoiler) -> Input:
        """Make an input."""

    def read(self, given: Input) -> object:
        """What the adapter makes of it; an exception that escapes is a finding."""

    def objection(self, given: Input, answer: object) -> str | None:
        """Why this answer must not have been given, if so."""


class Wire:
    """Stands for the transport: whatever is asked, this is the reply."""

    def __init__(self) -> None:
        """Empty until somebody puts a reply in."""
        self.reply = Reply(200, {}, b"")

    def put(self, given: Input) -> None:
        """Reply with this input."""
        self.reply = Reply(given.status, {}, given.body)

    async def post(self, *_: object, **__: object) -> Reply:
        """The reply."""
        return self.reply


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """Run something that awaits nothing."""
    try:
        work.send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("it waits for something")
