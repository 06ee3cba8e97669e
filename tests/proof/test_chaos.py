"""The tools of proof layer L5: links that go bad as told, and a database that survives its primary.

The layer itself runs for minutes and is not part of the suite: `python -m tests.proof.chaos`.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.proof.chaos.postgres import Pair
from tests.proof.chaos.proxy import Link


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    """A link to a server that repeats what it hears."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    made = await Link("echo", server.sockets[0].getsockname()[1]).start()
    yield made
    await made.stop()
    server.close()


async def _ask(link: Link, seconds: float = 2) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        writer.write(b"hello" * 40)
        async with asyncio.timeout(seconds):
            return await reader.readexactly(200)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("mode", ["open", "slow", "drip"])
async def test_bytes_come_through_however_slowly(link: Link, mode: str) -> None:
    """Open, late or in small pieces: the same bytes."""
    link.become(mode, delay_s=0.01)  # type: ignore[arg-type]  # parametrized
    assert await _ask(link) == b"hello" * 40


async def test_a_cut_link_refuses_and_resets(link: Link) -> None:
    """Nothing comes, and whoever waits hears of it."""
    link.become("cut")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await _ask(link)


async def test_a_hole_swallows_until_it_opens(link: Link) -> None:
    """Connections stay; what was sent arrives when the hole is gone."""
    link.become("hole")
    with pytest.raises(TimeoutError):
        await _ask(link, 0.2)
    waiting = asyncio.create_task(_ask(link))
    await asyncio.sleep(0.05)
    link.become("open")
    assert await waiting == b"hello" * 40


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own: the servers may run under another account, which must get there."""
    made = Path(tempfile.mkdtemp(prefix="hangdao-pair-"))
    yield made
    shutil.rmtree(made)


@pytest.mark.timeout(120)
async def test_what_was_committed_survives_the_loss_of_the_primary(folder: Path) -> None:
    """Acknowledged means on both: after failover it is there, and a new standby gets in step."""
    pair = Pair(folder / "pair")
    try:
        await pair.start("books")
        await pair.primary.ask("CREATE TABLE kept (n INT)", "books")
        await pair.primary.ask("INSERT INTO kept VALUES (7)", "books")
        await pair.fail_over()
        assert [row["n"] for row in await pair.primary.ask("SELECT n FROM kept", "books")] == [7]
        assert not await pair.is_in_step()
        await pair.mend()
        assert await pair.is_in_step()
    finally:
        await pair.stop()
