"""Breadth-first search over interned states, with parent pointers; then a pass for liveness.

A state is one integer: group, worker, worker. The two workers are alike, so their order does not
matter and is kept sorted; a story gives them their names back. The steps of a worker depend only
on the group and itself, so they are computed once per pair and the inner loop is lookups.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from tests.proof.model import real
from tests.proof.model.moves import START, Protocol
from tests.proof.model.rules import Rules
from tests.proof.model.world import (
    FAULT,
    IDLE,
    TAKEOVER,
    WROTE,
    Group,
    Move,
    Pay,
    Row,
    Step,
    Worker,
    World,
)

Say = Callable[[str], None]

BITS = 8
MASK = (1 << BITS) - 1
Arc = tuple[int, int, int]
"""Group, worker, flags: a compiled move."""


@dataclass(slots=True)
class Found:
    """What a search saw."""

    states: int
    transitions: int
    depth: int
    seconds: float
    complete: bool
    broken: str | None = None
    story: tuple[str, ...] = ()
    groups: int = 0
    closed: int = 0
    """Liveness: states from which the payout can end without a person."""
    parked: int = 0
    """Liveness: states from which it can only be handed to an owner."""
    stuck: int = 0


@dataclass(slots=True)
class Search:
    """All reachable states of one protocol."""

    rules: Rules
    world: World
    protocol: Protocol = field(init=False)
    _groups: list[Group] = field(default_factory=list)
    _group_ids: dict[Group, int] = field(default_factory=dict)
    _workers: list[Worker] = field(default_factory=list)
    _worker_ids: dict[Worker, int] = field(default_factory=dict)
    _broken: list[str | None] = field(default_factory=list)
    _worker_arcs: dict[int, list[Arc]] = field(default_factory=dict)
    _outer_arcs: dict[int, list[Arc]] = field(default_factory=dict)
    _parents: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The idle worker is number 0."""
        self.protocol = Protocol(self.rules, self.world)
        self._worker_id(IDLE)

    # --- Safety ---

    def run(self, say: Say | None = None, limit: int = 10_000_000, *, until: str = "") -> Found:
        """Search until everything is seen, a promise is broken, or `limit` states are reached.

        `until` names the start of the broken promise to search for; empty stops at any.
        """
        started = time.perf_counter()
        start = self._group_id(START) << 2 * BITS
        parents = self._parents
        parents[start] = start
        frontier, depth, transitions = [start], 0, 0
        while frontier:
            if say is not None:
                rate = len(parents) / max(time.perf_counter() - started, 1e-9)
                say(
                    f"  depth {depth:3d}  frontier {len(frontier):8,d}  states {len(parents):10,d}"
                    f"  {rate:10,.0f}/s"
                )
            following: list[int] = []
            for state in frontier:
                for key in self._following(state):
                    transitions += 1
                    if key in parents:
                        continue
                    parents[key] = state
                    broken = self._broken[key >> 2 * BITS]
                    if broken is not None and broken.startswith(until):
                        return self._found(started, transitions, depth + 1, key, broken)
                    following.append(key)
            if len(parents) > limit:
                return self._found(started, transitions, depth, None, None)
            frontier = following
            depth += bool(frontier)
        found = self._found(started, transitions, depth, None, None)
        found.complete = True
        return found

    def _found(
        self, started: float, transitions: int, depth: int, key: int | None, broken: str | None
    ) -> Found:
        return Found(
            states=len(self._parents),
            transitions=transitions,
            depth=depth,
            seconds=time.perf_counter() - started,
            complete=key is not None,
            broken=broken,
            story=() if key is None else (*self._story(key), broken or ""),
            groups=len(self._groups),
        )

    def _following(self, state: int, faults: int = FAULT) -> Iterator[int]:
        """Every next state; `faults` 0 leaves out what breaks, gets lost or comes twice."""
        group, one, two = state >> 2 * BITS, (state >> BITS) & MASK, state & MASK
        for mover, other in ((one, two), (two, one)) if one != two else ((one, two),):
            for after, worker, flags in self._arcs(group, mover):
                if flags & FAULT & ~faults:
                    continue
                rest = other
                if flags and other:
                    if flags & TAKEOVER and self._fences(other):
                        continue
                    if flags & WROTE and self._outdated(other):
                        rest = 0
                yield (
                    after << 2 * BITS | worker << BITS | rest
                    if worker <= rest
                    else after << 2 * BITS | rest << BITS | worker
                )
        low = state & ((1 << 2 * BITS) - 1)
        for after, _, flags in self._outer(group):
            if not flags & FAULT & ~faults:
                yield after << 2 * BITS | low

    def _fences(self, other: int) -> bool:
        """Whether the other worker's lock bars a takeover."""
        return self.rules.fenced_takeover and self._workers[other].step in {
            Step.HOLDS,
            Step.WAITS,
        }

    def _outdated(self, other: int) -> bool:
        """Whether a "not found" in the other worker's hand is void, as the payout moved on."""
        return self._workers[other].step is Step.UNSEEN and not self.rules.absence_kept_when_stale

    # --- Liveness ---

    def liveness(self) -> tuple[int, int, int]:
        """How many states can end, can only be parked, can do neither, with faults switched off.

        Ends are PAID, RETURNED, FAILED; parked is what `pace.must_park` gives an owner.
        """
        ends = {Pay.PAID, Pay.RETURNED, Pay.FAILED}
        final = [group.pay in ends for group in self._groups]
        good = self._reaching(lambda state: final[state >> 2 * BITS])
        parkable = [self._parkable(group) for group in self._groups]
        rest = [state for state in self._parents if state not in good]
        handed = sum(1 for state in rest if self._can_reach(state, parkable))
        return len(good), handed, len(rest) - handed

    def _reaching(self, ends: Callable[[int], bool]) -> set[int]:
        good: set[int] = set()
        for origin in self._parents:
            if origin in good:
                continue
            came: dict[int, int] = {origin: origin}
            stack = [origin]
            while stack:
                state = stack.pop()
                if state in good or ends(state):
                    while came[state] != state:
                        good.add(state)
                        state = came[state]
                    good.add(state)
                    break
                for key in self._following(state, 0):
                    if key not in came:
                        came[key] = state
                        stack.append(key)
        return good

    def _can_reach(self, origin: int, flags: list[bool]) -> bool:
        seen, stack = {origin}, [origin]
        while stack:
            state = stack.pop()
            if flags[state >> 2 * BITS]:
                return True
            for key in self._following(state, 0):
                if key not in seen:
                    seen.add(key)
                    stack.append(key)
        return False

    def _parkable(self, group: Group) -> bool:
        if group.pay is Pay.HELD:
            return True
        view = real.view_of(group, self.world.profiles)
        return group.pay is Pay.ATTEMPTING and any(
            entry.row is Row.IN_DOUBT and real.parkable(entry) for entry in view.entries
        )

    # --- Stories ---

    def _story(self, key: int) -> tuple[str, ...]:
        path = [key]
        while self._parents[path[-1]] != path[-1]:
            path.append(self._parents[path[-1]])
        path.reverse()
        names, told = ("Worker A", "Worker B"), []
        for number, (state, after) in enumerate(pairwise(path), 1):
            text, names = self._told(state, after, names)
            told.append(f"{number:2d}. {text}")
        return tuple(told)

    def _told(self, state: int, after: int, names: tuple[str, str]) -> tuple[str, tuple[str, str]]:
        group, one, two = state >> 2 * BITS, (state >> BITS) & MASK, state & MASK
        for place, (mover, other) in enumerate(((one, two), (two, one))):
            for move in self.protocol.moves(self._groups[group], self._workers[mover]):
                worker, rest = self._worker_id(move.worker), other
                if other and move.flags & TAKEOVER and self._fences(other):
                    continue
                if other and move.flags & WROTE and self._outdated(other):
                    rest = 0
                pair = min(worker, rest) << BITS | max(worker, rest)
                if self._group_id(move.group) << 2 * BITS | pair == after:
                    mine, others = names[place], names[1 - place]
                    ordered = (mine, others) if worker <= rest else (others, mine)
                    return move.text.replace("{w}", mine), ordered
        for move in self.protocol.environment(self._groups[group]):
            if self._group_id(move.group) << 2 * BITS | (one << BITS | two) == after:
                return move.text, names
        raise AssertionError("a parent does not lead to its child")

    # --- Interning ---

    def _group_id(self, group: Group) -> int:
        known = self._group_ids.get(group)
        if known is None:
            known = self._group_ids[group] = len(self._groups)
            self._groups.append(group)
            self._broken.append(self.protocol.broken(group))
        return known

    def _worker_id(self, worker: Worker) -> int:
        known = self._worker_ids.get(worker)
        if known is None:
            known = self._worker_ids[worker] = len(self._workers)
            if known > MASK:
                raise AssertionError("too many kinds of workers for one byte")
            self._workers.append(worker)
        return known

    def _arcs(self, group: int, worker: int) -> list[Arc]:
        key = group << BITS | worker
        known = self._worker_arcs.get(key)
        if known is None:
            moves = self.protocol.moves(self._groups[group], self._workers[worker])
            known = self._worker_arcs[key] = self._compiled(moves)
        return known

    def _outer(self, group: int) -> list[Arc]:
        known = self._outer_arcs.get(group)
        if known is None:
            moves = self.protocol.environment(self._groups[group])
            known = self._outer_arcs[group] = self._compiled(moves)
        return known

    def _compiled(self, moves: Iterator[Move]) -> list[Arc]:
        arcs = {
            (self._group_id(move.group), self._worker_id(move.worker), move.flags): None
            for move in moves
        }
        return list(arcs)
