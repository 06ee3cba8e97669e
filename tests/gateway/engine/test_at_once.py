"""Acceptance and first attempt in one commit: what it saves, and what it must never cost."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from channels.contract import Instruction, Prepared
from gateway.domain.bucket import pace_of
from gateway.domain.errors import ConflictError, UnfundedError
from gateway.domain.payout import Payout
from gateway.engine import at_once
from gateway.engine.accept import Acceptance, Request, accept
from gateway.engine.gateway import Halt, NoHands
from gateway.health.throttle import Single, Turns
from gateway.ports import CommitUnknownError, Intake, Kill, RowOfBatch, Search
from gateway.store.database import Returned, Unit
from tests import builders
from tests.gateway.engine.doubles import Around, Recorded
from tests.gateway.engine.rig import (
    ATTEMPTING,
    PAID,
    ROUTING,
    START,
    ZHANG,
    A,
    B,
    Rig,
    running,
    seat,
    until,
)

ONE = seat(A, account={"notify_url": None})
FEN = 12_345


def asked(name: str, *, fen: int = FEN) -> Request:
    """A payout that nothing keeps back."""
    return Request(name, builders.cny(fen), (ZHANG,), "佣金")


async def ask(rig: Rig, name: str, *, fen: int = FEN, body: str = "") -> Acceptance:
    """As a merchant does; the same name is the same key."""
    key = builders.intake(key=f"key-{name:>012}", body=body)
    return await accept(rig.gateway, rig.merchant, asked(name, fen=fen), key, "test")


async def become_poor(rig: Rig) -> None:
    """Who asks from now on has paid nothing in."""
    rig.merchant = builders.merchant("m_poor")
    await rig.store.add_merchant(rig.merchant, "test")


def on_write(rig: Rig, before: Callable[[Unit], Awaitable[object]]) -> None:
    """Have something happen before each unit is given to the database."""
    database = rig.store._database
    write = database.write

    async def writing(unit: Unit) -> Returned:
        await before(unit)
        return await write(unit)

    database.write = writing  # type: ignore[method-assign]  # the same, watched


def arms(unit: Unit) -> bool:
    """Whether it takes a payout in and arms it."""
    names = {step.query.name for step in unit.steps}
    return {"insert_payout", "insert_attempt"} <= names


class Gate:
    """Holds every acceptance that arms until it is opened."""

    def __init__(self, rig: Rig) -> None:
        """Closed."""
        self.opened = asyncio.Event()
        self.reached = asyncio.Event()
        on_write(rig, self._wait)

    async def _wait(self, unit: Unit) -> None:
        if arms(unit):
            self.reached.set()
            await self.opened.wait()


async def test_it_is_one_unit_and_the_merchant_is_told_what_is_stored(url: str) -> None:
    """One write stores acceptance, decision and attempt; the answer says that it is attempted."""
    async with running(url, (ONE,)) as rig:
        await rig.pay()
        units: list[Unit] = []

        async def keep(unit: Unit) -> None:
            units.append(unit)

        on_write(rig, keep)
        taken = await ask(rig, "one")
        assert (taken.payout.state, taken.payout.version, taken.repeated) == (ATTEMPTING, 2, False)
        assert await rig.store.payout(taken.payout.id) is not None
        await rig.quiet()
        assert [arms(unit) for unit in units] == [True, False]
        assert len(await rig.store.decisions(taken.payout.id)) == 1
        assert (await rig.look(taken.payout)).state is PAID


async def told(rig: Rig, payout: Payout) -> list[Any]:
    """What the history, the webhooks and the audit log say of a payout, without times and ids."""
    hashed = await rig.store._read("state_hashes", {"ids": f'["{payout.id}"]'})
    owed = await rig.store.deliveries(rig.merchant.id, payout.id, 100)
    return [
        [(one.seq, one.kind, one.state, one.actor) for one in await rig.timeline(payout)],
        sorted((row[1], row[2] is not None) for row in hashed),
        sorted(one.seq for one in owed if one.payout_id == payout.id),
    ]


async def test_it_looks_the_same_as_in_two_commits(url: str) -> None:
    """Events, their webhooks and the state that the audit log hashes after each of them."""
    async with running(url, (ONE,)) as rig:
        await rig.store.put_endpoint(builders.endpoint(merchant_id=rig.merchant.id), "test")
        short = (await ask(rig, "short")).payout
        await rig.quiet()
        hands, rig.gateway.hands = rig.gateway.hands, NoHands()
        long = (await ask(rig, "long")).payout
        rig.gateway.hands = hands
        await rig.quiet()
        assert (short.state, long.state) == (ATTEMPTING, ROUTING)
        assert await told(rig, short) == await told(rig, long)
        assert (await rig.kinds(short))[:2] == ["accepted", "armed"]


async def test_no_byte_leaves_and_nobody_is_answered_before_the_commit(url: str) -> None:
    """While the unit is on its way the channel has heard nothing."""
    async with running(url, (ONE,)) as rig:
        channel = Recorded(rig.gateway.channels[A.name])
        rig.replace_channel(channel)
        gate = Gate(rig)
        asking = asyncio.create_task(ask(rig, "one"))
        await gate.reached.wait()
        await asyncio.sleep(0.02)
        assert (len(channel.prepared), channel.sent, asking.done()) == (1, 0, False)
        gate.opened.set()
        taken = await asking
        await rig.quiet()
        assert channel.sent == 1
        assert (await rig.look(taken.payout)).state is PAID


async def test_the_merchant_does_not_wait_for_the_channel(url: str) -> None:
    """A channel that takes its time: the answer is there before the channel's."""
    async with running(url, (ONE,)) as rig:
        rig.fault("slow", A, fixed="300ms")
        taken = await ask(rig, "one")
        assert (await rig.look(taken.payout)).state is ATTEMPTING
        await rig.quiet()
        assert (await rig.look(taken.payout)).state is PAID


