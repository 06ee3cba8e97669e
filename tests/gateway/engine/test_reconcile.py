"""Statements: what agrees is settled, what does not is a break, each once, however often read."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from channels.contract import LineKind, StatementLine
from gateway.domain.ledger import Book
from gateway.domain.payout import PayoutState
from gateway.domain.reconciliation import BreakKind
from gateway.engine.reconcile import Patience, reconcile_all
from gateway.ports import Change, StoreError
from tests.gateway.engine.doubles import Around, Raising
from tests.gateway.engine.rig import CARD, LI, PAID, A, B, Rig, W, running, seat

DAY = date(2026, 3, 2)
MUTE = seat(A, account={"notify_url": None})
SETTLED = PayoutState.SETTLED
EXTRA = {"params": {"reference": "NOT-OURS", "amount_fen": 777}}


@pytest.fixture
async def alone(url: str) -> AsyncIterator[Rig]:
    """One Alipay account, whose statements up to yesterday have been read."""
    async with running(url, (A,)) as made:
        await made.statements()
        yield made


async def breaks(rig: Rig) -> list[tuple[BreakKind, str | None, int]]:
    """Every open break: kind, our number, fen."""
    return [(one.kind, one.reference, one.amount_minor) for one in await rig.store.breaks()]


async def test_what_agrees_is_settled(rig: Rig) -> None:
    """Every channel's payouts of the day, each with day and line, and no break."""
    payouts = [await rig.pay(), await rig.pay(20_000, CARD), await rig.pay(30_000, LI)]
    await rig.later(seconds=10)
    await rig.next_morning()
    report = await rig.statements()
    assert (report.settled, report.breaks) == (3, 0)
    for payout in payouts:
        after = await rig.look(payout)
        assert (after.state, after.attempts[-1].settled_on) == (SETTLED, DAY)
    assert await breaks(rig) == []


async def test_reading_again_does_nothing(rig: Rig) -> None:
    """A day that was read is not asked for again, and settles nothing twice."""
    payout = await rig.pay()
    await rig.next_morning()
    await rig.statements()
    version = (await rig.look(payout)).version
    again = await rig.statements()
    assert (again.days, again.settled, again.breaks) == (0, 0, 0)
    assert (await rig.look(payout)).version == version


@pytest.mark.parametrize("charged", [0, 7, 25])
@pytest.mark.parametrize("at", [A, W], ids=["alipay", "wechat"])
async def test_the_statement_corrects_the_fee(url: str, at: Any, charged: int) -> None:
    """We reckoned with another fee than the institution took: its word is booked, to the fen."""
    dear = seat(at, account={"fee": {"flat_fen": charged}})
    async with running(url, (dear,)) as rig:
        payout = await rig.pay(12_345, *([LI] if at is W else []))
        await rig.later(seconds=5)
        await rig.next_morning()
        await rig.statements()
        after = await rig.look(payout)
        assert after.state is SETTLED
        # No fee line at all: what was only quoted was not charged.
        assert after.attempts[0].fee_minor == charged
        assert await rig.balance(Book.CHANNEL_FEE, at.name) == charged


class FeesLater(Around):
    """Books every fee on the day after its payout."""

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """That day's movements, and the fees of the day before."""
        async for line in self.inside.statement(day):
            if line.kind is not LineKind.FEE:
                yield line
        if day > DAY:
            async for line in self.inside.statement(day - timedelta(days=1)):
                if line.kind is LineKind.FEE:
                    yield line


