"""What becomes of a payout: taken, refused, settled, failed, returned, told about.

Source: the 代付 samples of ACP 5.1.0 and the published codes. A refused submission leaves no order;
a repeated number (of one day) is 12 whatever else it says. Only successes are told. The fee is a
movement of its own beside the amount, and is kept when a payout comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulators.actions import Stage
from simulators.books import Books
from simulators.clock import BEIJING
from simulators.faults import Faults, Hits
from simulators.kernel import Push, UnknownTriggerError
from simulators.unionpay.errors import RefusedError, spoken, text_of
from simulators.unionpay.messages import Voice, mask
from simulators.unionpay.notices import Notices, settlement
from simulators.unionpay.orders import Change, Order, OrderBook, Status
from simulators.unionpay.settings import Account, Settings
from simulators.unionpay.submission import Opener, Submission, read_submission

_ISSUER_REFUSAL = "61"


@dataclass(slots=True)
class Payouts:
    """Orders of all merchants of one simulator, on its books."""

    settings: Settings
    books: Books
    faults: Faults
    voice: Voice
    opener: Opener
    accounts: Mapping[str, Account]
    book: OrderBook = field(default_factory=OrderBook)
    notices: Notices = field(init=False)

    def __post_init__(self) -> None:
        """Start with nothing owed."""
        self.notices = Notices(self.settings, self.faults, self.voice, self.accounts)

    # ---- calls ----

    def submit(
        self,
        account: Account,
        fields: Mapping[str, str],
        now: datetime,
        *,
        available_minor: int | None = None,
    ) -> dict[str, str]:
        """Take a payout. Raises RefusedError.

        `available_minor` lowers what the account seems to hold (fault short_balance).
        """
        tolerance_s = self.settings.txn_time_tolerance_s
        asked = read_submission(fields, account, self.opener, now, tolerance_s)
        known = self.book.known(account.account, asked.reference, asked.txn_time)
        if known is not None:
            return self._repeat(known, now)
        self._check_payee_and_terms(account, asked, now)
        fee = account.fee.schedule().of(asked.amount_minor)
        free = self.books.available_minor(account.account)
        if available_minor is not None:
            free = min(free, available_minor)
        if asked.amount_minor + fee > free:
            raise RefusedError("90")
        order = self.book.take(account.account, asked, now)
        order.fee_minor = fee
        self.books.freeze(account.account, asked.amount_minor + fee)
        self._plan(order, self._pick_fate(order, now), now)
        return {"queryId": order.query_id}

    def inquire(self, account: Account, fields: Mapping[str, str], now: datetime) -> dict[str, str]:
        """The order's present state. Raises RefusedError."""
        order = self.find(account.account, fields)
        if order is None or now < order.visible_from:
            raise RefusedError("34")
        said = {
            "orderId": order.reference,
            "txnTime": order.submission.txn_time,
            "queryId": order.query_id,
            "origRespCode": order.fate,
            "origRespMsg": text_of(order.fate),
            "txnAmt": str(order.submission.amount_minor),
            "currencyCode": "156",
            "accNo": mask(order.submission.payee),
            "traceNo": order.trace,
        }
        return said | settlement(order, self.settings)

    def find(self, account: str, fields: Mapping[str, str]) -> Order | None:
        """The account's order by queryId (txnSubType 02), else by orderId and its very txnTime."""
        if fields.get("txnSubType") == "02":
            order = self.book.by_query_id.get(fields.get("queryId", ""))
            return order if order is not None and order.account == account else None
        txn_time = fields.get("txnTime", "")
        order = self.book.known(account, fields.get("orderId", ""), txn_time)
        return order if order is not None and order.submission.txn_time == txn_time else None

    # ---- time ----

    def catch_up(self, now: datetime) -> None:
        """Settle, fail and return what is due; each at its own time, not at `now`."""
        for at, order, change in self.book.due(now):
            self._befall(order, change, at)

    def take_due_notices(self, now: datetime) -> tuple[Push, ...]:
        """Notices to deliver now; each leaves the queue."""
        return self.notices.queue.take_due(now)

    def next_at(self) -> datetime | None:
        """The next change or notice."""
        return min(
            (at for at in (self.book.next_at(), self.notices.queue.next_at()) if at is not None),
            default=None,
        )

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """Force a change on the one order of this number. Raises UnknownTriggerError."""
        orders = self.book.of_reference(reference)
        if len(orders) != 1:
            raise UnknownTriggerError(f"{len(orders)} orders with reference {reference!r}")
        order = orders[0]
        if event == "notice.resend":
            if order.paid_at is None:
                raise UnknownTriggerError("only successes are told")
            self.notices.tell(order, now)
            return self.take_due_notices(now)
        changes = {
            "payout.settled": (Change.SETTLE, Status.UNDER_WAY),
            "payout.failed": (Change.FAIL, Status.UNDER_WAY),
            "payout.returned": (Change.RETURN, Status.PAID),
        }
        if event not in changes:
            raise UnknownTriggerError(
                f"no event {event!r} (there are: {', '.join(changes)}, notice.resend)"
            )
        change, from_status = changes[event]
        if order.status is not from_status:
            raise UnknownTriggerError(f"{event} does not fit an order that is {order.status}")
        self._befall(order, change, now)
        return self.take_due_notices(now)

    # ---- the life of an order ----

    def _repeat(self, order: Order, now: datetime) -> dict[str, str]:
        if not order.pays_again:
            raise RefusedError("12")
        self._move(order, now)
        return {"queryId": order.query_id}

    def _check_payee_and_terms(self, account: Account, asked: Submission, now: datetime) -> None:
        if account.hours and not account.hours.hold(now.astimezone(BEIJING).time()):
            raise RefusedError("39")
        registered = self.settings.payees.get(asked.payee)
        if registered is not None and registered != asked.name:
            raise RefusedError("66")
        taken = self.book.taken_on(account.account, asked.txn_time[:8])
        if account.day_cap_fen is not None and taken + asked.amount_minor > account.day_cap_fen:
            raise RefusedError("33")

    def _pick_fate(self, order: Order, now: datetime) -> Hits:
        hits = self.faults.pick(
            Stage.ORDER,
            op="submit",
            account=order.account,
            payee=order.submission.payee,
            reference=order.reference,
            amount_minor=order.submission.amount_minor,
            now=now,
        )
        if window := hits.get("not_found_window"):
            order.visible_from = now + window.duration("seconds")
        order.pays_again = "double_execute" in hits
        return hits

    def _plan(self, order: Order, hits: Hits, now: datetime) -> None:
        if "settle_never" in hits:
            return
        settle_at = now + timedelta(seconds=self.settings.settle_after_s)
        if late := hits.get("settle_late"):
            settle_at = now + late.duration("after")
        if failed := hits.get("settle_fail"):
            order.failure = spoken(failed.text("reason") or _ISSUER_REFUSAL)
            self.book.plan(order, Change.FAIL, settle_at)
            return
        self.book.plan(order, Change.SETTLE, settle_at)
        if returned := hits.get("return_late"):
            self.book.plan(order, Change.RETURN, settle_at + returned.duration("after"))

    def _befall(self, order: Order, change: Change, at: datetime) -> None:
        """Carry out a change, unless something else befell the order before."""
        if change is Change.RETURN:
            if order.status is Status.PAID:
                self._return(order, at)
            return
        if order.status is not Status.UNDER_WAY:
            return
        self.books.unfreeze(order.account, order.submission.amount_minor + order.fee_minor)
        if change is Change.FAIL:
            order.status = Status.FAILED
            order.failure = order.failure or _ISSUER_REFUSAL
            return
        self._move(order, at)
        order.status = Status.PAID
        order.paid_at = at
        self.notices.tell(order, at)

    def _move(self, order: Order, at: datetime) -> None:
        amount = order.submission.amount_minor
        if self.books.available_minor(order.account) < amount + order.fee_minor:
            raise RefusedError("90")
        facts = {
            "account": order.account,
            "reference": order.reference,
            "channel_ref": order.query_id,
        }
        payee = order.submission.payee
        self.books.move("payout", at=at, amount_minor=amount, payee=payee, **facts)
        if order.fee_minor:
            self.books.move("fee", at=at, amount_minor=order.fee_minor, **facts)

    def _return(self, order: Order, at: datetime) -> None:
        self.books.move(
            "return",
            at=at,
            account=order.account,
            amount_minor=order.submission.amount_minor,
            reference=order.reference,
            payee=order.submission.payee,
            channel_ref=order.query_id,
        )
        order.status = Status.RETURNED
        order.returned_at = at
