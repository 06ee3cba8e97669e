"""Batches of payouts: what a file asked for, where it stands, and which way it may go on.

A batch is stored whole before anything of it is accepted. `per_row` accepts what it can. With
`all_or_nothing` every row is checked, the whole sum is reserved, the rows are accepted without
being due, and one commit (to `releasing`) sets them free; until then everything can be undone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from channels.money import Currency
from channels.unprinted import Unprinted
from gateway.domain.errors import InvalidError
from gateway.domain.ledger import Account, Book, Posting, moved
from gateway.domain.payout import MerchantId, PayoutId, PayoutState

BatchMode = Literal["all_or_nothing", "per_row"]


class BatchState(StrEnum):
    """Where a batch stands."""

    STORING = "storing"
    """Its rows are being stored; the same upload again goes on where the last one stopped."""
    CHECKING = "checking"
    """All or nothing: every row is looked at, nothing is accepted yet."""
    ACCEPTING = "accepting"
    """Rows become payouts."""
    RELEASING = "releasing"
    """All or nothing: every row is accepted, and they are set free to be sent."""
    UNDOING = "undoing"
    """All or nothing: a row could not be accepted after all, so the others are cancelled."""
    DONE = "done"
    """Every row was accepted or, with `per_row`, refused."""
    REFUSED = "refused"
    """Nothing of it is paid."""

    @property
    def is_under_way(self) -> bool:
        """Whether the gateway goes on with it by itself."""
        return self in {
            BatchState.CHECKING,
            BatchState.ACCEPTING,
            BatchState.RELEASING,
            BatchState.UNDOING,
        }


EDGES: Mapping[BatchState, frozenset[BatchState]] = {
    BatchState.STORING: frozenset({BatchState.CHECKING, BatchState.ACCEPTING, BatchState.REFUSED}),
    BatchState.CHECKING: frozenset({BatchState.ACCEPTING, BatchState.REFUSED}),
    BatchState.ACCEPTING: frozenset({BatchState.RELEASING, BatchState.UNDOING, BatchState.DONE}),
    BatchState.RELEASING: frozenset({BatchState.DONE}),
    BatchState.UNDOING: frozenset({BatchState.REFUSED}),
    BatchState.DONE: frozenset(),
    BatchState.REFUSED: frozenset(),
}
"""The only moves there are. There is none from `releasing` but forward."""


class RowState(StrEnum):
    """Where one row stands; what became of its payout is the payout's own state."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNDONE = "undone"
    """Its payout was cancelled before it could be sent, since another row was refused."""


class Refused(Struct, frozen=True):
    """Why a batch, or a row, was not taken."""

    code: str
    en: str
    zh: str
    param: str | None = None


class Batch(Struct, frozen=True):
    """What was declared and where it stands."""

    id: str
    merchant_id: MerchantId
    key: str
    """The caller's; the same key and content is the same batch."""
    fingerprint: bytes
    """Of everything that was asked for."""
    content: str | None
    """Hash of the rows; None where the same content may come again."""
    mode: BatchMode
    profile: str
    currency: Currency
    count: int
    total_minor: int
    state: BatchState
    reserved_minor: int
    """Held for rows that are not accepted yet; what each takes of it is its `hold_minor`."""
    created_at: datetime
    updated_at: datetime
    actor: str
    refused: Refused | None = None


class BatchRow(Unprinted, frozen=True):
    """One row as stored, with what became of it."""

    hidden = frozenset({"body"})

    number: int
    """From 1, in the order of the file."""
    line: int
    """Where in the file it stands, as a spreadsheet counts."""
    merchant_ref: str
    amount_minor: int
    hold_minor: int
    """Amount and merchant's fee: its part of the reserve."""
    body: bytes
    """The payout asked for and the cells it was read from, as JSON; stored sealed."""
    state: RowState = RowState.WAITING
    payout_id: PayoutId | None = None
    refused: Refused | None = None
    payout_state: PayoutState | None = None
    payout_reason: str | None = None


class BatchCount(Struct, frozen=True):
    """How many rows stand alike, and what they come to."""

    state: RowState
    payout_state: PayoutState | None
    rows: int
    minor: int


def reserve(batch: Batch, minor: int) -> Posting:
    """Hold the whole sum of a batch before any row of it is accepted."""
    available, held = _accounts(batch)
    return moved(available, held, minor)


def unreserve(batch: Batch, minor: int) -> Posting:
    """Give back what was held: for a row that takes its own hold, or for what was never taken."""
    available, held = _accounts(batch)
    return moved(held, available, minor)


def _accounts(batch: Batch) -> tuple[Account, Account]:
    return (
        Account(Book.AVAILABLE, batch.merchant_id, batch.currency),
        Account(Book.HELD, batch.merchant_id, batch.currency),
    )


class Fault(Struct, frozen=True):
    """Something wrong with a file: where, what, and what to do."""

    code: str
    en: str
    zh: str
    line: int | None = None
    """As a spreadsheet counts; None for the file as a whole."""
    column: str | None = None
    """As its heading reads."""
    is_warning: bool = False


class BatchInvalidError(InvalidError):
    """A file that nothing was taken of, with every fault that was found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """`faults` is not empty; warnings are not among them."""
        first = faults[0]
        where = "" if first.line is None else f"line {first.line}: "
        where_zh = "" if first.line is None else f"第 {first.line} 行："
        super().__init__(
            "batch_invalid",
            f"{len(faults)} fault(s) in the file, so nothing was taken; the first: "
            f"{where}{first.en}",
            zh=f"文件有 {len(faults)} 处错误，未受理任何一行；第一处：{where_zh}{first.zh}",
            param=first.column,
        )
        self.faults = faults
