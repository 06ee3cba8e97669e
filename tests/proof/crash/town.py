"""The world around one gateway that dies: institutions, a merchant, its receiver, a clock.

All of it lives in this process and outlives the gateway, which is a fork of the nursery. Whoever
asks a dead gateway something has it started again and asks once more: so every scene is written as
if nobody ever died.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml
from aiohttp import web

from channels.money import Currency
from gateway.api.auth import new_key
from gateway.clock import SystemEntropy
from gateway.domain.ledger import funded, topped_up
from gateway.ports import Funding, Scope
from gateway.sandbox.installation import Installation, free_port, install
from gateway.sandbox.institutions import Account, adjust
from gateway.settings import load
from gateway.store import Vault, open_store
from simulators import scenario
from simulators.faults import read_rule
from simulators.kernel import Answer, Cut, Request
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox
from simulators.world import World
from tests import builders

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
FLOAT_FEN = 10_000_000
CHANNELS = {"alipay-1": "alipay-main", "alipay-2": "alipay-spare", "wechat-1": "wechat-main"}
TERMS: Mapping[str, Mapping[str, Any]] = {
    name: {"currency": "CNY", "amount_min": 10, "amount_max": 2_000_000, "fee": {"flat_minor": fee}}
    for name, fee in (("alipay-1", 10), ("alipay-2", 20), ("wechat-1", 30))
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PATIENCE_S = 20.0
STEPS_MAX = 400
READ_DAYS = 8
"""Statements of the days before are taken as read."""

IN_THE_PARENT = (
    "institution: has the request, did nothing",
    "institution: did it, answered nothing",
    "institution: half of the answer out",
    "merchant: has the webhook, answered nothing",
)
"""Boundaries that only the other side of a connection sees."""


class GoneError(Exception):
    """The gateway died while it was asked something."""


class StuckError(Exception):
    """Nothing moves any more, and not everything is over."""


@dataclass
class Life:
    """One run of a scene: what was asked and heard, apart from all databases."""

    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    acknowledged: dict[str, str] = field(default_factory=dict)
    """The id that a 201 named, by merchant_ref."""
    told_otherwise: list[str] = field(default_factory=list)
    """Requests that were answered with another payout than before."""
    heard: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Webhooks by payout, in the order in which they came."""
    deaths: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """Boundaries reached in this process."""
    seen: list[str] = field(default_factory=list)


