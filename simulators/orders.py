"""Orders of a gateway that pays by way of somebody else: what it writes, and what money does.

The two may differ: a gateway can leave an order as created, miss what happened after its repair has
stopped looking, or book a payout as failed that was made. `stage` is what the gateway says, the
books are what is true. Dialects (how a stage is worded, who is told) are the simulators' own.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from simulators.actions import Stage as Moment
from simulators.books import Books, MovementKind
from simulators.clock import BEIJING
from simulators.faults import Faults, Hits
from simulators.kernel import UnknownTriggerError


class Stage(StrEnum):
    """What the gateway says of an order."""

    CREATED = "created"
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


class Change(StrEnum):
    """What may befall an order later."""

    SETTLE = "settle"
    FAIL = "fail"
    LIE = "lie"
    """Paid, and booked as failed."""
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an order failed, in the gateway's words."""

    code: str
    text: str


@dataclass(slots=True)
class Order:
    """One order. Money has moved exactly when `paid_at` is set, whatever `stage` says."""

    account: str
    reference: str
    number: str
    """The gateway's own."""
    payee: str
    amount_minor: int
    fee_minor: int
    asked: Mapping[str, str]
    """The request's fields as they were taken in."""
    taken_at: datetime
    visible_from: datetime
    stage: Stage = Stage.CREATED
    failure: Failure | None = None
    frozen_minor: int = 0
    paid_at: datetime | None = None
    said_paid_at: datetime | None = None
    returned_at: datetime | None = None
    pays_again: bool = False
    """An institution without idempotency: a repeated number moves money again."""


