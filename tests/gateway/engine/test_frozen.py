"""Proof from silence, proof by people, and proof that was wrong: against the simulators."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from channels.contract import Channel, Finality, Profile, Reason, Traits
from gateway.domain.errors import AbsenceError, ConflictError, ForbiddenError, InvalidError
from gateway.domain.incident import IncidentKind
from gateway.domain.ledger import Book
from gateway.domain.payout import CertificateKind, Payout, PayoutState
from gateway.engine import incidents
from gateway.engine.operate import cancel, switch_channel
from gateway.engine.propose import approve, propose, reject
from tests.gateway.engine.doubles import Around
from tests.gateway.engine.rig import CARD, FAILED, LI, PAID, A, B, Rig, W, live, running, seat

FREE = seat(A, flat_fen=0, account={"notify_url": None})
"""Without a fee and without notices: only inquiries and statements tell."""
STICKY = seat(FREE, settings={"resend_window_s": 0})
DEAR = seat(B, flat_fen=5, account={"notify_url": None})
LIE: dict[str, Any] = {"code": "REMARK_HAS_SENSITIVE_WORD", "executed": True}
NO: dict[str, Any] = {"code": "REMARK_HAS_SENSITIVE_WORD"}
HELD, PARKED = PayoutState.HELD, PayoutState.PARKED


class With(Around):
    """The same channel with another profile."""

    def __init__(self, inside: Channel, profile: Profile) -> None:
        """Everything else is as it was."""
        super().__init__(inside)
        self._traits = replace(inside.traits, profile=profile)

    @property
    def traits(self) -> Traits:
        """With the other profile."""
        return self._traits


@asynccontextmanager
async def lied(url: str) -> AsyncIterator[tuple[Rig, Payout]]:
    """A channel has refused what it then paid; B paid as well; an hour later it is found out."""
    async with running(url, (FREE, DEAR)) as rig:
        rig.fault("reject", A, **LIE)
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
        assert await rig.store.frozen() == {}
        await rig.pass_time(minutes=67)
        yield rig, payout


# --- Watching the dead, and the freeze -----------------------------------------------------------


async def test_a_late_success_is_found_within_one_poll(url: str) -> None:
    """No notice, no statement yet: the look after an hour books it and opens an incident."""
    async with lied(url) as (rig, payout):
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345
        (incident,) = await rig.store.incidents(open_only=True)
        assert (incident.kind, incident.channel, incident.payout_id, incident.attempt) == (
            IncidentKind.LATE_SUCCESS,
            A.name,
            payout.id,
            1,
        )
        assert await rig.store.frozen() == {A.name: incident.id}
        assert rig.witness.alarmed("incident.opened") == 1


async def test_the_dead_are_asked_about_three_times_and_no_more(url: str) -> None:
    """After 1, 6 and 24 hours."""
    async with running(url, (FREE,)) as rig:
        rig.fault("reject", A, **NO)
        assert (await rig.pay()).state is FAILED
        asked = []
        for hours in (0.5, 0.7, 4, 2, 10, 15, 48):
            before = rig.witness.asked(A.name)
            await rig.pass_time(hours=hours)
            asked.append(rig.witness.asked(A.name) - before)
        assert asked == [0, 1, 0, 1, 0, 1, 0]
        assert await rig.store.incidents(open_only=False) == []


async def test_a_look_without_an_answer_is_repeated(url: str) -> None:
    """The channel is away at that moment: ten minutes later it is asked again."""
    async with running(url, (FREE,)) as rig:
        rig.fault("reject", A, **LIE)
        assert (await rig.pay()).state is FAILED
        closed = await rig.refuse(A)
        await rig.pass_time(minutes=67)
        assert await rig.store.frozen() == {}
        await rig.mend(closed)
        await rig.pass_time(minutes=11)
        assert set(await rig.store.frozen()) == {A.name}


async def test_a_frozen_channels_no_kills_nothing(url: str) -> None:
    """A rejection parks the payout with the named reason; nothing goes to the other channel."""
    async with lied(url) as (rig, _):
        rig.fault("reject", A, **NO)
        payout = await rig.pay(20_000)
        assert (payout.state, payout.reason) == (PARKED, f"failover_frozen:{A.name}")
        assert live(payout).certificate is None
        await rig.pass_time(hours=10)
        assert (await rig.look(payout)).state is PARKED
        assert len(rig.submitted(B)) == 1


async def test_a_frozen_channel_still_pays(url: str) -> None:
    """Its yes was never wrong: new payouts may use it."""
    async with lied(url) as (rig, _):
        payout = await rig.pay(20_000)
        assert payout.state is PAID
        assert live(payout).channel == A.name


async def test_release_lets_go_what_waited(url: str) -> None:
    """A person looked: the parked one is asked about again, dies of its refusal, and moves on."""
    async with lied(url) as (rig, _):
        rig.fault("reject", A, **NO)
        payout = await rig.pay(20_000)
        (incident,) = await rig.store.incidents(open_only=True)
        with pytest.raises(InvalidError):
            await incidents.release(rig.gateway, incident.id, " ", "ops")
        await incidents.release(rig.gateway, incident.id, "their batch of March", "ops")
        await rig.pass_time(hours=1)
        after = await rig.look(payout)
        assert after.attempts[0].certificate is not None
        assert after.attempts[0].certificate.kind is CertificateKind.DEFINITE_REJECT
        assert await rig.store.frozen() == {}
        assert rig.witness.alarmed("incident.released") == 1


async def test_what_died_before_the_freeze_may_not_leave_after_it(url: str) -> None:
    """It waited for B when A was found out: held, and free once the incident is released."""
    async with running(url, (FREE, DEAR)) as rig:
        rig.fault("reject", A, **LIE)
        await rig.pay()
        await switch_channel(rig.gateway, B.name, "paused", "maintenance", "ops")
        # Tried again there after ten minutes only: it waits while A is found out.
        rig.fault("reject", A, code="PAYER_BALANCE_NOT_ENOUGH", times=None)
        await rig.pass_time(minutes=57)
        waiting = await rig.pay(20_000)
        await rig.pass_time(minutes=2)
        assert await rig.states(waiting) == [(A.name, "dead")]
        for _ in range(10):
            # It is found out before it is tried there again: not both in one leap of time.
            await rig.pass_time(minutes=1)
        assert set(await rig.store.frozen()) == {A.name}
        await switch_channel(rig.gateway, B.name, "active", "done", "ops")
        await rig.pass_time(hours=1)
        held = await rig.look(waiting)
        assert (held.state, held.reason) == (HELD, f"failover_frozen:{A.name}")
        with pytest.raises(ConflictError):
            await cancel(rig.gateway, held.id, rig.merchant.id, "merchant")
        (incident,) = await rig.store.incidents(open_only=True)
        await incidents.release(rig.gateway, incident.id, "looked", "ops")
        await rig.quiet()
        assert (await rig.look(waiting)).state is PAID
        assert (await rig.states(waiting))[-1] == (B.name, "confirmed")


async def test_a_certificate_that_is_nobodys_word_passes(url: str) -> None:
    """Frozen, but the port is closed: C3 rests on our own eyes, and the other channel pays."""
    async with lied(url) as (rig, _):
        await rig.refuse(A)
        payout = await rig.pay(20_000)
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]


async def test_the_freeze_is_everybodys(url: str) -> None:
    """A process that starts anew on the same store sees it."""
    async with lied(url) as (rig, _):
        await rig.reopen()
        await rig.start()
        rig.fault("reject", A, **NO)
        payout = await rig.pay(20_000)
        assert payout.state is PARKED


async def test_a_regress_opens_an_incident_and_freezes_nothing(url: str) -> None:
    """A word taken back after paying: a person looks; failover is not what it puts in doubt."""
    async with running(url) as rig:
        rig.fault("notice_delay", A, "notice", after="1h")
        payout = await rig.pay()
        rig.fault("status_lie", A, "inquire", status="FAIL")
        await rig.later(hours=1)
        assert (await rig.look(payout)).state is PAID
        (incident,) = await rig.store.incidents(open_only=True)
        assert incident.kind is IncidentKind.REGRESS
        assert await rig.store.frozen() == {}


async def test_a_statement_finds_out_what_inquiries_hide(url: str) -> None:
    """Within one statement cycle: contradiction, suspense, one incident, the freeze."""
    async with running(url, (FREE, DEAR)) as rig:
        rig.fault("reject", A, **LIE)
        rig.fault("not_found_window", A, seconds="9d")
        await rig.pay()
        await rig.next_morning()
        assert await rig.store.frozen() == {}
        await rig.statements()
        kinds = [one.kind for one in await rig.store.incidents(open_only=True)]
        assert kinds == [IncidentKind.LATE_SUCCESS]
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345
        assert set(await rig.store.frozen()) == {A.name}


async def test_a_duplicate_line_opens_an_incident(url: str) -> None:
    """Money may have gone twice."""
    async with running(url, (FREE,)) as rig:
        rig.fault("statement_duplicate_line", A, "statement")
        await rig.pay()
        await rig.next_morning()
        await rig.statements()
        (incident,) = await rig.store.incidents(open_only=True)
        assert incident.kind is IncidentKind.STATEMENT_DUPLICATE


# --- C5 and C6 -----------------------------------------------------------------------------------

QUICK = Profile(
    acceptance_window_s=300,
    dwell_s=60,
    visibility_lag_s=120,
    skew_s=120,
    absence_proves=True,
    finality=Finality(),
)


async def doubtful(rig: Rig, **more: Any) -> Payout:
    """A payout that never reached A, and of which nobody knows that."""
    rig.fault("reset_before", A, **more)
    payout = await rig.pay(20_000)
    assert await rig.states(payout) == [(A.name, "in_doubt")]
    return payout


async def test_absence_proves_after_the_wait_with_a_canary(url: str) -> None:
    """C5: not found to the end of the wait, while a payment known to be made is found."""
    async with running(url, (STICKY, DEAR)) as rig:
        rig.replace_channel(With(rig.gateway.channels[A.name], QUICK))
        await rig.pay()
        payout = await doubtful(rig)
        await rig.pass_time(seconds=590)
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        await rig.pass_time(minutes=30)
        after = await rig.look(payout)
        assert after.attempts[0].certificate is not None
        assert after.attempts[0].certificate.kind is CertificateKind.ABSENT_AFTER_WINDOW
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]


async def test_without_a_canary_absence_proves_nothing(url: str) -> None:
    """Nothing was ever paid there: perhaps it finds nothing at all. Nobody switches."""
    async with running(url, (STICKY, DEAR)) as rig:
        rig.replace_channel(With(rig.gateway.channels[A.name], QUICK))
        payout = await doubtful(rig)
        await rig.pass_time(hours=3)
        assert await rig.states(payout) == [(A.name, "in_doubt")]


async def test_counted_absences_do_not_keep_it_from_people(url: str) -> None:
    """Each absence is worth noting, none of them proves: after hours the payout is parked."""
    async with running(url, (STICKY, DEAR)) as rig:
        rig.replace_channel(With(rig.gateway.channels[A.name], QUICK))
        payout = await doubtful(rig)
        await rig.pass_time(hours=9)
        parked = await rig.look(payout)
        assert (parked.state, parked.reason) == (PayoutState.PARKED, "in_doubt_too_long")
        assert await rig.states(payout) == [(A.name, "in_doubt")]


async def test_a_sticky_channels_absence_never_proves(url: str) -> None:
    """Alipay as it is: found nothing a hundred times, and still in doubt."""
    async with running(url, (STICKY, DEAR)) as rig:
        await rig.pay()
        payout = await doubtful(rig)
        await rig.pass_time(days=1)
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        assert (await rig.look(payout)).attempts[0].absent_at == ()


async def test_complete_statements_prove_what_no_inquiry_may(url: str) -> None:
    """C6: on no file of the day and the day of grace; only then the other channel pays."""
    async with running(url, (STICKY, DEAR)) as rig:
        files = replace(QUICK, absence_proves=False)
        rig.replace_channel(With(rig.gateway.channels[A.name], files))
        await rig.statements()
        await rig.pay()
        payout = await doubtful(rig)
        await rig.next_morning()
        assert (await rig.statements()).dead == 0
        await rig.next_morning()
        assert (await rig.statements()).dead == 1
        after = await rig.look(payout)
        assert after.attempts[0].certificate is not None
        assert after.attempts[0].certificate.kind is CertificateKind.ABSENT_FROM_STATEMENT
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]


async def test_files_prove_nothing_while_the_channel_cannot_be_asked(url: str) -> None:
    """An outage may keep both from us: only its "not found" lets files count."""
    async with running(url, (STICKY, DEAR)) as rig:
        files = replace(QUICK, absence_proves=False)
        rig.replace_channel(With(rig.gateway.channels[A.name], files))
        await rig.statements()
        await rig.pay()
        payout = await doubtful(rig)
        rig.fault("reset_before", A, "inquire", times=None)
        for _ in range(3):
            await rig.next_morning()
            assert (await rig.statements()).dead == 0
        assert await rig.states(payout) == [(A.name, "in_doubt")]


async def test_an_unexplained_line_of_that_amount_voids_the_files(url: str) -> None:
    """It might be this one under a mangled number: it stays in doubt."""
    async with running(url, (STICKY, DEAR)) as rig:
        files = replace(QUICK, absence_proves=False)
        rig.replace_channel(With(rig.gateway.channels[A.name], files))
        await rig.statements()
        extra = {"reference": "MANGLED", "amount_fen": 20_000}
        rig.fault("statement_extra_line", A, "statement", params=extra)
        payout = await doubtful(rig)
        for _ in range(3):
            await rig.next_morning()
            assert (await rig.statements()).dead == 0
        assert await rig.states(payout) == [(A.name, "in_doubt")]


async def test_alipays_files_prove_nothing_without_a_window(url: str) -> None:
    """As shipped: no window is published, so a paused process may still send after any file."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        for _ in range(4):
            await rig.next_morning()
            assert (await rig.statements()).dead == 0
        assert await rig.states(payout) == [(A.name, "in_doubt")]


