"""Suspected retries: another number that asked for the same a short while ago.

Callers that hear nothing ask again under a new number. Of many at once the store's claim lets one
through; the others wait for a person, or are refused where the merchant wants that.
"""

from contextlib import suppress
from datetime import timedelta

from gateway.api.dialects.order import Order
from gateway.domain.dialect import ENDED_UNPAID, SUSPECTED_RETRY, DialectAccount, standing_of
from gateway.domain.errors import ConflictError
from gateway.engine.gateway import Gateway
from gateway.engine.retries import counted
from gateway.ports import Search, StoreError

_TWINS_MAX = 20
"""So many of the newest are looked at: that all of them have failed is unlikely."""


class Twins:
    """Who may pay an amount to a payee now."""

    def __init__(self, gateway: Gateway) -> None:
        """Nothing is asked for yet."""
        self._gateway = gateway

    async def hold_for(self, account: DialectAccount, order: Order) -> str | None:
        """Why a person must look first: another number asked for the same, a short while ago.

        Raises `ConflictError` where the merchant wants such orders refused.
        """
        switches, ref = account.switches, account.ref_of(order.number)
        if not switches.soft_dedupe_minutes:
            return None
        holder = await self._claim(account, order, ref, None)
        if holder != ref:
            wanted = Search(account.merchant_id, merchant_ref=holder, limit=1)
            found = await self._gateway.store.search(wanted)
            earlier = await counted(self._gateway, found[0]) if found else None
            if earlier is not None and standing_of(earlier) in ENDED_UNPAID:
                holder = await self._claim(account, order, ref, holder)
        if holder == ref:
            native = await self._native_twin(account, order, ref)
            if native is None:
                return None
            if switches.soft_dedupe_as == "refuse":
                await self.give_up(account, order)
            holder = native
        if switches.soft_dedupe_as == "refuse":
            raise ConflictError(
                SUSPECTED_RETRY,
                f"the same payee and amount was asked for as {holder} within "
                f"{switches.soft_dedupe_minutes} minutes; ask for that one, or wait",
                zh=f"{switches.soft_dedupe_minutes} 分钟内已有相同收款账号和金额的转账，请查询原单",
            )
        return f"{SUSPECTED_RETRY}: {holder}"

    async def _native_twin(self, account: DialectAccount, order: Order, ref: str) -> str | None:
        """The merchant_ref of a payout that the merchant asked for in another way, if it wants
        those to count. They make no claims: of two at the same moment both may go."""
        if not account.switches.soft_dedupe_native:
            return None
        minutes = account.switches.soft_dedupe_minutes
        found = await self._gateway.store.payouts_to_payee(
            account.merchant_id,
            order.instrument,
            order.amount,
            since=self._gateway.clock.now() - timedelta(minutes=minutes),
            besides=ref,
            limit=_TWINS_MAX,
        )
        for payout_id in found:
            payout = await self._gateway.store.payout(payout_id)
            if payout is not None and standing_of(payout) not in ENDED_UNPAID:
                return payout.merchant_ref
        return None

    async def _claim(
        self, account: DialectAccount, order: Order, ref: str, instead_of: str | None
    ) -> str:
        now = self._gateway.clock.now()
        return await self._gateway.store.claim_payee(
            account.merchant_id,
            order.instrument,
            order.amount,
            ref,
            at=now,
            before=now - timedelta(minutes=account.switches.soft_dedupe_minutes),
            instead_of=instead_of,
        )

    async def give_up(self, account: DialectAccount, order: Order) -> None:
        """Nothing was stored: the next number for this payee is no retry. Failing is harmless."""
        with suppress(StoreError):
            await self._gateway.store.drop_claim(
                account.merchant_id, order.instrument, order.amount, account.ref_of(order.number)
            )
