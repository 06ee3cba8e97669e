"""The contract between the gateway and every channel: values in, values out, one Protocol.

A channel is a configured account at an institution; its adapter translates these values to the
institution's wire and back. Answers are *returned* as an `Outcome`, never raised, so that no
exception path can turn "cannot tell" into "failed". Everything here is immutable and free of I/O.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from channels.money import Currency, Money
from channels.unprinted import Unprinted


class Rail(StrEnum):
    """How a beneficiary can be reached."""

    ALIPAY = "alipay"
    WECHAT = "wechat"
    BANK_CARD = "bank_card"
    BANK_ACCOUNT = "bank_account"
    WIRE = "wire"
    CHAIN = "chain"


class AlipayIdentity(StrEnum):
    """Which kind of Alipay identity is given (uni.transfer `payee_info.identity_type`)."""

    USER_ID = "user_id"
    LOGON_ID = "logon_id"
    OPEN_ID = "open_id"


@dataclass(frozen=True, slots=True)
class AlipayAccount:
    """An Alipay balance; `name` is checked when given, and mandatory for a logon id."""

    identity: str = field(repr=False)
    identity_type: AlipayIdentity
    name: str | None = field(default=None, repr=False)
    rail: Literal[Rail.ALIPAY] = field(default=Rail.ALIPAY, init=False)


@dataclass(frozen=True, slots=True)
class WechatWallet:
    """A WeChat balance. An openid belongs to one appid; a channel with another appid refuses it."""

    openid: str = field(repr=False)
    appid: str | None = None
    name: str | None = field(default=None, repr=False)
    rail: Literal[Rail.WECHAT] = field(default=Rail.WECHAT, init=False)


@dataclass(frozen=True, slots=True)
class BankCard:
    """A personal bank card. `bank_code` is the institution's short code (ICBC, CCB …) if known."""

    number: str = field(repr=False)
    name: str = field(repr=False)
    bank_code: str | None = None
    bank_name: str | None = None
    rail: Literal[Rail.BANK_CARD] = field(default=Rail.BANK_CARD, init=False)


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A corporate account. `bank_code` is the 12-digit CNAPS line number of its branch."""

    number: str = field(repr=False)
    name: str = field(repr=False)
    bank_code: str
    bank_name: str
    branch_name: str | None = None
    province: str | None = None
    city: str | None = None
    rail: Literal[Rail.BANK_ACCOUNT] = field(default=Rail.BANK_ACCOUNT, init=False)


@dataclass(frozen=True, slots=True)
class WireAccount:
    """A bank account abroad, registered beforehand with the institution that pays to it.

    `account_id` is the id which that institution gave the registration; another one refuses it.
    """

    account_id: str = field(repr=False)
    name: str = field(repr=False)
    rail: Literal[Rail.WIRE] = field(default=Rail.WIRE, init=False)


@dataclass(frozen=True, slots=True)
class ChainAddress:
    """An address on a blockchain, registered beforehand with the institution that pays to it."""

    address: str = field(repr=False)
    chain: str
    """The institution's code of the chain: ETH, SOL, BASE …"""
    recipient_id: str | None = field(default=None, repr=False)
    """The id of its entry in the institution's address book, where the institution has one."""
    name: str | None = field(default=None, repr=False)
    rail: Literal[Rail.CHAIN] = field(default=Rail.CHAIN, init=False)


Instrument = AlipayAccount | WechatWallet | BankCard | BankAccount | WireAccount | ChainAddress
"""One way to reach a beneficiary; a beneficiary may have several."""

INSTRUMENTS: Mapping[Rail, type[Instrument]] = {
    Rail.ALIPAY: AlipayAccount,
    Rail.WECHAT: WechatWallet,
    Rail.BANK_CARD: BankCard,
    Rail.BANK_ACCOUNT: BankAccount,
    Rail.WIRE: WireAccount,
    Rail.CHAIN: ChainAddress,
}


class Instruction(Struct, frozen=True):
    """One try to pay, as told to a channel. The same attempt always makes the same instruction."""

    attempt_id: str
    reference: str
    """Ours at this channel: unique per channel account for ever, within `Traits.reference`."""
    amount: Money
    instrument: Instrument
    purpose: str
    """What the beneficiary sees (order title, remark); already checked for control characters."""
    notify_url: str | None = None
    """Where this channel shall send notices, if it takes the address per request."""


