"""One hash over everything a payout's events have made of it, for the audit log. Pure.

Whatever can name a person (instruments, the channel's words, what the payee must do) enters only
as one keyed hash: who holds a leaf can confirm nothing about a payee by guessing. `due_at` is left
out: looking again later is no event.
"""

from collections.abc import Callable
from hashlib import sha256

import orjson

from gateway.domain.payout import Attempt, Payout
from gateway.store import codec
from gateway.store.codec import micros, micros_or_none


def state_hash(payout: Payout, keyed: Callable[[bytes], bytes]) -> bytes:
    """SHA-256 of the canonical state; the same for a payout as written and as read back."""
    private = [codec.instruments_json(payout.instruments)]
    for attempt in payout.attempts:
        private += _private(attempt)
    state = [
        "hangdao payout v1",
        payout.id,
        payout.merchant_id,
        payout.merchant_ref,
        payout.amount.currency,
        payout.amount.minor,
        payout.fee.minor,
        payout.purpose,
        payout.speed,
        micros_or_none(payout.deadline_at),
        micros_or_none(payout.release_at),
        payout.max_fee_minor,
        dict(payout.metadata),
        payout.state,
        payout.version,
        micros(payout.accepted_at),
        micros(payout.updated_at),
        payout.reason,
        payout.owner,
        [_public(attempt) for attempt in payout.attempts],
        keyed(b"[" + b",".join(private) + b"]").hex(),
    ]
    constraints = codec.constraints_json(payout.constraints)
    if constraints is not None:
        # Payouts from before there were any keep their hash.
        state.append(constraints)
    if payout.charge is not None:
        state.append({"charge": codec.charge_json(payout.charge)})
    if payout.leg is not None:
        state.append({"leg": codec.leg_json(payout.leg)})
    return sha256(orjson.dumps(state, option=orjson.OPT_SORT_KEYS)).digest()


def _public(attempt: Attempt) -> list[object]:
    certificate = attempt.certificate
    return [
        attempt.number,
        attempt.channel,
        attempt.reference,
        attempt.instrument,
        attempt.state,
        attempt.digest,
        micros(attempt.armed_at),
        micros(attempt.signed_at),
        micros_or_none(attempt.not_after),
        attempt.quoted_fee_minor,
        micros_or_none(attempt.arrival_at),
        attempt.sends,
        attempt.inquiries,
        attempt.absences,
        attempt.channel_ref,
        attempt.stage,
        None if certificate is None else codec.certificate_json(certificate),
        micros_or_none(attempt.doubted_at),
        micros_or_none(attempt.paid_at),
        attempt.fee_minor,
        micros_or_none(attempt.returned_at),
        attempt.settled_on and attempt.settled_on.isoformat(),
        attempt.contradictions,
    ]


def _private(attempt: Attempt) -> list[bytes]:
    certificate = attempt.certificate
    return [
        codec.action_json(attempt.action) or b"null",
        codec.refusal_json(attempt.refusal) or b"null",
        b"null" if certificate is None else orjson.dumps(certificate.message),
    ]
