"""Bring one payout of a restored database up to date, before anything of it is sent.

Its open attempt is asked about, and so are those it may have had; what is found becomes part of the
record in one commit (`domain.rebuild`). A payout that was accepted and lost comes back when its
merchant asks for it again, under the same references; for a while after a quarantine, therefore,
new payouts are looked up before they are first armed.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from channels.contract import (
    Absent,
    Channel,
    Outcome,
    Paid,
    Pending,
    Returned,
    StatementLine,
    Unknown,
    UnknownCause,
)
from gateway.domain.payout import Payout, PayoutId, PayoutState, Source, channel_reference
from gateway.domain.rebuild import UNFINISHED, ConflictingError, Trace, missing_events, paid_trace
from gateway.engine.dispatch import STOPPED_FOR, dispatch, settle
from gateway.engine.gateway import Gateway, Told
from gateway.engine.inquire import ask
from gateway.engine.record import move
from gateway.engine.traces import asked_channels, on_statements, reference_of
from gateway.ports import Quarantine, StaleError

WATCH = timedelta(days=7)
"""How long after a quarantine new payouts are still looked up before they are armed."""
AHEAD_LATER = 3
"""How many references of such a payout channels are asked about; statements show the others."""
LAG = timedelta(minutes=10)
"""A channel may take so long to show what it was given; "not found" counts only after that."""
PAGE = 200


async def arm(gateway: Gateway, payout: Payout) -> Payout:
    """`dispatch`, after a look for attempts that a restore may have made the record forget."""
    quarantine = gateway.quarantine
    if (
        gateway.stopped() is None
        and quarantine is not None
        and is_watched(gateway, payout)
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


def is_watched(gateway: Gateway, payout: Payout) -> bool:
    """Whether it may be one that a restore has made the record forget."""
    quarantine = gateway.quarantine
    return (
        quarantine is not None
        and quarantine.ended_at is not None
        and payout.accepted_at < quarantine.ended_at + WATCH
    )


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
    if payout is None or payout.state not in UNFINISHED:
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
    traces = await on_statements(gateway, payout)
    if not traces:
        asked = await asked_channels(gateway, payout, waived, ahead)
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
        lambda channel, number: reference_of(gateway, channel, payout.id, number),
        source,
        quarantine.backup_at,
        now,
    )
    moved = await move(gateway, payout, events, actor="restore")
    for trace in traces:
        gateway.observer.alarm("attempt.adopted", payout_id=payout.id, channel=trace.channel)
    gateway.wake(Told(payout.id))
    return moved


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
            paid := paid_trace(
                payout,
                n,
                channel.name,
                channel.traits.rails,
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
