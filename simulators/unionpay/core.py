"""The UnionPay simulator: payout, query and file addresses, its orders, books, notices and files.

Pure: `handle` and `tick` get the time, and the seeded faults decide what goes wrong. Field rules
are in `submission`, the life of an order in `payouts`, files in `files` and `statement`, bytes in
`messages`; this file proves the sender, routes, and applies the faults that speak the dialect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from simulators import magic, wirefaults
from simulators.actions import Stage
from simulators.books import Books, Movement
from simulators.faults import Faults, Hits
from simulators.kernel import Answer, Push, Reply, Request, Row
from simulators.unionpay.errors import RefusedError, spoken, text_of
from simulators.unionpay.files import Files
from simulators.unionpay.magic import MAGIC
from simulators.unionpay.messages import Voice, read_form, row
from simulators.unionpay.payouts import Payouts
from simulators.unionpay.settings import Account, Settings
from simulators.unionpay.signing import is_signed, load_certificate, load_private_key
from simulators.unionpay.submission import Opener, read_amount, read_payee

_ROUTES = {
    "/gateway/api/backTransReq.do": ("12", "submit"),
    "/gateway/api/queryTrans.do": ("00", "inquire"),
    "/": ("76", "statement"),
}
_ECHOED = (
    *("txnType", "txnSubType", "bizType", "accessType", "merId", "orderId", "txnTime"),
    *("txnAmt", "currencyCode", "reqReserved", "settleDate"),
)
"""What a reply repeats of its request."""
_PLAIN = (("content-type", "text/plain; charset=utf-8"),)
_ECHO_FIELDS = {"amount": "txnAmt", "reference": "orderId", "payee": "accNo"}


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> UnionpaySimulator:
    """Make a simulator of its configuration. Raises pydantic's ValidationError."""
    faults.seed = seed
    faults.magic = magic.rules(MAGIC)
    return UnionpaySimulator(Settings.model_validate(config), faults)


