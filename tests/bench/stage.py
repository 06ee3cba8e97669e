"""Everything that runs during a measure: institution, crowd, gateway, floor programs.

Each is a process of its own, on the cores that `machine.layout` gives it. The gateway runs with its
own defaults, log included; what differs from a fresh installation is said in `configure`.
"""

import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
import psutil
import yaml

from gateway.engine.worker import REFRESH
from gateway.sandbox.credentials import credentials
from gateway.sandbox.installation import Installation, free_port, install
from gateway.sandbox.institutions import Account, adjust
from gateway.sandbox.merchant import Client
from gateway.sandbox.processes import Child
from gateway.settings import load
from gateway.wiring import create_operator_key
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox
from tests.bench.machine import Layout, Meter, on

MONEY_FEN: Final = 10**14
"""Of the merchant, of the float, and at the institution: no measure comes near it."""
CHANNEL: Final = "alipay-main"
MERCHANT: Final = "acme"
TERMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "alipay-1": {"currency": "CNY", "amount_min": 10, "amount_max": 10_000_000, "fee": {}}
}
READY_S: Final = 120.0
LOOK_S: Final = 0.002
CALM_S: Final = 300.0
CALM_SHARE: Final = 0.08
"""A process that uses less of a core than this has nothing left to do but its rounds."""
ROUNDS_SHARE: Final = 0.3
"""Nor has one that uses less than this and always the same: on a busy machine rounds cost more."""


class StageError(Exception):
    """Something did not do what a measure rests on; no figure would mean anything."""


@dataclass
class Crowd:
    """The callers' process."""

    child: Child
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    turns: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def sink(self) -> str:
        """Where webhooks go."""
        return str(self.child.ready["sink"])

    async def load(self, url: str, key: str, **job: Any) -> dict[str, Any]:
        """Ask for payouts; see `crowd.callers.Job`. Every job has numbers of its own."""
        prefix = job.pop("prefix", None) or f"b{os.getpid()}-{next(self.turns)}"
        port = urlsplit(url).port
        return await self._tell({"port": port, "key": key, "prefix": prefix, **job})

    async def trust(self, secret: str) -> None:
        """Believe webhooks signed with it."""
        await self._tell({"trust": secret})

    async def _tell(self, told: Mapping[str, Any]) -> dict[str, Any]:
        self.writer.write(orjson.dumps(told) + b"\n")
        await self.writer.drain()
        line = await self.reader.readline()
        if not line:
            raise StageError(f"the crowd's process has ended: {self.child.last_words()}")
        found: dict[str, Any] = orjson.loads(line)
        return found


@dataclass
class Floor:
    """A floor program that runs."""

    child: Child
    url: str


