"""An outbox in memory with the store's promises, for tests that break it on purpose."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.domain.payout import MerchantId, PayoutId
from gateway.ports import Delivery, DeliveryState, Endpoint, StoreBrokenError
from tests.builders import NOW


class FrozenClock:
    """Time passes only when a test says so."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        """Read it."""
        return self.at

    def turn(self, **delta: float) -> None:
        """Let time pass."""
        self.at += timedelta(**delta)


class Outbox:
    """Deliveries and endpoints by id."""

    def __init__(self, *rows: Endpoint | Delivery) -> None:
        self.endpoints = {row.id: row for row in rows if isinstance(row, Endpoint)}
        self.rows = {row.id: row for row in rows if isinstance(row, Delivery)}
        self.actors: list[str] = []
        self.broken_for: set[str] = set()
        """Deliveries whose end cannot be written down."""
        self.while_looking: Callable[[], Awaitable[None]] | None = None
        """Called after the rows were read and before the reader has them."""

    def state(self, delivery_id: str) -> DeliveryState:
        """Where one stands."""
        return self.rows[delivery_id].state

    async def due_deliveries(self, now: datetime, limit: int) -> list[Delivery]:
        """None is due while an earlier one of its payout and endpoint is not yet due itself."""
        blocked: set[tuple[PayoutId, str]] = set()
        due: list[Delivery] = []
        for row in sorted(self.rows.values(), key=lambda row: row.seq):
            lane = (row.payout_id, row.endpoint_id)
            if row.state is not DeliveryState.DUE or lane in blocked:
                continue
            if row.due_at > now:
                blocked.add(lane)
            else:
                due.append(row)
        if self.while_looking is not None:
            looking, self.while_looking = self.while_looking, None
            await looking()
        return due[:limit]

    async def delivered(self, delivery_id: str, status: int, at: datetime) -> None:
        """Mark as done."""
        self._write(delivery_id, DeliveryState.DELIVERED, status, None, at)

    async def delivery_failed(
        self, delivery_id: str, status: int | None, error: str, due_at: datetime | None
    ) -> None:
        """Count a failed try."""
        state = DeliveryState.DUE if due_at else DeliveryState.DEAD
        at = due_at or self.rows[delivery_id].due_at
        self._write(delivery_id, state, status, error, at)

    async def deliveries(
        self, merchant_id: MerchantId, payout_id: PayoutId | None, limit: int
    ) -> list[Delivery]:
        """Newest first."""
        mine = [row for row in self.rows.values() if row.merchant_id == merchant_id]
        return [row for row in mine if payout_id in (None, row.payout_id)][::-1][:limit]

    async def resend(self, merchant_id: MerchantId, delivery_id: str, now: datetime) -> bool:
        """Make it due again."""
        row = self.rows.get(delivery_id)
        if row is None or row.merchant_id != merchant_id:
            return False
        self.rows[delivery_id] = replace(row, state=DeliveryState.DUE, due_at=now)
        return True

    async def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """One endpoint."""
        return self.endpoints.get(endpoint_id)

    async def put_endpoint(self, endpoint: Endpoint, actor: str) -> None:
        """Insert or replace."""
        self.endpoints[endpoint.id] = endpoint
        self.actors.append(actor)

    def _write(
        self,
        delivery_id: str,
        state: DeliveryState,
        status: int | None,
        error: str | None,
        due_at: datetime,
    ) -> None:
        if delivery_id in self.broken_for:
            raise StoreBrokenError("disk full")
        row = self.rows[delivery_id]
        self.rows[delivery_id] = replace(
            row,
            state=state,
            tries=row.tries + 1,
            due_at=due_at,
            last_status=status,
            last_error=error,
        )
