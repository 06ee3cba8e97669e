"""Reading history: by acceptance, in pages, with every decision, within a span of time."""

from datetime import UTC, datetime, timedelta

from gateway.domain.payout import MerchantId, Payout
from gateway.store import SqlStore
from gateway.store.queries import Queries
from tests import builders as build
from tests.contracts.store.conftest import Backend, Fund


async def _accept(store: SqlStore, *subjects: Payout) -> None:
    for subject in subjects:
        await store.accept(build.accepted_change(subject), build.intake(subject), None)


async def test_pages_go_by_acceptance_over_all_merchants(store: SqlStore) -> None:
    """No gap, no overlap, and the last page is short."""
    subjects = [
        build.payout(accepted_at=build.after(n), merchant_id=MerchantId(f"m_{n % 2}"))
        for n in range(5)
    ]
    await _accept(store, *subjects[::-1])

    first = await store.history(None, None, None, 3)
    rest = await store.history(None, None, first[-1].payout.id, 3)

    assert [one.payout for one in first + rest] == subjects
    assert all(one.decisions == () for one in first)


async def test_a_span_has_its_beginning_and_not_its_end(store: SqlStore) -> None:
    """From a moment on, and before another, to the millisecond that ids keep."""
    subjects = [build.payout(accepted_at=build.after(n)) for n in range(4)]
    await _accept(store, *subjects)

    found = await store.history(build.after(1), build.after(3), None, 10)
    assert [one.payout for one in found] == subjects[1:3]
    assert await store.history(build.after(3) + timedelta(milliseconds=1), None, None, 10) == []
    after = await store.history(build.after(1), build.after(3), subjects[1].id, 10)
    assert [one.payout for one in after] == subjects[2:3]


async def test_any_moment_may_be_asked_for(store: SqlStore) -> None:
    """Before there were ids, and as far ahead as time goes."""
    subject = build.payout()
    await _accept(store, subject)
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    (found,) = await store.history(first, last, None, 10)
    assert found.payout == subject
    assert await store.history(None, first, None, 10) == []


async def test_every_decision_comes_with_its_payout_in_order(store: SqlStore, fund: Fund) -> None:
    """Those that found no channel, and the one that armed the attempt."""
    await fund()
    subject, other = build.payout(), build.payout(accepted_at=build.after(1))
    await _accept(store, subject, other)
    await store.postpone(subject, build.after(5), b'{"wait":1}')
    armed = build.arm(subject, decision=b'{"go":1}')
    await store.record(armed)

    first, second = await store.history(None, None, None, 10)
    assert first.payout == armed.after
    assert [body for _, body in first.decisions] == [b'{"wait":1}', b'{"go":1}']
    assert second.decisions == ()


async def test_another_process_reads_what_this_one_sealed(backend: Backend) -> None:
    """A store that was opened before a data key was made fetches the key."""
    one, other = await backend.open(), None
    if backend.kind == "postgres":
        other = await backend.open()
    subject = build.payout()
    await _accept(one, subject)
    (found,) = await (other or one).history(None, None, None, 10)
    assert found.payout == subject


def test_history_reads_the_columns_that_payouts_are_made_of() -> None:
    """`rows.payouts_of` takes columns by position, from either query."""
    queries = Queries("sqlite")
    listed, past = (
        queries[name].text.split("FROM (")[0] for name in ("find_payouts", "past_payouts")
    )
    assert past == listed
