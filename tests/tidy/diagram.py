"""Draws the transition tables as Mermaid state diagrams, one arrow per pair of states."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from gateway.domain.lifecycle import ATTEMPT_EDGES, INITIAL_STATES, PAYOUT_EDGES
from gateway.domain.payout import AttemptState, Event, PayoutState


def payouts() -> str:
    """The diagram of a payout's states."""
    last = [state for state in PayoutState if state.is_final]
    return _draw(PayoutState, INITIAL_STATES, last, PAYOUT_EDGES)


def attempts() -> str:
    """The diagram of an attempt's states."""
    last = [AttemptState.DEAD, AttemptState.RETURNED]
    return _draw(AttemptState, [AttemptState.ARMED], last, ATTEMPT_EDGES)


def _draw(
    states: type[StrEnum],
    first: Iterable[StrEnum],
    last: Iterable[StrEnum],
    edges: Mapping[tuple[PayoutState, type[Event]], PayoutState]
    | Mapping[tuple[AttemptState, type[Event]], AttemptState],
) -> str:
    """Arrows in the order of the states, labelled with the kinds of events that take them."""
    labels: dict[tuple[str, str], list[str]] = {}
    for (before, event), after in edges.items():
        labels.setdefault((before.value, after.value), []).append(event.kind)
    order = [state.value for state in states]
    begin, end = set(first), set(last)
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {state}" for state in order if state in begin]
    pairs = sorted(labels, key=lambda pair: tuple(map(order.index, pair)))
    lines += [f"    {one} --> {other}: {', '.join(labels[one, other])}" for one, other in pairs]
    lines += [f"    {state} --> [*]" for state in order if state in end]
    return "\n".join(["```mermaid", *lines, "```"])