async def test_wechats_files_prove_after_the_payees_day(url: str) -> None:
    """As shipped: the last day on which the payee might have confirmed, and one of grace."""
    alone = seat(W, settings={"resend_quiet_s": 10**9})
    async with running(url, (alone,)) as rig:
        await rig.statements()
        await rig.pay(12_345, LI)
        rig.fault("reset_before", W)
        payout = await rig.pay(20_000, LI)
        dead = []
        for _ in range(4):
            # WeChat has no bill for a day without movement.
            await rig.pay(100, LI)
            await rig.later(seconds=5)
            await rig.next_morning()
            dead.append((await rig.statements()).dead)
        assert sum(dead) == 1
        assert dead[:2] == [0, 0]
        certificate = (await rig.look(payout)).attempts[0].certificate
        assert certificate is not None
        assert certificate.kind is CertificateKind.ABSENT_FROM_STATEMENT


# --- C7 ------------------------------------------------------------------------------------------

WANG = {"actor": "key:1", "person": "Wang"}
LETTER = {"reason": Reason.RAIL_DOWN, "evidence": "letter of 3 March", "evidence_sha256": None}


async def test_two_people_certify_and_the_proposal_is_spent(url: str) -> None:
    """Wang proposes, Zhao approves: C7 with both names; the other channel pays."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        await propose(rig.gateway, payout.id, **LETTER, **WANG)  # type: ignore[arg-type]  # as named
        assert (await rig.look(payout)).state is not PAID
        await approve(rig.gateway, payout.id, actor="key:2", person="Zhao")
        await rig.quiet()
        certificate = (await rig.look(payout)).attempts[0].certificate
        assert certificate is not None
        assert (certificate.kind, certificate.by, certificate.checked_by) == (
            CertificateKind.TWO_PEOPLE,
            "Wang",
            "Zhao",
        )
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
        with pytest.raises(AbsenceError):
            await approve(rig.gateway, payout.id, actor="key:3", person="Li")


@pytest.mark.parametrize("person", ["Wang", " wang ", "ＷＡＮＧ", "", None])
async def test_one_person_with_two_keys_is_one_person(url: str, person: str | None) -> None:
    """Neither the maker under another key nor a key of nobody approves."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        await propose(rig.gateway, payout.id, **LETTER, **WANG)  # type: ignore[arg-type]  # as named
        with pytest.raises(ForbiddenError):
            await approve(rig.gateway, payout.id, actor="key:2", person=person)
        await rig.quiet()
        assert await rig.states(payout) == [(A.name, "in_doubt")]


