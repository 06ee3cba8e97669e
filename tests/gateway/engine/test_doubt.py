"""Cannot tell is not failed: whatever goes wrong behind a send, the money goes out once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.contract import Instrument, NotSent, NotSentCause, Outcome, Prepared, Resend
from gateway.domain.payout import PayoutState
from tests.gateway.engine.doubles import Recorded
from tests.gateway.engine.rig import (
    ATTEMPTING,
    LI,
    PAID,
    ZHANG,
    A,
    B,
    Rig,
    Seat,
    W,
    running,
    seat,
)

QUIET_A = seat(A, account={"notify_url": None})
HASTY = {"total_timeout_s": 0.5}

EXECUTED: dict[str, dict[str, Any]] = {
    "reset_after": {},
    "reset_mid": {},
    "garbage": {},
    "bad_signature": {},
    "unsigned": {},
    "wrong_reference": {"action": "wrong_echo", "field": "reference"},
    "unknown_code": {},
    "unknown_status": {},
    "http_502": {"action": "http_error", "executed": True},
    "http_200_of_a_box": {"action": "http_error", "executed": True, "status": 200},
    "system_error": {"action": "reject", "code": "SYSTEM_ERROR", "executed": True},
}
"""The institution has done it, and the answer does not say so."""

UNDONE: dict[str, dict[str, Any]] = {
    "reset_before": {},
    "http_502": {"action": "http_error"},
    "garbage": {"executed": False},
    "system_error": {"action": "reject", "code": "SYSTEM_ERROR"},
    "throttle": {"per_s": 0},
}
"""The institution has not done it, and the answer does not prove that either."""


@pytest.fixture
async def silent(url: str) -> AsyncIterator[Rig]:
    """Institutions that send no notices: only our own inquiries find out."""
    async with running(url, (QUIET_A, B, W)) as made:
        made.fault("notice_lost", W, "notice", times=None)
        yield made


@pytest.mark.parametrize("name", [*EXECUTED, "wrong_amount"])
async def test_paid_behind_a_bad_answer_is_found_and_paid_once(silent: Rig, name: str) -> None:
    """In doubt, asked about, found paid; no other channel and no second number was used."""
    rule = {"action": "wrong_echo", "field": "amount"} if name == "wrong_amount" else EXECUTED[name]
    # An institution that would pay again for a repeated number shows that none was repeated.
    silent.fault("double_execute", A, times=None)
    silent.fault(rule.get("action", name), A, **{k: v for k, v in rule.items() if k != "action"})
    payout = await silent.pay(12_345, ZHANG, LI)
    assert payout.state is ATTEMPTING
    assert await silent.states(payout) == [(A.name, "in_doubt")]
    await silent.pass_time(seconds=15)
    assert (await silent.look(payout)).state is PAID
    assert await silent.kinds(payout) == ["accepted", "armed", "in_doubt", "paid"]
    assert silent.moved() == [(A.name, 12_345)]
    assert len(silent.submitted()) == 1


@pytest.mark.parametrize("name", EXECUTED)
async def test_wechat_paid_behind_a_bad_answer_is_found_and_paid_once(
    silent: Rig, name: str
) -> None:
    """The same where the payee confirms and the first look comes after half a minute."""
    rule = EXECUTED[name]
    silent.fault("double_execute", W, times=None)
    silent.fault(rule.get("action", name), W, **{k: v for k, v in rule.items() if k != "action"})
    payout = await silent.pay(12_345, LI)
    assert await silent.states(payout) == [(W.name, "in_doubt")]
    await silent.pass_time(seconds=40)
    assert (await silent.look(payout)).state is PAID
    assert silent.moved() == [(W.name, 12_345)]
    assert len(silent.submitted()) == 1


@pytest.mark.parametrize(
    ("at", "payee"),
    [(seat(QUIET_A, settings=HASTY), ZHANG), (seat(W, settings=HASTY), LI)],
    ids=["alipay", "wechat"],
)
async def test_an_answer_that_comes_too_late_is_no_answer(
    url: str, at: Seat, payee: Instrument
) -> None:
    """The request left, and we stopped waiting: in doubt, asked about, paid once."""
    async with running(url, (at, B)) as rig:
        rig.fault("notice_lost", at, "notice", times=None)
        rig.fault("slow", at, fixed="700ms")
        payout = await rig.pay(12_345, payee)
        assert await rig.states(payout) == [(at.name, "in_doubt")]
        await rig.pass_time(minutes=1)
        assert (await rig.look(payout)).state is PAID
        assert rig.moved() == [(at.name, 12_345)]
        assert len(rig.submitted()) == 1


@pytest.mark.parametrize("name", UNDONE)
async def test_undone_is_sent_again_under_the_same_number(silent: Rig, name: str) -> None:
    """Absent twice, then the same reference once more, at the same channel: paid once."""
    rule = UNDONE[name]
    silent.fault("double_execute", A, times=None)
    silent.fault(rule.get("action", name), A, **{k: v for k, v in rule.items() if k != "action"})
    payout = await silent.pay(12_345, ZHANG, LI)
    assert await silent.states(payout) == [(A.name, "in_doubt")]
    await silent.pass_time(minutes=2)
    after = await silent.look(payout)
    assert after.state is PAID
    assert [(one.channel, one.sends) for one in after.attempts] == [(A.name, 2)]
    assert silent.moved() == [(A.name, 12_345)]
    assert silent.submitted() == [after.attempts[0].reference] * 2


@pytest.mark.parametrize("payee", [ZHANG, LI], ids=["alipay", "wechat"])
async def test_it_is_sent_again_only_after_a_quiet_minute(silent: Rig, payee: Instrument) -> None:
    """The first request may still be on its way: for a minute nothing goes out beside it."""
    at = A if payee is ZHANG else W
    silent.fault("reset_before", at)
    payout = await silent.pay(12_345, payee)
    quiet_s = silent.gateway.channels[at.name].traits.resend
    assert quiet_s is not None
    await silent.pass_time(seconds=quiet_s.quiet_s - 1)
    assert len(silent.submitted()) == 1
    await silent.pass_time(minutes=3)
    after = await silent.look(payout)
    assert (after.state, after.attempts[0].sends) == (PAID, 2)
    assert silent.submitted() == [after.attempts[0].reference] * 2
    assert silent.moved() == [(at.name, 12_345)]


async def test_a_lost_answer_to_the_second_send_is_asked_about_again(silent: Rig) -> None:
    """The first send never took effect, the second did and was not answered: still once."""
    silent.fault("reset_before", A)
    payout = await silent.pay()
    silent.fault("reset_after", A)
    await silent.pass_time(minutes=5)
    after = await silent.look(payout)
    assert (after.state, after.attempts[0].sends) == (PAID, 2)
    assert silent.moved() == [(A.name, 12_345)]


async def test_a_rejected_second_send_proves_nothing_about_the_first(silent: Rig) -> None:
    """After two sends a rejection is only doubt: no failover although the words are definite."""
    silent.fault("reset_before", A)
    payout = await silent.pay()
    silent.fault("reject", A, code="REMARK_HAS_SENSITIVE_WORD", times=None)
    await silent.pass_time(minutes=2)
    assert await silent.states(payout) == [(A.name, "in_doubt")]
    assert silent.submitted(B) == []
    silent.world.clear_rules()
    await silent.pass_time(minutes=30)
    assert (await silent.look(payout)).state is PAID
    assert silent.moved() == [(A.name, 12_345)]


class SecondRefused(Recorded):
    """Its port is shut for the second send, and for that one only."""

    async def send(self, prepared: Prepared) -> Outcome:
        """Refuse the second."""
        if self.sent == 1:
            self.sent += 1
            return NotSent(NotSentCause.REFUSED)
        return await super().send(prepared)


async def test_a_second_send_that_never_left_proves_nothing_about_the_first(silent: Rig) -> None:
    """The resend was refused a connection: that one never left, but what of the first?"""
    channel = SecondRefused(silent.gateway.channels[A.name])
    silent.replace_channel(channel)
    silent.fault("reset_before", A)
    payout = await silent.pay()
    await silent.pass_time(seconds=110)
    assert channel.sent == 2
    assert await silent.states(payout) == [(A.name, "in_doubt")]
    assert silent.submitted(B) == []
    await silent.pass_time(minutes=20)
    assert (await silent.look(payout)).state is PAID
    assert silent.moved() == [(A.name, 12_345)]


async def test_a_sticky_channel_is_asked_and_never_sent_again(url: str) -> None:
    """Where the channel does not promise to honour its own number, nothing is ever repeated."""
    sticky = seat(QUIET_A, settings={"resend_window_s": 0})
    async with running(url, (sticky, B)) as rig:
        assert rig.gateway.channels[A.name].traits.resend is None
        assert isinstance(rig.gateway.channels[B.name].traits.resend, Resend)
        rig.fault("reset_before", A)
        payout = await rig.pay()
        await rig.pass_time(hours=3)
        assert await rig.states(payout) == [(A.name, "in_doubt")]
        assert len(rig.submitted()) == 1


async def test_a_window_in_which_nothing_is_found_is_waited_out(silent: Rig) -> None:
    """Paid but hidden from inquiries for a while: the same number replays, and pays once."""
    silent.fault("not_found_window", A, seconds="25s")
    silent.fault("reset_after", A)
    payout = await silent.pay()
    await silent.pass_time(minutes=2)
    after = await silent.look(payout)
    assert after.state is PayoutState.PAID
    assert set(silent.submitted()) == {after.attempts[0].reference}
    assert silent.moved() == [(A.name, 12_345)]
