"""Keys and exports: made once, private, whole, and through the egress guard."""

import asyncio
import base64
import stat
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from gateway.audit import keys
from gateway.audit.export import ToFolder, ToUrl, notes_in
from gateway.domain.checkpoint import Checkpoint, Signer
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests.builders import NOW
from tests.contracts.store.conftest import SettableClock

SIGNER = Signer("hangdao", bytes(range(32)))
MADE = Checkpoint("hangdao", 7, b"r" * 32, b"c" * 32, NOW)


async def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """Many that start at once use the same; only its owner can read it."""
    seeds = await asyncio.gather(
        *(asyncio.to_thread(keys.read_or_make, tmp_path) for _ in range(8))
    )
    assert {len(seed) for seed in seeds} == {32}
    assert set(seeds) == {keys.read(tmp_path)}
    file = tmp_path / keys.KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == [file]


@pytest.mark.parametrize("content", [b"", b"!", base64.b64encode(bytes(31))])
def test_a_key_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is not replaced: what it signed could no longer be checked."""
    (tmp_path / keys.KEY_FILE).write_bytes(content)
    with pytest.raises(OSError, match="does not hold"):
        keys.read_or_make(tmp_path)
    assert (tmp_path / keys.KEY_FILE).read_bytes() == content


async def test_every_checkpoint_has_a_file_of_its_own(tmp_path: Path) -> None:
    """In a folder a day, in the order of their names; drafts are not left behind."""
    folder = ToFolder(tmp_path / "outside")
    for size in (7, 12):
        made = replace(MADE, size=size)
        await folder.export(made, SIGNER.sign(made))
    found = notes_in(tmp_path / "outside")
    assert [Path(name).relative_to(tmp_path).as_posix() for name in found] == [
        "outside/2026-03-02/000000000007-20260302T020000000000Z.note",
        "outside/2026-03-02/000000000012-20260302T020000000000Z.note",
    ]
    assert next(iter(found.values())) == SIGNER.sign(MADE)
    assert len([one for one in (tmp_path / "outside").rglob("*") if one.is_file()]) == 2


def test_a_folder_without_notes_is_a_mistake(tmp_path: Path) -> None:
    """Checking against nothing must not look like success."""
    with pytest.raises(FileNotFoundError):
        notes_in(tmp_path)


@pytest.mark.parametrize(("status", "guarded"), [(204, False), (500, False), (204, True)])
async def test_a_receiver_gets_the_note_through_the_guard(status: int, guarded: bool) -> None:
    """A refusal, by the receiver or by the guard, is an error for the auditor to tell."""
    got: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/notes", take)
    server = TestServer(app)
    await server.start_server(access_log=None)
    sender = WebhookSender(Egress(() if guarded else ("127.0.0.0/8",)))
    try:
        export = ToUrl(str(server.make_url("/notes")), sender, SIGNER, SettableClock())
        if status == 204 and not guarded:
            await export.export(MADE, SIGNER.sign(MADE))
        else:
            with pytest.raises(ConnectionError):
                await export.export(MADE, SIGNER.sign(MADE))
        sent = [] if guarded else [{"type": "audit.checkpoint", "note": SIGNER.sign(MADE)}]
        assert [orjson.loads(one) for one in got] == sent
    finally:
        await sender.aclose()
        await server.close()
