"""A whole gateway against whole institutions: real store, real adapters, real sockets, one clock.

Nothing is faked but time and randomness. What money really moved is read from the simulators' own
books; `Rig.check` compares them with our ledger after every test.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels.alipay.channel import build as build_alipay
from channels.alipay.settings import AlipaySettings
from channels.contract import (
    NOTICE_QUERY,
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Channel,
    Instrument,
    Rail,
    Tariff,
    Terms,
    WechatWallet,
)
from channels.money import Currency
from channels.registry import KINDS
from channels.wechat_pay.channel import build as build_wechat_pay
from channels.wechat_pay.settings import WechatPaySettings
from gateway.domain.ledger import Book, funded, topped_up
from gateway.domain.payout import Attempt, Payout, PayoutState
from gateway.engine.accept import Request, accept
from gateway.engine.gateway import Gateway, Limits, Told
from gateway.engine.load import Load
from gateway.engine.notices import receive
from gateway.engine.reconcile import Report, reconcile_all
from gateway.engine.worker import Worker, advance, refresh
from gateway.observe.redact import ALLOWED
from gateway.ports import Change, Merchant, StoredEvent
from gateway.store import SqlStore, Vault, open_store
from policies.health import Health
from policies.policy import Parameters, Policy
from simulators.faults import read_rule
from simulators.scenario import Plan
from simulators.world import World
from tests import builders
from tests.channels.wechat_pay import platform
from tests.simulators.keys import pair

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
KEK = base64.b64encode(bytes(range(32))).decode()
BALANCE_FEN = 10_000_000
PATIENCE_S = 30.0
"""Real seconds after which what should have come to rest counts as stuck; a busy machine may need a
good part of them."""

ZHANG = AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰")
LI = WechatWallet("oLiSi", None, "李四")
CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Seat:
    """One channel account, at both ends; `flat_fen` is its fee, so the cheapest goes first."""

    name: str
    kind: str = "alipay"
    flat_fen: int = 10
    terms: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of our adapter."""
    account: Mapping[str, Any] = field(default_factory=dict)
    """Of the institution."""

    @property
    def simulator(self) -> str:
        """The institution's name in the world."""
        return self.kind


_SECRET = "a-secret-for-tests-alone"
RESOLD: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "jeepay": (
        {"mch_no": "M1", "app_id": "A1", "app_secret": _SECRET},
        {"mch_no": "M1", "app_id": "A1", "app_secret": _SECRET, "wechat_version": "old"},
    ),
    "xxpay": (
        {"mch_id": "20000000", "private_key": _SECRET},
        {"mch_id": "20000000", "private_key": _SECRET},
    ),
}
"""Kind → settings of our adapter and of the institution, of the gateways that resell others."""

A, B, W = Seat("alipay-a"), Seat("alipay-b", flat_fen=20), Seat("wechat-a", "wechat_pay", 30)
SEATS = (A, B, W)


class FixedEntropy:
    """Bytes that never repeat, and a draw that never explores."""

    def bytes(self, count: int) -> bytes:
        """Different at every call."""
        return next(_numbers).to_bytes(count)

    def ppm(self) -> int:
        """Always the best candidate."""
        return 0


@dataclass
class Witness:
    """Everything the engine told its observer."""

    alarms: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    defects: list[tuple[str, Exception]] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """Channel, operation, outcome."""
    changes: list[Change] = field(default_factory=list)

    def moved(self, change: Change) -> None:
        """Keep it."""
        self.changes.append(change)

    def called(self, channel: str, operation: str, outcome: str, seconds: float) -> None:
        """Keep it."""
        self.calls.append((channel, operation, outcome))

    def decided(self, seconds: float) -> None:
        """Of no interest here."""

    def delivered(self, result: str) -> None:
        """Of no interest here."""

    def alarm(self, event: str, **facts: object) -> None:
        """Keep it. Nobody could read what the log masks."""
        assert facts.keys() <= ALLOWED
        self.alarms.append((event, facts))

    def defect(self, event: str, error: Exception, **facts: object) -> None:
        """Keep it."""
        self.defects.append((event, error))

    def alarmed(self, event: str) -> int:
        """How often an alarm of this name was raised."""
        return sum(name == event for name, _ in self.alarms)

    def asked(self, channel: str) -> int:
        """How many inquiries a channel has had."""
        return sum(call[:2] == (channel, "inquire") for call in self.calls)


