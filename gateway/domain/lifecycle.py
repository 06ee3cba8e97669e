"""THE transition table, and `apply`, the only function that moves a payout.

The table is data: the API's enum, the CHECK constraints, the diagram in the README and the test
matrix are made from it. An event without an edge raises; it is never ignored.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from gateway.domain.payout import (
    Accepted,
    Adopted,
    Armed,
    Attempt,
    AttemptState,
    CameBack,
    Cancelled,
    Confirmed,
    Contradicted,
    Died,
    Doubted,
    Event,
    Failed,
    FeeCorrected,
    Held,
    Parked,
    Payout,
    PayoutState,
    Pended,
    Released,
    Resent,
    Settled,
    Unparked,
)

P = PayoutState
A = AttemptState

PAYOUT_EDGES: Mapping[tuple[PayoutState, type[Event]], PayoutState] = {
    (P.HELD, Released): P.ROUTING,
    (P.HELD, Cancelled): P.CANCELLED,
    (P.HELD, Failed): P.FAILED,
    (P.SCHEDULED, Released): P.ROUTING,
    (P.SCHEDULED, Held): P.HELD,
    (P.SCHEDULED, Cancelled): P.CANCELLED,
    (P.ROUTING, Held): P.HELD,
    (P.ROUTING, Cancelled): P.CANCELLED,
    (P.ROUTING, Failed): P.FAILED,
    (P.ROUTING, Armed): P.ATTEMPTING,
    # After a restore: the record had forgotten that it had given the payout to a channel.
    (P.HELD, Adopted): P.ATTEMPTING,
    (P.SCHEDULED, Adopted): P.ATTEMPTING,
    (P.ROUTING, Adopted): P.ATTEMPTING,
    (P.ATTEMPTING, Resent): P.ATTEMPTING,
    (P.ATTEMPTING, Pended): P.ATTEMPTING,
    (P.ATTEMPTING, Doubted): P.ATTEMPTING,
    (P.ATTEMPTING, Died): P.ROUTING,
    (P.ATTEMPTING, Confirmed): P.PAID,
    (P.ATTEMPTING, Parked): P.PARKED,
    (P.PARKED, Resent): P.PARKED,
    (P.PARKED, Pended): P.PARKED,
    (P.PARKED, Doubted): P.PARKED,
    (P.PARKED, Died): P.ROUTING,
    (P.PARKED, Confirmed): P.PAID,
    (P.PARKED, Unparked): P.ATTEMPTING,
    (P.PAID, CameBack): P.RETURNED,
    (P.PAID, Settled): P.SETTLED,
    (P.SETTLED, CameBack): P.RETURNED,
    # It came back before the statement of the day it went out had been read.
    (P.RETURNED, Settled): P.RETURNED,
    # Late evidence never rewrites: the state stays, the event and the suspense posting remain.
    (P.HELD, Contradicted): P.HELD,
    (P.ROUTING, Contradicted): P.HELD,
    (P.ATTEMPTING, Contradicted): P.ATTEMPTING,
    (P.PARKED, Contradicted): P.PARKED,
    (P.PAID, Contradicted): P.PAID,
    (P.SETTLED, Contradicted): P.SETTLED,
    (P.RETURNED, Contradicted): P.RETURNED,
    (P.FAILED, Contradicted): P.FAILED,
    (P.CANCELLED, Contradicted): P.CANCELLED,
    # Fees come late, for what was paid and for what was paid against the proof.
    **{(state, FeeCorrected): state for state in P if state is not P.SCHEDULED},
}

ATTEMPT_EDGES: Mapping[tuple[AttemptState, type[Event]], AttemptState] = {
    (A.ARMED, Pended): A.PENDING,
    (A.ARMED, Doubted): A.IN_DOUBT,
    (A.ARMED, Confirmed): A.CONFIRMED,
    (A.ARMED, Died): A.DEAD,
    (A.PENDING, Pended): A.PENDING,
    (A.PENDING, Doubted): A.PENDING,
    (A.PENDING, Confirmed): A.CONFIRMED,
    (A.PENDING, Died): A.DEAD,
    (A.IN_DOUBT, Resent): A.ARMED,
    (A.IN_DOUBT, Pended): A.PENDING,
    (A.IN_DOUBT, Doubted): A.IN_DOUBT,
    (A.IN_DOUBT, Confirmed): A.CONFIRMED,
    (A.IN_DOUBT, Died): A.DEAD,
    (A.CONFIRMED, CameBack): A.RETURNED,
    (A.CONFIRMED, Settled): A.CONFIRMED,
    (A.RETURNED, Settled): A.RETURNED,
    (A.CONFIRMED, Contradicted): A.CONFIRMED,
    (A.DEAD, Contradicted): A.DEAD,
    (A.RETURNED, Contradicted): A.RETURNED,
    (A.CONFIRMED, FeeCorrected): A.CONFIRMED,
    (A.RETURNED, FeeCorrected): A.RETURNED,
    (A.DEAD, FeeCorrected): A.DEAD,
}

_NONE = frozenset({None}), "with a live attempt"
_OPEN = frozenset({A.ARMED, A.PENDING, A.IN_DOUBT}), "without an open attempt"
_CONFIRMED = frozenset({A.CONFIRMED}), "without a confirmed attempt"
LIVE_ATTEMPT: Mapping[PayoutState, tuple[frozenset[AttemptState | None], str]] = {
    P.HELD: _NONE,
    P.SCHEDULED: _NONE,
    P.ROUTING: _NONE,
    P.ATTEMPTING: _OPEN,
    P.PARKED: _OPEN,
    P.PAID: _CONFIRMED,
    P.SETTLED: _CONFIRMED,
    P.RETURNED: (frozenset({A.RETURNED}), "without a returned attempt"),
    P.FAILED: _NONE,
    P.CANCELLED: _NONE,
}
"""What its live attempt is like in each state of a payout, None where it has none; and what a
payout that is otherwise is called."""

INITIAL_STATES = frozenset({P.HELD, P.SCHEDULED, P.ROUTING})


class TransitionError(Exception):
    """A defect, not a caller's mistake: the event has no edge from the present state."""


