"""The adapter over real sockets against a far side that says exactly what a test wants."""

import base64
import gzip
import hashlib
import re
import socket
from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from wechatpayv3 import utils as sdk

from channels.contract import (
    Absent,
    Balance,
    ChannelError,
    NotSent,
    NotSentCause,
    Paid,
    Pending,
    Reason,
    Rejected,
    StatementBrokenError,
    StatementLine,
    StatementNotReadyError,
    ThrottledError,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.transport import Reply
from channels.wechat_pay.channel import LINES_PER_TURN, WechatPayChannel, build
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.far import Far, Heard, far
from tests.channels.wechat_pay.platform import (
    BILL_NO,
    HEADER,
    NOW,
    REFERENCE,
    SUMMARY,
    announcement,
    payout_row,
    row,
)

DAY = date(2026, 3, 2)
PURE = build("pure", platform.settings(), platform.terms(), lambda: NOW)


def verify(heard: Heard) -> None:
    """Check the Authorization of a request as the platform would, over what arrived."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', heard.headers["authorization"]))
    text = f"{heard.method}\n{heard.target}\n{fields['timestamp']}\n{fields['nonce_str']}\n"
    platform.MERCHANT.public_key().verify(
        base64.b64decode(fields["signature"]),
        text.encode() + heard.body + b"\n",
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    assert (fields["mchid"], fields["serial_no"]) == (platform.MCHID, platform.SERIAL)


@pytest.fixture
async def offline() -> AsyncIterator[WechatPayChannel]:
    """A channel whose platform does not answer the telephone: a bound port nobody listens on."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        channel = build("offline", platform.settings(base_url=url), platform.terms(), lambda: NOW)
        yield channel
        await channel.aclose()


async def lines(side: Far, day: date = DAY) -> list[StatementLine]:
    """Read a whole statement."""
    return [line async for line in side.channel.statement(day)]


# --- prepare -----------------------------------------------------------------------------------


def test_prepare_is_repeatable() -> None:
    """The same instruction at the same moment gives the same bytes, headers and digest."""
    first = PURE.prepare(platform.instruction(), NOW)
    assert first == PURE.prepare(platform.instruction(), NOW)
    assert first.signed_at == NOW
    assert first.not_after == NOW + timedelta(minutes=5)
    later = PURE.prepare(platform.instruction(), NOW + timedelta(seconds=1))
    assert (later.body, later.url) == (first.body, first.url)
    assert later.digest != first.digest


def test_the_digest_names_every_byte() -> None:
    """SHA-256 over URL, headers and body, recomputed here."""
    prepared = PURE.prepare(platform.instruction(), NOW)
    head = "\n".join(f"{name}: {value}" for name, value in prepared.headers)
    text = f"{prepared.url}\n{head}\n\n".encode() + prepared.body
    assert prepared.digest == hashlib.sha256(text).hexdigest()


def test_the_business_fields() -> None:
    """Fen as an integer, the remark, the scene and its report, the address for notices."""
    assert orjson.loads(PURE.prepare(platform.instruction(), NOW).body) == {
        "appid": platform.APPID,
        "out_bill_no": REFERENCE,
        "transfer_scene_id": "1005",
        "openid": platform.OPENID,
        "transfer_amount": 1234,
        "transfer_remark": "三月配送费",
        "transfer_scene_report_infos": [
            {"info_type": "岗位类型", "info_content": "外卖员"},
            {"info_type": "报酬说明", "info_content": "三月配送费"},
        ],
        "notify_url": "https://pay.example.com/notices/wechat-main",
    }


def test_optional_fields_are_left_out_or_sent() -> None:
    """No notify_url without one; user_recv_perception when it is configured."""
    told = build(
        "w", platform.settings(user_recv_perception="劳务报酬"), platform.terms(), lambda: NOW
    )
    fields = orjson.loads(told.prepare(platform.instruction(notify_url=None), NOW).body)
    assert "notify_url" not in fields
    assert fields["user_recv_perception"] == "劳务报酬"


@pytest.mark.parametrize(
    ("fen", "name", "sent"),
    [
        (29, platform.NAME, False),
        (30, platform.NAME, True),
        (30, None, False),
        (200_000, platform.NAME, True),
    ],
)
def test_the_name_is_sealed_or_left_out(fen: int, name: str | None, sent: bool) -> None:
    """Below 0.30 yuan the name must not be sent; else the holder of the platform key reads it."""
    prepared = PURE.prepare(platform.instruction(fen=fen, name=name), NOW)
    sealed = orjson.loads(prepared.body).get("user_name")
    assert (sealed is not None) is sent
    if sealed is not None:
        assert sdk.rsa_decrypt(sealed, platform.PLATFORM) == platform.NAME


def test_certificate_mode_seals_to_the_certificate() -> None:
    """The request names the certificate whose key the name is encrypted to."""
    channel = build("w", platform.certificate_settings(), platform.terms(), lambda: NOW)
    prepared = channel.prepare(platform.instruction(name=platform.NAME), NOW)
    assert dict(prepared.headers)["Wechatpay-Serial"] == platform.CERTIFICATE_SERIAL
    sealed = orjson.loads(prepared.body)["user_name"]
    assert sdk.rsa_decrypt(sealed, platform.CERTIFIED) == platform.NAME


def test_prepare_refuses_what_check_refuses() -> None:
    """Nothing that the platform would refuse for ever is ever signed; no value is quoted."""
    with pytest.raises(ValueError, match=r"^cannot be sent: instrument.openid, amount$"):
        PURE.prepare(platform.instruction(fen=1, openid="o!secret"), NOW)


# --- send, inquire, recall ---------------------------------------------------------------------


async def test_sends_exactly_the_prepared_bytes() -> None:
    """One POST, signed over what arrived, with JSON and the serial of the key we expect."""
    async with far() as side:
        side.will(platform.reply(200, platform.taken()))
        prepared = side.channel.prepare(platform.instruction(name=platform.NAME), NOW)
        outcome = await side.channel.send(prepared)
        assert isinstance(outcome, Pending)
        assert outcome.channel_ref == BILL_NO
        (heard,) = side.heard
        verify(heard)
        assert (heard.method, heard.target) == (
            "POST",
            "/v3/fund-app/mch-transfer/transfer-bills",
        )
        assert heard.body == prepared.body
        for name, value in prepared.headers:
            assert heard.headers[name.lower()] == value
        assert heard.headers["content-type"] == "application/json; charset=utf-8"
        assert heard.headers["wechatpay-serial"] == platform.PUBLIC_KEY_ID


async def test_a_lost_reply_is_unknown_and_sent_once() -> None:
    """The far side hangs up after it has read the request: unknown, and no second POST."""
    async with far() as side:
        side.will(None)
        outcome = await side.channel.send(side.channel.prepare(platform.instruction(), NOW))
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.CONNECTION_LOST
        assert len(side.heard) == 1


async def test_a_refused_connection_is_not_sent(offline: WechatPayChannel) -> None:
    """Nobody listens: nothing left this process."""
    outcome = await offline.send(offline.prepare(platform.instruction(), NOW))
    assert isinstance(outcome, NotSent)
    assert outcome.cause is NotSentCause.REFUSED


async def test_an_unsigned_gateway_error_is_unknown() -> None:
    """A proxy's 502 page is not an answer."""
    async with far() as side:
        side.will(Reply(502, {}, b"<html>Bad Gateway</html>"))
        outcome = await side.channel.send(side.channel.prepare(platform.instruction(), NOW))
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.BAD_SIGNATURE


async def test_inquires_by_our_number() -> None:
    """A signed GET by out_bill_no; SUCCESS that matches is paid."""
    async with far() as side:
        side.will(platform.reply(200, platform.bill()))
        outcome = await side.channel.inquire(platform.inquiry())
        assert isinstance(outcome, Paid)
        (heard,) = side.heard
        verify(heard)
        assert (heard.method, heard.body) == ("GET", b"")
        assert heard.target == (f"/v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{REFERENCE}")


async def test_inquires_about_a_legacy_line() -> None:
    """A reference `batch/detail` goes to the closed product's address."""
    async with far() as side:
        side.will(platform.reply(200, platform.detail()))
        outcome = await side.channel.inquire(platform.inquiry(reference="B202412/D0001"))
        assert isinstance(outcome, Paid)
        verify(side.heard[0])
        assert side.heard[0].target == (
            "/v3/transfer/batches/out-batch-no/B202412/details/out-detail-no/D0001"
        )


async def test_not_found_is_absent() -> None:
    """A verified 404 NOT_FOUND."""
    async with far() as side:
        side.will(platform.reply(404, {"code": "NOT_FOUND", "message": "记录不存在"}))
        assert isinstance(await side.channel.inquire(platform.inquiry()), Absent)


async def test_an_unanswered_inquiry_is_unknown_never_not_sent(offline: WechatPayChannel) -> None:
    """Nobody listens: the question is unanswered, which says nothing about the payout."""
    outcome = await offline.inquire(platform.inquiry())
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CONNECTION_LOST


async def test_recall_asks_and_then_looks() -> None:
    """A bodyless signed POST to cancel, then the state by inquiry."""
    async with far() as side:
        side.will(
            platform.reply(200, {"out_bill_no": REFERENCE, "state": "CANCELING"}),
            platform.reply(200, platform.bill(state="CANCELING")),
        )
        assert await side.channel.recall(platform.inquiry()) == Pending(BILL_NO, "CANCELING")
        cancel, _ = side.heard
        verify(cancel)
        assert (cancel.method, cancel.body) == ("POST", b"")
        assert cancel.target.endswith(f"/out-bill-no/{REFERENCE}/cancel")


async def test_recall_tells_the_state_also_when_refused_or_lost() -> None:
    """Too late, or the reply lost: the state is what counts."""
    refusal = platform.reply(400, {"code": "INVALID_REQUEST", "message": "当前状态不支持撤销"})
    async with far() as side:
        side.will(refusal, platform.reply(200, platform.bill()))
        assert isinstance(await side.channel.recall(platform.inquiry()), Paid)
        side.will(None, platform.reply(200, platform.bill(state="CANCELLED")))
        outcome = await side.channel.recall(platform.inquiry())
        assert outcome == Rejected(Reason.RECALLED, "CANCELLED", channel_ref=BILL_NO)


async def test_recall_that_never_left_says_so(offline: WechatPayChannel) -> None:
    """A cancellation that could not be sent is an error, as is one of a legacy line."""
    with pytest.raises(ChannelError, match="not sent"):
        await offline.recall(platform.inquiry())
    with pytest.raises(ChannelError, match="batch"):
        await offline.recall(platform.inquiry(reference="B1/D1"))


# --- balance -----------------------------------------------------------------------------------


async def test_balance() -> None:
    """Fen of the paying account at the time of asking."""
    async with far(fund_account="OPERATION") as side:
        side.will(platform.reply(200, {"available_amount": 123_456, "pending_amount": 1}))
        assert await side.channel.balance() == Balance(Money(123_456, Currency.CNY), NOW)
        assert side.heard[0].target == "/v3/merchant/fund/balance/OPERATION"
        verify(side.heard[0])


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (platform.reply(403, {"code": "NO_AUTH", "message": "无权限"}), "refused: NO_AUTH"),
        (platform.reply(500, b"oops"), "refused: HTTP 500"),
        (platform.reply(200, {"available_amount": "1"}), "not readable"),
        (Reply(200, {}, b'{"available_amount":1}'), "proves nothing: unsigned"),
    ],
)
async def test_a_balance_that_cannot_be_read_is_an_error(answer: Reply, complaint: str) -> None:
    """Not permitted (403), unreadable or unproven: ChannelError with the code."""
    async with far() as side:
        side.will(answer)
        with pytest.raises(ChannelError, match=complaint):
            await side.channel.balance()


