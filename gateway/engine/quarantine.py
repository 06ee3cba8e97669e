"""The course of a quarantine: it begins with a restore, and nothing is sent until it has ended.

For every payout that may still be sent, every channel that could have had one of its next attempts
is asked about (`engine.rebuild`); finished days' statements show what money moved. The quarantine
ends when no payout is left unasked, and every channel's statements cover the days that may be
forgotten, or two people vouch for it.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from channels.contract import Channel
from gateway.domain.errors import AbsenceError, ConflictError, InvalidError
from gateway.domain.lifecycle import TransitionError
from gateway.domain.payout import PayoutId
from gateway.domain.rebuild import ConflictingError, forgotten_days
from gateway.engine.gateway import Gateway
from gateway.engine.rebuild import LAG, PAGE, rebuild
from gateway.ports import Position, Quarantine, StaleError, Waiver

FEED_LEAP = 1_000_000
"""More event positions than can have been given out since a mark was written."""
TOGETHER = 8
"""So many payouts are rebuilt at once."""


class Standing(Struct, frozen=True):
    """How far a quarantine has come."""

    quarantine: Quarantine
    to_rebuild: int
    """Payouts whose truth is not known yet."""
    days: dict[str, tuple[date, ...]]
    """Per channel, the days whose complete statement is awaited; one without statements has all."""
    waivers: tuple[Waiver, ...]

    @property
    def waived(self) -> frozenset[str]:
        """Channels that two people vouch for."""
        return frozenset(one.channel for one in self.waivers if one.agreed_by is not None)

    @property
    def awaited(self) -> dict[str, tuple[date, ...]]:
        """The days that still keep the quarantine from ending, by channel."""
        return {name: days for name, days in self.days.items() if days and name not in self.waived}


async def check_position(gateway: Gateway, mark: Position | None) -> Position:
    """Begin a quarantine when the database is behind a mark it once had; returns where it is."""
    position = await gateway.store.position()
    if mark is not None and position.is_behind(mark):
        cause = (
            f"the database is at event {position.feed} with {position.attempts} attempts; "
            f"it was at event {mark.feed} with {mark.attempts}"
            if position.installation == mark.installation
            else "this is another database than the one that was here"
        )
        await begin(gateway, cause, "gateway")
        await gateway.store.leap_feed(mark.feed + FEED_LEAP)
    return position


async def begin(
    gateway: Gateway, cause: str, actor: str, backup_at: datetime | None = None
) -> Quarantine:
    """Send nothing until the truth is known. Without `backup_at`, the newest event tells it."""
    now = gateway.clock.now()
    if backup_at is None:
        backup_at = await gateway.store.last_event_at() or now
    begun = await gateway.store.begin_quarantine(cause, backup_at, now, actor)
    gateway.quarantine = begun
    gateway.observer.alarm("quarantine.begun", cause=cause)
    return begun


async def standing(gateway: Gateway) -> Standing | None:
    """How far the open quarantine has come; None when none is open."""
    quarantine = await gateway.store.quarantine()
    if quarantine is None or quarantine.ended_at is not None:
        return None
    store = gateway.store
    days = {
        name: await _awaited(gateway, channel, quarantine)
        for name, channel in gateway.channels.items()
    }
    return Standing(
        quarantine,
        await store.count_to_rebuild(quarantine.id),
        days,
        tuple(await store.waivers(quarantine.id)),
    )


async def go_on(gateway: Gateway) -> Standing | None:
    """Rebuild what can be rebuilt now; end the quarantine when nothing is left to find out."""
    now_at = await standing(gateway)
    if now_at is None:
        return None
    quarantine, waived = now_at.quarantine, now_at.waived
    after: PayoutId | None = None
    while page := await gateway.store.to_rebuild(quarantine.id, after, PAGE):
        after = page[-1]
        for start in range(0, len(page), TOGETHER):
            some = page[start : start + TOGETHER]
            await asyncio.gather(*(_try_one(gateway, quarantine, one, waived) for one in some))
    now_at = await standing(gateway)
    ended_at = gateway.clock.now()
    if (
        now_at is None
        or now_at.to_rebuild
        or now_at.awaited
        or ended_at < quarantine.started_at + LAG
    ):
        return now_at
    await gateway.store.end_quarantine(quarantine.id, ended_at, "gateway")
    gateway.quarantine = await gateway.store.quarantine()
    gateway.observer.alarm("quarantine.ended")
    return None


async def release(gateway: Gateway, channel: str, reason: str, actor: str) -> Waiver:
    """One of two people vouches for a channel that cannot prove it itself."""
    if not reason.strip():
        raise InvalidError("reason_missing", "say why", zh="请说明原因", param="reason")
    now_at = await standing(gateway)
    if now_at is None:
        raise ConflictError(
            "not_quarantined", "there is no quarantine to release", zh="当前未处于隔离状态"
        )
    if channel not in gateway.channels and channel not in await _used(gateway, now_at):
        raise AbsenceError("no_such_channel", f"no channel is named {channel!r}", zh="渠道不存在")
    now = gateway.clock.now()
    made = await gateway.store.waive(now_at.quarantine.id, channel, reason, actor, now)
    if made.agreed_by is not None:
        gateway.observer.alarm("quarantine.released_by_people", channel=channel)
    return made


async def _used(gateway: Gateway, now_at: Standing) -> set[str]:
    """Channels that payouts which are not rebuilt have been at."""
    names: set[str] = set()
    for payout_id in await gateway.store.to_rebuild(now_at.quarantine.id, None, PAGE):
        payout = await gateway.store.payout(payout_id)
        names |= {attempt.channel for attempt in payout.attempts} if payout else set()
    return names


async def _awaited(gateway: Gateway, channel: Channel, quarantine: Quarantine) -> tuple[date, ...]:
    needed = days_of(channel, quarantine)
    read = await gateway.store.statement_days(channel.name) if channel.traits.statement else set()
    return tuple(day for day in needed if day not in read)


def days_of(channel: Channel, quarantine: Quarantine) -> Sequence[date]:
    """The channel's business days that may be forgotten."""
    zone = ZoneInfo(channel.traits.terms.cycle.timezone)
    return forgotten_days(quarantine.backup_at, quarantine.started_at, zone)


async def _try_one(
    gateway: Gateway, quarantine: Quarantine, payout_id: PayoutId, waived: frozenset[str]
) -> None:
    try:
        await rebuild(gateway, quarantine, payout_id, waived)
    except StaleError:
        pass  # it moved meanwhile: the next round looks again
    except ConflictingError:
        gateway.observer.alarm("quarantine.conflict", payout_id=payout_id)
    except TransitionError as error:
        gateway.observer.defect("payout.defect", error, payout_id=payout_id)
