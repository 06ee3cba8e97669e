"""Notices are a reason to ask and nothing more: doubled, swapped, forged, lost, early, late."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from channels.contract import Instruction, Instrument
from gateway.domain.errors import AbsenceError
from gateway.domain.payout import PayoutState
from gateway.engine.notices import receive
from tests.builders import cny
from tests.gateway.engine.rig import (
    ATTEMPTING,
    CARD,
    LI,
    PAID,
    ZHANG,
    A,
    Rig,
    W,
    running,
)


@pytest.fixture
async def hearing(url: str) -> AsyncIterator[Rig]:
    """One Alipay account and one at WeChat."""
    async with running(url, (A, W)) as made:
        yield made


async def test_a_notice_settles_what_was_in_doubt(hearing: Rig) -> None:
    """The reply is lost; the notice makes us ask at once instead of in ten seconds."""
    hearing.fault("reset_after", A)
    payout = await hearing.pay()
    assert payout.state is PAID
    assert await hearing.kinds(payout) == ["accepted", "armed", "in_doubt", "paid"]


@pytest.mark.parametrize("payee", [ZHANG, LI], ids=["alipay", "wechat"])
async def test_doubled_notices_change_nothing_more(hearing: Rig, payee: Instrument) -> None:
    """Three times the same message: one payment, one event, and each message is done with."""
    for one in (A, W):
        hearing.fault("notice_duplicate", one, "notice", copies=2)
    payout = await hearing.pay(12_345, payee)
    await hearing.later(seconds=5)
    assert (await hearing.look(payout)).state is PAID
    assert (await hearing.kinds(payout)).count("paid") == 1
    assert len(hearing.moved()) == 1
    assert await hearing.store.notices(10) == []


async def test_notices_in_the_wrong_order_end_in_the_right_state(hearing: Rig) -> None:
    """CREATE is told after FINISH; as notices only make us ask, nothing goes backwards."""
    hearing.fault("notice_out_of_order", A, "notice", after="1h")
    payout = await hearing.pay(12_345, CARD)
    await hearing.later(seconds=10)
    assert (await hearing.look(payout)).state is PAID
    await hearing.later(hours=2)
    assert (await hearing.look(payout)).state is PAID
    assert await hearing.kinds(payout) == ["accepted", "armed", "pending", "paid"]


async def test_a_forged_notice_is_refused_and_asks_nothing(hearing: Rig) -> None:
    """Only the true one counts; the forgery raises an alarm and is not even stored."""
    hearing.fault("notice_forged", A, "notice")
    payout = await hearing.pay()
    assert payout.state is PAID
    assert hearing.witness.alarmed("notice.refused") == 1
    assert hearing.witness.asked(A.name) == 1
    assert await hearing.store.notices(10) == []


async def test_a_forged_failure_cannot_kill_a_payout(hearing: Rig) -> None:
    """While the bank takes its time, a forgery says FAIL: the payout stays pending, then paid."""
    hearing.fault("notice_forged", A, "notice")
    payout = await hearing.pay(12_345, CARD)
    assert await hearing.states(payout) == [(A.name, "pending")]
    await hearing.later(seconds=10)
    assert (await hearing.look(payout)).state is PAID


async def test_a_lost_notice_is_made_up_for_by_an_inquiry(hearing: Rig) -> None:
    """Nobody tells us; we ask in due time."""
    hearing.fault("notice_lost", A, "notice", times=None)
    hearing.fault("reset_after", A)
    payout = await hearing.pay()
    assert payout.state is ATTEMPTING
    await hearing.pass_time(seconds=15)
    assert (await hearing.look(payout)).state is PAID


async def test_a_notice_before_our_own_answer_waits_for_it(hearing: Rig) -> None:
    """The institution tells before it replies: no doubt arises, and the message is not lost."""
    hearing.fault("slow", A, fixed="200ms")
    payout = await hearing.pay()
    assert await hearing.kinds(payout) == ["accepted", "armed", "paid"]
    assert hearing.witness.asked(A.name) == 1
    assert await hearing.store.notices(10) == []


async def test_every_notice_of_a_busy_payout_is_done_with(hearing: Rig) -> None:
    """Several messages arrive while the payout is worked on: none is forgotten."""
    hearing.fault("slow", A, fixed="200ms")
    hearing.fault("notice_duplicate", A, "notice", copies=3)
    payout = await hearing.pay()
    assert payout.state is PAID
    assert await hearing.store.notices(10) == []


async def test_a_notice_about_a_paid_payout_finds_the_return(hearing: Rig) -> None:
    """A day later the bank sends the money back: told, asked, returned, credited."""
    payout = await hearing.pay(12_345, replace(CARD, number="6222000000000002"))
    await hearing.later(seconds=10)
    assert (await hearing.look(payout)).state is PAID
    await hearing.pass_time(days=2)
    assert (await hearing.look(payout)).state is PayoutState.RETURNED
    assert hearing.moved("payout", "return") == [(A.name, 12_345)] * 2
    assert hearing.witness.alarms == []


async def test_a_doubled_notice_of_a_return_credits_once(hearing: Rig) -> None:
    """The merchant gets its money back one time, however often we are told."""
    hearing.fault("notice_duplicate", A, "notice", copies=2, times=None)
    payout = await hearing.pay(12_345, replace(CARD, number="6222000000000002"))
    await hearing.pass_time(days=2)
    assert (await hearing.kinds(payout)).count("returned") == 1


async def test_a_notice_about_no_payout_of_ours_is_answered_and_alarms(hearing: Rig) -> None:
    """Truly from the channel, under a number we never used: acknowledged, and a person is told."""
    channel = hearing.gateway.channels[A.name]
    stranger = Instruction("x", "NOT-OURS-1", cny(500), ZHANG, "旧系统")
    await channel.send(channel.prepare(stranger, hearing.now()))
    await hearing.quiet()
    assert hearing.witness.alarmed("notice.unknown_reference") == 1
    assert await hearing.store.notices(10) == []
    hearing.may_disagree.add(A.name)


async def test_a_notice_for_no_channel_of_ours_is_refused(hearing: Rig) -> None:
    """There is nobody to verify it."""
    with pytest.raises(AbsenceError):
        await receive(hearing.gateway, "nobody", {}, b"")


async def test_kept_notices_are_acted_on_after_a_restart(hearing: Rig) -> None:
    """Taken in while the worker was stopping, asked about by the next process at its start."""
    payout = await hearing.pay(12_345, CARD)
    await hearing.stop()
    await hearing.world.advance(timedelta(seconds=5))
    assert len(await hearing.store.notices(10)) == 1
    await hearing.reopen()
    await hearing.start()
    await hearing.quiet()
    assert (await hearing.look(payout)).state is PAID
    assert await hearing.store.notices(10) == []


async def test_a_stale_signature_of_a_kept_notice_does_not_matter(hearing: Rig) -> None:
    """WeChat's signatures age: one that was fresh when it came in is still good after a week."""
    payout = await hearing.pay(12_345, LI)
    await hearing.stop()
    await hearing.world.advance(timedelta(seconds=5))
    assert len(await hearing.store.notices(10)) == 1
    await hearing.world.advance(timedelta(days=7))
    await hearing.reopen()
    await hearing.start()
    await hearing.quiet()
    assert (await hearing.look(payout)).state is PAID
    assert await hearing.store.notices(10) == []


async def test_a_notice_of_a_removed_channel_is_kept(hearing: Rig) -> None:
    """Its channel is not configured any more: the message waits until it is again."""
    payout = await hearing.pay(12_345, CARD)
    await hearing.stop()
    await hearing.world.advance(timedelta(seconds=5))
    await hearing.reopen(without=(A.name,))
    await hearing.start()
    await asyncio.sleep(0.05)
    assert len(await hearing.store.notices(10)) == 1
    await hearing.reopen()
    await hearing.start()
    await hearing.quiet()
    assert (await hearing.look(payout)).state is PAID
