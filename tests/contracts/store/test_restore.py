"""Positions, quarantines, waivers and the ledger's quick look, the same on both databases."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.contract import LineKind
from gateway.domain.errors import ConflictError
from gateway.domain.payout import Payout
from gateway.ports import StoreError
from gateway.store import SqlStore
from tests import builders as build
from tests.builders import CHANNEL, NOW, TODAY, after
from tests.contracts.store.conftest import Backend, Fund


async def accepted(store: SqlStore, fund: Fund, count: int = 1) -> list[Payout]:
    """Payouts that may still be sent, by id."""
    await fund()
    made = []
    for number in range(1, count + 1):
        subject = build.payout(id=f"po_{number}", merchant_ref=f"ref-{number}")
        intake = build.intake(subject, key=f"key-{number:012d}")
        await store.accept(build.accepted_change(subject), intake, 0)
        made.append(subject)
    return made


async def test_the_position_moves_with_events_and_attempts(store: SqlStore, fund: Fund) -> None:
    """What a mark beside the database compares: whose it is, newest event, attempts armed."""
    before = await store.position()
    (subject,) = await accepted(store, fund)
    middle = await store.position()
    await store.record(build.arm(subject))
    armed = await store.position()
    assert (before.attempts, middle.attempts, armed.attempts) == (0, 0, 1)
    assert before.feed < middle.feed < armed.feed
    assert before.installation == armed.installation
    assert middle.is_behind(armed)
    assert not armed.is_behind(middle)


async def test_positions_leap_over_what_may_have_been_read(backend: Backend) -> None:
    """Events after a restore never reuse a position that was given out before."""
    first = await backend.open()
    past = (await first.position()).feed + 1_000_000
    await first.leap_feed(past)
    await first.leap_feed(past - 500_000)  # an older mark takes nothing back
    await first.aclose()
    again = await backend.open()
    subject = build.payout()
    await again.accept(build.accepted_change(subject), build.intake(subject), None)
    assert (await again.position()).feed > past


async def test_the_newest_event_tells_when_a_copy_was_made(store: SqlStore, fund: Fund) -> None:
    """None in an empty database."""
    assert await store.last_event_at() is None
    (subject,) = await accepted(store, fund)
    assert await store.last_event_at() == subject.accepted_at


async def test_a_quarantine_begins_once_and_ends_once(store: SqlStore) -> None:
    """Processes that notice the same restore begin one together; ending tells who was first."""
    assert await store.quarantine() is None
    begun = await store.begin_quarantine("older copy", after(-600), NOW, "gateway")
    assert await store.begin_quarantine("the same", after(-600), after(30), "gateway") == begun
    assert await store.quarantine() == begun
    assert await store.end_quarantine(begun.id, after(900), "gateway")
    assert not await store.end_quarantine(begun.id, after(901), "gateway")
    ended = await store.quarantine()
    assert ended == replace(begun, ended_at=after(900))


async def test_a_second_quarantine_owes_what_the_first_had_not_found(store: SqlStore) -> None:
    """It goes back to the older of the two backups, and the first one is over."""
    first = await store.begin_quarantine("one", after(-6_000), NOW, "gateway")
    second = await store.begin_quarantine("two", after(-60), after(3_600), "gateway")
    assert (second.id, second.backup_at) == (first.id + 1, after(-6_000))
    assert not await store.end_quarantine(first.id, after(3_700), "gateway")


async def test_payouts_are_rebuilt_one_by_one(store: SqlStore, fund: Fund) -> None:
    """Pages go by id; what is marked is asked about no more in this quarantine, but in the next."""
    made = await accepted(store, fund, 3)
    ids = [one.id for one in made]
    quarantine = await store.begin_quarantine("older copy", after(-600), NOW, "gateway")
    assert await store.to_rebuild(quarantine.id, None, 2) == ids[:2]
    assert await store.to_rebuild(quarantine.id, ids[1], 2) == ids[2:]
    assert await store.unfinished(None, 10) == ids
    for _ in range(2):
        await store.mark_rebuilt(quarantine.id, ids[1], after(1))
    assert await store.is_rebuilt(quarantine.id, ids[1])
    assert not await store.is_rebuilt(quarantine.id, ids[0])
    assert await store.to_rebuild(quarantine.id, None, 9) == [ids[0], ids[2]]
    assert await store.count_to_rebuild(quarantine.id) == 2
    following = await store.begin_quarantine("again", after(-60), after(3_600), "gateway")
    assert await store.count_to_rebuild(following.id) == 3


async def test_a_waiver_takes_two_people(store: SqlStore) -> None:
    """The same person cannot agree to what it asked for, and nobody agrees twice."""
    quarantine = await store.begin_quarantine("older copy", after(-600), NOW, "gateway")
    asked = await store.waive(quarantine.id, CHANNEL, "their portal", "key:1", after(1))
    assert (asked.channel, asked.asked_by, asked.agreed_by) == (CHANNEL, "key:1", None)
    with pytest.raises(ConflictError):
        await store.waive(quarantine.id, CHANNEL, "me again", "key:1", after(2))
    agreed = await store.waive(quarantine.id, CHANNEL, "looked too", "key:2", after(3))
    assert (agreed.reason, agreed.agreed_by) == ("their portal", "key:2")
    with pytest.raises(ConflictError):
        await store.waive(quarantine.id, CHANNEL, "and I", "key:3", after(4))
    assert await store.waivers(quarantine.id) == [agreed]


async def test_stored_statements_tell_on_which_day_a_reference_was_paid(store: SqlStore) -> None:
    """Only payouts count: a fee under the same reference is no payment."""
    paid = build.statement_line(reference="R1", line_ref="L1")
    fee = build.statement_line(kind=LineKind.FEE, reference="R2", line_ref="L2")
    await store.keep_statement(CHANNEL, TODAY, [paid, fee], after(1))
    later = build.statement_line(reference="R3", line_ref="L3")
    await store.keep_statement(CHANNEL, TODAY + timedelta(days=1), [later], after(2))
    many = [f"X{number}" for number in range(1_200)]
    found = await store.days_of_references(CHANNEL, ["R1", "R2", *many, "R3"])
    assert found == {"R1": TODAY, "R3": TODAY + timedelta(days=1)}
    assert await store.days_of_references("another", ["R1"]) == {}


async def test_a_sound_ledger_has_no_faults(store: SqlStore, fund: Fund) -> None:
    """Whole, and from a position on."""
    (subject,) = await accepted(store, fund)
    since = (await store.position()).feed
    await store.record(build.arm(subject))
    assert await store.ledger_faults(None) == []
    assert await store.ledger_faults(since) == []


async def test_a_backup_is_described_by_what_it_holds(
    backend: Backend, fund: Fund, store: SqlStore, tmp_path: Path
) -> None:
    """SQLite copies itself while it works; PostgreSQL says which tool does it."""
    (subject,) = await accepted(store, fund)
    await store.record(build.arm(subject))
    file = tmp_path / "copy.db"
    if backend.kind == "postgres":
        with pytest.raises(StoreError, match="pg_dump"):
            await store.backup(file, NOW)
        assert not file.exists()
        return
    made = await store.backup(file, NOW)
    assert made.position == await store.position()
    assert (made.at, made.size) == (NOW, file.stat().st_size)
