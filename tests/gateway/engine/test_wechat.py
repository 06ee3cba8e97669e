"""Where the payee has to confirm: shown, waited for, and left only when the channel says so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from channels.contract import Reason
from gateway.domain.errors import ConflictError
from gateway.domain.ledger import Book
from gateway.domain.payout import CertificateKind, PayoutState
from gateway.engine.operate import cancel
from tests.builders import merchant
from tests.gateway.engine.rig import (
    ATTEMPTING,
    FAILED,
    LI,
    PAID,
    ZHANG,
    A,
    B,
    Rig,
    W,
    live,
    running,
    seat,
)

FIRST = seat(W, flat_fen=1)
NEVER = replace(LI, openid="magic-never-confirms")
LATE = replace(LI, openid="magic-confirms-late")


async def test_waiting_for_the_payee_shows_what_the_payee_must_do(rig: Rig) -> None:
    """Pending, with the confirmation page and the day it has."""
    payout = await rig.pay(12_345, LI)
    assert payout.state is ATTEMPTING
    action = live(payout).action
    assert action is not None
    assert (action.kind, live(payout).stage) == ("wechat_confirm", "WAIT_USER_CONFIRM")
    assert action.package_info
    assert action.expires_at == rig.now() + timedelta(hours=24)
    assert rig.moved() == []
    await rig.later(seconds=2)
    after = await rig.look(payout)
    assert after.state is PAID
    assert live(after).action is None


async def test_a_payee_who_confirms_late_is_paid_late(rig: Rig) -> None:
    """After 23 hours, and nobody else was paid in the meantime."""
    payout = await rig.pay(12_345, LATE, ZHANG)
    assert await rig.states(payout) == [(A.name, "confirmed")]
    waiting = await rig.pay(12_345, LATE)
    await rig.pass_time(hours=22)
    assert await rig.states(waiting) == [(W.name, "pending")]
    await rig.pass_time(hours=2)
    assert (await rig.look(waiting)).state is PAID


async def test_a_payee_who_never_confirms_is_paid_by_another_instrument(url: str) -> None:
    """The platform closes it after a day; that proof, and not our impatience, frees the next."""
    async with running(url, (FIRST, A)) as rig:
        payout = await rig.pay(12_345, NEVER, ZHANG)
        await rig.pass_time(hours=23)
        assert await rig.states(payout) == [(W.name, "pending")]
        await rig.pass_time(hours=2)
        after = await rig.look(payout)
        assert await rig.states(payout) == [(W.name, "dead"), (A.name, "confirmed")]
        certificate = after.attempts[0].certificate
        assert certificate is not None
        assert (certificate.kind, certificate.reason) == (
            CertificateKind.TERMINAL_INQUIRY,
            Reason.PAYEE_EXPIRED,
        )
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_payee_who_never_confirms_and_has_nothing_else_fails(rig: Rig) -> None:
    """No other way: FAILED, and the merchant has its money back."""
    payout = await rig.pay(12_345, NEVER)
    await rig.pass_time(hours=25)
    after = await rig.look(payout)
    assert (after.state, after.reason) == (FAILED, Reason.PAYEE_EXPIRED)
    assert await rig.balance(Book.HELD, rig.merchant.id) == 0
    assert rig.moved() == []


async def test_a_merchant_can_cancel_until_it_is_armed(url: str) -> None:
    """Held for review it is cancelled, and the hold is released; nothing was ever sent."""
    careful = merchant(review_above_minor=10_000)
    async with running(url, merchant=careful) as rig:
        payout = await rig.pay(12_345, LI)
        assert payout.state is PayoutState.HELD
        gone = await cancel(rig.gateway, payout.id, rig.merchant.id, "merchant")
        assert gone.state is PayoutState.CANCELLED
        again = await cancel(rig.gateway, payout.id, rig.merchant.id, "merchant")
        assert (again.state, again.version) == (gone.state, gone.version)
        assert await rig.balance(Book.HELD, rig.merchant.id) == 0
        assert rig.submitted() == []


async def test_a_merchant_cannot_cancel_what_the_payee_may_confirm_any_moment(rig: Rig) -> None:
    """Once armed, only the channel's word ends it."""
    payout = await rig.pay(12_345, LI)
    with pytest.raises(ConflictError) as refused:
        await cancel(rig.gateway, payout.id, rig.merchant.id, "merchant")
    assert refused.value.code == "state_forbids"
    await rig.later(seconds=2)
    assert (await rig.look(payout)).state is PAID


async def test_a_wallet_that_cannot_be_paid_goes_to_another_instrument(url: str) -> None:
    """The platform fails it after the confirmation; the account is paid instead."""
    async with running(url, (FIRST, A, B)) as rig:
        payout = await rig.pay(12_345, replace(LI, openid="magic-frozen"), ZHANG)
        await rig.later(seconds=5)
        assert await rig.states(payout) == [(W.name, "dead"), (A.name, "confirmed")]
        assert rig.moved() == [(A.name, 12_345)]
