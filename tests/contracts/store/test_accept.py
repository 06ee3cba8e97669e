"""Accepting payouts: once per key and reference, funded, durable, all or nothing."""

import asyncio

import pytest
from msgspec.structs import replace

from channels.money import Currency
from gateway.domain.errors import ConflictError, UnfundedError
from gateway.domain.ledger import Account, Book
from gateway.domain.payout import Constraints, Payout, PayoutState
from gateway.ports import FloatShortError
from gateway.store import SqlStore
from tests import builders as build
from tests.contracts.store.conftest import Fund


async def _accept(store: SqlStore, subject: Payout, floor: int | None = 0) -> Payout:
    return await store.accept(build.accepted_change(subject), build.intake(subject), floor)


async def _balances(store: SqlStore) -> dict[str, int]:
    return {str(balance.account): balance.minor for balance in await store.balances()}


async def test_returns_what_was_accepted(store: SqlStore, fund: Fund) -> None:
    """An accepted payout reads back equal, every field of it."""
    await fund()
    subject = build.payout(
        instruments=(build.alipay_account(), build.wechat_wallet(), build.bank_card()),
        deadline_at=build.after(days=1),
        release_at=build.after(60),
        max_fee_minor=99,
        metadata={"order": "42", "店": "一"},
        state=PayoutState.HELD,
        reason="review",
        speed="fast",
        constraints=Constraints(("alipay-main",), ("other",), ("alipay-main",), 3),
    )

    accepted = await _accept(store, subject)

    assert accepted == subject
    assert await store.payout(subject.id) == subject


async def test_moves_the_hold_with_the_payout(store: SqlStore, fund: Fund) -> None:
    """Acceptance moves amount and fee from available to held."""
    await fund(50_000, channel=None)

    await _accept(store, build.payout(amount=build.cny(10_000)))

    balances = await _balances(store)
    assert balances["available:m_acme:CNY"] == 50_000 - 10_030
    assert balances["held:m_acme:CNY"] == 10_030
    assert await store.audit() == []


async def test_same_key_and_body_is_the_earlier_payout_as_it_stands_now(
    store: SqlStore, fund: Fund
) -> None:
    """A repeated request gets the first payout in its present state, and books nothing."""
    await fund()
    first = build.payout()
    intake = build.intake(first)
    await store.accept(build.accepted_change(first), intake, 0)
    armed = build.arm(first)
    await store.record(armed)
    before = await _balances(store)

    second = build.payout(merchant_ref=first.merchant_ref)
    answer = await store.accept(build.accepted_change(second), intake, 0)

    assert answer == armed.after
    assert await store.payout(second.id) is None
    assert await _balances(store) == before


async def test_same_key_with_another_body_is_a_conflict(store: SqlStore, fund: Fund) -> None:
    """A key names one request for ever."""
    await fund()
    first, second = build.payout(), build.payout()
    await store.accept(build.accepted_change(first), build.intake(key="k" * 16, body="a"), 0)

    with pytest.raises(ConflictError) as caught:
        await store.accept(build.accepted_change(second), build.intake(key="k" * 16, body="b"), 0)

    assert caught.value.code == "idempotency_key_reused"
    assert await store.payout(second.id) is None


async def test_same_reference_under_another_key_and_same_body_is_the_earlier_payout(
    store: SqlStore, fund: Fund
) -> None:
    """The merchant's own number protects a caller that lost its key."""
    await fund()
    first = build.payout(merchant_ref="order-1")
    await store.accept(build.accepted_change(first), build.intake(key="a" * 16), 0)

    second = build.payout(merchant_ref="order-1")
    answer = await store.accept(build.accepted_change(second), build.intake(key="b" * 16), 0)

    assert answer.id == first.id


async def test_same_reference_with_another_body_is_a_conflict(store: SqlStore, fund: Fund) -> None:
    """One merchant_ref, one payout."""
    await fund()
    first, second = build.payout(merchant_ref="order-1"), build.payout(merchant_ref="order-1")
    await store.accept(build.accepted_change(first), build.intake(key="a" * 16, body="a"), 0)

    with pytest.raises(ConflictError) as caught:
        await store.accept(build.accepted_change(second), build.intake(key="b" * 16, body="b"), 0)

    assert caught.value.code == "merchant_ref_reused"


async def test_keys_and_references_belong_to_their_merchant(store: SqlStore, fund: Fund) -> None:
    """Two merchants may use the same key and the same reference."""
    await fund()
    await fund(merchant="m_other", channel=None)
    mine = build.payout(merchant_ref="order-1")
    theirs = build.payout(merchant_ref="order-1", merchant_id="m_other")
    intake = build.intake(key="k" * 16)

    await store.accept(build.accepted_change(mine), intake, 0)
    answer = await store.accept(build.accepted_change(theirs), intake, 0)

    assert answer == theirs


