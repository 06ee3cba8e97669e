"""Archives: what ended payouts no longer need at hand, in a file of its own.

What goes is what is bulky and only ever looked up: the decisions ("why this channel?") and the
webhooks that came to their end. What stays is whatever money, numbers or proofs rest on: payouts
with their keys and fingerprints, attempts, events, evidence, entries, the audit log.

A file is gzip over lines of JSON, and the same content gives the same bytes: first a head with the
counts, then a line for each payout, sorted by id.
"""

import gzip
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson
from msgspec import Struct

from gateway.domain.payout import MerchantId, PayoutId

FORMAT = "hangdao-archive/1"
RETENTION_DAYS = 90
"""Nothing younger is archived; nor what its channel would still answer questions about."""
OPEN_MAX = 1 << 30
"""More bytes are never unpacked of one file."""


class ArchiveDamagedError(Exception):
    """A file is not what was written."""


class Bulk(Struct, frozen=True):
    """What goes of one payout."""

    merchant_id: MerchantId
    payout_id: PayoutId
    decisions: tuple[Mapping[str, object], ...]
    deliveries: tuple[Mapping[str, object], ...]

    @property
    def last_decision(self) -> int:
        """The row's number; 0 without any."""
        return max((int(str(one["row"])) for one in self.decisions), default=0)

    @property
    def last_seq(self) -> int:
        """Of its webhooks; 0 without any."""
        return max((int(str(one["seq"])) for one in self.deliveries), default=0)


class Archive(Struct, frozen=True):
    """A file, and what the database remembers of it."""

    id: str
    file: str
    """Its name in the folder of archives."""
    sha256: str
    size: int
    payouts: int
    decisions: int
    deliveries: int
    made_at: datetime
    actor: str
    cleared_at: datetime | None = None
    """When the database had let go of all that is in it."""


def packed(bulks: Sequence[Bulk]) -> bytes:
    """A file's bytes."""
    ordered = sorted(bulks, key=lambda one: one.payout_id)
    head = {"format": FORMAT, **counts_of(ordered)}
    lines = [head, *map(_line, ordered)]
    text = b"".join(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) + b"\n" for one in lines)
    return gzip.compress(text, compresslevel=6, mtime=0)


def unpacked(content: bytes) -> list[Bulk]:
    """What a file holds. Raises `ArchiveDamagedError`."""
    try:
        opener = zlib.decompressobj(wbits=31)
        text = opener.decompress(content, OPEN_MAX)
        if not opener.eof or opener.unused_data:
            raise ArchiveDamagedError("it is cut off, or longer than it was")
        head, *lines = (orjson.loads(line) for line in text.splitlines())
        found = [
            Bulk(
                MerchantId(one["merchant_id"]),
                PayoutId(one["payout_id"]),
                tuple(one["decisions"]),
                tuple(one["deliveries"]),
            )
            for one in lines
        ]
    except (zlib.error, orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ArchiveDamagedError(f"it cannot be read: {error}") from error
    if head != {"format": FORMAT, **counts_of(found)}:
        raise ArchiveDamagedError("its head does not say what is in it")
    return found


def described(content: bytes, bulks: Sequence[Bulk], made_at: datetime, actor: str) -> Archive:
    """What is kept about a file."""
    digest = hashlib.sha256(content).hexdigest()
    counts = counts_of(bulks)
    first = min(one.payout_id for one in bulks)
    return Archive(
        id=f"ar_{digest[:26]}",
        file=f"{first}-{digest[:16]}.jsonl.gz",
        sha256=digest,
        size=len(content),
        payouts=counts["payouts"],
        decisions=counts["decisions"],
        deliveries=counts["deliveries"],
        made_at=made_at,
        actor=actor,
    )


def verified(content: bytes, sha256: str) -> list[Bulk]:
    """What a file holds, if it is the one that was written. Raises `ArchiveDamagedError`."""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArchiveDamagedError("its SHA-256 is not the one that was kept")
    return unpacked(content)


def counts_of(bulks: Sequence[Bulk]) -> dict[str, int]:
    """How much a file holds, by kind."""
    return {
        "payouts": len(bulks),
        "decisions": sum(len(one.decisions) for one in bulks),
        "deliveries": sum(len(one.deliveries) for one in bulks),
    }


def _line(one: Bulk) -> dict[str, object]:
    return {
        "merchant_id": one.merchant_id,
        "payout_id": one.payout_id,
        "decisions": one.decisions,
        "deliveries": one.deliveries,
    }
