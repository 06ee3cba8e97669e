"""What the engine needs from the outside: a clock, entropy, a store. Protocols and their values.

Every write is a `Change` or a named operation that commits or does nothing. A write that returns
is durable; a write that raises `CommitUnknownError` may or may not be, and nobody may act on it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from channels.contract import Evidence, Instrument, StatementLine
from channels.money import Currency, Money
from channels.unprinted import Unprinted
from gateway.domain.archive import Archive, Bulk
from gateway.domain.audit import Deed, Origin
from gateway.domain.batch import Batch, BatchCount, BatchRow, BatchState, Refused, RowState
from gateway.domain.dialect import DialectAccount, DialectOrder, NotifyTo
from gateway.domain.floats import Extent, KeptBalance
from gateway.domain.incident import Incident
from gateway.domain.ledger import Account, Book, Posting
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import Attempt, Event, MerchantId, Payout, PayoutId, PayoutState
from gateway.domain.policy_change import Act, ShadowCell, StoredPolicy
from gateway.domain.proposal import Approval, Proposal
from gateway.domain.reconciliation import Booked, Break
from gateway.domain.split import Split
from policies.facts import HealthView
from policies.fees import UNUSED, MonthUse
from policies.health import BankView, Observed
from policies.plan.classes import PayoutClass


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Aware UTC."""


class Entropy(Protocol):
    """The only source of randomness."""

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes (ids, keys, nonces)."""

    def ppm(self) -> int:
        """A draw from 0 to 999,999 for logged exploration."""


class Health(Protocol):
    """What is believed about channels now (`policies.health.Health` is one)."""

    def started(self, channel: str, segment: str, now: datetime) -> None:
        """An attempt was given to the channel, or is about to be as a probe."""

    def observe(
        self,
        channel: str,
        segment: str,
        outcome: Observed,
        now: datetime,
        *,
        sent_at: datetime,
        latency_ms: int | None = None,
        again: bool = False,
    ) -> None:
        """Learn from an outcome that the channel, not the beneficiary, caused.

        `again`: the payout had failed elsewhere before.
        """

    def views(
        self, channels: Iterable[str], segment: str, now: datetime, *, again: bool = False
    ) -> Mapping[str, HealthView]:
        """Every channel's view within a segment; `again`: for a payout that has failed already."""

    def banks_down(self, now: datetime) -> Mapping[str, BankView]:
        """Beneficiaries' banks that are held to be down, by name."""

    def bank_well_since(self, bank: str) -> datetime | None:
        """Since when payouts to a bank have gone through, several in a row; None: not so."""

    def forgive_bank(self, bank: str, now: datetime) -> bool:
        """A person knows that the bank is well; False when it was not held to be down."""

    def adopt_bank(self, bank: str, now: datetime) -> None:
        """An earlier process found the bank down, and nobody has closed that since."""


class Throttle(Protocol):
    """How fast a channel may be sent to. Never raises."""

    async def turn(self, channel: str) -> float | None:
        """Wait a short time for a send's turn. None: it is now; else come back after seconds."""

    def take(self, channel: str) -> bool:
        """Take a send's turn if one is free now, waiting for nobody and asking nobody."""

    def give_back(self, channel: str) -> None:
        """What was taken by `take` is not sent."""

    def may_ask(self, channel: str) -> bool:
        """Whether an inquiry may go out now, or should leave the channel to sends."""


class Observer(Protocol):
    """Who is told what happened: logs and metrics. Never raises, never slows the caller."""

    def moved(self, change: "Change") -> None:
        """A payout moved, durably."""

    def called(self, channel: str, operation: str, outcome: str, seconds: float) -> None:
        """A channel was asked something."""

    def decided(self, seconds: float) -> None:
        """A routing decision was made."""

    def delivered(self, result: str) -> None:
        """A webhook was tried: `delivered`, `retry` or `dead`."""

    def alarm(self, event: str, **facts: object) -> None:
        """Something a person should see; facts carry no payee data."""

    def defect(self, event: str, error: Exception, **facts: object) -> None:
        """A bug showed itself and was contained: type and place are kept, its message is not."""


# --- Failures of the store ---------------------------------------------------------------------


class StoreError(Exception):
    """The store did not do it; nothing was written."""


class StaleError(StoreError):
    """The payout has moved on since it was read: read it again and decide again."""


class FloatShortError(StoreError):
    """The channel's float does not cover the reservation; nothing was written."""


class MonthMovedError(StoreError):
    """A merchant's month has gone past what the fee was computed for: compute it again."""


class CommitUnknownError(StoreError):
    """The commit was asked for and never acknowledged. Do not send; read before acting."""


class StoreBrokenError(StoreError):
    """Disk full, I/O error, integrity error: stop sending and leave (reliability.md I16)."""


# --- Values ------------------------------------------------------------------------------------


class Funding(StrEnum):
    """How a merchant's payouts are covered."""

    PREFUNDED = "prefunded"
    CREDIT = "credit"
    PASS_THROUGH = "pass_through"  # noqa: S105 - a way of funding


class Merchant(Struct, frozen=True):
    """A customer of the gateway and what was agreed with it."""

    id: MerchantId
    name: str
    funding: Funding
    credit_limit_minor: int
    fee: MerchantFee
    release_delay_s: int
    review_above_minor: int | None
    created_at: datetime
    active: bool = True

    @property
    def floor_minor(self) -> int | None:
        """How low its available balance may go; None for no limit."""
        match self.funding:
            case Funding.PREFUNDED:
                return 0
            case Funding.CREDIT:
                return -self.credit_limit_minor
            case Funding.PASS_THROUGH:
                return None


