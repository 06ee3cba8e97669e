"""Routing policies under `/v1/admin`: what is in use, what is proposed, and every act on them."""

import asyncio

from gateway.api.context import Answer, Call
from gateway.api.policy_views import (
    DiffView,
    InUseView,
    PolicyStatusView,
    ProposedView,
    act_view,
    change_view,
    difference,
    report_view,
    summary,
    trial_view,
)
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
    Change,
    ChangeState,
    Plan,
    StoredPolicy,
)
from gateway.domain.policy_rules import Who
from gateway.engine import policy_acts
from gateway.engine.policies import LISTED_MAX, Board


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
        "canary": trial_view(gateway.canary, numbers),
        "shadow": trial_view(gateway.shadow, numbers),
        "scheduled": None if scheduled is None else change_view(scheduled),
        "open": len(standing.open),
        "refused": None if note is None else note.en,
        "refused_zh": None if note is None else note.zh,
    }
    return 200, found


async def list_policies(call: Call) -> Answer:
    """GET /v1/admin/policies."""
    found = await call.gateway.store.stored_policies(LISTED_MAX)
    return 200, {"data": [summary(one) for one in found]}


async def show_policy(call: Call) -> Answer:
    """GET /v1/admin/policies/{policy}."""
    stored = await call.api.policies.policy(call.path("policy"))
    return 200, {**summary(stored), "text": stored.text}


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
    return 200, {"data": [act_view(one) for one in found]}


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
    change = await policy_acts.propose(board, body.text, plan, body.note, _who(call))
    return 201, await _proposed(board, change)


async def show_change(call: Call) -> Answer:
    """GET /v1/admin/policy/changes/{change}."""
    board = call.api.policies
    change = board.change(call.path("change"))
    return 200, await _proposed(board, change)


async def approve(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/approve: the second person's part."""
    return 200, change_view(await policy_acts.approve(*_named(call)))


async def reject(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/reject: the second person's no, or a withdrawal."""
    body: NoteIn = call.body
    found = await policy_acts.reject(call.api.policies, call.path("change"), body.note, _who(call))
    return 200, change_view(found)


async def shadow(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/shadow."""
    return 200, change_view(await policy_acts.shadow(*_named(call)))


async def canary(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/canary."""
    body: PolicyShareIn = call.body
    found = await policy_acts.canary(
        call.api.policies, call.path("change"), body.share_ppm, _who(call)
    )
    return 200, change_view(found)


async def activate(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/activate."""
    body: PolicyActivationIn = call.body
    found = await policy_acts.activate(call.api.policies, call.path("change"), body.at, _who(call))
    return 200, change_view(found)


async def cancel(call: Call) -> Answer:
    """POST /v1/admin/policy/changes/{change}/cancel."""
    body: NoteIn = call.body
    found = await policy_acts.cancel(call.api.policies, call.path("change"), body.note, _who(call))
    return 200, change_view(found)


async def roll_back(call: Call) -> Answer:
    """POST /v1/admin/policy/rollback: one person, at once."""
    body: PolicyRollbackIn = call.body
    await policy_acts.roll_back(call.api.policies, body.leaving, body.to, body.reason, _who(call))
    return await show_status(call)


async def shadow_report(call: Call) -> Answer:
    """GET /v1/admin/policy/shadow."""
    query: ShadowQuery = call.query
    change, cells = await policy_acts.shadow_report(call.api.policies, query.change)
    return 200, report_view(change, cells)


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


def _named(call: Call) -> tuple[Board, str, Who]:
    """Which change, and who acts."""
    return call.api.policies, call.path("change"), _who(call)


def _who(call: Call) -> Who:
    return Who(call.caller.actor, call.caller.key.person)


async def _diff(old: StoredPolicy, new_hash: str, new_text: str) -> DiffView:
    found = await asyncio.to_thread(compare, old.text, new_text)
    return {
        "old_hash": old.policy_hash,
        "new_hash": new_hash,
        "differences": [difference(one) for one in found],
    }
