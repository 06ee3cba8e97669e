"""The native API as callers meet it: a real application on a real socket over a real database."""

import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from yarl import URL

from channels.alipay.channel import build as build_alipay
from channels.alipay.settings import AlipaySettings
from channels.contract import Channel, Tariff, Terms
from channels.money import Currency
from channels.wechat_pay.channel import build as build_wechat
from channels.wechat_pay.settings import WechatPaySettings
from gateway.api.app import build_app
from gateway.api.auth import Authenticator, new_key
from gateway.api.confirm_links import ConfirmLinks
from gateway.api.context import Api
from gateway.api.dialects.door import ORDERS
from gateway.api.quick import quicken
from gateway.audit.export import LastSigned
from gateway.clock import SystemEntropy
from gateway.compiler import PolicyCompiler, built_in
from gateway.domain.checkpoint import Signer
from gateway.domain.payout import MerchantId, PayoutId
from gateway.engine import operate
from gateway.engine.audit import Auditor
from gateway.engine.balances import Balances
from gateway.engine.gateway import Gateway, Told
from gateway.engine.load import Load
from gateway.engine.plan import Planner
from gateway.engine.policies import Board
from gateway.engine.worker import advance, refresh
from gateway.observe import Metrics, Observe, make_log
from gateway.ports import Merchant, Scope
from gateway.store import SqlStore, Vault, open_store
from gateway.webhooks.egress import Egress
from gateway.webhooks.signing import new_secret
from gateway.wiring import _Requests
from policies import document
from policies.health import Health
from tests import beside
from tests.builders import merchant
from tests.channels.alipay import platform as alipay
from tests.channels.wechat_pay import platform as wechat
from tests.contracts.store.conftest import KEK, SettableClock
from tests.gateway.api.till import Till

BODY_MAX = 64 * 1024
PEPPER = b"pepper-of-at-least-thirty-two-bytes"
PUBLIC = "https://pay.example.test"
MERCHANT_SCOPES = frozenset({Scope.PAYOUTS_READ, Scope.PAYOUTS_WRITE, Scope.WEBHOOKS})
OPERATOR_SCOPES = frozenset({Scope.ADMIN, Scope.PAYOUTS_READ, Scope.PAYOUTS_WRITE})
ACME, OTHER = MerchantId("m_acme"), MerchantId("m_other")

CARD = "6222021234567890123"
BANK_CARD: Mapping[str, Any] = {
    "rail": "bank_card",
    "number": CARD,
    "name": "王小五",
    "bank_code": "ICBC",
}


