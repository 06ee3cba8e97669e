"""What becomes of a transfer at the site: passed on, written down, asked about, taken back.

Source: wire-protocols.md §6, dialects.md §2 and §5, mistakes included: the row is written after the
channel behind the site has said yes, so an error of that channel leaves nothing, whatever it paid;
an administrator may take any order back, as often as he likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulators.actions import Stage
from simulators.books import Books
from simulators.clock import BEIJING
from simulators.epay import errors
from simulators.epay.charges import Charges
from simulators.epay.downstream import Change, Channel, Payment, State
from simulators.epay.errors import RefusedError, ThrownError, channel_text
from simulators.epay.gatekeeper import Call
from simulators.epay.orders import FAILED, PAID, QUEUED, UNDER_WAY, Row, Table, names, stamp, stored
from simulators.epay.rules import way_of
from simulators.epay.settings import Settings
from simulators.epay.signing import Float, Value, yuan
from simulators.epay.submission import Submission, is_nineteen, read_submission
from simulators.faults import Faults
from simulators.kernel import UnknownTriggerError

_REJECTED, _TAKEN_BACK = "管理员已拒绝", "管理员已退回"


@dataclass(slots=True)
class Transfers:
    """All transfers of one site, on its books."""

    settings: Settings
    books: Books
    faults: Faults
    table: Table = field(init=False)
    channel: Channel = field(init=False)
    charges: Charges = field(init=False)

    def __post_init__(self) -> None:
        """Start with no rows and no payments."""
        self.charges = Charges(self.settings, self.books)
        self.table = Table(self.faults.seed)
        self.channel = Channel(self.settings)

    # ---- calls ----

    def submit(
        self,
        call: Call,
        now: datetime,
        *,
        url: str,
        available_minor: int | None,
        breaks: tuple[str, str] | None,
    ) -> dict[str, Value]:
        """Take a transfer. Raises ThrownError, RefusedError.

        `available_minor` bounds what the merchant seems to hold (fault short_balance). `breaks` are
        code and text of an error of the channel that comes after it has been paid: the trap.
        """
        asked = read_submission(call, self.settings)
        merchant, old = call.merchant, self.settings.era == "old"
        out_biz_no = asked.out_biz_no or self.table.mint(now)
        keeps = is_nineteen(out_biz_no) and not self.settings.mints_always
        biz_no = out_biz_no if keeps else self.table.mint(now)
        try:
            way = way_of(
                merchant,
                asked,
                out_biz_no,
                now,
                table=self.table,
                charges=self.charges,
                available_minor=available_minor,
            )
        except RefusedError as refusal:
            if old:
                raise ThrownError(refusal.message) from None
            raise
        numbers: dict[str, Value] = {"biz_no": biz_no, "out_biz_no": out_biz_no}
        if way == "queue":
            row = self._write(merchant.account, numbers, asked, QUEUED, now)
            said: dict[str, Value] = {"code": 0, "status": QUEUED, "orderid": None, **numbers}
            said["msg"] = "提交成功！请等待管理员审核转账。"
            return self._told(said, asked, row)
        payment = self._pass_on(merchant.account, biz_no, out_biz_no, asked, now)
        if breaks is not None:
            self.catch_up(now)
            raise RefusedError(channel_text(*breaks), **numbers)
        # One step to whoever looks from outside: the row stands only if the channel said yes.
        row = self._write(merchant.account, numbers, asked, UNDER_WAY, now, payment)
        self.catch_up(now)
        if row is not None and payment.state is State.PAID:
            row.status, row.paid_at = PAID, payment.done_at
        return self._told(self._accepted(payment, row, numbers, url, now), asked, row)

    def inquire(self, call: Call, now: datetime) -> dict[str, Value]:
        """The row's state, refreshed at the channel while it is open. Raises both errors."""
        row, old = self.find(call, now), self.settings.era == "old"
        if row is None:
            raise ThrownError(errors.NO_ORDER_OLD if old else errors.NO_ORDER)
        if row.status in (PAID, FAILED):
            return stored(row, old=old)
        rest: dict[str, Value] = {
            **names(row, old=old),
            "remark": row.submission.remark,
            "cost_money": yuan(row.cost_minor),
        }
        payment = self.channel.payments.get(row.biz_no)
        if row.status == QUEUED or payment is None:
            raise RefusedError(errors.NO_CHANNEL, **rest)
        return {"code": 0, **self._refreshed(row, payment), **rest}

    def receipt(self, call: Call, now: datetime) -> dict[str, Value]:
        """Where the receipt of a paid order lies. Raises ThrownError, RefusedError."""
        row = self.find(call, now)
        if row is None:
            raise ThrownError(errors.NO_ORDER_OLD)
        ready = timedelta(seconds=self.settings.receipt_after_s)
        if row.paid_at is None or now < row.paid_at + ready:
            raise RefusedError(errors.NO_RECEIPT)
        url = f"/upload/bill/{row.biz_no}.pdf"
        return {"code": 0, "msg": "电子回单生成成功！", "download_url": url}

    def find(self, call: Call, now: datetime) -> Row | None:
        """The row a query, or a fault rule, is about. Raises ThrownError without a number."""
        biz_no, out_biz_no = call.get("biz_no"), call.get("out_biz_no")
        if self.settings.era == "old":
            biz_no = ""
        if not biz_no and not out_biz_no:
            raise ThrownError(errors.NO_NUMBER)
        by_both = self.settings.finds_out_biz_no
        row = self.table.find(call.merchant.account, biz_no, out_biz_no, by_both=by_both)
        return None if row is None or now < row.visible_from else row

    # ---- time and administration ----

    def catch_up(self, now: datetime) -> None:
        """Pay, fail and take back what is due; each at its own time, not at `now`."""
        for at, payment, change in self.channel.due(now):
            if change is Change.REVERSE:
                row = self.table.rows.get(payment.biz_no)
                if row is not None and payment.state is State.PAID:
                    row.paid_at = row.paid_at or payment.done_at
                    self.charges.take_back(row, _TAKEN_BACK, at)
            else:
                self._finish(payment, change, at)

    def trigger(self, event: str, reference: str, now: datetime) -> None:
        """What an administrator, or the channel, does to the one order of this number."""
        rows = self.table.of_reference(reference)
        if len(rows) != 1:
            raise UnknownTriggerError(f"{len(rows)} orders with reference {reference!r}")
        row = rows[0]
        fits = {
            "payout.settled": row.status == UNDER_WAY,
            "payout.failed": row.status == UNDER_WAY,
            "payout.approved": row.status == QUEUED,
            "payout.rejected": row.status == QUEUED,
            "payout.returned": row.status == PAID,
            "payout.refunded": True,
        }
        if event not in fits:
            raise UnknownTriggerError(f"no event {event!r} (there are: {', '.join(fits)})")
        if not fits[event]:
            raise UnknownTriggerError(f"{event} does not fit an order of status {row.status}")
        match event:
            case "payout.settled" | "payout.failed":
                payment = self.channel.payments[row.biz_no]
                self._finish(payment, Change.PAY if event.endswith("settled") else Change.FAIL, now)
            case "payout.approved":
                self._approve(row, now)
            case "payout.rejected":
                self.charges.take_back(row, _REJECTED, now)
            case _:
                self.charges.take_back(row, _TAKEN_BACK, now)

    # ---- the life of a transfer ----

    def _pass_on(
        self, account: str, biz_no: str, out_biz_no: str, asked: Submission, now: datetime
    ) -> Payment:
        known = self.channel.repeated(biz_no)
        if known is not None:
            return known
        hits = self.faults.pick(
            Stage.ORDER,
            op="submit",
            account=account,
            payee=asked.payee,
            reference=out_biz_no,
            amount_minor=asked.amount_minor,
            now=now,
        )
        return self.channel.take(account, out_biz_no, biz_no, asked, hits, now)

    def _write(
        self,
        account: str,
        numbers: dict[str, Value],
        asked: Submission,
        status: int,
        now: datetime,
        payment: Payment | None = None,
    ) -> Row | None:
        """Insert the row and charge for it; None where the key is taken and the insert fails."""
        biz_no, out_biz_no = str(numbers["biz_no"]), str(numbers["out_biz_no"])
        if biz_no in self.table.rows:
            return None
        cost = asked.amount_minor + self.settings.fee(asked.amount_minor)
        number = len(self.table.rows) + 1
        row = Row(number, account, biz_no, out_biz_no, asked, cost, now, now, status)
        self.table.rows[biz_no] = row
        self.charges.hold(row)
        if payment is not None:
            self._join(row, payment, now)
        return row

    def _join(self, row: Row, payment: Payment, now: datetime) -> None:
        row.visible_from = now + payment.hidden
        if payment.state is State.PAID:
            self.charges.take_fee(row, now)

    def _accepted(
        self,
        payment: Payment,
        row: Row | None,
        numbers: dict[str, Value],
        url: str,
        now: datetime,
    ) -> dict[str, Value]:
        """What a submission is told that the channel has taken."""
        is_paid, paid_on = payment.state is State.PAID, stamp(payment.done_at or now)
        slip = f"转账单据号:{payment.order_id} 支付时间:{paid_on}"
        said: dict[str, Value] = {
            "code": 0,
            "status": PAID if is_paid else UNDER_WAY,
            "orderid": payment.order_id,
            "paydate": paid_on,
            **numbers,
            "msg": ("转账成功！" if is_paid else "提交成功！转账处理中。") + slip,
        }
        if payment.confirms and row is not None and not is_paid:
            said["jumpurl"] = f"{url}/paypage/wxtrans.php?type=transfer&id={row.number}"
        return said

    def _told(self, said: dict[str, Value], asked: Submission, row: Row | None) -> dict[str, Value]:
        """The cost, if a row could be written for it; an old site names it and no number."""
        if self.settings.era == "old":
            del said["biz_no"]
        if row is not None or self.settings.era == "old":
            said["cost_money"] = Float(asked.amount_minor + self.settings.fee(asked.amount_minor))
        return said

    def _finish(self, payment: Payment, change: Change, at: datetime) -> None:
        """Pay or fail at the channel, unless that has happened; the site hears of it when asked."""
        if payment.state is not State.UNDER_WAY:
            return
        payment.done_at = at
        if change is Change.FAIL:
            payment.state = State.FAILED
            payment.error_code = payment.error_code or "PAYEE_CARD_INFO_ERROR"
            return
        payment.state = State.PAID
        self.charges.pay(payment, self.table.rows.get(payment.biz_no), at)

    def _refreshed(self, row: Row, payment: Payment) -> dict[str, Value]:
        """What the channel says of an open row; the row remembers what is final."""
        said: dict[str, Value] = {"status": UNDER_WAY, "msg": "转账处理中，请稍后查询结果。"}
        if payment.state is State.PAID:
            row.status, row.paid_at = PAID, payment.done_at
            said = {"status": PAID, "msg": "转账成功！", "paydate": stamp(payment.done_at)}
        elif payment.state is State.FAILED:
            text = channel_text(payment.error_code)
            self.charges.take_back(row, text, payment.done_at or row.added_at)
            said = {"status": FAILED, "errmsg": text, "msg": f"转账失败：{text}"}
            if self.settings.failures_name_time and payment.done_at is not None:
                said["paydate"] = payment.done_at.astimezone(BEIJING).isoformat()
        if self.settings.queries_name_amount:
            said["amount"] = Float(row.submission.amount_minor)
        return said

    def _approve(self, row: Row, now: datetime) -> None:
        payment = self._pass_on(row.account, row.biz_no, row.out_biz_no, row.submission, now)
        row.status = UNDER_WAY
        self._join(row, payment, now)
        self.catch_up(now)
