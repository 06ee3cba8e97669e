"""The delivery loop against real receivers: order, ladder, dead letters, and who waits for whom."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from standardwebhooks import Webhook

from gateway.domain.pace import DELIVERY_LADDER_S
from gateway.domain.payout import PayoutId
from gateway.engine.deliver import SILENCES_MAX, Courier, deliver_due, retry_at
from gateway.ports import DeliveryState, Owed, StoreBrokenError
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests.builders import NOW, delivery, endpoint
from tests.gateway.webhooks.outbox import FrozenClock, Outbox
from tests.gateway.webhooks.receiver import Behaviour, Receiver, receiver

DUE, DELIVERED, DEAD = DeliveryState.DUE, DeliveryState.DELIVERED, DeliveryState.DEAD

Make = Callable[..., WebhookSender]


@pytest.fixture
async def merchant() -> AsyncIterator[Receiver]:
    """A merchant's server."""
    async with receiver() as listening:
        yield listening


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make senders that let loopback in."""
    made: list[WebhookSender] = []

    def build(timeout_s: float = 2.0) -> WebhookSender:
        made.append(WebhookSender(Egress(["127.0.0.0/8"]), timeout_s=timeout_s))
        return made[-1]

    yield build
    for sender in made:
        await sender.aclose()


@pytest.fixture
def sender(make: Make) -> WebhookSender:
    """The usual one."""
    return make()


@pytest.fixture
def clock() -> FrozenClock:
    """It is `NOW`."""
    return FrozenClock()


async def deliver(outbox: Outbox, sender: WebhookSender, clock: FrozenClock) -> int:
    """One round with ordinary bounds."""
    return await deliver_due(outbox, sender, clock, limit=100, concurrency=16)


def held_until(event: asyncio.Event) -> Behaviour:
    """Answer only once the event is set."""

    async def hold(_: web.Request) -> web.StreamResponse:
        await event.wait()
        return web.Response(status=204)

    return hold


async def never(_: web.Request) -> web.StreamResponse:
    """Do not answer in time."""
    await asyncio.sleep(30)
    raise AssertionError("the sender should have hung up")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens on the other side of a socket."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - no event crosses the socket
            await asyncio.sleep(0.002)


# --- fate of one delivery ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 299])
async def test_2xx_is_delivered(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock, status: int
) -> None:
    """Marked with the receiver's status; nothing is due afterwards."""
    merchant.answers("/hook", status)
    outbox = Outbox(endpoint(url=merchant.url()), delivery())
    assert await deliver(outbox, sender, clock) == 1
    row = outbox.rows["msg_1"]
    assert (row.state, row.last_status, row.tries) == (DELIVERED, status, 1)
    assert await deliver(outbox, sender, clock) == 0
    assert merchant.ids() == ["msg_1"]


async def test_webhook_is_signed_as_of_the_clock(merchant: Receiver, sender: WebhookSender) -> None:
    """The receiver verifies what the loop sent, with each of the endpoint's secrets."""
    hook = endpoint(url=merchant.url(), secrets=("whsec_" + "Q" * 32, "whsec_" + "R" * 32))
    outbox = Outbox(hook, delivery(payload=b'{"type":"payout.paid"}'))
    await deliver(outbox, sender, FrozenClock(datetime.now(UTC)))
    (heard,) = merchant.heard
    for secret in hook.secrets:
        assert Webhook(secret).verify(heard.body, heard.headers) == {"type": "payout.paid"}


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
async def test_other_status_is_tried_again_later(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock, status: int
) -> None:
    """The first failure waits five seconds, and the merchant can read why."""
    merchant.answers("/hook", status, 204)
    outbox = Outbox(endpoint(url=merchant.url()), delivery())
    assert await deliver(outbox, sender, clock) == 1
    row = outbox.rows["msg_1"]
    assert (row.state, row.tries, row.last_status) == (DUE, 1, status)
    assert row.last_error == f"the receiver answered {status}"
    assert timedelta(seconds=5) <= row.due_at - NOW <= timedelta(seconds=5.5)
    assert await deliver(outbox, sender, clock) == 0
    clock.turn(seconds=6)
    assert await deliver(outbox, sender, clock) == 1
    assert outbox.state("msg_1") is DELIVERED


