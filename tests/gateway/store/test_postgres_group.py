"""A group of units in few round trips: what is stored is what they store one by one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.payout import Payout, PayoutState
from gateway.ports import Change, ChannelStatus, MonthMovedError, StaleError
from gateway.store import SqlStore, Vault, open_store
from gateway.store.database import Bound, Unit
from gateway.store.postgres import PostgresDatabase
from gateway.store.postgres_group import GroupCommit
from gateway.store.units import TakenError
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock, _emptied

_PLENTY = 10**12


async def _opened(url: str) -> SqlStore:
    """A store with a merchant who has money, an endpoint, and a channel with a float."""
    store = await open_store(url, Vault(KEK), SettableClock(), migrate=True)
    await store.add_merchant(build.merchant(), "ops")
    await store.put_endpoint(build.endpoint(kinds=("armed", "confirmed")), "ops")
    await store.post(ledger.funded(build.MERCHANT, Currency.CNY, _PLENTY), "", "deposit", "ops")
    await store.post(ledger.topped_up(build.CHANNEL, Currency.CNY, _PLENTY), "", "float", "ops")
    return store


def _database(store: SqlStore) -> PostgresDatabase:
    assert isinstance(store._database, PostgresDatabase)
    return store._database


async def _committer(store: SqlStore) -> GroupCommit:
    return await _database(store)._connected()


@pytest.fixture
async def store(fresh_postgres_url: str) -> AsyncIterator[SqlStore]:
    """A store on an empty database, with money in it."""
    made = await _opened(fresh_postgres_url)
    yield made
    await made.aclose()


# --- A batch against the same units one by one ---

_DUMPED = {
    "events": "merchant_id, payout_id, seq, kind, state, at, actor, detail, state_hash",
    "tallies": "kind, owner, bucket, SUM(total)",
    "decisions": "merchant_id, payout_id, at, decision",
}
_ONE_EACH = ("payouts", "payees", "attempts", "entries", "balances", "deliveries", "evidence")
_ALSO = ("watches", "incidents")


async def _dump(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows that units leave, without what differs between any two databases."""
    connection = await asyncpg.connect(url)
    found = {}
    for table in (*_DUMPED, *_ONE_EACH, *_ALSO):
        columns = _DUMPED.get(table, "*")
        group = "GROUP BY kind, owner, bucket" if table == "tallies" else ""
        rows = await connection.fetch(f"SELECT {columns} FROM {table} {group}")  # noqa: S608 - our own
        found[table] = sorted((tuple(row) for row in rows), key=repr)
    in_order = await connection.fetch("SELECT payout_id, seq FROM events ORDER BY feed")
    found["feed"] = [tuple(row) for row in in_order]
    await connection.close()
    return found


class _Life:
    """Payouts, and the units of whatever may happen next to one of them."""

    def __init__(self, store: SqlStore) -> None:
        self._units = store._units
        self._payouts: list[Payout] = []

    def unit(self, what: int, which: int) -> Unit:
        """One of those that are possible, as two numbers choose."""
        subject = self._payouts[which % len(self._payouts)] if self._payouts else None
        makers = [self._accept, self._accept_and_arm]
        if subject is not None:
            makers += [lambda: self._repeat(subject), *self._moves(subject)]
        return makers[what % len(makers)]()

    def _accept(self) -> Unit:
        payout = build.payout(release_at=None, metadata={"k": "\\x00 ' \" 元"})
        self._payouts.append(payout)
        return self._units.accepted(build.accepted_change(payout), build.intake(payout), 0)

    def _accept_and_arm(self) -> Unit:
        unit = self._accept()
        self._units.move(unit, self._moved(build.arm(self._payouts[-1])), 0)
        return unit

    def _repeat(self, payout: Payout) -> Unit:
        again = build.payout(merchant_ref=payout.merchant_ref)
        return self._units.accepted(build.accepted_change(again), build.intake(payout), 0)

    def _moves(self, payout: Payout) -> Iterator[Callable[[], Unit]]:
        stale = build.change(payout, build.held()) if payout.version == 1 else None
        if payout.state is PayoutState.ROUTING:
            yield lambda: self._recorded(build.arm(payout))
        if payout.live is not None and payout.state is PayoutState.ATTEMPTING:
            number = payout.live.number
            said = build.evidence()
            confirmed = build.confirmed(number)
            yield lambda: self._recorded(build.change(payout, confirmed, evidence=said))
            died = (build.died(number), build.armed(build.attempt(number + 1)))
            yield lambda: self._recorded(build.change(payout, *died, decision=b"{}"))
            yield lambda: self._recorded(build.kill(payout))
        if stale is not None:
            yield lambda: self._units.moved(stale, 0)

    def _recorded(self, change: Change) -> Unit:
        return self._units.moved(self._moved(change), 0)

    def _moved(self, change: Change) -> Change:
        places = [each.id for each in self._payouts]
        self._payouts[places.index(change.after.id)] = change.after
        return change


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """A loop for all examples of a law."""
    with asyncio.Runner() as made:
        yield made


