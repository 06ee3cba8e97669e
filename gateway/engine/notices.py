"""What channels tell us: kept raw, verified, and then only a reason to ask.

A notice never pays and never kills. At most, when the inquiry that it leads to finds nothing, it
stands as the channel's word that it has the order. Duplicates, replays and wrong order are
therefore harmless: each leads to one inquiry, whose verified answer takes the usual path.
"""

from collections.abc import Mapping
from datetime import datetime

from channels.contract import Notice, NoticeRefused, NoticeReply
from channels.storable import storable_notice
from gateway.domain.errors import AbsenceError
from gateway.domain.payout import PayoutId
from gateway.engine.gateway import Gateway, Told

REFUSED = "refused"
UNKNOWN_REFERENCE = "unknown_reference"


async def receive(
    gateway: Gateway, channel_name: str, headers: Mapping[str, str], body: bytes
) -> NoticeReply:
    """Verify, keep, queue; the reply is what the channel expects to hear.

    Unverifiable messages are counted and refused without being stored: anybody can send them.
    Raises `AbsenceError` for a channel that is not configured.
    """
    channel = gateway.channels.get(channel_name)
    if channel is None:
        raise AbsenceError("no_such_channel", f"no channel is named {channel_name!r}")
    now = gateway.clock.now()
    read = storable_notice(channel.read_notice(headers, body, now))
    if isinstance(read, NoticeRefused):
        gateway.observer.alarm("notice.refused", channel=channel_name, cause=read.cause)
        return read.reply
    notice_id = await gateway.store.keep_notice(channel_name, headers, body, now)
    await queue(gateway, channel_name, read, notice_id)
    return read.reply


async def queue(gateway: Gateway, channel_name: str, notice: Notice, notice_id: int) -> None:
    """Have the worker ask about the reference that a verified notice names."""
    named = await _named(gateway, channel_name, notice)
    if named is None:
        await gateway.store.notice_done(notice_id, UNKNOWN_REFERENCE)
        gateway.observer.alarm("notice.unknown_reference", channel=channel_name)
        return
    payout_id, reference = named
    gateway.wake(Told(payout_id, reference, notice_id))
    gateway.announce(payout_id)


async def _named(
    gateway: Gateway, channel_name: str, notice: Notice
) -> tuple[PayoutId, str] | None:
    """The payout and our reference that a notice is about; None when we know of none.

    A channel that names its own number alone is understood once we have heard that number.
    """
    if notice.reference:
        payout_id = await gateway.store.by_reference(channel_name, notice.reference)
        return None if payout_id is None else (payout_id, notice.reference)
    if notice.channel_ref is None:
        return None
    found = await gateway.store.attempts_by_references(channel_name, [notice.channel_ref])
    booked = found.get(notice.channel_ref)
    return None if booked is None else (booked.payout_id, booked.reference)


async def requeue(gateway: Gateway, limit: int = 10_000, *, before: datetime | None = None) -> int:
    """Queue the notices that were kept (before a moment) and not yet acted on."""
    kept = [
        notice
        for notice in await gateway.store.notices(limit)
        if before is None or notice.received_at < before
    ]
    for notice in kept:
        channel = gateway.channels.get(notice.channel)
        if channel is None:
            continue
        # Verified when it came in; its signature may have grown too old to verify again.
        read = storable_notice(channel.read_notice(notice.headers, notice.body, notice.received_at))
        if isinstance(read, NoticeRefused):
            await gateway.store.notice_done(notice.id, REFUSED)
        else:
            await queue(gateway, notice.channel, read, notice.id)
    return len(kept)
