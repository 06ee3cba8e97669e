"""Batches on their way: stored, checked, accepted in groups, set free or undone; safe to be killed.

Every step is found again in the store: a row and its payout are one commit, a batch moves by
guarded states, and whoever has the turn goes on with what is under way. A row's idempotency key is
made of the batch's id and its number, so that no second payout can come of it.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from channels.money import Money
from gateway.domain.batch import Batch, BatchMode, BatchRow, BatchState, Refused, RowState
from gateway.domain.errors import AbsenceError, ConflictError, GatewayError, UnfundedError
from gateway.domain.payout import MerchantId, Payout
from gateway.engine import accept, operate
from gateway.engine.batch_body import request_of
from gateway.engine.gateway import Gateway
from gateway.ports import Intake, Merchant, RowOfBatch, StaleError
from policies.fees import MonthUse

STORED_AT_ONCE = 500
"""Rows in one commit: other payouts wait no longer than that for theirs."""
IN_FLIGHT = 512
"""Rows on their way into the store: two group commits, one written while the next is made."""
UNDONE_AT_ONCE = 256
READ_AT_ONCE = 4096
RELEASED_AT_ONCE = 5_000
BREATH = 32
"""Rows looked at before others get their turn on the loop."""
CUT_OFF_AFTER = timedelta(days=1)
"""An upload that nobody has repeated since is given up: nothing of it was ever accepted."""
_LOOKED_AFTER = timedelta(minutes=1)


class Order(Struct, frozen=True):
    """A batch as it was read and found free of faults, but for rows that are refused as such."""

    key: str
    mode: BatchMode
    profile: str
    rows: Sequence[BatchRow]
    total: Money
    content: str
    """Hash of what is to be paid."""
    fingerprint: bytes
    repeat: bool = False
    """The same content may have been uploaded before."""


class Created(Struct, frozen=True):
    """A batch whose rows are all stored, and whether an earlier upload had made it."""

    batch: Batch
    repeated: bool


def batch_id(merchant_id: str, key: str) -> str:
    """The id that a merchant's key leads to, for ever."""
    return "ba_" + hashlib.sha256(f"{merchant_id}\x1f{key}".encode()).hexdigest()[:26]


async def create(gateway: Gateway, merchant: Merchant, order: Order, actor: str) -> Created:
    """Store a batch whole and let it go on; the same upload again goes on where one was cut off."""
    now = gateway.clock.now()
    fresh = Batch(
        id=batch_id(merchant.id, order.key),
        merchant_id=merchant.id,
        key=order.key,
        fingerprint=order.fingerprint,
        content=None if order.repeat else order.content,
        mode=order.mode,
        profile=order.profile,
        currency=order.total.currency,
        count=len(order.rows),
        total_minor=order.total.minor,
        state=BatchState.STORING,
        reserved_minor=0,
        created_at=now,
        updated_at=now,
        actor=actor,
    )
    batch = await gateway.store.put_batch(fresh)
    if batch.state is not BatchState.STORING:
        return Created(batch, repeated=True)
    before = await accept.month_for(gateway, merchant, batch.currency, now)
    for start in range(0, len(order.rows), STORED_AT_ONCE):
        rows = order.rows[start : start + STORED_AT_ONCE]
        held = [replace(row, hold_minor=hold_of(merchant, batch, row, before)) for row in rows]
        await gateway.store.put_rows(batch, held)
    first = BatchState.ACCEPTING if order.mode == "per_row" else BatchState.CHECKING
    try:
        batch = await gateway.store.move_batch(batch, first)
    except StaleError:
        # The same upload at the same time was faster; all rows are there.
        batch = await gateway.store.batch(batch.id, merchant.id) or batch
    return Created(batch, repeated=batch.created_at != now)


def hold_of(merchant: Merchant, batch: Batch, row: BatchRow, before: MonthUse) -> int:
    """The most that a row takes of the balance, in whatever order the rows are accepted."""
    asked = Money(row.amount_minor, batch.currency)
    prices = [
        accept.price_at(merchant, asked, batch.created_at, month)
        for month in _months(merchant, batch, row, before)
    ]
    return max((price.amount + price.fee).minor for price in prices)


