"""From what a channel answered to the event it justifies: where "failed" is decided, and only here.

The long thought: an answer proves something about *one send*, a certificate must prove something
about *every send of the attempt*. A verified rejection of the only send is proof (C1); the same
words after a second send say nothing about the first. A verified failed state found by our
reference is proof whatever was sent (C2). "Not found" proves nothing by itself: the first bytes
may still be travelling; it only completes a definite rejection that asked for a look (C1 again).
A send that provably never left is proof while it is the only one (C3). All else is doubt.
"""

from datetime import datetime
from typing import assert_never

from channels.contract import (
    Absent,
    NotSent,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
)
from gateway.domain.payout import (
    Attempt,
    AttemptState,
    CameBack,
    Certificate,
    CertificateKind,
    Confirmed,
    Contradicted,
    Died,
    Doubted,
    Event,
    Payout,
    Pended,
    Refusal,
    Source,
)


def events_of(
    payout: Payout, attempt: Attempt, outcome: Outcome | Absent, source: Source, at: datetime
) -> tuple[Event, ...]:
    """Every event an answer about `attempt` justifies, in order; empty when it adds nothing.

    `source` is SEND only for the answer to the attempt's latest send, by the process that made it.
    """
    if attempt.state is AttemptState.DEAD:
        return _about_the_dead(payout, attempt, outcome, source)
    if attempt.state in {AttemptState.CONFIRMED, AttemptState.RETURNED}:
        return _about_the_paid(payout, attempt, outcome, source)
    match outcome:
        case Paid(channel_ref=ref, at=paid_at, fee=fee):
            return (Confirmed(attempt.number, source, ref, paid_at, fee.minor if fee else None),)
        case Returned(channel_ref=ref, at=returned_at, amount=amount, reason=reason):
            return (
                Confirmed(attempt.number, source, ref or attempt.channel_ref or "", returned_at),
                CameBack(attempt.number, source, amount.minor, returned_at, reason),
            )
        case Pending(channel_ref=ref, stage=stage, action=action):
            return (Pended(attempt.number, source, ref, stage, action),)
        case Rejected():
            return (_rejected(attempt, outcome, source, at),)
        case NotSent(cause=cause, detail=detail):
            if source is Source.SEND and attempt.sends == 1:
                return (
                    _died(
                        attempt,
                        source,
                        CertificateKind.NEVER_LEFT,
                        Reason.NEVER_SENT,
                        cause,
                        detail,
                        at,
                    ),
                )
            return (Doubted(attempt.number, source, f"not_sent:{cause}"),)
        case Absent():
            if attempt.refusal is not None and attempt.sends == 1:
                no = attempt.refusal
                return (
                    _died(
                        attempt,
                        source,
                        CertificateKind.DEFINITE_REJECT,
                        no.reason,
                        no.code,
                        no.message,
                        at,
                    ),
                )
            return (Doubted(attempt.number, source, "absent", absent=True),)
        case Unknown(cause=cause):
            return (Doubted(attempt.number, source, cause),)
        case _:
            assert_never(outcome)


def _rejected(attempt: Attempt, no: Rejected, source: Source, at: datetime) -> Event:
    if source is not Source.SEND:
        return _died(
            attempt, source, CertificateKind.TERMINAL_INQUIRY, no.reason, no.code, no.message, at
        )
    if attempt.sends > 1:
        return Doubted(attempt.number, source, f"resend_rejected:{no.code}")
    if no.confirm:
        return Doubted(
            attempt.number, source, f"rejected:{no.code}", Refusal(no.reason, no.code, no.message)
        )
    return _died(
        attempt, source, CertificateKind.DEFINITE_REJECT, no.reason, no.code, no.message, at
    )


def _died(
    attempt: Attempt,
    source: Source,
    kind: CertificateKind,
    reason: Reason,
    code: str,
    message: str,
    at: datetime,
) -> Died:
    return Died(attempt.number, source, Certificate(kind, reason, code, message, at))


def _about_the_dead(
    payout: Payout, attempt: Attempt, outcome: Outcome | Absent, source: Source
) -> tuple[Event, ...]:
    match outcome:
        case Paid():
            return (Contradicted(attempt.number, source, "paid", payout.amount.minor),)
        case Pending(stage=stage):
            return (Contradicted(attempt.number, source, f"pending:{stage}", 0),)
        case _:
            # A return after a payment we never saw nets to nothing; the statement shows both.
            return ()


def _about_the_paid(
    payout: Payout, attempt: Attempt, outcome: Outcome | Absent, source: Source
) -> tuple[Event, ...]:
    match outcome:
        case Returned(at=returned_at, amount=amount, reason=reason):
            if attempt.state is AttemptState.RETURNED:
                return ()
            if amount.currency is not payout.amount.currency or amount.minor > payout.amount.minor:
                return (Contradicted(attempt.number, source, f"returned:{amount.minor}", 0),)
            return (CameBack(attempt.number, source, amount.minor, returned_at, reason),)
        case Rejected(code=code):
            return (Contradicted(attempt.number, source, f"rejected:{code}", 0),)
        case _:
            return ()
