"""Ask institutions what is on our accounts, at a pace of their own, and hold it against our floats.

Nothing waits for it and nothing is decided on it: what may be sent is the store's guard on our own
float. One process at a time asks a channel; what it heard, and when to ask next, is in the store,
so that all replicas see the same and a restart asks nobody anew.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from msgspec.structs import replace

from channels.contract import Balance, Channel, ChannelError, Funded, ThrottledError
from gateway.domain.errors import AbsenceError, ConflictError
from gateway.domain.floats import BalancePace, KeptBalance, Verdict, compare, failed
from gateway.domain.incident import of_float
from gateway.engine.gateway import Gateway
from gateway.engine.record import incident_id, tell
from gateway.ports import StoreError

ANSWER_S = 30.0
"""An institution that has not answered by then has not answered."""
FIRST_WITHIN_S = 30
"""After the very first start the questions are spread over so long."""
SPREAD = 10
"""Each wait is up to a tenth longer than asked for, so that channels do not fall into step."""
BACKED_OFF_MAX_S = 3600
AGREES = "the two agree again / 余额已与账面一致"


class Balances:
    """One per process; `look` every few seconds."""

    def __init__(self, gateway: Gateway) -> None:
        """Nothing is known until the first look."""
        self._gateway = gateway
        self._asking: set[str] = set()

    async def look(self) -> None:
        """Take over what is kept, and ask whoever is due. Raises `StoreError`."""
        gateway = self._gateway
        await self._take_over()
        now = gateway.clock.now()
        due = [channel for channel in self._watched() if await self._is_due(channel, now)]
        rounds = await asyncio.gather(
            *(self._in_turn(channel) for channel in due), return_exceptions=True
        )
        for channel, error in zip(due, rounds, strict=True):
            if isinstance(error, StoreError):
                raise error
            if isinstance(error, Exception):
                gateway.observer.defect("float.defect", error, channel=channel.name)

    async def ask(self, name: str) -> KeptBalance:
        """Ask one channel now, for a person; what is kept when another process is asking."""
        gateway = self._gateway
        channel = gateway.channels.get(name)
        if channel is None:
            raise AbsenceError("no_such_channel", f"there is no channel {name}", zh="渠道不存在")
        if not isinstance(channel, Funded):
            raise ConflictError(
                "balance_not_offered",
                f"{name} offers no question about its balance",
                zh="该渠道不提供余额查询",
            )
        await self._in_turn(channel, asked_for=True)
        await self._take_over()
        return gateway.load.balances.get(name) or self._first(channel)

    async def _take_over(self) -> None:
        """What is kept of channels that are still configured."""
        gateway, kept = self._gateway, await self._gateway.store.channel_balances()
        gateway.load.balances = {
            name: one for name, one in kept.items() if name in gateway.channels
        }

    def _watched(self) -> Iterable[Channel]:
        for channel in self._gateway.channels.values():
            if isinstance(channel, Funded) and self._gateway.balance_pace(channel.name).every_s:
                yield channel

    async def _is_due(self, channel: Channel, now: datetime) -> bool:
        """Whether its time has come; sends that wait for the channel's limit go first."""
        gateway = self._gateway
        kept = gateway.load.balances.get(channel.name)
        if kept is None:
            await gateway.store.keep_channel_balance(self._first(channel))
            return False
        # A clock that was set back must not silence the questions.
        longest = timedelta(seconds=2 * max(BACKED_OFF_MAX_S, self._pace(channel).every_s))
        is_due = not now < kept.due_at < now + longest
        return is_due and gateway.throttle.may_ask(channel.name)

    async def _in_turn(self, channel: Channel, *, asked_for: bool = False) -> None:
        name = channel.name
        if name in self._asking:
            return
        self._asking.add(name)
        try:
            async with self._gateway.store.turn(f"balance:{name}") as mine:
                if mine:
                    kept = (await self._gateway.store.channel_balances()).get(name)
                    kept = kept or self._first(channel)
                    # Another process may have asked since this one looked.
                    known = self._gateway.load.balances.get(name)
                    if asked_for or known is None or kept.due_at == known.due_at:
                        await self._one(channel, kept)
        finally:
            self._asking.discard(name)

    async def _one(self, channel: Channel, kept: KeptBalance) -> None:
        gateway, name, pace = self._gateway, channel.name, self._pace(channel)
        currency = channel.traits.terms.currency
        before = await gateway.store.float_extent(name, currency)
        try:
            said = await _answer(channel)
        except ChannelError as trouble:
            await self._unheard(kept, trouble, pace)
            return
        extent = before.with_(await gateway.store.float_extent(name, currency))
        if kept.currency is not currency:
            kept = KeptBalance(name, currency, kept.due_at)
        due_at = gateway.clock.now() + self._wait(pace.every_s)
        looked, verdict = compare(replace(kept, due_at=due_at), said, extent, pace)
        await self._tell(looked, verdict)
        await gateway.store.keep_channel_balance(looked)
        gateway.load.balances = {**gateway.load.balances, name: looked}

    async def _unheard(self, kept: KeptBalance, trouble: ChannelError, pace: BalancePace) -> None:
        gateway = self._gateway
        after = failed(kept, f"{type(trouble).__name__}: {trouble}"[:200])
        wait_s = pace.every_s or BalancePace().every_s
        if isinstance(trouble, ThrottledError):
            doubled_s = wait_s * 2 ** min(after.failures, 12)
            wait_s = max(wait_s, min(doubled_s, BACKED_OFF_MAX_S))
        after = replace(after, due_at=gateway.clock.now() + self._wait(wait_s))
        await gateway.store.keep_channel_balance(after)
        gateway.load.balances = {**gateway.load.balances, kept.channel: after}
        if after.failures == pace.looks:
            gateway.observer.alarm(
                "float.unseen",
                channel=kept.channel,
                looks=after.failures,
                problem=after.problem,
                problem_zh=(
                    f"机构连续 {after.failures} 次未返回余额，账面余额暂时无法核对："
                    f"请检查其查询接口、凭证与权限（{after.problem}）"
                ),
            )

    async def _tell(self, looked: KeptBalance, verdict: Verdict) -> None:
        """Before what was told is kept: cut off between the two, it is told again, and once."""
        gateway, now = self._gateway, self._gateway.clock.now()
        if verdict is Verdict.OFF:
            incident = of_float(looked, now, incident_id(gateway))
            if await gateway.store.open_float_incident(incident):
                tell(gateway, incident)
            gateway.observer.alarm("float.off", channel=looked.channel, off_minor=looked.off_minor)
        elif verdict is Verdict.AGREES:
            closed = await gateway.store.close_float_incident(
                looked.channel, now, "gateway", AGREES
            )
            if closed:
                gateway.observer.alarm("float.agrees", channel=looked.channel)

    def _pace(self, channel: Channel) -> BalancePace:
        return self._gateway.balance_pace(channel.name)

    def _first(self, channel: Channel) -> KeptBalance:
        now = self._gateway.clock.now()
        soon = timedelta(seconds=FIRST_WITHIN_S) * self._gateway.entropy.ppm() / 1_000_000
        return KeptBalance(channel.name, channel.traits.terms.currency, now + soon)

    def _wait(self, every_s: int) -> timedelta:
        whole = timedelta(seconds=every_s)
        return whole + whole * self._gateway.entropy.ppm() / 1_000_000 / SPREAD


async def _answer(channel: Channel) -> Balance:
    """What the institution says, in the channel's own currency. Raises `ChannelError`."""
    if not isinstance(channel, Funded):
        raise ChannelError("this channel offers no question about its balance")
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            said = await channel.balance()
            if said.available.currency is not channel.traits.terms.currency:
                raise ChannelError(f"the balance is told in {said.available.currency}")
            return said
    raise ChannelError(f"no answer within {ANSWER_S:g} s")
