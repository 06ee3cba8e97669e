"""Payouts, their attempts, events and decisions (`ports.PayoutStore`)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import orjson

from channels.contract import Evidence
from channels.money import Currency
from gateway.domain.errors import ConflictError
from gateway.domain.ledger import Book
from gateway.domain.payout import MerchantId, Payout, PayoutId, PayoutState
from gateway.ports import (
    Change,
    ChannelUse,
    Intake,
    Search,
    StaleError,
    StoredEvent,
    StoreError,
)
from gateway.store import codec, rows
from gateway.store.codec import micros, micros_or_none, moment
from gateway.store.database import Row, Rows, Unit
from gateway.store.part import Part
from gateway.store.units import (
    DAY_SHIFT_US,
    DAY_US,
    QUARTER_US,
    TakenError,
    month_bucket,
    month_owner,
)
from policies.fees import UNUSED, MonthUse

_ANY: dict[str, Any] = dict.fromkeys(
    (
        "id",
        "merchant_id",
        "idempotency_key",
        "merchant_ref",
        "state",
        "split_id",
        "channel",
        "accepted_from",
        "accepted_until",
        "before_id",
    )
)


class Payouts(Part):
    """Everything about payouts."""

    async def accept(
        self,
        change: Change,
        intake: Intake,
        floor_minor: int | None,
        arming: Change | None = None,
    ) -> Payout:
        """Store a new payout, or return the earlier one for the same key and body."""
        await self._may_seal()
        unit = self._units.accepted(change, intake, floor_minor)
        if arming is not None:
            self._units.move(unit, arming, self._worker)
        try:
            await self._owe(unit)
        except TakenError:
            return await self._earlier(change.after, intake)
        return change.after if arming is None else arming.after

    async def record(self, change: Change) -> None:
        """Commit a move guarded by `before.version`."""
        await self._may_seal()
        await self._owe(self._units.moved(change, self._worker))

    async def postpone(self, payout: Payout, due_at: datetime, decision: bytes | None) -> None:
        """Look at it again at `due_at`; no event. Silently does nothing when it has moved on."""
        unit = Unit()
        unit.add(
            self._queries["postpone_payout"],
            {
                "merchant_id": payout.merchant_id,
                "id": payout.id,
                "version": payout.version,
                "epoch": payout.epoch,
                "due_at": micros(due_at),
            },
            lambda: StaleError(f"{payout.id} has moved on"),
        )
        self._units.decided(unit, payout, micros(self._clock.now()), decision)
        try:
            await self._database.write(unit)
        except StaleError:
            return

    async def payout(
        self, payout_id: PayoutId, merchant_id: MerchantId | None = None
    ) -> Payout | None:
        """One payout with its attempts; another merchant's is None."""
        found = await self._find({"id": payout_id, "merchant_id": merchant_id}, 1)
        return found[0] if found else None

    async def search(self, search: Search) -> list[Payout]:
        """A page of payouts, newest first."""
        return await self._find(
            {
                "merchant_id": search.merchant_id,
                "state": search.state,
                "merchant_ref": search.merchant_ref,
                "channel": search.channel,
                "accepted_from": micros_or_none(search.accepted_from),
                "accepted_until": micros_or_none(search.accepted_until),
                "before_id": search.before_id,
            },
            search.limit,
        )

    async def due(self, now: datetime, limit: int) -> list[PayoutId]:
        """This worker's payouts, and nobody's, whose `due_at` has come; takes none over."""
        found = await self._read(
            "due_payouts", {"now": micros(now), "limit": limit, "worker": self._worker or 0}
        )
        return [PayoutId(row[0]) for row in found]

    async def next_due_at(self) -> datetime | None:
        """The earliest `due_at` of this worker's payouts, and of nobody's."""
        ((earliest,),) = await self._read("next_due_at", {"worker": self._worker or 0})
        return codec.moment_or_none(earliest)

    async def armed(self, limit: int) -> list[PayoutId]:
        """Payouts whose live attempt is ARMED: after a crash, perhaps sent and perhaps not."""
        return [PayoutId(row[0]) for row in await self._read("armed_payouts", {"limit": limit})]

    async def by_reference(self, channel: str, reference: str) -> PayoutId | None:
        """Whose attempt a reference names."""
        found = await self._read(
            "payout_by_reference", {"channel": channel, "reference": reference}
        )
        return PayoutId(found[0][0]) if found else None

    async def timeline(self, payout_id: PayoutId) -> list[StoredEvent]:
        """All events of a payout, in order."""
        return [_event(row) for row in await self._read("timeline", {"payout_id": payout_id})]

    async def feed(
        self, merchant_id: MerchantId | None, after: int, limit: int
    ) -> list[StoredEvent]:
        """Events of a merchant after a feed position, in order, none ever skipped."""
        found = await self._read(
            "feed", {"merchant_id": merchant_id, "after": after, "limit": limit}
        )
        return [_event(row) for row in found]

    async def decisions(self, payout_id: PayoutId) -> list[tuple[datetime, bytes]]:
        """Every stored routing decision of a payout, in order."""
        found = await self._read("decisions", {"payout_id": payout_id})
        return [(moment(row[0]), bytes(row[1])) for row in found]

    async def evidence(self, payout_id: PayoutId) -> list[tuple[int, Evidence]]:
        """What channels said, by event number."""
        found = await self._read("evidence", {"payout_id": payout_id})
        await self._may_open(*(row[2] for row in found))
        return [
            (
                row[0],
                codec.evidence_of(
                    self._vault.open(row[2], row[1], "evidence", f"{payout_id}/{row[0]}")
                ),
            )
            for row in found
        ]

    async def use(
        self, day_start: datetime, months: Mapping[str, datetime] | None = None
    ) -> dict[str, ChannelUse]:
        """What every channel carries, by name; `months` says since when each one's month counts."""
        counted = {
            (kind, channel): total
            for kind, channel, total in await self._read(
                "channel_use", {"quarter": micros(day_start) // QUARTER_US}
            )
        }
        floats: dict[str, int] = {}
        for _, channel, _, minor in await self._read(
            "balances", {"book": Book.FLOAT, "owner": None}
        ):
            # One account at an institution has one currency; were there two, promise the less.
            floats[channel] = min(minor, floats.get(channel, minor))
        month = await self._month_use(months or {})
        use = {}
        for channel in sorted({channel for _, channel in counted} | set(floats) | set(month)):
            armed, pending, in_doubt = (
                counted.get((f"attempt:{state}", channel), 0)
                for state in ("armed", "pending", "in_doubt")
            )
            use[channel] = ChannelUse(
                channel=channel,
                inflight=armed + pending + in_doubt,
                in_doubt=in_doubt,
                day_used_minor=counted.get(("armed", channel), 0),
                float_minor=floats.get(channel, 0),
                month=month.get(channel, UNUSED),
            )
        return use

    async def _month_use(self, months: Mapping[str, datetime]) -> dict[str, MonthUse]:
        """What was armed since each channel's month began, less what died; one read a time zone."""
        use: dict[str, MonthUse] = {}
        for start in set(months.values()):
            since = micros(start)
            # The business days that lie in the month whole, and the quarters before the first one.
            first_day = -(-(since + DAY_SHIFT_US) // DAY_US)
            found = await self._read(
                "month_use",
                {
                    "quarter": since // QUARTER_US,
                    "quarter_end": (first_day * DAY_US - DAY_SHIFT_US) // QUARTER_US,
                    "day": first_day,
                },
            )
            for kind, channel, total in found:
                if months.get(channel) == start:
                    known = use.get(channel, UNUSED)
                    more = MonthUse(total, 0) if kind.endswith("count") else MonthUse(0, total)
                    use[channel] = MonthUse(known.payouts + more.payouts, known.minor + more.minor)
        return use

    async def arrivals(self, channel: str, limit: int) -> list[tuple[datetime, datetime]]:
        """When money of the channel's latest paid attempts was sent and arrived, newest first."""
        found = await self._read("arrivals", {"channel": channel, "limit": limit})
        return [(moment(row[0]), moment(row[1])) for row in found]

    async def merchant_month(
        self, merchant_id: MerchantId, currency: Currency, month_on: date
    ) -> MonthUse:
        """What a merchant asked for in a month, less what failed or was cancelled."""
        found = await self._read(
            "merchant_month",
            {"owner": month_owner(merchant_id, currency), "month": month_bucket(month_on)},
        )
        total = {row[0]: row[1] for row in found}
        return MonthUse(total.get("asked_count", 0), total.get("asked", 0))

    async def counts(self) -> dict[PayoutState, int]:
        """How many payouts stand in each state."""
        counted = {row[0]: row[1] for row in await self._read("payout_counts", {})}
        return {state: counted.get(state.value, 0) for state in PayoutState}

    async def payouts_by_payee(
        self, merchant_id: MerchantId, payee: bytes, limit: int
    ) -> list[PayoutId]:
        """A merchant's payouts that may go to a payee (`codec.payee_of`), newest first."""
        found = await self._read(
            "payouts_by_payee",
            {
                "merchant_id": merchant_id,
                "payee_index": self._vault.blind_index(payee),
                "limit": limit,
            },
        )
        return [PayoutId(row[0]) for row in found]

    async def _find(self, filters: dict[str, object], limit: int) -> list[Payout]:
        return await self._opened(await self._rows(filters, limit))

    async def _rows(self, filters: dict[str, object], limit: int) -> Rows:
        return await self._read("find_payouts", {**_ANY, **filters, "limit": limit})

    async def _opened(self, found: Rows) -> list[Payout]:
        await self._may_open(*(row[column] for row in found for column in rows.SEALED))
        return rows.payouts_of(self._vault, found)

    async def _earlier(self, payout: Payout, intake: Intake) -> Payout:
        """Answer a repeated request from what is stored, once that is certainly durable."""
        # What refused the insert may sit in a log that no one has flushed: a crash between writing
        # and flushing leaves such rows. A durable write behind it carries it along.
        await self._beat()
        for column, value, code, what in (
            (
                "idempotency_key",
                intake.idempotency_key,
                "idempotency_key_reused",
                ("this idempotency key", "该幂等键"),
            ),
            (
                "merchant_ref",
                payout.merchant_ref,
                "merchant_ref_reused",
                ("this merchant_ref", "该商户单号"),
            ),
        ):
            found = await self._rows({"merchant_id": payout.merchant_id, column: value}, 1)
            if not found:
                continue
            if bytes(found[0][20]) != intake.fingerprint:
                raise ConflictError(
                    code,
                    f"{what[0]} was used before, with another request body; "
                    "use a new one for a new payout",
                    zh=f"{what[1]}已用于内容不同的请求，新的付款请使用新的值",
                    param=column,
                )
            (earlier,) = await self._opened(found)
            return earlier
        raise StoreError(f"the id {payout.id} is taken")


def _event(row: Row) -> StoredEvent:
    return StoredEvent(
        feed=row[0],
        payout_id=PayoutId(row[1]),
        seq=row[2],
        kind=row[3],
        state=PayoutState(row[4]),
        at=moment(row[5]),
        actor=row[6],
        detail=orjson.loads(row[7]),
    )
