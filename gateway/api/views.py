"""What callers read: payouts, attempts and events as JSON-ready values, payee details masked."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Literal, Required

import orjson
from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    Credential,
    Instrument,
    PayeeAction,
    Rail,
    Reason,
    WechatWallet,
    WireAccount,
)
from channels.money import Currency
from gateway.api.confirm_links import ConfirmLinks, where_to_confirm
from gateway.api.fee_views import (
    ChargeView,
    FeeMode,
    FeeReasonView,
    MerchantFeeView,
    charge_view,
    merchant_fee_view,
)
from gateway.domain.incident import Incident, IncidentKind
from gateway.domain.ledger import Book
from gateway.domain.payout import (
    Attempt,
    AttemptState,
    CertificateKind,
    Leg,
    Payout,
    PayoutId,
    PayoutState,
)
from gateway.domain.proposal import Proposal, ProposalState
from gateway.domain.reconciliation import Break, BreakKind
from gateway.engine.gateway import ChannelLabel
from gateway.engine.quarantine import Standing
from gateway.ports import (
    AccountBalance,
    ApiKey,
    Backup,
    Delivery,
    DeliveryState,
    Endpoint,
    Funding,
    Kill,
    Maintenance,
    Merchant,
    PlanReason,
    StoredEvent,
    StoredPlan,
)
from policies.alternatives import Alternative
from policies.facts import MICRO
from policies.plan.model import ChannelPlan, Plan
from policies.plan.told import class_name, shares_by_class, told
from policies.plan.written import from_json


class InstrumentView(TypedDict, total=False):
    """One way to reach the beneficiary; which fields stand depends on the rail."""

    rail: Required[Rail]
    identity: str
    identity_type: AlipayIdentity
    openid: str
    appid: str | None
    number: str
    bank_code: str | None
    account_id: str
    address: str
    chain: str
    name: str | None


class BeneficiaryView(TypedDict):
    """Who gets the money, masked."""

    instruments: list[InstrumentView]


class ActionView(TypedDict):
    """What the beneficiary must do before the money moves."""

    kind: str
    package_info: str
    expires_at: str | None
    confirm_url: str | None


class CertificateView(TypedDict):
    """Why an attempt is proven to have moved no money."""

    kind: CertificateKind
    reason: Reason
    code: str
    message: str
    at: str | None
    by: str
    checked_by: str | None


class AttemptView(TypedDict):
    """One try at one channel."""

    number: int
    channel: str
    reference: str
    instrument: int
    state: AttemptState
    sends: int
    channel_ref: str | None
    stage: str | None
    armed_at: str | None
    promised_at: str | None
    paid_at: str | None
    returned_at: str | None
    settled_on: str | None
    quoted_fee_minor: int
    fee_minor: int | None
    certificate: CertificateView | None
    action: ActionView | None


class ConstraintsView(TypedDict):
    """What the request itself says about channels."""

    only: list[str]
    deny: list[str]
    prefer: list[str]
    max_attempts: int | None


class LegView(TypedDict):
    """Of which split a payout is which leg."""

    id: str
    merchant_ref: str
    leg: int
    legs: int


class PayoutView(TypedDict):
    """A payout as its merchant sees it.

    `amount_minor` is what was asked for. On top (`fee_mode`), the beneficiary gets that and the
    merchant pays `fee_minor` beside it; deducted, the merchant pays `amount_minor` and the
    beneficiary gets `beneficiary_amount_minor`, which is less by `fee_minor`. `debit_minor` is what
    the merchant pays in all. `charge`: how the fee was computed, null where nothing was agreed.
    """

    id: str
    merchant_id: str
    merchant_ref: str
    state: PayoutState
    final: bool
    reason: str | None
    owner: str | None
    amount_minor: int
    amount: str
    currency: Currency
    fee_minor: int
    fee_mode: FeeMode
    beneficiary_amount_minor: int
    debit_minor: int
    charge: ChargeView | None
    split: LegView | None
    beneficiary: BeneficiaryView
    purpose: str
    speed: str
    deadline: str | None
    release_after: str | None
    max_fee_minor: int | None
    channels: ConstraintsView
    metadata: dict[str, str]
    channel: str | None
    channel_ref: str | None
    promised_at: str | None
    paid_at: str | None
    returned_at: str | None
    settled_on: str | None
    attempts: int
    action: ActionView | None
    accepted_at: str | None
    updated_at: str | None
    version: int


class PayoutPage(TypedDict):
    """A page of payouts; ask for the next with `after` = the last id."""

    data: list[PayoutView]
    has_more: bool


class AttemptList(TypedDict):
    """All tries of a payout."""

    data: list[AttemptView]


class EventView(TypedDict):
    """One line of a timeline or of the feed."""

    feed: int
    payout_id: str
    seq: int
    type: str
    state: PayoutState
    at: str | None
    actor: str
    data: dict[str, object]


class EventPage(TypedDict):
    """Events in order; ask for the next with `after` = `next_after`."""

    data: list[EventView]
    next_after: int
    has_more: bool


class EndpointView(TypedDict):
    """A webhook endpoint, without its secrets."""

    id: str
    url: str
    kinds: list[str]
    active: bool
    created_at: str | None


class NewEndpointView(EndpointView):
    """A webhook endpoint just made; its secret is shown this once."""

    secret: str


class EndpointList(TypedDict):
    """A merchant's endpoints."""

    data: list[EndpointView]