class UnionpaySimulator:
    """See simulators.kernel.Simulator."""

    kind = "unionpay"

    def __init__(self, settings: Settings, faults: Faults) -> None:
        """Open the accounts with their balances; no I/O."""
        self.name = settings.name
        self._settings = settings
        self._faults = faults
        self._books = Books()
        key = load_private_key(settings.signing_private_key.get_secret_value())
        self._voice = Voice(key, settings.signing_certificate)
        self._accounts = {a.account: a for a in settings.accounts}
        self._merchants = {a.mer_id: a for a in settings.accounts}
        self._keys = {a.mer_id: load_certificate(a.certificate) for a in settings.accounts}
        self._opener = Opener(
            load_private_key(settings.encrypt_private_key.get_secret_value()),
            load_certificate(settings.encrypt_certificate)[1],
        )
        for account in settings.accounts:
            self._books.open(account.account, account.balance_fen)
        self._payouts = Payouts(
            settings, self._books, faults, self._voice, self._opener, self._accounts
        )
        self._files = Files(settings, self._books, faults, self._payouts)

    # ---- requests ----

    def handle(self, request: Request, now: datetime) -> Answer:
        """One of the three addresses; batch files are not offered."""
        self._payouts.catch_up(now)
        route = _ROUTES.get(request.path)
        if route is None or request.method != "POST":
            return Answer(Reply(404, _PLAIN, b"404 Not Found"), op="unknown")
        fields: dict[str, str] = {}
        try:
            fields = read_form(request)
            account = self._sender(fields, route[0])
        except RefusedError as refusal:
            reply = row(self._voice.completed(_refusal(fields, refusal)))
            return Answer(reply, op="refused")
        return self._answer(account, route[1], fields, now)

    def _sender(self, fields: Mapping[str, str], txn_type: str) -> Account:
        """The merchant whose certificate signed these fields. Raises RefusedError."""
        needed = ("version", "encoding", "signMethod", "certId", "signature", "merId", "txnType")
        if any(not fields.get(name) for name in needed):
            raise RefusedError("13")
        account = self._merchants.get(fields["merId"])
        if account is None:
            raise RefusedError("31")
        if fields["version"] != "5.1.0" or fields["encoding"].upper() != "UTF-8":
            raise RefusedError("10")
        key, serial = self._keys[account.mer_id]
        is_ours = fields["certId"] == serial and fields["signMethod"] == "01"
        if not is_ours or not is_signed(key, fields):
            raise RefusedError("11")
        if fields["txnType"] != txn_type:
            raise RefusedError("10")
        return account

    def _answer(
        self, account: Account, op: str, fields: Mapping[str, str], now: datetime
    ) -> Answer:
        reference, payee, amount = self._subject(account, op, fields)
        hits = self._faults.pick(
            Stage.REQUEST,
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
        pushes: tuple[Push, ...] = ()
        try:
            _refuse_before(hits, op)
            done = self._run(account, op, fields, hits, now)
            said = _echo(fields) | {"respCode": "00", "respMsg": text_of("00")} | done
            pushes = self._payouts.take_due_notices(now)
        except RefusedError as refusal:
            said = _refusal(fields, refusal)
        told = self._voice.completed(_disguise(said, hits), is_true="bad_signature" not in hits)
        if "unsigned" in hits:
            del told["signature"]
        return wirefaults.after(
            row(told), hits, op=op, account=name, reference=reference, pushes=pushes
        )

    def _run(
        self, account: Account, op: str, fields: Mapping[str, str], hits: Hits, now: datetime
    ) -> dict[str, str]:
        match op:
            case "submit":
                short = hits.get("short_balance")
                limit = short.whole("available_fen") if short else None
                return self._payouts.submit(account, fields, now, available_minor=limit)
            case "inquire":
                return self._payouts.inquire(account, fields, now)
            case _:
                return self._files.fetch(account, fields, now)

    def _subject(
        self, account: Account, op: str, fields: Mapping[str, str]
    ) -> tuple[str, str, int | None]:
        """Reference, payee and amount a fault rule may select by, as far as they can be told."""
        if op == "inquire":
            order = self._payouts.find(account.account, fields)
            if order is not None:
                return order.reference, order.submission.payee, order.submission.amount_minor
        try:
            payee = read_payee(fields, self._opener)
        except RefusedError:
            payee = ""
        return fields.get("orderId", ""), payee, read_amount(fields.get("txnAmt"))

    # ---- time, notices, administration ----

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Carry out what is due: settlements, returns, notices."""
        self._payouts.catch_up(now)
        return self._payouts.take_due_notices(now)

    def next_tick_at(self) -> datetime | None:
        """When something falls due next."""
        return self._payouts.next_at()

    def on_push_result(
        self, push: Push, status: int | None, now: datetime, body: bytes = b""
    ) -> None:
        """HTTP 200 counts, and 302 is put up with; anything else climbs the ladder."""
        if status in (200, 302):
            return
        wait_s = self._payouts.notices.queue.retry_wait_s(push)
        if wait_s is not None:
            later = now + timedelta(seconds=wait_s)
            self._payouts.notices.queue.add(replace(push, attempt=push.attempt + 1, due_at=later))

    def truth(self) -> Sequence[Movement]:
        """Every movement so far."""
        return self._books.truth

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances."""
        return [
            {
                "account": a.account,
                "mer_id": a.mer_id,
                **self._books.shown(a.account),
            }
            for a in self._accounts.values()
        ]

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on an account. Raises LookupError."""
        self._books.topup(account, amount_minor, now)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """payout.settled, payout.failed, payout.returned or notice.resend."""
        return self._payouts.trigger(event, reference, now)

    def magic(self) -> Sequence[Row]:
        """The rows for UnionPay."""
        return magic.rows(MAGIC, "unionpay")


def _refuse_before(hits: Hits, op: str) -> None:
    """Raise the refusal of a rule that keeps the request from being executed."""
    if closed := hits.get("maintenance"):
        raise RefusedError(spoken(closed.text("code"), "39"))
    if "throttle" in hits:
        raise RefusedError("06" if op == "submit" else "37")
    refused = hits.get("reject")
    if refused is not None and not refused.flag("executed"):
        raise RefusedError(spoken(refused.text("code")), refused.text("message"))


def _echo(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in _ECHOED if fields.get(name)}


def _refusal(fields: Mapping[str, str], refusal: RefusedError) -> dict[str, str]:
    message = refusal.message or text_of(refusal.code)
    return _echo(fields) | {"respCode": refusal.code, "respMsg": message}


def _disguise(said: Mapping[str, str], hits: Hits) -> dict[str, str]:
    """The faults that change what a true reply says."""
    told = dict(said)
    if (refused := hits.get("reject")) is not None and refused.flag("executed"):
        return _refusal(said, RefusedError(spoken(refused.text("code")), refused.text("message")))
    if strange := hits.get("unknown_code"):
        return _refusal(said, RefusedError(strange.text("code")))
    status = "origRespCode" if "origRespCode" in told else "respCode"
    for action in ("unknown_status", "status_lie"):
        if lie := hits.get(action):
            told[status] = spoken(lie.text("status"))
    name = _ECHO_FIELDS.get(wrong.text("field"), "") if (wrong := hits.get("wrong_echo")) else ""
    if name in told:
        told[name] = str(int(told[name]) + 1) if name == "txnAmt" else _other(told[name])
    return told


def _other(text: str) -> str:
    return text[:-1] + ("0" if text[-1:] != "0" else "1")
