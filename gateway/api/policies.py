"""Routing policies under `/v1/admin`: what is in use, what is proposed, and every act on them."""

import asyncio
from collections.abc import Mapping
from typing import Literal

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from channels.money import Currency
from gateway.api.context import Answer, Call
from gateway.api.schemas import (
    NoteIn,
    OpenQuery,
    PolicyActivationIn,
    PolicyDiffQuery,
    PolicyProposalIn,
    PolicyRollbackIn,
    PolicyShareIn,
    PolicyTextIn,
    ShadowQuery,
)
from gateway.api.views import stamp
from gateway.compiler import compare
from gateway.domain.policy_change import (
    Act,
    ActKind,
    Change,
    ChangeState,
    Plan,
    ShadowCell,
    StoredPolicy,
)
from gateway.domain.policy_rules import Who
from gateway.engine.gateway import Trial
from gateway.engine.policies import LISTED_MAX, Board
from policies.diff import Sentence


class InUseView(TypedDict):
    """A policy that decides, and since when."""

    hash: str
    name: str
    version: int | None
    """Its number in this installation; null while the store does not know it yet."""
    since: str | None
    by: str | None
    """Whose act it was."""
    change_id: str | None
    share_ppm: int
    """Of the payouts it decides for: all, the canary's share, or none."""


class PolicyStatusView(TypedDict):
    """What is in use in the process that answers."""

    mode: Literal["file", "database"]
    file: str | None
    active: InUseView
    canary: InUseView | None
    shadow: InUseView | None
    scheduled: "ChangeView | None"
    open: int
    """Proposals that wait for a second person."""
    refused: str | None
    """Why something that should be in use is not."""
    refused_zh: str | None


class PlanView(TypedDict):
    """What an approval sets going."""

    shadow: bool
    share_ppm: int | None
    activates_at: str | None


class ChangeView(TypedDict):
    """A proposed policy on its way into use."""

    id: str
    policy_hash: str
    base_hash: str | None
    """What was active when it was proposed."""
    state: ChangeState
    plan: PlanView
    share_ppm: int
    activates_at: str | None
    note: str
    proposed_by: str
    proposed_person: str
    proposed_at: str | None
    decided_by: str | None
    decided_person: str | None
    decided_at: str | None
    closing_note: str


class ChangeList(TypedDict):
    """Changes, newest first."""

    data: list[ChangeView]


class DifferenceView(TypedDict):
    """One difference between two policies."""

    path: str
    zh: str
    en: str


class DiffView(TypedDict):
    """What changes for whom."""

    old_hash: str
    new_hash: str
    differences: list[DifferenceView]


class ProposedView(TypedDict):
    """A proposal, and what it would change."""

    change: ChangeView
    policy_hash: str
    version: int
    differences: list[DifferenceView]


class PolicyView(TypedDict):
    """A stored policy."""

    hash: str
    name: str
    version: int
    made_at: str | None
    made_by: str
    person: str
    note: str
    text: str


class PolicySummary(TypedDict):
    """A stored policy without its text."""

    hash: str
    name: str
    version: int
    made_at: str | None
    made_by: str
    person: str
    note: str


class PolicyList(TypedDict):
    """Stored policies, newest first."""

    data: list[PolicySummary]


class PolicyActView(TypedDict):
    """One line of the history."""

    seq: int
    at: str | None
    act: ActKind
    policy_hash: str
    change_id: str | None
    base_hash: str | None
    actor: str
    person: str
    share_ppm: int | None
    activates_at: str | None
    note: str


class PolicyActList(TypedDict):
    """The history, oldest first."""

    data: list[PolicyActView]


class ShadowCellView(TypedDict):
    """Decisions by what was chosen and what the shadow would have chosen."""

    currency: Currency
    from_channel: str | None
    to_channel: str | None
    decisions: int
    priced: int
    saving_micro: int


class SavingView(TypedDict):
    """What the shadow would have saved in one currency, over the decisions that it is known of."""

    currency: Currency
    priced: int
    saving_micro: int


class ShadowReportView(TypedDict):
    """What a shadow would have done; money in millionths of a minor unit."""

    change_id: str
    policy_hash: str
    state: ChangeState
    decisions: int
    agreeing: int
    agreement_ppm: int | None
    """None without decisions."""
    savings: list[SavingView]
    by_channel: list[ShadowCellView]
    """Only where they differ, the most frequent first."""