class DeliveryView(TypedDict):
    """One webhook owed to one endpoint."""

    id: str
    endpoint_id: str
    payout_id: str
    seq: int
    state: DeliveryState
    tries: int
    due_at: str | None
    last_status: int | None
    last_error: str | None
    created_at: str | None


class DeliveryList(TypedDict):
    """Webhooks of a payout."""

    data: list[DeliveryView]


class QueuedView(TypedDict):
    """Taken on; it happens within a moment."""

    queued: bool


class MerchantView(TypedDict):
    """A merchant and its agreement."""

    id: str
    name: str
    funding: Funding
    credit_limit_minor: int
    fee: MerchantFeeView
    release_delay_s: int
    review_above_minor: int | None
    active: bool
    created_at: str | None


class MerchantList(TypedDict):
    """All merchants."""

    data: list[MerchantView]


class BalanceView(TypedDict):
    """One account's balance on its normal side."""

    book: Book
    owner: str
    currency: Currency
    balance_minor: int


class BalanceList(TypedDict):
    """Balances."""

    data: list[BalanceView]


class LedgerView(TypedDict):
    """Every balance, and what recomputing them from the entries found."""

    data: list[BalanceView]
    balanced: bool
    problems: list[str]


class KeyView(TypedDict):
    """A key without its secret."""

    id: str
    label: str
    scopes: list[str]
    signed: bool
    person: str | None
    created_at: str | None
    revoked_at: str | None


class NewKeyView(KeyView):
    """A key just made; `key` and `signing_secret` are shown this once."""

    key: str
    signing_secret: str | None


class KeyList(TypedDict):
    """A merchant's keys."""

    data: list[KeyView]


class DialectSwitchesView(TypedDict):
    """How an account is treated where its protocol leaves a choice."""

    replay_duplicates: bool
    soft_dedupe_minutes: int
    soft_dedupe_as: str
    soft_dedupe_native: bool
    awaiting_review_as: str
    rsa_only: bool
    ip_allow: list[str]
    returned_as: str


class KeySetView(TypedDict):
    """Keys that are exchanged together, without what signs."""

    id: str
    created_at: str | None
    public: dict[str, str]


class RefusedNotifyView(TypedDict):
    """An order whose caller cannot be told: nothing may be sent to its address."""

    number: str
    url: str
    problem: str
    accepted_at: str | None


class OrderNoticeView(TypedDict):
    """One notice that is owed, or was sent; `standing` is what it came of."""

    id: str
    standing: str
    state: str
    tries: int
    due_at: str | None
    last_status: int | None
    last_error: str | None
    created_at: str | None


class NotifiedOrderView(TypedDict):
    """An order whose caller wants to hear how it ends, and how it stands."""

    number: str
    own_number: str
    payout_id: str
    standing: str
    url: str
    problem: str | None
    accepted_at: str | None
    notices: list[OrderNoticeView]


class NotifiedOrderList(TypedDict):
    """An account's orders that are told about, newest first."""

    data: list[NotifiedOrderView]