class Scope(StrEnum):
    """What an API key may do."""

    PAYOUTS_WRITE = "payouts:write"
    PAYOUTS_READ = "payouts:read"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


class ApiKey(Unprinted, frozen=True):
    """A stored key. The secret itself is never stored, only its keyed hash."""

    hidden = frozenset({"digest", "signing_secret"})

    id: str
    merchant_id: MerchantId | None
    """None for an operator's key."""
    digest: bytes
    scopes: frozenset[Scope]
    signing_secret: bytes | None
    """When set, every request with this key must carry a valid HMAC signature."""
    label: str
    created_at: datetime
    revoked_at: datetime | None = None
    person: str | None = None
    """Whose key it is; an operator's key without one takes no part in what needs two people."""


class Endpoint(Unprinted, frozen=True):
    """Where a merchant wants its webhooks."""

    hidden = frozenset({"secrets"})

    id: str
    merchant_id: MerchantId
    url: str
    secrets: tuple[str, ...]
    """`whsec_…`, newest first; all of them sign, so that a secret can be rotated."""
    kinds: tuple[str, ...]
    """Event kinds wanted; empty means all."""
    active: bool
    created_at: datetime


class DeliveryState(StrEnum):
    """Where one webhook stands."""

    DUE = "due"
    DELIVERED = "delivered"
    DEAD = "dead"


class Delivery(Struct, frozen=True):
    """One webhook owed to one endpoint. Its id stays the same over all tries."""

    id: str
    endpoint_id: str
    merchant_id: MerchantId
    payout_id: PayoutId
    seq: int
    """The event's number within its payout."""
    payload: bytes
    state: DeliveryState
    tries: int
    due_at: datetime
    created_at: datetime
    last_status: int | None = None
    last_error: str | None = None
    claimed_until: datetime | None = None
    """Other processes leave it to this one until then; None where there are no others."""
    may_be_followed: bool = True
    """Whether others about the same payout may have waited behind it when it was read."""


class Owed(Struct, frozen=True):
    """What a commit of this process has just owed about one payout."""

    payout_id: PayoutId | None
    """None: it may be any."""
    first: int = 0
    """Number of its first event in that commit, and of its last; 0 without `deliveries`."""
    last: int = 0
    deliveries: tuple[Delivery, ...] | None = None
    """All of it, in order, as it is stored; None: whatever a look finds."""


class StoredEvent(Struct, frozen=True):
    """One line of a payout's timeline, as JSON-ready data without payee details."""

    feed: int
    """Position in the merchant's event feed; grows, never re-used, readers never skip one."""
    payout_id: PayoutId
    seq: int
    kind: str
    state: PayoutState
    at: datetime
    actor: str
    detail: Mapping[str, object]


class Change(Struct, frozen=True):
    """One atomic move of one payout: everything in it commits together, or nothing does."""

    before: Payout | None
    """None for an acceptance. Its version guards the write."""
    after: Payout
    events: tuple[Event, ...]
    """One per version between before and after."""
    postings: tuple[Posting, ...]
    """One per event, in the same order."""
    actor: str
    decision: bytes | None = None
    """The routing Decision (JSON) that led to the armed attempt, or to none."""
    evidence: Evidence | None = None
    """What the channel said, kept encrypted with the last event."""
    incidents: tuple[Incident, ...] = ()
    """What its events reveal; opened in the same commit."""
    approval: Approval | None = None
    """The second person's word that makes it certificate C7; spends the open proposal."""


class Watch(Struct, frozen=True):
    """A dead attempt that is asked about again, in case the proof of its death was wrong."""

    payout_id: PayoutId
    merchant_id: MerchantId
    number: int
    died_at: datetime
    looks: int
    due_at: datetime


class Intake(Struct, frozen=True):
    """What makes a request the same request again."""

    idempotency_key: str
    fingerprint: bytes
    """SHA-256 over the canonical body."""
    row: "RowOfBatch | None" = None
    """The row of a batch that it becomes the payout of, in the same commit."""
    notify: NotifyTo | None = None
    """Who is told how it ends: each commit that brings it to a final standing owes that."""


class Notify(Struct, frozen=True):
    """An order of another platform's caller who wants to hear how it ends."""

    merchant_id: MerchantId
    payout_id: PayoutId
    to: NotifyTo
    accepted_at: datetime


class RowOfBatch(Struct, frozen=True):
    """A waiting row of a batch."""

    batch: Batch
    number: int
    reserved_minor: int | None
    """All or nothing: what is held for it, and given back as the payout takes its own hold. Such a
    payout was checked before, and is due only once the whole batch is released."""


class Search(Struct, frozen=True):
    """Filters of a merchant's payout list; newest first, keyset-paged."""

    merchant_id: MerchantId | None
    state: PayoutState | None = None
    merchant_ref: str | None = None
    channel: str | None = None
    accepted_from: datetime | None = None
    accepted_until: datetime | None = None
    before_id: PayoutId | None = None
    limit: int = 50


class Past(Struct, frozen=True):
    """A payout as it stands, with every stored routing decision about it, in order."""

    payout: Payout
    decisions: tuple[tuple[datetime, bytes], ...]


class AccountBalance(Struct, frozen=True):
    """A balance on its account's normal side."""

    account: Account
    minor: int


class ChannelUse(Struct, frozen=True):
    """What a channel is carrying now; counted in the store, so that all replicas see the same."""

    channel: str
    inflight: int
    """Armed, pending or in-doubt attempts."""
    in_doubt: int
    day_used_minor: int
    """Armed today (business day of the asked-for start), less what died."""
    float_minor: int
    month: MonthUse = UNUSED
    """Armed since the start of the month that was asked for, less what died."""


