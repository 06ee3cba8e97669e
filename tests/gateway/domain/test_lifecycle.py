"""The transition table and `apply`: what is declared works, everything else raises."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from typing import get_args

import pytest
from msgspec.structs import replace

from channels.contract import Reason
from gateway.domain.lifecycle import (
    ATTEMPT_EDGES,
    INITIAL_STATES,
    PAYOUT_EDGES,
    TransitionError,
    apply,
    check,
)
from gateway.domain.payout import (
    Accepted,
    Adopted,
    Armed,
    AttemptState,
    Cancelled,
    Certificate,
    CertificateKind,
    Confirmed,
    Contradicted,
    Died,
    Doubted,
    Event,
    Failed,
    FeeCorrected,
    Held,
    Parked,
    Payout,
    PayoutState,
    Pended,
    Released,
    Resent,
    Settled,
    Source,
    Unparked,
)
from tests.builders import (
    NOW,
    after,
    armed,
    attempt,
    certificate,
    confirmed,
    died,
    doubted,
    held,
    parked,
    payee_action,
    payout,
    pended,
    refusal,
    resent,
    settled,
)
from tests.gateway.domain.situations import FIRST, HISTORIES, every_event, situation, through

P = PayoutState
A = AttemptState

KINDS: tuple[type[Event], ...] = get_args(Event)
MISSING = 7
"""The number of an attempt that is never there."""


def numbers(before: Payout) -> Iterator[int]:
    """Every attempt of a payout, and one it does not have."""
    yield from (one.number for one in before.attempts)
    yield MISSING


def declared(before: Payout, event: Event) -> PayoutState | None:
    """What the tables alone say about an event; None when they have no edge."""
    edge = PAYOUT_EDGES.get((before.state, type(event)))
    if isinstance(event, Armed | Adopted):
        return edge if event.attempt.number == len(before.attempts) + 1 else None
    number = getattr(event, "number", None)
    if number is None or edge is None:
        return edge
    named = next((one for one in before.attempts if one.number == number), None)
    return edge if named and (named.state, type(event)) in ATTEMPT_EDGES else None


def events_in(before: Payout) -> Iterator[Event]:
    """Every kind of event about every attempt, and about one that is not there."""
    for number in numbers(before):
        yield from every_event(number, len(before.attempts) + 1)


# --- The matrix --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", HISTORIES)
def test_tables_decide_every_event_in_every_situation(name: str, kind: type[Event]) -> None:
    """A declared edge leads where the table says, one event later; any other event raises."""
    before = situation(name)
    for event in (one for one in events_in(before) if type(one) is kind):
        expected = declared(before, event)
        if expected is None:
            with pytest.raises(TransitionError, match=before.id):
                _apply(before, event)
            continue
        moved = apply(before, event, after(1))
        assert moved.state is expected
        assert moved.version == before.version + 1
        assert moved.updated_at == after(1)


def _apply(before: Payout, event: Event) -> None:
    """Apply, naming the payout also where the message names only the attempt."""
    try:
        apply(before, event, NOW)
    except TransitionError as error:
        raise TransitionError(f"{before.id}: {error}") from error


def test_one_event_of_every_kind_is_tried() -> None:
    """The matrix leaves out no kind of event and no state."""
    assert [type(event) for event in every_event(1, 1)] == list(KINDS)
    assert {situation(name).state for name in HISTORIES} == set(PayoutState)
    reached = {one.state for name in HISTORIES for one in situation(name).attempts}
    assert reached == set(AttemptState)


def test_every_declared_edge_can_be_taken() -> None:
    """No edge of either table is dead: some situation takes it."""
    payouts: set[tuple[PayoutState, type[Event]]] = set()
    attempts: set[tuple[AttemptState, type[Event]]] = set()
    for name in HISTORIES:
        before = situation(name)
        for event in events_in(before):
            if declared(before, event) is not None:
                payouts.add((before.state, type(event)))
                number = getattr(event, "number", None)
                if number is not None:
                    attempts.add((before.attempts[number - 1].state, type(event)))
    assert payouts == set(PAYOUT_EDGES)
    assert attempts == set(ATTEMPT_EDGES)


# --- What the tables must say, whoever edits them ------------------------------------------------


def into(state: PayoutState) -> set[tuple[PayoutState, type[Event]]]:
    """Edges that change the state to this one."""
    return {key for key, target in PAYOUT_EDGES.items() if target is state and key[0] is not state}


def test_only_a_proven_death_leads_back_to_routing() -> None:
    """From an open attempt, nothing but a certificate frees the payout for another one."""
    assert {key for key in into(P.ROUTING) if key[0] in {P.ATTEMPTING, P.PARKED}} == {
        (P.ATTEMPTING, Died),
        (P.PARKED, Died),
    }


def test_failed_is_reached_from_states_without_a_live_attempt_only() -> None:
    """An open or paid payout cannot fail."""
    assert into(P.FAILED) == {(P.HELD, Failed), (P.ROUTING, Failed)}


def test_cancelled_is_reached_before_arming_only() -> None:
    """Nobody can cancel what a channel may have."""
    assert into(P.CANCELLED) == {
        (P.HELD, Cancelled),
        (P.SCHEDULED, Cancelled),
        (P.ROUTING, Cancelled),
    }


def test_only_a_confirmation_pays() -> None:
    """The channel's word is the only way to PAID, and a statement the only way to SETTLED."""
    assert into(P.PAID) == {(P.ATTEMPTING, Confirmed), (P.PARKED, Confirmed)}
    assert into(P.SETTLED) == {(P.PAID, Settled)}


