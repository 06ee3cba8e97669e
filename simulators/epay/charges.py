"""The money of a transfer on the merchant's account: set aside, taken, paid, credited again.

A payout is a movement of the merchant's account. Where the site pays without charging (no row, or
one that was taken back) it puts its own money in first: a top-up that names the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from simulators.books import Books
from simulators.clock import BEIJING
from simulators.epay.downstream import Payment
from simulators.epay.orders import FAILED, Row
from simulators.epay.settings import Settings


@dataclass(slots=True)
class Charges:
    """What the rows of one site do to its books."""

    settings: Settings
    books: Books

    def available_minor(self, account: str, now: datetime) -> int:
        """What the merchant may pay out; in D+1 mode without what came in today, never below 0."""
        free = self.books.available_minor(account)
        if self.settings.balance_mode == "D+0":
            return free
        day = now.astimezone(BEIJING).date()
        today = sum(
            m.amount_minor
            for m in self.books.truth
            if m.kind == "topup" and m.account == account and not m.channel_ref
            if m.at.astimezone(BEIJING).date() == day
        )
        return max(0, free - today)

    def hold(self, row: Row) -> None:
        """Deduct the whole cost of a new row."""
        self.books.freeze(row.account, row.cost_minor)
        row.held_minor = row.cost_minor

    def pay(self, payment: Payment, row: Row | None, at: datetime) -> None:
        """Money leaves: out of what its row holds, or the site's own."""
        amount = payment.submission.amount_minor
        if row is not None and row.held_minor and row.account == payment.account:
            self.take_fee(row, at)
            self.books.unfreeze(row.account, row.held_minor)
            row.held_minor, row.has_moved = 0, True
        else:
            self._put_in(payment.account, payment.biz_no, amount, at)
        self.books.move(
            "payout",
            at=at,
            account=payment.account,
            amount_minor=amount,
            reference=payment.reference,
            payee=payment.submission.payee,
            channel_ref=payment.biz_no,
        )

    def take_fee(self, row: Row, at: datetime) -> None:
        """Charge what stands on top of the amount, out of what is set aside.

        All there is to do for a row whose amount was paid before it was written: the amount stays
        set aside, for it cannot leave twice.
        """
        fee = row.cost_minor - row.submission.amount_minor
        if not fee:
            return
        self.books.unfreeze(row.account, fee)
        row.held_minor -= fee
        row.fee_minor = fee
        self.books.move(
            "fee",
            at=at,
            account=row.account,
            amount_minor=fee,
            reference=row.out_biz_no,
            channel_ref=row.biz_no,
        )

    def take_back(self, row: Row, text: str, at: datetime) -> None:
        """Credit the whole cost, whatever the row's status and whether money has left: the bug."""
        row.status, row.result = FAILED, text
        credit, row.fee_minor = row.fee_minor, 0
        if row.held_minor:
            self.books.unfreeze(row.account, row.held_minor)
            row.held_minor = 0
        elif row.has_moved:
            row.has_moved = False
            self.books.move(
                "return",
                at=at,
                account=row.account,
                amount_minor=row.submission.amount_minor,
                reference=row.out_biz_no,
                payee=row.submission.payee,
                channel_ref=row.biz_no,
            )
        else:
            credit = row.cost_minor
        self._put_in(row.account, row.biz_no, credit, at)

    def _put_in(self, account: str, biz_no: str, amount_minor: int, at: datetime) -> None:
        if amount_minor:
            self.books.move(
                "topup", at=at, account=account, amount_minor=amount_minor, channel_ref=biz_no
            )
