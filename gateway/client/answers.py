"""What the gateway answers, as frozen values; a test holds them to `gateway/api/views.py`.

Times are aware, amounts are integers in minor units. Payee details come masked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from channels.money import Currency, Money

PayoutState = Literal[
    "held",
    "scheduled",
    "routing",
    "attempting",
    "parked",
    "paid",
    "settled",
    "returned",
    "failed",
    "cancelled",
]
AttemptState = Literal["armed", "pending", "in_doubt", "confirmed", "dead", "returned"]
FeeMode = Literal["on_top", "deducted"]
DeliveryState = Literal["due", "delivered", "dead"]


@dataclass(frozen=True, slots=True)
class PayeeAction:
    """What the beneficiary must do before the money moves; `package_info` opens the page for it.

    `confirm_url` is an address that does so for whoever opens it; None where there is none.
    """

    kind: str
    package_info: str = field(repr=False)
    expires_at: datetime | None
    confirm_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MaskedInstrument:
    """One way to reach the beneficiary; which fields stand depends on the rail."""

    rail: str
    identity: str | None = None
    identity_type: str | None = None
    openid: str | None = None
    appid: str | None = None
    number: str | None = None
    bank_code: str | None = None
    account_id: str | None = None
    address: str | None = None
    chain: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class MaskedBeneficiary:
    """Who gets the money."""

    instruments: tuple[MaskedInstrument, ...]


@dataclass(frozen=True, slots=True)
class ChannelLimitsKept:
    """What the request itself said about channels."""

    only: tuple[str, ...]
    deny: tuple[str, ...]
    prefer: tuple[str, ...]
    max_attempts: int | None


@dataclass(frozen=True, slots=True)
class ChargePart:
    """How much of the amount was charged at which rate."""

    tier: int | None
    amount_minor: int
    rate_ppm: int


@dataclass(frozen=True, slots=True)
class Charge:
    """How the fee was computed: clamp(flat + parts, min, max) + surcharge."""

    flat_minor: int
    parts: tuple[ChargePart, ...]
    min_minor: int
    max_minor: int | None
    surcharge_ppm: int
    month: str
    month_payouts: int
    month_minor: int
    on_return: str


@dataclass(frozen=True, slots=True)
class Place:
    """Which leg of which split a payout is."""

    id: str
    merchant_ref: str
    leg: int
    legs: int


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout as it stood when the gateway answered; `version` grows with every event."""

    id: str
    merchant_id: str
    merchant_ref: str
    state: PayoutState
    final: bool
    reason: str | None
    owner: str | None
    amount_minor: int
    amount: str
    currency: str
    fee_minor: int
    fee_mode: FeeMode
    beneficiary_amount_minor: int
    """What arrives: less than asked for where the fee is deducted (内扣)."""
    debit_minor: int
    """What you pay in all."""
    charge: Charge | None
    split: Place | None
    beneficiary: MaskedBeneficiary
    purpose: str
    speed: str
    deadline: datetime | None
    release_after: datetime | None
    max_fee_minor: int | None
    channels: ChannelLimitsKept
    metadata: Mapping[str, str]
    channel: str | None
    channel_ref: str | None
    promised_at: datetime | None
    paid_at: datetime | None
    returned_at: datetime | None
    settled_on: date | None
    attempts: int
    action: PayeeAction | None
    accepted_at: datetime | None
    updated_at: datetime | None
    version: int

    @property
    def money(self) -> Money:
        """What you asked for. Raises `ValueError` for a currency this client does not know."""
        return Money(self.amount_minor, Currency(self.currency))


@dataclass(frozen=True, slots=True)
class CreatedPayout:
    """A payout, and the key under which asking again gives the same one, for ever."""

    payout: Payout
    idempotency_key: str
    replayed: bool
    """An earlier request with this key had made it."""


@dataclass(frozen=True, slots=True)
class PayoutPage:
    """Payouts, newest first; the next page comes `after` the last one's id."""

    data: tuple[Payout, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Certificate:
    """Why an attempt is proven to have moved no money."""

    kind: str
    reason: str
    code: str
    message: str
    at: datetime | None
    by: str
    checked_by: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one channel."""

    number: int
    channel: str
    reference: str
    instrument: int
    state: AttemptState
    sends: int
    channel_ref: str | None
    stage: str | None
    armed_at: datetime | None
    promised_at: datetime | None
    paid_at: datetime | None
    returned_at: datetime | None
    settled_on: date | None
    quoted_fee_minor: int
    fee_minor: int | None
    certificate: Certificate | None
    action: PayeeAction | None


@dataclass(frozen=True, slots=True)
class AttemptList:
    """All tries of a payout."""

    data: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a timeline or of the feed; `feed` is its position there, and the cursor."""

    feed: int
    payout_id: str
    seq: int
    type: str
    state: PayoutState
    at: datetime | None
    actor: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order; the next page comes after `next_after`."""

    data: tuple[Event, ...]
    next_after: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Label:
    """What people call a channel."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """A candidate that was not chosen, and what would have to change for it to win."""

    channel: str
    instrument: int
    gap_micro: int | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One routing decision: a sentence for people, and everything it was made from."""

    zh: str
    en: str
    alternatives: tuple[Alternative, ...]
    decision: Mapping[str, object]
    labels: Mapping[str, Label]


@dataclass(frozen=True, slots=True)
class FeeReason:
    """How your fee came about, in a sentence."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ReasonList:
    """Every routing decision of a payout, newest last, and your fee's reason."""

    data: tuple[Reason, ...]
    fee: FeeReason | None


@dataclass(frozen=True, slots=True)
class ProvenLeaf:
    """One event as the audit log holds it, and its way to the root."""

    position: int
    leaf: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What `gateway/audit/check.py` checks; `pending` events are too young for the checkpoint."""

    payout_id: str
    checkpoint: str
    leaves: tuple[ProvenLeaf, ...]
    pending: int


@dataclass(frozen=True, slots=True)
class AuditKey:
    """Who signs proofs; keep it from the first day."""

    origin: str
    algorithm: str
    public_key: str
    verifier_key: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The institution's own document (电子回单)."""

    content_type: str
    name: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where webhooks go."""

    id: str
    url: str
    kinds: tuple[str, ...]
    active: bool
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint and its new secret, which is shown this once."""

    id: str
    url: str
    kinds: tuple[str, ...]
    active: bool
    created_at: datetime | None
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndpointList:
    """A merchant's endpoints."""

    data: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook owed to one endpoint."""

    id: str
    endpoint_id: str
    payout_id: str
    seq: int
    state: DeliveryState
    tries: int
    due_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryList:
    """Webhooks of a payout."""

    data: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """Taken on; it happens within a moment."""

    queued: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """What a merchant may spend (`available`), or has promised to payouts under way (`held`)."""

    book: str
    owner: str
    currency: str
    balance_minor: int

    @property
    def money(self) -> Money:
        """The balance. Raises `ValueError` for a currency this client does not know."""
        return Money(self.balance_minor, Currency(self.currency))


@dataclass(frozen=True, slots=True)
class BalanceList:
    """The merchant's ledger, account by account."""

    data: tuple[Balance, ...]
