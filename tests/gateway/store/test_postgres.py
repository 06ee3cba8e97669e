"""What only a server can do to us: go away before, during and after COMMIT, and have neighbours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import pytest

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.errors import UnfundedError
from gateway.domain.payout import Cancelled, PayoutId
from gateway.ports import CommitUnknownError, StoreBrokenError, StoreError
from gateway.store import SchemaError, SqlStore, Vault, open_store
from gateway.store.database import ClosedError
from gateway.store.postgres import PostgresDatabase
from gateway.store.postgres_group import GroupCommit
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock
from tests.contracts.store.feeding import fed
from tests.gateway.store.proxy import Proxy, between

Open = Callable[[str], Awaitable[SqlStore]]


@pytest.fixture
async def open_at() -> AsyncIterator[Open]:
    """Open stores that are closed when the test ends."""
    opened: list[SqlStore] = []

    async def opener(url: str) -> SqlStore:
        store = await open_store(url, Vault(KEK), SettableClock(), migrate=True)
        opened.append(store)
        return store

    yield opener
    for store in opened:
        await store.aclose()


@pytest.fixture
async def proxy(fresh_postgres_url: str, tmp_path: Path) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy in front of an empty database, and the URL that goes through it."""
    async with between(fresh_postgres_url, tmp_path) as made:
        yield made


async def _accept(store: SqlStore, floor: int | None = None) -> str:
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), floor)
    return subject.id


async def _stored(store: SqlStore) -> int:
    return sum((await store.counts()).values())


async def test_no_statement_is_compiled(fresh_postgres_url: str, open_at: Open) -> None:
    """Neither where it reads nor where it writes, whatever the server's own setting is."""
    database = (await open_at(fresh_postgres_url))._database
    assert isinstance(database, PostgresDatabase)

    writer = (await database._connected())._connection

    assert [await one.fetchval("SHOW jit") for one in (writer, database._pool)] == ["off", "off"]


@pytest.mark.parametrize(("deliver", "stored"), [(True, 2), (False, 1)])
async def test_a_connection_lost_during_commit_is_unknown(
    proxy: tuple[Proxy, str], open_at: Open, deliver: bool, stored: int
) -> None:
    """Whether or not the server got the COMMIT, nobody here can tell, and it says so."""
    line, url = proxy
    store = await open_at(url)
    await _accept(store)
    line.deliver, line.cut_at = deliver, b"COMMIT"

    with pytest.raises(CommitUnknownError):
        await _accept(store)

    assert await _stored(store) == stored


async def test_a_connection_lost_before_commit_wrote_nothing(
    proxy: tuple[Proxy, str], open_at: Open
) -> None:
    """Lost in the middle of statements: a plain StoreError, nothing stored, and it reconnects."""
    line, url = proxy
    store = await open_at(url)
    await _accept(store)
    line.deliver, line.cut_at = True, b"routing"

    with pytest.raises(StoreError) as caught:
        await _accept(store)

    assert not isinstance(caught.value, CommitUnknownError)
    assert await _stored(store) == 1
    await _accept(store)
    assert await _stored(store) == 2


async def test_all_waiting_in_a_lost_commit_learn_that_it_is_unknown(
    proxy: tuple[Proxy, str], open_at: Open
) -> None:
    """A group shares the fate of its commit."""
    line, url = proxy
    store = await open_at(url)
    await _accept(store)
    line.cut_at = b"COMMIT"

    outcomes = await asyncio.gather(*(_accept(store) for _ in range(6)), return_exceptions=True)

    lost = sum(isinstance(outcome, CommitUnknownError) for outcome in outcomes)
    assert lost >= 1
    assert await _stored(store) == 1 + len(outcomes) - lost


