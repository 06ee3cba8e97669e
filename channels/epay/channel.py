"""One merchant of an Epay site as a channel: the only file of this adapter that awaits.

Whether the same number may be sent again (`resend_window_s`) is the operator's to say, and the
default is never. The site promises nothing: it writes its row only after its own channel has said
yes, so a second send goes through to that channel. With our 19 digits it arrives there under the
same number, and pays once only if *that* institution honours a repeated number. Whoever knows that
it does (Alipay, WeChat Pay behind a stock site) may allow it, and gains the one automatic way out
of a lost answer; without it such a payout waits for a person.
"""

import asyncio
import logging
import string
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime, timedelta

from msgspec.structs import replace

from channels.contract import (
    Absent,
    Balance,
    ChannelError,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    NoticeReply,
    NotSent,
    Outcome,
    Paid,
    Prepared,
    Problem,
    Rail,
    Receipt,
    ReceiptNotReadyError,
    ReferenceRule,
    Request,
    Resend,
    StatementLine,
    Terms,
    Traits,
    Unknown,
    UnknownCause,
)
from channels.epay import codes, wire
from channels.epay.check import problems
from channels.epay.envelope import Answer, WireError, open_reply, request
from channels.epay.profile import ACCEPTANCE_WINDOW_S, PROFILE
from channels.epay.settings import EpaySettings
from channels.epay.statement import no_statement
from channels.money import Currency
from channels.shell import Shell
from channels.transport import Reply, Transport, read

REFERENCE = ReferenceRule(string.digits, 19, 19)
"""§6, hazards 2 and 3: with any other form the site pays under a number of its own, which is new
for each attempt and which a query by ours does not find."""
RECEIPT_BYTES_MAX = 16 << 20

Clock = Callable[[], datetime]
_log = logging.getLogger(__name__)


def build(name: str, settings: EpaySettings, terms: Terms, clock: Clock) -> "EpayChannel":
    """Make the channel; opens nothing. `clock` dates questions and judges how fresh replies are.

    ValueError for terms in anything but CNY.
    """
    if terms.currency is not Currency.CNY:
        raise ValueError(f"channel {name}: Epay sites pay out CNY, not {terms.currency}")
    return EpayChannel(name, settings, terms, clock)


