"""Both stock callers through lost replies, failing channels, a failing store, review and returns.

The plugin gives a new number to each retry and pays its user back at anything that it reads as a
failure. Whatever goes wrong: no payee is paid under two numbers inside the soft-dedupe window, and
nobody is told "not paid", or given the money back, for money that moved.
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
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.domain.payout import Payout, PayoutState
from gateway.engine import operate
from gateway.ports import CommitUnknownError, StoreError
from tests.builders import after
from tests.gateway.dialects.jeepay_shop import Shop

PAID = {PayoutState.PAID, PayoutState.SETTLED}
RETRIES = 4
OUTCOMES: tuple[Outcome, ...] = (
    Unknown(UnknownCause.TIMEOUT),
    Pending("till-x", "waiting"),
    Pending("till-y", "confirm", PayeeAction("wechat_confirm", "PKG", after(86_400))),
    Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""),
    Rejected(Reason.RAIL_DOWN, "DOWN", ""),
)


@dataclass(slots=True)
class Withdrawal:
    """One person's wish at the site, and what was said about each number of it."""

    account: str
    said: dict[str, str] = field(default_factory=dict)

    @property
    def is_booked(self) -> bool:
        """Whether the site has a row, and stops asking."""
        return any(one in {"paid", "processing"} for one in self.said.values())


def pass_time(shop: Shop, seconds: float) -> None:
    """The clock goes on."""
    shop.desk.clock.at = after((shop.desk.clock.at - after(0)).total_seconds() + seconds)


async def live(shop: Shop, seed: int) -> list[Withdrawal]:
    """A day of withdrawals: each is retried under new numbers until the site has a row for it."""
    dice = random.Random(seed)
    wishes = [Withdrawal(f"622202123456789{n:04d}") for n in range(6)]
    for _ in range(RETRIES):
        for wish in wishes:
            if wish.is_booked:
                continue
            if dice.random() < 0.6:
                shop.desk.till.outcomes.append(dice.choice(OUTCOMES))
            number = str(next(shop.plugin.numbers))
            shop.plugin.form = dice.random() < 0.5
            wish.said[number] = await shop.plugin.withdraw(
                number, lost=dice.random() < 0.5, accountNo=wish.account
            )
            if dice.random() < 0.5:
                await shop.work()
            pass_time(shop, dice.randrange(5, 90))
            shop.deaf = dice.random() < 0.5
            await shop.deliver()
    await shop.work()
    shop.deaf = False
    for number in shop.plugin.rows:
        await shop.plugin.refresh(number)
    while await shop.deliver():
        pass
    return wishes


def sends(shop: Shop) -> Counter[str]:
    """How often each card was paid, as the channel has it."""
    return Counter(
        one.instruction.instrument.number
        for one in shop.desk.till.sent
        if isinstance(one.instruction.instrument, BankCard)
    )


async def by_number(shop: Shop) -> dict[str, Payout]:
    """Every payout under the site's number."""
    return {one.merchant_ref.removeprefix("da_1:"): one for one in await shop.payouts()}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", ["hold", "refuse"])
async def test_a_day_of_lost_replies_and_failing_channels(shop: Shop, seed: int, way: str) -> None:
    """No payee is paid under two numbers; "not paid" and refunds only where it is so."""
    await shop.set(soft_dedupe_as=way)

    wishes = await live(shop, seed)

    payouts = await by_number(shop)
    assert sum(sends(shop).values()) > 0
    for wish in wishes:
        live_ones = [n for n in wish.said if n in payouts and payouts[n].live is not None]
        assert len(live_ones) <= 1
        for number, said in wish.said.items():
            if said == "not paid" and number in payouts:
                assert payouts[number].live is None
    for row in shop.plugin.rows.values():
        payout = payouts[row.number]
        assert (row.status == 1) == (payout.state in PAID)
        assert row.refunds == (1 if row.status == 2 else 0)
        if row.refunds:
            assert payout.live is None


async def test_a_retry_under_a_new_number_waits_for_a_person(shop: Shop) -> None:
    """The first answer is lost: one payment, and who asked is told that it is under way."""
    assert await shop.plugin.withdraw("A", lost=True) == "lost"
    await shop.work()

    assert await shop.plugin.withdraw("B") == "processing"
    await shop.work()

    assert len(shop.desk.till.sent) == 1
    second = (await by_number(shop))["B"]
    assert (second.state, second.reason) == (PayoutState.HELD, "suspected_retry: da_1:A")
    assert await shop.plugin.refresh("B") == 0