class Town:
    """Everything but the gateway, and the gateway's present life."""

    def __init__(self, folder: Path, world: World, installation: Installation) -> None:
        """As `town` has built it."""
        self.folder = folder
        self.world = world
        self.installation = installation
        self.life = Life()
        self.control: str | None = None
        self.template = folder / "template.db"
        self.run_folder = folder / "run"
        """The database of the run, and what the gateway keeps beside it."""
        self.key = ""
        self.receiver_port = 0
        self.at_start: Mapping[str, int] = {}
        self._numbers = itertools.count(1)
        self._target: tuple[str, int] | None = None
        self._second: tuple[str, int] | None = None
        self._pid: int | None = None
        self._ended: asyncio.Future[None] | None = None
        self._talk: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )
        self._nursery: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._born = 0

    # --- one run ---

    async def begin(
        self,
        target: tuple[str, int] | None,
        second: tuple[str, int] | None,
        *,
        empty: bool = False,
    ) -> None:
        """Fresh books on both sides, and a gateway that will die at `target`, then at `second`."""
        self.life = Life()
        self._target, self._second = target, second
        for shell in self.world.shells.values():
            await shell.quiet()
        self.world.clock._stands_at = START
        self.world.reset()
        self.world.clock.set(START)
        self._tap()
        shutil.rmtree(self.run_folder, ignore_errors=True)
        self.run_folder.mkdir()
        if not empty:
            shutil.copyfile(self.template, self.run_folder / "run.db")
        await self._birth()

    async def end(self) -> None:
        """Let nothing of this run live on."""
        await self._bury()

    async def _birth(self) -> None:
        """Start the gateway; one that dies at once is started again."""
        if self._nursery is None or self._nursery.stdin is None:
            raise RuntimeError("no nursery")
        while True:
            order: dict[str, object] = {
                "database": str(self.run_folder / "run.db"),
                "folder": str(self.run_folder),
                "log": str(self.folder / "gateway.log"),
                "control_socket": str(self.folder / "control"),
                "ports": self._ports(),
            }
            if self.control is not None:
                order["control"] = self.control
            target = self._target if self.life.deaths == 0 else self._second
            if target is not None and target[0] not in IN_THE_PARENT and self.life.deaths < 2:
                order["die"] = target
            self._nursery.stdin.write(orjson.dumps(order) + b"\n")
            self._pid = int((await self._line())["pid"])
            self._ended = asyncio.ensure_future(self._watch())
            coming = asyncio.ensure_future(self._came.get())
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait({coming, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                self._talk = coming.result()
                await self._talk[0].readline()
                return
            coming.cancel()
            self.life.deaths += 1
            if self.life.deaths > 3:
                raise StuckError("the gateway does not start: " + self._last_words())

    async def _watch(self) -> None:
        await self._line()

    async def _line(self) -> dict[str, Any]:
        if self._nursery is None or self._nursery.stdout is None:
            raise RuntimeError("no nursery")
        line = await self._nursery.stdout.readline()
        if not line:
            raise RuntimeError("the nursery has ended: " + self._last_words())
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def _last_words(self) -> str:
        log = self.folder / "gateway.log"
        return log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""

    async def _bury(self) -> None:
        if self._pid is not None and self._ended is not None and not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            await self._ended
        if self._talk is not None:
            self._talk[1].close()
        self._pid, self._talk = None, None

    async def _revive(self) -> None:
        """Somebody noticed that it is gone."""
        if self._ended is None:
            raise RuntimeError("there was no gateway")
        async with asyncio.timeout(PATIENCE_S):
            await self._ended
        self.life.deaths += 1
        if self.life.deaths > 3:
            raise StuckError("the gateway keeps dying: " + self._last_words())
        await self._bury()
        await self._birth()

    # --- what a scene may do ---

    async def ask(self, fen: int, instrument: Mapping[str, Any], **more: Any) -> str:
        """Ask for a payout until it is acknowledged, always with the same words."""
        ref = f"crash-{next(self._numbers):06d}"
        body = {
            "merchant_ref": ref,
            "amount_minor": fen,
            "currency": "CNY",
            "beneficiary": {"instruments": [dict(instrument)]},
            "purpose": "货款结算",
            **more,
        }
        self.life.asked[ref] = body
        while ref not in self.life.acknowledged:
            status, answer = await self._call("POST", "/v1/payouts", body)
            if status == 201:
                self.life.acknowledged[ref] = str(answer["id"])
            elif status < 500:
                raise StuckError(f"{status}: {answer}")
        return ref

    async def repeat(self) -> None:
        """Every merchant asks again: the same payout is answered, and nothing more happens."""
        for ref, body in self.life.asked.items():
            status, answer = await self._call("POST", "/v1/payouts", body)
            if status != 201 or answer["id"] != self.life.acknowledged[ref]:
                self.life.told_otherwise.append(f"{ref}: {status} {answer.get('id')}")

    async def cancel(self, ref: str) -> int:
        """Ask for its cancellation until there is an answer; the status."""
        path = f"/v1/payouts/{self.life.acknowledged[ref]}/cancel"
        return (await self._call("POST", path, None))[0]

    async def rest(self) -> Mapping[str, Any]:
        """Wait until nothing is left that could be done at this moment; what the gateway says."""
        loop = asyncio.get_running_loop()
        deadline, calm = loop.time() + PATIENCE_S, 0
        while True:
            await self.world.settle()
            answer: Mapping[str, Any] = await self._say("rest")
            calm = calm + 1 if answer["idle"] else 0
            if calm == 2:
                return answer
            if loop.time() > deadline:
                raise StuckError(f"not at rest after {PATIENCE_S} s: {answer}")
            await asyncio.sleep(0.002)

    async def later(self, **delta: float) -> None:
        """Let time pass, whatever is due on the way happening at its own time."""
        target = self.world.clock.now() + timedelta(**delta)
        while self.world.clock.now() < target:
            await self._step(await self.rest(), target)
        await self.rest()

    async def until_over(self) -> None:
        """Let time pass until every payout has ended or an owner, and every webhook is out."""
        for _ in range(STEPS_MAX):
            answer = await self.rest()
            if not answer["open"]:
                return
            await self._step(answer, self.world.clock.now() + timedelta(days=1))
        raise StuckError(f"still open after {STEPS_MAX} steps: {answer}")

    async def _step(self, answer: Mapping[str, Any], target: datetime) -> None:
        """To whatever is due next on either side, so that a death is noticed in time."""
        now = self.world.clock.now()
        moments = [shell.next_at() for shell in self.world.shells.values()]
        if answer["next"] is not None:
            moments.append(datetime.fromisoformat(answer["next"]))
        at = min((moment for moment in moments if moment is not None), default=target)
        await self.world.advance_to(max(min(at, target), now + timedelta(milliseconds=1)))

    async def statements(self) -> None:
        """Go to the next morning, and read every statement."""
        local = START + timedelta(hours=8)
        morning = datetime(local.year, local.month, local.day, 2, 30, tzinfo=UTC)
        while (morning := morning + timedelta(days=1)) <= self.world.clock.now():
            pass
        await self.later(seconds=(morning - self.world.clock.now()).total_seconds())
        await self._say("statements")
        await self.rest()

    async def sign(self) -> None:
        """Have the audit log signed as it stands."""
        await self._say("sign")

    async def dump(self) -> Mapping[str, Any]:
        """Everything in the gateway's store."""
        dump: Mapping[str, Any] = await self._say("dump")
        return dump

    async def boundaries(self) -> list[str]:
        """Every boundary of this life, of both processes."""
        seen: list[str] = (await self._say("seen"))["seen"]
        return [*seen, *self.life.counts.elements()]

    def fault(
        self, action: str, account: str = "alipay-1", op: str = "submit", **rule: Any
    ) -> None:
        """Let something go wrong, once unless told otherwise."""
        given = {"account": account, "action": action, "op": op, "times": 1, "params": rule}
        times = rule.pop("times", 1)
        given = (
            {**given, "times": times} if times else {k: v for k, v in given.items() if k != "times"}
        )
        self.world.add_rule(read_rule(given, self.world.clock.now()))

    # --- talking ---

    async def _say(self, ask: str) -> Any:
        while True:
            talk = self._talk
            if talk is None:
                raise RuntimeError("nobody to talk to")
            with contextlib.suppress(OSError):
                talk[1].write(orjson.dumps({"ask": ask}) + b"\n")
                if line := await talk[0].readline():
                    answer = orjson.loads(line)
                    if "error" in answer:
                        raise StuckError(answer["error"])
                    return answer
            await self._revive()

    async def _call(self, method: str, path: str, body: object) -> tuple[int, dict[str, Any]]:
        if self._http is None:
            raise RuntimeError("no client")
        for _ in range(20):
            try:
                async with self._http.request(
                    method,
                    self.installation.url + path,
                    json=body,
                    headers={"Authorization": f"Bearer {self.key}"},
                ) as reply:
                    return reply.status, await reply.json()
            except (aiohttp.ClientError, OSError):
                await self._revive()
        raise StuckError(f"{path} is never answered")

    # --- the far side's own boundaries ---

    def _tap(self) -> None:
        for shell in self.world.shells.values():
            simulator: Any = shell.simulator
            handle = simulator.handle

            def handled(asked: Request, now: datetime, handle: Any = handle) -> Answer:
                self._reach(IN_THE_PARENT[0])
                answer: Answer = handle(asked, now)
                self._reach(IN_THE_PARENT[1])
                if self._is_next(IN_THE_PARENT[2]):
                    answer = Answer(**{**_fields(answer), "cut": Cut.MID})
                    asyncio.get_running_loop().call_later(0.005, self._kill)
                return answer

            simulator.handle = handled

    def _reach(self, name: str) -> None:
        if self._is_next(name):
            self._kill()

    def _is_next(self, name: str) -> bool:
        self.life.counts[name] += 1
        target = self._target if self.life.deaths == 0 else self._second
        return target == (name, self.life.counts[name]) and self._pid is not None

    def _kill(self) -> None:
        if self._pid is not None and self._ended is not None and not self._ended.done():
            os.kill(self._pid, signal.SIGKILL)

    def _ports(self) -> dict[str, str]:
        ports = {
            str(listener.port): "request"
            for shell in self.world.shells.values()
            for listener in shell._listeners
        }
        own = self.installation.url.rpartition(":")[2]
        return {**ports, own: "reply", str(self.receiver_port): "webhook"}

    async def _hear(self, request: web.Request) -> web.Response:
        try:
            message = orjson.loads(await request.read())
        except OSError:  # half a webhook, and its sender is dead
            return web.Response(status=400)
        self.life.heard[message["payout_id"]].append(message["seq"])
        self._reach(IN_THE_PARENT[3])
        return web.Response(status=204)


def _fields(answer: Answer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in Answer.__slots__}


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    """Institutions that serve, a store to copy for every run, and a nursery."""
    port = free_port()
    wishes = Wishes(
        {"alipay": 2, "wechat_pay": 1}, seed=7, clock_mode="virtual", clock_start=START.isoformat()
    )
    given = make_sandbox(folder, wishes)
    adjust(
        folder,
        {
            name: {
                "balance_fen": FLOAT_FEN,
                "fee": {"flat_fen": TERMS[name]["fee"]["flat_minor"]},
                "notify_url": f"http://127.0.0.1:{port}/notices/{channel}",
            }
            for name, channel in CHANNELS.items()
        },
    )
    accounts = [Account(one["kind"], one["account"], one) for one in given]
    installation = install(folder, accounts, TERMS, port=port, channel_names=CHANNELS)
    _pace(installation.config)
    world = World(*scenario.load(folder / "sim.yaml"))
    made = Town(folder, world, installation)
    clock = folder / "clock"
    _share(world, clock)
    async with _served(made), world:
        await _furnish(made, accounts)
        control = await asyncio.start_unix_server(
            lambda reader, writer: made._came.put_nowait((reader, writer)), folder / "control"
        )
        with (folder / "nursery.log").open("wb") as log:
            made._nursery = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "tests.proof.crash.nursery", str(installation.config)),
                *(str(folder / "secrets.json"), str(clock)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=1 << 24,
            )
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True)
            ) as http:
                made._http = http
                yield made
        finally:
            await made._bury()
            if made._nursery.stdin is not None:
                made._nursery.stdin.close()
            await made._nursery.wait()
            control.close()


