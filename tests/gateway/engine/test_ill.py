"""Who is ill, on the running whole: banks that are down, waiting with an end, what is learned."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import orjson
import pytest

from channels.contract import (
    Absent,
    BankCard,
    Channel,
    Fault,
    Inquiry,
    Instruction,
    NotSent,
    NotSentCause,
    Outcome,
    Paid,
    Prepared,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.domain.incident import IncidentKind
from gateway.domain.payout import Payout
from gateway.engine.banks import Banks
from gateway.engine.dispatch import learn
from gateway.engine.floats import seconds_left, watch_floats
from gateway.engine.gateway import Limits
from gateway.engine.incidents import release
from gateway.engine.operate import switch_channel
from gateway.engine.queueing import hurry
from gateway.engine.route import route
from gateway.engine.worker import refresh
from policies.exclusions import Code
from policies.explain import from_json
from policies.facts import Decision
from policies.health import WHOLE, Health
from policies.policy import Parameters
from tests.builders import cny
from tests.gateway.engine.doubles import Around
from tests.gateway.engine.rig import (
    CARD,
    PAID,
    ROUTING,
    ZHANG,
    A,
    B,
    Rig,
    by_hand,
    process,
    running,
)

CCB = replace(CARD, number="6217001210012345678", bank_code="CCB", bank_name="中国建设银行")
_numbers = count(1)


class Books(Around):
    """A channel that pays at once, but for the banks that are down; nothing reaches the sandbox."""

    def __init__(self, inside: Channel, down: set[str], rig: Rig) -> None:
        """`down` is shared: it is the banks that fail, not the channel. `*`: everything fails."""
        super().__init__(inside)
        self._down = down
        self._rig = rig
        self.sent: list[str] = []

    async def send(self, prepared: Prepared) -> Outcome:
        """By the beneficiary's bank."""
        bank = getattr(prepared.instruction.instrument, "bank_code", "")
        self.sent.append(bank)
        if bank in self._down or "*" in self._down:
            return Rejected(Reason.RAIL_DOWN, "INST_PAY_UNABLE")
        return Paid(f"ch{next(_numbers)}", self._rig.now(), cny(10))

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Never needed."""
        return Unknown(UnknownCause.TIMEOUT)


def booked(rig: Rig, down: set[str]) -> dict[str, Books]:
    """Put such channels in the place of all."""
    found = {name: Books(channel, down, rig) for name, channel in rig.gateway.channels.items()}
    for channel in found.values():
        rig.replace_channel(channel)
        rig.may_disagree.add(channel.name)
    return found


async def outage(rig: Rig, down: set[str]) -> list[Payout]:
    """Payouts to a bank that is down, among others, until it is found so; those that wait."""
    for _ in range(6):
        await rig.pay(5_000, CARD)
    down.add("CCB")
    waiting: list[Payout] = []
    while not rig.gateway.health.banks_down(rig.now()):
        waiting.append(await rig.pay(5_000, CCB))
        assert (await rig.pay(5_000, CARD)).state is PAID
        assert len(waiting) < 10
    return waiting


async def why(rig: Rig, payout: Payout) -> Decision:
    """The newest stored decision."""
    (*_, (_, stored)) = await rig.store.decisions(payout.id)
    return from_json(orjson.loads(stored))


async def test_a_bank_that_is_down_is_one_incident_and_no_sick_channel(url: str) -> None:
    """Its payouts wait, the others go on; one at a time probes; all are paid when it is back."""
    async with running(url, (A, B)) as rig:
        down: set[str] = set()
        channels = booked(rig, down)
        waiting = await outage(rig, down)
        banks = Banks(rig.gateway)
        await banks.look()
        (incident,) = await rig.store.incidents(open_only=True)
        assert (incident.kind, incident.bank, incident.channel) == (
            IncidentKind.BANK_DOWN,
            "CCB",
            "",
        )
        assert rig.witness.alarmed("bank.down") == 1
        views = rig.gateway.health.views(rig.gateway.channels, "bank_card", rig.now())
        assert not any(view.quarantined for view in views.values())
        later = await rig.pay(5_000, CCB)
        assert (later.state, later.attempts) == (ROUTING, ())
        decision = await why(rig, later)
        assert {reason.code for one in decision.excluded for reason in one.reasons} == {
            Code.BANK_DOWN
        }
        sent = sum(len(one.sent) for one in channels.values())
        await rig.pass_time(seconds=31)
        probes = sum(len(one.sent) for one in channels.values()) - sent
        assert probes == 1
        down.clear()
        await rig.pass_time(minutes=12)
        for payout in (*waiting, later):
            assert (await rig.look(payout)).state is PAID
        await banks.look()
        released = await rig.store.incident(incident.id)
        assert released is not None
        assert (released.is_open, released.released_by) == (False, "gateway")
        assert rig.witness.alarmed("bank.back") == 1


async def test_a_person_who_closes_the_incident_knows_better(url: str) -> None:
    """The bank is used again at once; when it fails again it is found again."""
    async with running(url, (A, B)) as rig:
        down: set[str] = set()
        booked(rig, down)
        await outage(rig, down)
        banks = Banks(rig.gateway)
        await banks.look()
        (incident,) = await rig.store.incidents(open_only=True)
        await release(rig.gateway, incident.id, "their hotline says it is fine", "key:1")
        await banks.look()
        assert not rig.gateway.health.banks_down(rig.now())
        assert rig.witness.alarmed("bank.forgiven") == 1
        assert await rig.store.incidents(open_only=True) == []


async def test_two_processes_open_one_incident(url: str) -> None:
    """Whoever is second finds it open; a third that begins anew goes on with it, by a probe."""
    async with running(url, (A, B)) as rig:
        down: set[str] = set()
        booked(rig, down)
        await outage(rig, down)
        first, second = Banks(rig.gateway), Banks(rig.gateway)
        await first.look()
        await second.look()
        (incident,) = await rig.store.incidents(open_only=True)
        await rig.stop()
        fresh = replace_health(rig)
        await fresh.look()
        assert set(rig.gateway.health.banks_down(rig.now())) == {"CCB"}
        assert rig.gateway.health.banks_down(rig.now())["CCB"].probing
        assert [one.id for one in await rig.store.incidents(open_only=True)] == [incident.id]
        await rig.start()


def replace_health(rig: Rig) -> Banks:
    """As a process that has just begun."""
    rig.gateway.health = Health()
    return Banks(rig.gateway)


async def test_one_channel_alone_queues_and_is_not_called_a_bank(url: str) -> None:
    """Nothing tells its illness from the bank's: its way to the bank is closed, payouts wait."""
    async with running(url, (A,)) as rig:
        down: set[str] = set()
        booked(rig, down)
        for _ in range(10):
            await rig.pay(5_000, CARD)
        down.add("CCB")
        for _ in range(12):
            await rig.pay(5_000, CCB)
            assert (await rig.pay(5_000, CARD)).state is PAID
        assert not rig.gateway.health.banks_down(rig.now())
        segment = "bank_card:CCB:b1"
        assert rig.gateway.health.views((A.name,), segment, rig.now())[A.name].quarantined
        payout = await rig.pay(5_000, CCB)
        assert (payout.state, payout.attempts) == (ROUTING, ())


