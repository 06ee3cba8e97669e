"""Native API: split payouts (分账)."""

import hashlib

import orjson
from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from channels.money import Currency, Money
from gateway.api.confirm_links import ConfirmLinks
from gateway.api.context import Answer, Call
from gateway.api.payouts import as_given, idempotency_key, merchant_of
from gateway.api.schemas import SplitIn
from gateway.api.views import PayoutView, payout_view, stamp
from gateway.domain.errors import ConflictError
from gateway.domain.split import SplitStatus
from gateway.engine.accept import Request
from gateway.engine.split import SplitRequest, StoredSplit, accept_split, find_split
from gateway.ports import Intake


class SplitView(TypedDict):
    """A split with its legs, first leg first; `amount_minor` is what they ask for together.

    `open`: a leg may still be paid or fail. `paid`: every leg. `failed`: every leg failed or was
    cancelled. `partly_failed`: some did, others not. `returned`: every leg was paid and came back;
    `partly_returned`: some did.
    """

    id: str
    merchant_id: str
    merchant_ref: str
    status: SplitStatus
    final: bool
    currency: Currency
    amount_minor: int
    fee_minor: int
    debit_minor: int
    legs: list[PayoutView]
    accepted_at: str | None


async def create(call: Call) -> Answer:
    """POST /v1/splits."""
    body: SplitIn = call.body
    merchant = merchant_of(call)
    key = idempotency_key(call, body.merchant_ref)
    legs = tuple(
        Request(
            merchant_ref=ref,
            amount=Money(minor, body.currency),
            instruments=tuple(one.instrument() for one in leg.beneficiary.instruments),
            purpose=leg.purpose,
            speed=body.speed,
            deadline_at=body.deadline,
            release_at=body.release_after,
            max_fee_minor=body.max_fee_minor,
            constraints=body.channels.constraints,
        )
        for leg, ref, minor in zip(body.legs, body.refs, body.amounts, strict=True)
    )
    canonical = orjson.dumps(call.raw, option=orjson.OPT_SORT_KEYS)
    # Another kind of request under the same key is another request, whatever its body.
    intake = Intake(key, hashlib.sha256(b"split\x00" + canonical).digest())
    request = SplitRequest(body.merchant_ref, legs)
    try:
        taken = await accept_split(call.gateway, merchant, request, intake, call.caller.actor)
    except ConflictError as conflict:
        raise as_given(call, conflict) from None
    headers = {"Location": f"/v1/splits/{taken.split.id}"}
    if taken.repeated:
        headers["Idempotency-Replayed"] = "true"
    return 201, split_view(taken, call.api.confirm_links), headers


async def show(call: Call) -> Answer:
    """GET /v1/splits/{split_id}."""
    found = await find_split(call.gateway, call.path("split_id"), call.caller.sees)
    return 200, split_view(found, call.api.confirm_links)


def split_view(stored: StoredSplit, links: ConfirmLinks | None) -> SplitView:
    """A split as its merchant sees it."""
    split = stored.split
    return {
        "id": split.id,
        "merchant_id": split.merchant_id,
        "merchant_ref": split.merchant_ref,
        "status": stored.status,
        "final": stored.status.is_final,
        "currency": split.total.currency,
        "amount_minor": split.total.minor,
        "fee_minor": sum(leg.fee.minor for leg in stored.legs),
        "debit_minor": sum(leg.hold_minor for leg in stored.legs),
        "legs": [payout_view(leg, links) for leg in stored.legs],
        "accepted_at": stamp(split.accepted_at),
    }
