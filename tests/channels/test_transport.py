"""*Sent or not sent*, proven against a peer that misbehaves at the level of sockets."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from channels import line
from channels.contract import Evidence, NotSent, NotSentCause, Unknown, UnknownCause
from channels.transport import Reply, Transport, read, unanswered
from tests.channels.faulty import OK, Authority, Exchange, answer_ok, authority, fault_server

Make = Callable[..., Transport]
HEADERS = (("content-type", "text/plain"), ("x-order", "1"))


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One authority for the module."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority(folder)


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make transports with short bounds and close them afterwards."""
    made: list[Transport] = []

    def build(
        *,
        connect_timeout_s: float = 2.0,
        total_timeout_s: float = 2.0,
        pool_wait_s: float = 0.2,
        connections: int = 4,
        tls: ssl.SSLContext | None = None,
    ) -> Transport:
        transport = Transport(
            connect_timeout_s=connect_timeout_s,
            total_timeout_s=total_timeout_s,
            pool_wait_s=pool_wait_s,
            connections=connections,
            tls=tls,
        )
        made.append(transport)
        return transport

    yield build
    for transport in made:
        await transport.aclose()


def closed_port() -> int:
    """Find a port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


# --- nothing left this process ---------------------------------------------------------------


async def test_refused_connection_is_not_sent(make: Make) -> None:
    """Nobody listens: no byte can have left."""
    answer = await make().post(f"http://127.0.0.1:{closed_port()}/", HEADERS, b"pay")
    assert answer == NotSent(NotSentCause.REFUSED, "ConnectionRefusedError (errno 111)")


async def test_unknown_host_is_not_sent(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve has no peer."""

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    answer = await make().post("http://pay.invalid/", HEADERS, b"pay")
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.DNS


async def test_unreachable_network_is_not_sent(make: Make) -> None:
    """The kernel refuses a TCP connection to the broadcast address before any packet."""
    answer = await make().post("http://255.255.255.255/", HEADERS, b"pay")
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.UNREACHABLE


async def test_full_backlog_is_a_connect_timeout(make: Make) -> None:
    """A listener that never accepts leaves the connection unmade."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        answer = await make(connect_timeout_s=0.5, total_timeout_s=5.0).post(
            f"http://127.0.0.1:{address[1]}/", HEADERS, b"pay"
        )
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.CONNECT_TIMEOUT


async def test_total_timeout_while_connecting_is_not_sent(make: Make) -> None:
    """The overall deadline proves nothing left either when it strikes before a connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        answer = await make(connect_timeout_s=5.0, total_timeout_s=0.2).post(
            f"https://127.0.0.1:{listener.getsockname()[1]}/", HEADERS, b"pay"
        )
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.CONNECT_TIMEOUT


async def test_stalled_tls_handshake_is_a_connect_timeout(make: Make) -> None:
    """TCP is open but TLS never finishes: no request byte is sent before it does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        answer = await make(connect_timeout_s=0.5, total_timeout_s=5.0).post(
            f"https://127.0.0.1:{listener.getsockname()[1]}/", HEADERS, b"pay"
        )
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.CONNECT_TIMEOUT


async def test_untrusted_certificate_is_not_sent(make: Make, trust: Authority) -> None:
    """Without a trusted peer the request stays here, and the server never sees it."""
    async with fault_server(answer_ok, trust.server) as server:
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.TLS
    assert server.requests == []


async def test_certificate_for_another_name_is_not_sent(make: Make, trust: Authority) -> None:
    """A certificate for 127.0.0.1 does not vouch for `localhost`."""
    async with fault_server(answer_ok, trust.server) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        answer = await make(tls=trust.client).post(url, HEADERS, b"pay")
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.TLS
    assert server.requests == []


async def test_plain_text_where_tls_was_expected_is_not_sent(make: Make) -> None:
    """A peer that does not speak TLS gets no request."""
    async with fault_server(answer_ok) as server:
        url = server.url.replace("http:", "https:")
        answer = await make(connect_timeout_s=0.5).post(url, HEADERS, b"pay")
    assert isinstance(answer, NotSent)
    assert answer.cause in {NotSentCause.TLS, NotSentCause.CONNECT_TIMEOUT}
    assert server.requests == []


async def test_hang_up_during_the_handshake_is_not_sent(make: Make) -> None:
    """A peer that resets instead of answering the ClientHello never had a request."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        answer = await make().post(f"https://127.0.0.1:{port}/", HEADERS, b"pay")
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.TLS


