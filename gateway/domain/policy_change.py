"""How policies come and go: acts in one numbered row, and what stands after them.

An act is never changed or taken back; what is in use now is what folding all acts gives. No clock
takes part: a moment that has come is an act, too, so a clock that goes backwards undoes nothing.
Who may do what, and when, is in `policy_rules`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from channels.money import Currency

PPM = 1_000_000
KNOWN_AFTER = timedelta(seconds=2)
"""From then on every replica has heard of an act: a canary's share counts for payouts accepted
later, so that all tries of one payout go by one policy."""


class ActKind(StrEnum):
    """What somebody, or the passing of time, did."""

    SEEDED = "seeded"
    """The first policy of an installation."""
    LOADED = "loaded"
    """The policy file says something else than before."""
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    SHADOWED = "shadowed"
    """Decides as well, and nothing is done about it."""
    CANARIED = "canaried"
    """Decides for a share of the payouts; given again it is another share."""
    SCHEDULED = "scheduled"
    ACTIVATED = "activated"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Nobody was there when it should have become active: its time is void."""
    FAILED = "failed"
    """When it should have become active it could not be used."""


class ChangeState(StrEnum):
    """Where one proposed change stands."""

    OPEN = "open"
    APPROVED = "approved"
    SHADOW = "shadow"
    CANARY = "canary"
    ACTIVE = "active"
    REPLACED = "replaced"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    """Another policy became active: what was compared with the one before is void."""
    FAILED = "failed"


UNFINISHED = frozenset(
    {ChangeState.OPEN, ChangeState.APPROVED, ChangeState.SHADOW, ChangeState.CANARY}
)
AGREED = UNFINISHED - {ChangeState.OPEN}
"""Two people agreed to it, and it is not active yet."""


class StoredPolicy(Struct, frozen=True):
    """A policy's text as it was given; stored once under its hash and never changed."""

    policy_hash: str
    name: str
    number: int
    """Grows by one with each policy of the installation."""
    text: str
    made_at: datetime
    actor: str
    person: str
    note: str


class ShadowCell(Struct, frozen=True):
    """How often a shadow would have gone from one channel to another, and what that saves."""

    currency: Currency
    from_channel: str | None
    """None where no channel was open."""
    to_channel: str | None
    decisions: int
    priced: int
    """Of these, those where both choices have a price by the same policy."""
    saving_micro: int
    """Over the priced ones, in millionths of a minor unit; negative where it would cost more."""


class Plan(Struct, frozen=True):
    """What an approval sets going by itself; nothing means that somebody does it later."""

    shadow: bool = False
    share_ppm: int | None = None
    """Begin as a canary with this share."""
    activates_at: datetime | None = None


class Act(Struct, frozen=True):
    """One numbered line of the history."""

    seq: int
    """From 1 without gaps; two that happen at once cannot have the same."""
    at: datetime
    kind: ActKind
    policy_hash: str
    """What it is about; of a rollback, what it returns to."""
    actor: str
    """The key, `gateway`, or `file`."""
    person: str = ""
    change_id: str | None = None
    base_hash: str | None = None
    """What was active then; of a rollback, what it leaves."""
    plan: Plan = Plan()
    """Of a proposal its plan; else the one share or time that the act is about."""
    note: str = ""


class Step(Struct, frozen=True):
    """A canary's share for payouts accepted since."""

    since: datetime
    share_ppm: int


class Change(Struct, frozen=True):
    """One policy on its way into use, as it stands now."""

    id: str
    policy_hash: str
    base_hash: str | None
    """What it was compared with."""
    plan: Plan
    state: ChangeState
    note: str
    proposed_by: str
    proposed_person: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_person: str | None = None
    decided_at: datetime | None = None
    activates_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    """Of the canary, oldest first."""
    moved_at: datetime | None = None
    """When it last changed."""
    closing_note: str = ""

    @property
    def share_ppm(self) -> int:
        """Its canary's share now; 0 without one."""
        return self.steps[-1].share_ppm if self.state is ChangeState.CANARY else 0

    def takes(self, payout_id: str, accepted_at: datetime) -> bool:
        """Whether a payout is the canary's; the answer stays the same for its whole life.

        A larger share takes in those that a smaller one took, and no payout from before it.
        """
        if self.state is not ChangeState.CANARY:
            return False
        begun = (step.share_ppm for step in reversed(self.steps) if step.since <= accepted_at)
        return lot(self.id, payout_id) < next(begun, 0)


class Reign(Struct, frozen=True):
    """A policy's time in use for everybody."""

    policy_hash: str
    since: datetime
    actor: str
    person: str
    change_id: str | None = None


class Standing(Struct, frozen=True):
    """What all acts together say."""

    seq: int = 0
    reigns: tuple[Reign, ...] = ()
    """The last one is active; a rollback takes it away."""
    changes: Mapping[str, Change] = field(default_factory=lambda: MappingProxyType({}))
    """By id, oldest first."""
    left_hash: str | None = None
    """What the last rollback left, while nothing else has come into use since."""
    last: Act | None = None

    @property
    def active(self) -> Reign | None:
        """What decides, but for a canary's share; None before the first policy."""
        return self.reigns[-1] if self.reigns else None

    @property
    def active_hash(self) -> str | None:
        """Its hash."""
        return self.reigns[-1].policy_hash if self.reigns else None

    @property
    def canary(self) -> Change | None:
        """The one change that decides for a share."""
        return self._only(ChangeState.CANARY)

    @property
    def shadow(self) -> Change | None:
        """The one change that decides in vain."""
        return self._only(ChangeState.SHADOW)

    @property
    def scheduled(self) -> Change | None:
        """The one change that becomes active by itself."""
        return next((one for one in self.changes.values() if one.activates_at is not None), None)

    @property
    def open(self) -> list[Change]:
        """What waits for a second person, newest first."""
        found = [one for one in self.changes.values() if one.state is ChangeState.OPEN]
        return found[::-1]

    def _only(self, state: ChangeState) -> Change | None:
        return next((one for one in self.changes.values() if one.state is state), None)


