"""Payouts that wait for money at a channel go on when it comes, as far as it goes."""

from collections.abc import Sequence
from datetime import timedelta

from channels.money import Currency
from gateway.domain.payout import Payout, PayoutId, PayoutState
from gateway.engine.operate import cancel, switch_channel, top_up
from gateway.engine.queueing import hurry
from gateway.engine.waiting import AGAIN, AT_ONCE, WaitingForMoney
from gateway.engine.worker import refresh
from tests.gateway.engine.rig import PAID, ROUTING, START, A, Rig, running, seat

HELD, FEN = 30_000, 12_000
POOR = seat(A, account={"balance_fen": HELD})
"""What it holds pays for two, and not for three."""


async def states(rig: Rig, payouts: Sequence[Payout]) -> list[PayoutState]:
    """As they stand now."""
    return [(await rig.look(one)).state for one in payouts]


async def pour(rig: Rig, minor: int) -> None:
    """Send money to the channel, on both sides' books, and let everybody see it."""
    rig.world.topup(A.name, minor)
    assert await top_up(rig.gateway, A.name, Currency.CNY, minor, f"top-up {rig.now()}", "ops")
    await refresh(rig.gateway)
    await hurry(rig.gateway)
    await rig.quiet()


async def test_a_top_up_is_enough_for_the_oldest(url: str) -> None:
    """No time passes: they are looked at because money came, as far as it goes."""
    async with running(url, (POOR,)) as rig:
        payouts = [await rig.pay(FEN) for _ in range(5)]
        assert await states(rig, payouts) == [PAID, PAID, ROUTING, ROUTING, ROUTING]
        assert len(rig.gateway.short) == 3
        await pour(rig, 2 * FEN)
        assert await states(rig, payouts) == [PAID, PAID, PAID, PAID, ROUTING]
        assert len(rig.gateway.short) == 1


async def test_who_waits_for_something_else_too_is_left_alone(url: str) -> None:
    """Money alone would not help where a person has paused the channel."""
    async with running(url, (POOR,)) as rig:
        await switch_channel(rig.gateway, A.name, "paused", "x", "ops")
        payout = await rig.pay(HELD)
        assert len(rig.gateway.short) == 0
        await pour(rig, HELD)
        assert await states(rig, [payout]) == [ROUTING]


async def test_who_is_cancelled_waits_no_more(url: str) -> None:
    """Nor does it take the place of another."""
    async with running(url, (POOR,)) as rig:
        payout = await rig.pay(HELD)
        assert len(rig.gateway.short) == 1
        await cancel(rig.gateway, payout.id, rig.merchant.id, "merchant")
        assert len(rig.gateway.short) == 0


def waiting(*needs: int, held: int = 0) -> WaitingForMoney:
    """Payouts `0`, `1`, … that found so much at A and need so much there."""
    found = WaitingForMoney()
    for number, needed in enumerate(needs):
        found.join(PayoutId(str(number)), {A.name: (held, needed)})
    return found


def test_nobody_is_looked_at_before_a_float_has_grown() -> None:
    """What is there was not enough a moment ago."""
    short = waiting(50, held=40)
    assert short.ready({A.name: 40}, START) == []
    assert short.ready({A.name: 49}, START) == []
    assert short.ready({A.name: 50}, START) == ["0"]


def test_what_was_spent_and_topped_up_between_two_looks_has_grown() -> None:
    """It is held against what the payout found, not against what the last look saw."""
    short = waiting(1_000, held=500)
    assert short.ready({A.name: 600}, START) == []
    short.join(PayoutId("late"), {A.name: (0, 50)})
    assert short.ready({A.name: 60}, START) == ["late"]


def test_a_small_one_need_not_wait_for_a_large_one() -> None:
    """Money that pays nobody before it pays for it."""
    assert waiting(90, 30, 20).ready({A.name: 60}, START) == ["1", "2"]


def test_one_that_was_let_go_in_vain_is_left_alone_for_a_while() -> None:
    """It does not come back at each of the many floats that grow by a little."""
    short = waiting(10)
    assert short.ready({A.name: 10}, START) == ["0"]
    assert short.ready({A.name: 20}, START) == []
    assert short.ready({A.name: 30}, START + AGAIN - timedelta(seconds=1)) == []
    assert short.ready({A.name: 40}, START + AGAIN) == ["0"]


def test_a_crowd_goes_in_turns() -> None:
    """The rest at the next look, though nothing has grown since."""
    short = waiting(*[1] * (AT_ONCE + 1))
    plenty = {A.name: 10 * AT_ONCE}
    assert len(short.ready(plenty, START)) == AT_ONCE
    assert short.ready(plenty, START) == [str(AT_ONCE)]
    assert short.ready(plenty, START) == []