def _months(
    merchant: Merchant, batch: Batch, row: BatchRow, before: MonthUse
) -> Sequence[MonthUse]:
    """Where a fee can be dearest between the month before the batch and after it.

    A fee is linear in the month's use but where the payout begins, or ends, at a tier's floor.
    """
    fee = merchant.fee.fee
    if not fee.tiers:
        return [before]
    if fee.basis == "amount":
        start, end, long = before.minor, before.minor + batch.total_minor, row.amount_minor
    else:
        start, end, long = before.payouts, before.payouts + batch.count, 1
    turns = {at for tier in fee.tiers for at in (tier.floor, tier.floor - 1, tier.floor - long)}
    uses = {start, end, *(at for at in turns if start < at < end)}
    if fee.basis == "amount":
        return [MonthUse(before.payouts, use) for use in uses]
    return [MonthUse(use, before.minor) for use in uses]


async def cancel(
    gateway: Gateway, batch_id: str, merchant_id: MerchantId | None, actor: str
) -> Batch:
    """Give up a batch of which nothing was accepted yet. Repeating it returns the cancelled one."""
    while True:
        batch = await gateway.store.batch(batch_id, merchant_id)
        if batch is None:
            raise AbsenceError("batch_not_found", "there is no such batch", zh="批次不存在")
        if batch.refused is not None and batch.refused.code == _CANCELLED.code:
            return batch
        if batch.state not in {BatchState.STORING, BatchState.CHECKING}:
            raise ConflictError(
                "state_forbids",
                f"a batch that is {batch.state} cannot be cancelled, only one that is storing or "
                "checking; single payouts of it can be, until they are sent "
                "(`hangdao payout cancel`)",
                zh=f"批次当前状态为 {batch.state}，只有 storing 或 checking 状态可整批取消；"
                "未发出的单笔代付可逐笔取消",
            )
        # Moved on meanwhile: look again where it stands now.
        with suppress(StaleError):
            return await gateway.store.move_batch(batch, BatchState.REFUSED, _CANCELLED, actor)


