"""From what a channel answered to the event it justifies: where "failed" is decided, and only here.

The long thought: an answer proves something about *one send*, a certificate must prove something
about *every send of the attempt*. A verified rejection of the only send is proof (C1); the same
words after a second send say nothing about the first. A verified failed state found by our
reference is proof whatever was sent (C2). "Not found" proves nothing by itself: the first bytes
may still be travelling; twice, and far enough apart, it completes a definite rejection that asked
for a look (C1 again), unless anything says that the order exists.
A send that provably never left is proof while it is the only one (C3).

Silence becomes proof only where the channel's profile says so: when the instruction has expired by
construction and final history lacks it (C4), when "not found" is repeated after the last moment at
which anything could still happen (C5), when complete statements of all those days lack it (C6).
Two people may certify what no machine can (C7). All else is doubt.
"""

from datetime import datetime
from typing import assert_never

from channels.contract import (
    Absent,
    History,
    NotSent,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
)
from channels.money import Money
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
    Held,
    Parked,
    Payout,
    PayoutState,
    Pended,
    Refusal,
    Source,
)
from gateway.domain.silence import (
    Asked,
    Statements,
    canary_sang,
    completes_refusal,
    counted,
    is_on_none,
    may_prove,
    statement_days,
)

CHANNELS_WORD = frozenset(
    {
        CertificateKind.DEFINITE_REJECT,
        CertificateKind.TERMINAL_INQUIRY,
        CertificateKind.ABSENT_AFTER_WINDOW,
        CertificateKind.ABSENT_FROM_STATEMENT,
    }
)
"""Certificates that rest on what the channel says or does not say."""


def events_of(
    payout: Payout,
    attempt: Attempt,
    outcome: Outcome | Absent,
    source: Source,
    at: datetime,
    asked: Asked | None = None,
) -> tuple[Event, ...]:
    """Every event an answer about `attempt` justifies, in order; empty when it adds nothing.

    `source` is SEND only for the answer to the attempt's latest send, by the process that made it.
    Without `asked` the channel counts as sticky: silence proves nothing.
    """
    return after_death(payout, _judged(payout, attempt, outcome, source, at, asked))


def unseen(
    payout: Payout, attempt: Attempt, statements: Statements, at: datetime
) -> tuple[Event, ...]:
    """C6, if complete statements of every day that matters lack the attempt; else nothing."""
    if not is_on_none(attempt, statements):
        return ()
    days = statement_days(attempt, statements.profile, statements.zone)
    proof = Certificate(
        CertificateKind.ABSENT_FROM_STATEMENT,
        Reason.NEVER_ARRIVED,
        "absent_from_statements",
        f"no line on the complete statements of {days[0]} to {days[-1]}",
        at,
    )
    return after_death(payout, (Died(attempt.number, Source.STATEMENT, proof),))


def withheld(payout: Payout, events: tuple[Event, ...], reason: str) -> tuple[Event, ...]:
    """What is left of events while the channel's failover is frozen: its word kills nothing.

    The attempt stays in doubt, its payout is parked with `reason`, and what the channel said is
    asked for again once a person has released the incident. A rejection of the only send cannot be
    asked for: it is kept as a refusal, which later looks complete.
    """
    for event in events:
        if isinstance(event, Died) and event.certificate.kind in CHANNELS_WORD:
            break
    else:
        return events
    proof, source = event.certificate, event.source
    of_send = proof.kind is CertificateKind.DEFINITE_REJECT and source is Source.SEND
    no = Refusal(proof.reason, proof.code, proof.message) if of_send else None
    doubted = Doubted(event.number, source, f"frozen:{proof.kind}", no)
    if payout.state is PayoutState.ATTEMPTING:
        return (doubted, Parked(reason))
    return (doubted,)