class DialectView(TypedDict):
    """An account in another platform's protocol."""

    id: str
    merchant_id: str
    dialect: str
    public_id: str
    path: str
    keys: list[KeySetView]
    switches: DialectSwitchesView
    version: int
    refused_notify: RefusedNotifyView | None
    created_at: str | None
    removed_at: str | None


class NewDialectView(DialectView):
    """An account with keys just made, which are shown this once."""

    secrets: dict[str, str]


class DialectList(TypedDict):
    """A merchant's accounts, removed ones included."""

    data: list[DialectView]


class BookedView(TypedDict):
    """Whether a posting was booked now, or had been before under the same key."""

    booked: bool


class ChannelView(TypedDict):
    """A channel as it stands.

    `month_…` is what it has carried this month, `tier` (from 1) the tier of its fee that this has
    reached; not `priced`: no fee is in force, and it takes nothing. `arrivals` are `[days, ppm]` as
    its money was seen to arrive, in its cycle's own days; empty: as its cycle promises. `expired`
    names the ended key or certificate for which it takes nothing.
    """

    name: str
    label: "LabelView | None"
    kind: str
    status: str
    reason: str
    rails: list[str]
    currency: Currency
    float_minor: int
    day_used_minor: int
    month_payouts: int
    month_minor: int
    priced: bool
    tiers: int
    tier: int | None
    arrivals: list[list[int]]
    in_doubt: int
    sending: int
    success_ppm: int
    unknown_ppm: int
    observations: int
    quarantined: bool
    stopped: str | None
    latency_ms: int
    frozen_by: str | None
    killed: "KillView | None"
    maintenance_until: str | None
    runway_s: int | None
    credentials: "list[CredentialView]"
    expired: str | None


class LabelView(TypedDict):
    """What people call a channel."""

    zh: str
    en: str


class CredentialView(TypedDict):
    """A key or certificate a channel works with: named by its settings' key and a fingerprint."""

    name: str
    holder: Literal["ours", "theirs"]
    fingerprint: str
    expires_at: str | None


class KillView(TypedDict):
    """Who stopped a channel, when and why; only a person lets it go on."""

    channel: str
    reason: str
    killed_at: str | None
    killed_by: str


class MaintenanceView(TypedDict):
    """When a channel is planned to be away."""

    id: str
    channel: str
    from_at: str | None
    until_at: str | None
    reason: str
    added_at: str | None
    added_by: str


class MaintenanceList(TypedDict):
    """Planned maintenance, by its beginning."""

    data: list[MaintenanceView]


class PositionView(TypedDict):
    """How far a database has come."""

    installation: str
    feed: int
    attempts: int


class BackupView(TypedDict):
    """A finished backup on the gateway's machine."""

    file: str
    schema: int
    position: PositionView
    at: str
    size: int
    sha256: str


class ArchiveView(TypedDict):
    """A file that took over what ended payouts no longer need at hand."""

    id: str
    file: str
    sha256: str
    size: int
    payouts: int
    decisions: int
    deliveries: int
    made_at: str
    actor: str
    cleared_at: str | None


class ArchiveList(TypedDict):
    """Archives, newest first."""

    data: list[ArchiveView]


class ArchiveStepView(TypedDict):
    """What one step archived, or would."""

    payouts: int
    decisions: int
    deliveries: int
    archive: ArchiveView | None
    next_after: str | None


class QuarantinedChannelView(TypedDict):
    """What a quarantine still wants to know of a channel."""

    channel: str
    statements_awaited: list[str]
    asked_by: str | None
    agreed_by: str | None
    reason: str | None


class QuarantineView(TypedDict):
    """Whether sending waits after a restore, and for what."""

    quarantined: bool
    cause: str | None
    backup_at: str | None
    started_at: str | None
    payouts_open: int
    channels: list[QuarantinedChannelView]


class ChannelList(TypedDict):
    """All channels."""

    data: list[ChannelView]


class BreakView(TypedDict):
    """An open disagreement with a statement."""

    channel: str
    on: str | None
    kind: BreakKind
    reference: str | None
    line_ref: str | None
    amount_minor: int
    currency: Currency
    payout_id: str | None
    detail: str
    opened_at: str | None


class BreakList(TypedDict):
    """Open breaks."""

    data: list[BreakView]


