"""Recording moves: guarded by version and float, atomic, and leaving a complete trail."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from gateway.domain.payout import AttemptState, Event, MerchantId, Payout, PayoutState
from gateway.ports import Change, FloatShortError, StaleError, StoreError
from gateway.store import RefusedError, SqlStore
from tests import builders as build
from tests.contracts.store.conftest import Fund


@pytest.fixture
async def accepted(store: SqlStore, fund: Fund) -> Payout:
    """A funded payout in ROUTING."""
    await fund()
    subject = build.payout(instruments=(build.alipay_account(), build.bank_card()))
    return await store.accept(build.accepted_change(subject), build.intake(subject), 0)


async def _balances(store: SqlStore) -> dict[str, int]:
    return {str(balance.account): balance.minor for balance in await store.balances()}


async def test_every_kind_of_event_reads_back_equal(
    store: SqlStore, fund: Fund, accepted: Payout
) -> None:
    """Through failover, doubt, resend, payment, settlement and return, what is read is what was."""
    moves: list[Event] = [
        build.held(),
        build.released(),
        build.armed(),
        build.doubted(1),
        build.doubted(1, absent=True),
        build.resent(1, at=build.after(9)),
        build.doubted(1, no=build.refusal()),
        build.died(1),
        build.armed(build.attempt(2, channel="wechat-main", instrument=1)),
        build.pended(2, action=build.payee_action()),
        build.doubted(2),
        build.parked(),
        build.unparked(),
        build.confirmed(2),
        build.settled(2, fee_minor=9),
        build.came_back(2),
        build.contradicted(1),
    ]
    await fund(merchant=None, channel="wechat-main")
    subject = accepted
    for event in moves:
        change = build.change(subject, event, at=subject.updated_at + timedelta(seconds=1))
        await store.record(change)
        subject = change.after
        assert await store.payout(subject.id) == subject

    timeline = await store.timeline(subject.id)
    assert [event.seq for event in timeline] == list(range(1, len(moves) + 2))
    assert timeline[-1].state is PayoutState.RETURNED
    assert await store.audit() == []


async def test_several_events_in_one_change_have_their_own_states(
    store: SqlStore, accepted: Payout
) -> None:
    """The timeline shows where the payout stood after each event."""
    armed = build.arm(accepted)
    await store.record(armed)

    await store.record(build.change(armed.after, build.died(), build.failed()))

    states = [(event.kind, event.state) for event in await store.timeline(accepted.id)]
    assert states[-2:] == [
        ("attempt_dead", PayoutState.ROUTING),
        ("failed", PayoutState.FAILED),
    ]


async def test_next_attempt_can_follow_a_death_in_one_change(
    store: SqlStore, accepted: Payout
) -> None:
    """Failover is one commit: the dead attempt makes room for the next."""
    armed = build.arm(accepted)
    await store.record(armed)

    change = build.change(armed.after, build.died(), build.armed(build.attempt(2)))
    await store.record(change)

    assert await store.payout(accepted.id) == change.after


async def test_a_stale_move_changes_nothing(store: SqlStore, accepted: Payout) -> None:
    """Of two moves from the same version the second fails and leaves no trace."""
    await store.record(build.arm(accepted))
    before = await _balances(store)

    with pytest.raises(StaleError):
        await store.record(build.change(accepted, build.cancelled()))

    assert await _balances(store) == before
    assert len(await store.timeline(accepted.id)) == 2


async def test_one_of_many_concurrent_moves_wins(store: SqlStore, accepted: Payout) -> None:
    """Concurrent moves from one version: one commits, all others are stale."""
    changes = [build.arm(accepted) for _ in range(12)]

    outcomes = await asyncio.gather(
        *(store.record(change) for change in changes), return_exceptions=True
    )

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, StaleError) for outcome in outcomes) == 11
    assert await store.audit() == []


async def test_a_conflict_never_fails_its_neighbours(store: SqlStore, fund: Fund) -> None:
    """Good and bad moves in one group: every good one commits."""
    await fund()
    subjects = [build.payout() for _ in range(30)]
    await asyncio.gather(
        *(store.accept(build.accepted_change(s), build.intake(s), 0) for s in subjects)
    )
    for subject in subjects[::3]:
        await store.record(build.change(subject, build.cancelled()))

    outcomes = await asyncio.gather(
        *(store.record(build.arm(subject)) for subject in subjects), return_exceptions=True
    )

    assert [isinstance(outcome, StaleError) for outcome in outcomes] == [
        n % 3 == 0 for n in range(30)
    ]
    assert (await store.counts())[PayoutState.ATTEMPTING] == 20
    assert await store.audit() == []


async def test_moves_of_one_group_each_change_their_own_row(store: SqlStore, fund: Fund) -> None:
    """Whatever is committed together, every payout reads back as it was moved, in all columns."""
    await fund()
    subjects = [build.payout() for _ in range(21)]
    await asyncio.gather(
        *(store.accept(build.accepted_change(s), build.intake(s), 0) for s in subjects)
    )
    armed = [build.arm(subject) for subject in subjects]
    await asyncio.gather(*map(store.record, armed))
    moved = []
    for number, before in enumerate(change.after for change in armed):
        match number % 4:
            case 0:
                moved.append(build.confirm(before, fee_minor=number))
            case 1:
                moved.append(build.kill(before))
            case 2:
                pended = build.pended(channel_ref=f"CH-{number}")
                moved.append(build.change(before, pended, due_at=build.after(number)))
            case _:
                moved.append(build.change(before, build.doubted(), due_at=build.after(number)))

    await asyncio.gather(*map(store.record, moved))

    for change in moved:
        assert await store.payout(change.after.id) == change.after
    assert await store.audit() == []


async def test_arming_needs_float(store: SqlStore, fund: Fund) -> None:
    """A channel whose float does not cover amount and quoted fee cannot be armed."""
    await fund(channel=None)
    await fund(10_009, merchant=None)
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)

    with pytest.raises(FloatShortError):
        await store.record(build.arm(subject))

    assert await store.payout(subject.id) == subject


async def test_a_channel_without_float_cannot_be_armed(store: SqlStore, fund: Fund) -> None:
    """A float that was never topped up is empty, not unlimited."""
    await fund(channel=None)
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)

    with pytest.raises(FloatShortError):
        await store.record(build.arm(subject))


async def test_concurrent_arming_never_overdraws_a_float(store: SqlStore, fund: Fund) -> None:
    """Exactly as many attempts are armed as the float covers."""
    await fund(channel=None)
    await fund(10_010 * 4 + 9, merchant=None)
    subjects = [build.payout() for _ in range(12)]
    for subject in subjects:
        await store.accept(build.accepted_change(subject), build.intake(subject), 0)

    outcomes = await asyncio.gather(
        *(store.record(build.arm(subject)) for subject in subjects), return_exceptions=True
    )

    assert outcomes.count(None) == 4
    assert sum(isinstance(outcome, FloatShortError) for outcome in outcomes) == 8
    assert (await _balances(store))["float:alipay-main:CNY"] == 9


async def test_a_fee_may_overdraw_the_float_after_the_fact(store: SqlStore, fund: Fund) -> None:
    """What the channel charged is a fact; only arming asks for cover."""
    await fund(channel=None)
    await fund(10_010, merchant=None)
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    armed = build.arm(subject)
    await store.record(armed)

    await store.record(build.confirm(armed.after, fee_minor=25))

    assert (await _balances(store))["float:alipay-main:CNY"] == -15
    assert await store.audit() == []


async def test_a_reference_names_one_attempt_for_ever(store: SqlStore, fund: Fund) -> None:
    """A second attempt under a stored reference of the same channel is refused."""
    await fund()
    first, second = build.payout(), build.payout()
    for subject in (first, second):
        await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    await store.record(build.arm(first, build.attempt(reference="R-same")))

    with pytest.raises(RefusedError):
        await store.record(build.arm(second, build.attempt(reference="R-same")))

    assert await store.by_reference(build.CHANNEL, "R-same") == first.id
    assert await store.by_reference("other", "R-same") is None
    assert await store.payout(second.id) == second


async def test_evidence_and_decision_are_kept_with_the_event(
    store: SqlStore, accepted: Payout
) -> None:
    """What the channel said and why the router chose can be read later, in order."""
    armed = build.arm(accepted, decision=b'{"n":1}')
    await store.record(armed)
    said = build.evidence(body=bytes(range(256)))
    await store.record(build.change(armed.after, build.doubted(), evidence=said, decision=b"{}"))

    assert await store.evidence(accepted.id) == [(3, said)]
    assert [body for _, body in await store.decisions(accepted.id)] == [b'{"n":1}', b"{}"]


async def test_postpone_moves_the_due_time_only(store: SqlStore, accepted: Payout) -> None:
    """Postponing writes no event and keeps the version; the decision is kept."""
    later = build.after(30)

    await store.postpone(accepted, later, b'{"wait":1}')

    found = await store.payout(accepted.id)
    assert found is not None
    assert (found.version, found.due_at) == (1, later)
    assert [body for _, body in await store.decisions(accepted.id)] == [b'{"wait":1}']


async def test_postponing_what_has_moved_on_does_nothing(store: SqlStore, accepted: Payout) -> None:
    """A late postponement neither fails nor leaves a decision."""
    armed = build.arm(accepted, decision=None)
    await store.record(armed)

    await store.postpone(accepted, build.after(30), b"{}")

    assert await store.payout(accepted.id) == armed.after
    assert await store.decisions(accepted.id) == []


async def test_a_change_that_does_not_add_up_is_a_defect(store: SqlStore, accepted: Payout) -> None:
    """Such a change never reaches the database."""
    armed = build.arm(accepted)
    stranger = replace(armed.after, merchant_id=MerchantId("m_other"))
    dead = build.kill(armed.after)
    broken = {
        "events lead to": replace(armed, after=accepted),
        "has one posting": replace(armed, postings=()),
        "cannot become": replace(armed, after=stranger),
        "never removed": replace(dead, after=replace(dead.after, attempts=())),
        "use accept": build.accepted_change(),
    }

    for message, change in broken.items():
        with pytest.raises(ValueError, match=message):
            await store.record(change)
    with pytest.raises(ValueError, match="use record"):
        await store.accept(armed, build.intake(), None)

    assert await store.payout(accepted.id) == accepted


async def test_an_unbalanced_posting_is_refused(store: SqlStore, accepted: Payout) -> None:
    """Half a posting books nothing at all."""
    armed = build.arm(accepted)
    (legs,) = armed.postings
    broken = Change(accepted, armed.after, armed.events, (legs[:1],), "worker")

    with pytest.raises(StoreError, match="is off by"):
        await store.record(broken)

    assert await store.payout(accepted.id) == accepted
    assert await store.audit() == []


async def test_armed_lists_what_recovery_must_ask_about(store: SqlStore, fund: Fund) -> None:
    """After a crash, attempts still ARMED may have been sent."""
    await fund()
    subjects = [build.payout() for _ in range(3)]
    for subject in subjects:
        await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    armed = [build.arm(subject, at=build.after(n)) for n, subject in enumerate(subjects)]
    for change in armed:
        await store.record(change)
    await store.record(build.change(armed[1].after, build.doubted()))

    assert await store.armed(10) == [subjects[0].id, subjects[2].id]
    assert await store.armed(1) == [subjects[0].id]
    assert armed[0].after.live is not None
    assert armed[0].after.live.state is AttemptState.ARMED


async def test_a_value_that_fits_no_column_concerns_its_caller_alone(
    store: SqlStore, fund: Fund
) -> None:
    """One caller's impossible figure fails that caller; the neighbours commit."""
    await fund()
    good = [build.payout() for _ in range(4)]
    bad = build.payout(max_fee_minor=2**70)

    outcomes = await asyncio.gather(
        *(
            store.accept(build.accepted_change(subject), build.intake(subject), 0)
            for subject in (*good[:2], bad, *good[2:])
        ),
        return_exceptions=True,
    )

    assert [isinstance(outcome, Payout) for outcome in outcomes] == [True, True, False, True, True]
    assert await store.healthy()
    assert await store.audit() == []