@dataclass(slots=True)
class Orders:
    """All orders of one gateway on its books, and the agenda of their changes."""

    books: Books
    faults: Faults
    prefix: str
    """Begins every number of the gateway's own."""
    told: Callable[[Order, datetime, bool], None]
    """Hears of each change of what the gateway says; the flag: whether customers are told of it."""
    sees_for: Callable[[Order], timedelta | None] = lambda _: None
    """How long after taking an order its repair looks what became of it; None: for ever."""
    shows_returns: bool = True
    """Whether an order says that its money came back."""
    tells_lies: bool = True
    """Whether customers are told of a payout that was made and booked as failed."""
    failure: Failure = Failure("", "")
    """Why orders fail when nobody says why."""
    by_reference: dict[tuple[str, str], Order] = field(default_factory=dict)
    by_number: dict[str, Order] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, str, Change, Failure | None]] = field(default_factory=list)
    _count: int = 0

    def take(
        self,
        account: str,
        reference: str,
        payee: str,
        amount_minor: int,
        fee_minor: int,
        asked: Mapping[str, str],
        now: datetime,
    ) -> tuple[Order, Hits]:
        """Write an order; no money is touched. The hits are those of its own stage."""
        self._count += 1
        stamp = now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")
        order = Order(
            account=account,
            reference=reference,
            number=f"{self.prefix}{stamp}{self._count:08d}",
            payee=payee,
            amount_minor=amount_minor,
            fee_minor=fee_minor,
            asked=asked,
            taken_at=now,
            visible_from=now,
        )
        self.by_reference.setdefault((account, reference), order)
        self.by_number[order.number] = order
        hits = self.faults.pick(
            Moment.ORDER,
            op="submit",
            account=account,
            payee=payee,
            reference=reference,
            amount_minor=amount_minor,
            now=now,
        )
        if window := hits.get("not_found_window"):
            order.visible_from = now + window.duration("seconds")
        order.pays_again = "double_execute" in hits
        return order, hits

    def start(
        self,
        order: Order,
        hits: Hits,
        settle_after: timedelta,
        now: datetime,
        *,
        refused_with: Failure | None = None,
    ) -> None:
        """Have it paid in the ordinary time, or as the hits say; refused at that time if
        `refused_with` says why. Raises ShortBalanceError."""
        needed = order.amount_minor + order.fee_minor
        self.books.freeze(order.account, needed)
        order.frozen_minor = needed
        if (left := hits.get("left_created")) is not None:
            if left.flag("executed"):
                self._pay(order, now)
            self._release(order)
            return
        order.stage = Stage.PENDING
        if "settle_never" in hits:
            return
        if late := hits.get("settle_late"):
            settle_after = late.duration("after")
        change, failure = Change.SETTLE, refused_with
        if refused_with is not None:
            change = Change.FAIL
        if failed := hits.get("settle_fail"):
            change, failure = Change.FAIL, Failure(failed.text("reason"), "")
        elif lie := hits.get("failed_though_paid"):
            change, failure = Change.LIE, Failure(lie.text("reason"), "")
        self._plan(order, change, now + settle_after, failure)
        if change is Change.SETTLE and (back := hits.get("return_late")):
            self._plan(order, Change.RETURN, now + settle_after + back.duration("after"))
        self.catch_up(now)

    def fail(self, order: Order, failure: Failure, at: datetime, *, is_told: bool = True) -> None:
        """Book it as failed; what is frozen is free again."""
        self._release(order)
        order.stage, order.failure = Stage.FAILED, failure
        self.told(order, at, is_told)

    def lie(self, order: Order, failure: Failure, now: datetime) -> None:
        """Pay it and book it as failed. Raises ShortBalanceError."""
        self._pay(order, now)
        self.fail(order, failure, now, is_told=self.tells_lies)

    def pay_again(self, order: Order, now: datetime) -> None:
        """What an institution without idempotency does with a repeated number."""
        self._move(order, "payout", order.amount_minor, now)

    def find(self, account: str, reference: str, number: str, now: datetime) -> Order | None:
        """The account's order by the gateway's number, else by its own reference; None while it
        cannot be found."""
        order = self.by_number.get(number) or self.by_reference.get((account, reference))
        if order is None or order.account != account or now < order.visible_from:
            return None
        return order

    def catch_up(self, now: datetime) -> None:
        """Carry out what is due; each change at its own time, not at `now`."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, number, change, failure = heapq.heappop(self._agenda)
            self._befall(self.by_number[number], change, failure, at)

    def next_at(self) -> datetime | None:
        """When the next change is due."""
        return self._agenda[0][0] if self._agenda else None

    def of(self, reference: str) -> Order:
        """The one order of this reference. Raises UnknownTriggerError."""
        found = [o for (_, known), o in self.by_reference.items() if known == reference]
        if len(found) != 1:
            raise UnknownTriggerError(f"{len(found)} orders with reference {reference!r}")
        return found[0]

    def force(self, event: str, order: Order, now: datetime) -> None:
        """`payout.settled`, `payout.failed`, `payout.returned`. Raises UnknownTriggerError."""
        changes = {
            "payout.settled": (Change.SETTLE, order.stage is Stage.PENDING),
            "payout.failed": (Change.FAIL, order.stage is Stage.PENDING),
            "payout.returned": (Change.RETURN, order.stage is Stage.PAID),
        }
        if event not in changes:
            offered = ", ".join(changes)
            raise UnknownTriggerError(f"no event {event!r} (there are: {offered}, notice.resend)")
        change, fits = changes[event]
        if not fits:
            raise UnknownTriggerError(f"{event} does not fit an order that is {order.stage}")
        self._befall(order, change, None, now)

    def _befall(self, order: Order, change: Change, failure: Failure | None, at: datetime) -> None:
        if change is Change.RETURN:
            if order.paid_at is not None and order.returned_at is None:
                self._return(order, at)
            return
        if order.stage is not Stage.PENDING:
            return
        sees_for = self.sees_for(order)
        sees = sees_for is None or at - order.taken_at <= sees_for
        if change is not Change.FAIL:
            self._release(order)
            self._pay(order, at)
        if not sees:
            if change is Change.FAIL:
                self._release(order)
            return
        if change is Change.SETTLE:
            order.stage, order.said_paid_at = Stage.PAID, at
            self.told(order, at, True)
        else:
            why = failure if failure is not None and failure.code else self.failure
            self.fail(order, why, at, is_told=change is Change.FAIL or self.tells_lies)

    def _pay(self, order: Order, at: datetime) -> None:
        self._release(order)
        self._move(order, "payout", order.amount_minor, at)
        if order.fee_minor:
            self._move(order, "fee", order.fee_minor, at)
        order.paid_at = at

    def _return(self, order: Order, at: datetime) -> None:
        self._move(order, "return", order.amount_minor, at)
        order.returned_at = at
        if self.shows_returns and order.stage is Stage.PAID:
            order.stage = Stage.RETURNED
            self.told(order, at, True)

    def _move(self, order: Order, kind: MovementKind, amount_minor: int, at: datetime) -> None:
        self.books.move(
            kind,
            at=at,
            account=order.account,
            amount_minor=amount_minor,
            reference=order.reference,
            payee="" if kind == "fee" else order.payee,
            channel_ref=order.number,
        )

    def _release(self, order: Order) -> None:
        self.books.unfreeze(order.account, order.frozen_minor)
        order.frozen_minor = 0

    def _plan(
        self, order: Order, change: Change, at: datetime, failure: Failure | None = None
    ) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (at, self._count, order.number, change, failure))
