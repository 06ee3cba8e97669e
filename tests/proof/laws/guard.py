"""What guards the payouts: incidents, proposals of two people, watches of the dead, and the log.

Everything the store's own machine does goes on meanwhile, so that the log has something to grow by.
After every step the log is computed again, by a tree of this file's own: nothing logged may change,
and nothing may be logged twice, out of order or as something else than its row says.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from msgspec.structs import replace

from channels.contract import Reason
from gateway.domain.audit import CHAIN_START, Origin
from gateway.domain.errors import ConflictError
from gateway.domain.incident import Incident, IncidentKind
from gateway.domain.pace import next_look
from gateway.domain.payout import AttemptState, Payout, PayoutId
from gateway.domain.proposal import Approval, Proposal, ProposalState
from gateway.ports import LogLine, StaleError, Watch
from tests.proof.laws.shared import NUMBERS, SIDES, Shared
from tests.proof.laws.store import FEED_LOOKS, StoreLaws

WHICH = st.integers(0, 5)
KINDS = st.sampled_from([one for one in IncidentKind if one is not IncidentKind.FLOAT_OFF])
"""What a payout's move may reveal; an account that is off is found otherwise, one at a time."""
PAGE = 1_000


@dataclass(slots=True)
class Mirror:
    """The log of one database as it was seen so far; every example adds to the same one."""

    leaves: int = 0
    chain: bytes = CHAIN_START
    tops: list[tuple[int, bytes]] = field(default_factory=list)
    """Whole subtrees from the left, with their heights."""
    rows: dict[Origin, int] = field(default_factory=lambda: dict.fromkeys(Origin, 0))
    roots: dict[int, bytes] = field(default_factory=dict)

    def take(self, line: LogLine) -> None:
        """The next leaf, which must be what its row says, and follow the last one."""
        assert line.position == self.leaves, f"leaf {self.leaves} is missing"
        assert line.deed is not None, f"leaf {line.position} has no row"
        assert line.hash == sha256(b"\x00" + line.deed.text.encode()).digest()
        assert line.row > self.rows[line.source], f"{line.source} row {line.row} again"
        self.rows[line.source] = line.row
        self.leaves += 1
        self.chain = sha256(b"\x02" + self.chain + line.hash).digest()
        assert line.chain == self.chain, f"the chain breaks at leaf {line.position}"
        top, height = line.hash, 0
        while self.tops and self.tops[-1][0] == height:
            top, height = sha256(b"\x01" + self.tops.pop()[1] + top).digest(), height + 1
        self.tops.append((height, top))

    @property
    def root(self) -> bytes:
        """RFC 6962, 2.1."""
        if not self.tops:
            return sha256().digest()
        *rest, (_, root) = self.tops
        for _, left in reversed(rest):
            root = sha256(b"\x01" + left + root).digest()
        return root


@dataclass(slots=True)
class Watched:
    """When a dead attempt is asked about next, and how often it was."""

    died_at: datetime
    due_at: datetime | None
    looks: int = 0


