"""Splits: all legs in one commit, counts that follow them, one webhook at the end."""

import asyncio

import orjson
import pytest
from msgspec.structs import replace

from gateway.domain.errors import ConflictError, UnfundedError
from gateway.domain.payout import Leg, MerchantId, Payout, PayoutId
from gateway.domain.split import Split, SplitId, status_of
from gateway.ports import Intake
from gateway.store import SqlStore
from tests import builders as build
from tests.contracts.store.conftest import Backend, Fund


def split_of(legs: int = 3, ref: str = "split-1") -> tuple[Split, list[Payout]]:
    """A split over legs of 100.00 each."""
    split = Split(
        SplitId(f"sp_{ref}"), build.MERCHANT, ref, build.cny(10_000 * legs), legs, build.NOW
    )
    payouts = [
        replace(build.payout(merchant_ref=f"{ref}.{number}"), leg=Leg(split.id, number, legs, ref))
        for number in range(1, legs + 1)
    ]
    return split, payouts


def intakes(key: str, legs: int, body: str = "body") -> list[Intake]:
    """The split's own, whose key its first leg has, and those of its legs."""
    own = build.intake(key=key, body=body)
    others = [Intake(f"leg:{number}:{key}", own.fingerprint) for number in range(2, legs + 1)]
    return [own, own, *others]


async def take(
    store: SqlStore,
    legs: int = 3,
    *,
    ref: str = "split-1",
    key: str = "key-1",
    body: str = "body",
    floor: int | None = None,
) -> tuple[Split, list[Payout]]:
    """Accept one; gives what is stored."""
    split, payouts = split_of(legs, ref)
    changes = [build.accepted_change(one) for one in payouts]
    stored = await store.accept_split(split, changes, intakes(key, legs, body), floor)
    return stored, await store.legs(stored)


async def told(store: SqlStore) -> list[str]:
    """Statuses that endpoints were told of splits, in order."""
    owed = await store.deliveries(build.MERCHANT, PayoutId("sp_split-1"), 100)
    bodies = [orjson.loads(one.payload) for one in sorted(owed, key=lambda one: one.seq)]
    return [body["status"] for body in bodies if body["type"] == "split.finished"]


async def listening(store: SqlStore) -> None:
    """An endpoint that wants only what is said about splits."""
    await store.put_endpoint(build.endpoint(kinds=("split.finished",)), "ops")


async def pay(store: SqlStore, leg: Payout) -> Payout:
    """Arm and confirm."""
    armed = build.arm(leg)
    await store.record(armed)
    paid = build.confirm(armed.after)
    await store.record(paid)
    return paid.after


async def test_a_split_reads_back_with_its_legs(store: SqlStore) -> None:
    """In the order of legs; another merchant sees nothing."""
    split, legs = await take(store, 12)
    assert [leg.leg and leg.leg.number for leg in legs] == list(range(1, 13))
    assert await store.split(build.MERCHANT, split_id=split.id) == split
    assert await store.split(None, merchant_ref="split-1") == split
    assert await store.split(MerchantId("m_other"), split_id=split.id) is None
    assert await store.audit() == []


async def test_legs_that_are_not_covered_together_leave_nothing(
    store: SqlStore, fund: Fund
) -> None:
    """Each alone would be covered."""
    await fund(2 * 10_030, channel=None)
    with pytest.raises(UnfundedError):
        await take(store, 3, floor=0)
    assert await store.split(build.MERCHANT, merchant_ref="split-1") is None
    assert (await store.balances(None, build.MERCHANT))[0].minor == 2 * 10_030
    await take(store, 2, floor=0)
    assert await store.audit() == []


async def test_a_split_is_repeated_by_key_or_reference(store: SqlStore) -> None:
    """The same one with the same legs; nothing is stored twice."""
    first, legs = await take(store)
    for key in ("key-1", "key-2"):
        assert await take(store, key=key) == (first, legs)
    assert await store.audit() == []


@pytest.mark.parametrize(
    ("ref", "key", "code"),
    [("split-2", "key-1", "idempotency_key_reused"), ("split-1", "key-2", "merchant_ref_reused")],
)
async def test_another_body_is_a_conflict(store: SqlStore, ref: str, key: str, code: str) -> None:
    """By key and by reference."""
    await take(store)
    with pytest.raises(ConflictError) as refused:
        await take(store, ref=ref, key=key, body="other")
    assert refused.value.code == code


async def test_a_leg_whose_number_is_taken_stops_the_whole(store: SqlStore) -> None:
    """The second leg's: named, and neither of the others is stored."""
    single = build.payout(merchant_ref="split-1.2")
    await store.accept(build.accepted_change(single), build.intake(single), None)
    with pytest.raises(ConflictError) as refused:
        await take(store)
    assert refused.value.param == "legs.1.merchant_ref"
    assert await store.split(build.MERCHANT, merchant_ref="split-1") is None
    assert await store.audit() == []


async def test_a_key_is_a_split_or_a_payout(store: SqlStore) -> None:
    """Neither can be asked for under the other's key."""
    await take(store)
    single = build.payout()
    with pytest.raises(ConflictError):
        await store.accept(
            build.accepted_change(single), build.intake(single, key="key-1", body="other"), None
        )
    await store.accept(build.accepted_change(single), build.intake(single, key="key-9"), None)
    with pytest.raises(ConflictError):
        await take(store, ref="split-2", key="key-9", body="other")


async def test_the_end_is_told_once_and_again_when_money_returns(
    store: SqlStore, fund: Fund
) -> None:
    """Nothing while a leg is open; the words are the domain's."""
    await fund()
    await listening(store)
    _, legs = await take(store, 2)
    first = await pay(store, legs[0])
    assert await told(store) == []
    second = await pay(store, legs[1])
    assert await told(store) == ["paid"]
    await store.record(build.change(first, build.came_back()))
    await store.record(build.change(second, build.came_back()))
    assert await told(store) == ["paid", "partly_returned", "returned"]
    assert await store.audit() == []


@pytest.mark.parametrize("paid", [0, 1])
async def test_failed_legs_give_their_money_back_and_take_none_from_others(
    store: SqlStore, fund: Fund, paid: int
) -> None:
    """What was paid stays paid."""
    await fund()
    await listening(store)
    _, legs = await take(store, 2)
    for leg in legs[:paid]:
        await pay(store, leg)
    for leg in legs[paid:]:
        await store.record(build.change(leg, build.cancelled()))
    (status,) = await told(store)
    (split,) = [await store.split(None, merchant_ref="split-1")]
    assert split is not None
    assert status == status_of(leg.state for leg in await store.legs(split))
    assert status == ("partly_failed" if paid else "failed")
    available = (await store.balances(None, build.MERCHANT))[0].minor
    assert available == 10_000_000 - paid * 10_030
    assert await store.audit() == []


@pytest.mark.parametrize("processes", [1, 2])
async def test_legs_that_end_at_once_tell_the_end_once(
    backend: Backend, store: SqlStore, processes: int
) -> None:
    """Whether they share a commit or are moved by two processes."""
    # An embedded database has one process only.
    more = processes - 1 if backend.kind == "postgres" else 0
    stores = [store, *[await backend.open() for _ in range(more)]]
    await listening(store)
    _, legs = await take(store, 20)
    await asyncio.gather(
        *(
            stores[number % len(stores)].record(build.change(leg, build.cancelled()))
            for number, leg in enumerate(legs)
        )
    )
    assert await told(store) == ["failed"]
    assert await store.audit() == []
