"""One try over real sockets: what the receiver hears, and what comes back of its answers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from gateway.engine.deliver import Answer
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import REPLY_BYTES_MAX, WebhookSender
from gateway.webhooks.signing import new_secret
from tests.builders import delivery, endpoint
from tests.channels.faulty import Exchange, fault_server
from tests.gateway.webhooks.receiver import Receiver, receiver

OLD, NEW = new_secret(b"o" * 32), new_secret(b"n" * 32)
BODY = '{"type":"payout.paid","memo":"货款"}'.encode()

Make = Callable[..., WebhookSender]


def real_now() -> datetime:
    """Give the time the verifying library checks against; it has no clock to inject."""
    return datetime.now(UTC)


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make senders that let loopback in, and close them afterwards."""
    made: list[WebhookSender] = []

    def build(allow: Sequence[str] = ("127.0.0.0/8",), timeout_s: float = 2.0) -> WebhookSender:
        sender = WebhookSender(Egress(allow), timeout_s=timeout_s)
        made.append(sender)
        return sender

    yield build
    for sender in made:
        await sender.aclose()


@pytest.fixture
async def merchant() -> AsyncIterator[Receiver]:
    """A merchant's server on a free port."""
    async with receiver() as listening:
        yield listening


async def send(
    sender: WebhookSender,
    url: str,
    *,
    secrets: tuple[str, ...] = (NEW,),
    at: datetime | None = None,
) -> Answer:
    """Try the usual delivery."""
    return await sender.send(
        endpoint(url=url, secrets=secrets), delivery("msg_7", payload=BODY), at or real_now()
    )


# --- what the receiver hears -------------------------------------------------------------------


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_receiver_verifies_with_either_secret(
    make: Make, merchant: Receiver, secret: str
) -> None:
    """What arrives, byte for byte, is accepted by the specification's own library."""
    assert await send(make(), merchant.url(), secrets=(NEW, OLD)) == Answer(204)
    (heard,) = merchant.heard
    assert Webhook(secret).verify(heard.body, heard.headers)["memo"] == "货款"


async def test_request_is_plain_json_by_post(make: Make, merchant: Receiver) -> None:
    """Body and query arrive unchanged, and nothing is asked of the reply."""
    await send(make(), merchant.url("/hook?token=a%2Fb"))
    (heard,) = merchant.heard
    assert (heard.path, heard.body) == ("/hook?token=a%2Fb", BODY)
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == merchant.origin
    assert "accept-encoding" not in heard.headers


async def test_id_stays_and_time_moves_over_tries(make: Make, merchant: Receiver) -> None:
    """A later try is the same message signed anew."""
    sender, now = make(), real_now()
    await send(sender, merchant.url(), at=now - timedelta(seconds=60))
    await send(sender, merchant.url(), at=now)
    first, second = merchant.heard
    assert first.id == second.id == "msg_7"
    stamps = [int(heard.headers["webhook-timestamp"]) for heard in merchant.heard]
    assert stamps[1] - stamps[0] == 60
    for heard in merchant.heard:
        Webhook(NEW).verify(heard.body, heard.headers)


async def test_connection_is_used_again(make: Make, merchant: Receiver) -> None:
    """Three webhooks to one host share one connection."""
    sender = make()
    for _ in range(3):
        await send(sender, merchant.url())
    assert len({heard.peer for heard in merchant.heard}) == 1


# --- what comes back ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 400, 410, 429, 500])
async def test_status_is_the_answer(make: Make, merchant: Receiver, status: int) -> None:
    """The sender judges nothing."""
    merchant.answers("/hook", status)
    assert await send(make(), merchant.url()) == Answer(status)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(make: Make, merchant: Receiver, status: int) -> None:
    """Else a public host could send us anywhere inside."""

    async def redirect(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"location": merchant.url("/inside")})

    merchant.behaviours["/hook"] = redirect
    assert await send(make(), merchant.url()) == Answer(status)
    assert [heard.path for heard in merchant.heard] == ["/hook"]