def test_a_batch_leaves_what_its_units_leave_one_by_one(
    runner: asyncio.Runner, fresh_postgres_url: str, postgres_url: str
) -> None:
    """The same rows, the same order of events, the same outcomes, whatever a group holds."""

    async def two() -> tuple[SqlStore, SqlStore]:
        other = await open_store(postgres_url, Vault(KEK), SettableClock(), migrate=True)
        await other.aclose()
        await _emptied(postgres_url)
        return await _opened(fresh_postgres_url), await _opened(postgres_url)

    batched, single = runner.run(two())
    life = _Life(batched)
    whole: list[bool] = []

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), min_size=1, max_size=9))
    def law(choices: list[tuple[int, int]]) -> None:
        units = [life.unit(what, which) for what, which in choices]

        async def both() -> None:
            committer = await _committer(batched)
            expected = await (await _committer(single))._one_by_one(units)
            outcomes = await committer.commit(units)
            assert list(map(type, outcomes)) == list(map(type, expected))
            whole.append(not any(isinstance(each, Exception) for each in outcomes))
            assert await _dump(fresh_postgres_url) == await _dump(postgres_url)

        runner.run(both())

    try:
        law()
        assert any(whole)
        assert runner.run(batched.audit()) == []
    finally:
        runner.run(batched.aclose())
        runner.run(single.aclose())


# --- What a group costs, and what disagrees in it ---


def _accepting(store: SqlStore, payout: Payout | None = None, key: str | None = None) -> Unit:
    payout = payout or build.payout()
    intake = build.intake(payout, key=key)
    return store._units.accepted(build.accepted_change(payout), intake, 0)


def _bound(store: SqlStore, merchant: int, high: int) -> Unit:
    """One that counts towards a merchant's month, if that is at `high` at most."""
    unit, tally = _accepting(store), ("asked", f"m_{merchant}", 24_000)
    unit.tallies[tally] += 7
    unit.bounds.append(Bound(tally, 0, high, MonthMovedError))
    return unit


async def _asked(store: SqlStore, units: list[Unit]) -> Counter[str]:
    """The first word of everything the group sends to the server, once statements are prepared."""
    committer = await _committer(store)
    sent: Counter[str] = Counter()

    def note(record: asyncpg.connection.LoggedQuery) -> None:
        sent[record.query.split()[0]] += 1

    committer._connection.add_query_logger(note)
    outcomes = await committer.commit(units)
    # Loggers are called in the loop's next turn.
    await asyncio.sleep(0)
    assert not [each for each in outcomes if isinstance(each, Exception)]
    committer._connection.remove_query_logger(note)
    return sent


async def test_acceptances_take_four_round_trips_however_many_they_are(store: SqlStore) -> None:
    """Begin, look at the balances, insert into every table, commit."""
    await (await _committer(store)).commit([_accepting(store)])

    asked = await _asked(store, [_accepting(store) for _ in range(13)])

    assert asked == {"BEGIN": 1, "SELECT": 1, "WITH": 1, "COMMIT": 1}


async def test_a_mixed_group_takes_seven_round_trips(store: SqlStore) -> None:
    """What is new, two kinds of change of what is stored, and all that is told of both."""
    units = store._units

    async def group() -> list[Unit]:
        paid, dead = [build.arm(build.payout()) for _ in range(2)]
        for sent in (paid, dead):
            stored = _accepting(store, sent.before)
            units.move(stored, sent, 0)
            await (await _committer(store)).commit([stored])
        fresh = build.payout()
        accepted = _accepting(store, fresh)
        units.move(accepted, build.arm(fresh), 0)
        moved = build.change(paid.after, build.confirmed(), evidence=build.evidence())
        return [accepted, units.moved(moved, 0), units.moved(build.kill(dead.after), 0)]

    await (await _committer(store)).commit(await group())

    assert (await _asked(store, await group())).total() == 7


