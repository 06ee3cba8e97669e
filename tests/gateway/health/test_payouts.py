"""Real gateways on one PostgreSQL before real institutions, and a Redis that fails: all paid."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic

import pytest

from gateway.domain.payout import Payout
from gateway.engine.accept import Request, accept
from gateway.engine.gateway import Gateway
from gateway.engine.worker import Worker
from gateway.health.replica import Replica
from gateway.ports import Throttle
from tests import builders
from tests.gateway.engine.rig import PAID, ZHANG, A, Rig, Witness
from tests.gateway.engine.rig import running as rigged
from tests.gateway.engine.test_postgres import MUTE
from tests.gateway.engine.test_postgres import replica as second
from tests.gateway.health.pair import reach, running
from tests.gateway.health.valkey import Valkey, until

LIMIT = 20
COUNT = 40


def joined(gateway: Gateway, url: str, witness: Witness) -> Replica:
    """As wiring does it."""
    made = Replica(
        reach(url),
        installation=gateway.installation,
        limits={A.name: LIMIT},
        replicas=2,
        health=gateway.health,
        clock=gateway.clock,
        entropy=_Random(),
        observer=witness,
        nudge=gateway.nudged.set,
    )
    gateway.health, gateway.throttle = made.health, made.turns
    gateway.announce = made.announce
    return made


class _Random:
    def bytes(self, count: int) -> bytes:
        """The rig's own entropy counts; replicas need names that differ at their beginning."""
        return secrets.token_bytes(count)

    def ppm(self) -> int:
        """Never explore."""
        return 0


class Ledger:
    """A gateway's turns, and between which two moments each was granted.

    Redis grants by its own clock, and a busy machine hears of it late: turns that were granted one
    after another may be heard of all at once. What is certain is that each was granted after it
    was asked for, after the one before, and before it was heard of.
    """

    def __init__(self, turns: Throttle) -> None:
        """Passes everything on."""
        self._turns = turns
        self.granted: list[tuple[float, float]] = []

    async def turn(self, channel: str) -> float | None:
        """Wait for a send's turn."""
        asked = monotonic()
        later_s = await self._turns.turn(channel)
        if later_s is None:
            self._note(asked)
        return later_s

    def take(self, channel: str) -> bool:
        """Take a turn if one is free."""
        asked = monotonic()
        taken = self._turns.take(channel)
        if taken:
            self._note(asked)
        return taken

    def give_back(self, channel: str) -> None:
        """It is not sent."""
        self._turns.give_back(channel)
        self.granted.pop()

    def may_ask(self, channel: str) -> bool:
        """Whether an inquiry may go out."""
        return self._turns.may_ask(channel)

    def _note(self, asked: float) -> None:
        before = self.granted[-1][1] if self.granted else asked
        self.granted.append((max(asked, before), monotonic()))


def certain(granted: list[tuple[float, float]], window_s: float = 1.0) -> int:
    """The most turns that were certainly granted within one window."""
    return max(
        (
            sum(began <= after and before < began + window_s for after, before in granted)
            for began, _ in granted
        ),
        default=0,
    )


class Both:
    """Two gateways at work, and how often the institution was sent to."""

    def __init__(self, rig: Rig, gateways: list[Gateway], replicas: list[Replica]) -> None:
        """As `both` has made them."""
        self.rig, self.gateways, self.replicas = rig, gateways, replicas
        self.payouts: list[Payout] = []
        self.sends = 0

    async def take_in(self, count: int) -> None:
        """Payouts, at either in turn."""
        for number in range(len(self.payouts), len(self.payouts) + count):
            request = Request(f"s-{number}", builders.cny(12_345), (ZHANG,), "货款")
            at = self.gateways[number % 2]
            key = builders.intake(key=f"shared-{number:08d}")
            taken = await accept(at, self.rig.merchant, request, key, "test")
            self.payouts.append(taken.payout)

    async def all_paid(self, seconds: float = 20) -> None:
        """Wait until each is; time goes on for those in line."""
        deadline = monotonic() + seconds
        while True:
            states = [(await self.rig.look(one)).state for one in self.payouts]
            if set(states) == {PAID}:
                return
            assert monotonic() < deadline, states
            await asyncio.sleep(0.05)

    async def watch(self) -> None:
        """Note what arrives there, and let time go on."""
        began = monotonic()
        while True:
            self.sends = len(self.rig.submitted())
            await self.rig.world.advance_to(self.rig.now() + timedelta(seconds=monotonic() - began))
            began = monotonic()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def both(url: str, redis: str) -> AsyncIterator[Both]:
    """Two gateways, both accepting and both working."""
    async with rigged(url, (MUTE,), started=False) as rig, second(rig) as other:
        gateways = [rig.gateway, other]
        replicas = [joined(one, redis, rig.witness) for one in gateways]
        ledgers = [Ledger(one.throttle) for one in gateways]
        for gateway, ledger in zip(gateways, ledgers, strict=True):
            gateway.throttle = ledger
        workers = [Worker(one, concurrency=16, poll_s=0.1, exclusive=False) for one in gateways]
        made = Both(rig, gateways, replicas)
        watching = asyncio.create_task(made.watch())
        tasks = [asyncio.create_task(one.run()) for one in workers]
        try:
            async with running(*replicas):
                yield made
        finally:
            for one in workers:
                one.stop()
            watching.cancel()
            await asyncio.gather(*tasks)
            await asyncio.gather(watching, return_exceptions=True)
        references = rig.references()
        assert len(set(references)) == len(references) == len(rig.moved()) == len(made.payouts)
        granted = [turn for ledger in ledgers for turn in ledger.granted]
        assert certain(granted) <= LIMIT
        assert len(rig.submitted()) <= len(granted)


