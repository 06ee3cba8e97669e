"""The Alipay adapter over real sockets, against a peer that says what a test wants it to say."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from channels.alipay.channel import AlipayChannel, build
from channels.contract import (
    Absent,
    Balance,
    Channel,
    ChannelError,
    Funded,
    NotSent,
    NotSentCause,
    Paid,
    Recallable,
    StatementBrokenError,
    StatementNotReadyError,
    Terms,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from tests.channels.alipay import platform
from tests.channels.alipay.platform import (
    ACCOUNT,
    CARD,
    CORPORATE,
    LOGON,
    MERCHANT_KEY,
    NOW,
    ORDER,
    SETTINGS,
    TERMS,
    channel,
    found,
    inquiry,
    instruction,
    paid,
    query_reply,
    refused,
    signed_reply,
    transfer_reply,
)
from tests.channels.faulty import Exchange, FaultServer, authority, fault_server

DAY = date(2026, 11, 2)
BILL_NODE = "alipay_data_dataservice_bill_downloadurl_query_response"
BALANCE_NODE = "alipay_fund_account_query_response"
FILE = "2088000000000011_20261102_detail.csv"


@dataclass(frozen=True)
class Wire:
    """A channel and the peer it talks to."""

    channel: AlipayChannel
    server: FaultServer


Speak = Callable[[Exchange], Awaitable[None]]


@asynccontextmanager
async def wired(speak: Speak | bytes) -> AsyncIterator[Wire]:
    """Connect a channel to a peer with this behaviour, or this body for an answer."""
    async with fault_server(says(speak) if isinstance(speak, bytes) else speak) as server:
        made = channel(gateway_url=server.url, total_timeout_s=1, connect_timeout_s=1)
        try:
            yield Wire(made, server)
        finally:
            await made.aclose()


def says(body: bytes, status: int = 200) -> Speak:
    """Answer everything with this."""

    async def speak(exchange: Exchange) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n"
        await exchange.say(head.encode() + body)

    return speak


async def reset(exchange: Exchange) -> None:
    """Take the request and hang up."""
    exchange.reset()


def test_channel_is_what_the_contract_wants() -> None:
    """Funded, not recallable: this product cannot be cancelled. Building it needs no event loop."""
    made: Channel = build("alipay-main", SETTINGS, TERMS, lambda: NOW)
    assert isinstance(made, Channel)
    assert isinstance(made, Funded)
    assert not isinstance(made, Recallable)
    assert (made.name, made.traits.kind) == ("alipay-main", "alipay")
    assert made.traits is made.traits


def test_other_currencies_are_refused_when_configured() -> None:
    """Alipay transfers are in CNY."""
    with pytest.raises(ValueError, match="CNY, not USD"):
        build("x", SETTINGS, Terms(Currency.USD, 1, 2), lambda: NOW)


# --- send ------------------------------------------------------------------------------------


async def test_send_puts_exactly_the_prepared_bytes_on_the_wire_once() -> None:
    """One POST, to the byte what was armed."""
    async with wired(transfer_reply(**paid())) as wire:
        prepared = wire.channel.prepare(instruction(), NOW)
        outcome = await wire.channel.send(prepared)
    assert isinstance(outcome, Paid)
    (request,) = wire.server.requests
    parts = urlsplit(prepared.url)
    assert request.startswith(f"POST {parts.path}?{parts.query} HTTP/1.1\r\n".encode())
    assert request.endswith(b"\r\n\r\n" + prepared.body)


@pytest.mark.parametrize(
    ("speak", "cause"),
    [
        (reset, UnknownCause.CONNECTION_LOST),
        (says(b""), UnknownCause.UNREADABLE),
        (says(b"<html>busy</html>"), UnknownCause.UNREADABLE),
        (says(b"\x00\xff" * 500), UnknownCause.UNREADABLE),
        (says(b'{"alipay_fund_trans_uni_transfer_response":{}}'), UnknownCause.BAD_SIGNATURE),
        (says(query_reply(**found())), UnknownCause.UNREADABLE),
        (says(transfer_reply(**refused("BRAND_NEW"))), UnknownCause.UNKNOWN_CODE),
        (says(transfer_reply(**paid()), 500), UnknownCause.UNREADABLE),
        (says(transfer_reply(**refused("PAYEE_NOT_EXIST")), 502), UnknownCause.UNREADABLE),
        (says(b"", 302), UnknownCause.UNREADABLE),
    ],
)
async def test_send_without_a_proven_answer_is_unknown(speak: Speak, cause: UnknownCause) -> None:
    """Lost, unreadable, unsigned, about something else, or from before the gateway."""
    async with wired(speak) as wire:
        outcome = await wire.channel.send(wire.channel.prepare(instruction(), NOW))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is cause
    assert len(wire.server.requests) == 1


async def test_evidence_is_kept() -> None:
    """What the peer said, with its code, for a person to read."""
    body = transfer_reply(**refused("SYSTEM_ERROR"))
    async with wired(body) as wire:
        outcome = await wire.channel.send(wire.channel.prepare(instruction(), NOW))
    assert isinstance(outcome, Unknown)
    evidence = outcome.evidence
    assert (evidence.http_status, evidence.code, evidence.body) == (200, "SYSTEM_ERROR", body)


async def test_refused_connection_is_not_sent() -> None:
    """Port 1 of the loopback has no listener."""
    made = channel()
    outcome = await made.send(made.prepare(instruction(), NOW))
    await made.aclose()
    assert isinstance(outcome, NotSent)
    assert outcome.cause is NotSentCause.REFUSED


async def test_own_authority_is_trusted_when_configured(tmp_path: Path) -> None:
    """For a gateway behind one's own certificate; others are not trusted then."""
    trust = authority(tmp_path)
    async with fault_server(says(transfer_reply(**paid())), trust.server) as server:
        trusting = channel(gateway_url=server.url, tls_ca_file=trust.ca_file)
        wary = channel(gateway_url=server.url)
        outcomes = [await made.send(made.prepare(instruction(), NOW)) for made in (trusting, wary)]
        await trusting.aclose()
        await wary.aclose()
    assert [type(outcome) for outcome in outcomes] == [Paid, NotSent]