async def test_waiting_too_long_for_a_connection_is_not_sent(make: Make) -> None:
    """The pool is full: the second request gives up its place before it starts."""

    async def stall(_: Exchange) -> None:
        await asyncio.sleep(30)

    async with fault_server(stall) as server:
        transport = make(connections=1, pool_wait_s=0.1, total_timeout_s=0.6)
        first = asyncio.create_task(transport.post(server.url, HEADERS, b"first"))
        await asyncio.sleep(0.05)
        second = await transport.post(server.url, HEADERS, b"second")
        assert await first == Unknown(UnknownCause.TIMEOUT, Evidence(message="TimeoutError"))
    assert isinstance(second, NotSent)
    assert second.cause is NotSentCause.POOL_WAIT
    assert len(server.requests) == 1


async def test_closed_transport_sends_nothing(make: Make) -> None:
    """After `aclose` there is no way out, and a second close is harmless."""
    async with fault_server(answer_ok) as server:
        transport = make()
        await transport.aclose()
        await transport.aclose()
        answer = await transport.post(server.url, HEADERS, b"pay")
    assert answer == NotSent(NotSentCause.PREPARE, "the channel is closed")
    assert server.requests == []


async def test_unusable_address_is_not_sent(make: Make) -> None:
    """An address that is not HTTP never reaches a socket."""
    answer = await make().post("ftp://127.0.0.1/", HEADERS, b"pay")
    assert isinstance(answer, NotSent)
    assert answer.cause is NotSentCause.PREPARE


# --- the request may have arrived ------------------------------------------------------------


async def reset_at_once(exchange: Exchange) -> None:
    """Read the request, answer with RST."""
    exchange.reset()


async def close_at_once(exchange: Exchange) -> None:
    """Read the request, answer with FIN."""
    exchange.close()