async def test_a_closing_that_is_cancelled_takes_no_outcome_from_anybody(
    fresh_postgres_url: str, open_at: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the server hears from it, and the store can be closed once more."""
    store = await open_at(fresh_postgres_url)
    await _accept(store)
    began, free = asyncio.Event(), asyncio.Event()
    end = GroupCommit._end

    async def ending(group: GroupCommit) -> None:
        began.set()
        await free.wait()
        await end(group)

    monkeypatch.setattr(GroupCommit, "_end", ending)
    asked = asyncio.create_task(_accept(store))
    await began.wait()
    closing = asyncio.create_task(store.aclose())
    await asyncio.sleep(0.02)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    free.set()
    assert await asked
    await store.aclose()
    with pytest.raises(ClosedError):
        await _accept(store)


async def test_nothing_is_cleared_up_after_a_read(proxy: tuple[Proxy, str], open_at: Open) -> None:
    """A read is one question and one answer."""
    line, url = proxy
    store = await open_at(url)
    line.cut_at = b"UNLISTEN"

    for _ in range(3):
        assert await _stored(store) == 0

    assert line.cut_at == b"UNLISTEN"


async def test_an_unreachable_server_fails_fast_and_is_tried_again(
    proxy: tuple[Proxy, str], open_at: Open
) -> None:
    """While it is away every write fails at once; when it is back, writes go through again."""
    line, url = proxy
    store = await open_at(url)
    await _accept(store)
    line.refuse, line.cut_at = True, b"BEGIN"

    with pytest.raises(StoreError):
        await _accept(store)
    with pytest.raises(StoreError, match="cannot be reached"):
        await _accept(store)
    assert await store.healthy() is False

    line.refuse = False
    async with asyncio.timeout(10):
        while not await store.healthy():  # noqa: ASYNC110 - the server's return rings no bell
            await asyncio.sleep(0.05)
    await _accept(store)


async def test_no_server_at_all_is_a_clear_error(tmp_path: Path, open_at: Open) -> None:
    """Opening a store on nothing says that nothing is there."""
    url = f"postgresql://postgres@/x?{urlencode({'host': str(tmp_path)})}"

    with pytest.raises(StoreError, match="cannot be reached"):
        await open_at(url)


async def test_a_newer_or_missing_schema_is_not_opened(
    fresh_postgres_url: str, open_at: Open
) -> None:
    """Empty without `migrate`, and newer than the program: both are refused."""
    with pytest.raises(SchemaError, match="run `hangdao migrate`"):
        await open_store(fresh_postgres_url, Vault(KEK), SettableClock(), migrate=False)
    await open_at(fresh_postgres_url)
    connection = await asyncpg.connect(fresh_postgres_url)
    await connection.execute("INSERT INTO schema_version VALUES (9999, 'from the future')")
    await connection.close()

    with pytest.raises(SchemaError, match="9999"):
        await open_at(fresh_postgres_url)


async def test_replicas_share_one_floor(fresh_postgres_url: str, open_at: Open) -> None:
    """Three processes accepting at once never undercut a balance together, and never deadlock."""
    stores = [await open_at(fresh_postgres_url) for _ in range(3)]
    posting = ledger.funded(build.MERCHANT, Currency.CNY, 10_030 * 10)
    await stores[0].post(posting, "", "deposit", "ops")

    outcomes = await asyncio.gather(
        *(_accept(stores[n % 3], 0) for n in range(45)), return_exceptions=True
    )

    assert sum(isinstance(outcome, str) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, UnfundedError) for outcome in outcomes) == 35
    assert await stores[0].audit() == []


async def test_replicas_accept_a_repeated_request_once(
    fresh_postgres_url: str, open_at: Open
) -> None:
    """The same request at three processes at once is one payout."""
    stores = [await open_at(fresh_postgres_url) for _ in range(3)]
    intake = build.intake(key="k" * 16)
    tries = [build.payout(merchant_ref="order-1") for _ in range(30)]

    answers = await asyncio.gather(
        *(
            stores[n % 3].accept(build.accepted_change(subject), intake, None)
            for n, subject in enumerate(tries)
        )
    )

    assert len({answer.id for answer in answers}) == 1
    assert await _stored(stores[0]) == 1


_TRIGGER = """
CREATE SEQUENCE tries;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') <= {times} THEN
        RAISE EXCEPTION 'as the test wants it' USING ERRCODE = '{state}';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER fails BEFORE INSERT ON payouts FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def _failing(url: str, state: str, times: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_TRIGGER.format(state=state, times=times))
    await connection.close()


@pytest.mark.parametrize("state", ["40P01", "40001"])
async def test_a_unit_in_another_writers_way_is_tried_again(
    fresh_postgres_url: str, open_at: Open, state: str
) -> None:
    """Deadlocks and serialization failures are not the caller's affair while they pass."""
    store = await open_at(fresh_postgres_url)
    await _failing(fresh_postgres_url, state, 3)

    await _accept(store)

    assert await _stored(store) == 1
    assert await store.audit() == []


async def test_a_unit_that_is_always_in_the_way_is_given_up(
    fresh_postgres_url: str, open_at: Open
) -> None:
    """After a few tries the caller gets a StoreError: nothing was written."""
    store = await open_at(fresh_postgres_url)
    await _failing(fresh_postgres_url, "40P01", 1_000)

    with pytest.raises(StoreError, match="DeadlockDetected"):
        await _accept(store)

    assert await _stored(store) == 0
    assert await store.healthy()


async def test_a_commit_the_server_refuses_is_definite(
    fresh_postgres_url: str, open_at: Open
) -> None:
    """When the answer to COMMIT is an error, nothing was stored, and it is known."""
    store = await open_at(fresh_postgres_url)
    connection = await asyncpg.connect(fresh_postgres_url)
    await connection.execute(
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON payouts DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION refuse('as the test wants it')"
    )

    with pytest.raises(StoreError, match="as the test wants it") as caught:
        await _accept(store)
    assert not isinstance(caught.value, CommitUnknownError)
    await connection.execute("DROP TRIGGER late ON payouts")
    await connection.close()

    await _accept(store)
    assert await _stored(store) == 1


@pytest.mark.parametrize("state", ["53100", "58030", "XX001"])
async def test_a_full_or_failing_disk_breaks_the_store_for_good(
    fresh_postgres_url: str, open_at: Open, state: str
) -> None:
    """Disk full, I/O error, corruption: no later write is taken."""
    store = await open_at(fresh_postgres_url)
    kept = await _accept(store)
    await _failing(fresh_postgres_url, state, 1)

    for _ in range(2):
        with pytest.raises(StoreBrokenError):
            await _accept(store)

    assert await store.healthy() is False
    assert await store.payout(PayoutId(kept)) is not None


async def test_a_feed_never_shows_what_an_older_transaction_may_precede(
    fresh_postgres_url: str, open_at: Open
) -> None:
    """While a transaction with a lower number is open, later events stay out of the feed."""
    store = await open_at(fresh_postgres_url)
    older = await asyncpg.connect(fresh_postgres_url)
    transaction = older.transaction()
    await transaction.start()
    await older.fetchval("SELECT pg_current_xact_id()")
    await _accept(store)

    assert await store.feed(None, 0, 10) == []
    await transaction.rollback()
    await older.close()

    assert len(await fed(store, None, 0, 10, least=1)) == 1


async def test_feed_positions_grow_after_a_restore_into_a_younger_cluster(
    fresh_postgres_url: str, open_at: Open
) -> None:
    """Positions given out under higher transaction ids stay below all later ones."""
    store = await open_at(fresh_postgres_url)
    await _accept(store)
    (event,) = await fed(store, None, 0, 1, least=1)
    await store.aclose()
    connection = await asyncpg.connect(fresh_postgres_url)
    await connection.execute("ALTER TABLE events DISABLE TRIGGER USER")
    await connection.execute("UPDATE events SET feed = feed + 5000000 * 65536::bigint")
    await connection.execute("ALTER TABLE events ENABLE TRIGGER USER")
    await connection.close()
    position = event.feed + 5_000_000 * 65_536

    store = await open_at(fresh_postgres_url)
    await _accept(store)

    events = await fed(store, None, 0, 10, least=2)
    assert events[0].feed == position
    assert events[1].feed > position


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE events SET kind = 'x'", "append-only"),
        ("DELETE FROM entries", "append-only"),
        ("UPDATE payout_retries SET original_id = 'x'", "append-only"),
        ("DELETE FROM payout_retries", "append-only"),
        ("DELETE FROM payouts", "never deleted"),
        ("UPDATE attempts SET certificate = '{}'", "never changed"),
    ],
)
async def test_history_cannot_be_rewritten(
    fresh_postgres_url: str, open_at: Open, sql: str, message: str
) -> None:
    """Not even by someone with plain SQL."""
    store = await open_at(fresh_postgres_url)
    posting = ledger.topped_up(build.CHANNEL, Currency.CNY, 100_000)
    await store.post(posting, "", "float", "ops")
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    armed = build.arm(subject)
    await store.record(armed)
    await store.record(build.kill(armed.after))
    retry = build.payout(merchant_ref="da_1:B")
    await store.accept(build.accepted_change(retry), build.intake(retry), None)
    await store.record(build.change(retry, Cancelled("Wang", f"retry_of: {subject.id}")))
    connection = await asyncpg.connect(fresh_postgres_url)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=message):
        await connection.execute(sql)
    await connection.close()
