"""A held order that repeats another one: what a person's word makes of it.

A caller whose reply was lost asks again under a new number. The soft dedupe holds that one, and a
person decides: a payment of its own is released, a retry is cancelled, and from then on its number
is answered with what became of the first one. The cancelling event is the record of it: it cannot
be changed or taken back, names both orders, and gives the hold back in the same commit.
"""

from gateway.domain.dialect import (
    ENDED_UNPAID,
    RETRY_OF,
    original_of,
    standing_of,
    suspected_of,
)
from gateway.domain.errors import ConflictError, ForbiddenError, InvalidError
from gateway.domain.payout import Cancelled, MerchantId, Payout, PayoutId
from gateway.engine.gateway import Gateway
from gateway.engine.operate import check_may_cancel, find
from gateway.engine.record import move
from gateway.ports import Search, StaleError


async def confirm(
    gateway: Gateway, payout_id: str, *, of: str, note: str, actor: str, person: str | None
) -> Payout:
    """A person says that the held payout repeats `of` (its id or merchant_ref).

    Repeating it returns the cancelled payout. Raises `ConflictError` unless the payout is held as a
    suspected retry of that very order, for the same amount, and the order may still be paid or is.
    """
    who = _someone(person)
    for _ in range(8):
        payout = await find(gateway, payout_id, None)
        known = original_of(payout)
        if known is not None:
            if of in {known, (await find(gateway, known, payout.merchant_id)).merchant_ref}:
                return payout
            raise _another(known)
        original = await _original(gateway, payout, of)
        await check_may_cancel(gateway, payout)
        event = Cancelled(who, f"{RETRY_OF}: {original.id}", note.strip() or None)
        try:
            return await move(gateway, payout, [event], actor=actor)
        except StaleError:
            continue
    raise ConflictError(
        "busy", f"{payout_id} keeps moving; look again", zh="代付单正在变化，请重试"
    )


async def counted(gateway: Gateway, stored: Payout) -> Payout | None:
    """The payout that tells what became of an order: itself, or what it was found to repeat.

    None if that cannot be found, in which case nobody knows.
    """
    original = original_of(stored)
    if original is None:
        return stored
    return await gateway.store.payout(original, stored.merchant_id)


async def _original(gateway: Gateway, payout: Payout, of: str) -> Payout:
    """The order that the payout is suspected to repeat, if that is the one that is meant."""
    ref = suspected_of(payout)
    if ref is None:
        raise ConflictError(
            "not_a_suspected_retry",
            f"only a payout that is held as a suspected retry can be one; this is {payout.state}"
            f" ({payout.reason or 'no reason'})",
            zh=f"仅因疑似重复提交而待审的代付可确认为重复，当前状态 {payout.state}",
        )
    original = await _by_ref(gateway, payout.merchant_id, ref)
    if original is None or of not in {original.id, original.merchant_ref}:
        raise InvalidError(
            "another_order",
            f"it is suspected to repeat {ref}, not {of[:80]}; name that one, by its id or its "
            "merchant_ref",
            zh=f"该代付疑似重复的是 {ref}，请填写该单的 id 或商户单号",
            param="of",
        )
    if original.asked != payout.asked or suspected_of(original) is not None:
        raise ConflictError(
            "not_the_same",
            "the two orders are for different amounts, or the first one is itself held as a "
            "suspected retry; decide about that one first",
            zh="两单金额不同，或原单本身也在疑似重复审核中，请先处理原单",
        )
    if standing_of(original) in ENDED_UNPAID:
        raise ConflictError(
            "original_unpaid",
            f"{ref} ended {original.state}: its money is not with the payee; release this payout "
            "to pay, or cancel it",
            zh=f"原单 {ref} 已结束且款项不在收款方（{original.state}），请放行本单付款或取消本单",
        )
    return original


async def _by_ref(gateway: Gateway, merchant_id: MerchantId, ref: str) -> Payout | None:
    found = await gateway.store.search(Search(merchant_id, merchant_ref=ref, limit=1))
    return found[0] if found else None


def _another(original: PayoutId) -> ConflictError:
    return ConflictError(
        "decided_already",
        f"it was found to be a retry of {original} before; that cannot be changed",
        zh="该代付此前已确认为另一单的重复提交，不可更改",
        param="of",
    )


def _someone(person: str | None) -> str:
    if person is None or not person.strip():
        raise ForbiddenError(
            "person_unknown",
            "only a person decides this, and this key does not say whose it is; make operators' "
            "keys with --person",
            zh="须由具名人员确认，该密钥未登记使用人，请用 --person 创建",
        )
    return person.strip()
