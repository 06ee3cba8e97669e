"""The Jeepay channel: the only file here that awaits, and where the pure parts meet.

Dialect: dialects.md §1. One order per number: a second one is refused, in a text that cannot be
told from other refusals, so nothing is ever sent twice. No balance, no statement, no cancellation.
"""

import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime
from functools import partial

from channels.contract import (
    Absent,
    ChannelError,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    Outcome,
    Prepared,
    Problem,
    StatementLine,
    Terms,
    Traits,
    Unknown,
)
from channels.jeepay import checks, notice, wire
from channels.jeepay.answers import Reader
from channels.jeepay.settings import JeepaySettings
from channels.money import Currency
from channels.transport import Headers, Reply, Transport, read

Clock = Callable[[], datetime]
HEADERS: Headers = (
    ("Accept", "application/json"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("User-Agent", "hangdao"),
)


def build(name: str, settings: JeepaySettings, terms: Terms, clock: Clock) -> "JeepayChannel":
    """Make a channel; opens no connection. `clock` dates questions and answers.

    ValueError for terms in anything but CNY.
    """
    if terms.currency is not Currency.CNY:
        raise ValueError(f"channel {name}: Jeepay pays CNY, not {terms.currency}")
    return JeepayChannel(name, settings, terms, clock)


class JeepayChannel:
    """One application of a merchant at a Jeepay gateway."""

    def __init__(self, name: str, settings: JeepaySettings, terms: Terms, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._traits = checks.traits(settings, terms)
        self._clock = clock
        self._reader = Reader(settings)
        authorities = settings.tls_ca_file
        self._transport = Transport(
            connect_timeout_s=settings.connect_timeout_s,
            total_timeout_s=settings.total_timeout_s,
            pool_wait_s=settings.pool_wait_s,
            connections=settings.connections,
            tls=None if authorities is None else ssl.create_default_context(cafile=authorities),
        )

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._name

    @property
    def traits(self) -> Traits:
        """Constants; the same object for the channel's life."""
        return self._traits

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything that would make the gateway refuse the instruction for ever."""
        return checks.problems(instruction, self._settings, self._traits.terms)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Build and sign a submission; ValueError for what `check` objects to.

        Only `reqTime` and the signature depend on `now`; the gateway does not check how old it is.
        """
        problems = self.check(instruction)
        if problems:
            raise ValueError("cannot be sent: " + ", ".join(p.field for p in problems))
        url = self._settings.base_url + wire.SUBMIT
        body = wire.submission(self._settings, instruction, now)
        return Prepared(
            instruction=instruction,
            url=url,
            headers=HEADERS,
            body=body,
            digest=_digest(url, HEADERS, body),
            signed_at=now,
            not_after=None,
        )

    async def send(self, prepared: Prepared) -> Outcome:
        """Submit exactly these bytes, once."""
        reply = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        if not isinstance(reply, Reply):
            return reply
        sent = prepared.instruction
        asked = Inquiry(sent.reference, sent.amount, sent.instrument, prepared.signed_at)
        return self._reader.submitted(reply, asked, self._clock())

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Query by our number."""
        body = wire.query(self._settings, inquiry.reference, self._clock())
        url = self._settings.base_url + wire.QUERY
        reply = await read(partial(self._transport.post, url, HEADERS, body))
        if isinstance(reply, Unknown):
            return reply
        return self._reader.inquired(reply, inquiry, self._clock())

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify first, parse second; a notice carries no time that could make it stale."""
        return notice.read(self._settings, body)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Always ChannelError: a Jeepay gateway has no statement."""
        nothing: tuple[StatementLine, ...] = ()
        for line in nothing:
            yield line
        raise ChannelError("Jeepay has no statement")

    async def aclose(self) -> None:
        """Let go of connections; safe to call twice."""
        await self._transport.aclose()


def _digest(url: str, headers: Headers, body: bytes) -> str:
    """Hash URL LF, each header as `name: value` LF, LF, body: names what was armed to the byte."""
    head = "".join(f"{name}: {value}\n" for name, value in headers)
    return hashlib.sha256(f"{url}\n{head}\n".encode() + body).hexdigest()