# --- Waiting, with an end ----------------------------------------------------------------------


async def sicken(rig: Rig, *names: str) -> None:
    """Teach that these channels fail everywhere."""
    now = rig.now()
    for name in names:
        while not rig.gateway.health.views((name,), WHOLE, now)[name].quarantined:
            for rail in ("alipay", "bank_card"):
                rig.gateway.health.observe(name, rail, "failure", now, sent_at=now)


async def test_the_last_channel_is_not_sent_everything(url: str) -> None:
    """All are ill: payouts wait, small ones probe one at a time, and all go when one is well."""
    async with running(url, (A, B)) as rig:
        down = {"*"}
        channels = booked(rig, down)
        await sicken(rig, A.name, B.name)
        payouts = [await rig.accept(5_000) for _ in range(20)]
        await rig.quiet()
        assert not any(one.sent for one in channels.values())
        await rig.pass_time(seconds=61)
        assert [len(channels[name].sent) for name in (A.name, B.name)] == [1, 1]
        down.clear()
        for _ in range(60):
            await rig.pass_time(seconds=10)
            # The worker does so each second, which is not the rig's second.
            await hurry(rig.gateway)
        assert {(await rig.look(one)).state for one in payouts} == {PAID}


async def test_what_has_waited_long_enough_is_sent_all_the_same(url: str) -> None:
    """A large payout probes nothing: after a quarter of an hour it goes to the best of the ill."""
    async with running(url, (A, B)) as rig:
        channels = booked(rig, set())
        await sicken(rig, A.name, B.name)
        payout = await rig.pay(150_000)
        await rig.pass_time(minutes=14)
        assert (await rig.look(payout)).attempts == ()
        await rig.pass_time(minutes=2)
        assert (await rig.look(payout)).state is PAID
        assert (await why(rig, payout)).outcome == "forced"
        assert len(channels[A.name].sent) == 1


