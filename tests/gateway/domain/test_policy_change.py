"""Laws of policy changes: whatever people try, in whatever order, with whatever clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import policy_rules as rules
from gateway.domain.errors import ConflictError, ForbiddenError, GatewayError, InvalidError
from gateway.domain.policy_change import (
    KNOWN_AFTER,
    NOTHING,
    PPM,
    UNFINISHED,
    Act,
    ActKind,
    ChangeState,
    Plan,
    Standing,
    fold,
    lot,
)
from gateway.domain.policy_rules import Who
from gateway.domain.proposal import same_person

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
WANG, ZHAO = Who("key:w", "Wang"), Who("key:z", "Zhao")
WANG_AGAIN, NOBODY = Who("key:w2", " ｗａｎｇ "), Who("key:0", None)
PEOPLE = (WANG, WANG_AGAIN, ZHAO, NOBODY)
HASHES = tuple(letter * 64 for letter in "abcde")
BUILT_IN = "0" * 64
LATER = Plan()
Decide = Callable[[Standing, datetime], list[Act]]


def begun() -> Standing:
    """An installation with the built-in policy."""
    return fold(rules.seeded(NOTHING, BUILT_IN, Who("gateway", None), NOW))


def after(standing: Standing, *decides: Decide, at: datetime = NOW) -> Standing:
    """What stands after some acts that must not be refused."""
    for decide in decides:
        standing = fold(decide(standing, at), standing)
    return standing


def propose(change: str = "pc_1", which: int = 0, plan: Plan = LATER, who: Who = WANG) -> Decide:
    """Wang proposes."""
    return lambda s, at: rules.proposed(s, change, HASHES[which], plan, who, at, "why")


def approve(change: str = "pc_1", who: Who = ZHAO) -> Decide:
    """Zhao agrees."""
    return lambda s, at: rules.approved(s, change, who, at)


def activate(change: str = "pc_1") -> Decide:
    """Wang activates."""
    return lambda s, at: rules.activated(s, change, WANG, at)


def canary(share: int, change: str = "pc_1") -> Decide:
    """Wang sets the share."""
    return lambda s, at: rules.canaried(s, change, share, WANG, at)


def roll_back(leaving: int = 0, to: str | None = None) -> Decide:
    """Zhao goes back."""
    return lambda s, at: rules.rolled_back(s, HASHES[leaving], to, ZHAO, at, "bad")


moves = st.tuples(
    st.sampled_from(
        [*("propose", "approve", "reject", "shadow", "canary", "schedule", "activate"),
         *("cancel", "roll_back", "due", "load")]
    ),
    st.integers(0, 4),
    st.sampled_from(PEOPLE),
    st.sampled_from([1, 50_000, 200_000, PPM - 1, 0, PPM]),
    st.integers(-7200, 7200),
    st.booleans(),
)  # fmt: skip


def attempt(
    standing: Standing, move: tuple[str, int, Who, int, int, bool], at: datetime
) -> list[Act]:
    """One try of somebody's; refusals raise."""
    what, which, who, share, offset, flag = move
    change = f"pc_{which}"
    match what:
        case "propose":
            time = at + timedelta(seconds=offset) if flag else None
            ppm = share if offset % 2 else None
            plan = Plan(share == 1, ppm, time)
            fresh = f"pc_{len(standing.changes)}"
            return rules.proposed(standing, fresh, HASHES[which], plan, who, at, "n")
        case "approve":
            return rules.approved(standing, change, who, at)
        case "reject":
            return rules.rejected(standing, change, who, at, "")
        case "shadow":
            return rules.shadowed(standing, change, who, at)
        case "canary":
            return rules.canaried(standing, change, share, who, at)
        case "schedule":
            return rules.scheduled(standing, change, at + timedelta(seconds=offset), who, at)
        case "activate":
            return rules.activated(standing, change, who, at)
        case "cancel":
            return rules.cancelled(standing, change, who, at, "")
        case "roll_back":
            canary = standing.canary if flag else None
            leaving = canary.policy_hash if canary else standing.active_hash or ""
            return rules.rolled_back(standing, leaving, None, who, at, "r")
        case "due":
            act = rules.due(standing, at)
            return [] if act is None else [act]
        case _:
            return rules.loaded(standing, HASHES[which], at) if flag and share == 0 else []


