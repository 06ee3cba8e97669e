"""The nouns of the system: payout, attempt, certificate, and the events that move them.

Values only. Which event may follow which state is in `lifecycle`; what it books is in `ledger`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import cache, lru_cache
from hashlib import sha256
from typing import ClassVar, Literal, NewType

from msgspec import Struct

from channels.contract import Instrument, PayeeAction, Reason, ReferenceRule
from channels.money import Money
from channels.unprinted import Unprinted
from gateway.domain.merchant_fee import Charge

PayoutId = NewType("PayoutId", str)
MerchantId = NewType("MerchantId", str)


class PayoutState(StrEnum):
    """Where a payout stands."""

    HELD = "held"
    """A person must release or cancel it."""
    SCHEDULED = "scheduled"
    """Waits for its release time; may be cancelled until then."""
    ROUTING = "routing"
    """Free to be given to a channel; no live attempt."""
    ATTEMPTING = "attempting"
    """One channel has, or may have, the instruction."""
    PARKED = "parked"
    """In doubt for longer than allowed: a named owner looks at it, and inquiries go on."""
    PAID = "paid"
    """The channel's word that the beneficiary has the money."""
    SETTLED = "settled"
    """Seen on the channel's statement."""
    RETURNED = "returned"
    """The money came back after it had been paid; back in the merchant's available balance."""
    FAILED = "failed"
    """Every attempt is proven dead; the hold is released."""
    CANCELLED = "cancelled"
    """Stopped before any attempt was armed; the hold is released."""

    @property
    def is_final(self) -> bool:
        """Whether the gateway will not act on it again of its own accord."""
        return self in _FINAL


_FINAL = frozenset({PayoutState.RETURNED, PayoutState.FAILED, PayoutState.CANCELLED})


class AttemptState(StrEnum):
    """Where one try at one channel stands. An attempt exists from the moment it is armed."""

    ARMED = "armed"
    """Committed; bytes may be on the wire. After a crash this means in doubt."""
    PENDING = "pending"
    """The channel confirmed that it has the instruction."""
    IN_DOUBT = "in_doubt"
    """Nobody knows whether money moved."""
    CONFIRMED = "confirmed"
    """Paid, with matching reference, amount and payee."""
    DEAD = "dead"
    """Proven, by a certificate, to have moved no money."""
    RETURNED = "returned"
    """Paid, then sent back."""

    @property
    def is_live(self) -> bool:
        """Whether the attempt bars another one (a returned one still does)."""
        return self is not AttemptState.DEAD


class Source(StrEnum):
    """Where we learned something."""

    SEND = "send"
    INQUIRY = "inquiry"
    STATEMENT = "statement"
    RECOVERY = "recovery"
    PERSON = "person"


class CertificateKind(StrEnum):
    """The only tickets to another attempt or to FAILED (reliability.md §4.3)."""

    DEFINITE_REJECT = "C1"
    TERMINAL_INQUIRY = "C2"
    NEVER_LEFT = "C3"
    EXPIRED = "C4"
    ABSENT_AFTER_WINDOW = "C5"
    ABSENT_FROM_STATEMENT = "C6"
    TWO_PEOPLE = "C7"
    OUTLIVED = "C8"
    """Only when rebuilding after a restore: a later attempt of the payout exists at a channel, and
    none is ever armed before the one before it is proven dead (I2). Its own proof was lost."""


class Certificate(Struct, frozen=True):
    """Proof that an attempt moved no money. Immutable once stored."""

    kind: CertificateKind
    reason: Reason
    code: str
    message: str
    at: datetime
    by: str = "gateway"
    checked_by: str | None = None


class Refusal(Struct, frozen=True):
    """A definite-sounding rejection whose specification asks for a look before it counts."""

    reason: Reason
    code: str
    message: str


class Attempt(Struct, frozen=True):
    """One try at one channel, under one reference, with every send counted."""

    number: int
    channel: str
    reference: str
    instrument: int
    """Index into the payout's instruments."""
    state: AttemptState
    digest: str
    armed_at: datetime
    signed_at: datetime
    not_after: datetime | None
    quoted_fee_minor: int
    """The channel fee reserved from its float together with the amount."""
    arrival_at: datetime | None
    """When the channel's cycle promises arrival."""
    sends: int = 1
    inquiries: int = 0
    absences: int = 0
    """Inquiries in a row that found nothing under the reference."""
    absent_at: tuple[datetime, ...] = ()
    """Those of them that count, towards C5 or to complete a refusal, each far enough from the one
    before; empty where "not found" never proves."""
    channel_ref: str | None = None
    stage: str = ""
    action: PayeeAction | None = None
    refusal: Refusal | None = None
    certificate: Certificate | None = None
    doubted_at: datetime | None = None
    paid_at: datetime | None = None
    fee_minor: int | None = None
    """What the channel said it charged, statements last; None while it has not said."""
    returned_at: datetime | None = None
    settled_on: date | None = None
    contradictions: tuple[str, ...] = ()
    """What the channel says against what is proven; each is told and booked once."""


