"""The bank adapter and the bank simulator over real sockets, beyond what every kind must show.

Neither knows the other's code: both were written from the standard. What money really moved is
read from the simulator's own books.
"""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from channels.bank.channel import BankChannel, build
from channels.bank.profile import BankProfile
from channels.contract import (
    Absent,
    Funded,
    Instruction,
    LineKind,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    StatementBrokenError,
    StatementLine,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from simulators.faults import FaultRule
from simulators.world import World
from tests.channels.bank import house
from tests.channels.bank.house import inquiry, instruction
from tests.channels.bank.letters import report, status
from tests.contracts.channels.rig import world_of

MONDAY = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""10:00 in Beijing."""
FRIDAY_EVENING = datetime(2026, 11, 6, 10, 0, tzinfo=UTC)
"""18:00 in Beijing, after the cut-off."""


@dataclass
class Scene:
    """A bank and a channel on it."""

    world: World
    channel: BankChannel

    async def pay(self, asked: Instruction) -> Outcome:
        """Prepare and send once."""
        return await self.channel.send(self.channel.prepare(asked, self.world.clock.now()))

    async def ask(self, asked: Instruction) -> Outcome | Absent:
        """Inquire, as of a send just before the first day."""
        question = inquiry(asked.instrument, asked.amount)
        return await self.channel.inquire(question)

    async def after(self, **length: float) -> None:
        """Let time pass."""
        await self.world.advance(timedelta(**length))

    async def lines(self, day: date) -> list[StatementLine]:
        """A day's statement."""
        return [line async for line in self.channel.statement(day)]

    def moved(self) -> list[tuple[str, int]]:
        """What money really moved, besides fees."""
        truth = self.world.shells["bank"].simulator.truth()
        return [(m.kind, m.amount_minor) for m in truth if m.kind in {"payout", "return"}]

    def downloads(self) -> int:
        """How many files were fetched."""
        return sum(row["op"] == "download" for row in self.world.journal.rows(limit=10_000))


@asynccontextmanager
async def scene(
    start: datetime = MONDAY, bank: BankProfile | None = None, **knobs: object
) -> AsyncIterator[Scene]:
    """Everything running from this moment on."""
    async with world_of(house.section() | knobs, start) as world:
        profile = {} if bank is None else {"profile": bank}
        given = house.settings(base_url=world.shells["bank"].url, **profile)
        channel = build("bank-main", given, house.TERMS, world.clock.now)
        try:
            yield Scene(world, channel)
        finally:
            await channel.aclose()


def card(number: str) -> Instruction:
    """Pay to this card."""
    return instruction(dataclasses.replace(house.CARD, number=number))


async def test_stages_follow_one_another() -> None:
    """Received, checked, accepted, settled; each is the bank's own word."""
    async with scene() as made:
        assert await made.pay(instruction()) == Pending(None, "RCVD")
        stages = []
        for seconds in (0, 1, 1):
            await made.after(seconds=seconds)
            outcome = await made.ask(instruction())
            assert isinstance(outcome, Pending)
            stages.append(outcome.stage)
        assert stages == ["RCVD", "ACTC", "ACSP"]
        await made.after(seconds=20)
        assert isinstance(await made.ask(instruction()), Paid)
        assert made.moved() == [("payout", 12_345)]


async def test_a_bank_that_credits_later_is_believed_later() -> None:
    """The same history, with a profile in which only ACCC means paid."""
    usual = house.settings().bank
    async with scene(bank=usual.model_copy(update={"paid": "ACCC"})) as made:
        await made.pay(instruction())
        await made.after(seconds=15)
        outcome = await made.ask(instruction())
        assert isinstance(outcome, Pending)
        assert outcome.stage == "ACSC"
        await made.after(seconds=30)
        assert isinstance(await made.ask(instruction()), Paid)


async def test_after_the_cut_off_the_next_business_day_pays() -> None:
    """Friday evening's file moves money on Monday, and is under way all weekend."""
    async with scene(FRIDAY_EVENING) as made:
        await made.pay(instruction())
        for _ in range(2):
            await made.after(days=1)
            outcome = await made.ask(instruction())
            assert isinstance(outcome, Pending)
            assert outcome.stage == "ACWC"
            assert made.moved() == []
        await made.after(days=1)
        outcome = await made.ask(instruction())
        assert isinstance(outcome, Paid)
        assert outcome.at == datetime(2026, 11, 9, 1, 0, 30, tzinfo=UTC)
        assert await made.lines(date(2026, 11, 7)) == []


@pytest.mark.parametrize(("number", "days"), [("6222000000000002", 1), ("6222000000000003", 3)])
async def test_what_comes_back_days_later_is_found(number: str, days: int) -> None:
    """Paid, then returned, and a credit line of its own in the statement of that day."""
    async with scene() as made:
        asked = card(number)
        await made.pay(asked)
        await made.after(hours=1)
        assert isinstance(await made.ask(asked), Paid)
        await made.after(days=days)
        outcome = await made.ask(asked)
        assert isinstance(outcome, Returned)
        assert outcome.amount == asked.amount
        await made.after(days=2)
        (back,) = await made.lines(date(2026, 11, 2) + timedelta(days=days))
        assert (back.kind, back.credit, back.reference) == (
            LineKind.RETURN,
            True,
            asked.reference,
        )
        assert made.moved() == [("payout", 12_345), ("return", 12_345)]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("6222000000000001", Reason.INSTRUMENT_INVALID),
        ("6222000000000004", Reason.INSTRUMENT_INVALID),
        ("6222000000000007", Reason.PAYEE_NAME_MISMATCH),
        ("6222000000000008", Reason.PAYEE_BLOCKED),
    ],
)
async def test_a_payee_the_bank_refuses(number: str, reason: Reason) -> None:
    """At once or in clearing: a definite refusal, and nothing moved."""
    async with scene() as made:
        asked = card(number)
        assert isinstance(await made.pay(asked), Pending)
        await made.after(minutes=1)
        outcome = await made.ask(asked)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is reason
        assert made.moved() == []