@settings(max_examples=150)
@given(st.lists(moves, max_size=40))
def test_whatever_people_try_the_standing_is_sound(
    tried: list[tuple[str, int, Who, int, int, bool]],
) -> None:
    """One active, at most one canary, shadow and schedule; nobody approves their own; a clock that
    jumps back undoes nothing; what was active stays in the history."""
    standing, now, history = begun(), NOW, []
    for move in tried:
        now += timedelta(seconds=move[4])
        try:
            acts = attempt(standing, move, now)
        except GatewayError:
            continue
        before, standing = standing, fold(acts, standing)
        history += acts
        changes = list(standing.changes.values())
        for state in (ChangeState.ACTIVE, ChangeState.CANARY, ChangeState.SHADOW):
            assert sum(one.state is state for one in changes) <= 1
        assert sum(one.activates_at is not None for one in changes) <= 1
        active = [one for one in changes if one.state is ChangeState.ACTIVE]
        assert standing.active is not None
        assert [one.id for one in active] == [
            one for one in (standing.active.change_id,) if one is not None
        ]
        for one in changes:
            assert one.share_ppm == 0 or 0 < one.share_ppm < PPM
            if one.state in UNFINISHED:
                assert one.base_hash == standing.active_hash
            if one.decided_person is not None and one.state is not ChangeState.REJECTED:
                assert not same_person(one.decided_person, one.proposed_person)
        if {act.kind for act in acts} <= {ActKind.PROPOSED, ActKind.SHADOWED, ActKind.CANARIED}:
            assert standing.active == before.active
        for act in acts:
            assert act.actor in {"gateway", "file"} or act.person
    assert fold(history, begun()) == standing


@settings(max_examples=60)
@given(st.lists(moves, max_size=25))
def test_a_request_that_comes_twice_does_nothing_twice(
    tried: list[tuple[str, int, Who, int, int, bool]],
) -> None:
    """The same request at once again leaves everything as it is, or is refused."""
    standing, now = begun(), NOW
    for what, which, who, share, offset, flag in tried:
        # What a rollback leaves is the caller's to say, and tested below.
        name = "propose" if what in {"roll_back", "due", "load"} else what
        move = (name, which, who, share, offset, flag)
        try:
            acts = attempt(standing, move, now)
        except GatewayError:
            continue
        standing = fold(acts, standing)
        try:
            again = attempt(standing, move, now)
        except GatewayError:
            continue
        assert again == []


@pytest.mark.parametrize("who", [WANG, WANG_AGAIN, NOBODY])
def test_nobody_approves_their_own(who: Who) -> None:
    """Neither with another key, nor with a key of nobody."""
    standing = after(begun(), propose())
    with pytest.raises(ForbiddenError):
        rules.approved(standing, "pc_1", who, NOW)


def test_the_way_of_a_policy() -> None:
    """Proposed, approved, canary, more, active, rolled back, and back further."""
    standing = after(begun(), propose(), approve())
    assert standing.active_hash == BUILT_IN
    standing = after(standing, canary(50_000), canary(200_000))
    assert standing.canary is not None
    assert standing.canary.share_ppm == 200_000
    standing = after(standing, activate())
    assert (standing.active_hash, standing.canary) == (HASHES[0], None)
    standing = after(standing, propose("pc_2", 1), approve("pc_2"), activate("pc_2"))
    assert standing.changes["pc_1"].state is ChangeState.REPLACED
    standing = after(standing, roll_back(1))
    assert standing.active_hash == HASHES[0]
    assert standing.changes["pc_1"].state is ChangeState.ACTIVE
    assert standing.changes["pc_2"].state is ChangeState.ROLLED_BACK
    assert rules.rolled_back(standing, HASHES[1], None, ZHAO, NOW, "again") == []
    standing = after(standing, roll_back(0))
    assert standing.active_hash == BUILT_IN
    with pytest.raises(ConflictError) as refused:
        rules.rolled_back(standing, BUILT_IN, None, ZHAO, NOW, "further")
    assert refused.value.code == "nothing_before"


