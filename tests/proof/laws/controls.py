"""Negative controls: stores and rules broken on purpose, each of which a machine must find out."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

from msgspec.structs import replace

from gateway.domain.audit import Deed
from gateway.domain.payout import MerchantId, Payout
from gateway.ports import Change
from gateway.store import units
from gateway.store.audit import Audit
from gateway.store.database import Group, Unit
from gateway.store.outbox import Outbox
from gateway.store.payouts import Payouts
from gateway.store.store import SqlStore
from gateway.store.units import Units


@contextmanager
def _no_guard() -> Iterator[None]:
    """Floors of balances are not looked at."""
    with mock.patch.object(Group, "check", return_value=None):
        yield


@contextmanager
def _stale_writes() -> Iterator[None]:
    """Compare-and-set without comparing: a postponement of an old version goes through."""
    postpone = Payouts.postpone

    async def careless(
        self: SqlStore, payout: Payout, due_at: datetime, decision: bytes | None
    ) -> None:
        current = await self.payout(payout.id)
        await postpone(self, current or payout, due_at, decision)

    with mock.patch.object(SqlStore, "postpone", careless):
        yield


@contextmanager
def _body_not_compared() -> Iterator[None]:
    """The same key is the same request, whatever it says."""
    earlier = Payouts._earlier

    async def careless(self: SqlStore, payout: Payout, intake: Any) -> Payout:
        found = await self._rows(
            {"merchant_id": payout.merchant_id, "idempotency_key": intake.idempotency_key}, 1
        )
        if found:
            (known,) = await self._opened(found)
            return known
        return await earlier(self, payout, intake)

    with mock.patch.object(SqlStore, "_earlier", careless):
        yield


@contextmanager
def _resend_for_anybody() -> Iterator[None]:
    """A merchant may have another's webhook sent again."""
    resend = Outbox.resend

    async def careless(
        self: SqlStore, merchant_id: MerchantId, delivery_id: str, now: datetime
    ) -> bool:
        both = (MerchantId(merchant_id[:-1] + letter) for letter in "ab")
        return any([await resend(self, one, delivery_id, now) for one in both])

    with mock.patch.object(SqlStore, "resend", careless):
        yield


@contextmanager
def _tally_forgotten() -> Iterator[None]:
    """What a channel carries is not counted down."""
    fill = Units._fill

    def careless(self: Units, unit: Any, change: Change) -> None:
        fill(self, unit, change)
        for key in [key for key, delta in unit.tallies.items() if delta < 0]:
            del unit.tallies[key]

    with mock.patch.object(units.Units, "_fill", careless):
        yield


@contextmanager
def _row_not_logged() -> Iterator[None]:
    """Of several rows that wait to be logged, the first is passed over."""
    to_log = Audit._to_log

    async def careless(self: SqlStore, *given: Any) -> list[Deed]:
        found = [*await to_log(self, *given)]
        return found[1:] if len(found) > 1 else found

    with mock.patch.object(SqlStore, "_to_log", careless):
        yield


@contextmanager
def _spent_twice() -> Iterator[None]:
    """A proposal that was decided makes another certificate."""
    looked_after = Units._looked_after

    def careless(self: Units, unit: Any, change: Change) -> None:
        looked_after(self, unit, replace(change, approval=None))

    with mock.patch.object(units.Units, "_looked_after", careless):
        yield


@contextmanager
def _epoch_forgotten() -> Iterator[None]:
    """What was decided before a takeover is written after it."""
    record = Payouts.record

    async def careless(self: SqlStore, change: Change) -> None:
        before, known = change.before, await self.payout(change.after.id)
        if before is not None and known is not None:
            change = replace(change, before=replace(before, epoch=known.epoch))
        await record(self, change)

    with mock.patch.object(SqlStore, "record", careless):
        yield


@contextmanager
def _anybody_sends() -> Iterator[None]:
    """Whoever read a payout may arm it, whose ever it is."""
    moved = Units.moved

    def careless(self: Units, change: Change, worker: int | None = 0) -> Unit:
        return moved(self, change, change.before.worker if change.before else worker)

    with mock.patch.object(units.Units, "moved", careless):
        yield


CONTROLS: dict[str, tuple[str, Callable[[], AbstractContextManager[None]]]] = {
    "floors are not looked at": ("store", _no_guard),
    "a stale postponement goes through": ("store", _stale_writes),
    "the body of a repeated key is not compared": ("idempotency", _body_not_compared),
    "webhooks are sent again for anybody": ("store", _resend_for_anybody),
    "tallies only grow": ("store", _tally_forgotten),
    "a row is never logged": ("incidents and log", _row_not_logged),
    "a proposal is spent twice": ("incidents and log", _spent_twice),
    "an older epoch still writes": ("claims", _epoch_forgotten),
    "anybody may send": ("claims", _anybody_sends),
}
"""By what is broken: the machine that must find out, and how."""
