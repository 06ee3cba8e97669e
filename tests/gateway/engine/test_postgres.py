"""The same promises on PostgreSQL, with one process and with two replicas that share it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.engine.accept import Request, accept
from gateway.engine.gateway import Gateway, Told
from gateway.engine.worker import Worker, advance, refresh
from tests import builders
from tests.gateway.engine.doubles import Halted
from tests.gateway.engine.rig import PAID, ZHANG, A, B, Rig, process, running, seat

MUTE = seat(A, account={"notify_url": None})


async def test_a_payout_fails_over_and_is_settled(fresh_postgres_url: str) -> None:
    """Refused here, paid there, found on the statement; the books agree."""
    async with running(fresh_postgres_url, (A, B)) as rig:
        rig.fault("reject", A, code="REMARK_HAS_SENSITIVE_WORD")
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
        await rig.next_morning()
        await rig.statements()
        assert (await rig.look(payout)).state == "settled"


async def test_a_payout_in_doubt_is_found_and_paid_once(fresh_postgres_url: str) -> None:
    """The reply is lost; the inquiry finds it."""
    async with running(fresh_postgres_url, (MUTE, B)) as rig:
        rig.fault("reset_after", A)
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        await rig.pass_time(seconds=15)
        assert (await rig.look(payout)).state is PAID
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_death_at_any_pause_never_pays_twice(fresh_postgres_url: str) -> None:
    """As on SQLite: cut at every pause, then a new process, and each is paid exactly once."""
    async with running(fresh_postgres_url, (MUTE,), started=False) as rig:
        payouts = []
        for pause in range(1, 100):
            payout = await rig.accept()
            payouts.append(payout)
            halted = Halted(advance(rig.gateway, Told(payout.id)), pause)

            async def wait(given: Halted = halted) -> object:
                return await given

            await asyncio.gather(asyncio.ensure_future(wait()), return_exceptions=True)
            if not halted.was_cut:
                break
        await rig.reopen()
        await rig.start(exclusive=False)
        await rig.pass_time(minutes=6)
        assert len(payouts) > 5
        assert {(await rig.look(payout)).state for payout in payouts} == {PAID}
        assert len(set(rig.references())) == len(rig.moved()) == len(payouts)


@asynccontextmanager
async def replica(rig: Rig) -> AsyncIterator[Gateway]:
    """A second process, as far as memory and connections go."""
    other = await process(
        rig.url, rig.world, rig.seats, rig.witness, rig.gateway.notify_base, rig.gateway.limits
    )
    await refresh(other)
    try:
        yield other
    finally:
        for channel in other.channels.values():
            await channel.aclose()
        await other.store.aclose()


async def test_two_replicas_pay_every_payout_once(fresh_postgres_url: str) -> None:
    """Both take payouts in and both look for work; no payout is armed by two."""
    async with running(fresh_postgres_url, (MUTE, B), started=False) as rig, replica(rig) as other:
        payouts = []
        for number in range(20):
            request = Request(f"r-{number}", builders.cny(12_345), (ZHANG,), "货款")
            at = other if number % 2 else rig.gateway
            key = builders.intake(key=f"replica-{number:08d}")
            payouts.append((await accept(at, rig.merchant, request, key, "test")).payout)
        workers = [
            Worker(one, concurrency=8, poll_s=0.003, exclusive=False)
            for one in (rig.gateway, other)
        ]
        tasks = [asyncio.create_task(one.run()) for one in workers]
        try:
            async with asyncio.timeout(8):
                while True:
                    if {(await rig.look(one)).state for one in payouts} == {PAID}:
                        break
                    await asyncio.sleep(0.02)
        finally:
            for one in workers:
                one.stop()
            await asyncio.gather(*tasks)
        assert len(set(rig.references())) == len(rig.moved()) == 20
        assert len(rig.submitted()) == 20
