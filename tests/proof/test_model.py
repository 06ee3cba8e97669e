"""L0: the shipped attempt protocol has no violation in its whole space, every wrong rule has."""

import dataclasses
import subprocess
import sys
from datetime import timedelta
from functools import cache
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace

from channels.contract import Absent, NotSent, NotSentCause, Outcome, Reason, Rejected, Unknown
from channels.contract import UnknownCause as Cause
from gateway.domain.certify import events_of
from gateway.domain.lifecycle import PAYOUT_EDGES, apply
from gateway.domain.payout import (
    Attempt,
    AttemptState,
    Confirmed,
    Contradicted,
    Died,
    Doubted,
    Parked,
    Payout,
    PayoutState,
    Refusal,
    Source,
)
from gateway.engine.dispatch import settle
from gateway.engine.following import Following
from gateway.engine.gateway import Gateway
from gateway.engine.waiting import Waiting, WaitingForMoney
from gateway.ports import Change, StaleError
from tests.proof.model import real
from tests.proof.model.moves import Protocol
from tests.proof.model.real import OUTCOMES, Entry, View
from tests.proof.model.rules import (
    HARMLESS,
    LIVE,
    LOST,
    PROMISES,
    SHIPPED,
    SHORT,
    WRONG,
    Case,
)
from tests.proof.model.run import TWICE, shipped
from tests.proof.model.search import Found, Search
from tests.proof.model.world import (
    NEVER,
    PROVING,
    RESENDING,
    STAMPED,
    STICKY,
    Answer,
    Bank,
    Pay,
    Row,
    Slot,
    Step,
)

NAMED = pytest.mark.parametrize


def key_of(case: Case) -> str:
    """A test is named after its case."""
    return case.key


PAIR = dataclasses.replace(SHORT, slots_max=2)
"""As `python -m tests.proof.model` searches it, with one attempt less."""

WORLDS = {"pair": PAIR, "live": LIVE}


@cache
def whole(name: str) -> tuple[Search, Found, tuple[str, ...]]:
    """The shipped rule in one of the worlds, searched once for all tests."""
    said: list[str] = []
    search = Search(SHIPPED, WORLDS[name])
    return search, shipped(name, search, said.append), tuple(said)


# --- The shipped rule --------------------------------------------------------------------------


@NAMED("world", WORLDS)
def test_shipped_rule_never_pays_twice(world: str) -> None:
    """No reachable state breaks a promise, and every reachable state was seen."""
    _, found, _ = whole(world)
    assert found.broken is None, "\n".join(found.story)
    assert found.complete
    assert found.states > 100_000


@NAMED("world", WORLDS)
def test_shipped_rule_never_gets_stuck(world: str) -> None:
    """With faults switched off every reachable state can end or be handed to an owner."""
    _, found, _ = whole(world)
    assert found.stuck == 0
    assert found.closed + found.parked == found.states
    assert found.closed > 10 * found.parked


def test_figures_are_shown_while_it_runs() -> None:
    """A line for every depth of the search, and a verdict at the end."""
    _, found, said = whole("pair")
    assert sum("frontier" in line for line in said) >= found.depth
    assert "no violation" in said[-1]


def test_every_kind_of_end_is_reached() -> None:
    """Not safe by doing nothing: all ends, every channel state and a second send do occur."""
    search, _, _ = whole("live")
    groups = search._groups
    assert {group.pay for group in groups} == set(Pay)
    assert {slot.bank for group in groups for slot in group.slots} == set(Bank)
    assert any(slot.sends == 2 and slot.bank is Bank.PAID for g in groups for slot in g.slots)
    kinds = {worker.step for worker in search._workers}
    assert kinds == {Step.IDLE, Step.HOLDS, Step.WAITS, Step.ANSWERED, Step.UNSEEN}


def test_lost_payouts_are_noticed() -> None:
    """The liveness pass fails when nobody takes over what a dead worker armed."""
    search = Search(LOST.rules, LOST.world)
    found = search.run()
    assert found.broken is None
    assert search.liveness()[2] > 0


# --- Rules that must not ship ------------------------------------------------------------------


@NAMED("case", WRONG, ids=key_of)
def test_wrong_rule_pays_twice(case: Case) -> None:
    """One switch thrown, and a story leads from the acceptance to two payments."""
    found = Search(case.rules, case.world).run(until=TWICE)
    assert found.broken is not None
    assert found.broken.startswith(TWICE)
    assert found.story[-1] == found.broken
    assert [int(line.split(".")[0]) for line in found.story[:-1]] == list(range(1, found.depth + 1))
    assert not any("{w}" in line for line in found.story)


@NAMED("case", HARMLESS, ids=key_of)
def test_harmless_deviation_is_harmless(case: Case) -> None:
    """The whole space of the deviation shows no violation, so no story is made up for it."""
    found = Search(case.rules, case.world).run()
    assert found.broken is None, "\n".join(found.story)
    assert found.complete


