"""Webhooks owed (`ports.OutboxStore`). They are born in the commit of their event, in `units`."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.domain.payout import MerchantId, PayoutId
from gateway.ports import Delivery, DeliveryState, Owed
from gateway.store.codec import micros, moment
from gateway.store.database import Row, Unit
from gateway.store.part import Part

CLAIM = timedelta(seconds=30)
"""How long a claimed webhook is left to its claimant: three times what one try may take."""


class GoneError(Exception):
    """There is no such delivery, or nothing is left to do about it."""


class Outbox(Part):
    """Everything about webhooks owed."""

    def on_owed(self, told: Callable[[Owed], None] | None) -> None:
        """Have `told` called once a commit of this process may have owed something; None: not."""
        self._owed_to = told

    async def due_deliveries(self, now: datetime, limit: int) -> list[Delivery]:
        """Deliveries to try now: per payout and endpoint only the earliest undelivered one.

        Among several workers each is claimed, and falls due again when the claimant is not heard
        of.
        """
        params = {"now": micros(now), "limit": limit}
        member = self._member
        if member is None or not member.is_joined:
            return [_head(row) for row in await self._read("due_deliveries", params)]
        if member.worker is None:
            return []
        until = now + CLAIM
        found = await member.fetch("claim_deliveries", {**params, "until": micros(until)})
        return [replace(_head(row), claimed_until=until) for row in found]

    async def delivered(self, delivery_id: str, status: int, at: datetime) -> None:
        """Mark as done; later calls change nothing."""
        # Unwritten, it is sent again under the same id: that is no reason for a commit.
        unit = Unit(is_patient=True)
        unit.add(
            self._queries["delivery_done"],
            {"id": delivery_id, "status": status, "at": micros(at)},
            GoneError,
        )
        with suppress(GoneError):
            await self._database.write(unit)

    async def delivery_failed(
        self, delivery_id: str, status: int | None, error: str, due_at: datetime | None
    ) -> None:
        """Count a failed try; `due_at` None makes it a dead letter."""
        unit = Unit()
        params = {"id": delivery_id, "status": status, "error": error[:500]}
        if due_at is None:
            unit.add(self._queries["delivery_dead"], params)
        else:
            later = micros(due_at)
            unit.add(self._queries["delivery_put_off"], {**params, "due_at": later})
            unit.add(self._queries["deliveries_behind"], {"id": delivery_id, "due_at": later})
        await self._database.write(unit)

    async def deliveries(
        self, merchant_id: MerchantId, payout_id: PayoutId | None, limit: int
    ) -> list[Delivery]:
        """Newest first."""
        found = await self._read(
            "deliveries", {"merchant_id": merchant_id, "payout_id": payout_id, "limit": limit}
        )
        return [_delivery(row) for row in found]

    async def resend(self, merchant_id: MerchantId, delivery_id: str, now: datetime) -> bool:
        """Make a delivery due again; False when there is none of that merchant."""
        unit = Unit()
        unit.add(
            self._queries["resend"],
            {"merchant_id": merchant_id, "id": delivery_id, "now": micros(now)},
        )
        (found,) = await self._database.write(unit)
        for (payout_id,) in found:
            if self._owed_to is not None:
                self._owed_to(Owed(PayoutId(payout_id)))
        return bool(found)


def _head(row: Row) -> Delivery:
    """The earliest that is due to an endpoint about a payout."""
    return _delivery(row, may_be_followed=bool(row[12]))


def _delivery(row: Row, *, may_be_followed: bool = True) -> Delivery:
    return Delivery(
        id=row[0],
        endpoint_id=row[1],
        merchant_id=row[2],
        payout_id=row[3],
        seq=row[4],
        payload=bytes(row[5]),
        state=DeliveryState(row[6]),
        tries=row[7],
        due_at=moment(row[8]),
        created_at=moment(row[9]),
        last_status=row[10],
        last_error=row[11],
        may_be_followed=may_be_followed,
    )
