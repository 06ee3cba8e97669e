"""One gateway process: the real engine, worker, store and adapters, wired to the simulated world.

Only four things are stand-ins: the clock, the entropy, the database's connection and the channels'
transport. A replica can be killed, stopped and started again; what it leaves behind is what it
committed.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from channels.alipay.channel import build as build_alipay
from channels.alipay.settings import AlipaySettings
from channels.alipay.signing import Keys
from channels.contract import Channel, Rail, Tariff, Terms
from channels.money import Currency
from channels.wechat_pay.channel import build as build_wechat_pay
from channels.wechat_pay.settings import WechatPaySettings
from channels.wechat_pay.signing import MerchantKey, PlatformKey, PlatformKeys
from gateway.engine.gateway import Gateway
from gateway.engine.load import Load
from gateway.engine.reconcile import Patience, reconcile_all
from gateway.engine.worker import STORE_BROKEN
from gateway.observe.redact import ALLOWED
from gateway.ports import Change, StoreError
from gateway.store import SqlStore, Vault, webhook_payload
from policies.health import Health
from policies.policy import Policy
from tests.channels.wechat_pay import platform
from tests.proof.simulation import keys
from tests.proof.simulation.dice import Dice
from tests.proof.simulation.duties import Duties
from tests.proof.simulation.institutions import HOSTS, NOTIFY_BASE, app_id, mchid, user_id
from tests.proof.simulation.loop import Process
from tests.proof.simulation.mischief import STRICT
from tests.proof.simulation.network import Wire
from tests.proof.simulation.plan import Plan, Seat
from tests.proof.simulation.server import Link
from tests.proof.simulation.worker import POLL_S, NappingWorker

if TYPE_CHECKING:
    from tests.proof.simulation.world import World

KEK = base64.b64encode(bytes(range(32))).decode()
POLICY = Policy("simulation", "0" * 64)


class ReplicaClock:
    """The world's time as this machine believes it."""

    def __init__(self, world: Callable[[], datetime]) -> None:
        """Begin right."""
        self._world = world
        self.wrong_by = timedelta()

    def now(self) -> datetime:
        """Aware UTC."""
        return self._world() + self.wrong_by


class ReplicaEntropy:
    """Bytes and draws from the seed."""

    def __init__(self, dice: Dice, name: str) -> None:
        """A stream of its own."""
        self._chance = dice.rng(f"entropy/{name}")

    def bytes(self, count: int) -> bytes:
        """As unpredictable as the seed."""
        return self._chance.randbytes(count)

    def ppm(self) -> int:
        """From 0 to 999,999."""
        return self._chance.randrange(1_000_000)


class Witness:
    """Hears what the engine tells, and passes on what the judges must know."""

    def __init__(self, around: "World", process: Process) -> None:
        """For one process."""
        self._around = around
        self._process = process

    def moved(self, change: Change) -> None:
        """A payout moved, durably."""
        self._around.moved(self._process, change)

    def called(self, channel: str, operation: str, outcome: str, seconds: float) -> None:
        """Of no interest here."""

    def decided(self, seconds: float) -> None:
        """Of no interest here."""

    def delivered(self, result: str) -> None:
        """Of no interest here."""

    def alarm(self, event: str, **facts: object) -> None:
        """Something a person should see, and can: the log masks none of it."""
        assert facts.keys() <= ALLOWED
        self._around.alarmed(self._process, event, facts)

    def defect(self, event: str, error: Exception, **facts: object) -> None:
        """A bug showed itself."""
        self._around.defective(self._process, event, error, facts)


