"""What becomes of a transfer: taken, replayed, settled, failed, returned, told about.

Source: alipay.fund.trans.uni.transfer and alipay.fund.trans.common.query. Refused submissions leave
no order, so the same number may be sent again (the pages say so for a short balance). The fee is
a movement of its own beside the amount, and is kept when a card payment comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulators.actions import Stage
from simulators.alipay.answers import described, submitted
from simulators.alipay.errors import RefusedError, node_of
from simulators.alipay.messages import Voice, notice
from simulators.alipay.orders import Change, Order, OrderBook, Status
from simulators.alipay.parameters import Application
from simulators.alipay.settings import Account, Settings
from simulators.alipay.submission import Submission, read_submission
from simulators.books import Books
from simulators.faults import Faults, Hits
from simulators.kernel import Push, PushQueue, UnknownTriggerError
from simulators.notices import post

_BANK_RETURN = ("PAYEE_CARD_INFO_ERROR", "银行退票")
_BANK_REFUSAL = "PAYEE_CARD_INFO_ERROR"


@dataclass(slots=True)
class Transfers:
    """Orders of all accounts of one simulator, on its books."""

    settings: Settings
    books: Books
    faults: Faults
    voice: Voice
    callers: Mapping[str, Application]
    accounts: Mapping[str, Account]
    book: OrderBook = field(init=False)
    queue: PushQueue = field(init=False)

    def __post_init__(self) -> None:
        """Start with no orders and nothing owed."""
        self.book = OrderBook(self.settings.name)
        self.queue = PushQueue(self.settings.notice_ladder_s)

    # ---- calls ----

    def submit(
        self,
        account: Account,
        biz: Mapping[str, object],
        now: datetime,
        *,
        available_minor: int | None = None,
    ) -> dict[str, object]:
        """Take a transfer, or replay the earlier one of this number. Raises RefusedError.

        `available_minor` lowers what the account seems to hold (fault short_balance).
        """
        asked = read_submission(biz, account, self.settings.remark_required_from_fen)
        known = self.book.by_reference.get((account.account, asked.reference))
        if known is not None:
            return self._replay(known, asked, now)
        registered = self.settings.payees.get(asked.payee)
        if registered is not None and asked.name and registered != asked.name:
            raise RefusedError("PAYEE_USERINFO_ERROR")
        cap = account.day_cap_fen
        if cap is not None and self.book.taken_on(account.account, now) + asked.amount_minor > cap:
            raise RefusedError("EXCEED_LIMIT_DM_AMOUNT")
        fee = self._fee(account, asked)
        free = self.books.available_minor(account.account)
        if available_minor is not None:
            free = min(free, available_minor)
        if asked.amount_minor + fee > free:
            raise RefusedError("PAYER_BALANCE_NOT_ENOUGH")
        order = self.book.take(account.account, asked, now)
        order.fee_minor = fee
        hits = self._pick_fate(order, now)
        self.books.freeze(account.account, asked.amount_minor + fee)
        if asked.is_card:
            order.arrival_at = now + timedelta(seconds=self.settings.card_arrival_s)
            self._plan_card(order, hits, now)
            self._tell(order, "CREATE", now)
        else:
            self._pay(order, now)
            self._tell(order, "FINISH", now)
        return submitted(order)

    def inquire(
        self, account: Account, biz: Mapping[str, object], now: datetime
    ) -> dict[str, object]:
        """The order's present state. Raises RefusedError."""
        if not any(biz.get(n) for n in ("pay_fund_order_id", "order_id")):
            for name in ("out_biz_no", "product_code", "biz_scene"):
                if not isinstance(biz.get(name), str) or not biz[name]:
                    raise RefusedError("INVALID_PARAMETER", f"参数有误：{name}")
        order = self.find(account.account, biz)
        if order is None or now < order.visible_from:
            raise RefusedError("ORDER_NOT_EXIST")
        return described(order)

    def find(self, account: str, biz: Mapping[str, object]) -> Order | None:
        """The account's order by pay_fund_order_id, else order_id, else out_biz_no."""
        for name in ("pay_fund_order_id", "order_id"):
            number = biz.get(name)
            if isinstance(number, str) and number:
                order = self.book.by_number.get(number)
                return order if order is not None and order.account == account else None
        reference = biz.get("out_biz_no")
        if not isinstance(reference, str):
            return None
        order = self.book.by_reference.get((account, reference))
        if order is None or biz.get("product_code") != order.submission.product:
            return None
        return order if biz.get("biz_scene") == order.submission.scene else None

    # ---- time ----

    def catch_up(self, now: datetime) -> None:
        """Settle, fail and return what is due; each at its own time, not at `now`."""
        for at, order, change in self.book.due(now):
            self._befall(order, change, at)

    def take_due_notices(self, now: datetime) -> tuple[Push, ...]:
        """Notices to deliver now; each leaves the queue."""
        return self.queue.take_due(now)

    def next_at(self) -> datetime | None:
        """The next change or notice."""
        return min(
            (at for at in (self.book.next_at(), self.queue.next_at()) if at is not None),
            default=None,
        )

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """Force a change on the one order of this number. Raises UnknownTriggerError."""
        orders = self.book.of_reference(reference)
        if len(orders) != 1:
            raise UnknownTriggerError(f"{len(orders)} orders with reference {reference!r}")
        order = orders[0]
        if event == "notice.resend":
            self._tell(order, "FINISH", now)
            return self.take_due_notices(now)
        changes = {
            "payout.settled": (Change.SETTLE, Status.DEALING),
            "payout.failed": (Change.FAIL, Status.DEALING),
            "payout.returned": (Change.RETURN, Status.SUCCESS),
        }
        if event not in changes:
            raise UnknownTriggerError(
                f"no event {event!r} (there are: {', '.join(changes)}, notice.resend)"
            )
        change, from_status = changes[event]
        if order.status is not from_status or not order.submission.is_card:
            kind = "a card" if order.submission.is_card else "an account"
            raise UnknownTriggerError(f"{event} does not fit {kind} order in {order.status}")
        self._befall(order, change, now)
        return self.take_due_notices(now)

    # ---- the life of an order ----

    def _replay(self, order: Order, asked: Submission, now: datetime) -> dict[str, object]:
        if order.submission.same_as != asked.same_as:
            raise RefusedError("PAYMENT_INFO_INCONSISTENCY")
        window_s = self.settings.retry_window_s
        if window_s is not None and (now - order.taken_at).total_seconds() > window_s:
            raise RefusedError("PAYMENT_TIME_EXPIRE")
        if order.pays_again:
            self._move(order, now)
        return submitted(order)

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

    def _plan_card(self, order: Order, hits: Hits, now: datetime) -> None:
        if "settle_never" in hits:
            return
        settle_at = now + timedelta(seconds=self.settings.card_settle_after_s)
        if late := hits.get("settle_late"):
            settle_at = now + late.duration("after")
        if failed := hits.get("settle_fail"):
            order.error_code = failed.text("reason") or _BANK_REFUSAL
            self.book.plan(order, Change.FAIL, settle_at)
            return
        self.book.plan(order, Change.SETTLE, settle_at)
        if returned := hits.get("return_late"):
            self.book.plan(order, Change.RETURN, settle_at + returned.duration("after"))

    def _befall(self, order: Order, change: Change, at: datetime) -> None:
        """Carry out a change, unless something else befell the order before."""
        if change is Change.RETURN:
            if order.status is not Status.SUCCESS:
                return
            self._return(order, at)
        elif order.status is not Status.DEALING:
            return
        elif change is Change.FAIL:
            self._fail(order)
        else:
            self._pay(order, at)
        self._tell(order, "FINISH", at)

    def _pay(self, order: Order, at: datetime) -> None:
        self.books.unfreeze(order.account, order.submission.amount_minor + order.fee_minor)
        self._move(order, at)
        order.status = Status.SUCCESS
        order.paid_at = at

    def _move(self, order: Order, at: datetime) -> None:
        submission = order.submission
        if self.books.available_minor(order.account) < submission.amount_minor + order.fee_minor:
            raise RefusedError("PAYER_BALANCE_NOT_ENOUGH")
        self.books.move(
            "payout",
            at=at,
            account=order.account,
            amount_minor=submission.amount_minor,
            reference=order.reference,
            payee=submission.payee,
            channel_ref=order.order_id,
        )
        if order.fee_minor:
            self.books.move(
                "fee",
                at=at,
                account=order.account,
                amount_minor=order.fee_minor,
                reference=order.reference,
                channel_ref=order.order_id,
            )

    def _fail(self, order: Order) -> None:
        self.books.unfreeze(order.account, order.submission.amount_minor + order.fee_minor)
        order.status = Status.FAIL
        order.error_code = order.error_code or _BANK_REFUSAL
        order.fail_reason = str(node_of(order.error_code)["sub_msg"])

    def _return(self, order: Order, at: datetime) -> None:
        self.books.move(
            "return",
            at=at,
            account=order.account,
            amount_minor=order.submission.amount_minor,
            reference=order.reference,
            payee=order.submission.payee,
            channel_ref=order.order_id,
        )
        order.status = Status.REFUND
        order.returned_at = at
        order.error_code, order.fail_reason = _BANK_RETURN

    def _fee(self, account: Account, asked: Submission) -> int:
        fee = (account.bankcard_fee or account.fee) if asked.is_card else account.fee
        return fee.schedule().of(asked.amount_minor)

    def _tell(self, order: Order, action: str, at: datetime) -> None:
        url, caller = self.accounts[order.account].notify_url, self.callers[order.account]
        if url is None:
            return
        due_at = at + timedelta(seconds=self.settings.notice_after_s)
        hits = self.faults.pick(
            Stage.NOTICE,
            op="notice",
            account=order.account,
            payee=order.submission.payee,
            reference=order.reference,
            amount_minor=order.submission.amount_minor,
            now=at,
        )

        def forge(status: str) -> Push:
            return notice(
                self.voice, caller, order, url=url, due_at=due_at, action=action, claims=status
            )

        push = notice(self.voice, caller, order, url=url, due_at=due_at, action=action)
        post(self.queue, push, hits, forge)
