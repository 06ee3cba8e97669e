"""The Circle Mint simulator as the kernel sees it: admits, executes, lets time pass.

Every request takes the same way: admit the key, ask the fault rules, execute, let the rules distort
the answer. Replies are not signed, so `bad_signature` and `unsigned` change nothing here; neither
payees confirm nor statements exist, so their actions do not either.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime

from simulators import magic, wirefaults
from simulators.actions import Stage
from simulators.books import Books, Movement
from simulators.faults import Faults, Hits
from simulators.kernel import Answer, Push, Reply, Request, Row, UnknownTriggerError
from simulators.stablecoin.desk import Desk, Target, route
from simulators.stablecoin.errors import UNAUTHORIZED, RefusedError, named
from simulators.stablecoin.magic import MAGIC
from simulators.stablecoin.notices import CERTIFICATE_PATH, Notices
from simulators.stablecoin.payouts import Payouts
from simulators.stablecoin.requests import claimed, read_amount
from simulators.stablecoin.settings import Account, Settings

KIND = "stablecoin"
_JSON = ("content-type", "application/json;charset=utf-8")
_PEM = (("content-type", "application/x-pem-file"),)


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> Mint:
    """Make a simulator of its configuration. Raises pydantic's ValidationError."""
    faults.seed = seed
    faults.magic = magic.rules(MAGIC)
    return Mint(Settings.model_validate(config), seed=seed, faults=faults)


