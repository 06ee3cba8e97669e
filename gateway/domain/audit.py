"""What the audit log consists of: leaves, the hash chain over them, and what a check may find.

A leaf is the canonical JSON of one committed row: an event of a payout, or a directory change. It
commits to who did what and when, to the payout's state before and after as hashes, and to the row's
details as a hash; it holds no payee data, so it can be handed out.
"""

from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

import orjson
from msgspec import Struct

CHAIN_START = bytes(32)
"""The chain's value before the first leaf."""


class Origin(StrEnum):
    """Which table a leaf was made from."""

    EVENT = "event"
    DIRECTORY = "directory"


class Deed(Struct, frozen=True):
    """One committed row, as the log commits to it."""

    source: Origin
    row: int
    """Position of the row in its feed."""
    at: datetime
    actor: str
    action: str
    subject: str
    """`merchant/payout/seq` for an event, else what the directory's row names."""
    state: str | None
    """The payout's state after an event."""
    before: bytes | None
    """Hash of the payout's whole state before; None at its first event, or for another subject."""
    after: bytes | None
    detail: bytes
    """SHA-256 of the row's details, byte for byte as stored."""

    @property
    def text(self) -> str:
        """The leaf: JSON without blanks, keys in order, UTF-8, `at` in UTC to the microsecond."""
        at = _stamp(self.at)
        return orjson.dumps(
            {
                "action": self.action,
                "actor": self.actor,
                "after": self.after and self.after.hex(),
                "at": at,
                "before": self.before and self.before.hex(),
                "detail": self.detail.hex(),
                "row": self.row,
                "source": self.source,
                "state": self.state,
                "subject": self.subject,
                "v": 1,
            }
        ).decode()


def _stamp(at: datetime) -> str:
    """In UTC to the microsecond, in a quarter of the time that `isoformat` takes."""
    text = orjson.dumps(at.astimezone(UTC), option=orjson.OPT_UTC_Z)[1:-1].decode()
    return text if at.microsecond else f"{text[:-1]}.000000Z"


class Leaf(Struct, frozen=True):
    """A deed with its place in the log."""

    position: int
    text: str


def chained(chain: bytes, leaf: bytes) -> bytes:
    """The chain's next value, from its last one and a leaf's hash."""
    return sha256(b"\x02" + chain + leaf).digest()


class Flaw(StrEnum):
    """How a log can be wrong."""

    EDITED = "edited"
    """The row says something else than its leaf."""
    REMOVED = "removed"
    """The leaf's row is gone."""
    INSERTED = "inserted"
    """A row stands among sequenced ones and has no leaf."""
    GAP = "gap"
    """A leaf is missing."""
    REORDERED = "reordered"
    """Rows of one table do not stand in the order of their feed."""
    CHAIN = "chain"
    """The stored chain value is not what the leaves give."""
    TREE = "tree"
    """A stored subtree is not what the leaves give, or is missing."""
    STATE = "state"
    """A payout as stored is not what its last event committed to."""
    CHECKPOINT = "checkpoint"
    """A checkpoint is not readable or not signed by a trusted key."""
    TRUNCATED = "truncated"
    """A checkpoint covers more than there is."""
    REWRITTEN = "rewritten"
    """A checkpoint, once signed, covered other leaves."""


class Finding(Struct, frozen=True):
    """One thing that is wrong, and where."""

    flaw: Flaw
    message: str
    position: int | None = None
    subject: str | None = None
