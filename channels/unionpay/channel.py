"""One UnionPay merchant as a channel for payouts (代付): the only file of this adapter that awaits.

It joins the pure parts (what to ask, how to sign, what an answer means) to the transport. Whatever
cannot be verified and understood leaves here as `Unknown` with the evidence kept.
"""

import asyncio
import itertools
import string
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime, time, timedelta

from msgspec.structs import replace

from channels.contract import (
    Absent,
    ChannelError,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    NotSent,
    Outcome,
    Prepared,
    Problem,
    ReferenceRule,
    Request,
    StatementLine,
    StatementNotReadyError,
    Terms,
    ThrottledError,
    Traits,
    Unknown,
    UnknownCause,
)
from channels.money import Currency
from channels.shell import Shell
from channels.transport import REPLY_BYTES_MAX, Reply, Transport, read
from channels.unionpay import codes, statement, wire
from channels.unionpay.check import problems
from channels.unionpay.envelope import Message, WireError, open_reply, request
from channels.unionpay.notice import read_notice
from channels.unionpay.profile import PROFILE
from channels.unionpay.settings import UnionpaySettings
from channels.unionpay.statement import Archive

REFERENCE = ReferenceRule(string.ascii_letters + string.digits, 8, 32)
"""§3.2: an orderId may have 40 characters, but §3.7 leaves it 32 in the settlement file: a longer
one could not be found there again."""
STATEMENT_READY = time(9)
"""§3.8: files come the next day, UNVERIFIED when; until then respCode 98 says so."""
STATEMENT_BYTES_MAX = 256 << 20
STATEMENT_DAYS_MAX = 330
"""§3.7: settleDate is MMDD without a year, so a day this old could be read as the coming one."""
LINES_AT_A_TIME = 500

Clock = Callable[[], datetime]


def build(name: str, settings: UnionpaySettings, terms: Terms, clock: Clock) -> "UnionpayChannel":
    """Make the channel; opens nothing. `clock` dates questions and judges certificates.

    ValueError for terms in anything but CNY, and for certificates that are not valid now.
    """
    if terms.currency is not Currency.CNY:
        raise ValueError(f"channel {name}: UnionPay pays out CNY, not {terms.currency}")
    expired = settings.expired(clock())
    if expired:
        raise ValueError(f"channel {name}: no certificate valid now in {', '.join(expired)}")
    return UnionpayChannel(name, settings, terms, clock)


