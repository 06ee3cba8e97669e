"""One builder per noun, each with sensible defaults; a test names only what it is about.

Every move is made by the domain itself: `change` runs events through `lifecycle.apply` and
`ledger.posting`, so that no test can store something the gateway could not have produced.
"""

import itertools
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from msgspec.structs import replace

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Evidence,
    Instrument,
    LineKind,
    PayeeAction,
    Reason,
    StatementLine,
    WechatWallet,
)
from channels.money import Currency, Money
from gateway.domain import ledger
from gateway.domain.lifecycle import apply
from gateway.domain.merchant_fee import Charge, MerchantFee
from gateway.domain.payout import (
    UNCONSTRAINED,
    Accepted,
    Armed,
    Attempt,
    AttemptState,
    CameBack,
    Cancelled,
    Certificate,
    CertificateKind,
    Confirmed,
    Constraints,
    Contradicted,
    Died,
    Doubted,
    Event,
    Failed,
    Held,
    MerchantId,
    Parked,
    Payout,
    PayoutId,
    PayoutState,
    Pended,
    Refusal,
    Released,
    Resent,
    Settled,
    Source,
    Speed,
    Unparked,
    sortable_id,
)
from gateway.domain.reconciliation import Break, BreakKind
from gateway.ports import (
    ApiKey,
    Change,
    Delivery,
    DeliveryState,
    Endpoint,
    Funding,
    Intake,
    Merchant,
    Scope,
)
from policies.calendars.workdays import PUBLISHED
from policies.fees import Fee

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Shanghai; no holiday near."""

TODAY = NOW.date()
MERCHANT = MerchantId("m_acme")
EVERY_YEAR = PUBLISHED.with_days((), range(2004, 2200))
"""A calendar that lacks no year, whenever the tests run."""
MERCHANT_FEE = MerchantFee(Fee(flat_minor=30))
CHANNEL = "alipay-main"

_counter = itertools.count(1)


def cny(minor: int) -> Money:
    """Fen."""
    return Money(minor, Currency.CNY)


def after(seconds: float = 0, **delta: int) -> datetime:
    """`NOW` plus a while: `after(30)`, `after(days=1)`."""
    return NOW + timedelta(seconds=seconds, **delta)


# --- Nouns -------------------------------------------------------------------------------------


def alipay_account(identity: str = "2088102169481075", name: str | None = "张三") -> AlipayAccount:
    """An Alipay user id with a name to be checked."""
    return AlipayAccount(identity, AlipayIdentity.USER_ID, name)


def wechat_wallet(openid: str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o") -> WechatWallet:
    """A WeChat openid."""
    return WechatWallet(openid, "wx8888888888888888", "李四")


def bank_card(number: str = "6222021234567890123", name: str = "王五") -> BankCard:
    """A personal card at ICBC."""
    return BankCard(number, name, "ICBC", "中国工商银行")


def merchant(
    merchant_id: str = MERCHANT,
    *,
    name: str = "Acme 贸易",
    funding: Funding = Funding.PREFUNDED,
    credit_limit_minor: int = 0,
    fee: MerchantFee = MERCHANT_FEE,
    release_delay_s: int = 0,
    review_above_minor: int | None = None,
    created_at: datetime = NOW,
    active: bool = True,
) -> Merchant:
    """A prefunded merchant that pays 0.30 a payout."""
    return Merchant(
        MerchantId(merchant_id),
        name,
        funding,
        credit_limit_minor,
        fee,
        release_delay_s,
        review_above_minor,
        created_at,
        active,
    )


def payout_id(at: datetime = NOW) -> PayoutId:
    """A fresh id; later calls sort later."""
    return PayoutId(sortable_id("po_", at, next(_counter).to_bytes(10)))


def payout(
    *,
    id: str | None = None,  # noqa: A002 - the field's name
    merchant_id: str = MERCHANT,
    merchant_ref: str | None = None,
    amount: Money | None = None,
    fee: Money | None = None,
    instruments: tuple[Instrument, ...] | None = None,
    purpose: str = "货款",
    speed: Speed = "standard",
    deadline_at: datetime | None = None,
    release_at: datetime | None = None,
    max_fee_minor: int | None = None,
    metadata: Mapping[str, str] | None = None,
    state: PayoutState = PayoutState.ROUTING,
    accepted_at: datetime = NOW,
    due_at: datetime | None = NOW,
    reason: str | None = None,
    constraints: Constraints = UNCONSTRAINED,
    charge: Charge | None = None,
) -> Payout:
    """A payout as it stands right after acceptance: version 1, no attempt, 100.00 CNY + 0.30."""
    made = PayoutId(id) if id is not None else payout_id(accepted_at)
    amount = amount or cny(10_000)
    return Payout(
        id=made,
        merchant_id=MerchantId(merchant_id),
        merchant_ref=merchant_ref or f"ref-{made}",
        amount=amount,
        fee=fee or Money(30, amount.currency),
        instruments=instruments or (alipay_account(),),
        purpose=purpose,
        speed=speed,
        deadline_at=deadline_at,
        release_at=release_at,
        max_fee_minor=max_fee_minor,
        metadata=metadata or {},
        state=state,
        version=1,
        accepted_at=accepted_at,
        updated_at=accepted_at,
        due_at=due_at,
        reason=reason,
        constraints=constraints,
        charge=charge,
    )


def attempt(
    number: int = 1,
    *,
    channel: str = CHANNEL,
    reference: str | None = None,
    instrument: int = 0,
    state: AttemptState = AttemptState.ARMED,
    digest: str = "d" * 64,
    armed_at: datetime = NOW,
    not_after: datetime | None = None,
    quoted_fee_minor: int = 10,
    arrival_at: datetime | None = None,
) -> Attempt:
    """A freshly armed attempt with a reference of its own and a quoted fee of 0.10."""
    return Attempt(
        number=number,
        channel=channel,
        reference=reference or f"R{next(_counter):031d}",
        instrument=instrument,
        state=state,
        digest=digest,
        armed_at=armed_at,
        signed_at=armed_at,
        not_after=not_after,
        quoted_fee_minor=quoted_fee_minor,
        arrival_at=arrival_at,
    )


def certificate(
    kind: CertificateKind = CertificateKind.DEFINITE_REJECT,
    reason: Reason = Reason.PAYEE_NOT_FOUND,
    code: str = "PAYEE_NOT_EXIST",
    message: str = "收款账号不存在",
    at: datetime = NOW,
) -> Certificate:
    """A definite rejection of the only send."""
    return Certificate(kind, reason, code, message, at)


def refusal(
    reason: Reason = Reason.PAYEE_NOT_FOUND, code: str = "PAYEE_NOT_EXIST", message: str = "不存在"
) -> Refusal:
    """A rejection that needs an inquiry before it counts."""
    return Refusal(reason, code, message)


def payee_action(package_info: str = "pkg==", expires_at: datetime | None = None) -> PayeeAction:
    """WeChat's confirmation page."""
    return PayeeAction("wechat_confirm", package_info, expires_at or after(days=1))


