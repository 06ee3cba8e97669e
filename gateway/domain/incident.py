"""Incidents: what a person must look at and release: above all evidence against what was proven.

A late success on a dead attempt also freezes its channel's failover: a channel whose "no" was wrong
once may be wrong again, and every payout that leaves it on its word could be paid twice.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from gateway.domain.floats import KeptBalance, evidence
from gateway.domain.payout import AttemptState, Contradicted, Event, Payout, PayoutId
from gateway.domain.reconciliation import Break, BreakKind

FROZEN = "failover_frozen"
"""Why a payout waits that a frozen channel would otherwise let go: `failover_frozen:<channel>`."""


class IncidentKind(StrEnum):
    """What came to light."""

    LATE_SUCCESS = "late_success"
    """An attempt that was proven dead is paid, or on its way."""
    REGRESS = "regress"
    """A channel takes back its word about an attempt it had paid."""
    STATEMENT_DUPLICATE = "statement_duplicate"
    """A statement shows two payouts under one reference."""
    BANK_DOWN = "bank_down"
    """A beneficiary's bank fails through every channel; it closes by itself when that is back."""
    FLOAT_OFF = "float_off"
    """An institution's balance and our float there disagree; it closes by itself once they agree.
    It stops nothing: what may be sent is decided by our own float."""

    @property
    def freezes(self) -> bool:
        """Whether nothing may leave the channel on its word while this is open."""
        return self is IncidentKind.LATE_SUCCESS


class Incident(Struct, frozen=True):
    """One thing a person must look at. It stays open until somebody releases it."""

    id: str
    kind: IncidentKind
    channel: str
    """Empty where it concerns no single channel."""
    payout_id: PayoutId | None
    attempt: int | None
    evidence: str
    """Where to look: an event of the payout, or a line of a statement. No payee data."""
    opened_at: datetime
    owner: str = "operations"
    released_at: datetime | None = None
    released_by: str | None = None
    note: str | None = None
    """What the one who released it found."""
    bank: str | None = None
    """The beneficiary's bank that it is about."""

    @property
    def is_open(self) -> bool:
        """Whether nobody has released it yet."""
        return self.released_at is None


def frozen_reason(channel: str) -> str:
    """Why a payout waits for a channel's incident to be released."""
    return f"{FROZEN}:{channel}"


def of_event(after: Payout, event: Event, seq: int, incident_id: str) -> Incident | None:
    """The incident that an event of a payout reveals; `after` is the payout it led to."""
    if not isinstance(event, Contradicted) or event.amount_minor < 0:
        # Money of a late success that came back is good news about an incident that is open.
        return None
    attempt = after.attempts[event.number - 1]
    dead = attempt.state is AttemptState.DEAD
    return Incident(
        id=incident_id,
        kind=IncidentKind.LATE_SUCCESS if dead else IncidentKind.REGRESS,
        channel=attempt.channel,
        payout_id=after.id,
        attempt=attempt.number,
        evidence=f"event {seq}: {event.source} says {event.says}",
        opened_at=after.updated_at,
    )


def of_bank(bank: str, channels: tuple[str, ...], at: datetime, incident_id: str) -> Incident:
    """The incident that a bank is which fails through these channels."""
    return Incident(
        id=incident_id,
        kind=IncidentKind.BANK_DOWN,
        channel="",
        payout_id=None,
        attempt=None,
        evidence=f"payouts to {bank} fail through {', '.join(channels) or 'every channel'}",
        opened_at=at,
        bank=bank,
    )


def of_float(kept: KeptBalance, at: datetime, incident_id: str) -> Incident:
    """The incident that a lasting difference between an institution and our books is."""
    return Incident(
        id=incident_id,
        kind=IncidentKind.FLOAT_OFF,
        channel=kept.channel,
        payout_id=None,
        attempt=None,
        evidence=evidence(kept),
        opened_at=at,
    )


def of_break(broken: Break, incident_id: str) -> Incident | None:
    """The incident that a break is, if money may have moved that should not have.

    Money moving for a dead attempt is none of its own: the payout's contradiction, which is booked
    with it, opened or opens one (`of_event`).
    """
    if broken.kind is not BreakKind.DUPLICATE:
        return None
    return Incident(
        id=incident_id,
        kind=IncidentKind.STATEMENT_DUPLICATE,
        channel=broken.channel,
        payout_id=broken.payout_id,
        attempt=None,
        evidence=f"statement {broken.on}, line {broken.line_ref}",
        opened_at=broken.opened_at,
    )
