"""A merchant's month, counted in the commit, and fees that a commit refuses when they are stale."""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from channels.money import Currency
from gateway.domain.merchant_fee import Charge, MerchantFee
from gateway.domain.payout import Payout
from gateway.ports import MonthMovedError
from gateway.store import SqlStore
from gateway.store.schema import migrations
from policies.fees import UNUSED, Fee, MonthUse, Tier
from tests import builders as build
from tests.contracts.store.conftest import Backend, Fund
from tests.contracts.store.test_months import by_hand

MARCH = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 2, 28, 16, tzinfo=UTC)
TIERED = MerchantFee(
    Fee(tiers=(Tier(0, 0, 3000), Tier(25_000, 0, 1000)), basis="amount", scheme="incremental")
)


async def take(store: SqlStore, subject: Payout | None = None) -> Payout:
    """Accept one."""
    subject = subject or build.payout()
    return await store.accept(build.accepted_change(subject), build.intake(subject), None)


async def month(store: SqlStore, month_on: date = MARCH) -> MonthUse:
    """The merchant's month."""
    return await store.merchant_month(build.MERCHANT, Currency.CNY, month_on)


def priced(use: MonthUse, terms: MerchantFee = TIERED, minor: int = 10_000) -> Payout:
    """A payout whose fee was computed for that use of March."""
    charge = Charge(terms, MARCH, use)
    return build.payout(
        amount=build.cny(minor), fee=build.cny(charge.fee_minor(minor)), charge=charge
    )


async def test_what_is_asked_for_counts_in_its_month(store: SqlStore) -> None:
    """By when it was accepted in Shanghai, to the microsecond; what fails leaves it again."""
    tick = timedelta(microseconds=1)
    for at in (MIDNIGHT - tick, MIDNIGHT, MIDNIGHT + timedelta(days=31) - tick):
        await take(store, build.payout(accepted_at=at))
    gone = await take(store, build.payout(accepted_at=MIDNIGHT))
    assert await month(store) == MonthUse(3, 30_000)

    await store.record(build.change(gone, build.cancelled(), at=MIDNIGHT + timedelta(days=40)))

    assert await month(store) == MonthUse(2, 20_000)
    assert await month(store, date(2026, 2, 1)) == MonthUse(1, 10_000)
    assert await month(store, date(2026, 4, 1)) == UNUSED
    assert await store.audit() == []


async def test_a_deducted_fee_counts_with_its_amount(store: SqlStore) -> None:
    """What was asked for is counted, not what the beneficiary gets."""
    charge = Charge(MerchantFee(Fee(flat_minor=40, mode="deducted")), MARCH)
    subject = build.payout(amount=build.cny(9_960), fee=build.cny(40), charge=charge)
    await take(store, subject)
    assert await month(store) == MonthUse(1, 10_000)
    assert await store.audit() == []


async def test_a_charge_reads_back_equal(store: SqlStore) -> None:
    """Every part of how a fee was computed survives, with and without tiers."""
    plain = replace(priced(UNUSED), charge=Charge(MerchantFee(Fee(1, 2, 3, 4, 5)), MARCH))
    for subject in (priced(UNUSED), plain, build.payout()):
        await take(store, subject)
        assert await store.payout(subject.id) == subject


async def test_a_fee_of_a_tier_left_behind_is_refused(store: SqlStore) -> None:
    """Nothing of it is stored; computed anew it is accepted."""
    await take(store, priced(UNUSED))
    await take(store, priced(UNUSED))
    stale = priced(MonthUse(1, 10_000))
    await take(store, priced(MonthUse(2, 20_000)))

    with pytest.raises(MonthMovedError):
        await take(store, stale)

    assert await store.payout(stale.id) is None
    assert await month(store) == MonthUse(3, 30_000)
    await take(store, priced(MonthUse(3, 30_000)))
    assert await store.audit() == []


async def test_a_repeated_request_is_answered_whatever_the_month(store: SqlStore) -> None:
    """The payout keeps what it was charged, although its tier is long past."""
    first = priced(UNUSED)
    await take(store, first)
    for number in range(1, 4):
        await take(store, priced(MonthUse(number, number * 10_000)))
    again = await store.accept(build.accepted_change(first), build.intake(first), None)
    assert again == first


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_many_at_once_only_one_crosses_a_threshold(
    backend: Backend, store: SqlStore, processes: int
) -> None:
    """Whether they share a commit or write through two processes."""
    # An embedded database has one process only.
    more = processes - 1 if backend.kind == "postgres" else 0
    stores = [store, *[await backend.open() for _ in range(more)]]
    await take(store, priced(UNUSED))
    crossing = [priced(MonthUse(1, 10_000), minor=20_000) for _ in range(12)]

    said = await asyncio.gather(
        *(take(stores[n % len(stores)], one) for n, one in enumerate(crossing)),
        return_exceptions=True,
    )

    assert sum(isinstance(one, Payout) for one in said) == 1
    assert sum(isinstance(one, MonthMovedError) for one in said) == 11
    assert await month(store) == MonthUse(2, 30_000)


async def test_a_fee_is_replaced_and_logged(store: SqlStore, fund: Fund) -> None:
    """The log says what was agreed before; nobody's fee is nobody's."""
    await store.add_merchant(build.merchant(), "ops")
    assert await store.set_merchant_fee(build.MERCHANT, TIERED, "key:op") == build.MERCHANT_FEE
    found = await store.merchant(build.MERCHANT)
    assert found is not None
    assert found.fee == TIERED
    rows = await store.audit_trail(10)
    (row,) = [one for one in rows if one.action == "merchant.fee_set"]
    assert (row.actor, row.action, row.subject) == ("key:op", "merchant.fee_set", build.MERCHANT)
    before, after = row.detail["before"], row.detail["after"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before["flat_minor"] == 30
    assert after["tiers"] == [[0, 0, 3000], [25_000, 0, 1000]]
    assert await store.set_merchant_fee(type(found.id)("m_none"), TIERED, "x") is None


async def test_the_upgrade_counts_what_was_there(backend: Backend, store: SqlStore) -> None:
    """An older database has no months: the step makes them from its payouts."""
    await take(store, build.payout(accepted_at=MIDNIGHT - timedelta(microseconds=1)))
    await take(store, build.payout(accepted_at=MIDNIGHT))
    gone = await take(store, build.payout(accepted_at=MIDNIGHT))
    await store.record(build.change(gone, build.cancelled(), at=MIDNIGHT))
    (step,) = [one for one in migrations(backend.kind) if one.name == "merchant_fees"]
    fill = re.findall(r"^INSERT INTO tallies.*?;", step.sql, re.DOTALL | re.MULTILINE)
    assert len(fill) == 2
    await by_hand(backend, "DELETE FROM tallies WHERE kind LIKE 'asked%'")
    assert await store.audit() != []

    for statement in fill:
        await by_hand(backend, statement)

    assert await store.audit() == []
    assert await month(store) == MonthUse(1, 10_000)
    assert await month(store, date(2026, 2, 1)) == MonthUse(1, 10_000)
