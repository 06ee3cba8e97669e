"""What is looked at all the time: the store's health, the books, and how far the database has come.

A store that broke or books that are off halt the gateway: it sends nothing more. A database that is
behind its mark was restored: a quarantine begins. Not noticed: a restore that took the mark back as
well (a snapshot of the whole machine), and, while several processes share a database, up to a
second of what other processes did before a failover to an older copy.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.engine import quarantine
from gateway.engine.gateway import Gateway, Halt
from gateway.engine.worker import STORE_BROKEN
from gateway.ports import Position, StoreBrokenError

BOOKS_EVERY = timedelta(minutes=1)
AT_ONCE_MAX = 20_000
"""With more attempts than that requests are answered before the whole ledger was looked at, which
takes four seconds a million; nothing is sent before it was."""
WHOLE_BOOKS_MAX = 200_000
"""With more attempts than that a start looks at the trial balance and the next postings only; the
whole ledger takes minutes then, and `hangdao ledger check` does it beside the running gateway."""


class Watch:
    """One per process; `begin` before anything may be sent."""

    def __init__(
        self,
        gateway: Gateway,
        read_mark: Callable[[], Position | None],
        write_mark: Callable[[Position], None],
    ) -> None:
        """Both may touch the disk: they are called in a thread. `write_mark` may raise OSError."""
        self._gateway = gateway
        self._read_mark = read_mark
        self._write_mark = write_mark
        self._mark: Position | None = None
        self._checked_at: datetime | None = None
        self._checked_feed = 0
        self._unread = False
        """Whether the ledger as a whole is yet to be looked at."""

    async def begin(self) -> None:
        """Compare the database with its mark, and the ledger with itself: of a large one what a
        moment shows. Raises `StoreError`."""
        gateway = self._gateway
        mark = await asyncio.to_thread(self._read_mark)
        position = await quarantine.check_position(gateway, mark)
        gateway.quarantine = await gateway.store.quarantine()
        whole = position.attempts <= AT_ONCE_MAX
        await self._check_books(position, None if whole else position.feed)
        self._unread = AT_ONCE_MAX < position.attempts <= WHOLE_BOOKS_MAX
        await self._keep(position)

    async def finish(self) -> None:
        """Look at what `begin` left out, before anything is sent; halts if it does not add up.

        Raises `StoreError`; then it is still to be done. Changes may be committed meanwhile: each
        sum is one statement, which sees one moment.
        """
        if self._unread:
            await self._check_books(await self._gateway.store.position(), None)
            self._unread = False

    async def look(self) -> None:
        """Once a second. Raises `StoreError` while the store does not answer."""
        gateway = self._gateway
        if gateway.store.broken is not None:
            gateway.halt(STORE_BROKEN)
            return
        try:
            position = await quarantine.check_position(gateway, self._mark)
            now = gateway.clock.now()
            if self._checked_at is None or abs(now - self._checked_at) >= BOOKS_EVERY:
                await self._check_books(position, self._checked_feed)
        except StoreBrokenError:
            gateway.halt(STORE_BROKEN)
            return
        await self._keep(position)

    async def _keep(self, position: Position) -> None:
        """Write the mark where it has moved, also back: then a quarantine has begun."""
        if position == self._mark:
            return
        self._mark = position
        try:
            await asyncio.to_thread(self._write_mark, position)
        except OSError as error:
            self._gateway.observer.defect("mark.unwritten", error)

    async def _check_books(self, position: Position, after_feed: int | None) -> None:
        gateway = self._gateway
        faults = await gateway.store.ledger_faults(after_feed)
        self._checked_at, self._checked_feed = gateway.clock.now(), position.feed
        if faults:
            said = "; ".join(faults[:3])
            gateway.halt(
                Halt(
                    "ledger_off",
                    f"the ledger does not add up ({said}): sending has stopped; run `hangdao "
                    "doctor`, and find out what wrote to the database before starting again",
                    f"账簿不平（{said}），已停止出款；请运行 hangdao doctor，查明原因后再启动",
                )
            )
