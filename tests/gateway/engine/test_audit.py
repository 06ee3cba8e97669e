"""The auditor: when it signs, where notes go, and when it refuses to."""

from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.audit.export import LastSigned, ToFolder, notes_in
from gateway.domain.checkpoint import Checkpoint, Signer, Verifier
from gateway.engine.audit import Auditor
from gateway.store import SqlStore, Vault, open_store
from tests.contracts.store.conftest import KEK, SettableClock
from tests.gateway.engine.rig import Witness

SIGNER = Signer("hangdao", bytes(range(32)))
TRUSTED = Verifier("hangdao", (SIGNER.public_key,))


class Unreachable:
    """A place that takes nothing."""

    async def export(self, checkpoint: Checkpoint, note: str) -> None:
        """Fails."""
        raise ConnectionError(f"{checkpoint.size} {len(note)}")


@pytest.fixture
def clock() -> SettableClock:
    """At `NOW`."""
    return SettableClock()


@pytest.fixture
async def store(tmp_path: Path, clock: SettableClock) -> AsyncIterator[SqlStore]:
    """An empty database."""
    opened = await open_store(f"sqlite://{tmp_path}/x.db", Vault(KEK), clock, migrate=True)
    yield opened
    await opened.aclose()


@pytest.fixture
def alarms() -> Witness:
    """What a person would see."""
    return Witness()


@pytest.fixture
def auditor(store: SqlStore, clock: SettableClock, alarms: Witness, tmp_path: Path) -> Auditor:
    """With a folder to export to, beside one place that is down."""
    exports = (Unreachable(), ToFolder(tmp_path / "outside"))
    return Auditor(store, clock, alarms, SIGNER, LastSigned(tmp_path), exports)


async def happen(store: SqlStore, auditor: Auditor, count: int = 1) -> None:
    """Something to log, and logged."""
    for number in range(count):
        await store.set_channel_status("c", "paused", str(number), "ops")
    assert await auditor.catch_up() == count


async def test_a_checkpoint_is_signed_kept_and_exported(
    store: SqlStore, auditor: Auditor, alarms: Witness, tmp_path: Path
) -> None:
    """One place that is down is told about and keeps no other from getting it."""
    await happen(store, auditor, 300)
    note = await auditor.checkpoint()
    assert note is not None
    opened, state = TRUSTED.opened(note), await store.log_state()
    assert (opened.size, opened.root, opened.chain) == (300, state.root, state.chain)
    assert [one.note for one in await store.checkpoints(10)] == [note]
    assert list(notes_in(tmp_path / "outside").values()) == [note]
    assert alarms.alarms == [("audit.export_failed", {"cause": "ConnectionError"})]


@pytest.mark.parametrize(
    ("later", "grown", "signed"),
    [
        (30, True, False),
        (60, True, True),
        (60, False, False),
        (3600, False, True),
        (-60, True, True),
    ],
)
async def test_one_a_minute_or_an_hour_when_nothing_happens(
    store: SqlStore,
    auditor: Auditor,
    clock: SettableClock,
    later: int,
    grown: bool,
    signed: bool,
) -> None:
    """A clock that was set back keeps nobody from signing."""
    await happen(store, auditor)
    assert await auditor.checkpoint()
    clock.at += timedelta(seconds=later)
    if grown:
        await happen(store, auditor)
    assert (await auditor.checkpoint() is not None) == signed


@pytest.mark.parametrize("earlier", [0, 1])
async def test_another_history_is_never_signed(
    store: SqlStore, auditor: Auditor, alarms: Witness, tmp_path: Path, earlier: int
) -> None:
    """What was signed here is remembered outside the database, shorter and other ones differ."""
    await happen(store, auditor)
    state = await store.log_state()
    size, root = (2, state.root) if earlier else (1, bytes(32))
    elsewhere = Checkpoint("hangdao", size, root, state.chain, store._clock.now())
    LastSigned(tmp_path).remember(SIGNER.sign(elsewhere))
    assert await auditor.checkpoint(now=True) is None
    ((event, facts),) = alarms.alarms
    cause = "LogError" if earlier else "rewritten"
    assert (event, facts["cause"]) == ("audit.inconsistent", cause)
    assert await store.checkpoints(1) == []
    (tmp_path / "audit.last").unlink()
    assert await auditor.checkpoint(now=True)


async def test_a_restore_that_a_person_explains_is_signed_on(
    store: SqlStore, auditor: Auditor, alarms: Witness, tmp_path: Path
) -> None:
    """The log lacks what was signed; with an operator's word in it, it is signed again."""
    await happen(store, auditor)
    state = await store.log_state()
    lost = SIGNER.sign(Checkpoint("hangdao", 7, bytes(32), state.chain, store._clock.now()))
    LastSigned(tmp_path).remember(lost)
    assert await auditor.checkpoint(now=True) is None
    assert await auditor.explain("restored after the fire", "key:1")
    await auditor.catch_up()
    signed = await auditor.checkpoint(now=True)
    assert signed is not None
    assert LastSigned(tmp_path).last() == signed
    named = sha256(lost.encode()).hexdigest()
    assert named in {line.subject for line in await store.log_lines(0, 50)}
    # It explains that one fork, not the next.
    LastSigned(tmp_path).remember(
        SIGNER.sign(Checkpoint("hangdao", 8, bytes(32), state.chain, store._clock.now()))
    )
    assert await auditor.checkpoint(now=True) is None
    assert [event for event, _ in alarms.alarms].count("audit.inconsistent") == 2


async def test_without_a_checkpoint_there_is_nothing_to_explain(auditor: Auditor) -> None:
    """Nothing was signed here before."""
    assert not await auditor.explain("restored", "key:1")


async def test_a_new_key_begins_anew(
    store: SqlStore, auditor: Auditor, clock: SettableClock, alarms: Witness, tmp_path: Path
) -> None:
    """What a former key signed does not bind the next one."""
    await happen(store, auditor)
    await auditor.checkpoint()
    other = Auditor(store, clock, alarms, Signer("hangdao", bytes(32)), LastSigned(tmp_path), ())
    assert await other.checkpoint(now=True)