@dataclass
class Replica:
    """A place where a gateway process runs, one after another."""

    name: str
    plan: Plan
    around: "World"
    clock: ReplicaClock
    lives: int = 0
    process: Process | None = None
    gateway: Gateway | None = None
    worker: NappingWorker | None = None
    duties: Duties | None = None
    link: Link | None = None
    wires: tuple[Wire, ...] = ()
    is_serving: bool = False

    def start(self) -> None:
        """A new process."""
        self.lives += 1
        around = self.around
        self.process = process = around.loop.born(f"{self.name}.{self.lives}")
        around.story.tell(process.name, 0, "starts")
        self.link = around.connect(process)
        around.loop.start(process, self._run(process, self.link))

    def kill(self) -> None:
        """As by kill -9."""
        process, self.process = self.process, None
        if process is None:
            return
        self.around.story.tell(process.name, 0, "dies")
        self.is_serving = False
        self.gateway = self.worker = self.duties = None
        self.around.loop.kill(process)
        self.around.died(process)

    async def _run(self, process: Process, link: Link) -> None:
        clock = self.clock
        link.on_broken = lambda: self._store_broke(process)
        store = SqlStore(link, Vault(KEK), clock, webhook_payload)
        while True:
            try:
                await store.prepare()
            except StoreError:
                await asyncio.sleep(1)
            else:
                break
        channels = self._channels(process)
        gateway = self.gateway = Gateway(
            store=store,
            clock=clock,
            entropy=ReplicaEntropy(self.around.dice, process.name),
            channels=channels,
            policy=POLICY,
            health=Health(),
            observer=Witness(self.around, process),
            load=Load(),
            notify_base=NOTIFY_BASE,
        )
        worker = self.worker = NappingWorker(
            gateway,
            self.around,
            concurrency=16,
            poll_s=POLL_S,
            exclusive=self.plan.replicas == 1,
        )
        duties = self.duties = Duties(self.around, process, gateway, worker)
        while True:
            try:
                await duties.begin()
            except StoreError:
                await asyncio.sleep(1)
            else:
                break
        self.is_serving = True
        duties.start()
        statements = asyncio.create_task(self._statements(gateway))
        try:
            await worker.run()
        except StoreError:
            pass  # it could not even begin: the process leaves, and is started again
        except Exception as error:  # noqa: BLE001 - a finding: a worker never ends like this
            self.around.broken("defect", 0, f"{process.name} ended: {error!r}")
        finally:
            statements.cancel()
            duties.stop()
            self.is_serving = False
        # Outside the process: whoever watches it sees that it has ended.
        self.around.loop.after(0, self.around.left, self, process)

    def _store_broke(self, process: Process) -> None:
        """As `serving` does, whoever's write it was: nothing more is sent, the process leaves."""
        if self.process is not process:
            return
        if self.is_serving and self.gateway is not None and self.worker is not None:
            self.gateway.halt(STORE_BROKEN)
            self.worker.stop()
        else:
            self.around.left(self, process)

    async def _statements(self, gateway: Gateway) -> None:
        patience = Patience()
        while True:
            await self.around.until_statements(self.name)
            if not self.around.reads(self):
                continue
            try:
                await reconcile_all(gateway, patience)
            except StoreError:
                continue
            except Exception as error:  # noqa: BLE001 - a finding, with its seed
                self.around.broken("defect", 0, f"statements: {error!r}")

    def _channels(self, process: Process) -> Mapping[str, Channel]:
        channels: dict[str, Channel] = {}
        wires = []
        for seat in self.plan.seats:
            terms = Terms(Currency.CNY, 10, 2_000_000, tariffs=(Tariff(flat_minor=seat.flat_fen),))
            channel: Any
            if seat.kind == "alipay":
                channel = build_alipay(seat.name, _alipay(seat), terms, self.clock.now)
            else:
                channel = build_wechat_pay(seat.name, _wechat(seat), terms, self.clock.now)
            if seat.is_strict:
                channel._traits = replace(channel.traits, profile=STRICT, resend=None)
            wire = channel._transport = self.around.wire(process, seat.name)
            wires.append(wire)
            channels[seat.name] = channel
        self.wires = tuple(wires)
        return channels


@cache
def _alipay_settings() -> AlipaySettings:
    """Real keys are read once, to pass the checks of the settings; they sign nothing."""
    pem = (platform.KEYS / "merchant_test_only.pem").read_text(encoding="ascii")
    return AlipaySettings.model_validate(
        {
            "gateway_url": f"https://{HOSTS['alipay']}/gateway.do",
            "app_id": "2021000000000000",
            "private_key": pem,
            "alipay_public_key": (platform.KEYS / "platform_public.pem").read_text("ascii"),
            "products": {
                Rail.ALIPAY: "TRANS_ACCOUNT_NO_PWD",
                Rail.BANK_CARD: "TRANS_BANKCARD_NO_PWD",
            },
        }
    )


@cache
def _wechat_settings() -> WechatPaySettings:
    return platform.settings(base_url=f"https://{HOSTS['wechat_pay']}")


def _alipay(seat: Seat) -> AlipaySettings:
    numbers = {"app_id": app_id(seat), "user_id": user_id(seat)}
    settings = _alipay_settings().model_copy(update=numbers)
    settings._keys = Keys(keys.private(seat.name), {"": keys.public("alipay")})
    return settings


def _wechat(seat: Seat) -> WechatPaySettings:
    settings = _wechat_settings().model_copy(update={"mchid": mchid(seat)})
    own = MerchantKey(mchid(seat), platform.SERIAL, keys.private(seat.name))
    theirs = PlatformKey(platform.PUBLIC_KEY_ID, keys.public("wechat_pay"))
    settings._merchant_key, settings._platform_keys = own, PlatformKeys([theirs])
    return settings