async def test_months_of_many_merchants_take_two_round_trips(store: SqlStore) -> None:
    """However many merchants' months the fees of a group were computed for."""
    await (await _committer(store)).commit([_bound(store, 0, 0)])

    asked = await _asked(store, [_bound(store, number, 0) for number in range(1, 6)])

    assert asked == {"BEGIN": 1, "SELECT": 3, "WITH": 1, "COMMIT": 1}


async def test_each_month_is_held_to_its_own_bound(store: SqlStore) -> None:
    """One that has moved on refuses its own unit, and no other."""
    committer = await _committer(store)
    await committer.commit([_bound(store, 1, 0)])

    outcomes = await committer.commit([_bound(store, number, 0) for number in range(3)])

    assert [isinstance(each, MonthMovedError) for each in outcomes] == [False, True, False]


async def test_a_repetition_within_a_group_takes_nothing_of_its_neighbours(
    store: SqlStore,
) -> None:
    """The second acceptance with a key is refused alone."""
    first, again, other = (build.payout() for _ in range(3))
    key = "k" * 16
    group = [
        _accepting(store, first, key),
        _accepting(store, again, key),
        _accepting(store, other),
    ]

    outcomes = await (await _committer(store)).commit(group)

    assert [isinstance(each, TakenError) for each in outcomes] == [False, True, False]
    assert await store.payout(again.id) is None
    assert await store.payout(other.id) == other
    assert await store.audit() == []


async def test_a_stale_move_within_a_group_takes_its_inserts_back(store: SqlStore) -> None:
    """Nothing of it is left, though its neighbours' rows went with the same statements."""
    payout, other = build.payout(), build.payout()
    await (await _committer(store)).commit([_accepting(store, payout)])
    armed = build.arm(payout)
    units = [store._units.moved(armed, 0), _accepting(store, other)]
    units.append(store._units.moved(build.arm(payout), 0))

    outcomes = await (await _committer(store)).commit(units)

    assert [isinstance(each, StaleError) for each in outcomes] == [False, False, True]
    assert await store.payout(payout.id) == armed.after
    assert len(await store.timeline(payout.id)) == 2
    assert await store.audit() == []


async def test_a_row_that_a_group_puts_twice_is_what_was_put_last(store: SqlStore) -> None:
    """One statement cannot change a row twice; one unit after the other can."""
    statuses: tuple[ChannelStatus, ...] = ("paused", "draining")

    await asyncio.gather(
        *(store.set_channel_status(build.CHANNEL, each, "said", "ops") for each in statuses)
    )

    assert await store.channel_statuses() == {build.CHANNEL: ("draining", "said")}


async def test_a_value_that_fits_no_column_is_its_own_units_affair(store: SqlStore) -> None:
    """Text with a NUL is refused by JSON and by PostgreSQL alike, and the rest is stored."""
    bad, good = build.payout(purpose="a\0b"), build.payout()

    outcomes = await (await _committer(store)).commit(
        [_accepting(store, bad), _accepting(store, good)]
    )

    assert [isinstance(each, Exception) for each in outcomes] == [True, False]
    assert await store.payout(bad.id) is None
    assert await store.payout(good.id) == good


async def test_replicas_that_open_the_same_accounts_never_deadlock(
    store: SqlStore, fresh_postgres_url: str
) -> None:
    """Balances that are not there yet cannot be locked first: they are inserted in one order."""
    other = await open_store(fresh_postgres_url, Vault(KEK), SettableClock(), migrate=True)
    merchants = [f"m_{number}" for number in range(12)]

    async def accept_all(replica: SqlStore, order: list[str]) -> None:
        payouts = [build.payout(merchant_id=each) for each in order]
        units = [
            store._units.accepted(build.accepted_change(each), build.intake(each), None)
            for each in payouts
        ]
        outcomes = await (await _committer(replica)).commit(units)
        assert not [each for each in outcomes if isinstance(each, Exception)]

    await asyncio.gather(accept_all(store, merchants), accept_all(other, merchants[::-1]))

    assert await store.audit() == []
    await other.aclose()
