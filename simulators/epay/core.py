"""The Epay simulator: one site, its merchants, its table of transfers, and the channel behind it.

Pure: `handle` and `tick` get the time, and the seeded faults decide what goes wrong. Who may call
is in `gatekeeper`, field rules in `submission`, the life of a transfer in `transfers`, its money in
`charges`; this file routes a call, signs what the site returns on purpose, and applies the faults
that speak its dialect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from simulators import magic, wirefaults
from simulators.actions import Stage
from simulators.books import Books, Movement
from simulators.epay import errors
from simulators.epay.errors import RefusedError, ThrownError, channel_text
from simulators.epay.gatekeeper import ACTIONS, Call, action_of, admit, form
from simulators.epay.magic import MAGIC
from simulators.epay.orders import FAILED, PAID, QUEUED, UNDER_WAY
from simulators.epay.settings import Settings
from simulators.epay.signing import Float, Value, content, load_private_key, rsa, written, yuan
from simulators.epay.submission import escaped, read_amount
from simulators.epay.transfers import Transfers
from simulators.faults import Faults, Hits
from simulators.kernel import Answer, Push, Reply, Request, Row

_JSON = (("content-type", "application/json; charset=UTF-8"),)
_HTML = (("content-type", "text/html; charset=utf-8"),)
_PDF = (("content-type", "application/pdf"),)
_BILLS = "/upload/bill/"
_STATUSES = {"SUCCESS": PAID, "FAIL": FAILED, "DEALING": UNDER_WAY, "QUEUED": QUEUED}
_STRANGE_CODE = -99


def build(config: Mapping[str, object], *, seed: int, faults: Faults) -> EpaySimulator:
    """Make a simulator of its configuration. Raises pydantic's ValidationError."""
    faults.seed = seed
    faults.magic = magic.rules(MAGIC)
    return EpaySimulator(Settings.model_validate(config), faults)


