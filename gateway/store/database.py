"""The tiny interface between the store and a database, and what a unit of work is.

A unit is data: statements in order, what each must touch, and how it moves balances and tallies.
Concurrent units are committed as one group; a unit that fails takes nothing of its neighbours with
it. Balances are checked against the group's running sums and written once per account and group.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from gateway.ports import StoreError
from gateway.store.queries import Params, Queries, Query


class Row(Protocol):
    """One row: columns by position."""

    def __getitem__(self, index: int, /) -> Any:
        """A column."""

    def __iter__(self) -> Iterator[Any]:
        """All columns."""


Rows = Sequence[Row]
AccountKey = tuple[str, str, str]
"""Book, owner, currency."""
TallyKey = tuple[str, str, int]
"""Kind, owner, bucket."""
Otherwise = Callable[[], Exception]

GROUP_MAX = 256
"""Units in one commit; bounds how long the first one waits for the last one's statements."""


class Step(Struct, frozen=True, eq=False):
    """One statement of a unit."""

    query: Query
    params: Params
    otherwise: Otherwise | None = None
    """What the unit fails with unless the statement returns exactly one row; None: any number."""


class Guard(Struct, frozen=True):
    """A floor that an account's balance must keep after the unit's moves."""

    account: AccountKey
    floor_minor: int
    otherwise: Otherwise


class Bound(Struct, frozen=True):
    """Between what a tally must lie just before the unit counts towards it."""

    tally: TallyKey
    low: int
    high: int | None
    """None: however high."""
    otherwise: Otherwise


class Unit(Struct, eq=False):
    """What commits together or not at all."""

    steps: list[Step] = field(default_factory=list)
    moves: dict[AccountKey, int] = field(default_factory=lambda: defaultdict(int))
    guards: list[Guard] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    tallies: dict[TallyKey, int] = field(default_factory=lambda: defaultdict(int))
    is_patient: bool = False
    """Nobody waits for it: it may wait a little for others, so as not to need its own commit."""

    def add(self, query: Query, params: Params, otherwise: Otherwise | None = None) -> None:
        """Append a statement."""
        self.steps.append(Step(query, params, otherwise))


Returned = list[Rows]
"""The rows of each counted statement of a unit, in order. One that changes what it was given may
show none: that it went through says all."""


class Group:
    """Running sums of one commit over all its units so far."""

    def __init__(
        self, known: Mapping[AccountKey, int], tallied: Mapping[TallyKey, int] | None = None
    ) -> None:
        """What is committed: balances of guarded accounts (a missing one is 0), bounded tallies."""
        self._known = known
        self._tallied = tallied or {}
        self._moves: dict[AccountKey, int] = defaultdict(int)
        self._tallies: dict[TallyKey, int] = defaultdict(int)

    def check(self, unit: Unit) -> None:
        """Raise a unit's refusal when one of its bounds does not hold, or a floor would not."""
        for bound in unit.bounds:
            total = self._tallied.get(bound.tally, 0) + self._tallies[bound.tally]
            if total < bound.low or (bound.high is not None and total > bound.high):
                raise bound.otherwise()
        for guard in unit.guards:
            account = guard.account
            balance = self._known.get(account, 0) + self._moves[account]
            if balance + unit.moves.get(account, 0) < guard.floor_minor:
                raise guard.otherwise()

    def add(self, unit: Unit) -> None:
        """Count a unit in whose statements went through."""
        for account, delta in unit.moves.items():
            self._moves[account] += delta
        for tally, delta in unit.tallies.items():
            self._tallies[tally] += delta

    def closing(self, queries: Queries, slot: int) -> list[tuple[Query, Params]]:
        """The writes that end the commit: each account and tally once, always in the same order."""
        to_balance, to_tally = queries["add_to_balance"], queries["add_to_tally"]
        writes: list[tuple[Query, Params]] = [
            (to_balance, {"book": book, "owner": owner, "currency": currency, "delta": delta})
            for (book, owner, currency), delta in sorted(self._moves.items())
            if delta
        ]
        writes.extend(
            (
                to_tally,
                {"kind": kind, "owner": owner, "bucket": bucket, "slot": slot, "delta": delta},
            )
            for (kind, owner, bucket), delta in sorted(self._tallies.items())
            if delta
        )
        return writes


def guarded(units: Iterable[Unit]) -> set[AccountKey]:
    """Every account whose balance must be known before the units are checked."""
    return {guard.account for unit in units for guard in unit.guards}


def bounded(units: Iterable[Unit]) -> set[TallyKey]:
    """Every tally that must be known before the units are checked."""
    return {bound.tally for unit in units for bound in unit.bounds}


def by_query(units: Iterable[Unit]) -> list[tuple[Query, list[Step]]]:
    """The steps of all units by statement, in the order in which one change runs its writes."""
    steps: dict[Query, list[Step]] = defaultdict(list)
    for unit in units:
        for step in unit.steps:
            steps[step.query].append(step)
    return sorted(steps.items(), key=lambda item: item[0].order)


def filled(
    query: Query, steps: Sequence[Step], base: Callable[[], int], numbers: Iterator[int]
) -> Sequence[Params]:
    """The steps' parameters with what only the writer knows: the places of events in the feed.

    `numbers` counts on through a commit from wherever `base` leads; neither is asked in vain.
    """
    if "n_in_tx" not in query.names:
        return [step.params for step in steps]
    leading = base()
    return [
        {**step.params, "feed_base": leading, "n_in_tx": number}
        for step, number in zip(steps, numbers, strict=False)
    ]


def is_solo(unit: Unit) -> bool:
    """Whether a unit wants to know which rows it touched, of however many: not to be merged."""
    return any(step.query.counted and step.otherwise is None for step in unit.steps)


def counted(step: Step, rows: Rows) -> Rows:
    """Pass the rows of a statement on, or raise what the unit said it means when there is none."""
    if step.otherwise is not None and len(rows) != 1:
        raise step.otherwise()
    return rows


class Database(Protocol):
    """Connects, batches and maps errors; knows no table."""

    @property
    def queries(self) -> Queries:
        """The statements of its dialect."""

    @property
    def is_alone(self) -> bool:
        """Whether nothing but this process can change what is stored."""

    @property
    def slot(self) -> int:
        """This writer's number in tallies and heartbeats."""

    async def write(self, unit: Unit) -> Returned:
        """Commit a unit; returns once the commit is acknowledged.

        A waiting caller may be cancelled; the commit is not. Raises what the unit's steps say,
        `StoreError`, `CommitUnknownError` or `StoreBrokenError`.
        """

    async def read(self, query: Query, params: Params) -> Rows:
        """Rows of a committed snapshot."""

    async def copy(self, file: Path) -> None:
        """Write a consistent copy to a new file; `StoreError` where that is not our affair."""

    @property
    def broken(self) -> str | None:
        """Why no write is taken any more; None while all is well."""

    async def aclose(self) -> None:
        """Finish what was begun and close; later calls raise `StoreError`."""


class ClosedError(StoreError):
    """The store was closed."""
