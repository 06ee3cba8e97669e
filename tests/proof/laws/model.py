"""What the store must be, in Python dictionaries: no SQL, no commit, no encryption, no thread.

One method per write of `ports.Store`; each does it, or raises what the port says and does nothing.
Everything a reader can be told follows from the dictionaries.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from msgspec.structs import replace

from channels.contract import LineKind, StatementLine
from gateway.domain.errors import ConflictError, UnfundedError
from gateway.domain.ledger import Account, Book, Posting
from gateway.domain.payout import (
    Armed,
    Attempt,
    AttemptState,
    MerchantId,
    Payout,
    PayoutId,
    PayoutState,
    Resent,
)
from gateway.ports import Change, FloatShortError, Intake, StaleError

Key = tuple[MerchantId, str]


@dataclass(slots=True)
class Owed:
    """One webhook."""

    id: str
    merchant_id: MerchantId
    endpoint_id: str
    payout_id: PayoutId
    seq: int
    due_at: datetime
    created_at: datetime
    state: str = "due"
    tries: int = 0
    last_status: int | None = None


@dataclass(slots=True)
class Model:
    """Everything durable."""

    payouts: dict[PayoutId, Payout] = field(default_factory=dict)
    keys: dict[Key, tuple[bytes, PayoutId]] = field(default_factory=dict)
    refs: dict[Key, tuple[bytes, PayoutId]] = field(default_factory=dict)
    balances: Counter[Account] = field(default_factory=Counter)
    feed: list[tuple[MerchantId, PayoutId, int, str]] = field(default_factory=list)
    decisions: dict[PayoutId, list[bytes]] = field(default_factory=dict)
    owed: dict[str, Owed] = field(default_factory=dict)
    endpoints: dict[str, tuple[MerchantId, bool]] = field(default_factory=dict)
    posted: dict[str, Posting] = field(default_factory=dict)
    lines: dict[tuple[str, str], tuple[date, StatementLine]] = field(default_factory=dict)
    """By channel and the line's own number."""
    days: set[tuple[str, date]] = field(default_factory=set)
    killed: set[str] = field(default_factory=set)

    # --- Writes ---

    def accept(
        self,
        change: Change,
        intake: Intake,
        floor_minor: int | None,
        arming: Change | None = None,
    ) -> PayoutId:
        """Store it, and what follows at once, or neither; or find the earlier one."""
        earlier = self.earlier(change, intake)
        if earlier is not None:
            return earlier
        after = change.after
        if arming is not None:
            self._may_send(arming)
        moved = self._moved(change.postings)
        available = Account(Book.AVAILABLE, after.merchant_id, after.amount.currency)
        if floor_minor is not None and self.balances[available] + moved[available] < floor_minor:
            raise UnfundedError("insufficient_funds", "not covered", zh="余额不足")
        if arming is not None:
            self._must_cover(arming)
        self.keys[after.merchant_id, intake.idempotency_key] = (intake.fingerprint, after.id)
        self.refs[after.merchant_id, after.merchant_ref] = (intake.fingerprint, after.id)
        self._store(change, moved)
        if arming is not None:
            self._store(arming, self._moved(arming.postings))
        return after.id

    def earlier(self, change: Change, intake: Intake) -> PayoutId | None:
        """The payout that has its key or its number already; None when it is new."""
        after = change.after
        for known, value, code in (
            (self.keys, intake.idempotency_key, "idempotency_key_reused"),
            (self.refs, after.merchant_ref, "merchant_ref_reused"),
        ):
            found = known.get((after.merchant_id, value))
            if found is not None:
                if found[0] != intake.fingerprint:
                    raise ConflictError(code, "used before", zh="已使用")
                return found[1]
        return None

    def record(self, change: Change) -> None:
        """Move a payout that nobody else has moved or taken over."""
        before = change.before
        if before is None or not self._is_now(before):
            raise StaleError("moved on")
        self._may_send(change)
        self._must_cover(change)
        self._store(change, self._moved(change.postings))

    def postpone(self, payout: Payout, due_at: datetime, decision: bytes | None) -> None:
        """Only what has not moved on."""
        known = self.payouts[payout.id]
        if self._is_now(payout):
            self.payouts[payout.id] = replace(known, due_at=due_at)
            if decision is not None:
                self.decisions[payout.id].append(decision)

    def post(self, posting: Posting, key: str) -> bool:
        """Once per key; the same key never stands for something else."""
        if key in self.posted:
            if self.posted[key] != posting:
                raise ConflictError("idempotency_key_reused", "booked before", zh="已使用")
            return False
        self.posted[key] = posting
        self.balances.update(self._moved([posting]))
        return True

    def delivered(self, delivery_id: str, status: int) -> None:
        """Only what is due."""
        one = self.owed[delivery_id]
        if one.state == "due":
            one.state, one.tries, one.last_status = "delivered", one.tries + 1, status

    def delivery_failed(
        self, delivery_id: str, status: int | None, due_at: datetime | None
    ) -> None:
        """Put off with all that wait behind it, or dead."""
        one = self.owed[delivery_id]
        if one.state == "due":
            one.tries, one.last_status = one.tries + 1, status
            if due_at is None:
                one.state = "dead"
            else:
                one.due_at = due_at
        if due_at is None:
            return
        for other in self._lane(one):
            if other.seq > one.seq and other.state == "due" and other.due_at < due_at:
                other.due_at = due_at

    def resend(self, merchant_id: MerchantId, delivery_id: str, now: datetime) -> bool:
        """Of that merchant only."""
        one = self.owed.get(delivery_id)
        if one is None or one.merchant_id != merchant_id:
            return False
        one.state, one.tries, one.due_at = "due", 0, now
        return True

    def keep_statement(self, channel: str, on: date, lines: Iterable[StatementLine]) -> int:
        """How many were new."""
        self.days.add((channel, on))
        before = len(self.lines)
        for line in lines:
            self.lines.setdefault((channel, line.line_ref), (on, line))
        return len(self.lines) - before

    # --- Reads ---

    def lines_of(self, channel: str, on: date) -> dict[str, StatementLine]:
        """Of one day, by number."""
        return {
            name: line
            for (owner, name), (day, line) in self.lines.items()
            if (owner, day) == (channel, on)
        }

    def fees_shown(self, attempt: Attempt, except_on: date) -> tuple[int, int]:
        """Sum and number of its fee lines of other days, by either reference."""
        fees = [
            -line.amount.minor if line.credit else line.amount.minor
            for (channel, _), (day, line) in self.lines.items()
            if channel == attempt.channel and day != except_on and line.kind is LineKind.FEE
            if line.reference == attempt.reference
            or (attempt.channel_ref is not None and line.channel_ref == attempt.channel_ref)
        ]
        return sum(fees), len(fees)

    def due(self, now: datetime) -> list[PayoutId]:
        """Oldest first."""
        found = [
            (one.due_at, one.id)
            for one in self.payouts.values()
            if one.due_at and one.due_at <= now
        ]
        return [payout_id for _, payout_id in sorted(found)]

    def due_deliveries(self, now: datetime) -> list[str]:
        """The head of every lane, if its time has come."""
        heads = [
            one
            for one in self.owed.values()
            if one.state == "due"
            and one.due_at <= now
            and not any(o.seq < one.seq and o.state == "due" for o in self._lane(one))
        ]
        return [
            one.id
            for one in sorted(heads, key=lambda o: (o.due_at, o.created_at, o.payout_id, o.seq))
        ]

    def armed(self) -> set[PayoutId]:
        """Whose live attempt is ARMED."""
        return {
            one.id
            for one in self.payouts.values()
            if any(attempt.state is AttemptState.ARMED for attempt in one.attempts)
        }

    def counts(self) -> Counter[PayoutState]:
        """By state."""
        return Counter(one.state for one in self.payouts.values())

    # --- ---

    def _may_send(self, change: Change) -> None:
        """Nothing goes through what a person has killed."""
        for event in change.events:
            if isinstance(event, Armed | Resent):
                number = event.attempt.number if isinstance(event, Armed) else event.number
                if change.after.attempts[number - 1].channel in self.killed:
                    raise StaleError("killed")

    def _must_cover(self, change: Change) -> None:
        """What is armed is on the channel's float."""
        moved = self._moved(change.postings)
        for event in change.events:
            if isinstance(event, Armed):
                currency = change.after.amount.currency
                reserved = Account(Book.FLOAT, event.attempt.channel, currency)
                if self.balances[reserved] + moved[reserved] < 0:
                    raise FloatShortError("float")

    def _is_now(self, payout: Payout) -> bool:
        known = self.payouts[payout.id]
        return (known.version, known.epoch) == (payout.version, payout.epoch)

    def _store(self, change: Change, moved: Counter[Account]) -> None:
        after = change.after
        self.payouts[after.id] = after
        self.balances.update(moved)
        self.decisions.setdefault(after.id, [])
        if change.decision is not None:
            self.decisions[after.id].append(change.decision)
        first = after.version - len(change.events) + 1
        for seq, event in enumerate(change.events, first):
            self.feed.append((after.merchant_id, after.id, seq, event.kind))
            for endpoint_id, (merchant_id, is_active) in self.endpoints.items():
                if merchant_id == after.merchant_id and is_active:
                    name = f"msg_{after.id.removeprefix('po_')}_{seq}_{endpoint_id}"
                    self.owed[name] = Owed(
                        *(name, merchant_id, endpoint_id, after.id, seq),
                        *(after.updated_at, after.updated_at),
                    )

    def _lane(self, one: Owed) -> Iterable[Owed]:
        lane = (one.payout_id, one.endpoint_id)
        return [o for o in self.owed.values() if (o.payout_id, o.endpoint_id) == lane]

    @staticmethod
    def _moved(postings: Iterable[Posting]) -> Counter[Account]:
        moved: Counter[Account] = Counter()
        for posting in postings:
            for entry in posting:
                moved[entry.account] += entry.change_minor
        return moved