async def test_fifty_identical_requests_at_once_are_one_payout(store: SqlStore, fund: Fund) -> None:
    """Concurrent repetitions store one payout and one hold, and all get that payout."""
    await fund()
    intake = build.intake(key="k" * 16)
    tries = [build.payout(merchant_ref="order-1") for _ in range(50)]

    answers = await asyncio.gather(
        *(store.accept(build.accepted_change(subject), intake, 0) for subject in tries)
    )

    assert len({answer.id for answer in answers}) == 1
    assert (await store.counts())[PayoutState.ROUTING] == 1
    assert (await _balances(store))["held:m_acme:CNY"] == 10_030
    assert await store.audit() == []


async def test_a_floor_is_never_undercut_by_neighbours(store: SqlStore, fund: Fund) -> None:
    """Of twenty concurrent payouts exactly as many pass as the balance covers."""
    await fund(10_030 * 7 + 5, channel=None)
    tries = [build.payout() for _ in range(20)]

    answers = await asyncio.gather(
        *(_accept(store, subject) for subject in tries), return_exceptions=True
    )

    refused = [answer for answer in answers if isinstance(answer, UnfundedError)]
    assert len(refused) == 13
    assert refused[0].code == "insufficient_funds"
    assert (await _balances(store))["available:m_acme:CNY"] == 5
    assert (await store.counts())[PayoutState.ROUTING] == 7
    assert await store.audit() == []


async def test_a_credit_line_is_a_lower_floor(store: SqlStore) -> None:
    """With credit the available balance may go down to minus the limit, not below."""
    await _accept(store, build.payout(), floor=-10_030)

    with pytest.raises(UnfundedError):
        await _accept(store, build.payout(amount=build.cny(1), fee=build.cny(0)), floor=-10_030)

    assert (await _balances(store))["available:m_acme:CNY"] == -10_030


async def test_without_a_floor_nothing_limits(store: SqlStore) -> None:
    """Pass-through merchants have no balance to check."""
    await _accept(store, build.payout(), floor=None)

    assert (await _balances(store))["available:m_acme:CNY"] == -10_030


async def test_a_repetition_is_recognised_before_the_balance_is_looked_at(
    store: SqlStore, fund: Fund
) -> None:
    """A repeated request that could not be funded again is still the earlier payout."""
    await fund(10_030, channel=None)
    subject = build.payout()
    await _accept(store, subject)

    assert await _accept(store, subject) == subject


async def test_can_be_armed_in_the_same_commit(store: SqlStore, fund: Fund) -> None:
    """Acceptance and the first attempt may be one change."""
    await fund()
    subject = build.payout()
    accepted, armed = build.accepted_change(subject), build.arm(subject)
    both = replace(
        accepted,
        after=armed.after,
        events=accepted.events + armed.events,
        postings=accepted.postings + armed.postings,
        decision=armed.decision,
    )

    await store.accept(both, build.intake(subject), 0)

    assert await store.payout(subject.id) == armed.after
    timeline = await store.timeline(subject.id)
    assert [(event.seq, event.kind, event.state) for event in timeline] == [
        (1, "accepted", PayoutState.ROUTING),
        (2, "armed", PayoutState.ATTEMPTING),
    ]
    assert await store.audit() == []


async def test_armed_in_the_same_commit_needs_float(store: SqlStore, fund: Fund) -> None:
    """When the float does not cover it, nothing of the acceptance is stored either."""
    await fund(channel=None)
    subject = build.payout()
    accepted, armed = build.accepted_change(subject), build.arm(subject)
    both = replace(
        accepted,
        after=armed.after,
        events=accepted.events + armed.events,
        postings=accepted.postings + armed.postings,
    )

    with pytest.raises(FloatShortError):
        await store.accept(both, build.intake(subject), 0)

    assert await store.payout(subject.id) is None
    assert await _balances(store) == {
        str(Account(Book.AVAILABLE, build.MERCHANT, Currency.CNY)): 10_000_000,
        str(Account(Book.DEPOSITS, "", Currency.CNY)): 10_000_000,
    }


async def test_a_cancelled_caller_does_not_cancel_the_commit(store: SqlStore, fund: Fund) -> None:
    """Who stops waiting learns nothing; what it asked for still happens, for it and for others."""
    await fund()
    subjects = [build.payout() for _ in range(10)]
    tasks = [asyncio.create_task(_accept(store, subject)) for subject in subjects]
    while not tasks[0].done():
        await asyncio.sleep(0)
        for task in tasks[1::2]:
            task.cancel()

    kept = await asyncio.gather(*tasks, return_exceptions=True)
    await store.healthy()

    assert all(isinstance(kept[n], Payout) for n in range(0, 10, 2))
    assert await store.audit() == []