class UnionpayChannel(Shell):
    """A merchant's payout account at UnionPay."""

    def __init__(self, name: str, settings: UnionpaySettings, terms: Terms, clock: Clock) -> None:
        super().__init__(name, traits_of(settings, terms), Transport.of(settings))
        self._settings = settings
        self._clock = clock

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything that would make UnionPay refuse the instruction for ever."""
        return problems(instruction, self._settings, self._traits)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Build and sign the payout; `now` becomes its txnTime, which names it from then on.

        No page says how old a txnTime may be, so the bytes have no end that we could rely on.
        """
        fields = wire.payout(instruction, self._settings, now)
        signed = request(self._settings.gateway_url + wire.PAYOUT_PATH, fields, self._settings.keys)
        return signed.prepared(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Send exactly these bytes, at most once."""
        asked = Inquiry.about(prepared)
        answer = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        match answer:
            case NotSent() | Unknown():
                return answer
            case Reply():
                opened = self._opened(answer)
                if isinstance(opened, Unknown):
                    return opened
                seen = answer.evidence(opened.code, opened.text)
                return wire.read_submission(opened, asked, self._settings.mer_id, seen)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask what became of our number; a failed question is `Unknown`.

        UnionPay finds an order by number *and* txnTime, so `sent_at` must be the payout's own.
        """
        url = self._settings.gateway_url + wire.QUERY_PATH
        answer = await self._ask(url, wire.query(inquiry, self._settings))
        if isinstance(answer, Unknown):
            return answer
        opened = self._opened(answer)
        if isinstance(opened, Unknown):
            return opened
        code = opened.get("origRespCode") if opened.code == codes.ACCEPTED else opened.code
        seen = answer.evidence(code, opened.get("origRespMsg") or opened.text)
        return wire.read_inquiry(opened, inquiry, self._settings.mer_id, seen)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify and read a backUrl notice; its certificate must be valid at `now`."""
        return read_notice(body, self._settings.mer_id, self._settings.keys.trust, now)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Read the settlement files of a day; raises wherever they cannot be read to the end."""
        archive = await self._archive(day)
        earlier = []
        for one in await asyncio.to_thread(statement.adjusted_days, archive, day):
            try:
                earlier.append(await self._archive(one))
            except StatementNotReadyError:
                continue  # no file of that day: what it would have named stays unexplained
        lines = statement.read(archive, day, self._settings.mer_id, earlier)
        while batch := await asyncio.to_thread(
            lambda: list(itertools.islice(lines, LINES_AT_A_TIME))
        ):
            for line in batch:
                yield line

    async def _archive(self, day: date) -> Archive:
        """Fetch and unpack the files of one settlement day."""
        now = self._clock()
        today = now.astimezone(wire.BEIJING).date()
        if day >= today:
            raise StatementNotReadyError(f"{day} has not ended")
        if today - day > timedelta(days=STATEMENT_DAYS_MAX):
            raise ChannelError(f"{day} is too old: UnionPay names settlement days without a year")
        mer_id = self._settings.mer_id
        fields = wire.settlement_file(day, self._settings, now)
        answer = await self._ask(self._settings.file_url + "/", fields, STATEMENT_BYTES_MAX)
        # A file of some hundred megabytes is hashed and unpacked beside the loop.
        opened = (
            answer if isinstance(answer, Unknown) else await asyncio.to_thread(self._opened, answer)
        )
        if isinstance(opened, Unknown):
            raise ChannelError(f"statement of {day}: {opened.cause}")
        content = self._content(opened, day, fields)
        return await asyncio.to_thread(statement.unpack, content, mer_id)

    def _content(self, message: Message, day: date, asked: Mapping[str, str]) -> str:
        echoes = ("merId", "settleDate", "txnType")
        if any(message.get(name) not in {None, asked[name]} for name in echoes):
            raise ChannelError(f"statement of {day}: the answer is about another file")
        if message.code == codes.NO_FILE:
            raise StatementNotReadyError(f"{day}: respCode {message.code}")
        if codes.inquiry_error(message.code) is UnknownCause.THROTTLED:
            raise ThrottledError(f"statement of {day}: respCode {message.code}")
        content = message.get("fileContent")
        if message.code != codes.ACCEPTED or content is None:
            raise ChannelError(f"statement of {day}: respCode {message.code}")
        if message.get("merId") is None or message.get("settleDate") is None:
            raise ChannelError(f"statement of {day}: the answer does not say which file it is")
        return content

    async def _ask(
        self, url: str, fields: Mapping[str, str], max_bytes: int = REPLY_BYTES_MAX
    ) -> Reply | Unknown:
        signed: Request = await asyncio.to_thread(request, url, fields, self._settings.keys)
        return await read(
            lambda: self._transport.post(
                signed.url, signed.headers, signed.body, max_bytes=max_bytes
            )
        )

    def _opened(self, reply: Reply) -> Message | Unknown:
        """Verify and read a reply; four RSA verifications take some 200 µs."""
        if reply.status != 200:
            # §3.1: UnionPay answers refusals with 200 too; anything else comes from before it.
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        try:
            return open_reply(reply.body, self._settings.keys.trust, self._clock())
        except WireError as error:
            return Unknown(error.cause, reply.evidence(message=str(error)))


def traits_of(settings: UnionpaySettings, terms: Terms) -> Traits:
    """What the protocol promises, with the operator\'s terms."""
    return Traits(
        kind="unionpay",
        rails=settings.rails,
        terms=terms,
        reference=REFERENCE,
        resend=None,
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=None,
        notices=True,
        statement=True,
        statement_ready=STATEMENT_READY,
        payee_confirms=False,
        inquires_by_time=True,
        profile=replace(PROFILE, refusal_lag_s=settings.refusal_lag_s),
    )
