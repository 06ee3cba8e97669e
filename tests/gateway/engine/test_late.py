"""Late evidence against a proven fact: found, booked to suspense, and never answered by paying."""

from typing import Any

import pytest

from channels.contract import Reason
from gateway.domain.errors import ConflictError, InvalidError
from gateway.domain.ledger import Book
from gateway.domain.payout import CertificateKind, Payout, PayoutState
from gateway.engine import incidents
from gateway.engine.operate import certify, release, switch_channel
from tests.gateway.engine.rig import FAILED, PAID, A, B, Rig, running, seat

FREE = seat(A, flat_fen=0)
"""Without a fee, so that what stands in suspense is the amount alone."""
DEAR = seat(B, flat_fen=5)
LIE: dict[str, Any] = {"code": "REMARK_HAS_SENSITIVE_WORD", "executed": True}
"""A definite refusal of something that was done."""


async def test_a_channel_that_lied_is_found_out_by_its_own_notice(url: str) -> None:
    """It refused, verifiably, and paid: the other channel has paid too, and that cannot be
    undone; the first payment is put in suspense, once, and a person is told."""
    async with running(url, (FREE, DEAR)) as rig:
        rig.fault("reject", A, **LIE)
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
        assert (await rig.look(payout)).state is PAID
        assert (await rig.kinds(payout)).count("contradicted") == 1
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345
        assert rig.witness.alarmed("payout.contradicted") == 1


async def test_the_same_contradiction_is_booked_once(url: str) -> None:
    """Told three times, and asked each time: one event, one posting."""
    async with running(url, (FREE, DEAR)) as rig:
        rig.fault("reject", A, **LIE)
        rig.fault("notice_duplicate", A, "notice", copies=2)
        payout = await rig.pay()
        assert (await rig.kinds(payout)).count("contradicted") == 1
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345


async def test_a_contradicted_payout_is_not_sent_again(url: str) -> None:
    """The contradiction comes while it waits for another channel: it is held for a person."""
    async with running(url, (FREE, DEAR)) as rig:
        await switch_channel(rig.gateway, B.name, "paused", "maintenance", "ops")
        rig.fault("reject", A, **LIE)
        payout = await rig.pay()
        held = await rig.look(payout)
        assert held.state is PayoutState.HELD
        assert held.owner == "operations"
        await switch_channel(rig.gateway, B.name, "active", "done", "ops")
        await rig.pass_time(hours=1)
        assert (await rig.look(payout)).state is PayoutState.HELD
        assert rig.submitted(B) == []
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345


async def test_a_person_decides_about_a_contradicted_payout(url: str) -> None:
    """First about the incident, then about the payout: only both releases let it go on."""
    async with running(url, (FREE, DEAR)) as rig:
        await switch_channel(rig.gateway, B.name, "paused", "maintenance", "ops")
        rig.fault("reject", A, **LIE)
        payout = await rig.pay()
        await switch_channel(rig.gateway, B.name, "active", "done", "ops")
        with pytest.raises(ConflictError, match="frozen"):
            await release(rig.gateway, payout.id, None, "ops")
        (incident,) = await rig.store.incidents(open_only=True)
        await incidents.release(rig.gateway, incident.id, "it was a test of theirs", "ops")
        assert (await rig.look(payout)).state is PayoutState.HELD
        await release(rig.gateway, payout.id, None, "ops")
        await rig.quiet()
        assert (await rig.look(payout)).state is PAID


async def test_money_of_a_failed_payout_that_moved_after_all(url: str) -> None:
    """FAILED stays FAILED, the merchant keeps its money, and the loss stands in suspense."""
    async with running(url, (FREE,)) as rig:
        rig.fault("reject", A, **LIE)
        rig.fault("notice_delay", A, "notice", after="1h")
        payout = await rig.pay()
        assert payout.state is FAILED
        await rig.pass_time(hours=2)
        assert (await rig.look(payout)).state is FAILED
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345
        assert await rig.balance(Book.HELD, rig.merchant.id) == 0


async def doubtful(rig: Rig) -> Payout:
    """A payout in doubt that no inquiry will ever resolve."""
    rig.fault("reset_before", A)
    payout = await rig.pay()
    await rig.pass_time(minutes=3)
    assert await rig.states(payout) == [(A.name, "in_doubt")]
    return payout


STICKY = seat(FREE, account={"notify_url": None}, settings={"resend_window_s": 0})


