"""The channel itself: what it promises, what it prepares, and how it hears."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from urllib.parse import parse_qs

import pytest
from msgspec.structs import replace

from channels.contract import (
    ChannelError,
    Funded,
    NoticeRefused,
    NotSent,
    Paid,
    Rail,
    Recallable,
    Receipted,
    ReceiptNotReadyError,
    Resend,
    Tariff,
    TariffTier,
    Terms,
    Unknown,
    UnknownCause,
)
from channels.epay.channel import REFERENCE as RULE
from channels.epay.channel import EpayChannel, build
from channels.epay.profile import PROFILE
from channels.money import Currency, Money
from gateway.domain.payout import channel_reference
from gateway.domain.payout import sortable_id as an_id
from tests.channels.epay.platform import (
    NOW,
    REFERENCE,
    SETTINGS,
    STAMP,
    TERMS,
    channel,
    failed,
    found,
    inquiry,
    instruction,
    signed,
    taken,
    thrown,
)
from tests.channels.faulty import Exchange, FaultServer, fault_server


def http(body: bytes, status: str = "200 OK") -> bytes:
    """A whole reply."""
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def facing(
    says: Callable[[str], bytes], terms: Terms = TERMS, **changes: object
) -> AsyncIterator[tuple[EpayChannel, FaultServer]]:
    """A channel and a site that answers each action with these bytes."""

    async def behave(exchange: Exchange) -> None:
        line = exchange.request.split(b"\r\n")[0].decode()
        await exchange.say(says(line.split()[1]))

    async with fault_server(behave) as server:
        made = channel(terms, base_url=f"http://127.0.0.1:{server.port}/", **changes)
        try:
            yield made, server
        finally:
            await made.aclose()


def always(body: bytes, status: str = "200 OK") -> Callable[[str], bytes]:
    """The same answer to everything."""
    return lambda _: http(body, status)


# --- Promises --------------------------------------------------------------------------------


def test_traits() -> None:
    """What a stock site has, and what it lacks."""
    made = channel()
    traits = made.traits
    assert traits is made.traits
    assert traits.kind == "epay"
    assert traits.rails == {Rail.ALIPAY, Rail.WECHAT, Rail.BANK_CARD}
    assert (traits.notices, traits.statement, traits.statement_ready) == (False, False, None)
    assert isinstance(made, Funded)
    assert isinstance(made, Receipted)
    assert not isinstance(made, Recallable)


def test_payees_confirm_only_where_wechat_is_paid() -> None:
    """And names are mandatory from the first fen unless the operator says otherwise."""
    assert channel().traits.payee_confirms
    assert not channel(rails=("alipay",)).traits.payee_confirms
    assert channel().traits.name_required_from_minor == 0
    assert channel(name_required=False).traits.name_required_from_minor is None


def test_silence_proves_nothing() -> None:
    """Neither absence nor statements: only words and people end a doubt."""
    assert (PROFILE.absence_proves, PROFILE.finality, PROFILE.expiry) == (False, None, None)
    assert channel(refusal_lag_s=1).traits.profile == replace(PROFILE, refusal_lag_s=1)


def test_a_number_is_never_sent_again_unless_the_operator_says_so() -> None:
    """The site promises nothing; whoever knows the channel behind it may allow it."""
    assert channel().traits.resend is None
    allowed = channel(resend_window_s=3600, resend_quiet_s=90).traits.resend
    assert allowed == Resend(3600, 90)


def test_our_references_are_19_digits_and_differ() -> None:
    """As the gateway derives them from payout and attempt; never with a leading zero."""
    ids = [an_id("po_", NOW, number.to_bytes(10)) for number in range(500)]
    made = {channel_reference(one, attempt, RULE) for one in ids for attempt in (1, 2)}
    assert len(made) == 1000
    assert all(len(one) == 19 and one.isdigit() and one[0] != "0" for one in made)
    assert all(channel().check(instruction(reference=one)) == () for one in list(made)[:20])


def test_only_yuan_can_be_the_terms() -> None:
    """ValueError when it is made."""
    with pytest.raises(ValueError, match="CNY"):
        build("x", SETTINGS, Terms(Currency.USD, 1, 2), lambda: NOW)


def test_there_are_no_statements() -> None:
    """An error for whoever asks."""
    with pytest.raises(ChannelError, match="对账单"):
        channel().statement(date(2026, 11, 2))


def test_there_are_no_notices() -> None:
    """Whoever writes is not the site."""
    refused = channel().read_notice({}, signed(found()), NOW)
    assert isinstance(refused, NoticeRefused)
    assert refused.reply.status == 404


# --- Preparing and sending -------------------------------------------------------------------


def test_prepare_makes_a_form_that_lasts_300_seconds() -> None:
    """The site refuses older timestamps."""
    prepared = channel().prepare(instruction(), NOW)
    sent = {name: value[0] for name, value in parse_qs(prepared.body.decode()).items()}
    assert prepared.url == "http://127.0.0.1:1/api/transfer/submit"
    assert (sent["out_biz_no"], sent["money"], sent["timestamp"]) == (REFERENCE, "123.45", STAMP)
    assert prepared.not_after == NOW + timedelta(seconds=300)
    assert (prepared.signed_at, prepared.instruction) == (NOW, instruction())


def test_prepare_refuses_what_check_objects_to() -> None:
    """Nothing else is ever signed."""
    with pytest.raises(ValueError, match="amount, instrument"):
        channel(rails=("wechat",)).prepare(instruction(amount=Money(1, Currency.CNY)), NOW)


async def test_send_is_one_request_and_its_answer() -> None:
    """Paid, as the site says."""
    async with facing(always(signed(taken()))) as (made, server):
        outcome = await made.send(made.prepare(instruction(), NOW))
    assert isinstance(outcome, Paid)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "302 Found", "201 Created"])
async def test_an_http_status_is_never_an_answer(status: str) -> None:
    """Not even with a signed body in it."""
    async with facing(always(signed(taken()), status)) as (made, server):
        outcome = await made.send(made.prepare(instruction(), NOW))
        asked = await made.inquire(inquiry())
    assert isinstance(outcome, Unknown)
    assert isinstance(asked, Unknown)
    assert {outcome.cause, asked.cause} == {UnknownCause.UNREADABLE}
    assert len(server.requests) == 2


async def test_a_stale_reply_is_no_answer() -> None:
    """Signed, true, and of ten minutes ago."""
    stamp = str(int(NOW.timestamp()) - 600)
    async with facing(always(signed(taken(), stamp=stamp))) as (made, _):
        outcome = await made.send(made.prepare(instruction(), NOW))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.BAD_SIGNATURE


async def test_evidence_keeps_what_was_said() -> None:
    """Code, text and bytes, for a person."""
    async with facing(always(thrown("商户已被封禁"))) as (made, _):
        outcome = await made.send(made.prepare(instruction(), NOW))
    assert isinstance(outcome, Unknown)
    assert (outcome.evidence.code, outcome.evidence.message) == ("-1", "商户已被封禁")
    assert outcome.evidence.body == thrown("商户已被封禁")


async def test_nothing_leaves_a_closed_channel() -> None:
    """NotSent, and an inquiry is unanswered."""
    made = channel()
    await made.aclose()
    await made.aclose()
    assert isinstance(await made.send(made.prepare(instruction(), NOW)), NotSent)
    assert isinstance(await made.inquire(inquiry()), Unknown)


# --- Balance and rate ------------------------------------------------------------------------


def balance(rate: str | None = "0.6") -> bytes:
    """What the site says."""
    return signed({"code": 0, "available_money": "88.80", "transfer_rate": rate})


def tariff(ppm: int, **changes: object) -> Terms:
    """Terms with one rate."""
    return replace(TERMS, tariffs=(Tariff(rate_ppm=ppm, **changes),))  # type: ignore[arg-type] # names are checked at run time


async def test_balance() -> None:
    """What may be paid out, at the time of asking."""
    async with facing(always(balance())) as (made, _):
        told = await made.balance()
    assert (told.available, told.at) == (Money(8880, Currency.CNY), NOW)


@pytest.mark.parametrize("body", [thrown("商户不存在！"), b"", signed({"code": 0})])
async def test_no_balance_without_a_signed_figure(body: bytes) -> None:
    """ChannelError, never a guess."""
    async with facing(always(body)) as (made, _):
        with pytest.raises(ChannelError):
            await made.balance()


async def test_a_rate_that_is_not_the_configured_one_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Costs would be computed with a wrong price."""
    async with facing(always(balance("1")), tariff(6000)) as (made, _):
        with caplog.at_level(logging.WARNING):
            await made.balance()
            await made.balance()
    (line,) = caplog.messages
    assert "10000 ppm" in line
    assert "6000" in line


