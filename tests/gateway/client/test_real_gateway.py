"""Both clients before a real gateway: sockets, database, lost replies, webhooks."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gateway.api.routes import ROUTES
from gateway.client import (
    AbsenceError,
    AsyncClient,
    BatchFile,
    ChannelLimits,
    Client,
    ConflictError,
    Currency,
    ForbiddenError,
    InvalidError,
    Leg,
    Limits,
    Money,
    OutcomeUnknownError,
    PayoutFilter,
    PayoutRequest,
    SplitRequest,
    UnauthenticatedError,
    UnavailableError,
    UnfundedError,
    WebhookRefusedError,
    asynchronous,
    blocking,
    bulk_calls,
    calls,
    webhooks,
)
from gateway.client.calls import Call
from gateway.engine.batches import Batches
from gateway.engine.deliver import deliver_due
from gateway.engine.gateway import Halt
from gateway.ports import Search
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests.builders import after
from tests.gateway.api.desk import ACME, CARD, MERCHANT_SCOPES, Desk, open_desk
from tests.gateway.api.test_receipts import PDF, printing
from tests.gateway.client.cutter import Cutter, cutter, dripping
from tests.gateway.client.stand_in import KEY, REQUEST
from tests.gateway.client.test_requests import asked
from tests.gateway.webhooks.receiver import Receiver, receiver

T = TypeVar("T")
Run = Callable[[Call[Any]], Awaitable[Any]]
SPLIT = SplitRequest(
    "split-1",
    amount="100.01",
    currency="CNY",
    legs=[
        Leg(REQUEST.instruments, "货款", share_ppm=700_000),
        Leg(REQUEST.instruments, "佣金", share_ppm=300_000),
    ],
)
FILE = BatchFile(
    f"商户单号,金额,付款方式,收款账号,收款人,用途\nb-1,12.30,银行卡,{CARD},王小五,货款\n".encode(),
    count=1,
    total=Money(1230, Currency.CNY),
)
QUICK = Limits(budget_s=20, backoff_s=0.01, backoff_max_s=0.05)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A gateway that runs."""
    async with open_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
async def merchant(desk: Desk) -> AsyncIterator[AsyncClient]:
    """A merchant of it."""
    async with AsyncClient(address(desk), desk.keys["acme"], limits=QUICK) as client:
        yield client


@pytest.fixture
async def line(desk: Desk) -> AsyncIterator[Cutter]:
    """The line between them, which can be cut."""
    async with cutter(desk.server.port or 0) as made:
        yield made


@pytest.fixture(params=["blocking", "asyncio"])
async def run(request: pytest.FixtureRequest, desk: Desk, line: Cutter) -> AsyncIterator[Run]:
    """Carry a call out with each client, over the line."""
    if request.param == "asyncio":
        async with AsyncClient(line.url, desk.keys["acme"], limits=QUICK) as client:
            yield client.run
    else:
        with Client(line.url, desk.keys["acme"], limits=QUICK) as client_of_threads:

            async def in_thread(call: Call[T]) -> T:
                return await asyncio.to_thread(client_of_threads.run, call)

            yield in_thread


def address(desk: Desk) -> str:
    """Where the gateway listens."""
    return str(desk.server.make_url("")).rstrip("/")


async def stored(desk: Desk) -> int:
    """How many payouts there are."""
    return len(await desk.store.search(Search(ACME, limit=1000)))


async def test_a_split_whose_reply_is_lost_is_one_split(desk: Desk, line: Cutter, run: Run) -> None:
    """Its legs are stored once, and add up."""
    line.cuts = 1
    created = await run(bulk_calls.create_split(SPLIT, None))
    assert created.replayed
    assert await stored(desk) == 2
    assert [leg.amount_minor for leg in created.split.legs] == [7001, 3000]
    shown = await run(bulk_calls.split(created.split.id))
    assert (shown.status, str(shown.money)) == ("open", "100.01")
    assert shown.legs[1].split.leg == 2