@pytest.mark.parametrize("charged", [7, 25])
async def test_a_fee_line_that_comes_a_day_later_corrects_the_fee(url: str, charged: int) -> None:
    """The payout is settled without a fee; its line is booked when it comes, and only once."""
    async with running(url, (seat(W, account={"fee": {"flat_fen": charged}}),)) as rig:
        rig.gateway.channels = {W.name: FeesLater(rig.gateway.channels[W.name])}
        payout = await rig.pay(12_345, LI)
        await rig.later(seconds=5)
        await rig.next_morning()
        await rig.statements()
        settled = await rig.look(payout)
        assert (settled.state, settled.attempts[0].fee_minor) == (SETTLED, 0)
        await rig.next_morning()
        for _ in range(2):
            await rig.statements()
            after = await rig.look(payout)
            assert (after.state, after.attempts[0].fee_minor) == (SETTLED, charged)
            assert after.version == settled.version + 1
            assert await rig.balance(Book.CHANNEL_FEE, W.name) == charged


@pytest.mark.parametrize("charged", [0, 7, 25])
async def test_a_late_payment_books_its_fee_too(url: str, charged: int) -> None:
    """Dead by proof and paid after all: amount to suspense, and the fee as statements show it."""
    mute = seat(A, account={"fee": {"flat_fen": charged}, "notify_url": None})
    async with running(url, (mute,)) as rig:
        rig.fault("reject", A, code="REMARK_HAS_SENSITIVE_WORD", executed=True)
        rig.fault("not_found_window", A, seconds="9d")
        payout = await rig.pay()
        await rig.next_morning()
        await rig.statements()
        after = await rig.look(payout)
        assert after.attempts[0].contradictions == ("paid",)
        assert after.attempts[0].fee_minor == charged
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345
        assert await rig.balance(Book.CHANNEL_FEE, A.name) == charged
        (incident,) = await rig.store.incidents(open_only=True)
        assert incident.payout_id == payout.id


async def test_a_missing_line_is_a_break_once(alone: Rig) -> None:
    """Paid by its word and on no statement: opened after a day of grace, and not every day."""
    alone.fault("statement_missing_line", A, "statement", times=None)
    payout = await alone.pay()
    await alone.next_morning()
    assert (await alone.statements()).breaks == 0
    for _ in range(3):
        await alone.next_morning()
        await alone.statements()
    reference = payout.attempts[0].reference
    assert await breaks(alone) == [(BreakKind.MISSING_THEIRS, reference, 12_345)]
    assert (await alone.look(payout)).state is PAID
    assert alone.witness.alarmed("statement.break") == 1


async def test_an_extra_line_is_a_break(alone: Rig) -> None:
    """Money left under a number that is not ours; our own payout is settled all the same."""
    alone.fault("statement_extra_line", A, "statement", times=None, **EXTRA)
    payout = await alone.pay()
    await alone.next_morning()
    await alone.statements()
    assert await breaks(alone) == [(BreakKind.MISSING_OURS, "NOT-OURS", 777)]
    assert (await alone.look(payout)).state is SETTLED


async def test_one_fen_off_is_a_break_and_settles_nothing(alone: Rig) -> None:
    """They booked another amount than we sent."""
    alone.fault("statement_wrong_amount", A, "statement", delta_fen=1)
    payout = await alone.pay()
    await alone.next_morning()
    await alone.statements()
    ((kind, reference, minor),) = await breaks(alone)
    assert (kind, reference, abs(minor - 12_345)) == (
        BreakKind.AMOUNT,
        payout.attempts[0].reference,
        1,
    )
    assert (await alone.look(payout)).state is PAID


async def test_a_second_line_under_one_number_is_a_break(alone: Rig) -> None:
    """Perhaps paid twice: a person must look."""
    alone.fault("statement_duplicate_line", A, "statement")
    payout = await alone.pay()
    await alone.next_morning()
    await alone.statements()
    assert await breaks(alone) == [(BreakKind.DUPLICATE, payout.attempts[0].reference, 12_345)]
    assert (await alone.look(payout)).state is SETTLED


