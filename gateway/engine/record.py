"""The one way a payout moves: events applied, postings derived, one guarded commit, then told."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from channels.contract import Evidence
from gateway.domain.incident import Incident, of_event
from gateway.domain.ledger import posting
from gateway.domain.lifecycle import apply
from gateway.domain.pace import next_inquiry
from gateway.domain.payout import (
    Contradicted,
    Doubted,
    Event,
    Payout,
    PayoutState,
    Pended,
    sortable_id,
)
from gateway.domain.proposal import Approval
from gateway.engine.gateway import Gateway
from gateway.ports import Change


async def move(
    gateway: Gateway,
    payout: Payout,
    events: Sequence[Event],
    *,
    actor: str,
    decision: bytes | None = None,
    evidence: Evidence | None = None,
    due_at: datetime | None = None,
    approval: Approval | None = None,
) -> Payout:
    """Apply events to a payout and commit the lot; returns the payout as stored.

    Raises what `PayoutStore.record` raises, and `TransitionError` for a defect; then nothing
    happened. `due_at` overrides when the worker looks next. What an event reveals is opened as an
    incident in the same commit.
    """
    change = change_of(
        gateway,
        payout,
        events,
        actor=actor,
        decision=decision,
        evidence=evidence,
        due_at=due_at,
        approval=approval,
    )
    await gateway.store.record(change)
    moved(gateway, change)
    return change.after


def change_of(
    gateway: Gateway,
    payout: Payout,
    events: Sequence[Event],
    *,
    actor: str,
    decision: bytes | None = None,
    evidence: Evidence | None = None,
    due_at: datetime | None = None,
    approval: Approval | None = None,
) -> Change:
    """What `move` would commit, and nothing more. Raises `TransitionError` for a defect."""
    now = gateway.clock.now()
    after, postings, incidents = payout, [], []
    for event in events:
        before, after = after, apply(after, event, now)
        postings.append(posting(before, after, event))
        if isinstance(event, Contradicted):
            incidents.append(of_event(after, event, after.version, incident_id(gateway)))
    after = due(gateway, after, now, due_at)
    return Change(
        before=payout,
        after=after,
        events=tuple(events),
        postings=tuple(postings),
        actor=actor,
        decision=decision,
        evidence=evidence,
        incidents=tuple(filter(None, incidents)),
        approval=approval,
    )


def moved(gateway: Gateway, change: Change) -> None:
    """Let everybody here know of a change that is committed."""
    gateway.load.moved(change)
    gateway.following.moved(change)
    if change.after.state is not PayoutState.ROUTING:
        # It has gone on, or is at its end.
        gateway.waiting.leave(change.after.id)
        gateway.short.leave(change.after.id)
    gateway.observer.moved(change)
    for incident in change.incidents:
        tell(gateway, incident)


def incident_id(gateway: Gateway) -> str:
    """A fresh id that sorts by time."""
    return sortable_id("in_", gateway.clock.now(), gateway.entropy.bytes(10))


def tell(gateway: Gateway, incident: Incident) -> None:
    """Raise the alarm about an incident that is stored."""
    gateway.observer.alarm(
        "incident.opened",
        incident_id=incident.id,
        kind=incident.kind,
        channel=incident.channel,
        payout_id=incident.payout_id,
    )
    if incident.kind.freezes:
        gateway.load.frozen = {incident.channel: incident.id, **gateway.load.frozen}


def due(gateway: Gateway, payout: Payout, now: datetime, asked: datetime | None) -> Payout:
    """Set when the worker looks next: at once for routing, at the channel's pace for doubt."""
    match payout.state:
        case PayoutState.ROUTING:
            at: datetime | None = asked or now
        case PayoutState.SCHEDULED:
            at = payout.release_at
        case PayoutState.ATTEMPTING | PayoutState.PARKED:
            live = payout.live
            channel = gateway.channels.get(live.channel) if live else None
            if asked is None and live is not None and channel is not None:
                asked = next_inquiry(payout, live, channel.traits, now)
            at = asked or now + gateway.limits.send_grace
        case _:
            at = None
    return replace(payout, due_at=at)


def is_news(payout: Payout, event: Event) -> bool:
    """Whether an answer tells more than is known; repeated "still pending" is not an event."""
    if isinstance(event, Pended):
        attempt = payout.attempts[event.number - 1]
        return (
            attempt.state != "pending"
            or attempt.absences > 0
            or (event.channel_ref or attempt.channel_ref) != attempt.channel_ref
            or event.stage != attempt.stage
        )
    if isinstance(event, Doubted):
        attempt = payout.attempts[event.number - 1]
        return (
            attempt.state == "armed"
            or (event.absent and attempt.absences < 2)
            or event.absent_at is not None
            or (not event.absent and attempt.absences > 0)
            or (event.refusal is not None and attempt.refusal is None)
        )
    return True