@NAMED("case", PROMISES, ids=key_of)
def test_promise_is_needed(case: Case) -> None:
    """With one promise of the outside broken, the shipped rule is not safe any more."""
    assert Search(SHIPPED, case.world).run().broken is not None


@NAMED("case", WRONG, ids=key_of)
def test_wrong_world_is_safe_under_the_shipped_rule(case: Case) -> None:
    """It is the rule that was wrong, not the world it was tried in."""
    assert Search(SHIPPED, case.world).run().broken is None


# --- No drift between the model and the rules that ship ----------------------------------------


def entries() -> list[Entry]:
    """Every combination the rules distinguish, reachable or not."""
    return [
        Entry(profile, row, sends, absences, refused, age, looked=looked)
        for profile in (STICKY, RESENDING, STAMPED, PROVING)
        for row in Row
        if row is not Row.MISSING
        for sends in (1, 2)
        for absences in (0, 1, 2)
        for refused in (False, True)
        for age in range(4)
        for looked in ((NEVER, 0, 1) if refused else (NEVER,))
    ]


def view_with(entry: Entry) -> View:
    """A payout that stands where its only attempt puts it."""
    pay = {Row.CONFIRMED: Pay.PAID, Row.RETURNED: Pay.RETURNED, Row.DEAD: Pay.ROUTING}
    return View(pay.get(entry.row, Pay.ATTEMPTING), (entry,))


def test_views_survive_the_bridge() -> None:
    """A view made into a real payout and back is the same view."""
    for entry in entries():
        view = view_with(entry)
        assert real._back(view, real.payout_of(view)) == view


FORGOTTEN = {
    "action",
    "armed_at",
    "certificate",
    "channel_ref",
    "digest",
    "doubted_at",
    "fee_minor",
    "inquiries",
    "not_after",
    "paid_at",
    "returned_at",
    "signed_at",
    "stage",
}
"""What an attempt remembers for people, or what the model keeps as an age."""


def test_the_model_forgets_nothing_a_rule_reads() -> None:
    """After any answer the view holds all of the attempt but facts for people and dates."""
    for entry in entries():
        view = view_with(entry)
        payout = real.payout_of(view)
        for answer in Answer:
            for source in (Source.SEND, Source.INQUIRY):
                moved = payout
                for event in events_of(
                    payout, payout.attempts[0], OUTCOMES[answer], source, real.NOW
                ):
                    moved = apply(moved, event, real.NOW)
                kept = real.payout_of(real._back(view, moved)).attempts[0]
                lost = {
                    name
                    for name in Attempt.__struct_fields__
                    if getattr(kept, name) != getattr(moved.attempts[0], name)
                }
                assert lost <= FORGOTTEN


def test_a_merged_answer_stands_for_all_like_it() -> None:
    """The rules treat every cause of an answer as the one cause the model asks about."""
    same: dict[Answer, list[Outcome]] = {
        Answer.TIMEOUT: [Unknown(cause) for cause in Cause],
        Answer.NOT_SENT: [NotSent(cause) for cause in NotSentCause],
        Answer.REJECTED: [Rejected(reason, "NO") for reason in Reason],
        Answer.REFUSED: [Rejected(reason, "NO?", confirm=True) for reason in Reason],
    }
    for entry in entries():
        payout = real.payout_of(view_with(entry))
        for answer, outcomes in same.items():
            for source in (Source.SEND, Source.INQUIRY):
                told = {shape(payout, outcome, source) for outcome in outcomes}
                assert told == {shape(payout, OUTCOMES[answer], source)}


def shape(payout: Payout, outcome: Outcome | Absent, source: Source) -> tuple[object, ...]:
    """What of an event moves anything: its kind, its certificate's kind, what it leaves behind."""
    events = events_of(payout, payout.attempts[0], outcome, source, real.NOW)
    return tuple(
        (
            event.kind,
            event.certificate.kind if isinstance(event, Died) else None,
            (event.refusal is not None, event.absent) if isinstance(event, Doubted) else None,
        )
        for event in events
    )


def test_parked_adds_nothing() -> None:
    """PARKED is ATTEMPTING with an owner: the same events, to the same places."""
    parked, attempting = PayoutState.PARKED, PayoutState.ATTEMPTING
    for event in (Died, Confirmed, Doubted, Contradicted):
        there = PAYOUT_EDGES[attempting, event]
        assert PAYOUT_EDGES[parked, event] is (parked if there is attempting else there)
    assert PAYOUT_EDGES[attempting, Parked] is parked
    only = {event for state, event in PAYOUT_EDGES if state is parked}
    assert only - {event for state, event in PAYOUT_EDGES if state is attempting} == {
        event for event in only if event.kind == "unparked"
    }


