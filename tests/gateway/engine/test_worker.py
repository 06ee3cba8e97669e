"""The loop: drained on stop, bounded, fair, and leaving when nothing can be written any more."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from channels.contract import Channel, Instruction, Outcome, Prepared
from gateway.domain.payout import PayoutId, PayoutState
from gateway.engine.gateway import KNOWN_MAX, Told
from gateway.engine.operate import cancel
from gateway.engine.worker import Worker
from gateway.ports import Change, StoreBrokenError, StoreError
from tests.gateway.engine.doubles import Raising, Recorded
from tests.gateway.engine.rig import (
    ATTEMPTING,
    PAID,
    ROUTING,
    A,
    B,
    Rig,
    live,
    running,
    seat,
    until,
)

SLOW: dict[str, Any] = {"times": None, "fixed": "120ms"}
ONE = seat(A, account={"notify_url": None})


class Alike(Recorded):
    """A recorded channel whose sends all take part in one count."""

    def __init__(self, inside: Channel, shared: Counter[str]) -> None:
        """Count into `shared`."""
        super().__init__(inside)
        self._shared = shared

    async def send(self, prepared: Prepared) -> Outcome:
        """Count it."""
        self._shared["now"] += 1
        self._shared["most"] = max(self._shared["most"], self._shared["now"])
        try:
            return await super().send(prepared)
        finally:
            self._shared["now"] -= 1


async def test_sends_under_way_are_bounded_by_the_concurrency(url: str) -> None:
    """Twelve payouts, four slots: never more than four sends at once, and all are paid."""
    async with running(url, (ONE, B), started=False) as rig:
        shared: Counter[str] = Counter()
        for name in (A.name, B.name):
            rig.replace_channel(Alike(rig.gateway.channels[name], shared))
        rig.fault("slow", A, **SLOW)
        rig.fault("slow", B, **SLOW)
        payouts = [await rig.accept() for _ in range(12)]
        await rig.start(concurrency=4)
        await rig.quiet()
        assert shared["most"] == 4
        assert {(await rig.look(one)).state for one in payouts} == {PAID}
        assert len(rig.moved()) == 12


async def test_a_channels_own_cap_holds_and_the_rest_goes_elsewhere(url: str) -> None:
    """Two at a time at the first channel; what would be a third goes to the second at once."""
    narrow = seat(ONE, terms={"inflight_max": 2})
    async with running(url, (narrow, B), started=False) as rig:
        channels = {name: Recorded(rig.gateway.channels[name]) for name in (A.name, B.name)}
        for channel in channels.values():
            rig.replace_channel(channel)
        rig.fault("slow", A, **SLOW)
        rig.fault("slow", B, **SLOW)
        payouts = [await rig.accept() for _ in range(6)]
        await rig.start()
        await rig.quiet()
        assert channels[A.name].most == 2
        assert channels[B.name].sent >= 3
        assert {(await rig.look(one)).state for one in payouts} == {PAID}


async def test_a_full_channel_alone_makes_the_others_wait_a_second(url: str) -> None:
    """There is no other: the third waits, and follows; the cap is never passed."""
    narrow = seat(ONE, terms={"inflight_max": 2})
    async with running(url, (narrow,), started=False) as rig:
        channel = Recorded(rig.gateway.channels[A.name])
        rig.replace_channel(channel)
        rig.fault("slow", A, **SLOW)
        payouts = [await rig.accept() for _ in range(5)]
        await rig.start()
        for _ in range(4):
            await rig.quiet()
            await rig.later(seconds=1)
        assert channel.most == 2
        assert {(await rig.look(one)).state for one in payouts} == {PAID}


async def test_one_payouts_defect_does_not_stop_the_others(url: str) -> None:
    """An adapter that raises while signing one of them: that one is set aside, the rest is paid,
    and once the defect is gone it is paid too."""
    async with running(url, (ONE,), started=False) as rig:
        inside = rig.gateway.channels[A.name]
        bad = await rig.accept(66_600)

        class Fussy(Recorded):
            def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
                if instruction.amount.minor == 66_600:
                    raise ZeroDivisionError
                return super().prepare(instruction, now)

        rig.replace_channel(Fussy(inside))
        good = [await rig.accept() for _ in range(3)]
        await rig.start()
        await rig.quiet()
        assert {(await rig.look(one)).state for one in good} == {PAID}
        assert (await rig.look(bad)).state is ROUTING
        assert [name for name, _ in rig.witness.defects] == ["payout.defect"]
        rig.replace_channel(inside)
        await rig.later(minutes=1)
        assert (await rig.look(bad)).state is PAID


async def test_a_defect_is_not_spun_on(url: str) -> None:
    """A payout whose every turn fails is looked at once a minute."""
    async with running(url, (ONE,)) as rig:

        def fails(step: str) -> None:
            if step == "prepare":
                raise LookupError(step)

        channel = rig.gateway.channels[A.name]
        rig.replace_channel(Raising(channel, fails))
        payout = await rig.pay()
        await asyncio.sleep(0.05)
        await rig.later(minutes=1)
        assert len(rig.witness.defects) == 2
        rig.replace_channel(channel)
        await rig.later(minutes=1)
        assert (await rig.look(payout)).state is PAID


async def test_stopping_lets_what_is_under_way_finish(url: str) -> None:
    """A send in the air is waited for and settled; what was not begun stays for the next start."""
    async with running(url, (ONE,), started=False) as rig:
        rig.fault("slow", A, **SLOW)
        payouts = [await rig.accept() for _ in range(6)]
        await rig.start(concurrency=2)
        await until(lambda: bool(rig.moved()))
        await rig.stop()
        states = Counter([(await rig.look(one)).state for one in payouts])
        assert states[PAID] >= 1
        assert states[ATTEMPTING] == 0
        assert states[PAID] + states[ROUTING] == 6
        assert len(rig.moved()) == states[PAID]
        await rig.reopen()
        await rig.start()
        await rig.quiet()
        assert {(await rig.look(one)).state for one in payouts} == {PAID}
        assert len(rig.moved()) == 6


async def test_a_broken_store_stops_everything_before_the_next_byte(url: str) -> None:
    """The disk is full for real: no attempt is armed, nothing is sent, and the worker ends."""
    async with running(url, (ONE,), started=False) as rig:
        payouts = [await rig.accept() for _ in range(3)]
        writer = rig.store._database._writer  # type: ignore[attr-defined]  # SQLite's own
        pages = writer.execute("PRAGMA page_count").get
        writer.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreError):
            await rig.store.keep_notice(A.name, {}, b"x" * 50_000, rig.now())
        assert not await rig.store.healthy()
        await rig.start()
        worker, running_ = rig.worker, rig._running
        assert worker is not None
        assert running_ is not None
        async with asyncio.timeout(5):
            await running_
        assert isinstance(worker.broken, StoreBrokenError)
        assert rig.submitted() == []
        assert rig.witness.alarmed("store.broken") >= 1
        rig._running = None
        await rig.reopen()
        await rig.start()
        await rig.quiet()
        assert {(await rig.look(one)).state for one in payouts} == {PAID}


async def test_an_outcome_that_cannot_be_stored_is_found_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The money moved, the store refused the settlement: after a restart the channel is asked."""
    async with running(url, (ONE,), started=False) as rig:
        payout = await rig.accept()
        record = rig.store.record

        async def half(change: Change) -> None:
            if change.events[0].kind == "paid":
                raise StoreBrokenError("disk full")
            await record(change)

        monkeypatch.setattr(rig.store, "record", half)
        await rig.start()
        assert rig._running is not None
        async with asyncio.timeout(5):
            await rig._running
        rig._running = None
        assert rig.moved() == [(A.name, 12_345)]
        assert live(await rig.look(payout)).state == "armed"
        await rig.reopen()
        await rig.start()
        await rig.quiet()
        assert (await rig.look(payout)).state is PAID
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_store_that_is_away_for_a_moment_is_tried_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its errors are alarmed and survived; nothing is sent meanwhile, and it goes on by itself."""
    async with running(url, (ONE,), started=False) as rig:
        away = True
        due, record = rig.store.due, rig.store.record

        async def gone_due(now: datetime, limit: int) -> list[PayoutId]:
            if away:
                raise StoreError("no connection")
            return await due(now, limit)

        async def gone_record(change: Change) -> None:
            if away:
                raise StoreError("no connection")
            await record(change)

        with monkeypatch.context() as patch:
            patch.setattr(rig.store, "due", gone_due)
            patch.setattr(rig.store, "record", gone_record)
            payout = await rig.accept()
            await rig.start()
            await until(lambda: rig.witness.alarmed("store.unavailable") >= 1)
            assert rig.submitted() == []
            away = False
            await rig.quiet()
        assert (await rig.look(payout)).state is PAID


async def test_a_lost_wake_up_costs_a_poll_and_no_payout(url: str) -> None:
    """Nothing comes through the queue: due payouts are found in the store."""
    async with running(url, (ONE,), started=False) as rig:
        payout = await rig.accept()
        while not rig.gateway.queue.empty():
            rig.gateway.queue.get_nowait()
        await rig.start()
        await rig.quiet()
        assert (await rig.look(payout)).state is PAID


async def test_what_moved_since_it_was_accepted_is_not_sent(url: str) -> None:
    """The worker is handed the payout as it was accepted; the store knows that it was cancelled."""
    async with running(url, (ONE,), started=False) as rig:
        payout = await rig.accept()
        await cancel(rig.gateway, payout.id, rig.merchant.id, "merchant")
        await rig.start()
        await rig.quiet()
        assert (await rig.look(payout)).state is PayoutState.CANCELLED
        assert rig.submitted() == []


async def test_a_long_queue_holds_numbers_alone(url: str) -> None:
    """Payouts that wait are read again, rather than kept in memory by the hundred thousand."""
    async with running(url, (ONE,), started=False) as rig:
        payout = await rig.accept()
        while not rig.gateway.queue.empty():
            rig.gateway.queue.get_nowait()
        for _ in range(KNOWN_MAX + 1):
            rig.gateway.wake(Told(payout.id, known=payout))
        told = [rig.gateway.queue.get_nowait() for _ in range(KNOWN_MAX + 1)]
        assert [one.known for one in told] == [payout] * KNOWN_MAX + [None]


@pytest.mark.parametrize("beside", [True, False])
async def test_requests_are_signed_beside_the_loop_or_on_it(url: str, *, beside: bool) -> None:
    """On one core a thread gains nothing; either way the payout is paid once."""
    async with running(url, (ONE,)) as rig:
        rig.gateway.signs_beside = beside
        payout = await rig.pay()
        assert payout.state is PAID
        assert len(rig.submitted()) == 1


async def test_a_full_queue_is_alarmed_and_loses_nothing(url: str) -> None:
    """More than the queue holds: the rest is found by its due time."""
    async with running(url, (ONE,), started=False) as rig:
        rig.gateway.queue = asyncio.Queue(maxsize=2)
        payouts = [await rig.accept() for _ in range(5)]
        assert rig.witness.alarmed("worker.queue_full") == 3
        await rig.start()
        await rig.quiet()
        assert {(await rig.look(one)).state for one in payouts} == {PAID}


async def test_one_payout_is_worked_on_by_one_task_at_a_time(url: str) -> None:
    """Woken twenty times at once: armed once, sent once."""
    async with running(url, (ONE,), started=False) as rig:
        rig.fault("slow", A, **SLOW)
        payout = await rig.accept()
        for _ in range(20):
            rig.gateway.wake(Told(payout.id))
        await rig.start()
        await rig.quiet()
        assert (await rig.look(payout)).state is PAID
        assert len(rig.submitted()) == 1


async def test_a_scheduled_payout_goes_at_its_time(rig: Rig) -> None:
    """Not a second before its release, and without anybody asking."""
    at = rig.now() + timedelta(hours=3)
    payout = await rig.pay(release_at=at)
    assert payout.state is PayoutState.SCHEDULED
    await rig.later(hours=2, minutes=59)
    assert rig.submitted() == []
    await rig.later(minutes=1)
    assert (await rig.look(payout)).state is PAID


async def test_two_workers_on_one_store_pay_once(url: str) -> None:
    """As in a cluster: both see every due payout, the store's guards let one of them arm."""
    async with running(url, (ONE,), started=False) as rig:
        payouts = [await rig.accept() for _ in range(10)]
        workers = [
            Worker(rig.gateway, concurrency=4, poll_s=0.003, exclusive=False) for _ in range(2)
        ]
        tasks = [asyncio.create_task(one.run()) for one in workers]
        try:
            await until(lambda: len(rig.moved()) == 10 and not any(one._busy for one in workers))
        finally:
            for one in workers:
                one.stop()
            await asyncio.gather(*tasks)
        assert {(await rig.look(one)).state for one in payouts} == {PAID}
        assert len(set(rig.references())) == len(rig.moved()) == len(rig.submitted()) == 10