async def test_a_repeated_request_arms_nothing(url: str) -> None:
    """The same key, and the same number under another key: the first payout, its only attempt."""
    async with running(url, (ONE,)) as rig:
        first, twin = await asyncio.gather(ask(rig, "one"), ask(rig, "one"))
        later = await ask(rig, "one")
        await rig.quiet()
        assert first.payout.id == twin.payout.id == later.payout.id
        assert sorted((first.repeated, twin.repeated)) == [False, True]
        assert later.repeated
        assert len(rig.submitted()) == len(await rig.states(first.payout)) == 1


async def test_another_body_under_the_same_key_arms_nothing(url: str) -> None:
    """A conflict, and the first payout as it was."""
    async with running(url, (ONE,)) as rig:
        first = await ask(rig, "one")
        with pytest.raises(ConflictError):
            await ask(rig, "one", fen=FEN + 1, body="another")
        await rig.quiet()
        assert rig.moved() == [(A.name, FEN)]
        assert await rig.states(first.payout) == [(A.name, "confirmed")]


async def test_a_kill_that_this_process_has_not_heard_of_is_found_by_the_commit(url: str) -> None:
    """The payout is taken in, and is not armed through the killed channel."""
    async with running(url, (ONE,)) as rig:
        await rig.store.kill(Kill("kill_1", A.name, "stop", rig.now(), "key:1"))
        rig.gateway.load.kills = {}
        taken = await ask(rig, "one")
        await rig.quiet()
        assert (taken.payout.state, taken.payout.version) == (ROUTING, 1)
        assert rig.submitted() == []
        assert await rig.states(taken.payout) == []


async def test_a_float_that_is_gone_is_found_by_the_commit(url: str) -> None:
    """Another replica took it: taken in all the same, and sent elsewhere."""
    async with running(url, (seat(ONE, account={"balance_fen": FEN}), B)) as rig:
        rig.gateway.load.float_minor[A.name] = 10 * FEN
        taken = await ask(rig, "one")
        assert taken.payout.state is ROUTING
        await rig.quiet()
        assert await rig.states(taken.payout) == [(B.name, "confirmed")]
        assert len(rig.submitted()) == 1


