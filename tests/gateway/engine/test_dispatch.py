"""The order is the product: committed, then sent, once; and what a death in between leaves."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from channels.contract import Instruction, Instrument, Outcome, Prepared
from gateway.domain.payout import AttemptState, PayoutState
from gateway.engine.dispatch import dispatch, send
from gateway.engine.gateway import Halt, Told
from gateway.engine.operate import cancel
from gateway.engine.worker import advance
from gateway.ports import (
    Change,
    CommitUnknownError,
    FloatShortError,
    StaleError,
    StoreBrokenError,
    StoreError,
)
from gateway.store import SqlStore
from tests.gateway.engine.doubles import Halted, Recorded, digest_on_the_wire, tapped
from tests.gateway.engine.rig import (
    ATTEMPTING,
    LI,
    PAID,
    ROUTING,
    ZHANG,
    A,
    B,
    Seat,
    W,
    adapter_at,
    by_hand,
    live,
    running,
    seat,
    until,
)

MUTE = seat(A, account={"notify_url": None})


@pytest.mark.parametrize(("at", "payee"), [(A, ZHANG), (W, LI)], ids=["alipay", "wechat"])
async def test_the_attempt_is_committed_before_the_first_byte(
    url: str, at: Seat, payee: Instrument
) -> None:
    """Whoever opens the database when the request arrives finds the attempt, armed, with the
    digest of exactly those bytes."""
    async with running(url, (at,), started=False) as rig:
        upstream = rig.world.shells[at.simulator].url_of(at.name)
        async with tapped(upstream, url) as tap:
            await rig.gateway.channels[at.name].aclose()
            channel = Recorded(adapter_at(at, tap.url, rig.world))
            rig.replace_channel(channel)
            payout = await by_hand(rig, await rig.accept(12_345, payee))
            (row,) = tap.seen[0]
            (prepared,) = channel.prepared
            assert row.state == "armed"
            assert row.digest == prepared.digest == digest_on_the_wire(tap.requests[0], prepared)
            assert row.reference == prepared.instruction.reference
            assert live(payout).state in {AttemptState.CONFIRMED, AttemptState.PENDING}
            await rig.start()
            await rig.later(seconds=5)
            assert (await rig.look(payout)).state is PAID


async def test_a_second_send_is_committed_before_it_leaves(url: str) -> None:
    """A resend is armed with its own digest under the same reference, and then sent."""
    async with running(url, (MUTE,), started=False) as rig:
        upstream = rig.world.shells["alipay"].url_of(A.name)
        rig.fault("reset_before", A)
        async with tapped(upstream, url) as tap:
            await rig.gateway.channels[A.name].aclose()
            channel = Recorded(adapter_at(A, tap.url, rig.world))
            rig.replace_channel(channel)
            await rig.start()
            payout = await rig.pay()
            await rig.pass_time(minutes=2)
            sends = [
                (seen, request)
                for seen, request in zip(tap.seen, tap.requests, strict=True)
                if b"uni.transfer" in request
            ]
            assert [(seen[0].state, seen[0].sends) for seen, _ in sends] == [
                ("armed", 1),
                ("armed", 2),
            ]
            for (seen, request), prepared in zip(sends, channel.prepared, strict=True):
                assert seen[0].digest == prepared.digest == digest_on_the_wire(request, prepared)
            assert len({seen[0].digest for seen, _ in sends}) == 2
        assert (await rig.look(payout)).state is PAID
        await rig.stop()


async def test_a_stop_that_comes_while_a_resend_is_signed_stops_it(url: str) -> None:
    """Nothing is armed and nothing sent once the gateway has halted, however far it had come."""

    class Halting(Recorded):
        """The gateway halts while the second request is signed."""

        def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
            made = super().prepare(instruction, now)
            if len(self.prepared) == 2:
                rig.gateway.halt(Halt("test", "halted by the test", "测试"))
            return made

    async with running(url, (MUTE,), started=False) as rig:
        rig.fault("reset_before", A)
        channel = Halting(rig.gateway.channels[A.name])
        rig.replace_channel(channel)
        await rig.start()
        payout = await rig.pay()
        await rig.pass_time(minutes=2)
        assert len(channel.prepared) == 2
        attempt = (await rig.look(payout)).attempts[0]
        assert (attempt.state, attempt.sends) == (AttemptState.IN_DOUBT, 1)
        assert rig.moved() == []
        await rig.stop()


class Refusing:
    """Lets the store's `record` fail as told, for changes that arm an attempt."""

    def __init__(self, store: SqlStore, error: Callable[[], StoreError], *, stored: bool) -> None:
        """`stored`: the change is committed all the same, and only the answer is lost."""
        self._record = store.record
        self._error = error
        self._stored = stored

    async def __call__(self, change: Change) -> None:
        """Stand in for `record`."""
        if change.events[0].kind != "armed":
            await self._record(change)
            return
        if self._stored:
            await self._record(change)
        raise self._error()


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "stored"])
@pytest.mark.parametrize("error", [StaleError, CommitUnknownError, StoreError, StoreBrokenError])
async def test_nothing_is_sent_when_arming_is_not_acknowledged(
    url: str, monkeypatch: pytest.MonkeyPatch, error: type[StoreError], stored: bool
) -> None:
    """Whatever became of the commit: no byte without its acknowledgement, and later paid once."""
    async with running(url, started=False) as rig:
        payout = await rig.accept()
        with monkeypatch.context() as patch:
            patch.setattr(rig.store, "record", Refusing(rig.store, error, stored=stored))
            with pytest.raises(error):
                await by_hand(rig, payout)
        assert rig.submitted() == []
        await rig.start()
        await rig.pass_time(minutes=2)
        assert (await rig.look(payout)).state is PAID
        assert rig.moved() == [(A.name, 12_345)]


