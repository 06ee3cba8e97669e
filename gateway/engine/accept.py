"""Durable, idempotent intake: one commit of payout, hold, event and outbox, then the answer.

Nothing here touches a network. A request either is the first under its key, or the same again, or
a conflict; it is never half-stored.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from channels.contract import Instrument
from channels.money import Currency, Money
from channels.unprinted import Unprinted
from gateway.domain.errors import InvalidError
from gateway.domain.ledger import posting
from gateway.domain.merchant_fee import Charge, month_of
from gateway.domain.payout import (
    UNCONSTRAINED,
    Accepted,
    Constraints,
    Payout,
    PayoutId,
    PayoutState,
    Speed,
    lasting_id,
)
from gateway.engine.at_once import at_once
from gateway.engine.gateway import Gateway, Told
from gateway.engine.instruct import instruction_of
from gateway.engine.screen import UNSCREENED, screen
from gateway.ports import Change, Intake, Merchant, MonthMovedError, Search
from policies.decide import Screening
from policies.fees import UNUSED, MonthUse

SCHEDULE_MAX = timedelta(days=366)
ANY_PAYOUT = PayoutId("po_" + "0" * 26)
"""In whose name channels are asked at the door: all references of a channel are made by one rule,
so what it says of one it says of all (the channels' contract tests hold it)."""
PRICINGS_MAX = 50
"""A fee is computed anew when others take the month past a tier; of all who try, one gets there."""


class Request(Unprinted, frozen=True):
    """What a merchant asks for, already read into types at the door."""

    hidden = frozenset({"instruments"})

    merchant_ref: str
    amount: Money
    instruments: tuple[Instrument, ...]
    purpose: str
    speed: Speed = "standard"
    deadline_at: datetime | None = None
    release_at: datetime | None = None
    max_fee_minor: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    constraints: Constraints = UNCONSTRAINED
    hold: str | None = None
    """Why a person must look first, whatever the rules say; no part of what makes it the same."""


class Acceptance(Struct, frozen=True):
    """A payout that is stored, and whether an earlier request had stored it."""

    payout: Payout
    repeated: bool


async def accept(
    gateway: Gateway, merchant: Merchant, request: Request, intake: Intake, actor: str
) -> Acceptance:
    """Store the payout, or return the earlier one of the same key and body.

    Raises `InvalidError` (with `param`), `ConflictError`, `UnfundedError`. When it returns, the
    payout survives a power cut; the worker has been told.
    """
    for _ in range(PRICINGS_MAX - 1):
        try:
            return await _accept(gateway, merchant, request, intake, actor)
        except MonthMovedError:
            continue
    return await _accept(gateway, merchant, request, intake, actor)


async def _accept(
    gateway: Gateway, merchant: Merchant, request: Request, intake: Intake, actor: str
) -> Acceptance:
    now = gateway.clock.now()
    price = await priced_for(gateway, merchant, request.amount, now)
    payout_id = PayoutId(lasting_id(gateway.installation, merchant.id, request.merchant_ref, now))
    reserved = None if intake.row is None else intake.row.reserved_minor
    try:
        if reserved is not None:
            price.check()
        else:
            check(gateway, request, price, now)
    except InvalidError:
        # What the clock or the channels say now does not unmake a payout: a request repeated after
        # its deadline is answered from what is stored, or its sender would pay by another way.
        if not await _is_known(gateway, merchant, request):
            raise
        # Nothing will be inserted; only that it could be matters.
        price = Price(request.amount, Money.zero(request.amount.currency), None)
    payout = first_payout(gateway, merchant, request, price, payout_id, now)
    floor: int | None = merchant.floor_minor
    if reserved is not None:
        # With its batch: due once all rows are accepted; until then they can all be cancelled.
        payout = replace(payout, due_at=None)
        if (price.amount + price.fee).minor <= reserved:
            # What was reserved with the batch needs no look at the balance again.
            floor = None
    event = Accepted(payout.state, payout.reason)
    change = Change(None, payout, (event,), (posting(None, payout, event),), actor)
    taken = await at_once(gateway, change, intake, floor)
    if taken is not None:
        return Acceptance(*taken)
    stored = await gateway.store.accept(change, intake, floor)
    # Not by its id: asked for twice in the same millisecond, it is the same.
    repeated = stored is not payout
    if not repeated:
        begin(gateway, change)
    return Acceptance(stored, repeated)


def first_payout(
    gateway: Gateway,
    merchant: Merchant,
    request: Request,
    price: "Price",
    payout_id: PayoutId,
    now: datetime,
) -> Payout:
    """The payout as it is accepted: screened, held, scheduled or free to go."""
    release_at = _release_at(merchant, request, now)
    worker = gateway.store.worker
    # As it is where no rule says anything, which is nearly always.
    state, reason = _first_state(merchant, request, release_at, UNSCREENED, now)
    payout = Payout(
        id=payout_id,
        merchant_id=merchant.id,
        merchant_ref=request.merchant_ref,
        amount=price.amount,
        fee=price.fee,
        instruments=request.instruments,
        purpose=request.purpose,
        speed=request.speed,
        deadline_at=request.deadline_at,
        release_at=release_at,
        max_fee_minor=request.max_fee_minor,
        metadata=dict(request.metadata),
        state=state,
        version=1,
        accepted_at=now,
        updated_at=now,
        due_at=_first_due(state, release_at, now),
        reason=reason,
        owner=_first_owner(state),
        # Claimed in the commit that stores it, by whoever takes it in.
        worker=worker or 0,
        epoch=1 if worker else 0,
        constraints=request.constraints,
        charge=price.charge,
    )
    said = screen(gateway, payout, now)
    if said is UNSCREENED:
        return payout
    state, reason = _first_state(merchant, request, release_at, said, now)
    return replace(
        payout,
        state=state,
        reason=reason,
        owner=_first_owner(state),
        deadline_at=said.deadline_at or payout.deadline_at,
        due_at=_first_due(state, release_at, now),
    )


def begin(gateway: Gateway, change: Change) -> None:
    """Say that a payout was accepted, durably, and have it worked on where it is due."""
    gateway.observer.moved(change)
    payout = change.after
    if payout.due_at is not None and payout.state is PayoutState.ROUTING:
        gateway.wake(Told(payout.id, known=payout))
        gateway.announce(payout.id)


def check(gateway: Gateway, request: Request, price: "Price", now: datetime) -> None:
    """Raise `InvalidError` for what would be refused now whatever the balance is."""
    _check_times(request, now)
    price.check()
    if price.amount != request.amount:
        request = replace(request, amount=price.amount)
    _check_reachable(gateway, request)


async def _is_known(gateway: Gateway, merchant: Merchant, request: Request) -> bool:
    """Whether its merchant_ref is taken for ever, so that the store will insert nothing."""
    wanted = Search(merchant.id, merchant_ref=request.merchant_ref, limit=1)
    return bool(await gateway.store.search(wanted))


class Price(Struct, frozen=True):
    """What the beneficiary gets and what the merchant pays for it."""

    amount: Money
    fee: Money
    charge: Charge | None

    def check(self) -> None:
        """Refuse an amount that its own fee would eat up. Raises `InvalidError`."""
        if self.amount.minor <= 0:
            asked, fee = self.amount + self.fee, self.fee
            raise InvalidError(
                "amount_below_fee",
                f"the fee of {fee} {fee.currency} is taken out of the amount of {asked} "
                f"{fee.currency} and leaves nothing to pay; ask for more than the fee",
                zh=f"手续费 {fee} {fee.currency} 从付款金额 {asked} {fee.currency} 中内扣后"
                "无余额可付，请提高金额",
                param="amount",
            )


async def priced_for(
    gateway: Gateway, merchant: Merchant, asked: Money, now: datetime, earlier: MonthUse = UNUSED
) -> Price:
    """The merchant's fee for an amount now, at the tier that its month has reached.

    `earlier`: what else of the same request counts before it.
    """
    month = await month_for(gateway, merchant, asked.currency, now)
    month = MonthUse(month.payouts + earlier.payouts, month.minor + earlier.minor)
    return price_at(merchant, asked, now, month)


async def month_for(
    gateway: Gateway, merchant: Merchant, currency: Currency, now: datetime
) -> MonthUse:
    """What counts for a merchant's tiers this month; not looked up for one without tiers."""
    if not merchant.fee.fee.tiers:
        return UNUSED
    return await gateway.store.merchant_month(merchant.id, currency, month_of(now))


def price_at(merchant: Merchant, asked: Money, now: datetime, month: MonthUse) -> Price:
    """The merchant's fee for an amount at the tier that `month` has reached."""
    terms = merchant.fee
    if terms.is_nothing:
        return Price(asked, Money.zero(asked.currency), None)
    charge = Charge(terms, month_of(now), month if terms.fee.tiers else UNUSED)
    fee = Money(charge.fee_minor(asked.minor), asked.currency)
    return Price(asked - fee if terms.fee.mode == "deducted" else asked, fee, charge)


def _release_at(merchant: Merchant, request: Request, now: datetime) -> datetime | None:
    if request.release_at is None and merchant.release_delay_s:
        return now + timedelta(seconds=merchant.release_delay_s)
    return request.release_at


def _first_state(
    merchant: Merchant,
    request: Request,
    release_at: datetime | None,
    said: Screening,
    now: datetime,
) -> tuple[PayoutState, str | None]:
    """A rule's review comes before the merchant's limit, which the fast lane lifts."""
    limit = merchant.review_above_minor
    if request.hold is not None:
        return PayoutState.HELD, request.hold
    if said.review is not None:
        return PayoutState.HELD, f"policy_review: {said.review}"
    if limit is not None and request.amount.minor > limit and not said.passes:
        return PayoutState.HELD, "review_amount"
    if release_at is not None and release_at > now:
        return PayoutState.SCHEDULED, None
    return PayoutState.ROUTING, None


def _first_owner(state: PayoutState) -> str | None:
    return "operations" if state is PayoutState.HELD else None


def _first_due(state: PayoutState, release_at: datetime | None, now: datetime) -> datetime | None:
    if state is PayoutState.ROUTING:
        return now
    return release_at if state is PayoutState.SCHEDULED else None


def _check_times(request: Request, now: datetime) -> None:
    if request.release_at is not None and request.release_at > now + SCHEDULE_MAX:
        raise InvalidError(
            "release_too_late",
            "release_after must lie within the next 366 days",
            zh="release_after 不能超过 366 天",
            param="release_after",
        )
    starts = max(now, request.release_at or now)
    if request.deadline_at is not None and request.deadline_at <= starts:
        raise InvalidError(
            "deadline_passed",
            "deadline must lie in the future and after release_after",
            zh="deadline 必须晚于当前时间和 release_after",
            param="deadline",
        )


def _check_reachable(gateway: Gateway, request: Request) -> None:
    """Refuse at the door what no configured channel could ever carry, and say why for each."""
    problems: list[str] = []
    if request.constraints is not UNCONSTRAINED:
        _check_known(gateway, request.constraints)
    for channel in gateway.channels.values():
        if not request.constraints.allows(channel.name):
            problems.append(f"{channel.name}: the request leaves it out")
            continue
        terms = channel.traits.terms
        if terms.currency is not request.amount.currency:
            problems.append(f"{channel.name}: pays {terms.currency} only")
            continue
        if not terms.amount_min <= request.amount.minor <= terms.amount_max:
            problems.append(f"{channel.name}: amount outside its limits")
            continue
        for index, instrument in enumerate(request.instruments):
            if instrument.rail not in channel.traits.rails:
                problems.append(f"{channel.name}: does not reach {instrument.rail}")
                continue
            told = instruction_of(
                gateway, ANY_PAYOUT, request, channel=channel.name, instrument=index
            )
            found = channel.check(told)
            if not found:
                return
            problems += [f"{channel.name}: {one.field}: {one.message}" for one in found]
    raise InvalidError(
        "no_channel",
        "no configured channel can carry this payout: " + "; ".join(dict.fromkeys(problems)),
        zh="没有任何已配置渠道可以承接该代付",
        param="beneficiary",
    )


def _check_known(gateway: Gateway, constraints: Constraints) -> None:
    """Refuse names that are not channels: a typing mistake must not quietly change the route."""
    for part in ("only", "deny", "prefer"):
        for name in getattr(constraints, part):
            if name not in gateway.channels:
                known = ", ".join(sorted(gateway.channels))
                raise InvalidError(
                    "channel_unknown",
                    f"there is no channel named {name}; there are: {known}",
                    zh=f"没有名为 {name} 的渠道，可用渠道：{known}",
                    param=f"channels.{part}",
                )
