"""Who may do what to a policy, and when: each function gives the acts that follow, or refuses.

An empty list means that it has been done already: a request that is sent twice does nothing twice.
Two people are two persons, as for certificate C7 (`proposal.same_person`). Acts are numbered from
the standing they were decided on, so the store takes them only if nothing happened in between.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from gateway.domain.errors import AbsenceError, ConflictError, ForbiddenError, InvalidError
from gateway.domain.policy_change import (
    AGREED,
    PPM,
    UNFINISHED,
    Act,
    ActKind,
    Change,
    ChangeState,
    Plan,
    Standing,
    fold,
)
from gateway.domain.proposal import same_person

LATE = timedelta(hours=1)
"""A policy whose time came longer ago than this does not become active by itself any more."""
AHEAD = timedelta(days=90)
SHARE_MIN_PPM, SHARE_MAX_PPM = 1, PPM - 1
GATEWAY = "gateway"


class Who(Struct, frozen=True):
    """Who acts: a key, and whose it is."""

    actor: str
    person: str | None


def seeded(standing: Standing, policy_hash: str, who: Who, at: datetime) -> list[Act]:
    """The first policy; also in place of the built-in one, as long as nobody changed anything."""
    if standing.active_hash == policy_hash:
        return []
    if standing.seq > 1 or (standing.active is not None and standing.active.actor != GATEWAY):
        raise ConflictError(
            "policy_seeded",
            "this installation has a policy already: `hangdao policy propose` changes it",
            zh="已有路由策略，请用 hangdao policy propose 提交变更",
        )
    act = Act(
        seq=standing.seq + 1,
        at=at,
        kind=ActKind.SEEDED,
        policy_hash=policy_hash,
        actor=who.actor,
        person=who.person or "",
        base_hash=standing.active_hash,
    )
    return [act]


def loaded(standing: Standing, policy_hash: str, at: datetime) -> list[Act]:
    """The policy file is the writer, and says this."""
    idle = all(one.state not in UNFINISHED for one in standing.changes.values())
    if standing.active_hash == policy_hash and idle:
        return []
    act = Act(
        seq=standing.seq + 1,
        at=at,
        kind=ActKind.LOADED,
        policy_hash=policy_hash,
        actor="file",
        base_hash=standing.active_hash,
    )
    return [act]


def proposed(
    standing: Standing,
    change_id: str,
    policy_hash: str,
    plan: Plan,
    who: Who,
    at: datetime,
    note: str,
) -> list[Act]:
    """Ask for a second person; nothing moves. The same person's same proposal is the same one."""
    person = _someone(who)
    for known in standing.open:
        if known.policy_hash == policy_hash and same_person(known.proposed_person, person):
            if known.plan == plan:
                return []
            raise ConflictError(
                "proposal_exists",
                f"you have proposed it already, with another plan: reject {known.id} first",
                zh=f"您已提交过该策略，请先驳回 {known.id}",
            )
    if policy_hash == standing.active_hash:
        raise ConflictError(
            "policy_unchanged",
            "it says what the active policy says",
            zh="与当前生效的策略完全一致",
        )
    if plan.shadow and plan.share_ppm is not None:
        raise InvalidError(
            "plan_invalid",
            "it is either a shadow or a canary first",
            zh="影子运行与灰度只能选一种",
            param="shadow",
        )
    if plan.share_ppm is not None:
        _check_share(plan.share_ppm)
    if plan.activates_at is not None:
        check_time(plan.activates_at, at)
    act = Act(
        seq=standing.seq + 1,
        at=at,
        kind=ActKind.PROPOSED,
        policy_hash=policy_hash,
        actor=who.actor,
        person=person,
        change_id=change_id,
        base_hash=standing.active_hash,
        plan=plan,
        note=note,
    )
    return [act]


def approved(standing: Standing, change_id: str, who: Who, at: datetime) -> list[Act]:
    """Another person agrees, and what was planned begins in the same commit."""
    person = _someone(who)
    change = find(standing, change_id)
    if change.state is not ChangeState.OPEN:
        mine = change.decided_person is not None and same_person(change.decided_person, person)
        if mine and change.state is not ChangeState.REJECTED:
            return []
        raise _forbids(change, "approved")
    if same_person(person, change.proposed_person):
        raise ForbiddenError(
            "same_person",
            "whoever proposed it cannot approve it, with whatever key",
            zh="提交人与复核人不能是同一人",
        )
    plan = change.plan
    if plan.activates_at is not None and plan.activates_at + LATE < at:
        raise ConflictError(
            "schedule_passed",
            "the time it was proposed for has passed: reject it and propose it for another time",
            zh="计划生效时间已过，请驳回后重新提交",
        )
    acts = [_act(standing, change, ActKind.APPROVED, who, at)]
    between = fold(acts, standing)
    if plan.shadow:
        acts += shadowed(between, change_id, who, at)
    elif plan.share_ppm is not None:
        acts += canaried(between, change_id, plan.share_ppm, who, at)
    if plan.activates_at is not None:
        between = fold(acts, standing)
        if plan.activates_at <= at:
            acts += activated(between, change_id, who, at)
        else:
            acts += scheduled(between, change_id, plan.activates_at, who, at)
    return acts