class GuardLaws(StoreLaws):
    """The store's machine, and what people and the auditor do meanwhile."""

    mirrors: ClassVar[dict[str, Mirror]] = {}

    def __init__(self) -> None:
        """Nothing is open yet."""
        super().__init__()
        self.mirror = self.mirrors.setdefault(Shared.url, Mirror())
        self.incidents: dict[str, Incident] = {}
        self.proposals: dict[str, Proposal] = {}
        self.watches: dict[tuple[PayoutId, int], Watched] = {}

    # --- The log ---

    @rule(limit=st.integers(1, 40))
    def log(self, limit: int) -> None:
        """The auditor logs a little, or all."""
        before = self.mirror.leaves
        count = Shared.run(self.store.sequence(limit))
        self.follow()
        assert self.mirror.leaves - before == count <= 2 * limit

    @rule()
    def log_all(self) -> None:
        """Afterwards every event of these merchants has its leaf, and no row is without one."""
        # As in `read_feed`: PostgreSQL holds the end back while an older transaction is open.
        for _ in range(FEED_LOOKS):
            while Shared.run(self.store.sequence(256)):
                pass
            if all(None not in self._places(one) for one in self.model.payouts.values()):
                break
            Shared.run(asyncio.sleep(0.02))
        self.follow()
        assert Shared.run(self.store.not_logged(1)) == []
        for known in self.model.payouts.values():
            places = self._places(known)
            assert None not in places
            assert len(places) == known.version

    def _places(self, known: Payout) -> list[int | None]:
        return [one.position for one in Shared.run(self.store.deeds_of(known))]

    @rule(old=st.integers(0, 1_000))
    def look_back(self, old: int) -> None:
        """The log as it was at an earlier size still has the root it had then."""
        sizes = [*self.mirror.roots]
        if sizes:
            size = sizes[old % len(sizes)]
            assert Shared.run(self.store.log_state(size)).root == self.mirror.roots[size]

    @invariant()
    def log_computes(self) -> None:
        """Size, root and chain are what the leaves give, computed again from the rows."""
        self.follow()
        state, mirror = Shared.run(self.store.log_state()), self.mirror
        assert (state.size, state.root, state.chain) == (mirror.leaves, mirror.root, mirror.chain)
        mirror.roots[mirror.leaves] = mirror.root

    def follow(self) -> None:
        """Read the leaves that are new."""
        while page := Shared.run(self.store.log_lines(self.mirror.leaves, PAGE)):
            for line in page:
                self.mirror.take(line)

    # --- Incidents ---

    @precondition(lambda self: self.model.payouts)
    @rule(which=WHICH, kind=st.integers(0, 30), side=SIDES, what=KINDS, stale=st.booleans())
    def reveal(self, which: int, kind: int, side: int, what: IncidentKind, stale: bool) -> None:
        """A move that reveals something: both are stored, or neither."""
        change = self._change(which, kind, 0, 0)
        if change is None or change.before is None:
            return
        if stale:
            self.both(self.store.record(change), lambda: self.model.record(change))
        made = Incident(
            id=f"in{self.name}{next(self.fresh):06d}",
            kind=what,
            channel=self.channels[side],
            payout_id=change.after.id,
            attempt=1,
            evidence="event",
            opened_at=Shared.clock.at,
        )
        revealing = replace(change, incidents=(made,))

        def wanted() -> None:
            self.model.record(revealing)
            self.incidents[made.id] = made

        self.both(self.store.record(revealing), wanted)

    @precondition(lambda self: self.incidents)
    @rule(which=WHICH, by=SIDES)
    def release(self, which: int, by: int) -> None:
        """Once; whoever comes second finds nothing open."""
        known = [*self.incidents.values()][which % len(self.incidents)]
        at, person = Shared.clock.at, f"key:{by}"
        done = Shared.run(self.store.release_incident(known.id, at, person, "looked at"))
        assert done is known.is_open
        if done:
            self.incidents[known.id] = replace(
                known, released_at=at, released_by=person, note="looked at"
            )

    @invariant()
    def frozen_are_those_with_open_incidents(self) -> None:
        """Each channel by its oldest open incident that freezes, and no other channel."""
        wanted: dict[str, str] = {}
        for one in self.incidents.values():
            if one.is_open and one.kind.freezes:
                wanted[one.channel] = min(one.id, wanted.get(one.channel, one.id))
        frozen = Shared.run(self.store.frozen())
        assert {k: v for k, v in frozen.items() if k in self.channels} == wanted

    @precondition(lambda self: self.incidents)
    @rule(which=WHICH)
    def read_incident(self, which: int) -> None:
        """As it was stored, and as it was released."""
        known = [*self.incidents.values()][which % len(self.incidents)]
        assert Shared.run(self.store.incident(known.id)) == known

    # --- Two people ---

    @precondition(lambda self: self.model.payouts)
    @rule(which=WHICH, person=NUMBERS)
    def propose(self, which: int, person: int) -> None:
        """One open proposal a payout."""
        known = self._known(which)
        made = Proposal(
            id=f"pr{self.name}{next(self.fresh):06d}",
            payout_id=known.id,
            merchant_id=known.merchant_id,
            attempt=1,
            sends=1,
            version=known.version,
            reason=Reason.RAIL_DOWN,
            evidence="银行来函",
            evidence_sha256=None,
            maker=f"key:{person}",
            maker_person=f"person {person}",
            proposed_at=Shared.clock.at,
        )

        def wanted() -> None:
            if any(one.payout_id == known.id for one in self._open()):
                raise ConflictError("proposal_exists", "open", zh="待复核")
            self.proposals[made.id] = made

        self.both(self.store.propose(made), wanted)

    @precondition(lambda self: self.proposals)
    @rule(which=WHICH, person=NUMBERS)
    def reject(self, which: int, person: int) -> None:
        """Once, and not what was approved."""
        known, at = self._proposal(which), Shared.clock.at
        checker, who = f"key:{person}", f"person {person}"
        done = Shared.run(self.store.reject_proposal(known.id, at, checker, who, "no"))
        assert done is (known.state is ProposalState.OPEN)
        if done:
            self._decide(known, ProposalState.REJECTED, checker, who, at, "no")

    @precondition(lambda self: self.proposals)
    @rule(which=WHICH, other=WHICH, kind=st.integers(0, 30), person=NUMBERS)
    def approve(self, which: int, other: int, kind: int, person: int) -> None:
        """In one commit with the move; for a decided one, or another payout's, nothing happens."""
        known, at = self._proposal(which), Shared.clock.at
        change = self._change(other, kind, 0, 0)
        if change is None or len(change.after.attempts) != len(self._known(other).attempts):
            return
        said = Approval(known.id, f"key:{person}", f"person {person}", at)
        change = replace(change, approval=said)
        fits = known.state is ProposalState.OPEN and known.payout_id == change.after.id

        def wanted() -> None:
            if not fits:
                raise StaleError("decided")
            self.model.record(change)
            self._decide(known, ProposalState.APPROVED, said.checker, said.checker_person, at)

        self.both(self.store.record(change), wanted)

    @precondition(lambda self: self.proposals)
    @rule(which=WHICH)
    def read_proposals(self, which: int) -> None:
        """All of a payout, whole; the open ones among them."""
        about = self._proposal(which).payout_id
        for open_only in (False, True):
            found = Shared.run(self.store.proposals(open_only=open_only, payout_id=about))
            pool: Iterable[Proposal] = self._open() if open_only else self.proposals.values()
            wanted = {one.id: one for one in pool if one.payout_id == about}
            assert {one.id: one for one in found} == wanted

    def _open(self) -> list[Proposal]:
        return [one for one in self.proposals.values() if one.state is ProposalState.OPEN]

    def _proposal(self, which: int) -> Proposal:
        known = [*self.proposals.values()]
        return known[which % len(known)]

    def _decide(
        self,
        known: Proposal,
        state: ProposalState,
        checker: str,
        person: str,
        at: datetime,
        note: str | None = None,
    ) -> None:
        self.proposals[known.id] = replace(
            known,
            state=state,
            checker=checker,
            checker_person=person,
            decided_at=at,
            note=note,
        )

    # --- The dead ---

    @invariant()
    def watch_the_dead(self) -> None:
        """Whoever has just died is watched from then on."""
        for known in self.model.payouts.values():
            for attempt in known.attempts:
                key = (known.id, attempt.number)
                if attempt.state is AttemptState.DEAD and key not in self.watches:
                    died_at = known.updated_at
                    due_at = next_look(known, attempt.number, died_at, looks=0)
                    self.watches[key] = Watched(died_at, due_at)

    @precondition(lambda self: self.watches)
    @rule(which=WHICH, hours=st.integers(0, 100), late=st.booleans(), answered=st.booleans())
    def look_after(self, which: int, hours: int, late: bool, answered: bool) -> None:
        """Of those due, one is taken by one process only, and put off."""
        now = Shared.clock.at + timedelta(hours=hours)
        ours = {payout_id: True for payout_id, _ in self.watches}
        due = [
            one for one in Shared.run(self.store.due_watches(now, 100_000)) if one.payout_id in ours
        ]
        wanted = sorted(
            (one.due_at, payout_id, number)
            for (payout_id, number), one in self.watches.items()
            if one.due_at is not None and one.due_at <= now
        )
        assert [(one.due_at, one.payout_id, one.number) for one in due] == wanted
        if due:
            self._take(due[which % len(due)], now + timedelta(minutes=10), late, answered)

    def _take(self, watch: Watch, until: datetime, late: bool, answered: bool) -> None:
        known = self.watches[watch.payout_id, watch.number]
        assert (watch.died_at, watch.looks) == (known.died_at, known.looks)
        assert Shared.run(self.store.claim_watch(watch, until)) is True
        assert Shared.run(self.store.claim_watch(watch, until)) is (until == watch.due_at)
        known.due_at = until
        if answered:
            next_at = None if late else until + timedelta(hours=1)
            Shared.run(self.store.watched(replace(watch, due_at=until), next_at))
            known.looks, known.due_at = known.looks + 1, next_at

    def teardown(self) -> None:
        """Leave no incident open and no dead attempt due for the examples that follow."""
        for one in self.incidents.values():
            if one.is_open:
                Shared.run(self.store.release_incident(one.id, Shared.clock.at, "key:9", "end"))
        for (payout_id, number), known in self.watches.items():
            merchant = self.model.payouts[payout_id].merchant_id
            died_at = known.died_at
            gone = Watch(payout_id, merchant, number, died_at, known.looks, died_at)
            Shared.run(self.store.watched(gone, None))
        super().teardown()
