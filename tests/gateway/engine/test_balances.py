"""Balances asked of institutions on the running whole: at their own pace, for people only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.contract import Balance, Channel, ChannelError, Funded, ThrottledError
from channels.money import Currency, Money
from gateway.domain.errors import AbsenceError, ConflictError
from gateway.domain.floats import BalancePace, KeptBalance
from gateway.domain.incident import IncidentKind
from gateway.engine.balances import Balances
from gateway.engine.floats import seconds_left, usable_minor
from gateway.engine.worker import refresh
from gateway.ports import StoreError
from tests.gateway.engine.doubles import Around
from tests.gateway.engine.rig import PAID, A, B, Rig, W, process, running, seat

FIVE = timedelta(minutes=5, seconds=1)
MUTE = seat(A, account={"notify_url": None})


class Told(Around):
    """Says a balance of the test's choosing, after a pause."""

    def __init__(self, inside: Channel) -> None:
        """Honest until told otherwise."""
        super().__init__(inside)
        self.said: list[Money | ChannelError] = []
        self.asked = 0
        self.under_way = 0
        self.most = 0
        self.pause = 0.0
        self.begun = asyncio.Event()

    async def balance(self) -> Balance:
        """What the test said, else the truth."""
        self.asked += 1
        self.under_way += 1
        self.begun.set()
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.pause)
            said = self.said.pop(0) if self.said else None
            if isinstance(said, ChannelError):
                raise said
            assert isinstance(self.inside, Funded)
            true = await self.inside.balance()
            return true if said is None else Balance(said, true.at)
        finally:
            self.under_way -= 1


def stand_in(rig: Rig, name: str = A.name) -> Told:
    """Put a channel that can be told what to say in a channel's place."""
    made = Told(rig.gateway.channels[name])
    rig.replace_channel(made)
    return made


async def look(rig: Rig, balances: Balances, **delta: float) -> None:
    """Let time pass, and look."""
    await rig.world.advance(timedelta(**delta) if delta else FIVE)
    await balances.look()


async def begun(rig: Rig) -> Balances:
    """Balances that have been asked once."""
    made = Balances(rig.gateway)
    await made.look()
    await made.look()
    return made


def asked(rig: Rig, channel: str = A.name) -> int:
    """How many questions about balances the institution was asked."""
    return sum(
        row.get("op") == "balance" and row.get("account") == channel
        for row in rig.world.journal.rows(limit=1000)
    )


def kept(rig: Rig, channel: str = A.name) -> KeptBalance:
    """What is known."""
    return rig.gateway.load.balances[channel]


async def test_every_institution_is_asked_and_agrees(rig: Rig) -> None:
    """Real answers over real sockets, of both kinds."""
    await rig.pay()
    await begun(rig)
    for one in (A, B, W):
        known = kept(rig, one.name)
        assert known.available_minor == rig.held_there(one)
        assert (known.off_minor, known.failures) == (0, 0)


async def test_they_are_asked_at_their_own_pace(rig: Rig) -> None:
    """However often somebody looks; each channel by its own setting, and never if so set."""
    rig.gateway.balance_paces = {
        A.name: BalancePace(every_s=60),
        B.name: BalancePace(every_s=0),
    }
    balances = await begun(rig)
    for _ in range(5):
        await balances.look()
    assert (asked(rig), asked(rig, B.name), asked(rig, W.name)) == (1, 0, 1)
    await look(rig, balances, seconds=61)
    assert (asked(rig), asked(rig, W.name)) == (2, 1)


async def test_a_restart_asks_nobody_anew(rig: Rig) -> None:
    """When to ask next is in the store."""
    await begun(rig)
    rig.gateway.load.balances = {}
    again = Balances(rig.gateway)
    await again.look()
    assert asked(rig) == 1
    assert kept(rig).available_minor == rig.held_there(A)


async def test_a_clock_set_back_does_not_silence_the_questions(rig: Rig) -> None:
    """A next look that lies absurdly far ahead is due."""
    balances = await begun(rig)
    far = rig.now() + timedelta(days=2)
    known = kept(rig)
    await rig.store.keep_channel_balance(
        KeptBalance(A.name, known.currency, far, known.available_minor, known.said_at)
    )
    await balances.look()
    assert asked(rig) == 2


async def test_money_under_way_is_no_difference(rig: Rig) -> None:
    """A card order that stays under way for good explains either balance."""
    rig.fault("settle_never", A)
    await rig.accept()
    await rig.quiet()
    rig.gateway.balance_paces = {A.name: BalancePace(looks=1)}
    await begun(rig)
    assert kept(rig).off_minor == 0
    assert rig.witness.alarmed("float.off") == 0


