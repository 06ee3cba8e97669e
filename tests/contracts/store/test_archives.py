"""Archives in the store: only what has ended may go, and only what is bulky goes."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.domain.archive import Archive, Bulk, described, packed
from gateway.domain.payout import MerchantId, Payout, PayoutId
from gateway.store import SqlStore
from tests import builders as build
from tests.contracts.store.conftest import Backend, Fund, SettableClock

LATER = build.NOW + timedelta(days=100)
BEFORE = build.NOW + timedelta(days=1)


async def ended(store: SqlStore, ref: str, *, told: bool = True) -> Payout:
    """Accepted, decided on, armed, paid and settled; with `told` its webhooks have arrived."""
    subject = build.payout(merchant_ref=ref)
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    armed = build.change(
        subject,
        build.armed(build.attempt(reference=f"r{ref}")),
        decision=b'{"why":"cheap"}',
    )
    await store.record(armed)
    paid = build.confirm(armed.after)
    await store.record(paid)
    settled = build.change(paid.after, build.settled())
    await store.record(settled)
    if told:
        for one in await store.deliveries(build.MERCHANT, subject.id, 10):
            await store.delivered(one.id, 200, build.NOW)
    return settled.after


async def archived(store: SqlStore, found: list[tuple[MerchantId, PayoutId]]) -> Archive:
    """All of it, without a file."""
    bulks = await store.bulk_of(found)
    archive = described(packed(bulks), bulks, LATER, "key:ops")
    await store.keep_archive(archive)
    await store.clear(archive.id, bulks)
    await store.close_archive(archive.id, LATER)
    return archive


async def test_what_has_ended_and_is_told_may_go(store: SqlStore, fund: Fund) -> None:
    """In pages, by id; not again once it has gone."""
    await fund()
    await store.put_endpoint(build.endpoint(), "ops")
    first, second = [await ended(store, ref) for ref in ("1", "2")]
    ids = sorted([first.id, second.id])

    found = await store.archivable(BEFORE, None, 10)
    assert [payout_id for _, payout_id in found] == ids
    assert [payout_id for _, payout_id in await store.archivable(BEFORE, ids[0], 10)] == ids[1:]
    assert len(await store.archivable(BEFORE, None, 1)) == 1

    await archived(store, found)
    assert await store.archivable(BEFORE, None, 10) == []


async def test_what_is_young_open_or_untold_stays(store: SqlStore, fund: Fund) -> None:
    """Whatever waits for something is at hand."""
    await fund()
    await store.put_endpoint(build.endpoint(), "ops")
    await ended(store, "untold", told=False)
    young = await ended(store, "young")
    open_ = build.payout(merchant_ref="open")
    await store.accept(build.accepted_change(open_), build.intake(open_), None)

    assert await store.archivable(young.updated_at, None, 10) == []
    assert [one for _, one in await store.archivable(BEFORE, None, 10)] == [young.id]


async def test_what_somebody_still_looks_into_stays(store: SqlStore, fund: Fund) -> None:
    """An open break names its payout."""
    await fund()
    payout = await ended(store, "1")
    await store.open_break(replace(build.open_break(), payout_id=payout.id))

    assert await store.archivable(BEFORE, None, 10) == []


async def test_bulk_is_what_was_decided_and_told(store: SqlStore, fund: Fund) -> None:
    """To the byte."""
    await fund()
    await store.put_endpoint(build.endpoint(), "ops")
    payout = await ended(store, "1")
    told = await store.deliveries(build.MERCHANT, payout.id, 10)

    (bulk,) = await store.bulk_of([(build.MERCHANT, payout.id)])

    assert [one["decision"] for one in bulk.decisions] == ['{"why":"cheap"}']
    assert {one["payload"] for one in bulk.deliveries} == {one.payload.decode() for one in told}
    assert {one["state"] for one in bulk.deliveries} == {"delivered"}


async def test_only_bulk_goes(store: SqlStore, fund: Fund, clock: SettableClock) -> None:
    """Payout, events, entries, numbers and the audit log stay, and the same request is the same."""
    await fund()
    await store.put_endpoint(build.endpoint(), "ops")
    payout = await ended(store, "1")
    events, evidence = await store.timeline(payout.id), await store.evidence(payout.id)
    clock.at = LATER

    archive = await archived(store, [(build.MERCHANT, payout.id)])

    assert await store.payout(payout.id) == payout
    assert await store.timeline(payout.id) == events
    assert await store.evidence(payout.id) == evidence
    assert await store.ledger_faults(None) == []
    assert await store.decisions(payout.id) == []
    assert await store.deliveries(build.MERCHANT, payout.id, 10) == []
    again = build.payout(merchant_ref="1")
    assert (await store.accept(build.accepted_change(again), build.intake(again), None)).id == (
        payout.id
    )
    kept = await store.archive_of(build.MERCHANT, payout.id)
    assert kept is not None
    assert (kept.file, kept.sha256, kept.cleared_at) == (archive.file, archive.sha256, LATER)
    assert await store.archive_of(MerchantId("m_other"), payout.id) is None
    assert await store.archives(10) == [kept]


async def test_clearing_twice_is_clearing_once(backend: Backend, fund: Fund) -> None:
    """After a kill the same groups come again."""
    store = backend.opened[0]
    await fund()
    found = [(build.MERCHANT, (await ended(store, ref)).id) for ref in ("1", "2")]
    bulks = await store.bulk_of(found)
    archive = described(packed(bulks), bulks, LATER, "key:ops")
    await store.keep_archive(archive)
    await store.keep_archive(archive)
    await store.clear(archive.id, bulks[:1])

    opened = await store.open_archive()
    assert opened is not None
    assert opened.id == archive.id
    await store.clear(archive.id, bulks)
    await store.close_archive(archive.id, LATER)
    await store.close_archive(archive.id, LATER)

    assert await store.open_archive() is None
    assert len(await store.archives(10)) == 1


async def test_a_webhook_asked_for_again_meanwhile_stays(store: SqlStore, fund: Fund) -> None:
    """What the file holds of it is what it was before."""
    await fund()
    await store.put_endpoint(build.endpoint(), "ops")
    payout = await ended(store, "1")
    bulks: list[Bulk] = await store.bulk_of([(build.MERCHANT, payout.id)])
    first = str(bulks[0].deliveries[0]["id"])
    assert await store.resend(build.MERCHANT, first, LATER)

    await store.clear("ar_x", bulks)

    left = await store.deliveries(build.MERCHANT, payout.id, 10)
    assert [one.id for one in left] == [first]
