"""One group commit on SQLite's writing connection: written first, committed by a call of its own.

First as a batch, one statement for the rows of many units, as each statement takes the
interpreter's lock away and back. If anything disagrees (a conflict, a floor, a unit that counts
rows), the batch is rolled back and the units run one by one, each in its own savepoint.

Writing touches memory, and pages that were read before; it is the commit that waits for the disk.
"""

import contextlib
import itertools
from collections.abc import Sequence
from typing import cast

import apsw

from gateway.domain.errors import GatewayError
from gateway.ports import StoreError
from gateway.store.database import (
    AccountKey,
    Group,
    Returned,
    Rows,
    Step,
    TallyKey,
    Unit,
    bounded,
    by_query,
    counted,
    filled,
    guarded,
    is_solo,
)
from gateway.store.errors import RefusedError
from gateway.store.queries import Params, Queries, Query

FATAL = (
    apsw.FullError,
    apsw.IOError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.NoMemError,
    apsw.InternalError,
    apsw.MisuseError,
)
"""What ends a database for good."""

SHORT = 512
"""Rows that are written within some milliseconds."""
ROWS_MAX = 64
"""Rows that one statement takes at most."""

Outcomes = list[Returned | Exception]
"""Of each unit, in order."""


def is_short(units: Sequence[Unit]) -> bool:
    """Whether writing them takes a known, small number of rows."""
    steps = [step for unit in units for step in unit.steps]
    return len(steps) <= SHORT and all(step.query.takes_many for step in steps)


class GroupCommit:
    """Writes and commits groups, one after another; not for two threads at once."""

    def __init__(self, connection: apsw.Connection, queries: Queries, slot: int) -> None:
        """Nobody else writes on the connection."""
        self._connection = connection
        self._execute = connection.cursor().execute
        self._queries = queries
        self._slot = slot

    def write(self, units: Sequence[Unit]) -> Outcomes:
        """All but the commit, in any case."""
        return self.write_together(units) or self._one_by_one(units)

    def write_together(self, units: Sequence[Unit]) -> Outcomes | None:
        """All but the commit; None, with nothing written, when that is not plain success."""
        if any(map(is_solo, units)):
            return None
        group = self._begin(units)
        try:
            returned = self._together(group, units)
        except FATAL:
            raise
        except Exception:  # noqa: BLE001 - one unit's affair: it will be found one by one
            returned = None
        if returned is None:
            self._execute("ROLLBACK")
            return None
        self._close_books(group)
        return [
            [returned.get(id(step), ()) for step in unit.steps if step.query.counted]
            for unit in units
        ]

    def commit(self) -> None:
        """Return once what was written is on the disk."""
        self._execute("COMMIT")

    def take_back(self) -> None:
        """Undo what was written, if anything was; never raises."""
        with contextlib.suppress(apsw.Error):
            self._execute("ROLLBACK")

    def _together(self, group: Group, units: Sequence[Unit]) -> dict[int, Rows] | None:
        """Run the units' statements; None when a statement did not touch what it had to."""
        for unit in units:
            group.check(unit)
            group.add(unit)
        returned: dict[int, Rows] = {}
        for query, steps in by_query(units):
            if query.takes_many:
                touched = self._run(query, self._filled(query, steps))
                if query.counted and touched != len(steps):
                    return None
                continue
            for step in steps:
                rows = self._execute(query.text, step.params).fetchall()
                if query.counted:
                    if len(rows) != 1:
                        return None
                    returned[id(step)] = rows
        return returned

    def _filled(self, query: Query, steps: Sequence[Step]) -> Sequence[Params]:
        """Events come right behind the last one, so that the feed has no gap."""
        return filled(query, steps, self._feed_base, itertools.count(1))

    def _feed_base(self) -> int:
        """The position of the last event, those of this commit included."""
        return cast("int", self._execute(self._queries["feed_base"].text).get)

    def _run(self, query: Query, given: Sequence[Params]) -> int:
        """As few statements as take them all; how many rows they touched.

        Rows returned would each take the interpreter's lock away and back.
        """
        touched = done = 0
        while left := len(given) - done:
            # Few lengths, so that each text is prepared once.
            length = min(ROWS_MAX, 1 << left.bit_length() - 1)
            self._execute(*query.many(given[done : done + length]))
            touched += self._connection.changes()
            done += length
        return touched

    def _one_by_one(self, units: Sequence[Unit]) -> Outcomes:
        """Each unit in its own savepoint."""
        group = self._begin(units)
        outcomes = [self._apply(group, unit) for unit in units]
        self._close_books(group)
        return outcomes

    def _begin(self, units: Sequence[Unit]) -> Group:
        self._execute("BEGIN IMMEDIATE")
        return Group(self._balances(guarded(units)), self._tallies(bounded(units)))

    def _close_books(self, group: Group) -> None:
        """Write what the units add up to."""
        writes: dict[Query, list[Params]] = {}
        for query, params in group.closing(self._queries, self._slot):
            writes.setdefault(query, []).append(params)
        for query, given in writes.items():
            self._run(query, given)

    def _balances(self, accounts: set[AccountKey]) -> dict[AccountKey, int]:
        execute, query = self._execute, self._queries["guarded_balance"].text
        known = {}
        for account in accounts:
            row = execute(query, dict(zip(("book", "owner", "currency"), account, strict=True)))
            known[account] = row.get or 0
        return known

    def _tallies(self, tallies: set[TallyKey]) -> dict[TallyKey, int]:
        execute, query = self._execute, self._queries["guarded_tally"].text
        return {
            tally: execute(query, dict(zip(("kind", "owner", "bucket"), tally, strict=True))).get
            for tally in tallies
        }

    def _apply(self, group: Group, unit: Unit) -> Returned | Exception:
        """Run a unit in its own savepoint; only a broken database is raised."""
        execute = self._execute
        returned: Returned = []
        execute("SAVEPOINT unit")
        try:
            for step in unit.steps:
                query = step.query
                (params,) = self._filled(query, (step,))
                if query.counted:
                    returned.append(counted(step, execute(query.text, params).fetchall()))
                else:
                    execute(query.text, params)
            group.check(unit)
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this unit alone
            execute("ROLLBACK TO unit")
            execute("RELEASE unit")
            return _refused(error)
        execute("RELEASE unit")
        group.add(unit)
        return returned


def _refused(error: Exception) -> Exception:
    if isinstance(error, StoreError | GatewayError):
        return error
    if isinstance(error, apsw.Error):
        return RefusedError(f"{type(error).__name__}: {error}")
    return error
