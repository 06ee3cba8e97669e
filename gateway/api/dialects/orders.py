"""Orders of every dialect: taken in once, answered in time, found by either number.

What holds for all of them, whatever their words: no channel is called while a caller waits; an
outcome that nobody knows is an `Shown` without payout, which every dialect tells as "processing";
a refusal is raised only when nothing is stored under the order's number.

What is under way is known to this process alone. Of several processes on one database another may
refuse, or call unknown, a number that is being stored here at that very moment: up to the commit,
and for `DOUBT` if its acknowledgement was lost. No second payment comes of it. Stock callers take
"no such order" in answer to a question for no outcome and keep their row; the same number sent
again is the same order, and another number for the same is held by the claim, which is in the
database. Closing it takes a moment with the allotted number, to call it "processing" for a while.
"""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from functools import partial

from gateway.api.dialects.order import Order, Shown
from gateway.api.dialects.twins import Twins
from gateway.domain.dialect import DialectAccount, DialectOrder, NotifyTo, derived_digits
from gateway.domain.errors import (
    AbsenceError,
    ConflictError,
    ForbiddenError,
    GatewayError,
    UnavailableError,
)
from gateway.domain.payout import Payout
from gateway.engine import accept
from gateway.engine.gateway import Gateway
from gateway.engine.retries import counted
from gateway.ports import CommitUnknownError, Intake, Merchant, Search, StoreError

ANSWER_S = 2.5
"""Callers give up after ten seconds at the earliest, and pay again under a new number."""
DOUBT = timedelta(minutes=1)
"""A commit whose acknowledgement was lost has come, or never comes, long before."""
FINISH_S = 10
"""So long a process that ends waits for orders that are being stored without their callers."""
_SALTS = 8


class UnstoredError(UnavailableError):
    """The store failed, and holds nothing under the number, as looked up before and after.

    Another process may be storing it in this moment, so a protocol that can say nothing at all says
    that rather than a refusal.
    """

    def __init__(self) -> None:
        """The same words each time."""
        super().__init__(
            "store_unavailable", "nothing was stored; try again shortly", zh="系统繁忙，请稍后再试"
        )


