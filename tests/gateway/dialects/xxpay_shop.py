"""A running API with an XxPay account for the merchant, its stock caller, and a courier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.domain.payout import Payout
from gateway.ports import Search
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests import builders as build
from tests.gateway.api.desk import ACME, open_desk
from tests.gateway.dialects.place import Place, deliver
from tests.gateway.dialects.xxpayer import XxPayEars, XxPayer
from tests.gateway.webhooks.receiver import receiver

MCH_ID = "20000001"
XXPAY_KEY = "M86L522AV6Q613II4W6U8K48UW8VM1N6BFGYV769220MDYE9U37N4L7O0F37"
NOTIFIED = "/notify/agentpay.htm"


@dataclass(slots=True)
class XxShop(Place):
    """An XxPay caller on one side, the gateway on the other."""

    caller: XxPayer
    ears: XxPayEars
    notify_url: str
    sender: WebhookSender

    async def order(self, number: str) -> Payout:
        """What is stored under a number."""
        wanted = Search(ACME, merchant_ref=f"{self.account.id}:{number}", limit=1)
        (found,) = await self.desk.store.search(wanted)
        return found

    async def deliver(self) -> int:
        """Send what is owed now; how many tries that were."""
        return await deliver(self.desk, self.sender)


@asynccontextmanager
async def open_xxshop(folder: Path) -> AsyncIterator[XxShop]:
    """Configured with a base URL, an id and a key, nothing else."""
    keys = KeySet("k1", build.NOW, XXPAY_KEY)
    account = DialectAccount("da_x", ACME, "xxpay", MCH_ID, (keys,), Switches(), build.NOW)
    sender = WebhookSender(Egress(["127.0.0.0/8"]), timeout_s=2)
    async with open_desk(folder) as desk, receiver() as server:
        await desk.store.add_dialect_account(account, "test")
        caller = XxPayer(
            http=desk.http,
            base_url=str(desk.server.make_url("/d/xxpay/")),
            mch_id=MCH_ID,
            key=XXPAY_KEY,
            now=lambda: desk.clock.now().timestamp(),
        )
        ears = XxPayEars(XXPAY_KEY)
        server.behaviours[NOTIFIED] = ears.hear
        yield XxShop(desk, account, caller, ears, server.url(NOTIFIED), sender)
        await sender.aclose()
