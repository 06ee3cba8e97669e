"""What leaves the store about an event: the detail of the timeline and the body of a webhook.

Neither holds payee data, channel messages or instruments: those can name a person. What a person
may need to see beyond this is in the sealed evidence.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import assert_never

import orjson

from gateway.domain.payout import (
    Accepted,
    Adopted,
    Armed,
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
    Leg,
    Parked,
    Payout,
    Pended,
    Released,
    Resent,
    Settled,
    Unparked,
)
from gateway.domain.split import SplitStatus

PayloadOf = Callable[[Payout, Event, int, datetime], bytes]
"""Payout as it stood after the event, the event, its number, its time: the exact webhook body."""


def detail_of(event: Event) -> dict[str, object]:
    """An event's facts as JSON-ready data. Enums are strings; times are RFC 3339 once dumped."""
    match event:
        case Accepted(reason=reason) | Failed(reason=reason):
            return {"reason": reason}
        case Held(reason=reason, owner=owner) | Parked(reason=reason, owner=owner):
            return {"reason": reason, "owner": owner}
        case Released(by=by) | Unparked(by=by):
            return {"by": by}
        case Cancelled(by=by, reason=reason, note=None):
            return {"by": by, "reason": reason}
        case Cancelled(by=by, reason=reason, note=note):
            return {"by": by, "reason": reason, "note": note}
        case Armed(attempt=attempt) | Adopted(attempt=attempt):
            return {
                "attempt": attempt.number,
                "channel": attempt.channel,
                "reference": attempt.reference,
                "instrument": attempt.instrument,
                "quoted_fee_minor": attempt.quoted_fee_minor,
                "arrival_at": attempt.arrival_at,
            }
        case Resent(number=number, signed_at=signed_at, not_after=not_after):
            return {"attempt": number, "signed_at": signed_at, "not_after": not_after}
        case Pended(number=number, source=source, channel_ref=ref, stage=stage, action=action):
            return {
                "attempt": number,
                "source": source,
                "channel_ref": ref,
                "stage": stage,
                # Never the package_info: whoever has it can open the confirmation page.
                "action": action and {"kind": action.kind, "expires_at": action.expires_at},
            }
        case Doubted(number=number, source=source, cause=cause, refusal=refusal, absent=absent):
            return {
                "attempt": number,
                "source": source,
                "cause": cause,
                "absent": absent,
                "refusal": refusal and {"reason": refusal.reason, "code": refusal.code},
            }
        case Died(number=number, source=source, certificate=certificate):
            return {
                "attempt": number,
                "source": source,
                "certificate": certificate.kind,
                "reason": certificate.reason,
                "code": certificate.code,
                "by": certificate.by,
                "checked_by": certificate.checked_by,
            }
        case _:
            return _money_moved(event)


def _money_moved(
    event: Confirmed | CameBack | Settled | Contradicted | FeeCorrected,
) -> dict[str, object]:
    match event:
        case Confirmed(
            number=number, source=source, channel_ref=ref, paid_at=paid_at, fee_minor=fee
        ):
            return {
                "attempt": number,
                "source": source,
                "channel_ref": ref,
                "paid_at": paid_at,
                "channel_fee_minor": fee,
            }
        case CameBack(
            number=number, source=source, amount_minor=amount, returned_at=at, reason=reason
        ):
            return {
                "attempt": number,
                "source": source,
                "amount_minor": amount,
                "returned_at": at,
                "reason": reason,
            }
        case Settled(number=number, on=on, line_ref=line_ref, fee_minor=fee):
            return {
                "attempt": number,
                "on": on,
                "line_ref": line_ref,
                "channel_fee_minor": fee,
            }
        case FeeCorrected(number=number, on=on, fee_minor=fee):
            return {"attempt": number, "on": on, "channel_fee_minor": fee}
        case Contradicted(
            number=number, source=source, says=says, amount_minor=amount, fee_minor=fee
        ):
            return {
                "attempt": number,
                "source": source,
                "says": says,
                "amount_minor": amount,
                "channel_fee_minor": fee,
            }
        case _:
            assert_never(event)


def dumped(value: Mapping[str, object]) -> bytes:
    """JSON with times in UTC, written `…Z`."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def webhook_payload(payout: Payout, event: Event, seq: int, at: datetime) -> bytes:
    """The body merchants get: an envelope of fixed shape, and the payout's own figures."""
    return dumped(
        {
            "type": f"payout.{event.kind}",
            "id": f"evt_{payout.id.removeprefix('po_')}_{seq}",
            "payout_id": payout.id,
            "merchant_ref": payout.merchant_ref,
            "state": payout.state,
            "seq": seq,
            "at": at.astimezone(UTC),
            "data": {
                "amount_minor": payout.asked.minor,
                "currency": payout.amount.currency,
                "fee_minor": payout.fee.minor,
                "beneficiary_amount_minor": payout.amount.minor,
                "reason": payout.reason,
                "metadata": dict(payout.metadata),
                "event": detail_of(event),
            },
        }
    )


def split_payload(last: Payout, leg: Leg, status: SplitStatus) -> bytes:
    """The body merchants get once every leg of a split has come to an end, and when that changes.

    `last` is the leg whose move brought it about.
    """
    return dumped(
        {
            "type": "split.finished",
            "id": f"evt_{last.id.removeprefix('po_')}_{last.version}_split",
            "split_id": leg.split_id,
            "merchant_ref": leg.split_ref,
            "status": status,
            "at": last.updated_at.astimezone(UTC),
            "data": {"legs": leg.legs, "last_payout_id": last.id, "last_leg": leg.number},
        }
    )