class CalendarDay(Struct, frozen=True):
    """What somebody said of a day."""

    on: date
    works: bool
    note: str
    actor: str
    at: datetime


class CalendarYear(Struct, frozen=True):
    """A year of which somebody said that every day is given."""

    year: int
    note: str
    actor: str
    at: datetime


ChannelStatus = Literal["active", "paused", "draining"]

EVERY_CHANNEL = "*"
"""What a kill of all channels names, those included that are configured later."""


class Kill(Struct, frozen=True):
    """A channel that nothing may be sent through until a person, by name, lets it go on."""

    id: str
    channel: str
    """Or `EVERY_CHANNEL`."""
    reason: str
    killed_at: datetime
    killed_by: str
    revived_at: datetime | None = None
    revived_by: str | None = None
    revived_person: str | None = None
    note: str | None = None


class Maintenance(Struct, frozen=True):
    """When a channel is not to be used, as planned by a person."""

    id: str
    channel: str
    from_at: datetime
    until_at: datetime
    reason: str
    added_at: datetime
    added_by: str


class PlanVolume(Struct, frozen=True):
    """What a channel was given of one class on one business day."""

    on: date
    channel: str
    kind: PayoutClass
    payouts: int
    minor: int


PlanReason = Literal["first", "timer", "month", "drift", "changed", "asked"]


class StoredPlan(Struct, frozen=True):
    """A plan as JSON (`policies.plan.written`), who had it made and why."""

    id: str
    month: date
    currency: str
    made_at: datetime
    actor: str
    reason: PlanReason
    basis: str
    """Hash of the fees, channels and parameters it was made for."""
    plan: bytes


class StoredNotice(Unprinted, frozen=True):
    """A channel's message as it came, kept before anything was decided about it."""

    hidden = frozenset({"headers", "body"})

    id: int
    channel: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


class LogState(Struct, frozen=True):
    """The audit log at a size."""

    size: int
    root: bytes
    chain: bytes


class LogLine(Struct, frozen=True):
    """A leaf as stored, and what its row says now; None when there is no such row any more."""

    position: int
    source: Origin
    row: int
    hash: bytes
    chain: bytes
    subject: str
    deed: Deed | None


class LoggedDeed(Struct, frozen=True):
    """An event of a payout and its place in the log, once it has one."""

    deed: Deed
    position: int | None


class KeptCheckpoint(Struct, frozen=True):
    """A signed checkpoint as stored."""

    size: int
    at: datetime
    note: str


class StateCheck(Struct, frozen=True):
    """Whether a payout is what its last event committed to."""

    payout_id: PayoutId
    version: int
    has_event: bool
    """An event of this version exists."""
    holds: bool


class Position(Struct, frozen=True):
    """How far a database has come. One that is behind what it once was has been restored."""

    installation: str
    feed: int
    """Position of the newest event."""
    attempts: int
    """Attempts ever armed."""

    def is_behind(self, mark: "Position") -> bool:
        """Whether it lacks something that a database with this mark had."""
        other = self.installation != mark.installation
        return other or self.feed < mark.feed or self.attempts < mark.attempts


class Quarantine(Struct, frozen=True):
    """A time in which nothing is sent, since the database may have forgotten what was."""

    id: int
    cause: str
    backup_at: datetime
    """What happened since then may be forgotten."""
    started_at: datetime
    ended_at: datetime | None


class Waiver(Struct, frozen=True):
    """Two people vouch for what a channel cannot prove; in force once the second has agreed."""

    channel: str
    reason: str
    asked_by: str
    agreed_by: str | None


class Backup(Struct, frozen=True):
    """A finished backup: the manifest beside the file."""

    schema: int
    position: Position
    at: datetime
    """Everything committed until then is in it."""
    size: int
    sha256: str


class Claim(Struct, frozen=True):
    """A due payout that is this worker's."""

    payout_id: PayoutId
    is_taken: bool = False
    """Just now, from nobody or from a worker that has gone: what that one armed is in doubt."""


class Nudge(Struct, frozen=True):
    """What one worker passes on to another, whose payout it is."""

    payout_id: PayoutId
    reference: str | None = None
    notice_id: int | None = None


class Fence(Struct, frozen=True):
    """Which worker asked for an arm, and when by a clock that cannot be set, in seconds."""

    worker: int | None
    at_s: float


class Standby(StrEnum):
    """Whether the loss of the database server would lose what was acknowledged."""

    ATTACHED = "attached"
    NONE_NAMED = "none_named"
    """The server waits for no standby: `synchronous_standby_names` is empty."""
    NONE_ATTACHED = "none_attached"
    """One is asked for and none streams: commits wait."""
    HIDDEN = "hidden"
    """This database user may not see it (pg_monitor)."""
    EMBEDDED = "embedded"
    """SQLite has none."""


# --- The store ---------------------------------------------------------------------------------