class StatementRoundView(TypedDict):
    """What one round of reading statements did."""

    days: int
    lines: int
    settled: int
    returned: int
    breaks: int
    dead: int
    waiting: list[str]


class ProposalView(TypedDict):
    """One person's request to declare an attempt dead, and what another one decided."""

    id: str
    payout_id: str
    attempt: int
    reason: Reason
    evidence: str
    evidence_sha256: str | None
    maker: str
    maker_person: str
    proposed_at: str | None
    state: ProposalState
    checker: str | None
    checker_person: str | None
    decided_at: str | None
    note: str | None


class ProposalList(TypedDict):
    """Proposals, newest first."""

    data: list[ProposalView]


class IncidentView(TypedDict):
    """What a person must look at, above all evidence against what was proven."""

    id: str
    kind: IncidentKind
    state: str
    freezes: bool
    channel: str
    bank: str | None
    payout_id: str | None
    attempt: int | None
    evidence: str
    owner: str
    opened_at: str | None
    released_at: str | None
    released_by: str | None
    note: str | None


class IncidentList(TypedDict):
    """Incidents, oldest first."""

    data: list[IncidentView]


class ClockView(TypedDict):
    """What time the gateway believes it is, and the position of its newest event: what happens
    from now on stands after it (`/v1/events`)."""

    now: str | None
    feed: int


class AliveView(TypedDict):
    """The process runs."""

    status: str


class NoteView(TypedDict):
    """Something to know that keeps nothing from going on."""

    code: str
    en: str
    zh: str


class ReadyView(TypedDict, total=False):
    """Whether payouts are taken now, and if not, a sentence per cause."""

    ready: Required[bool]
    problems: Required[list[str]]
    sending: str
    """Why this process sends nothing now: `quarantined`, `halted` or `detached` (others may take
    its payouts over); absent while sending goes on."""
    worker: int
    """Which of several processes on one database answers; absent for the only one."""
    failover_frozen: dict[str, str]
    """Channels that no payout may leave on their word, with the incident to release; or absent."""
    notes: list[NoteView]
    """Absent when there are none."""


class VersionView(TypedDict):
    """The installed version."""

    version: str


class ReasonView(TypedDict):
    """One routing decision: a sentence for people, and everything it was made from."""

    zh: str
    en: str
    alternatives: list["AlternativeView"]
    decision: dict[str, object]
    labels: "dict[str, LabelView]"
    """What people call its channels now; those without a label are left out."""


class AlternativeView(TypedDict):
    """A candidate that was not chosen, and what would have to change for it to win.

    `gap_micro`: how much dearer it is than the chosen one, in millionths of a minor unit; null
    where it has no price for such a payout.
    """

    channel: str
    instrument: int
    gap_micro: int | None
    zh: str
    en: str


def alternative_view(one: Alternative) -> AlternativeView:
    """For people and programs."""
    told = one.sentence
    return {
        "channel": one.channel,
        "instrument": one.instrument,
        "gap_micro": one.gap_micro,
        "zh": told.zh,
        "en": told.en,
    }


class WhyView(TypedDict):
    """Every stored routing decision of a payout, newest last, and why its fee is what it is."""

    data: list[ReasonView]
    fee: FeeReasonView | None


def masked(text: str) -> str:
    """Show at most the first six and last four of a long number, less of shorter text."""
    if len(text) >= 14:
        return f"{text[:6]}{'*' * 6}{text[-4:]}"
    if len(text) >= 6:
        return f"{text[:2]}****{text[-2:]}"
    return "****"


def masked_name(name: str | None) -> str | None:
    """Keep the last character of a name, as receipts do; nothing of a name that is only one."""
    return None if name is None else "*" * max(len(name) - 1, 1) + name[1:][-1:]


