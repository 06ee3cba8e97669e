"""What becomes of a payment: taken, refused, settled, returned, told about in files and pushes.

Source: wire-protocols.md §4.3 to §4.7. Our choices where banks differ: money is set aside when a
file is taken, the debit is booked with ACSC, the fee is a booking of its own and is kept when the
payment comes back, a refused file of a known number is answered RJCT DU01 (MsgId) or DU04
(EndToEndId) and leaves the first one alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from simulators.actions import Stage
from simulators.bank.business import Hours
from simulators.bank.messages import account_report, status_report
from simulators.bank.notices import pushed
from simulators.bank.orders import Change, Order, OrderBook
from simulators.bank.outbox import Outbox
from simulators.bank.settings import Account, Settings
from simulators.bank.submission import Submission, Transaction, problem
from simulators.bank.words import disguised, line_of, owner_of, word_of
from simulators.books import Books, Movement
from simulators.faults import Faults, Hits
from simulators.kernel import Push, PushQueue, UnknownTriggerError
from simulators.notices import post

REFUSED_FOR = "AC04"


@dataclass(slots=True)
class Payments:
    """Payments of all accounts of one bank, on its books."""

    settings: Settings
    books: Books
    faults: Faults
    outbox: Outbox
    accounts: Mapping[str, Account]
    book: OrderBook = field(init=False)
    queue: PushQueue = field(init=False)
    hours: Hours = field(init=False)

    def __post_init__(self) -> None:
        """Start with nothing taken and nothing owed."""
        self.book = OrderBook(self.settings.name)
        self.queue = PushQueue(self.settings.notice_ladder_s)
        self.hours = Hours(
            self.settings.opens, self.settings.cut_off, frozenset(self.settings.holidays)
        )

    # ---- files from customers ----

    def take(self, account: Account, file: Submission, hits: Hits, now: datetime) -> None:
        """Work on a readable file; whatever becomes of it is told in pain.002."""
        known_at = self.book.files.get((account.account, file.message_id))
        repeated = known_at is not None and self._is_recent(known_at, now)
        if repeated and not self._pays_again(account, file):
            self._refuse_file(account, file, "DU01", now)
            return
        self.book.files.setdefault((account.account, file.message_id), now)
        if (code := file.problem()) is not None:
            self._refuse_file(account, file, code, now)
            return
        for asked in file.transactions:
            self._take_one(account, file, asked, hits, now)

    def refuse(self, account: Account, file: Submission, code: str, now: datetime) -> None:
        """Take nothing of a file, and say why for each of its payments."""
        for asked in file.transactions:
            self._say(account, file, asked, "RJCT", code, "", now)

    def _take_one(
        self, account: Account, file: Submission, asked: Transaction, hits: Hits, now: datetime
    ) -> None:
        code = self._problem(account, asked, hits, now)
        if code is not None:
            self._say(account, file, asked, "RJCT", code, "", now)
            return
        minor = asked.minor(account.exponent) or 0
        order = self.book.take(account.account, file, asked, minor, now)
        order.fee_minor = account.fee.schedule().of(minor)
        fate = self._pick_fate(order, now)
        self.books.freeze(account.account, minor + order.fee_minor)
        self._tell(order, now, hits)
        self._plan(order, fate, now)

    def _problem(
        self, account: Account, asked: Transaction, hits: Hits, now: datetime
    ) -> str | None:
        """The reason code for which a payment is refused at once."""
        if asked.debtor != account.number:
            return "AC02"
        if asked.currency != account.currency:
            return "AM03"
        code = problem(asked, account.exponent)
        minor = asked.minor(account.exponent)
        if code is not None or minor is None:
            return code
        first = self.book.latest(account.account, asked.end_to_end_id)
        if first is not None and self._is_recent(first.taken_at, now) and not first.pays_again:
            return "DU04"
        registered = self.settings.payees.get(asked.payee)
        if registered is not None and registered != asked.payee_name:
            return "BE01"
        if minor > account.max_fen:
            return "AM14"
        free = self.books.available_minor(account.account)
        if (short := hits.get("short_balance")) is not None:
            free = min(free, short.whole("available_fen"))
        return "AM04" if minor + account.fee.schedule().of(minor) > free else None

    def _is_recent(self, at: datetime, now: datetime) -> bool:
        return now - at < timedelta(days=self.settings.duplicate_window_days)

    def _pays_again(self, account: Account, file: Submission) -> bool:
        orders = (self.book.latest(account.account, t.end_to_end_id) for t in file.transactions)
        return any(order is not None and order.pays_again for order in orders)

    def _pick_fate(self, order: Order, now: datetime) -> Hits:
        hits = self.faults.pick(
            Stage.ORDER,
            op="submit",
            account=order.account,
            payee=order.asked.payee,
            reference=order.reference,
            amount_minor=order.amount_minor,
            now=now,
        )
        if window := hits.get("not_found_window"):
            order.visible_from = now + window.duration("seconds")
        order.pays_again = "double_execute" in hits
        return hits

    def _plan(self, order: Order, fate: Hits, now: datetime) -> None:
        knobs = self.settings
        self.book.plan(order, Change.CHECKED, now + timedelta(seconds=knobs.checked_after_s))
        begins = self.hours.carried_out_from(now, order.asked.requested_on)
        if begins > now:
            rolled_at = now + timedelta(seconds=knobs.checked_after_s)
            self.book.plan(order, Change.ROLLED, rolled_at)
        self.book.plan(order, Change.ACCEPTED, begins + timedelta(seconds=knobs.accepted_after_s))
        if "settle_never" in fate:
            return
        ends = begins + timedelta(seconds=knobs.settled_after_s)
        if late := fate.get("settle_late"):
            ends = max(ends, now + late.duration("after"))
        if failed := fate.get("settle_fail"):
            order.reason = failed.text("reason") or REFUSED_FOR
            self.book.plan(order, Change.FAILED, ends)
            return
        self.book.plan(order, Change.SETTLED, ends)
        if knobs.credited_after_s is not None:
            credited = ends + timedelta(seconds=knobs.credited_after_s)
            self.book.plan(order, Change.CREDITED, credited)
        if returned := fate.get("return_late"):
            self.book.plan(order, Change.RETURNED, ends + returned.duration("after"))

    # ---- time ----

    def catch_up(self, now: datetime) -> None:
        """Carry out what is due; each at its own time, not at `now`."""
        for at, order, change in self.book.due(now):
            self.befall(order, change, at)

    def befall(self, order: Order, change: Change, at: datetime) -> None:
        """Carry out a change, unless something final befell the payment before."""
        if change is Change.RETURNED:
            if order.settled_at is not None and order.returned_at is None:
                self._return(order, at)
            return
        if order.status == "RJCT" or (
            order.settled_at is not None and change is not Change.CREDITED
        ):
            return
        if change is Change.CREDITED and order.settled_at is None:
            return
        if change is Change.FAILED:
            self.books.unfreeze(order.account, order.amount_minor + order.fee_minor)
            order.reason = order.reason or REFUSED_FOR
        if change is Change.SETTLED:
            self.books.unfreeze(order.account, order.amount_minor + order.fee_minor)
            self._move(order, at)
            order.settled_at = at
        order.status = change.value
        self._tell(order, at)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """Force a change on the one payment of this number. Raises UnknownTriggerError."""
        orders = self.book.of_reference(reference)
        if len(orders) != 1:
            raise UnknownTriggerError(f"{len(orders)} orders with reference {reference!r}")
        order = orders[0]
        changes = {
            "payout.settled": Change.SETTLED,
            "payout.failed": Change.FAILED,
            "payout.returned": Change.RETURNED,
        }
        if event == "notice.resend":
            self._tell(order, now)
            return self.queue.take_due(now)
        if event not in changes:
            offered = ", ".join((*changes, "notice.resend"))
            raise UnknownTriggerError(f"no event {event!r} (there are: {offered})")
        change = changes[event]
        is_paid = order.settled_at is not None and order.returned_at is None
        is_open = order.settled_at is None and order.status != "RJCT"
        if not (is_paid if change is Change.RETURNED else is_open):
            raise UnknownTriggerError(f"{event} does not fit a payment in {order.status}")
        self.befall(order, change, now)
        return self.queue.take_due(now)

    # ---- money ----

    def _move(self, order: Order, at: datetime) -> None:
        payment = self.books.move(
            "payout",
            at=at,
            account=order.account,
            amount_minor=order.amount_minor,
            reference=order.reference,
            payee=order.asked.payee,
            channel_ref=order.number,
        )
        moved = [payment]
        if order.fee_minor:
            moved.append(
                self.books.move(
                    "fee",
                    at=at,
                    account=order.account,
                    amount_minor=order.fee_minor,
                    reference=order.reference,
                    channel_ref=order.number,
                )
            )
        self._notify(order, moved, at)

    def _return(self, order: Order, at: datetime) -> None:
        order.returned_at = at
        moved = self.books.move(
            "return",
            at=at,
            account=order.account,
            amount_minor=order.amount_minor,
            reference=order.reference,
            payee=order.asked.payee,
            channel_ref=order.number,
        )
        self._notify(order, [moved], at)

    # ---- telling ----

    def _notify(self, order: Order, moved: list[Movement], at: datetime) -> None:
        """A camt.054 about bookings just made."""
        account = self.accounts[order.account]
        message_id = self.outbox.number("camt.054", at)
        lines = [line_of(one) for one in moved]
        body = account_report("camt.054", message_id, at, owner_of(account), (), lines)
        self.outbox.put(
            account.account, "camt.054", message_id, body, at, visible_from=order.visible_from
        )
        self._push(account, order, body, at)

    def _tell(self, order: Order, at: datetime, hits: Hits | None = None) -> None:
        """A pain.002 with the payment's present status, spoilt as the faults want it."""
        account = self.accounts[order.account]
        word = word_of(order.submission, order.asked, order.status, order.reason, order.number)
        if order.status != "RJCT":
            word = replace(word, reason="DT06" if order.status == "ACWC" else "")
        word = disguised(word, hits)
        message_id = self.outbox.number("pain.002", at)
        body = status_report(message_id, at, word)
        self.outbox.put(
            account.account, "pain.002", message_id, body, at, visible_from=order.visible_from
        )
        self._push(account, order, body, at)

    def _say(
        self,
        account: Account,
        file: Submission,
        asked: Transaction,
        status: str,
        reason: str,
        number: str,
        at: datetime,
    ) -> None:
        """A pain.002 about a payment that was not taken."""
        word = word_of(file, asked, status, reason, number)
        message_id = self.outbox.number("pain.002", at)
        self.outbox.put(
            account.account, "pain.002", message_id, status_report(message_id, at, word), at
        )

    def _refuse_file(self, account: Account, file: Submission, code: str, at: datetime) -> None:
        word = replace(word_of(file, file.transactions[0], "RJCT", code, ""), for_group=True)
        message_id = self.outbox.number("pain.002", at)
        self.outbox.put(
            account.account, "pain.002", message_id, status_report(message_id, at, word), at
        )

    def _push(self, account: Account, order: Order, body: bytes, at: datetime) -> None:
        if account.notify_url is None:
            return
        due_at = at + timedelta(seconds=self.settings.notice_after_s)
        hits = self.faults.pick(
            Stage.NOTICE,
            op="notice",
            account=order.account,
            payee=order.asked.payee,
            reference=order.reference,
            amount_minor=order.amount_minor,
            now=at,
        )

        def forge(status: str) -> Push:
            word = word_of(order.submission, order.asked, status[:4], "", order.number)
            lie = status_report(self.outbox.number("pain.002", at), at, word)
            return pushed(account, order.reference, lie, due_at, is_true=False)

        post(self.queue, pushed(account, order.reference, body, due_at), hits, forge)
