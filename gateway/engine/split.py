"""Intake of splits: each leg is checked, priced and screened as a payout; all commit at once."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from channels.money import Money
from gateway.domain.errors import AbsenceError, InvalidError
from gateway.domain.ledger import posting
from gateway.domain.payout import Accepted, Leg, MerchantId, Payout, PayoutId, lasting_id
from gateway.domain.split import Split, SplitId, SplitStatus, status_of
from gateway.engine.accept import (
    PRICINGS_MAX,
    Price,
    Request,
    begin,
    check,
    first_payout,
    priced_for,
)
from gateway.engine.gateway import Gateway
from gateway.ports import Change, Intake, Merchant, MonthMovedError
from policies.fees import MonthUse


class SplitRequest(Struct, frozen=True):
    """What a merchant asks for: its own number, and a payout for each leg in one currency."""

    merchant_ref: str
    legs: tuple[Request, ...]


class StoredSplit(Struct, frozen=True):
    """A split with its legs as they stand."""

    split: Split
    legs: tuple[Payout, ...]
    repeated: bool = False

    @property
    def status(self) -> SplitStatus:
        """Where it stands."""
        return status_of(leg.state for leg in self.legs)


async def accept_split(
    gateway: Gateway, merchant: Merchant, request: SplitRequest, intake: Intake, actor: str
) -> StoredSplit:
    """Store all legs in one commit, or none; or return the earlier split of the same key and body.

    Raises as `accept.accept` does; `param` names the leg at fault.
    """
    for _ in range(PRICINGS_MAX - 1):
        with suppress(MonthMovedError):
            return await _accept(gateway, merchant, request, intake, actor)
    return await _accept(gateway, merchant, request, intake, actor)


async def find_split(
    gateway: Gateway, split_id: str, merchant_id: MerchantId | None
) -> StoredSplit:
    """A split with its legs; `AbsenceError` for none, and for another merchant's."""
    found = await gateway.store.split(merchant_id, split_id=split_id)
    if found is None:
        raise AbsenceError("split_not_found", "there is no such split", zh="分账单不存在")
    return StoredSplit(found, tuple(await gateway.store.legs(found)))


async def _accept(
    gateway: Gateway, merchant: Merchant, request: SplitRequest, intake: Intake, actor: str
) -> StoredSplit:
    now = gateway.clock.now()
    prices = await _priced(gateway, merchant, request, now)
    ids = [
        PayoutId(lasting_id(gateway.installation, merchant.id, leg.merchant_ref, now))
        for leg in request.legs
    ]
    try:
        _check(gateway, request, prices, now)
    except InvalidError:
        # As for a payout: what the clock or the channels say now does not unmake a stored one.
        if await gateway.store.split(merchant.id, merchant_ref=request.merchant_ref) is None:
            raise
        free = Money.zero(request.legs[0].amount.currency)
        prices = [Price(leg.amount, free, None) for leg in request.legs]
    total = sum((leg.amount for leg in request.legs[1:]), request.legs[0].amount)
    # Splits have a name of their own for what is derived from: a payout may bear the same number.
    named = lasting_id(gateway.installation, merchant.id, f"split\x1f{request.merchant_ref}", now)
    split = Split(
        SplitId("sp_" + named.removeprefix("po_")),
        merchant.id,
        request.merchant_ref,
        total,
        len(request.legs),
        now,
    )
    changes = [
        _change(gateway, merchant, leg, price, payout_id, split, number, actor)
        for number, (leg, price, payout_id) in enumerate(
            zip(request.legs, prices, ids, strict=True), start=1
        )
    ]
    stored = await gateway.store.accept_split(
        split, changes, _intakes(intake, split.legs), merchant.floor_minor
    )
    if stored is not split:
        legs = await gateway.store.legs(stored)
        return StoredSplit(stored, tuple(legs), repeated=True)
    for change in changes:
        begin(gateway, change)
    return StoredSplit(split, tuple(change.after for change in changes))


async def _priced(
    gateway: Gateway, merchant: Merchant, request: SplitRequest, now: datetime
) -> list[Price]:
    """Each leg's fee, as if the legs before it had been accepted already."""
    found: list[Price] = []
    earlier = MonthUse()
    for leg in request.legs:
        found.append(await priced_for(gateway, merchant, leg.amount, now, earlier))
        earlier = MonthUse(earlier.payouts + 1, earlier.minor + leg.amount.minor)
    return found


def _check(
    gateway: Gateway,
    request: SplitRequest,
    prices: Sequence[Price],
    now: datetime,
) -> None:
    """Refuse the whole split for one leg, and say which."""
    for number, (leg, price) in enumerate(zip(request.legs, prices, strict=True)):
        try:
            check(gateway, leg, price, now)
        except InvalidError as error:
            raise InvalidError(
                error.code,
                f"leg {number + 1}: {error.message}",
                zh=error.zh and f"第 {number + 1} 笔：{error.zh}",
                param=f"legs.{number}.{error.param}",
            ) from None


def _change(
    gateway: Gateway,
    merchant: Merchant,
    request: Request,
    price: Price,
    payout_id: PayoutId,
    split: Split,
    number: int,
    actor: str,
) -> Change:
    now = split.accepted_at
    payout = first_payout(gateway, merchant, request, price, payout_id, now)
    payout = replace(payout, leg=Leg(split.id, number, split.legs, split.merchant_ref))
    event = Accepted(payout.state, payout.reason)
    return Change(None, payout, (event,), (posting(None, payout, event),), actor)


def _intakes(own: Intake, legs: int) -> list[Intake]:
    """The split's, then its legs'. The first leg has the split's key, so that no payout can have
    it; keys of the others begin as no caller's key does.
    """
    keys = [own.idempotency_key]
    keys += [f"leg:{number}:{own.idempotency_key}" for number in range(2, legs + 1)]
    return [own, *(Intake(key, own.fingerprint) for key in keys)]