def instrument_view(instrument: Instrument) -> InstrumentView:
    """One way to reach the beneficiary, masked."""
    match instrument:
        case AlipayAccount(identity=identity, identity_type=kind, name=name):
            return {
                "rail": Rail.ALIPAY,
                "identity": masked(identity),
                "identity_type": kind,
                "name": masked_name(name),
            }
        case WechatWallet(openid=openid, appid=appid, name=name):
            return {
                "rail": Rail.WECHAT,
                "openid": masked(openid),
                "appid": appid,
                "name": masked_name(name),
            }
        case BankCard(number=number, name=name, bank_code=code):
            return {
                "rail": Rail.BANK_CARD,
                "number": masked(number),
                "name": masked_name(name),
                "bank_code": code,
            }
        case BankAccount(number=number, name=name, bank_code=code):
            return {
                "rail": Rail.BANK_ACCOUNT,
                "number": masked(number),
                "name": masked_name(name),
                "bank_code": code,
            }
        case WireAccount(account_id=account_id, name=name):
            return {
                "rail": Rail.WIRE,
                "account_id": masked(account_id),
                "name": masked_name(name),
            }
        case ChainAddress(address=address, chain=chain, name=name):
            return {
                "rail": Rail.CHAIN,
                "address": masked(address),
                "chain": chain,
                "name": masked_name(name),
            }


def without_payee(text: str, instruments: Iterable[Instrument]) -> str:
    """A channel's sentence with what it repeats of the beneficiary's details masked."""
    for view, instrument in ((instrument_view(one), one) for one in instruments):
        for name in ("identity", "openid", "number", "account_id", "address", "name"):
            told = getattr(instrument, name, None)
            if told:
                text = text.replace(told, str(view.get(name)))
    return text


def attempt_view(attempt: Attempt, payout: Payout, links: ConfirmLinks | None) -> AttemptView:
    """One try at one channel."""
    certificate = attempt.certificate
    return {
        "number": attempt.number,
        "channel": attempt.channel,
        "reference": attempt.reference,
        "instrument": attempt.instrument,
        "state": attempt.state,
        "sends": attempt.sends,
        "channel_ref": attempt.channel_ref,
        "stage": attempt.stage or None,
        "armed_at": stamp(attempt.armed_at),
        "promised_at": stamp(attempt.arrival_at),
        "paid_at": stamp(attempt.paid_at),
        "returned_at": stamp(attempt.returned_at),
        "settled_on": stamp(attempt.settled_on),
        "quoted_fee_minor": attempt.quoted_fee_minor,
        "fee_minor": attempt.fee_minor,
        "certificate": None
        if certificate is None
        else {
            "kind": certificate.kind,
            "reason": certificate.reason,
            "code": certificate.code,
            "message": without_payee(certificate.message, payout.instruments),
            "at": stamp(certificate.at),
            "by": certificate.by,
            "checked_by": certificate.checked_by,
        },
        "action": action_view(attempt.action, payout.id, links),
    }


def action_view(
    action: PayeeAction | None, payout_id: PayoutId, links: ConfirmLinks | None
) -> ActionView | None:
    """What the beneficiary must do, if anything, and where it can."""
    if action is None:
        return None
    return {
        "kind": action.kind,
        "package_info": action.package_info,
        "expires_at": stamp(action.expires_at),
        "confirm_url": where_to_confirm(links, payout_id, action),
    }


def leg_view(leg: Leg | None) -> LegView | None:
    """Its place in a split."""
    if leg is None:
        return None
    return {
        "id": leg.split_id,
        "merchant_ref": leg.split_ref,
        "leg": leg.number,
        "legs": leg.legs,
    }


def payout_view(payout: Payout, links: ConfirmLinks | None) -> PayoutView:
    """A payout as its merchant sees it."""
    live, asked = payout.live, payout.asked
    constraints = payout.constraints
    return {
        "id": payout.id,
        "merchant_id": payout.merchant_id,
        "merchant_ref": payout.merchant_ref,
        "state": payout.state,
        "final": payout.state.is_final,
        "reason": payout.reason,
        "owner": payout.owner,
        "amount_minor": asked.minor,
        "amount": str(asked),
        "currency": asked.currency,
        "fee_minor": payout.fee.minor,
        "fee_mode": "deducted" if payout.is_fee_deducted else "on_top",
        "beneficiary_amount_minor": payout.amount.minor,
        "debit_minor": payout.hold_minor,
        "charge": charge_view(payout),
        "split": leg_view(payout.leg),
        "beneficiary": {"instruments": [instrument_view(one) for one in payout.instruments]},
        "purpose": payout.purpose,
        "speed": payout.speed,
        "deadline": stamp(payout.deadline_at),
        "release_after": stamp(payout.release_at),
        "max_fee_minor": payout.max_fee_minor,
        "channels": {
            "only": list(constraints.only),
            "deny": list(constraints.deny),
            "prefer": list(constraints.prefer),
            "max_attempts": constraints.max_attempts,
        },
        "metadata": dict(payout.metadata),
        "channel": live.channel if live else None,
        "channel_ref": live.channel_ref if live else None,
        "promised_at": stamp(live.arrival_at) if live else None,
        "paid_at": stamp(live.paid_at) if live else None,
        "returned_at": stamp(live.returned_at) if live else None,
        "settled_on": stamp(live.settled_on) if live else None,
        "attempts": len(payout.attempts),
        "action": action_view(live.action, payout.id, links) if live else None,
        "accepted_at": stamp(payout.accepted_at),
        "updated_at": stamp(payout.updated_at),
        "version": payout.version,
    }


