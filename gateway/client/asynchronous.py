"""The client for asyncio: the same calls and rules as the blocking one, awaited."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx
from tenacity import AsyncRetrying

from gateway.client import bulk_calls, calls, exchange
from gateway.client.answers import (
    Attempt,
    AuditKey,
    Balance,
    CreatedPayout,
    Delivery,
    Endpoint,
    Event,
    EventPage,
    NewEndpoint,
    Payout,
    PayoutPage,
    Proof,
    Reason,
    Receipt,
)
from gateway.client.bulk_answers import (
    Batch,
    BatchPage,
    BatchRow,
    BatchRowPage,
    BatchState,
    BatchSummary,
    CreatedBatch,
    CreatedSplit,
    RowState,
    Split,
)
from gateway.client.bulk_requests import BatchFile, SplitRequest
from gateway.client.calls import Answer, Call, PayoutFilter
from gateway.client.clock import Clock, SystemClock
from gateway.client.course import Course, Verdict
from gateway.client.door import Door, Limits
from gateway.client.requests import PayoutRequest
from gateway.client.trail import AsyncItems

T = TypeVar("T")
EVERYTHING = PayoutFilter()


class AsyncClient:
    """One gateway, seen by one merchant. Use it as an async context, or call `aclose`."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        signing_secret: str | None = None,
        limits: Limits | None = None,
        plain_http: bool = False,
        trust_env: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Connects at the first call.

        `signing_secret` is for keys that demand signed requests. `trust_env` obeys proxy variables
        of the environment. `transport` is for a proxy or a certificate of your own.
        """
        self._door = Door(
            *(url, key, signing_secret, limits or Limits(), plain_http, clock or SystemClock())
        )
        self._http = httpx.AsyncClient(trust_env=trust_env, transport=transport)
        self.payouts = AsyncPayouts(self)
        self.splits = AsyncSplits(self)
        self.batches = AsyncBatches(self)
        self.events = AsyncEvents(self)
        self.webhook_endpoints = AsyncWebhookEndpoints(self)

    def __repr__(self) -> str:
        """The address and the key's id; no secret."""
        return f"AsyncClient({self._door.url!r}, key_id={self._door.key_id!r})"

    async def __aenter__(self) -> Self:
        """Use it as a context."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def balances(self) -> tuple[Balance, ...]:
        """What may be spent (`available`) and what is promised to payouts under way (`held`)."""
        return (await self.run(calls.balances())).data

    async def audit_key(self) -> AuditKey:
        """Who signs proofs; keep it from the first day."""
        return await self.run(calls.audit_key())

    async def run(self, call: Call[T]) -> T:
        """Carry a call out: one or several tries within the budget. Raises `ClientError`."""
        course = Course(call, self._door.clock, self._door.limits.budget_s)
        trying = AsyncRetrying(
            retry=exchange.wants_more,
            stop=exchange.spent(course),
            wait=exchange.pausing(self._door),
            sleep=self._door.clock.rest,
            retry_error_callback=exchange.last,
        )
        try:
            verdict: Verdict[T] = await trying(self._try, course)
        except BaseException as broken:
            exchange.leave_the_key(call, broken)
            raise
        return exchange.concluded(course, verdict)

    async def _try(self, course: Course[T]) -> Verdict[T]:
        asked = exchange.request(self._http, self._door, course)
        try:
            answer = await self._exchange(asked, course)
        except exchange.BROKEN as error:
            return exchange.silence(course, error)
        return course.answered(answer)

    async def _exchange(self, asked: httpx.Request, course: Course[T]) -> Answer:
        body = exchange.Gathering(self._door, course)
        async with asyncio.timeout(body.allowed_s):
            response = await self._http.send(asked, stream=True)
            try:
                async for piece in response.aiter_bytes():
                    body.take(piece)
            finally:
                await response.aclose()
        return body.answer(response)


class AsyncPayouts:
    """Everything about payouts."""

    def __init__(self, client: AsyncClient) -> None:
        """Made by the client."""
        self._client = client

    async def create(
        self, request: PayoutRequest, *, idempotency_key: str | None = None
    ) -> CreatedPayout:
        """Ask for a payout, once, however often it has to be asked.

        Without a key one is made; the answer and every error tell it. To go on after a crash of
        this process, store a key of `new_idempotency_key()` first, and give it. Raises
        `OutcomeUnknownError` if there may be a payout; any other error: this request made none.
        """
        return await self._client.run(calls.create(request, idempotency_key))

    async def get(self, payout_id: str) -> Payout:
        """Show one."""
        return await self._client.run(calls.payout(payout_id))

    def list(
        self, which: PayoutFilter = EVERYTHING, *, after: str | None = None, page: int = 200
    ) -> AsyncItems[Payout, str | None]:
        """Iterate, newest first, `page` at a time; `after` is the cursor of an earlier list."""

        async def fetch(cursor: str | None) -> PayoutPage:
            return await self._client.run(calls.payouts(which, cursor, page))

        return AsyncItems(fetch, after, lambda one: one.id)

    async def find(self, merchant_ref: str) -> Payout | None:
        """The payout of your own number, if there is one."""
        return await anext(self.list(PayoutFilter(merchant_ref=merchant_ref), page=1), None)

    async def cancel(self, payout_id: str) -> Payout:
        """Stop it before it is sent; a cancelled one stays cancelled."""
        return await self._client.run(calls.cancel(payout_id))

    async def release(self, payout_id: str) -> Payout:
        """Let a scheduled one go now."""
        return await self._client.run(calls.release(payout_id))

    async def attempts(self, payout_id: str) -> tuple[Attempt, ...]:
        """Its tries at channels."""
        return (await self._client.run(calls.attempts(payout_id))).data

    async def timeline(self, payout_id: str) -> tuple[Event, ...]:
        """Its events, from the first."""
        return (await self._client.run(calls.timeline(payout_id))).data

    async def why(self, payout_id: str) -> tuple[Reason, ...]:
        """Every routing decision, with its reasons in Chinese and English."""
        return (await self._client.run(calls.why(payout_id))).data

    async def proof(self, payout_id: str) -> Proof:
        """What proves its history to somebody who trusts nobody."""
        return await self._client.run(calls.proof(payout_id))

    async def receipt(self, payout_id: str) -> Receipt:
        """The institution's receipt (电子回单); waits within the budget while it is being made."""
        return await self._client.run(calls.receipt(payout_id))

    async def deliveries(self, payout_id: str) -> tuple[Delivery, ...]:
        """Its webhooks and what became of them."""
        return (await self._client.run(calls.deliveries(payout_id))).data