@pytest.mark.parametrize(
    ("rate", "terms"),
    [
        ("0.6", tariff(6000)),
        (None, tariff(6000)),
        ("1", TERMS),
        ("1", tariff(6000, tiers=(TariffTier(0, 0, 1),))),
        ("1", tariff(6000, start_on=date(2026, 11, 3))),
    ],
)
async def test_a_rate_that_fits_or_cannot_be_compared_is_not_spoken_of(
    rate: str | None, terms: Terms, caplog: pytest.LogCaptureFixture
) -> None:
    """Equal, not named, no tariff, tiers, or not begun."""
    async with facing(always(balance(rate)), terms) as (made, _):
        with caplog.at_level(logging.WARNING):
            await made.balance()
    assert caplog.messages == []


# --- Receipts --------------------------------------------------------------------------------

FILE = b"HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\ncontent-length: 4\r\n\r\n%PDF"
LIES_AT = signed({"code": 0, "download_url": "/upload/bill/7.pdf"})


def site(query: bytes, proof: bytes, file: bytes = FILE) -> Callable[[str], bytes]:
    """A site with these answers."""

    def says(target: str) -> bytes:
        if target.startswith("/api/"):
            return http(query if target.endswith("query") else proof)
        return file

    return says


async def test_a_receipt_is_fetched_from_where_the_proof_says() -> None:
    """After the order has been seen to be paid."""
    async with facing(site(signed(found()), LIES_AT)) as (made, server):
        receipt = await made.receipt(inquiry())
    assert (receipt.content_type, receipt.body, receipt.filename) == (
        "application/pdf",
        b"%PDF",
        f"{REFERENCE}.pdf",
    )
    assert [r.split()[1] for r in server.requests] == [
        b"/api/transfer/query",
        b"/api/transfer/proof",
        b"/upload/bill/7.pdf",
    ]