class Problem(Struct, frozen=True):
    """Why a channel could never carry an instruction: the field at fault and a sentence on it."""

    field: str
    message: str


# --- What a channel is -----------------------------------------------------------------------


class ReferenceRule(Struct, frozen=True):
    """What a channel accepts as our reference."""

    alphabet: str
    """Every character allowed, e.g. digits and letters."""
    length_min: int
    length_max: int

    def fits(self, reference: str) -> bool:
        """Whether a reference is as long as it may be, and of these characters alone."""
        # What is left when all of them are taken off both ends has one that is not allowed.
        return self.length_min <= len(reference) <= self.length_max and not reference.strip(
            self.alphabet
        )


class TariffTier(Struct, frozen=True):
    """Terms from a month's use of `floor` on: payouts or minor units, by the tariff's `basis`."""

    floor: int
    flat_minor: int = 0
    rate_ppm: int = 0


class TariffCommitment(Struct, frozen=True):
    """A promised month: minor units for each missing payout, or ppm of the missing money."""

    least: int
    shortfall: int


class Tariff(Struct, frozen=True):
    """What the institution charges for a payout sent on the local day `start_on` or later.

    With `tiers`, flat and rate come from the tier that the month has reached; `policies.fees` says
    what each field means and computes with them.
    """

    flat_minor: int = 0
    rate_ppm: int = 0
    min_minor: int = 0
    max_minor: int | None = None
    surcharge_ppm: int = 0
    mode: Literal["on_top", "deducted"] = "on_top"
    """Whether the fee leaves our float beside the amount, or is kept back from the amount."""
    tiers: tuple[TariffTier, ...] = ()
    basis: Literal["payouts", "amount"] = "payouts"
    scheme: Literal["all_units", "incremental"] = "incremental"
    commitment: TariffCommitment | None = None
    start_on: date = date.min


class Cycle(Struct, frozen=True):
    """When money given to the channel arrives: `days` after the day it was sent before `cutoff`."""

    days: int = 0
    calendar: Literal["natural", "cn_statutory", "cn_no_makeup"] = "natural"
    cutoff: time = time(23, 59, 59)
    timezone: str = "Asia/Shanghai"


class Window(Struct, frozen=True):
    """Local opening hours; `closes` before `opens` means the window crosses midnight."""

    opens: time
    closes: time


class Terms(Struct, frozen=True):
    """What the operator's contract with the institution says; comes from configuration."""

    currency: Currency
    amount_min: int
    amount_max: int
    tariffs: tuple[Tariff, ...] = ()
    """By rising dates; before the first one, and with none, the channel has no price and takes no
    payouts. A free channel says so with an empty `Tariff()`."""
    cycle: Cycle = Cycle()
    hours: tuple[Window, ...] = ()
    """Empty means always open."""
    day_cap_minor: int | None = None
    inflight_max: int = 64
    in_doubt_max: int = 200
    """At this many unanswered payouts the channel takes no new ones."""


class Resend(Struct, frozen=True):
    """Whether the channel honours a second send of the same reference, and for how long.

    Only channels whose specification promises it get one (reliability.md §4.4).
    """

    window_s: int
    """Counted from the first send."""
    quiet_s: int = 60
    """How long after a send to leave the channel alone: two requests under one number at the same
    moment have been paid twice (dialects.md §5, 14)."""
    answers: bool = False
    """The repeated request is itself the question: nothing can be looked up by our reference, and
    a repetition is answered with what became of the original. Then doubt alone is reason enough,
    and nothing has to be found absent first; but only the very bytes that were armed are sent
    again, for with others under the same reference all promises end."""


class Finality(Struct, frozen=True):
    """That a complete statement shows every payout of its day, so that a missing one never was.

    Given only to channels whose file proves its own completeness (totals, digest). It becomes
    certificate C6 only together with an acceptance window: without one, bytes that a paused process
    still holds could be taken in after any statement.
    """

    grace_days: int = 1
    """Statements of so many further days must be complete as well: a booking may slip."""


class Expiry(Struct, frozen=True):
    """That an instruction carries its own end, after which the ledger of record refuses it (C4).

    Chains only: `Prepared.not_after` is then part of what was signed.
    """

    nodes_min: int = 2
    """So many independent nodes must agree that history is final past that end."""