def evidence(code: str = "ORDER_NOT_EXIST", body: bytes = b'{"code":"40004"}') -> Evidence:
    """What a channel said."""
    return Evidence(200, code, "said the channel", body)


def api_key(
    key_id: str = "key_1",
    merchant_id: str | None = MERCHANT,
    *,
    scopes: frozenset[Scope] = frozenset({Scope.PAYOUTS_READ, Scope.PAYOUTS_WRITE}),
    signing_secret: bytes | None = None,
    created_at: datetime = NOW,
) -> ApiKey:
    """A merchant's key that may read and write payouts."""
    owner = None if merchant_id is None else MerchantId(merchant_id)
    digest = sha256(key_id.encode()).digest()
    return ApiKey(key_id, owner, digest, scopes, signing_secret, "till", created_at)


def endpoint(
    endpoint_id: str = "we_1",
    merchant_id: str = MERCHANT,
    *,
    url: str = "https://merchant.example/webhooks",
    secrets: tuple[str, ...] = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",),
    kinds: tuple[str, ...] = (),
    active: bool = True,
    created_at: datetime = NOW,
) -> Endpoint:
    """An active endpoint that wants every event."""
    return Endpoint(endpoint_id, MerchantId(merchant_id), url, secrets, kinds, active, created_at)


def delivery(
    delivery_id: str = "msg_1",
    *,
    endpoint_id: str = "we_1",
    merchant_id: str = MERCHANT,
    payout: str = "po_1",
    seq: int = 1,
    payload: bytes = b"{}",
    state: DeliveryState = DeliveryState.DUE,
    tries: int = 0,
    due_at: datetime = NOW,
) -> Delivery:
    """A webhook that is due and was never tried."""
    return Delivery(
        delivery_id,
        endpoint_id,
        MerchantId(merchant_id),
        PayoutId(payout),
        seq,
        payload,
        state,
        tries,
        due_at,
        NOW,
    )


def statement_line(
    line_ref: str = "L1",
    *,
    kind: LineKind = LineKind.PAYOUT,
    amount: Money | None = None,
    credit: bool = False,
    booked_at: datetime = NOW,
    reference: str | None = None,
    channel_ref: str | None = None,
    memo: str = "",
) -> StatementLine:
    """A payout of 100.00 as the institution booked it."""
    return StatementLine(
        kind, amount or cny(10_000), credit, booked_at, reference, channel_ref, line_ref, memo
    )


def open_break(
    channel: str = CHANNEL,
    *,
    on: date = TODAY,
    kind: BreakKind = BreakKind.MISSING_THEIRS,
    reference: str | None = "R1",
    line_ref: str | None = None,
    amount: Money | None = None,
    payout: str | None = None,
    opened_at: datetime = NOW,
) -> Break:
    """An attempt that the statement does not know."""
    amount = amount or cny(10_000)
    owner = None if payout is None else PayoutId(payout)
    return Break(
        channel,
        on,
        kind,
        reference,
        line_ref,
        amount.minor,
        amount.currency,
        owner,
        "not on the statement",
        opened_at,
    )


# --- Events ------------------------------------------------------------------------------------