# --- inquire ---------------------------------------------------------------------------------


async def test_inquiry_finds_the_payout() -> None:
    """By our number, in a freshly signed question."""
    async with wired(query_reply(**found())) as wire:
        outcome = await wire.channel.inquire(inquiry())
    assert isinstance(outcome, Paid)
    query = parse_qs(urlsplit(wire.server.requests[0].split()[1].decode()).query)
    assert query["method"] == ["alipay.fund.trans.common.query"]


async def test_inquiry_that_finds_nothing_is_absent_with_evidence() -> None:
    """Absent, and why we think so."""
    async with wired(query_reply(**refused("ORDER_NOT_EXIST"))) as wire:
        outcome = await wire.channel.inquire(inquiry())
    assert isinstance(outcome, Absent)
    assert outcome.evidence.code == "ORDER_NOT_EXIST"


async def test_lost_inquiry_is_asked_again() -> None:
    """A read survives a dropped connection."""

    async def drop_the_first(exchange: Exchange) -> None:
        speak = reset if exchange.number == 1 else says(query_reply(**found()))
        await speak(exchange)

    async with wired(drop_the_first) as wire:
        outcome = await wire.channel.inquire(inquiry())
    assert isinstance(outcome, Paid)
    assert len(wire.server.requests) == 2


@pytest.mark.parametrize("speak", [reset, says(b"?"), says(transfer_reply(**paid()))])
async def test_failed_inquiry_is_unknown(speak: Speak) -> None:
    """An unanswered question says nothing about the payout."""
    async with wired(speak) as wire:
        outcome = await wire.channel.inquire(inquiry())
    assert isinstance(outcome, Unknown)


async def test_inquiry_that_cannot_leave_is_unknown_and_not_unsent() -> None:
    """`NotSent` would speak of the payout; this is only about the question."""
    made = channel()
    outcome = await made.inquire(inquiry())
    await made.aclose()
    assert isinstance(outcome, Unknown)


# --- balance ---------------------------------------------------------------------------------


async def test_balance_is_read() -> None:
    """In fen, as of the question."""
    body = signed_reply(BALANCE_NODE, {"code": "10000", "available_amount": "26.45"})
    async with wired(body) as wire:
        balance = await wire.channel.balance()
    assert balance == Balance(Money(2645, Currency.CNY), NOW)