class Profile(Struct, frozen=True):
    """What a channel's silence may prove, and from when on (reliability.md §4.3 and §4.4).

    The default is *sticky*: silence proves nothing, only words, statements and people do.
    """

    acceptance_window_s: int | None = None
    """How long the channel still accepts a request after it was signed; None when not known."""
    dwell_s: int = 0
    """How long a request that was accepted may rest before it can be found or booked."""
    visibility_lag_s: int = 0
    """How far inquiries may be behind what has happened, at the worst."""
    skew_s: int = 60
    """How far the channel's clock and ours may differ."""
    refusal_lag_s: int = 300
    """How far apart the two looks must be, at least, that complete a refusal which asks for a look
    (`Rejected.confirm`): so long the look may miss what was carried out in spite of the refusal."""
    escalate_after_s: int = 4 * 3600
    """For how long nobody may know what became of an attempt before a person must look; one that
    the channel confirms to have may rest for `dwell_s` longer (reliability.md §4.4, table)."""
    absence_proves: bool = False
    """Whether "not found" may, after all of these have passed, prove that no money moved (C5)."""
    finality: Finality | None = None
    """None: absence from statements proves nothing either (C6)."""
    expiry: Expiry | None = None
    """None: instructions do not expire by construction (C4)."""


STICKY = Profile()
"""The profile of a channel of which nothing better is proven."""


class Traits(Struct, frozen=True):
    """Constants of a configured channel: what its protocol promises, and its contract terms."""

    kind: str
    rails: frozenset[Rail]
    terms: Terms
    reference: ReferenceRule
    resend: Resend | None
    """None: an attempt in doubt is only ever inquired about."""
    inquire_first_s: int
    inquire_max_s: int
    inquire_horizon_days: int | None
    """The channel forgets older payouts; a person must look before then."""
    sends_per_s: int | None
    name_required_from_minor: int | None
    """From this amount the beneficiary's name is mandatory."""
    notices: bool
    statement: bool
    statement_ready: time | None
    """Local time on the next day from which the statement of a day can be fetched."""
    payee_confirms: bool
    """Whether the beneficiary has to act before money moves (WeChat's confirmation page)."""
    inquires_by_time: bool = False
    """Whether a payout is found only by our reference *and* the time it was signed. Without that
    very time, as after a restore, "not found" says nothing at all."""
    profile: Profile = STICKY
    notices_in_query: bool = False
    """Whether its notices come in the query string of the address; others have none."""


# --- What a channel answers ------------------------------------------------------------------


class Fault(StrEnum):
    """Who caused a rejection; only `CHANNEL` counts against a channel's health."""

    BENEFICIARY = "beneficiary"
    INSTRUCTION = "instruction"
    CHANNEL = "channel"
    OPERATOR = "operator"


class Elsewhere(StrEnum):
    """Where the payout may be tried after a proven failure."""

    ANY = "any"
    OTHER_INSTRUMENT = "other_instrument"
    NEVER = "never"


class Reason(StrEnum):
    """Why money did not move, or came back. Closed: a code no table knows is `Unknown`."""

    PAYEE_NOT_FOUND = "payee_not_found"
    PAYEE_NAME_MISMATCH = "payee_name_mismatch"
    PAYEE_BLOCKED = "payee_blocked"
    PAYEE_UNVERIFIED = "payee_unverified"
    PAYEE_LIMIT = "payee_limit"
    PAYEE_DECLINED = "payee_declined"
    PAYEE_EXPIRED = "payee_expired"
    INSTRUMENT_INVALID = "instrument_invalid"
    AMOUNT_BELOW_MINIMUM = "amount_below_minimum"
    AMOUNT_ABOVE_MAXIMUM = "amount_above_maximum"
    PURPOSE_REFUSED = "purpose_refused"
    PARAMETER_REFUSED = "parameter_refused"
    RISK_REFUSED = "risk_refused"
    FLOAT_SHORT = "float_short"
    QUOTA_EXHAUSTED = "quota_exhausted"
    ACCOUNT_SUSPENDED = "account_suspended"
    NOT_PERMITTED = "not_permitted"
    SIGNATURE_REFUSED = "signature_refused"
    RAIL_DOWN = "rail_down"
    OUTSIDE_HOURS = "outside_hours"
    THROTTLED = "throttled"
    NEVER_SENT = "never_sent"
    RECALLED = "recalled"
    BANK_RETURNED = "bank_returned"
    NEVER_ARRIVED = "never_arrived"
    """The channel was sent it and provably never carried it out (certificates C4, C5, C6)."""
    UNEXPLAINED = "unexplained"
    """The channel proves that no money moved and gives a cause that no table knows."""

    @property
    def fault(self) -> Fault:
        """Who caused it."""
        return _REASONS[self][0]

    @property
    def elsewhere(self) -> Elsewhere:
        """Where another attempt has a chance."""
        return _REASONS[self][1]