async def test_a_lasting_difference_opens_one_incident_that_closes_itself(rig: Rig) -> None:
    """Money that is booked here and never reached the institution; payouts go on meanwhile."""
    rig.may_disagree.add(A.name)
    told = stand_in(rig)
    short = Money(rig.held_there(A) - 500, Currency.CNY)
    told.said = [short] * 8
    balances = await begun(rig)
    for _ in range(4):
        await look(rig, balances)
    assert await rig.store.incidents(open_only=True) == []
    for _ in range(3):
        await look(rig, balances)
    (opened,) = await rig.store.incidents(open_only=True)
    assert (opened.kind, opened.channel) == (IncidentKind.FLOAT_OFF, A.name)
    assert "5.00 CNY too little" in opened.evidence
    assert "少 5.00 CNY" in opened.evidence
    assert rig.witness.alarmed("float.off") == rig.witness.alarmed("incident.opened") == 1
    assert (await rig.pay()).state is PAID
    await look(rig, balances)
    assert await rig.store.incidents(open_only=True) == []
    assert rig.witness.alarmed("float.agrees") == 1


async def test_a_person_who_released_it_is_not_told_of_the_same_again(rig: Rig) -> None:
    """Only of more than what they looked at."""
    rig.may_disagree.add(A.name)
    told, whole = stand_in(rig), rig.held_there(A)
    rig.gateway.balance_paces = {A.name: BalancePace(looks=1)}
    told.said = [Money(whole - minor, Currency.CNY) for minor in (500, 500, 400, 600)]
    balances = await begun(rig)
    (opened,) = await rig.store.incidents(open_only=True)
    await rig.store.release_incident(opened.id, rig.now(), "key:1", "a fee we will see tomorrow")
    await look(rig, balances)
    await look(rig, balances)
    assert await rig.store.incidents(open_only=True) == []
    await look(rig, balances)
    (again,) = await rig.store.incidents(open_only=True)
    assert "6.00 CNY too little" in again.evidence


async def test_throttled_it_asks_ever_more_slowly(rig: Rig) -> None:
    """Doubling up to an hour; other troubles keep the pace."""
    told = stand_in(rig)
    told.said = [*[ThrottledError("too often")] * 6, ChannelError("odd")]
    balances = await begun(rig)
    waits = []
    for _ in range(6):
        waits.append(kept(rig).due_at - rig.now())
        await look(rig, balances, seconds=waits[-1].total_seconds() + 1)
    assert [int(one.total_seconds()) for one in waits] == [600, 1200, 2400, 3600, 3600, 3600]
    assert kept(rig).due_at - rig.now() == timedelta(minutes=5)
    assert rig.witness.alarmed("float.unseen") == 1
    assert kept(rig).problem == "ChannelError: odd"


async def test_people_hear_in_both_languages_that_a_balance_is_not_told(rig: Rig) -> None:
    """With how often it was asked for in vain, and what stood in the way."""
    told = stand_in(rig)
    told.said = [ChannelError("odd")] * BalancePace().looks
    balances = await begun(rig)
    for _ in range(BalancePace().looks):
        await look(rig, balances, seconds=(kept(rig).due_at - rig.now()).total_seconds() + 1)

    (facts,) = (facts for event, facts in rig.witness.alarms if event == "float.unseen")
    assert "ChannelError: odd" in str(facts["problem"])
    assert str(facts["looks"]) in str(facts["problem_zh"])


async def test_an_institution_that_refuses_connections_is_not_heard(rig: Rig) -> None:
    """What it said before stays, with its age; payouts through others go on."""
    balances = await begun(rig)
    before = kept(rig)
    made = await rig.refuse(A)
    await look(rig, balances)
    assert kept(rig).failures == 1
    assert (kept(rig).available_minor, kept(rig).said_at) == (
        before.available_minor,
        before.said_at,
    )
    assert (await rig.pay()).state is PAID
    await rig.mend(made)
    await look(rig, balances)
    assert kept(rig).failures == 0


async def test_a_balance_in_another_currency_is_no_answer(rig: Rig) -> None:
    """Never compared with our float."""
    stand_in(rig).said = [Money(1, Currency.USD)]
    await begun(rig)
    assert kept(rig).available_minor is None
    assert "USD" in kept(rig).problem