@dataclass
class Stage:
    """What runs, and how to speak with it."""

    folder: Path
    layout: Layout
    account: Account
    institution: Child
    crowd: Crowd
    installation: Installation
    database: str
    floor_database: str
    cores: frozenset[int]
    """The gateway's."""
    workers: int
    operator_key: str
    gateway: Child
    key: str = ""
    secret: str = ""

    @property
    def url(self) -> str:
        """The gateway's."""
        return self.installation.url

    async def start(self) -> float:
        """Start the gateway (again); seconds from exec until it says that it is ready."""
        self.gateway = Child(
            *("gateway", "serve", "--config", str(self.installation.config)),
            *(("--workers", str(self.workers)) if self.workers > 1 else ()),
            log=self.folder / "gateway.log",
            env={**self.installation.env, **_compiled(self.folder)},
        )
        with on(self.cores):
            started = time.perf_counter()
            starting = asyncio.create_task(self.gateway.start())
            # The process is forked in the task's first steps; the cores are ours again after it.
            while self.gateway.pid is None and not starting.done():  # noqa: ASYNC110 - no bell rings
                await asyncio.sleep(0)
        asking = asyncio.create_task(self._until_ready())
        try:
            await starting
            return await asking - started
        finally:
            asking.cancel()

    async def _until_ready(self) -> float:
        """When /readyz first answered 200."""
        host, port = urlsplit(self.url).hostname, urlsplit(self.url).port
        asked = b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
        async with asyncio.timeout(READY_S):
            while True:
                with suppress(OSError):
                    reader, writer = await asyncio.open_connection(host, port)
                    writer.write(asked)
                    first = await reader.readline()
                    writer.close()
                    if b" 200 " in first:
                        return time.perf_counter()
                await asyncio.sleep(LOOK_S)

    async def kill(self) -> None:
        """As a power cut: no handler runs, nothing is flushed."""
        pid = self.gateway.pid
        if pid is None:
            raise StageError("there is no gateway to kill")
        os.kill(pid, signal.SIGKILL)
        await self.gateway.wait()

    def meter(self, child: Child | None = None) -> Meter:
        """Of the gateway, or of another child."""
        pid = (child or self.gateway).pid
        if pid is None:
            raise StageError("it does not run")
        return Meter(pid)

    async def calm(self) -> None:
        """Wait until the gateway has done what it has to do (its audit log, above all)."""
        meter, until = self.meter(), time.monotonic() + CALM_S
        seen: list[float] = []
        while time.monotonic() < until:
            before = meter.cpu_s()
            await asyncio.sleep(1)
            seen = [*seen[-2:], meter.cpu_s() - before]
            steady = len(seen) == 3 and max(seen) - min(seen) < CALM_SHARE
            if seen[-1] < CALM_SHARE or (steady and max(seen) < ROUNDS_SHARE):
                return
        raise StageError(f"the gateway is still busy {CALM_S:g} s after its start")

    async def truth(self) -> list[dict[str, Any]]:
        """Every movement of money, from the institution's own books."""
        control = str(self.institution.ready["control"])
        async with httpx.AsyncClient(base_url=control, trust_env=False, timeout=120) as http:
            found: list[dict[str, Any]] = (await http.get("/_sim/truth")).raise_for_status().json()
            return found

    async def load(self, **job: Any) -> dict[str, Any]:
        """Ask the gateway for payouts."""
        return await self.crowd.load(self.url, self.key, **job)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Client]:
        """The operator's client."""
        async with Client(self.url, self.operator_key) as client:
            yield client

    async def seed(self, **counts: int) -> None:
        """Store payouts as the gateway would have, while it does not run (`tests.bench.seed`)."""
        counted = (part for name, n in counts.items() for part in (f"--{name}", str(n)))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.seed", str(self.installation.config), *counted),
            env={**os.environ, **self.installation.env},
            stdout=asyncio.subprocess.DEVNULL,
        )
        if await process.wait():
            raise StageError("the payouts could not be stored")

    async def payouts(self) -> dict[str, dict[str, Any]]:
        """Every payout by the merchant's number, as the API tells it."""
        async with Client(self.url, self.key) as merchant:
            return {
                str(one["merchant_ref"]): dict(one) async for one in merchant.pages("/v1/payouts")
            }

    async def fates(self, references: Sequence[str]) -> dict[str, Any]:
        """What the gateway itself knows of the payouts with these numbers of the merchant."""
        found: dict[str, Any] = {}
        async with Client(self.url, self.key) as merchant:
            for reference in references:
                page = await merchant.get("/v1/payouts", merchant_ref=reference)
                for one in page["data"]:
                    path = f"/v1/payouts/{one['id']}"
                    found[reference] = {
                        "payout": one,
                        **{
                            part: await merchant.get(f"{path}/{part}")
                            for part in ("attempts", "timeline", "deliveries")
                        },
                    }
        return found

    @asynccontextmanager
    async def floor(self, kind: str) -> AsyncIterator[Floor]:
        """Run `accept` or `payout` of `tests.bench.floor` on the measured core."""
        given = credentials(self.account)
        told = {
            "key": self.key,
            "webhook_url": self.crowd.sink,
            "webhook_secret": self.secret,
            "gateway_url": given["gateway_url"],
            "app_id": given["app_id"],
            "private_key_file": str(given["private_key_file"]),
            "platform_public_key_file": str(given["alipay_public_key_file"]),
            "database": self.floor_database,
        }
        file = self.folder / f"floor-{kind}.json"
        file.write_bytes(orjson.dumps(told))
        log = self.folder / f"floor-{kind}.log"
        child = Child(f"tests.bench.floor.{kind}", str(file), log=log)
        try:
            with on(self.layout.measured):
                await child.start()
            yield Floor(child, str(child.ready["url"]))
        finally:
            await child.stop()