async def test_a_file_whose_reply_is_lost_is_one_batch(desk: Desk, line: Cutter, run: Run) -> None:
    """Uploaded again under no key, it is known by its content; its rows and result are read."""
    line.cuts = 1
    created = await run(bulk_calls.create_batch(FILE, None))
    assert created.replayed
    work = Batches(desk.gateway)
    while await work.tick():
        pass
    shown = await run(bulk_calls.batch(created.batch.id))
    assert (shown.state, shown.counts[0].rows, shown.total) == ("done", 1, "12.30")
    rows = await run(bulk_calls.batch_rows(shown.id, "accepted", 0, 10))
    assert [row.merchant_ref for row in rows.data] == ["b-1"]
    assert (await run(bulk_calls.batches("done", None, 10))).data[0].id == shown.id
    result = await run(bulk_calls.batch_result(shown.id, "csv", "zh"))
    assert b"b-1" in result.body
    assert result.name == f"{shown.id}-result.csv"
    template = await run(bulk_calls.batch_template("xlsx", "native", "zh"))
    assert template.body.startswith(b"PK")


async def test_a_refused_file_names_the_line(run: Run) -> None:
    """As the gateway says it, with the column."""
    cut_off = BatchFile(FILE.content, count=2, total=FILE.total)
    with pytest.raises(InvalidError, match=r"\b2\b"):
        await run(bulk_calls.create_batch(cut_off, None))


@pytest.mark.parametrize("cuts", [1, 3])
async def test_lost_replies_make_one_payout(desk: Desk, line: Cutter, run: Run, cuts: int) -> None:
    """The gateway has stored it each time it was asked, and it is one."""
    line.cuts = cuts
    created = await run(calls.create(REQUEST, None))
    assert created.replayed
    assert len(line.passed) == cuts + 1
    assert await stored(desk) == 1
    await desk.work(created.payout.id)
    assert (await run(calls.payout(created.payout.id))).state == "paid"
    assert len(desk.till.sent) == 1


async def test_an_unknown_outcome_is_cleared_up_with_what_the_error_holds(
    desk: Desk, line: Cutter, run: Run
) -> None:
    """The line stays cut for longer than the budget; later the same call finds the payout."""
    async with AsyncClient(
        line.url, desk.keys["acme"], limits=Limits(budget_s=1.5, backoff_s=0.2)
    ) as hasty:
        line.cuts = 10_000
        with pytest.raises(OutcomeUnknownError) as raised:
            await hasty.payouts.create(REQUEST)
    line.cuts = 0
    error = raised.value
    assert isinstance(error.request, PayoutRequest)
    created = await run(calls.create(error.request, error.idempotency_key))
    assert created.replayed
    assert await stored(desk) == 1


async def test_an_answer_that_never_ends_is_given_up() -> None:
    """Byte by byte, each in time: the whole is not, and the payout may exist."""
    limits, call = Limits(answer_s=1.5, budget_s=1.5), calls.create(REQUEST, None)
    async with dripping() as url:
        async with AsyncClient(url, KEY, limits=limits) as client:
            with pytest.raises(OutcomeUnknownError) as raised:
                await client.run(call)
        with (
            Client(url, KEY, limits=limits) as client_of_threads,
            pytest.raises(OutcomeUnknownError) as other,
        ):
            await asyncio.to_thread(client_of_threads.run, call)
    for error in (raised.value, other.value):
        assert error.last is not None
        assert error.last.code == "no_answer_late"


async def test_a_cancelled_create_says_under_which_key(desk: Desk, line: Cutter) -> None:
    """The task was stopped from outside; its traceback holds the key, and asking again is safe."""
    held = asyncio.Event()
    line.hold = held
    async with AsyncClient(line.url, desk.keys["acme"]) as client:
        asking = asyncio.create_task(client.payouts.create(REQUEST, idempotency_key="k" * 16))
        await line.arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await asking
        held.set()
        assert "k" * 16 in raised.value.__notes__[0]
        assert (await client.payouts.create(REQUEST, idempotency_key="k" * 16)).replayed
    assert await stored(desk) == 1


