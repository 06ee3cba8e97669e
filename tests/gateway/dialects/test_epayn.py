"""The stock plugin's daily life against lost replies, a failing store and failing channels.

It gives a new number to each retry. Whatever goes wrong, a payee gets no second payment inside the
soft-dedupe window, and nothing is called "not paid" for which money moved.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from channels.contract import (
    BankCard,
    Outcome,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.api.dialects.order import Order
from gateway.api.dialects.orders import Orders
from gateway.domain.payout import Payout, PayoutState
from gateway.engine import accept as accepting
from gateway.engine import operate
from gateway.engine.worker import prune_claims
from gateway.ports import CommitUnknownError, Intake, Merchant, StoreError
from tests.builders import after, bank_card, cny
from tests.gateway.api.desk import ACME, BANK_CARD, CARD
from tests.gateway.dialects.conftest import Site

RETRIES = 4
PAID = {PayoutState.PAID, PayoutState.SETTLED}
OUTCOMES: tuple[Outcome, ...] = (
    Unknown(UnknownCause.TIMEOUT),
    Pending("till-x", "waiting"),
    Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""),
    Rejected(Reason.RAIL_DOWN, "DOWN", ""),
)


@dataclass(slots=True)
class Withdrawal:
    """One person's wish at the site, and every number it was asked under."""

    account: str
    numbers: list[str] = field(default_factory=list)
    said_unpaid: list[str] = field(default_factory=list)
    """By the gateway's own word, not by silence."""
    booked: bool = False


async def live(site: Site, seed: int) -> list[Withdrawal]:
    """A day of withdrawals: each is retried under new numbers until the site has a row for it."""
    dice = random.Random(seed)
    wishes = [Withdrawal(f"622202123456789{n:04d}") for n in range(6)]
    for _ in range(RETRIES):
        for wish in wishes:
            if wish.booked:
                continue
            number = site.plugin.new_number()
            wish.numbers.append(number)
            if dice.random() < 0.6:
                site.desk.till.outcomes.append(dice.choice(OUTCOMES))
            told = await site.plugin.submit(number, account=wish.account)
            lost = dice.random() < 0.5
            if not told.ok:
                wish.said_unpaid.append(number)
            wish.booked = told.ok and not lost
            if dice.random() < 0.5:
                await site.work()
            site.desk.clock.at = after(
                (site.desk.clock.at - after(0)).total_seconds() + dice.randrange(5, 90)
            )
    await site.work()
    return wishes


def sends(site: Site) -> Counter[str]:
    """How often each card was paid, as the channel has it: rejected ones moved nothing."""
    return Counter(
        one.instruction.instrument.number
        for one in site.desk.till.sent
        if isinstance(one.instruction.instrument, BankCard)
    )


def may_have_money(payout: Payout) -> bool:
    """Whether any of its tries is not proven dead."""
    return payout.live is not None


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", ["hold", "refuse"])
async def test_a_day_of_lost_replies_and_failing_channels(site: Site, seed: int, way: str) -> None:
    """No payee is paid under two numbers; "not paid" is only said where it is so."""
    await site.set(soft_dedupe_as=way)

    wishes = await live(site, seed)

    payouts = {one.merchant_ref: one for one in await site.payouts()}
    assert sum(sends(site).values()) > 0
    for wish in wishes:
        mine = [payouts[ref] for n in wish.numbers if (ref := f"da_1:{n}") in payouts]
        assert sum(map(may_have_money, mine)) <= 1
        for number in wish.said_unpaid:
            assert f"da_1:{number}" not in payouts
        for number in wish.numbers:
            told = await site.plugin.query(number)
            known = payouts.get(f"da_1:{number}")
            if known is None:
                assert told["code"] == -1
            elif told["status"] == 2:
                assert known.live is None
            else:
                assert (told["status"] == 1) == (known.state in PAID)


async def test_a_retry_under_a_new_number_waits_for_a_person(site: Site) -> None:
    """Who is told which order it may repeat."""
    await site.plugin.submit("A")
    await site.work()

    retried = await site.plugin.submit("B")
    await site.work()

    first, second = await site.payouts()
    assert (retried.ok, retried.status) == (True, 0)
    assert (first.state, second.state) == (PayoutState.PAID, PayoutState.HELD)
    assert second.reason == "suspected_retry: da_1:A"
    assert len(site.desk.till.sent) == 1


