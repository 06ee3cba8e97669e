"""Gateways that resell somebody else's, in a whole gateway: their lies cost nothing twice."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from channels.contract import NOTICE_QUERY, AlipayAccount, AlipayIdentity, WechatWallet
from channels.keyed_md5 import Secrets
from gateway.domain.payout import CertificateKind, PayoutState
from gateway.engine.notices import receive
from tests.gateway.engine.rig import (
    ATTEMPTING,
    CARD,
    PAID,
    RESOLD,
    ZHANG,
    A,
    Rig,
    Seat,
    live,
    running,
)

J = Seat("jeepay-j", "jeepay", 0)
X = Seat("xxpay-x", "xxpay", 0)
NOBODY = AlipayAccount("nobody@jeepay.test", AlipayIdentity.LOGON_ID, "张三丰")
UNSURE = WechatWallet("magic-jeepay-unsure", None, "李四")
LIED_TO = replace(CARD, number="6222200000000005")


@pytest.fixture
async def resold(url: str) -> AsyncIterator[Rig]:
    """Both resellers, which cost nothing and so go first, and an Alipay account."""
    async with running(url, (J, X, A)) as made:
        yield made


async def test_xxpay_is_heard_in_the_query_string(resold: Rig) -> None:
    """Taken, told by way of the address, asked about, paid."""
    payout = await resold.pay(12_345, CARD)
    assert await resold.states(payout) == [(X.name, "pending")]
    await resold.later(seconds=5)
    assert (await resold.look(payout)).state is PAID
    assert resold.moved() == [(X.name, 12_345)]
    assert resold.witness.alarms == []
    assert resold.witness.asked(X.name) == 1
    assert await resold.store.notices(10) == []


async def test_a_notice_that_names_their_number_alone_is_understood(resold: Rig) -> None:
    """The number is looked up among those we were given; a stranger's raises an alarm."""
    resold.fault("notice_lost", X, "notice", times=None)
    payout = await resold.pay(12_345, CARD)
    await resold.world.advance(timedelta(seconds=5))
    number = live(payout).channel_ref
    for theirs, unknown in (("G1", 1), (str(number), 1)):
        fields: dict[str, object] = {"agentpayOrderId": theirs, "status": "2", "fee": "0"}
        secret = str(RESOLD["xxpay"][0]["private_key"])
        query = urlencode({**fields, "sign": Secrets((secret,)).sign(fields)})
        reply = await receive(resold.gateway, X.name, {NOTICE_QUERY: query}, b"")
        assert reply.body == b"success"
        assert resold.witness.alarmed("notice.unknown_reference") == unknown
    await resold.quiet()
    assert (await resold.look(payout)).state is PAID


async def test_a_failure_that_xxpay_made_up_is_not_paid_elsewhere(url: str) -> None:
    """Status 3 although the bank paid: in doubt until a person looks, and paid once."""
    async with running(url, (X, A)) as rig:
        payout = await rig.pay(12_345, LIED_TO, ZHANG)
        await rig.pass_time(hours=48)
        payout = await rig.look(payout)
        assert payout.state is PayoutState.PARKED
        assert [channel for channel, _ in await rig.states(payout)] == [X.name]
        assert rig.moved() == [(X.name, 12_345)]


async def test_a_failure_that_jeepay_made_up_is_not_paid_elsewhere(resold: Rig) -> None:
    """WeChat paid and answered SYSTEM_ERROR; Jeepay calls that failed."""
    payout = await resold.pay(12_345, UNSURE, CARD)
    await resold.pass_time(hours=48)
    payout = await resold.look(payout)
    assert payout.state is PayoutState.PARKED
    assert [channel for channel, _ in await resold.states(payout)] == [J.name]
    assert resold.moved() == [(J.name, 12_345)]


async def test_a_payee_whom_alipay_refuses_through_jeepay_is_paid_otherwise(resold: Rig) -> None:
    """Alipay's own word, looked at once more, frees the payout for its other instrument."""
    payout = await resold.pay(12_345, NOBODY, replace(CARD, number="6217000000000009"))
    assert payout.state is ATTEMPTING
    await resold.pass_time(minutes=5)
    payout = await resold.look(payout)
    assert payout.state is PAID
    assert [channel for channel, _ in await resold.states(payout)] == [J.name, X.name]
    died = payout.attempts[0].certificate
    assert died is not None
    assert (died.kind, died.code) == (CertificateKind.TERMINAL_INQUIRY, "PAYEE_NOT_EXIST")
    assert resold.moved() == [(X.name, 12_345)]


async def test_an_order_left_as_created_is_asked_about_for_ever(resold: Rig) -> None:
    """State 0 proves nothing: neither paid elsewhere nor given up."""
    resold.fault("left_created", J, executed=True)
    payout = await resold.pay(12_345, ZHANG)
    await resold.pass_time(hours=30)
    payout = await resold.look(payout)
    assert payout.state is PayoutState.PARKED
    assert resold.moved() == [(J.name, 12_345)]
    asked = resold.witness.asked(J.name)
    await resold.pass_time(hours=12)
    assert resold.witness.asked(J.name) > asked