async def test_a_refusal_tells_what_the_gateway_says(desk: Desk, run: Run) -> None:
    """Kind, code, field, both languages, and the id under which its log has it."""
    with pytest.raises(InvalidError) as raised:
        await run(calls.create(asked(purpose=" "), None))
    error = raised.value
    assert (error.status, error.code, error.field) == (422, "field_invalid", "purpose")
    assert "purpose" in error.message_zh
    assert error.request_id in {one.get("request_id") for one in desk.log_lines()}
    with pytest.raises(UnfundedError):
        await run(calls.create(asked(amount=99_999_999), None))
    with pytest.raises(AbsenceError):
        await run(calls.payout("po_00000000000000000000000000"))


async def test_a_halted_gateway_is_unavailable_and_stores_nothing(desk: Desk) -> None:
    """The real 503, until the budget ends; and no doubt about it."""
    limits = Limits(budget_s=1.5, backoff_s=0.2)
    async with AsyncClient(address(desk), desk.keys["acme"], limits=limits) as client:
        desk.gateway.halt(Halt("defect", "stopped for a test", "测试停机"))
        with pytest.raises(UnavailableError) as raised:
            await client.payouts.create(REQUEST)
    assert raised.value.code == "halted"
    assert await stored(desk) == 0


async def test_a_key_reused_for_another_payout_is_refused(merchant: AsyncClient) -> None:
    """Same key, other request: the first stands."""
    first = await merchant.payouts.create(asked())
    with pytest.raises(InvalidError) as raised:
        await merchant.payouts.create(asked(amount=7), idempotency_key=first.idempotency_key)
    assert raised.value.code == "idempotency_key_reused"
    ours = await merchant.payouts.create(REQUEST)
    with pytest.raises(ConflictError):
        await merchant.payouts.create(asked(amount=8, merchant_ref="order-1"))
    assert (await merchant.payouts.find("order-1")) == ours.payout
    assert await merchant.payouts.find("order-none") is None


async def test_keys_and_scopes_are_told_apart(desk: Desk) -> None:
    """401 for who is unknown, 403 for who may not."""
    async with AsyncClient(address(desk), "hd_0123456789abcdef_" + "x" * 43) as stranger:
        with pytest.raises(UnauthenticatedError):
            await stranger.balances()
    async with AsyncClient(address(desk), desk.keys["operator"]) as operator:
        with pytest.raises(ForbiddenError):
            await operator.payouts.create(REQUEST)


async def test_a_signed_key_works_in_both_clients(desk: Desk) -> None:
    """Bodies, queries with escapes, and repetitions with a nonce of their own."""
    await desk.add_key("signed", ACME, MERCHANT_SCOPES, signed=True)
    secret = desk.signing["signed"]
    named: dict[str, Any] = {"signing_secret": secret, "clock": AtDesk(desk), "limits": QUICK}
    async with cutter(desk.server.port or 0) as line:
        line.cuts = 1
        async with AsyncClient(line.url, desk.keys["signed"], **named) as client:
            created = await client.payouts.create(REQUEST)
            which = PayoutFilter(accepted_from=after(hours=-1), merchant_ref="order-1")
            assert [one.id async for one in client.payouts.list(which)] == [created.payout.id]
        with Client(line.url, desk.keys["signed"], **named) as client_of_threads:
            again = await asyncio.to_thread(client_of_threads.payouts.get, created.payout.id)
            assert again == created.payout


class AtDesk:
    """Wall time as the gateway's test clock has it."""

    def __init__(self, desk: Desk) -> None:
        """The rest is real."""
        self.now = desk.clock.now
        self.steady = asyncio.get_running_loop().time
        self.rest = asyncio.sleep

    def sleep(self, seconds: float) -> None:
        """Nobody waits here."""


async def test_hundreds_are_listed_and_taken_up_again(desk: Desk, merchant: AsyncClient) -> None:
    """Every payout once, also by a second program that has only the cursor."""
    ids = [await desk.pay(f"order-{number}", amount_minor=1) for number in range(250)]
    first = merchant.payouts.list(page=40)
    half = [(await anext(first)).id for _ in range(95)]
    rest = merchant.payouts.list(after=first.cursor, page=33)
    assert half + [one.id async for one in rest] == sorted(ids, reverse=True)

    def blocking() -> list[int]:
        with Client(address(desk), desk.keys["acme"]) as client:
            feed = client.events.list(page=30)
            some = [next(feed).feed for _ in range(77)]
            return some + [one.feed for one in client.events.list(after=feed.cursor, page=200)]

    feeds = await asyncio.to_thread(blocking)
    assert feeds == sorted(set(feeds))
    events = [one async for one in merchant.events.list()]
    assert [one.feed for one in events] == feeds
    assert {one.payout_id for one in events} == set(ids)


