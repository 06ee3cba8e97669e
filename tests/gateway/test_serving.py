"""Serving: ready once it answers, stops in order, and leaves when nobody can work any more."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest
from msgspec.structs import replace

from gateway import serving
from gateway.engine.deliver import Courier
from gateway.engine.standby import NoStandbyError
from gateway.engine.worker import Worker
from gateway.ports import StoreError
from gateway.settings import Loaded
from gateway.wiring import Assembly, assemble
from tests.builders import EVERY_YEAR
from tests.gateway.engine.rig import until
from tests.gateway.health.valkey import valkey
from tests.gateway.install import handed_out, installed


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keys take a while to make: once for all tests here."""
    return handed_out(tmp_path_factory.mktemp("institutions"))


@pytest.fixture
def loaded(tmp_path: Path, accounts: Any) -> Loaded:
    """A configuration that listens on a free port."""
    return installed(tmp_path, accounts)


class Serving:
    """A gateway that serves in this process."""

    def __init__(self, assembly: Assembly, task: "asyncio.Task[int]", url: str) -> None:
        """As `served` has started it."""
        self.assembly = assembly
        self.task = task
        self.url = url

    async def get(self, path: str) -> httpx.Response:
        """Ask it something."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            return await http.get(path)

    async def code(self) -> int:
        """Its exit code, once it has ended."""
        async with asyncio.timeout(10):
            return await self.task


@asynccontextmanager
async def served(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    """Serving; ended at the latest with the test."""
    assembled: list[Assembly] = []

    async def kept(given: Loaded) -> Assembly:
        assembled.append(await assemble(given))
        return assembled[0]

    monkeypatch.setattr(serving, "assemble", kept)
    urls: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(serving.serve(loaded, ready=urls.put_nowait))
    try:
        waiting = asyncio.create_task(urls.get())
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            task.result()
        yield Serving(assembled[0], task, waiting.result())
    finally:
        if not task.done():
            assembled[0].stopping.set()
        await asyncio.gather(task, return_exceptions=True)


async def test_ready_means_that_requests_are_answered(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address told at `ready` is the real one, also where the port was 0."""
    async with served(loaded, monkeypatch) as here:
        assert not here.url.endswith(":0")
        assert (await here.get("/readyz")).status_code == 200