NOTHING = Standing()


def lot(change_id: str, payout_id: str) -> int:
    """A payout's place from 0 to 999,999 in a change's canary: even, and the same everywhere."""
    digest = hashlib.sha256(f"{change_id}/{payout_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % PPM


def fold(acts: Iterable[Act], standing: Standing = NOTHING) -> Standing:
    """What stands after more acts. Raises ValueError where their numbers have a gap."""
    for act in acts:
        if act.seq != standing.seq + 1:
            raise ValueError(f"act {act.seq} follows act {standing.seq}")
        standing = replace(_after(standing, act), seq=act.seq, last=act)
    return standing


def _after(standing: Standing, act: Act) -> Standing:
    match act.kind:
        case ActKind.SEEDED:
            return replace(standing, reigns=(_reign(act),), left_hash=None)
        case ActKind.LOADED:
            cleared = _clear(standing, act, ChangeState.REPLACED)
            return replace(cleared, reigns=(*standing.reigns, _reign(act)), left_hash=None)
        case ActKind.PROPOSED:
            return _put(standing, _proposed(act))
        case ActKind.ACTIVATED:
            cleared = _clear(standing, act, ChangeState.REPLACED)
            change = replace(_moved(standing, act, ChangeState.ACTIVE), activates_at=None)
            reigns = (*standing.reigns, _reign(act))
            return replace(_put(cleared, change), reigns=reigns, left_hash=None)
        case ActKind.ROLLED_BACK:
            return _rolled_back(standing, act)
        case ActKind.CANARIED:
            return replace(_put(standing, _stepped(standing, act)), left_hash=None)
        case _:
            return _put(standing, _stepped(standing, act))


def _stepped(standing: Standing, act: Act) -> Change:
    """A change after an act that is about it alone."""
    change = standing.changes[act.change_id or ""]
    match act.kind:
        case ActKind.APPROVED | ActKind.REJECTED:
            approved = act.kind is ActKind.APPROVED
            return replace(
                change,
                state=ChangeState.APPROVED if approved else ChangeState.REJECTED,
                decided_by=act.actor,
                decided_person=act.person,
                decided_at=act.at,
                moved_at=act.at,
                closing_note="" if approved else act.note,
            )
        case ActKind.SHADOWED:
            return replace(change, state=ChangeState.SHADOW, moved_at=act.at)
        case ActKind.CANARIED:
            step = Step(act.at + KNOWN_AFTER, act.plan.share_ppm or 0)
            return replace(
                change,
                state=ChangeState.CANARY,
                steps=(*change.steps, step),
                moved_at=act.at,
            )
        case ActKind.SCHEDULED:
            return replace(change, activates_at=act.plan.activates_at, moved_at=act.at)
        case ActKind.EXPIRED:
            return replace(change, activates_at=None, moved_at=act.at, closing_note=act.note)
        case _:
            failed = act.kind is ActKind.FAILED
            state = ChangeState.FAILED if failed else ChangeState.CANCELLED
            return replace(_moved(standing, act, state), activates_at=None, closing_note=act.note)


def _rolled_back(standing: Standing, act: Act) -> Standing:
    """Away from a canary, or from the active policy to one that was active before it."""
    if act.policy_hash == standing.active_hash:
        change = replace(_moved(standing, act, ChangeState.ROLLED_BACK), activates_at=None)
        return replace(_put(standing, change), left_hash=act.base_hash)
    cleared = _clear(standing, act, ChangeState.ROLLED_BACK)
    hashes = [reign.policy_hash for reign in standing.reigns[:-1]]
    depth = len(hashes) - hashes[::-1].index(act.policy_hash)
    reigns = standing.reigns[:depth]
    back = reigns[-1].change_id
    if back is not None:
        cleared = _put(cleared, replace(cleared.changes[back], state=ChangeState.ACTIVE))
    return replace(cleared, reigns=reigns, left_hash=act.base_hash)


def _clear(standing: Standing, act: Act, active_becomes: ChangeState) -> Standing:
    """End what was active, and all that was compared with it."""
    changes = dict(standing.changes)
    for change in standing.changes.values():
        if change.state is ChangeState.ACTIVE:
            changes[change.id] = replace(change, state=active_becomes, moved_at=act.at)
        elif change.state in UNFINISHED:
            changes[change.id] = replace(
                change, state=ChangeState.SUPERSEDED, activates_at=None, moved_at=act.at
            )
    return replace(standing, changes=MappingProxyType(changes))


def _put(standing: Standing, change: Change) -> Standing:
    return replace(standing, changes=MappingProxyType({**standing.changes, change.id: change}))


def _moved(standing: Standing, act: Act, state: ChangeState) -> Change:
    return replace(standing.changes[act.change_id or ""], state=state, moved_at=act.at)


def _proposed(act: Act) -> Change:
    return Change(
        id=act.change_id or "",
        policy_hash=act.policy_hash,
        base_hash=act.base_hash,
        plan=act.plan,
        state=ChangeState.OPEN,
        note=act.note,
        proposed_by=act.actor,
        proposed_person=act.person,
        proposed_at=act.at,
        moved_at=act.at,
    )


def _reign(act: Act) -> Reign:
    return Reign(act.policy_hash, act.at, act.actor, act.person, act.change_id)
