"""One Alipay application as a channel: the only file of this adapter that awaits.

It joins the pure parts (what to ask, how to sign, what an answer means) to the transport. Whatever
cannot be verified and understood leaves here as `Unknown` with the evidence kept.
"""

import asyncio
import io
import itertools
import string
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date, datetime, time

from msgspec.structs import replace

from channels.alipay import codes, receipts, wire
from channels.alipay.check import problems
from channels.alipay.envelope import Node, WireError, open_reply, request
from channels.alipay.notice import read_notice
from channels.alipay.profile import PROFILE
from channels.alipay.settings import RESEND_WINDOW_S, AlipaySettings
from channels.alipay.statement import read_zip
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
    ReferenceRule,
    Request,
    Resend,
    StatementLine,
    StatementNotReadyError,
    Terms,
    Traits,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money, MoneyError
from channels.shell import Shell
from channels.transport import Reply, Transport, read

REFERENCE = ReferenceRule(string.ascii_letters + string.digits + "_-", 1, 64)
"""§1.3 out_biz_no: at most 64 characters of this alphabet."""
STATEMENT_READY = time(9)
"""§1.6: a day's file is there from about nine the next morning, Beijing time."""
STATEMENT_BYTES_MAX = 512 << 20
LINES_AT_A_TIME = 500

Clock = Callable[[], datetime]


def build(name: str, settings: AlipaySettings, terms: Terms, clock: Clock) -> "AlipayChannel":
    """Make the channel; opens nothing. `clock` dates questions and balances.

    ValueError for terms in anything but CNY.
    """
    if terms.currency is not Currency.CNY:
        raise ValueError(f"channel {name}: Alipay pays out CNY, not {terms.currency}")
    return AlipayChannel(name, settings, terms, clock)


