"""What the searched world is made of: channels, attempts, workers, and the assumptions about them.

Time is counted in ticks of a minute and every age stops where no rule distinguishes it further.
A `Slot` is one attempt seen from all sides at once: our row, the bytes under way, the channel's
book. Slot *n* has a reference and a channel of its own.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

TICK_S = 60
NEVER = -1
BEFORE = -2
LEASE = 1
"""Ticks after which an armed attempt without an answer is taken over."""
WINDOW = 2
"""Ticks after signing during which a channel with an acceptance window takes a request in."""


class Row(IntEnum):
    """What our database says about an attempt."""

    MISSING = 0
    """Bytes exist without a row: only a wrong rule gets here."""
    ARMED = 1
    PENDING = 2
    IN_DOUBT = 3
    CONFIRMED = 4
    DEAD = 5
    RETURNED = 6


OPEN = frozenset({Row.ARMED, Row.PENDING, Row.IN_DOUBT})


class Bank(IntEnum):
    """What the channel's own book says under a reference: the truth."""

    NOTHING = 0
    ACCEPTED = 1
    PAID = 2
    FAILED = 3
    RETURNING = 4
    """A return is announced; the money is not back yet."""
    BACK = 5


MOVED = frozenset({Bank.PAID, Bank.RETURNING, Bank.BACK})


class Pay(StrEnum):
    """Where the payout stands. PARKED is ATTEMPTING with an owner (`test_parked_adds_nothing`)."""

    ROUTING = "routing"
    ATTEMPTING = "attempting"
    PAID = "paid"
    RETURNED = "returned"
    FAILED = "failed"
    HELD = "held"
    """A contradiction was seen between two attempts: nothing goes on without a person."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a channel promises; `resend` means it honours its own reference for ever."""

    name: str
    window: int | None
    resend: bool
    absence_proves: bool


STICKY = Profile("no window, no resend", None, resend=False, absence_proves=False)
RESENDING = Profile("no window, resend allowed", None, resend=True, absence_proves=False)
STAMPED = Profile(
    "refuses requests signed over 2 min ago, resend allowed",
    WINDOW,
    resend=True,
    absence_proves=False,
)
PROVING = Profile(
    "refuses requests signed over 2 min ago, not-found may prove",
    WINDOW,
    resend=False,
    absence_proves=True,
)
EVERYTHING = Profile(
    "refuses requests signed over 2 min ago, resend allowed, not-found may prove",
    WINDOW,
    resend=True,
    absence_proves=True,
)


@dataclass(frozen=True, slots=True)
class World:
    """Bounds, faults, and the promises of the outside on which safety rests (NOTES.md)."""

    profiles: tuple[Profile, ...] = (STICKY, RESENDING, STAMPED, PROVING, EVERYTHING)
    slots_max: int = 3
    sends_max: int = 2
    duplicates: bool = True
    """The network may deliver a request twice."""
    lag: int = 1
    """Ticks for which a new record may be invisible to inquiries."""
    declared_lag: int = 1
    """The same, as the channel's profile states it."""
    false_refusals: bool = True
    """A refusal that asks for a look may be given for a request that was accepted."""
    refusal_lag: int = 1
    """Ticks for which such a request may be invisible to those who look after the refusal."""
    declared_refusal_lag: int = 1
    """The same, as the channel's profile states it: two looks must be so far apart."""
    reject_binds: bool = True
    """A definite rejection is binding for every copy of the same bytes."""
    failed_is_final: bool = True
    """A reference with a failed record is not paid by a later copy or resend."""
    window_enforced: bool = True
    """A channel with a window does refuse requests signed too long ago."""
    network_bounded: bool = False
    """Bytes under way arrive within a tick or never; no rule may need this."""


class Slot(NamedTuple):
    """One attempt: its channel's profile, our row, the copies under way, the channel's record."""

    profile: int
    row: Row
    sends: int
    absences: int
    refused: bool
    age: int
    """Ticks since the latest send was signed."""
    elder: int
    """Ticks since the first send was signed, once there is a second."""
    first: int
    """Copies of the first send under way."""
    second: int
    bank: Bank
    hidden: int
    """Ticks for which the record may still be invisible to inquiries."""
    said: tuple[str, ...] = ()
    """Contradictions our row remembers."""
    looked: int = NEVER
    """Ticks since the first look that counts after a refusal."""


class Group(NamedTuple):
    """Everything but the workers."""

    pay: Pay
    slots: tuple[Slot, ...]


class Step(IntEnum):
    """Where a worker stands between two effects; it may stay there for ever."""

    IDLE = 0
    HOLDS = 1
    """Armed and acknowledged; the signed bytes are in its hand."""
    WAITS = 2
    """The bytes are out, the connection is open."""
    ANSWERED = 3
    """It has read an answer to its send and has not recorded it."""
    UNSEEN = 4
    """It has asked, been told "not found", and has not recorded it."""
    EARLY = 5
    """Wrong rules only: the bytes are out, the row is not committed."""
    BELIEVES = 6
    """Wrong rules only: it holds a view of the payout that may be out of date."""


class Answer(StrEnum):
    """What comes back from a channel."""

    PAID = "paid"
    PENDING = "pending"
    REJECTED = "rejected"
    REFUSED = "refused, look first"
    NOT_SENT = "connection failed, nothing sent"
    TIMEOUT = "timeout"
    UNSURE = "HTTP 500"
    ODD = "unknown code"
    ABSENT = "not found"
    RETURNED = "returned"


class Worker(NamedTuple):
    """What one worker remembers: where it stands and about which slot (from 1) and send."""

    step: Step
    slot: int = 0
    send: int = 0
    answer: Answer | None = None
    ripe: bool = False
    """For UNSEEN: the wait had passed when the question was asked."""
    looked: int = NEVER
    """For UNSEEN: how long ago the first look after a refusal was, when the question was asked;
    `BEFORE`: there was no refusal yet."""


IDLE = Worker(Step.IDLE)


class Move(NamedTuple):
    """One atomic step, with the sentence that tells it; `{w}` stands for the worker."""

    group: Group
    worker: Worker
    flags: int
    text: str


WROTE = 1
"""The payout's version moved: whoever holds an older view is refused."""
TAKEOVER = 2
"""Needs the sender's lock where takeovers are fenced."""
FAULT = 4
"""Something broke, got lost or came twice; switched off in the liveness pass."""