async def test_no_payout_waits_beyond_its_own_deadline(url: str) -> None:
    """Two minutes before it, it is sent; it does not fail for want of trying."""
    async with running(url, (A,)) as rig:
        booked(rig, set())
        await sicken(rig, A.name)
        payout = await rig.pay(150_000, deadline_at=rig.now() + timedelta(minutes=10))
        await rig.pass_time(minutes=7, seconds=50)
        assert (await rig.look(payout)).attempts == ()
        await rig.pass_time(seconds=20)
        assert (await rig.look(payout)).state is PAID


async def test_who_waited_need_not_wait_for_its_time_once_somebody_is_well(url: str) -> None:
    """Backed off to minutes, and the channel is well: it goes at the next look."""
    async with running(url, (A,)) as rig:
        booked(rig, set())
        await sicken(rig, A.name)
        payouts = [await rig.accept(150_000) for _ in range(3)]
        await rig.quiet()
        assert len(rig.gateway.waiting) == 3
        now = rig.now()
        for _ in range(5):
            rig.gateway.health.observe(A.name, "alipay", "success", now, sent_at=now)
        assert await hurry(rig.gateway) == 3
        await rig.quiet()
        assert {(await rig.look(one)).state for one in payouts} == {PAID}
        assert len(rig.gateway.waiting) == 0


async def test_waiting_for_something_else_is_not_waiting_for_the_ill(url: str) -> None:
    """A paused channel that is ill as well: its illness is not what keeps the payout back."""
    async with running(url, (A,)) as rig:
        booked(rig, set())
        await sicken(rig, A.name)
        await switch_channel(rig.gateway, A.name, "paused", "x", "ops")
        await rig.pay()
        assert len(rig.gateway.waiting) == 0
        await rig.pass_time(minutes=20)
        await switch_channel(rig.gateway, A.name, "active", "x", "ops")
        await rig.pass_time(minutes=1)
        assert len(rig.gateway.waiting) <= 1


# --- What is learned ---------------------------------------------------------------------------


def told(instrument: BankCard = CARD, number: int = 1) -> Instruction:
    """An instruction as an attempt has it."""
    return Instruction(f"po_x/{number}", f"r{number}", cny(5_000), instrument, "x", None)


def seen(rig: Rig, segment: str) -> int:
    """How many outcomes a segment of A has learned."""
    views = rig.gateway.health.views((A.name, B.name), segment, rig.now())
    return views[A.name].observations


@pytest.mark.parametrize("reason", list(Reason))
async def test_only_what_the_channel_caused_is_learned(rig: Rig, reason: Reason) -> None:
    """Of the closed list, each by its fault; only what may be the bank's is learned of the bank."""
    learn(rig.gateway, A.name, told(), Rejected(reason, "X"), rig.now())
    caused = reason in {
        Reason.FLOAT_SHORT,
        Reason.QUOTA_EXHAUSTED,
        Reason.ACCOUNT_SUSPENDED,
        Reason.NOT_PERMITTED,
        Reason.SIGNATURE_REFUSED,
        Reason.RAIL_DOWN,
        Reason.OUTSIDE_HOURS,
        Reason.THROTTLED,
        Reason.NEVER_SENT,
        Reason.NEVER_ARRIVED,
    }
    assert (reason.fault is Fault.CHANNEL) is caused
    assert seen(rig, WHOLE) == caused
    before = rig.gateway.health.views((A.name,), "bank_card", rig.now())[A.name]
    there = rig.gateway.health.views((A.name,), "bank_card:ICBC:b1", rig.now())[A.name]
    spoke_of_bank = reason in {Reason.RAIL_DOWN, Reason.NEVER_ARRIVED}
    assert (there.success_ppm < before.success_ppm) is spoke_of_bank