class EpayChannel(Shell):
    """A merchant's balance at one Epay site. Also Funded and Receipted."""

    def __init__(self, name: str, settings: EpaySettings, terms: Terms, clock: Clock) -> None:
        super().__init__(name, traits_of(settings, terms), Transport.of(settings))
        self._settings = settings
        self._clock = clock
        self._told_rate: int | None = None

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything that would make the site refuse the instruction for ever."""
        return problems(instruction, self._settings, self._traits)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Build and sign the submission; only timestamp and signature depend on `now`.

        ValueError for what `check` objects to: no other number than 19 digits may ever be signed.
        """
        if found := self.check(instruction):
            raise ValueError("cannot be sent: " + ", ".join(one.field for one in found))
        signed = self._signed(wire.SUBMIT, wire.submission(instruction), now)
        return signed.prepared(
            instruction, now, not_after=now + timedelta(seconds=ACCEPTANCE_WINDOW_S)
        )

    async def send(self, prepared: Prepared) -> Outcome:
        """Send exactly these bytes, at most once."""
        asked = Inquiry.about(prepared)
        reply = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        match reply:
            case NotSent() | Unknown():
                return reply
            case Reply():
                answer = self._opened(reply)
                if isinstance(answer, Unknown):
                    return answer
                seen = reply.evidence(answer.code, answer.message)
                return wire.read_submission(answer, asked, seen, self._settings.refusals)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask what became of our number; a failed question is `Unknown`."""
        reply = await self._ask(wire.QUERY, wire.query(inquiry))
        if isinstance(reply, Unknown):
            return reply
        answer = self._opened(reply)
        if isinstance(answer, Unknown):
            return answer
        seen = reply.evidence(answer.code, answer.message)
        return wire.read_inquiry(answer, inquiry, seen, self._settings.absences)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Refuse: a site sends no notices of transfers, so whoever writes is not the site."""
        text = b"no notices are expected here"
        return NoticeRefused("unexpected", NoticeReply(404, "text/plain; charset=utf-8", text))

    def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Raise `ChannelError`: a site issues no statements."""
        raise no_statement(day)

    async def balance(self) -> Balance:
        """What may be paid out now; says so when the site's rate is not the configured one."""
        at = self._clock()
        told = wire.read_balance(await self._answer(wire.BALANCE, {}))
        if told is None:
            raise ChannelError("balance: no signed and readable amount in the answer")
        available, rate_ppm = told
        self._compare_rate(rate_ppm, at)
        return Balance(available, at)

    async def receipt(self, inquiry: Inquiry) -> Receipt:
        """Fetch what the channel behind the site issues for a paid order.

        The proof names an address and no order, so the order is asked about first.
        """
        if not isinstance(await self.inquire(inquiry), Paid):
            raise ReceiptNotReadyError("receipt: the site does not say that this payout is paid")
        answer = await self._answer(wire.PROOF, wire.query(inquiry))
        if answer.signed_at is None or answer.code != codes.OK:
            raise ReceiptNotReadyError(f"receipt: {answer.message or answer.code}")
        settings = self._settings
        url = wire.receipt_address(answer, settings.base_url, settings.receipt_hosts)
        reply = await self._transport.get(url, (), max_bytes=RECEIPT_BYTES_MAX)
        if isinstance(reply, Unknown) or reply.status != 200 or not reply.body:
            raise ChannelError("receipt: it could not be fetched")
        kind = reply.headers.get("content-type", "application/octet-stream")
        return Receipt(kind, reply.body, wire.receipt_name(url, inquiry.reference))

    async def _answer(self, action: str, fields: Mapping[str, str]) -> Answer:
        reply = await self._ask(action, fields)
        answer = reply if isinstance(reply, Unknown) else self._opened(reply)
        if isinstance(answer, Unknown):
            raise ChannelError(f"{action}: {answer.cause} {answer.evidence.message or ''}".rstrip())
        return answer

    async def _ask(self, action: str, fields: Mapping[str, str]) -> Reply | Unknown:
        signed = await asyncio.to_thread(self._signed, action, fields, self._clock())
        return await read(lambda: self._transport.post(signed.url, signed.headers, signed.body))

    def _signed(self, action: str, fields: Mapping[str, str], now: datetime) -> Request:
        settings = self._settings
        return request(settings.base_url, action, settings.pid, settings.keys, fields, now)

    def _opened(self, reply: Reply) -> Answer | Unknown:
        """Read a reply, and verify it if it is signed; a site answers refusals with 200 too."""
        if reply.status != 200:
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        try:
            return open_reply(reply.body, self._settings.keys, self._clock())
        except WireError as error:
            return Unknown(error.cause, reply.evidence(message=str(error)))

    def _compare_rate(self, rate_ppm: int | None, at: datetime) -> None:
        """Log a rate that is not the one our costs are computed with, once for each."""
        configured = self._configured_rate(at)
        if rate_ppm in {None, configured, self._told_rate} or configured is None:
            return
        self._told_rate = rate_ppm
        _log.warning(
            "channel %s: the site charges %s ppm per transfer, the tariff says %s · "
            "站点代付费率与配置不符",
            self._name,
            rate_ppm,
            configured,
        )

    def _configured_rate(self, at: datetime) -> int | None:
        """The rate in force, in ppm; None where a tariff has tiers, which a site has not."""
        today = at.astimezone(wire.BEIJING).date()
        begun = [one for one in self._traits.terms.tariffs if one.start_on <= today]
        return None if not begun or begun[-1].tiers else begun[-1].rate_ppm


def traits_of(settings: EpaySettings, terms: Terms) -> Traits:
    """What the protocol promises, with the operator\'s terms."""
    window_s = settings.resend_window_s
    return Traits(
        kind="epay",
        rails=settings.rails,
        terms=terms,
        reference=REFERENCE,
        resend=Resend(window_s, settings.resend_quiet_s) if window_s else None,
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=0 if settings.name_required else None,
        notices=False,
        statement=False,
        statement_ready=None,
        payee_confirms=Rail.WECHAT in settings.rails,
        profile=replace(PROFILE, refusal_lag_s=settings.refusal_lag_s),
    )
