"""Payments the bank has taken, and the moments at which they change by themselves.

RCVD, ACTC, (ACWC), ACSP, ACSC and perhaps ACCC, or RJCT; a settled one may come back later.
Source: wire-protocols.md §4.5.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from simulators.bank.submission import Submission, Transaction


class Change(StrEnum):
    """What may befall a payment later."""

    CHECKED = "ACTC"
    ROLLED = "ACWC"
    ACCEPTED = "ACSP"
    SETTLED = "ACSC"
    CREDITED = "ACCC"
    FAILED = "RJCT"
    RETURNED = "returned"


@dataclass(slots=True)
class Order:
    """One payment; the account is debited exactly when `settled_at` is set."""

    account: str
    submission: Submission
    asked: Transaction
    amount_minor: int
    number: str
    """The bank's own number."""
    taken_at: datetime
    visible_from: datetime
    status: str = "RCVD"
    reason: str = ""
    fee_minor: int = 0
    settled_at: datetime | None = None
    returned_at: datetime | None = None
    pays_again: bool = False
    """A bank without a duplicate check: a repeated file moves money again."""

    @property
    def reference(self) -> str:
        """The customer's EndToEndId."""
        return self.asked.end_to_end_id


@dataclass(slots=True)
class OrderBook:
    """All payments, and the agenda of their changes."""

    name: str
    by_number: dict[str, Order] = field(default_factory=dict)
    by_reference: dict[tuple[str, str], list[Order]] = field(default_factory=dict)
    files: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Account and MsgId → when a file of this number came first."""
    _agenda: list[tuple[datetime, int, str, Change]] = field(default_factory=list)
    _count: int = 0

    def take(
        self, account: str, submission: Submission, asked: Transaction, minor: int, now: datetime
    ) -> Order:
        """Enter a payment; no money is touched."""
        self._count += 1
        number = f"B{now:%Y%m%d}{self._count:010d}"
        order = Order(account, submission, asked, minor, number, now, now)
        self.by_number[number] = order
        self.by_reference.setdefault((account, order.reference), []).append(order)
        return order

    def latest(self, account: str, reference: str) -> Order | None:
        """The newest payment under this EndToEndId."""
        found = self.by_reference.get((account, reference))
        return found[-1] if found else None

    def plan(self, order: Order, change: Change, at: datetime) -> None:
        """Put a change on the agenda."""
        self._count += 1
        heapq.heappush(self._agenda, (at, self._count, order.number, change))

    def due(self, now: datetime) -> Iterator[tuple[datetime, Order, Change]]:
        """Take changes off the agenda in the order of their times, up to `now`."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, number, change = heapq.heappop(self._agenda)
            yield at, self.by_number[number], change

    def next_at(self) -> datetime | None:
        """When the next change is due."""
        return self._agenda[0][0] if self._agenda else None

    def of_reference(self, reference: str) -> list[Order]:
        """Every account's payments under this EndToEndId."""
        return [
            order
            for (_, known), orders in self.by_reference.items()
            if known == reference
            for order in orders
        ]
