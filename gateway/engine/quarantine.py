"""After a restore: find out what the database has forgotten, and send nothing before.

References are a function of payout and attempt number. So for every payout that may still be sent,
every channel that could have had one of its next attempts is asked about that reference; finished
days' statements show what money moved under which. What is found becomes part of the record
(`domain.rebuild`). The quarantine ends when no payout is left unasked, and every channel's
statements cover the days that may be forgotten, or two people vouch for it.

A payout that was accepted and lost comes back when its merchant asks for it again, under the same
references; for a while after the quarantine, therefore, new payouts are looked up before they are
first armed.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

from channels.contract import (
    Absent,
    Channel,
    Inquiry,
    LineKind,
    NotSent,
    Outcome,
    Paid,
    Pending,
    Returned,
    StatementLine,
    Unknown,
    UnknownCause,
)
from gateway.domain.errors import AbsenceError, ConflictError, InvalidError
from gateway.domain.lifecycle import TransitionError
from gateway.domain.payout import (
    Payout,
    PayoutId,
    PayoutState,
    Source,
    channel_reference,
)
from gateway.domain.rebuild import ConflictingError, Trace, missing_events
from gateway.engine.dispatch import STOPPED_FOR, dispatch, settle
from gateway.engine.gateway import Gateway, Told
from gateway.engine.inquire import ask
from gateway.engine.record import move
from gateway.ports import Position, Quarantine, StaleError, Waiver

FEED_LEAP = 1_000_000
"""More event positions than can have been given out since a mark was written."""
WATCH = timedelta(days=7)
"""How long after a quarantine new payouts are still looked up before they are armed."""
AHEAD_LATER = 3
"""How many references of such a payout channels are asked about; statements show the others."""
LAG = timedelta(minutes=10)
"""A channel may take so long to show what it was given; "not found" counts only after that."""
TOGETHER = 8
"""Inquiries under way at once for one payout; so many payouts are rebuilt at once, too."""
PAGE = 200
LATE_STATES = frozenset(
    {
        PayoutState.HELD,
        PayoutState.SCHEDULED,
        PayoutState.ROUTING,
        PayoutState.ATTEMPTING,
        PayoutState.PARKED,
    }
)


@dataclass(frozen=True, slots=True)
class Standing:
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


# --- Beginning -----------------------------------------------------------------------------------


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


# --- Going on ------------------------------------------------------------------------------------


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
    """The channel's business days that may be forgotten: backup to restore, both included."""
    zone = ZoneInfo(channel.traits.terms.cycle.timezone)
    first = quarantine.backup_at.astimezone(zone).date()
    last = max(first, quarantine.started_at.astimezone(zone).date())
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


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


# --- One payout ----------------------------------------------------------------------------------


async def arm(gateway: Gateway, payout: Payout) -> Payout:
    """`dispatch`, after a look for attempts that a restore may have made the record forget."""
    quarantine = gateway.quarantine
    if (
        gateway.stopped() is None
        and quarantine is not None
        and quarantine.ended_at is not None
        and payout.accepted_at < quarantine.ended_at + WATCH
        and not await gateway.store.is_rebuilt(quarantine.id, payout.id)
    ):
        waived = frozenset(
            one.channel
            for one in await gateway.store.waivers(quarantine.id)
            if one.agreed_by is not None
        )
        try:
            known = await rebuild(gateway, quarantine, payout.id, waived, ahead=AHEAD_LATER)
        except ConflictingError:
            gateway.observer.alarm("quarantine.conflict", payout_id=payout.id)
            known = False
        if not known:
            later = gateway.clock.now() + STOPPED_FOR
            await gateway.store.postpone(payout, later, None)
            return payout
        payout = await gateway.store.payout(payout.id) or payout
        if payout.state is not PayoutState.ROUTING:
            return payout
    return await dispatch(gateway, payout)