def payout_body(**changes: Any) -> dict[str, Any]:
    """A valid request for 123.45 to a bank card; None takes a field away."""
    body = {
        "merchant_ref": "order-1",
        "amount_minor": 12_345,
        "currency": "CNY",
        "beneficiary": {"instruments": [dict(BANK_CARD)]},
        "purpose": "货款",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read to the end."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.raw)

    @property
    def code(self) -> str:
        """A problem's code; fails for anything that is not a problem document."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.raw
        code = self.json["code"]
        assert isinstance(code, str)
        return code


@dataclass(slots=True)
class Desk:
    """A running API and everything behind it."""

    server: TestServer
    http: ClientSession
    gateway: Gateway
    store: SqlStore
    clock: SettableClock
    api: Api
    observe: Observe
    till: Till
    file: Path
    log: io.StringIO
    troubles: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    signing: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "acme",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask; `body` is JSON unless it is bytes, `key` is a name in `keys` or None for none."""
        sent: dict[str, str] = {}
        if key is not None:
            sent["Authorization"] = f"Bearer {self.keys[key]}"
        data = body if isinstance(body, bytes) else None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = data if data is not None else orjson.dumps(body)
        url = URL(f"{self.server.make_url('/')}{path[1:]}", encoded=True)
        if query is not None:
            url = url.with_query(query)
        async with self.http.request(
            method, url, data=data, headers=sent | dict(headers or {})
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **rest: Any) -> Answer:
        """Read something."""
        return await self.call("GET", path, **rest)

    async def post(self, path: str, body: Any = None, **rest: Any) -> Answer:
        """Do something."""
        return await self.call("POST", path, body, **rest)

    async def pay(self, ref: str = "order-1", *, key: str = "acme", **changes: Any) -> str:
        """Make a payout; gives its id."""
        made = await self.post("/v1/payouts", payout_body(merchant_ref=ref, **changes), key=key)
        assert made.status == 201, made.raw
        made_id = made.json["id"]
        assert isinstance(made_id, str)
        return made_id

    async def taken_in(self) -> None:
        """Wait for orders that are stored without their callers, as on a busy machine."""
        await self.server.app[ORDERS].finish()

    async def work(self, payout_id: str) -> None:
        """Let the gateway do everything it can do for a payout now."""
        await refresh(self.gateway)
        await advance(self.gateway, Told(PayoutId(payout_id)))

    async def add_merchant(self, stored: Merchant, *, funds_minor: int = 100_000_000) -> None:
        """A merchant with money and a key named after what follows `m_` in its id."""
        await self.store.add_merchant(stored, "test")
        if funds_minor:
            await operate.fund(
                self.gateway, stored.id, Currency.CNY, funds_minor, f"start-{stored.id}", "test"
            )
        await self.add_key(stored.id.removeprefix("m_"), stored.id, MERCHANT_SCOPES)

    async def add_key(
        self,
        name: str,
        merchant_id: MerchantId | None,
        scopes: frozenset[Scope],
        *,
        signed: bool = False,
        person: str | None = None,
    ) -> str:
        """A key under a name of the test's own; gives its id."""
        stored, text, signing = new_key(
            self.gateway.entropy,
            PEPPER,
            merchant_id=merchant_id,
            scopes=scopes,
            label=name,
            signed=signed,
            now=self.clock.now(),
            person=person,
        )
        await self.store.add_key(stored, "test")
        self.keys[name] = text
        if signing is not None:
            self.signing[name] = signing
        return stored.id

    def rows(self) -> dict[str, int]:
        """How many rows each table has, heartbeats aside."""
        named = "SELECT name FROM sqlite_master WHERE type = 'table'"
        names = [
            name
            for (name,) in beside.read(self.file, named)
            if name != "heartbeats" and not name.startswith("sqlite_")
        ]
        # One look: opening the file for each table takes longer than counting.
        counted = " UNION ALL ".join(
            f"SELECT '{name}', COUNT(*) FROM {name}"  # noqa: S608 - names come from the schema
            for name in names
        )
        return dict(beside.read(self.file, counted))

    def log_lines(self) -> list[dict[str, Any]]:
        """What was logged."""
        return [orjson.loads(line) for line in self.log.getvalue().splitlines()]


@cache
def _credentials() -> tuple[AlipaySettings, WechatPaySettings]:
    # Checking a private key takes some 40 ms.
    return alipay.settings(products={"alipay": "TRANS_ACCOUNT_NO_PWD"}), wechat.settings()


def real_channels(now: Callable[[], datetime]) -> dict[str, Channel]:
    """Two configured institutions where nothing listens; they check and sign, and reach none."""
    for_alipay, for_wechat = _credentials()
    limits = Terms(Currency.CNY, amount_min=10, amount_max=5_000_000, tariffs=(Tariff(),))
    return {
        "alipay-main": build_alipay("alipay-main", for_alipay, limits, now),
        "wechat-main": build_wechat("wechat-main", for_wechat, wechat.terms(), now),
    }


@asynccontextmanager
async def open_desk(folder: Path, *, body_max: int = BODY_MAX) -> AsyncIterator[Desk]:
    """An API with two funded merchants, an operator, and three channels of which one can pay."""
    clock, entropy, log = SettableClock(), SystemEntropy(), io.StringIO()
    observe = Observe(make_log(clock, log, level="debug"), Metrics("1.2.3"))
    file = folder / "desk.db"
    store = await open_store(f"sqlite://{file}", Vault(KEK), clock, migrate=True)
    till = Till()
    gateway = Gateway(
        store=store,
        clock=clock,
        entropy=entropy,
        channels={**real_channels(clock.now), "till": till},
        policy=document.load(document.example(), "built-in policy"),
        health=Health(),
        observer=observe,
        load=Load(),
    )
    troubles: list[str] = []

    async def ready() -> list[str]:
        return [*troubles, *([] if await store.healthy() else ["the store does not take writes"])]

    def move_clock(seconds: int) -> None:
        clock.at += timedelta(seconds=seconds)

    signer = Signer("hangdao", bytes(range(32)))
    auditor = Auditor(store, clock, observe, signer, LastSigned(folder), ())
    board = Board(gateway, PolicyCompiler(gateway.channels, clock), built_in())
    await board.begin()
    api = Api(
        gateway=gateway,
        authenticator=Authenticator(store, clock, PEPPER),
        auditor=auditor,
        policies=board,
        entropy=entropy,
        pepper=PEPPER,
        version="1.2.3",
        check_webhook_url=Egress().check_url,
        new_webhook_secret=new_secret,
        ready=ready,
        notes=list,
        planner=Planner(gateway, mode="on"),
        balances=Balances(gateway),
        metrics=observe.metrics.render,
        confirm_links=ConfirmLinks(PUBLIC, PEPPER),
        advance_clock=move_clock,
    )
    app = build_app(api, body_max=body_max, observe_http=_Requests(observe))
    server = TestServer(app)
    await server.start_server(access_log=None)
    assert server.runner is not None
    assert server.runner.server is not None
    quicken(server.runner.server, app)
    async with ClientSession() as http:
        desk = Desk(server, http, gateway, store, clock, api, observe, till, file, log, troubles)
        try:
            await desk.add_merchant(merchant(ACME))
            await desk.add_merchant(merchant(OTHER, name="Other 公司"))
            await desk.add_key("operator", None, OPERATOR_SCOPES)
            await operate.top_up(gateway, "till", Currency.CNY, 100_000_000, "float", "test")
            yield desk
        finally:
            await server.close()
            for channel in gateway.channels.values():
                await channel.aclose()
            await store.aclose()
