"""The Jeepay adapter and the Jeepay simulator over real sockets: what only this pair shows.

Neither knows the other's code. What every kind must show stands in tests/contracts/channels.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from channels.contract import (
    Absent,
    Paid,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.jeepay.channel import JeepayChannel, build
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.channels.jeepay.gateway import (
    APP_ID,
    CARD,
    LOGON,
    MCH_NO,
    SECRET,
    TERMS,
    WALLET,
    instruction,
    settings,
)
from tests.channels.resellers import Scene

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""


@asynccontextmanager
async def open_scene(**changes: object) -> AsyncIterator[Scene[JeepayChannel]]:
    """Everything running; `changes` are our settings."""
    account = {
        "account": "jeepay-1",
        "mch_no": MCH_NO,
        "app_id": APP_ID,
        "app_secret": SECRET,
        "balance_fen": 1_000_000,
    }
    section = {"name": "jeepay", "kind": "jeepay", "accounts": [account]}
    clock = ClockPlan(mode="virtual", start=START)
    async with World(Plan(seed=1, clock=clock, simulators=(section,))) as world:
        made = settings(base_url=world.shells["jeepay"].url, **changes)
        channel = build("jeepay-sim", made, TERMS, world.clock.now)
        yield Scene("jeepay", world, channel)
        await channel.aclose()


async def test_a_wechat_payee_is_shown_the_page_and_then_paid() -> None:
    """Until the payee has confirmed."""
    async with open_scene() as scene:
        order = instruction(WALLET)
        outcome = await scene.pay(order)
        assert isinstance(outcome, Pending)
        assert outcome.action is not None
        assert outcome.action.kind == "open_link"
        assert outcome.action.package_info.endswith(str(outcome.channel_ref))
        assert outcome.action.expires_at == START + timedelta(hours=24)
        await scene.world.advance(timedelta(minutes=2))
        assert isinstance(await scene.ask(order), Paid)
        assert scene.moved() == [("payout", 12_345)]


async def test_a_wechat_payee_who_never_confirms_is_rejected() -> None:
    """WeChat's own word, passed on: the payee's fault, and no money moved."""
    async with open_scene() as scene:
        scene.fault("confirm_never")
        order = instruction(WALLET)
        await scene.pay(order)
        await scene.world.advance(timedelta(hours=25))
        outcome = await scene.ask(order)
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.confirm) == (Reason.PAYEE_EXPIRED, False)
        assert scene.moved() == []


async def test_what_the_repair_missed_is_pending_for_good() -> None:
    """Paid after 25 hours, and the gateway never knows."""
    async with open_scene() as scene:
        scene.fault("settle_late", after="25h")
        order = instruction(CARD)
        await scene.pay(order)
        await scene.world.advance(timedelta(days=3))
        assert isinstance(await scene.ask(order), Pending)
        assert scene.moved() == [("payout", 12_345)]


@pytest.mark.parametrize("executed", [True, False])
async def test_created_says_nothing_about_the_money(executed: bool) -> None:
    """State 0 is the same, paid or not."""
    async with open_scene() as scene:
        scene.fault("left_created", executed=executed)
        order = instruction()
        for outcome in (await scene.pay(order), await scene.ask(order)):
            assert isinstance(outcome, Unknown)
            assert outcome.cause is UnknownCause.CHANNEL_UNSURE
        assert len(scene.moved()) == executed


async def test_what_trust_costs() -> None:
    """A payout booked as failed: doubt by default, a false failure for whoever trusts all."""
    for trust, expected in (("listed", Unknown), ("none", Unknown), ("all", Rejected)):
        async with open_scene(trust_failures=trust) as scene:
            scene.fault("failed_though_paid", reason="SYSTEM_ERROR")
            order = instruction()
            await scene.pay(order)
            assert isinstance(await scene.ask(order), expected), trust
            assert scene.moved() == [("payout", 12_345)]


async def test_absence_is_believed_where_it_is_trusted() -> None:
    """On loopback or by TLS, if the operator says so."""
    async with open_scene(trust_not_found=True) as scene:
        assert isinstance(await scene.ask(instruction()), Absent)


async def test_the_bytes_of_every_rail_are_taken_by_a_strict_server() -> None:
    """Fields, signature and way of entry."""
    for payee in (LOGON, WALLET, CARD, replace(LOGON, name=None)):
        async with open_scene() as scene:
            assert isinstance(await scene.pay(instruction(payee)), Paid | Pending)
