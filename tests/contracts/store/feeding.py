"""Read a feed until it shows what was committed.

On PostgreSQL the feed stops below the oldest transaction that is open anywhere in the cluster, so
that no reader ever skips an event; other tests on the same server may hold one for a moment.
"""

import asyncio

from gateway.domain.payout import MerchantId
from gateway.ports import StoredEvent
from gateway.store import SqlStore

PATIENCE_S = 20.0


async def fed(
    store: SqlStore, merchant_id: MerchantId | None, after: int, limit: int, *, least: int
) -> list[StoredEvent]:
    """The page, as soon as it has at least so many events."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            page = await store.feed(merchant_id, after, limit)
            if len(page) >= least:
                return page
            await asyncio.sleep(0.02)
