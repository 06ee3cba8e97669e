"""What callers read about routing policies: what is in use, changes, differences, history."""

from collections.abc import Mapping
from typing import Literal

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from channels.money import Currency
from gateway.api.views import stamp
from gateway.domain.policy_change import (
    Act,
    ActKind,
    Change,
    ChangeState,
    ShadowCell,
    StoredPolicy,
)
from gateway.engine.gateway import Trial
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


def trial_view(trial: Trial | None, numbers: Mapping[str, int]) -> InUseView | None:
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


def summary(stored: StoredPolicy) -> PolicySummary:
    return {
        "hash": stored.policy_hash,
        "name": stored.name,
        "version": stored.number,
        "made_at": stamp(stored.made_at),
        "made_by": stored.actor,
        "person": stored.person,
        "note": stored.note,
    }


def difference(one: Sentence) -> DifferenceView:
    return {"path": one.path, "zh": one.zh, "en": one.en}


def act_view(act: Act) -> PolicyActView:
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


def report_view(change: Change, cells: list[ShadowCell]) -> ShadowReportView:
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
