"""A gateway as a process of its own, which a test may kill, before an institution in this one."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from gateway.sandbox.installation import Installation, free_port, install
from gateway.sandbox.institutions import Account, adjust
from gateway.sandbox.merchant import Client
from gateway.sandbox.processes import Child
from gateway.settings import Loaded, load
from gateway.wiring import create_operator_key
from simulators import scenario
from simulators.faults import read_rule
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox
from simulators.world import World

FLOAT_FEN = 100_000_000
TERMS: Mapping[str, Mapping[str, Any]] = {
    "alipay-1": {"currency": "CNY", "amount_min": 10, "amount_max": 10_000_000, "fee": {}}
}
CHANNEL = "alipay-main"
PATIENCE_S = 20.0


@dataclass
class Town:
    """What runs, and how to speak with it."""

    folder: Path
    world: World
    installation: Installation
    gateway: Child
    operator: Client
    merchant: Client
    key: str

    @property
    def settings(self) -> Loaded:
        """The gateway's configuration."""
        return load(self.installation.config, self.installation.env)

    async def start(self, *steps: str) -> None:
        """Start the gateway (again); with `steps`, as `tests.e2e.deadly` takes them."""
        self.gateway = Child(
            *(("tests.e2e.deadly", *steps) if steps else ("gateway",)),
            *("serve", "--config", str(self.installation.config)),
            log=self.folder / "gateway.log",
            # Once halted, nobody here reads what it would stay for.
            env={**self.installation.env, "HANGDAO_WORKER__HALT_LINGER_S": "1"},
        )
        await self.gateway.start()

    async def kill(self) -> None:
        """As a power cut: no handler runs, nothing is flushed."""
        pid = self.gateway.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await self.gateway.wait() == -signal.SIGKILL

    async def dead(self) -> None:
        """Wait until it has killed itself."""
        async with asyncio.timeout(PATIENCE_S):
            assert await self.gateway.wait() == -signal.SIGKILL

    async def ask(self, number: int, **changes: object) -> httpx.Response:
        """Ask for a payout; the same number is the same request, and may be asked for again."""
        async with httpx.AsyncClient(
            base_url=self.installation.url, trust_env=False, timeout=15
        ) as http:
            return await http.post(
                "/v1/payouts",
                json={**body(number), **changes},
                headers={"Authorization": f"Bearer {self.key}"},
            )

    async def ask_until_taken(self, number: int) -> httpx.Response:
        """The same, coming again as callers are told to while there is no room."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self.ask(number)
                if answer.status_code != 503:
                    return answer
                await asyncio.sleep(int(answer.headers["Retry-After"]))

    async def payouts(self) -> dict[str, Mapping[str, Any]]:
        """Every payout by the merchant's number."""
        return {one["merchant_ref"]: one async for one in self.merchant.pages("/v1/payouts")}

    async def until_paid(self, count: int) -> dict[str, Mapping[str, Any]]:
        """Wait until so many are paid."""
        known: dict[str, Mapping[str, Any]] = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                while sum(one["state"] == "paid" for one in known.values()) < count:
                    await asyncio.sleep(0.1)
                    known = await self.payouts()
        except TimeoutError:
            open_ = [one for one in known.values() if one["state"] != "paid"]
            raise AssertionError(f"not paid: {[await self.told(one) for one in open_]}") from None
        return known

    async def told(self, payout: Mapping[str, Any]) -> object:
        """What the gateway says of a payout that is not where it should be, and its log."""
        why = await self.merchant.get(f"/v1/payouts/{payout['id']}/why")
        log = (self.folder / "gateway.log").read_text(errors="replace")
        return payout["state"], why, log[-2000:]

    async def until_over(self, batch: str) -> Mapping[str, Any]:
        """Wait until a batch is done or refused."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                shown: Mapping[str, Any] = await self.merchant.get(f"/v1/batches/{batch}")
                if shown["state"] in {"done", "refused"}:
                    return shown
                await asyncio.sleep(0.1)

    def slow_down(self, seconds: str) -> str:
        """Every submission is carried out at once and answered so much later."""
        rule = {"op": "submit", "action": "slow", "params": {"fixed": seconds}}
        return self.world.add_rule(read_rule(rule, self.world.clock.now())).id

    def paid_out(self) -> Counter[str]:
        """How often each payee really got money, by the institution's own books."""
        truth = self.world.shells["alipay"].simulator.truth()
        return Counter(one.payee for one in truth if one.kind == "payout")

    async def until_moved(self, count: int) -> None:
        """Wait until the institution has paid so often, whatever we have heard of it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if self.paid_out().total() >= count:
                    return
                await asyncio.sleep(0.005)

    async def check_books(self) -> None:
        """The ledger agrees with itself and with the institution."""
        ledger = await self.operator.get("/v1/admin/ledger")
        assert ledger["balanced"], ledger["problems"]
        (float_minor,) = (row["balance_minor"] for row in ledger["data"] if row["book"] == "float")
        (account,) = self.world.shells["alipay"].simulator.accounts()
        assert float_minor == account["balance_fen"]


def payee(number: int) -> str:
    """Each payout has a beneficiary of its own."""
    return f"payee{number}@example.test"


def body(number: int) -> dict[str, Any]:
    """What is asked for."""
    return {
        "merchant_ref": f"town-{number:04d}",
        "amount_minor": 20_000 + number,
        "currency": "CNY",
        "beneficiary": {
            "instruments": [
                {
                    "rail": "alipay",
                    "identity": payee(number),
                    "identity_type": "logon_id",
                    "name": "张三丰",
                }
            ]
        },
        "purpose": "货款结算",
    }


@asynccontextmanager
async def town(
    folder: Path, *steps: str, edit: Callable[[dict[str, Any]], None] | None = None
) -> AsyncIterator[Town]:
    """One Alipay account without notices, one funded merchant, a gateway that serves.

    `steps`: what its first start is given. `edit` changes its configuration.
    """
    given = make_sandbox(folder, Wishes({"alipay": 1}, seed=7))
    adjust(folder, {"alipay-1": {"balance_fen": FLOAT_FEN, "fee": {}}})
    accounts = [Account(one["kind"], one["account"], one) for one in given]
    world = World(*scenario.load(folder / "sim.yaml"))
    installation = install(
        folder, accounts, TERMS, port=free_port(), channel_names={"alipay-1": CHANNEL}
    )
    if edit is not None:
        document = yaml.safe_load(installation.config.read_text(encoding="utf-8"))
        edit(document)
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        installation.config.write_text(text, encoding="utf-8")
    operator_key = await create_operator_key(load(installation.config, installation.env), "e2e")
    made: Town | None = None
    try:
        await world.start()
        async with Client(installation.url, operator_key) as operator:
            made = Town(
                *(folder, world, installation, Child(log=folder / "x"), operator),
                *(operator, ""),
            )
            await made.start(*steps)
            made.key = await furnish(operator)
            async with Client(installation.url, made.key) as merchant:
                made.merchant = merchant
                yield made
    finally:
        if made is not None:
            await made.gateway.stop()
        await world.stop()


async def furnish(operator: Client) -> str:
    """Float, merchant, deposit; returns the merchant's key."""
    booking = {"amount_minor": FLOAT_FEN, "currency": "CNY", "key": "opening"}
    await operator.post(f"/v1/admin/channels/{CHANNEL}/topup", booking)
    merchant = {"id": "acme", "name": "Acme", "funding": "prefunded"}
    await operator.post("/v1/admin/merchants", merchant)
    await operator.post("/v1/admin/merchants/acme/fund", booking)
    scopes = ["payouts:write", "payouts:read"]
    made = await operator.post("/v1/admin/merchants/acme/keys", {"label": "e2e", "scopes": scopes})
    return str(made["key"])
