"""Archives in the store (`ports.ArchiveStore`): what may go, what has gone, and where to."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import orjson

from gateway.domain.archive import Archive, Bulk
from gateway.domain.payout import MerchantId, PayoutId, sortable_id
from gateway.store.codec import micros, moment, moment_or_none
from gateway.store.database import Row, Unit
from gateway.store.part import Part

_ENTROPY_MIN = bytes(10)


class KeptAlreadyError(Exception):
    """The archive is known."""


class Archives(Part):
    """Everything about archives."""

    async def archivable(
        self, before: datetime, after: PayoutId | None, limit: int
    ) -> list[tuple[MerchantId, PayoutId]]:
        """Payouts that ended before a moment and that nothing waits for, by id."""
        params = {
            "before": micros(before),
            "until_id": sortable_id("po_", before, _ENTROPY_MIN),
            "after": after or "",
            "limit": limit,
        }
        return [(row[0], row[1]) for row in await self._read("archivable", params)]

    async def bulk_of(self, found: Sequence[tuple[MerchantId, PayoutId]]) -> list[Bulk]:
        """Their decisions and finished webhooks."""
        ids = {"ids": orjson.dumps([payout_id for _, payout_id in found]).decode()}
        decisions: dict[str, list[dict[str, object]]] = defaultdict(list)
        for row in await self._read("decisions_to_archive", ids):
            decisions[row[0]].append(_decision(row))
        deliveries: dict[str, list[dict[str, object]]] = defaultdict(list)
        for row in await self._read("deliveries_to_archive", ids):
            deliveries[row[0]].append(_delivery(row))
        return [
            Bulk(merchant_id, one, tuple(decisions[one]), tuple(deliveries[one]))
            for merchant_id, one in found
        ]

    async def keep_archive(self, archive: Archive) -> None:
        """Remember a file that was written and read back; leaves an audit row with its hash."""
        unit = Unit()
        unit.add(
            self._queries["insert_archive"],
            {
                "id": archive.id,
                "file": archive.file,
                "digest": archive.sha256,
                "size": archive.size,
                "payouts": archive.payouts,
                "decisions": archive.decisions,
                "deliveries": archive.deliveries,
                "made_at": micros(archive.made_at),
                "actor": archive.actor,
            },
            KeptAlreadyError,
        )
        detail = {
            "file": archive.file,
            "sha256": archive.sha256,
            "payouts": archive.payouts,
            "decisions": archive.decisions,
            "deliveries": archive.deliveries,
        }
        self._audit(unit, archive.actor, "archive.made", archive.id, detail)
        await self._unless_kept(unit)

    async def clear(self, archive_id: str, bulks: Sequence[Bulk]) -> None:
        """Let go of what the archive holds of some payouts, in one commit; safe to repeat."""
        unit = Unit()
        for one in bulks:
            key = {"merchant_id": one.merchant_id, "payout_id": one.payout_id}
            named = key | {"archive_id": archive_id}
            unit.add(self._queries["insert_archived_payout"], named)
            decisions = key | {"last_decision": one.last_decision}
            unit.add(self._queries["clear_decisions"], decisions)
            unit.add(self._queries["clear_deliveries"], key | {"last_seq": one.last_seq})
        await self._database.write(unit)

    async def close_archive(self, archive_id: str, at: datetime) -> None:
        """All that is in it has gone."""
        unit = Unit()
        params = {"id": archive_id, "at": micros(at)}
        unit.add(self._queries["close_archive"], params, KeptAlreadyError)
        await self._unless_kept(unit)

    async def open_archive(self) -> Archive | None:
        """The one that is not cleared yet; None when there is none."""
        found = await self._read("open_archive", {})
        return _archive(found[0]) if found else None

    async def archives(self, limit: int) -> list[Archive]:
        """Newest first."""
        return [_archive(row) for row in await self._read("archives", {"limit": limit})]

    async def archive_of(self, merchant_id: MerchantId, payout_id: PayoutId) -> Archive | None:
        """Where a payout's decisions and webhooks have gone; None while they are here."""
        params = {"merchant_id": merchant_id, "payout_id": payout_id}
        found = await self._read("archive_of", params)
        return _archive(found[0]) if found else None

    async def _unless_kept(self, unit: Unit) -> None:
        try:
            await self._database.write(unit)
        except KeptAlreadyError:
            return


def _archive(row: Row) -> Archive:
    return Archive(
        id=row[0],
        file=row[1],
        sha256=row[2],
        size=row[3],
        payouts=row[4],
        decisions=row[5],
        deliveries=row[6],
        made_at=moment(row[7]),
        actor=row[8],
        cleared_at=moment_or_none(row[9]),
    )


def _decision(row: Row) -> dict[str, object]:
    return {"row": row[1], "at": row[2], "decision": bytes(row[3]).decode()}


def _delivery(row: Row) -> dict[str, object]:
    return {
        "id": row[1],
        "endpoint_id": row[2],
        "seq": row[3],
        "payload": bytes(row[4]).decode(),
        "state": row[5],
        "tries": row[6],
        "created_at": row[7],
        "last_status": row[8],
        "last_error": row[9],
        "delivered_at": row[10],
    }