def rejected(standing: Standing, change_id: str, who: Who, at: datetime, note: str) -> list[Act]:
    """No; whoever proposed it may withdraw it so, too."""
    _someone(who)
    change = find(standing, change_id)
    if change.state is ChangeState.REJECTED:
        return []
    if change.state is not ChangeState.OPEN:
        raise _forbids(change, "rejected")
    return [_act(standing, change, ActKind.REJECTED, who, at, note=note)]


def shadowed(standing: Standing, change_id: str, who: Who, at: datetime) -> list[Act]:
    """It decides as well, and nothing is done about it."""
    _someone(who)
    change = find(standing, change_id)
    if change.state is ChangeState.SHADOW:
        return []
    if change.state is not ChangeState.APPROVED:
        raise _forbids(change, "run as a shadow")
    if standing.shadow is not None:
        raise _busy("shadow_running", standing.shadow, "a shadow", "影子运行")
    return [_act(standing, change, ActKind.SHADOWED, who, at)]


def canaried(
    standing: Standing, change_id: str, share_ppm: int, who: Who, at: datetime
) -> list[Act]:
    """It decides for this share of the payouts accepted from now on."""
    _someone(who)
    change = find(standing, change_id)
    _check_share(share_ppm)
    if change.state is ChangeState.CANARY and change.share_ppm == share_ppm:
        return []
    if change.state not in AGREED:
        raise _forbids(change, "run as a canary")
    if standing.canary not in (None, change):
        raise _busy("canary_running", standing.canary, "a canary", "灰度")
    plan = Plan(share_ppm=share_ppm)
    return [_act(standing, change, ActKind.CANARIED, who, at, plan=plan)]


def scheduled(
    standing: Standing, change_id: str, activates_at: datetime, who: Who, at: datetime
) -> list[Act]:
    """It becomes active by itself at that time."""
    _someone(who)
    change = find(standing, change_id)
    if change.activates_at == activates_at:
        return []
    if change.state not in AGREED:
        raise _forbids(change, "scheduled")
    check_time(activates_at, at)
    if standing.scheduled not in (None, change):
        raise _busy("already_scheduled", standing.scheduled, "an activation", "定时生效")
    plan = Plan(activates_at=activates_at)
    return [_act(standing, change, ActKind.SCHEDULED, who, at, plan=plan)]


def activated(standing: Standing, change_id: str, who: Who, at: datetime) -> list[Act]:
    """It decides for everybody."""
    _someone(who)
    change = find(standing, change_id)
    if change.state is ChangeState.ACTIVE:
        return []
    if change.state not in AGREED:
        raise _forbids(change, "activated")
    return [_act(standing, change, ActKind.ACTIVATED, who, at)]


def cancelled(standing: Standing, change_id: str, who: Who, at: datetime, note: str) -> list[Act]:
    """Give it up, with its schedule, shadow or canary; anybody may."""
    _someone(who)
    change = find(standing, change_id)
    if change.state is ChangeState.CANCELLED:
        return []
    if change.state not in AGREED:
        raise _forbids(change, "cancelled")
    return [_act(standing, change, ActKind.CANCELLED, who, at, note=note)]


def rolled_back(
    standing: Standing, leaving: str, to: str | None, who: Who, at: datetime, note: str
) -> list[Act]:
    """Away from a policy, at once and by one person: what follows was agreed to before.

    `leaving` is the running canary's, or the active one's; then `to` names what was active before,
    without it the last one. A second rollback goes further back, never forth.
    """
    person = _someone(who)
    active = standing.active
    if active is None or leaving == standing.left_hash:
        return []
    canary = standing.canary
    target, change_id = active.policy_hash, active.change_id
    if canary is not None and canary.policy_hash == leaving and to in (None, target):
        change_id = canary.id
    elif leaving == active.policy_hash:
        target = _before(standing, to)
    else:
        raise ConflictError(
            "policy_moved",
            f"{leaving[:12]} is not in use now; active is {active.policy_hash[:12]}: look again",
            zh=f"{leaving[:12]} 当前并未使用，生效的是 {active.policy_hash[:12]}",
        )
    act = Act(
        seq=standing.seq + 1,
        at=at,
        kind=ActKind.ROLLED_BACK,
        policy_hash=target,
        actor=who.actor,
        person=person,
        change_id=change_id,
        base_hash=leaving,
        note=note,
    )
    return [act]


