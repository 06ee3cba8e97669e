"""The stock XxPay caller's daily life against lost replies, reviews and failing channels.

It reads all but SUCCESS as "not paid", unfreezes and asks again under a new number. Whatever goes
wrong, a payee gets no second payment inside the soft-dedupe window, and nothing is called failed
for which money moved.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from channels.contract import BankCard, Outcome, Pending, Reason, Rejected, Unknown, UnknownCause
from gateway.domain.payout import Payout, PayoutState
from gateway.engine import operate, record
from tests.builders import after, came_back, contradicted
from tests.gateway.dialects.xxpay_shop import XxShop
from tests.gateway.dialects.xxpayer import Way

RETRIES = 4
WAYS: tuple[Way, ...] = ("form", "params", "query", "get")
OUTCOMES: tuple[Outcome, ...] = (
    Unknown(UnknownCause.TIMEOUT),
    Pending("till-x", "waiting"),
    Rejected(Reason.PAYEE_DECLINED, "DECLINED", ""),
    Rejected(Reason.RAIL_DOWN, "DOWN", ""),
)


@dataclass(slots=True)
class Withdrawal:
    """One person's wish at the caller's, and every number it was asked under."""

    account: str
    numbers: list[str] = field(default_factory=list)
    said_unpaid: list[str] = field(default_factory=list)
    """By the gateway's own word, not by silence."""
    booked: bool = False


async def live(xxshop: XxShop, dice: random.Random) -> list[Withdrawal]:
    """A day of withdrawals: each is retried under new numbers until the caller has booked it."""
    wishes = [Withdrawal(f"622202123456789{n:04d}") for n in range(6)]
    for _ in range(RETRIES):
        for wish in wishes:
            if wish.booked:
                continue
            xxshop.caller.way = dice.choice(WAYS)
            number = xxshop.caller.new_number()
            wish.numbers.append(number)
            if dice.random() < 0.6:
                xxshop.desk.till.outcomes.append(dice.choice(OUTCOMES))
            told = await xxshop.caller.apply(number, accountNo=wish.account)
            lost = dice.random() < 0.5
            if not told.ok or told.status == 3:
                wish.said_unpaid.append(number)
            wish.booked = told.ok and told.status != 3 and not lost
            if dice.random() < 0.5:
                await xxshop.work()
            await happen(xxshop, dice)
            seconds = (xxshop.desk.clock.at - after(0)).total_seconds() + dice.randrange(5, 90)
            xxshop.desk.clock.at = after(seconds)
    await xxshop.work()
    return wishes


async def happen(xxshop: XxShop, dice: random.Random) -> None:
    """What else a day brings to one payout: a late success, money that comes back, a reviewer."""
    one = dice.choice(await xxshop.payouts() or [None])
    if one is None or dice.random() < 0.7:
        return
    gateway, minor = xxshop.desk.gateway, one.amount.minor
    match one.state:
        case PayoutState.FAILED if not any(each.contradictions for each in one.attempts):
            number = one.attempts[-1].number
            late = contradicted(number, amount_minor=minor)
            await record.move(gateway, one, [late], actor="test")
        case PayoutState.PAID if dice.random() < 0.3:
            back = came_back(one.attempts[-1].number, amount_minor=minor, at=xxshop.desk.clock.at)
            await record.move(gateway, one, [back], actor="test")
        case PayoutState.HELD if dice.random() < 0.3:
            await operate.cancel(gateway, one.id, None, "ops")


def sends(xxshop: XxShop) -> Counter[str]:
    """How often each card was sent something."""
    return Counter(
        one.instruction.instrument.number
        for one in xxshop.desk.till.sent
        if isinstance(one.instruction.instrument, BankCard)
    )


def has_or_may_get_money(payout: Payout) -> bool:
    """Whether any try is not proven dead, or is said to be paid in spite of that."""
    back = payout.state is PayoutState.RETURNED
    contradictions = any(each.contradictions for each in payout.attempts)
    return (payout.live is not None and not back) or contradictions


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("way", ["hold", "refuse"])
async def test_a_day_of_lost_replies_and_failing_channels(
    xxshop: XxShop, seed: int, way: str
) -> None:
    """No payee is paid under two numbers by our doing; "failed" is only said where it is so."""
    await xxshop.set(soft_dedupe_as=way)
    wishes = await live(xxshop, random.Random(seed))

    payouts = {one.merchant_ref: one for one in await xxshop.payouts()}
    assert sum(sends(xxshop).values()) > 0
    for wish in wishes:
        mine = [payouts[ref] for n in wish.numbers if (ref := f"da_x:{n}") in payouts]
        assert sum(one.live is not None and not is_back(one) for one in mine) <= 1
        for number in wish.numbers:
            told = await xxshop.caller.query(number)
            known = payouts.get(f"da_x:{number}")
            if known is None:
                assert told["retMsg"] == "代付订单不存在"
            elif told["status"] in {"3", "6"}:
                assert not has_or_may_get_money(known)
            else:
                paid = known.state in {PayoutState.PAID, PayoutState.SETTLED}
                assert (told["status"] == "2") == paid


def is_back(payout: Payout) -> bool:
    """Whether its money came back."""
    return payout.state is PayoutState.RETURNED


async def test_a_reply_that_was_lost_is_asked_for_again(xxshop: XxShop) -> None:
    """Under the same number it is the same order, and the answer the same but for its state."""
    first = await xxshop.caller.apply("A")
    await xxshop.work()
    again = await xxshop.caller.apply("A")

    assert (first.status, again.status) == (1, 2)
    assert len(xxshop.desk.till.sent) == 1


async def test_a_retry_under_a_new_number_waits_for_a_person(xxshop: XxShop) -> None:
    """Peers pay it: their guard forgets what failed, and lets through whatever failed to answer."""
    xxshop.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await xxshop.caller.apply("A")
    await xxshop.work()
    retried = await xxshop.caller.apply("B")
    await xxshop.work()

    assert (retried.ok, retried.status) == (True, 0)
    assert (await xxshop.order("B")).reason == "suspected_retry: da_x:A"
    assert len(xxshop.desk.till.sent) == 1
