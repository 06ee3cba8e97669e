"""What replicas tell each other, as bytes: made here, and read here as if an enemy had written it.

News name channels, segments, outcomes, times and payout ids: no payee, no amount, no merchant.
What does not look exactly like ours is left out and counted.
"""

import re
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeGuard, get_args

import orjson
from msgspec import Struct

from channels.contract import Rail
from gateway.domain.payout import PayoutId
from policies.health import Observed, is_segment

ITEMS_MAX = 256
"""In one batch."""
BYTES_MAX = 64 * 1024
OLD = timedelta(minutes=10)
"""Older observations are no news."""
AHEAD = timedelta(seconds=5)
"""So far may another replica's clock be in front of ours."""
SENT_BEFORE = timedelta(days=400)
LATENCY_MAX_MS = 3_600_000

_SENDER = re.compile(rb"[0-9a-f]{32}")
_PAYOUT = re.compile(r"po_[0-9a-v]{26}")
_RAILS = frozenset(rail.value for rail in Rail)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Seen(Struct, frozen=True):
    """A channel caused an outcome."""

    channel: str
    segment: str
    outcome: Observed
    at: datetime
    sent_at: datetime
    latency_ms: int | None
    again: bool = False
    """The payout had failed elsewhere before."""


class Probed(Struct, frozen=True):
    """A payout was given to a channel in quarantine."""

    channel: str
    segment: str
    at: datetime


class Due(Struct, frozen=True):
    """A payout may be due: look into the store."""

    payout_id: PayoutId


Item: TypeAlias = Seen | Probed | Due


def write(items: Iterable[Item]) -> bytes:
    """A batch."""
    return orjson.dumps([_row(item) for item in items])


def _row(item: Item) -> list[object]:
    match item:
        case Seen():
            at, sent = _ms(item.at), _ms(item.sent_at)
            row: list[object] = ["seen", item.channel, item.segment, item.outcome, at, sent]
            return [*row, item.latency_ms, item.again]
        case Probed():
            return ["probed", item.channel, item.segment, _ms(item.at)]
        case Due():
            return ["due", item.payout_id]


def sender(fields: Mapping[bytes, bytes]) -> str | None:
    """Who wrote a batch; None when nobody of ours did."""
    name = fields.get(b"s")
    return name.decode() if isinstance(name, bytes) and _SENDER.fullmatch(name) else None


def read(
    fields: Mapping[bytes, bytes], channels: Container[str], now: datetime
) -> tuple[list[Item], int]:
    """The items of a batch that can be believed, and how many could not.

    Times a little ahead of `now` are taken for now; far ones leave the item out.
    """
    payload = fields.get(b"b")
    if not isinstance(payload, bytes) or len(payload) > BYTES_MAX:
        return [], 1
    try:
        rows = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return [], 1
    if not isinstance(rows, list):
        return [], 1
    items = [_item(row, channels, now) for row in rows[:ITEMS_MAX]]
    good = [item for item in items if item is not None]
    return good, len(rows) - len(good)


def _item(row: object, channels: Container[str], now: datetime) -> Item | None:
    match row:
        case ["seen", str(channel), str(segment), str(outcome), at, sent, latency, bool(again)]:
            seen_at, sent_at = _recent(at, now), _time(sent)
            if seen_at is None or sent_at is None or channel not in channels:
                return None
            if not is_segment(segment, _RAILS):
                return None
            kind = next((one for one in get_args(Observed) if one == outcome), None)
            if kind is None or sent_at < seen_at - SENT_BEFORE:
                return None
            if latency is not None and not _is_latency(latency):
                return None
            sent_at = min(sent_at, seen_at)
            return Seen(channel, segment, kind, seen_at, sent_at, latency, again)
        case ["probed", str(channel), str(segment), at]:
            probed_at = _recent(at, now)
            if probed_at is None or channel not in channels or not is_segment(segment, _RAILS):
                return None
            return Probed(channel, segment, probed_at)
        case ["due", str(payout_id)] if _PAYOUT.fullmatch(payout_id):
            return Due(PayoutId(payout_id))
        case _:
            return None


def _is_latency(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= LATENCY_MAX_MS


def _recent(value: object, now: datetime) -> datetime | None:
    at = _time(value)
    return None if at is None or not now - OLD <= at <= now + AHEAD else min(at, now)


def _time(value: object) -> datetime | None:
    # 2^43 ms is the year 2248.
    if type(value) is not int or not 0 <= value < 2**43:
        return None
    return _EPOCH + timedelta(milliseconds=value)


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