async def reset_in_the_middle(exchange: Exchange) -> None:
    """Promise ten bytes, send two, reset."""
    await exchange.say(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok")
    await asyncio.sleep(0.05)
    exchange.reset()


async def close_too_early(exchange: Exchange) -> None:
    """Promise ten bytes, send two, close politely."""
    await exchange.say(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok")
    exchange.close()


async def close_in_the_headers(exchange: Exchange) -> None:
    """Stop inside the header block."""
    await exchange.say(b"HTTP/1.1 200 OK\r\ncontent-le")
    exchange.close()


async def talk_garbage(exchange: Exchange) -> None:
    """Say something that is not HTTP."""
    await exchange.say(b"\x00\x01\x02 lorem ipsum\r\n\r\n")
    exchange.close()


async def break_the_chunks(exchange: Exchange) -> None:
    """Claim chunked framing and violate it."""
    await exchange.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n")
    exchange.close()


async def say_too_much(exchange: Exchange) -> None:
    """Send more than anyone should have to hold."""
    await exchange.say(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(30):
            await exchange.say(b"x" * 100_000)
    exchange.close()


async def drip(exchange: Exchange) -> None:
    """Send a byte now and then, for ever."""
    await exchange.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(1000):
        await exchange.say(b"x")
        await asyncio.sleep(0.05)


async def stay_silent(_: Exchange) -> None:
    """Take the request and say nothing."""
    await asyncio.sleep(30)


@pytest.mark.parametrize(
    ("behave", "cause", "status", "body"),
    [
        (reset_at_once, UnknownCause.CONNECTION_LOST, None, b""),
        (close_at_once, UnknownCause.CONNECTION_LOST, None, b""),
        (reset_in_the_middle, UnknownCause.CONNECTION_LOST, 200, b"ok"),
        (close_too_early, UnknownCause.CONNECTION_LOST, 200, b"ok"),
        (close_in_the_headers, UnknownCause.CONNECTION_LOST, None, b""),
        (talk_garbage, UnknownCause.UNREADABLE, None, b""),
        (stay_silent, UnknownCause.TIMEOUT, None, b""),
    ],
)
async def test_trouble_after_the_request_left_is_unknown(
    make: Make,
    behave: Callable[[Exchange], object],
    cause: UnknownCause,
    status: int | None,
    body: bytes,
) -> None:
    """Whatever goes wrong once bytes may have left, nobody can tell whether money moved."""
    async with fault_server(behave) as server:  # type: ignore[arg-type] # parametrize erases it
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Unknown)
    assert (answer.cause, answer.evidence.http_status, answer.evidence.body) == (
        cause,
        status,
        body,
    )
    assert len(server.requests) == 1


async def test_broken_chunks_are_unknown(make: Make) -> None:
    """A reply whose framing breaks is not a reply."""
    async with fault_server(break_the_chunks) as server:
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Unknown)
    assert len(server.requests) == 1


async def test_slow_drip_is_cut_by_the_total_timeout(make: Make) -> None:
    """Bytes that keep coming do not keep the deadline from passing; they become evidence."""
    async with fault_server(drip) as server:
        answer = await make(total_timeout_s=0.5).post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.TIMEOUT
    assert answer.evidence.http_status == 200
    assert answer.evidence.body.startswith(b"xx")
    assert len(server.requests) == 1


async def test_endless_reply_is_cut_and_kept_small(make: Make) -> None:
    """A reply beyond the bound is unreadable, and only its head is kept."""
    async with fault_server(say_too_much) as server:
        answer = await make(total_timeout_s=5.0).post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.UNREADABLE
    assert answer.evidence.body == b"x" * 4096


async def test_aclose_with_a_request_on_the_wire_leaves_it_unknown(make: Make) -> None:
    """Shutting down is no answer."""
    async with fault_server(stay_silent) as server:
        transport = make(total_timeout_s=5.0)
        waiting = asyncio.create_task(transport.post(server.url, HEADERS, b"pay"))
        await server.heard.wait()
        await transport.aclose()
        answer = await waiting
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.CONNECTION_LOST


async def test_cancellation_propagates_and_frees_the_slot(make: Make) -> None:
    """Cancelling is not an outcome, and the connection is not used for anything else."""

    async def silent_then_ok(exchange: Exchange) -> None:
        await (stay_silent if exchange.number == 1 else answer_ok)(exchange)

    async with fault_server(silent_then_ok) as server:
        transport = make(connections=1, total_timeout_s=5.0)
        waiting = asyncio.create_task(transport.post(server.url, HEADERS, b"pay"))
        await server.heard.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        answer = await transport.post(server.url, HEADERS, b"next")
    assert isinstance(answer, Reply)
    assert server.connections == 2


# --- one send is one POST --------------------------------------------------------------------


async def test_reply_comes_back_whole(make: Make, trust: Authority) -> None:
    """Status, lower-case headers and raw body reach the adapter, over TLS too."""

    async def speak(exchange: Exchange) -> None:
        await exchange.say(
            b"HTTP/1.1 503 Busy\r\nX-Mark: a\r\nX-Mark: b\r\ncontent-length: 4\r\n\r\n\xd6\xa7\r\n"
        )

    async with fault_server(speak, trust.server) as server:
        answer = await make(tls=trust.client).post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Reply)
    assert answer.status == 503
    assert answer.headers["x-mark"] == "a, b"
    assert answer.body == b"\xd6\xa7\r\n"


async def test_exactly_the_given_bytes_are_sent(make: Make) -> None:
    """No header is added but Host and Content-Length, and the address is not re-quoted."""
    async with fault_server(answer_ok) as server:
        url = server.url + "?sign=a%2Fb%3D&x=%E4%BD%A3"
        await make().post(url, HEADERS, b"pay=%20+1")
        port = server.port
    assert server.requests == [
        b"POST /pay?sign=a%2Fb%3D&x=%E4%BD%A3 HTTP/1.1\r\n"
        b"Host: 127.0.0.1:" + str(port).encode() + b"\r\n"
        b"content-type: text/plain\r\nx-order: 1\r\nContent-Length: 9\r\n\r\npay=%20+1"
    ]


async def drop_the_second(exchange: Exchange) -> None:
    """Keep the connection after the first answer, then hang up without one."""
    if exchange.number == 1:
        await exchange.say(OK)
    else:
        exchange.reset()


async def test_dropped_keep_alive_connection_is_not_repeated(make: Make) -> None:
    """The peer drops a kept connection on the second request: one POST each, none repeated."""

    async with fault_server(drop_the_second) as server:
        transport = make()
        assert isinstance(await transport.post(server.url, HEADERS, b"first"), Reply)
        answer = await transport.post(server.url, HEADERS, b"second")
        await asyncio.sleep(0.1)
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.CONNECTION_LOST
    assert [request.rpartition(b"\r\n\r\n")[2] for request in server.requests] == [
        b"first",
        b"second",
    ]
    assert server.connections == 1