class PayoutStore(Protocol):
    """Payouts, their attempts, events and decisions."""

    async def accept(
        self,
        change: Change,
        intake: Intake,
        floor_minor: int | None,
        arming: Change | None = None,
    ) -> Payout:
        """Store a new payout, or return the earlier one for the same key and body.

        Raises `ConflictError` for the same key or merchant_ref with another body, and
        `UnfundedError` when the available balance would fall below `floor_minor`,
        `MonthMovedError` when its fee is not the one of the month's use at this commit.
        The returned payout is durable, also when it is the earlier one.

        `arming` is the move that follows at once, in the same commit: both or neither, raising what
        `record` raises for it. Nothing of it happens where the earlier payout is returned.
        """

    async def record(self, change: Change) -> None:
        """Commit a move guarded by `before.version` and `before.epoch`; what sends, by its worker.

        Raises `StaleError` when it has moved on or what it would be sent through is killed,
        `FloatShortError` when arming would overdraw the channel's float, `CommitUnknownError`,
        `StoreBrokenError`.
        """

    async def postpone(self, payout: Payout, due_at: datetime, decision: bytes | None) -> None:
        """Look at it again at `due_at`; no event. Silently does nothing when it has moved on."""

    async def payout(
        self, payout_id: PayoutId, merchant_id: MerchantId | None = None
    ) -> Payout | None:
        """One payout with its attempts; another merchant's is None."""

    async def search(self, search: Search) -> list[Payout]:
        """A page of payouts, newest first."""

    async def due(self, now: datetime, limit: int) -> list[PayoutId]:
        """This worker's payouts, and nobody's, whose `due_at` has come; takes none over."""

    async def next_due_at(self) -> datetime | None:
        """The earliest `due_at` of this worker's payouts, and of nobody's."""

    async def armed(self, limit: int) -> list[PayoutId]:
        """Payouts whose live attempt is ARMED: after a crash, perhaps sent and perhaps not."""

    async def by_reference(self, channel: str, reference: str) -> PayoutId | None:
        """Whose attempt a reference names."""

    async def timeline(self, payout_id: PayoutId) -> list[StoredEvent]:
        """All events of a payout, in order."""

    async def feed(
        self, merchant_id: MerchantId | None, after: int, limit: int
    ) -> list[StoredEvent]:
        """Events of a merchant after a feed position, in order, none ever skipped."""

    async def decisions(self, payout_id: PayoutId) -> list[tuple[datetime, bytes]]:
        """Every stored routing decision of a payout, in order."""

    async def evidence(self, payout_id: PayoutId) -> list[tuple[int, Evidence]]:
        """What channels said, by event number."""

    async def use(
        self, day_start: datetime, months: Mapping[str, datetime] | None = None
    ) -> dict[str, ChannelUse]:
        """What every channel carries, by name; `months` says since when each one's month counts."""

    async def arrivals(self, channel: str, limit: int) -> list[tuple[datetime, datetime]]:
        """When money of the channel's latest paid attempts was sent and arrived, newest first."""

    async def merchant_month(
        self, merchant_id: MerchantId, currency: Currency, month_on: date
    ) -> MonthUse:
        """What a merchant asked for in a month (`merchant_fee.month_of`), less what failed."""

    async def counts(self) -> dict[PayoutState, int]:
        """How many payouts stand in each state."""


class SplitStore(Protocol):
    """Several payouts as one instruction."""

    async def accept_split(
        self,
        split: Split,
        changes: Sequence[Change],
        intakes: Sequence[Intake],
        floor_minor: int | None,
    ) -> Split:
        """Store a split with all its legs in one commit, or return the earlier one of the same.

        `intakes`: the split's own, then one for each leg. Raises as `PayoutStore.accept` does.
        """

    async def split(
        self,
        merchant_id: MerchantId | None,
        *,
        split_id: str | None = None,
        merchant_ref: str | None = None,
    ) -> Split | None:
        """One split by its id or the merchant's own number; another merchant's is None."""

    async def legs(self, split: Split) -> list[Payout]:
        """The payouts of a split, by leg."""


class HistoryStore(Protocol):
    """What was decided, and what became of it."""

    async def history(
        self,
        since: datetime | None,
        until: datetime | None,
        after: PayoutId | None,
        limit: int,
    ) -> list[Past]:
        """A page of payouts accepted from `since` on and before `until`, oldest first."""


class LedgerStore(Protocol):
    """Balances and operator postings."""

    async def post(self, posting: Posting, memo: str, key: str, actor: str) -> bool:
        """Book an operator's posting once per `key`; False when that key was booked before."""

    async def balances(
        self, book: Book | None = None, owner: str | None = None
    ) -> list[AccountBalance]:
        """Balances as kept."""

    async def audit(self) -> list[str]:
        """Recompute every balance from the entries; a sentence per account that disagrees."""


class DirectoryStore(Protocol):
    """Merchants, keys, webhook endpoints, channel switches."""

    async def add_merchant(self, merchant: Merchant, actor: str) -> None:
        """Store a new merchant; `ConflictError` when the id is taken."""

    async def merchant(self, merchant_id: MerchantId) -> Merchant | None:
        """One merchant."""

    async def merchants(self) -> list[Merchant]:
        """All merchants by id."""

    async def set_merchant_fee(
        self, merchant_id: MerchantId, fee: MerchantFee, actor: str
    ) -> MerchantFee | None:
        """Charge this for payouts accepted from now on; what was agreed before, None for nobody."""

    async def add_key(self, key: ApiKey, actor: str) -> None:
        """Store a new key."""

    async def key(self, key_id: str) -> ApiKey | None:
        """One key, revoked or not."""

    async def keys(self, merchant_id: MerchantId | None) -> list[ApiKey]:
        """All keys of a merchant, or the operators'."""

    async def revoke_key(self, key_id: str, at: datetime, actor: str) -> bool:
        """Revoke; False when there is no such live key."""

    async def spend_nonce(self, key_id: str, nonce: str, at: datetime, keep_s: int) -> bool:
        """Remember a nonce durably; False when it was seen before. Old ones may be dropped."""

    async def put_endpoint(self, endpoint: Endpoint, actor: str) -> None:
        """Insert or replace a webhook endpoint."""

    async def endpoints(self, merchant_id: MerchantId) -> list[Endpoint]:
        """A merchant's endpoints."""

    async def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """One endpoint."""

    async def set_channel_status(
        self, channel: str, status: ChannelStatus, reason: str, actor: str
    ) -> None:
        """Pause, drain or resume; kept over restarts."""

    async def channel_statuses(self) -> dict[str, tuple[ChannelStatus, str]]:
        """Status and reason of every channel that was ever switched."""


