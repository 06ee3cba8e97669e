"""The bank simulator: files in, files out, its books; over HTTP or carried by a folder.

Pure. Everything the bank says about a payment it says in files: the answer to an upload is a
receipt and nothing more. Over HTTP the envelope is one of our own making (wire-protocols.md §4.1
knows none): POST and GET `/h2h/v1/files`, GET `/h2h/v1/files/NAME`, the customer in a header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from urllib.parse import parse_qs

from simulators import magic, wirefaults
from simulators.actions import Stage
from simulators.bank.magic import MAGIC
from simulators.bank.outbox import Outbox
from simulators.bank.payments import Payments
from simulators.bank.settings import Account, Settings
from simulators.bank.statements import Statements
from simulators.bank.submission import Submission, UnreadableError, read
from simulators.books import Books, Movement
from simulators.faults import Faults, Hits
from simulators.kernel import Answer, Filed, Push, Reply, Request, Row

FILES = "/h2h/v1/files"
CUSTOMER = "x-customer-id"
CERTIFICATE = "x-client-certificate-sha256"
"""Put there by whoever ends the encrypted connection; the shell drops a customer's own."""
_XML = (("content-type", "application/xml; charset=utf-8"),)
_JSON = (("content-type", "application/json; charset=utf-8"),)


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> BankSimulator:
    """Make a simulator of its configuration. Raises pydantic's ValidationError."""
    faults.seed = seed
    faults.magic = magic.rules(MAGIC)
    return BankSimulator(Settings.model_validate(config), faults)