async def test_lists_are_filtered(desk: Desk, merchant: AsyncClient) -> None:
    """By state and time of acceptance."""
    paid = await desk.pay("order-1")
    await desk.work(paid)
    waiting = (await merchant.payouts.create(asked(release_after=after(days=1)))).payout
    assert waiting.state == "scheduled"
    found = merchant.payouts.list(PayoutFilter(state="paid"))
    assert [one.id async for one in found] == [paid]
    late = merchant.payouts.list(PayoutFilter(accepted_from=after(hours=1)))
    assert [one.id async for one in late] == []


async def test_everything_about_a_payout_can_be_read(desk: Desk, merchant: AsyncClient) -> None:
    """Tries, timeline, reasons, receipt, proof, deliveries, balances."""
    printing(desk)
    limits = ChannelLimits(only=["till"], max_attempts=3)
    made = await merchant.payouts.create(asked(merchant_ref="order-9", channels=limits))
    payout_id = made.payout.id
    assert made.payout.channels.only == ("till",)
    held = {one.book: one.money for one in await merchant.balances()}
    promised = made.payout.amount_minor + made.payout.fee_minor
    assert held["held"] == Money(promised, Currency.CNY)
    await desk.work(payout_id)
    (attempt,) = await merchant.payouts.attempts(payout_id)
    assert (attempt.channel, attempt.state) == ("till", "confirmed")
    timeline = await merchant.payouts.timeline(payout_id)
    assert [one.type for one in timeline] == ["payout.accepted", "payout.armed", "payout.paid"]
    (reason,) = await merchant.payouts.why(payout_id)
    assert reason.zh
    assert reason.en
    receipt = await merchant.payouts.receipt(payout_id)
    assert (receipt.content_type, receipt.body) == ("application/pdf", PDF)
    assert receipt.name.endswith(".pdf")
    await desk.api.auditor.catch_up()
    await desk.api.auditor.checkpoint(now=True)
    proof = await merchant.payouts.proof(payout_id)
    assert (proof.payout_id, proof.pending, len(proof.leaves)) == (payout_id, 0, 3)
    assert (await merchant.audit_key()).origin == "hangdao"
    assert await merchant.payouts.deliveries(payout_id) == ()


async def test_a_scheduled_payout_is_cancelled_or_released(merchant: AsyncClient) -> None:
    """Until its time; a paid one is not."""
    later = after(days=1)
    one = (await merchant.payouts.create(asked(release_after=later))).payout
    assert (await merchant.payouts.cancel(one.id)).state == "cancelled"
    assert (await merchant.payouts.cancel(one.id)).state == "cancelled"
    other = (await merchant.payouts.create(asked(release_after=later))).payout
    assert (await merchant.payouts.release(other.id)).state == "routing"
    with pytest.raises(ConflictError):
        await merchant.payouts.release(other.id)


async def deliver(desk: Desk) -> None:
    """Send every webhook that is due."""
    sender = WebhookSender(Egress(["127.0.0.0/8"]), timeout_s=5)
    try:
        while await deliver_due(desk.store, sender, desk.clock, limit=50, concurrency=4):
            pass
    finally:
        await sender.aclose()


def verified(shop: Receiver, desk: Desk, *secrets: str) -> list[webhooks.WebhookMessage]:
    """What the shop heard, as its code would read it."""
    now = desk.clock.now()
    return [webhooks.verify(one.headers, one.body, secrets, now=now) for one in shop.heard]


