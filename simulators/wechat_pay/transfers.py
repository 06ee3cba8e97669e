"""All transfer bills of one simulator and the money they lock, pay and release, driven by time.

Owns the moves of a bill together with their effect on the books: funds are frozen on entering
WAIT_USER_CONFIRM, paid on SUCCESS (amount and fee, two movements) and released on FAIL and
CANCELLED. Says nothing about the wire.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from datetime import datetime

from simulators.books import Books, ShortBalanceError
from simulators.clock import BEIJING
from simulators.wechat_pay.bill import CANCELLABLE, Bill, Script, State
from simulators.wechat_pay.settings import Account
from simulators.wechat_pay.submission import Submission

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(slots=True)
class Transfers:
    """Bills by both numbers. Every method that moves bills appends those that became final to
    `finished`."""

    books: Books
    entropy: random.Random
    finished: list[Bill] = field(default_factory=list)
    _by_out_bill_no: dict[tuple[str, str], Bill] = field(default_factory=dict)
    _by_transfer_bill_no: dict[str, Bill] = field(default_factory=dict)
    _queue: list[tuple[datetime, int, Bill]] = field(default_factory=list)
    _held: list[Bill] = field(default_factory=list)
    _count: int = 0

    def by_out_bill_no(self, account: str, out_bill_no: str) -> Bill | None:
        """The bill of the merchant's own number; of a number paid twice, the first."""
        return self._by_out_bill_no.get((account, out_bill_no))

    def by_transfer_bill_no(self, account: str, transfer_bill_no: str) -> Bill | None:
        """The bill of the platform's number, for its owner only."""
        bill = self._by_transfer_bill_no.get(transfer_bill_no)
        return bill if bill is not None and bill.account == account else None

    def of_reference(self, reference: str) -> Bill | None:
        """The first bill of any merchant with this out_bill_no, for the operator of the
        simulator."""
        found = (b for (_, number), b in self._by_out_bill_no.items() if number == reference)
        return next(found, None)

    def day_total_fen(self, account: str, at: datetime) -> int:
        """What the merchant has sent on the Beijing day of `at`, failed and cancelled bills left
        out."""
        day = at.astimezone(BEIJING).date()
        return sum(
            bill.submission.amount_fen
            for bill in self._by_transfer_bill_no.values()
            if bill.account == account
            and bill.state not in {State.FAIL, State.CANCELLED, State.CANCELING}
            and bill.created_at.astimezone(BEIJING).date() == day
        )

    def create(
        self,
        account: Account,
        submission: Submission,
        script: Script,
        identity: str,
        at: datetime,
    ) -> Bill:
        """Accepts a bill and runs what its script does at once. A number already taken keeps its
        first bill."""
        self._count += 1
        bill = Bill(
            account=account.account,
            submission=submission,
            transfer_bill_no=self._number(account, at),
            created_at=at,
            script=script,
            identity=identity,
            updated_at=at,
            fee_fen=account.fee.of(submission.amount_fen),
        )
        self._by_transfer_bill_no[bill.transfer_bill_no] = bill
        self._by_out_bill_no.setdefault((account.account, submission.out_bill_no), bill)
        self._wake(bill, at + script.accept_after)
        self.run(at)
        return bill

    def cancel(self, bill: Bill, at: datetime) -> bool:
        """Accepts a cancellation; False when the bill's state does not allow it (repeating is for
        the caller)."""
        if bill.state not in CANCELLABLE:
            return False
        bill.move(State.CANCELING, at)
        self._wake(bill, at + bill.script.cancel_after)
        self.run(at)
        return True

    def confirm(self, bill: Bill, at: datetime) -> bool:
        """The payee taps now; False unless the bill waits for that."""
        if bill.state is not State.WAIT_USER_CONFIRM:
            return False
        bill.confirm_at = at
        self._wake(bill, at)
        self.run(at)
        return True

    def fail(self, bill: Bill, reason: str, at: datetime) -> bool:
        """The platform fails the bill now; False unless it waits for the payee or is being paid."""
        if bill.state not in {State.WAIT_USER_CONFIRM, State.TRANSFERING}:
            return False
        self._fail(bill, reason, at)
        return True

    def run(self, now: datetime) -> None:
        """Does everything due by `now`, in due order, each at its own time."""
        while self._queue and self._queue[0][0] <= now:
            at, _, bill = heapq.heappop(self._queue)
            if bill.wake_at == at:
                bill.wake_at = None
                self._step(bill, at)

    def next_at(self) -> datetime | None:
        """When the next bill moves by itself."""
        while self._queue and self._queue[0][2].wake_at != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def money_came(self, at: datetime) -> None:
        """Lets bills that wait for money lock it, oldest first."""
        waiting, self._held = self._held, []
        for bill in waiting:
            if bill.state is State.PROCESSING:
                self._lock(bill, at)

    def _step(self, bill: Bill, at: datetime) -> None:
        if bill.state is State.ACCEPTED:
            bill.move(State.PROCESSING, at)
            self._lock(bill, at)
        elif bill.state is State.PROCESSING:
            self._fail(bill, "BUDGET_NOT_ENOUGH", at)
        elif bill.state is State.WAIT_USER_CONFIRM:
            if bill.confirm_at is not None and bill.confirm_at <= at:
                self._pay_out(bill, at)
            else:
                self._fail(bill, "OVERDUE_CLOSE", at)
        elif bill.state is State.TRANSFERING:
            self._settle(bill, at)
        # CANCELING is left: a bill in one of the three ends never has a time to wake.
        elif self._is_race_lost(bill, at):
            self._pay_out(bill, at)
        else:
            bill.move(State.CANCELLED, at)
            self._release(bill, at)
            self.finished.append(bill)

    def _lock(self, bill: Bill, at: datetime) -> None:
        needed = bill.submission.amount_fen + bill.fee_fen
        try:
            self.books.freeze(bill.account, needed)
        except ShortBalanceError:
            self._held.append(bill)
            if bill.wake_at is None:
                self._wake(bill, at + bill.script.close_after)
            return
        bill.frozen_fen = needed
        bill.move(State.WAIT_USER_CONFIRM, at)
        bill.package_info = "ABBQO+" + "".join(self.entropy.choices(_ALPHABET, k=58))
        bill.close_at = at + bill.script.close_after
        if bill.script.confirm_after is not None:
            bill.confirm_at = at + bill.script.confirm_after
        self._wake(bill, min(filter(None, (bill.confirm_at, bill.close_at))))

    def _pay_out(self, bill: Bill, at: datetime) -> None:
        bill.move(State.TRANSFERING, at)
        if bill.script.pay_after is not None:
            self._wake(bill, at + bill.script.pay_after)

    def _settle(self, bill: Bill, at: datetime) -> None:
        if bill.script.fail_reason is not None:
            self._fail(bill, bill.script.fail_reason, at)
            return
        if self._is_over_payee_cap(bill, at):
            self._fail(bill, "DAY_RECEIVED_QUOTA_EXCEED", at)
            return
        bill.move(State.SUCCESS, at)
        self.books.unfreeze(bill.account, bill.frozen_fen)
        bill.frozen_fen = 0
        self.books.move(
            "payout",
            at=at,
            account=bill.account,
            amount_minor=bill.submission.amount_fen,
            reference=bill.submission.out_bill_no,
            payee=bill.submission.openid,
            channel_ref=bill.transfer_bill_no,
        )
        if bill.fee_fen:
            self.books.move(
                "fee",
                at=at,
                account=bill.account,
                amount_minor=bill.fee_fen,
                reference=bill.submission.out_bill_no,
                channel_ref=bill.transfer_bill_no,
            )
        self.finished.append(bill)

    def _is_over_payee_cap(self, bill: Bill, at: datetime) -> bool:
        cap_fen = bill.script.payee_day_cap_fen
        if cap_fen is None:
            return False
        day = at.astimezone(BEIJING).date()
        received = sum(
            movement.amount_minor
            for movement in self.books.truth
            if movement.kind == "payout"
            and (movement.account, movement.payee) == (bill.account, bill.submission.openid)
            and movement.at.astimezone(BEIJING).date() == day
        )
        return received + bill.submission.amount_fen > cap_fen

    def _fail(self, bill: Bill, reason: str, at: datetime) -> None:
        bill.move(State.FAIL, at)
        bill.fail_reason = reason
        bill.wake_at = None
        self._release(bill, at)
        self.finished.append(bill)

    def _release(self, bill: Bill, at: datetime) -> None:
        if bill.frozen_fen:
            self.books.unfreeze(bill.account, bill.frozen_fen)
            bill.frozen_fen = 0
            self.money_came(at)

    @staticmethod
    def _is_race_lost(bill: Bill, at: datetime) -> bool:
        # Only locked money can still be paid, so a bill cancelled before that has no race.
        return (
            bill.script.payee_wins_race
            and bill.frozen_fen > 0
            and bill.confirm_at is not None
            and bill.confirm_at <= at
        )

    def _wake(self, bill: Bill, at: datetime) -> None:
        bill.wake_at = at
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, bill))

    def _number(self, account: Account, at: datetime) -> str:
        # 40 digits as in the public samples: prefix, merchant, Beijing date, running number.
        day = at.astimezone(BEIJING).strftime("%Y%m%d")
        return f"1330{account.mchid[-12:]:0>12}{day}{self._count:016d}"