async def show_status(call: Call) -> Answer:
    """GET /v1/admin/policy."""
    board = call.api.policies
    gateway, standing = call.gateway, board.standing
    numbers = {
        one.policy_hash: one.number for one in await gateway.store.stored_policies(LISTED_MAX)
    }

    reign = next(
        (one for one in standing.reigns[::-1] if one.policy_hash == gateway.policy.hash), None
    )
    active: InUseView = {
        "hash": gateway.policy.hash,
        "name": gateway.policy.name,
        "version": numbers.get(gateway.policy.hash),
        "since": None if reign is None else stamp(reign.since),
        "by": None if reign is None else reign.person or reign.actor,
        "change_id": None if reign is None else reign.change_id,
        "share_ppm": 1_000_000,
    }
    scheduled = standing.scheduled
    note = board.note()
    found: PolicyStatusView = {
        "mode": "database" if board.file is None else "file",
        "file": None if board.file is None else str(board.file.path),
        "active": active,
        "canary": _trial(gateway.canary, numbers),
        "shadow": _trial(gateway.shadow, numbers),
        "scheduled": None if scheduled is None else change_view(scheduled),
        "open": len(standing.open),
        "refused": None if note is None else note.en,
        "refused_zh": None if note is None else note.zh,
    }
    return 200, found


async def list_policies(call: Call) -> Answer:
    """GET /v1/admin/policies."""
    found = await call.gateway.store.stored_policies(LISTED_MAX)
    return 200, {"data": [_summary(one) for one in found]}


async def show_policy(call: Call) -> Answer:
    """GET /v1/admin/policies/{policy}."""
    stored = await call.api.policies.policy(call.path("policy"))
    return 200, {**_summary(stored), "text": stored.text}


async def diff_policies(call: Call) -> Answer:
    """GET /v1/admin/policies/{policy}/diff."""
    query: PolicyDiffQuery = call.query
    board = call.api.policies
    old, new = await board.policy(query.against), await board.policy(call.path("policy"))
    return 200, await _diff(old, new.policy_hash, new.text)


async def check_policy(call: Call) -> Answer:
    """POST /v1/admin/policy/check: every mistake, or what it would change; stores nothing."""
    body: PolicyTextIn = call.body
    board = call.api.policies
    policy = await board.check(body.text)
    return 200, await _diff(await board.policy("active"), policy.hash, body.text)


async def show_history(call: Call) -> Answer:
    """GET /v1/admin/policy/history."""
    found = await call.gateway.store.policy_acts(1)
    return 200, {"data": [_act(one) for one in found]}


async def list_changes(call: Call) -> Answer:
    """GET /v1/admin/policy/changes."""
    query: OpenQuery = call.query
    changes = list(call.api.policies.standing.changes.values())[::-1]
    if query.state == "open":
        changes = [one for one in changes if one.state is ChangeState.OPEN]
    return 200, {"data": [change_view(one) for one in changes]}


async def propose(call: Call) -> Answer:
    """POST /v1/admin/policy/changes: the first person's part."""
    body: PolicyProposalIn = call.body
    board = call.api.policies
    plan = Plan(body.shadow, body.share_ppm, body.activates_at)
    change = await board.propose(body.text, plan, body.note, _who(call))
    return 201, await _proposed(board, change)


async def show_change(call: Call) -> Answer:
    """GET /v1/admin/policy/changes/{change}."""
    board = call.api.policies
    change = board.change(call.path("change"))
    return 200, await _proposed(board, change)


