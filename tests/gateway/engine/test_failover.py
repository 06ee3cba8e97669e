"""A proven failure goes elsewhere, and nothing else does: certificates, instruments, waiting."""

from dataclasses import replace
from datetime import time, timedelta

from channels.contract import Rail, Reason, Window
from channels.money import Currency
from gateway.domain.ledger import Book
from gateway.domain.payout import AttemptState, CertificateKind, Payout
from gateway.engine.operate import switch_channel, top_up
from tests.builders import cny
from tests.gateway.engine.rig import (
    BALANCE_FEN,
    CARD,
    FAILED,
    LI,
    PAID,
    ROUTING,
    ZHANG,
    A,
    B,
    Rig,
    W,
    running,
    seat,
)

REFUSED_HERE = "REMARK_HAS_SENSITIVE_WORD"
"""A definite refusal that another channel need not share."""


def certificates(payout: Payout) -> list[tuple[CertificateKind, Reason]]:
    """What proves each dead attempt dead."""
    return [
        (one.certificate.kind, one.certificate.reason) for one in payout.attempts if one.certificate
    ]


def _is_quarantined(rig: Rig, channel: str) -> bool:
    return rig.gateway.health.views((channel,), Rail.ALIPAY, rig.now())[channel].quarantined


async def test_a_definite_rejection_goes_to_the_next_channel(rig: Rig) -> None:
    """The first channel says no, provably; the second pays, under a reference of its own."""
    rig.fault("reject", A, code=REFUSED_HERE)
    payout = await rig.pay()
    assert payout.state is PAID
    assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
    assert certificates(payout) == [(CertificateKind.DEFINITE_REJECT, Reason.PURPOSE_REFUSED)]
    assert await rig.kinds(payout) == ["accepted", "armed", "attempt_dead", "armed", "paid"]
    assert rig.moved() == [(B.name, 12_345)]
    assert len(set(rig.submitted())) == 2


async def test_a_refused_connection_goes_to_the_next_channel(rig: Rig) -> None:
    """No byte left this process, so another channel is safe at once."""
    await rig.refuse(A)
    payout = await rig.pay()
    assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
    assert certificates(payout) == [(CertificateKind.NEVER_LEFT, Reason.NEVER_SENT)]
    assert rig.moved() == [(B.name, 12_345)]


async def test_a_channel_that_refused_connections_is_tried_again_later(url: str) -> None:
    """The only channel is down: the payout waits, and goes there again when its time has come."""
    async with running(url, (A,)) as rig:
        trouble = await rig.refuse(A)
        payout = await rig.pay()
        assert payout.state is ROUTING
        assert payout.due_at == rig.now() + timedelta(seconds=30)
        await rig.mend(trouble)
        await rig.later(seconds=29)
        assert (await rig.look(payout)).state is ROUTING
        await rig.later(seconds=1)
        assert await rig.states(payout) == [(A.name, "dead"), (A.name, "confirmed")]
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_rejection_to_be_confirmed_waits_for_two_inquiries(rig: Rig) -> None:
    """The wording is definite, but only looks that find nothing, a minute apart, make it count."""
    rig.fault("reject", A, code="PAYER_BALANCE_NOT_ENOUGH")
    payout = await rig.pay()
    assert await rig.states(payout) == [(A.name, "in_doubt")]
    await rig.pass_time(seconds=60)
    assert await rig.states(payout) == [(A.name, "in_doubt")]
    assert rig.submitted(B) == []
    await rig.pass_time(seconds=25)
    after = await rig.look(payout)
    assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
    assert certificates(after) == [(CertificateKind.DEFINITE_REJECT, Reason.FLOAT_SHORT)]
    assert len(rig.submitted(A)) == 1
    assert rig.moved() == [(B.name, 12_345)]


