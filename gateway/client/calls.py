"""Every call as a value: what is sent, how its answer is read, and whether it may be repeated.

Pure: nothing here knows of sockets or time. Both clients run these and add nothing of their own.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from uuid import uuid4

from gateway.client.answers import (
    AttemptList,
    AuditKey,
    BalanceList,
    CreatedPayout,
    DeliveryList,
    Endpoint,
    EndpointList,
    EventPage,
    NewEndpoint,
    Payout,
    PayoutPage,
    PayoutState,
    Proof,
    Queued,
    ReasonList,
    Receipt,
)
from gateway.client.bulk_requests import Request
from gateway.client.errors import Advice
from gateway.client.reading import UnreadableError, read
from gateway.client.requests import PayoutRequest, stamped

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_NAME = re.compile(r'filename="([A-Za-z0-9._-]+)"', re.ASCII)
_KEY = re.compile(r"[\x20-\x7e]{16,255}", re.ASCII)

PAY_AGAIN = Advice(
    "the payout may have been made: call payouts.create again with this error's request and "
    "idempotency_key, which never pays twice",
    "付款可能已受理：请用本错误中的 request 和 idempotency_key 再次调用 payouts.create，"
    "不会重复付款",
)
LOOK = Advice(
    "it may have been done: look at the payout before you decide anything",
    "操作可能已生效：请先查询该付款的状态，再决定下一步",
)
LOOK_AT_ENDPOINTS = Advice(
    "it may have been done: look at webhook_endpoints.list(); a secret whose answer was lost is "
    "shown by no call, so rotate that endpoint, or remove it and add another",
    "操作可能已生效：请查看 webhook_endpoints.list()；若密钥的应答丢失，"
    "请轮换该地址的密钥，或移除后重新添加",
)
RESEND = Advice(
    "it may have been queued: ask again if the webhook does not come; receivers know it by its id",
    "可能已排队：若未收到通知可再次请求，接收方按 webhook-id 去重",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """One logical call; all its tries send the same."""

    method: str
    path: str
    read: Callable[[Answer], T_co]
    """Raises `UnreadableError`."""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    advice: Advice | None = None
    """How to go on when nobody knows whether it was done; None for what only looks."""
    repeatable: bool = True
    """Whether doing it twice is doing it once."""
    key: str | None = None
    request: Request | None = None
    content_type: str = "application/json"
    """Of the body, where there is one."""


def new_idempotency_key() -> str:
    """A key to store before you call, so that you can go on after a crash."""
    return f"hd-{uuid4().hex}"


def key_of(given: str | None) -> str:
    """The caller's key, else a new one. Raises `ValueError` for one that the gateway refuses."""
    key = new_idempotency_key() if given is None else given
    if _KEY.fullmatch(key) is None:
        raise ValueError("idempotency_key: must be 16 to 255 printable ASCII characters")
    return key


def create(request: PayoutRequest, idempotency_key: str | None) -> Call[CreatedPayout]:
    """Make a payout, under a key of ours if none is given."""
    key = key_of(idempotency_key)

    def created(answer: Answer) -> CreatedPayout:
        replayed = answer.headers.get("idempotency-replayed") == "true"
        return CreatedPayout(as_kind(Payout)(answer), key, replayed)

    body = dumped(request.as_json())
    return Call(
        *("POST", "/v1/payouts", created),
        body=body,
        advice=PAY_AGAIN,
        key=key,
        request=request,
    )


def payout(payout_id: str) -> Call[Payout]:
    """Show a payout."""
    return Call("GET", _payout(payout_id), as_kind(Payout))


def cancel(payout_id: str) -> Call[Payout]:
    """Stop it before it is sent; a repetition gives the cancelled payout."""
    return Call("POST", _payout(payout_id, "cancel"), as_kind(Payout), advice=LOOK)


def release(payout_id: str) -> Call[Payout]:
    """Let it go now; a repetition would find it gone, so doubt is not repeated away."""
    path = _payout(payout_id, "release")
    return Call("POST", path, as_kind(Payout), advice=LOOK, repeatable=False)


@dataclass(frozen=True, slots=True)
class PayoutFilter:
    """Which payouts a list shows."""

    state: PayoutState | None = None
    merchant_ref: str | None = None
    channel: str | None = None
    accepted_from: datetime | None = None
    accepted_until: datetime | None = None


def payouts(which: PayoutFilter, after: str | None, limit: int) -> Call[PayoutPage]:
    """A page of payouts, newest first."""
    wanted = {
        "state": which.state,
        "merchant_ref": which.merchant_ref,
        "channel": which.channel,
        "accepted_from": _moment("accepted_from", which.accepted_from),
        "accepted_until": _moment("accepted_until", which.accepted_until),
        "after": after,
        "limit": str(limit),
    }
    return Call("GET", "/v1/payouts", as_kind(PayoutPage), query=query_of(wanted))