async def test_long_reply_is_cut(make: Make, merchant: Receiver) -> None:
    """A receiver that never stops talking is hung up on; its status counts."""
    hung_up = asyncio.Event()

    async def talk(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        try:
            await response.prepare(request)
            while True:
                await response.write(b"x" * 65536)
        finally:
            hung_up.set()

    merchant.behaviours["/hook"] = talk
    async with asyncio.timeout(1.5):  # well before the sender's own bound of 2 s
        assert await send(make(), merchant.url()) == Answer(200)
        await hung_up.wait()


async def test_reply_below_the_bound_keeps_the_connection(make: Make, merchant: Receiver) -> None:
    """An ordinary chatty reply costs no reconnect."""

    async def chat(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * (REPLY_BYTES_MAX - 1))

    merchant.behaviours["/hook"] = chat
    sender = make()
    assert [await send(sender, merchant.url()) for _ in range(2)] == [Answer(200)] * 2
    assert len({heard.peer for heard in merchant.heard}) == 1


async def test_compressed_reply_is_not_unpacked(make: Make, merchant: Receiver) -> None:
    """Garbage that claims to be gzip would fail if anybody tried."""

    async def packed(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"not gzip", headers={"content-encoding": "gzip"})

    merchant.behaviours["/hook"] = packed
    sender = make()
    assert await send(sender, merchant.url()) == Answer(200)
    assert await send(sender, merchant.url()) == Answer(200)
    assert len({heard.peer for heard in merchant.heard}) == 1


async def test_slow_receiver_times_out(make: Make, merchant: Receiver) -> None:
    """The bound covers the wait for a status."""

    async def sleep(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError("the sender should have hung up")

    merchant.behaviours["/hook"] = sleep
    answer = await send(make(timeout_s=0.2), merchant.url())
    assert answer == Answer(None, "no answer within 0.2 s")


async def test_dripping_reply_ends_with_its_status(make: Make, merchant: Receiver) -> None:
    """Status first and a body that never ends: received, and the time is bounded."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=202)
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.02)

    merchant.behaviours["/hook"] = drip
    async with asyncio.timeout(1.5):
        assert await send(make(timeout_s=0.2), merchant.url()) == Answer(202)


async def _hang_up(exchange: Exchange) -> None:
    exchange.close()


async def _reset(exchange: Exchange) -> None:
    exchange.reset()


async def _babble(exchange: Exchange) -> None:
    await exchange.say(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")


async def _endless_header(exchange: Exchange) -> None:
    await exchange.say(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000 + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("behave", "problem"),
    [
        (_hang_up, "the connection broke before an answer came"),
        (_reset, "the connection broke before an answer came"),
        (_babble, "the answer was not readable as HTTP"),
        (_endless_header, "the answer was not readable as HTTP"),
    ],
)
async def test_broken_answer_is_named(
    make: Make, behave: Callable[[Exchange], asyncio.Future[None]], problem: str
) -> None:
    """No exception leaves the sender; the merchant reads what happened."""

    async def behaving(exchange: Exchange) -> None:
        await behave(exchange)

    async with fault_server(behaving) as server:
        assert await send(make(), server.url) == Answer(None, problem)
        assert len(server.requests) == 1


async def test_refused_connection_is_named(make: Make) -> None:
    """Nobody listens there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    answer = await send(make(), f"http://127.0.0.1:{port}/")
    assert answer == Answer(None, "the connection was refused")


async def test_useless_secret_is_a_failed_try_without_the_secret_in_it(
    make: Make, merchant: Receiver
) -> None:
    """Nothing goes out unsigned, and the text betrays nothing."""
    answer = await send(make(), merchant.url(), secrets=("whsec_x",))
    assert answer == Answer(None, "it could not be sent (Error)")
    assert merchant.heard == []


async def test_closed_sender_sends_nothing(make: Make, merchant: Receiver) -> None:
    """Closing twice is safe, sending afterwards is a failed try."""
    sender = make()
    await send(sender, merchant.url())
    await sender.aclose()
    await sender.aclose()
    assert await send(sender, merchant.url()) == Answer(None, "the gateway is stopping")
    assert len(merchant.heard) == 1