async def test_webhooks_of_the_gateway_are_verified(desk: Desk, merchant: AsyncClient) -> None:
    """From adding the endpoint to the typed event, over a rotation, and again on demand."""
    desk.api.check_webhook_url = Egress(["127.0.0.0/8"]).check_url
    async with receiver() as shop:
        endpoint = await merchant.webhook_endpoints.add(shop.url(), ["payout.accepted", "paid"])
        assert endpoint.secret not in repr(endpoint)
        first = (await merchant.payouts.create(asked(merchant_ref="order-1"))).payout
        await desk.work(first.id)
        await deliver(desk)
        heard = verified(shop, desk, endpoint.secret)
        assert [one.type for one in heard] == ["payout.accepted", "payout.paid"]
        assert {one.payout_id for one in heard} == {first.id}
        assert heard[-1].data.amount_minor == 1230

        shop.heard.clear()
        newer = await merchant.webhook_endpoints.rotate(endpoint.id)
        (delivery, _) = await merchant.payouts.deliveries(first.id)
        assert await merchant.webhook_endpoints.resend(delivery.id)
        await deliver(desk)
        for secret in (endpoint.secret, newer.secret):
            (again,) = verified(shop, desk, secret)
            assert again.delivery_id == delivery.id
        desk.clock.at += timedelta(minutes=6)
        with pytest.raises(WebhookRefusedError):
            verified(shop, desk, newer.secret)
        assert not (await merchant.webhook_endpoints.remove(endpoint.id)).active
        assert [one.active for one in await merchant.webhook_endpoints.list()] == [False]


async def test_threads_share_a_client(desk: Desk) -> None:
    """Each call has its own key and its own tries; nothing of one is mixed into another."""
    with Client(address(desk), desk.keys["acme"], limits=QUICK) as client:
        made = await asyncio.gather(
            *(
                asyncio.to_thread(client.payouts.create, asked(amount=100 + number))
                for number in range(24)
            )
        )
    assert [one.payout.amount_minor for one in made] == [100 + number for number in range(24)]
    assert len({one.idempotency_key for one in made}) == len({one.payout.id for one in made}) == 24


def test_both_clients_offer_the_same() -> None:
    """Group by group, name by name, parameter by parameter."""
    for one, other in (
        (blocking.Client, asynchronous.AsyncClient),
        (blocking.Payouts, asynchronous.AsyncPayouts),
        (blocking.Events, asynchronous.AsyncEvents),
        (blocking.WebhookEndpoints, asynchronous.AsyncWebhookEndpoints),
    ):
        offered = [
            {name for name in vars(each) if not name.startswith("_")} for each in (one, other)
        ]
        assert {name.removeprefix("a") if name == "aclose" else name for name in offered[1]} == (
            offered[0]
        )
        for name in offered[0] - {"close"}:
            parameters = [list(signature(getattr(each, name)).parameters) for each in (one, other)]
            assert parameters[0] == parameters[1], name


def test_every_path_of_a_merchant_has_a_call() -> None:
    """What the gateway offers to merchants, the client can ask for."""
    some = "x" * 16
    known: list[Call[Any]] = [
        *(calls.create(REQUEST, some), calls.payouts(PayoutFilter(), None, 1), calls.payout(some)),
        *(calls.attempts(some), calls.timeline(some), calls.why(some), calls.proof(some)),
        *(calls.receipt(some), calls.cancel(some), calls.release(some), calls.deliveries(some)),
        *(calls.resend(some), calls.balances(), calls.events(0, 1), calls.audit_key()),
        *(calls.add_endpoint("", []), calls.endpoints(), calls.rotate_endpoint(some)),
        calls.remove_endpoint(some),
        *(bulk_calls.create_split(SPLIT, some), bulk_calls.split(some)),
        *(bulk_calls.create_batch(FILE, some), bulk_calls.batches(None, None, 1)),
        bulk_calls.cancel_batch(some),
        *(bulk_calls.batch(some), bulk_calls.batch_template("csv", "native", "zh")),
        *(
            bulk_calls.batch_rows(some, None, 0, 1),
            bulk_calls.batch_template("csv", "native", "zh"),
        ),
        *(bulk_calls.batch_result(some, one, "zh") for one in ("csv", "xlsx")),
    ]
    offered = {
        (one.method, re.sub(r"\{\w+\}", some, one.path))
        for one in ROUTES
        if not one.path.startswith("/v1/admin")
        # For developers who look for a mistake, not for their programs.
        and one.path != "/v1/sign/explain"
    }
    assert {(one.method, one.path) for one in known} == offered