@pytest.mark.parametrize(
    "speak",
    [
        reset,
        says(b"?"),
        says(signed_reply(BALANCE_NODE, {"code": "40004", "sub_code": "ACCOUNT_NOT_EXIST"})),
        says(signed_reply(BALANCE_NODE, {"code": "10000"})),
        says(signed_reply(BALANCE_NODE, {"code": "10000", "available_amount": "-1"})),
    ],
)
async def test_balance_that_cannot_be_read_is_an_error(speak: Speak) -> None:
    """No balance is invented."""
    async with wired(speak) as wire:
        with pytest.raises(ChannelError):
            await wire.channel.balance()


# --- statement -------------------------------------------------------------------------------


def statement_zip() -> bytes:
    """The recorded day, as the platform packs it."""
    content = (platform.WIRE / "statement.csv.txt").read_text(encoding="utf-8")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FILE, content.replace("\n", "\r\n").encode("gbk"))
    return out.getvalue()


def bill(fields: dict[str, object], file: bytes = b"", status: int = 200) -> Speak:
    """Answer the question for the address, then serve the file there."""

    async def speak(exchange: Exchange) -> None:
        if exchange.request.startswith(b"GET"):
            await says(file, status)(exchange)
            return
        port = exchange.writer.get_extra_info("sockname")[1]
        node = {"code": "10000", "bill_download_url": f"http://127.0.0.1:{port}/file"} | fields
        await says(signed_reply(BILL_NODE, node))(exchange)

    return speak


async def lines_of(speak: Speak) -> int:
    """How many lines the statement has."""
    async with wired(speak) as wire:
        return len([line async for line in wire.channel.statement(DAY)])


async def test_statement_is_read_line_by_line() -> None:
    """Address, file, four movements."""
    assert await lines_of(bill({}, statement_zip())) == 4


async def test_empty_day_has_an_empty_statement() -> None:
    """The platform marks it; no file is fetched."""
    assert await lines_of(bill({"bill_file_code": "EMPTY_DATA_WITH_BILL_FILE"}, status=404)) == 0


@pytest.mark.parametrize("sub_code", ["NO_BILL_DATA", "BILL_NOT_EXIST"])
async def test_statement_before_its_time_is_not_ready(sub_code: str) -> None:
    """Ask again later."""
    with pytest.raises(StatementNotReadyError):
        await lines_of(bill({"code": "40004", "sub_code": sub_code}))


@pytest.mark.parametrize(
    "speak",
    [
        reset,
        bill({"code": "40004", "sub_code": "INVAILID_ARGUMENTS"}),
        bill({"bill_download_url": ""}),
        bill({"bill_download_url": "file:///etc/passwd"}),
        bill({}, b"gone", 404),
        bill({}, b"not a zip"),
    ],
)
async def test_statement_that_cannot_be_read_is_an_error(speak: Speak) -> None:
    """Never a silent stop."""
    with pytest.raises(ChannelError):
        await lines_of(speak)


async def test_cut_off_file_is_broken() -> None:
    """Half a ZIP is no statement."""
    with pytest.raises(StatementBrokenError):
        await lines_of(bill({}, statement_zip()[:-40]))


# --- nothing leaks ---------------------------------------------------------------------------


async def test_nothing_shows_a_key_a_card_or_a_name() -> None:
    """Repr and str of every value that may reach a log."""
    key_lines = [line for line in MERCHANT_KEY.read_text().splitlines() if "---" not in line]
    async with wired(transfer_reply(**paid())) as wire:
        shown: list[object] = [wire.channel, wire.channel.traits, SETTINGS, SETTINGS.keys]
        for instrument in (ACCOUNT, LOGON, CARD, CORPORATE):
            given = instruction(instrument)
            prepared = wire.channel.prepare(given, NOW)
            shown += [given, prepared, inquiry(instrument), wire.channel.check(given)]
            shown.append(await wire.channel.send(prepared))
            shown.append(await wire.channel.inquire(inquiry(instrument)))
    secrets = [*key_lines, "6222020200112233445", "0200004509022100123", "张三丰", "某某科技"]
    secrets += ["2088123456789012", "zhang@example.com"]
    for text in [f"{value!r} {value}" for value in shown]:
        assert not [secret for secret in secrets if secret in text]
    assert any(ORDER in repr(value) for value in shown)
