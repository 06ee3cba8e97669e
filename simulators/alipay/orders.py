"""Orders of the Alipay simulator, and the moments at which they change by themselves.

An order taken by card is DEALING with its money frozen, then SUCCESS (paid) or FAIL (released), and
a SUCCESS may become REFUND (退票: the bank sent it back). An account order is SUCCESS at once.
Source: alipay.fund.trans.common.query, "status".
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simulators.alipay.submission import Submission
from simulators.clock import BEIJING


class Status(StrEnum):
    """The statuses an order of these two products takes."""

    DEALING = "DEALING"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    REFUND = "REFUND"


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
    order_id: str
    fund_order_id: str
    taken_at: datetime
    visible_from: datetime
    status: Status = Status.DEALING
    fee_minor: int = 0
    """Frozen along with the amount while DEALING, charged with it."""
    arrival_at: datetime | None = None
    paid_at: datetime | None = None
    returned_at: datetime | None = None
    error_code: str = ""
    fail_reason: str = ""
    pays_again: bool = False
    """An institution without idempotency: a repeated number moves money again."""

    @property
    def reference(self) -> str:
        """The customer's out_biz_no."""
        return self.submission.reference


@dataclass(slots=True)
class OrderBook:
    """All orders, by every number they can be asked for, and the agenda of their changes."""

    name: str
    by_reference: dict[tuple[str, str], Order] = field(default_factory=dict)
    by_number: dict[str, Order] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, str, Change]] = field(default_factory=list)
    _count: int = 0

    def take(self, account: str, submission: Submission, now: datetime) -> Order:
        """Enter an order; no money is touched."""
        self._count += 1
        order = Order(
            account=account,
            submission=submission,
            order_id=self._number("00", now),
            fund_order_id=self._number("15", now),
            taken_at=now,
            visible_from=now,
        )
        self.by_reference[account, submission.reference] = order
        self.by_number[order.order_id] = order
        self.by_number[order.fund_order_id] = order
        return order

    def plan(self, order: Order, change: Change, at: datetime) -> None:
        """Put a change on the agenda."""
        self._count += 1
        heapq.heappush(self._agenda, (at, self._count, order.order_id, change))

    def due(self, now: datetime) -> Iterator[tuple[datetime, Order, Change]]:
        """Take changes off the agenda in the order of their times, up to `now`."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, order_id, change = heapq.heappop(self._agenda)
            yield at, self.by_number[order_id], change

    def next_at(self) -> datetime | None:
        """When the next change is due."""
        return self._agenda[0][0] if self._agenda else None

    def of_reference(self, reference: str) -> list[Order]:
        """Every account's order with this number."""
        return [o for (_, known), o in self.by_reference.items() if known == reference]

    def taken_on(self, account: str, now: datetime) -> int:
        """Fen of this account's orders of the Beijing day that were not refused later."""
        day = now.astimezone(BEIJING).date()
        return sum(
            o.submission.amount_minor
            for o in self.by_reference.values()
            if o.account == account
            and o.status is not Status.FAIL
            and o.taken_at.astimezone(BEIJING).date() == day
        )

    def _number(self, kind: str, now: datetime) -> str:
        """Thirty-two digits as the platform's look: day, kind, institution, running number."""
        day = now.astimezone(BEIJING).strftime("%Y%m%d")
        digest = hashlib.blake2b(self.name.encode(), digest_size=4).digest()
        return f"{day}110070{kind}{int.from_bytes(digest) % 10**6:06d}{self._count:010d}"
