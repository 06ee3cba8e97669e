"""Webhooks owed: born with their event, in order, retried, dead, sent again."""

import asyncio

import orjson
import pytest
from msgspec.structs import replace

from gateway.domain.payout import MerchantId, Payout, PayoutId
from gateway.ports import DeliveryState, FloatShortError, Owed
from gateway.store import SqlStore
from tests import builders as build
from tests.contracts.store.conftest import Backend

OTHER = MerchantId("m_other")


async def _accept(store: SqlStore, subject: Payout | None = None) -> Payout:
    subject = subject or build.payout()
    return await store.accept(build.accepted_change(subject), build.intake(subject), None)


async def test_each_event_owes_one_webhook_per_matching_endpoint(store: SqlStore) -> None:
    """Active endpoints of the merchant that want the kind, and no others."""
    await store.put_endpoint(build.endpoint("we_all"), "ops")
    await store.put_endpoint(build.endpoint("we_kind", kinds=("accepted", "paid")), "ops")
    await store.put_endpoint(build.endpoint("we_type", kinds=("payout.accepted",)), "ops")
    await store.put_endpoint(build.endpoint("we_paid", kinds=("paid",)), "ops")
    await store.put_endpoint(build.endpoint("we_off", active=False), "ops")
    await store.put_endpoint(build.endpoint("we_other", OTHER), "ops")

    subject = await _accept(store)

    owed = await store.deliveries(build.MERCHANT, subject.id, 10)
    assert {delivery.endpoint_id for delivery in owed} == {"we_all", "we_kind", "we_type"}
    assert len({delivery.id for delivery in owed}) == 3
    assert await store.deliveries(OTHER, None, 10) == []


async def test_the_payload_tells_what_happened(store: SqlStore) -> None:
    """Type, payout, number, state and figures; no payee."""
    await store.put_endpoint(build.endpoint(), "ops")
    subject = await _accept(store, build.payout(metadata={"order": "7"}))

    (delivery,) = await store.due_deliveries(build.NOW, 10)

    body = orjson.loads(delivery.payload)
    assert body["type"] == "payout.accepted"
    assert (body["payout_id"], body["merchant_ref"]) == (subject.id, subject.merchant_ref)
    assert (body["seq"], body["state"], body["at"]) == (1, "routing", "2026-03-02T02:00:00Z")
    assert body["data"]["amount_minor"] == 10_000
    assert body["data"]["currency"] == "CNY"
    assert body["data"]["metadata"] == {"order": "7"}
    assert "张三" not in delivery.payload.decode()


async def test_later_events_wait_for_earlier_ones(store: SqlStore) -> None:
    """Per payout and endpoint, in order; a dead one no longer holds the next back."""
    await store.put_endpoint(build.endpoint(), "ops")
    subject = await _accept(store)
    held = build.change(subject, build.held(), at=build.after(1))
    await store.record(held)
    await store.record(build.change(held.after, build.cancelled(), at=build.after(2)))

    async def owed() -> list[int]:
        return [d.seq for d in await store.due_deliveries(build.after(9), 10)]

    (first,) = await store.due_deliveries(build.after(9), 10)
    assert first.seq == 1
    await store.delivered(first.id, 200, build.after(9))
    (second,) = await store.due_deliveries(build.after(9), 10)
    assert second.seq == 2
    await store.delivery_failed(second.id, 503, "busy", build.after(60))
    assert await owed() == []
    assert [d.seq for d in await store.due_deliveries(build.after(60), 10)] == [2]
    await store.delivery_failed(second.id, None, "timeout", None)
    assert [d.seq for d in await store.due_deliveries(build.after(60), 10)] == [3]


async def test_another_endpoint_does_not_wait(store: SqlStore) -> None:
    """Order is per endpoint: one that is down holds nobody else back."""
    await store.put_endpoint(build.endpoint("we_a"), "ops")
    await store.put_endpoint(build.endpoint("we_b"), "ops")
    subject = await _accept(store)
    await store.record(build.change(subject, build.held()))
    first = {d.endpoint_id: d for d in await store.due_deliveries(build.NOW, 10)}
    await store.delivery_failed(first["we_a"].id, 500, "down", build.after(60))
    await store.delivered(first["we_b"].id, 200, build.NOW)

    due = await store.due_deliveries(build.after(1), 10)

    assert [(d.endpoint_id, d.seq) for d in due] == [("we_b", 2)]


