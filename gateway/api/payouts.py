"""Native API, merchants' side: payouts, their timeline, balances, events, webhooks."""

import hashlib

import orjson

from gateway.api.context import Answer, Call
from gateway.api.fee_views import fee_reason_view
from gateway.api.schemas import EndpointIn, FeedQuery, ListQuery, PayoutIn
from gateway.api.views import (
    alternative_view,
    attempt_view,
    balance_view,
    delivery_view,
    endpoint_view,
    event_view,
    label_view,
    payout_view,
)
from gateway.domain.errors import AbsenceError, ConflictError, ForbiddenError, InvalidError
from gateway.domain.ledger import Book
from gateway.domain.payout import MerchantId, PayoutId, sortable_id
from gateway.engine import accept, archive, operate
from gateway.ports import Endpoint, Intake, Merchant, Search
from policies.alternatives import alternatives
from policies.explain import explain, from_json

KEY_MIN, KEY_MAX = 16, 255
IDEMPOTENCY = "Idempotency-Key"
MERCHANT_BOOKS = frozenset({Book.AVAILABLE, Book.HELD})


async def create(call: Call) -> Answer:
    """POST /v1/payouts."""
    body: PayoutIn = call.body
    merchant = merchant_of(call)
    key = idempotency_key(call, body.merchant_ref)
    request = requested(body, body.merchant_ref or key)
    canonical = orjson.dumps(call.raw, option=orjson.OPT_SORT_KEYS)
    intake = Intake(key, hashlib.sha256(canonical).digest())
    try:
        taken = await accept.accept(call.gateway, merchant, request, intake, call.caller.actor)
    except ConflictError as conflict:
        raise as_given(call, conflict) from None
    headers = {"Location": f"/v1/payouts/{taken.payout.id}"}
    if taken.repeated:
        headers["Idempotency-Replayed"] = "true"
    return 201, payout_view(taken.payout, call.api.confirm_links), headers


def requested(body: PayoutIn, merchant_ref: str) -> accept.Request:
    """What a payout that was read at the door asks for, under this number."""
    return accept.Request(
        merchant_ref=merchant_ref,
        amount=body.money,
        instruments=tuple(one.instrument() for one in body.beneficiary.instruments),
        purpose=body.purpose,
        speed=body.speed,
        deadline_at=body.deadline,
        release_at=body.release_after,
        max_fee_minor=body.max_fee_minor,
        metadata=body.metadata,
        constraints=body.channels.constraints,
    )


def as_given(call: Call, conflict: ConflictError) -> ConflictError:
    """The conflict in the caller's terms: without a header its key was made of merchant_ref."""
    if conflict.code != "idempotency_key_reused" or IDEMPOTENCY in call.request.headers:
        return conflict
    return ConflictError(
        "merchant_ref_reused",
        "this merchant_ref was used before, with another request body; use a new one",
        zh="该商户单号已用于内容不同的请求，请使用新的单号",
        param="merchant_ref",
    )


def merchant_of(call: Call) -> Merchant:
    """Whose payouts the caller makes. Raises `ForbiddenError` for an operator."""
    if call.caller.merchant is None:
        raise ForbiddenError(
            "merchant_key_needed",
            "payouts are made with a merchant's key; this is an operator's",
            zh="请使用商户密钥发起代付",
        )
    return call.caller.merchant


def idempotency_key(call: Call, merchant_ref: str | None) -> str:
    """The caller's key, else one derived from its own number; never one of our making."""
    key = given_key(call)
    if key is not None:
        return f"key:{key}"
    if merchant_ref is None:
        raise InvalidError(
            "idempotency_key_missing",
            "send an Idempotency-Key header or a merchant_ref, so that a repeated request "
            "cannot pay twice",
            zh="请提供 Idempotency-Key 头或 merchant_ref，以免重复付款",
            param=IDEMPOTENCY,
        )
    return f"ref:{merchant_ref}"


