"""Incidents, proposals and watches, the same on both databases."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from channels.contract import Reason
from gateway.domain.errors import ConflictError
from gateway.domain.incident import Incident, IncidentKind
from gateway.domain.payout import MerchantId, Payout
from gateway.domain.proposal import Approval, Proposal, ProposalState
from gateway.domain.reconciliation import BreakKind
from gateway.ports import StaleError
from gateway.store import SqlStore
from tests import builders as build
from tests.builders import CHANNEL, MERCHANT, TODAY, after, cny
from tests.contracts.store.conftest import Fund

INCIDENT = Incident("in_1", IncidentKind.LATE_SUCCESS, CHANNEL, None, 1, "event 4", after())


async def doubtful(store: SqlStore, fund: Fund) -> Payout:
    """A stored payout whose only attempt is in doubt."""
    await fund()
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    armed = build.arm(subject)
    await store.record(armed)
    doubted = build.change(armed.after, build.doubted())
    await store.record(doubted)
    return doubted.after


def proposal(subject: Payout, proposal_id: str = "pr_1") -> Proposal:
    """Wang proposes."""
    return Proposal(
        id=proposal_id,
        payout_id=subject.id,
        merchant_id=MerchantId(MERCHANT),
        attempt=1,
        sends=1,
        version=3,
        reason=Reason.RAIL_DOWN,
        evidence="收款人王五的银行来函",
        evidence_sha256="a" * 64,
        maker="key:1",
        maker_person="wang",
        proposed_at=after(1),
    )


async def test_an_incident_is_stored_with_the_change_that_reveals_it(
    store: SqlStore, fund: Fund
) -> None:
    """In the same commit; the channel is frozen for whoever asks from then on."""
    subject = await doubtful(store, fund)
    dead = build.kill(subject)
    await store.record(dead)
    change = build.change(dead.after, build.contradicted())
    revealed = replace(INCIDENT, payout_id=subject.id)
    assert await store.frozen() == {}
    await store.record(replace(change, incidents=(revealed,)))
    assert await store.incidents(open_only=True) == [revealed]
    assert await store.frozen() == {CHANNEL: "in_1"}


async def test_a_change_that_fails_opens_nothing(store: SqlStore, fund: Fund) -> None:
    """Stale: neither event nor incident."""
    subject = await doubtful(store, fund)
    stale = build.change(replace(subject, version=subject.version - 1), build.parked())
    with pytest.raises(StaleError):
        await store.record(replace(stale, incidents=(INCIDENT,)))
    assert await store.incidents(open_only=False) == []


async def test_a_break_opens_its_incident_once(store: SqlStore) -> None:
    """The break is known the second time, and so is what it is."""
    broken = build.open_break(kind=BreakKind.DUPLICATE, line_ref="L9")
    told = replace(INCIDENT, kind=IncidentKind.STATEMENT_DUPLICATE)
    assert await store.open_break(broken, told)
    assert not await store.open_break(broken, replace(told, id="in_2"))
    assert await store.incidents(open_only=True) == [told]
    assert await store.frozen() == {}


async def test_an_incident_is_released_once_and_kept(store: SqlStore) -> None:
    """Who, when and why stay; a second release finds nothing open."""
    broken = build.open_break(kind=BreakKind.STATUS)
    await store.open_break(broken, INCIDENT)
    assert await store.release_incident("in_1", after(9), "key:1", "their mistake")
    assert not await store.release_incident("in_1", after(10), "key:2", "again")
    assert await store.frozen() == {}
    assert await store.incidents(open_only=True) == []
    kept = await store.incident("in_1")
    assert kept is not None
    assert (kept.released_at, kept.released_by, kept.note) == (after(9), "key:1", "their mistake")
    assert [row.action for row in await store.audit_trail(10)] == ["incident.released"]


async def test_a_proposal_is_kept_whole_and_one_at_a_time(store: SqlStore, fund: Fund) -> None:
    """Evidence comes back as it was given; a second open one is refused."""
    subject = await doubtful(store, fund)
    made = proposal(subject)
    await store.propose(made)
    assert await store.proposals(open_only=True) == [made]
    with pytest.raises(ConflictError) as refused:
        await store.propose(proposal(subject, "pr_2"))
    assert refused.value.code == "proposal_exists"
    assert await store.reject_proposal("pr_1", after(5), "key:2", "zhao", "no")
    assert not await store.reject_proposal("pr_1", after(5), "key:2", "zhao", "no")
    await store.propose(proposal(subject, "pr_2"))
    states = [one.state for one in await store.proposals(open_only=False, payout_id=subject.id)]
    assert states == [ProposalState.OPEN, ProposalState.REJECTED]


async def test_approval_and_certificate_are_one_commit(store: SqlStore, fund: Fund) -> None:
    """A proposal can be spent once; the loser's certificate is not stored."""
    subject = await doubtful(store, fund)
    await store.propose(proposal(subject))
    approval = Approval("pr_1", "key:2", "zhao", after(7))
    await store.reject_proposal("pr_1", after(6), "key:3", "li", "no")
    with pytest.raises(StaleError):
        await store.record(replace(build.kill(subject), approval=approval))
    assert (await store.payout(subject.id)) == subject
    await store.propose(proposal(subject, "pr_2"))
    won = replace(build.kill(subject), approval=replace(approval, proposal_id="pr_2"))
    await store.record(won)
    (spent, _) = await store.proposals(open_only=False)
    assert (spent.state, spent.checker_person) == (ProposalState.APPROVED, "zhao")


