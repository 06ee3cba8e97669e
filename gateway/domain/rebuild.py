"""From what channels know to the events a restored record is missing: pure.

After a restore, attempts that were armed since the backup are found at their channels by their
references, which derive from the payout alone. Each becomes `Adopted` and then whatever its outcome
proves. An attempt that left no trace but has a later one is dead: none is ever armed before the one
before it is proven dead (I2). What does not fit that rule is a `ConflictingError`, for a person.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, timedelta, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from channels.contract import LineKind, Outcome, Paid, Rail, Reason, StatementLine
from gateway.domain.certify import after_death, events_of
from gateway.domain.lifecycle import apply
from gateway.domain.payout import (
    Adopted,
    Attempt,
    AttemptState,
    Certificate,
    CertificateKind,
    Died,
    Event,
    Payout,
    PayoutState,
    Settled,
    Source,
)

UNFINISHED = frozenset(
    {
        PayoutState.HELD,
        PayoutState.SCHEDULED,
        PayoutState.ROUTING,
        PayoutState.ATTEMPTING,
        PayoutState.PARKED,
    }
)
"""States in which more may have happened than a restored record tells."""


class ConflictingError(Exception):
    """The traces cannot all be of one payout that was handled by the rules; a person must look."""


class Trace(Struct, frozen=True):
    """What a channel says about a reference that the restored record does not know."""

    number: int
    channel: str
    instrument: int
    outcome: Outcome
    settled_on: date | None = None
    """The day on whose statement it was found, if that is where."""
    line_ref: str = ""
    fee_minor: int | None = None


def missing_events(
    payout: Payout,
    traces: Sequence[Trace],
    reference_of: Callable[[str, int], str],
    source: Source,
    since: datetime,
    at: datetime,
) -> tuple[Payout, tuple[Event, ...]]:
    """The payout as the traces prove it to be, and the events that lead there.

    `since` is the earliest moment at which an adopted attempt can have been armed: windows count
    from there. Raises `ConflictingError`; traces of attempts that are known are a defect.
    """
    events: list[Event] = []
    armed_at = max(since, payout.accepted_at)

    def happen(*more: Event) -> None:
        nonlocal payout
        for event in more:
            payout = apply(payout, event, at)
            events.append(event)

    def adopt(number: int, trace: Trace) -> Attempt:
        attempt = Attempt(
            number=number,
            channel=trace.channel,
            reference=reference_of(trace.channel, number),
            instrument=trace.instrument,
            state=AttemptState.ARMED,
            digest="",
            armed_at=armed_at,
            signed_at=armed_at,
            not_after=None,
            # What was reserved is forgotten; the charge is booked when the channel tells it.
            quoted_fee_minor=0,
            arrival_at=None,
        )
        happen(Adopted(attempt, source))
        return attempt

    def outlived(number: int) -> tuple[Event, ...]:
        message = "a later attempt of this payout exists; the record of this one's end was lost"
        proof = Certificate(CertificateKind.OUTLIVED, Reason.NEVER_SENT, "outlived", message, at)
        return after_death(payout, (Died(number, source, proof),))

    for trace in sorted(traces, key=lambda one: one.number):
        live = payout.live
        if live is not None:
            if live.state not in {AttemptState.ARMED, AttemptState.IN_DOUBT}:
                raise ConflictingError(
                    f"attempt {live.number} is {live.state}, "
                    f"and attempt {trace.number} exists at {trace.channel}"
                )
            happen(*outlived(live.number))
        if trace.number <= len(payout.attempts):
            raise ConflictingError(f"two channels know attempt {trace.number}")
        for number in range(len(payout.attempts) + 1, trace.number):
            adopt(number, trace)
            happen(*outlived(number))
        adopted = adopt(trace.number, trace)
        happen(*events_of(payout, adopted, trace.outcome, source, at))
        if trace.settled_on is not None:
            happen(Settled(trace.number, trace.settled_on, trace.line_ref, trace.fee_minor))
    return payout, tuple(events)


def forgotten_days(backup_at: datetime, restored_at: datetime, zone: tzinfo) -> Sequence[date]:
    """The business days that may be forgotten: backup to restore, both included."""
    first = backup_at.astimezone(zone).date()
    last = max(first, restored_at.astimezone(zone).date())
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def paid_trace(
    payout: Payout,
    number: int,
    channel: str,
    rails: Collection[Rail],
    lines: Sequence[StatementLine],
) -> Trace | None:
    """The trace of a payment of the right amount among a reference's lines."""
    instrument = next((n for n, one in enumerate(payout.instruments) if one.rail in rails), None)
    for line in lines:
        out = line.kind is LineKind.PAYOUT and not line.credit
        if out and line.amount == payout.amount and instrument is not None:
            outcome = Paid(line.channel_ref or line.line_ref, line.booked_at)
            return Trace(number, channel, instrument, outcome, line_ref=line.line_ref)
    return None


def settled_trace(paid: Trace, lines: Sequence[StatementLine], day: date) -> Trace:
    """The same, with what the day's other lines say of it."""
    fees = [
        -line.amount.minor if line.credit else line.amount.minor
        for line in lines
        if line.kind is LineKind.FEE
    ]
    return replace(paid, settled_on=day, fee_minor=sum(fees) if fees else None)
