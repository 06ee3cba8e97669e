"""What every caller's place in the tests has: a running API, and an account in its protocol."""

from dataclasses import dataclass

from msgspec.structs import replace

from gateway.api.dialects.notices import DialectNotices
from gateway.domain.dialect import DialectAccount
from gateway.domain.payout import Payout, PayoutId
from gateway.engine.deliver import Courier
from gateway.ports import Search
from gateway.webhooks.sender import WebhookSender
from tests.gateway.api.desk import ACME, Desk


@dataclass(slots=True)
class Place:
    """The gateway's side."""

    desk: Desk
    account: DialectAccount

    async def set(self, **switches: object) -> None:
        """Change the account's switches."""
        changed = replace(self.account.switches, **switches)
        await self.change(switches=changed)

    async def change(self, **fields: object) -> None:
        """Change the account."""
        version = self.account.version + 1
        self.account = replace(self.account, **fields, version=version)
        await self.desk.store.change_dialect_account(self.account, "changed", "test")

    async def payouts(self) -> list[Payout]:
        """Everything the merchant has, oldest first."""
        return (await self.desk.store.search(Search(ACME, limit=200)))[::-1]

    async def work(self) -> None:
        """Let the gateway do all it can do now."""
        await self.desk.taken_in()
        for payout in await self.payouts():
            await self.desk.work(PayoutId(payout.id))


async def deliver(desk: Desk, sender: WebhookSender) -> int:
    """Send the notices that are owed now; how many tries that were."""
    courier = Courier(
        *(desk.store, sender, desk.clock),
        limit=100,
        concurrency=16,
        notices=DialectNotices(desk.gateway, sender),
    )
    await courier.start_due()
    await courier.finish()
    await courier.aclose()
    return courier.settled