async def approve(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/approve: the second person's part."""
    return 200, change_view(await call.api.policies.approve(call.path("change"), _who(call)))


async def reject(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/reject: the second person's no, or a withdrawal."""
    body: NoteIn = call.body
    found = await call.api.policies.reject(call.path("change"), body.note, _who(call))
    return 200, change_view(found)


async def shadow(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/shadow."""
    return 200, change_view(await call.api.policies.shadow(call.path("change"), _who(call)))


async def canary(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/canary."""
    body: PolicyShareIn = call.body
    found = await call.api.policies.canary(call.path("change"), body.share_ppm, _who(call))
    return 200, change_view(found)


async def activate(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/activate."""
    body: PolicyActivationIn = call.body
    found = await call.api.policies.activate(call.path("change"), body.at, _who(call))
    return 200, change_view(found)


async def cancel(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/cancel."""
    body: NoteIn = call.body
    found = await call.api.policies.cancel(call.path("change"), body.note, _who(call))
    return 200, change_view(found)


async def roll_back(call: Call) -> Answer:
    """POST /v1/admin/policy/rollback: one person, at once."""
    body: PolicyRollbackIn = call.body
    await call.api.policies.roll_back(body.leaving, body.to, body.reason, _who(call))
    return await show_status(call)


async def shadow_report(call: Call) -> Answer:
    """GET /v1/admin/policy/shadow."""
    query: ShadowQuery = call.query
    change, cells = await call.api.policies.shadow_report(query.change)
    return 200, _report(change, cells)


def change_view(change: Change) -> ChangeView:
    """One change."""
    return {
        "id": change.id,
        "policy_hash": change.policy_hash,
        "base_hash": change.base_hash,
        "state": change.state,
        "plan": {
            "shadow": change.plan.shadow,
            "share_ppm": change.plan.share_ppm,
            "activates_at": stamp(change.plan.activates_at),
        },
        "share_ppm": change.share_ppm,
        "activates_at": stamp(change.activates_at),
        "note": change.note,
        "proposed_by": change.proposed_by,
        "proposed_person": change.proposed_person,
        "proposed_at": stamp(change.proposed_at),
        "decided_by": change.decided_by,
        "decided_person": change.decided_person,
        "decided_at": stamp(change.decided_at),
        "closing_note": change.closing_note,
    }


async def _proposed(board: Board, change: Change) -> ProposedView:
    stored = await board.policy(change.policy_hash)
    base = await board.policy(change.base_hash or "active")
    difference = await _diff(base, stored.policy_hash, stored.text)
    return {
        "change": change_view(change),
        "policy_hash": stored.policy_hash,
        "version": stored.number,
        "differences": difference["differences"],
    }


def _trial(trial: Trial | None, numbers: Mapping[str, int]) -> InUseView | None:
    if trial is None:
        return None
    change, policy = trial.change, trial.policy
    return {
        "hash": policy.hash,
        "name": policy.name,
        "version": numbers.get(policy.hash),
        "since": stamp(change.moved_at),
        "by": change.decided_person,
        "change_id": change.id,
        "share_ppm": change.share_ppm,
    }


def _who(call: Call) -> Who:
    return Who(call.caller.actor, call.caller.key.person)


def _summary(stored: StoredPolicy) -> PolicySummary:
    return {
        "hash": stored.policy_hash,
        "name": stored.name,
        "version": stored.number,
        "made_at": stamp(stored.made_at),
        "made_by": stored.actor,
        "person": stored.person,
        "note": stored.note,
    }


async def _diff(old: StoredPolicy, new_hash: str, new_text: str) -> DiffView:
    found = await asyncio.to_thread(compare, old.text, new_text)
    return {
        "old_hash": old.policy_hash,
        "new_hash": new_hash,
        "differences": [_difference(one) for one in found],
    }


def _difference(one: Sentence) -> DifferenceView:
    return {"path": one.path, "zh": one.zh, "en": one.en}


def _act(act: Act) -> PolicyActView:
    return {
        "seq": act.seq,
        "at": stamp(act.at),
        "act": act.kind,
        "policy_hash": act.policy_hash,
        "change_id": act.change_id,
        "base_hash": act.base_hash,
        "actor": act.actor,
        "person": act.person,
        "share_ppm": act.plan.share_ppm,
        "activates_at": stamp(act.plan.activates_at),
        "note": act.note,
    }


def _report(change: Change, cells: list[ShadowCell]) -> ShadowReportView:
    decisions = sum(one.decisions for one in cells)
    differing = [one for one in cells if one.from_channel != one.to_channel]
    agreeing = decisions - sum(one.decisions for one in differing)
    return {
        "change_id": change.id,
        "policy_hash": change.policy_hash,
        "state": change.state,
        "decisions": decisions,
        "agreeing": agreeing,
        "agreement_ppm": agreeing * 1_000_000 // decisions if decisions else None,
        "savings": [
            {
                "currency": currency,
                "priced": sum(one.priced for one in cells if one.currency is currency),
                "saving_micro": sum(one.saving_micro for one in cells if one.currency is currency),
            }
            for currency in sorted({one.currency for one in cells})
        ],
        "by_channel": [
            {
                "currency": one.currency,
                "from_channel": one.from_channel,
                "to_channel": one.to_channel,
                "decisions": one.decisions,
                "priced": one.priced,
                "saving_micro": one.saving_micro,
            }
            for one in differing
        ],
    }