async def test_retries_do_not_outlast_the_window(site: Site) -> None:
    """Each is measured from the one before; after ten quiet minutes it is a payment of its own."""
    for minutes in (0, 6, 12, 18):
        site.desk.clock.at = after(minutes * 60)
        await site.plugin.submit(f"N{minutes}")
    site.desk.clock.at = after(18 * 60 + 600)
    await site.plugin.submit("quiet")

    states = [one.state for one in await site.payouts()]
    assert states.count(PayoutState.HELD) == 3
    assert [states[0], states[-1]] == [PayoutState.ROUTING, PayoutState.ROUTING]


async def test_fifty_numbers_at_once_pay_once(site: Site) -> None:
    """The check is the database's and not a look before the write."""
    await asyncio.gather(*(site.plugin.submit(f"N{n}") for n in range(50)))
    await site.work()

    states = Counter(one.state for one in await site.payouts())
    assert states == {PayoutState.PAID: 1, PayoutState.HELD: 49}
    assert len(site.desk.till.sent) == 1


async def test_a_proven_failure_may_be_paid_again_at_once(site: Site) -> None:
    """Under a new number: nobody has the money."""
    site.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await site.plugin.submit("A")
    await site.work()

    await site.plugin.submit("B")
    await site.work()

    states = [one.state for one in await site.payouts()]
    assert states == [PayoutState.FAILED, PayoutState.PAID]


async def test_what_was_refused_claims_nothing(site: Site) -> None:
    """An order that no channel can carry does not stand in its correction's way."""
    big = await site.plugin.submit("A", money="1000000.00")
    await operate.fund(site.desk.gateway, ACME, cny(1).currency, 100_000_000_00, "more", "test")
    again = await site.plugin.submit("B", money="1000000.00")

    assert big.reply["msg"] == "需支付金额大于可转账余额"
    assert (again.ok, again.status) == (True, 0)
    assert (await site.payouts())[0].state is PayoutState.ROUTING


async def test_the_guard_can_be_switched_off(site: Site) -> None:
    """Zero minutes: every number is a payment of its own."""
    await site.set(soft_dedupe_minutes=0)
    await site.plugin.submit("A")
    await site.plugin.submit("B")

    assert {one.state for one in await site.payouts()} == {PayoutState.ROUTING}


async def test_an_unacknowledged_commit_is_processing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was stored nobody knows: the same number asked again finds out."""
    store = type(site.desk.store)
    real = store.accept

    async def lost(self: object, *rest: object) -> Payout:
        await real(self, *rest)  # type: ignore[arg-type] # as it was called
        raise CommitUnknownError("no acknowledgement")

    monkeypatch.setattr(store, "accept", lost)
    first = await site.plugin.submit("A")
    monkeypatch.setattr(store, "accept", real)
    again = await site.plugin.submit("A")

    assert (first.ok, first.status, first.reply["cost_money"]) == (True, 0, "12.60")
    assert first.reply["biz_no"] == again.reply["biz_no"]
    assert len(await site.payouts()) == 1


async def test_a_store_that_does_not_answer_is_processing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say that nothing is paid under that number, nor that the account is unknown."""
    await site.plugin.submit("A")
    await site.work()

    async def away(self: object, *rest: object, **named: object) -> object:
        raise StoreError("away")

    for name in ("search", "dialect_account", "dialect_orders"):
        monkeypatch.setattr(type(site.desk.store), name, away)
    told, found = await site.plugin.submit("A"), await site.plugin.query("A")

    assert (told.ok, told.status) == (True, 0)
    assert (found["code"], found["status"]) == (0, 0)