class EpaySimulator:
    """See simulators.kernel.Simulator."""

    kind = "epay"

    def __init__(self, settings: Settings, faults: Faults) -> None:
        """Open the merchants' accounts with their balances; no I/O."""
        self.name = settings.name
        self._settings = settings
        self._faults = faults
        self._books = Books()
        self._key = load_private_key(settings.platform_private_key.get_secret_value())
        self._merchants = {one.pid: one for one in settings.accounts}
        for merchant in settings.accounts:
            self._books.open(merchant.account, merchant.balance_fen)
        self._transfers = Transfers(settings, self._books, faults)

    # ---- requests ----

    def handle(self, request: Request, now: datetime) -> Answer:
        """The API under both of its addresses, and the receipts the site keeps."""
        self._transfers.catch_up(now)
        if request.path.startswith(_BILLS) and request.method == "GET":
            return self._bill(request.path.removeprefix(_BILLS))
        action = action_of(request)
        if action is None:
            return Answer(Reply(404, _HTML, b"404 Not Found"), op="unknown")
        try:
            call = admit(action, form(request), self._merchants, self._settings, now)
        except ThrownError as thrown:
            return Answer(_thrown(thrown), op="refused")
        return self._answer(call, request, now)

    def _answer(self, call: Call, request: Request, now: datetime) -> Answer:
        op, account = ACTIONS[call.action], call.merchant.account
        reference, payee, amount = self._subject(call, now)
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
        reply = self._reply(call, request, hits, now, amount)
        return wirefaults.after(reply, hits, op=op, account=account, reference=reference)

    def _reply(
        self, call: Call, request: Request, hits: Hits, now: datetime, amount: int | None
    ) -> Reply:
        if "throttle" in hits:
            # The site itself knows no throttle; the web server in front of it does.
            return Reply(
                503, _HTML, b"<html><body>503 Service Temporarily Unavailable</body></html>"
            )
        try:
            if (closed := hits.get("maintenance")) is not None:
                raise ThrownError(closed.text("code"))  # noqa: TRY301 - one road for refusals
            if (refused := hits.get("reject")) is not None and not refused.flag("executed"):
                raise _refusal(refused.text("code"), refused.text("message"), call)
            said = self._run(call, request, hits, now)
        except ThrownError as thrown:
            return _thrown(thrown)
        except RefusedError as refusal:
            said = {"code": -1, "msg": refusal.message, **refusal.fields}
        return self._say(_disguise(said, hits, amount), hits, now)

    def _run(self, call: Call, request: Request, hits: Hits, now: datetime) -> dict[str, Value]:
        reject = hits.get("reject")
        match call.action:
            case "submit":
                short = hits.get("short_balance")
                return self._transfers.submit(
                    call,
                    now,
                    url=self._settings.public_url or f"http://{request.headers.get('host', '')}",
                    available_minor=short.whole("available_fen") if short else None,
                    breaks=(reject.text("code"), reject.text("message")) if reject else None,
                )
            case "query":
                said = self._transfers.inquire(call, now)
            case "proof":
                said = self._transfers.receipt(call, now)
            case _:
                said = self._balance(call, now)
        if reject is not None:
            raise _refusal(reject.text("code"), reject.text("message"), call)
        return said

    def _balance(self, call: Call, now: datetime) -> dict[str, Value]:
        available = self._transfers.charges.available_minor(call.merchant.account, now)
        shown = yuan(available) if self._settings.balance_mode == "D+0" else str(Float(available))
        percent = f"{self._settings.rate_ppm // 10_000}.{self._settings.rate_ppm % 10_000:04d}"
        rate = percent.rstrip("0").rstrip(".")
        return {"code": 0, "available_money": shown, "transfer_rate": rate}

    def _subject(self, call: Call, now: datetime) -> tuple[str, str, int | None]:
        """Reference, payee and amount a fault rule may select by, as far as they can be told."""
        if call.action in ("query", "proof"):
            try:
                row = self._transfers.find(call, now)
            except ThrownError:
                row = None
            if row is not None:
                return row.out_biz_no, row.submission.payee, row.submission.amount_minor
        return call.get("out_biz_no"), escaped(call.get("account")), read_amount(call.get("money"))

    def _say(self, said: dict[str, Value], hits: Hits, now: datetime) -> Reply:
        """Sign as the site does: always with RSA, whatever the merchant signs with."""
        if "unsigned" in hits:
            return Reply(200, _JSON, written(said))
        said |= {"timestamp": str(int(now.timestamp())), "sign_type": "RSA"}
        signature = rsa(self._key, content(said))
        if "bad_signature" in hits:
            signature = rsa(self._key, content(said) + b"&")
        return Reply(200, _JSON, written({**said, "sign": signature}))

    def _bill(self, file: str) -> Answer:
        row = self._transfers.table.rows.get(file.removesuffix(".pdf"))
        if row is None or row.paid_at is None:
            return Answer(Reply(404, _HTML, b"404 Not Found"), op="download")
        text = f"{row.out_biz_no} {yuan(row.submission.amount_minor)} CNY"
        body = f"%PDF-1.4\n% {text}\n%%EOF\n".encode()
        return Answer(
            Reply(200, _PDF, body), op="download", account=row.account, reference=row.out_biz_no
        )

    # ---- time, administration ----

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Carry out what is due; a site tells its merchants nothing."""
        self._transfers.catch_up(now)
        return ()

    def next_tick_at(self) -> datetime | None:
        """When something falls due next."""
        return self._transfers.channel.next_at()

    def on_push_result(
        self, push: Push, status: int | None, now: datetime, body: bytes = b""
    ) -> None:
        """Nothing is ever pushed."""

    def truth(self) -> Sequence[Movement]:
        """Every movement so far."""
        return self._books.truth

    def accounts(self) -> Sequence[Row]:
        """Public facts and balances."""
        return [
            {
                "account": one.account,
                "pid": one.pid,
                **self._books.shown(one.account),
            }
            for one in self._merchants.values()
        ]

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on a merchant's account. Raises LookupError."""
        self._books.topup(account, amount_minor, now)

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """payout.settled, .failed (the channel) or .approved, .rejected, .returned, .refunded."""
        self._transfers.trigger(event, reference, now)
        return ()

    def magic(self) -> Sequence[Row]:
        """The rows for Epay."""
        return magic.rows(MAGIC, "epay")


def _thrown(error: ThrownError) -> Reply:
    return Reply(200, _JSON, written({"code": error.code, "msg": error.message}))


def _refusal(code: str, message: str, call: Call) -> RefusedError:
    """What the channel said, passed on with the order's numbers; any other text is the site's."""
    if code not in errors.CHANNEL_WORDS:
        return RefusedError(message or code)
    number = call.get("out_biz_no")
    return RefusedError(channel_text(code, message), biz_no=number, out_biz_no=number)


def _disguise(said: dict[str, Value], hits: Hits, amount: int | None) -> dict[str, Value]:
    """The faults that change what a true reply says."""
    if (strange := hits.get("unknown_code")) is not None:
        return {"code": _STRANGE_CODE, "msg": strange.text("code")}
    told = dict(said)
    for action in ("unknown_status", "status_lie"):
        if (lie := hits.get(action)) is not None and "status" in told:
            told["status"] = _STATUSES.get(lie.text("status"), lie.text("status"))
    if (wrong := hits.get("wrong_echo")) is not None:
        _echo_wrongly(told, wrong.text("field"), amount)
    return told


def _echo_wrongly(told: dict[str, Value], field: str, amount: int | None) -> None:
    """No reply names a payee; a submission's names no amount, but a cost that then falls short."""
    if field == "reference" and "out_biz_no" in told:
        told["out_biz_no"] = f"{told['out_biz_no']}0"
    if field == "amount" and amount is not None:
        if "amount" in told:
            told["amount"] = yuan(amount + 1)
        elif "cost_money" in told:
            told["cost_money"] = Float(amount - 1)