class Mint:
    """See simulators.kernel.Simulator."""

    kind = KIND

    def __init__(self, settings: Settings, *, seed: int, faults: Faults) -> None:
        """Open the accounts; no I/O. The same seed and requests give the same bytes."""
        self.name = settings.name
        self._settings = settings
        self._faults = faults
        entropy = random.Random(f"{seed}:{settings.name}")  # noqa: S311 - reproducible, no secret
        self._books = Books()
        for one in settings.accounts:
            self._books.open(one.account, one.balance_fen, one.currency)
        self._payouts = Payouts(settings, self._books, entropy)
        self._notices = Notices(settings, faults, entropy)
        self._desk = Desk(settings, self._books, self._payouts, self._notices, faults)
        self._keys = {one.api_key.get_secret_value(): one for one in settings.accounts}
        self._second: dict[str, tuple[int, int]] = {}

    # ---- requests ----

    def handle(self, request: Request, now: datetime) -> Answer:
        """One request; what fell due before is done first."""
        self._pass_time(now)
        if request.path == CERTIFICATE_PATH and request.method == "GET":
            return Answer(Reply(200, _PEM, self._notices.certificate.encode()), op="certificate")
        target = route(request)
        if target is not None and not target.needs_key:
            return Answer(self._execute(target, None, request, Hits(), now), op=target.op)
        account = self._admitted(request)
        if account is None:
            return Answer(_refusal(request, RefusedError(UNAUTHORIZED)), op="refused")
        self._notices.bases[account.account] = f"http://{request.headers.get('host', '')}"
        if target is None:
            return Answer(_refusal(request, RefusedError(2, "Not found", status=404)), op="unknown")
        return self._answer(target, account, request, now)

    def _answer(self, target: Target, account: Account, request: Request, now: datetime) -> Answer:
        reference, payee, amount_minor = self._subject(target, account, request)
        hits = self._faults.pick(
            Stage.REQUEST,
            op=target.op,
            account=account.account,
            now=now,
            payee=payee,
            reference=reference,
            amount_minor=amount_minor,
        )
        about = {"op": target.op, "account": account.account, "reference": reference}
        if early := wirefaults.before(hits, **about):
            return early
        reply = self._execute(target, account, request, hits, now)
        self._pass_time(now)
        pushes = self._notices.queue.take_due(now)
        return wirefaults.after(reply, hits, pushes=pushes, **about)

    def _execute(
        self, target: Target, account: Account | None, request: Request, hits: Hits, now: datetime
    ) -> Reply:
        try:
            self._refuse_before(target, account, hits, now)
            status, said = target.endpoint(self._desk, account, request, hits, now)
            _refuse_after(hits)
        except RefusedError as refusal:
            return _refusal(request, refusal)
        return _reply(request, status, _disguised(said, hits))

    def _refuse_before(
        self, target: Target, account: Account | None, hits: Hits, now: datetime
    ) -> None:
        if account is not None and self._is_too_fast(account, now):
            raise RefusedError(429)
        if closed := hits.get("maintenance"):
            raise named(closed.text("code"))
        if "throttle" in hits:
            raise RefusedError(429)
        reject = hits.get("reject")
        if reject is not None and not reject.flag("executed"):
            raise named(reject.text("code"), reject.text("message"), "destination.id")

    def _is_too_fast(self, account: Account, now: datetime) -> bool:
        second = int(now.timestamp())
        at, count = self._second.get(account.account, (second, 0))
        count = count + 1 if at == second else 1
        self._second[account.account] = (second, count)
        return 0 < account.requests_per_s < count

    def _admitted(self, request: Request) -> Account | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return self._keys.get(key) if scheme == "Bearer" else None

    def _subject(
        self, target: Target, account: Account, request: Request
    ) -> tuple[str, str, int | None]:
        """Key, payee and amount that a fault rule may select by."""
        if target.op == "submit":
            return claimed(request.body)
        found = self._payouts.by_id.get(target.number)
        if found is None or found.account != account.account:
            return "", "", None
        return found.asked.key, found.asked.payee, found.asked.amount_minor

    # ---- time, notices, administration ----

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Carry out what is due: settlements, returns, notices."""
        self._pass_time(now)
        return self._notices.queue.take_due(now)

    def next_tick_at(self) -> datetime | None:
        """When something falls due next."""
        due = (self._payouts.next_at(), self._notices.queue.next_at())
        return min((at for at in due if at is not None), default=None)

    def on_push_result(
        self, push: Push, status: int | None, now: datetime, body: bytes = b""
    ) -> None:
        """2xx takes a message; anything else climbs the ladder."""
        self._notices.heard(push, status, now)

    def truth(self) -> Sequence[Movement]:
        """Every movement so far."""
        return self._books.truth

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances."""
        return [
            {
                "account": one.account,
                "client_id": one.client_id,
                "wallet_id": one.wallet_id,
                **self._books.shown(one.account),
            }
            for one in self._settings.accounts
        ]

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on an account. Raises LookupError."""
        self._books.topup(account, amount_minor, now)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """payout.settled, payout.failed, payout.returned or notice.resend; by idempotency key."""
        self._pass_time(now)
        payouts = self._payouts
        events = {
            "payout.settled": payouts.settle,
            "payout.failed": lambda one, at: payouts.fail(one, "invalid_bank_account_number", at),
            "payout.returned": payouts.give_back,
            "notice.resend": self._notices.resend,
        }
        found, do = payouts.of_reference(reference), events.get(event)
        if found is None or do is None or not do(found, now):
            raise UnknownTriggerError(f"{event} is not possible for {reference!r}")
        return self.tick(now)

    def magic(self) -> Sequence[Row]:
        """The rows for Circle Mint."""
        return magic.rows(MAGIC, KIND)

    def _pass_time(self, now: datetime) -> None:
        if self._payouts.since is None:
            self._payouts.since = now
        self._payouts.run(now)
        changed, self._payouts.changed = self._payouts.changed, []
        for payout, at in changed:
            self._notices.changed(payout, at)


def _refuse_after(hits: Hits) -> None:
    reject = hits.get("reject")
    if reject is not None and reject.flag("executed"):
        raise named(reject.text("code"), reject.text("message"), "destination.id")
    if strange := hits.get("unknown_code"):
        text = strange.text("code")
        raise RefusedError(int(text) if text.isdigit() else 999_999, status=400)


def _disguised(said: Mapping[str, object], hits: Hits) -> dict[str, object]:
    """The faults that change what a true reply says, in every payout it shows."""
    content = said.get("data")
    if isinstance(content, list):
        return {**said, "data": [_lie(one, hits) for one in content]}
    return {**said, "data": _lie(content, hits)} if "data" in said else dict(said)


def _lie(content: object, hits: Hits) -> object:
    if not isinstance(content, dict) or "destination" not in content:
        return content
    told = dict(content)
    for action in ("unknown_status", "status_lie"):
        if (lie := hits.get(action)) is not None:
            claim = lie.text("status")
            told["status"] = {"FAIL": "failed", "SUCCESS": "complete"}.get(claim, claim)
            if told["status"] == "failed":
                told.setdefault("errorCode", "invalid_bank_account_number")
    if wrong := hits.get("wrong_echo"):
        _echo_wrongly(told, wrong.text("field"))
    return told


def _echo_wrongly(told: dict[str, object], which: str) -> None:
    """Nothing repeats our key; the payout's own id is what stands for the reference."""
    target = told["destination"]
    if which == "payee" and isinstance(target, dict):
        told["destination"] = {**target, "id": str(target["id"])[::-1]}
    elif which == "reference":
        told["id"] = str(told["id"])[::-1]
    else:
        name = "toAmount" if "toAmount" in told else "amount"
        amount = told[name]
        if isinstance(amount, dict):
            minor = (read_amount(amount["amount"]) or 0) + 1
            told[name] = {**amount, "amount": f"{minor // 100}.{minor % 100:02d}"}


def _refusal(request: Request, refusal: RefusedError) -> Reply:
    return _reply(request, refusal.status, refusal.body())


def _reply(request: Request, status: int, said: Mapping[str, object]) -> Reply:
    headers: tuple[tuple[str, str], ...] = (_JSON,)
    if (asked := request.headers.get("x-request-id")) is not None:
        headers = (*headers, ("x-request-id", asked))
    return Reply(status, headers, json.dumps(said, separators=(",", ":")).encode())
