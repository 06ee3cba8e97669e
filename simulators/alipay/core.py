"""The Alipay simulator: one gateway address, its orders, its books, its notices and its bills.

Pure: `handle` and `tick` get the time, and the seeded faults decide what goes wrong. Gateway checks
are in `parameters`, field rules in `submission`, bytes in `messages`, the bill file in `statement`;
this file routes a call to its method and applies the faults that speak the platform's dialect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from simulators import magic, wirefaults
from simulators.actions import Stage
from simulators.alipay.bills import Bills
from simulators.alipay.errors import GatewayRefusedError, RefusedError, node_of
from simulators.alipay.magic import MAGIC
from simulators.alipay.messages import Tone, Voice, envelope
from simulators.alipay.parameters import Application, Call, read_call
from simulators.alipay.receipts import Receipts
from simulators.alipay.settings import Account, Settings
from simulators.alipay.signing import (
    certificate_key,
    load_private_key,
    load_public_key,
    root_serial,
)
from simulators.alipay.statement import yuan
from simulators.alipay.submission import read_amount
from simulators.alipay.transfers import Transfers
from simulators.books import Books, Movement
from simulators.faults import NO_HITS, Faults, Hits
from simulators.kernel import Answer, Push, Reply, Request, Row

_OPS = {
    "alipay.fund.trans.uni.transfer": "submit",
    "alipay.fund.trans.common.query": "inquire",
    "alipay.fund.account.query": "balance",
    "alipay.data.bill.balance.query": "balance",
    "alipay.data.bill.accountlog.query": "ledger",
    "alipay.data.dataservice.bill.downloadurl.query": "statement",
    "alipay.data.bill.ereceipt.apply": "receipt",
    "alipay.data.bill.ereceipt.query": "receipt",
}
_METHODS = frozenset(_OPS)
_GATEWAY = "/gateway.do"
_OK = {"code": "10000", "msg": "Success"}
_PLAIN = (("content-type", "text/plain; charset=utf-8"),)


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> AlipaySimulator:
    """Make a simulator of its configuration. Raises pydantic's ValidationError."""
    faults.seed = seed
    faults.magic = magic.rules(MAGIC)
    return AlipaySimulator(Settings.model_validate(config), faults)


