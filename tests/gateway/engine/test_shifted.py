"""Lines that stand in a neighbour day's file: settled there, no break within the day of grace."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.domain.ledger import Book
from gateway.domain.payout import PayoutState
from gateway.domain.reconciliation import BreakKind
from simulators.faults import read_rule
from tests.gateway.engine.rig import CARD, LI, PAID, A, Rig, W, running, seat

DAY = date(2026, 3, 2)
SETTLED = PayoutState.SETTLED
SHIFTED = "statement_shifted_line"
BOTH = pytest.mark.parametrize("at", [A, W], ids=["alipay", "wechat"])


@pytest.fixture
async def alone(url: str) -> AsyncIterator[Rig]:
    """One Alipay account, whose statements up to yesterday have been read."""
    async with running(url, (A,)) as made:
        await made.statements()
        yield made


async def kinds(rig: Rig) -> list[BreakKind]:
    """Every open break."""
    return [one.kind for one in await rig.store.breaks()]


async def paid_at(rig: Rig, at: Any, fen: int = 12_345) -> Any:
    """A payout through the seat, paid."""
    payout = await rig.pay(fen, *([LI] if at is W else []))
    await rig.later(seconds=10)
    return await rig.look(payout)


@BOTH
async def test_a_line_that_slips_into_the_next_days_file_is_no_break(url: str, at: Any) -> None:
    """The day without it opens nothing, the day with it settles; each once."""
    async with running(url, (seat(at, account={"fee": {"flat_fen": 10}}),)) as rig:
        await rig.statements()
        rig.fault(SHIFTED, at, "statement", times=None)
        payout = await paid_at(rig, at)
        for _ in range(2):
            await rig.next_morning()
            report = await rig.statements()
            assert report.breaks == 0
        # A day without any movement has no bill at WeChat: it is waited for, and read as empty.
        await rig.next_morning()
        await rig.statements()
        after = await rig.look(payout)
        assert after.state is SETTLED
        assert after.attempts[0].settled_on == DAY + timedelta(days=1)
        assert after.attempts[0].fee_minor == 10
        assert await kinds(rig) == []


async def test_a_line_in_the_file_of_the_day_before_settles_there(alone: Rig) -> None:
    """Paid after midnight, booked on the day that was still open at the institution."""
    alone.fault(SHIFTED, A, "statement", times=None, days=-1)
    await alone.pass_time(hours=15)
    payout = await alone.pay()
    await alone.next_morning()
    report = await alone.statements()
    assert (report.settled, report.breaks) == (1, 0)
    assert (await alone.look(payout)).attempts[0].settled_on == DAY
    await alone.next_morning()
    assert (await alone.statements()).breaks == 0
    assert await kinds(alone) == []


async def test_beyond_the_day_of_grace_it_is_a_break_and_settles_all_the_same(alone: Rig) -> None:
    """Two days late: a person is told, once, and the line is believed when it comes."""
    alone.fault(SHIFTED, A, "statement", times=None, days=2)
    payout = await alone.pay()
    await alone.next_morning()
    assert (await alone.statements()).breaks == 0
    await alone.next_morning()
    assert (await alone.statements()).breaks == 1
    assert (await alone.look(payout)).state is PAID
    await alone.next_morning()
    report = await alone.statements()
    assert (report.settled, report.breaks) == (1, 0)
    assert (await alone.look(payout)).state is SETTLED
    assert await kinds(alone) == [BreakKind.MISSING_THEIRS]


async def test_the_payout_stays_and_its_fee_slips(url: str) -> None:
    """The fee of a payout that settled yesterday is corrected by today's file."""
    async with running(url, (seat(A, account={"fee": {"flat_fen": 25}}),)) as rig:
        await rig.statements()
        payout = await rig.pay()
        rule = {"account": A.name, "action": SHIFTED, "op": "statement", "max_amount_fen": 25}
        rig.world.add_rule(read_rule(rule, rig.now()))
        await rig.next_morning()
        assert (await rig.statements()).settled == 1
        await rig.next_morning()
        report = await rig.statements()
        assert (report.settled, report.breaks) == (0, 0)
        assert (await rig.look(payout)).attempts[0].fee_minor == 25
        assert await rig.balance(Book.CHANNEL_FEE, A.name) == 25


async def test_a_return_that_slips_comes_back_once(url: str) -> None:
    """The 退票 stands a day later; until then the payout stands as it is."""
    async with running(url, (seat(A, account={"notify_url": None}),)) as rig:
        await rig.statements()
        rig.fault("return_late", A, after="1h")
        payout = await rig.pay(12_345, CARD)
        await rig.pass_time(minutes=5)
        rig.fault(SHIFTED, A, "statement", times=None)
        await rig.next_morning()
        assert (await rig.statements()).breaks == 0
        await rig.next_morning()
        await rig.statements()
        await rig.next_morning()
        assert (await rig.statements()).breaks == 0
        assert (await rig.look(payout)).state is PayoutState.RETURNED
        assert (await rig.kinds(payout)).count("returned") == 1
