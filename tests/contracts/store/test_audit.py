"""The tamper-evident log on both databases: logging, proving, and whoever owns the box."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.domain.audit import CHAIN_START, Flaw, Origin, chained
from gateway.domain.checkpoint import Checkpoint, Signer, Verifier
from gateway.domain.merkle import extends, includes, leaf_hash, root_of
from gateway.domain.payout import Payout
from gateway.engine.verify import Report, verify
from gateway.ports import StaleError, StoreError
from gateway.store import SqlStore, Vault, open_reader
from tests import builders as build
from tests.contracts.store.conftest import KEK, Backend, Fund

SIGNER = Signer("hangdao", bytes(range(32)))
TRUSTED = Verifier("hangdao", (SIGNER.public_key,))
TABLES = (
    "events",
    "audit",
    "audit_leaves",
    "audit_subtrees",
    "audit_checkpoints",
    "payouts",
    "attempts",
)
TABLES_OF_THE_LOG = ("audit_leaves", "audit_subtrees", "audit_checkpoints")

Attack = Callable[..., Awaitable[None]]


@pytest.fixture
def attack(backend: Backend) -> Attack:
    """Run SQL as somebody who owns the box: past every trigger."""

    async def run(*statements: str) -> None:
        if backend.kind == "sqlite":
            with closing(sqlite3.connect(urlsplit(backend.url).path, timeout=10)) as database:
                for (name,) in database.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
                ).fetchall():
                    database.execute(f"DROP TRIGGER {name}")
                for statement in statements:
                    database.execute(statement)
                database.commit()
            return
        connection = await asyncpg.connect(backend.url)
        try:
            for table in TABLES:
                await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for statement in statements:
                await connection.execute(statement)
            for table in TABLES:
                await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        finally:
            await connection.close()

    return run


async def paid(store: SqlStore) -> Payout:
    """A payout of three events."""
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    armed = build.arm(subject)
    await store.record(armed)
    confirmed = build.confirm(armed.after)
    await store.record(confirmed)
    return confirmed.after


async def log_all(store: SqlStore, leaves: int) -> None:
    """Log until there are so many leaves; another database's transaction may hold rows back."""
    async with asyncio.timeout(20):
        while (await store.log_state()).size < leaves:
            await store.sequence(256)


async def signed(store: SqlStore, backend: Backend) -> str:
    """A checkpoint of the log as it is, stored and returned."""
    state = await store.log_state()
    at = backend.clock.advance(seconds=1)
    note = SIGNER.sign(Checkpoint("hangdao", state.size, state.root, state.chain, at))
    await store.keep_checkpoint(state.size, at, note)
    return note


@pytest.fixture
async def history(store: SqlStore, backend: Backend, fund: Fund) -> tuple[list[Payout], list[str]]:
    """Three paid payouts, a checkpoint after each: 10 leaves, the merchant's own among them."""
    await store.add_merchant(build.merchant(), "ops")
    await fund()
    payouts, notes = [], []
    for number in range(1, 4):
        payouts.append(await paid(store))
        await log_all(store, 1 + 3 * number)
        notes.append(await signed(store, backend))
    return payouts, notes


def flaws(report: Report) -> set[Flaw]:
    """Which kinds were found."""
    return {one.flaw for one in report.findings}


async def test_rows_become_leaves_in_order(store: SqlStore, fund: Fund) -> None:
    """Each committed row once, chained, under the root that the definition gives."""
    await store.add_merchant(build.merchant(), "ops")
    await fund()
    payout = await paid(store)
    await log_all(store, 4)

    lines = await store.log_lines(0, 100)

    assert await store.sequence(100) == 0
    assert [line.position for line in lines] == [0, 1, 2, 3]
    events = [line for line in lines if line.source is Origin.EVENT]
    assert [line.subject for line in events] == [
        f"{payout.merchant_id}/{payout.id}/{seq}" for seq in (1, 2, 3)
    ]
    chain = CHAIN_START
    for line in lines:
        assert line.deed is not None
        assert line.hash == leaf_hash(line.deed.text.encode())
        assert line.chain == (chain := chained(chain, line.hash))
    state = await store.log_state()
    assert (state.root, state.chain) == (root_of([line.hash for line in lines]), chain)