async def test_a_lost_read_is_asked_again() -> None:
    """Reads may be repeated, freshly signed; a payout never is."""
    async with far() as side:
        side.will(None, platform.reply(200, {"available_amount": 1}))
        assert (await side.channel.balance()).available.minor == 1


async def test_a_read_that_stays_unanswered_is_an_error(offline: WechatPayChannel) -> None:
    """Nobody listens, for balance and statement alike."""
    with pytest.raises(ChannelError, match="no answer"):
        await offline.balance()
    with pytest.raises(ChannelError, match="no answer"):
        await anext(offline.statement(DAY))


# --- statement ---------------------------------------------------------------------------------


def a_bill(count: int) -> bytes:
    """So many payouts of 12.34."""
    minor = 1234 * count
    rows = [payout_row(number) for number in range(count)]
    total = row(str(count), "0", "0.00", str(count), f"{minor // 100}.{minor % 100:02d}")
    return "\r\n".join([HEADER, *rows, SUMMARY, total, ""]).encode()


async def test_a_statement_is_announced_fetched_and_read() -> None:
    """Signed announcement, then the unsigned file under our signature, more lines than one turn."""
    plain = a_bill(LINES_PER_TURN + 1)
    async with far() as side:
        side.will(
            platform.reply(200, announcement(plain, "https://api.mch.weixin.qq.com")),
            Reply(200, {"content-type": "text/plain"}, gzip.compress(plain)),
        )
        read = await lines(side)
        assert len(read) == LINES_PER_TURN + 1
        assert read[0].amount == Money(1234, Currency.CNY)
        applied, fetched = side.heard
        verify(applied)
        verify(fetched)
        assert applied.target == (
            "/v3/bill/fundflowbill?bill_date=2026-03-02&account_type=BASIC&tar_type=GZIP"
        )
        # The host of the address is not followed: our signature stays with the configured one.
        assert fetched.target == "/v3/billdownload/file?token=T%2B1"