def _kill(there: Valkey) -> None:
    there.kill()


def _flush(there: Valkey) -> None:
    client = there.client()
    client.flushall()
    client.close()


def _stop(there: Valkey) -> None:
    there.stop()


def _poison(there: Valkey) -> None:
    client = there.client()
    for key in client.keys("*"):
        client.delete(key)
        client.sadd(key, "x")
    client.close()


@pytest.mark.parametrize("fail", [_kill, _flush, _stop, _poison])
async def test_every_payout_is_paid_once_and_none_too_fast(
    fresh_postgres_url: str, there: Valkey, fail: Callable[[Valkey], None]
) -> None:
    """Redis fails in the middle: all are paid, once, each send has had its turn, and in no second
    more turns are granted than the limit."""
    async with both(fresh_postgres_url, there.url) as pair:
        await until(lambda: all(one.up for one in pair.replicas))
        await pair.take_in(COUNT)
        await until(lambda: pair.sends >= 5)
        fail(there)
        await pair.all_paid()


async def test_a_wake_up_saves_the_wait_for_the_poll(
    fresh_postgres_url: str, there: Valkey
) -> None:
    """Taken in by a process that does not work on it: the other one, which would look at the store
    only in a minute, pays it at once."""
    async with rigged(fresh_postgres_url, (MUTE,), started=False) as rig, second(rig) as other:
        replicas = [joined(one, there.url, rig.witness) for one in (rig.gateway, other)]
        worker = Worker(other, concurrency=4, poll_s=60, exclusive=False)
        working = asyncio.create_task(worker.run())
        async with running(*replicas):
            await until(lambda: all(one.up for one in replicas))
            payout = await rig.accept()
            began = monotonic()
            while (await rig.look(payout)).state is not PAID:
                assert monotonic() - began < 5
                await asyncio.sleep(0.02)
            worker.stop()
            await working


async def test_a_kill_switch_is_seen_by_all_without_redis(fresh_postgres_url: str) -> None:
    """A channel paused at one replica takes nothing from the other a moment later: it goes through
    the store, so that nothing in Redis can hide it."""
    async with rigged(fresh_postgres_url, (MUTE,)) as rig, second(rig) as other:
        worker = Worker(other, concurrency=4, poll_s=0.1, exclusive=False)
        working = asyncio.create_task(worker.run())
        await rig.store.set_channel_status(A.name, "paused", "test", "test")
        await until(lambda: other.load.status.get(A.name) == "paused", 3)
        worker.stop()
        await working


async def test_no_payee_is_ever_told_to_redis(fresh_postgres_url: str, there: Valkey) -> None:
    """Everything that Redis holds, and everything it was sent, names no person and no account."""
    client = there.client()
    with client.monitor() as monitor:  # type: ignore[no-untyped-call]  # the client is half typed
        async with both(fresh_postgres_url, there.url) as pair:
            await until(lambda: all(one.up for one in pair.replicas))
            await pair.take_in(10)
            await pair.all_paid()
            await until(lambda: pair.replicas[0].heard.get("health", 0) > 0)
        client.set("end", "of-the-test")
        said: list[str] = []
        while not said or "of-the-test" not in said[-1]:
            said.append(str(monitor.next_command()["command"]))
    client.close()
    text = "\n".join(said)
    assert "seen" in text
    for private in (
        ZHANG.identity,
        "张三丰",
        "\\xe5\\xbc\\xa0",
        "12_345",
        "货款",
        "merchant",
        "s-1",
    ):
        assert private not in text
    # As a number of its own: a stamp in microseconds or a digest may have any digits.
    assert re.search(r"(?<![0-9a-f])12345(?![0-9a-f])", text) is None