def _pace(config: Path) -> None:
    """Ask ever more seldom, as the real channels are asked: hours of doubt then take few steps."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    for channel in document["channels"]:
        channel["credentials"]["inquire_max_s"] = 3600
    config.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")


def _share(world: World, file: Path) -> None:
    """Write the institutions' time where the gateway reads its own."""
    moved = world.clock.set

    def told(at: datetime) -> datetime:
        now = moved(at)
        micros = (now - EPOCH) // timedelta(microseconds=1)
        with file.open("r+b") as out:
            out.write(struct.pack("q", micros))
        return now

    file.write_bytes(bytes(8))
    world.clock.set = told  # type: ignore[method-assign]  # the same, and says so
    world.clock.set(START)


@asynccontextmanager
async def _served(made: Town) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/webhooks", made._hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    made.receiver_port = listening.getsockname()[1]
    await web.SockSite(runner, listening).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _furnish(made: Town, accounts: list[Account]) -> None:
    """A merchant with money, its key and endpoint, the floats: stored once, copied for each run."""
    settings = load(made.installation.config, made.installation.env).settings
    vault = Vault(settings.secrets.kek.get_secret_value(), None)
    store = await open_store(f"sqlite://{made.template}", vault, made.world.clock, migrate=True)
    try:
        merchant = builders.merchant("acme", funding=Funding.PREFUNDED, created_at=START)
        await store.add_merchant(merchant, "test")
        key, made.key, _ = new_key(
            SystemEntropy(),
            settings.secrets.key_pepper_bytes,
            merchant_id=merchant.id,
            scopes=frozenset({Scope.PAYOUTS_READ, Scope.PAYOUTS_WRITE}),
            label="crash",
            signed=False,
            now=START,
        )
        await store.add_key(key, "test")
        url = f"http://127.0.0.1:{made.receiver_port}/webhooks"
        await store.put_endpoint(builders.endpoint(merchant_id="acme", url=url), "test")
        deposit = funded(merchant.id, Currency.CNY, FLOAT_FEN)
        await store.post(deposit, "deposit", "deposit", "test")
        for account in accounts:
            channel = CHANNELS[account.name]
            topped = topped_up(channel, Currency.CNY, FLOAT_FEN)
            await store.post(topped, "float", channel, "test")
            for back in range(1, READ_DAYS + 1):
                day = date(START.year, START.month, START.day) - timedelta(days=back)
                await store.keep_statement(channel, day, [], START)
    finally:
        await store.aclose()