class AlipayChannel(Shell):
    """A payer's account at Alipay, reached through one application of the open platform."""

    def __init__(self, name: str, settings: AlipaySettings, terms: Terms, clock: Clock) -> None:
        super().__init__(name, traits_of(settings, terms), Transport.of(settings))
        self._settings = settings
        self._clock = clock
        self._file_ids = receipts.FileIds()

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything that would make this application refuse the instruction for ever."""
        return problems(instruction, self._settings, self._traits)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Build and sign the transfer; only the timestamp and signature depend on `now`.

        The platform publishes no window in which it accepts a timestamp, so the bytes have no end
        of validity that we could rely on.
        """
        signed = self._signed(wire.TRANSFER, wire.transfer(instruction, self._settings), now)
        return signed.prepared(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Send exactly these bytes, at most once."""
        asked = Inquiry.about(prepared)
        answer = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        match answer:
            case NotSent() | Unknown():
                return answer
            case Reply():
                opened = self._opened(answer, wire.TRANSFER)
                if isinstance(opened, Unknown):
                    return opened
                seen = answer.evidence(opened.sub_code or opened.code, opened.message)
                return wire.read_submission(opened, asked, seen)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask what became of our number; a failed question is `Unknown`."""
        answer = await self._ask(wire.QUERY, wire.query(inquiry))
        if isinstance(answer, Unknown):
            return answer
        opened = self._opened(answer, wire.QUERY)
        if isinstance(opened, Unknown):
            return opened
        seen = answer.evidence(opened.sub_code or opened.code, opened.message)
        return wire.read_inquiry(opened, inquiry, seen)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify and read order.changed; it carries no time that could make it stale."""
        return read_notice(body, self._settings.app_id, self._settings.keys)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Read every movement of the day; raises after the last one if the file does not add up."""
        node = await self._node(
            wire.BILL_ADDRESS, {"bill_type": "signcustomer", "bill_date": day.isoformat()}
        )
        if node.code == codes.BUSINESS_FAILURE and node.sub_code in codes.STATEMENT_NOT_READY:
            raise StatementNotReadyError(f"{day}: {node.sub_code}")
        if node.code != codes.OK:
            raise ChannelError(f"statement of {day}: {node.sub_code or node.code}")
        if node.get("bill_file_code") == codes.EMPTY_STATEMENT:
            return
        url = node.get("bill_download_url")
        if url is None or not url.startswith(("https://", "http://")):
            raise ChannelError(f"statement of {day}: no address to fetch it from")
        # The address is good for 30 seconds and for one file, so it is asked for once more only by
        # asking for the whole statement again.
        reply = await self._transport.get(url, (), max_bytes=STATEMENT_BYTES_MAX)
        if isinstance(reply, Unknown) or reply.status != 200:
            raise ChannelError(f"statement of {day}: the file could not be fetched")
        lines = read_zip(io.BytesIO(reply.body), day, self._settings.user_id)
        # A busy day has a million lines: they are unpacked beside the loop, a batch at a time.
        while batch := await asyncio.to_thread(
            lambda: list(itertools.islice(lines, LINES_AT_A_TIME))
        ):
            for line in batch:
                yield line

    async def balance(self) -> Balance:
        """What is available on the paying account now."""
        content = {"account_type": "ACCTRANS_ACCOUNT"}
        if self._settings.user_id is not None:
            content["alipay_user_id"] = self._settings.user_id
        at = self._clock()
        node = await self._node(wire.BALANCE, content)
        if node.code != codes.OK:
            raise ChannelError(f"balance: {node.sub_code or node.code}")
        try:
            available = Money.parse(node.get("available_amount") or "", Currency.CNY)
        except MoneyError as error:
            raise ChannelError("balance: no readable amount in the answer") from error
        return Balance(available, at)

    async def receipt(self, inquiry: Inquiry) -> Receipt:
        """The transfer's receipt as the platform made it.

        The application that was made for it is remembered, so that asking again goes on with it.
        """
        reference = inquiry.reference
        file_id = self._file_ids.get(reference)
        if file_id is None:
            order = receipts.fund_order(await self._node(wire.QUERY, wire.query(inquiry)), inquiry)
            applied = await self._node(receipts.APPLY, receipts.application(order))
            file_id = receipts.read_application(applied)
            self._file_ids.keep(reference, file_id)
        try:
            url = receipts.read_query(await self._node(receipts.QUERY, {"file_id": file_id}))
        except ReceiptNotReadyError:
            raise
        except ChannelError:
            self._file_ids.forget(reference)
            raise
        reply = await self._transport.get(url, (), max_bytes=receipts.BYTES_MAX)
        if isinstance(reply, Unknown) or reply.status != 200:
            raise ChannelError("the receipt could not be fetched")
        return receipts.document(reply.body, reference)

    async def _node(self, method: str, content: Mapping[str, object]) -> Node:
        answer = await self._ask(method, content)
        node = answer if isinstance(answer, Unknown) else self._opened(answer, method)
        if isinstance(node, Unknown):
            raise ChannelError(f"{method}: {node.cause} {node.evidence.message or ''}".rstrip())
        return node

    async def _ask(self, method: str, content: Mapping[str, object]) -> Reply | Unknown:
        signed = await asyncio.to_thread(self._signed, method, content, self._clock())
        return await read(lambda: self._transport.post(signed.url, signed.headers, signed.body))

    def _signed(self, method: str, content: Mapping[str, object], now: datetime) -> Request:
        settings = self._settings
        return request(settings.gateway_url, settings.app_id, settings.keys, method, content, now)

    def _opened(self, reply: Reply, method: str) -> Node | Unknown:
        """Verify and read a reply. One RSA verification takes some 50 µs: no thread is worth it."""
        if reply.status != 200:
            # §1.1: the gateway answers refusals with 200 too; anything else comes from before it.
            return Unknown(UnknownCause.UNREADABLE, reply.evidence())
        try:
            return open_reply(reply.body, method, self._settings.keys)
        except WireError as error:
            return Unknown(error.cause, reply.evidence(message=str(error)))


def traits_of(settings: AlipaySettings, terms: Terms) -> Traits:
    """What the product promises, with the operator's terms."""
    window_s = RESEND_WINDOW_S if settings.resend_window_s is None else settings.resend_window_s
    return Traits(
        kind="alipay",
        rails=frozenset(settings.products),
        terms=terms,
        reference=REFERENCE,
        resend=Resend(window_s, settings.resend_quiet_s) if window_s else None,
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=None,
        notices=True,
        statement=True,
        statement_ready=STATEMENT_READY,
        payee_confirms=False,
        profile=replace(PROFILE, refusal_lag_s=settings.refusal_lag_s),
    )
