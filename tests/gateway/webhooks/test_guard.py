"""The egress guard on real sockets: each refusal is paired with a server that would have heard.

The receiver listens on a loopback address of this test's own, on a port the guard allows and with a
certificate the sender trusts, so that only the guard stands between the two.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from gateway.engine.deliver import Answer
from gateway.webhooks.egress import Egress, EgressError
from gateway.webhooks.resolve import Lookup, SystemLookup, connector
from gateway.webhooks.sender import WebhookSender
from tests.builders import NOW, delivery, endpoint
from tests.gateway.webhooks.certificates import tls_pair
from tests.gateway.webhooks.receiver import Receiver, receiver

HOST = "hooks.test"
URL = f"https://{HOST}:8443/hook"
REFUSED = Answer(None, f"{HOST} has an address that is not public")

_numbers = count(1)

Tls = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Server and client for `hooks.test`."""
    return tls_pair(tmp_path_factory.mktemp("tls"), HOST)


@pytest.fixture
async def inside(tls: Tls) -> AsyncIterator[Receiver]:
    """A server that must not be reached, alone at its address so that 8443 is free."""
    pid = os.getpid()
    address = f"127.{64 + pid % 128}.{pid // 128 % 256}.{next(_numbers)}"
    async with receiver(address, 8443, tls[0]) as listening:
        yield listening


class Names:
    """A name server that says something else every time; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Answer."""
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def sending(
    lookup: Lookup, tls: Tls, allow: Sequence[str] = ()
) -> AsyncIterator[Callable[[str], Awaitable[Answer]]]:
    """Give a function that tries one URL."""
    sender = WebhookSender(Egress(allow), timeout_s=2.0, tls=tls[1], lookup=lookup)
    try:
        yield lambda url: sender.send(endpoint(url=url), delivery(), NOW)
    finally:
        await sender.aclose()


async def test_name_of_an_inside_address_is_refused(inside: Receiver, tls: Tls) -> None:
    """The URL looks public; what it resolves to is not."""
    assert Egress().check_url(URL) is None
    async with sending(Names([inside.host]), tls) as send:
        assert await send(URL) == REFUSED
    assert inside.heard == []


async def test_the_same_webhook_arrives_when_its_network_is_allowed(
    inside: Receiver, tls: Tls
) -> None:
    """The control: the guard alone made the difference. Host and server name are the URL's."""
    names = Names([inside.host])
    async with sending(names, tls, [f"{inside.host}/32"]) as send:
        assert await send(URL) == Answer(204)
    assert inside.heard[0].headers["host"] == f"{HOST}:8443"
    assert names.asked == [(HOST, 8443)]


async def test_rebinding_name_is_refused_at_the_second_look(inside: Receiver, tls: Tls) -> None:
    """Admitted once is not admitted for ever: each new connection is judged by its own look-up."""
    names = Names([inside.host], ["127.0.0.1"])
    async with sending(names, tls, [f"{inside.host}/32"]) as send:
        assert await send(URL) == Answer(204)
    async with sending(names, tls, [f"{inside.host}/32"]) as send:
        assert await send(URL) == REFUSED
    assert len(inside.heard) == 1


async def test_connection_goes_to_the_address_that_was_judged(inside: Receiver, tls: Tls) -> None:
    """The name is not looked up again between judging and connecting."""
    names = Names([inside.host], ["127.0.0.1"])
    async with sending(names, tls, [f"{inside.host}/32"]) as send:
        assert await send(URL) == Answer(204)
        assert await send(URL) == Answer(204)
    assert len(names.asked) == 1
    assert len({heard.peer for heard in inside.heard}) == 1


async def test_one_inside_address_among_admitted_ones_spoils_all(
    inside: Receiver, tls: Tls
) -> None:
    """A mixed answer is an attack or a mistake; both are refused."""
    names = Names([inside.host, "10.0.0.1"])
    async with sending(names, tls, [f"{inside.host}/32"]) as send:
        assert await send(URL) == REFUSED
    assert inside.heard == []


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - the address under test, nothing binds to it
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fe80::1%lo",
    ],
)
async def test_answer_of_the_name_server_is_refused(address: str, tls: Tls) -> None:
    """Every kind of inside address a hostile name server may return."""
    async with sending(Names([address]), tls) as send:
        assert await send(URL) == REFUSED


async def test_inside_address_in_the_url_is_never_connected_to(inside: Receiver, tls: Tls) -> None:
    """Written as numbers, decimal or mapped: stopped before any socket."""
    value = int.from_bytes(socket.inet_aton(inside.host))
    async with sending(SystemLookup(), tls) as send:
        for host in (inside.host, str(value), hex(value), f"[::ffff:{inside.host}]"):
            answer = await send(f"https://{host}:8443/hook")
            assert answer.status is None
            assert "public address" in answer.problem or "decimal numbers" in answer.problem
    assert inside.heard == []