async def test_broken_off_in_clearing_is_doubt_for_ever() -> None:
    """AB06: no time makes a failure of it."""
    async with scene() as made:
        asked = card("6222000000000009")
        await made.pay(asked)
        for days in (0, 5):
            await made.after(days=days, minutes=1)
            outcome = await made.ask(asked)
            assert isinstance(outcome, Unknown)
            assert outcome.cause is UnknownCause.CHANNEL_UNSURE


async def test_a_short_account_is_refused_once_bookings_had_their_time() -> None:
    """Doubt at first, then the float is short; nothing moved."""
    async with scene() as made:
        big = instruction(amount=Money(house.BALANCE_FEN + 1, Currency.CNY))
        await made.pay(big)
        assert isinstance(await made.ask(big), Unknown)
        await made.after(hours=4)
        outcome = await made.ask(big)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.FLOAT_SHORT
        assert made.moved() == []


async def test_files_are_read_once() -> None:
    """However often is asked; only what is new is fetched."""
    async with scene() as made:
        await made.pay(instruction())
        await made.after(minutes=5)
        await made.ask(instruction())
        before = made.downloads()
        assert before > 0
        for _ in range(3):
            await made.ask(instruction())
        assert made.downloads() == before


async def test_a_lost_file_fails_the_question_only() -> None:
    """It is fetched the next time."""
    async with scene() as made:
        await made.pay(instruction())
        await made.after(minutes=5)
        made.world.add_rule(FaultRule(op="download", action="http_error", times=1))
        assert isinstance(await made.ask(instruction()), Unknown)
        assert isinstance(await made.ask(instruction()), Paid)


