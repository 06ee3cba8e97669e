"""Finding payouts again: by id, filter, due time, feed; and what channels carry."""

import asyncio
from datetime import timedelta

from gateway.domain.payout import MerchantId, Payout, PayoutId, PayoutState
from gateway.ports import ChannelUse, Search
from gateway.store import SqlStore
from gateway.store.codec import payee_of
from tests import builders as build
from tests.contracts.store.conftest import Backend, Fund
from tests.contracts.store.feeding import fed

OTHER = MerchantId("m_other")


async def _accept(store: SqlStore, *subjects: Payout) -> None:
    for subject in subjects:
        await store.accept(build.accepted_change(subject), build.intake(subject), None)


async def test_another_merchants_payout_is_absent(store: SqlStore) -> None:
    """Asking with the wrong merchant is like asking for nothing."""
    subject = build.payout()
    await _accept(store, subject)

    assert await store.payout(subject.id, OTHER) is None
    assert await store.payout(subject.id, build.MERCHANT) == subject
    assert await store.payout(PayoutId("po_none")) is None


async def test_search_pages_newest_first(store: SqlStore) -> None:
    """Pages follow each other without gap or overlap, newest first, with attempts."""
    subjects = [build.payout(accepted_at=build.after(n)) for n in range(7)]
    await _accept(store, *subjects)

    first = await store.search(Search(build.MERCHANT, limit=4))
    rest = await store.search(Search(build.MERCHANT, limit=4, before_id=first[-1].id))

    assert first + rest == subjects[::-1]


async def test_search_filters(store: SqlStore, fund: Fund) -> None:
    """Every filter narrows, and they combine."""
    await fund()
    mine = [build.payout(accepted_at=build.after(n), merchant_ref=f"r{n}") for n in range(4)]
    theirs = build.payout(merchant_id=OTHER, merchant_ref="r0")
    await _accept(store, *mine, theirs)
    armed = build.arm(mine[1])
    await store.record(armed)

    async def ids(search: Search) -> list[str]:
        return [payout.id for payout in await store.search(search)]

    assert await ids(Search(OTHER)) == [theirs.id]
    assert len(await ids(Search(None))) == 5
    assert await ids(Search(build.MERCHANT, state=PayoutState.ATTEMPTING)) == [mine[1].id]
    assert await ids(Search(build.MERCHANT, merchant_ref="r2")) == [mine[2].id]
    assert await ids(Search(None, channel=build.CHANNEL)) == [mine[1].id]
    assert await ids(Search(None, channel="other")) == []
    assert await ids(
        Search(build.MERCHANT, accepted_from=build.after(1), accepted_until=build.after(3))
    ) == [mine[2].id, mine[1].id]
    assert await ids(Search(OTHER, channel=build.CHANNEL)) == []


async def test_due_gives_the_oldest_first(store: SqlStore) -> None:
    """Only what is due, in order of its time; payouts without a time never."""
    late, early = build.payout(due_at=build.after(20)), build.payout(due_at=build.after(10))
    never, future = build.payout(due_at=None), build.payout(due_at=build.after(99))
    await _accept(store, late, early, never, future)

    assert await store.next_due_at() == build.after(10)
    assert await store.due(build.after(20), 10) == [early.id, late.id]
    assert await store.due(build.after(20), 1) == [early.id]
    assert await store.due(build.after(9), 10) == []


async def test_an_empty_store_has_nothing_due(store: SqlStore) -> None:
    """No payouts, no next time."""
    assert await store.next_due_at() is None
    assert await store.due(build.NOW, 10) == []