def test_a_rollback_first_ends_the_canary() -> None:
    """The active policy stays; after another canary of the same policy it works again."""
    standing = after(begun(), propose(), approve(), canary(50_000), roll_back(0))
    assert (standing.active_hash, standing.canary) == (BUILT_IN, None)
    standing = after(standing, propose("pc_2"), approve("pc_2"), canary(50_000, "pc_2"))
    assert rules.rolled_back(standing, HASHES[0], None, ZHAO, NOW, "bad")


def test_a_rollback_may_go_further_at_once() -> None:
    """To what is named, if it was active before; and not to what was not."""
    standing = after(
        begun(),
        *(propose(), approve(), activate()),
        *(propose("pc_2", 1), approve("pc_2"), activate("pc_2")),
    )
    with pytest.raises(ConflictError) as refused:
        rules.rolled_back(standing, HASHES[1], HASHES[3], ZHAO, NOW, "x")
    assert refused.value.code == "never_active"
    assert after(standing, roll_back(1, BUILT_IN)).active_hash == BUILT_IN


def test_another_activation_makes_what_was_compared_void() -> None:
    """Approving or activating it would silently undo what came in between."""
    standing = after(begun(), propose(), propose("pc_2", 1), propose("pc_3", 2))
    standing = after(standing, approve("pc_3"), approve(), activate())
    for change in ("pc_2", "pc_3"):
        assert standing.changes[change].state is ChangeState.SUPERSEDED
        with pytest.raises(ConflictError, match="propose anew"):
            rules.activated(standing, change, WANG, NOW)
    with pytest.raises(ConflictError):
        rules.approved(standing, "pc_2", ZHAO, NOW)


def test_the_plan_begins_with_the_approval() -> None:
    """Canary now, everybody at the planned time; the moment it has come is an act of its own."""
    then = NOW + timedelta(hours=3)
    plan = Plan(share_ppm=50_000, activates_at=then)
    standing = after(begun(), propose(plan=plan), approve())
    assert standing.canary is not None
    assert standing.scheduled == standing.canary
    assert rules.due(standing, then - timedelta(microseconds=1)) is None
    act = rules.due(standing, then)
    assert act is not None
    standing = fold([act], standing)
    assert standing.active_hash == HASHES[0]
    assert rules.due(standing, NOW - timedelta(days=1)) is None


def test_a_time_that_passed_unseen_is_void() -> None:
    """An hour late nobody expects it any more: it stays approved, without a time."""
    standing = after(begun(), propose(plan=Plan(activates_at=NOW)), approve(), at=NOW)
    assert standing.active_hash == HASHES[0]
    later = NOW + timedelta(hours=1)
    plan = Plan(activates_at=later)
    standing = after(standing, propose("pc_2", 1, plan), approve("pc_2"))
    act = rules.due(standing, later + rules.LATE + timedelta(seconds=1))
    assert act is not None
    assert act.kind is ActKind.EXPIRED
    standing = fold([act], standing)
    assert standing.active_hash == HASHES[0]
    assert standing.changes["pc_2"].state is ChangeState.APPROVED
    assert standing.scheduled is None


