"""One account at one bank as a channel: the only file of this adapter that awaits.

A payout is one file out; what became of it is looked up in the files the bank has made since. Both
go through a small port, `Delivery`, with two drivers: HTTPS and drop folders. A file delivered is a
file received, nothing more.
"""

import asyncio
import string
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from channels.bank import envelope, folder, signing, statement, wire
from channels.bank.check import problems
from channels.bank.documents import DOCUMENT_BYTES_MAX, DocumentError
from channels.bank.envelope import EnvelopeError
from channels.bank.facts import Told
from channels.bank.folder import FolderError
from channels.bank.mailbox import Listed, Mailbox
from channels.bank.notice import read_notice
from channels.bank.profile import PROFILE, BankProfile, Folder, Https
from channels.bank.reading import told
from channels.bank.settings import BankSettings
from channels.bank.verdict import judge, read_receipt
from channels.contract import (
    Absent,
    Balance,
    ChannelError,
    Evidence,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    NotSent,
    NotSentCause,
    Outcome,
    Pending,
    Prepared,
    Problem,
    Rail,
    ReferenceRule,
    Request,
    Resend,
    StatementBrokenError,
    StatementLine,
    StatementNotReadyError,
    Terms,
    Traits,
    Unknown,
    UnknownCause,
)
from channels.transport import Headers, Reply, Transport, read

REFERENCE = ReferenceRule(string.ascii_letters + string.digits, 1, wire.REFERENCE_CHARS_MAX)
"""§4.2: 35 characters; letters and digits, for banks refuse more than the standard does."""
LOOK_BACK = timedelta(days=1)
"""How much before a send the bank's clock may date the file that answers it."""
STATEMENT_LOOK_BACK = timedelta(days=10)
"""So far back the day before is looked for: over the longest holiday."""

Clock = Callable[[], datetime]


class Delivery(Protocol):
    """How files get to the bank and from it. Nothing here knows what is in them."""

    def address(self, reference: str) -> tuple[str, Headers]:
        """Where a file will be put, and what is said beside it."""

    async def put(self, prepared: Prepared) -> Reply | Pending | NotSent | Unknown:
        """Put the file there, at most once."""

    async def names(self, since: date) -> list[Listed] | Unknown:
        """Every file the bank has made from that day on; never a part of them."""

    async def fetch(self, name: str) -> bytes | Unknown:
        """One file."""

    async def aclose(self) -> None:
        """Let go of connections; safe to call twice."""


class OverHttps:
    """Files as bodies of HTTPS requests, in the profile's envelope."""

    def __init__(self, settings: BankSettings, delivery: Https) -> None:
        """Open nothing."""
        self._settings = settings
        self._envelope = delivery
        password = settings.client_key_password
        self._transport = Transport.of(
            settings,
            tls=signing.tls(
                settings.tls_ca_file,
                settings.client_cert_file,
                settings.client_key_file,
                None if password is None else password.get_secret_value(),
            ),
        )

    def address(self, reference: str) -> tuple[str, Headers]:
        """The upload's address and headers."""
        return (
            envelope.upload_url(self._settings, self._envelope),
            envelope.upload_headers(self._settings, self._envelope, reference),
        )

    async def put(self, prepared: Prepared) -> Reply | Pending | NotSent | Unknown:
        """Post the file; anything but a message or a receipt that names it is `Unknown`."""
        answer = await self._transport.post(prepared.url, prepared.headers, prepared.body)
        if not isinstance(answer, Reply):
            return answer
        if answer.status == 200 and envelope.is_message(answer):
            return answer
        refused = envelope.not_received(answer, self._envelope, prepared.instruction.reference)
        return refused or folder.TAKEN

    async def names(self, since: date) -> list[Listed] | Unknown:
        """Ask for the list."""
        url = envelope.listing_url(self._settings, self._envelope, since)
        answer = await self._get(url, envelope.LISTING_BYTES_MAX)
        if isinstance(answer, Unknown):
            return answer
        try:
            return envelope.listed(answer.body, self._envelope)
        except EnvelopeError as error:
            return Unknown(UnknownCause.UNREADABLE, answer.evidence(message=str(error)))

    async def fetch(self, name: str) -> bytes | Unknown:
        """Ask for the file."""
        url = envelope.download_url(self._settings, self._envelope, name)
        answer = await self._get(url, DOCUMENT_BYTES_MAX)
        return answer if isinstance(answer, Unknown) else answer.body

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._transport.aclose()

    async def _get(self, url: str, bytes_max: int) -> Reply | Unknown:
        told_headers = envelope.headers(self._settings, self._envelope)
        answer = await read(lambda: self._transport.get(url, told_headers, max_bytes=bytes_max))
        if isinstance(answer, Reply) and answer.status != 200:
            cause = UnknownCause.THROTTLED if answer.status == 429 else UnknownCause.UNREADABLE
            return Unknown(cause, answer.evidence())
        return answer