_REASONS: Mapping[Reason, tuple[Fault, Elsewhere]] = {
    Reason.PAYEE_NOT_FOUND: (Fault.BENEFICIARY, Elsewhere.OTHER_INSTRUMENT),
    Reason.PAYEE_NAME_MISMATCH: (Fault.BENEFICIARY, Elsewhere.OTHER_INSTRUMENT),
    Reason.PAYEE_BLOCKED: (Fault.BENEFICIARY, Elsewhere.OTHER_INSTRUMENT),
    Reason.PAYEE_UNVERIFIED: (Fault.BENEFICIARY, Elsewhere.OTHER_INSTRUMENT),
    Reason.PAYEE_LIMIT: (Fault.BENEFICIARY, Elsewhere.OTHER_INSTRUMENT),
    Reason.PAYEE_DECLINED: (Fault.BENEFICIARY, Elsewhere.NEVER),
    Reason.PAYEE_EXPIRED: (Fault.BENEFICIARY, Elsewhere.OTHER_INSTRUMENT),
    Reason.INSTRUMENT_INVALID: (Fault.BENEFICIARY, Elsewhere.OTHER_INSTRUMENT),
    Reason.AMOUNT_BELOW_MINIMUM: (Fault.INSTRUCTION, Elsewhere.ANY),
    Reason.AMOUNT_ABOVE_MAXIMUM: (Fault.INSTRUCTION, Elsewhere.ANY),
    Reason.PURPOSE_REFUSED: (Fault.INSTRUCTION, Elsewhere.ANY),
    Reason.PARAMETER_REFUSED: (Fault.INSTRUCTION, Elsewhere.ANY),
    Reason.RISK_REFUSED: (Fault.INSTRUCTION, Elsewhere.ANY),
    Reason.FLOAT_SHORT: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.QUOTA_EXHAUSTED: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.ACCOUNT_SUSPENDED: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.NOT_PERMITTED: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.SIGNATURE_REFUSED: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.RAIL_DOWN: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.OUTSIDE_HOURS: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.THROTTLED: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.NEVER_SENT: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.NEVER_ARRIVED: (Fault.CHANNEL, Elsewhere.ANY),
    Reason.RECALLED: (Fault.OPERATOR, Elsewhere.NEVER),
    Reason.BANK_RETURNED: (Fault.BENEFICIARY, Elsewhere.NEVER),
    Reason.UNEXPLAINED: (Fault.BENEFICIARY, Elsewhere.NEVER),
}


class NotSentCause(StrEnum):
    """How we know that no byte of the request reached the peer."""

    DNS = "dns"
    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    POOL_WAIT = "pool_wait"
    UNREACHABLE = "unreachable"
    PREPARE = "prepare"
    """The adapter could not build or was told not to send; nothing was tried."""


class UnknownCause(StrEnum):
    """Why we cannot tell whether money moved."""

    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    CANCELLED = "cancelled"
    CRASHED = "crashed"
    """The process died between arming and the answer."""
    UNREADABLE = "unreadable"
    BAD_SIGNATURE = "bad_signature"
    MISMATCH = "mismatch"
    """The answer names another reference, amount, currency or payee."""
    UNKNOWN_CODE = "unknown_code"
    UNKNOWN_STATE = "unknown_state"
    CHANNEL_UNSURE = "channel_unsure"
    """The channel itself says it does not know (SYSTEM_ERROR, DEALING without a record …)."""
    THROTTLED = "throttled"
    """The channel says the request was not taken in; same bytes may be sent again later."""


class Evidence(Unprinted, frozen=True):
    """What the peer actually said, for a person and for the record; may hold payee data."""

    hidden = frozenset({"message", "body"})

    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    body: bytes = b""
    """At most the first 4 KiB; stored encrypted."""


