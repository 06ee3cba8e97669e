"""The channel behind the site: an institution with its own numbers and its own idea of a repeat.

It knows payments by the number the site gives it (`biz_no`), pays accounts at once, cards after a
while, and WeChat balances when the payee confirms. It pays with the site's money: who of the
merchants is charged, and whether at all, is the site's affair.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from simulators.clock import BEIJING
from simulators.epay.settings import Settings
from simulators.epay.submission import Submission
from simulators.faults import Hits

_OVERDUE = "OVERDUE_CLOSE"
_CARD_REFUSED = "PAYEE_CARD_INFO_ERROR"


class State(StrEnum):
    """Where a payment stands at the channel."""

    UNDER_WAY = "under way"
    PAID = "paid"
    FAILED = "failed"


class Change(StrEnum):
    """What may befall a payment later."""

    PAY = "pay"
    FAIL = "fail"
    REVERSE = "reverse"
    """The site's administrator takes a paid order back."""


@dataclass(slots=True)
class Payment:
    """One payment at the channel."""

    account: str
    """The merchant it was asked for."""
    reference: str
    biz_no: str
    submission: Submission
    order_id: str
    state: State = State.UNDER_WAY
    done_at: datetime | None = None
    error_code: str = ""
    confirms: bool = False
    """The payee must open a page before it is paid."""
    pays_again: bool = False
    """Without idempotency: the same number pays anew."""
    hidden: timedelta = timedelta()
    """How long a query will not find the row."""


@dataclass(slots=True)
class Channel:
    """Payments by the site's number, and the agenda of what becomes of them."""

    settings: Settings
    payments: dict[str, Payment] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, Payment, Change]] = field(default_factory=list)
    _count: int = 0

    def repeated(self, biz_no: str) -> Payment | None:
        """The payment of this number, where a repeat is answered with the first one."""
        known = self.payments.get(biz_no)
        if known is None or known.pays_again or not self.settings.channel_is_idempotent:
            return None
        return known

    def take(
        self,
        account: str,
        reference: str,
        biz_no: str,
        asked: Submission,
        hits: Hits,
        now: datetime,
    ) -> Payment:
        """Enter a payment and decide what becomes of it; nothing is paid yet."""
        self._count += 1
        day = now.astimezone(BEIJING).strftime("%Y%m%d")
        payment = Payment(account, reference, biz_no, asked, f"{day}{self._count:020d}")
        payment.pays_again = "double_execute" in hits
        if window := hits.get("not_found_window"):
            payment.hidden = window.duration("seconds")
        self.payments[biz_no] = payment
        self._plan(payment, hits, now)
        return payment

    def due(self, now: datetime) -> Iterator[tuple[datetime, Payment, Change]]:
        """Take changes off the agenda in the order of their times, up to `now`."""
        while self._agenda and self._agenda[0][0] <= now:
            at, _, payment, change = heapq.heappop(self._agenda)
            yield at, payment, change

    def next_at(self) -> datetime | None:
        """When the next change is due."""
        return self._agenda[0][0] if self._agenda else None

    def _plan(self, payment: Payment, hits: Hits, now: datetime) -> None:
        if payment.submission.type == "wxpay" and self.settings.wechat_confirms:
            payment.confirms = True
            self._plan_confirmation(payment, hits, now)
            return
        if "settle_never" in hits:
            return
        wait = timedelta()
        if payment.submission.type != "alipay" or "settle_fail" in hits:
            wait = timedelta(seconds=self.settings.settle_after_s)
        if late := hits.get("settle_late"):
            wait = late.duration("after")
        self._settle(payment, hits, now + wait)

    def _plan_confirmation(self, payment: Payment, hits: Hits, now: datetime) -> None:
        if "settle_never" in hits:
            return
        closes_at = now + timedelta(seconds=self.settings.confirm_within_s)
        confirms_at = now + timedelta(seconds=self.settings.confirm_after_s)
        if late := hits.get("confirm_late") or hits.get("settle_late"):
            confirms_at = now + late.duration("after")
        if "confirm_never" in hits or confirms_at >= closes_at:
            payment.error_code = _OVERDUE
            self._later(payment, Change.FAIL, closes_at)
            return
        self._settle(payment, hits, confirms_at)

    def _settle(self, payment: Payment, hits: Hits, at: datetime) -> None:
        if failed := hits.get("settle_fail"):
            payment.error_code = failed.text("reason") or _CARD_REFUSED
            self._later(payment, Change.FAIL, at)
            return
        self._later(payment, Change.PAY, at)
        if returned := hits.get("return_late"):
            self._later(payment, Change.REVERSE, at + returned.duration("after"))

    def _later(self, payment: Payment, change: Change, at: datetime) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (at, self._count, payment, change))
