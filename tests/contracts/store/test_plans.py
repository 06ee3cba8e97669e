"""Plans and the volumes they are made from, the same on both databases."""

from datetime import date, timedelta

from msgspec.structs import replace

from gateway.ports import PlanVolume, StoredPlan
from gateway.store import SqlStore
from policies.plan.classes import BOUNDS_MINOR, PayoutClass, band_of
from tests import builders as build
from tests.builders import CHANNEL, NOW, after
from tests.contracts.store.conftest import Fund

MONTH = date(2026, 11, 1)


def plan(name: str, minutes: int = 0, currency: str = "CNY") -> StoredPlan:
    """Something to keep."""
    return StoredPlan(
        name, MONTH, currency, after(60 * minutes), "planner", "timer", "basis", b'{"id":"x"}'
    )


async def test_the_newest_plan_of_a_currency_is_followed(store: SqlStore) -> None:
    """By when it was made, whatever the order of keeping; the same twice is one."""
    assert await store.newest_plan("CNY") is None
    assert await store.newest_plan_id("CNY") is None
    newest = plan("b", 2)
    for one in (newest, plan("a", 1), plan("c", 3, "USD"), newest):
        await store.keep_plan(one)
    assert await store.newest_plan("CNY") == newest
    assert await store.newest_plan_id("CNY") == "b"
    assert [one.id for one in await store.plans(10)] == ["c", "b", "a"]
    assert [one.id for one in await store.plans(1)] == ["c"]


async def test_volumes_count_what_was_given_and_lives(store: SqlStore, fund: Fund) -> None:
    """By local day, channel and class; not what died, and not what lies outside the span."""
    await fund()
    armed = []
    for _ in range(3):
        subject = build.payout()
        await store.accept(build.accepted_change(subject), build.intake(subject), 0)
        made = build.arm(subject)
        await store.record(made)
        armed.append(made)
    await store.record(build.change(armed[0].after, build.died()))
    subject = armed[1].after
    at = subject.attempts[0].armed_at
    kind = PayoutClass(subject.instruments[0].rail, subject.speed, band_of(subject.amount.minor))
    found = await store.plan_volumes("CNY", at, at + timedelta(seconds=1))
    local = (at + timedelta(hours=8)).date()
    assert found == [PlanVolume(local, CHANNEL, kind, 2, 2 * subject.amount.minor)]
    assert await store.plan_volumes("CNY", at + timedelta(seconds=1), at + timedelta(days=1)) == []
    assert await store.plan_volumes("CNY", at - timedelta(days=1), at) == []
    assert await store.plan_volumes("USD", at, at + timedelta(seconds=1)) == []
    hours = await store.plan_hours("CNY", at, at + timedelta(seconds=1))
    assert sum(hours) == hours[(at + timedelta(hours=8)).hour] == 2


async def test_the_database_bands_amounts_as_plans_do(store: SqlStore, fund: Fund) -> None:
    """At every bound, and just below it."""
    await fund(200_000_000)
    amounts = [amount for bound in BOUNDS_MINOR for amount in (bound - 1, bound)]
    at = NOW
    for amount in amounts:
        subject = build.payout()
        subject = replace(subject, amount=replace(subject.amount, minor=amount))
        await store.accept(build.accepted_change(subject), build.intake(subject), None)
        made = build.arm(subject)
        await store.record(made)
        at = made.after.attempts[0].armed_at
    found = await store.plan_volumes("CNY", at - timedelta(days=1), at + timedelta(days=1))
    assert sorted((one.kind.band, one.minor) for one in found) == sorted(
        (band, sum(amount for amount in amounts if band_of(amount) == band))
        for band in {band_of(amount) for amount in amounts}
    )