def given_key(call: Call) -> str | None:
    """What the caller's Idempotency-Key header says; None without one."""
    given = call.request.headers.getall(IDEMPOTENCY, [])
    if not given:
        return None
    key = given[0]
    fits = KEY_MIN <= len(key) <= KEY_MAX and key.isascii() and key.isprintable()
    if not fits or len(given) > 1:
        raise InvalidError(
            "idempotency_key_invalid",
            f"an Idempotency-Key has {KEY_MIN} to {KEY_MAX} printable ASCII characters, "
            "and is given once",
            zh=f"Idempotency-Key 须为 {KEY_MIN}-{KEY_MAX} 个可见 ASCII 字符，且只能出现一次",
            param=IDEMPOTENCY,
        )
    return key


async def show(call: Call) -> Answer:
    """GET /v1/payouts/{payout_id}."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    return 200, payout_view(found, call.api.confirm_links)


async def listing(call: Call) -> Answer:
    """GET /v1/payouts."""
    query: ListQuery = call.query
    search = Search(
        merchant_id=call.caller.sees,
        state=query.state,
        merchant_ref=query.merchant_ref,
        channel=query.channel,
        accepted_from=query.accepted_from,
        accepted_until=query.accepted_until,
        before_id=PayoutId(query.after) if query.after else None,
        limit=query.limit + 1,
    )
    found = await call.gateway.store.search(search)
    page = [payout_view(payout, call.api.confirm_links) for payout in found[: query.limit]]
    return 200, {"data": page, "has_more": len(found) > query.limit}


async def attempts(call: Call) -> Answer:
    """GET /v1/payouts/{payout_id}/attempts."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    links = call.api.confirm_links
    return 200, {"data": [attempt_view(attempt, found, links) for attempt in found.attempts]}


async def timeline(call: Call) -> Answer:
    """GET /v1/payouts/{payout_id}/timeline."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    lines = [event_view(event) for event in await call.gateway.store.timeline(found.id)]
    last = lines[-1]["feed"] if lines else 0
    return 200, {"data": lines, "next_after": last, "has_more": False}


async def why(call: Call) -> Answer:
    """GET /v1/payouts/{payout_id}/why."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    answers, labels = [], call.gateway.labels
    for _, stored in await call.gateway.store.decisions(found.id):
        plain = orjson.loads(stored)
        decision = from_json(plain)
        told = explain(decision)
        named = [one.channel for one in decision.order]
        named += [one.channel for one in decision.excluded]
        answers.append(
            {
                "zh": told.zh,
                "en": told.en,
                "alternatives": [alternative_view(one) for one in alternatives(decision)],
                "decision": plain,
                "labels": {name: label_view(labels[name]) for name in named if name in labels},
            }
        )
    if not answers and (gone := await archive.gone(call.gateway, found.merchant_id, found.id)):
        raise gone
    return 200, {"data": answers, "fee": fee_reason_view(found)}


async def cancel(call: Call) -> Answer:
    """POST /v1/payouts/{payout_id}/cancel."""
    found = await operate.cancel(
        call.gateway, call.path("payout_id"), call.caller.sees, call.caller.actor
    )
    return 200, payout_view(found, call.api.confirm_links)


async def release(call: Call) -> Answer:
    """POST /v1/payouts/{payout_id}/release (on demand; held ones only by an operator)."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    if call.caller.sees is not None and found.state == "held":
        raise ForbiddenError(
            "held_for_review", "this payout waits for an operator's review", zh="该代付等待人工审核"
        )
    moved = await operate.release(call.gateway, found.id, call.caller.sees, call.caller.actor)
    return 200, payout_view(moved, call.api.confirm_links)


async def deliveries(call: Call) -> Answer:
    """GET /v1/payouts/{payout_id}/deliveries."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    owed = await call.gateway.store.deliveries(found.merchant_id, found.id, 200)
    if not owed and (gone := await archive.gone(call.gateway, found.merchant_id, found.id)):
        raise gone
    return 200, {"data": [delivery_view(one) for one in owed]}