def due(standing: Standing, now: datetime) -> Act | None:
    """What the passing of time does: the scheduled activation, or the end of its time."""
    change = standing.scheduled
    if change is None or change.activates_at is None or now < change.activates_at:
        return None
    who = Who(GATEWAY, None)
    if now > change.activates_at + LATE:
        note = f"nobody was there at {change.activates_at.isoformat()}"
        return _act(standing, change, ActKind.EXPIRED, who, now, note=note)
    return _act(standing, change, ActKind.ACTIVATED, who, now)


def failed(standing: Standing, change: Change, at: datetime, note: str) -> list[Act]:
    """Its time came, and it cannot be used."""
    return [_act(standing, change, ActKind.FAILED, Who(GATEWAY, None), at, note=note)]


def find(standing: Standing, change_id: str) -> Change:
    """The change, or `AbsenceError`."""
    change = standing.changes.get(change_id)
    if change is None:
        raise AbsenceError(
            "no_such_change", f"there is no policy change {change_id[:40]!r}", zh="策略变更不存在"
        )
    return change


def _before(standing: Standing, to: str | None) -> str:
    earlier = [one.policy_hash for one in standing.reigns[:-1]]
    earlier = [one for one in earlier if one != standing.active_hash]
    if not earlier:
        raise ConflictError(
            "nothing_before",
            "no policy was active before this one",
            zh="此前没有生效过的策略",
        )
    if to is None:
        return earlier[-1]
    if to not in earlier:
        raise ConflictError(
            "never_active",
            f"{to[:12]} was not active before this one: `hangdao policy history` shows what was",
            zh=f"{to[:12]} 此前未生效过，见 hangdao policy history",
        )
    return to


def _someone(who: Who) -> str:
    if who.person is None or not who.person.strip():
        raise ForbiddenError(
            "person_unknown",
            "this key does not say whose it is, and a policy needs two people; make a key for each "
            "with `hangdao key create --operator --label … --person NAME`",
            zh="该密钥未登记使用人，而策略变更需要两人；请用 hangdao key create --operator "
            "--label … --person 姓名 为每人创建密钥",
        )
    return who.person.strip()


def _check_share(share_ppm: int) -> None:
    if not SHARE_MIN_PPM <= share_ppm <= SHARE_MAX_PPM:
        raise InvalidError(
            "share_invalid",
            "a canary has more than none and less than all of the payouts",
            zh="灰度比例须大于 0 且小于 100%",
            param="share_ppm",
        )


def check_time(activates_at: datetime, now: datetime) -> None:
    """Refuse a time so long past, or so far ahead, that it must be a mistake."""
    if activates_at + LATE < now or activates_at > now + AHEAD:
        raise InvalidError(
            "time_invalid",
            f"the time must lie ahead, by {AHEAD.days} days at most",
            zh=f"生效时间须在未来 {AHEAD.days} 天之内",
            param="activates_at",
        )


def _forbids(change: Change, wanted: str) -> ConflictError:
    why = f" ({change.closing_note})" if change.closing_note else ""
    again = ""
    if change.state is ChangeState.OPEN:
        again = ": another person must approve it first"
    elif change.state is ChangeState.SUPERSEDED:
        again = ": another policy became active; look at the difference again and propose anew"
    return ConflictError(
        "state_forbids",
        f"{change.id} is {change.state}{why} and cannot be {wanted}{again}",
        zh=f"该变更状态为 {change.state}，不能执行此操作",
    )


def _busy(code: str, other: Change | None, what: str, zh: str) -> ConflictError:
    named = "" if other is None else other.id
    return ConflictError(
        code,
        f"there is {what} already: {named}; end that one first",
        zh=f"已有{zh}：{named}，请先结束",
    )


def _act(
    standing: Standing,
    change: Change,
    kind: ActKind,
    who: Who,
    at: datetime,
    *,
    plan: Plan | None = None,
    note: str = "",
) -> Act:
    return Act(
        seq=standing.seq + 1,
        at=at,
        kind=kind,
        policy_hash=change.policy_hash,
        actor=who.actor,
        person=(who.person or "").strip(),
        change_id=change.id,
        base_hash=standing.active_hash,
        plan=plan or Plan(),
        note=note,
    )