async def test_nothing_is_sent_when_the_float_went_elsewhere_meanwhile(url: str) -> None:
    """Our memory says there is float and the store's own guard says no: the store is believed."""
    async with running(url, (seat(A, account={"balance_fen": 100}),), started=False) as rig:
        payout = await rig.accept()
        rig.gateway.load.float_minor[A.name] = 10**9
        recorded: list[type[Exception]] = []
        record = rig.store.record

        async def watched(change: Change) -> None:
            try:
                await record(change)
            except StoreError as error:
                recorded.append(type(error))
                raise

        rig.store.record = watched  # type: ignore[method-assign]  # watches the real one
        await by_hand(rig, payout)
        assert recorded == [FloatShortError]
        assert rig.submitted() == []
        assert (await rig.look(payout)).state is ROUTING
        assert rig.gateway.load.float_minor[A.name] == 0


async def test_a_payout_that_was_cancelled_meanwhile_is_not_sent(url: str) -> None:
    """The worker decided on what it had read; the cancellation came first."""
    async with running(url, started=False) as rig:
        payout = await rig.accept()
        await cancel(rig.gateway, payout.id, rig.merchant.id, "merchant")
        with pytest.raises(StaleError):
            await dispatch(rig.gateway, payout)
        assert rig.submitted() == []
        assert (await rig.look(payout)).state is PayoutState.CANCELLED


async def test_a_signature_that_grew_too_old_is_not_sent(url: str) -> None:
    """Between signing and sending five minutes passed: these bytes are dropped, provably unsent."""
    async with running(url, (W,), started=False) as rig:
        payout = await rig.accept(12_345, LI)
        channel = rig.gateway.channels[W.name]
        recorded = Recorded(channel)
        rig.replace_channel(recorded)
        record = rig.store.record

        async def slow(change: Change) -> None:
            await record(change)
            if change.events[0].kind == "armed":
                await rig.world.advance(timedelta(minutes=5))

        rig.store.record = slow  # type: ignore[method-assign]  # the real one, and time
        after = await by_hand(rig, payout)
        assert (recorded.sent, rig.submitted()) == (0, [])
        assert after.attempts[0].state is AttemptState.DEAD


