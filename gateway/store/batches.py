"""Batches of payouts and their rows (`ports.BatchStore`)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
from msgspec.structs import asdict, replace

from channels.money import Currency
from gateway.domain.batch import (
    EDGES,
    Batch,
    BatchCount,
    BatchRow,
    BatchState,
    Refused,
    RowState,
    reserve,
    unreserve,
)
from gateway.domain.errors import ConflictError
from gateway.domain.ledger import Book
from gateway.domain.payout import MerchantId, Payout, PayoutId, PayoutState
from gateway.ports import StaleError, StoreError
from gateway.store.codec import micros, moment
from gateway.store.database import Guard, Row, Unit
from gateway.store.part import Part
from gateway.store.units import TakenError, unfunded

_ANY: dict[str, Any] = dict.fromkeys(("merchant_id", "id", "key", "content", "state", "before_id"))


class Batches(Part):
    """Everything about batches, but the acceptance of a row (`Payouts.accept`)."""

    async def put_batch(self, batch: Batch) -> Batch:
        """Store a new batch, or return the earlier one of the same key and content."""
        unit = Unit()
        unit.add(self._queries["insert_batch"], _batch_params(batch), TakenError)
        detail = {"rows": batch.count, "total_minor": batch.total_minor, "mode": batch.mode}
        self._audit(unit, batch.actor, "batch.created", batch.id, detail)
        try:
            await self._database.write(unit)
        except TakenError:
            return await self._earlier_batch(batch)
        return batch

    async def put_rows(self, batch: Batch, rows: Sequence[BatchRow]) -> None:
        """Store some rows; those that are stored already stay as they are."""
        await self._may_seal()
        unit = Unit()
        for row in rows:
            seal = _seal(batch, row.number)
            unit.add(
                self._queries["insert_batch_row"],
                {
                    **_place(batch),
                    "number": row.number,
                    "line": row.line,
                    "merchant_ref": row.merchant_ref,
                    "amount_minor": row.amount_minor,
                    "hold_minor": row.hold_minor,
                    "body": self._vault.seal(row.body, batch.merchant_id, "batch_row", seal),
                    "state": row.state,
                    "refused": _written(row.refused),
                },
            )
        await self._database.write(unit)

    async def move_batch(
        self,
        batch: Batch,
        to: BatchState,
        refused: Refused | None = None,
        actor: str | None = None,
    ) -> Batch:
        """Move it on, and say why it was refused."""
        return await self._moved(batch, to, 0, refused, Unit(), actor)

    async def reserve_batch(self, batch: Batch, floor_minor: int | None) -> Batch:
        """Hold the whole sum and go on to accepting, in one commit."""
        rows = await self._read("count_stored_rows", {**_place(batch), "state": RowState.WAITING})
        minor = int(rows[0][1])
        unit = Unit()
        at = micros(self._clock.now())
        self._units.posted(unit, reserve(batch, minor), batch.merchant_id, batch.id, at)
        if floor_minor is not None:
            account = (Book.AVAILABLE, batch.merchant_id, batch.currency)
            unit.guards.append(Guard(account, floor_minor, unfunded))
        return await self._moved(batch, BatchState.ACCEPTING, minor, None, unit)

    async def refuse_undone(self, batch: Batch) -> Batch:
        """Give back what no row took, and end the batch, in one commit."""
        minor = int((await self._read("unaccepted_hold", _place(batch)))[0][0])
        unit = Unit()
        at = micros(self._clock.now())
        name = f"{batch.id}/undone"
        self._units.posted(unit, unreserve(batch, minor), batch.merchant_id, name, at)
        return await self._moved(batch, BatchState.REFUSED, 0, batch.refused, unit)

    async def refuse_rows(self, batch: Batch, found: Iterable[tuple[int, Refused]]) -> None:
        """Say of waiting rows why they are not taken."""
        unit = Unit()
        for number, refused in found:
            unit.add(
                self._queries["refuse_batch_row"],
                {**_place(batch), "number": number, "refused": _written(refused)},
            )
        await self._database.write(unit)

    async def undo_row(self, batch: Batch, number: int) -> None:
        """Its payout was cancelled."""
        unit = Unit()
        unit.add(self._queries["undo_batch_row"], {**_place(batch), "number": number})
        await self._database.write(unit)

    async def release_rows(self, batch: Batch, first: int, last: int) -> None:
        """Make due the payouts of the rows behind `first`, up to and with `last`."""
        unit = Unit()
        span = {"first": first, "last": last, "now": micros(self._clock.now())}
        unit.add(self._queries["release_batch_rows"], {**_place(batch), **span})
        await self._database.write(unit)

    async def batch(self, batch_id: str, merchant_id: MerchantId | None = None) -> Batch | None:
        """One batch; another merchant's is None."""
        return await self._one({"id": batch_id, "merchant_id": merchant_id})

    async def batches(
        self,
        merchant_id: MerchantId | None,
        before_id: str | None,
        limit: int,
        *,
        state: BatchState | None = None,
    ) -> list[Batch]:
        """A page, newest first."""
        wanted = {"merchant_id": merchant_id, "before_id": before_id, "state": state}
        found = await self._read("find_batches", {**_ANY, **wanted, "limit": limit})
        return [_batch(row) for row in found]

    async def batches_under_way(self) -> list[str]:
        """Those to go on with, oldest first."""
        return [row[0] for row in await self._read("batches_under_way", {})]

    async def batches_cut_off(self, before: datetime) -> list[str]:
        """Those whose rows nobody has brought since."""
        return [row[0] for row in await self._read("batches_cut_off", {"before": micros(before)})]

    async def open_batch_of(self, payout: Payout) -> str | None:
        """The batch it must wait for, as that may still be undone; None when there is none."""
        named = {"merchant_id": payout.merchant_id, "payout_id": payout.id}
        found = await self._read("open_batch_of", named)
        return found[0][0] if found else None

    async def batch_rows(
        self,
        batch: Batch,
        after: int,
        limit: int,
        *,
        state: RowState | None = None,
        payout_state: PayoutState | None = None,
    ) -> list[BatchRow]:
        """Rows behind a number, in order."""
        wanted = {"after": after, "limit": limit, "state": state, "payout_state": payout_state}
        found = await self._read("find_batch_rows", {**_place(batch), **wanted})
        await self._may_open(*(row[5] for row in found))
        return [
            _row(
                row,
                self._vault.open(row[5], batch.merchant_id, "batch_row", f"{batch.id}/{row[0]}"),
            )
            for row in found
        ]

    async def batch_counts(self, batch: Batch) -> list[BatchCount]:
        """How many rows stand how."""
        return [
            BatchCount(RowState(row[0]), PayoutState(row[1]) if row[1] else None, row[2], row[3])
            for row in await self._read("count_batch_rows", _place(batch))
        ]

    async def taken_refs(self, batch: Batch) -> list[int]:
        """Waiting rows whose merchant_ref some payout has already."""
        return [int(row[0]) for row in await self._read("taken_refs", _place(batch))]

    async def _moved(
        self,
        batch: Batch,
        to: BatchState,
        reserved: int,
        refused: Refused | None,
        unit: Unit,
        actor: str | None = None,
    ) -> Batch:
        if to not in EDGES[batch.state]:
            raise ValueError(f"{batch.id} cannot go from {batch.state} to {to}")
        if to is BatchState.UNDOING:
            reserved = batch.reserved_minor
        moved = replace(
            batch,
            state=to,
            reserved_minor=reserved,
            refused=refused,
            updated_at=self._clock.now(),
            content=None if to is BatchState.REFUSED else batch.content,
        )
        unit.add(
            self._queries["move_batch"],
            {
                "merchant_id": batch.merchant_id,
                "id": batch.id,
                "before": batch.state,
                "state": to,
                "reserved_minor": reserved,
                "updated_at": micros(moved.updated_at),
                "refused": _written(refused),
            },
            lambda: StaleError(f"{batch.id} is no longer {batch.state}"),
        )
        if not to.is_under_way:
            self._audit(unit, actor or batch.actor, f"batch.{to}", batch.id, {})
        await self._database.write(unit)
        return moved

    async def _one(self, filters: dict[str, object]) -> Batch | None:
        found = await self._read("find_batches", {**_ANY, **filters, "limit": 1})
        return _batch(found[0]) if found else None

    async def _earlier_batch(self, batch: Batch) -> Batch:
        await self._beat()
        same_key = await self._one({"merchant_id": batch.merchant_id, "key": batch.key})
        if same_key is not None:
            if same_key.fingerprint != batch.fingerprint:
                raise ConflictError(
                    "idempotency_key_reused",
                    f"this key was used before for another batch, {same_key.id}; "
                    "use a new one for a new batch",
                    zh=f"该幂等键已用于另一个批次 {same_key.id}，新批次请使用新的幂等键",
                    param="Idempotency-Key",
                )
            return same_key
        twin = await self._one({"merchant_id": batch.merchant_id, "content": batch.content})
        if twin is None:
            raise StoreError(f"the id {batch.id} is taken")
        raise ConflictError(
            "batch_repeated",
            f"the same rows were uploaded before, as {twin.id}; if they are really to be paid "
            "again, say repeat=true",
            zh=f"相同内容已上传过（批次 {twin.id}）；如确需再次付款，请加 repeat=true",
            param="repeat",
        )