@pytest.mark.parametrize("pause_s", [0, 0.05])
async def test_what_was_not_asked_for_is_nobodys_answer(make: Make, pause_s: float) -> None:
    """A peer says more than it was asked, at once or later: the next request is not answered by it.

    It goes out on another connection, and nothing is in doubt.
    """
    late = OK.replace(b"ok", b"no")

    async def say_more(exchange: Exchange) -> None:
        await exchange.say(OK + late if not pause_s else OK)
        if pause_s:
            await asyncio.sleep(pause_s)
            await exchange.say(late)

    async with fault_server(say_more) as server:
        transport = make()
        first = await transport.post(server.url, HEADERS, b"first")
        await asyncio.sleep(2 * pause_s)
        second = await transport.post(server.url, HEADERS, b"second")
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert (first.body, second.body) == (b"ok", b"ok")
    assert server.connections == 2


async def test_what_comes_before_the_answer_is_not_the_answer(make: Make) -> None:
    """A peer may say that it goes on (100), or what will come (103)."""
    before = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n"

    async def take_its_time(exchange: Exchange) -> None:
        await exchange.say(before)
        await asyncio.sleep(0.02)
        await exchange.say(OK)

    async with fault_server(take_its_time) as server:
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Reply)
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize("value", ["1\r\nx-more: 2", "1\nx-more: 2", "1\x00"])
async def test_a_header_that_would_begin_another_is_not_sent(make: Make, value: str) -> None:
    """Nothing is connected to."""
    async with fault_server(answer_ok) as server:
        answer = await make().post(server.url, (("x-order", value),), b"pay")
    assert answer == NotSent(NotSentCause.PREPARE, "ValueError")
    assert server.connections == 0


async def test_no_control_character_is_sent_in_a_header(make: Make) -> None:
    """All but the tab, which may stand between words (RFC 9110, section 5.5)."""
    transport = make()
    async with fault_server(answer_ok) as server:
        for code in (*range(0x09), *range(0x0A, 0x20), 0x7F):
            answer = await transport.post(server.url, (("x-order", f"1{chr(code)}2"),), b"pay")
            assert answer == NotSent(NotSentCause.PREPARE, "ValueError"), f"U+{code:04X}"
    assert server.connections == 0