def armed(attempt_: Attempt | None = None) -> Armed:
    """The first attempt is armed."""
    return Armed(attempt_ or attempt())


def resent(number: int = 1, *, at: datetime = NOW) -> Resent:
    """The same reference goes out once more."""
    return Resent(number, "e" * 64, at, None)


def pended(
    number: int = 1, *, channel_ref: str = "CH1", action: PayeeAction | None = None
) -> Pended:
    """The channel has it."""
    return Pended(number, Source.SEND, channel_ref, "DEALING", action)


def doubted(
    number: int = 1, *, cause: str = "timeout", absent: bool = False, no: Refusal | None = None
) -> Doubted:
    """No answer came, or `no`: one that needs an inquiry before it counts."""
    source = Source.INQUIRY if absent else Source.SEND
    return Doubted(number, source, cause, no, absent)


def confirmed(
    number: int = 1,
    *,
    channel_ref: str = "CH1",
    paid_at: datetime = NOW,
    fee_minor: int | None = 8,
    source: Source = Source.SEND,
) -> Confirmed:
    """Paid; the channel charged 0.08."""
    return Confirmed(number, source, channel_ref, paid_at, fee_minor)


def died(number: int = 1, cert: Certificate | None = None) -> Died:
    """Proven dead by a definite rejection."""
    return Died(number, Source.SEND, cert or certificate())


def came_back(number: int = 1, *, amount_minor: int = 10_000, at: datetime = NOW) -> CameBack:
    """The whole amount was returned."""
    return CameBack(number, Source.STATEMENT, amount_minor, at, Reason.BANK_RETURNED)


def settled(
    number: int = 1, *, on: date = TODAY, line_ref: str = "L1", fee_minor: int | None = None
) -> Settled:
    """Seen on the statement."""
    return Settled(number, on, line_ref, fee_minor)


def failed(reason: str = "no_channel_left") -> Failed:
    """No channel is left."""
    return Failed(reason)


def cancelled(by: str = "merchant") -> Cancelled:
    """Stopped by the merchant."""
    return Cancelled(by)


def held(reason: str = "review") -> Held:
    """Stopped for a person."""
    return Held(reason)


def parked(reason: str = "in_doubt_too_long") -> Parked:
    """Given to an owner."""
    return Parked(reason)


def released(by: str = "operator") -> Released:
    """Let go on."""
    return Released(by)


def unparked(by: str = "operator") -> Unparked:
    """Handed back by its owner."""
    return Unparked(by)


def contradicted(number: int = 1, *, amount_minor: int = 10_000) -> Contradicted:
    """The statement shows money for a dead attempt."""
    return Contradicted(number, Source.STATEMENT, "paid", amount_minor)


# --- Changes -----------------------------------------------------------------------------------


def intake(subject: Payout | None = None, *, key: str | None = None, body: str = "body") -> Intake:
    """Idempotency key and fingerprint; by default the key names the payout's merchant_ref."""
    if key is None:
        key = f"key-{subject.merchant_ref}" if subject else f"key-{next(_counter):016d}"
    return Intake(key, sha256(body.encode()).digest())


def accepted_change(subject: Payout | None = None, *, actor: str = "key:key_1") -> Change:
    """The acceptance of a payout, with its hold."""
    subject = subject or payout()
    event = Accepted(subject.state, subject.reason)
    return Change(None, subject, (event,), (ledger.posting(None, subject, event),), actor)


def change(
    before: Payout,
    *events: Event,
    at: datetime | None = None,
    due_at: datetime | None = None,
    actor: str = "worker",
    decision: bytes | None = None,
    evidence: Evidence | None = None,
) -> Change:
    """Move a payout by these events, with the postings the ledger makes of them."""
    moved, postings = before, []
    for event in events:
        then = apply(moved, event, at or before.updated_at)
        postings.append(ledger.posting(moved, then, event))
        moved = then
    moved = replace(moved, due_at=due_at)
    return Change(before, moved, events, tuple(postings), actor, decision, evidence)


def arm(
    before: Payout,
    attempt_: Attempt | None = None,
    *,
    at: datetime | None = None,
    decision: bytes | None = b'{"chosen":"alipay-main"}',
) -> Change:
    """Arm the next attempt of a payout in ROUTING."""
    made = attempt_ or attempt(len(before.attempts) + 1, armed_at=at or before.updated_at)
    return change(before, Armed(made), at=at, decision=decision)


def confirm(before: Payout, *, at: datetime | None = None, fee_minor: int | None = 8) -> Change:
    """The live attempt is paid."""
    live = before.live
    if live is None:
        raise AssertionError("there is no live attempt to confirm")
    moment = at or before.updated_at
    event = Confirmed(live.number, Source.SEND, f"CH-{live.reference}", moment, fee_minor)
    return change(before, event, at=moment)


def kill(before: Payout, *, at: datetime | None = None, cert: Certificate | None = None) -> Change:
    """The live attempt is proven dead."""
    live = before.live
    if live is None:
        raise AssertionError("there is no live attempt to kill")
    return change(before, died(live.number, cert), at=at)