@dataclass
class Rig:
    """The running whole."""

    world: World
    gateway: Gateway
    witness: Witness
    seats: Sequence[Seat]
    url: str
    merchant: Merchant
    worker: Worker | None = None
    may_disagree: set[str] = field(default_factory=set)
    """Channels whose float is expected to differ from the institution's balance at the end."""
    _running: "asyncio.Task[None] | None" = None

    # --- asking ---

    @property
    def store(self) -> SqlStore:
        """The store of the gateway as it runs now."""
        assert isinstance(self.gateway.store, SqlStore)
        return self.gateway.store

    def now(self) -> datetime:
        """The one clock."""
        return self.world.clock.now()

    async def accept(self, fen: int = 12_345, *instruments: Instrument, **more: Any) -> Payout:
        """Take a payout in; nothing is sent before the worker looks."""
        number = next(_numbers)
        request = Request(
            merchant_ref=f"ref-{number}",
            amount=builders.cny(fen),
            instruments=instruments or (ZHANG,),
            purpose="十月佣金",
            **more,
        )
        key = builders.intake(key=f"key-{number:012d}", body=str(number))
        taken = await accept(self.gateway, self.merchant, request, key, "test")
        return taken.payout

    async def pay(self, fen: int = 12_345, *instruments: Instrument, **more: Any) -> Payout:
        """Take a payout in and let everything happen that can happen now."""
        payout = await self.accept(fen, *instruments, **more)
        await self.quiet()
        return await self.look(payout)

    async def look(self, payout: Payout) -> Payout:
        """The payout as it stands now."""
        found = await self.store.payout(payout.id)
        assert found is not None
        return found

    async def states(self, payout: Payout) -> list[tuple[str, str]]:
        """Channel and state of every attempt, in order."""
        return [(one.channel, one.state.value) for one in (await self.look(payout)).attempts]

    async def timeline(self, payout: Payout) -> list[StoredEvent]:
        """Every event of a payout."""
        return await self.store.timeline(payout.id)

    async def kinds(self, payout: Payout) -> list[str]:
        """The kinds of all its events, in order."""
        return [event.kind for event in await self.timeline(payout)]

    # --- the world ---

    def fault(self, action: str, seat: Seat = A, op: str = "submit", **rule: Any) -> str:
        """Let something go wrong at a seat's institution, once unless told otherwise."""
        given: dict[str, Any] = {"account": seat.name, "action": action}
        if action != "refuse":
            given |= {"op": op, "times": 1}
        params = dict(rule.pop("params", {}))
        params |= {name: rule.pop(name) for name in list(rule) if name not in _SELECTORS}
        given |= rule | {"params": params}
        given = {name: value for name, value in given.items() if value is not None}
        return self.world.add_rule(read_rule(given, self.now())).id

    async def refuse(self, seat: Seat = A, **rule: Any) -> str:
        """Close a seat's port."""
        made = self.fault("refuse", seat, **rule)
        await self.world.refresh()
        return made

    async def mend(self, rule_id: str) -> None:
        """End a trouble."""
        assert self.world.remove_rule(rule_id)
        await self.world.refresh()

    def moved(self, *kinds: str) -> list[tuple[str, int]]:
        """What money really moved, by account and fen; payouts unless told otherwise."""
        return [
            (one.account, one.amount_minor)
            for shell in self.world.shells.values()
            for one in shell.simulator.truth()
            if one.kind in (kinds or ("payout",))
        ]

    def references(self) -> list[str]:
        """Under which numbers money really left, each as often as it did."""
        return [
            one.reference
            for shell in self.world.shells.values()
            for one in shell.simulator.truth()
            if one.kind == "payout"
        ]

    def submitted(self, seat: Seat | None = None) -> list[str]:
        """The numbers of all submissions the institutions were given, each as often as it was."""
        return [
            str(row["reference"])
            for row in self.world.journal.rows(limit=1000)
            if row.get("op") == "submit" and (seat is None or row.get("account") == seat.name)
        ]

    # --- time ---

    async def quiet(self) -> None:
        """Wait until nothing is left that could be done at this moment."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        calm = 0
        while calm < 2:
            if self._running is not None and self._running.done():
                self._running.result()
                raise AssertionError("the worker has stopped")
            await self.world.settle()
            idle = self.is_idle() and not await self._due() and self.is_idle()
            calm = calm + 1 if idle else 0
            if not idle:
                assert loop.time() < deadline, f"not at rest after {PATIENCE_S} s"
                await asyncio.sleep(0.002)

    async def _due(self) -> bool:
        """Whether the store has something for a worker that runs."""
        if await self.store.due(self.now(), 1):
            return True
        running = self._running is not None
        return running and bool(await self.store.due_watches(self.now(), 1))

    def is_idle(self) -> bool:
        """Whether the worker has nothing in hand."""
        worker = self.worker
        busy = worker is not None and (worker._busy or worker._again)
        return not busy and self.gateway.queue.empty()

    async def later(self, **delta: float) -> None:
        """Let time pass at both ends, then do what has become due."""
        await self.world.advance(timedelta(**delta))
        await self.quiet()

    async def pass_time(self, **delta: float) -> None:
        """Let time pass as it really would: everything due on the way happens at its own time."""
        target = self.now() + timedelta(**delta)
        while self.now() < target:
            due_at = await self.store.next_due_at()
            step = target if due_at is None else min(max(due_at, self.now()), target)
            await self.world.advance_to(max(step, self.now() + timedelta(milliseconds=1)))
            await self.quiet()

    async def next_morning(self) -> None:
        """Go to 10:30 in Beijing on the next day, when every statement is out."""
        tomorrow = (self.now() + timedelta(hours=8)).date() + timedelta(days=1)
        morning = datetime(tomorrow.year, tomorrow.month, tomorrow.day, 2, 30, tzinfo=UTC)
        await self.pass_time(seconds=(morning - self.now()).total_seconds())

    async def statements(self) -> Report:
        """Read the statements that should be there."""
        report = await reconcile_all(self.gateway)
        await self.quiet()
        return report

    # --- the process ---

    async def start(self, *, concurrency: int = 16, exclusive: bool = True) -> None:
        """Let the worker run."""
        assert self._running is None
        self.worker = Worker(
            self.gateway, concurrency=concurrency, poll_s=0.004, exclusive=exclusive
        )
        recovered, recover = asyncio.Event(), self.worker._recover

        async def told() -> None:
            await recover()
            recovered.set()

        self.worker._recover = told  # type: ignore[method-assign]  # the same, and says so
        self._running = asyncio.create_task(self.worker.run())
        begun = asyncio.create_task(recovered.wait())
        await asyncio.wait({begun, self._running}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()

    async def stop(self) -> None:
        """Drain the worker."""
        running, self._running = self._running, None
        if running is not None and self.worker is not None:
            self.worker.stop()
            await running
        self.worker = None

    async def reopen(self, *, without: Sequence[str] = ()) -> None:
        """As a process that starts anew: fresh memory and connections on the same database.

        `without`: channels that are no longer configured.
        """
        await self.stop()
        await self.store.aclose()
        for channel in self.gateway.channels.values():
            await channel.aclose()
        old = self.gateway
        self.gateway = await process(
            self.url,
            self.world,
            [one for one in self.seats if one.name not in without],
            self.witness,
            old.notify_base,
            old.limits,
        )

    def replace_channel(self, channel: Channel) -> None:
        """Put another channel in the place of the one of its name."""
        self.gateway.channels = {**self.gateway.channels, channel.name: channel}

    # --- the books ---

    async def balance(self, book: Book, owner: str) -> int:
        """A balance as our ledger keeps it; 0 for an account nothing was booked on."""
        found = await self.store.balances(book, owner)
        return found[0].minor if found else 0

    def held_there(self, seat: Seat) -> int:
        """What lies on the account, by the institution's own books."""
        rows = self.world.shells[seat.simulator].simulator.accounts()
        (row,) = (row for row in rows if row["account"] == seat.name)
        minor = row["balance_fen"]
        assert isinstance(minor, int)
        return minor

    async def check(self) -> None:
        """The ledger agrees with itself, and with the institutions wherever nothing is open."""
        assert await self.store.audit() == []
        for seat in self.seats:
            in_transit = await self.balance(Book.IN_TRANSIT, seat.name)
            if in_transit == 0 and seat.name not in self.may_disagree:
                ours = await self.balance(Book.FLOAT, seat.name)
                assert (seat.name, ours) == (seat.name, self.held_there(seat))


