"""The one database all replicas share: the store's own SQL, in memory, the commit in our hands.

`Server` is the far end: it commits groups of units as `gateway.store.sqlite` does and survives
every process. `Link` is one process's connection (`gateway.store.database.Database`): it takes
time, loses requests and acknowledgements, and turns away its process when a disk is full.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import apsw

from gateway.domain.errors import GatewayError
from gateway.ports import CommitUnknownError, Position, StoreBrokenError, StoreError
from gateway.store.database import (
    ClosedError,
    Group,
    Returned,
    Rows,
    Unit,
    counted,
    filled,
    guarded,
)
from gateway.store.errors import RefusedError
from gateway.store.queries import Params, Queries, Query
from gateway.store.schema import READ_VERSION, SCHEMA_TABLE, missing
from tests.proof.simulation.dice import Dice
from tests.proof.simulation.loop import Delay, Process, SeededLoop
from tests.proof.simulation.plan import Plan
from tests.proof.simulation.story import Story

Outcome = Returned | Exception
CALM_AT_ONCE = 0.75
"""Of the reads in calm days: they are answered without letting others go first."""
WATCH_S = 0.2
"""How often a gateway looks whether its store is broken, as `gateway.serving` does."""

QUERIES = Queries("sqlite")
_DUE = "SELECT due_at, id FROM payouts WHERE due_at IS NOT NULL ORDER BY due_at, id"
_OWED = (
    "SELECT due_at, payout_id, endpoint_id, MIN(seq) FROM deliveries WHERE state = 'due' "
    "GROUP BY payout_id, endpoint_id ORDER BY due_at"
)
"""The first of each lane, with its own moment: the others wait for it."""
_WATCHED = "SELECT MIN(due_at) FROM watches"


@cache
def _image() -> bytes:
    """An empty database at the newest schema."""
    made = apsw.Connection(":memory:")
    made.execute(SCHEMA_TABLE)
    for step in missing("sqlite", made.execute(READ_VERSION).get):
        made.execute(step.sql)
        made.execute("INSERT INTO schema_version VALUES (?, ?)", (step.version, step.name))
    return made.serialize("main")


@cache
def _connection() -> apsw.Connection:
    """One connection for all runs of this process: its prepared statements are kept.

    A run is one transaction that is never committed, so that the next one begins empty at once; a
    commit in the run is a savepoint in it, and so is the copy that a restore goes back to.
    """
    connection = apsw.Connection(":memory:", statementcachesize=512)
    # Without it SQLite plans a statement again whenever another value is bound to it.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.deserialize("main", _image())
    connection.execute("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
    return connection


class Server:
    """See the module."""

    def __init__(self) -> None:
        """Begin empty."""
        connection = _connection()
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        self._execute = connection.cursor().execute
        self._execute("BEGIN IMMEDIATE")
        self.queries = QUERIES
        self.on_commit: Callable[[], None] = lambda: None
        self.commits = 0
        """How many there have been."""
        self.era = 0
        """How often it was put back."""
        self._due: list[tuple[Any, ...]] | None = None
        self._watched: int | None = None
        self._owed: list[tuple[Any, ...]] | None = None

    def next_delivery(self, busy: Collection[tuple[str, str]]) -> int | None:
        """When the next webhook of a payout and endpoint not among `busy` falls due (µs)."""
        owed = self._owed
        if owed is None:
            owed = self._owed = self._execute(_OWED).fetchall()
        return next((row[0] for row in owed if row[1:3] not in busy), None)

    def copy(self) -> None:
        """Keep everything committed so far; there is one copy, the newest."""
        self._execute("SAVEPOINT copied")

    def put_back(self) -> None:
        """Replace everything by the copy; what is still on its way comes too late."""
        self._execute("ROLLBACK TO copied")
        self.era += 1
        self.commits += 1
        self._due = self._owed = None

    def position(self) -> Position:
        """How far it has come."""
        ((installation, feed, attempts),) = self.ask(self.queries["position"].text)
        return Position(installation, feed, attempts)

    def commit_of(self, era: int, units: Sequence[Unit]) -> None:
        """Commit what comes late, unless the database is another one by now."""
        if era == self.era:
            self.commit(units)

    def next_due(self, watches: bool, busy: Collection[str]) -> int | None:
        """When the next payout that is not among `busy`, or the next watch, falls due (µs)."""
        due = self._due
        if due is None:
            due = self._due = self._execute(_DUE).fetchall()
            self._watched = self._execute(_WATCHED).get
        if watches:
            return self._watched
        return next((due_at for due_at, payout_id in due if payout_id not in busy), None)

    def read(self, query: Query, params: Params) -> Rows:
        """Rows of what is committed."""
        try:
            return self._execute(query.text, params).fetchall()
        except apsw.Error as error:
            raise StoreError(f"{query.name}: {error}") from error

    def ask(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """For the judges: any question."""
        return self._execute(sql, params).fetchall()

    def commit(self, units: Sequence[Unit]) -> list[Outcome]:
        """One transaction for all of them; each gets its own outcome."""
        execute = self._execute
        execute("SAVEPOINT commit_")
        try:
            known = {}
            query = self.queries["guarded_balance"].text
            for account in sorted(guarded(units)):
                row = execute(query, dict(zip(("book", "owner", "currency"), account, strict=True)))
                known[account] = row.get or 0
            group = Group(known)
            outcomes = [self._apply(group, unit) for unit in units]
            for closing, params in group.closing(self.queries, 0):
                execute(closing.text, params)
        except BaseException:
            execute("ROLLBACK TO commit_")
            execute("RELEASE commit_")
            raise
        execute("RELEASE commit_")
        self.commits += 1
        self._due = self._owed = None
        self.on_commit()
        return outcomes

    def _apply(self, group: Group, unit: Unit) -> Outcome:
        execute = self._execute
        returned: Returned = []
        execute("SAVEPOINT unit")
        try:
            for step in unit.steps:
                (params,) = filled(step.query, [step], self._feed_base, count(1))
                if step.query.counted:
                    rows = execute(step.query.text, params).fetchall()
                    returned.append(counted(step, rows))
                else:
                    execute(step.query.text, params)
            group.check(unit)
        except Exception as error:  # noqa: BLE001 - it concerns this unit alone
            execute("ROLLBACK TO unit")
            execute("RELEASE unit")
            return _refused(error)
        execute("RELEASE unit")
        group.add(unit)
        return returned

    def _feed_base(self) -> int:
        return int(self._execute(self.queries["feed_base"].text).get)


def _refused(error: Exception) -> Exception:
    if isinstance(error, apsw.Error) and not isinstance(error, StoreError | GatewayError):
        return RefusedError(f"{type(error).__name__}: {error}")
    return error


class Link:
    """One process's connection to the server."""

    def __init__(
        self, server: Server, loop: SeededLoop, process: Process, plan: Plan, story: Story
    ) -> None:
        """Connect."""
        self.queries = server.queries
        self.slot = 0
        self.is_alone = False
        self.is_disturbed = True
        self._server = server
        self._loop = loop
        self._process = process
        self._plan = plan
        self._story = story
        self._dice = Dice(plan.seed, f"store/{process.name}")
        self._draw = self._dice.stream("delay")
        self._waiting: list[tuple[Unit, asyncio.Future[Returned]]] = []
        self._broken: str | None = None
        self._closed = False
        self.on_broken: Callable[[], None] = lambda: None
        """Called soon after the disk was full, whoever's write it was."""

    @property
    def broken(self) -> str | None:
        """Why no write is taken any more."""
        return self._broken

    async def write(self, unit: Unit) -> Returned:
        """Commit a unit with whatever else is waiting."""
        self._check()
        if self._broken is not None:
            raise StoreBrokenError(self._broken)
        future: asyncio.Future[Returned] = self._loop.create_future()
        self._waiting.append((unit, future))
        if len(self._waiting) == 1:
            self._loop.after(self._delay(), self._arrive)
        return await future

    async def read(self, query: Query, params: Params) -> Rows:
        """Read from some committed state between now and the answer."""
        self._check()
        if not self.is_disturbed and self._draw() < CALM_AT_ONCE:
            return self._server.read(query.given(params), params)
        delay, early = self._delay(), self._draw() < 0.5
        rows = self._server.read(query.given(params), params) if early else None
        await Delay(self._loop, delay)
        self._check()
        if self._strikes("read_refused"):
            raise StoreError("the connection is gone")
        return self._server.read(query.given(params), params) if rows is None else rows

    async def copy(self, file: Path) -> None:
        """Backups are not simulated."""
        raise StoreError(f"no copy to {file.name} in a simulation")

    async def aclose(self) -> None:
        """Close."""
        self._closed = True

    def cut(self) -> None:
        """From outside: nothing of this process reaches the database any more."""
        self._closed = True
        self._waiting.clear()

    def _check(self) -> None:
        if self._closed:
            raise ClosedError("the store is closed")

    def _delay(self) -> float:
        if self._strikes("store_slow"):
            return self._draw() * 10
        return 0.0003 + self._draw() * 0.003

    def _strikes(self, kind: str) -> bool:
        if not self.is_disturbed:
            return False
        rate = self._plan.faults.get(kind)
        if rate is None or self._draw() >= rate:
            return False
        self._story.fault(kind, self._process.name, 0)
        return True

    def _arrive(self) -> None:
        """A group reaches the server; it does, or does not, and we hear, or do not."""
        group, self._waiting = self._waiting, []
        if not group:
            return
        if self._strikes("write_refused"):
            self._answer(group, [StoreError("the connection is gone")] * len(group))
        elif self._strikes("commit_undone_unknown"):
            self._answer(group, _nobody_knows(group))
        elif self._strikes("commit_late_unknown"):
            self._answer(group, _nobody_knows(group))
            units = [unit for unit, _ in group]
            late_s, era = self._dice.next("late") * 30, self._server.era
            self._loop.after(late_s, self._server.commit_of, era, units)
        elif self._strikes("disk_full"):
            self._broken = "disk full"
            noticed_s = self._draw() * WATCH_S
            self._loop.call_later(noticed_s, self.on_broken, context=self._process.context.copy())
            self._answer(group, [StoreBrokenError(self._broken)] * len(group))
        else:
            outcomes = self._server.commit([unit for unit, _ in group])
            unknown = self._strikes("commit_done_unknown")
            self._answer(group, _nobody_knows(group) if unknown else outcomes)

    def _answer(
        self, group: list[tuple[Unit, asyncio.Future[Returned]]], outcomes: Sequence[Outcome]
    ) -> None:
        self._loop.call_later(
            self._delay(), _tell, group, outcomes, context=self._process.context.copy()
        )


def _nobody_knows(group: Sequence[object]) -> list[Outcome]:
    return [CommitUnknownError("the acknowledgement did not come") for _ in group]


def _tell(group: list[tuple[Unit, asyncio.Future[Returned]]], outcomes: Sequence[Outcome]) -> None:
    for (_, future), outcome in zip(group, outcomes, strict=True):
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
