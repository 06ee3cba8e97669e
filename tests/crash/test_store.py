"""kill -9 in the middle of accepting: whatever was acknowledged is there, and the books balance."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.domain.payout import PayoutId
from gateway.store import SqlStore, Vault, open_store
from tests.contracts.store.conftest import KEK, SettableClock

WRITER = """
import asyncio, itertools, sys
from dataclasses import replace
from channels.money import Currency
from gateway.domain import ledger
from gateway.store import Vault, open_store
from tests import builders as build
from tests.contracts.store.conftest import KEK, SettableClock

async def main(url, start):
    store = await open_store(url, Vault(KEK), SettableClock(), migrate=True)
    await store.post(ledger.funded(build.MERCHANT, Currency.CNY, 10**12), "", "deposit", "ops")
    await store.post(ledger.topped_up(build.CHANNEL, Currency.CNY, 10**12), "", "float", "ops")
    numbers = itertools.count(int(start))

    async def caller():
        for number in numbers:
            subject = build.payout(id=f"po_{number:020d}")
            await store.accept(build.accepted_change(subject), build.intake(subject), 0)
            sys.stdout.write(f"{subject.id} 1\\n")
            armed = build.arm(subject, build.attempt(reference=f"R{number}"))
            await store.record(armed)
            sys.stdout.write(f"{subject.id} 2\\n")
            sys.stdout.flush()

    await asyncio.gather(*(caller() for _ in range(16)))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/hangdao.db"
    return str(request.getfixturevalue("fresh_postgres_url"))


async def _run_and_kill(url: str, start: int, lines_min: int) -> dict[str, int]:
    """Let a writer acknowledge some moves, kill it in the middle; what it had acknowledged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, url, str(start), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged: dict[str, int] = {}
    lines = 0
    async for line in process.stdout:
        payout_id, version = line.decode().split()
        acknowledged[payout_id] = int(version)
        lines += 1
        if lines == lines_min:
            os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert process.returncode == -signal.SIGKILL
    return acknowledged


async def _open(url: str) -> SqlStore:
    return await open_store(url, Vault(KEK), SettableClock(), migrate=True)


async def test_nothing_acknowledged_is_lost(url: str) -> None:
    """Four kills at different moments: every acknowledged version is stored, the audit is clean."""
    acknowledged: dict[str, int] = {}
    for run, lines_min in enumerate((1, 37, 150, 400)):
        acknowledged |= await _run_and_kill(url, run * 100_000, lines_min)

        store = await _open(url)
        for payout_id, version in acknowledged.items():
            found = await store.payout(PayoutId(payout_id))
            assert found is not None, payout_id
            assert found.version >= version, payout_id
        assert await store.audit() == []
        await store.aclose()

    assert len(acknowledged) > 250