def test_final_states_are_never_left() -> None:
    """A final payout takes late evidence or its statement line, and stays where it is."""
    for (state, event), target in PAYOUT_EDGES.items():
        if state.is_final:
            assert target is state
            assert event in {Contradicted, FeeCorrected, Settled}


def test_late_evidence_never_closes_or_reopens_anything() -> None:
    """A contradiction keeps the state, or stops a payout that was about to be sent again."""
    targets = {s: t for (s, event), t in PAYOUT_EDGES.items() if event is Contradicted}
    assert {state for state, target in targets.items() if target is not state} == {P.ROUTING}
    assert targets[P.ROUTING] is P.HELD
    assert all(a is b for (a, event), b in ATTEMPT_EDGES.items() if event is Contradicted)


def test_dead_attempts_stay_dead() -> None:
    """Nothing revives a dead attempt, and nothing kills a paid one."""
    assert {target for (state, _), target in ATTEMPT_EDGES.items() if state is A.DEAD} == {A.DEAD}
    assert {state for (state, event) in ATTEMPT_EDGES if event is Died} == {
        A.ARMED,
        A.PENDING,
        A.IN_DOUBT,
    }


def test_every_state_is_reachable_from_acceptance() -> None:
    """Nothing is declared that no payout and no attempt can come to."""
    payouts = set(INITIAL_STATES)
    attempts = {A.ARMED}
    for _ in range(len(PayoutState)):
        payouts |= {target for (state, _), target in PAYOUT_EDGES.items() if state in payouts}
        attempts |= {target for (state, _), target in ATTEMPT_EDGES.items() if state in attempts}
    assert payouts == set(PayoutState)
    assert attempts == set(AttemptState)


def test_acceptance_has_no_edge() -> None:
    """A payout is accepted once, by being stored; no event accepts it again."""
    assert not [key for key in PAYOUT_EDGES if key[1] is Accepted]


def test_final_means_that_the_gateway_is_done() -> None:
    """A paid payout may still come back, a settled one too; the other three are over."""
    assert {state for state in P if state.is_final} == {P.RETURNED, P.FAILED, P.CANCELLED}