async def test_ladder_ends_in_a_dead_letter(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Ten tries over three days, each under the same id and a later timestamp; then no more."""
    merchant.answers("/hook", 503)
    outbox = Outbox(endpoint(url=merchant.url()), delivery())
    waits: list[float] = []
    while await deliver(outbox, sender, clock):
        if outbox.state("msg_1") is DUE:
            waits.append((outbox.rows["msg_1"].due_at - clock.now()).total_seconds())
            clock.turn(seconds=waits[-1])
    assert len(waits) == len(DELIVERY_LADDER_S) - 1
    for waited, step in zip(waits, DELIVERY_LADDER_S[1:], strict=True):
        assert step <= waited <= step * 1.1
    assert timedelta(days=3) < clock.now() - NOW < timedelta(days=3.5)
    assert merchant.ids() == ["msg_1"] * len(DELIVERY_LADDER_S)
    stamps = [int(heard.headers["webhook-timestamp"]) for heard in merchant.heard]
    assert stamps == sorted(set(stamps))
    row = outbox.rows["msg_1"]
    assert (row.state, row.last_status, row.tries) == (DEAD, 503, len(DELIVERY_LADDER_S))


async def test_resent_dead_letter_is_delivered(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """An operator's resend gets another try although the ladder is used up."""
    dead = delivery(state=DEAD, tries=10)
    outbox = Outbox(endpoint(url=merchant.url()), dead)
    assert await deliver(outbox, sender, clock) == 0
    await outbox.resend(dead.merchant_id, dead.id, clock.now())
    assert await deliver(outbox, sender, clock) == 1
    assert outbox.state("msg_1") is DELIVERED


@given(tries=st.integers(0, 20), name=st.text(max_size=20))
def test_retry_lies_on_the_ladder(tries: int, name: str) -> None:
    """Never early, at most a tenth late, the same for the same try, and None past the end."""
    due_at = retry_at(delivery(name, tries=tries), NOW)
    if tries + 1 >= len(DELIVERY_LADDER_S):
        assert due_at is None
    else:
        assert due_at is not None
        step = timedelta(seconds=DELIVERY_LADDER_S[tries + 1])
        assert step <= due_at - NOW <= step * 1.1
        assert due_at == retry_at(delivery(name, tries=tries), NOW)


def test_retries_of_one_outage_are_spread() -> None:
    """A hundred webhooks that failed together do not come back together."""
    moments = {retry_at(delivery(f"msg_{n}", tries=2), NOW) for n in range(100)}
    assert len(moments) > 50


# --- the endpoint ------------------------------------------------------------------------------


async def test_410_switches_the_endpoint_off(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Gone means gone: this delivery and its successors are dead, and nothing more is sent."""
    merchant.answers("/hook", 410)
    outbox = Outbox(
        endpoint(url=merchant.url()), delivery("msg_1", seq=1), delivery("msg_2", seq=2)
    )
    await deliver(outbox, sender, clock)
    assert not outbox.endpoints["we_1"].active
    assert outbox.actors == ["gateway"]
    assert merchant.ids() == ["msg_1"]
    first, second = outbox.rows["msg_1"], outbox.rows["msg_2"]
    assert (first.state, first.last_status) == (DEAD, 410)
    assert "410" in str(first.last_error)
    assert "switched off" in str(first.last_error)
    assert (second.state, second.last_error) == (DEAD, "the endpoint is switched off")


async def test_late_410_does_not_undo_the_merchants_change(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """The endpoint was moved while the old address was being asked: it stays on, and is tried."""
    outbox = Outbox(endpoint(url=merchant.url("/old")), delivery())
    moved = replace(outbox.endpoints["we_1"], url=merchant.url("/new"), secrets=("whsec_TmV3",))

    async def gone(_: web.Request) -> web.StreamResponse:
        outbox.endpoints["we_1"] = moved
        return web.Response(status=410)

    merchant.behaviours["/old"] = gone
    await deliver(outbox, sender, clock)
    assert outbox.endpoints["we_1"] == moved
    assert outbox.state("msg_1") is DUE
    clock.turn(seconds=6)
    await deliver(outbox, sender, clock)
    assert [heard.path for heard in merchant.heard] == ["/old", "/new"]
    assert outbox.state("msg_1") is DELIVERED


async def test_410_keeps_a_secret_rotated_meanwhile(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Switching off writes back what the endpoint is now, not what it was when the try began."""
    outbox = Outbox(endpoint(url=merchant.url()), delivery())

    async def gone(_: web.Request) -> web.StreamResponse:
        current = outbox.endpoints["we_1"]
        outbox.endpoints["we_1"] = replace(current, secrets=("whsec_TmV3", *current.secrets))
        return web.Response(status=410)

    merchant.behaviours["/hook"] = gone
    await deliver(outbox, sender, clock)
    assert not outbox.endpoints["we_1"].active
    assert outbox.endpoints["we_1"].secrets[0] == "whsec_TmV3"


async def test_endpoint_switched_off_gets_nothing(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """What it was still owed becomes a dead letter that says so."""
    outbox = Outbox(endpoint(url=merchant.url(), active=False), delivery())
    assert await deliver(outbox, sender, clock) == 1
    row = outbox.rows["msg_1"]
    assert (row.state, row.last_error) == (DEAD, "the endpoint is switched off")
    assert merchant.heard == []


@pytest.mark.parametrize("owner", [None, "m_other"])
async def test_absent_or_foreign_endpoint_gets_nothing(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock, owner: str | None
) -> None:
    """A webhook never crosses merchants, whatever the rows say."""
    outbox = Outbox(delivery())
    if owner is not None:
        await outbox.put_endpoint(endpoint(merchant_id=owner, url=merchant.url()), "test")
    await deliver(outbox, sender, clock)
    row = outbox.rows["msg_1"]
    assert (row.state, row.last_error) == (DEAD, "the endpoint no longer exists")
    assert merchant.heard == []


async def test_refused_destination_is_a_failed_try(sender: WebhookSender) -> None:
    """The guard's verdict reaches the merchant, and the ladder goes on."""
    outbox = Outbox(endpoint(url="https://169.254.169.254/latest"), delivery())
    await deliver(outbox, sender, FrozenClock())
    row = outbox.rows["msg_1"]
    assert (row.state, row.last_status) == (DUE, None)
    assert row.last_error == "169.254.169.254 is not a public address"


# --- order -------------------------------------------------------------------------------------


async def test_webhooks_of_a_payout_arrive_in_order(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """The second waits for the answer to the first, although it could have gone at once."""
    may_answer = asyncio.Event()
    merchant.behaviours["/hook"] = held_until(may_answer)
    rows = [delivery(f"msg_{seq}", seq=seq) for seq in (3, 1, 2)]
    outbox = Outbox(endpoint(url=merchant.url()), *rows)
    round_ = asyncio.create_task(deliver(outbox, sender, clock))
    await until(lambda: bool(merchant.heard))
    await asyncio.sleep(0.05)
    assert merchant.ids() == ["msg_1"]
    may_answer.set()
    assert await round_ == 3
    assert merchant.ids() == ["msg_1", "msg_2", "msg_3"]
    assert merchant.busiest == 1


async def test_failed_webhook_holds_its_successors(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """The second is not sent before the first, and has not used up a try."""
    merchant.answers("/hook", 500, 204)
    outbox = Outbox(
        endpoint(url=merchant.url()), delivery("msg_1", seq=1), delivery("msg_2", seq=2)
    )
    assert await deliver(outbox, sender, clock) == 1
    assert outbox.rows["msg_2"].tries == 0
    clock.turn(seconds=6)
    assert await deliver(outbox, sender, clock) == 2
    assert merchant.ids() == ["msg_1", "msg_1", "msg_2"]


async def test_dead_letter_lets_its_successors_pass(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Three days of trying are enough; the next event is not lost with it."""
    merchant.answers("/hook", 500, 204)
    last = len(DELIVERY_LADDER_S) - 1
    outbox = Outbox(
        endpoint(url=merchant.url()),
        delivery("msg_1", seq=1, tries=last),
        delivery("msg_2", seq=2),
    )
    assert await deliver(outbox, sender, clock) == 2
    assert (outbox.state("msg_1"), outbox.state("msg_2")) == (DEAD, DELIVERED)


async def test_payouts_and_endpoints_do_not_wait_for_each_other(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Another payout's webhook, and the same event to another endpoint, are sent meanwhile."""
    may_answer = asyncio.Event()
    merchant.behaviours["/a"] = merchant.behaviours["/b"] = held_until(may_answer)
    outbox = Outbox(
        endpoint("we_a", url=merchant.url("/a")),
        endpoint("we_b", url=merchant.url("/b")),
        delivery("msg_1", endpoint_id="we_a", payout="po_1"),
        delivery("msg_2", endpoint_id="we_a", payout="po_2"),
        delivery("msg_3", endpoint_id="we_b", payout="po_1"),
    )
    round_ = asyncio.create_task(deliver(outbox, sender, clock))
    await until(lambda: merchant.busy == 3)
    may_answer.set()
    assert await round_ == 3


# --- slow and silent receivers -----------------------------------------------------------------


async def test_slow_receiver_does_not_hold_up_the_others(
    merchant: Receiver, make: Make, clock: FrozenClock
) -> None:
    """A hundred webhooks for an endpoint that hangs, and another's arrive all the same."""
    merchant.behaviours["/slow"] = never
    slow = [delivery(f"s{n}", endpoint_id="we_s", payout=f"po_s{n}") for n in range(100)]
    fast = [delivery(f"f{n}", endpoint_id="we_f", payout=f"po_f{n}") for n in range(20)]
    outbox = Outbox(
        endpoint("we_s", url=merchant.url("/slow")),
        endpoint("we_f", url=merchant.url("/fast")),
        *slow,
        *fast,
    )
    courier = Courier(outbox, make(timeout_s=30), clock, limit=200, concurrency=8)
    await courier.start_due()
    await until(lambda: all(outbox.state(row.id) is DELIVERED for row in fast))
    assert all(outbox.state(row.id) is DUE for row in slow)
    assert len(merchant.ids("/slow")) == 2
    late = delivery("late", endpoint_id="we_f", payout="po_late")
    outbox.rows[late.id] = late
    assert await courier.start_due() == 1
    await until(lambda: outbox.state("late") is DELIVERED)
    await courier.aclose()


async def test_one_endpoint_gets_a_quarter_of_the_slots(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Sixteen slots, four at a time for one receiver, and all arrive."""
    rows = [delivery(f"msg_{n}", payout=f"po_{n}") for n in range(40)]
    outbox = Outbox(endpoint(url=merchant.url()), *rows)
    may_answer = asyncio.Event()
    merchant.behaviours["/hook"] = held_until(may_answer)
    round_ = asyncio.create_task(deliver(outbox, sender, clock))
    await until(lambda: merchant.busy == 4)
    await asyncio.sleep(0.05)
    may_answer.set()
    assert await round_ == 40
    assert sorted(merchant.ids()) == sorted(outbox.rows)
    assert merchant.busiest == 4


async def test_concurrency_bounds_all_endpoints_together(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Ten endpoints, and never more under way than asked for."""
    may_answer = asyncio.Event()
    rows = [delivery(f"msg_{n}", endpoint_id=f"we_{n}") for n in range(10)]
    outbox = Outbox(*(endpoint(row.endpoint_id, url=merchant.url("/all")) for row in rows), *rows)
    merchant.behaviours["/all"] = held_until(may_answer)
    round_ = asyncio.create_task(deliver_due(outbox, sender, clock, limit=100, concurrency=3))
    await until(lambda: merchant.busy == 3)
    await asyncio.sleep(0.05)
    may_answer.set()
    assert await round_ == 10
    assert merchant.busiest == 3


async def test_silent_endpoint_costs_no_time_and_comes_back(
    merchant: Receiver, make: Make, clock: FrozenClock
) -> None:
    """After a few silences only a probe is sent; its answer opens the way for all."""
    merchant.behaviours["/hook"] = never
    rows = [delivery(f"msg_{n}", payout=f"po_{n}") for n in range(60)]
    outbox = Outbox(endpoint(url=merchant.url()), *rows)
    courier = Courier(outbox, make(timeout_s=0.1), clock, limit=100, concurrency=16)
    await courier.start_due()
    await courier.finish()
    assert courier.settled == 60
    assert len(merchant.heard) <= 4 + 1 + SILENCES_MAX
    errors = {row.last_error for row in outbox.rows.values()}
    assert errors == {
        "no answer within 0.1 s",
        "not sent: the receiver did not answer other webhooks just now",
    }
    assert {(row.state, row.tries) for row in outbox.rows.values()} == {(DUE, 1)}
    del merchant.behaviours["/hook"]
    for _ in range(4):
        clock.turn(hours=1)
        await courier.start_due()
        await courier.finish()
    assert {row.state for row in outbox.rows.values()} == {DELIVERED}


async def test_limit_bounds_one_look(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """The rest stays due for the next round."""
    rows = [delivery(f"msg_{n}", payout=f"po_{n}") for n in range(5)]
    outbox = Outbox(endpoint(url=merchant.url()), *rows)
    assert await deliver_due(outbox, sender, clock, limit=3, concurrency=16) == 3
    assert await deliver_due(outbox, sender, clock, limit=3, concurrency=16) == 2
    assert len(merchant.heard) == 5


# --- overlap, crash, a failing store -----------------------------------------------------------


async def test_what_is_under_way_is_not_started_again(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """The outbox still shows it as due, and so does its successor."""
    may_answer = asyncio.Event()
    merchant.behaviours["/hook"] = held_until(may_answer)
    outbox = Outbox(endpoint(url=merchant.url()), delivery("msg_1"))
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)
    assert await courier.start_due() == 1
    await until(lambda: merchant.busy == 1)
    outbox.rows["msg_2"] = delivery("msg_2", seq=2)
    assert await courier.start_due() == 0
    may_answer.set()
    await courier.finish()
    assert await courier.start_due() == 1
    await courier.finish()
    assert merchant.ids() == ["msg_1", "msg_2"]


async def test_stale_look_does_not_send_again(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """A delivery that ended between the reading of the rows and their use is not repeated."""
    may_answer = asyncio.Event()
    merchant.behaviours["/hook"] = held_until(may_answer)
    outbox = Outbox(endpoint(url=merchant.url()), delivery())
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)
    await courier.start_due()
    await until(lambda: merchant.busy == 1)

    async def end_it() -> None:
        may_answer.set()
        await courier.finish()

    outbox.while_looking = end_it
    assert await courier.start_due() == 0
    assert outbox.state("msg_1") is DELIVERED
    assert merchant.ids() == ["msg_1"]


async def test_two_looks_at_once_start_a_lane_once(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """A wake-up and a timer may ask at the same moment."""
    outbox = Outbox(endpoint(url=merchant.url()), delivery())
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)
    started: list[int] = []

    async def look_too() -> None:
        started.append(await courier.start_due())

    outbox.while_looking = look_too
    started.append(await courier.start_due())
    await courier.finish()
    assert started == [1, 0]
    assert merchant.ids() == ["msg_1"]


async def test_crash_before_the_mark_sends_the_same_id_again(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """At least once: the receiver had it, we never knew, and it can tell by the id."""
    may_answer = asyncio.Event()
    merchant.behaviours["/hook"] = held_until(may_answer)
    outbox = Outbox(endpoint(url=merchant.url()), delivery())
    round_ = asyncio.create_task(deliver(outbox, sender, clock))
    await until(lambda: merchant.busy == 1)
    round_.cancel()
    with suppress(asyncio.CancelledError):
        await round_
    await until(lambda: merchant.busy == 0)
    assert (outbox.state("msg_1"), outbox.rows["msg_1"].tries) == (DUE, 0)
    may_answer.set()
    assert await deliver(outbox, sender, clock) == 1
    assert merchant.ids() == ["msg_1", "msg_1"]
    assert outbox.state("msg_1") is DELIVERED


async def test_courier_closed_before_its_first_step_leaves_all_due(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Stopping right after starting neither hangs nor loses anything."""
    outbox = Outbox(endpoint(url=merchant.url()), delivery())
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)
    await courier.start_due()
    async with asyncio.timeout(1):
        await courier.aclose()
    assert outbox.state("msg_1") is DUE


async def test_failing_store_is_raised_after_the_others_ended(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Whoever runs the loop must stop on it; what could be written down has been."""
    rows = [delivery(f"msg_{n}", payout=f"po_{n}") for n in range(3)]
    outbox = Outbox(endpoint(url=merchant.url()), *rows)
    outbox.broken_for.add("msg_0")
    with pytest.raises(StoreBrokenError, match="disk full"):
        await deliver(outbox, sender, clock)
    assert {row.id: row.state for row in outbox.rows.values()} == {
        "msg_0": DUE,
        "msg_1": DELIVERED,
        "msg_2": DELIVERED,
    }


# --- what was owed just now ---------------------------------------------------------------------


async def test_what_is_owed_ends_the_rest(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """The next look is not waited for, and finds it."""
    row = delivery()
    outbox = Outbox(endpoint(url=merchant.url()), row)
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)
    courier.owed(Owed(None))
    async with asyncio.timeout(5):
        await courier.rest(60)
    assert await courier.start_due() == 1
    await courier.finish()
    assert merchant.ids() == [row.id]


async def test_what_is_owed_behind_a_try_under_way_is_looked_for_after_it(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """It does not overtake, and the rest before the next look ends with the try."""
    answered = asyncio.Event()
    merchant.behaviours["/hook"] = held_until(answered)
    first, second = delivery("msg_1", seq=1), delivery("msg_2", seq=2)
    outbox = Outbox(endpoint(url=merchant.url()), first)
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)
    assert await courier.start_due() == 1
    await until(lambda: merchant.ids() == ["msg_1"])
    outbox.rows[second.id] = second
    courier.owed(Owed(second.payout_id))
    assert await courier.start_due() == 0
    resting = asyncio.create_task(courier.rest(60))
    await asyncio.sleep(0)
    assert not resting.done()
    answered.set()
    async with asyncio.timeout(5):
        await resting
    assert await courier.start_due() == 1
    await courier.finish()
    assert merchant.ids() == ["msg_1", "msg_2"]


async def test_a_webhook_that_nothing_follows_is_no_reason_to_look_again(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """Looks cost a query each; what was owed about other payouts is found by one that is due."""
    answered = asyncio.Event()
    merchant.behaviours["/hook"] = held_until(answered)
    alone = replace(delivery(), may_be_followed=False)
    outbox = Outbox(endpoint(url=merchant.url()), alone)
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)
    assert await courier.start_due() == 1
    courier.owed(Owed(PayoutId("po_other")))
    assert await courier.start_due() == 0
    answered.set()
    await courier.finish()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await courier.rest(60)


async def test_what_is_owed_while_a_look_is_under_way_is_looked_for_after_what_it_found(
    merchant: Receiver, sender: WebhookSender, clock: FrozenClock
) -> None:
    """The look may be older than the commit, and knew of nothing that follows."""
    first, second = delivery("msg_1", seq=1), delivery("msg_2", seq=2)
    outbox = Outbox(endpoint(url=merchant.url()), replace(first, may_be_followed=False))
    courier = Courier(outbox, sender, clock, limit=10, concurrency=4)

    async def owe() -> None:
        outbox.rows[second.id] = second
        courier.owed(Owed(second.payout_id))

    outbox.while_looking = owe
    assert await courier.start_due() == 1
    assert await courier.start_due() == 0
    await courier.finish()
    async with asyncio.timeout(5):
        await courier.rest(60)
    assert await courier.start_due() == 1
    await courier.finish()
    assert merchant.ids() == ["msg_1", "msg_2"]