async def test_a_slow_store_goes_on_without_its_caller(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who hears "processing" in time; the order is stored all the same, once."""
    gate, real = asyncio.Event(), accepting.accept

    async def slow(
        gateway: object, merchant: Merchant, request: object, intake: Intake, actor: str
    ) -> accepting.Acceptance:
        await gate.wait()
        return await real(site.desk.gateway, merchant, request, intake, actor)  # type: ignore[arg-type] # as it was called

    monkeypatch.setattr("gateway.engine.accept.accept", slow)
    orders = Orders(site.desk.gateway, answer_s=0.05)
    merchant = (await site.desk.store.merchants())[0]
    order = Order("A", cny(1230), bank_card(), "提现")
    shown = await orders.take(site.account, merchant, order, 19)
    assert shown.payout is None
    assert await site.payouts() == []

    gate.set()
    again = await Orders(site.desk.gateway, answer_s=60).take(site.account, merchant, order, 19)

    assert again.payout is not None
    assert again.own_number == shown.own_number
    assert len(await site.payouts()) == 1


async def test_a_halted_gateway_tells_what_it_knows(site: Site) -> None:
    """And takes nothing in."""
    from gateway.engine.gateway import Halt

    await site.plugin.submit("A")
    await site.work()
    site.desk.gateway.halt(Halt("test", "halted", "停机"))

    known, fresh = await site.plugin.submit("A"), await site.plugin.submit("B")

    assert (known.ok, known.status) == (True, 1)
    assert fresh.reply["msg"] == "系统维护中，请稍后再试"
    assert (await site.plugin.query("A"))["status"] == 1
    assert len(await site.payouts()) == 1


@pytest.mark.parametrize("way", ["hold", "refuse"])
async def test_what_was_asked_for_natively_counts_where_the_merchant_wants_it(
    site: Site, way: str
) -> None:
    """A withdrawal paid by file or API this minute and asked for again by the old software."""
    await site.set(soft_dedupe_native=True, soft_dedupe_as=way)
    body: dict[str, Any] = {"amount_minor": 1230, "beneficiary": {"instruments": [dict(BANK_CARD)]}}
    await site.desk.pay("native-1", **body)

    told = await site.plugin.submit("A", account=CARD)
    other = await site.plugin.submit("B", account=CARD, money="12.31")
    site.desk.clock.at = after(601)
    later = await site.plugin.submit("C", account=CARD)

    found = {one.merchant_ref: one for one in await site.payouts()}
    if way == "hold":
        assert found["da_1:A"].reason == "suspected_retry: native-1"
    else:
        assert told.reply["code"] == -1
        assert "da_1:A" not in found
    assert (other.ok, found["da_1:B"].state) == (True, PayoutState.ROUTING)
    assert (later.ok, found["da_1:C"].state) == (True, PayoutState.ROUTING)


async def test_a_native_payout_that_failed_is_no_earlier_order(site: Site) -> None:
    """Nor is one where the merchant did not ask for it."""
    await site.set(soft_dedupe_native=True)
    body: dict[str, Any] = {"amount_minor": 1230, "beneficiary": {"instruments": [dict(BANK_CARD)]}}
    site.desk.till.outcomes.append(Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""))
    await site.desk.work(await site.desk.pay("native-1", **body))
    await site.plugin.submit("A", account=CARD)
    await site.set(soft_dedupe_native=False)
    await site.desk.pay("native-2", **{**body, "amount_minor": 500})
    await site.plugin.submit("B", account=CARD, money="5.00")

    states = {one.merchant_ref: one.state for one in await site.payouts()}
    assert states["native-1"] is PayoutState.FAILED
    assert states["da_1:A"] is states["da_1:B"] is PayoutState.ROUTING


async def test_old_claims_are_forgotten(site: Site) -> None:
    """Once no window reaches back to them; younger ones bind as before."""
    for day, number in enumerate("ABC"):
        site.desk.clock.at = after(days=day)
        await site.plugin.submit(number, account=f"622202123456789{day:04d}")
    before = site.desk.rows()["payee_claims"]

    await prune_claims(site.desk.gateway)

    assert (before, site.desk.rows()["payee_claims"]) == (3, 2)
    await site.plugin.submit("again", account="6222021234567890002")
    found = {one.merchant_ref: one.state for one in await site.payouts()}
    assert found["da_1:again"] is PayoutState.HELD