def test_every_attempt_but_a_dead_one_bars_another() -> None:
    """Confirmed and returned attempts are live for routing."""
    assert {state for state in A if not state.is_live} == {A.DEAD}


# --- Arming --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 3])
def test_attempts_are_numbered_without_gap(number: int) -> None:
    """The attempt after the first is the second."""
    before = situation("routing after a dead attempt")
    with pytest.raises(TransitionError, match="would be a second"):
        apply(before, armed(attempt(number)), NOW)


@pytest.mark.parametrize("state", [one for one in A if one is not A.ARMED])
def test_new_attempt_starts_armed(state: AttemptState) -> None:
    """No attempt begins in any other state."""
    with pytest.raises(TransitionError, match="starts armed"):
        apply(payout(), armed(attempt(1, state=state)), NOW)


def test_second_live_attempt_is_refused_even_in_a_corrupt_row() -> None:
    """A payout read as ROUTING although its attempt is live is not armed again."""
    corrupt = replace(situation("attempting, in doubt"), state=P.ROUTING)
    with pytest.raises(TransitionError, match="would be a second"):
        apply(corrupt, armed(attempt(2)), NOW)


def test_arming_forgets_why_it_was_held_up() -> None:
    """The reason of an earlier wait does not stay with a payout that is under way."""
    waiting = payout(reason="no_channel")
    assert apply(waiting, FIRST, NOW).reason is None


# --- What events leave behind --------------------------------------------------------------------


def test_resend_counts_and_forgets_what_was_said_about_the_first() -> None:
    """A resend signs anew, counts the send, and voids the refusal and the absences before it."""
    before = through(payout(), FIRST, _refused(), doubted(absent=True))
    assert (before.attempts[0].refusal, before.attempts[0].absences) == (refusal(), 1)
    event = Resent(1, "f" * 64, after(60), after(360))
    moved = apply(before, event, after(60)).attempts[0]
    assert moved.state is A.ARMED
    assert (moved.sends, moved.absences, moved.refusal) == (2, 0, None)
    assert (moved.digest, moved.signed_at, moved.not_after) == ("f" * 64, after(60), after(360))
    assert moved.armed_at == before.attempts[0].armed_at


def _refused() -> Doubted:
    return Doubted(1, Source.SEND, "rejected:PAYEE_NOT_EXIST", refusal())


def test_pending_keeps_what_was_known_and_ends_absence() -> None:
    """A later answer without reference or page does not erase the earlier ones."""
    action = payee_action()
    before = through(payout(), FIRST, pended(action=action), doubted(absent=True))
    again = Pended(1, Source.INQUIRY, None, "WAIT_USER_CONFIRM")
    moved = apply(before, again, NOW).attempts[0]
    assert (moved.channel_ref, moved.action) == ("CH1", action)
    assert (moved.stage, moved.absences) == ("WAIT_USER_CONFIRM", 0)


def test_absences_count_in_a_row() -> None:
    """Any other answer starts the count again."""
    before = through(payout(), FIRST, doubted(absent=True), doubted(absent=True))
    assert before.attempts[0].absences == 2
    assert apply(before, doubted(), NOW).attempts[0].absences == 0


def test_doubt_is_dated_from_its_beginning() -> None:
    """Later doubts move neither the date nor the refusal that waits for a look."""
    before = apply(through(payout(), FIRST), _refused(), after(1))
    moved = apply(before, doubted(), after(100)).attempts[0]
    assert moved.doubted_at == after(1)
    assert moved.refusal == refusal()


def test_inquiries_are_counted() -> None:
    """Answers to inquiries count as such; answers to sends do not."""
    before = through(payout(), FIRST, doubted(), doubted(absent=True), pended())
    assert before.attempts[0].inquiries == 1


