"""The Jeepay channel: the only file here that awaits, and where the pure parts meet.

Dialect: dialects.md §1. One order per number: a second one is refused, in a text that cannot be
told from other refusals, so nothing is ever sent twice. No balance, no statement, no cancellation.
"""

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
    Request,
    StatementLine,
    Terms,
    Unknown,
)
from channels.jeepay import checks, notice, wire
from channels.jeepay.answers import Reader
from channels.jeepay.settings import JeepaySettings
from channels.money import Currency
from channels.shell import Shell
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


class JeepayChannel(Shell):
    """One application of a merchant at a Jeepay gateway."""

    def __init__(self, name: str, settings: JeepaySettings, terms: Terms, clock: Clock) -> None:
        super().__init__(name, checks.traits(settings, terms), Transport.of(settings))
        self._settings = settings
        self._clock = clock
        self._reader = Reader(settings)

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
        return Request(url, HEADERS, body).prepared(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Submit exactly these bytes, once."""
        reply = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        if not isinstance(reply, Reply):
            return reply
        asked = Inquiry.about(prepared)
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