class OverFolders:
    """Files dropped into one folder and picked up from another; the disk is asked in a thread."""

    def __init__(self, out: Path, into: Path, delivery: Folder) -> None:
        """Touch nothing."""
        self._out = out
        self._in = into
        self._delivery = delivery
        self._is_closed = False

    def address(self, reference: str) -> tuple[str, Headers]:
        """The file's name."""
        return f"file:{self._delivery.file_name.replace('{reference}', reference)}", ()

    async def put(self, prepared: Prepared) -> Reply | Pending | NotSent | Unknown:
        """Write, force and rename; see `folder.py` for what is sent and what is not."""
        if self._is_closed:
            return NotSent(NotSentCause.PREPARE, "the channel is closed")
        name = prepared.url.removeprefix("file:")
        return await asyncio.to_thread(folder.drop, self._out, self._delivery, name, prepared.body)

    async def names(self, since: date) -> list[Listed] | Unknown:
        """Look; a folder does not tell when a file was made, so all are named."""
        if self._is_closed:
            return Unknown(UnknownCause.CONNECTION_LOST, Evidence(message="the channel is closed"))
        try:
            return await asyncio.to_thread(folder.listed, self._in, self._delivery)
        except FolderError as error:
            return Unknown(UnknownCause.CONNECTION_LOST, Evidence(message=str(error)))

    async def fetch(self, name: str) -> bytes | Unknown:
        """Read the file."""
        try:
            return await asyncio.to_thread(folder.fetch, self._in, name, DOCUMENT_BYTES_MAX)
        except FolderError as error:
            return Unknown(UnknownCause.CONNECTION_LOST, Evidence(message=str(error)))

    async def aclose(self) -> None:
        """From now on nothing is dropped and nothing is read."""
        self._is_closed = True


def build(name: str, settings: BankSettings, terms: Terms, clock: Clock) -> "BankChannel":
    """Make the channel; opens no connection. ValueError for an expired certificate.

    Its balance can be asked for only where the bank's profile names messages that tell it.
    """
    try:
        settings.refuse_expired(clock())
    except ValueError as error:
        raise ValueError(f"channel {name}: {error}") from error
    made = FundedBankChannel if settings.bank.balance else BankChannel
    return made(name, settings, terms, clock)