class AsyncSplits:
    """One sum to several beneficiaries (分账)."""

    def __init__(self, client: AsyncClient) -> None:
        """Made by the client."""
        self._client = client

    async def create(
        self, request: SplitRequest, *, idempotency_key: str | None = None
    ) -> CreatedSplit:
        """Ask for all legs at once: all are accepted, or none. Errors as of `payouts.create`."""
        return await self._client.run(bulk_calls.create_split(request, idempotency_key))

    async def get(self, split_id: str) -> Split:
        """Show one, with its legs as they stand."""
        return await self._client.run(bulk_calls.split(split_id))


class AsyncBatches:
    """Files of payouts."""

    def __init__(self, client: AsyncClient) -> None:
        """Made by the client."""
        self._client = client

    async def create(
        self, request: BatchFile, *, idempotency_key: str | None = None
    ) -> CreatedBatch:
        """Upload a file; the same file again is the same batch. Rows are accepted afterwards: look
        with `get` and `rows`. Raises `OutcomeUnknownError` if it may have been taken.
        """
        return await self._client.run(bulk_calls.create_batch(request, idempotency_key))

    async def get(self, batch_id: str) -> Batch:
        """Show one and how far it is."""
        return await self._client.run(bulk_calls.batch(batch_id))

    async def cancel(self, batch_id: str) -> Batch:
        """Stop one that is still being stored or checked: none of it is paid."""
        return await self._client.run(bulk_calls.cancel_batch(batch_id))

    def list(
        self, state: BatchState | None = None, *, after: str | None = None, page: int = 50
    ) -> AsyncItems[BatchSummary, str | None]:
        """Iterate, newest first, `page` at a time."""

        async def fetch(cursor: str | None) -> BatchPage:
            return await self._client.run(bulk_calls.batches(state, cursor, page))

        return AsyncItems(fetch, after, lambda one: one.id)

    def rows(
        self, batch_id: str, state: RowState | None = None, *, after: int = 0, page: int = 1000
    ) -> AsyncItems[BatchRow, int]:
        """Iterate over its rows in the order of the file, with what became of each."""

        async def fetch(cursor: int) -> BatchRowPage:
            return await self._client.run(bulk_calls.batch_rows(batch_id, state, cursor, page))

        return AsyncItems(fetch, after, lambda one: one.number)

    async def result(
        self, batch_id: str, kind: Literal["csv", "xlsx"] = "csv", lang: Literal["zh", "en"] = "zh"
    ) -> Receipt:
        """Its outcome as a file, to write back where it came from."""
        return await self._client.run(bulk_calls.batch_result(batch_id, kind, lang))

    async def template(
        self,
        kind: Literal["csv", "xlsx"] = "xlsx",
        profile: str = "native",
        lang: Literal["zh", "en"] = "zh",
    ) -> Receipt:
        """A file to fill in."""
        return await self._client.run(bulk_calls.batch_template(kind, profile, lang))


class AsyncEvents:
    """The feed of all events."""

    def __init__(self, client: AsyncClient) -> None:
        """Made by the client."""
        self._client = client

    def list(self, *, after: int = 0, page: int = 1000) -> AsyncItems[Event, int]:
        """Iterate to the newest, `page` at a time; `after` is the cursor of an earlier list."""

        async def fetch(cursor: int) -> EventPage:
            return await self._client.run(calls.events(cursor, page))

        return AsyncItems(fetch, after, lambda one: one.feed)


class AsyncWebhookEndpoints:
    """Where webhooks go."""

    def __init__(self, client: AsyncClient) -> None:
        """Made by the client."""
        self._client = client

    async def add(self, url: str, kinds: Sequence[str] = ()) -> NewEndpoint:
        """Add one, for some kinds of events or for all; its secret is shown this once."""
        return await self._client.run(calls.add_endpoint(url, kinds))

    async def list(self) -> tuple[Endpoint, ...]:
        """All of them."""
        return (await self._client.run(calls.endpoints())).data

    async def rotate(self, endpoint_id: str) -> NewEndpoint:
        """Make a new secret; the old one signs beside it until the next rotation."""
        return await self._client.run(calls.rotate_endpoint(endpoint_id))

    async def remove(self, endpoint_id: str) -> Endpoint:
        """Switch it off."""
        return await self._client.run(calls.remove_endpoint(endpoint_id))

    async def resend(self, delivery_id: str) -> bool:
        """Send a webhook again."""
        return (await self._client.run(calls.resend(delivery_id))).queued