class Batches:
    """Goes on with batches under way; one process at a time."""

    def __init__(self, gateway: Gateway) -> None:
        """Everything is found in the gateway's store."""
        self._gateway = gateway
        self._looked_at: datetime | None = None

    async def tick(self) -> bool:
        """Go a step on with each batch under way; whether any did. Raises `StoreError`."""
        await self._give_up()
        store, busy = self._gateway.store, False
        under_way = await store.batches_under_way()
        if not under_way:
            return False
        async with store.turn("batches") as mine:
            if not mine:
                return False
            for name in under_way:
                batch = await store.batch(name)
                # A small batch does not wait for a large one before it: each gets one step.
                if batch is not None and batch.state.is_under_way:
                    # Cancelled in this very moment: it is looked at again as what it is then.
                    with suppress(StaleError):
                        busy = await self._step(batch) or busy
        return busy

    async def _give_up(self) -> None:
        """Refuse uploads that were cut off and never repeated, and say so."""
        gateway, now = self._gateway, self._gateway.clock.now()
        if self._looked_at is not None and now - self._looked_at < _LOOKED_AFTER:
            return
        self._looked_at = now
        for name in await gateway.store.batches_cut_off(now - CUT_OFF_AFTER):
            batch = await gateway.store.batch(name)
            if batch is not None and batch.state is BatchState.STORING:
                # Its upload came after all, or another process was faster.
                with suppress(StaleError):
                    await gateway.store.move_batch(batch, BatchState.REFUSED, _CUT_OFF, "gateway")
                    gateway.observer.alarm(
                        "batch.given_up", reference=batch.id, merchant_id=batch.merchant_id
                    )

    async def _step(self, batch: Batch) -> bool:
        merchant = await self._gateway.store.merchant(batch.merchant_id)
        if merchant is None or not merchant.active:
            # What is under way is neither paid nor undone until somebody decides about it.
            return False
        match batch.state:
            case BatchState.CHECKING:
                await self._check(batch, merchant)
            case BatchState.ACCEPTING:
                await self._accept(batch, merchant)
            case BatchState.RELEASING:
                await self._release(batch)
            case BatchState.UNDOING:
                await self._undo(batch)
            case _:
                raise ValueError(f"{batch.id} is {batch.state}")
        return True

    # --- All or nothing: look at every row, then hold the sum ---

    async def _check(self, batch: Batch, merchant: Merchant) -> None:
        store = self._gateway.store
        found: list[tuple[int, Refused]] = [
            (number, _TAKEN) for number in await store.taken_refs(batch)
        ]
        known = {number for number, _ in found}
        now, after = self._gateway.clock.now(), 0
        month = await accept.month_for(self._gateway, merchant, batch.currency, now)
        while rows := await store.batch_rows(batch, after, READ_AT_ONCE, state=RowState.WAITING):
            after = rows[-1].number
            for place, row in enumerate(rows):
                if place % BREATH == 0:
                    await asyncio.sleep(0)
                problem = None if row.number in known else self._problem(merchant, row, month, now)
                if problem is not None:
                    found.append((row.number, problem))
        if found or any(one.state is RowState.REFUSED for one in await store.batch_counts(batch)):
            for start in range(0, len(found), STORED_AT_ONCE):
                await store.refuse_rows(batch, found[start : start + STORED_AT_ONCE])
            await store.move_batch(batch, BatchState.REFUSED, _ROWS_REFUSED)
            return
        try:
            await store.reserve_batch(batch, merchant.floor_minor)
        except UnfundedError as error:
            why = Refused(error.code, _UNFUNDED_EN, _UNFUNDED_ZH)
            await store.move_batch(batch, BatchState.REFUSED, why)

    def _problem(
        self, merchant: Merchant, row: BatchRow, month: MonthUse, now: datetime
    ) -> Refused | None:
        gateway = self._gateway
        try:
            request = request_of(row.body)
            price = accept.price_at(merchant, request.amount, now, month)
            accept.check(gateway, request, price, now)
        except GatewayError as error:
            return _refused(error)
        return None

    # --- Rows become payouts ---

    async def _accept(self, batch: Batch, merchant: Merchant) -> None:
        store, whole = self._gateway.store, batch.mode == "all_or_nothing"
        rows = await store.batch_rows(batch, 0, READ_AT_ONCE, state=RowState.WAITING)
        refused = await self._all(batch, merchant, rows)
        if refused:
            await store.refuse_rows(batch, refused)
            if whole:
                number, why = refused[0]
                await store.move_batch(batch, BatchState.UNDOING, _undone(number, why))
                return
        if len(rows) < READ_AT_ONCE:
            await self._accepted(batch)

    async def _all(
        self, batch: Batch, merchant: Merchant, rows: Sequence[BatchRow]
    ) -> list[tuple[int, Refused]]:
        """Accept rows, some on their way to the disk while the next are made; who was refused."""
        slots = asyncio.Semaphore(IN_FLIGHT)
        tasks: list[asyncio.Task[Payout]] = []
        try:
            for place, row in enumerate(rows):
                await slots.acquire()
                task = asyncio.create_task(self._one(batch, merchant, row))
                task.add_done_callback(lambda _: slots.release())
                tasks.append(task)
                if place % BREATH == 0:
                    await asyncio.sleep(0)
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        refused = []
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, GatewayError):
                refused.append((row.number, _refused(outcome)))
            elif isinstance(outcome, BaseException):
                raise outcome
        return refused

    async def _accepted(self, batch: Batch) -> None:
        """No row is waiting any more. A crash may have come between a refusal and its undoing."""
        store = self._gateway.store
        if batch.mode == "per_row":
            await store.move_batch(batch, BatchState.DONE)
            return
        refused = await store.batch_rows(batch, 0, 1, state=RowState.REFUSED)
        if refused:
            why = refused[0].refused or _TAKEN
            await store.move_batch(batch, BatchState.UNDOING, _undone(refused[0].number, why))
        else:
            await store.move_batch(batch, BatchState.RELEASING)

    async def _one(self, batch: Batch, merchant: Merchant, row: BatchRow) -> Payout:
        reserved = row.hold_minor if batch.mode == "all_or_nothing" else None
        key = f"batch:{batch.id}:{row.number}"
        intake = Intake(key, _fingerprint(batch, row), RowOfBatch(batch, row.number, reserved))
        request = request_of(row.body)
        taken = await accept.accept(self._gateway, merchant, request, intake, batch.actor)
        return taken.payout

    # --- All or nothing: the two ends ---

    async def _release(self, batch: Batch) -> None:
        store = self._gateway.store
        for first in range(0, batch.count, RELEASED_AT_ONCE):
            await store.release_rows(batch, first, first + RELEASED_AT_ONCE)
        await store.move_batch(batch, BatchState.DONE)
        self._gateway.nudged.set()

    async def _undo(self, batch: Batch) -> None:
        """Cancel what was accepted: none of it was ever due."""
        gateway, after = self._gateway, 0
        while rows := await gateway.store.batch_rows(
            batch, after, UNDONE_AT_ONCE, state=RowState.ACCEPTED
        ):
            after = rows[-1].number
            await asyncio.gather(*(self._undo_row(batch, row) for row in rows))
        await gateway.store.refuse_undone(batch)

    async def _undo_row(self, batch: Batch, row: BatchRow) -> None:
        gateway = self._gateway
        if row.payout_id is None:
            raise ValueError(f"row {row.number} of {batch.id} is accepted without a payout")
        try:
            await operate.cancel(gateway, row.payout_id, None, f"batch:{batch.id}")
        except ConflictError as error:
            if error.code == "quarantined":
                raise
            # Nobody can let it go while its batch is open. Should it have gone all the same, it
            # stays accepted: what may have been sent is never booked as if it had not.
            gateway.observer.alarm("batch.row_kept", payout_id=row.payout_id, code=error.code)
            return
        await gateway.store.undo_row(batch, row.number)