async def test_a_rejected_proposal_changes_nothing(url: str) -> None:
    """It is closed; the attempt stays in doubt, and another proposal may follow."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        await propose(rig.gateway, payout.id, **LETTER, **WANG)  # type: ignore[arg-type]  # as named
        closed = await reject(rig.gateway, payout.id, note="no proof", actor="key:2", person="Z")
        assert (closed.state, closed.note) == ("rejected", "no proof")
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        await propose(rig.gateway, payout.id, **LETTER, **WANG)  # type: ignore[arg-type]  # as named


async def test_a_resend_makes_a_proposal_void(url: str) -> None:
    """The evidence was about one send; now there are two."""
    async with running(url, (FREE, DEAR)) as rig:
        payout = await doubtful(rig, times=2)
        await propose(rig.gateway, payout.id, **LETTER, **WANG)  # type: ignore[arg-type]  # as named
        await rig.pass_time(minutes=20)
        after = await rig.look(payout)
        assert after.attempts[0].sends > 1 or after.state is PAID
        with pytest.raises(ConflictError) as refused:
            await approve(rig.gateway, payout.id, actor="key:2", person="Zhao")
        assert refused.value.code == "proposal_void"
        assert "moved" in refused.value.message
        assert await rig.store.proposals(open_only=True) == []


# --- Returns -------------------------------------------------------------------------------------


async def test_returned_money_is_never_sent_again_by_itself(url: str) -> None:
    """退票: credited to the merchant, and not one more submission, whatever time passes."""
    async with running(url, (FREE, DEAR)) as rig:
        payout = await rig.pay(40_000, dataclasses.replace(CARD, number="6222000000000002"))
        for _ in range(3):
            await rig.next_morning()
            await rig.statements()
        after = await rig.look(payout)
        assert after.state is PayoutState.RETURNED
        assert len(after.attempts) == 1
        assert len(rig.submitted()) == 1
        assert await rig.balance(Book.HELD, rig.merchant.id) == 0


async def test_an_answer_makes_a_proposal_void(url: str) -> None:
    """Something was heard since both looked: approval says at which version the payout is now."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        made = await propose(rig.gateway, payout.id, **LETTER, **WANG)  # type: ignore[arg-type]  # as named
        await rig.pass_time(hours=5)  # parked meanwhile
        after = await rig.look(payout)
        assert after.version > made.version
        with pytest.raises(ConflictError) as refused:
            await approve(rig.gateway, payout.id, actor="key:2", person="Zhao")
        assert refused.value.code == "proposal_void"
        assert f"version {after.version}" in refused.value.message
        assert await rig.states(payout) == [(A.name, "in_doubt")]