def apply(payout: Payout, event: Event, at: datetime) -> Payout:
    """Move the payout by one event: next state, next version, the attempt it concerns.

    Holds before and after: at most one attempt is live. Raises `TransitionError` when the table
    has no edge, or when the event names an attempt that is not the one it could concern.
    `due_at` is left as it was: when to look next is the engine's affair.
    """
    if isinstance(event, Accepted):
        raise TransitionError(f"{payout.id}: accepted twice")
    edge = PAYOUT_EDGES.get((payout.state, type(event)))
    if edge is None:
        raise TransitionError(f"{payout.id}: {event.kind} has no edge from {payout.state}")
    attempts, reason, owner = payout.attempts, payout.reason, payout.owner
    match event:
        case Armed(attempt=attempt) | Adopted(attempt=attempt):
            if payout.live is not None or attempt.number != len(payout.attempts) + 1:
                raise TransitionError(f"{payout.id}: attempt {attempt.number} would be a second")
            if attempt.state is not A.ARMED:
                raise TransitionError(f"{payout.id}: a new attempt starts armed")
            attempts, reason, owner = (*attempts, attempt), None, None
        case Held(reason=why, owner=who) | Parked(reason=why, owner=who):
            reason, owner = why, who
        case Cancelled(reason=why) | Failed(reason=why):
            reason = why
        case Released() | Unparked():
            reason = owner = None
            attempts = tuple(_looked_at(attempt, at) for attempt in attempts)
        case _:
            attempts = tuple(
                _move(attempt, event, at) if attempt.number == event.number else attempt
                for attempt in attempts
            )
            if not any(attempt.number == event.number for attempt in attempts):
                raise TransitionError(f"{payout.id}: there is no attempt {event.number}")
            if isinstance(event, Confirmed | Died):
                reason = owner = None
            if isinstance(event, Contradicted) and edge is P.HELD:
                reason, owner = f"contradiction: {event.says}", "operations"
    moved = replace(
        payout,
        state=edge,
        version=payout.version + 1,
        updated_at=at,
        attempts=attempts,
        reason=reason,
        owner=owner,
    )
    check(moved)
    return moved