async def test_an_unreadable_file_is_tried_again() -> None:
    """While it is garbage, absence is doubt; once whole, it counts."""
    async with scene() as made:
        await made.pay(instruction())
        await made.after(minutes=5)
        made.world.add_rule(FaultRule(id="g", op="download", action="garbage"))
        outcome = await made.ask(instruction())
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNREADABLE
        made.world.remove_rule("g")
        assert isinstance(await made.ask(instruction()), Paid)


@pytest.mark.parametrize(("first", "last"), [("RJCT", "ACSC"), ("ACSC", "RJCT")])
async def test_a_file_that_says_yes_and_no_is_unreadable(first: str, last: str) -> None:
    """Neither is taken for the bank's word; the money is found once a file says one thing."""
    both = status(first, "AC01").replace("</TxSts>", f"</TxSts><TxSts>{last}</TxSts>")
    async with scene() as made:
        await made.pay(instruction())
        await made.after(minutes=5)
        body = report(both, at="2026-11-02T10:04:00+08:00").decode()
        rule = FaultRule(id="g", op="download", action="garbage", params={"body": body})
        made.world.add_rule(rule)
        outcome = await made.ask(instruction())
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNREADABLE
        made.world.remove_rule("g")
        assert isinstance(await made.ask(instruction()), Paid)


async def test_a_bank_without_a_duplicate_check_shows_two_debits() -> None:
    """It pays twice; the statement shows both, each with its own number."""
    async with scene() as made:
        made.world.add_rule(FaultRule(op="submit", action="double_execute"))
        prepared = made.channel.prepare(instruction(), MONDAY)
        for _ in range(2):
            await made.channel.send(prepared)
        await made.after(days=1)
        assert isinstance(await made.ask(instruction()), Paid)
        paid = [one for one in await made.lines(date(2026, 11, 2)) if one.kind is LineKind.PAYOUT]
        assert len(paid) == len(made.moved()) == 2
        assert len({one.line_ref for one in paid}) == 2


@pytest.mark.parametrize(
    "action",
    [
        "statement_missing_line",
        "statement_extra_line",
        "statement_wrong_amount",
        "statement_duplicate_line",
    ],
)
async def test_a_lie_that_adds_up_breaks_the_next_days_chain(action: str) -> None:
    """A statement whose own equation holds is read, and found out a day later."""
    async with scene(statement_balances="lines") as made:
        made.world.add_rule(FaultRule(op="statement", action=action, times=1))
        await made.pay(instruction())
        await made.after(days=2)
        if action == "statement_duplicate_line":
            with pytest.raises(StatementBrokenError, match="twice"):
                await made.lines(date(2026, 11, 2))
        else:
            await made.lines(date(2026, 11, 2))
        with pytest.raises(StatementBrokenError, match="closed with another"):
            await made.lines(date(2026, 11, 3))


async def test_a_topup_is_in_balance_and_statement() -> None:
    """Money from elsewhere is a credit of another kind."""
    async with scene() as made:
        made.world.topup("bank-1", 5_000)
        assert isinstance(made.channel, Funded)
        found = await made.channel.balance()
        assert found.available.minor == house.BALANCE_FEN + 5_000
        await made.after(days=1)
        (line,) = await made.lines(date(2026, 11, 2))
        assert (line.kind, line.credit, line.amount.minor) == (LineKind.OTHER, True, 5_000)


async def test_many_payouts_are_kept_apart_and_add_up() -> None:
    """Forty payouts of one day, each paid once, all in one statement that adds up."""
    async with scene() as made:
        asked = [instruction(reference=f"P{number:04d}") for number in range(40)]
        for one in asked:
            assert isinstance(await made.pay(one), Pending)
        await made.after(days=1)
        for one in asked:
            question = replace(inquiry(), reference=one.reference)
            assert isinstance(await made.channel.inquire(question), Paid)
        read = await made.lines(date(2026, 11, 2))
        paid = [line.reference for line in read if line.kind is LineKind.PAYOUT]
        assert sorted(filter(None, paid)) == [one.reference for one in asked]