async def rebuild(
    gateway: Gateway,
    quarantine: Quarantine,
    payout_id: PayoutId,
    waived: frozenset[str],
    *,
    ahead: int | None = None,
) -> bool:
    """Ask about a payout's open attempt and about those it may have had; adopt what is found.

    True once all there is to know is known and marked so. `ahead` limits how many references the
    channels are asked about; None asks about every one the payout can ever have.
    """
    payout = await gateway.store.payout(payout_id)
    if payout is None or payout.state not in LATE_STATES:
        return True
    live = payout.live
    if live is not None:
        answer: Outcome | Absent = Unknown(UnknownCause.CRASHED)
        if live.channel in gateway.channels:
            answer = await ask(gateway, payout, live)
            payout = await settle(gateway, payout, live.number, answer, Source.INQUIRY)
        if isinstance(answer, Unknown) and live.channel not in waived:
            return False
        if isinstance(answer, Pending | Paid | Returned):
            # The channel has it, so it is not dead, so no later attempt was ever armed.
            await gateway.store.mark_rebuilt(quarantine.id, payout.id, gateway.clock.now())
            return True
    traces = await _on_statements(gateway, payout)
    if not traces:
        asked = await _asked(gateway, payout, waived, ahead)
        if asked is None:
            return False
        traces = asked
    source = Source.STATEMENT if any(one.settled_on for one in traces) else Source.RECOVERY
    if traces:
        payout = await adopt(gateway, payout, traces, quarantine, source)
    now = gateway.clock.now()
    if now < quarantine.started_at + LAG:
        return False
    await gateway.store.mark_rebuilt(quarantine.id, payout.id, now)
    return True


async def adopt(
    gateway: Gateway,
    payout: Payout,
    traces: Sequence[Trace],
    quarantine: Quarantine,
    source: Source,
) -> Payout:
    """Write what was forgotten into the record, in one commit. Raises `ConflictingError`."""
    now = gateway.clock.now()
    _, events = missing_events(
        payout,
        traces,
        lambda channel, number: _reference(gateway, channel, payout.id, number),
        source,
        quarantine.backup_at,
        now,
    )
    moved = await move(gateway, payout, events, actor="restore")
    for trace in traces:
        gateway.observer.alarm("attempt.adopted", payout_id=payout.id, channel=trace.channel)
    gateway.wake(Told(payout.id))
    return moved


def _reference(gateway: Gateway, channel: str, payout_id: PayoutId, number: int) -> str:
    return channel_reference(payout_id, number, gateway.channels[channel].traits.reference)


def _numbers(gateway: Gateway, payout: Payout) -> range:
    """Every attempt the payout can have had beyond those on record."""
    return range(len(payout.attempts) + 1, max(gateway.limits.attempts_max, 1) + 1)


def _takers(gateway: Gateway, payout: Payout) -> list[tuple[Channel, int]]:
    """Every channel that could have had the payout, with each instrument it reaches."""
    return [
        (channel, index)
        for channel in gateway.channels.values()
        if channel.traits.terms.currency is payout.amount.currency
        for index, instrument in enumerate(payout.instruments)
        if instrument.rail in channel.traits.rails
    ]


async def _asked(
    gateway: Gateway, payout: Payout, waived: frozenset[str], ahead: int | None
) -> list[Trace] | None:
    """What the channels know of attempts that may be forgotten; None while one cannot tell."""
    turn = asyncio.Semaphore(TOGETHER)
    numbers = _numbers(gateway, payout)[:ahead]

    async def one(number: int, channel: Channel, instrument: int) -> Trace | Absent | Unknown:
        async with turn:
            outcome = await _inquire(gateway, payout, number, channel, instrument)
        if isinstance(outcome, Absent | Unknown):
            return outcome
        return Trace(number, channel.name, instrument, outcome)

    asked = [
        (number, channel, instrument)
        for number in numbers
        for channel, instrument in _takers(gateway, payout)
    ]
    answers = await asyncio.gather(*(one(*question) for question in asked))
    found: dict[tuple[int, str], Trace] = {}
    unknown: set[tuple[int, str]] = set()
    for (number, channel, _), answer in zip(asked, answers, strict=True):
        if isinstance(answer, Trace):
            found.setdefault((number, channel.name), answer)
        elif isinstance(answer, Unknown) and channel.name not in waived:
            unknown.add((number, channel.name))
    # One channel asked with two instruments: the right one finds it, the wrong one cannot tell.
    return None if unknown - found.keys() else list(found.values())