async def test_a_refusal_whose_first_look_was_too_early_is_found_out(url: str) -> None:
    """It said no and had paid, and the first look does not show it yet: the second one does."""
    mute = seat(A, account={"notify_url": None})
    async with running(url, (mute, B)) as rig:
        rig.fault("not_found_window", A, seconds=30)
        rig.fault("reject", A, code="PAYER_BALANCE_NOT_ENOUGH", executed=True)
        payout = await rig.pay()
        await rig.pass_time(seconds=15)
        assert (await rig.look(payout)).attempts[0].absent_at
        await rig.pass_time(minutes=2)
        assert await rig.states(payout) == [(A.name, "confirmed")]
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_notice_of_what_was_refused_outweighs_looks_that_find_nothing(url: str) -> None:
    """The channel itself tells of the order, and does not find it for an hour: no failover."""
    async with running(url, (A, B)) as rig:
        rig.fault("not_found_window", A, seconds=3600)
        rig.fault("reject", A, code="PAYER_BALANCE_NOT_ENOUGH", executed=True)
        payout = await rig.pay()
        await rig.pass_time(minutes=30)
        attempt = (await rig.look(payout)).attempts[0]
        assert (attempt.state, attempt.stage, attempt.refusal) == (
            AttemptState.PENDING,
            "noticed",
            None,
        )
        await rig.pass_time(hours=2)
        assert await rig.states(payout) == [(A.name, "confirmed")]
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_rejection_to_be_confirmed_that_was_a_lie_is_found_out(url: str) -> None:
    """It said no and had paid: the inquiry finds the money, and no other channel is used."""
    mute = seat(A, account={"notify_url": None})
    async with running(url, (mute, B)) as rig:
        rig.fault("reject", A, code="PAYER_BALANCE_NOT_ENOUGH", executed=True)
        payout = await rig.pay()
        await rig.pass_time(seconds=15)
        assert await rig.states(payout) == [(A.name, "confirmed")]
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_failed_state_found_by_inquiry_goes_to_the_next_channel(rig: Rig) -> None:
    """The bank refuses a card after the channel had taken it: proof of kind C2."""
    rig.fault("settle_fail", A, reason="MONEY_PAY_CLOSED")
    payout = await rig.pay(12_345, CARD)
    assert await rig.states(payout) == [(A.name, "pending")]
    await rig.pass_time(seconds=30)
    after = await rig.look(payout)
    assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
    assert certificates(after) == [(CertificateKind.TERMINAL_INQUIRY, Reason.NOT_PERMITTED)]
    assert rig.moved() == [(B.name, 12_345)]


async def test_a_payee_at_fault_is_paid_by_another_instrument(rig: Rig) -> None:
    """The account does not exist, so no channel is asked to pay it again; the wallet is paid."""
    nobody = replace(ZHANG, identity="nobody@magic.test")
    payout = await rig.pay(12_345, nobody, LI)
    assert await rig.states(payout) == [(A.name, "dead"), (W.name, "pending")]
    await rig.later(seconds=2)
    after = await rig.look(payout)
    assert after.state is PAID
    assert [one.instrument for one in after.attempts] == [0, 1]
    assert rig.submitted(B) == []
    assert rig.moved() == [(W.name, 12_345)]


async def test_a_payee_at_fault_with_nothing_else_fails_and_gives_the_money_back(rig: Rig) -> None:
    """No instrument is left: FAILED with the channel's reason, and the hold is released."""
    before = await rig.balance(Book.AVAILABLE, rig.merchant.id)
    payout = await rig.pay(12_345, replace(ZHANG, identity="frozen@magic.test"))
    assert (payout.state, payout.reason) == (FAILED, Reason.PAYEE_BLOCKED)
    assert await rig.balance(Book.AVAILABLE, rig.merchant.id) == before
    assert await rig.balance(Book.HELD, rig.merchant.id) == 0
    assert rig.submitted(B) == []
    assert rig.moved() == []


async def test_a_reason_that_goes_nowhere_fails_although_others_could_pay(rig: Rig) -> None:
    """The channel proves that nothing moved and gives a cause nobody knows: a person must look."""
    rig.fault("settle_fail", A, reason="A_REASON_NOBODY_KNOWS")
    payout = await rig.pay(12_345, CARD, ZHANG)
    await rig.pass_time(seconds=30)
    after = await rig.look(payout)
    assert after.state is FAILED
    assert certificates(after)[0][1].elsewhere == "never"
    assert await rig.balance(Book.HELD, rig.merchant.id) == 0
    assert rig.submitted(B) == []
    assert rig.moved() == []


async def test_when_every_channel_has_refused_it_fails(rig: Rig) -> None:
    """Both channels of the rail say no for good; the last one's reason is told."""
    rig.fault("reject", A, code=REFUSED_HERE)
    rig.fault("reject", B, code="SECURITY_CHECK_FAILED")
    payout = await rig.pay()
    assert (payout.state, payout.reason) == (FAILED, Reason.RISK_REFUSED)
    assert all(state == "dead" for _, state in await rig.states(payout))
    assert await rig.balance(Book.HELD, rig.merchant.id) == 0
    assert rig.moved() == []


async def test_paused_channels_make_it_wait(rig: Rig) -> None:
    """Nothing is sent while everything is paused; it goes on once one is resumed."""
    for one in (A, B):
        await switch_channel(rig.gateway, one.name, "paused", "maintenance", "ops")
    payout = await rig.pay()
    assert (payout.state, payout.attempts) == (ROUTING, ())
    assert rig.submitted() == []
    await switch_channel(rig.gateway, B.name, "active", "done", "ops")
    await rig.pass_time(minutes=2)
    assert await rig.states(payout) == [(B.name, "confirmed")]