async def test_a_defect_while_sending_reads_as_doubt(url: str) -> None:
    """An adapter that raises may have sent: nothing is concluded, no other channel is used."""
    async with running(url, (MUTE, B), started=False) as rig:
        channel = rig.gateway.channels[A.name]

        class Fails(Recorded):
            async def send(self, prepared: Prepared) -> Outcome:
                await super().send(prepared)
                raise ZeroDivisionError

        rig.replace_channel(Fails(channel))
        payout = await by_hand(rig, await rig.accept())
        assert [one.state for one in payout.attempts] == [AttemptState.IN_DOUBT]
        assert [name for name, _ in rig.witness.defects] == ["channel.defect"]
        await rig.start()
        await rig.pass_time(seconds=15)
        assert (await rig.look(payout)).state is PAID
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_death_at_any_pause_never_pays_twice_and_never_loses(url: str) -> None:
    """The task is cancelled at every single pause between reading and settling; afterwards a new
    process finds each payout unarmed or in doubt, and each is paid exactly once."""
    async with running(url, (MUTE,), started=False) as rig:
        payouts, seen = [], set()
        for pause in range(1, 100):
            payout = await rig.accept()
            payouts.append(payout)
            halted = Halted(advance(rig.gateway, Told(payout.id)), pause)
            task = asyncio.ensure_future(_wait(halted))
            await asyncio.gather(task, return_exceptions=True)
            if not halted.was_cut:
                break
        # Whatever was asked of the store before the death is committed before it closes.
        await rig.reopen()
        for payout in payouts:
            after = await rig.look(payout)
            attempt = after.live
            seen.add((after.state, attempt and attempt.state))
        assert {(ROUTING, None), (ATTEMPTING, AttemptState.ARMED)} <= seen
        assert len(payouts) > 5
        await rig.start()
        await rig.pass_time(minutes=5)
        assert {(await rig.look(payout)).state for payout in payouts} == {PAID}
        assert len(rig.moved()) == len(payouts)
        assert len(set(rig.references())) == len(payouts)


async def _wait(halted: Halted) -> object:
    return await halted


async def test_an_orphan_is_in_doubt_at_once_after_a_restart(url: str) -> None:
    """The only process there is finds ARMED at its start: it asks, and does not wait or resend."""
    async with running(url, (MUTE, B), started=False) as rig:
        payout = await rig.accept()
        rig.fault("slow", A, fixed="1s")
        task = asyncio.create_task(advance(rig.gateway, Told(payout.id)))
        await until(lambda: bool(rig.moved()))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await rig.states(payout) == [(A.name, "armed")]
        await rig.reopen()
        await rig.start()
        await rig.quiet()
        assert await rig.kinds(payout) == ["accepted", "armed", "in_doubt", "paid"]
        doubt = (await rig.timeline(payout))[2]
        assert (doubt.detail["source"], doubt.detail["cause"]) == ("recovery", "crashed")
        assert rig.moved() == [(A.name, 12_345)]
        assert rig.submitted(B) == []


async def test_another_process_waits_before_it_takes_an_orphan_over(url: str) -> None:
    """Where several processes share a store, ARMED may be somebody's at work: 45 s of grace."""
    async with running(url, (MUTE,), started=False) as rig:
        payout = await rig.accept()
        halted = Halted(advance(rig.gateway, Told(payout.id)), 6)
        await asyncio.gather(asyncio.ensure_future(_wait(halted)), return_exceptions=True)
        await rig.reopen()
        assert await rig.states(payout) == [(A.name, "armed")]
        await rig.start(exclusive=False)
        await rig.later(seconds=44)
        assert await rig.states(payout) == [(A.name, "armed")]
        await rig.pass_time(minutes=3)
        assert (await rig.look(payout)).state is PAID
        assert len(rig.moved()) == 1


async def test_the_senders_own_answer_still_counts_after_a_takeover(url: str) -> None:
    """Somebody else had put the attempt in doubt while the sender waited; its answer settles it."""
    async with running(url, (MUTE, B), started=False) as rig:
        payout = await rig.accept()
        rig.fault("slow", A, fixed="600ms")
        rig.fault("not_found_window", A, seconds="1h")
        sending = asyncio.create_task(advance(rig.gateway, Told(payout.id)))
        await until(lambda: bool(rig.moved()))
        await advance(rig.gateway, Told(payout.id, orphan=True))
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        await sending
        assert await rig.kinds(payout) == ["accepted", "armed", "in_doubt", "in_doubt", "paid"]
        assert rig.moved() == [(A.name, 12_345)]


async def test_send_never_raises_and_tells_how_long_it_took(url: str) -> None:
    """One call, one outcome, one line for the metrics."""
    async with running(url, (MUTE,), started=False) as rig:
        await rig.refuse(A)
        channel = Recorded(rig.gateway.channels[A.name])
        rig.replace_channel(channel)
        await by_hand(rig, await rig.accept())
        assert rig.witness.calls == [(A.name, "send", "notsent")]
        again = replace(channel.prepared[0], not_after=rig.now())
        await send(rig.gateway, channel, again)
        assert channel.sent == 1
