"""The XxPay simulator: one gateway, its orders, its merchants' payout balances, its notices.

Pure: `handle` and `tick` get the time. It behaves as the stock server does, defects included: a
transfer whose answer is not understood is booked as failed although it may have been made, and
nobody is told; refusals are not signed; a return is not shown. The books tell what was really paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from simulators import magic, wirefaults
from simulators.actions import Stage as Moment
from simulators.books import Books, Movement, ShortBalanceError
from simulators.faults import Faults, Hits
from simulators.kernel import Answer, Push, Reply, Request, Row, UnknownTriggerError
from simulators.orders import Failure, Order, Orders, Stage
from simulators.xxpay import replies
from simulators.xxpay.magic import MAGIC
from simulators.xxpay.notices import Notices
from simulators.xxpay.requests import BALANCE, PATHS, SUBMIT, Given, RefusedError, admit, read
from simulators.xxpay.settings import Account, Settings

_BUSY = Reply(429, (("content-type", "text/html"),), b"<html><h1>429 Too Many Requests</h1></html>")


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> XxPaySimulator:
    """Make a simulator of its configuration. Raises pydantic's ValidationError."""
    faults.seed = seed
    faults.magic = magic.rules(MAGIC)
    return XxPaySimulator(Settings.model_validate(config), faults)


