"""Each door with its stock caller, here and through another process that knows nobody yet."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import ServerDisconnectedError
from aiohttp.test_utils import TestServer

from gateway.api.app import build_app
from gateway.api.dialects.door import ORDERS
from gateway.domain.payout import PayoutId
from gateway.ports import Search
from tests.gateway.api.desk import ACME, CARD, Desk
from tests.gateway.dialects.conftest import open_platform, open_site
from tests.gateway.dialects.jeepay_shop import open_shop
from tests.gateway.dialects.xxpay_shop import open_xxshop

Call = Callable[[str], Awaitable[Mapping[str, Any]]]
OPENING: Mapping[str, Callable[[Path], AbstractAsyncContextManager[Any]]] = {
    "epay": open_site,
    "jeepay": open_shop,
    "xxpay": open_xxshop,
    "alipay": open_platform,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """One configured caller; None is a connection that ended without an answer."""

    dialect: str
    submission: Call
    question: Call

    async def submit(self, number: str) -> Mapping[str, Any] | None:
        """Ask for 12.30 yuan to a payee, always the same."""
        with suppress(ServerDisconnectedError):
            return await self.submission(number)
        return None

    async def query(self, number: str) -> Mapping[str, Any] | None:
        """Ask what became of it."""
        with suppress(ServerDisconnectedError):
            return await self.question(number)
        return None

    def is_taken(self, said: Mapping[str, Any] | None) -> bool:
        """Whether it is told that there is an order."""
        if said is None:
            return False
        return {
            "epay": said.get("code") == 0,
            "jeepay": said.get("code") == 0,
            "xxpay": said.get("retCode") == "SUCCESS",
            "alipay": said.get("code") == "10000",
        }[self.dialect]

    def is_refused(self, said: Mapping[str, Any] | None) -> bool:
        """Whether it is told "not paid". Alipay's 20000 means to ask again."""
        return not self.is_taken(said) and said is not None and said.get("code") != "20000"


@dataclass(frozen=True, slots=True)
class House:
    """One door, its caller here, and the same caller at another process."""

    dialect: str
    desk: Desk
    here: Caller
    there: Caller
    second: TestServer

    async def finish(self) -> None:
        """Wait for what is under way in either process."""
        await self.desk.taken_in()
        await self.second.app[ORDERS].finish()

    async def stored(self) -> set[str]:
        """The numbers of all orders there are, once those under way are."""
        await self.finish()
        found = await self.desk.store.search(Search(ACME, limit=200))
        return {one.merchant_ref.partition(":")[2] for one in found}

    async def work(self) -> None:
        """Let the gateway do all it can do now."""
        await self.stored()
        for one in await self.desk.store.search(Search(ACME, limit=200)):
            await self.desk.work(PayoutId(one.id))


@asynccontextmanager
async def open_house(dialect: str, folder: Path) -> AsyncIterator[House]:
    """The same installation twice, before one database."""
    async with OPENING[dialect](folder) as place:
        second = TestServer(build_app(place.desk.api, body_max=65_536))
        await second.start_server(access_log=None)
        bases = [str(one.make_url(f"/d/{dialect}/")) for one in (place.desk.server, second)]
        here, there = [_caller(dialect, place, base) for base in bases]
        try:
            yield House(dialect, place.desk, here, there, second)
        finally:
            await second.close()


def _caller(dialect: str, place: Any, base: str) -> Caller:
    match dialect:
        case "epay":
            plugin = replace(place.plugin, appurl=base)
            order = {"type": "bank", "account": CARD, "name": "王小五", "money": "12.30"}
            return Caller(
                dialect,
                lambda number: plugin.ask("api/transfer/submit", out_biz_no=number, **order),
                plugin.query,
            )
        case "jeepay":
            sdk = replace(place.sdk, base=base)
            return Caller(dialect, sdk.transfer, lambda number: sdk.query(mchOrderNo=number))
        case "xxpay":
            payer = replace(place.caller, base_url=base)
            fields = {"amount": "1230", "accountName": "王小五", "accountNo": CARD}
            return Caller(
                dialect,
                lambda number: payer.ask(payer.apply_path, mchOrderNo=number, **fields),
                payer.query,
            )
    app = replace(place.app, url=f"{base}gateway.do")
    return Caller(dialect, app.pay, app.query)
