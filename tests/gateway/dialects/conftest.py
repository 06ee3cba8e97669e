"""A running API with an account for the merchant in each protocol, and its caller."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from gateway.api.dialects.epay import Epay
from gateway.api.dialects.epay_signing import new_pair
from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.domain.payout import Payout, PayoutId
from gateway.ports import Search
from tests import builders as build
from tests.gateway.api.desk import ACME, Desk, open_desk
from tests.gateway.dialects.epayn import Epayn
from tests.gateway.dialects.xxpayer import XxPayer

PID, MCH_ID = "10001", "20000001"
XXPAY_KEY = "M86L522AV6Q613II4W6U8K48UW8VM1N6BFGYV769220MDYE9U37N4L7O0F37"
MD5_KEY = "0123456789abcdef0123456789abcdef"


@cache
def pairs() -> tuple[tuple[str, str], ...]:
    """Key pairs, made once: caller's, platform's, and another caller's."""
    return tuple(new_pair() for _ in range(3))


@dataclass(slots=True)
class Site:
    """An Epay site on one side, the gateway on the other."""

    desk: Desk
    plugin: Epayn
    account: DialectAccount

    async def set(self, **switches: object) -> None:
        """Change the account's switches."""
        changed = replace(self.account.switches, **switches)  # type: ignore[arg-type] # by name
        self.account = replace(self.account, switches=changed, version=self.account.version + 1)
        await self.desk.store.change_dialect_account(self.account, "changed", "test")

    async def payouts(self) -> list[Payout]:
        """Everything the merchant has, oldest first."""
        return (await self.desk.store.search(Search(ACME, limit=200)))[::-1]

    async def work(self) -> None:
        """Let the gateway do all it can do now."""
        for payout in await self.payouts():
            await self.desk.work(PayoutId(payout.id))

    def md5(self) -> Epayn:
        """The plugin of a caller that signs with MD5."""
        return replace(self.plugin, md5_key=MD5_KEY, appsecret=None)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Configured with a base URL and keys, nothing else."""
    (private, public), (ours, _), _ = pairs()
    keys = KeySet("k1", build.NOW, MD5_KEY, public, ours)
    account = DialectAccount("da_1", ACME, "epay", PID, (keys,), Switches(), build.NOW)
    async with open_desk(tmp_path) as desk:
        await desk.store.add_dialect_account(account, "test")
        plugin = Epayn(
            http=desk.http,
            appurl=str(desk.server.make_url("/d/epay/")),
            appid=PID,
            appkey=Epay().public_parts(keys)["platform_public_key"],
            appsecret=private,
            now=lambda: desk.clock.now().timestamp(),
        )
        yield Site(desk, plugin, account)


@dataclass(slots=True)
class Shop:
    """An XxPay caller on one side, the gateway on the other."""

    desk: Desk
    caller: XxPayer
    account: DialectAccount

    async def set(self, **switches: object) -> None:
        """Change the account's switches."""
        changed = replace(self.account.switches, **switches)  # type: ignore[arg-type] # by name
        self.account = replace(self.account, switches=changed, version=self.account.version + 1)
        await self.desk.store.change_dialect_account(self.account, "switched", "test")

    async def payouts(self) -> list[Payout]:
        """Everything the merchant has, oldest first."""
        return (await self.desk.store.search(Search(ACME, limit=200)))[::-1]

    async def order(self, number: str) -> Payout:
        """What is stored under a number."""
        wanted = Search(ACME, merchant_ref=f"{self.account.id}:{number}", limit=1)
        (found,) = await self.desk.store.search(wanted)
        return found

    async def work(self) -> None:
        """Let the gateway do all it can do now."""
        for payout in await self.payouts():
            await self.desk.work(PayoutId(payout.id))


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Configured with a base URL, an id and a key, nothing else."""
    keys = KeySet("k1", build.NOW, XXPAY_KEY)
    account = DialectAccount("da_x", ACME, "xxpay", MCH_ID, (keys,), Switches(), build.NOW)
    async with open_desk(tmp_path) as desk:
        await desk.store.add_dialect_account(account, "test")
        caller = XxPayer(
            http=desk.http,
            base_url=str(desk.server.make_url("/d/xxpay/")),
            mch_id=MCH_ID,
            key=XXPAY_KEY,
            now=lambda: desk.clock.now().timestamp(),
        )
        yield Shop(desk, caller, account)