class PayeeAction(Struct, frozen=True):
    """What the beneficiary must do before the money moves."""

    kind: Literal["wechat_confirm", "open_link"]
    """`open_link`: the beneficiary opens the address in `package_info`."""
    package_info: str
    expires_at: datetime
    app_id: str | None = None
    """`wechat_confirm`: the application in which WeChat's own page is opened …"""
    mch_id: str | None = None
    """… and the merchant who pays; without both only their owner can open it."""


class NotSent(Struct, frozen=True):
    """Nothing left this process; another try here or elsewhere is safe."""

    cause: NotSentCause
    detail: str = ""


class Rejected(Struct, frozen=True):
    """The channel says, verifiably, that no money moved and none will.

    With `confirm` the wording is definite but the specification asks for a look first: it counts
    only once inquiries by our reference have found a failed payout, or none, twice and
    `Profile.refusal_lag_s` apart. One that names an order (`channel_ref`) needs the failed one.
    """

    reason: Reason
    code: str
    message: str = ""
    confirm: bool = False
    channel_ref: str | None = None


class Pending(Struct, frozen=True):
    """The channel has it. `stage` is the channel's own word for where it stands."""

    channel_ref: str | None
    stage: str = ""
    action: PayeeAction | None = None


class Unknown(Struct, frozen=True):
    """Cannot tell. Only inquiries, or a resend where the traits allow it, may follow."""

    cause: UnknownCause
    evidence: Evidence = Evidence()


class Paid(Struct, frozen=True):
    """The channel says the money reached the beneficiary; reference, amount and payee matched."""

    channel_ref: str
    at: datetime
    fee: Money | None = None


class Returned(Struct, frozen=True):
    """The money came back after it had been paid (退票)."""

    channel_ref: str | None
    at: datetime
    amount: Money
    reason: Reason = Reason.BANK_RETURNED


class History(Struct, frozen=True):
    """How far a ledger of record is final, as several nodes agree; for chain channels only."""

    final_at: datetime
    """The ledger's own time up to which nothing can be added any more, at the slowest node."""
    nodes: int
    """How many independent nodes said so and found nothing."""


class Absent(Struct, frozen=True):
    """The channel, verifiably, finds no payout under our reference. Never by itself a failure."""

    evidence: Evidence = Evidence()
    history: History | None = None
    """Set when complete, final history was searched; then it may prove expiry (C4)."""


Outcome = NotSent | Rejected | Pending | Unknown | Paid | Returned


class Prepared(Unprinted, frozen=True):
    """A signed request, complete to the last byte; sending it needs no key and no decision."""

    hidden = frozenset({"headers", "body"})

    instruction: Instruction
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    digest: str
    """SHA-256 (hex) over URL, headers and body: names exactly what was armed."""
    signed_at: datetime
    not_after: datetime | None
    """The latest moment at which sending these bytes still makes sense to the channel."""


class Request(Unprinted, frozen=True):
    """What goes over the wire, to the byte."""

    hidden = frozenset({"headers", "body"})

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over URL LF, each header as `name: value` LF, LF, body."""
        head = "".join(f"{name}: {value}\n" for name, value in self.headers)
        return hashlib.sha256(f"{self.url}\n{head}\n".encode() + self.body).hexdigest()

    def prepared(
        self, instruction: Instruction, signed_at: datetime, *, not_after: datetime | None = None
    ) -> Prepared:
        """The same, as the attempt that it carries out."""
        return Prepared(
            instruction=instruction,
            url=self.url,
            headers=self.headers,
            body=self.body,
            digest=self.digest,
            signed_at=signed_at,
            not_after=not_after,
        )


class Inquiry(Struct, frozen=True):
    """What an inquiry may use and must compare the answer with."""

    reference: str
    amount: Money
    instrument: Instrument
    sent_at: datetime
    channel_ref: str | None = None

    @classmethod
    def about(cls, prepared: Prepared) -> "Inquiry":
        """What the answer to the request itself must be compared with."""
        sent = prepared.instruction
        return cls(sent.reference, sent.amount, sent.instrument, prepared.signed_at)


NOTICE_QUERY = ":query"
"""The name under which a notice's query string stands among its headers; no header can have it."""


class NoticeReply(Struct, frozen=True):
    """What the channel expects to hear back, to the byte."""

    status: int
    content_type: str
    body: bytes