Speed = Literal["standard", "fast", "instant"]


class Constraints(Struct, frozen=True):
    """Which channels a payout's own request allows, forbids and prefers, and how many tries."""

    only: tuple[str, ...] = ()
    """Empty means every channel."""
    deny: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    """First preferred first; outranks the policy's preference, never its prohibitions."""
    max_attempts: int | None = None

    def allows(self, channel: str) -> bool:
        """Whether the request leaves the channel open."""
        return channel not in self.deny and (not self.only or channel in self.only)


UNCONSTRAINED = Constraints()


class Leg(Struct, frozen=True):
    """Which part of which split (`domain.split`) a payout is."""

    split_id: str
    number: int
    """From 1."""
    legs: int
    split_ref: str
    """The merchant's own number of the split."""


class Payout(Unprinted, frozen=True):
    """What a merchant asked for, once, and everything that has become of it."""

    hidden = frozenset({"instruments"})

    id: PayoutId
    merchant_id: MerchantId
    merchant_ref: str
    amount: Money
    """What the beneficiary gets: what channels are told, and what moves from the float."""
    fee: Money
    """What the merchant pays us, fixed at acceptance."""
    instruments: tuple[Instrument, ...]
    purpose: str
    speed: Speed
    deadline_at: datetime | None
    release_at: datetime | None
    max_fee_minor: int | None
    metadata: Mapping[str, str]
    state: PayoutState
    version: int
    """Number of events so far; also the sequence number of the last one."""
    accepted_at: datetime
    updated_at: datetime
    due_at: datetime | None
    """When the worker should look at it next; None when nothing is left to do."""
    reason: str | None = None
    """Why it is held, parked, failed or cancelled."""
    owner: str | None = None
    attempts: tuple[Attempt, ...] = ()
    worker: int = 0
    """Which process may arm and send it; 0 for nobody, and always where there is only one."""
    epoch: int = 0
    """How often its worker has changed; what was decided in an earlier one cannot be written."""
    constraints: Constraints = UNCONSTRAINED
    charge: Charge | None = None
    """How the fee was computed; None when nothing was agreed, and for payouts from before 0014."""
    leg: Leg | None = None
    """None when it was asked for by itself."""

    @property
    def is_fee_deducted(self) -> bool:
        """Whether the fee was taken out of what was asked for (内扣), not put on top (外扣)."""
        return self.charge is not None and self.charge.terms.fee.mode == "deducted"

    @property
    def asked(self) -> Money:
        """What the merchant asked for; the fee is part of it where fees are deducted."""
        if not self.is_fee_deducted:
            return self.amount
        return Money(self.amount.minor + self.fee.minor, self.amount.currency)

    @property
    def live(self) -> Attempt | None:
        """The one attempt that may have moved money, if any."""
        for attempt in self.attempts:
            if attempt.state.is_live:
                return attempt
        return None

    @property
    def hold_minor(self) -> int:
        """What the merchant's balance is held for: what the beneficiary gets, and our fee."""
        return self.amount.minor + self.fee.minor


# --- Events ----------------------------------------------------------------------------------


class Accepted(Struct, frozen=True):
    """The payout was stored; everything later refers to this moment."""

    kind: ClassVar[str] = "accepted"
    state: PayoutState
    reason: str | None = None


class Held(Struct, frozen=True):
    """The gateway or a person stopped it before any attempt."""

    kind: ClassVar[str] = "held"
    reason: str
    owner: str = "operations"


class Released(Struct, frozen=True):
    """Its release time came, or a person let it go on."""

    kind: ClassVar[str] = "released"
    by: str


class Cancelled(Struct, frozen=True):
    """Stopped for good before any attempt was armed."""

    kind: ClassVar[str] = "cancelled"
    by: str
    reason: str = "cancelled"
    note: str | None = None
    """Why a person decided so."""


class Failed(Struct, frozen=True):
    """No channel is left to try, and every attempt is proven dead."""

    kind: ClassVar[str] = "failed"
    reason: str


class Armed(Struct, frozen=True):
    """The attempt is committed; from now on bytes may leave."""

    kind: ClassVar[str] = "armed"
    attempt: Attempt


class Adopted(Struct, frozen=True):
    """An attempt that a restored database had forgotten was found at its channel."""

    kind: ClassVar[str] = "adopted"
    attempt: Attempt
    source: Source


class Resent(Struct, frozen=True):
    """The same reference is signed and committed again; one more send."""

    kind: ClassVar[str] = "resent"
    number: int
    digest: str
    signed_at: datetime
    not_after: datetime | None


class Pended(Struct, frozen=True):
    """The channel has the instruction and has not finished."""

    kind: ClassVar[str] = "pending"
    number: int
    source: Source
    channel_ref: str | None
    stage: str
    action: PayeeAction | None = None


class Doubted(Struct, frozen=True):
    """No answer, or none that proves anything."""

    kind: ClassVar[str] = "in_doubt"
    number: int
    source: Source
    cause: str
    refusal: Refusal | None = None
    absent: bool = False
    absent_at: datetime | None = None
    """When an absence that counts was asked for."""