def _looked_at(attempt: Attempt, at: datetime) -> Attempt:
    """A person has looked: how long a live attempt may stay open counts from now."""
    doubted = attempt.state is A.PENDING or (
        attempt.state.is_live and attempt.doubted_at is not None
    )
    return replace(attempt, doubted_at=at) if doubted else attempt


AttemptEvent = (
    Resent | Pended | Doubted | Confirmed | Died | CameBack | Settled | Contradicted | FeeCorrected
)


def _move(attempt: Attempt, event: AttemptEvent, at: datetime) -> Attempt:
    state = ATTEMPT_EDGES.get((attempt.state, type(event)))
    if state is None:
        raise TransitionError(
            f"attempt {attempt.reference}: {event.kind} has no edge from {attempt.state}"
        )
    asked = attempt.inquiries + (getattr(event, "source", None) == "inquiry")
    attempt = replace(attempt, state=state, inquiries=asked)
    match event:
        case Resent(digest=digest, signed_at=signed_at, not_after=not_after):
            return replace(
                attempt,
                digest=digest,
                signed_at=signed_at,
                # Either send may still be taken in: the later end counts.
                not_after=max(filter(None, (attempt.not_after, not_after)), default=None),
                sends=attempt.sends + 1,
                absences=0,
                absent_at=(),
                # A rejection of a later send says nothing about the first one.
                refusal=None,
            )
        case Pended(channel_ref=ref, stage=stage, action=action):
            return replace(
                attempt,
                channel_ref=ref or attempt.channel_ref,
                stage=stage,
                action=action or attempt.action,
                absences=0,
                absent_at=(),
                # The channel has it after all: a later "not found" completes no refusal.
                refusal=None,
            )
        case Doubted(refusal=refusal, absent=absent, absent_at=absent_at):
            counted = (*attempt.absent_at, absent_at) if absent_at else attempt.absent_at
            return replace(
                attempt,
                refusal=refusal or attempt.refusal,
                absences=attempt.absences + 1 if absent else 0,
                absent_at=counted if absent else (),
                doubted_at=attempt.doubted_at or at,
            )
        case Confirmed(channel_ref=ref, paid_at=paid_at, fee_minor=fee):
            return replace(attempt, channel_ref=ref, paid_at=paid_at, fee_minor=fee, action=None)
        case Died(certificate=certificate):
            return replace(attempt, certificate=certificate, action=None)
        case CameBack(returned_at=returned_at):
            return replace(attempt, returned_at=returned_at)
        case Settled(on=on, fee_minor=fee):
            return replace(
                attempt,
                settled_on=on,
                fee_minor=attempt.fee_minor if fee is None else fee,
            )
        case Contradicted(says=says, fee_minor=fee):
            return replace(
                attempt,
                contradictions=(*attempt.contradictions, says),
                fee_minor=attempt.fee_minor if fee is None else fee,
            )
        case FeeCorrected(fee_minor=fee):
            return replace(attempt, fee_minor=fee)
        case _:
            assert_never(event)


def check(payout: Payout) -> None:
    """Assert what must hold between any two events (reliability.md §3, I1, I2, I8)."""
    live: AttemptState | None = None
    for attempt in payout.attempts:
        if (attempt.state is A.DEAD) != (attempt.certificate is not None):
            raise TransitionError(
                f"{payout.id}: a dead attempt without certificate, or a certificate on a live one"
            )
        if attempt.state.is_live:
            if live is not None:
                raise TransitionError(f"{payout.id}: two live attempts")
            live = attempt.state
    fitting, without = LIVE_ATTEMPT[payout.state]
    if live not in fitting:
        raise TransitionError(f"{payout.id}: {payout.state} {without}")
