"""The XxPay channel: the only file here that awaits, and where the pure parts meet.

Dialect: dialects.md §3.1. Nothing is ever sent twice: the protocol promises no idempotency. No
statement, no cancellation.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime
from functools import partial

from channels.contract import (
    Absent,
    Balance,
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
from channels.money import Currency, Money
from channels.shell import Shell
from channels.transport import Headers, Reply, Transport, read
from channels.xxpay import checks, notice, wire
from channels.xxpay.answers import Reader
from channels.xxpay.settings import XxPaySettings

Clock = Callable[[], datetime]
HEADERS: Headers = (
    ("Accept", "application/json"),
    ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
    ("User-Agent", "hangdao"),
)


def build(name: str, settings: XxPaySettings, terms: Terms, clock: Clock) -> "XxPayChannel":
    """Make a channel; opens no connection. `clock` dates questions and answers.

    ValueError for terms in anything but CNY.
    """
    if terms.currency is not Currency.CNY:
        raise ValueError(f"channel {name}: XxPay pays CNY, not {terms.currency}")
    return XxPayChannel(name, settings, terms, clock)


class XxPayChannel(Shell):
    """A merchant at an XxPay gateway. Also Funded."""

    def __init__(self, name: str, settings: XxPaySettings, terms: Terms, clock: Clock) -> None:
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
        url = self._settings.base_url + self._settings.apply_path
        body = wire.submission(self._settings, instruction, now)
        return Request(url, HEADERS, body).prepared(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Submit exactly these bytes, once."""
        reply = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        if not isinstance(reply, Reply):
            return reply
        asked = Inquiry.about(prepared)
        return self._reader.submitted(reply, asked)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Query by our number."""
        body = wire.query(self._settings, inquiry.reference, self._clock())
        reply = await self._ask(self._settings.query_path, body)
        if isinstance(reply, Unknown):
            return reply
        return self._reader.inquired(reply, inquiry, self._clock())

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify first, parse second; a notice carries no time that could make it stale."""
        return notice.read(self._settings, headers, body)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Always ChannelError: an XxPay gateway has no statement."""
        nothing: tuple[StatementLine, ...] = ()
        for line in nothing:
            yield line
        raise ChannelError("XxPay has no statement")

    async def balance(self) -> Balance:
        """What is free on the payout balance, of which `sub_amount_from` 2 pays."""
        at = self._clock()
        reply = await self._ask(self._settings.balance_path, wire.balance(self._settings, at))
        fields = reply if isinstance(reply, Unknown) else self._reader.proven(reply)
        if isinstance(fields, Unknown):
            raise ChannelError(f"balance: {fields.cause} {fields.evidence.message or ''}".rstrip())
        funds = wire.funds(fields)
        if funds is None:
            raise ChannelError("balance: no readable amount in the answer")
        return Balance(Money(funds.availableAgentpayBalance, Currency.CNY), at)

    async def _ask(self, path: str, body: bytes) -> Reply | Unknown:
        url = self._settings.base_url + path
        return await read(partial(self._transport.post, url, HEADERS, body))
