"""Several gateway processes on one PostgreSQL, before an institution and a receiver in this one."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiohttp import web
from msgspec.structs import replace

from gateway.engine.worker import REFRESH
from gateway.sandbox.installation import Installation, free_port, install
from gateway.sandbox.institutions import Account, adjust
from gateway.sandbox.merchant import Client
from gateway.sandbox.processes import Child
from gateway.settings import load
from gateway.wiring import create_operator_key
from simulators import scenario
from simulators.faults import read_rule
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox
from simulators.world import World
from tests.e2e.town import CHANNEL, FLOAT_FEN, TERMS, body, furnish, payee

PATIENCE_S = 60.0
LEASE_S = 6


@dataclass
class Fleet:
    """What runs, and how to speak with it."""

    folder: Path
    world: World
    url: str
    installation: Installation
    ports: list[int]
    gateways: list[Child]
    database: asyncpg.Connection
    operator_key: str
    key: str = ""
    heard: Counter[str] = field(default_factory=Counter)
    """Webhooks by id, each as often as it came."""

    def base(self, number: int) -> str:
        """Where a gateway listens."""
        return f"http://127.0.0.1:{self.ports[number]}"

    async def start(self, number: int, *command: str) -> Child:
        """Start one (again); `command` instead of the usual one."""
        usual = ("gateway", "serve", "--config", str(self.installation.config))
        child = Child(
            *(command or usual),
            *("--port", str(self.ports[number])),
            log=self.folder / f"gateway{number}.log",
            env=self.installation.env,
        )
        self.gateways[number] = await child.start()
        return child

    def send_signal(self, number: int, name: signal.Signals) -> None:
        """Send one a signal."""
        pid = self.gateways[number].pid
        assert pid is not None
        os.kill(pid, name)

    async def ask(self, number: int, gateway: int) -> int:
        """Ask one of them for a payout; its answer's status, 0 without one."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(trust_env=False, timeout=15, headers=headers) as http:
            try:
                url = f"{self.base(gateway)}/v1/payouts"
                return (await http.post(url, json=body(number))).status_code
            except httpx.HTTPError:
                return 0

    async def ask_all(self, numbers: Iterable[int], gateways: Iterable[int]) -> None:
        """Ask for each until somebody has answered that it is stored, as merchants do."""
        turns, refused = list(gateways), Counter[tuple[int, int]]()

        async def insist(number: int) -> None:
            tries = number
            while (said := await self.ask(number, turns[tries % len(turns)])) != 201:
                refused[turns[tries % len(turns)], said] += 1
                tries += 1
                await asyncio.sleep(0.1)

        try:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(*(insist(number) for number in numbers))
        except TimeoutError:
            logs = [(self.folder / f"gateway{one}.log").read_text() for one in turns]
            told = [line for log in logs for line in log.splitlines()[-20:]]
            raise AssertionError("\n".join([f"by gateway, status: {refused}", *told])) from None

    async def ready(self, gateway: int) -> Mapping[str, Any]:
        """What one says of itself."""
        async with httpx.AsyncClient(trust_env=False, timeout=15) as http:
            said: Mapping[str, Any] = (await http.get(f"{self.base(gateway)}/readyz")).json()
            return said

    def slow_down(self, seconds: str) -> str:
        """Every submission is carried out at once and answered so much later."""
        rule = {"op": "submit", "action": "slow", "params": {"fixed": seconds}}
        return self.world.add_rule(read_rule(rule, self.world.clock.now())).id

    def paid_out(self) -> Counter[str]:
        """How often each payee really got money, by the institution's own books."""
        truth = self.world.shells["alipay"].simulator.truth()
        return Counter(one.payee for one in truth if one.kind == "payout")

    async def until_moved(self, count: int) -> None:
        """Wait until the institution has paid so often."""
        async with asyncio.timeout(PATIENCE_S):
            while self.paid_out().total() < count:  # noqa: ASYNC110 - books ring no bell
                await asyncio.sleep(0.005)

    async def until(self, sql: str, wanted: object) -> None:
        """Wait until the database answers so."""
        async with asyncio.timeout(PATIENCE_S):
            while (said := await self.database.fetchval(sql)) != wanted:
                assert said is not ...
                await asyncio.sleep(0.1)

    async def until_paid(self, count: int) -> None:
        """Wait until so many are paid and every webhook about them has been taken."""
        await self.until("SELECT COUNT(*) FROM payouts WHERE state = 'paid'", count)
        await self.until("SELECT COUNT(*) FROM deliveries WHERE state <> 'delivered'", 0)

    async def check(self, numbers: Iterable[int], asked_at: int) -> None:
        """Each payee paid once; the ledger agrees with itself and the institution; all was told."""
        assert self.paid_out() == {payee(number): 1 for number in numbers}
        async with Client(self.base(asked_at), self.operator_key) as operator:
            ledger = await operator.get("/v1/admin/ledger")
        assert ledger["balanced"], ledger["problems"]
        (float_minor,) = (row["balance_minor"] for row in ledger["data"] if row["book"] == "float")
        (account,) = self.world.shells["alipay"].simulator.accounts()
        assert float_minor == account["balance_fen"]
        owed = {row[0] for row in await self.database.fetch("SELECT id FROM deliveries")}
        assert owed == set(self.heard)

    async def settle_in(self, receiver: int) -> None:
        """Float, merchant, deposit, key, webhook endpoint."""
        async with Client(self.base(0), self.operator_key) as operator:
            self.key = await furnish(operator)
            scopes = ["webhooks"]
            path = "/v1/admin/merchants/acme/keys"
            made = await operator.post(path, {"label": "hooks", "scopes": scopes})
        async with Client(self.base(0), str(made["key"])) as merchant:
            url = f"http://127.0.0.1:{receiver}/webhooks"
            await merchant.post("/v1/webhook-endpoints", {"url": url})
        # Floats as another process has booked them are seen a second later, and a payout that finds
        # none waits a minute.
        await asyncio.sleep(2 * REFRESH.total_seconds())

    async def take_webhook(self, request: web.Request) -> web.Response:
        """As a merchant's receiver."""
        self.heard[request.headers["webhook-id"]] += 1
        return web.Response(status=204)

    @property
    def twice(self) -> str:
        """How many webhooks came more than once, for people to read."""
        again = sum(count - 1 for count in self.heard.values())
        return f"{again} of {self.heard.total()} webhooks were repeats"