async def test_two_people_with_evidence_can_declare_an_attempt_dead(url: str) -> None:
    """Certificate C7 names both; the next channel pays."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        await certify(
            rig.gateway,
            payout.id,
            version=(await rig.look(payout)).version,
            reason=Reason.RAIL_DOWN,
            evidence="letter of the bank, 3 March",
            maker="wang",
            checker="zhao",
        )
        await rig.quiet()
        after = await rig.look(payout)
        certificate = after.attempts[0].certificate
        assert certificate is not None
        assert (certificate.kind, certificate.by, certificate.checked_by) == (
            CertificateKind.TWO_PEOPLE,
            "wang",
            "zhao",
        )
        assert await rig.states(after) == [(A.name, "dead"), (B.name, "confirmed")]
        assert rig.witness.alarmed("attempt.certified_by_people") == 1


@pytest.mark.parametrize(
    ("maker", "checker", "evidence", "code"),
    [
        ("wang", "wang", "letter", "same_person"),
        ("wang", " wang ", "letter", "same_person"),
        ("wang", "WANG", "letter", "same_person"),
        ("wang", "", "letter", "same_person"),
        ("wang", "zhao", " ", "evidence_missing"),
    ],
)
async def test_one_person_or_no_evidence_is_not_enough(
    url: str, maker: str, checker: str, evidence: str, code: str
) -> None:
    """Refused, and the attempt stays in doubt."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        with pytest.raises(InvalidError) as refused:
            await certify(
                rig.gateway,
                payout.id,
                version=(await rig.look(payout)).version,
                reason=Reason.RAIL_DOWN,
                evidence=evidence,
                maker=maker,
                checker=checker,
            )
        assert refused.value.code == code
        assert rig.submitted(B) == []


async def test_what_has_moved_since_two_people_looked_cannot_be_certified(url: str) -> None:
    """They saw one send and no answer; whatever came since, their evidence is about the past."""
    async with running(url, (STICKY, DEAR)) as rig:
        payout = await doubtful(rig)
        with pytest.raises(ConflictError) as refused:
            await certify(
                rig.gateway,
                payout.id,
                version=(await rig.look(payout)).version - 1,
                reason=Reason.RAIL_DOWN,
                evidence="letter",
                maker="wang",
                checker="zhao",
            )
        assert refused.value.code == "payout_moved"
        assert rig.submitted(B) == []


async def test_what_is_not_in_doubt_cannot_be_certified(rig: Rig) -> None:
    """A paid payout has nothing to declare dead."""
    payout = await rig.pay()
    with pytest.raises(ConflictError) as refused:
        await certify(
            rig.gateway,
            payout.id,
            version=(await rig.look(payout)).version,
            reason=Reason.RAIL_DOWN,
            evidence="letter",
            maker="wang",
            checker="zhao",
        )
    assert refused.value.code == "nothing_in_doubt"


async def test_people_can_be_wrong_and_are_found_out(url: str) -> None:
    """They certified; the money had moved: suspense, alarm, and no third payment."""
    hidden = seat(FREE, settings={"resend_window_s": 0})
    async with running(url, (hidden, DEAR)) as rig:
        rig.fault("reset_after", A)
        rig.fault("not_found_window", A, seconds="1h")
        rig.fault("notice_delay", A, "notice", after="2h")
        payout = await rig.pay()
        await rig.pass_time(minutes=3)
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        await certify(
            rig.gateway,
            payout.id,
            version=(await rig.look(payout)).version,
            reason=Reason.RAIL_DOWN,
            evidence="letter",
            maker="wang",
            checker="zhao",
        )
        await rig.quiet()
        await rig.pass_time(hours=3)
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345
        assert (await rig.look(payout)).state is PAID
        assert rig.witness.alarmed("payout.contradicted") == 1
        assert len(rig.submitted()) == 2


async def test_a_channel_that_takes_back_its_word_after_paying_changes_nothing(rig: Rig) -> None:
    """It had confirmed; now an inquiry says FAIL: recorded against it, the payout stays paid."""
    rig.fault("notice_delay", A, "notice", after="1h")
    payout = await rig.pay()
    assert payout.state is PAID
    rig.fault("status_lie", A, "inquire", status="FAIL")
    await rig.later(hours=1)
    after = await rig.look(payout)
    assert after.state is PAID
    assert (await rig.kinds(payout))[-1] == "contradicted"
    assert await rig.balance(Book.SUSPENSE, A.name) == 0
