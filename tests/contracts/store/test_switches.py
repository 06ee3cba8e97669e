"""The kill switch, planned maintenance and incidents of banks, the same on both databases."""

import asyncio
import sqlite3
from datetime import timedelta

import asyncpg
import pytest
from msgspec.structs import replace

from gateway.domain.incident import of_bank
from gateway.domain.payout import Payout
from gateway.ports import EVERY_CHANNEL, Kill, Maintenance, StaleError
from gateway.store import SqlStore, Vault, open_store
from tests import builders as build
from tests.builders import CHANNEL, NOW, after
from tests.contracts.store.conftest import KEK, Backend, Fund, SettableClock

KILL = Kill("ki_1", CHANNEL, "money went missing", NOW, "key:1")


async def routed(store: SqlStore, fund: Fund) -> Payout:
    """A stored payout that is about to be armed."""
    await fund()
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    return subject


@pytest.mark.parametrize("name", [CHANNEL, EVERY_CHANNEL])
async def test_nothing_is_armed_through_a_killed_channel(
    store: SqlStore, fund: Fund, name: str
) -> None:
    """From the moment the kill is committed, whoever decided what before."""
    subject = await routed(store, fund)
    assert await store.kill(replace(KILL, channel=name))
    with pytest.raises(StaleError, match="killed"):
        await store.record(build.arm(subject))
    found = await store.payout(subject.id)
    assert found is not None
    assert found.attempts == ()


async def test_nothing_is_sent_again_through_it_and_evidence_still_counts(
    store: SqlStore, fund: Fund
) -> None:
    """An attempt that was sent before can be found paid, and cannot be sent once more."""
    subject = await routed(store, fund)
    armed = build.arm(subject)
    await store.record(armed)
    doubted = build.change(armed.after, build.doubted())
    await store.record(doubted)
    assert await store.kill(KILL)
    with pytest.raises(StaleError):
        await store.record(build.change(doubted.after, build.resent()))
    await store.record(build.confirm(doubted.after))


async def test_other_channels_go_on(store: SqlStore, fund: Fund) -> None:
    """And this one once it is revived."""
    subject = await routed(store, fund)
    assert await store.kill(replace(KILL, id="ki_0", channel="another"))
    assert await store.kill(KILL)
    assert await store.revive(CHANNEL, after(60), "key:2", "wang", "found")
    await store.record(build.arm(subject))
    (left,) = await store.kills(open_only=True)
    assert left.channel == "another"


async def test_a_kill_is_told_once_and_ends_once(store: SqlStore) -> None:
    """Repeating either changes nothing; what ended is kept, with who ended it."""
    assert await store.kill(KILL)
    assert not await store.kill(replace(KILL, id="ki_2", reason="again"))
    assert await store.kills(open_only=True) == [KILL]
    assert await store.revive(CHANNEL, after(60), "key:2", "wang", "found")
    assert not await store.revive(CHANNEL, after(61), "key:2", "wang", "found")
    ended = replace(
        KILL, revived_at=after(60), revived_by="key:2", revived_person="wang", note="found"
    )
    assert await store.kills(open_only=False) == [ended]
    assert await store.has_kill("ki_1")
    assert not await store.has_kill("ki_2")
    actions = [(row.action, row.subject, row.actor) for row in await store.audit_trail(10)]
    assert actions == [("channel.killed", CHANNEL, "key:1"), ("channel.revived", CHANNEL, "key:2")]


async def test_a_kill_outlives_the_channels_own_switch(store: SqlStore) -> None:
    """Resuming does not revive."""
    assert await store.kill(KILL)
    await store.set_channel_status(CHANNEL, "active", "all well", "key:3")
    assert [one.channel for one in await store.kills(open_only=True)] == [CHANNEL]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM kills",
        "UPDATE kills SET revived_at = 1",
        "UPDATE kills SET channel = 'other'",
    ],
)
async def test_nobody_ends_a_kill_behind_our_back(
    store: SqlStore, backend: Backend, sql: str
) -> None:
    """The database itself asks for a person."""
    assert await store.kill(KILL)
    if backend.kind == "sqlite":
        connection = sqlite3.connect(backend.url.removeprefix("sqlite://"))
        with pytest.raises(sqlite3.IntegrityError, match="kill"):
            connection.execute(sql)
        connection.close()
    else:
        other = await asyncpg.connect(backend.url)
        with pytest.raises(asyncpg.PostgresError, match="kill"):
            await other.execute(sql)
        await other.close()


async def test_a_kill_waits_for_arms_that_are_under_way(
    fresh_postgres_url: str, clock: SettableClock
) -> None:
    """On PostgreSQL another process may have looked and not yet committed: the kill comes after,
    so that none can be committed once it is acknowledged."""
    store = await open_store(fresh_postgres_url, Vault(KEK), clock, migrate=True)
    other = await asyncpg.connect(fresh_postgres_url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("UPDATE payouts SET due_at = due_at")
    killing = asyncio.create_task(store.kill(KILL))
    done, _ = await asyncio.wait({killing}, timeout=0.3)
    assert not done
    await transaction.commit()
    assert await killing
    await other.close()
    await store.aclose()


# --- Planned maintenance -----------------------------------------------------------------------

PLANNED = Maintenance("ma_1", CHANNEL, after(60), after(3600), "their upgrade", NOW, "key:1")


async def test_planned_maintenance_is_there_until_it_is_over(store: SqlStore) -> None:
    """What is over or removed is not told any more."""
    await store.add_maintenance(PLANNED)
    later = replace(PLANNED, id="ma_2", from_at=after(30), until_at=after(7200))
    await store.add_maintenance(later)
    assert await store.maintenance(NOW) == [later, PLANNED]
    assert await store.maintenance(after(3600)) == [later]
    assert await store.remove_maintenance("ma_2", after(1), "key:2")
    assert not await store.remove_maintenance("ma_2", after(2), "key:2")
    assert await store.maintenance(NOW) == [PLANNED]
    actions = [row.action for row in await store.audit_trail(10)]
    assert actions == ["maintenance.added", "maintenance.added", "maintenance.removed"]


# --- Banks -------------------------------------------------------------------------------------


async def test_a_bank_has_one_open_incident(store: SqlStore) -> None:
    """A second process is told that there is one; another bank has its own; a new one may follow
    when it was released. It freezes nothing."""
    first = of_bank("CCB", ("a", "b"), NOW, "in_1")
    assert await store.open_bank_incident(first)
    assert not await store.open_bank_incident(replace(first, id="in_2"))
    assert await store.open_bank_incident(of_bank("ICBC", (), NOW, "in_3"))
    assert [one.id for one in await store.incidents(open_only=True)] == ["in_1", "in_3"]
    assert await store.incident("in_1") == first
    assert await store.frozen() == {}
    assert await store.release_incident("in_1", NOW + timedelta(hours=1), "gateway", "back")
    assert await store.open_bank_incident(replace(first, id="in_4"))