class BankChannel:
    """An account at a bank that takes ISO 20022 files."""

    def __init__(self, name: str, settings: BankSettings, terms: Terms, clock: Clock) -> None:
        self._name = name
        self._settings = settings
        self._bank = settings.bank
        self._clock = clock
        self._traits = traits_of(settings, terms)
        self._delivery = _delivery(settings)
        self._mailbox = Mailbox(settings.account_number)
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._name

    @property
    def traits(self) -> Traits:
        """What the bank's profile promises, with the operator's terms."""
        return self._traits

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything that would make the bank refuse the instruction for ever."""
        return problems(instruction, self._settings, self._traits)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Write the file and hold it to the schema; the same instruction has the same numbers.

        Nothing says until when a bank accepts a file, so the bytes have no end of validity.
        """
        body = wire.transfer(instruction, self._settings, now)
        url, headers = self._delivery.address(instruction.reference)
        return Request(url, headers, body).prepared(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """Deliver exactly this file, at most once."""
        answer = await self._delivery.put(prepared)
        if not isinstance(answer, Reply):
            return answer
        try:
            said = told(answer.body, self._bank)
        except DocumentError as error:
            return Unknown(UnknownCause.UNREADABLE, answer.evidence(message=str(error)))
        return read_receipt(_asked(prepared), said.statuses, self._bank)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Look for our reference in every file since the send; a failed look is `Unknown`."""
        since = (inquiry.sent_at.astimezone(self._bank.zone) - LOOK_BACK).date()
        unreadable = await self._refresh(since)
        if isinstance(unreadable, Unknown):
            return unreadable
        return judge(
            inquiry,
            self._mailbox.statuses(inquiry.reference),
            self._mailbox.entries(inquiry.reference),
            unreadable,
            self._bank,
            self._clock(),
        )

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify and read a message the bank pushes."""
        return read_notice(headers, body, self._settings, now)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Read the day's statement, all its pages; yields only what adds up to the last fen."""
        unreadable = await self._refresh(day - STATEMENT_LOOK_BACK)
        if isinstance(unreadable, Unknown):
            raise _unanswered(f"statement of {day}", unreadable)
        closings = self._mailbox.closings(day)
        if not closings:
            if unreadable:
                raise ChannelError(f"statement of {day}: {unreadable[0]} cannot be read")
            raise StatementNotReadyError(f"{day}: no statement closes on it yet")
        if len({one.report_id for one in closings}) != 1:
            raise StatementBrokenError(f"{day}: {len(closings)} statements close on it")
        pages = []
        for listed in self._mailbox.pages(closings[0].report_id):
            said = await self._read(listed)
            if isinstance(said, Unknown):
                raise _unanswered(f"statement of {day}", said)
            pages += [
                one
                for one in said.reports
                if one.report_id == closings[0].report_id
                and one.account == self._settings.account_number
            ]
        before = [
            one
            for days in range(1, STATEMENT_LOOK_BACK.days + 1)
            for one in self._mailbox.closings(day - timedelta(days=days))
        ]
        currency = self._traits.terms.currency
        for line in await asyncio.to_thread(
            statement.lines, pages, day, currency, self._bank, before
        ):
            yield line

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._delivery.aclose()

    async def _refresh(self, since: date) -> Sequence[str] | Unknown:
        """Read every file not read yet; gives the names of those that cannot be read."""
        async with self._turn:
            listing = await self._delivery.names(since)
            if isinstance(listing, Unknown):
                return listing
            unreadable = []
            for listed in self._mailbox.unseen(listing):
                try:
                    said = await self._read(listed)
                except DocumentError:
                    unreadable.append(listed.name)
                    continue
                if isinstance(said, Unknown):
                    return said
                self._mailbox.take(listed, said)
            return unreadable

    async def _read(self, listed: Listed) -> Told | Unknown:
        raw = await self._delivery.fetch(listed.name)
        if isinstance(raw, Unknown):
            return raw
        return await asyncio.to_thread(told, raw, self._bank)


class FundedBankChannel(BankChannel):
    """A bank that tells the account's balance in its messages."""

    async def balance(self) -> Balance:
        """The newest balance in the messages that the profile names."""
        today = self._clock().astimezone(self._bank.zone).date()
        unreadable = await self._refresh(today - STATEMENT_LOOK_BACK)
        if isinstance(unreadable, Unknown):
            raise _unanswered("balance", unreadable)
        found = self._mailbox.balance(self._bank.balance, self._bank.balance_types)
        if found is None:
            raise ChannelError("balance: no message tells one yet")
        if found.amount.currency is not self._traits.terms.currency:
            raise ChannelError("balance: told in another currency than the account's")
        return Balance(found.amount, found.at)


def _asked(prepared: Prepared) -> Inquiry:
    told_by = prepared.instruction
    return Inquiry(told_by.reference, told_by.amount, told_by.instrument, prepared.signed_at)


def _delivery(settings: BankSettings) -> Delivery:
    delivery = settings.bank.delivery
    if isinstance(delivery, Https):
        return OverHttps(settings, delivery)
    return OverFolders(settings.folder_out or Path(), settings.folder_in or Path(), delivery)


def _unanswered(what: str, unknown: Unknown) -> ChannelError:
    return ChannelError(f"{what}: {unknown.cause} {unknown.evidence.message or ''}".rstrip())


def traits_of(settings: BankSettings, terms: Terms) -> Traits:
    """What the protocol promises, with the operator\'s terms."""
    bank = settings.bank
    return Traits(
        kind="bank",
        rails=frozenset({Rail.BANK_CARD, Rail.BANK_ACCOUNT}),
        terms=terms,
        reference=REFERENCE,
        resend=_resend(bank),
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=settings.inquire_horizon_days,
        sends_per_s=None,
        name_required_from_minor=0,
        notices=bank.notices is not None and bool(settings.notice_secrets),
        statement=True,
        statement_ready=bank.statement_ready,
        payee_confirms=False,
        profile=replace(
            PROFILE,
            acceptance_window_s=bank.acceptance_window_s,
            refusal_lag_s=bank.refusal_lag_s,
        ),
    )


def _resend(bank: BankProfile) -> Resend | None:
    """reliability.md §4.4: none, unless the bank's contract promises what ISO 20022 does not."""
    if not bank.resend_promised or bank.duplicate_window_days is None:
        return None
    return Resend(bank.duplicate_window_days * 86400, quiet_s=3600)