async def test_a_plain_statement() -> None:
    """Without GZIP the file is asked for and read as it is."""
    plain = a_bill(1)
    async with far(statement_gzip=False) as side:
        side.will(platform.reply(200, announcement(plain, side.url)), Reply(200, {}, plain))
        assert len(await lines(side)) == 1
        assert "tar_type" not in side.heard[0].target


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("code", ["NO_STATEMENT_EXIST", "STATEMENT_CREATING"])
async def test_a_statement_that_is_not_there_yet(code: str, status: int) -> None:
    """Told by the code, whichever HTTP status it comes with."""
    async with far() as side:
        side.will(platform.reply(status, {"code": code, "message": "账单不存在"}))
        with pytest.raises(StatementNotReadyError, match=code):
            await lines(side)


@pytest.mark.parametrize(
    ("code", "hours", "is_empty"),
    [
        ("NO_STATEMENT_EXIST", 57, False),
        ("NO_STATEMENT_EXIST", 58, True),
        ("STATEMENT_CREATING", 580, False),
    ],
)
async def test_a_day_without_any_movement_is_empty(
    code: str, hours: int, *, is_empty: bool
) -> None:
    """A day after its bill should have been there, its absence means that nothing moved."""
    at = datetime.combine(DAY, time(), ZoneInfo("Asia/Shanghai")) + timedelta(hours=hours)
    async with far(now=at) as side:
        side.will(platform.reply(400, {"code": code, "message": "账单不存在"}, at=at))
        if is_empty:
            assert await lines(side) == []
        else:
            with pytest.raises(StatementNotReadyError):
                await lines(side)