async def test_a_dead_attempt_is_watched_until_looked_at_often_enough(
    store: SqlStore, fund: Fund
) -> None:
    """Due an hour after its death; claimed by one; gone after the last look."""
    dead = build.kill(await doubtful(store, fund))
    await store.record(dead)
    assert await store.due_watches(after(minutes=59), 10) == []
    (watch,) = await store.due_watches(after(hours=2), 10)
    assert (watch.payout_id, watch.number, watch.looks) == (dead.after.id, 1, 0)
    assert await store.claim_watch(watch, after(hours=3))
    assert not await store.claim_watch(watch, after(hours=3))
    await store.watched(watch, after(hours=6))
    (again,) = await store.due_watches(after(hours=6), 10)
    assert again.looks == 1
    await store.watched(again, None)
    assert await store.due_watches(after(days=99), 10) == []


async def test_the_canary_is_the_payment_made_last(store: SqlStore, fund: Fund) -> None:
    """On that channel, and recent enough."""
    await fund()
    paid = []
    for minute in (1, 2):
        subject = build.payout()
        await store.accept(build.accepted_change(subject), build.intake(subject), 0)
        armed = build.arm(subject)
        await store.record(armed)
        confirmed = build.confirm(armed.after, at=after(minutes=minute))
        await store.record(confirmed)
        paid.append(confirmed.after.id)
    assert await store.canary(CHANNEL, after()) == (paid[1], 1)
    assert await store.canary(CHANNEL, after(minutes=3)) is None
    assert await store.canary("other", after()) is None


async def test_counted_absences_are_kept(store: SqlStore, fund: Fund) -> None:
    """To the microsecond, in order."""
    subject = await doubtful(store, fund)
    seen = replace(build.doubted(cause="absent", absent=True), absent_at=after(10.000001))
    change = build.change(subject, seen)
    await store.record(change)
    found = await store.payout(subject.id)
    assert found is not None
    assert found.attempts[0].absent_at == (after(10.000001),)


async def test_doubtful_attempts_are_found_by_their_signature(store: SqlStore, fund: Fund) -> None:
    """Only those signed before."""
    subject = await doubtful(store, fund)
    assert await store.doubtful(CHANNEL, after(1)) == [subject.id]
    assert await store.doubtful(CHANNEL, after()) == []
    assert await store.doubtful("other", after(1)) == []


@pytest.mark.parametrize(
    ("changes", "suspects"),
    [
        ({"reference": "OURS"}, 1),
        ({"channel_ref": "OURS", "amount": cny(1)}, 1),
        ({"reference": "STRANGE"}, 1),
        ({"reference": None}, 1),
        ({"reference": None, "amount": cny(1)}, 0),
        ({"reference": None, "credit": True}, 0),
        ({"reference": "KNOWN"}, 0),
    ],
)
async def test_suspects_are_lines_that_might_be_it(
    store: SqlStore, fund: Fund, changes: dict[str, object], suspects: int
) -> None:
    """Ours, or a debit of the same amount that nothing of ours explains."""
    await fund()
    for reference in ("OURS", "KNOWN"):
        subject = build.payout()
        await store.accept(build.accepted_change(subject), build.intake(subject), 0)
        change = build.arm(subject, build.attempt(1, reference=reference))
        await store.record(change)
        if reference == "OURS":
            ours = change.after.attempts[0]
    line = build.statement_line(**changes)  # type: ignore[arg-type]  # fields of a line
    await store.keep_statement(CHANNEL, TODAY, [line], after())
    assert await store.suspects(ours, cny(10_000), [TODAY]) == suspects
    assert await store.suspects(ours, cny(10_000), [TODAY + timedelta(days=1)]) == 0
