"""Splits: several payouts accepted in one commit (`ports.SplitStore`)."""

from collections.abc import Sequence

from channels.money import Currency, Money
from gateway.domain.errors import ConflictError
from gateway.domain.payout import MerchantId, Payout
from gateway.domain.split import LEGS_MAX, Split, SplitId
from gateway.ports import Change, Intake
from gateway.store.codec import moment
from gateway.store.database import Row
from gateway.store.payouts import Payouts
from gateway.store.units import TakenError


class Splits(Payouts):
    """Everything about splits that is not about their legs."""

    async def accept_split(
        self,
        split: Split,
        changes: Sequence[Change],
        intakes: Sequence[Intake],
        floor_minor: int | None,
    ) -> Split:
        """Store a split with all its legs, or return the earlier one for the same key and body."""
        await self._may_seal()
        try:
            await self._owe(self._units.split(split, changes, intakes, floor_minor))
        except TakenError:
            return await self._earlier_split(split, changes, intakes[0])
        return split

    async def split(
        self,
        merchant_id: MerchantId | None,
        *,
        split_id: str | None = None,
        merchant_ref: str | None = None,
    ) -> Split | None:
        """One split by its id or the merchant's own number; another merchant's is None."""
        found = await self._splits(merchant_id, id=split_id, merchant_ref=merchant_ref)
        return _split(found[0]) if found else None

    async def legs(self, split: Split) -> list[Payout]:
        """The payouts of a split, by leg."""
        found = await self._find({"merchant_id": split.merchant_id, "split_id": split.id}, LEGS_MAX)
        return sorted(found, key=lambda payout: payout.leg.number if payout.leg else 0)

    async def _splits(self, merchant_id: MerchantId | None, **given: str | None) -> Sequence[Row]:
        every = dict.fromkeys(("id", "idempotency_key", "merchant_ref"))
        return await self._read("splits", {**every, **given, "merchant_id": merchant_id})

    async def _earlier_split(
        self, split: Split, changes: Sequence[Change], intake: Intake
    ) -> Split:
        """Answer a repeated request from what is stored, or say what of it is taken."""
        await self._beat()
        merchant_id = split.merchant_id
        for column, value in (
            ("idempotency_key", intake.idempotency_key),
            ("merchant_ref", split.merchant_ref),
        ):
            found = await self._splits(merchant_id, **{column: value})
            if found and bytes(found[0][7]) == intake.fingerprint:
                return _split(found[0])
            if found:
                raise _reused(column, column)
        if await self._rows(
            {"merchant_id": merchant_id, "idempotency_key": intake.idempotency_key}, 1
        ):
            raise _reused("idempotency_key", "idempotency_key")
        for number, change in enumerate(changes):
            ref = change.after.merchant_ref
            if await self._rows({"merchant_id": merchant_id, "merchant_ref": ref}, 1):
                raise _reused("merchant_ref", f"legs.{number}.merchant_ref")
        raise _reused("merchant_ref", "merchant_ref")


def _reused(column: str, param: str) -> ConflictError:
    what = "idempotency key" if column == "idempotency_key" else "merchant_ref"
    zh = "幂等键" if column == "idempotency_key" else "商户单号"
    return ConflictError(
        f"{column}_reused",
        f"this {what} was used before, for something else; use a new one for a new split",
        zh=f"该{zh}已用于其他请求，新的分账请使用新的值",
        param=param,
    )


def _split(row: Row) -> Split:
    return Split(
        id=SplitId(row[1]),
        merchant_id=MerchantId(row[0]),
        merchant_ref=row[2],
        total=Money(row[4], Currency(row[3])),
        legs=row[5],
        accepted_at=moment(row[6]),
    )