class BankSimulator:
    """See simulators.kernel.Simulator."""

    kind = "bank"

    def __init__(self, settings: Settings, faults: Faults) -> None:
        """Open the accounts with their balances; no I/O."""
        self.name = settings.name
        self._faults = faults
        self._books = Books()
        self._accounts = {a.account: a for a in settings.accounts}
        self._customers = {a.customer_id: a for a in settings.accounts}
        self._outbox = Outbox()
        for account in settings.accounts:
            self._books.open(account.account, account.balance_fen, account.currency)
        self._payments = Payments(settings, self._books, faults, self._outbox, self._accounts)
        self._statements = Statements(settings, self._books, faults, self._outbox)

    # ---- over HTTP ----

    def handle(self, request: Request, now: datetime) -> Answer:
        """Uploads, the list of files, and files."""
        self._catch_up(now)
        account = self._customers.get(request.headers.get(CUSTOMER, ""))
        if account is None or not _is_known(account, request):
            return Answer(_said(403, {"error": "unknown customer"}), op="refused")
        if request.path == FILES and request.method == "POST":
            return self._upload(account, request.body, now)
        if request.path == FILES and request.method == "GET":
            return self._list(account, request.query, now)
        if request.path.startswith(f"{FILES}/") and request.method == "GET":
            return self._download(account, request.path.removeprefix(f"{FILES}/"), now)
        return Answer(_said(404, {"error": "nothing here"}), op="unknown", account=account.account)

    def _upload(self, account: Account, body: bytes, now: datetime) -> Answer:
        try:
            file = read(body)
        except UnreadableError as error:
            return Answer(_said(400, {"error": str(error)}), op="submit", account=account.account)
        first = file.transactions[0]
        reference = first.end_to_end_id
        hits = self._faults.pick(
            Stage.REQUEST,
            op="submit",
            account=account.account,
            payee=first.payee,
            reference=reference,
            amount_minor=first.minor(account.exponent),
            now=now,
        )
        topic = _Topic("submit", account.account, reference)
        if early := _not_executed(hits, topic):
            return early
        self._work(account, file, hits, now)
        receipt = _said(202, {"msgId": file.message_id, "status": "RCVD"})
        return _executed(receipt, hits, topic, self._payments.queue.take_due(now))

    def _work(self, account: Account, file: Submission, hits: Hits, now: datetime) -> None:
        refused = hits.get("reject")
        if refused is not None and not refused.flag("executed"):
            self._payments.refuse(account, file, refused.text("code"), now)
        else:
            self._payments.take(account, file, hits, now)

    def _list(self, account: Account, query: str, now: datetime) -> Answer:
        hits = self._faults.pick(Stage.REQUEST, op="inquire", account=account.account, now=now)
        topic = _Topic("inquire", account.account)
        if early := _not_executed(hits, topic):
            return early
        since = parse_qs(query).get("since", [""])[0]
        try:
            day = date.fromisoformat(since)
        except ValueError:
            return _executed(_said(400, {"error": "since=YYYY-MM-DD"}), hits, topic)
        self._statements.make(account, now)
        files = self._outbox.since(account.account, day, now)
        listed = [{"name": one.name, "type": one.kind, "bytes": len(one.body)} for one in files]
        return _executed(_said(200, {"files": listed, "more": False}), hits, topic)

    def _download(self, account: Account, name: str, now: datetime) -> Answer:
        hits = self._faults.pick(Stage.REQUEST, op="download", account=account.account, now=now)
        topic = _Topic("download", account.account)
        if early := _not_executed(hits, topic):
            return early
        file = self._outbox.find(account.account, name, now)
        if file is None:
            return _executed(_said(404, {"error": "no such file"}), hits, topic)
        return _executed(Reply(200, _XML, file.body), hits, topic)

    # ---- in folders: see simulators.folders ----

    def take_file(self, account: str, body: bytes, now: datetime) -> Answer:
        """Work on a file somebody has dropped; nobody hears the reply."""
        self._catch_up(now)
        return self._upload(self._accounts[account], body, now)

    def files_of(self, account: str, now: datetime) -> Sequence[Filed]:
        """Every file for this customer so far, oldest first."""
        self._catch_up(now)
        self._statements.make(self._accounts[account], now)
        return [Filed(one.name, one.body) for one in self._outbox.since(account, date.min, now)]

    # ---- time, pushes, administration ----

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Carry out what is due."""
        self._catch_up(now)
        return self._payments.queue.take_due(now)

    def next_tick_at(self) -> datetime | None:
        """When something falls due next."""
        moments = (self._payments.book.next_at(), self._payments.queue.next_at())
        return min((at for at in moments if at is not None), default=None)

    def on_push_result(
        self, push: Push, status: int | None, now: datetime, body: bytes = b""
    ) -> None:
        """Any 2xx counts; anything else climbs the ladder."""
        if status is not None and 200 <= status < 300:
            return
        wait_s = self._payments.queue.retry_wait_s(push)
        if wait_s is not None:
            later = now + timedelta(seconds=wait_s)
            self._payments.queue.add(replace(push, attempt=push.attempt + 1, due_at=later))

    def truth(self) -> Sequence[Movement]:
        """Every movement so far."""
        return self._books.truth

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances."""
        return [
            {
                "account": a.account,
                "customer_id": a.customer_id,
                **self._books.shown(a.account),
            }
            for a in self._accounts.values()
        ]

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on an account. Raises LookupError."""
        if account not in self._accounts:
            raise LookupError(account)
        self._statements.begin(now)
        self._books.move("topup", at=now, account=account, amount_minor=amount_minor)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """payout.settled, payout.failed, payout.returned or notice.resend."""
        self._catch_up(now)
        return self._payments.trigger(event, reference, now)

    def magic(self) -> Sequence[Row]:
        """The rows for the bank."""
        return magic.rows(MAGIC, "bank")

    def _catch_up(self, now: datetime) -> None:
        self._statements.begin(now)
        self._payments.catch_up(now)


def _is_known(account: Account, request: Request) -> bool:
    wanted = account.client_certificate_sha256
    return wanted is None or request.headers.get(CERTIFICATE) == wanted


@dataclass(frozen=True, slots=True)
class _Topic:
    """What a request is about, for rules and the journal."""

    op: str
    account: str
    reference: str = ""


def _not_executed(hits: Hits, topic: _Topic) -> Answer | None:
    """The answer to a request that is not carried out; None to go on."""
    early = wirefaults.before(hits, op=topic.op, account=topic.account, reference=topic.reference)
    if early is not None:
        return early
    if (closed := hits.get("maintenance")) is not None:
        return _executed(_said(503, {"error": closed.text("code")}), hits, topic)
    if "throttle" in hits:
        return _executed(_said(429, {"error": "too many requests"}), hits, topic)
    return None


def _executed(reply: Reply, hits: Hits, topic: _Topic, pushes: tuple[Push, ...] = ()) -> Answer:
    return wirefaults.after(
        reply,
        hits,
        op=topic.op,
        account=topic.account,
        reference=topic.reference,
        pushes=pushes,
    )


def _said(status: int, told: Mapping[str, object]) -> Reply:
    return Reply(status, _JSON, json.dumps(told, ensure_ascii=False).encode())