async def test_the_address_told_is_one_to_visit(
    tmp_path: Path, accounts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where every address of the machine is listened on."""

    def edit(document: dict[str, Any]) -> None:
        document["server"]["host"] = "0.0.0.0"  # noqa: S104 - what it is about

    async with served(installed(tmp_path, accounts, edit), monkeypatch) as here:
        assert here.url.startswith("http://127.0.0.1:")
        assert (await here.get("/healthz")).status_code == 200


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_zero(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, name: signal.Signals
) -> None:
    """Both stop it in order, and the database is free afterwards."""
    async with served(loaded, monkeypatch) as here:
        os.kill(os.getpid(), name)
        assert await here.code() == 0
    again = await assemble(loaded)
    await again.aclose()


async def test_without_its_redis_it_is_ready_and_says_so(
    tmp_path: Path, accounts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens there: 200 with a note in both languages, and a gauge at 0; it stops."""

    def edit(document: dict[str, Any]) -> None:
        document["redis"] = {"url": "redis://:geheim@127.0.0.1:1/0"}

    async with served(installed(tmp_path, accounts, edit), monkeypatch) as here:
        here.assembly.gateway.almanac = EVERY_YEAR
        ready = await here.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        (note,) = ready.json()["notes"]
        zh, en = note["zh"], note["en"]
        assert "Redis 不可用" in zh
        assert "Redis is away" in en
        metrics = (await here.get("/metrics")).text
        assert "hangdao_redis_up 0.0" in metrics
        assert "geheim" not in metrics + ready.text
        os.kill(os.getpid(), signal.SIGTERM)
        assert await here.code() == 0


async def test_with_its_redis_it_shares_and_says_goodbye(
    tmp_path: Path, accounts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up within a moment; a stop in order leaves no replica behind."""
    with valkey() as there:

        def edit(document: dict[str, Any]) -> None:
            document["redis"] = {"url": there.url, "budget_ms": 150}

        async with served(installed(tmp_path, accounts, edit), monkeypatch) as here:
            await until(lambda: here.assembly.replica.up)
            here.assembly.gateway.almanac = EVERY_YEAR
            assert "notes" not in (await here.get("/readyz")).json()
            metrics = (await here.get("/metrics")).text
            assert "hangdao_redis_up 1.0" in metrics
            os.kill(os.getpid(), signal.SIGTERM)
            assert await here.code() == 0
        client = there.client()
        assert client.keys("*sharing") == client.keys("*replicas") == []
        client.close()


async def test_a_port_in_use_leaves_nothing_open(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start is refused, and the database let go of."""
    holder = socket.create_server(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    settings = loaded.settings.model_copy(
        update={"server": loaded.settings.server.model_copy(update={"port": port})}
    )
    taken = replace(loaded, settings=settings)
    with holder, pytest.raises(OSError, match=r"(?i)address already in use"):
        await serving.serve(taken, ready=lambda _: None)
    again = await assemble(loaded)
    await again.aclose()


async def test_without_the_standby_it_asks_for_it_does_not_start(loaded: Loaded) -> None:
    """SQLite has none: refused with a sentence in each language, and nothing stays open."""
    database = loaded.settings.database.model_copy(update={"require_sync_standby": True})
    asking = replace(loaded, settings=loaded.settings.model_copy(update={"database": database}))
    with pytest.raises(NoStandbyError, match="needs PostgreSQL") as refused:
        await serving.serve(asking, ready=lambda _: None)
    assert "同步备库" in refused.value.note.zh
    again = await assemble(loaded)
    await again.aclose()


async def test_a_worker_that_cannot_start_ends_the_process(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store does not answer when the worker looks for orphans: the process must not stay up
    and take payouts in that nobody works on."""

    async def away(self: Worker) -> None:
        raise StoreError("no connection")

    monkeypatch.setattr(Worker, "_recover", away)
    async with served(loaded, monkeypatch) as here:
        with pytest.raises(StoreError):
            await here.code()


async def test_a_broken_store_ends_the_process_whoever_noticed(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request's write found the disk full: no worker wrote, and still the process leaves, 1."""
    async with served(loaded, monkeypatch) as here:
        store: Any = here.assembly.store
        store._database._broken = "disk full"
        assert (await here.get("/readyz")).status_code == 503
        assert await here.code() == 1


async def test_a_webhooks_defect_does_not_end_the_others(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The courier meets a bug once; the loop is recorded and goes on."""
    looks = 0
    start_due = Courier.start_due

    async def fails_once(self: Courier) -> int:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise ZeroDivisionError
        return await start_due(self)

    monkeypatch.setattr(Courier, "start_due", fails_once)
    async with served(loaded, monkeypatch) as here:
        await until(lambda: looks >= 3)
        metrics = (await here.get("/metrics")).text
        assert 'hangdao_alarms_total{event="webhook.defect"} 1.0' in metrics
        assert not here.task.done()


async def test_statements_are_read_in_rounds_and_survive_a_defect(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round that raises is recorded; the next one comes."""
    rounds = 0

    async def fails_once(*_: object) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise LookupError
        if rounds == 2:
            raise StoreError("away")

    monkeypatch.setattr(serving, "STATEMENT_ROUND_S", 0.02)
    monkeypatch.setattr(serving, "reconcile_all", fails_once)
    async with served(loaded, monkeypatch) as here:
        await until(lambda: rounds >= 4)
        metrics = (await here.get("/metrics")).text
        assert 'hangdao_alarms_total{event="statement.defect"} 1.0' in metrics
        assert 'hangdao_alarms_total{event="store.unavailable"} 1.0' in metrics


async def test_smuggled_money_halts_it_while_reads_go_on(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Books that are off at the start: nothing is taken in, one sentence each, exit code 1."""
    assembly = await assemble(loaded)
    await assembly.aclose()
    path = loaded.settings.database.url.get_secret_value().removeprefix("sqlite://")
    by_hand = apsw.Connection(path)
    by_hand.execute("INSERT INTO balances VALUES ('available', 'm', 'CNY', 5)")
    by_hand.close()
    worker = loaded.settings.worker.model_copy(update={"halt_linger_s": 5})
    lingering = replace(loaded, settings=loaded.settings.model_copy(update={"worker": worker}))
    async with served(lingering, monkeypatch) as gateway:
        assert (await gateway.get("/healthz")).status_code == 200
        assert (await gateway.get("/readyz")).json()["sending"] == "halted"
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
            refused = await http.post("/v1/payouts", json={})
        assert (refused.status_code, refused.json()["code"]) == (503, "halted")
        gateway.assembly.stopping.set()
        assert await gateway.code() == 1
    said = capsys.readouterr().err
    assert "账簿不平" in said
    assert "the ledger does not add up" in said