class Orders:
    """Takes orders in and finds them; one for the process."""

    def __init__(self, gateway: Gateway, *, answer_s: float = ANSWER_S) -> None:
        """`answer_s`: what takes longer goes on without its caller, who is told "processing"."""
        self._gateway = gateway
        self._twins = Twins(gateway)
        self._answer_s = answer_s
        self._running: set[asyncio.Task[Shown]] = set()
        self._under_way: Counter[tuple[str, str]] = Counter()
        """Either number of the orders that are just being taken in."""
        self._doubted: dict[tuple[str, str], datetime] = {}
        """Those whose commit was not acknowledged, and until when it may yet show."""

    async def take(
        self, account: DialectAccount, merchant: Merchant, order: Order, digits: int
    ) -> Shown:
        """Store the order, or show the earlier one of the same number and content.

        `digits`: how long our own number for it is. Raises `GatewayError` only when the number
        stands for nothing, or for something else, and nobody is just making something of it.
        """
        own_number = own_number_of(account, order.number, 0, digits)
        numbers = {(account.id, order.number), (account.id, own_number)}
        self._under_way.update(numbers)
        task = asyncio.create_task(self._take(account, merchant, order, digits))
        self._running.add(task)
        task.add_done_callback(partial(self._done, numbers))
        try:
            async with asyncio.timeout(self._answer_s):
                return await asyncio.shield(task)
        except ConflictError:
            raise
        except GatewayError:
            # Asked for twice at once, what was refused here may be stored there a moment later.
            if not self._is_under_way((account.id, order.number)):
                raise
        except Exception:  # noqa: BLE001, S110 - `_done` tells; it must not be read as "not paid"
            pass
        return Shown(order.number, own_number, None)

    async def find(self, account: DialectAccount, wanted: str, *, own_first: bool = False) -> Shown:
        """The order under either number. `AbsenceError` when there is none of this account, nor
        will be by what this process was asked for already."""
        # Looked at first: what is stored while the store is being read is not in the answer.
        is_under_way = self._is_under_way((account.id, wanted))
        try:
            async with asyncio.timeout(self._answer_s):
                found = await self._gateway.store.dialect_orders(account.id, wanted)
                if own_first:
                    found.sort(key=lambda one: one.own_number != wanted)
                for one in found:
                    payout = await self._known(account, one.number)
                    if payout is not None:
                        return await self._shown(one, payout)
        except (StoreError, TimeoutError):
            return Shown(wanted, wanted, None)
        if is_under_way:
            # Its caller was told "processing" and must not hear now that there is none.
            return Shown(wanted, wanted, None)
        raise AbsenceError("order_not_found", "there is no such order", zh="转账交易号不存在")

    async def finish(self) -> None:
        """Wait for what goes on without its caller."""
        while self._running:
            await asyncio.wait(self._running)

    async def _take(
        self, account: DialectAccount, merchant: Merchant, order: Order, digits: int
    ) -> Shown:
        known = await self._known(account, order.number)
        if known is not None and not account.switches.replay_duplicates:
            raise _exists()
        refusal = self._closed(account, merchant)
        if refusal is not None:
            if known is None:
                raise refusal
            return await self._as_stored(account, order, known)
        hold = None
        try:
            own_number = await self._allot(account, order.number, digits)
            hold = None if known is not None else await self._twins.hold_for(account, order)
            taken = await self._accept(account, merchant, order, own_number, hold)
        except ConflictError:
            raise
        except GatewayError:
            # Somebody else may have stored it since it was looked up.
            known = await self._known(account, order.number)
            if known is not None:
                return await self._as_stored(account, order, known)
            if hold is None:
                await self._twins.give_up(account, order)
            raise
        except CommitUnknownError:
            raise
        except StoreError:
            if known is None and await self._known(account, order.number) is None:
                raise UnstoredError from None
            raise
        if taken.repeated and not account.switches.replay_duplicates:
            raise _exists()
        return await self._shown(DialectOrder(order.number, own_number), taken.payout)

    async def _accept(
        self,
        account: DialectAccount,
        merchant: Merchant,
        order: Order,
        own_number: str,
        hold: str | None,
    ) -> accept.Acceptance:
        ref = account.ref_of(order.number)
        request = accept.Request(
            merchant_ref=ref,
            amount=order.amount,
            instruments=(order.instrument,),
            purpose=order.purpose,
            metadata=order.metadata,
            hold=hold,
        )
        notify = None
        if order.notify is not None:
            url, problem = order.notify.url, order.notify.problem
            notify = NotifyTo(account.id, order.number, own_number, url, problem)
        intake = Intake(f"dialect:{ref}", order.fingerprint, notify=notify)
        try:
            return await accept.accept(
                self._gateway, merchant, request, intake, f"dialect:{account.id}"
            )
        except ConflictError as error:
            raise ConflictError(
                "order_differs",
                "this order number was used before, with another content; use a new one",
                zh="该交易号已存在且内容不同，请更换交易号",
                param=error.param,
            ) from None

    def _closed(self, account: DialectAccount, merchant: Merchant) -> GatewayError | None:
        """Why nothing new is taken in; what is known is told all the same."""
        if account.removed_at is not None or not merchant.active:
            return ForbiddenError("account_closed", "this account is closed", zh="商户已被封禁")
        if self._gateway.halted is not None:
            return UnavailableError("halted", self._gateway.halted.en, zh="系统维护中，请稍后再试")
        return None

    async def _as_stored(self, account: DialectAccount, order: Order, known: Payout) -> Shown:
        same = (known.asked, known.instruments, known.purpose, dict(known.metadata)) == (
            order.amount,
            (order.instrument,),
            order.purpose,
            dict(order.metadata),
        )
        if not same:
            raise ConflictError(
                "order_differs",
                "this order number was used before, with another content",
                zh="该交易号已存在且内容不同，请更换交易号",
            )
        found = await self._gateway.store.dialect_orders(account.id, order.number)
        numbers = found[0] if found else DialectOrder(order.number, known.id)
        return await self._shown(numbers, known)

    async def _shown(self, numbers: DialectOrder, stored: Payout) -> Shown:
        """The order as it stands; a retry, in a person's word, as the one that it repeats."""
        payout = await counted(self._gateway, stored)
        return Shown(numbers.number, numbers.own_number, payout, stored)

    async def _known(self, account: DialectAccount, number: str) -> Payout | None:
        ref = account.ref_of(number)
        wanted = Search(account.merchant_id, merchant_ref=ref, limit=1)
        found = await self._gateway.store.search(wanted)
        return found[0] if found else None

    async def _allot(self, account: DialectAccount, number: str, digits: int) -> str:
        for salt in range(_SALTS):
            offered = own_number_of(account, number, salt, digits)
            allotted = await self._gateway.store.allot_number(account.id, number, offered)
            if allotted is not None:
                return allotted
        raise StoreError(f"no number of {digits} digits is free for an order of {account.id}")

    def _is_under_way(self, number: tuple[str, str]) -> bool:
        until = self._doubted.get(number)
        is_doubted = until is not None and self._gateway.clock.now() < until
        return is_doubted or self._under_way[number] > 0

    def _done(self, numbers: set[tuple[str, str]], task: "asyncio.Task[Shown]") -> None:
        self._running.discard(task)
        self._under_way.subtract(numbers)
        for one in numbers:
            if not self._under_way[one]:
                del self._under_way[one]
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, CommitUnknownError):
            now = self._gateway.clock.now()
            kept = {one: until for one, until in self._doubted.items() if now < until}
            self._doubted = kept | dict.fromkeys(numbers, now + DOUBT)
        if isinstance(error, StoreError):
            self._gateway.observer.alarm("store.unavailable")
        elif isinstance(error, Exception) and not isinstance(error, GatewayError):
            self._gateway.observer.defect("dialect.defect", error)


def _exists() -> ConflictError:
    return ConflictError(
        "order_exists",
        "this order number was used before; use a new one",
        zh="该交易号已存在，请更换交易号",
    )


def own_number_of(account: DialectAccount, number: str, salt: int, digits: int) -> str:
    """Theirs, where it has our form: some callers ask by it in our field."""
    if salt == 0 and len(number) == digits and number.isascii() and number.isdigit():
        return number
    return derived_digits(account, number, salt, digits)
