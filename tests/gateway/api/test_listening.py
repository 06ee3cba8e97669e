"""Connections are taken in as they come, however long the loop's turns are."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.api import listening as listening_module
from gateway.api.listening import AT_ONCE, Listening, address_of, listen


class Greeter(asyncio.Protocol):
    """Says hello and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@asynccontextmanager
async def open_door() -> AsyncIterator[Listening]:
    """On a free port of this machine."""
    door = await listen("127.0.0.1", 0)
    door.start(Greeter)
    try:
        yield door
    finally:
        door.stop()


async def greeted(port: int) -> bytes:
    """What a caller hears."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = await reader.read()
    writer.close()
    return heard


async def test_who_connects_is_heard() -> None:
    """One after the other, and together."""
    async with open_door() as door:
        one = await greeted(door.port)
        many = await asyncio.gather(*(greeted(door.port) for _ in range(3 * AT_ONCE)))

    assert {one, *many} == {b"hello"}


async def test_all_who_wait_are_taken_in_one_turn() -> None:
    """A turn takes as many as it may, and not one alone."""
    taken: list[Greeter] = []

    def protocol() -> Greeter:
        taken.append(Greeter())
        return taken[-1]

    door = await listen("127.0.0.1", 0)
    callers = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(AT_ONCE // 2)]
    door.start(protocol)
    turns = 0
    while not taken:
        await asyncio.sleep(0)
        turns += 1
    first = turns
    while len(taken) < len(callers):
        await asyncio.sleep(0)
        turns += 1
    door.stop()
    for one in callers:
        one.close()

    assert turns - first <= 3


async def test_nobody_is_heard_once_it_is_closed() -> None:
    """The port is free again at once; stopping twice is no fault."""
    async with open_door() as door:
        port = door.port
        door.stop()
        with pytest.raises(ConnectionRefusedError):
            await greeted(port)
    async with asyncio.timeout(5):
        (await listen("127.0.0.1", port)).stop()


async def test_without_a_file_descriptor_callers_wait_until_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop neither ends nor spins meanwhile."""
    monkeypatch.setattr(listening_module, "NO_ROOM_S", 0.01)
    refusals = 0
    accept = socket.socket.accept

    def scarce(self: socket.socket) -> tuple[socket.socket, object]:
        nonlocal refusals
        if refusals < 3:
            refusals += 1
            raise OSError(24, "Too many open files")
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", scarce)
    async with open_door() as door, asyncio.timeout(30):
        heard = await greeted(door.port)

    assert (heard, refusals) == (b"hello", 3)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("gateway.test", "gateway.test"),
        ("::1", "[::1]"),
        ("2001:db8::7", "[2001:db8::7]"),
        ("fe80::1%eth0", "[fe80::1%25eth0]"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - nothing is bound
        ("::", "[::1]"),
        ("0:0:0:0:0:0:0:0", "[::1]"),
    ],
)
def test_the_address_told_can_be_opened(host: str, shown: str) -> None:
    """IPv6 in brackets; where every address is listened on, this machine's own."""
    assert address_of(host, 8080) == f"http://{shown}:8080"