def _seal(batch: Batch, number: int) -> str:
    return f"{batch.id}/{number}"


def _place(batch: Batch) -> dict[str, object]:
    return {"merchant_id": batch.merchant_id, "batch_id": batch.id}


def _written(refused: Refused | None) -> str | None:
    return None if refused is None else orjson.dumps(refused, default=asdict).decode()


def _refused(text: str | None) -> Refused | None:
    return None if text is None else Refused(**orjson.loads(text))


def _batch_params(batch: Batch) -> dict[str, object]:
    return {
        "merchant_id": batch.merchant_id,
        "id": batch.id,
        "key": batch.key,
        "fingerprint": batch.fingerprint,
        "content": batch.content,
        "mode": batch.mode,
        "profile": batch.profile,
        "currency": batch.currency,
        "row_count": batch.count,
        "total_minor": batch.total_minor,
        "state": batch.state,
        "reserved_minor": batch.reserved_minor,
        "created_at": micros(batch.created_at),
        "updated_at": micros(batch.updated_at),
        "actor": batch.actor,
        "refused": _written(batch.refused),
    }


def _batch(row: Row) -> Batch:
    return Batch(
        id=row[0],
        merchant_id=MerchantId(row[1]),
        key=row[2],
        fingerprint=bytes(row[3]),
        content=row[4],
        mode=row[5],
        profile=row[6],
        currency=Currency(row[7]),
        count=row[8],
        total_minor=row[9],
        state=BatchState(row[10]),
        reserved_minor=row[11],
        created_at=moment(row[12]),
        updated_at=moment(row[13]),
        actor=row[14],
        refused=_refused(row[15]),
    )


def _row(row: Row, body: bytes) -> BatchRow:
    return BatchRow(
        number=row[0],
        line=row[1],
        merchant_ref=row[2],
        amount_minor=row[3],
        hold_minor=row[4],
        body=body,
        state=RowState(row[6]),
        payout_id=PayoutId(row[7]) if row[7] else None,
        refused=_refused(row[8]),
        payout_state=PayoutState(row[9]) if row[9] else None,
        payout_reason=row[10],
    )