async def test_so_many_servers_are_kept_prepared_and_no_more(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a name in the address makes another one of the same."""
    monkeypatch.setattr(line, "DESTINATIONS_KEPT", 3)
    async with fault_server(answer_ok) as server:
        transport = make()
        for n in range(8):
            named = server.url.replace("://", f"://user{n}:@")
            assert isinstance(await transport.get(named, HEADERS), Reply)
        assert 0 < len(transport._opened()._destinations) <= 3
    asked_by = [
        request.split(b"Authorization: Basic ")[1].split()[0] for request in server.requests
    ]
    assert [b64decode(name) for name in asked_by] == [f"user{n}:".encode() for n in range(8)]


async def test_a_server_is_prepared_for_once_whatever_is_asked_of_it(make: Make) -> None:
    """Questions name an order in their address, and each is asked."""
    async with fault_server(answer_ok) as server:
        transport = make()
        for n in range(8):
            assert isinstance(await transport.get(f"{server.url}/{n}", HEADERS), Reply)
        assert len(transport._opened()._destinations) == 1
    told = [request.split(b" ")[1] for request in server.requests]
    assert told == [f"/pay/{n}".encode() for n in range(8)]
    assert server.connections == 1


async def test_a_question_on_a_dropped_connection_is_not_repeated_here(make: Make) -> None:
    """Whoever asks decides whether to ask again."""

    async with fault_server(drop_the_second) as server:
        transport = make()
        assert isinstance(await transport.get(server.url, HEADERS), Reply)
        answer = await transport.get(server.url, HEADERS)
        await asyncio.sleep(0.1)
    assert isinstance(answer, Unknown)
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(make: Make, status: int) -> None:
    """A redirect is a reply like any other; following it would be a second send."""

    async def redirect(exchange: Exchange) -> None:
        await exchange.say(
            b"HTTP/1.1 %d Elsewhere\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n" % status
        )

    async with fault_server(redirect) as server:
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Reply)
    assert answer.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [b"401", b"408", b"429", b"500", b"502", b"503", b"504"])
async def test_error_status_is_not_repeated(make: Make, status: bytes) -> None:
    """Not even statuses that invite a retry cause one."""

    async def fail(exchange: Exchange) -> None:
        await exchange.say(
            b"HTTP/1.1 " + status + b" No\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n"
        )

    async with fault_server(fail) as server:
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Reply)
    assert len(server.requests) == 1


async def test_cookies_are_not_kept(make: Make) -> None:
    """What a peer asks to be remembered is forgotten."""

    async def bake(exchange: Exchange) -> None:
        await exchange.say(
            b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\n\r\n"
        )

    async with fault_server(bake) as server:
        transport = make()
        await transport.post(server.url, HEADERS, b"1")
        await transport.post(server.url, HEADERS, b"2")
    assert b"cookie" not in server.requests[1].lower()


async def test_environment_proxy_is_ignored(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffering proxy would make *sent* undecidable, so the environment cannot put one in."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    async with fault_server(answer_ok) as server:
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Reply)


async def test_compressed_reply_stays_as_it_came(make: Make) -> None:
    """Signatures cover bytes on the wire; nothing unpacks them on the way."""

    async def compress(exchange: Exchange) -> None:
        await exchange.say(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\x1f\x8b\x00"
        )

    async with fault_server(compress) as server:
        answer = await make().post(server.url, HEADERS, b"pay")
    assert isinstance(answer, Reply)
    assert answer.body == b"\x1f\x8b\x00"


def test_connection_closed_while_the_loop_was_busy_is_not_written_to() -> None:
    """A close that has already arrived is noticed before the next POST, so it is not in doubt."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(OK)

    thread = threading.Thread(target=serve)
    thread.start()

    async def pay_twice() -> list[object]:
        transport = Transport(connect_timeout_s=1, total_timeout_s=1, pool_wait_s=1, connections=1)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        answers: list[object] = [await transport.post(url, HEADERS, b"1")]
        time.sleep(0.1)  # noqa: ASYNC251 - the loop is meant to be busy
        answers.append(await transport.post(url, HEADERS, b"2"))
        await transport.aclose()
        return answers

    answers = asyncio.run(pay_twice())
    thread.join()
    listener.close()
    assert [type(answer) for answer in answers] == [Reply, Reply]
    assert len(heard) == 2


# --- reads -----------------------------------------------------------------------------------


async def test_get_that_was_not_sent_is_unanswered(make: Make) -> None:
    """A question that never left is unknown, never `NotSent`: the first send is still out there."""
    answer = await make().get(f"http://127.0.0.1:{closed_port()}/", HEADERS)
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.CONNECTION_LOST
    assert answer.evidence.message == "refused: ConnectionRefusedError (errno 111)"


async def test_get_may_hold_more_when_asked(make: Make) -> None:
    """Statements are larger than answers."""
    async with fault_server(say_too_much) as server:
        answer = await make(total_timeout_s=5.0).get(server.url, HEADERS, max_bytes=4_000_000)
    assert isinstance(answer, Reply)
    assert len(answer.body) == 3_000_000


async def test_lost_question_is_asked_again(make: Make) -> None:
    """A read survives a dropped connection."""

    async def drop_the_first(exchange: Exchange) -> None:
        if exchange.number == 1:
            exchange.reset()
        else:
            await exchange.say(OK)

    async with fault_server(drop_the_first) as server:
        transport = make()
        answer = await read(lambda: transport.post(server.url, HEADERS, b"what"), pause_s=0.01)
    assert isinstance(answer, Reply)
    assert len(server.requests) == 2


async def test_question_is_asked_at_most_three_times(make: Make) -> None:
    """Reads give up too, with the last evidence."""
    async with fault_server(reset_at_once) as server:
        transport = make()
        answer = await read(lambda: transport.post(server.url, HEADERS, b"what"), pause_s=0.01)
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.CONNECTION_LOST
    assert len(server.requests) == 3


async def test_timed_out_question_is_not_repeated(make: Make) -> None:
    """A slow channel is not asked harder."""
    async with fault_server(stay_silent) as server:
        transport = make(total_timeout_s=0.2)
        answer = await read(lambda: transport.post(server.url, HEADERS, b"what"), pause_s=0.01)
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.TIMEOUT
    assert len(server.requests) == 1


def test_waiting_for_the_pool_counts_as_a_timeout_for_a_question() -> None:
    """A question that found no connection in time is one that timed out."""
    answer = unanswered(NotSent(NotSentCause.POOL_WAIT, "busy"))
    assert isinstance(answer, Unknown)
    assert answer.cause is UnknownCause.TIMEOUT


def test_reply_hides_its_content() -> None:
    """A reply may hold payee data; its repr shows the status only."""
    assert repr(Reply(200, {"x": "secret"}, b"secret")) == "Reply(status=200)"