async def test_a_bill_asked_for_too_often_is_told_so() -> None:
    """Whoever reads many days at once can slow down."""
    async with far() as side:
        side.will(platform.reply(429, {"code": "FREQUENCY_LIMITED", "message": "x"}))
        with pytest.raises(ThrottledError):
            await lines(side)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (platform.reply(403, {"code": "NO_AUTH", "message": "x"}), "refused: NO_AUTH"),
        (platform.reply(200, {"hash_type": "MD5"}), "announcement"),
        (Reply(200, {}, b"{}"), "proves nothing"),
        (Reply(400, {}, b'{"code":"NO_STATEMENT_EXIST"}'), "proves nothing"),
        (
            platform.reply(
                200, {"hash_type": "SHA1", "hash_value": "0" * 40, "download_url": "http://x/evil"}
            ),
            "address",
        ),
    ],
)
async def test_an_announcement_that_is_no_good(answer: Reply, complaint: str) -> None:
    """Refused, unreadable, unproven, or pointing elsewhere: an error before anything is fetched."""
    async with far() as side:
        side.will(answer)
        with pytest.raises(ChannelError, match=complaint) as error:
            await lines(side)
        assert not isinstance(error.value, StatementNotReadyError)


async def test_a_download_that_fails() -> None:
    """An expired token or a lost download is an error, not an empty day."""
    announced = platform.reply(200, announcement(a_bill(1), "http://127.0.0.1"))
    async with far() as side:
        side.will(announced, Reply(403, {}, b""))
        with pytest.raises(ChannelError, match="HTTP 403"):
            await lines(side)
        side.will(announced)
        side.deaf = True
        with pytest.raises(ChannelError, match="connection_lost"):
            await lines(side)


async def test_a_file_other_than_the_announced_is_broken() -> None:
    """The digest is checked before any line is handed out."""
    async with far() as side:
        side.will(platform.reply(200, announcement(a_bill(2), side.url)), Reply(200, {}, a_bill(1)))
        with pytest.raises(StatementBrokenError, match="SHA-1"):
            await lines(side)


async def test_closing_twice_is_safe() -> None:
    """And afterwards nothing can be sent any more."""
    channel = build("w", platform.settings(), platform.terms(), lambda: NOW)
    await channel.aclose()
    await channel.aclose()
    assert isinstance(await channel.send(channel.prepare(platform.instruction(), NOW)), NotSent)


def test_the_default_clock_is_aware() -> None:
    """Without a clock the machine's UTC time is used."""
    channel = build("wechat-main", platform.settings(), platform.terms(), lambda: NOW)
    assert channel.name == "wechat-main"
    assert channel._clock().utcoffset() == timedelta(0)