class DialectStore(Protocol):
    """Accounts in other platforms' protocols, and their orders' numbers."""

    async def add_dialect_account(self, account: DialectAccount, actor: str) -> None:
        """Store a new account; `ConflictError` when its public id is taken, removed or not."""

    async def change_dialect_account(
        self, account: DialectAccount, action: str, actor: str
    ) -> None:
        """Store new keys, switches or its removal; `StaleError` when it has changed meanwhile."""

    async def dialect_account(self, dialect: str, public_id: str) -> DialectAccount | None:
        """Who a caller says that it is; removed accounts as well."""

    async def dialect_accounts(self, merchant_id: MerchantId | None) -> list[DialectAccount]:
        """A merchant's accounts, or everybody's; removed ones as well."""

    async def allot_number(self, account_id: str, number: str, own_number: str) -> str | None:
        """The number that we show for one of theirs, for ever; None when the offered one is taken
        by another order."""

    async def dialect_orders(self, account_id: str, wanted: str) -> list[DialectOrder]:
        """Orders of an account by either of their numbers; by theirs first."""

    async def notify_of(self, merchant_id: MerchantId, payout_id: PayoutId) -> Notify | None:
        """Who wants to hear how a payout ends, in another platform's protocol."""

    async def notifies(self, account_id: str, number: str | None, limit: int) -> list[Notify]:
        """An account's orders that are told about, newest first; or the one of their number."""

    async def refused_notify(self, account_id: str) -> Notify | None:
        """The newest order of an account whose address nothing could be sent to."""

    async def claim_payee(
        self,
        merchant_id: MerchantId,
        payee: Instrument,
        amount: Money,
        holder: str,
        *,
        at: datetime,
        before: datetime,
        instead_of: str | None = None,
    ) -> str:
        """Who may pay this amount to this payee now: the asker, or a holder since `before`.

        Of several at once one gets it. `instead_of` names a holder that is known to pay nothing.
        """

    async def drop_claim(
        self, merchant_id: MerchantId, payee: Instrument, amount: Money, holder: str
    ) -> None:
        """The holder's payout was refused and not stored."""

    async def prune_claims(self, before: datetime, limit: int) -> None:
        """Forget claims that are older, the oldest first."""

    async def payouts_to_payee(
        self,
        merchant_id: MerchantId,
        payee: Instrument,
        amount: Money,
        *,
        since: datetime,
        besides: str,
        limit: int,
    ) -> list[PayoutId]:
        """A merchant's payouts of what was asked for as this amount, accepted from `since` on,
        newest first, without the one of the merchant_ref `besides`."""


class SwitchStore(Protocol):
    """What keeps a channel from being used, whoever asks."""

    async def kill(self, kill: Kill) -> bool:
        """Stop a channel, or all; False when it is stopped already.

        Once it returns, no attempt through it can be armed any more, by any process.
        """

    async def revive(self, channel: str, at: datetime, actor: str, person: str, note: str) -> bool:
        """End a kill, in a person's name; False when there is none."""

    async def kills(self, *, open_only: bool) -> list[Kill]:
        """Oldest first."""

    async def has_kill(self, kill_id: str) -> bool:
        """Whether the database knows of it, ended or not."""

    async def add_maintenance(self, planned: Maintenance) -> None:
        """Plan it."""

    async def remove_maintenance(self, planned_id: str, at: datetime, actor: str) -> bool:
        """Plan it no more, or end it; False when there is none."""

    async def maintenance(self, now: datetime) -> list[Maintenance]:
        """What is planned or under way, by its beginning."""


class OwingStore(Protocol):
    """Says what it owes, to whoever sends it."""

    def on_owed(self, told: Callable[[Owed], None] | None) -> None:
        """Have `told` called once a commit of this process may have owed webhooks; None: not.

        Without deliveries it is a hint, which may come for nothing. What another process stored
        comes without, and so may what this one stored: nobody may rest on it.
        """

    async def learn_wanted(self) -> None:
        """Look up what is not known of endpoints, so that hints come for nothing less often."""


class OutboxStore(Protocol):
    """Webhooks owed."""

    async def due_deliveries(self, now: datetime, limit: int) -> list[Delivery]:
        """Deliveries to try now, left to this process for a while where there are others.

        Within one payout and endpoint, lower `seq` first.
        """

    async def delivered(self, delivery_id: str, status: int, at: datetime) -> None:
        """Mark as done."""

    async def delivery_failed(
        self, delivery_id: str, status: int | None, error: str, due_at: datetime | None
    ) -> None:
        """Count a failed try; `due_at` None makes it a dead letter."""

    async def deliveries(
        self, merchant_id: MerchantId, payout_id: PayoutId | None, limit: int
    ) -> list[Delivery]:
        """Newest first."""

    async def resend(self, merchant_id: MerchantId, delivery_id: str, now: datetime) -> bool:
        """Make a delivery due again; False when there is none of that merchant."""