@pytest.mark.parametrize(
    "query", [signed(found(status=0)), signed(failed()), thrown("转账交易号不存在")]
)
async def test_no_receipt_of_what_is_not_paid(query: bytes) -> None:
    """Not ready, whatever the proof would say."""
    async with facing(site(query, LIES_AT)) as (made, _):
        with pytest.raises(ReceiptNotReadyError):
            await made.receipt(inquiry())


@pytest.mark.parametrize(
    "proof", [thrown("当前转账订单不存在"), signed({"code": -1, "msg": "生成中"})]
)
async def test_a_receipt_may_not_be_ready(proof: bytes) -> None:
    """The channel behind the site makes it."""
    async with facing(site(signed(found()), proof)) as (made, _):
        with pytest.raises(ReceiptNotReadyError):
            await made.receipt(inquiry())


@pytest.mark.parametrize(
    ("proof", "file"),
    [
        (signed({"code": 0}), FILE),
        (signed({"code": 0, "download_url": "http://bills.example.com/7"}), FILE),
        (signed({"code": 0, "download_url": "https://bills.example.com/7"}), FILE),
        (LIES_AT, http(b"", "404 Not Found")),
        (LIES_AT, http(b"")),
        (b"<html>", FILE),
    ],
)
async def test_a_receipt_that_cannot_be_had_is_an_error(proof: bytes, file: bytes) -> None:
    """No address, not behind TLS, at a host nobody named, not there, or empty."""
    async with facing(site(signed(found()), proof, file)) as (made, _):
        with pytest.raises(ChannelError):
            await made.receipt(inquiry())


def test_the_channel_shows_no_secret() -> None:
    """Its repr names the class, its prepared bytes hide their body."""
    made = channel()
    prepared = made.prepare(instruction(), NOW)
    signature = parse_qs(prepared.body.decode())["sign"][0]
    assert signature not in repr(prepared)
    assert prepared.instruction.instrument.identity not in repr(prepared)  # type: ignore[union-attr] # an Alipay account
    assert repr(made).startswith("<channels.epay.channel.EpayChannel")