async def test_who_cannot_pay_is_refused_and_nothing_is_sent(url: str) -> None:
    """Not stored at all."""
    async with running(url, (ONE,)) as rig:
        await become_poor(rig)
        with pytest.raises(UnfundedError):
            await ask(rig, "one")
        await rig.quiet()
        assert rig.submitted() == []
        assert await rig.store.search(Search(rig.merchant.id, limit=9)) == []


@pytest.mark.parametrize("written", [True, False])
async def test_nothing_is_sent_after_a_commit_that_nobody_knows_of(
    url: str, *, written: bool
) -> None:
    """The merchant is told so, and asks again; what was armed is asked about, not sent."""
    async with running(url, (ONE,)) as rig:
        accepting = rig.store.accept

        async def unknown(*given: Any) -> Payout:
            if written:
                await accepting(*given)
            raise CommitUnknownError("no answer")

        rig.store.accept = unknown  # type: ignore[method-assign, assignment]  # and silent
        with pytest.raises(CommitUnknownError):
            await ask(rig, "one")
        rig.store.accept = accepting  # type: ignore[method-assign]  # as it was
        await rig.quiet()
        assert rig.submitted() == []
        again = await ask(rig, "one")
        assert again.repeated is written
        await rig.pass_time(minutes=10)
        assert len(rig.moved()) == 1
        assert (await rig.look(again.payout)).state is PAID


async def test_a_merchant_that_hangs_up_ends_nothing(url: str) -> None:
    """Its request is cancelled while the commit is on its way: paid once."""
    async with running(url, (ONE,)) as rig:
        gate = Gate(rig)
        asking = asyncio.create_task(ask(rig, "one"))
        await gate.reached.wait()
        asking.cancel()
        gate.opened.set()
        await rig.quiet()
        again = await ask(rig, "one")
        assert again.repeated
        assert again.payout.state is PAID
        assert len(rig.submitted()) == 1


