"""Statements, the attempts behind their lines, and breaks."""

from datetime import timedelta

from channels.contract import LineKind
from gateway.domain.payout import AttemptState, Payout
from gateway.domain.reconciliation import Booked, BreakKind
from gateway.store import SqlStore
from tests import builders as build
from tests.contracts.store.conftest import Fund

DAY = build.TODAY


async def _paid(store: SqlStore, reference: str, *, at: int = 0) -> Payout:
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    armed = build.arm(subject, build.attempt(reference=reference))
    await store.record(armed)
    confirmed = build.confirm(armed.after, at=build.after(at))
    await store.record(confirmed)
    return confirmed.after


async def test_lines_read_back_equal(store: SqlStore) -> None:
    """Every field of a line survives, in the order of booking."""
    lines = [
        build.statement_line("L2", booked_at=build.after(2), reference="R2", memo="给张三"),
        build.statement_line(
            "L1", kind=LineKind.RETURN, credit=True, channel_ref="C1", amount=build.cny(1)
        ),
    ]

    assert await store.keep_statement("a", DAY, lines, build.NOW) == 2

    assert await store.lines("a", DAY) == lines[::-1]
    assert await store.lines("a", DAY + timedelta(days=1)) == []
    assert await store.lines("b", DAY) == []
    assert await store.statement_days("a") == {DAY}


async def test_a_line_is_kept_once(store: SqlStore) -> None:
    """Reading a statement again adds only what is new."""
    lines = [build.statement_line(f"L{n}") for n in range(5)]
    await store.keep_statement("a", DAY, lines[:3], build.NOW)

    assert await store.keep_statement("a", DAY, lines, build.after(9)) == 2
    assert await store.keep_statement("a", DAY, lines, build.after(9)) == 0
    assert len(await store.lines("a", DAY)) == 5
    assert await store.keep_statement("b", DAY, lines, build.NOW) == 5


async def test_an_empty_day_is_a_stored_day(store: SqlStore) -> None:
    """Nothing happened is also an answer."""
    assert await store.keep_statement("a", DAY, [], build.NOW) == 0
    assert await store.statement_days("a") == {DAY}


async def test_a_big_statement_is_stored_whole(store: SqlStore) -> None:
    """More lines than fit one commit are still one statement."""
    lines = [build.statement_line(f"L{n:04d}") for n in range(401)]

    assert await store.keep_statement("a", DAY, lines, build.NOW) == 401
    assert len(await store.lines("a", DAY)) == 401


async def test_attempts_are_found_by_either_reference(store: SqlStore, fund: Fund) -> None:
    """By ours or the channel's, keyed by what was asked; unknown ones are left out."""
    await fund()
    one, two = await _paid(store, "R-1"), await _paid(store, "R-2")
    asked = ["R-1", "CH-R-2", "nothing"]

    found = await store.attempts_by_references(build.CHANNEL, asked)

    assert {key: booked.payout_id for key, booked in found.items()} == {
        "R-1": one.id,
        "CH-R-2": two.id,
    }
    assert found["R-1"] == Booked(
        payout_id=one.id,
        merchant_id=build.MERCHANT,
        number=1,
        reference="R-1",
        channel_ref="CH-R-1",
        amount_minor=10_000,
        currency=build.cny(1).currency,
        state=AttemptState.CONFIRMED,
        settled=False,
    )
    assert await store.attempts_by_references("other", asked) == {}
    assert await store.attempts_by_references(build.CHANNEL, []) == {}


async def test_unsettled_are_paid_and_on_no_statement(store: SqlStore, fund: Fund) -> None:
    """Confirmed before the moment asked for, and not settled."""
    await fund()
    early, late = await _paid(store, "R-1", at=1), await _paid(store, "R-2", at=50)
    seen = await _paid(store, "R-3", at=2)
    await store.record(build.change(seen, build.settled()))

    found = await store.unsettled(build.CHANNEL, build.after(50))

    assert [booked.payout_id for booked in found] == [early.id]
    both = await store.unsettled(build.CHANNEL, build.after(51))
    assert [booked.payout_id for booked in both] == [early.id, late.id]
    assert (await store.attempts_by_references(build.CHANNEL, ["R-3"]))["R-3"].settled is True


async def test_a_break_is_opened_once(store: SqlStore) -> None:
    """The same disagreement found again is known; another kind or line is another break."""
    first = build.open_break(payout="po_1")
    assert await store.open_break(first) is True
    assert await store.open_break(first) is False
    other = build.open_break(kind=BreakKind.DUPLICATE, line_ref="L1", opened_at=build.after(1))
    assert await store.open_break(other) is True
    elsewhere = build.open_break("b", reference=None, opened_at=build.after(2))
    assert await store.open_break(elsewhere) is True

    assert await store.breaks() == [first, other, elsewhere]
    assert await store.breaks("b") == [elsewhere]
