"""Archiving is killed with SIGKILL at every place: nothing is lost, and the next step finishes."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from gateway.domain.archive import unpacked
from gateway.domain.payout import PayoutId
from gateway.engine import archive
from gateway.store import SqlStore, Vault, open_store
from gateway.store.archive_files import FOLDER, ArchiveFiles
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock
from tests.gateway.engine.archiving import DAYS, PLACES, gateway_of

PAYOUTS = 5


async def _ended(store: SqlStore, ref: str) -> str:
    subject = build.payout(merchant_ref=ref)
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    decided = build.change(subject, build.failed(), decision=f'{{"why":"{ref}"}}'.encode())
    await store.record(decided)
    for one in await store.deliveries(build.MERCHANT, subject.id, 10):
        await store.delivered(one.id, 200, build.NOW)
    return subject.id


def _held(folder: Path) -> dict[str, tuple[int, int]]:
    """Decisions and webhooks of each payout in all finished files."""
    found = {}
    for file in folder.glob("*.jsonl.gz"):
        for one in unpacked(file.read_bytes()):
            found[str(one.payout_id)] = (len(one.decisions), len(one.deliveries))
    return found


@pytest.mark.parametrize("place", PLACES)
async def test_killed_anywhere_nothing_is_lost(tmp_path: Path, place: str) -> None:
    """Whatever is not in the database is in a file; after one more step everything is."""
    url, clock = f"sqlite://{tmp_path}/x.db", SettableClock()
    store = await open_store(url, Vault(KEK), clock, migrate=True)
    await store.put_endpoint(build.endpoint(), "ops")
    ids = [await _ended(store, str(number)) for number in range(PAYOUTS)]
    await store.aclose()

    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.engine.archiving", url, str(tmp_path), place)
    )
    assert await child.wait() == -signal.SIGKILL

    clock.at = build.after(days=DAYS)
    store = await open_store(url, Vault(KEK), clock, migrate=False)
    held = _held(tmp_path / FOLDER)
    for one in ids:
        here = await store.decisions(PayoutId(one))
        assert here or held[one] == (1, 2), (place, one)
    gateway, files = gateway_of(store, clock), ArchiveFiles(tmp_path)
    await archive.step(gateway, files, older_than_days=90, after=None, actor="ops", dry_run=False)
    (kept,) = await store.archives(10)
    left = [await store.archive_of(build.MERCHANT, PayoutId(one)) for one in ids]
    rest = await store.deliveries(build.MERCHANT, None, 100)
    await store.aclose()

    assert kept.cleared_at is not None
    assert {one.id for one in left if one is not None} == {kept.id}
    assert None not in left
    assert rest == []
    assert _held(tmp_path / FOLDER) == dict.fromkeys(ids, (1, 2))
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