class Notice(Struct, frozen=True):
    """A verified message from the channel. It names a payout; it never changes one by itself."""

    notice_id: str
    """The channel's own id of the message; equal for its duplicates."""
    reference: str
    """Ours; empty where the channel names its payouts by `channel_ref` alone."""
    channel_ref: str | None
    event: str
    reply: NoticeReply


class NoticeRefused(Struct, frozen=True):
    """Not proven to come from the channel, or not readable; `reply` tells it so."""

    cause: str
    reply: NoticeReply


class LineKind(StrEnum):
    """What a statement line is about."""

    PAYOUT = "payout"
    RETURN = "return"
    FEE = "fee"
    OTHER = "other"


class StatementLine(Unprinted, frozen=True):
    """One movement on our account as the institution booked it."""

    hidden = frozenset({"memo"})

    kind: LineKind
    amount: Money
    """Always positive; `kind` and `credit` say the direction."""
    credit: bool
    booked_at: datetime
    reference: str | None
    channel_ref: str | None
    line_ref: str
    """The institution's serial number of the movement: unique within the account."""
    memo: str = ""


class Balance(Struct, frozen=True):
    """What the institution says is on our account."""

    available: Money
    at: datetime


class Receipt(Unprinted, frozen=True):
    """Proof of a payment as the institution issues it (电子回单), to hand to a beneficiary."""

    hidden = frozenset({"body"})

    content_type: str
    body: bytes
    filename: str


class Credential(Struct, frozen=True):
    """A key or certificate a channel works with, without anything secret."""

    name: str
    """The key of the channel's settings it comes from, e.g. `private_key_file`."""
    holder: Literal["ours", "theirs"]
    fingerprint: str
    """SHA-256 of the public key (SPKI, DER; hex), or of a shared secret's salted form: equal for
    equal credentials, useless to whoever reads it."""
    not_after: datetime | None = None
    """When it expires; None for bare keys."""


class ChannelError(Exception):
    """A read (statement, balance, recall) could not be answered; money is not in question."""


class ThrottledError(ChannelError):
    """Too many questions; the same one may be asked again after a moment."""


class ReceiptNotReadyError(ChannelError):
    """The institution is still making the receipt; ask again later."""


class ReceiptRefusedError(ChannelError):
    """The institution issues no receipt for this payout, and asking again will not change that."""


class StatementNotReadyError(ChannelError):
    """The institution has not published that day yet; ask again later."""


class StatementBrokenError(ChannelError):
    """The statement cannot be read completely; nothing of it may be used as complete."""


@runtime_checkable
class Channel(Protocol):
    """A configured account at an institution. Constructing one does no I/O."""

    @property
    def name(self) -> str:
        """The operator's name for it, e.g. `alipay-main`."""

    @property
    def traits(self) -> Traits:
        """Constants; the same object for the channel's life."""

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Everything that makes this channel refuse the instruction for ever; pure."""

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """Build and sign the exact request. Same instruction and time: same business fields."""

    async def send(self, prepared: Prepared) -> Outcome:
        """Send exactly these bytes, at most once; never raises for a peer's fault."""

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask what became of a reference. Never `NotSent`: a failed question is `Unknown`."""

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """Verify first, parse second; pure. Header names are lower case.

        Where `Traits.notices_in_query` says so, the raw query string stands under `NOTICE_QUERY`.
        """

    def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """Every line of the local business day, or `ChannelError`; never a silent stop."""

    async def aclose(self) -> None:
        """Let go of connections; safe to call twice."""


@runtime_checkable
class Recallable(Protocol):
    """A channel that can be asked to stop a payout it has not yet paid."""

    async def recall(self, inquiry: Inquiry) -> Outcome | Absent:
        """Ask to cancel; the answer is whatever state the payout is in now."""


@runtime_checkable
class Funded(Protocol):
    """A channel whose account balance can be read."""

    async def balance(self) -> Balance:
        """The available balance, or `ChannelError`."""


@runtime_checkable
class Receipted(Protocol):
    """A channel whose institution issues receipts of payments."""

    async def receipt(self, inquiry: Inquiry) -> Receipt:
        """The receipt of a paid payout; `ReceiptNotReadyError` while it is made,
        `ReceiptRefusedError` where none is issued, `ChannelError` for any other trouble."""
