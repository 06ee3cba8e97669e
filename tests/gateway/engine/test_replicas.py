"""Replicas on one PostgreSQL: whose work it is, commits nobody knows of, and stale senders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.engine.accept import Request, accept
from gateway.engine.gateway import Gateway, Told
from gateway.engine.worker import Worker, advance, refresh
from gateway.ports import CommitUnknownError, Fence
from tests import builders
from tests.gateway.engine.rig import PAID, ZHANG, A, B, Rig, process, running, seat, until
from tests.gateway.store.proxy import between

MUTE = seat(A, account={"notify_url": None})


@asynccontextmanager
async def replica(rig: Rig) -> AsyncIterator[tuple[Gateway, Worker]]:
    """A second process, as far as memory and connections go, at work."""
    other = await process(
        rig.url, rig.world, rig.seats, rig.witness, rig.gateway.notify_base, rig.gateway.limits
    )
    await refresh(other)
    worker = Worker(other, concurrency=8, poll_s=0.004, exclusive=False)
    await worker.join()
    running_ = asyncio.create_task(worker.run())
    try:
        yield other, worker
    finally:
        worker.stop()
        await running_
        for channel in other.channels.values():
            await channel.aclose()
        await other.store.aclose()


@pytest.mark.parametrize("deliver", [True, False])
async def test_an_arm_of_which_nobody_knows_is_not_sent(
    fresh_postgres_url: str, tmp_path: Path, deliver: bool
) -> None:
    """The line is cut at COMMIT, after or before the server got it: no byte leaves; what was
    armed is in doubt for who takes it over, and is paid once."""
    async with (
        between(fresh_postgres_url, tmp_path) as (line, url),
        running(url, (MUTE,), started=False) as rig,
    ):
        payout = await rig.accept()
        line.deliver, line.cut_at = deliver, b"COMMIT"

        with pytest.raises(CommitUnknownError):
            await advance(rig.gateway, Told(payout.id))

        assert rig.submitted() == []
        await rig.start(exclusive=False)
        await rig.pass_time(minutes=6)
        assert (await rig.look(payout)).state is PAID
        assert ("in_doubt" in await rig.kinds(payout)) is deliver
        assert len(rig.moved()) == 1


@pytest.mark.parametrize("deliver", [True, False])
async def test_an_acceptance_of_which_nobody_knows_is_asked_for_again(
    fresh_postgres_url: str, tmp_path: Path, deliver: bool
) -> None:
    """Whether or not the server got the COMMIT, the same request leads to the one payout. If it
    did, the payout is armed and nobody sent it: it is in doubt first, and paid once."""
    async with (
        between(fresh_postgres_url, tmp_path) as (line, url),
        running(url, (MUTE,)) as rig,
    ):
        await rig.pay()
        intake = builders.intake(key="unknown-00000001")
        request = Request("unknown-to-all", builders.cny(12_345), (ZHANG,), "货款")
        # What a slow machine lost is taken up again: only a worker arms as it accepts.
        await until(lambda: rig.store.worker is not None and rig.is_idle())
        line.deliver, line.cut_after, line.cut_at = deliver, b"unknown-to-all", b"COMMIT"
        with pytest.raises(CommitUnknownError):
            await accept(rig.gateway, rig.merchant, request, intake, "test")

        again = await accept(rig.gateway, rig.merchant, request, intake, "test")

        assert again.repeated is deliver
        await rig.quiet()
        begun = rig.now()
        while (paid := await rig.look(again.payout)).state is not PAID:
            assert rig.now() < begun + timedelta(hours=1), (paid.due_at, rig.witness.alarms)
            await rig.pass_time(minutes=1)
        assert ("in_doubt" in await rig.kinds(paid)) is deliver
        assert len(rig.moved()) == 2


async def test_a_sender_that_may_have_been_overtaken_sends_nothing(
    fresh_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between arm and send it was away for too long: the attempt is dead, as provably nothing
    left, and another pays."""
    async with running(fresh_postgres_url, (MUTE, B)) as rig:
        holds, refused = rig.store.holds, iter([False])

        def away_once(fence: Fence) -> bool:
            return next(refused, True) and holds(fence)

        monkeypatch.setattr(rig.store, "holds", away_once)
        payout = await rig.pay()
        first, second = (await rig.look(payout)).attempts
        assert first.certificate is not None
        assert (first.state, first.certificate.kind.name) == ("dead", "NEVER_LEFT")
        assert second.state == "confirmed"
        assert len(rig.submitted()) == len(rig.moved()) == 1
        assert rig.witness.alarmed("attempt.withheld") == 1


async def test_a_notice_at_another_replica_is_its_workers_affair(fresh_postgres_url: str) -> None:
    """Whoever hears of a payout that is not its own passes it on, and asks nobody."""
    async with running(fresh_postgres_url, (MUTE,)) as rig, replica(rig) as (other, _):
        payout = await rig.pay()
        asked = rig.witness.asked(A.name)
        (attempt,) = (await rig.look(payout)).attempts
        at = rig.now()
        notice_id = await other.store.keep_notice(A.name, {}, b"x", at)

        await advance(other, Told(payout.id, attempt.reference, notice_id))

        async with asyncio.timeout(10):
            while await other.store.notices(10):  # noqa: ASYNC110 - the other replica's act
                await asyncio.sleep(0.02)
        assert rig.witness.asked(A.name) == asked + 1


async def test_while_detached_nothing_is_armed(
    fresh_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that lost its session says so, leaves what is due to others, and writes nothing."""
    async with running(fresh_postgres_url, (MUTE,), started=False) as rig:
        payout = await rig.accept()
        monkeypatch.setattr(type(rig.store), "worker", property(lambda _: None))
        assert rig.gateway.stopped() == "detached"

        await advance(rig.gateway, Told(payout.id))

        assert rig.submitted() == []
        stored = await rig.look(payout)
        assert (stored.version, stored.due_at) == (payout.version, payout.due_at)
