"""A running API with a Jeepay account for the merchant, both stock callers, and a courier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests import builders as build
from tests.gateway.api.desk import ACME, open_desk
from tests.gateway.dialects.jeepay_callers import EpayPlugin, SdkMerchant
from tests.gateway.dialects.place import Place, deliver
from tests.gateway.webhooks.receiver import Receiver, receiver

MCH_NO, APP_ID = "M1621873433953", "60cc09bce4b0f1c0b83761c9"
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"


@dataclass(slots=True)
class Shop(Place):
    """Jeepay's callers on one side, the gateway on the other."""

    plugin: EpayPlugin
    sdk: SdkMerchant
    ears: Receiver
    sender: WebhookSender
    deaf: bool = False
    """Whether the callers answer notices with an error page."""
    told: list[dict[str, str]] = field(default_factory=list)

    async def come_back(self) -> None:
        """The bank returns the first order's money."""
        paid = (await self.payouts())[0]
        event = build.came_back(1, amount_minor=paid.amount.minor)
        await self.desk.store.record(build.change(paid, event, at=self.desk.clock.now()))

    async def deliver(self) -> int:
        """Send what is owed now; how many tries that were."""
        return await deliver(self.desk, self.sender)

    async def hear(self, request: web.Request) -> web.Response:
        """The callers' side of a notice."""
        if self.deaf:
            return web.Response(status=502, text="<html>Bad Gateway</html>")
        self.told.append({name: str(value) for name, value in (await request.post()).items()})
        text = self.plugin.notified(request.query_string, await request.read())
        return web.Response(text=text)


@asynccontextmanager
async def open_shop(folder: Path) -> AsyncIterator[Shop]:
    """Configured with a base URL and keys, nothing else."""
    keys = KeySet("k1", build.NOW, SECRET)
    public_id = f"{MCH_NO}:{APP_ID}"
    account = DialectAccount("da_1", ACME, "jeepay", public_id, (keys,), Switches(), build.NOW)
    sender = WebhookSender(Egress(["127.0.0.0/8"]), timeout_s=2)
    async with open_desk(folder) as desk, receiver() as ears:
        await desk.store.add_dialect_account(account, "test")
        base = str(desk.server.make_url("/d/jeepay/"))

        def now() -> float:
            return desk.clock.now().timestamp()

        plugin = EpayPlugin(
            desk.http, base, MCH_NO, APP_ID, SECRET, now, site=f"http://{ears.origin}"
        )
        sdk = SdkMerchant(desk.http, base, MCH_NO, APP_ID, SECRET, now)
        shop = Shop(desk, account, plugin, sdk, ears, sender)
        ears.behaviours["/pay/transfernotify/7/"] = shop.hear
        yield shop
        await sender.aclose()