class Confirmed(Struct, frozen=True):
    """The channel's verified word that the beneficiary has the money."""

    kind: ClassVar[str] = "paid"
    number: int
    source: Source
    channel_ref: str
    paid_at: datetime
    fee_minor: int | None = None


class Died(Struct, frozen=True):
    """A certificate proves that the attempt moved no money."""

    kind: ClassVar[str] = "attempt_dead"
    number: int
    source: Source
    certificate: Certificate


class CameBack(Struct, frozen=True):
    """Money that had been paid is on our account again (退票)."""

    kind: ClassVar[str] = "returned"
    number: int
    source: Source
    amount_minor: int
    returned_at: datetime
    reason: Reason


class Settled(Struct, frozen=True):
    """The payout was found on the channel's statement, with the right amount."""

    kind: ClassVar[str] = "settled"
    number: int
    on: date
    line_ref: str
    fee_minor: int | None = None


class Contradicted(Struct, frozen=True):
    """Evidence against a proven fact. Nothing is rewritten; money goes to suspense, people look."""

    kind: ClassVar[str] = "contradicted"
    number: int
    source: Source
    says: str
    amount_minor: int
    """What the channel says moved although the attempt is dead, negative when that came back; 0
    when only the words disagree."""
    fee_minor: int | None = None
    """What the channel charged for it, if it named that; a statement may correct it."""


class FeeCorrected(Struct, frozen=True):
    """Statements show another channel fee than was booked: a later line, a refund, none at all."""

    kind: ClassVar[str] = "fee_corrected"
    number: int
    on: date
    fee_minor: int
    """All that statements up to that day show, not the difference."""


class Parked(Struct, frozen=True):
    """In doubt for too long: it has an owner now; inquiries go on."""

    kind: ClassVar[str] = "parked"
    reason: str
    owner: str = "operations"


class Unparked(Struct, frozen=True):
    """Its owner handed it back to the gateway."""

    kind: ClassVar[str] = "unparked"
    by: str


Event = (
    Accepted
    | Held
    | Released
    | Cancelled
    | Failed
    | Armed
    | Adopted
    | Resent
    | Pended
    | Doubted
    | Confirmed
    | Died
    | CameBack
    | Settled
    | Contradicted
    | FeeCorrected
    | Parked
    | Unparked
)


# --- Identifiers -----------------------------------------------------------------------------


_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = tuple(first + second for first in _BASE32HEX for second in _BASE32HEX)


def sortable_id(prefix: str, at: datetime, entropy: bytes) -> str:
    """Make an id that sorts by time: 48 bits of milliseconds and 80 random bits, base32hex."""
    if len(entropy) != 10:
        raise ValueError("an id takes 10 bytes of entropy")
    stamp = int(at.timestamp() * 1000).to_bytes(6)
    # 128 bits, and two to fill the last of 26 characters.
    value = int.from_bytes(stamp + entropy) << 2
    return prefix + "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])


TAIL = 16
"""Characters of an id that depend on its 80 bits of entropy only."""


def lasting_id(installation: str, merchant: MerchantId, merchant_ref: str, at: datetime) -> str:
    """The id of a payout: sorts by time, and ends in what its merchant's own number determines.

    `installation` keeps two databases that pay from the same account from sharing references.
    """
    named = "\x1f".join((installation, merchant, merchant_ref))
    return sortable_id("po_", at, sha256(named.encode()).digest()[:10])


@lru_cache(maxsize=1024)
def channel_reference(payout_id: PayoutId, number: int, rule: ReferenceRule) -> str:
    """Our reference for one attempt, in the channel's alphabet and as long as it allows up to 32.

    A function of payout and attempt alone, so that it can be re-derived, and spread over the whole
    space of the alphabet; the store's unique index on (channel, reference) refuses a collision. Of
    the id only what `lasting_id` derives counts, not the moment of acceptance: a payout that a
    restore has forgotten has the same references when its merchant asks for it again.
    """
    length = min(rule.length_max, 32)
    alphabet, pairs, space = _spelling(rule.alphabet, length)
    value = int.from_bytes(sha256(f"{payout_id[-TAIL:]}/{number}".encode()).digest()) % space
    parts = []
    for _ in range((length - 1) // 2):
        value, pair = divmod(value, len(pairs))
        parts.append(pairs[pair])
    if length % 2 == 0:
        value, digit = divmod(value, len(alphabet))
        parts.append(alphabet[digit])
    # The first character is never the alphabet's zero: some channels strip leading zeros.
    parts.append(alphabet[1 + value])
    return "".join(reversed(parts))


@cache
def _spelling(alphabet: str, length: int) -> tuple[str, tuple[str, ...], int]:
    """The alphabet, its pairs, for two digits are written at once, and how many there can be."""
    base = len(alphabet)
    pairs = tuple(first + second for first in alphabet for second in alphabet)
    return alphabet, pairs, base ** (length - 1) * (base - 1)