async def test_tries_and_answers_are_counted(store: SqlStore) -> None:
    """The delivery shows how often it was tried and what came back last."""
    await store.put_endpoint(build.endpoint(), "ops")
    subject = await _accept(store)
    (delivery,) = await store.due_deliveries(build.NOW, 10)
    await store.delivery_failed(delivery.id, 500, "oops", build.after(5))
    await store.delivery_failed(delivery.id, None, "connection refused", build.after(10))

    (failed,) = await store.deliveries(build.MERCHANT, subject.id, 10)
    assert (failed.state, failed.tries, failed.due_at) == (DeliveryState.DUE, 2, build.after(10))
    assert (failed.last_status, failed.last_error) == (None, "connection refused")

    await store.delivered(delivery.id, 204, build.after(11))
    (done,) = await store.deliveries(build.MERCHANT, subject.id, 10)
    assert (done.state, done.tries, done.last_status) == (DeliveryState.DELIVERED, 3, 204)
    assert done.last_error is None


@pytest.mark.parametrize("ending", ["delivered", "dead"])
async def test_resend_makes_a_finished_delivery_due_again(store: SqlStore, ending: str) -> None:
    """Only for its own merchant, under the same id."""
    await store.put_endpoint(build.endpoint(), "ops")
    await _accept(store)
    (delivery,) = await store.due_deliveries(build.NOW, 10)
    if ending == "dead":
        await store.delivery_failed(delivery.id, 500, "x", None)
    else:
        await store.delivered(delivery.id, 200, build.NOW)
    assert await store.due_deliveries(build.after(9), 10) == []

    assert await store.resend(OTHER, delivery.id, build.after(9)) is False
    assert await store.resend(build.MERCHANT, "msg_none", build.after(9)) is False
    assert await store.due_deliveries(build.after(9), 10) == []
    assert await store.resend(build.MERCHANT, delivery.id, build.after(9)) is True

    (again,) = await store.due_deliveries(build.after(9), 10)
    assert (again.id, again.tries) == (delivery.id, 0)


async def test_deliveries_list_newest_first(store: SqlStore) -> None:
    """Over all payouts of the merchant, limited."""
    await store.put_endpoint(build.endpoint(), "ops")
    for n in range(3):
        await _accept(store, build.payout(accepted_at=build.after(n)))

    listed = await store.deliveries(build.MERCHANT, None, 2)

    assert [d.created_at for d in listed] == [build.after(2), build.after(1)]


async def test_a_look_says_whether_others_wait_behind_what_it_brings(store: SqlStore) -> None:
    """Whoever sends it need look again only then."""
    await store.put_endpoint(build.endpoint(), "ops")
    subject = await _accept(store)
    (alone,) = await store.due_deliveries(build.NOW, 10)
    await store.record(build.change(subject, build.held(), at=build.after(1)))
    (followed,) = await store.due_deliveries(build.after(1), 10)

    assert (alone.id, alone.may_be_followed) == (followed.id, False)
    assert followed.may_be_followed


async def test_a_refused_move_owes_no_webhook(store: SqlStore) -> None:
    """What was not committed is never told."""
    await store.put_endpoint(build.endpoint(), "ops")
    subject = await _accept(store)

    with pytest.raises(FloatShortError):
        await store.record(build.arm(subject))

    assert len(await store.deliveries(build.MERCHANT, None, 10)) == 1


async def _told(store: SqlStore) -> list[Owed]:
    """Who delivers has looked up what endpoints want, and hears from now on of what is owed."""
    told: list[Owed] = []
    store.on_owed(told.append)
    await _accept(store)
    await store.learn_wanted()
    told.clear()
    return told


def _owing(told: list[Owed]) -> list[PayoutId | None]:
    """Payouts of which something is owed, or may be."""
    return [one.payout_id for one in told if one.deliveries is None or one.deliveries]


async def test_a_commit_that_owes_is_told_at_once(store: SqlStore) -> None:
    """An endpoint wants to hear of acceptances, and this one is named."""
    await store.put_endpoint(build.endpoint(kinds=("payout.accepted",)), "ops")
    told = await _told(store)

    subject = await _accept(store)

    assert _owing(told) == [subject.id]


@pytest.mark.parametrize("kinds", [("payout.paid",), None])
async def test_nobody_is_told_of_a_commit_that_owes_nothing(
    store: SqlStore, kinds: tuple[str, ...] | None
) -> None:
    """No endpoint, or none that wants to hear of this."""
    if kinds is not None:
        await store.put_endpoint(build.endpoint(kinds=kinds), "ops")
    told = await _told(store)

    await _accept(store)

    assert _owing(told) == []


async def test_an_endpoint_put_since_then_is_told_of(store: SqlStore) -> None:
    """What was known of a merchant's endpoints is forgotten with each that is put."""
    told = await _told(store)
    await store.put_endpoint(build.endpoint(), "ops")

    await _accept(store)

    assert len(told) == 1