_SELECTORS = frozenset(
    {"times", "times_each", "payee", "reference", "from_at", "until_at", "probability"}
)


@asynccontextmanager
async def running(
    url: str,
    seats: Sequence[Seat] = SEATS,
    *,
    limits: Limits | None = None,
    merchant: Merchant | None = None,
    simulators: Mapping[str, Mapping[str, Any]] | None = None,
    started: bool = True,
) -> AsyncIterator[Rig]:
    """Everything up, funded and working; the books are checked when a test has passed.

    `simulators` changes whole institutions by kind. Not `started`: a test runs the worker itself.
    """
    world = World(_plan(seats, simulators or {}))
    witness = Witness()
    app = web.Application()
    rig: Rig

    async def hear(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.query_string:
            headers[NOTICE_QUERY] = request.rel_url.raw_query_string
        body = await request.read()
        reply = await receive(rig.gateway, request.match_info["channel"], headers, body)
        return web.Response(status=reply.status, body=reply.body)

    app.router.add_post("/notices/{channel}", hear)
    async with TestServer(app) as server, world:
        base = str(server.make_url("")).rstrip("/")
        # The institutions were built before our address was known.
        for shell in world.shells.values():
            _tell_address(shell.simulator, base)
        gateway = await process(url, world, seats, witness, base, limits or Limits())
        rig = Rig(world, gateway, witness, seats, url, merchant or builders.merchant())
        try:
            await _fund(rig)
            if started:
                await rig.start()
            yield rig
            await rig.stop()
            await rig.check()
        finally:
            if rig._running is not None:
                rig._running.cancel()
                await asyncio.gather(rig._running, return_exceptions=True)
            for channel in rig.gateway.channels.values():
                await channel.aclose()
            await rig.gateway.store.aclose()


async def process(
    url: str,
    world: World,
    seats: Sequence[Seat],
    witness: Witness,
    base: str | None,
    limits: Limits,
) -> Gateway:
    """What one process has: memory and connections of its own, on the store at `url`."""
    store = await open_store(url, Vault(KEK), world.clock, migrate=True)
    return Gateway(
        store=store,
        installation=(await store.position()).installation,
        quarantine=await store.quarantine(),
        clock=world.clock,
        entropy=FixedEntropy(),
        channels={seat.name: adapter(seat, world) for seat in seats},
        policy=Policy("test", "test", Parameters(explore_ppm=0)),
        health=Health(),
        observer=witness,
        load=Load(),
        notify_base=base,
        limits=limits,
    )


async def _fund(rig: Rig) -> None:
    """Put on our books what already lies at the institutions, and a merchant with money."""
    store = rig.store
    if await store.merchant(rig.merchant.id) is None:
        await store.add_merchant(rig.merchant, "test")
    await store.post(funded(rig.merchant.id, Currency.CNY, BALANCE_FEN), "deposit", "d", "test")
    for seat in rig.seats:
        held = rig.held_there(seat)
        await store.post(topped_up(seat.name, Currency.CNY, held), "float", seat.name, "test")
    await refresh(rig.gateway)


def adapter(seat: Seat, world: World) -> Channel:
    """Our side of a seat."""
    return adapter_at(seat, world.shells[seat.simulator].url_of(seat.name), world)


def adapter_at(seat: Seat, url: str, world: World) -> Channel:
    """Our side of a seat, asking at this address."""
    given = {"amount_min": 10, "amount_max": 2_000_000, **seat.terms}
    terms = Terms(Currency.CNY, tariffs=(Tariff(flat_minor=seat.flat_fen),), **given)
    if seat.kind in RESOLD:
        resold = {"base_url": url, **RESOLD[seat.kind][0], **seat.settings}
        return KINDS[seat.kind].open(seat.name, resold, terms, world.clock.now)
    settings = _settings(seat)
    if isinstance(settings, AlipaySettings):
        there = settings.model_copy(update={"gateway_url": f"{url}/gateway.do"})
        return build_alipay(seat.name, there, terms, world.clock.now)
    at = settings.model_copy(update={"base_url": url})
    return build_wechat_pay(seat.name, at, terms, world.clock.now)


_known: dict[tuple[str, str], AlipaySettings | WechatPaySettings] = {}


def _settings(seat: Seat) -> AlipaySettings | WechatPaySettings:
    """A seat's settings but for the address; made once, as reading a private key takes 40 ms."""
    key = (seat.name, repr(seat.settings))
    if key not in _known:
        _known[key] = _alipay(seat) if seat.kind == "alipay" else _wechat(seat)
    return _known[key]


def _alipay(seat: Seat) -> AlipaySettings:
    number = _number(seat)
    return AlipaySettings.model_validate(
        {
            "app_id": f"2021{number:012d}",
            "user_id": f"2088{number:012d}",
            "private_key": pair("app").private_pem,
            "alipay_public_key": pair("platform").public_pem,
            "products": {
                Rail.ALIPAY: "TRANS_ACCOUNT_NO_PWD",
                Rail.BANK_CARD: "TRANS_BANKCARD_NO_PWD",
            },
            **seat.settings,
        }
    )


def _wechat(seat: Seat) -> WechatPaySettings:
    return platform.settings(**{"mchid": str(1_900_000_000 + _number(seat)), **seat.settings})


def _plan(seats: Iterable[Seat], changes: Mapping[str, Mapping[str, Any]]) -> Plan:
    """The institutions behind the seats, each account on a port of its own."""
    alipay = [_alipay_account(seat) for seat in seats if seat.kind == "alipay"]
    wechat = [_wechat_account(seat) for seat in seats if seat.kind == "wechat_pay"]
    sections: list[dict[str, Any]] = []
    if alipay:
        sections.append(
            {
                "name": "alipay",
                "kind": "alipay",
                "platform_private_key": pair("platform").private_pem,
                "accounts": alipay,
                **changes.get("alipay", {}),
            }
        )
    if wechat:
        sections.append(
            {
                "name": "wechat_pay",
                "kind": "wechat_pay",
                "public_key_id": platform.PUBLIC_KEY_ID,
                "platform_private_key": (platform.KEYS / "platform_test_only.pem").read_text(
                    encoding="ascii"
                ),
                "accounts": wechat,
                **changes.get("wechat_pay", {}),
            }
        )
    for kind, (_, account) in RESOLD.items():
        accounts = [
            {"account": seat.name, "port": 0, "balance_fen": BALANCE_FEN, **account, **seat.account}
            for seat in seats
            if seat.kind == kind
        ]
        if accounts:
            extra = changes.get(kind, {})
            sections.append({"name": kind, "kind": kind, "accounts": accounts, **extra})
    clock = {"mode": "virtual", "start": START}
    return Plan.model_validate({"seed": 1, "clock": clock, "simulators": sections})


def _alipay_account(seat: Seat) -> dict[str, Any]:
    number = _number(seat)
    return {
        "account": seat.name,
        "port": 0,
        "app_id": f"2021{number:012d}",
        "user_id": f"2088{number:012d}",
        "public_key": pair("app").public_pem,
        "balance_fen": BALANCE_FEN,
        "fee": {"flat_fen": seat.flat_fen},
        # Replaced by our address once it is known.
        "notify_url": "http://127.0.0.1:1",
        **seat.account,
    }


def _wechat_account(seat: Seat) -> dict[str, Any]:
    return {
        "account": seat.name,
        "port": 0,
        "mchid": str(1_900_000_000 + _number(seat)),
        "appid": platform.APPID,
        "serial_no": platform.SERIAL,
        "public_key": _MERCHANT_PEM,
        "apiv3_key": platform.APIV3_KEY,
        "balance_fen": BALANCE_FEN,
        "fee": {"flat_fen": seat.flat_fen},
        "bill_per_s": 0,
        **seat.account,
    }


def _number(seat: Seat) -> int:
    return sum(ord(letter) * place for place, letter in enumerate(seat.name, 1))


def _public_pem() -> str:
    public = platform.MERCHANT.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


_MERCHANT_PEM = _public_pem()


def _tell_address(simulator: Any, base: str) -> None:
    """Register where notices of each account go, as an operator does at the institution."""
    transfers = getattr(simulator, "_transfers", None)
    if transfers is None:
        return  # WeChat is told with every payout
    for name, account in list(transfers.accounts.items()):
        if account.notify_url is not None:
            changed = account.model_copy(update={"notify_url": f"{base}/notices/{name}"})
            simulator._accounts[name] = changed


async def until(met: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere and tells nobody."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if met():
                return
            await asyncio.sleep(0.003)


async def by_hand(rig: Rig, payout: Payout) -> Payout:
    """One turn of the worker for one payout, in this task."""
    moved = await advance(rig.gateway, Told(payout.id))
    assert moved is not None
    return moved


def live(payout: Payout) -> Attempt:
    """The attempt that may have moved money."""
    assert payout.live is not None
    return payout.live


def seat(original: Seat, **changes: Any) -> Seat:
    """The same seat with changes."""
    return replace(original, **changes)


PAID = PayoutState.PAID
FAILED = PayoutState.FAILED
ATTEMPTING = PayoutState.ATTEMPTING
ROUTING = PayoutState.ROUTING