def test_an_approval_comes_too_late_for_its_plan() -> None:
    """Refused: the people who agreed to the time must agree to another one."""
    standing = after(begun(), propose(plan=Plan(activates_at=NOW + timedelta(minutes=1))))
    with pytest.raises(ConflictError) as refused:
        rules.approved(standing, "pc_1", ZHAO, NOW + timedelta(hours=2))
    assert refused.value.code == "schedule_passed"


def test_a_proposal_that_comes_twice_is_one() -> None:
    """The same person, policy and plan; another plan must be said to be one."""
    standing = after(begun(), propose())
    assert rules.proposed(standing, "pc_9", HASHES[0], Plan(), WANG_AGAIN, NOW, "why") == []
    with pytest.raises(ConflictError) as refused:
        rules.proposed(standing, "pc_9", HASHES[0], Plan(shadow=True), WANG, NOW, "why")
    assert refused.value.code == "proposal_exists"
    with pytest.raises(ConflictError) as refused:
        rules.proposed(standing, "pc_9", BUILT_IN, Plan(), WANG, NOW, "why")
    assert refused.value.code == "policy_unchanged"


@pytest.mark.parametrize(
    "plan",
    [
        Plan(shadow=True, share_ppm=5),
        Plan(share_ppm=0),
        Plan(share_ppm=PPM),
        Plan(activates_at=NOW + timedelta(days=91)),
        Plan(activates_at=NOW - timedelta(days=1)),
    ],
)
def test_an_impossible_plan_is_refused(plan: Plan) -> None:
    """At once, not when somebody has agreed to it."""
    with pytest.raises(InvalidError):
        rules.proposed(begun(), "pc_1", HASHES[0], plan, WANG, NOW, "why")


def test_only_an_untouched_installation_is_seeded() -> None:
    """The built-in policy gives way; anything that people did does not."""
    who = Who("bootstrap", None)
    assert rules.seeded(begun(), HASHES[0], who, NOW)
    assert rules.seeded(begun(), BUILT_IN, who, NOW) == []
    for standing in (
        after(begun(), propose()),
        fold(rules.seeded(begun(), HASHES[0], who, NOW), begun()),
    ):
        with pytest.raises(ConflictError):
            rules.seeded(standing, HASHES[1], who, NOW)


def test_acts_with_a_gap_are_refused() -> None:
    """Something is missing: no standing can be made of them."""
    (act,) = rules.seeded(NOTHING, BUILT_IN, Who("gateway", None), NOW)
    with pytest.raises(ValueError, match="act 1 follows act 1"):
        fold([act, act])


payouts = st.integers(0, 10**9).map(lambda number: f"po_{number:026d}")


@given(payouts, st.lists(st.integers(1, PPM - 1), min_size=1, max_size=5), st.integers(-3600, 3600))
def test_a_payout_stays_with_its_policy(payout: str, shares: list[int], seconds: int) -> None:
    """However the share moves: what was accepted before a move is not touched by it."""
    standing = after(begun(), propose(), approve())
    at, accepted = NOW, NOW + timedelta(seconds=seconds)
    answers = []
    for share in shares:
        standing = after(standing, canary(share), at=at)
        assert standing.canary is not None
        if accepted < at + KNOWN_AFTER:
            answers.append(standing.canary.takes(payout, accepted))
        assert standing.canary.takes(payout, at + KNOWN_AFTER) == (lot("pc_1", payout) < share)
        at += timedelta(hours=1)
    assert len(set(answers)) <= 1 or seconds >= 0
    if seconds < 0:
        assert not any(answers)


def test_a_share_is_what_it_says() -> None:
    """Over many payouts, and independent between two changes."""
    names = [f"po_{number:026d}" for number in range(20_000)]
    for share in (50_000, 200_000, 900_000):
        taken = sum(lot("pc_1", name) < share for name in names)
        assert abs(taken / len(names) - share / PPM) < 0.01
    both = sum(lot("pc_1", name) < 500_000 and lot("pc_2", name) < 500_000 for name in names)
    assert abs(both / len(names) - 0.25) < 0.01
