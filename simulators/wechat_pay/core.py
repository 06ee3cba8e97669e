"""The WeChat Pay API v3 simulator as the kernel sees it: admits, executes, signs, and lets time
pass.

Every request takes the same way: admit the caller, ask the fault rules, execute, let the rules
distort the answer, sign. Which calls there are is in `routes`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from simulators import magic, wirefaults
from simulators.actions import Stage
from simulators.books import Books, Movement
from simulators.faults import Faults, Hits
from simulators.kernel import Answer, Push, PushQueue, Reply, Request, Row, UnknownTriggerError
from simulators.wechat_pay import tampering, transfer_api
from simulators.wechat_pay.bill import Bill
from simulators.wechat_pay.desk import Call, Desk
from simulators.wechat_pay.errors import RefusedError, refused
from simulators.wechat_pay.fund_bills import FundBills
from simulators.wechat_pay.gatekeeper import Caller, Gatekeeper
from simulators.wechat_pay.magic import MAGIC
from simulators.wechat_pay.notices import Notices, ProbeResult
from simulators.wechat_pay.routes import Route, find
from simulators.wechat_pay.settings import Settings
from simulators.wechat_pay.transfers import Transfers

KIND = "wechat_pay"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a request is about, as far as fault rules may select by it."""

    reference: str = ""
    payee: str = ""
    amount_fen: int | None = None


