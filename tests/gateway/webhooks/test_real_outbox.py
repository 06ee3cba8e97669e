"""The whole way out: a commit in SQLite, the loop, the sender, a merchant's server."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from gateway.domain.payout import Payout
from gateway.engine.deliver import Courier, deliver_due
from gateway.ports import DeliveryState, Funding
from gateway.store import SqlStore, Vault, open_store
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests.builders import accepted_change, cancelled, change, endpoint, intake, merchant, payout
from tests.gateway.webhooks.outbox import FrozenClock
from tests.gateway.webhooks.receiver import Receiver, receiver

PAYOUTS = 5


@pytest.fixture
def clock() -> FrozenClock:
    """Near the real time, because the verifying library has no clock to inject."""
    return FrozenClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
async def store(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[SqlStore]:
    """An empty database."""
    vault = Vault(base64.b64encode(bytes(32)).decode())
    opened = await open_store(f"sqlite:///{tmp_path}/outbox.db", vault, clock, migrate=True)
    yield opened
    await opened.aclose()


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    """One that loopback is allowed to."""
    made = WebhookSender(Egress(["127.0.0.0/8"]), timeout_s=2.0)
    yield made
    await made.aclose()


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    """The merchant's server."""
    async with receiver() as listening:
        yield listening


async def accept_and_cancel(store: SqlStore, shop: Receiver, clock: FrozenClock) -> list[Payout]:
    """Commit a few payouts with two events each, for a merchant with one endpoint."""
    await store.add_merchant(merchant(funding=Funding.PASS_THROUGH), "test")
    await store.put_endpoint(endpoint(url=shop.url()), "test")
    accepted = [payout(accepted_at=clock.now(), due_at=None) for _ in range(PAYOUTS)]
    for one in accepted:
        await store.accept(accepted_change(one), intake(one), None)
        await store.record(change(one, cancelled(), at=clock.now()))
    return accepted


async def deliver_all(store: SqlStore, sender: WebhookSender, clock: FrozenClock) -> int:
    """Go round until nothing is due."""
    total = 0
    while done := await deliver_due(store, sender, clock, limit=50, concurrency=8):
        total += done
    return total


async def test_committed_events_arrive_verified_and_without_gap(
    store: SqlStore, sender: WebhookSender, shop: Receiver, clock: FrozenClock
) -> None:
    """Every payout's events, in order, each once, signed with the endpoint's stored secret."""
    accepted = await accept_and_cancel(store, shop, clock)
    assert await deliver_all(store, sender, clock) == 2 * PAYOUTS
    secret = Webhook(endpoint().secrets[0])
    bodies = [secret.verify(heard.body, heard.headers) for heard in shop.heard]
    for one in accepted:
        mine = [(body["seq"], body["type"]) for body in bodies if body["payout_id"] == one.id]
        assert mine == [(1, "payout.accepted"), (2, "payout.cancelled")]
        rows = await store.deliveries(one.merchant_id, one.id, 10)
        assert {(row.state, row.last_status) for row in rows} == {(DeliveryState.DELIVERED, 204)}


async def test_what_is_committed_is_sent_without_a_look(
    store: SqlStore, sender: WebhookSender, shop: Receiver, clock: FrozenClock
) -> None:
    """Once it is known what the merchant wants, the database is only told of what was heard."""
    courier = Courier(store, sender, clock, limit=50, concurrency=8)
    store.on_owed(courier.owed)
    await accept_and_cancel(store, shop, clock)
    await deliver_all(store, sender, clock)
    await store.learn_wanted()
    known = len(shop.heard)
    accepted = [payout(accepted_at=clock.now(), due_at=None) for _ in range(PAYOUTS)]
    for one in accepted:
        await store.accept(accepted_change(one), intake(one), None)
        await store.record(change(one, cancelled(), at=clock.now()))
    await courier.finish()
    bodies = [json.loads(heard.body) for heard in shop.heard[known:]]
    for one in accepted:
        assert [body["seq"] for body in bodies if body["payout_id"] == one.id] == [1, 2]
        rows = await store.deliveries(one.merchant_id, one.id, 10)
        assert {(row.state, row.tries) for row in rows} == {(DeliveryState.DELIVERED, 1)}


async def test_outage_is_made_good_in_order(
    store: SqlStore, sender: WebhookSender, shop: Receiver, clock: FrozenClock
) -> None:
    """One event of a payout fails first: its successor comes after it, under the same ids."""
    accepted = await accept_and_cancel(store, shop, clock)
    shop.answers("/hook", 503, 204)
    assert await deliver_all(store, sender, clock) == 2 * PAYOUTS - 1
    clock.turn(seconds=6)
    assert await deliver_all(store, sender, clock) == 2
    for one in accepted:
        bodies = [json.loads(heard.body) for heard in shop.heard]
        seqs = [body["seq"] for body in bodies if body["payout_id"] == one.id]
        assert seqs in ([1, 2], [1, 1, 2])
    assert len(set(shop.ids())) == 2 * PAYOUTS


async def test_410_is_kept_in_the_directory_until_the_merchant_acts(
    store: SqlStore, sender: WebhookSender, shop: Receiver, clock: FrozenClock
) -> None:
    """What is owed becomes dead; switched on again, a resend is delivered."""
    (first, *_) = await accept_and_cancel(store, shop, clock)
    shop.answers("/hook", 410)
    await deliver_all(store, sender, clock)
    stored = await store.endpoint("we_1")
    assert stored is not None
    assert not stored.active
    rows = await store.deliveries(first.merchant_id, None, 50)
    assert {row.state for row in rows} == {DeliveryState.DEAD}
    shop.answers("/hook", 204)
    await store.put_endpoint(endpoint(url=shop.url()), "test")
    assert await store.resend(first.merchant_id, rows[0].id, clock.now())
    assert await deliver_all(store, sender, clock) == 1
    assert shop.ids()[-1] == rows[0].id


async def test_ladder_survives_in_the_database(
    store: SqlStore, sender: WebhookSender, shop: Receiver, clock: FrozenClock
) -> None:
    """Tries are counted by the rows, not by the process: after the ladder everything is dead."""
    (first, *_) = await accept_and_cancel(store, shop, clock)
    shop.answers("/hook", 500)
    for _ in range(2 * 10 + 1):
        await deliver_all(store, sender, clock)
        clock.turn(days=1, hours=3)
    rows = await store.deliveries(first.merchant_id, None, 50)
    assert {(row.state, row.tries, row.last_status) for row in rows} == {
        (DeliveryState.DEAD, 10, 500)
    }