async def test_socket_is_refused_even_where_no_name_was_looked_up(
    inside: Receiver, tls: Tls
) -> None:
    """The last gate stands by itself: the library asks no resolver about literal addresses."""
    pool = connector(Egress(), SystemLookup(), tls[1], listed=False)
    async with aiohttp.ClientSession(connector=pool) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.post(inside.url())
    assert isinstance(refused.value.os_error, EgressError)
    assert inside.heard == []


async def test_listed_name_may_be_anywhere_and_speak_plain_http(tls: Tls) -> None:
    """Local development: `host:port` on the allow-list lifts every rule for exactly that."""
    async with receiver() as listening:
        names = Names(["127.0.0.1"])
        async with sending(names, tls, [f"dev.test:{listening.port}"]) as send:
            assert await send(f"http://dev.test:{listening.port}/hook") == Answer(204)
            other = await send(f"http://other.test:{listening.port}/hook")
        assert other == Answer(None, "the URL must begin with https://")
        assert len(listening.heard) == 1


async def test_listing_one_name_opens_no_address_to_others(inside: Receiver, tls: Tls) -> None:
    """A connection to the listed host does not serve a host that is not."""
    names = Names([inside.host])
    async with sending(names, tls, [f"{HOST}:8443"]) as send:
        assert await send(URL) == Answer(204)
        other = await send("https://evil.test:8443/hook")
    assert other == Answer(None, "evil.test has an address that is not public")
    assert len(inside.heard) == 1


async def test_localhost_by_the_systems_resolver_is_let_in_when_listed(tls: Tls) -> None:
    """The whole way with the real look-up."""
    async with receiver() as listening:
        url = f"http://localhost:{listening.port}/hook"
        async with sending(SystemLookup(), tls, [f"localhost:{listening.port}"]) as send:
            assert await send(url) == Answer(204)
        async with sending(SystemLookup(), tls) as send:
            assert await send(url) == Answer(None, "the URL must begin with https://")


async def test_certificate_that_the_system_does_not_trust_is_refused(inside: Receiver) -> None:
    """The control of all the others: unless told whom to trust, the sender asks the system."""
    sender = WebhookSender(
        Egress([f"{inside.host}/32"]), timeout_s=2.0, lookup=Names([inside.host])
    )
    try:
        answer = await sender.send(endpoint(url=URL), delivery(), NOW)
    finally:
        await sender.aclose()
    assert answer == Answer(None, "the TLS certificate is not trusted or is for another host")
    assert inside.heard == []


async def test_certificate_of_another_host_is_refused(inside: Receiver, tls: Tls) -> None:
    """TLS checks the URL's name, not the pinned address."""
    async with sending(Names([inside.host]), tls, ["127.0.0.0/8"]) as send:
        answer = await send("https://other.test:8443/hook")
    assert answer == Answer(None, "the TLS certificate is not trusted or is for another host")
    assert inside.heard == []


async def test_peer_without_tls_is_named(tls: Tls) -> None:
    """Plain HTTP behind an https URL."""
    async with receiver() as listening, sending(SystemLookup(), tls, ["127.0.0.0/8"]) as send:
        answer = await send(f"https://{listening.origin}/hook")
    assert answer == Answer(None, "the TLS handshake failed")


async def test_unknown_name_is_named(tls: Tls) -> None:
    """The name server knows no such host, or knows it without any address."""

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")

    for lookup in (unknown, Names([])):
        async with sending(lookup, tls) as send:
            assert await send(URL) == Answer(None, "the host name does not resolve")


async def test_silent_name_server_is_inside_the_time_limit(tls: Tls) -> None:
    """Look-ups count against the same bound as everything else."""

    async def silent(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    sender = WebhookSender(Egress(), timeout_s=0.1, tls=tls[1], lookup=silent)
    try:
        answer = await sender.send(endpoint(url=URL), delivery(), NOW)
    finally:
        await sender.aclose()
    assert answer == Answer(None, "no answer within 0.1 s")


async def test_proxy_of_the_environment_is_ignored(
    tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would connect for us where the guard cannot look."""
    async with receiver() as listening, receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.setenv("HOME", str(tmp_path))
        async with sending(SystemLookup(), tls, [listening.origin]) as send:
            assert await send(listening.url()) == Answer(204)
        assert (len(listening.heard), proxy.heard) == (1, [])