def after_death(payout: Payout, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The same events, and a hold if one of them would free a payout that is contradicted."""
    said = [word for one in payout.attempts for word in one.contradictions]
    if said and any(isinstance(event, Died) for event in events):
        return (*events, Held(f"contradiction: {said[-1]}"))
    return events


def _judged(
    payout: Payout,
    attempt: Attempt,
    outcome: Outcome | Absent,
    source: Source,
    at: datetime,
    asked: Asked | None,
) -> tuple[Event, ...]:
    if attempt.state is AttemptState.DEAD:
        return _about_the_dead(payout, attempt, outcome, source)
    if attempt.state in {AttemptState.CONFIRMED, AttemptState.RETURNED}:
        return _about_the_paid(payout, attempt, outcome, source)
    match outcome:
        case Paid(channel_ref=ref, at=paid_at):
            charged = _named_fee(payout, outcome)
            return (Confirmed(attempt.number, source, ref, paid_at, charged),)
        case Returned():
            return _returned_unseen(payout, attempt, outcome, source)
        case Pending(channel_ref=ref, stage=stage, action=action):
            return (Pended(attempt.number, source, ref, stage, action),)
        case Rejected():
            return (_rejected(attempt, outcome, source, at),)
        case NotSent(cause=cause, detail=detail):
            if source is Source.SEND and attempt.sends == 1 and not _is_there(attempt):
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
        case Absent(history=history):
            return (_absent(attempt, history, source, at, asked),)
        case Unknown(cause=cause):
            return (Doubted(attempt.number, source, cause),)
        case _:
            assert_never(outcome)


def _rejected(attempt: Attempt, no: Rejected, source: Source, at: datetime) -> Event:
    if source is not Source.SEND:
        return _died(
            attempt, source, CertificateKind.TERMINAL_INQUIRY, no.reason, no.code, no.message, at
        )
    if _is_there(attempt):
        return Doubted(attempt.number, source, f"rejected_while_pending:{no.code}")
    if attempt.sends > 1:
        return Doubted(attempt.number, source, f"resend_rejected:{no.code}")
    if no.confirm:
        # An order that the refusal itself names exists: only its failed state is proof (C2).
        kept = None if no.channel_ref else Refusal(no.reason, no.code, no.message)
        return Doubted(attempt.number, source, f"rejected:{no.code}", kept)
    return _died(
        attempt, source, CertificateKind.DEFINITE_REJECT, no.reason, no.code, no.message, at
    )


def _absent(
    attempt: Attempt, history: History | None, source: Source, at: datetime, asked: Asked | None
) -> Event:
    """Judge a verified "not found"."""
    never = Reason.NEVER_ARRIVED
    if asked is None:
        return Doubted(attempt.number, source, "absent", absent=True)
    no = attempt.refusal
    if no is not None and completes_refusal(attempt, asked):
        kind = CertificateKind.DEFINITE_REJECT
        return _died(attempt, source, kind, no.reason, no.code, no.message, at)
    if history is not None and _has_expired(attempt, history, asked):
        said = f"history is final to {history.final_at.isoformat()}, say {history.nodes} nodes"
        return _died(attempt, source, CertificateKind.EXPIRED, never, "expired", said, at)
    if may_prove(attempt, asked) and canary_sang(asked):
        said = f"not found {len(counted(attempt, asked))} times, last at {asked.at.isoformat()}"
        kind = CertificateKind.ABSENT_AFTER_WINDOW
        return _died(attempt, source, kind, never, "not_found", said, at)
    fresh = counted(attempt, asked) != attempt.absent_at
    counts_at = asked.at if fresh else None
    return Doubted(attempt.number, source, "absent", absent=True, absent_at=counts_at)


def _has_expired(attempt: Attempt, history: History, asked: Asked) -> bool:
    """C4: final, complete history past the instruction's own end, and several nodes agree."""
    expiry = asked.profile.expiry
    return (
        expiry is not None
        and attempt.not_after is not None
        and history.nodes >= max(expiry.nodes_min, 2)
        and history.final_at >= attempt.not_after
    )


def _returned_unseen(
    payout: Payout, attempt: Attempt, back: Returned, source: Source
) -> tuple[Event, ...]:
    """A return of a payment nobody had told us of: both are booked, if the amount can be ours."""
    if not _is_ours(payout, back.amount):
        return (Doubted(attempt.number, source, f"returned:{back.amount.minor}"),)
    ref = back.channel_ref or attempt.channel_ref or ""
    return (
        Confirmed(attempt.number, source, ref, back.at),
        CameBack(attempt.number, source, back.amount.minor, back.at, back.reason),
    )


def _is_there(attempt: Attempt) -> bool:
    """Whether an inquiry has already found the instruction at the channel."""
    return attempt.state is AttemptState.PENDING


def _is_ours(payout: Payout, amount: Money) -> bool:
    """Whether so much can have come back of this payout."""
    return amount.currency is payout.amount.currency and 0 < amount.minor <= payout.amount.minor


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
            return _once(attempt, source, "paid", payout.amount.minor, _named_fee(payout, outcome))
        case Pending(stage=stage):
            return _once(attempt, source, f"pending:{stage}", 0)
        case Returned(amount=amount) if "paid" in attempt.contradictions and _is_ours(
            payout, amount
        ):
            return _once(attempt, source, "returned", -amount.minor)
        case _:
            # A return after a payment we never saw nets to nothing; the statement shows both.
            return ()


def _named_fee(payout: Payout, paid: Paid) -> int | None:
    """The fee that the channel names, if it is in the payout's currency."""
    fee = paid.fee
    return fee.minor if fee is not None and fee.currency is payout.amount.currency else None


def _once(
    attempt: Attempt,
    source: Source,
    says: str,
    amount_minor: int,
    fee_minor: int | None = None,
) -> tuple[Event, ...]:
    """Contradictions are told and booked once, however often the channel repeats them."""
    if says in attempt.contradictions:
        return ()
    return (Contradicted(attempt.number, source, says, amount_minor, fee_minor),)


def _about_the_paid(
    payout: Payout, attempt: Attempt, outcome: Outcome | Absent, source: Source
) -> tuple[Event, ...]:
    match outcome:
        case Returned(at=returned_at, amount=amount, reason=reason):
            if attempt.state is AttemptState.RETURNED:
                return ()
            if not _is_ours(payout, amount):
                return _once(attempt, source, f"returned:{amount.minor}", 0)
            return (CameBack(attempt.number, source, amount.minor, returned_at, reason),)
        case Rejected(code=code):
            return _once(attempt, source, f"rejected:{code}", 0)
        case _:
            return ()