def attempts(payout_id: str) -> Call[AttemptList]:
    """Show its tries."""
    return Call("GET", _payout(payout_id, "attempts"), as_kind(AttemptList))


def timeline(payout_id: str) -> Call[EventPage]:
    """Show its events; all of them are one page."""
    return Call("GET", _payout(payout_id, "timeline"), as_kind(EventPage))


def why(payout_id: str) -> Call[ReasonList]:
    """Why this channel."""
    return Call("GET", _payout(payout_id, "why"), as_kind(ReasonList))


def proof(payout_id: str) -> Call[Proof]:
    """Prove its history."""
    return Call("GET", _payout(payout_id, "proof"), as_kind(Proof))


def receipt(payout_id: str) -> Call[Receipt]:
    """Fetch the institution's receipt."""
    return Call("GET", _payout(payout_id, "receipt"), document)


def deliveries(payout_id: str) -> Call[DeliveryList]:
    """Show its webhooks."""
    return Call("GET", _payout(payout_id, "deliveries"), as_kind(DeliveryList))


def resend(delivery_id: str) -> Call[Queued]:
    """Send a webhook again; twice would send it twice."""
    path = f"/v1/deliveries/{named('delivery_id', delivery_id)}/resend"
    return Call("POST", path, as_kind(Queued), advice=RESEND, repeatable=False)


def balances() -> Call[BalanceList]:
    """Show the merchant's ledger."""
    return Call("GET", "/v1/balances", as_kind(BalanceList))


def events(after: int, limit: int) -> Call[EventPage]:
    """A page of the feed."""
    query = query_of({"after": str(after), "limit": str(limit)})
    return Call("GET", "/v1/events", as_kind(EventPage), query=query)


def audit_key() -> Call[AuditKey]:
    """Who signs proofs."""
    return Call("GET", "/v1/audit/key", as_kind(AuditKey))


def endpoints() -> Call[EndpointList]:
    """List webhook endpoints."""
    return Call("GET", "/v1/webhook-endpoints", as_kind(EndpointList))


def add_endpoint(url: str, kinds: Sequence[str]) -> Call[NewEndpoint]:
    """Add a webhook endpoint; twice would make two, with two secrets."""
    if isinstance(kinds, str):
        raise TypeError(f"kinds: a list of events, such as [{kinds!r}]")
    return Call(
        *("POST", "/v1/webhook-endpoints", as_kind(NewEndpoint)),
        body=dumped({"url": url, "kinds": list(kinds)}),
        advice=LOOK_AT_ENDPOINTS,
        repeatable=False,
    )


def rotate_endpoint(endpoint_id: str) -> Call[NewEndpoint]:
    """Make a new secret; twice would drop the one that receivers still have."""
    path = f"/v1/webhook-endpoints/{named('endpoint_id', endpoint_id)}/rotate"
    advice = LOOK_AT_ENDPOINTS
    return Call("POST", path, as_kind(NewEndpoint), advice=advice, repeatable=False)


def remove_endpoint(endpoint_id: str) -> Call[Endpoint]:
    """Switch an endpoint off."""
    path = f"/v1/webhook-endpoints/{named('endpoint_id', endpoint_id)}"
    return Call("DELETE", path, as_kind(Endpoint), advice=LOOK_AT_ENDPOINTS)


def parsed(body: bytes) -> object:
    """JSON text as a value. Raises `UnreadableError`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableError("the answer is not JSON") from None


def as_kind(kind: type[T]) -> Callable[[Answer], T]:
    """How an answer is read as `kind`."""

    def reader(answer: Answer) -> T:
        return read(kind, parsed(answer.body))

    return reader


def document(answer: Answer) -> Receipt:
    """A file. Raises `UnreadableError`."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    named = _NAME.search(answer.headers.get("content-disposition", ""))
    if named is None or not kind or not answer.body:
        raise UnreadableError("the answer is not a document")
    return Receipt(kind, named[1], answer.body)


def _payout(payout_id: str, part: str = "") -> str:
    path = f"/v1/payouts/{named('payout_id', payout_id)}"
    return f"{path}/{part}" if part else path


def named(name: str, value: str) -> str:
    """Refuse what would lead to another path."""
    if _ID.fullmatch(value) is None:
        raise ValueError(f"{name}: {value[:40]!r} is no id")
    return value


def query_of(wanted: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """What was given of it."""
    return tuple((name, value) for name, value in wanted.items() if value is not None)


def _moment(name: str, value: datetime | None) -> str | None:
    return None if value is None else stamped(name, value)


def dumped(value: Mapping[str, object]) -> bytes:
    """The same bytes for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
