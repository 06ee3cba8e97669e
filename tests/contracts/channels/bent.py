"""Channels that break the contract on purpose, to show that the suite notices.

Each wraps a true channel and bends one habit of it.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from channels.contract import (
    Absent,
    Channel,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    Pending,
    Prepared,
    Problem,
    Reason,
    Rejected,
    StatementLine,
    Traits,
    Unknown,
    UnknownCause,
)
from tests.contracts.channels.personal import marks


class Straight:
    """Passes everything on; the others bend one thing."""

    def __init__(self, true: Channel) -> None:
        self.true = true

    def __getattr__(self, name: str) -> Any:
        return getattr(self.true, name)

    @property
    def name(self) -> str:
        """As the true one."""
        return self.true.name

    @property
    def traits(self) -> Traits:
        """As the true one."""
        return self.true.traits

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """As the true one."""
        return self.true.check(instruction)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """As the true one."""
        return self.true.prepare(instruction, now)

    async def send(self, prepared: Prepared) -> Outcome:
        """As the true one."""
        return await self.true.send(prepared)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """As the true one."""
        return await self.true.inquire(inquiry)

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """As the true one."""
        return self.true.read_notice(headers, body, now)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """As the true one."""
        async for line in self.true.statement(day):
            yield line

    async def aclose(self) -> None:
        """As the true one."""
        await self.true.aclose()


class Hasty(Straight):
    """Takes doubt for failure."""

    async def send(self, prepared: Prepared) -> Outcome:
        """What is not known is called refused."""
        outcome = await self.true.send(prepared)
        if isinstance(outcome, Unknown):
            return Rejected(Reason.UNEXPLAINED, "E")
        return outcome


class Eager(Straight):
    """Sends again when in doubt, all by itself."""

    async def send(self, prepared: Prepared) -> Outcome:
        """At most two requests."""
        outcome = await self.true.send(prepared)
        if isinstance(outcome, Unknown):
            return await self.true.send(prepared)
        return outcome


class Credulous(Straight):
    """Does not compare what comes back with what was asked."""

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Whatever the answer is about, it is taken for ours."""
        outcome = await self.true.inquire(inquiry)
        if isinstance(outcome, Unknown) and outcome.cause is UnknownCause.MISMATCH:
            return Paid("theirs", inquiry.sent_at)
        return outcome


class Shallow(Straight):
    """Takes a question without answer for an answer."""

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """What was not heard is not there."""
        outcome = await self.true.inquire(inquiry)
        return Absent() if isinstance(outcome, Unknown) else outcome


class Forgetful(Straight):
    """Finds only what this very object has sent."""

    def __init__(self, true: Channel) -> None:
        super().__init__(true)
        self._sent: set[str] = set()

    async def send(self, prepared: Prepared) -> Outcome:
        """Remember it here alone."""
        self._sent.add(prepared.instruction.reference)
        return await self.true.send(prepared)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Nothing is known of other references."""
        if inquiry.reference not in self._sent:
            return Absent()
        return await self.true.inquire(inquiry)


class Trusting(Straight):
    """Believes every notice."""

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """No signature is looked at."""
        read = self.true.read_notice(headers, body, now)
        if isinstance(read, NoticeRefused):
            return Notice("n1", "r1", None, "paid", read.reply)
        return read


class Sparing(Straight):
    """Leaves out the last line of a statement."""

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """All but one."""
        held: StatementLine | None = None
        async for line in self.true.statement(day):
            if held is not None:
                yield held
            held = line


class Talkative(Straight):
    """Names the payee in its answers."""

    async def send(self, prepared: Prepared) -> Outcome:
        """The stage of an answer says who is paid."""
        await self.true.send(prepared)
        return Pending(None, stage=" ".join(marks(prepared.instruction.instrument)))


class Drifting(Straight):
    """Prepares something else each time."""

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Our reference grows with the clock."""
        stamped = f"{instruction.reference[:-2]}{now.second:02}"
        changed = Instruction(
            instruction.attempt_id,
            stamped,
            instruction.amount,
            instruction.instrument,
            instruction.purpose,
            instruction.notify_url,
        )
        return self.true.prepare(changed, now)


@dataclass(frozen=True, slots=True)
class Bend:
    """One way to break the contract, and the cases that must notice."""

    wrap: Callable[[Channel], Channel]
    cases: tuple[str, ...]


BENDS: tuple[Bend, ...] = (
    Bend(
        Hasty, ("lost_after", "lost_before", "timeout", "garbage", "unknown_code", "bad_signature")
    ),
    Bend(Eager, ("lost_after", "lost_before", "garbage", "throttle")),
    Bend(Credulous, ("ask_echo_amount", "ask_echo_reference", "ask_echo_payee", "asked_wrongly")),
    Bend(Shallow, ("ask_lost", "ask_garbage", "ask_unknown_code", "ask_bad_signature", "refused")),
    Bend(Forgetful, ("restarted",)),
    Bend(Trusting, ("notice_forged", "notice_tampered")),
    Bend(Sparing, ("statement", "statement_extra")),
    Bend(Talkative, ("scrubbed",)),
    Bend(Drifting, ("prepare_is_deterministic", "pays")),
)