def test_confirmation_is_recorded_and_ends_the_waiting() -> None:
    """Channel reference, time and fee are kept; the page for the beneficiary is gone."""
    before = through(payout(), FIRST, pended(action=payee_action()), parked())
    event = Confirmed(1, Source.INQUIRY, "CH9", after(30), 8)
    moved = apply(before, event, after(31))
    live = moved.attempts[0]
    assert (live.channel_ref, live.paid_at, live.fee_minor) == ("CH9", after(30), 8)
    assert live.action is None
    assert (moved.reason, moved.owner) == (None, None)


def test_death_keeps_its_certificate() -> None:
    """The proof is stored with the attempt, and the payout has no owner any more."""
    proof = Certificate(CertificateKind.TWO_PEOPLE, Reason.RECALLED, "m", "fax", NOW, "a", "b")
    before = through(payout(), FIRST, pended(action=payee_action()), parked())
    moved = apply(before, died(1, proof), NOW)
    assert moved.attempts[0].certificate == proof
    assert moved.attempts[0].action is None
    assert (moved.reason, moved.owner) == (None, None)


def test_return_is_dated() -> None:
    """A returned attempt knows when the money came back."""
    assert situation("returned").attempts[0].returned_at == NOW


@pytest.mark.parametrize(("told", "kept"), [(None, 8), (9, 9), (0, 0)])
def test_statement_knows_the_fee_better(told: int | None, kept: int) -> None:
    """A fee on the statement replaces the reply's, also when it is zero; silence does not."""
    moved = apply(situation("paid"), settled(fee_minor=told), NOW).attempts[0]
    assert moved.fee_minor == kept
    assert moved.settled_on == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("event", "reason", "owner"),
    [
        (Held("review", "risk"), "review", "risk"),
        (Cancelled("merchant", "changed my mind"), "changed my mind", None),
        (Failed("payee_not_found"), "payee_not_found", None),
    ],
)
def test_reason_and_owner_are_the_events(event: Event, reason: str, owner: str | None) -> None:
    """Whoever reads the payout sees why it stands and who must act."""
    moved = apply(payout(), event, NOW)
    assert (moved.reason, moved.owner) == (reason, owner)


def test_parking_names_an_owner_and_unparking_takes_it_back() -> None:
    """A parked payout is somebody's; handed back, it is nobody's."""
    stuck = apply(situation("attempting, in doubt"), Parked("in_doubt_too_long", "lee"), NOW)
    assert (stuck.reason, stuck.owner) == ("in_doubt_too_long", "lee")
    free = apply(stuck, Unparked("lee"), NOW)
    assert (free.state, free.reason, free.owner) == (P.ATTEMPTING, None, None)


def test_release_clears_reason_and_owner() -> None:
    """A released payout is not held for anything."""
    moved = apply(through(payout(), held()), Released("ops"), NOW)
    assert (moved.state, moved.reason, moved.owner) == (P.ROUTING, None, None)


def test_contradiction_stops_a_payout_that_was_free_to_be_sent_again() -> None:
    """Late success on a dead attempt: held for operations, with what the channel says."""
    before = situation("routing after a dead attempt")
    moved = apply(before, Contradicted(1, Source.INQUIRY, "paid", 10_000), NOW)
    assert (moved.state, moved.reason) == (P.HELD, "contradiction: paid")
    assert moved.owner == "operations"
    assert moved.attempts[0].certificate == certificate()
    assert moved.attempts[0].state is A.DEAD


@pytest.mark.parametrize("name", ["paid", "returned", "failed", "cancelled after a dead attempt"])
def test_contradiction_elsewhere_changes_nothing_but_the_history(name: str) -> None:
    """State, reason and owner stay; the version grows."""
    before = situation(name)
    moved = apply(before, Contradicted(1, Source.INQUIRY, "rejected:X", 0), NOW)
    assert replace(moved, version=before.version, attempts=before.attempts) == before


def test_event_concerns_the_attempt_it_names_only() -> None:
    """The dead first attempt is untouched by what happens to the second."""
    before = situation("attempting, the second in doubt")
    moved = through(before, pended(2), confirmed(2))
    assert moved.attempts[0] == before.attempts[0]


