"""The Jeepay simulator: one payment service, its orders, the money behind it, its notices.

Pure: `handle` and `tick` get the time. It behaves as the stock server does, defects included: an
undecided answer of WeChat is booked as failed, an order the repair no longer looks at stays in
state 1, a return is never seen, a second order of a number is refused with a text. The books tell
what the accounts at Alipay, WeChat and the bank have really paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from simulators import magic, wirefaults
from simulators.actions import Stage as Moment
from simulators.books import Books, Movement, ShortBalanceError
from simulators.faults import Faults, Hits
from simulators.jeepay import replies
from simulators.jeepay.magic import MAGIC
from simulators.jeepay.notices import Notices
from simulators.jeepay.requests import (
    INQUIRE,
    PATHS,
    SUBMIT,
    Given,
    RefusedError,
    admit,
    check_way,
    has_scene,
    read,
)
from simulators.jeepay.settings import Account, Settings
from simulators.kernel import Answer, Push, Reply, Request, Row, UnknownTriggerError
from simulators.orders import Failure, Order, Orders, Stage

_CONFIRM = timedelta(hours=24)
_UNDECIDED = "SYSTEM_ERROR"
_SHORT: Mapping[str, Failure] = {
    "ALIPAY_CASH": Failure("PAYER_BALANCE_NOT_ENOUGH", "付款方余额不足"),
    "WX_CASH": Failure("NOT_ENOUGH", "余额不足"),
    "BANK_CARD": Failure("PAYER_BALANCE_NOT_ENOUGH", "付款方余额不足"),
}
_BUSY = Reply(429, (("content-type", "text/html"),), b"<html><h1>429 Too Many Requests</h1></html>")


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> JeepaySimulator:
    """Make a simulator of its configuration. Raises pydantic's ValidationError."""
    faults.seed = seed
    faults.magic = magic.rules(MAGIC)
    return JeepaySimulator(Settings.model_validate(config), faults)


