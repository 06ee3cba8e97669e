"""One case being played: an open institution, a channel on it, and the questions cases ask."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from channels.contract import (
    Absent,
    Channel,
    ChannelError,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Prepared,
    StatementLine,
)
from simulators.books import Movement
from simulators.faults import FaultRule
from simulators.kernel import Row
from tests.contracts.channels.hearing import Ear, listening
from tests.contracts.channels.rig import Expect, Place, Rig, Wish

BEIJING = ZoneInfo("Asia/Shanghai")


@dataclass(slots=True)
class Scene:
    """What a case works with."""

    rig: Rig
    place: Place
    channel: Channel
    ear: Ear
    expected: Mapping[str, Expect]
    """Step → the answer this kind must give."""
    said: list[object] = field(default_factory=list)
    """Everything the channel has answered so far."""
    signed_at: dict[str, datetime] = field(default_factory=dict)
    """Reference → when it was first prepared, which an inquiry may use."""
    opened: list[Channel] = field(default_factory=list)

    # ---- acting ----

    def order(
        self, number: int = 1, payee: Instrument | None = None, amount: int | None = None
    ) -> Instruction:
        """One try to pay, which the channel must be willing to take."""
        made = self.rig.instruction(number, payee, amount, self.ear.url)
        assert self.channel.check(made) == ()
        return made

    def prepared(self, instruction: Instruction) -> Prepared:
        """The bytes, signed now."""
        self.signed_at.setdefault(instruction.reference, self.place.now())
        return self.channel.prepare(instruction, self.place.now())

    async def pay(self, instruction: Instruction) -> Outcome:
        """Prepare and send once."""
        return await self.send(self.prepared(instruction))

    async def send(self, prepared: Prepared) -> Outcome:
        """Send these bytes once."""
        outcome = await self.channel.send(prepared)
        self.said.append(outcome)
        return outcome

    async def ask(
        self, instruction: Instruction, channel_ref: str | None = None
    ) -> Outcome | Absent:
        """Inquire."""
        outcome = await self.channel.inquire(self.inquiry(instruction, channel_ref))
        self.said.append(outcome)
        return outcome

    def inquiry(self, instruction: Instruction, channel_ref: str | None = None) -> Inquiry:
        """All that an inquiry may use."""
        at = self.signed_at.get(instruction.reference, self.place.now())
        return Inquiry(
            instruction.reference, instruction.amount, instruction.instrument, at, channel_ref
        )

    async def settle(self, instruction: Instruction | None = None) -> None:
        """Wait until a payout to this payee is paid."""
        slow = self.rig.slow_payee
        lasting = instruction is not None and slow is not None and instruction.instrument == slow
        await self.place.advance(self.rig.slow_settles if lasting else self.rig.settles)

    async def fault_everywhere(self, action: str) -> None:
        """Let something go wrong whatever is asked."""
        await self.place.rule(FaultRule(action=action))

    async def fault(
        self, action: str, op: str = "submit", times: int | None = 1, /, **params: JsonValue
    ) -> None:
        """Let something go wrong: once, or for so long as rules stand (`times` None)."""
        await self.place.rule(
            FaultRule(op=self.rig.op(op), action=action, params=params, times=times)
        )

    def restart(self) -> None:
        """Forget everything this process knew of the channel."""
        self.channel = self.connected(self.place.connect())

    def connected(self, channel: Channel) -> Channel:
        """Have a channel closed at the end."""
        self.opened.append(channel)
        return channel

    async def statement(self, days: int = 0) -> list[StatementLine] | ChannelError:
        """The statement of the first day, or of one so many days later."""
        zone = ZoneInfo(self.channel.traits.terms.cycle.timezone)
        day = self.rig.start.astimezone(zone).date() + timedelta(days=days)
        read: list[StatementLine] | ChannelError
        try:
            read = [line async for line in self.channel.statement(day)]
        except ChannelError as error:
            read = error
        self.said.append(read)
        return read

    # ---- judging ----

    def answers(self, step: str, got: object) -> None:
        """Hold an answer against the one this kind must give."""
        complaint = self.expected[step].complaint(got)
        assert not complaint, f"{step}: {complaint}"

    def movements(self, *kinds: str) -> list[Movement]:
        """What money really moved."""
        return [one for one in self.place.truth() if one.kind in kinds]

    def moved(self) -> list[tuple[str, str, int]]:
        """Payouts and returns in the institution's own books."""
        return [(m.kind, m.reference, m.amount_minor) for m in self.movements("payout", "return")]

    def paid_once(self, instruction: Instruction) -> None:
        """Nothing but this payout, and that exactly once, has left the account."""
        assert self.moved() == [("payout", instruction.reference, instruction.amount.minor)]

    def nothing_moved(self) -> None:
        """No money has left the account."""
        assert self.moved() == []

    def requests(self, op: str = "submit") -> list[Row]:
        """What the institution was asked."""
        name = self.rig.op(op)
        return [r for r in self.place.journal() if r["direction"] == "in" and r["op"] == name]


@asynccontextmanager
async def staged(
    rig: Rig, expected: Mapping[str, Expect], folder: Path, total_timeout_s: float = 5.0
) -> AsyncIterator[Scene]:
    """Open a kind's institution with a channel on it."""
    async with listening() as ear:
        wish = Wish(ear.url, folder, rig.start, total_timeout_s)
        async with rig.open(wish) as place:
            channel = place.connect()
            scene = Scene(rig, place, channel, ear, expected, opened=[channel])
            ear.read = lambda headers, body: scene.channel.read_notice(headers, body, place.now())
            try:
                yield scene
            finally:
                for one in scene.opened:
                    await one.aclose()