def test_absence_is_certified_by_the_bridge_alone() -> None:
    """Silence by itself kills through the model's C5 alone; `events_of` completes refusals."""
    for entry in entries():
        _, events = real.settled(view_with(entry), 1, Answer.ABSENT, Source.INQUIRY)
        proven = [event for event in events if isinstance(event, Died)]
        refused = entry.refused and entry.sends == 1 and entry.row is Row.IN_DOUBT
        assert bool(proven) is (refused and entry.looked >= 1)


def test_wait_is_the_documented_one() -> None:
    """The model's wait for C5 is signed_at + window + lag (reliability.md §4.4), to the tick."""
    protocol = Protocol(SHIPPED, SHORT)
    for age in range(5):
        slot = Slot(1, Row.IN_DOUBT, 1, 0, False, age, 0, 0, 0, Bank.NOTHING, 0)
        profile = SHORT.profiles[1]
        assert profile.window is not None
        assert protocol._ripe(slot) is (age >= profile.window + SHORT.declared_lag)
        assert not protocol._ripe(slot._replace(profile=0))


def test_resend_follows_the_real_pace() -> None:
    """`may_resend` decides: a channel that allows it, two absences, some quiet after the send."""
    in_doubt = [entry for entry in entries() if entry.row is Row.IN_DOUBT]
    allowed = [entry for entry in in_doubt if real.resendable(entry)]
    assert {entry.profile for entry in allowed} == {RESENDING, STAMPED}
    assert {entry.absences for entry in allowed} == {2}
    assert not any(entry.age == 0 for entry in allowed)


class Moved:
    """A store in which the payout has moved on since it was read."""

    def __init__(self, fresh: Payout) -> None:
        """`fresh` is what stands there now."""
        self.fresh = fresh
        self.kept: list[Change] = []

    async def record(self, change: Change) -> None:
        """Guarded by the version."""
        if change.before is None or change.before.version != self.fresh.version:
            raise StaleError("moved on")
        self.fresh = change.after
        self.kept.append(change)

    async def payout(self, payout_id: str) -> Payout:
        """As it stands."""
        return self.fresh

    async def frozen(self) -> dict[str, str]:
        """No channel's failover is frozen."""
        return {}


async def test_engine_never_holds_an_old_absence_against_a_newer_refusal() -> None:
    """A "not found" asked before a refusal was recorded does not complete that refusal."""
    entry = Entry(STICKY, Row.IN_DOUBT, 1, 0, refused=False, age=1)
    asked_about = real.payout_of(view_with(entry))
    refused = replace_attempt(asked_about, refusal=Refusal(Reason.FLOAT_SHORT, "NO?", ""))
    store = Moved(refused)
    await settle(gateway_over(store), asked_about, 1, Absent(), Source.INQUIRY)
    assert store.fresh.attempts[0].state is AttemptState.IN_DOUBT


async def test_engine_reads_afresh_before_it_judges_an_answer_to_a_send() -> None:
    """A rejection of the first send, recorded after a second one was armed, proves nothing."""
    entry = Entry(RESENDING, Row.ARMED, 1, 0, refused=False, age=1)
    sent = real.payout_of(view_with(entry))
    store = Moved(replace_attempt(sent, sends=2))
    await settle(gateway_over(store), sent, 1, OUTCOMES[Answer.REJECTED], Source.SEND)
    assert store.fresh.attempts[0].state is AttemptState.IN_DOUBT


def replace_attempt(payout: Payout, **changes: object) -> Payout:
    """The same payout, one version on, its attempt changed."""
    known = payout.attempts[0]
    changed = replace(known, **changes)
    return replace(payout, version=payout.version + 1, attempts=(changed,))


def gateway_over(store: Moved) -> Gateway:
    """As much of a gateway as `settle` needs."""
    quiet = SimpleNamespace(moved=ignore, alarm=ignore)
    return cast(
        Gateway,
        SimpleNamespace(
            store=store,
            clock=SimpleNamespace(now=lambda: real.NOW + timedelta(seconds=1)),
            channels={},
            load=quiet,
            observer=quiet,
            following=Following(),
            waiting=Waiting(),
            short=WaitingForMoney(),
            limits=SimpleNamespace(send_grace=timedelta(seconds=45)),
        ),
    )


def ignore(*_: object, **__: object) -> None:
    """Nobody listens."""


def test_real_rules_were_asked() -> None:
    """The search runs on the functions that ship: each was asked many distinct questions."""
    whole("pair")
    asked = real.questions()
    assert asked["events_of"] > 100
    assert all(asked.values())


# --- The interface -----------------------------------------------------------------------------


def test_story_is_told_on_the_command_line() -> None:
    """`--story` tells one counterexample; an unknown name lists the known ones."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.proof.model", "--story", "timeout-failed"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0
    assert " 1. Worker A signs and arms attempt 1" in told.stdout
    assert "PAID TWICE" in told.stdout
    unknown = subprocess.run(
        [sys.executable, "-m", "tests.proof.model", "--story", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert unknown.returncode == 2
    assert "timeout-failed" in unknown.stderr
