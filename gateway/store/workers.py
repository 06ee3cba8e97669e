"""Who works on what, where several processes share a database (`ports.WorkerStore`).

Where one process owns the database every answer is trivial: it is worker 0, everything is its own,
and nothing more is written than before.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import orjson

from gateway.domain.payout import PayoutId
from gateway.ports import Claim, Fence, Nudge, Standby
from gateway.store.codec import micros
from gateway.store.part import Part

_SOLE = Fence(0, 0.0)


class Workers(Part):
    """Everything about workers."""

    @property
    def worker(self) -> int | None:
        """This process's number; 0 where there is only one, None while it is detached."""
        return self._worker

    async def join(self, told: Callable[[Nudge], None]) -> None:
        """Take part from now on; `told` gets what other workers pass on."""

        def heard(message: str) -> None:
            payout_id, reference, notice_id = orjson.loads(message)
            told(Nudge(PayoutId(payout_id), reference, notice_id))

        if self._member is not None:
            await self._member.join(heard)

    async def leave(self) -> None:
        """Give everything back."""
        if self._member is not None:
            await self._member.leave()

    async def claim(self, now: datetime, limit: int) -> list[Claim]:
        """What is due and this worker's, some of it just taken over."""
        member = self._member
        if member is None or not member.is_joined:
            found = await self._read(
                "due_payouts", {"now": micros(now), "limit": limit, "worker": 0}
            )
            return [Claim(PayoutId(row[0])) for row in found]
        worker = member.worker
        if worker is None:
            return []
        rows = await member.fetch(
            "claim_payouts", {"now": micros(now), "limit": limit, "worker": worker}
        )
        return [Claim(PayoutId(row[0]), is_taken=row[1]) for row in rows]

    async def take(self, payout_id: PayoutId) -> bool:
        """Make a payout this worker's; False while another has it, or while detached."""
        worker = self._worker
        if self._member is None or not worker:
            return False
        return bool(await self._member.fetch("take_payout", {"id": payout_id, "worker": worker}))

    async def nudge(self, worker: int, nudge: Nudge) -> None:
        """Have another worker look at a payout that is its own."""
        if self._member is not None and self._member.worker is not None:
            message = orjson.dumps([nudge.payout_id, nudge.reference, nudge.notice_id])
            await self._member.notify(worker, message.decode())

    def fence(self) -> Fence:
        """Taken before an arm is asked for, shown before its bytes leave."""
        return _SOLE if self._member is None else self._member.fence()

    def holds(self, fence: Fence) -> bool:
        """Whether bytes armed under it may leave now. No I/O."""
        return self._member is None or self._member.holds(fence)

    @asynccontextmanager
    async def turn(self, job: str) -> AsyncIterator[bool]:
        """Whether this process does a job now that one at a time should do."""
        if self._member is None or not self._member.is_joined:
            yield True
            return
        async with self._member.turn(job) as mine:
            yield mine

    async def standby(self) -> Standby:
        """Whether what is committed survives the loss of this database server."""
        if "standbys" not in self._queries:
            return Standby.EMBEDDED
        ((names, streaming, hidden),) = await self._read("standbys", {})
        if not names.strip():
            return Standby.NONE_NAMED
        if streaming:
            return Standby.ATTACHED
        return Standby.HIDDEN if hidden else Standby.NONE_ATTACHED