async def _inquire(
    gateway: Gateway, payout: Payout, number: int, channel: Channel, instrument: int
) -> Outcome | Absent:
    question = Inquiry(
        _reference(gateway, channel.name, payout.id, number),
        payout.amount,
        payout.instruments[instrument],
        payout.accepted_at,
    )
    started = perf_counter()
    try:
        outcome = await channel.inquire(question)
    except Exception as error:  # noqa: BLE001 - an adapter's defect is no answer
        gateway.observer.defect("channel.defect", error, channel=channel.name)
        outcome = Unknown(UnknownCause.CRASHED)
    name = type(outcome).__name__.lower()
    gateway.observer.called(channel.name, "inquire", name, perf_counter() - started)
    return Unknown(UnknownCause.CRASHED) if isinstance(outcome, NotSent) else outcome


# --- Statements ----------------------------------------------------------------------------------


async def _on_statements(gateway: Gateway, payout: Payout) -> list[Trace]:
    """Forgotten attempts among the lines of statements that are stored already."""
    traces = []
    for name in {channel.name for channel, _ in _takers(gateway, payout)}:
        numbers = {
            _reference(gateway, name, payout.id, number): number
            for number in _numbers(gateway, payout)
        }
        days = await gateway.store.days_of_references(name, list(numbers))
        for reference, day in days.items():
            lines = await gateway.store.lines(name, day)
            ours = [line for line in lines if line.reference == reference]
            paid = _paid(gateway, payout, numbers[reference], name, ours)
            if paid is not None:
                traces.append(_settled(paid, ours, day))
    return traces


async def recognise(
    gateway: Gateway, channel: Channel, lines: Iterable[StatementLine], known: Iterable[str]
) -> int:
    """Adopt forgotten attempts that a statement shows, before it is matched; returns how many."""
    quarantine = gateway.quarantine
    strange: dict[str, list[StatementLine]] = {}
    for line in lines:
        if line.reference is not None and line.reference not in known:
            strange.setdefault(line.reference, []).append(line)
    if quarantine is None or not strange:
        return 0
    adopted = 0
    after: PayoutId | None = None
    while page := await gateway.store.unfinished(after, PAGE):
        after = page[-1]
        for payout_id in page:
            adopted += await _recognised(gateway, quarantine, channel, payout_id, strange)
    return adopted


async def _recognised(
    gateway: Gateway,
    quarantine: Quarantine,
    channel: Channel,
    payout_id: PayoutId,
    strange: dict[str, list[StatementLine]],
) -> bool:
    rule = channel.traits.reference
    numbers = range(1, gateway.limits.attempts_max + 1)
    hits = [n for n in numbers if channel_reference(payout_id, n, rule) in strange]
    payout = await gateway.store.payout(payout_id) if hits else None
    if payout is None:
        return False
    traces = [
        paid
        for n in hits
        if n > len(payout.attempts)
        and (
            paid := _paid(
                gateway,
                payout,
                n,
                channel.name,
                strange[channel_reference(payout_id, n, rule)],
            )
        )
    ]
    if not traces:
        return False
    try:
        await adopt(gateway, payout, traces, quarantine, Source.STATEMENT)
    except (ConflictingError, StaleError):
        gateway.observer.alarm("quarantine.conflict", payout_id=payout_id)
        return False
    return True


def _paid(
    gateway: Gateway, payout: Payout, number: int, channel: str, lines: Sequence[StatementLine]
) -> Trace | None:
    """The trace of a payment of the right amount among a reference's lines."""
    rails = gateway.channels[channel].traits.rails
    instrument = next((n for n, one in enumerate(payout.instruments) if one.rail in rails), None)
    for line in lines:
        out = line.kind is LineKind.PAYOUT and not line.credit
        if out and line.amount == payout.amount and instrument is not None:
            outcome = Paid(line.channel_ref or line.line_ref, line.booked_at)
            return Trace(number, channel, instrument, outcome, line_ref=line.line_ref)
    return None


def _settled(paid: Trace, lines: Sequence[StatementLine], day: date) -> Trace:
    """The same, with what the day's other lines say of it."""
    fees = [
        -line.amount.minor if line.credit else line.amount.minor
        for line in lines
        if line.kind is LineKind.FEE
    ]
    return Trace(
        paid.number,
        paid.channel,
        paid.instrument,
        paid.outcome,
        day,
        paid.line_ref,
        sum(fees) if fees else None,
    )