async def test_a_late_statement_is_waited_for_without_a_false_alarm(alone: Rig) -> None:
    """The file of the first day comes days later: nothing is missing, it has just not been read."""
    alone.fault("statement_late", A, "statement", after="60h", reference=str(DAY))
    payout = await alone.pay()
    await alone.next_morning()
    report = await alone.statements()
    assert [one.startswith(f"{A.name} {DAY}") for one in report.waiting] == [True]
    await alone.next_morning()
    await alone.statements()
    assert await breaks(alone) == []
    await alone.next_morning()
    await alone.next_morning()
    await alone.statements()
    assert (await alone.look(payout)).state is SETTLED
    assert await breaks(alone) == []


async def test_the_statement_proves_a_payout_in_doubt(url: str) -> None:
    """No inquiry ever finds it; the morning's file does: paid and settled, by the statement."""
    sticky = seat(MUTE, settings={"resend_window_s": 0})
    async with running(url, (sticky, B)) as rig:
        rig.fault("reset_after", A)
        rig.fault("not_found_window", A, seconds="9d")
        payout = await rig.pay()
        await rig.next_morning()
        assert (await rig.look(payout)).state is PayoutState.PARKED
        await rig.statements()
        assert (await rig.look(payout)).state is SETTLED
        paid = next(event for event in await rig.timeline(payout) if event.kind == "paid")
        assert paid.detail["source"] == "statement"
        assert rig.moved() == [(A.name, 12_345)]


async def test_a_return_on_the_statement_gives_the_money_back(url: str) -> None:
    """Nobody told us: the file of the next day shows it coming back."""
    async with running(url, (MUTE,)) as rig:
        payout = await rig.pay(12_345, replace(CARD, number="6222000000000002"))
        before = await rig.balance(Book.AVAILABLE, rig.merchant.id)
        await rig.next_morning()
        await rig.statements()
        assert (await rig.look(payout)).state is SETTLED
        await rig.next_morning()
        report = await rig.statements()
        assert report.returned == 1
        assert (await rig.look(payout)).state is PayoutState.RETURNED
        assert await rig.balance(Book.AVAILABLE, rig.merchant.id) == before + 12_345


async def test_a_payment_for_a_dead_attempt_goes_to_suspense(url: str) -> None:
    """It had refused and has paid: the statement shows it, a person is told, the books agree."""
    free = seat(MUTE, flat_fen=0)
    async with running(url, (free, B)) as rig:
        rig.fault("reject", A, code="REMARK_HAS_SENSITIVE_WORD", executed=True)
        payout = await rig.pay()
        assert await rig.states(payout) == [(A.name, "dead"), (B.name, "confirmed")]
        await rig.next_morning()
        await rig.statements()
        reference = payout.attempts[0].reference
        assert await breaks(rig) == [(BreakKind.STATUS, reference, 12_345)]
        assert await rig.balance(Book.SUSPENSE, A.name) == 12_345
        assert (await rig.look(payout)).state is SETTLED


