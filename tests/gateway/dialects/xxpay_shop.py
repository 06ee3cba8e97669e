"""A running API with an XxPay account for the merchant, its stock caller, and a courier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.api.dialects.notices import DialectNotices
from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.domain.payout import Payout, PayoutId
from gateway.engine.deliver import Courier
from gateway.ports import Search
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests import builders as build
from tests.gateway.api.desk import ACME, Desk, open_desk
from tests.gateway.dialects.xxpayer import XxPayEars, XxPayer
from tests.gateway.webhooks.receiver import receiver

MCH_ID = "20000001"
XXPAY_KEY = "M86L522AV6Q613II4W6U8K48UW8VM1N6BFGYV769220MDYE9U37N4L7O0F37"
NOTIFIED = "/notify/agentpay.htm"


@dataclass(slots=True)
class XxShop:
    """An XxPay caller on one side, the gateway on the other."""

    desk: Desk
    caller: XxPayer
    account: DialectAccount
    ears: XxPayEars
    notify_url: str
    sender: WebhookSender

    async def set(self, **switches: object) -> None:
        """Change the account's switches."""
        changed = replace(self.account.switches, **switches)  # type: ignore[arg-type] # by name
        self.account = replace(self.account, switches=changed, version=self.account.version + 1)
        await self.desk.store.change_dialect_account(self.account, "switched", "test")

    async def payouts(self) -> list[Payout]:
        """Everything the merchant has."""
        return await self.desk.store.search(Search(ACME, limit=200))

    async def order(self, number: str) -> Payout:
        """What is stored under a number."""
        wanted = Search(ACME, merchant_ref=f"{self.account.id}:{number}", limit=1)
        (found,) = await self.desk.store.search(wanted)
        return found

    async def work(self) -> None:
        """Let the gateway do all it can do now."""
        await self.desk.taken_in()
        for payout in await self.payouts():
            await self.desk.work(PayoutId(payout.id))

    async def deliver(self) -> int:
        """Send what is owed now; how many tries that were."""
        courier = Courier(
            self.desk.store,
            self.sender,
            self.desk.clock,
            limit=100,
            concurrency=16,
            notices=DialectNotices(self.desk.gateway, self.sender),
        )
        await courier.start_due()
        await courier.finish()
        await courier.aclose()
        return courier.settled


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
        yield XxShop(desk, caller, account, ears, server.url(NOTIFIED), sender)
        await sender.aclose()
