"""Inquiries slow down and never stop; a person is told, and still they go on."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from channels.contract import Absent, Channel, Inquiry, Outcome
from gateway.domain.payout import PayoutState
from gateway.engine.gateway import Told
from gateway.engine.operate import unpark
from tests.gateway.engine.doubles import Around, Raising
from tests.gateway.engine.rig import (
    ATTEMPTING,
    CARD,
    LI,
    PAID,
    ZHANG,
    A,
    B,
    Rig,
    W,
    running,
    seat,
)

STICKY = seat(A, account={"notify_url": None}, settings={"resend_window_s": 0})


class Timed(Around):
    """Notes when it is asked."""

    def __init__(self, inside: Channel, clock: Callable[[], datetime]) -> None:
        """By this clock."""
        super().__init__(inside)
        self._clock = clock
        self.asked_at: list[datetime] = []

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Note it."""
        self.asked_at.append(self._clock())
        return await self.inside.inquire(inquiry)


@pytest.fixture
async def doubtful(url: str) -> AsyncIterator[Rig]:
    """A channel that may not be sent to twice, and another that could pay."""
    async with running(url, (STICKY, B)) as made:
        yield made


async def test_the_gaps_double_up_to_the_channels_pace_for_days(doubtful: Rig) -> None:
    """10 s, 20 s, 40 s … up to six hours, and at that pace until the end of time."""
    timed = Timed(doubtful.gateway.channels[A.name], doubtful.now)
    doubtful.replace_channel(timed)
    doubtful.fault("reset_before", A)
    began = doubtful.now()
    payout = await doubtful.pay()
    await doubtful.pass_time(days=5)
    moments = [began, *timed.asked_at]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    assert 10 <= gaps[0] <= 11
    open_s = gaps[0]
    for gap in gaps[1:]:
        wanted = min(open_s, 6 * 3600)
        assert wanted * 0.99 - 1 <= gap <= wanted * 1.1 + 1
        open_s += gap
    assert doubtful.now() - moments[-1] < timedelta(hours=7)
    assert len(gaps) < 40
    assert await doubtful.states(payout) == [(A.name, "in_doubt")]
    assert doubtful.submitted() == [payout.attempts[0].reference]


async def test_after_four_hours_a_person_is_told_and_asking_goes_on(doubtful: Rig) -> None:
    """Parked with owner and alarm; when the channel finally finds it, it is paid all the same."""
    doubtful.fault("reset_after", A)
    doubtful.fault("not_found_window", A, seconds="2d")
    payout = await doubtful.pay()
    await doubtful.pass_time(hours=3, minutes=55)
    assert (await doubtful.look(payout)).state is ATTEMPTING
    await doubtful.pass_time(hours=5)
    parked = await doubtful.look(payout)
    assert (parked.state, parked.reason, parked.owner) == (
        PayoutState.PARKED,
        "in_doubt_too_long",
        "operations",
    )
    assert doubtful.witness.alarmed("payout.parked") == 1
    asked = doubtful.witness.asked(A.name)
    await doubtful.pass_time(days=2)
    after = await doubtful.look(payout)
    assert (after.state, after.owner) == (PAID, None)
    assert doubtful.witness.asked(A.name) > asked
    assert doubtful.witness.alarmed("payout.parked") == 1
    assert doubtful.moved() == [(A.name, 12_345)]
    assert doubtful.submitted(B) == []


async def test_a_parked_payout_can_be_handed_back(doubtful: Rig) -> None:
    """Its owner gives it back; as long as doubt lasts it is parked again, and asked about."""
    doubtful.fault("reset_before", A)
    payout = await doubtful.pay()
    await doubtful.pass_time(hours=10)
    assert (await doubtful.look(payout)).state is PayoutState.PARKED
    back = await unpark(doubtful.gateway, payout.id, "ops")
    assert (back.state, back.owner) == (ATTEMPTING, None)
    await doubtful.pass_time(hours=13)
    assert (await doubtful.look(payout)).state is PayoutState.PARKED


async def test_an_institution_that_is_down_is_asked_until_it_is_back(doubtful: Rig) -> None:
    """A refused question says nothing; once the institution is back, the answer is there."""
    doubtful.fault("reset_after", A)
    payout = await doubtful.pay()
    trouble = await doubtful.refuse(A)
    await doubtful.pass_time(seconds=25)
    assert doubtful.witness.asked(A.name) == 2
    assert await doubtful.states(payout) == [(A.name, "in_doubt")]
    await doubtful.mend(trouble)
    await doubtful.pass_time(minutes=1)
    assert (await doubtful.look(payout)).state is PAID


async def test_a_defect_while_asking_is_no_answer(doubtful: Rig) -> None:
    """An adapter that raises on inquiries is recorded; the payout stays in doubt, asked again."""
    doubtful.fault("reset_after", A)
    payout = await doubtful.pay()
    channel = doubtful.gateway.channels[A.name]

    def fails(step: str) -> None:
        if step == "inquire":
            raise KeyError("status")

    doubtful.replace_channel(Raising(channel, fails))
    await doubtful.pass_time(minutes=5)
    assert await doubtful.states(payout) == [(A.name, "in_doubt")]
    assert {name for name, _ in doubtful.witness.defects} == {"channel.defect"}
    doubtful.replace_channel(channel)
    await doubtful.pass_time(minutes=10)
    assert (await doubtful.look(payout)).state is PAID


async def test_a_pending_payout_is_asked_about_for_days(url: str) -> None:
    """The bank never finishes: no failure, no second attempt, and the question stays open."""
    async with running(url, (A, B)) as rig:
        rig.fault("settle_never", A)
        payout = await rig.pay(12_345, CARD)
        await rig.pass_time(days=3)
        assert await rig.states(payout) == [(A.name, "pending")]
        assert 10 < rig.witness.asked(A.name) < 40
        assert rig.submitted(B) == []


async def test_a_channel_removed_from_the_configuration_loses_nothing(doubtful: Rig) -> None:
    """Nobody can ask, which is alarmed; with the channel back, the payout is settled."""
    doubtful.fault("reset_after", A)
    payout = await doubtful.pay()
    await doubtful.reopen(without=(A.name,))
    await doubtful.start()
    await doubtful.pass_time(minutes=5)
    assert await doubtful.states(payout) == [(A.name, "in_doubt")]
    alarms = doubtful.witness.alarmed("channel.missing")
    assert 3 <= alarms <= 8
    assert doubtful.submitted(B) == []
    await doubtful.reopen()
    await doubtful.start()
    await doubtful.pass_time(minutes=5)
    assert (await doubtful.look(payout)).state is PAID


async def test_an_old_doubt_about_a_dead_attempt_parks_nothing(url: str) -> None:
    """The first attempt was doubted hours ago and is dead; asking about it again must not park
    the second, which waits for its payee as it should."""
    async with running(url, (A, W)) as rig:
        rig.fault("reject", A, code="PAYER_BALANCE_NOT_ENOUGH", times=None)
        payout = await rig.pay(12_345, ZHANG, replace(LI, openid="magic-confirms-late"))
        await rig.pass_time(hours=5)
        assert await rig.states(payout) == [(A.name, "dead"), (W.name, "pending")]
        first = (await rig.look(payout)).attempts[0].reference
        asked = rig.witness.asked(A.name)
        rig.gateway.wake(Told(payout.id, first))
        await rig.quiet()
        assert rig.witness.asked(A.name) == asked + 1
        assert (await rig.look(payout)).state is ATTEMPTING
        await rig.pass_time(hours=20)
        assert (await rig.look(payout)).state is PAID
