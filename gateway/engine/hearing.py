"""What channels say, as far as it can be kept: nothing else reaches a decision or the store."""

from collections.abc import AsyncIterator
from typing import overload

from channels.contract import Absent, Outcome, StatementLine, Unknown
from channels.storable import storable, storable_line
from gateway.engine.gateway import Gateway


@overload
def heard(gateway: Gateway, channel: str, said: Outcome) -> Outcome: ...


@overload
def heard(gateway: Gateway, channel: str, said: Outcome | Absent) -> Outcome | Absent: ...


def heard(gateway: Gateway, channel: str, said: Outcome | Absent) -> Outcome | Absent:
    """The verdict; a verdict that cannot be kept is none, and people are told."""
    kept = storable(said)
    if isinstance(kept, Unknown) and not isinstance(said, Unknown):
        _tell(gateway, channel, kept.evidence.message or "")
    return kept


async def heard_lines(
    gateway: Gateway, channel: str, lines: AsyncIterator[StatementLine]
) -> list[StatementLine]:
    """A whole statement; numbers that cannot be kept are marked, so that they match nothing."""
    found, marked = [], 0
    async for line in lines:
        kept = storable_line(line)
        marked += kept.line_ref != line.line_ref
        marked += (kept.reference, kept.channel_ref) != (line.reference, line.channel_ref)
        found.append(kept)
    if marked:
        _tell(gateway, channel, f"{marked} numbers of a statement have control characters")
    return found


def _tell(gateway: Gateway, channel: str, problem: str) -> None:
    gateway.observer.alarm("channel.unstorable", channel=channel, problem=problem)
