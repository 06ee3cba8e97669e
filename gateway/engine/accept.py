"""Durable, idempotent intake: one commit of payout, hold, event and outbox, then the answer.

Nothing here touches a network. A request either is the first under its key, or the same again, or
a conflict; it is never half-stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from channels.contract import Instrument
from channels.money import Money
from gateway.domain.errors import InvalidError
from gateway.domain.ledger import posting
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
from gateway.engine.gateway import Gateway, Told
from gateway.engine.instruct import instruction_of
from gateway.engine.screen import screen
from gateway.ports import Change, Intake, Merchant, Search
from policies.decide import Screening

SCHEDULE_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Request:
    """What a merchant asks for, already read into types at the door."""

    merchant_ref: str
    amount: Money
    instruments: tuple[Instrument, ...] = field(repr=False)
    purpose: str
    speed: Speed = "standard"
    deadline_at: datetime | None = None
    release_at: datetime | None = None
    max_fee_minor: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    constraints: Constraints = UNCONSTRAINED
    hold: str | None = None
    """Why a person must look first, whatever the rules say; no part of what makes it the same."""


@dataclass(frozen=True, slots=True)
class Acceptance:
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
    now = gateway.clock.now()
    payout_id = PayoutId(lasting_id(gateway.installation, merchant.id, request.merchant_ref, now))
    try:
        _check_times(request, now)
        _check_reachable(gateway, payout_id, request)
    except InvalidError:
        # What the clock or the channels say now does not unmake a payout: a request repeated after
        # its deadline is answered from what is stored, or its sender would pay by another way.
        if not await _is_known(gateway, merchant, request):
            raise
    release_at = _release_at(merchant, request, now)
    payout = Payout(
        id=payout_id,
        merchant_id=merchant.id,
        merchant_ref=request.merchant_ref,
        amount=request.amount,
        fee=merchant_fee(merchant, request.amount),
        instruments=request.instruments,
        purpose=request.purpose,
        speed=request.speed,
        deadline_at=request.deadline_at,
        release_at=release_at,
        max_fee_minor=request.max_fee_minor,
        metadata=dict(request.metadata),
        state=PayoutState.ROUTING,
        version=1,
        accepted_at=now,
        updated_at=now,
        due_at=None,
        constraints=request.constraints,
    )
    said = screen(gateway, payout, now)
    state, reason = _first_state(merchant, payout, said, now, request.hold)
    payout = replace(
        payout,
        state=state,
        reason=reason,
        owner="operations" if state is PayoutState.HELD else None,
        deadline_at=said.deadline_at or payout.deadline_at,
    )
    worker = gateway.store.worker
    if worker:
        # Claimed in the commit that stores it, by whoever takes it in.
        payout = replace(payout, worker=worker, epoch=1)
    due_at = {PayoutState.ROUTING: now, PayoutState.SCHEDULED: release_at}.get(state)
    payout = replace(payout, due_at=due_at)
    event = Accepted(state, reason)
    change = Change(None, payout, (event,), (posting(None, payout, event),), actor)
    stored = await gateway.store.accept(change, intake, merchant.floor_minor)
    # Not by its id: asked for twice in the same millisecond, it is the same.
    repeated = stored is not payout
    if not repeated:
        gateway.observer.moved(change)
        if state is PayoutState.ROUTING:
            gateway.wake(Told(payout.id))
            gateway.announce(payout.id)
    return Acceptance(stored, repeated)


async def _is_known(gateway: Gateway, merchant: Merchant, request: Request) -> bool:
    """Whether its merchant_ref is taken for ever, so that the store will insert nothing."""
    wanted = Search(merchant.id, merchant_ref=request.merchant_ref, limit=1)
    return bool(await gateway.store.search(wanted))


def merchant_fee(merchant: Merchant, amount: Money) -> Money:
    """What the merchant pays on top: clamp(flat + rate, min, max) + surcharge, each rounded up.

    Worked example: 0.3 % of 33.33 CNY is 9.999 fen, charged as 10 fen.
    """
    fee = merchant.fee
    charged = max(fee.flat_minor + _share(amount.minor, fee.rate_ppm), fee.min_minor)
    if fee.max_minor is not None:
        charged = min(charged, fee.max_minor)
    return Money(charged + _share(amount.minor, fee.surcharge_ppm), amount.currency)


def _share(minor: int, ppm: int) -> int:
    return -(-minor * ppm // 1_000_000)


def _release_at(merchant: Merchant, request: Request, now: datetime) -> datetime | None:
    if request.release_at is None and merchant.release_delay_s:
        return now + timedelta(seconds=merchant.release_delay_s)
    return request.release_at


def _first_state(
    merchant: Merchant, payout: Payout, said: Screening, now: datetime, hold: str | None
) -> tuple[PayoutState, str | None]:
    """A rule's review comes before the merchant's limit, which the fast lane lifts."""
    limit = merchant.review_above_minor
    if hold is not None:
        return PayoutState.HELD, hold
    if said.review is not None:
        return PayoutState.HELD, f"policy_review: {said.review}"
    if limit is not None and payout.amount.minor > limit and not said.passes:
        return PayoutState.HELD, "review_amount"
    if payout.release_at is not None and payout.release_at > now:
        return PayoutState.SCHEDULED, None
    return PayoutState.ROUTING, None


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


def _check_reachable(gateway: Gateway, payout_id: PayoutId, request: Request) -> None:
    """Refuse at the door what no configured channel could ever carry, and say why for each."""
    problems: list[str] = []
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
                gateway, payout_id, request, channel=channel.name, instrument=index
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