@asynccontextmanager
async def fleet(
    folder: Path, url: str, count: int, env: Mapping[str, str] | None = None
) -> AsyncIterator[Fleet]:
    """One Alipay account without notices, a funded merchant with a receiver, `count` gateways."""
    given = make_sandbox(folder, Wishes({"alipay": 1}, seed=7))
    adjust(folder, {"alipay-1": {"balance_fen": FLOAT_FEN, "fee": {}}})
    accounts = [Account(one["kind"], one["account"], one) for one in given]
    world = World(*scenario.load(folder / "sim.yaml"))
    ports = [free_port() for _ in range(max(count, 1))]
    made = install(folder, accounts, TERMS, port=ports[0], channel_names={"alipay-1": CHANNEL})
    shared = {"HANGDAO_DATABASE__URL": url, "HANGDAO_WORKER__LEASE_S": str(LEASE_S)}
    made = replace(made, env={**made.env, **shared, **(env or {})})
    key = await create_operator_key(load(made.config, made.env), "e2e")
    database = await asyncpg.connect(url)
    here = Fleet(
        *(folder, world, url, made, ports),
        [Child(log=folder / "x") for _ in ports],
        database,
        operator_key=key,
    )
    app = web.Application()
    app.router.add_post("/webhooks", here.take_webhook)
    receiver = web.AppRunner(app, access_log=None)
    await receiver.setup()
    port = free_port()
    await web.TCPSite(receiver, "127.0.0.1", port).start()
    try:
        await world.start()
        await asyncio.gather(*(here.start(number) for number in range(count)))
        if count:
            await here.settle_in(port)
        yield here
    finally:
        for child in here.gateways:
            if child.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGCONT)
        await asyncio.gather(*(child.stop() for child in here.gateways))
        await world.stop()
        await receiver.cleanup()
        await database.close()