def event_view(event: StoredEvent) -> EventView:
    """One line of a timeline or of the feed."""
    return {
        "feed": event.feed,
        "payout_id": event.payout_id,
        "seq": event.seq,
        "type": f"payout.{event.kind}",
        "state": event.state,
        "at": stamp(event.at),
        "actor": event.actor,
        "data": dict(event.detail),
    }


def endpoint_view(endpoint: Endpoint) -> EndpointView:
    """A webhook endpoint, without its secrets."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "kinds": list(endpoint.kinds),
        "active": endpoint.active,
        "created_at": stamp(endpoint.created_at),
    }


def delivery_view(delivery: Delivery) -> DeliveryView:
    """One webhook owed."""
    return {
        "id": delivery.id,
        "endpoint_id": delivery.endpoint_id,
        "payout_id": delivery.payout_id,
        "seq": delivery.seq,
        "state": delivery.state,
        "tries": delivery.tries,
        "due_at": stamp(delivery.due_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "created_at": stamp(delivery.created_at),
    }


def merchant_view(merchant: Merchant) -> MerchantView:
    """A merchant and its agreement."""
    return {
        "id": merchant.id,
        "name": merchant.name,
        "funding": merchant.funding,
        "credit_limit_minor": merchant.credit_limit_minor,
        "fee": merchant_fee_view(merchant.fee),
        "release_delay_s": merchant.release_delay_s,
        "review_above_minor": merchant.review_above_minor,
        "active": merchant.active,
        "created_at": stamp(merchant.created_at),
    }


def key_view(key: ApiKey) -> KeyView:
    """A key without its secret."""
    return {
        "id": key.id,
        "label": key.label,
        "scopes": sorted(key.scopes),
        "signed": key.signing_secret is not None,
        "person": key.person,
        "created_at": stamp(key.created_at),
        "revoked_at": stamp(key.revoked_at),
    }


def break_view(broken: Break) -> BreakView:
    """An open disagreement."""
    return {
        "channel": broken.channel,
        "on": stamp(broken.on),
        "kind": broken.kind,
        "reference": broken.reference,
        "line_ref": broken.line_ref,
        "amount_minor": broken.amount_minor,
        "currency": broken.currency,
        "payout_id": broken.payout_id,
        "detail": broken.detail,
        "opened_at": stamp(broken.opened_at),
    }


def backup_view(file: str, made: Backup) -> BackupView:
    """A backup's manifest, and where it is."""
    return {
        "file": file,
        "schema": made.schema,
        "position": {
            "installation": made.position.installation,
            "feed": made.position.feed,
            "attempts": made.position.attempts,
        },
        "at": str(stamp(made.at)),
        "size": made.size,
        "sha256": made.sha256,
    }


def quarantine_view(standing: Standing | None) -> QuarantineView:
    """How far the open quarantine has come; without one, that there is none."""
    if standing is None:
        return {
            "quarantined": False,
            "cause": None,
            "backup_at": None,
            "started_at": None,
            "payouts_open": 0,
            "channels": [],
        }
    waivers = {one.channel: one for one in standing.waivers}
    channels: list[QuarantinedChannelView] = []
    for name in sorted(standing.days.keys() | waivers.keys()):
        waiver = waivers.get(name)
        channels.append(
            {
                "channel": name,
                "statements_awaited": [str(stamp(day)) for day in standing.days.get(name, ())],
                "asked_by": waiver.asked_by if waiver else None,
                "agreed_by": waiver.agreed_by if waiver else None,
                "reason": waiver.reason if waiver else None,
            }
        )
    return {
        "quarantined": True,
        "cause": standing.quarantine.cause,
        "backup_at": stamp(standing.quarantine.backup_at),
        "started_at": stamp(standing.quarantine.started_at),
        "payouts_open": standing.to_rebuild,
        "channels": channels,
    }