def test_due_time_is_not_the_domains_affair() -> None:
    """`apply` leaves when to look next as it was."""
    before = payout(due_at=after(5))
    assert apply(before, FIRST, after(9)).due_at == after(5)


def test_apply_does_not_touch_its_argument() -> None:
    """Values only: the payout given is the payout kept."""
    before = situation("attempting, in doubt")
    copy = deepcopy(before)
    apply(before, resent(), after(1))
    assert before == copy


# --- What `check` refuses ------------------------------------------------------------------------


def _corrupt(name: str, state: PayoutState, *attempts: AttemptState) -> Payout:
    """A row no history leads to."""
    dead = {True: certificate(), False: None}
    made = tuple(
        replace(attempt(number, state=one), certificate=dead[one is A.DEAD])
        for number, one in enumerate(attempts, 1)
    )
    return (
        payout(id=f"po_{name}", state=state)
        if not made
        else replace(payout(id=f"po_{name}"), state=state, attempts=made)
    )


@pytest.mark.parametrize(
    ("subject", "what"),
    [
        (_corrupt("a", P.PAID, A.CONFIRMED, A.CONFIRMED), "two live attempts"),
        (_corrupt("b", P.ATTEMPTING, A.PENDING, A.ARMED), "two live attempts"),
        (_corrupt("c", P.PAID, A.RETURNED, A.CONFIRMED), "two live attempts"),
        (_corrupt("d", P.FAILED, A.IN_DOUBT), "failed with a live attempt"),
        (_corrupt("e", P.CANCELLED, A.ARMED), "cancelled with a live attempt"),
        (_corrupt("f", P.ROUTING, A.PENDING), "routing with a live attempt"),
        (_corrupt("g", P.SCHEDULED, A.CONFIRMED), "scheduled with a live attempt"),
        (_corrupt("h", P.HELD, A.RETURNED), "held with a live attempt"),
        (_corrupt("i", P.ATTEMPTING), "attempting without an open attempt"),
        (_corrupt("j", P.ATTEMPTING, A.DEAD), "attempting without an open attempt"),
        (_corrupt("k", P.PARKED, A.CONFIRMED), "parked without an open attempt"),
        (_corrupt("l", P.PAID), "paid without a confirmed attempt"),
        (_corrupt("m", P.SETTLED, A.PENDING), "settled without a confirmed attempt"),
        (_corrupt("n", P.PAID, A.RETURNED), "paid without a confirmed attempt"),
        (_corrupt("o", P.RETURNED, A.CONFIRMED), "returned without a returned attempt"),
        (_corrupt("p", P.RETURNED), "returned without a returned attempt"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.id,
)
def test_impossible_rows_are_refused(subject: Payout, what: str) -> None:
    """What must hold between any two events is asserted, naming the payout."""
    with pytest.raises(TransitionError, match=f"{subject.id}: {what}"):
        check(subject)


def test_death_without_certificate_is_refused() -> None:
    """I2: a dead attempt has its proof."""
    bare = _corrupt("q", P.ROUTING, A.DEAD)
    bare = replace(bare, attempts=(replace(bare.attempts[0], certificate=None),))
    with pytest.raises(TransitionError, match="without certificate"):
        check(bare)


def test_certificate_on_a_live_attempt_is_refused() -> None:
    """A proof of death and a live attempt cannot both be."""
    both = _corrupt("r", P.ATTEMPTING, A.PENDING)
    both = replace(both, attempts=(replace(both.attempts[0], certificate=certificate()),))
    with pytest.raises(TransitionError, match="certificate on a live one"):
        check(both)


@pytest.mark.parametrize("name", HISTORIES)
def test_every_situation_passes_its_check(name: str) -> None:
    """What histories lead to is consistent."""
    check(situation(name))
