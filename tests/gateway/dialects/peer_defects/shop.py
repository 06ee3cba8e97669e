"""An Epay site before a whole gateway with real institutions behind it.

The plugin is the stock one; only its way to the door is shortened, since the door itself is tested
elsewhere and a gateway that dies and starts again has no fixed address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import ServerDisconnectedError

from gateway.api.confirm_links import ConfirmLinks
from gateway.api.dialects.dialect import Counter, Receipts
from gateway.api.dialects.epay import Epay
from gateway.api.dialects.orders import Orders
from gateway.api.dialects.wire import Ask
from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.domain.ledger import Book
from gateway.domain.payout import Payout
from gateway.ports import Search
from tests.gateway.dialects.conftest import PID, pairs
from tests.gateway.dialects.epayn import Epayn, Told
from tests.gateway.engine.rig import Rig

TO_ZHANG = {"type": "alipay", "account": "zhang@example.test", "name": "张三丰", "money": "123.45"}
TO_LI = {"type": "wxpay", "account": "oLiSi-openid", "name": "李四", "money": "123.45"}


@dataclass(slots=True)
class NearPlugin(Epayn):
    """The plugin with the gateway's process at the other end of its sleeve."""

    counter: Counter | None = None

    async def post(self, path: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """As over the wire; silence is a connection that ended."""
        assert self.counter is not None
        body = urlencode(fields).encode()
        kind = "application/x-www-form-urlencoded"
        said = await Epay().answer(
            self.counter, Ask("POST", f"/{path}", kind, "", body, "127.0.0.1")
        )
        if said.silent:
            raise ServerDisconnectedError
        read = orjson.loads(said.body)
        assert isinstance(read, dict)
        return read


@dataclass(slots=True)
class Shop:
    """The site, its plugin, and the world behind the gateway."""

    rig: Rig
    plugin: NearPlugin
    links: ConfirmLinks | None = None

    def reconnect(self) -> None:
        """The gateway started anew: its doors know nobody."""
        gateway = self.rig.gateway
        self.plugin.counter = Counter(
            *(gateway, Orders(gateway), Receipts(gateway), lambda _: None),
            confirm_links=self.links,
        )

    async def taken_in(self) -> None:
        """Wait for orders that are stored without their callers, as on a busy machine."""
        assert self.plugin.counter is not None
        await self.plugin.counter.orders.finish()

    async def submit(self, number: str, **fields: str) -> Told:
        """To Zhang's Alipay account, unless told otherwise; then all that can happen happens."""
        told = await self.plugin.submit(number, **{**TO_ZHANG, **fields})
        await self.taken_in()
        if self.rig.worker is not None:
            await self.rig.quiet()
        return told

    async def status(self, number: str) -> object:
        """What the site is told when it asks."""
        found = await self.plugin.query(number)
        assert found["code"] == 0, found
        return found["status"]

    async def payouts(self) -> list[Payout]:
        """Everything there is, oldest first."""
        wanted = Search(self.rig.merchant.id, limit=200)
        return (await self.rig.store.search(wanted))[::-1]

    async def balances(self) -> tuple[int, int]:
        """What the merchant has free, and what is held."""
        owner = self.rig.merchant.id
        return (
            await self.rig.balance(Book.AVAILABLE, owner),
            await self.rig.balance(Book.HELD, owner),
        )


async def open_shop(
    rig: Rig,
    *,
    plugin_of: type[NearPlugin] = NearPlugin,
    links: ConfirmLinks | None = None,
    **switches: Any,
) -> Shop:
    """Give the merchant of a running gateway an Epay account."""
    (private, public), (ours, _), _ = pairs()
    keys = KeySet("k1", rig.now(), "0123456789abcdef0123456789abcdef", public, ours)
    account = DialectAccount(
        "da_1", rig.merchant.id, "epay", PID, (keys,), Switches(**switches), rig.now()
    )
    await rig.store.add_dialect_account(account, "test")
    plugin = plugin_of(
        http=None,  # type: ignore[arg-type] # it does not go that way
        appurl="near/",
        appid=PID,
        appkey=Epay().public_parts(keys)["platform_public_key"],
        appsecret=private,
        now=lambda: rig.now().timestamp(),
    )
    shop = Shop(rig, plugin, links)
    shop.reconnect()
    return shop
