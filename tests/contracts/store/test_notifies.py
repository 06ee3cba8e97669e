"""What callers of other platforms' protocols are owed: by the commit that ends an order."""

import asyncio

import orjson
import pytest
from msgspec.structs import replace

from gateway.domain.dialect import NotifyTo
from gateway.domain.payout import Cancelled, Event, MerchantId, Payout, PayoutState
from gateway.ports import Change, Notify, StaleError
from gateway.store import SqlStore
from tests import builders as build
from tests.contracts.store.conftest import Fund

URL = "https://shop.example/pay/transfernotify/7/"


@pytest.fixture(autouse=True)
async def _funded(fund: Fund) -> None:
    """Every attempt has its float."""
    await fund()


async def take(store: SqlStore, number: str = "A-1", *, problem: str | None = None) -> Payout:
    """Accept an order whose caller wants to be told."""
    subject = build.payout(merchant_ref=f"da_1:{number}")
    to = NotifyTo("da_1", number, f"own-{number}", URL, problem)
    intake = replace(build.intake(subject), notify=to)
    return await store.accept(build.accepted_change(subject), intake, None)


async def go(store: SqlStore, subject: Payout, *events: Event) -> Payout:
    """Commit one event after the other."""
    for event in events:
        change = build.change(subject, event)
        await store.record(change)
        subject = change.after
    return subject


async def told(store: SqlStore, subject: Payout) -> list[str]:
    """The standings that are owed, in order."""
    owed = await store.deliveries(build.MERCHANT, subject.id, 50)
    assert {one.endpoint_id for one in owed} <= {"da_1"}
    return [orjson.loads(one.payload)["standing"] for one in sorted(owed, key=lambda d: d.seq)]


@pytest.mark.parametrize(
    ("events", "standings"),
    [
        ((), []),
        ((build.armed(), build.pended(), build.doubted()), []),
        ((build.armed(), build.confirmed()), ["paid"]),
        ((build.armed(), build.confirmed(), build.settled()), ["paid"]),
        ((build.armed(), build.confirmed(), build.came_back()), ["paid", "returned"]),
        (
            (build.armed(), build.confirmed(), build.settled(), build.came_back()),
            ["paid", "returned"],
        ),
        ((build.armed(), build.died(), build.failed()), ["failed"]),
        ((build.armed(), build.died(), build.failed(), build.contradicted()), ["failed"]),
        ((build.armed(), build.died(), build.held()), []),
        ((build.cancelled(),), ["rejected"]),
    ],
)
async def test_each_end_owes_one_notice(
    store: SqlStore, events: tuple[Event, ...], standings: list[str]
) -> None:
    """Nothing before it, and another one only when a payment comes back."""
    subject = await go(store, await take(store), *events)

    assert await told(store, subject) == standings


async def test_a_notice_is_owed_by_the_commit_that_ends_the_order(store: SqlStore) -> None:
    """Of many who end it at once one does, and one notice is owed."""
    armed = await go(store, await take(store), build.armed())
    ends: list[Change] = [build.confirm(armed) for _ in range(10)]

    said = await asyncio.gather(*(store.record(one) for one in ends), return_exceptions=True)

    assert sum(isinstance(one, StaleError) for one in said) == 9
    assert await told(store, armed) == ["paid"]


async def test_nobody_is_told_who_did_not_ask(store: SqlStore) -> None:
    """Neither a native payout, nor one whose reference only looks like an order's."""
    for ref in ("order-1", "da_1:B-1"):
        subject = build.payout(merchant_ref=ref)
        stored = await store.accept(build.accepted_change(subject), build.intake(subject), None)
        assert await told(store, await go(store, stored, build.cancelled())) == []


async def test_a_repeated_order_keeps_the_first_address(store: SqlStore) -> None:
    """It is the same order, whatever else is said with it."""
    first = await take(store)
    again = build.payout(merchant_ref="da_1:A-1")
    to = NotifyTo("da_1", "A-1", "own-A-1", "https://elsewhere.example/")
    intake = replace(build.intake(again), notify=to)

    stored = await store.accept(build.accepted_change(again), intake, None)

    assert stored.id == first.id
    wanted = Notify(
        build.MERCHANT, first.id, NotifyTo("da_1", "A-1", "own-A-1", URL), first.accepted_at
    )
    assert await store.notify_of(build.MERCHANT, first.id) == wanted
    assert await store.notifies("da_1", None, 10) == [wanted]


async def test_orders_are_found_by_account_and_number(store: SqlStore) -> None:
    """Of this account and merchant only; the one that cannot be told is named."""
    one, two = await take(store, "A-1"), await take(store, "A-2", problem="port 80 is not allowed")

    found = await store.notifies("da_1", "A-2", 10)
    refused = await store.refused_notify("da_1")

    assert [each.payout_id for each in found] == [two.id]
    assert {each.payout_id for each in await store.notifies("da_1", None, 10)} == {one.id, two.id}
    assert refused is not None
    assert (refused.to.number, refused.to.problem) == ("A-2", "port 80 is not allowed")
    assert await store.refused_notify("da_2") is None
    assert await store.notifies("da_2", None, 10) == []
    assert await store.notify_of(MerchantId("m_other"), one.id) is None


async def test_a_later_end_waits_for_the_earlier_notice(store: SqlStore) -> None:
    """In order, and sent again when somebody asks."""
    subject = await go(
        store, await take(store), build.armed(), build.confirmed(), build.came_back()
    )
    assert subject.state is PayoutState.RETURNED

    (first,) = await store.due_deliveries(build.after(9), 10)
    await store.delivered(first.id, 200, build.after(9))
    (second,) = await store.due_deliveries(build.after(9), 10)

    assert (first.seq, second.seq) == (3, 4)
    assert await store.resend(build.MERCHANT, first.id, build.after(9))


def repeats(subject: Payout) -> Cancelled:
    """A person's finding."""
    return Cancelled("Wang Fang", f"retry_of: {subject.id}", "same withdrawal")


async def test_a_confirmed_retry_is_told_with_its_original(store: SqlStore) -> None:
    """By the finding, and by every commit that ends the original; never by another one's."""
    original, other = await take(store, "A-1"), await take(store, "A-3")
    retry = await go(store, await take(store, "A-2"), repeats(original))
    assert await told(store, retry) == ["retry_of"]

    await go(store, other, build.cancelled())
    await go(store, original, build.armed(), build.confirmed(), build.came_back())

    assert await told(store, retry) == ["retry_of", "paid", "returned"]
    assert await told(store, original) == ["paid", "returned"]


async def test_an_original_that_ends_first_leaves_the_finding_to_tell(store: SqlStore) -> None:
    """Its commit could not know of the retry."""
    original, retry = await take(store, "A-1"), await take(store, "A-2")
    await go(store, original, build.armed(), build.confirmed())
    assert await told(store, retry) == []

    assert await told(store, await go(store, retry, repeats(original))) == ["retry_of"]
