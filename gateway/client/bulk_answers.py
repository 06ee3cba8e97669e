"""What the gateway answers about splits and batches; held to its views like `answers`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from channels.money import Currency, Money
from gateway.client.answers import Payout, PayoutState

SplitStatus = Literal["open", "paid", "failed", "partly_failed", "returned", "partly_returned"]
BatchState = Literal["storing", "checking", "accepting", "releasing", "undoing", "done", "refused"]
RowState = Literal["waiting", "accepted", "refused"]


@dataclass(frozen=True, slots=True)
class Split:
    """A split with its legs, first leg first; the amounts are those of all legs together."""

    id: str
    merchant_id: str
    merchant_ref: str
    status: SplitStatus
    final: bool
    currency: str
    amount_minor: int
    fee_minor: int
    debit_minor: int
    legs: tuple[Payout, ...]
    accepted_at: datetime | None

    @property
    def money(self) -> Money:
        """What you asked for. Raises `ValueError` for a currency this client does not know."""
        return Money(self.amount_minor, Currency(self.currency))


@dataclass(frozen=True, slots=True)
class CreatedSplit:
    """A split, and the key under which asking again gives the same one, for ever."""

    split: Split
    idempotency_key: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a batch or a row was not taken."""

    code: str
    detail: str
    detail_zh: str
    param: str | None


@dataclass(frozen=True, slots=True)
class RowCount:
    """Rows that stand alike."""

    state: str
    payout_state: str | None
    rows: int
    minor: int


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """A batch in a list."""

    id: str
    state: str
    mode: str
    profile: str
    currency: str
    count: int
    total_minor: int
    total: str
    refused: Refusal | None
    created_at: datetime
    updated_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Batch(BatchSummary):
    """A batch and how far it is; `done` means accepted, not paid: see `counts`."""

    progress_ppm: int
    counts: tuple[RowCount, ...]


@dataclass(frozen=True, slots=True)
class CreatedBatch:
    """A batch, and whether an earlier upload had made it."""

    batch: Batch
    replayed: bool


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Batches, newest first; the next page comes `after` the last one's id."""

    data: tuple[BatchSummary, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of the file and what became of it."""

    number: int
    line: int
    merchant_ref: str
    amount_minor: int
    state: str
    payout_id: str | None
    payout_state: PayoutState | None
    reason: str | None
    refused: Refusal | None


@dataclass(frozen=True, slots=True)
class BatchRowPage:
    """Rows in the order of the file."""

    data: tuple[BatchRow, ...]
    has_more: bool