class XxPaySimulator:
    """See simulators.kernel.Simulator."""

    kind = "xxpay"

    def __init__(self, settings: Settings, faults: Faults) -> None:
        """Open the accounts with their balances; no I/O."""
        self.name = settings.name
        self._settings = settings
        self._faults = faults
        self._books = Books()
        self._accounts = {a.account: a for a in settings.accounts}
        self._merchants = {a.mch_id: a for a in settings.accounts}
        for account in settings.accounts:
            self._books.open(account.account, account.balance_fen)
        self._notices = Notices(settings, faults, self._accounts)
        self._orders = Orders(
            self._books,
            faults,
            prefix="G",
            told=self._notices.changed,
            shows_returns=settings.shows_returns,
            tells_lies=False,
            failure=Failure("", "银行返回交易失败"),
        )
        self._recent: dict[tuple[str, str, int], Order] = {}
        """The last order of a card and an amount, for the guard against doubled requests."""

    # ---- requests ----

    def handle(self, request: Request, now: datetime) -> Answer:
        """An application for a payout, a query, or a question about the balance."""
        self._orders.catch_up(now)
        op = PATHS.get(request.path)
        if op is None or request.method not in ("GET", "POST"):
            missing = b'{"status":404,"error":"Not Found"}'
            return Answer(Reply(404, replies.JSON, missing), op="unknown")
        try:
            given = read(request, op)
            account = admit(given, self._merchants, self._settings)
        except RefusedError as refused:
            known = self._merchants.get(dict(_fields(request, op)).get("mchId", ""))
            return Answer(self._refusal(refused, known, Hits()), op="refused")
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
        no = hits.get("reject")
        try:
            if closed := hits.get("maintenance"):
                raise RefusedError("系统维护中", closed.text("code"))  # noqa: TRY301 - one road for refusals
            if no is not None and not no.flag("executed"):
                raise RefusedError(no.text("message") or "申请代付失败", no.text("code"))  # noqa: TRY301 - as above
            said = self._said(account, given, hits, now)
            if no is not None:
                raise RefusedError(no.text("message") or "支付网关系统异常", no.text("code"))  # noqa: TRY301 - as above
            if strange := hits.get("unknown_code"):
                raise RefusedError("未知异常", strange.text("code"))  # noqa: TRY301 - as above
        except RefusedError as refused:
            return self._refusal(refused, account, hits)
        _distort(said, hits)
        secret = account.private_key.get_secret_value()
        return replies.success(said, secret, self._settings, hits)

    def _said(self, account: Account, given: Given, hits: Hits, now: datetime) -> replies.Fields:
        if given.op == BALANCE:
            total = self._books.balance_minor(account.account)
            free = self._books.available_minor(account.account)
            return {"agentpayBalance": str(total), "availableAgentpayBalance": str(free)}
        if given.op == SUBMIT:
            return self._submit(account, given, hits, now)
        reference, number = given.text("mchOrderNo"), given.text("agentpayOrderId")
        order = self._orders.find(account.account, reference, number, now)
        if order is None:
            raise RefusedError("代付订单不存在")
        if given.text("executeNotify") == "true":
            self._notices.resend(order, now)
        return replies.described(order)

    def _submit(self, account: Account, given: Given, hits: Hits, now: datetime) -> replies.Fields:
        reference, payee, amount = given.text("mchOrderNo"), given.text("accountNo"), given.amount
        known = self._orders.by_reference.get((account.account, reference))
        if known is not None:
            if not known.pays_again:
                raise RefusedError("商户代付单号重复")
            self._orders.pay_again(known, now)
            return replies.submitted(known)
        amount = amount or 0
        self._guard(account.account, payee, amount, now)
        fee = account.fee.of(amount)
        short = hits.get("short_balance")
        available = self._books.available_minor(account.account)
        limit = available if short is None else min(available, short.whole("available_fen"))
        if amount + fee > limit:
            raise RefusedError("账户余额不足")
        order, fate = self._orders.take(
            account.account,
            reference,
            payee,
            amount,
            fee,
            {n: v for n, v in given.fields.items() if n != "sign"},
            now,
        )
        self._recent[account.account, payee, amount] = order
        try:
            after = timedelta(seconds=self._settings.settle_after_s)
            self._orders.start(order, fate, after, now)
        except ShortBalanceError:
            raise RefusedError("账户余额不足") from None
        return replies.submitted(order)

    def _guard(self, account: str, payee: str, amount: int, now: datetime) -> None:
        """The same card and amount again too soon: 频繁代付. A failed one does not count."""
        last = self._recent.get((account, payee, amount))
        if last is None or last.stage is Stage.FAILED:
            return
        if (now - last.taken_at).total_seconds() < self._settings.same_payee_s:
            raise RefusedError(f"频繁代付,卡号:{payee},金额:{amount // 100}.{amount % 100:02d}元")

    def _refusal(self, refused: RefusedError, account: Account | None, hits: Hits) -> Reply:
        secret = None if account is None else account.private_key.get_secret_value()
        return replies.refusal(refused.code, refused.message, secret, self._settings, hits)

    def _subject(
        self, account: Account, given: Given, now: datetime
    ) -> tuple[str, str, int | None]:
        """Reference, payee and amount a fault rule may select by."""
        reference = given.text("mchOrderNo")
        if given.op == SUBMIT:
            return reference, given.text("accountNo"), given.amount
        number = given.text("agentpayOrderId")
        order = self._orders.find(account.account, reference, number, now)
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
        """Only the body counts, and only `success`; anything else climbs the ladder."""
        self._notices.heard(push, status, body, now)

    def truth(self) -> Sequence[Movement]:
        """Every movement so far."""
        return tuple(self._books.truth)

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances."""
        return [
            {
                "account": a.account,
                "mch_id": a.mch_id,
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
            raise UnknownTriggerError(f"nothing can be told about {reference!r} so far")
        return self._notices.queue.take_due(now)

    def magic(self) -> Sequence[Row]:
        """The rows for XxPay."""
        return magic.rows(MAGIC, self.kind)


def _fields(request: Request, op: str) -> Mapping[str, str]:
    """What a request that was refused holds, as far as it can be read."""
    try:
        return read(request, op).fields
    except RefusedError:
        return {}


def _distort(said: replies.Fields, hits: Hits) -> None:
    """The faults that change what a true reply says; it is signed afterwards."""
    for action in ("unknown_status", "status_lie"):
        if (lie := hits.get(action)) is not None and "status" in said:
            said["status"] = replies.status_of(lie.text("status"))
    if (wrong := hits.get("wrong_echo")) is not None:
        if wrong.text("field") == "amount" and "amount" in said:
            said["amount"] = str(int(str(said["amount"])) + 1)
        if wrong.text("field") == "reference":
            for name in ("mchOrderNo", "extra"):
                if said.get(name):
                    said[name] = f"{said[name]}X"