class JeepaySimulator:
    """See simulators.kernel.Simulator."""

    kind = "jeepay"

    def __init__(self, settings: Settings, faults: Faults) -> None:
        """Open the accounts with their balances; no I/O."""
        self.name = settings.name
        self._settings = settings
        self._faults = faults
        self._books = Books()
        self._accounts = {a.account: a for a in settings.accounts}
        self._applications = {(a.mch_no, a.app_id): a for a in settings.accounts}
        for account in settings.accounts:
            self._books.open(account.account, account.balance_fen)
        self._notices = Notices(settings, faults, self._accounts)
        self._orders = Orders(
            self._books,
            faults,
            prefix="T",
            told=self._notices.changed,
            sees_for=self._repair_of,
            shows_returns=False,
        )

    # ---- requests ----

    def handle(self, request: Request, now: datetime) -> Answer:
        """A transfer or a query."""
        self._orders.catch_up(now)
        op = PATHS.get(request.path)
        if op is None or request.method not in (("POST", "GET") if op == INQUIRE else ("POST",)):
            missing = b'{"status":404,"error":"Not Found"}'
            return Answer(Reply(404, replies.JSON, missing), op="unknown")
        try:
            given = read(request, op)
            account = admit(given, self._applications)
        except RefusedError as refused:
            return Answer(replies.refusal(refused.code, refused.message), op="refused")
        reference, payee, amount = self._subject(account, given, now)
        hits = self._faults.pick(
            Moment.REQUEST,
            op=op,
            account=account.account,
            payee=payee,
            reference=reference,
            amount_minor=amount,
            now=now,
        )
        name = account.account
        if early := wirefaults.before(hits, op=op, account=name, reference=reference):
            return early
        reply = self._execute(account, given, hits, now)
        pushes = self._notices.queue.take_due(now)
        return wirefaults.after(
            reply, hits, op=op, account=name, reference=reference, pushes=pushes
        )

    def _execute(self, account: Account, given: Given, hits: Hits, now: datetime) -> Reply:
        if "throttle" in hits:
            return _BUSY  # a box in front: the server itself knows no rate
        try:
            if closed := hits.get("maintenance"):
                raise RefusedError(closed.text("code"), "系统维护中")  # noqa: TRY301 - one road for refusals
            no = hits.get("reject")
            if no is not None and not no.flag("executed") and _is_own(no.text("code")):
                raise RefusedError(no.text("code"), no.text("message") or "系统异常")  # noqa: TRY301 - as above
            if given.op == SUBMIT:
                said = self._submit(account, given, hits, now)
            else:
                said = self._query(account, given, now)
            if no is not None and no.flag("executed") and _is_own(no.text("code")):
                raise RefusedError(no.text("code"), no.text("message") or "更新转账订单异常!")  # noqa: TRY301 - as above
            if strange := hits.get("unknown_code"):
                raise RefusedError(strange.text("code"), "未知异常")  # noqa: TRY301 - as above
        except RefusedError as refused:
            return replies.refusal(refused.code, refused.message)
        replies.distort(said, hits)
        return replies.envelope(said, account.app_secret.get_secret_value(), hits)

    def _query(self, account: Account, given: Given, now: datetime) -> replies.Fields:
        reference, number = given.text("mchOrderNo"), given.text("transferId")
        if not reference and not number:
            raise RefusedError(9999, "mchOrderNo 和 transferId不能同时为空")
        order = self._orders.find(account.account, reference, number, now)
        if order is None:
            raise RefusedError(9999, "订单不存在")
        return replies.described(order, account, self._settings.site_url)

    def _submit(self, account: Account, given: Given, hits: Hits, now: datetime) -> replies.Fields:
        reference = given.text("mchOrderNo")
        known = self._orders.by_reference.get((account.account, reference))
        if known is not None:
            if not known.pays_again:
                raise RefusedError(9999, f"商户订单[{reference}]已存在")
            self._orders.pay_again(known, now)
            return replies.submitted(known, self._settings.site_url)
        check_way(account, given)
        order, fate = self._orders.take(
            account.account,
            reference,
            given.text("accountNo"),
            given.amount or 0,
            0,
            {n: v for n, v in given.fields.items() if n != "sign"},
            now,
        )
        self._pay_by_way_of(account, order, hits, fate, now)
        return replies.submitted(order, self._settings.site_url)

    def _pay_by_way_of(
        self, account: Account, order: Order, hits: Hits, fate: Hits, now: datetime
    ) -> None:
        """Ask the channel behind, and write down what the stock server makes of its answer."""
        entry = order.asked["entryType"]
        needs_scene = entry == "WX_CASH" and account.wechat_version == "new202501"
        if needs_scene and not has_scene(order.asked.get("channelExtra", "")):
            # SYS_ERROR: never sent, and the order stays in state 0 for good.
            order.failure = Failure("", "channelExtra格式不正确")
            return
        short = hits.get("short_balance")
        available = self._books.available_minor(account.account)
        limit = available if short is None else min(available, short.whole("available_fen"))
        no = hits.get("reject")
        word = None if no is None or _is_own(no.text("code")) else no.text("code")
        executed = no is not None and no.flag("executed")
        if order.amount_minor > limit:
            self._orders.fail(order, _SHORT[entry], now)
        elif word == _UNDECIDED and (entry != "WX_CASH" or self._settings.wechat_repairs_doubt):
            order.stage = Stage.PENDING
            if executed:
                self._start(account, order, fate, now, at_least=timedelta(minutes=1))
        elif word is not None:
            why = Failure(word, (no.text("message") if no else "") or "上游返回失败")
            if executed:
                self._orders.lie(order, why, now)
            else:
                self._orders.fail(order, why, now)
        else:
            self._start(account, order, fate, now)

    def _start(
        self,
        account: Account,
        order: Order,
        fate: Hits,
        now: datetime,
        at_least: timedelta = timedelta(),
    ) -> None:
        settings, late, refused_with = self._settings, fate.get("confirm_late"), None
        match order.asked["entryType"]:
            case "ALIPAY_CASH":
                after = timedelta(seconds=settings.alipay_settle_after_s)
            case "BANK_CARD":
                after = timedelta(seconds=settings.bank_settle_after_s)
            case _ if account.wechat_version == "old":
                after = timedelta(minutes=1)
            case _ if "confirm_never" in fate:
                after, refused_with = _CONFIRM, Failure("OVERDUE_CLOSE", "")
            case _:
                after = timedelta(seconds=settings.wechat_confirm_after_s)
                after = after if late is None else late.duration("after")
        try:
            self._orders.start(order, fate, max(after, at_least), now, refused_with=refused_with)
        except ShortBalanceError:
            self._orders.fail(order, _SHORT[order.asked["entryType"]], now)

    def _repair_of(self, order: Order) -> timedelta | None:
        """WeChat tells Jeepay of an end whenever it comes; the others are only asked."""
        seconds = self._settings.repair_s
        if seconds is None or order.asked.get("entryType") == "WX_CASH":
            return None
        return timedelta(seconds=seconds)

    def _subject(
        self, account: Account, given: Given, now: datetime
    ) -> tuple[str, str, int | None]:
        """Reference, payee and amount a fault rule may select by."""
        reference = given.text("mchOrderNo")
        if given.op == SUBMIT:
            return reference, given.text("accountNo"), given.amount
        order = self._orders.find(account.account, reference, given.text("transferId"), now)
        if order is None:
            return reference, "", None
        return order.reference, order.payee, order.amount_minor

    # ---- time, notices, administration ----

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Carry out what is due: settlements, returns, notices."""
        self._orders.catch_up(now)
        return self._notices.queue.take_due(now)

    def next_tick_at(self) -> datetime | None:
        """When something falls due next."""
        due = (self._orders.next_at(), self._notices.queue.next_at())
        return min((at for at in due if at is not None), default=None)

    def on_push_result(
        self, push: Push, status: int | None, now: datetime, body: bytes = b""
    ) -> None:
        """Only the body counts, and only `SUCCESS`; anything else climbs the ladder."""
        self._notices.heard(push, status, body, now)

    def truth(self) -> Sequence[Movement]:
        """Every movement so far."""
        return tuple(self._books.truth)

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances."""
        return [
            {
                "account": a.account,
                "mch_no": a.mch_no,
                "app_id": a.app_id,
                **self._books.shown(a.account),
            }
            for a in self._accounts.values()
        ]

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on an account. Raises LookupError."""
        self._books.topup(account, amount_minor, now)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """payout.settled, payout.failed, payout.returned or notice.resend."""
        self._orders.catch_up(now)
        order = self._orders.of(reference)
        if event != "notice.resend":
            self._orders.force(event, order, now)
        elif not self._notices.resend(order, now):
            raise UnknownTriggerError(f"nothing was told about {reference!r} so far")
        return self._notices.queue.take_due(now)

    def magic(self) -> Sequence[Row]:
        """The rows for Jeepay."""
        return magic.rows(MAGIC, self.kind)


def _is_own(code: str) -> bool:
    """Whether a code is Jeepay's; words are those of the channel behind it."""
    return code.isdigit()
