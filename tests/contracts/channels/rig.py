"""What an entry of the suite is made of: the kind's differences from the general answer, as data.

A `Rig` never decides whether a case passes; it says how to open a simulated institution with a
channel on it, whom to pay, which answers the protocol gives otherwise (and why), and which cases it
cannot express (and why).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from channels.contract import Absent, Channel, Instruction, Instrument, Prepared
from channels.money import Currency, Money
from simulators.books import Movement
from simulators.faults import FaultRule
from simulators.kernel import Row
from simulators.scenario import ClockPlan, Plan
from simulators.world import World

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What a step of a case must be answered with. None means that any value will do."""

    outcome: type | tuple[type, ...]
    detail: StrEnum | tuple[StrEnum, ...] | None = None
    """The `cause` of an Unknown or a NotSent, the `reason` of a Rejected or Returned; a tuple:
    any of these."""
    confirm: bool | None = None
    why: str = ""
    """In an entry: what in the protocol makes this answer differ; shown in the matrix."""

    def complaint(self, got: object) -> str:
        """What is wrong with an answer; empty when nothing is."""
        if not isinstance(got, self.outcome):
            return f"{got!r} is no {self.outcome}"
        said = getattr(got, "cause", getattr(got, "reason", None))
        allowed = self.detail if isinstance(self.detail, tuple) else (self.detail,)
        if self.detail is not None and said not in allowed:
            return f"{got!r} says {said}, not {' or '.join(map(str, allowed))}"
        if self.confirm is not None and getattr(got, "confirm", None) is not self.confirm:
            return f"{got!r}: `confirm` is not {self.confirm}"
        return ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the suite asks of `Rig.open`."""

    notify_url: str
    """Where the institution shall send its notices."""
    folder: Path
    """An empty folder of this case's own, for keys, drop folders and the like."""
    start: datetime
    """Where the world's clock stands."""
    total_timeout_s: float = 5.0
    """How long the channel shall wait for an answer."""


@dataclass(slots=True)
class Place:
    """An open institution and how to connect channels to it.

    The methods read and move the `World`; a kind that is not served by one overrides them.
    """

    world: World
    simulator: str
    """The name of the simulator in `world`."""
    connect: Callable[[], Channel]
    """A new channel object on the same account, as after a restart; the suite closes it."""
    stranger: Callable[[], Channel] | None = None
    """A channel whose key or token the institution does not know."""

    def now(self) -> datetime:
        """The institution's time."""
        return self.world.clock.now()

    async def advance(self, by: timedelta) -> None:
        """Let time pass; what is due happens, and every notice due is tried."""
        await self.world.advance(by)

    async def rule(self, rule: FaultRule) -> None:
        """Let something go wrong from now on."""
        self.world.add_rule(rule)
        await self.world.refresh()

    async def clear(self) -> None:
        """Drop every rule."""
        self.world.clear_rules()
        await self.world.refresh()

    async def trigger(self, event: str, reference: str) -> None:
        """Force an event on an order. Raises UnknownTriggerError."""
        await self.world.trigger(event, reference)

    def journal(self) -> Sequence[Row]:
        """Everything asked and told so far."""
        return self.world.journal.rows(limit=100_000)

    def truth(self) -> Sequence[Movement]:
        """What money really moved."""
        return self.world.shells[self.simulator].simulator.truth()


def _reference(number: int) -> str:
    return f"PO{number}A1"


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One kind of channel as the suite sees it. Only the fields without default must be given."""

    kind: str
    open: Callable[[Wish], AbstractAsyncContextManager[Place]]
    payee: Instrument
    """An ordinary one: paid within `settles`."""
    other_payee: Instrument
    takes: type
    """What a plain submission is answered with: `Paid` or `Pending`."""
    business: Callable[[Prepared], object]
    """What the institution will understand of prepared bytes, without time, nonce and signature."""
    secrets: Sequence[str]
    """Keys, tokens, passwords the channel works with (PEM or plain): they must show nowhere."""
    unsure_code: str = ""
    """Their own word for "cannot tell"; needed unless the kind lacks `reject`."""

    slow_payee: Instrument | None = None
    """One whose payout is under way for a while before it is paid; None: `payee` is such a one."""
    return_payee: Instrument | None = None
    """One whose paid payout can come back; None: `slow_payee`."""
    notice_payee: Instrument | None = None
    """One whose payout is told about; None: `slow_payee`."""
    recall_payee: Instrument | None = None
    """One whose payout can be recalled for a while; None: `slow_payee`."""
    fail_reason: str = ""
    """The simulator's own `reason` for `settle_fail`."""

    currency: Currency = Currency.CNY
    amount: int = 12_345
    reference: Callable[[int], str] = _reference
    """Our reference for the n-th payout (n from 1): different for each n."""
    purpose: str = "十月佣金"
    start: datetime = START
    """Where the clock stands at first; within opening hours."""
    settles: timedelta = timedelta(minutes=5)
    """After so long an ordinary payout is paid."""
    slow_settles: timedelta = timedelta(hours=2)
    """After so long one to `slow_payee` is paid."""
    returns: timedelta = timedelta(days=2)
    """After so long `return_late after=1d` has shown."""
    notices_within: timedelta = timedelta(hours=30)
    """After so long the notices of a payout to `notice_payee` have been told."""
    receipt_after: timedelta = timedelta(days=1)
    """After so long a paid payout's receipt is there."""
    statement_after: timedelta = timedelta(days=1)
    """From `start` on: when the statement of the first day is there."""
    statement_shows: frozenset[str] = frozenset({"payout", "fee", "return"})
    """Which movements of the books stand in it as lines of their own."""

    statement_ops: Sequence[str] = ("statement", "download")
    """The operations a statement is read by, each of which may answer with garbage."""

    unseen: Expect = Expect(Absent)
    """What an inquiry says about a reference the institution does not have."""
    ops: Mapping[str, str] = field(default_factory=dict)
    """The suite's word for an operation → the simulator's, where they differ."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Case, group of cases or fault action → why this protocol cannot have it."""
    answers: Mapping[str, Expect] = field(default_factory=dict)
    """`case.step` → the answer this protocol gives instead of the usual one, with its `why`."""
    secret_in_headers: str = ""
    """Why a secret has to stand in a header of the prepared request (a bearer token, say)."""

    def op(self, name: str) -> str:
        """The simulator's word for an operation."""
        return self.ops.get(name, name)

    @property
    def slow(self) -> Instrument:
        """A payee that is not paid at once."""
        return self.slow_payee or self.payee

    def instruction(
        self,
        number: int = 1,
        payee: Instrument | None = None,
        amount: int | None = None,
        notify_url: str | None = None,
    ) -> Instruction:
        """One try to pay."""
        minor = self.amount if amount is None else amount
        return Instruction(
            attempt_id=f"a{number}",
            reference=self.reference(number),
            amount=Money(minor, self.currency),
            instrument=payee or self.payee,
            purpose=self.purpose,
            notify_url=notify_url,
        )


@asynccontextmanager
async def world_of(section: Mapping[str, object], start: datetime) -> AsyncIterator[World]:
    """One simulator on sockets, on a clock that stands still until moved."""
    clock = ClockPlan(mode="virtual", start=start)
    plan = Plan(seed=1, clock=clock, simulators=(dict(section),))
    async with World(plan) as world:
        yield world