async def test_a_late_success_is_booked(shop: Shop) -> None:
    """Doubt is under way to the site until the channel says what became of it."""
    shop.desk.till.outcomes.extend([Unknown(UnknownCause.TIMEOUT), Pending("t", "waiting")])
    await shop.plugin.withdraw("A")
    await shop.work()
    assert await shop.plugin.refresh("A") == 0

    for minutes in (1, 5, 30):
        shop.desk.clock.at = after(minutes * 60)
        await shop.work()
    await shop.deliver()

    assert shop.plugin.rows["A"].status == 1
    assert shop.plugin.rows["A"].refunds == 0
    assert len(shop.desk.till.sent) == 1


async def test_a_person_lets_it_go_or_not(shop: Shop) -> None:
    """A held order is under way; released it is paid, cancelled it is given back once."""
    for number in ("A", "B", "C"):
        await shop.plugin.withdraw(number)
    held = await by_number(shop)
    await operate.release(shop.desk.gateway, held["B"].id, None, "operator")
    await operate.cancel(shop.desk.gateway, held["C"].id, None, "operator")
    await shop.work()
    while await shop.deliver():
        pass

    rows = shop.plugin.rows
    assert [rows[n].status for n in ("A", "B", "C")] == [1, 1, 2]
    assert [rows[n].refunds for n in ("A", "B", "C")] == [0, 0, 1]


async def test_a_return_reaches_the_site(shop: Shop) -> None:
    """Paid, then given back, by notice alone: the site never asks about a paid row."""
    await shop.plugin.withdraw("A")
    await shop.work()
    await shop.deliver()
    assert shop.plugin.rows["A"].status == 1
    await shop.come_back()

    await shop.deliver()

    assert (shop.plugin.rows["A"].status, shop.plugin.rows["A"].refunds) == (2, 1)


@pytest.mark.parametrize("error", [CommitUnknownError("?"), StoreError("away"), ValueError("bug")])
@pytest.mark.parametrize("stored", [True, False])
async def test_a_store_that_fails_is_never_not_paid_for_what_it_stored(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception, *, stored: bool
) -> None:
    """The commit may have happened: the site keeps its row and asks."""
    real = shop.desk.store.accept

    async def failing(*args: Any) -> Any:
        if stored:
            await real(*args)
        raise error

    monkeypatch.setattr(shop.desk.store, "accept", failing)
    said = await shop.plugin.withdraw("A")
    monkeypatch.setattr(shop.desk.store, "accept", real)
    await shop.work()

    payouts = await by_number(shop)
    if said == "not paid":
        assert payouts == {}
    else:
        await shop.plugin.refresh("A")
        assert shop.plugin.rows["A"].refunds == 0
        assert (shop.plugin.rows["A"].status == 1) == stored


async def test_both_callers_at_once_are_one_order(shop: Shop) -> None:
    """The same number by SDK and plugin, as a site that is being moved: one payment."""
    number = "20260302100000001"
    given = {"accountName": "王小五", "transferDesc": "提现", "bankName": None}
    said = await asyncio.gather(
        *(shop.plugin.withdraw(number) for _ in range(10)),
        *(shop.sdk.transfer(number, **given) for _ in range(10)),
    )
    await shop.work()

    assert set(said[:10]) == {"processing"}
    assert {one["code"] for one in said[10:] if isinstance(one, dict)} == {0}
    assert len(shop.desk.till.sent) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_a_merchant_with_the_sdk_keeps_its_numbers(shop: Shop, seed: int) -> None:
    """It asks again under the same number: one payment each, and every state is the truth."""
    dice = random.Random(seed)
    numbers = [f"S-{n}" for n in range(8)]
    for _ in range(3):
        for fen, number in enumerate(numbers, 1230):
            if dice.random() < 0.5:
                shop.desk.till.outcomes.append(dice.choice(OUTCOMES))
            said = await shop.sdk.transfer(number, amount=fen)
            assert said["code"] == 0
            if dice.random() < 0.5:
                await shop.work()
            pass_time(shop, dice.randrange(5, 90))
    await shop.work()

    payouts = await by_number(shop)
    assert sorted(payouts) == numbers
    for number, payout in payouts.items():
        data = (await shop.sdk.query(mchOrderNo=number))["data"]
        tries = sum(one.sends for one in payout.attempts if one.certificate is None)
        assert tries <= 1
        assert (data["state"] == 2) == (payout.state in PAID)
        assert (data["state"] == 3) == (payout.state is PayoutState.FAILED)
        assert ("errMsg" in data) == (data["state"] == 3)
