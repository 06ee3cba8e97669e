"""Orders of the UnionPay simulator, and the moments at which they change by themselves.

An accepted payout is under way with its money frozen, then paid or failed; a paid one may come back
days later (退票), which a query does not show: only the settlement file of that day does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simulators.unionpay.messages import long_stamp
from simulators.unionpay.submission import Submission


class Status(StrEnum):
    """Where an order stands."""

    UNDER_WAY = "under_way"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


class Change(StrEnum):
    """What may befall an order later."""

    SETTLE = "settle"
    FAIL = "fail"
    RETURN = "return"


@dataclass(slots=True)
class Order:
    """One order; money has moved exactly when `paid_at` is set."""

    account: str
    submission: Submission
    query_id: str
    trace: str
    taken_at: datetime
    visible_from: datetime
    status: Status = Status.UNDER_WAY
    fee_minor: int = 0
    """Frozen along with the amount while under way, charged with it."""
    paid_at: datetime | None = None
    returned_at: datetime | None = None
    failure: str = ""
    """The origRespCode of a failed order."""
    pays_again: bool = False
    """An institution without idempotency: a repeated number moves money again."""

    @property
    def reference(self) -> str:
        """The merchant's orderId."""
        return self.submission.reference

    @property
    def fate(self) -> str:
        """The origRespCode now; a return does not change it."""
        if self.status is Status.FAILED:
            return self.failure
        return "05" if self.paid_at is None else "00"


@dataclass(slots=True)
class OrderBook:
    """All orders, by every name they can be asked for, and the agenda of their changes."""

    by_number: dict[tuple[str, str, str], Order] = field(default_factory=dict)
    """By account, orderId and the *day* of txnTime: on another day the same number is a new
    order."""
    by_query_id: dict[str, Order] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, str, Change]] = field(default_factory=list)
    _count: int = 0

    def known(self, account: str, reference: str, txn_time: str) -> Order | None:
        """The order of this number on the day of this txnTime."""
        return self.by_number.get((account, reference, txn_time[:8]))

    def take(self, account: str, submission: Submission, now: datetime) -> Order:
        """Enter an order; no money is touched."""
        self._count += 1
        order = Order(
            account=account,
            submission=submission,
            query_id=f"{long_stamp(now)}{self._count:07d}",
            trace=f"{self._count % 10**6:06d}",
            taken_at=now,
            visible_from=now,
        )
        self.by_number[account, submission.reference, submission.txn_time[:8]] = order
        self.by_query_id[order.query_id] = order
        return order

    def plan(self, order: Order, change: Change, at: datetime) -> None:
        """Put a change on the agenda."""
        self._count += 1
        heapq.heappush(self._agenda, (at, self._count, order.query_id, change))

    def due(self, now: datetime) -> Iterator[tuple[datetime, Order, Change]]:
        """Take changes off the agenda in the order of their times, up to `now`."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, query_id, change = heapq.heappop(self._agenda)
            yield at, self.by_query_id[query_id], change

    def next_at(self) -> datetime | None:
        """When the next change is due."""
        return self._agenda[0][0] if self._agenda else None

    def of_reference(self, reference: str) -> list[Order]:
        """Every account's and every day's order with this number."""
        return [o for (_, known, _), o in self.by_number.items() if known == reference]

    def taken_on(self, account: str, day: str) -> int:
        """Fen of this account's orders of a day (of their txnTime) that did not fail."""
        return sum(
            order.submission.amount_minor
            for (owner, _, on), order in self.by_number.items()
            if owner == account and on == day and order.status is not Status.FAILED
        )