async def test_feed_gives_a_merchants_events_in_order(store: SqlStore) -> None:
    """Positions grow; reading on from the last one gives the rest, and never another's."""
    mine, theirs = build.payout(), build.payout(merchant_id=OTHER)
    await _accept(store, mine, theirs)
    await store.record(build.change(mine, build.held(), at=build.after(1)))
    await store.record(build.change(theirs, build.cancelled()))

    everything = [event.feed for event in await fed(store, None, 0, 10, least=4)]
    first = await store.feed(build.MERCHANT, 0, 1)
    rest = await store.feed(build.MERCHANT, first[-1].feed, 10)

    assert [(e.payout_id, e.seq, e.kind) for e in first + rest] == [
        (mine.id, 1, "accepted"),
        (mine.id, 2, "held"),
    ]
    assert rest[0].at == build.after(1)
    assert rest[0].detail == {"reason": "review", "owner": "operations"}
    assert everything == sorted(set(everything))
    assert len(everything) == 4


async def test_feed_readers_skip_nothing_while_writers_write(backend: Backend) -> None:
    """A reader that follows the feed during concurrent writes sees every event exactly once."""
    writers = [await backend.open()]
    if backend.kind == "postgres":
        writers += [await backend.open(), await backend.open()]
    subjects = [build.payout() for _ in range(120)]
    accepting = asyncio.gather(
        *(
            writers[n % len(writers)].accept(
                build.accepted_change(subject), build.intake(subject), None
            )
            for n, subject in enumerate(subjects)
        )
    )
    seen: list[tuple[int, str]] = []
    position = 0
    while len(seen) < len(subjects):
        async with asyncio.timeout(20):
            page = await writers[0].feed(None, position, 7)
        seen += [(event.feed, event.payout_id) for event in page]
        position = page[-1].feed if page else position
    await accepting

    assert [feed for feed, _ in seen] == sorted({feed for feed, _ in seen})
    assert sorted(payout_id for _, payout_id in seen) == sorted(s.id for s in subjects)


async def test_use_counts_what_channels_carry(store: SqlStore, fund: Fund) -> None:
    """In flight, in doubt, armed today less what died, and float."""
    await fund(1_000_000)
    await fund(500, merchant=None, channel="wechat-main")
    subjects = [build.payout() for _ in range(4)]
    await _accept(store, *subjects)
    yesterday = build.NOW - timedelta(days=1)
    armed = [
        build.arm(subject, at=yesterday if n == 3 else build.NOW)
        for n, subject in enumerate(subjects)
    ]
    for change in armed:
        await store.record(change)
    await store.record(build.change(armed[0].after, build.doubted()))
    await store.record(build.kill(armed[1].after))
    await store.record(build.confirm(armed[2].after, fee_minor=10))

    use = await store.use(build.NOW - timedelta(hours=10))

    assert use == {
        "alipay-main": ChannelUse("alipay-main", 2, 1, 20_000, 1_000_000 - 3 * 10_010),
        "wechat-main": ChannelUse("wechat-main", 0, 0, 0, 500),
    }
    assert (await store.use(yesterday))["alipay-main"].day_used_minor == 30_000
    assert await store.audit() == []


async def test_counts_say_how_many_stand_where(store: SqlStore) -> None:
    """Every state has a number, also zero."""
    subjects = [build.payout() for _ in range(3)]
    await _accept(store, *subjects)
    await store.record(build.change(subjects[0], build.cancelled()))

    counts = await store.counts()

    assert counts[PayoutState.ROUTING] == 2
    assert counts[PayoutState.CANCELLED] == 1
    assert set(counts) == set(PayoutState)


async def test_payouts_are_found_by_payee_without_storing_the_payee(store: SqlStore) -> None:
    """The blind index finds a card however it was written, for its merchant only."""
    card = build.bank_card("6222 0212 3456 7890 123")
    subject = build.payout(instruments=(build.wechat_wallet(), card))
    await _accept(store, subject, build.payout())

    asked = payee_of(build.bank_card("6222021234567890123", name="other"))
    assert await store.payouts_by_payee(build.MERCHANT, asked, 10) == [subject.id]
    assert await store.payouts_by_payee(OTHER, asked, 10) == []
