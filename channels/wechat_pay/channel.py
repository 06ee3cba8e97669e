"""The WeChat Pay channel: the only file here that awaits, and where the pure parts meet.

Dialect: 商家转账 of API v3 (`/v3/fund-app/mch-transfer`), wire-protocols.md §2. The payee confirms
in WeChat before money moves, within 24 hours. The same number may be submitted again for 24 hours
and yields the payout's present state; "not found" proves nothing (reliability.md §4.4).
A reference `batch/detail` asks about a line of the closed product 商家转账到零钱, which can no
longer be paid.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime, timedelta
from functools import partial

from channels.contract import (
    Absent,
    Balance,
    ChannelError,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    NotSent,
    Outcome,
    Prepared,
    Problem,
    Receipt,
    ReceiptNotReadyError,
    Request,
    StatementLine,
    StatementNotReadyError,
    Terms,
    ThrottledError,
    Unknown,
    WechatWallet,
)
from channels.money import Currency, Money
from channels.shell import Shell
from channels.transport import Headers, Reply, Transport, read
from channels.wechat_pay import checks, codes, notice, receipts, statement, wire
from channels.wechat_pay.answers import Reader, refusal_of
from channels.wechat_pay.profile import ACCEPTANCE_WINDOW_S
from channels.wechat_pay.settings import WechatPaySettings
from channels.wechat_pay.signing import nonce

Clock = Callable[[], datetime]

LINES_PER_TURN = 500
"""After so many statement lines other tasks get their turn."""


def build(
    name: str,
    settings: WechatPaySettings,
    terms: Terms,
    clock: Clock,
) -> "WechatPayChannel":
    """Make a channel; opens no connection. `clock` dates inquiries and judges how old an answer is.

    ValueError for terms in anything but CNY.
    """
    if terms.currency is not Currency.CNY:
        raise ValueError(f"channel {name}: WeChat Pay pays CNY, not {terms.currency}")
    return WechatPayChannel(name, settings, terms, clock)


class WechatPayChannel(Shell):
    """One merchant account at WeChat Pay. Also Recallable, Funded and Receipted."""

    def __init__(
        self,
        name: str,
        settings: WechatPaySettings,
        terms: Terms,
        clock: Clock,
    ) -> None:
        super().__init__(name, checks.traits(settings, terms), Transport.of(settings))
        self._settings = settings
        self._clock = clock
        self._reader = Reader(settings)

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything the submit page (§2.2) would refuse for ever."""
        return checks.problems(instruction, self._settings.appid, self._traits.terms)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Build and sign a submission; ValueError for what `check` objects to.

        Same instruction and time, same bytes, save the ciphertext of a name: OAEP is randomised.
        """
        problems = self.check(instruction)
        wallet = instruction.instrument
        if problems or not isinstance(wallet, WechatWallet):
            raise ValueError("cannot be sent: " + ", ".join(p.field for p in problems))
        leading = self._settings.platform_keys.leading(now)
        name = None
        if wallet.name is not None and wire.sends_name(instruction.amount.minor, wallet.name):
            name = leading.seal(wallet.name)
        body = wire.submission(self._settings, instruction, wallet, name)
        headers = self._signed("POST", wire.SUBMIT, body, instruction.reference, now)
        url = self._settings.base_url + wire.SUBMIT
        return Request(url, headers, body).prepared(
            instruction, now, not_after=now + timedelta(seconds=ACCEPTANCE_WINDOW_S)
        )

    async def send(self, prepared: Prepared) -> Outcome:
        """Submit exactly these bytes, once."""
        reply = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        if not isinstance(reply, Reply):
            return reply
        return self._reader.submitted(reply, prepared.instruction, self._clock())

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Query by our number; one request."""
        reply = await self._get(wire.query_target(inquiry.reference))
        if isinstance(reply, Unknown):
            return reply
        return self._reader.inquired(reply, inquiry, self._clock())

    async def recall(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask to cancel, then ask how it stands.

        The cancellation's own answer names neither amount nor payee, and says nothing useful when
        it is refused; the state that the inquiry finds is the answer, also when the first was lost.
        ChannelError if the request never left, or the payout is of the closed batch product.
        """
        if "/" in inquiry.reference:
            raise ChannelError("a payout of the batch product cannot be cancelled")
        target = wire.cancel_target(inquiry.reference)
        headers = self._signed("POST", target, b"", inquiry.reference, self._clock())
        asked = await self._transport.post(self._settings.base_url + target, headers, b"")
        if isinstance(asked, NotSent):
            raise ChannelError(f"the cancellation was not sent: {asked.cause}")
        return await self.inquire(inquiry)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify first, parse second; pure."""
        return notice.read(self._settings, headers, body, now)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """The fund-flow bill of one day at Beijing; a bill that does not add up ends in an error.

        A day without any movement has no bill, and no lines: the platform answers as if it were not
        ready, so a day after it should have been, that answer is taken for an empty day.
        """
        gzip = self._settings.statement_gzip
        target = wire.statement_target(day, self._settings.fund_account, gzip=gzip)
        announced = await self._announced(target, day)
        if announced is None:
            return
        download = wire.download_target(announced.download_url)
        if download is None:
            raise ChannelError("the bill's address is not one of the bill download")
        # Its reply is unsigned (§2.6); the digest in the signed announcement is what proves it.
        reply = await read(partial(self._get, download, max_bytes=statement.BYTES_MAX))
        if isinstance(reply, Unknown):
            raise ChannelError(f"the bill could not be fetched: {reply.cause}")
        if reply.status != 200:
            raise ChannelError(f"the bill could not be fetched: HTTP {reply.status}")
        plain = await asyncio.to_thread(statement.unpack, reply.body, announced.hash_value)
        for number, line in enumerate(statement.lines(plain), start=1):
            yield line
            if number % LINES_PER_TURN == 0:
                await asyncio.sleep(0)

    async def balance(self) -> Balance:
        """What is on the paying account; ChannelError also for merchants not permitted (403)."""
        reply = await self._verified(wire.balance_target(self._settings.fund_account))
        if reply.status != 200:
            raise ChannelError(f"the balance was refused: {refusal_of(reply)}")
        funds = wire.read(wire.FundBalance, reply.body)
        if funds is None:
            raise ChannelError("the balance is not readable")
        return Balance(Money(funds.available_amount, Currency.CNY), self._clock())

    async def receipt(self, inquiry: Inquiry) -> Receipt:
        """The transfer's receipt; the first question applies for it, a later one fetches it."""
        reference, now = inquiry.reference, self._clock()
        reply = await self._verified(receipts.target(reference))
        if receipts.is_unknown(reply):
            body = receipts.application(reference)
            headers = self._signed("POST", receipts.APPLY, body, reference, now)
            url = self._settings.base_url + receipts.APPLY
            applied = await self._transport.post(url, headers, body)
            if not isinstance(applied, Reply):
                raise ChannelError(f"the application was not answered: {applied.cause}")
            receipts.check_applied(self._proven(applied))
            raise ReceiptNotReadyError("the receipt was applied for")
        download_url, digest = receipts.finished(reply)
        download = wire.download_target(download_url)
        if download is None:
            raise ChannelError("the receipt's address is not one of the bill download")
        file = await read(partial(self._get, download, max_bytes=receipts.BYTES_MAX))
        if isinstance(file, Unknown) or file.status != 200:
            raise ChannelError("the receipt could not be fetched")
        return receipts.document(file.body, digest, reference)

    async def _announced(self, target: str, day: date) -> wire.BillFile | None:
        """Where the bill is; None when there was nothing to put on it."""
        reply = await self._verified(target)
        if reply.status != 200:
            code = refusal_of(reply)
            if code == codes.STATEMENT_EMPTY and self._clock() >= _surely_made(day):
                return None
            if code in codes.STATEMENT_NOT_READY:
                raise StatementNotReadyError(f"the bill is not there: {code}")
            if reply.status == codes.TOO_MANY:
                raise ThrottledError(f"the bill was refused: {code}")
            raise ChannelError(f"the bill was refused: {code}")
        announced = wire.read(wire.BillFile, reply.body)
        if announced is None:
            raise ChannelError("the announcement of the bill is not readable")
        return announced

    async def _verified(self, target: str) -> Reply:
        """Read what the platform provably answers, or ChannelError."""
        reply = await read(partial(self._get, target))
        if isinstance(reply, Unknown):
            raise ChannelError(f"no answer: {reply.cause}")
        return self._proven(reply)

    def _proven(self, reply: Reply) -> Reply:
        unproven = self._reader.unproven(reply, self._clock())
        if unproven is not None:
            raise ChannelError(f"the answer proves nothing: {unproven.evidence.message}")
        return reply

    async def _get(self, target: str, *, max_bytes: int | None = None) -> Reply | Unknown:
        headers = self._signed("GET", target, b"", target, self._clock())
        url = self._settings.base_url + target
        if max_bytes is None:
            return await self._transport.get(url, headers)
        return await self._transport.get(url, headers, max_bytes=max_bytes)

    def _signed(
        self, method: str, target: str, body: bytes, subject: str, now: datetime
    ) -> Headers:
        """Sign these bytes, asking for an answer under the key that leads."""
        key = self._settings.merchant_key
        authorization = key.authorization(method, target, body, now, nonce(subject, now))
        content = (("Content-Type", "application/json; charset=utf-8"),) if body else ()
        return (
            ("Authorization", authorization),
            ("Accept", "application/json"),
            ("User-Agent", "hangdao"),
            ("Wechatpay-Serial", self._settings.platform_keys.leading(now).serial),
            *content,
        )


def _surely_made(day: date) -> datetime:
    """When the bill of a day with movements must have been made: a day after it should be there."""
    return datetime.combine(day + timedelta(days=2), checks.STATEMENT_READY, statement.ZONE)
