"""The XxPay adapter and the XxPay simulator over real sockets: what only this pair shows.

Neither knows the other's code. What every kind must show stands in tests/contracts/channels.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from channels.contract import (
    Absent,
    BankAccount,
    BankCard,
    Paid,
    Pending,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.xxpay.channel import XxPayChannel, build
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.channels.resellers import Scene
from tests.channels.xxpay.gateway import (
    CARD,
    COMPANY,
    MCH_ID,
    SECRET,
    TERMS,
    instruction,
    settings,
)

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""


@asynccontextmanager
async def open_scene(
    there: Mapping[str, object] | None = None, **changes: object
) -> AsyncIterator[Scene[XxPayChannel]]:
    """Everything running; `there` are knobs of the gateway, `changes` our settings."""
    account = {
        "account": "xxpay-1",
        "mch_id": MCH_ID,
        "private_key": SECRET,
        "balance_fen": 1_000_000,
        "fee": {"flat_fen": 100},
    }
    section = {"name": "xxpay", "kind": "xxpay", "accounts": [account], **(there or {})}
    clock = ClockPlan(mode="virtual", start=START)
    async with World(Plan(seed=1, clock=clock, simulators=(section,))) as world:
        made = settings(base_url=world.shells["xxpay"].url, **changes)
        channel = build("xxpay-sim", made, TERMS, world.clock.now)
        yield Scene("xxpay", world, channel)
        await channel.aclose()


@pytest.mark.parametrize("payee", [CARD, COMPANY], ids=["card", "company"])
async def test_a_payout_is_paid_with_its_fee(payee: BankCard | BankAccount) -> None:
    """Pending, then paid; the balance goes down by both."""
    async with open_scene() as scene:
        order = instruction(payee)
        assert isinstance(await scene.pay(order), Pending)
        await scene.world.advance(timedelta(minutes=1))
        outcome = await scene.ask(order)
        assert isinstance(outcome, Paid)
        assert outcome.fee == Money(100, Currency.CNY)
        balance = await scene.channel.balance()
        assert balance.available == Money(1_000_000 - 12_445, Currency.CNY)


async def test_paid_in_the_answer_is_still_asked_about() -> None:
    """The answer to a submission does not name the amount."""
    async with open_scene({"settle_after_s": 0}) as scene:
        assert isinstance(await scene.pay(instruction()), Pending)
        assert isinstance(await scene.ask(instruction()), Paid)


async def test_what_trust_costs() -> None:
    """A bank's answer not understood: doubt by default, a false failure for whoever trusts all."""
    for trust, expected in (("none", Unknown), ("all", Rejected)):
        async with open_scene(trust_failures=trust) as scene:
            scene.fault("failed_though_paid")
            await scene.pay(instruction())
            await scene.world.advance(timedelta(minutes=1))
            assert isinstance(await scene.ask(instruction()), expected), trust
            assert scene.moved() == [("payout", 12_345), ("fee", 100)]


async def test_a_stock_gateway_never_shows_a_return() -> None:
    """Only a clone does; the money comes back either way."""
    for shows, expected in ((False, Paid), (True, Returned)):
        async with open_scene({"shows_returns": shows}) as scene:
            scene.fault("return_late", after="1d")
            await scene.pay(instruction())
            await scene.world.advance(timedelta(days=2))
            assert isinstance(await scene.ask(instruction()), expected)
            assert scene.moved()[-1] == ("return", 12_345)


async def test_the_guard_against_doubled_requests_is_no_failure() -> None:
    """频繁代付: an unsigned text, in which the card is blotted out."""
    async with open_scene() as scene:
        await scene.pay(instruction())
        outcome = await scene.pay(instruction(reference="PO2"))
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.CHANNEL_UNSURE
        assert outcome.evidence.message == "频繁代付,卡号:***,金额:123.45元"


async def test_clones_are_served_by_settings() -> None:
    """Numbers for codes, lower hex, a balance to name, signed refusals."""
    clone = {
        "codes": "numbers",
        "lower_case": True,
        "needs_sub_amount_from": True,
        "signs_refusals": True,
    }
    ours = {"lower_case_signature": True, "sub_amount_from": 2, "trust_refusals": True}
    async with open_scene(clone, **ours) as scene:
        assert isinstance(await scene.ask(instruction()), Absent)
        assert isinstance(await scene.pay(instruction()), Pending)
        short = await scene.pay(instruction(reference="PO2", amount=Money(10**6, Currency.CNY)))
        assert isinstance(short, Rejected)
        assert short.confirm