async def test_a_webhook_to_be_sent_again_is_told_of(store: SqlStore) -> None:
    """A person who asks for it need not wait for the next round."""
    await store.put_endpoint(build.endpoint(), "ops")
    await _accept(store)
    (first,) = await store.due_deliveries(build.NOW, 10)
    await store.delivered(first.id, 200, build.NOW)
    told: list[Owed] = []
    store.on_owed(told.append)

    assert await store.resend(build.MERCHANT, first.id, build.after(5))

    assert told == [Owed(first.payout_id)]


async def test_where_nobody_else_writes_all_that_a_commit_owes_is_handed_over(
    store: SqlStore, backend: Backend
) -> None:
    """Just as it is stored, event by event; among several processes it is left to a look."""
    for name, kinds in (("we_all", ()), ("we_held", ("payout.held",)), ("we_paid", ("paid",))):
        await store.put_endpoint(build.endpoint(name, kinds=kinds), "ops")
    await store.put_endpoint(build.endpoint("we_off", active=False), "ops")
    told = await _told(store)

    subject = await _accept(store)
    await store.record(build.change(subject, build.held(), at=build.after(1)))

    if backend.kind == "postgres":
        assert told == [Owed(subject.id), Owed(subject.id)]
        return
    assert [(one.payout_id, one.first, one.last) for one in told] == [
        (subject.id, 1, 1),
        (subject.id, 2, 2),
    ]
    handed = {one.id: one for owed in told for one in owed.deliveries or ()}
    stored = await store.deliveries(build.MERCHANT, subject.id, 10)
    assert len(handed) == 3
    assert handed == {one.id: replace(one, may_be_followed=False) for one in stored}


async def test_events_of_one_commit_are_handed_over_together(
    store: SqlStore, backend: Backend
) -> None:
    """In their order, so that none seems to be missing; or told of once."""
    await store.put_endpoint(build.endpoint(), "ops")
    told = await _told(store)
    subject = build.payout()
    accepted = build.accepted_change(subject)
    held = build.change(subject, build.held())

    await store.accept(accepted, build.intake(subject), None, held)

    (owed,) = told
    if backend.kind == "postgres":
        assert owed == Owed(subject.id)
        return
    assert (owed.first, owed.last) == (1, 2)
    assert [one.seq for one in owed.deliveries or ()] == [1, 2]


async def test_an_endpoint_put_meanwhile_leaves_what_is_owed_to_a_look(store: SqlStore) -> None:
    """Whether the commit came before or after it is known to the store alone."""
    await store.put_endpoint(build.endpoint(), "ops")
    told = await _told(store)

    await asyncio.gather(
        _accept(store), store.put_endpoint(build.endpoint("we_2"), "ops"), _accept(store)
    )

    assert len(told) == 2
    assert {one.deliveries for one in told} == {None}


async def test_an_endpoint_whose_putting_was_given_up_is_not_missed(store: SqlStore) -> None:
    """It is committed all the same, and what is known of endpoints is forgotten when it is."""
    told = await _told(store)
    putting = asyncio.create_task(store.put_endpoint(build.endpoint(), "ops"))
    await asyncio.sleep(0)
    putting.cancel()
    await asyncio.wait({putting})

    first = await _accept(store)
    await store.learn_wanted()
    second = await _accept(store)

    assert all(one.deliveries is None for one in told if one.payout_id == first.id)
    assert len(await store.deliveries(build.MERCHANT, second.id, 10)) == 1
    assert _owing(told)[-1:] == [second.id]


async def test_an_endpoint_that_was_put_is_the_one_that_is_read(store: SqlStore) -> None:
    """However lately the former one was read."""
    await store.put_endpoint(build.endpoint(), "ops")
    before = await store.endpoint(build.endpoint().id)
    moved = build.endpoint(url="https://elsewhere.example.test/hook")

    await store.put_endpoint(moved, "ops")

    assert before is not None
    assert before != moved
    assert await store.endpoint(moved.id) == moved


async def test_deliveries_marked_together_are_each_marked(store: SqlStore) -> None:
    """Those that end at once, one of them told twice: each is done, with its own status."""
    await store.put_endpoint(build.endpoint(), "ops")
    for _ in range(9):
        await _accept(store)
    due = await store.due_deliveries(build.NOW, 10)
    marks = [(delivery.id, 200 + number) for number, delivery in enumerate(due)]

    await asyncio.gather(
        *(store.delivered(name, status, build.after(1)) for name, status in [*marks, marks[0]])
    )

    told = {one.id: one.last_status for one in await store.deliveries(build.MERCHANT, None, 20)}
    assert told == dict(marks)
    assert await store.due_deliveries(build.after(9), 10) == []