class Failing:
    """Lets a method of the store fail at its n-th call, once."""

    def __init__(self, rig: Rig, method: str, kind: str | None = None) -> None:
        """`kind`: only changes with an event of this kind fail."""
        self._inside = getattr(rig.store, method)
        self._kind = kind
        self.failed = 0

    async def __call__(self, *given: Any) -> Any:
        """Fail, or pass on."""
        change = given[0]
        fits = not isinstance(change, Change) or any(e.kind == self._kind for e in change.events)
        if fits and not self.failed:
            self.failed += 1
            raise StoreError("the database is away")
        return await self._inside(*given)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("record", "settled"),
        ("record", "paid"),
        ("record", "returned"),
        ("record", "contradicted"),
        ("open_break", None),
        ("keep_statement", None),
    ],
)
async def test_a_reading_cut_off_in_the_middle_is_repeated_harmlessly(
    url: str, monkeypatch: pytest.MonkeyPatch, method: str, kind: str | None
) -> None:
    """Wherever it breaks off, the next reading ends it: everything booked, and booked once."""
    sticky = seat(MUTE, flat_fen=0, settings={"resend_window_s": 0})
    other = seat(B, account={"notify_url": None})
    async with running(url, (sticky, other)) as rig:
        plain = await rig.pay()
        # Hidden from inquiries, so that the statement is the first to tell.
        rig.fault("reject", A, code="REMARK_HAS_SENSITIVE_WORD", executed=True)
        rig.fault("not_found_window", A, seconds="9d")
        dead = await rig.pay(20_000)
        rig.fault("reset_after", A)
        rig.fault("not_found_window", A, seconds="9d")
        doubtful = await rig.pay(30_000)
        returned = await rig.pay(40_000, replace(CARD, number="6222000000000002"))
        await rig.next_morning()
        await rig.next_morning()
        failing = Failing(rig, method, kind)
        with monkeypatch.context() as patch:
            patch.setattr(rig.store, method, failing)
            with pytest.raises(StoreError):
                await rig.statements()
        assert failing.failed == 1
        for _ in range(2):
            await rig.statements()
        states = [(await rig.look(one)).state for one in (plain, dead, doubtful, returned)]
        assert states == [SETTLED, SETTLED, SETTLED, PayoutState.RETURNED]
        assert await rig.balance(Book.SUSPENSE, A.name) == 20_000
        assert [kind for kind, _, _ in await breaks(rig)] == [BreakKind.STATUS]


async def test_a_file_that_cannot_be_read_settles_nothing_and_alarms(alone: Rig) -> None:
    """A broken download: nothing of it is used, the day is asked for again, and then it counts."""
    alone.fault("http_error", A, "download", times=None)
    payout = await alone.pay()
    await alone.next_morning()
    report = await alone.statements()
    assert (report.settled, bool(report.waiting)) == (0, True)
    assert alone.witness.alarmed("statement.broken") >= 1
    assert (await alone.look(payout)).state is PAID
    alone.world.clear_rules()
    await alone.statements()
    assert (await alone.look(payout)).state is SETTLED


async def test_one_channels_defect_does_not_stop_the_others(rig: Rig) -> None:
    """An adapter that raises on its statement is recorded; the others' days are read."""
    channel = rig.gateway.channels[A.name]

    def fails(step: str) -> None:
        if step == "statement":
            raise UnicodeDecodeError("gbk", b"\xff", 0, 1, "a bug")

    rig.replace_channel(Raising(channel, fails))
    payout = await rig.pay(12_345, LI)
    await rig.later(seconds=5)
    await rig.next_morning()
    await rig.statements()
    assert (await rig.look(payout)).state is SETTLED
    assert "statement.defect" in {name for name, _ in rig.witness.defects}


async def test_what_is_not_there_is_not_asked_for_at_every_round(alone: Rig) -> None:
    """A minute, doubled up to an hour; then it is read."""
    patience = Patience()
    asked = []
    for hour in (0, 22.6):
        await alone.later(hours=hour)
        # 08:36 on the next day: the files come out at nine.
    for _ in range(40):
        before = len(alone.world.journal.rows(limit=1000))
        await reconcile_all(alone.gateway, patience)
        asked.append(len(alone.world.journal.rows(limit=1000)) - before)
        await alone.later(seconds=30)
    assert sum(1 for count in asked if count) < 12


async def test_an_operators_other_movements_are_no_breaks(alone: Rig) -> None:
    """A top-up on the account is neither a payout nor a return."""
    alone.world.topup(A.name, 50_000)
    await alone.pay()
    await alone.next_morning()
    report = await alone.statements()
    assert (report.settled, report.breaks) == (1, 0)
    alone.may_disagree.add(A.name)


async def test_the_first_days_are_read_without_alarm(alone: Rig) -> None:
    """A new installation finds a week of empty files behind it."""
    await alone.later(days=1)
    report = await alone.statements()
    assert (report.breaks, report.settled) == (0, 0)
    assert await alone.store.statement_days(A.name) >= {
        DAY - timedelta(days=back) for back in range(6)
    }
