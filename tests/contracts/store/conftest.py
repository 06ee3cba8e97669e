"""The same store suite on a real SQLite file and a real PostgreSQL."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import asyncpg
import pytest

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.payout import MerchantId
from gateway.store import SqlStore, Vault, open_store
from tests.builders import CHANNEL, MERCHANT, NOW

KEK = base64.b64encode(bytes(range(32))).decode()
OTHER_KEK = base64.b64encode(bytes(range(32, 64))).decode()


@dataclass(slots=True)
class SettableClock:
    """A clock that stands still until it is moved."""

    at: datetime = NOW

    def now(self) -> datetime:
        """Aware UTC."""
        return self.at

    def advance(self, **delta: int) -> datetime:
        """Move on, and say where to."""
        self.at += timedelta(**delta)
        return self.at


@dataclass(slots=True)
class Backend:
    """One empty database, and a way to open stores on it."""

    kind: Literal["sqlite", "postgres"]
    url: str
    clock: SettableClock
    opened: list[SqlStore] = field(default_factory=list)

    async def open(self, kek: str = KEK, previous: str | None = None) -> SqlStore:
        """Open a store that is closed when the test ends."""
        store = await open_store(self.url, Vault(kek, previous), self.clock, migrate=True)
        self.opened.append(store)
        return store


@pytest.fixture
def clock() -> SettableClock:
    """The store's clock, at `NOW`."""
    return SettableClock()


@pytest.fixture(params=["sqlite", "postgres"])
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, clock: SettableClock
) -> AsyncIterator[Backend]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        made = Backend("sqlite", f"sqlite://{tmp_path}/hangdao.db", clock)
    else:
        made = Backend("postgres", request.getfixturevalue("postgres_url"), clock)
        await _emptied(made.url)
    yield made
    for store in made.opened:
        await store.aclose()


@pytest.fixture
async def store(backend: Backend) -> SqlStore:
    """An open store on an empty database."""
    return await backend.open()


Fund = Callable[..., Awaitable[None]]


@pytest.fixture
def fund(store: SqlStore) -> Fund:
    """Give a merchant money and a channel float: `await fund(merchant=…, channel=…)`."""
    numbers = iter(range(1, 1_000))

    async def give(
        minor: int = 10_000_000, merchant: str | None = MERCHANT, channel: str | None = CHANNEL
    ) -> None:
        if merchant is not None:
            posting = ledger.funded(MerchantId(merchant), Currency.CNY, minor)
            await store.post(posting, "deposit", f"fund-{next(numbers)}", "ops")
        if channel is not None:
            posting = ledger.topped_up(channel, Currency.CNY, minor)
            await store.post(posting, "top-up", f"fund-{next(numbers)}", "ops")

    return give


async def _emptied(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        tables = [
            row[0]
            for row in await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                "AND tablename NOT IN ('schema_version', 'feed_base')"
            )
        ]
        if tables:
            await connection.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")
    finally:
        await connection.close()