async def test_a_closed_channel_makes_it_wait_until_it_opens(url: str) -> None:
    """At ten the channel is closed; the payout goes at noon, not a minute earlier."""
    noon = seat(A, terms={"hours": (Window(time(12), time(18)),)})
    async with running(url, (noon,)) as rig:
        payout = await rig.pay()
        assert payout.due_at == rig.now() + timedelta(hours=2)
        await rig.later(minutes=119)
        assert rig.submitted() == []
        await rig.later(minutes=1)
        assert (await rig.look(payout)).state is PAID


async def test_a_short_float_makes_it_wait_for_a_top_up(url: str) -> None:
    """Nothing is sent that our float does not cover; a top-up lets it go on."""
    async with running(url, (seat(A, account={"balance_fen": 5_000}),)) as rig:
        payout = await rig.pay()
        assert (payout.state, rig.submitted()) == (ROUTING, [])
        rig.world.topup(A.name, 20_000)
        assert await top_up(rig.gateway, A.name, Currency.CNY, 20_000, "t1", "ops")
        await rig.pass_time(minutes=2)
        assert (await rig.look(payout)).state is PAID
        assert await rig.balance(Book.FLOAT, A.name) == 25_000 - 12_345 - 10


async def test_a_used_up_day_cap_makes_it_wait_for_the_next_day(url: str) -> None:
    """The second payout would pass the cap; it goes after midnight in Beijing."""
    async with running(url, (seat(A, terms={"day_cap_minor": 20_000}),)) as rig:
        assert (await rig.pay()).state is PAID
        payout = await rig.pay()
        assert payout.state is ROUTING
        await rig.later(hours=13, minutes=59)
        assert (await rig.look(payout)).state is ROUTING
        await rig.later(minutes=2)
        assert (await rig.look(payout)).state is PAID


async def test_a_quarantined_channel_makes_it_wait_for_a_probe(url: str) -> None:
    """Failures in a row close a channel; later one payout is let through to see."""
    later = seat(B, terms={"hours": (Window(time(20), time(22)),)})
    async with running(url, (A, later)) as rig:
        trouble = await rig.refuse(A)
        failed = []
        while not _is_quarantined(rig, A.name):
            failed.append(await rig.pay())
            assert len(failed) < 30
        await rig.mend(trouble)
        payout = await rig.pay()
        assert (payout.state, payout.attempts) == (ROUTING, ())
        await rig.pass_time(minutes=20)
        assert {(await rig.look(one)).state for one in (payout, *failed)} == {PAID}
        assert len(rig.moved()) == len(failed) + 1


async def test_a_deadline_ends_the_waiting(rig: Rig) -> None:
    """What no channel takes before its deadline fails, and the money is given back."""
    for one in (A, B):
        await switch_channel(rig.gateway, one.name, "paused", "maintenance", "ops")
    payout = await rig.pay(deadline_at=rig.now() + timedelta(minutes=10))
    await rig.pass_time(minutes=8)
    assert (await rig.look(payout)).state is ROUTING
    await rig.pass_time(minutes=2)
    after = await rig.look(payout)
    assert (after.state, after.reason) == (FAILED, "paused")
    assert await rig.balance(Book.HELD, rig.merchant.id) == 0


async def test_nothing_is_sent_after_the_deadline(rig: Rig) -> None:
    """A refusal that is proven only after the deadline does not lead to another channel."""
    rig.fault("reject", A, code="EXCEED_LIMIT_DM_MAX_AMOUNT")
    payout = await rig.pay(deadline_at=rig.now() + timedelta(seconds=5))
    await rig.pass_time(minutes=2)
    after = await rig.look(payout)
    assert (after.state, after.reason) == (FAILED, "deadline_passed")
    assert [one.channel for one in after.attempts] == [A.name]
    assert not rig.moved()


async def test_without_a_deadline_it_gives_up_after_a_day(rig: Rig) -> None:
    """Waiting ends some time; the installation's limit is a day."""
    for one in (A, B):
        await switch_channel(rig.gateway, one.name, "paused", "maintenance", "ops")
    payout = await rig.accept()
    await rig.later(hours=23, minutes=50)
    assert (await rig.look(payout)).state is ROUTING
    await rig.later(minutes=10)
    assert (await rig.look(payout)).state is FAILED


async def test_a_hold_is_taken_once_and_spent_once(rig: Rig) -> None:
    """Two failovers later the merchant has paid amount and fee, no more and no less."""
    rig.fault("reject", A, code=REFUSED_HERE)
    payout = await rig.pay()
    available = await rig.balance(Book.AVAILABLE, rig.merchant.id)
    assert available == BALANCE_FEN - 12_345 - payout.fee.minor
    assert await rig.balance(Book.HELD, rig.merchant.id) == 0
    assert await rig.balance(Book.FEE_INCOME, "") == payout.fee.minor
    assert await rig.balance(Book.IN_TRANSIT, A.name) == 0
    assert await rig.balance(Book.FLOAT, A.name) == BALANCE_FEN
    assert payout.amount == cny(12_345)