async def test_a_defect_after_the_answer_is_told_and_nothing_is_sent(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The merchant has its answer; what was armed is asked about later, and paid once."""
    async with running(url, (ONE,)) as rig:

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(at_once, "moved", broken)
            taken = await ask(rig, "one")
            await until(rig.is_idle)
        assert taken.payout.state is ATTEMPTING
        assert [name for name, _ in rig.witness.defects] == ["payout.defect"]
        assert rig.submitted() == []
        await rig.pass_time(minutes=10)
        assert (await rig.look(taken.payout)).state is PAID
        assert len(rig.moved()) == 1


async def test_a_refusal_that_nobody_waits_for_is_no_defect(url: str) -> None:
    """The merchant hung up, and could not have paid."""
    async with running(url, (ONE,)) as rig:
        await become_poor(rig)
        gate = Gate(rig)
        asking = asyncio.create_task(ask(rig, "one"))
        await gate.reached.wait()
        asking.cancel()
        gate.opened.set()
        await rig.quiet()
        assert rig.witness.defects == []
        assert rig.submitted() == []


class Faulty(Around):
    """Cannot sign."""

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """A defect."""
        raise ZeroDivisionError


async def test_an_adapter_that_cannot_sign_refuses_no_payout(url: str) -> None:
    """It is taken in, and its turn tells the defect, as ever."""
    async with running(url, (ONE,)) as rig:
        inside = rig.gateway.channels[A.name]
        rig.replace_channel(Faulty(inside))
        taken = await ask(rig, "one")
        assert taken.payout.state is ROUTING
        await rig.quiet()
        assert [name for name, _ in rig.witness.defects] == ["payout.defect"]
        rig.replace_channel(inside)
        await rig.later(minutes=1)
        assert (await rig.look(taken.payout)).state is PAID


async def test_what_the_policy_cannot_decide_is_taken_in(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routing raises: no reason to turn a merchant away."""
    async with running(url, (ONE,)) as rig:

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(at_once, "route", broken)
        taken = await ask(rig, "one")
        assert taken.payout.state is ROUTING
        await rig.quiet()
        assert (await rig.look(taken.payout)).state is PAID


async def test_a_halt_during_the_commit_keeps_the_bytes_here(url: str) -> None:
    """Armed and not sent: the next process asks, finds nothing, and pays once."""
    async with running(url, (ONE,)) as rig:
        gate = Gate(rig)
        asking = asyncio.create_task(ask(rig, "one"))
        await gate.reached.wait()
        gateway = rig.gateway
        gateway.halt(Halt("test", "halted by the test", "测试"))
        gate.opened.set()
        taken = await asking
        await until(rig.is_idle)
        assert rig.submitted() == []
        assert await rig.states(taken.payout) == [(A.name, "armed")]
        await rig.reopen()
        await rig.start()
        await rig.pass_time(minutes=10)
        assert (await rig.look(taken.payout)).state is PAID
        assert len(rig.moved()) == 1


async def test_with_no_hand_free_it_is_taken_in_plainly(url: str) -> None:
    """One slot, and it is taken: nothing is decided or signed before the merchant is answered."""
    async with running(url, (ONE,), started=False) as rig:
        await rig.start(concurrency=1)
        rig.fault("slow", A, times=None, fixed="150ms")
        channel = Recorded(rig.gateway.channels[A.name])
        rig.replace_channel(channel)
        first = await ask(rig, "one")
        second = await ask(rig, "two")
        assert (first.payout.state, second.payout.state) == (ATTEMPTING, ROUTING)
        assert len(channel.prepared) == 1
        await rig.quiet()
        assert {(await rig.look(one.payout)).state for one in (first, second)} == {PAID}


async def test_a_worker_that_stops_finishes_what_it_has_armed(url: str) -> None:
    """Stopped while the commit is on its way: it is sent, and later ones are taken in plainly."""
    async with running(url, (ONE,)) as rig:
        gate = Gate(rig)
        asking = asyncio.create_task(ask(rig, "one"))
        await gate.reached.wait()
        stopping = asyncio.create_task(rig.stop())
        await asyncio.sleep(0.01)
        gate.opened.set()
        first = await asking
        await stopping
        assert (await rig.look(first.payout)).state is PAID
        assert (await ask(rig, "two")).payout.state is ROUTING


async def test_a_channel_whose_turns_are_used_up_keeps_no_merchant_waiting(url: str) -> None:
    """The first takes the only send of this second; the other is taken in and waits its turn."""
    async with running(url, (ONE,)) as rig:
        rig.gateway.throttle = Turns({A.name: 1}, Single(1))
        first, second = await ask(rig, "one"), await ask(rig, "two")
        assert (first.payout.state, second.payout.state) == (ATTEMPTING, ROUTING)
        await until(lambda: len(rig.submitted()) == 1)


async def test_a_repeated_request_uses_up_no_send(url: str) -> None:
    """What its turn on the channel was is given back."""
    async with running(url, (ONE,)) as rig:
        at = [0.0]
        rig.gateway.throttle = Turns({A.name: 1}, Single(1), lambda: at[0])
        await ask(rig, "one")
        await rig.quiet()
        at[0] += pace_of(1).interval_us / 1e6
        assert (await ask(rig, "one")).repeated
        assert (await ask(rig, "two")).payout.state is ATTEMPTING


@pytest.mark.parametrize(
    "keeps", [{"hold": "look first"}, {"release_at": START + timedelta(hours=1)}]
)
async def test_what_must_wait_is_not_armed(url: str, keeps: dict[str, Any]) -> None:
    """For a person, or for its time."""
    async with running(url, (ONE,)) as rig:
        payout = await rig.accept(**keeps)
        await rig.quiet()
        assert payout.attempts == ()
        assert rig.submitted() == []


async def test_a_row_of_a_batch_waits_for_its_batch(url: str) -> None:
    """Until all its rows are accepted they can all be cancelled."""
    async with running(url, (ONE,)) as rig:
        change = builders.accepted_change(builders.payout(merchant_id=rig.merchant.id))
        row = RowOfBatch(None, 1, None)  # type: ignore[arg-type]  # that there is one is enough
        assert await at_once.at_once(rig.gateway, change, Intake("key", b"", row), 0) is None
        assert await at_once.at_once(rig.gateway, change, Intake("key", b""), 0) is not None
        await rig.quiet()