class InboxStore(Protocol):
    """Channel notices, raw."""

    async def keep_notice(
        self, channel: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> int:
        """Store before anything else; returns its id."""

    async def notices(self, limit: int) -> list[StoredNotice]:
        """Unprocessed notices, oldest first."""

    async def notice_done(self, notice_id: int, verdict: str) -> None:
        """Mark as processed with a one-word verdict."""


class StatementStore(Protocol):
    """Statements, line by line, and breaks."""

    async def keep_statement(
        self, channel: str, on: date, lines: Sequence[StatementLine], at: datetime
    ) -> int:
        """Store a complete statement of a day; lines already stored (by line_ref) are kept once.

        Returns how many lines were new.
        """

    async def statement_days(self, channel: str) -> set[date]:
        """Days whose complete statement is stored."""

    async def lines(self, channel: str, on: date) -> list[StatementLine]:
        """The stored lines of a day."""

    async def fees_shown(self, channel: str, attempt: Booked, except_on: date) -> tuple[int, int]:
        """Sum and number of an attempt's fee lines on the stored statements of other days."""

    async def attempts_by_references(
        self, channel: str, references: Sequence[str]
    ) -> dict[str, Booked]:
        """Attempts by our reference or the channel's own; keys are those asked for."""

    async def unsettled(self, channel: str, paid_before: datetime) -> list[Booked]:
        """Confirmed attempts paid before a moment and not yet seen on a statement."""

    async def open_break(self, broken: Break, incident: Incident | None = None) -> bool:
        """Store a break once per channel, day, kind and reference/line; False when known.

        The incident that it is, if any, is opened in the same commit.
        """

    async def doubtful(self, channel: str, signed_before: datetime) -> list[PayoutId]:
        """Payouts with a pending or doubtful attempt there, last signed before a moment."""

    async def suspects(self, attempt: Attempt, amount: Money, days: Sequence[date]) -> int:
        """Lines of stored statements of those days that are, or might be, an attempt's.

        A line under its reference or the channel's is; one that debits the same amount under no
        reference of ours might be.
        """

    async def breaks(self, channel: str | None = None) -> list[Break]:
        """Open breaks, oldest first."""


class AuditStore(Protocol):
    """The tamper-evident log over events and directory changes."""

    async def sequence(self, limit: int) -> int:
        """Log up to `limit` committed rows of either table; returns how many, 0 when none is left.

        Raises `StaleError` when another process was faster: try again later.
        """

    async def log_state(self, size: int | None = None) -> LogState:
        """The log now, or as it was at a size. Raises `StoreError` when leaves are missing."""

    async def prove_inclusion(self, positions: Iterable[int], size: int) -> list[list[bytes]]:
        """For each leaf its path to the root over `size` leaves (RFC 6962, 2.1.1)."""

    async def prove_consistency(self, old: int, new: int) -> list[bytes]:
        """That the log of `new` leaves only added to the one of `old` (RFC 6962, 2.1.2)."""

    async def deeds_of(self, payout: Payout) -> list[LoggedDeed]:
        """A payout's events as the log commits to them, in order."""

    async def explain_restore(self, note: str, reason: str, actor: str) -> None:
        """Somebody says that the log lacks what `note` signed because the database was restored."""

    async def is_explained(self, note: str) -> bool:
        """Whether somebody has said so of this note."""

    async def keep_checkpoint(self, size: int, at: datetime, note: str) -> None:
        """Store a signed checkpoint."""

    async def checkpoints(self, limit: int, before: datetime | None = None) -> list[KeptCheckpoint]:
        """Stored checkpoints, newest first."""

    async def log_lines(self, first: int, limit: int) -> list[LogLine]:
        """Leaves from a position on, each with what its row says now."""

    async def log_subtrees(self, height: int, first: int, beyond: int) -> dict[int, bytes]:
        """Stored subtree roots of a height, by number."""

    async def not_logged(self, limit: int) -> list[tuple[Origin, int, str]]:
        """Rows that stand behind the last logged one and have no leaf: table, feed, subject."""

    async def payouts_gone(self, limit: int) -> list[PayoutId]:
        """Payouts that have events and no row any more."""

    async def check_states(self, before_id: PayoutId | None, limit: int) -> list[StateCheck]:
        """A page of payouts, newest first, against what their events committed to."""


class RestoreStore(Protocol):
    """Knowing that one was restored, and not sending until what was forgotten is known again."""

    async def position(self) -> Position:
        """How far the database has come."""

    async def leap_feed(self, past: int) -> None:
        """Give out event positions beyond this one only: those before it may have been read."""

    async def last_event_at(self) -> datetime | None:
        """When its newest event happened."""

    async def quarantine(self) -> Quarantine | None:
        """The newest quarantine, ended or not; None when there never was one."""

    async def begin_quarantine(
        self, cause: str, backup_at: datetime, at: datetime, actor: str
    ) -> Quarantine:
        """Begin one, in place of any that is open; one that began within a minute is the same."""

    async def end_quarantine(self, quarantine: int, at: datetime, actor: str) -> bool:
        """End it; False when it has ended already."""

    async def mark_rebuilt(self, quarantine: int, payout_id: PayoutId, at: datetime) -> None:
        """The channels have told all there is about this payout."""

    async def is_rebuilt(self, quarantine: int, payout_id: PayoutId) -> bool:
        """Whether they have."""

    async def to_rebuild(
        self, quarantine: int, after: PayoutId | None, limit: int
    ) -> list[PayoutId]:
        """Payouts that may still be sent and are not rebuilt, by id."""

    async def count_to_rebuild(self, quarantine: int) -> int:
        """How many there are."""

    async def unfinished(self, after: PayoutId | None, limit: int) -> list[PayoutId]:
        """Payouts that may still be sent, by id."""

    async def waive(
        self, quarantine: int, channel: str, reason: str, actor: str, at: datetime
    ) -> Waiver:
        """Ask for a waiver, or agree to the one another person asked for."""

    async def waivers(self, quarantine: int) -> list[Waiver]:
        """Those asked for, by channel."""

    async def days_of_references(self, channel: str, references: Sequence[str]) -> dict[str, date]:
        """On which day's stored statement each reference was paid, if on any."""

    async def ledger_faults(self, after_feed: int | None) -> list[str]:
        """What does not add up, true at any moment: postings since a position and the trial
        balance; with None every posting and account."""

    async def backup(self, file: Path, at: datetime) -> Backup:
        """Write a consistent copy to a new file, checked, while all goes on.

        Raises `StoreError` where copying is the database's own affair (PostgreSQL).
        """


class IncidentStore(Protocol):
    """Incidents, proposals of two people, and dead attempts under watch."""

    async def incidents(self, *, open_only: bool) -> list[Incident]:
        """Oldest first."""

    async def incident(self, incident_id: str) -> Incident | None:
        """One incident."""

    async def frozen(self) -> dict[str, str]:
        """Channels whose failover is frozen now, and by which incident; the shared truth."""

    async def open_bank_incident(self, incident: Incident) -> bool:
        """Open it unless that bank has an open one; False then."""

    async def release_incident(self, incident_id: str, at: datetime, by: str, note: str) -> bool:
        """Close it; False when there is no such open one. Leaves an audit row."""

    async def propose(self, proposal: Proposal) -> None:
        """Store an open proposal; `ConflictError` when its payout has one already."""

    async def proposals(
        self, *, open_only: bool, payout_id: PayoutId | None = None
    ) -> list[Proposal]:
        """Newest first."""

    async def reject_proposal(
        self, proposal_id: str, at: datetime, checker: str, person: str, note: str
    ) -> bool:
        """Close it without a certificate; False when it is not open any more."""

    async def canary(self, channel: str, paid_after: datetime) -> tuple[PayoutId, int] | None:
        """The attempt paid last on a channel, if that is recent enough to be found still."""

    async def due_watches(self, now: datetime, limit: int) -> list[Watch]:
        """Dead attempts to ask about now, oldest first."""

    async def claim_watch(self, watch: Watch, until: datetime) -> bool:
        """Keep others from asking until then; False when somebody else has it."""

    async def watched(self, watch: Watch, due_at: datetime | None) -> None:
        """The channel was asked and has answered; None: never again."""


class ArchiveStore(Protocol):
    """What ended payouts no longer need at hand, and the files that took it over."""

    async def archivable(
        self, before: datetime, after: PayoutId | None, limit: int
    ) -> list[tuple[MerchantId, PayoutId]]:
        """Payouts that ended before a moment and that nothing waits for, by id."""

    async def bulk_of(self, found: Sequence[tuple[MerchantId, PayoutId]]) -> list[Bulk]:
        """Their decisions and finished webhooks."""

    async def keep_archive(self, archive: Archive) -> None:
        """Remember a file that was written and read back; leaves an audit row with its hash."""

    async def clear(self, archive_id: str, bulks: Sequence[Bulk]) -> None:
        """Let go of what the archive holds of some payouts, in one commit; safe to repeat."""

    async def close_archive(self, archive_id: str, at: datetime) -> None:
        """All that is in it has gone."""

    async def open_archive(self) -> Archive | None:
        """The one that is not cleared yet; None when there is none."""

    async def archives(self, limit: int) -> list[Archive]:
        """Newest first."""

    async def archive_of(self, merchant_id: MerchantId, payout_id: PayoutId) -> Archive | None:
        """Where a payout's decisions and webhooks have gone; None while they are here."""


class FloatStore(Protocol):
    """What institutions say is on our accounts, and receipts they issued."""

    async def float_extent(self, channel: str, currency: Currency) -> Extent:
        """What may lie on a channel's account by our books, at one moment."""

    async def channel_balances(self) -> dict[str, KeptBalance]:
        """What each institution said last, by channel."""

    async def keep_channel_balance(self, kept: KeptBalance) -> None:
        """In place of what was kept before."""

    async def open_float_incident(self, incident: Incident) -> bool:
        """Open it unless that channel's float has an open one; False then."""

    async def close_float_incident(self, channel: str, at: datetime, by: str, note: str) -> bool:
        """Close a channel's; False when there is none. Leaves an audit row."""

    async def note_receipt(self, payout_id: str, channel: str, digest: str, actor: str) -> None:
        """Leave an audit row: somebody was handed the institution's receipt of a payout."""


class PolicyStore(Protocol):
    """Policies, what people did with them, and what a shadow would have decided."""

    async def record_acts(self, acts: Sequence[Act], policy: StoredPolicy | None = None) -> None:
        """Commit acts, with the policy that the first is about if it is not stored yet.

        Raises `StaleError` when somebody else has acted since they were decided. Leaves audit rows.
        """

    async def policy_acts(self, first: int) -> list[Act]:
        """Acts from a number on, in order."""

    async def stored_policy(self, policy_hash: str) -> StoredPolicy | None:
        """One policy by its whole hash."""

    async def stored_policies(self, limit: int) -> list[StoredPolicy]:
        """Newest first."""

    async def shadow_cells(self, change_id: str) -> list[ShadowCell]:
        """What a shadow would have chosen instead, by pair of channels."""


class PlanStore(Protocol):
    """Plans of a month's shares, and the volumes they are made from."""

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan for all replicas to follow; leaves an audit row."""

    async def newest_plan_id(self, currency: str) -> str | None:
        """Which plan is to be followed; cheap."""

    async def newest_plan(self, currency: str) -> StoredPlan | None:
        """The plan to be followed."""

    async def plans(self, limit: int) -> list[StoredPlan]:
        """Newest first."""

    async def plan_volumes(
        self, currency: str, since: datetime, until: datetime
    ) -> list[PlanVolume]:
        """What channels were given from `since` until before `until`, what died not counted."""

    async def plan_hours(self, currency: str, since: datetime, until: datetime) -> tuple[int, ...]:
        """How many payouts went out in each of the 24 local hours, over all days."""


class BatchStore(Protocol):
    """Batches of payouts and their rows; a row is accepted with its payout (`Intake.row`)."""

    async def put_batch(self, batch: Batch) -> Batch:
        """Store a new batch, or return the earlier one of the same key and content.

        Raises `ConflictError` for the same key with another content, or the same content with
        another key while the batch of it was not refused. Leaves an audit row.
        """

    async def put_rows(self, batch: Batch, rows: Sequence[BatchRow]) -> None:
        """Store some rows; those that are stored already stay as they are."""

    async def move_batch(
        self,
        batch: Batch,
        to: BatchState,
        refused: Refused | None = None,
        actor: str | None = None,
    ) -> Batch:
        """Move it on, guarded by its state. Raises `StaleError` when it has moved on.

        `actor`: who, unless it is whoever uploaded it.
        """

    async def reserve_batch(self, batch: Batch, floor_minor: int | None) -> Batch:
        """Hold the whole sum of its waiting rows and go on to accepting, in one commit.

        Raises `UnfundedError` and `StaleError`.
        """

    async def refuse_undone(self, batch: Batch) -> Batch:
        """Give back what no row took, and end the batch, in one commit."""

    async def refuse_rows(self, batch: Batch, found: Iterable[tuple[int, Refused]]) -> None:
        """Say of waiting rows why they are not taken."""

    async def undo_row(self, batch: Batch, number: int) -> None:
        """Its payout was cancelled."""

    async def release_rows(self, batch: Batch, first: int, last: int) -> None:
        """Make due the payouts of the rows after `first` until `last`; safe to repeat."""

    async def batch(self, batch_id: str, merchant_id: MerchantId | None = None) -> Batch | None:
        """One batch; another merchant's is None."""

    async def batches(
        self,
        merchant_id: MerchantId | None,
        before_id: str | None,
        limit: int,
        *,
        state: BatchState | None = None,
    ) -> list[Batch]:
        """A page, newest first."""

    async def batches_under_way(self) -> list[str]:
        """Those to go on with, oldest first."""

    async def batches_cut_off(self, before: datetime) -> list[str]:
        """Those still being stored that were begun before."""

    async def open_batch_of(self, payout: Payout) -> str | None:
        """The batch it must wait for, as that may still be undone; None when there is none."""

    async def batch_rows(
        self,
        batch: Batch,
        after: int,
        limit: int,
        *,
        state: RowState | None = None,
        payout_state: PayoutState | None = None,
    ) -> list[BatchRow]:
        """Rows behind a number, in order."""

    async def batch_counts(self, batch: Batch) -> list[BatchCount]:
        """How many rows stand how."""

    async def taken_refs(self, batch: Batch) -> list[int]:
        """Waiting rows whose merchant_ref some payout has already."""


class CalendarStore(Protocol):
    """What people say of days, over the published calendar; never changed, the newest holds."""

    async def calendar_mark(self) -> tuple[int, int]:
        """Moves whenever somebody has said something; cheap enough for every second."""

    async def calendar_days(self) -> list[CalendarDay]:
        """What was said last of each day, by day."""

    async def calendar_years(self) -> list[CalendarYear]:
        """Years declared complete."""

    async def set_calendar(
        self,
        days: Sequence[tuple[date, bool]],
        note: str,
        actor: str,
        at: datetime,
        complete: int | None = None,
    ) -> None:
        """Say of days that they are worked or not, all at once; `complete` names a year of which
        every day is now given. Leaves an audit row."""


class WorkerStore(Protocol):
    """Who works on what, where several processes share the database; trivial where one owns it."""

    @property
    def worker(self) -> int | None:
        """This process's number; 0 where it is the only one (and before `join`).

        None while it is detached: it lost its lock session, so others may take over. No I/O.
        """

    async def join(self, told: Callable[[Nudge], None]) -> None:
        """Take part from now on, also after losses; `told` gets what other workers pass on."""

    async def leave(self) -> None:
        """Give everything back and take part no more."""

    async def claim(self, now: datetime, limit: int) -> list[Claim]:
        """Due payouts of this worker, oldest first, those included that it takes over here."""

    async def take(self, payout_id: PayoutId) -> bool:
        """Take one payout over, due or not; False while another worker has it."""

    async def nudge(self, worker: int, nudge: Nudge) -> None:
        """Have another worker look at its payout; a hint that may be lost."""

    def fence(self) -> Fence:
        """Taken before an arm is asked for, shown before its bytes leave. No I/O."""

    def holds(self, fence: Fence) -> bool:
        """Whether bytes armed under it may leave now: nobody can have taken over. No I/O."""

    def turn(self, job: str) -> AbstractAsyncContextManager[bool]:
        """Whether this process does a job now that one at a time should do."""

    async def standby(self) -> Standby:
        """Whether the loss of the database server would lose what was acknowledged."""


class Store(
    PayoutStore,
    HistoryStore,
    LedgerStore,
    DirectoryStore,
    OutboxStore,
    OwingStore,
    InboxStore,
    SplitStore,
    StatementStore,
    AuditStore,
    RestoreStore,
    IncidentStore,
    FloatStore,
    ArchiveStore,
    PolicyStore,
    CalendarStore,
    SwitchStore,
    WorkerStore,
    PlanStore,
    BatchStore,
    DialectStore,
    Protocol,
):
    """Everything durable, in one database."""

    @property
    def broken(self) -> str | None:
        """Why no write is taken any more (`StoreBrokenError`); None while all is well. No I/O."""

    async def healthy(self) -> bool:
        """Whether a write would go through now."""

    async def aclose(self) -> None:
        """Finish what was begun and close."""