def _fingerprint(batch: Batch, row: BatchRow) -> bytes:
    """Of this very row: the same payout asked for elsewhere is another request."""
    return hashlib.sha256(f"{batch.id}/{row.number}/".encode() + row.body).digest()


def _refused(error: GatewayError) -> Refused:
    zh = error.zh or "该行不能受理"
    return Refused(error.code, error.message, zh, error.param)


def _undone(number: int, why: Refused) -> Refused:
    return Refused(
        "row_refused",
        f"row {number} could not be accepted after all ({why.en}); every other row was cancelled "
        "before it could be sent",
        f"第 {number} 行未能受理（{why.zh}），其余各行已在发出前全部撤销",
    )


_TAKEN = Refused(
    "merchant_ref_reused",
    "a payout with this merchant_ref exists already; use a new one if it is another payment",
    "该商户单号已被使用，如为另一笔付款请更换单号",
    "merchant_ref",
)
_CANCELLED = Refused(
    "batch_cancelled",
    "it was cancelled before any row was accepted; to pay it after all, upload the file under a "
    "new key",
    "批次在受理任何一行之前已被取消；如仍需付款，请以新的幂等键重新上传",
)
_CUT_OFF = Refused(
    "upload_cut_off",
    "its upload was cut off and nobody repeated it for a day; nothing of it was accepted; upload "
    "the file under a new key",
    "上传中断且 24 小时内未重新上传，未受理任何一行；请以新的幂等键重新上传",
)
_ROWS_REFUSED = Refused(
    "rows_refused",
    "some rows cannot be accepted, so none was; list them with state=refused, correct the file, "
    "and upload it under a new key",
    "部分行无法受理，整批未受理；请用 state=refused 查看，修正文件后以新的幂等键重新上传",
)
_UNFUNDED_EN = (
    "the available balance does not cover the whole batch with its fees, so no row was accepted; "
    "fund the account and upload the file again under a new key"
)
_UNFUNDED_ZH = "可用余额不足以支付整批金额和手续费，未受理任何一行；请充值后以新的幂等键重新上传"