def _compiled(folder: Path) -> Mapping[str, str]:
    """Modules are read compiled, as an installed package's are, whatever this shell is set to."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


@contextmanager
def frozen(child: Child) -> Iterator[None]:
    """Whoever is not measured gets no time at all."""
    pids = [one.pid for one in _family(child)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _family(child: Child) -> list[Any]:
    process = psutil.Process(child.pid)
    return [process, *process.children(recursive=True)]


@asynccontextmanager
async def stage(
    folder: Path,
    layout: Layout,
    *,
    database: str = "",
    floor_database: str = "",
    workers: int = 1,
    spread: bool = False,
) -> AsyncIterator[Stage]:
    """Set everything up in an empty folder; end all of it, whatever happens.

    `spread`: the gateway may use every core, as the rest does.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    given = make_sandbox(folder, Wishes({"alipay": 1}, seed=7))
    adjust(folder, {"alipay-1": {"balance_fen": MONEY_FEN, "fee": {}}})
    account = Account(given[0]["kind"], given[0]["account"], given[0])
    institution = Child(
        *("simulators", "serve", "--config", str(folder / "sim.yaml")), log=folder / "sim.log"
    )
    crowd_child = Child("tests.bench.crowd", log=folder / "crowd.log")
    here: Stage | None = None
    try:
        with on(layout.others):
            await institution.start()
            await crowd_child.start()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(str(crowd_child.ready["control"])), limit=2**20
        )
        crowd = Crowd(crowd_child, reader, writer)
        installation = configure(folder, account, database)
        loaded = load(installation.config, installation.env)
        operator_key = await create_operator_key(loaded, "bench")
        here = Stage(
            *(folder, layout, account, institution, crowd, installation),
            database,
            floor_database or f"sqlite://{folder / 'floor.db'}",
            layout.every if spread else layout.measured,
            *(workers, operator_key, Child(log=folder / "none")),
        )
        await here.start()
        await _furnish(here)
        yield here
    finally:
        if here is not None:
            here.crowd.writer.close()
            await here.gateway.stop()
        await crowd_child.stop()
        await institution.stop()


def configure(folder: Path, account: Account, database: str) -> Installation:
    """The sandbox's configuration without what makes a rehearsal brisk: paces are the defaults.

    What stays is the allow-list for the receiver on loopback and a channel that is asked again
    after a second, so that doubts after a kill end within a measure.
    """
    made = install(folder, [account], TERMS, port=free_port(), channel_names={"alipay-1": CHANNEL})
    document = yaml.safe_load(made.config.read_text(encoding="utf-8"))
    del document["worker"], document["clock"]
    if database:
        document["database"] = {"url": database}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    made.config.write_text(text, encoding="utf-8")
    return made


async def _furnish(here: Stage) -> None:
    """Float, merchant, deposit, key, and an endpoint that wants to hear of payments alone."""
    booking = {"amount_minor": MONEY_FEN, "currency": "CNY", "key": "opening"}
    path = f"/v1/admin/merchants/{MERCHANT}"
    async with here.operator() as operator:
        await operator.post(f"/v1/admin/channels/{CHANNEL}/topup", booking)
        merchant = {"id": MERCHANT, "name": "Acme", "funding": "prefunded"}
        await operator.post("/v1/admin/merchants", merchant)
        await operator.post(f"{path}/fund", booking)
        scopes = ["payouts:write", "payouts:read", "webhooks"]
        made = await operator.post(f"{path}/keys", {"label": "bench", "scopes": scopes})
    here.key = str(made["key"])
    async with Client(here.url, here.key) as merchant_client:
        told = {"url": here.crowd.sink, "kinds": ["payout.paid"]}
        endpoint = await merchant_client.post("/v1/webhook-endpoints", told)
    here.secret = str(endpoint["secret"])
    await here.crowd.trust(here.secret)
    # Workers see the float when they next count; a payout that finds none would wait a minute.
    await asyncio.sleep(2 * REFRESH.total_seconds())