@pytest.mark.parametrize("cause", list(NotSentCause))
async def test_what_never_left_says_nothing_about_the_bank(rig: Rig, cause: NotSentCause) -> None:
    """The channel cannot be reached; what we could not prepare says nothing about anybody."""
    learn(rig.gateway, A.name, told(), NotSent(cause, "x"), rig.now())
    caused = cause is not NotSentCause.PREPARE
    assert seen(rig, "bank_card") == caused
    rail = rig.gateway.health.views((A.name,), "bank_card", rig.now())[A.name]
    bank = rig.gateway.health.views((A.name,), "bank_card:ICBC:b1", rig.now())[A.name]
    assert bank == rail


async def test_a_failover_is_learned_as_one(rig: Rig) -> None:
    """The second attempt of a payout does not count in what first attempts expect."""
    learn(rig.gateway, A.name, told(), Rejected(Reason.RAIL_DOWN, "X"), rig.now())
    learn(rig.gateway, A.name, told(number=2), Rejected(Reason.RAIL_DOWN, "X"), rig.now())
    views = rig.gateway.health.views
    assert views((A.name,), WHOLE, rig.now())[A.name].observations == 1
    assert views((A.name,), WHOLE, rig.now(), again=True)[A.name].observations == 2


async def test_a_payees_fault_closes_no_bank(url: str) -> None:
    """However many accounts of one bank do not exist."""
    async with running(url, (A, B)) as rig:
        for name in (A.name, B.name) * 20:
            learn(rig.gateway, name, told(CCB), Rejected(Reason.PAYEE_NOT_FOUND, "X"), rig.now())
            learn(rig.gateway, name, told(CARD), Paid("c", rig.now()), rig.now())
        assert not rig.gateway.health.banks_down(rig.now())


# --- Caps and floats ---------------------------------------------------------------------------


async def test_the_cap_on_doubt_is_per_channel_and_counts_for_all_processes(
    fresh_postgres_url: str,
) -> None:
    """One doubt at A, of another process, as the store tells it: A is full, B goes on."""
    mute = replace(A, account={"notify_url": None}, terms={"in_doubt_max": 1})
    async with running(fresh_postgres_url, (mute, B), started=False) as rig:
        rig.fault("reset_after", A)
        await by_hand(rig, await rig.accept())
        other = await process(
            rig.url, rig.world, rig.seats, rig.witness, rig.gateway.notify_base, Limits()
        )
        await refresh(other)
        assert (other.load.in_doubt[A.name], other.load.in_doubt[B.name]) == (1, 0)
        decided = route(other, await rig.accept(), rig.now()).decision
        assert [one.channel for one in decided.order] == [B.name]
        assert [one.code for one in decided.excluded[0].reasons] == [Code.IN_DOUBT_FULL]
        for channel in other.channels.values():
            await channel.aclose()
        await other.store.aclose()


async def test_the_policys_cap_on_doubt_holds_whatever_the_channels(url: str) -> None:
    """The channel would take two hundred."""
    async with running(url, (replace(A, account={"notify_url": None}),), started=False) as rig:
        policy = replace(rig.gateway.policy, parameters=Parameters(in_doubt_max=1))
        rig.gateway.policy = policy
        rig.fault("reset_after", A)
        await by_hand(rig, await rig.accept())
        payout = await by_hand(rig, await rig.accept())
        assert payout.attempts == ()
        decision = await why(rig, payout)
        assert Code.IN_DOUBT_FULL in {
            reason.code for one in decision.excluded for reason in one.reasons
        }


async def test_a_float_that_runs_out_is_told_once(url: str) -> None:
    """At its pace it lasts less than four hours; a top-up and a new shortage tell again."""
    async with running(url, (A,), started=False) as rig:
        for _ in range(21):
            await by_hand(rig, await rig.accept(400_000))
            await rig.world.advance(timedelta(minutes=1))
            await refresh(rig.gateway)
        left = seconds_left(rig.gateway, A.name)
        assert left is not None
        assert left == pytest.approx((10_000_000 - 21 * 400_010) / (400_010 / 60), rel=0.1)
        assert rig.witness.alarmed("float.runway") == 1
        watch_floats(rig.gateway)
        assert rig.witness.alarmed("float.runway") == 1


async def test_a_float_nobody_uses_lasts(rig: Rig) -> None:
    """No pace, no alarm."""
    for _ in range(15):
        await rig.world.advance(timedelta(minutes=1))
        await refresh(rig.gateway)
    assert rig.witness.alarmed("float.runway") == 0
    assert seconds_left(rig.gateway, A.name) == 30 * 86_400
    assert (await rig.pay(5_000, ZHANG)).state is PAID
