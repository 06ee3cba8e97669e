"""A running API with an account for the merchant in each protocol, and its caller."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.contract import Rail
from gateway.api.dialects.alipay import Alipay
from gateway.api.dialects.dialect import Counter, Receipts
from gateway.api.dialects.epay import Epay
from gateway.api.dialects.orders import Orders
from gateway.api.dialects.rsa import new_pair
from gateway.domain.dialect import DialectAccount, KeySet, Switches
from gateway.engine import operate
from tests import builders as build
from tests.gateway.api.desk import ACME, open_desk
from tests.gateway.dialects.alipay_app import App
from tests.gateway.dialects.epayn import Epayn
from tests.gateway.dialects.jeepay_shop import Shop, open_shop
from tests.gateway.dialects.place import Place
from tests.gateway.dialects.xxpay_shop import XxShop, open_xxshop

PID = "10001"
MD5_KEY = "0123456789abcdef0123456789abcdef"


@cache
def pairs() -> tuple[tuple[str, str], ...]:
    """Key pairs, made once: caller's, platform's, and another caller's."""
    return tuple(new_pair() for _ in range(3))


@dataclass(slots=True)
class Site(Place):
    """An Epay site on one side, the gateway on the other."""

    plugin: Epayn

    def md5(self) -> Epayn:
        """The plugin of a caller that signs with MD5."""
        return dataclasses.replace(self.plugin, md5_key=MD5_KEY, appsecret=None)


@asynccontextmanager
async def open_site(folder: Path) -> AsyncIterator[Site]:
    """Configured with a base URL and keys, nothing else."""
    (private, public), (ours, _), _ = pairs()
    keys = KeySet("k1", build.NOW, MD5_KEY, public, ours)
    account = DialectAccount("da_1", ACME, "epay", PID, (keys,), Switches(), build.NOW)
    async with open_desk(folder) as desk:
        await desk.store.add_dialect_account(account, "test")
        plugin = Epayn(
            http=desk.http,
            appurl=str(desk.server.make_url("/d/epay/")),
            appid=PID,
            appkey=Epay().public_parts(keys)["platform_public_key"],
            appsecret=private,
            now=lambda: desk.clock.now().timestamp(),
        )
        yield Site(desk, account, plugin)


APP_ID = "2021000000000001"
REACHED = (Rail.BANK_CARD, Rail.ALIPAY, Rail.BANK_ACCOUNT)


@dataclass(slots=True)
class OpenPlatform(Place):
    """An application on one side, the gateway in Alipay's place on the other."""

    app: App

    @property
    def counter(self) -> Counter:
        """To be asked without HTTP."""
        gateway = self.desk.gateway
        return Counter(gateway, Orders(gateway), Receipts(gateway), self.desk.api.check_webhook_url)


@asynccontextmanager
async def open_platform(folder: Path) -> AsyncIterator[OpenPlatform]:
    """Configured with an address and keys, nothing else; one channel pays, to accounts as well."""
    (private, public), (ours, _), _ = pairs()
    keys = KeySet("k1", build.NOW, None, public, ours)
    account = DialectAccount("da_1", ACME, "alipay", APP_ID, (keys,), Switches(), build.NOW)
    async with open_desk(folder) as desk:
        desk.till.traits = replace(desk.till.traits, rails=frozenset(REACHED))
        await operate.switch_channel(desk.gateway, "alipay-main", "paused", "test", "test")
        await desk.store.add_dialect_account(account, "test")
        app = App(
            http=desk.http,
            url=str(desk.server.make_url("/d/alipay/gateway.do")),
            app_id=APP_ID,
            alipay_public_key=Alipay().public_parts(keys)["alipay_public_key"],
            private_key=private,
            now=desk.clock.now,
        )
        yield OpenPlatform(desk, account, app)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Epay's caller."""
    async with open_site(tmp_path) as opened:
        yield opened


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[OpenPlatform]:
    """Alipay's caller."""
    async with open_platform(tmp_path) as opened:
        yield opened


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Jeepay's callers, configured with a base URL and keys."""
    async with open_shop(tmp_path) as opened:
        yield opened


@pytest.fixture
async def xxshop(tmp_path: Path) -> AsyncIterator[XxShop]:
    """XxPay's caller, configured with a base URL, an id and a key."""
    async with open_xxshop(tmp_path) as opened:
        yield opened