async def test_leaves_commit_to_the_state_before_and_after(store: SqlStore, fund: Fund) -> None:
    """Each event begins where the last one ended, and none names the payee."""
    await fund()
    payout = await paid(store)

    deeds = [one.deed for one in await store.deeds_of(payout)]

    assert deeds[0].before is None
    assert [one.before for one in deeds[1:]] == [one.after for one in deeds[:-1]]
    assert len({one.after for one in deeds}) == 3
    assert not [one for one in deeds if "张三" in one.text or "2088102169481075" in one.text]


async def test_two_events_of_one_commit_have_a_state_each(store: SqlStore, fund: Fund) -> None:
    """What stood between them is committed to as well."""
    await fund()
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    armed = build.arm(subject)
    await store.record(armed)
    change = build.change(armed.after, build.died(), build.failed())
    await store.record(change)

    deeds = [one.deed for one in await store.deeds_of(change.after)]

    assert len({one.after for one in deeds}) == 4
    assert [one.before for one in deeds[1:]] == [one.after for one in deeds[:-1]]
    assert (await verify(store, TRUSTED)).findings == []


async def test_a_log_of_many_is_proven_at_any_size(store: SqlStore, backend: Backend) -> None:
    """Beyond one stored level: inclusion and consistency hold, by what is stored alone."""
    for number in range(300):
        await store.set_channel_status("c", "paused", str(number), "ops")
        if number in (0, 255):
            await log_all(store, number + 1)
    await log_all(store, 300)
    hashes = [line.hash for line in await store.log_lines(0, 300)]
    other = await open_reader(backend.url, Vault(KEK), backend.clock)
    try:
        for size in (1, 255, 256, 257, 300):
            state = await other.log_state(size)
            assert state.root == root_of(hashes[:size])
            positions = sorted({0, size // 2, size - 1})
            for at, path in zip(
                positions, await other.prove_inclusion(positions, size), strict=True
            ):
                assert includes(hashes[at], at, size, path, state.root)
            path = await other.prove_consistency(size, 300)
            assert extends(size, 300, state.root, root_of(hashes), path)
        assert (await verify(other, TRUSTED)).findings == []
    finally:
        await other.aclose()


async def test_a_crash_before_logging_loses_nothing(backend: Backend) -> None:
    """What was committed and not logged is logged by whoever opens the database next."""
    first = await backend.open()
    await first.set_channel_status("c", "paused", "1", "ops")
    await log_all(first, 1)
    await first.set_channel_status("c", "active", "2", "ops")
    await first.aclose()

    second = await backend.open()
    await log_all(second, 2)

    assert (await verify(second, TRUSTED)).findings == []


async def test_an_untouched_log_has_nothing_to_find(
    store: SqlStore, history: tuple[list[Payout], list[str]]
) -> None:
    """Rows, chain, tree, payouts and checkpoints agree, those kept elsewhere included."""
    notes = {str(number): note for number, note in enumerate(history[1])}
    report = await verify(store, TRUSTED, notes)
    assert report.findings == []
    assert (report.leaves, report.payouts, report.checkpoints) == (10, 3, 6)


async def test_an_edited_event_is_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """With its position and payout."""
    payout = history[0][1]
    await attack(f"UPDATE events SET actor = 'x' WHERE payout_id = '{payout.id}' AND seq = 2")  # noqa: S608 - the test's own id

    report = await verify(store, TRUSTED)

    (finding,) = report.findings
    assert (finding.flaw, finding.subject) == (Flaw.EDITED, f"{payout.merchant_id}/{payout.id}/2")
    assert finding.position is not None
    assert (await store.log_lines(finding.position, 1))[0].subject == finding.subject


async def test_a_removed_event_is_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """With the position and payout it had."""
    payout = history[0][0]
    await attack(f"DELETE FROM events WHERE payout_id = '{payout.id}' AND seq = 3")  # noqa: S608 - the test's own id

    report = await verify(store, TRUSTED)

    removed = [one for one in report.findings if one.flaw is Flaw.REMOVED]
    assert [one.subject for one in removed] == [f"{payout.merchant_id}/{payout.id}/3"]
    assert flaws(report) == {Flaw.REMOVED, Flaw.STATE}


async def test_a_removed_directory_change_is_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """Who gave a merchant its terms cannot disappear."""
    assert history
    await attack("DELETE FROM audit WHERE action = 'merchant.added'")
    (finding,) = (await verify(store, TRUSTED)).findings
    assert (finding.flaw, finding.subject) == (Flaw.REMOVED, build.MERCHANT)


async def test_a_row_slipped_in_is_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """An invented row below the last logged one has no leaf."""
    payout = history[0][0]
    await attack(
        "INSERT INTO events (feed, merchant_id, payout_id, seq, kind, state, at, actor, detail) "  # noqa: S608 - the test's own id
        f"VALUES (-1, '{payout.merchant_id}', '{payout.id}', 4, 'settled', 'settled', 1, 'x', '')"
    )
    (finding,) = (await verify(store, TRUSTED)).findings
    assert (finding.flaw, finding.subject) == (Flaw.INSERTED, f"{payout.id}/4")


async def test_swapped_leaves_are_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """The order of rows, the chain and the checkpoints all say so."""
    assert history
    await attack(
        "UPDATE audit_leaves SET position = -1 WHERE position = 4",
        "UPDATE audit_leaves SET position = 4 WHERE position = 5",
        "UPDATE audit_leaves SET position = 5 WHERE position = -1",
    )
    report = await verify(store, TRUSTED)
    assert flaws(report) == {Flaw.REORDERED, Flaw.CHAIN, Flaw.REWRITTEN}
    assert min(one.position for one in report.findings if one.position is not None) == 4


async def test_a_leaf_cut_out_of_the_middle_is_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """The gap, and the row that lost its leaf."""
    assert history
    await attack("DELETE FROM audit_leaves WHERE position = 5")
    report = await verify(store, TRUSTED)
    assert flaws(report) == {Flaw.GAP, Flaw.INSERTED}


async def test_a_log_cut_off_is_found_by_a_checkpoint(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """The last payout is gone with everything about it; only a checkpoint remembers its leaves."""
    payouts, notes = history
    gone = payouts[2].id
    await attack(
        f"DELETE FROM events WHERE payout_id = '{gone}'",  # noqa: S608 - the test's own id
        f"DELETE FROM attempts WHERE payout_id = '{gone}'",  # noqa: S608 - as above
        f"DELETE FROM payouts WHERE id = '{gone}'",  # noqa: S608 - as above
        "DELETE FROM audit_leaves WHERE position > 6",
        "DELETE FROM audit_checkpoints WHERE size > 7",
    )
    assert (await verify(store, TRUSTED)).findings == []
    (finding,) = (await verify(store, TRUSTED, {"kept": notes[2]})).findings
    assert (finding.flaw, finding.position) == (Flaw.TRUNCATED, 7)


async def test_a_history_rewritten_as_a_whole_is_found_by_an_outside_checkpoint_only(
    store: SqlStore,
    backend: Backend,
    history: tuple[list[Payout], list[str]],
    attack: Attack,
) -> None:
    """Everything fits and is signed with the real key; what was kept elsewhere does not lie."""
    payouts, notes = history
    await attack(
        f"UPDATE events SET actor = 'x' WHERE payout_id = '{payouts[1].id}' AND seq = 2",  # noqa: S608 - the test's own id
        *(f"DELETE FROM {table}" for table in TABLES_OF_THE_LOG),  # noqa: S608 - our own tables
    )
    forger = await backend.open() if backend.kind == "postgres" else store
    await log_all(forger, 10)
    await signed(forger, backend)
    assert (await verify(store, TRUSTED)).findings == []

    report = await verify(store, TRUSTED, {"kept-1": notes[0], "kept-2": notes[1]})

    assert flaws(report) == {Flaw.REWRITTEN}
    assert any(payouts[1].id in (one.subject or "") for one in report.findings)


async def test_a_changed_payout_is_found_without_touching_its_events(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """Its amount as stored is not what its last event committed to."""
    payout = history[0][0]
    await attack(f"UPDATE payouts SET amount_minor = 1 WHERE id = '{payout.id}'")  # noqa: S608 - the test's own id
    (finding,) = (await verify(store, TRUSTED)).findings
    assert (finding.flaw, finding.subject) == (Flaw.STATE, payout.id)


async def test_a_payee_swapped_in_a_payout_is_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """A sealed value put in from elsewhere does not open; the others are still checked."""
    first, second = history[0][0].id, history[0][1].id
    await attack(
        "UPDATE payouts SET instruments = (SELECT p.instruments FROM payouts AS p "  # noqa: S608 - the test's own ids
        f"WHERE p.id = '{second}') WHERE id = '{first}'"
    )
    report = await verify(store, TRUSTED)
    assert [(one.flaw, one.subject) for one in report.findings] == [(Flaw.STATE, first)]
    assert report.payouts == 3


async def test_a_payout_that_is_gone_is_found(
    store: SqlStore, history: tuple[list[Payout], list[str]], attack: Attack
) -> None:
    """Its events remain and name it."""
    gone = history[0][0].id
    await attack(
        f"DELETE FROM attempts WHERE payout_id = '{gone}'",  # noqa: S608 - the test's own id
        f"DELETE FROM payouts WHERE id = '{gone}'",  # noqa: S608 - as above
    )
    (finding,) = (await verify(store, TRUSTED)).findings
    assert (finding.flaw, finding.subject) == (Flaw.STATE, gone)


async def test_a_forged_checkpoint_is_found(
    store: SqlStore, backend: Backend, history: tuple[list[Payout], list[str]]
) -> None:
    """One signed with another key counts for nothing and is named."""
    assert history
    state = await store.log_state()
    made = Checkpoint("hangdao", state.size, bytes(32), state.chain, backend.clock.now())
    forged = Signer("hangdao", bytes(32)).sign(made)
    (finding,) = (await verify(store, TRUSTED, {"forged.note": forged})).findings
    assert finding.flaw is Flaw.CHECKPOINT
    assert "forged.note" in finding.message


async def test_a_missing_subtree_is_found(store: SqlStore, attack: Attack) -> None:
    """What proofs are made of must be there; asking for one without it is an error, not a lie."""
    for number in range(260):
        await store.set_channel_status("c", "paused", str(number), "ops")
    await log_all(store, 260)
    await attack("DELETE FROM audit_subtrees")
    assert flaws(await verify(store, TRUSTED)) == {Flaw.TREE}
    with pytest.raises(StoreError, match="lacks"):
        await store.prove_inclusion([259], 260)


async def test_two_that_log_at_once_never_fork_the_log(backend: Backend) -> None:
    """Of two processes one is too late and says so; together they log every row once."""
    stores = [await backend.open()]
    stores.append(await backend.open() if backend.kind == "postgres" else stores[0])
    for number in range(120):
        await stores[number % 2].set_channel_status("c", "paused", str(number), "ops")

    async def work(store: SqlStore) -> int:
        logged = 0
        async with asyncio.timeout(30):
            while (await store.log_state()).size < 120:
                try:
                    logged += await store.sequence(7)
                except StaleError:
                    await asyncio.sleep(0)
        return logged

    assert sum(await asyncio.gather(*(work(store) for store in stores))) == 120
    assert (await verify(stores[0], TRUSTED)).findings == []


async def test_a_reader_beside_the_gateway_writes_nothing(
    store: SqlStore, backend: Backend, history: tuple[list[Payout], list[str]]
) -> None:
    """It sees the whole log while the gateway holds the database."""
    assert history
    reader = await open_reader(backend.url, Vault(KEK), backend.clock)
    try:
        assert (await verify(reader, TRUSTED)).leaves == (await store.log_state()).size
        if backend.kind == "sqlite":
            with pytest.raises(StoreError, match="read only"):
                await reader.keep_checkpoint(1, backend.clock.now(), "x")
    finally:
        await reader.aclose()