class WeChatPay:
    """One simulated WeChat Pay with all its merchants. Pure: see simulators.kernel."""

    triggers = (
        *("payout.confirmed", "payout.failed", "payout.expired"),
        *("notice.resend", "notice.probe"),
    )

    def __init__(self, settings: Settings, *, seed: int, faults: Faults) -> None:
        """Opens the merchants' accounts. The same seed and requests give the same bytes."""
        self._settings = settings
        self._faults = faults
        faults.magic = magic.rules(MAGIC)
        entropy = random.Random(f"{seed}:{settings.name}")  # noqa: S311 - reproducible, not secret
        gatekeeper = Gatekeeper(settings, entropy)
        books = Books()
        for account in settings.accounts:
            books.open(account.account, account.balance_fen)
        self._desk = Desk(
            settings=settings,
            gatekeeper=gatekeeper,
            books=books,
            transfers=Transfers(books, entropy),
            fund_bills=FundBills(books, faults, settings.statement_from_hour),
            faults=faults,
        )
        self._notices = Notices(
            gatekeeper=gatekeeper,
            faults=faults,
            accounts={account.account: account for account in settings.accounts},
            queue=PushQueue(settings.notice_ladder_s),
            probe_every=settings.probe_every,
        )

    @property
    def name(self) -> str:
        """The configured name."""
        return self._settings.name

    @property
    def kind(self) -> str:
        """Always `wechat_pay`."""
        return KIND

    @property
    def probes(self) -> Sequence[ProbeResult]:
        """How each SIGNTEST probe was taken, oldest first."""
        return tuple(self._notices.probes)

    def handle(self, request: Request, now: datetime) -> Answer:
        """Executes one request; what fell due before is done first, so that states are never
        stale."""
        self._pass_time(now)
        route, number = find(request)
        op = route.op if route else ""
        gatekeeper = self._desk.gatekeeper
        try:
            caller = gatekeeper.admit(request, now)
        except RefusedError as error:
            identity = gatekeeper.identity(request.headers.get("wechatpay-serial"))
            return Answer(gatekeeper.reply(identity, now, error.status, error.body()), op=op)
        if route is None:
            missing = refused("RESOURCE_NOT_EXISTS")
            return Answer(gatekeeper.reply(caller.identity, now, missing.status, missing.body()))
        subject = self._subject(route, caller, request, number)
        account = caller.account.account
        hits = self._faults.pick(
            Stage.REQUEST,
            op=op,
            account=account,
            now=now,
            payee=subject.payee,
            reference=subject.reference,
            amount_minor=subject.amount_fen,
        )
        early = wirefaults.before(hits, op=op, account=account, reference=subject.reference)
        if early is not None:
            return early
        call = Call(request, caller, number, now, hits)
        reply = tampering.spoil_signature(self._execute(route, call, hits), hits)
        self._pass_time(now)
        return wirefaults.after(reply, hits, op=op, account=account, reference=subject.reference)

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Moves every bill that is due, at its own time, and returns the notices to send now."""
        self._pass_time(now)
        return self._notices.take_due(now)

    def next_tick_at(self) -> datetime | None:
        """When the next bill moves or the next notice is due."""
        due = (self._desk.transfers.next_at(), self._notices.queue.next_at())
        return min((at for at in due if at is not None), default=None)

    def on_push_result(
        self,
        push: Push,
        status: int | None,
        now: datetime,
        body: bytes = b"",
    ) -> None:
        """200 and 204 settle a notice; anything else climbs the ladder. Probes are judged."""
        self._notices.heard(push, status, now)

    def truth(self) -> Sequence[Movement]:
        """Every movement of money so far, oldest first."""
        return tuple(self._desk.books.truth)

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances of the merchants."""
        books = self._desk.books
        return [
            {
                "account": account.account,
                "mchid": account.mchid,
                "appid": account.appid,
                **books.shown(account.account),
                "fund_account": account.fund_account,
                "probes_passed": self._probes(account.account, passed=True),
                "probes_failed": self._probes(account.account, passed=False),
            }
            for account in self._settings.accounts
        ]

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Puts money on an account and lets transfers go on that waited for it."""
        self._pass_time(now)
        if all(account != known.account for known in self._settings.accounts):
            raise LookupError(f"no account {account!r}")
        self._desk.books.move("topup", at=now, account=account, amount_minor=amount_minor)
        self._desk.transfers.money_came(now)
        self._pass_time(now)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """Forces one of `triggers` on a transfer."""
        self._pass_time(now)
        do = self._events().get(event)
        if do is None:
            offered = ", ".join(self.triggers)
            raise UnknownTriggerError(f"no event {event!r} (there are: {offered})")
        bill = self._desk.transfers.of_reference(reference)
        if bill is None:
            raise UnknownTriggerError(f"no transfer has the number {reference!r}")
        if not do(bill, now):
            raise UnknownTriggerError(f"{event} does not fit a transfer in {bill.state}")
        return self.tick(now)

    def magic(self) -> Sequence[Row]:
        """The rows of the magic table that apply here."""
        return magic.rows(MAGIC, KIND)

    def _probes(self, account: str, *, passed: bool) -> int:
        results = (probe for probe in self._notices.probes if probe.account == account)
        return sum(probe.passed == passed for probe in results)

    def _events(self) -> Mapping[str, Callable[[Bill, datetime], bool]]:
        transfers = self._desk.transfers
        return {
            "payout.confirmed": transfers.confirm,
            "payout.failed": lambda bill, at: transfers.fail(
                bill, transfer_api.DEFAULT_FAIL_REASON, at
            ),
            "payout.expired": lambda bill, at: transfers.fail(bill, "OVERDUE_CLOSE", at),
            "notice.resend": self._notices.resend,
            "notice.probe": self._notices.probe,
        }

    def _execute(self, route: Route, call: Call, hits: Hits) -> Reply:
        gatekeeper = self._desk.gatekeeper
        try:
            tampering.refuse_before(hits)
            said = route.endpoint(self._desk, call)
            tampering.refuse_after(hits)
        except RefusedError as error:
            return gatekeeper.reply(call.caller.identity, call.now, error.status, error.body())
        if isinstance(said, Reply):
            return said
        return gatekeeper.reply(call.caller.identity, call.now, 200, tampering.lie(said, hits))

    def _pass_time(self, now: datetime) -> None:
        transfers = self._desk.transfers
        transfers.run(now)
        finished, transfers.finished = transfers.finished, []
        for bill in finished:
            self._notices.finished(bill, bill.updated_at or now)

    def _subject(self, route: Route, caller: Caller, request: Request, number: str) -> _Subject:
        account = caller.account.account
        if route.op == "submit":
            return _claimed(request.body)
        if route.endpoint is transfer_api.query_by_transfer_bill_no:
            bill = self._desk.transfers.by_transfer_bill_no(account, number)
        elif route.op in {"inquire", "cancel", "receipt"}:
            bill = self._desk.transfers.by_out_bill_no(account, number)
        else:
            return _Subject()
        if bill is None:
            return _Subject(reference=number)
        asked = bill.submission
        return _Subject(asked.out_bill_no, asked.openid, asked.amount_fen)


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> WeChatPay:
    """A simulator from its section of the configuration; pydantic's ValidationError names every bad
    key."""
    return WeChatPay(Settings.model_validate(config), seed=seed, faults=faults)


def _claimed(body: bytes) -> _Subject:
    # Only for choosing fault rules: whether the submission is valid is judged later, strictly.
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return _Subject()
    if not isinstance(given, dict):
        return _Subject()
    amount = given.get("transfer_amount")
    return _Subject(
        reference=str(given.get("out_bill_no", "")),
        payee=str(given.get("openid", "")),
        amount_fen=amount if isinstance(amount, int) else None,
    )