class AlipaySimulator:
    """See simulators.kernel.Simulator."""

    kind = "alipay"

    def __init__(self, settings: Settings, faults: Faults) -> None:
        """Open the accounts with their balances; no I/O."""
        self.name = settings.name
        self._settings = settings
        self._faults = faults
        self._books = Books()
        serial = None
        if settings.platform_certificate:
            serial = certificate_key(settings.platform_certificate)[1]
        key = load_private_key(settings.platform_private_key.get_secret_value())
        self._voice = Voice(key, serial)
        self._accounts = {a.account: a for a in settings.accounts}
        roots = root_serial(settings.root_certificates) if settings.root_certificates else None
        callers = {a.account: _application(a, roots) for a in settings.accounts}
        self._applications = {c.app_id: c for c in callers.values()}
        for account in settings.accounts:
            self._books.open(account.account, account.balance_fen)
        self._transfers = Transfers(
            settings, self._books, faults, self._voice, callers, self._accounts
        )
        self._bills = Bills(settings, self._books, faults)
        self._receipts = Receipts(settings, self._transfers, faults)

    # ---- requests ----

    def handle(self, request: Request, now: datetime) -> Answer:
        """The gateway, and the addresses that files are fetched from."""
        self._transfers.catch_up(now)
        if request.path == self._receipts.path and request.method == "GET":
            return self._receipts.download(request.query, now)
        if request.path == self._bills.path and request.method == "GET":
            return self._bills.download(request.query, now)
        if request.path != _GATEWAY or request.method not in ("GET", "POST"):
            return Answer(Reply(404, _PLAIN, b"404 Not Found"), op="unknown")
        try:
            call = read_call(
                request,
                self._applications,
                _METHODS,
                now,
                self._settings.timestamp_tolerance_s,
            )
        except GatewayRefusedError as refusal:
            reply = envelope(self._voice, refusal.method, refusal.node, Tone())
            return Answer(reply, op="refused")
        return self._answer(call, request, now)

    def _answer(self, call: Call, request: Request, now: datetime) -> Answer:
        op = _OPS[call.method]
        account = call.application.account
        reference, payee, amount = self._subject(call)
        hits = self._faults.pick(
            Stage.REQUEST,
            op=op,
            account=account,
            payee=payee,
            reference=reference,
            amount_minor=amount,
            now=now,
        )
        if early := wirefaults.before(hits, op=op, account=account, reference=reference):
            return early
        pushes: tuple[Push, ...] = ()
        try:
            if (closed := hits.get("maintenance")) is not None:
                raise RefusedError(closed.text("code"))  # noqa: TRY301 - one road for refusals
            if "throttle" in hits:
                raise RefusedError("RESOURCE_LIMIT_EXCEED")  # noqa: TRY301 - as above
            if (refused := hits.get("reject")) is not None and not refused.flag("executed"):
                raise RefusedError(refused.text("code"), refused.text("message"))  # noqa: TRY301 - as above
            node = _OK | self._run(call, request, hits, now)
            pushes = self._transfers.take_due_notices(now)
        except RefusedError as refusal:
            node = refusal.node
        reply = self._say(call, _disguise(node, hits), hits)
        return wirefaults.after(
            reply, hits, op=op, account=account, reference=reference, pushes=pushes
        )

    def _run(self, call: Call, request: Request, hits: Hits, now: datetime) -> dict[str, object]:
        account = self._accounts[call.application.account]
        base = self._settings.public_url or f"http://{request.headers.get('host', '')}"
        match _OPS[call.method]:
            case "submit":
                short = hits.get("short_balance")
                limit = short.whole("available_fen") if short else None
                return self._transfers.submit(account, call.biz, now, available_minor=limit)
            case "inquire":
                return self._transfers.inquire(account, call.biz, now)
            case "balance":
                return self._balance(account, call)
            case "ledger":
                return self._bills.ledger(account, call.biz)
            case "receipt" if call.method.endswith("apply"):
                return self._receipts.apply(account, call.biz, now)
            case "receipt":
                return self._receipts.query(account, call.biz, base, now)
            case _:
                return self._bills.address(account, call.biz, base, now)

    def _balance(self, account: Account, call: Call) -> dict[str, object]:
        free = yuan(self._books.available_minor(account.account))
        frozen = yuan(self._books.frozen_minor(account.account))
        if call.method == "alipay.data.bill.balance.query":
            total = yuan(self._books.balance_minor(account.account))
            return {"total_amount": total, "available_amount": free, "freeze_amount": frozen}
        if call.biz.get("account_type") != "ACCTRANS_ACCOUNT":
            raise RefusedError("INVALID_PARAMETER", "参数有误：account_type")
        if call.biz.get("alipay_user_id", account.user_id) != account.user_id:
            raise RefusedError("INVALID_PARAMETER", "参数有误：alipay_user_id")
        return {"available_amount": free, "freeze_amount": frozen}

    def _subject(self, call: Call) -> tuple[str, str, int | None]:
        """Reference, payee and amount a fault rule may select by, as far as they can be told."""
        biz = call.biz
        account, op = call.application.account, _OPS[call.method]
        order = self._transfers.find(account, biz)
        if op == "receipt":
            order = self._receipts.order(account, biz.get("key"))
        if order is not None and op in {"inquire", "receipt"}:
            return order.reference, order.submission.payee, order.submission.amount_minor
        reference, info = biz.get("out_biz_no"), biz.get("payee_info")
        payee = info.get("identity") if isinstance(info, dict) else None
        return (
            reference if isinstance(reference, str) else "",
            payee if isinstance(payee, str) else "",
            read_amount(biz.get("trans_amount")),
        )

    def _say(self, call: Call, node: Mapping[str, object], hits: Hits) -> Reply:
        tone = Tone(
            charset=call.charset,
            aes_key=call.application.aes_key if call.is_encrypted else None,
            names_certificate=call.application.certificate_serial is not None,
            is_signed="unsigned" not in hits,
            is_true="bad_signature" not in hits,
        )
        return envelope(self._voice, call.method, node, tone)

    # ---- time, notices, administration ----

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Carry out what is due: settlements, returns, notices."""
        self._transfers.catch_up(now)
        return self._transfers.take_due_notices(now)

    def next_tick_at(self) -> datetime | None:
        """When something falls due next."""
        return self._transfers.next_at()

    def on_push_result(
        self, push: Push, status: int | None, now: datetime, body: bytes = b""
    ) -> None:
        """Only HTTP 200 with exactly `success` counts; anything else climbs the ladder."""
        if status == 200 and body == b"success":
            return
        wait_s = self._transfers.queue.retry_wait_s(push)
        if wait_s is not None:
            later = now + timedelta(seconds=wait_s)
            self._transfers.queue.add(replace(push, attempt=push.attempt + 1, due_at=later))

    def truth(self) -> Sequence[Movement]:
        """Every movement so far."""
        return self._books.truth

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances."""
        return [
            {
                "account": a.account,
                "app_id": a.app_id,
                "user_id": a.user_id,
                **self._books.shown(a.account),
            }
            for a in self._accounts.values()
        ]

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on an account. Raises LookupError."""
        self._books.topup(account, amount_minor, now)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """payout.settled, payout.failed, payout.returned or notice.resend."""
        return self._transfers.trigger(event, reference, now)

    def magic(self) -> Sequence[Row]:
        """The rows for Alipay."""
        return magic.rows(MAGIC, "alipay")


def _disguise(node: Mapping[str, object], hits: Hits) -> dict[str, object]:
    """The faults that change what a true node says."""
    if hits is NO_HITS or not hits:
        return dict(node)
    if (refused := hits.get("reject")) is not None and refused.flag("executed"):
        return node_of(refused.text("code"), refused.text("message"))
    if (strange := hits.get("unknown_code")) is not None:
        return node_of(strange.text("code"))
    said = dict(node)
    for action in ("unknown_status", "status_lie"):
        if (lie := hits.get(action)) is not None and "status" in said:
            said["status"] = lie.text("status")
    if (wrong := hits.get("wrong_echo")) is not None:
        _echo_wrongly(said, wrong.text("field"))
    return said


def _echo_wrongly(said: dict[str, object], field: str) -> None:
    """Alipay's replies carry no payee, so only amount and reference can be wrong."""
    if field == "reference" and "out_biz_no" in said:
        said["out_biz_no"] = f"{said['out_biz_no']}X"
    if field == "amount":
        for name in ("amount", "trans_amount"):
            fen = read_amount(said.get(name))
            if fen is not None:
                said[name] = yuan(fen + 1)


def _application(account: Account, roots: str | None) -> Application:
    aes_key = account.aes_key.get_secret_value() if account.aes_key else None
    if account.app_certificate is not None:
        key, serial = certificate_key(account.app_certificate)
        return Application(account.account, account.app_id, key, aes_key, serial, roots)
    if account.public_key is None:
        raise ValueError(f"account {account.account}: no key to verify requests with")
    key = load_public_key(account.public_key)
    return Application(account.account, account.app_id, key, aes_key)
