"""The contract between a simulated institution and the shell that serves it.

A simulator is a pure core: request bytes and the time go in, an answer comes out, and nothing here
does I/O, reads a clock or draws unseeded randomness. The shell alone owns sockets and timers, so a
proof can run thousands of seeds against the same core without opening one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from simulators.books import Movement

Row = Mapping[str, object]
"""One line of an administrative listing; values are JSON-ready."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as it stood on the wire."""

    method: str
    target: str
    """Origin form (`/path?query`), percent-encoding untouched; the shell cut scheme and host."""
    headers: Mapping[str, str]
    """Lower-case names; the last of several equal names wins."""
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The raw query string, empty when there is none."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply; the shell adds only Content-Length, Date and Server."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """An HTTP POST the institution owes its customer, to be tried once when it is due."""

    due_at: datetime
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reference: str
    account: str
    op: str = "notice"
    attempt: int = 1
    """1 for the first delivery; the ladder counts on from here."""


class Cut(StrEnum):
    """Where the connection is reset, which decides what the caller may conclude."""

    NONE = "none"
    BEFORE = "before"
    """Reset before the request was executed."""
    AFTER = "after"
    """Executed, reset before any reply byte."""
    MID = "mid"
    """Executed, reset in the middle of the reply."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shell has to do for one request; `op` and what follows are for the journal."""

    reply: Reply | None
    """None resets the connection, as does any cut but NONE."""
    delay_s: float = 0.0
    """Real seconds to wait before the first reply byte, or before the reset."""
    cut: Cut = Cut.NONE
    pushes: tuple[Push, ...] = ()
    """May lie in the future: the shell holds each until it is due."""
    op: str = ""
    account: str = ""
    reference: str = ""
    faults: tuple[str, ...] = ()
    """Ids of the fault rules that shaped this answer."""


@dataclass(frozen=True, slots=True)
class Filed:
    """One file an institution has laid out for a customer."""

    name: str
    body: bytes


class UnknownTriggerError(LookupError):
    """The event is not offered, or no order with this reference can take it now."""


class Simulator(Protocol):
    """One simulated institution serving several accounts. Nothing here blocks or raises on input
    from the wire: bad input gets the institution's own error reply."""

    @property
    def name(self) -> str:
        """Unique in one process; appears in the journal and in fault rules."""
        ...

    @property
    def kind(self) -> str:
        """The key of the registry, e.g. `alipay`."""
        ...

    def handle(self, request: Request, now: datetime) -> Answer:
        """Execute one request. Books and orders are changed before it returns."""
        ...

    def tick(self, now: datetime) -> tuple[Push, ...]:
        """Carry out everything due by `now`, each at its own due time. Safe to repeat."""
        ...

    def next_tick_at(self) -> datetime | None:
        """When something falls due next; None while nothing is waiting."""
        ...

    def on_push_result(
        self, push: Push, status: int | None, now: datetime, body: bytes = b""
    ) -> None:
        """Hear how a push went (`status` None: no reply); `tick` may owe a retry."""
        ...

    def truth(self) -> Sequence[Movement]:
        """Every movement of money so far, oldest first."""
        ...

    def accounts(self) -> Sequence[Row]:
        """One row per account: `account` (its name), public facts, balances; never a key."""
        ...

    def topup(self, account: str, amount_minor: int, now: datetime) -> None:
        """Put money on an account. Raises LookupError for an unknown account."""
        ...

    def trigger(self, event: str, reference: str, now: datetime) -> tuple[Push, ...]:
        """Force an event on one order. Raises UnknownTriggerError."""
        ...

    def magic(self) -> Sequence[Row]:
        """The rows of the magic table that apply here."""
        ...


@runtime_checkable
class Filing(Protocol):
    """A simulator whose customers may drop files into folders; see simulators.folders."""

    def take_file(self, account: str, body: bytes, now: datetime) -> Answer:
        """Execute one file. Its reply reaches nobody."""
        ...

    def files_of(self, account: str, now: datetime) -> Sequence[Filed]:
        """Every file for the customer so far, oldest first; names are unique."""
        ...


@dataclass(slots=True)
class PushQueue:
    """Pushes waiting for their time, and the retry ladder after a refusal."""

    ladder_s: tuple[float, ...]
    """Waits before the 2nd, 3rd, … delivery; after the last one the institution gives up."""
    waiting: list[Push] = field(default_factory=list)

    def add(self, push: Push) -> None:
        """Hold a push until it is due."""
        self.waiting.append(push)

    def take_due(self, now: datetime) -> tuple[Push, ...]:
        """Remove and return what is due, in due order (equal times keep insertion order)."""
        due = sorted((p for p in self.waiting if p.due_at <= now), key=lambda p: p.due_at)
        if due:
            self.waiting = [p for p in self.waiting if p.due_at > now]
        return tuple(due)

    def next_at(self) -> datetime | None:
        """The earliest due time."""
        return min((p.due_at for p in self.waiting), default=None)

    def retry_wait_s(self, push: Push) -> float | None:
        """Seconds until the delivery after this one; None when the ladder is used up."""
        step = push.attempt - 1
        return self.ladder_s[step] if step < len(self.ladder_s) else None