def proposal_view(proposal: Proposal) -> ProposalView:
    """One proposal, for operators."""
    return {
        "id": proposal.id,
        "payout_id": proposal.payout_id,
        "attempt": proposal.attempt,
        "reason": proposal.reason,
        "evidence": proposal.evidence,
        "evidence_sha256": proposal.evidence_sha256,
        "maker": proposal.maker,
        "maker_person": proposal.maker_person,
        "proposed_at": stamp(proposal.proposed_at),
        "state": proposal.state,
        "checker": proposal.checker,
        "checker_person": proposal.checker_person,
        "decided_at": stamp(proposal.decided_at),
        "note": proposal.note,
    }


def label_view(one: ChannelLabel) -> LabelView:
    """In both languages."""
    return {"zh": one.zh, "en": one.en}


def credential_view(one: Credential) -> CredentialView:
    """Nothing secret is in it."""
    return {
        "name": one.name,
        "holder": one.holder,
        "fingerprint": one.fingerprint,
        "expires_at": stamp(one.not_after),
    }


def kill_view(kill: Kill) -> KillView:
    """One kill that is in force."""
    return {
        "channel": kill.channel,
        "reason": kill.reason,
        "killed_at": stamp(kill.killed_at),
        "killed_by": kill.killed_by,
    }


def maintenance_view(planned: Maintenance) -> MaintenanceView:
    """One planned maintenance."""
    return {
        "id": planned.id,
        "channel": planned.channel,
        "from_at": stamp(planned.from_at),
        "until_at": stamp(planned.until_at),
        "reason": planned.reason,
        "added_at": stamp(planned.added_at),
        "added_by": planned.added_by,
    }


def incident_view(incident: Incident) -> IncidentView:
    """One incident."""
    return {
        "id": incident.id,
        "kind": incident.kind,
        "state": "open" if incident.is_open else "released",
        "freezes": incident.is_open and incident.kind.freezes,
        "channel": incident.channel,
        "bank": incident.bank,
        "payout_id": incident.payout_id,
        "attempt": incident.attempt,
        "evidence": incident.evidence,
        "owner": incident.owner,
        "opened_at": stamp(incident.opened_at),
        "released_at": stamp(incident.released_at),
        "released_by": incident.released_by,
        "note": incident.note,
    }


def balance_view(balance: AccountBalance) -> BalanceView:
    """One account's balance on its normal side."""
    return {
        "book": balance.account.book,
        "owner": balance.account.owner,
        "currency": balance.account.currency,
        "balance_minor": balance.minor,
    }


def stamp(value: datetime | date | None) -> str | None:
    """RFC 3339 text, in UTC with `Z` for moments."""
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    # A quarter of what `isoformat` takes, and each payout shows three moments at least.
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)[1:-1].decode()


class TierView(TypedDict):
    """A channel's fee tier as planned; counted in the fee's basis (payouts or minor units)."""

    index: int
    floor: int
    next_floor: int | None
    progress_ppm: int
    margin: int | None
    margin_ppm: int | None


class CommitmentView(TypedDict):
    """What a channel was promised for the month; `shortfall` is what is expected to be missing."""

    least: int
    shortfall: int
    cost_minor: int


class ChannelPlanView(TypedDict):
    """One channel in the month's plan."""

    channel: str
    share_ppm: int
    amount_share_ppm: int
    payouts: int
    minor: int
    basis: Literal["payouts", "amount"]
    reached: int
    planned: int
    tier: TierView | None
    commitment: CommitmentView | None


class ClassShareView(TypedDict):
    """One class of payouts, and each channel's share of it until the month's end."""

    rail: str
    speed: str
    floor_minor: int
    end_minor: int | None
    name: str
    shares_ppm: dict[str, int]


class PlanRow(TypedDict):
    """A plan in a list."""

    id: str
    month: str
    currency: Currency
    made_at: str
    actor: str
    reason: PlanReason
    method: Literal["milp", "greedy"]
    cost_minor: int
    saved_minor: int