async def resend(call: Call) -> Answer:
    """POST /v1/deliveries/{delivery_id}/resend."""
    merchant_id = merchant_of(call).id
    now = call.gateway.clock.now()
    delivery_id = call.path("delivery_id")
    if not await call.gateway.store.resend(merchant_id, delivery_id, now):
        payout_id = PayoutId(f"po_{delivery_id.removeprefix('msg_').partition('_')[0]}")
        if gone := await archive.gone(call.gateway, merchant_id, payout_id):
            raise gone
        raise AbsenceError("delivery_not_found", "there is no such webhook", zh="通知记录不存在")
    return 202, {"queued": True}


async def balances(call: Call) -> Answer:
    """GET /v1/balances."""
    owner = call.caller.sees
    found = await call.gateway.store.balances(None, owner)
    # A channel may bear a merchant's id as its name; what lies there is not the merchant's affair.
    seen = [one for one in found if owner is None or one.account.book in MERCHANT_BOOKS]
    return 200, {"data": [balance_view(one) for one in seen]}


async def events(call: Call) -> Answer:
    """GET /v1/events."""
    query: FeedQuery = call.query
    found = await call.gateway.store.feed(call.caller.sees, query.after, query.limit + 1)
    page = [event_view(event) for event in found[: query.limit]]
    return 200, {
        "data": page,
        "next_after": page[-1]["feed"] if page else query.after,
        "has_more": len(found) > query.limit,
    }


async def add_endpoint(call: Call) -> Answer:
    """POST /v1/webhook-endpoints."""
    body: EndpointIn = call.body
    merchant_id: MerchantId = merchant_of(call).id
    wrong = call.api.check_webhook_url(body.url)
    if wrong is not None:
        raise InvalidError("url_refused", wrong, zh="该地址不允许用于接收通知", param="url")
    now = call.gateway.clock.now()
    secret = call.api.new_webhook_secret(call.api.entropy.bytes(32))
    endpoint = Endpoint(
        id=sortable_id("we_", now, call.api.entropy.bytes(10)),
        merchant_id=merchant_id,
        url=body.url,
        secrets=(secret,),
        kinds=tuple(body.kinds),
        active=True,
        created_at=now,
    )
    await call.gateway.store.put_endpoint(endpoint, call.caller.actor)
    return 201, {**endpoint_view(endpoint), "secret": secret}


async def list_endpoints(call: Call) -> Answer:
    """GET /v1/webhook-endpoints."""
    found = await call.gateway.store.endpoints(merchant_of(call).id)
    return 200, {"data": [endpoint_view(one) for one in found]}


async def rotate_endpoint(call: Call) -> Answer:
    """POST /v1/webhook-endpoints/{endpoint_id}/rotate: old and new secret sign until next time."""
    endpoint = await _endpoint(call)
    secret = call.api.new_webhook_secret(call.api.entropy.bytes(32))
    secrets = (secret, endpoint.secrets[0])
    if not endpoint.active:
        raise ConflictError(
            "endpoint_removed",
            "this endpoint was removed; add a new one instead",
            zh="该通知地址已移除，请新建",
        )
    await _replace(call, endpoint, secrets=secrets, active=True)
    return 200, {**endpoint_view(endpoint), "secret": secret}


async def remove_endpoint(call: Call) -> Answer:
    """DELETE /v1/webhook-endpoints/{endpoint_id}: no more webhooks; what is owed becomes dead."""
    endpoint = await _endpoint(call)
    await _replace(call, endpoint, secrets=endpoint.secrets, active=False)
    return 200, {**endpoint_view(endpoint), "active": False}


async def _endpoint(call: Call) -> Endpoint:
    endpoint = await call.gateway.store.endpoint(call.path("endpoint_id"))
    if endpoint is None or endpoint.merchant_id != merchant_of(call).id:
        raise AbsenceError("endpoint_not_found", "there is no such endpoint", zh="通知地址不存在")
    return endpoint


async def _replace(
    call: Call, endpoint: Endpoint, *, secrets: tuple[str, ...], active: bool
) -> None:
    changed = Endpoint(
        endpoint.id,
        endpoint.merchant_id,
        endpoint.url,
        secrets,
        endpoint.kinds,
        active,
        endpoint.created_at,
    )
    await call.gateway.store.put_endpoint(changed, call.caller.actor)
