"""The institutions of a run: the simulators' pure cores with cheap keys, and time that passes.

They outlive every gateway process. What they moved is handed to the world bank at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from simulators.alipay.core import AlipaySimulator
from simulators.alipay.messages import Voice
from simulators.alipay.settings import Settings as AlipaySettings
from simulators.books import Movement
from simulators.kernel import Answer, Push, Request
from simulators.wechat_pay import core as wechat_core
from simulators.wechat_pay.core import WeChatPay
from simulators.wechat_pay.gatekeeper import Gatekeeper
from simulators.wechat_pay.settings import Settings as WechatSettings
from simulators.wechat_pay.signing import Identity
from tests.channels.wechat_pay import platform
from tests.proof.simulation import keys
from tests.proof.simulation.loop import SeededLoop
from tests.proof.simulation.mischief import Mischief
from tests.proof.simulation.plan import Plan, Seat

NOTIFY_BASE = "https://gateway.test"
HOSTS = {"alipay": "alipay.test", "wechat_pay": "wechat.test"}


@cache
def _pem(name: str) -> str:
    return Path(platform.KEYS / name).read_text(encoding="ascii")


def app_id(seat: Seat) -> str:
    """Its application's number."""
    return f"2021{_number(seat):012d}"


def user_id(seat: Seat) -> str:
    """Its Alipay account's number."""
    return f"2088{_number(seat):012d}"


def mchid(seat: Seat) -> str:
    """Its WeChat merchant number."""
    return str(1_900_000_000 + _number(seat))


def _number(seat: Seat) -> int:
    return ord(seat.name[-1])


class Institution:
    """One simulated institution, and the timer that lets its time pass."""

    def __init__(
        self,
        kind: str,
        seats: Sequence[Seat],
        plan: Plan,
        mischief: Mischief,
        loop: SeededLoop,
        moved: Callable[[Movement], None],
        owed: Callable[["Institution", Push], None],
    ) -> None:
        """`moved` hears of every movement, `owed` of every notice that is due."""
        self.kind = kind
        self.mischief = mischief
        self._plan = plan
        self._start = plan.start.astimezone(UTC)
        self._loop = loop
        self._moved = moved
        self._owed = owed
        self._seen = 0
        self._wake_at: float | None = None
        build = _alipay if kind == "alipay" else _wechat
        self.core: Any = build(seats, plan, mischief)

    def now(self) -> datetime:
        """The institution's clock is right."""
        return self._start + timedelta(seconds=self._loop.time())

    def handle(self, request: Request) -> Answer:
        """Execute one request."""
        answer: Answer = self.core.handle(request, self.now())
        for push in answer.pushes:
            self._owed(self, push)
        self._after()
        return answer

    def heard(self, push: Push, status: int | None, body: bytes) -> None:
        """How a notice was received."""
        self.core.on_push_result(push, status, self.now(), body)
        self._after()

    def topup(self, account: str, fen: int) -> None:
        """Put money on an account."""
        self.core.topup(account, fen, self.now())
        self._after()

    def balances(self) -> Mapping[str, int]:
        """What lies on each account, frozen money included."""
        return {str(row["account"]): int(row["balance_fen"]) for row in self.core.accounts()}

    def status_of(self, account: str, reference: str) -> str | None:
        """What became of an order, in the institution's own word; None when there is none."""
        if self.kind == "alipay":
            order = self.core._transfers.book.by_reference.get((account, reference))
            return None if order is None else str(order.status)
        bill = self.core._desk.transfers.by_out_bill_no(account, reference)
        return None if bill is None else str(bill.state)

    def _tick(self) -> None:
        self._wake_at = None
        for push in self.core.tick(self.now()):
            self._owed(self, push)
        self._after()

    def _after(self) -> None:
        """Report what moved, and be woken when something falls due next."""
        truth = self.core.truth()
        for movement in truth[self._seen :]:
            self._moved(movement)
        self._seen = len(truth)
        due_at = self.core.next_tick_at()
        if due_at is None:
            return
        at = max((due_at - self._plan.start).total_seconds(), self._loop.time()) + 1e-6
        if self._wake_at is None or at < self._wake_at:
            self._wake_at = at
            self._loop.after(at - self._loop.time(), self._tick)


def _alipay(seats: Sequence[Seat], plan: Plan, mischief: Mischief) -> AlipaySimulator:
    accounts = [
        {
            "account": seat.name,
            "app_id": app_id(seat),
            "user_id": user_id(seat),
            "public_key": _pem("platform_public.pem"),
            "balance_fen": seat.balance_fen,
            "fee": {"flat_fen": seat.flat_fen},
            "notify_url": f"{NOTIFY_BASE}/notices/{seat.name}",
        }
        for seat in seats
    ]
    settings = AlipaySettings.model_validate(
        {
            "public_url": f"https://{HOSTS['alipay']}",
            "platform_private_key": _pem("platform_test_only.pem"),
            "accounts": accounts,
        }
    )
    simulator = AlipaySimulator(settings, mischief)
    voice = Voice(keys.private("alipay"))
    simulator._voice = simulator._transfers.voice = voice
    callers = {
        name: replace(one, key=keys.public(name))
        for name, one in simulator._transfers.callers.items()
    }
    simulator._transfers.callers = callers
    simulator._applications = {one.app_id: one for one in callers.values()}
    return simulator


class _CheapGatekeeper(Gatekeeper):
    """Takes no key apart, as there is none."""

    def __init__(self, settings: WechatSettings, entropy: Any) -> None:
        self._settings = settings
        self._entropy = entropy
        identity = Identity(settings.public_key_id, keys.private("wechat_pay"))
        self.public_key_identity = self.certificate_identity = identity
        self._identities = {identity.serial: identity}
        self._merchants = {
            account.mchid: (account, keys.public(account.account)) for account in settings.accounts
        }


def _wechat(seats: Sequence[Seat], plan: Plan, mischief: Mischief) -> WeChatPay:
    accounts = [
        {
            "account": seat.name,
            "mchid": mchid(seat),
            "appid": platform.APPID,
            "serial_no": platform.SERIAL,
            "public_key": _pem("platform_public.pem"),
            "apiv3_key": platform.APIV3_KEY,
            "balance_fen": seat.balance_fen,
            "fee": {"flat_fen": seat.flat_fen},
            "bill_per_s": 0,
        }
        for seat in seats
    ]
    settings = WechatSettings.model_validate(
        {
            "name": "wechat_pay",
            "public_url": f"https://{HOSTS['wechat_pay']}",
            "public_key_id": platform.PUBLIC_KEY_ID,
            "platform_private_key": _pem("platform_test_only.pem"),
            "accounts": accounts,
        }
    )
    with mock.patch.object(wechat_core, "Gatekeeper", _CheapGatekeeper):
        simulator = WeChatPay(settings, seed=plan.seed, faults=mischief)
    mischief.magic = ()
    return simulator