async def test_sends_that_wait_for_the_limit_go_first(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the channel's limit is short, balances are asked for later."""

    class Short:
        """A limit that is used up."""

        async def turn(self, channel: str) -> float | None:
            """Wait."""
            return 1.0

        def may_ask(self, channel: str) -> bool:
            """Leave it to sends."""
            return False

    monkeypatch.setattr(rig.gateway, "throttle", Short())
    await begun(rig)
    assert asked(rig) == 0


async def test_a_defect_of_one_adapter_leaves_the_others_asked(rig: Rig) -> None:
    """It is recorded, and tried again."""
    told = stand_in(rig)
    told.said = [RuntimeError("bug")]  # type: ignore[list-item]  # what no adapter should do
    await begun(rig)
    assert kept(rig, B.name).available_minor == rig.held_there(B)


async def test_a_slow_institution_holds_nobody_up(rig: Rig) -> None:
    """A payout through the same channel is paid while the question is still open."""
    told = stand_in(rig)
    told.pause = 3600.0
    balances = Balances(rig.gateway)
    await balances.look()
    looking = asyncio.create_task(balances.look())
    await told.begun.wait()
    assert (await rig.pay()).state is PAID
    assert not looking.done()
    looking.cancel()


async def test_a_person_may_ask_at_once(rig: Rig) -> None:
    """Ahead of its time, and for channels that are never asked otherwise."""
    rig.gateway.balance_paces = {A.name: BalancePace(every_s=0)}
    balances = Balances(rig.gateway)
    found = await balances.ask(A.name)
    assert found.available_minor == rig.held_there(A)
    with pytest.raises(AbsenceError):
        await balances.ask("nobody")
    rig.replace_channel(Around(rig.gateway.channels[B.name]))
    with pytest.raises(ConflictError) as refused:
        await balances.ask(B.name)
    assert refused.value.code == "balance_not_offered"


async def test_the_runway_counts_the_smaller_of_the_two(rig: Rig) -> None:
    """What an institution lacks is not counted on; an old word is forgotten again."""
    rig.may_disagree.add(A.name)
    ours = rig.held_there(A)
    stand_in(rig).said = [Money(ours - 700, Currency.CNY)]
    balances = await begun(rig)
    await refresh(rig.gateway)
    assert usable_minor(rig.gateway, A.name, ours) == ours - 700
    assert rig.gateway.load.float_minor[A.name] == ours
    await rig.world.advance(timedelta(minutes=20))
    assert usable_minor(rig.gateway, A.name, ours) == ours
    await balances.look()
    assert usable_minor(rig.gateway, A.name, ours) == ours


async def test_an_empty_account_there_is_told_before_the_float_is_used_up(rig: Rig) -> None:
    """The runway is nothing although our books still have money."""
    rig.may_disagree.add(A.name)
    told = stand_in(rig)
    rig.gateway.balance_paces = {A.name: BalancePace(every_s=60)}
    balances = Balances(rig.gateway)
    told.said = [Money(0, Currency.CNY)] * 30
    await balances.look()
    for _ in range(14):
        await look(rig, balances, seconds=61)
        await refresh(rig.gateway)
    assert seconds_left(rig.gateway, A.name) == 0
    assert rig.witness.alarmed("float.runway") == 1


@asynccontextmanager
async def replica(rig: Rig) -> AsyncIterator[Any]:
    """A second process on the same database."""
    other = await process(
        rig.url, rig.world, rig.seats, rig.witness, rig.gateway.notify_base, rig.gateway.limits
    )
    try:
        yield other
    finally:
        for channel in other.channels.values():
            await channel.aclose()
        await other.store.aclose()


async def test_of_several_replicas_one_asks(fresh_postgres_url: str, tmp_path: Path) -> None:
    """At the same moment or one after the other: one question a time, and all know the answer."""
    async with running(fresh_postgres_url, (MUTE,), started=False) as rig, replica(rig) as other:
        for store in (rig.store, other.store):
            await store.join(lambda _: None)
        told = stand_in(rig)
        told.pause = 0.05
        other.channels = {A.name: told}
        both = Balances(rig.gateway), Balances(other)
        await asyncio.gather(*(one.look() for one in both))
        await asyncio.gather(*(one.look() for one in both))
        await asyncio.gather(*(one.look() for one in both))
        assert (told.asked, told.most) == (1, 1)
        for _ in range(3):
            await rig.world.advance(FIVE)
            await asyncio.gather(*(one.look() for one in both))
        for one in both:
            await one.look()
        assert (told.asked, told.most) == (4, 1)
        assert other.load.balances == rig.gateway.load.balances


async def test_a_store_that_is_away_is_said(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller looks again later; nothing was asked."""

    async def away() -> None:
        raise StoreError("away")

    monkeypatch.setattr(rig.store, "channel_balances", away)
    with pytest.raises(StoreError):
        await Balances(rig.gateway).look()
    assert asked(rig) == 0