class PlanList(TypedDict):
    """Plans, newest first."""

    data: list[PlanRow]


class ForecastView(TypedDict):
    """What is expected from the plan's making until the month's end, and how it has gone so far."""

    payouts: int
    minor: int
    low_payouts: int
    high_payouts: int
    expected_so_far: int
    actual_so_far: int


class SentenceView(TypedDict):
    """The same statement in both languages."""

    zh: str
    en: str


class PlanView(TypedDict):
    """The plan that is followed, and how far it has come."""

    id: str
    month: str
    currency: Currency
    made_at: str
    age_s: int
    actor: str
    reason: PlanReason
    method: Literal["milp", "greedy"]
    cost_minor: int
    unplanned_minor: int
    saved_minor: int
    forecast: ForecastView
    channels: list[ChannelPlanView]
    classes: list[ClassShareView]
    said: list[SentenceView]


def plan_row(stored: StoredPlan) -> PlanRow:
    """A stored plan in a list."""
    plan = from_json(stored.plan)
    return {
        "id": stored.id,
        "month": stored.month.isoformat()[:7],
        "currency": Currency(stored.currency),
        "made_at": stamp(stored.made_at) or "",
        "actor": stored.actor,
        "reason": stored.reason,
        "method": plan.method,
        "cost_minor": plan.cost_micro // MICRO,
        "saved_minor": (plan.unplanned_micro - plan.cost_micro) // MICRO,
    }


def plan_view(
    stored: StoredPlan,
    plan: Plan,
    reached: Mapping[str, int],
    so_far: tuple[int, int],
    now: datetime,
) -> PlanView:
    """A plan with what channels have `reached`; `so_far` is what was expected, and what came."""
    forecast = plan.forecast
    return {
        "id": plan.id,
        "month": plan.month.isoformat()[:7],
        "currency": Currency(plan.currency),
        "made_at": stamp(plan.made_at) or "",
        "age_s": max(0, int((now - plan.made_at).total_seconds())),
        "actor": stored.actor,
        "reason": stored.reason,
        "method": plan.method,
        "cost_minor": plan.cost_micro // MICRO,
        "unplanned_minor": plan.unplanned_micro // MICRO,
        "saved_minor": (plan.unplanned_micro - plan.cost_micro) // MICRO,
        "forecast": {
            "payouts": forecast.payouts,
            "minor": forecast.minor,
            "low_payouts": forecast.payouts * forecast.low_ppm // MICRO,
            "high_payouts": forecast.payouts * forecast.high_ppm // MICRO,
            "expected_so_far": so_far[0],
            "actual_so_far": so_far[1],
        },
        "channels": [
            _channel_plan(one, plan, reached.get(one.name, one.used)) for one in plan.channels
        ],
        "classes": [
            {
                "rail": kind.rail,
                "speed": kind.speed,
                "floor_minor": kind.floor_minor,
                "end_minor": kind.end_minor,
                "name": class_name(kind, plan.currency),
                "shares_ppm": shares,
            }
            for kind, shares in shares_by_class(plan)
        ],
        "said": [{"zh": one.zh, "en": one.en} for one in told(plan, reached)],
    }


def _channel_plan(one: ChannelPlan, plan: Plan, reached: int) -> ChannelPlanView:
    tier: TierView | None = None
    if one.tier is not None:
        tier = {
            "index": one.tier,
            "floor": one.floor,
            "next_floor": one.next_floor,
            "progress_ppm": min(MICRO, reached * MICRO // one.floor) if one.floor else MICRO,
            "margin": one.margin,
            "margin_ppm": one.margin_ppm,
        }
    commitment: CommitmentView | None = None
    if one.committed is not None:
        commitment = {
            "least": one.committed,
            "shortfall": one.shortfall,
            "cost_minor": one.shortfall_cost_minor,
        }
    return {
        "channel": one.name,
        "share_ppm": one.payouts * MICRO // max(1, plan.forecast.payouts),
        "amount_share_ppm": one.minor * MICRO // max(1, plan.forecast.minor),
        "payouts": one.payouts,
        "minor": one.minor,
        "basis": one.basis,
        "reached": reached,
        "planned": one.planned,
        "tier": tier,
        "commitment": commitment,
    }
