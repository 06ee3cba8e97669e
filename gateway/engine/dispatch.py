"""One attempt: prepare, arm, send, settle the outcome. The only caller of `Channel.send`.

The order is the product. (1) The request is built and signed. (2) The attempt, with the digest of
those bytes, is committed, and the commit acknowledged to this very call. (3) Exactly those bytes
are sent, once. (4) The outcome is committed. A crash, a cancellation or an unknown commit between
(2) and (4) leaves the attempt ARMED, which recovery reads as "in doubt": nothing here ever
concludes that money did not move, except through `domain.certify`.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter

from msgspec.structs import replace

from channels.contract import (
    STICKY,
    Absent,
    Channel,
    Evidence,
    Fault,
    Instruction,
    NotSent,
    NotSentCause,
    Outcome,
    Paid,
    Prepared,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from gateway.domain.certify import events_of, withheld
from gateway.domain.incident import frozen_reason
from gateway.domain.pace import must_park, next_inquiry
from gateway.domain.payout import (
    Armed,
    Attempt,
    AttemptState,
    Doubted,
    Event,
    Failed,
    Held,
    Parked,
    Payout,
    PayoutState,
    Resent,
    Source,
)
from gateway.domain.silence import Asked
from gateway.engine.gateway import Gateway, Told
from gateway.engine.hearing import heard
from gateway.engine.incidents import held_back_by
from gateway.engine.instruct import instruction_of
from gateway.engine.queueing import follow
from gateway.engine.record import is_news, move
from gateway.engine.route import Route, route, segment_of, segments_of
from gateway.engine.strange_words import notice_strange
from gateway.ports import Fence, FloatShortError, StaleError
from policies.facts import Decision
from policies.health import Observed, rail_of

STOPPED_FOR = timedelta(minutes=2)
"""How soon a payout is looked at again that may not be sent now."""

TIMER_SLACK_S = 0.005
"""The event loop's clock and the wall clock need not agree to the millisecond."""

MAY_BE_THE_BANK = frozenset({Reason.RAIL_DOWN, Reason.NEVER_ARRIVED})
"""What a channel may say when it is the beneficiary's bank that fails; its other reasons, from its
own float to its signature, are as true of every bank."""

SETTLE_TRIES = 8
"""How often an outcome is re-applied to a payout that moved meanwhile."""


async def dispatch(gateway: Gateway, payout: Payout) -> Payout:
    """Give a ROUTING payout to the best channel, or say when to ask again, or fail it.

    Returns the payout as it now stands. Raises `StaleError` when somebody else moved it.
    """
    frozen = await held_back_by(gateway, payout)
    if frozen is not None:
        return await _hold_back(gateway, payout, frozen)
    now = gateway.clock.now()
    if gateway.stopped() is not None:
        return await put_off(gateway, payout)
    if payout.deadline_at is not None and now >= payout.deadline_at:
        # Every attempt so far is proven dead, and arriving too late was not asked for.
        return await move(gateway, payout, [Failed("deadline_passed")], actor="gateway")
    chosen = route(gateway, payout, now)
    follow(gateway, payout, chosen.decision, segments_of(payout))
    if chosen.decision.chosen is None or len(payout.attempts) >= gateway.limits.attempts_max:
        # The bound is strict: after a restore so many references are asked about, and no more.
        return await _nowhere(gateway, payout, chosen, now)
    candidate = chosen.decision.chosen
    channel = gateway.channels[candidate.channel]
    told = instruction_of(
        gateway,
        payout.id,
        payout,
        channel=channel.name,
        instrument=candidate.instrument,
        number=len(payout.attempts) + 1,
    )
    if candidate.probing:
        # Before anything is awaited: one payout probes, however many are decided on at once.
        gateway.health.started(channel.name, segment_of(told.instrument, told.amount), now)
    with gateway.load.sends(channel.name):
        wait_s = await gateway.throttle.turn(channel.name)
        if wait_s is not None:
            return await _take_turns(gateway, payout, wait_s)
        now = gateway.clock.now()
        if payout.deadline_at is not None and now >= payout.deadline_at:
            return payout
        prepared = await signed(gateway, channel, told, now)
        if gateway.stopped() is not None:
            return await put_off(gateway, payout)
        if gateway.load.is_killed(channel.name):
            # Since it was routed. The store would refuse it as well; the next decision knows.
            return payout
        attempt = attempt_of(payout, channel, chosen, prepared, now)
        fence = gateway.store.fence()
        try:
            armed = await move(
                gateway,
                payout,
                [Armed(attempt)],
                actor="gateway",
                decision=chosen.decision_json,
                due_at=now + gateway.limits.send_grace,
            )
        except FloatShortError:
            # Another replica took the float since it was counted; the next decision knows.
            gateway.load.float_minor[channel.name] = 0
            return payout
        if gateway.halted is not None:
            return armed
        if not candidate.probing:
            gateway.health.started(channel.name, segment_of(told.instrument, told.amount), now)
        outcome = await send_within(gateway, fence, channel, prepared)
    return await settle(gateway, armed, attempt.number, outcome, Source.SEND)


async def put_off(gateway: Gateway, payout: Payout) -> Payout:
    """Look again in a while: nothing may be armed now (`Gateway.stopped` says why)."""
    if gateway.store.worker is None:
        # It stays due, for the worker that this process becomes next, or for another.
        return payout
    later = gateway.clock.now() + STOPPED_FOR
    await gateway.store.postpone(payout, later, None)
    return replace(payout, due_at=later)


async def _take_turns(gateway: Gateway, payout: Payout, wait_s: float) -> Payout:
    """Come back when the channel may be sent to: at that very time, or at the poll after it.

    Due times say so to any process; the timer only saves this one the wait for the poll.
    """
    later = gateway.clock.now() + timedelta(seconds=wait_s)
    await gateway.store.postpone(payout, later, None)
    loop = asyncio.get_running_loop()
    loop.call_later(wait_s + TIMER_SLACK_S, gateway.wake, Told(payout.id))
    return replace(payout, due_at=later)


async def resend(gateway: Gateway, payout: Payout, attempt: Attempt) -> Payout:
    """Sign the same instruction again under the same reference, commit that, send it.

    Only for channels that promise to honour their own reference (`domain.pace.may_resend`).
    """
    now = gateway.clock.now()
    if gateway.stopped() is not None:
        return await put_off(gateway, payout)
    channel = gateway.channels[attempt.channel]
    told = instruction_of(
        gateway,
        payout.id,
        payout,
        channel=channel.name,
        instrument=attempt.instrument,
        number=attempt.number,
    )
    # A reference is derived once and then stored: whatever the rule says by now, this is its name.
    told = replace(told, reference=attempt.reference)
    with gateway.load.sends(channel.name):
        wait_s = await gateway.throttle.turn(channel.name)
        if wait_s is not None:
            return await _take_turns(gateway, payout, wait_s)
        now = gateway.clock.now()
        prepared = await signed(gateway, channel, told, now)
        if gateway.stopped() is not None or gateway.load.is_killed(channel.name):
            return await put_off(gateway, payout)
        if _must_repeat(channel) and prepared.digest != attempt.digest:
            # Its settings have changed since: only looks, and people, can end this doubt.
            gateway.observer.alarm("attempt.unrepeatable", channel=channel.name)
            later = next_inquiry(payout, attempt, channel.traits, now)
            await gateway.store.postpone(payout, later, None)
            return replace(payout, due_at=later)
        fence = gateway.store.fence()
        event = Resent(attempt.number, prepared.digest, prepared.signed_at, prepared.not_after)
        due_at = now + gateway.limits.send_grace
        armed = await move(gateway, payout, [event], actor="gateway", due_at=due_at)
        if gateway.halted is not None:
            return armed
        outcome = await send_within(gateway, fence, channel, prepared)
    return await settle(gateway, armed, attempt.number, outcome, Source.SEND)


async def signed(gateway: Gateway, channel: Channel, told: Instruction, now: datetime) -> Prepared:
    """Build and sign the request, beside the loop where another core can do it."""
    if gateway.signs_beside:
        return await asyncio.to_thread(channel.prepare, told, now)
    return channel.prepare(told, now)


def _must_repeat(channel: Channel) -> bool:
    """Whether a second send must be the first one to the byte."""
    return channel.traits.resend is not None and channel.traits.resend.answers


async def send_within(
    gateway: Gateway, fence: Fence, channel: Channel, prepared: Prepared
) -> Outcome:
    """Send, unless another worker may have taken over since the arm was asked for.

    Nothing is awaited between this look and the adapter's first step.
    """
    if not gateway.store.holds(fence):
        gateway.observer.alarm("attempt.withheld", channel=channel.name)
        return NotSent(NotSentCause.PREPARE, "another process may have taken over")
    if gateway.load.is_killed(channel.name):
        gateway.observer.alarm("attempt.withheld", channel=channel.name)
        return NotSent(NotSentCause.PREPARE, "a person killed the channel meanwhile")
    return await send(gateway, channel, prepared)


async def send(gateway: Gateway, channel: Channel, prepared: Prepared) -> Outcome:
    """Let the armed bytes go, once. Any defect of an adapter reads as "cannot tell"."""
    started = perf_counter()
    now = gateway.clock.now()
    if prepared.not_after is not None and now >= prepared.not_after:
        outcome: Outcome = NotSent(NotSentCause.PREPARE, "signed too long ago")
    else:
        try:
            outcome = heard(gateway, channel.name, await channel.send(prepared))
        except Exception as error:  # noqa: BLE001 - bytes may have left; the only safe reading
            gateway.observer.defect("channel.defect", error, channel=channel.name)
            outcome = Unknown(UnknownCause.CRASHED)
    seconds = perf_counter() - started
    gateway.observer.called(channel.name, "send", type(outcome).__name__.lower(), seconds)
    notice_strange(gateway, channel.name, outcome)
    learn(gateway, channel.name, prepared.instruction, outcome, now, latency_ms=int(seconds * 1000))
    return outcome


async def settle(
    gateway: Gateway,
    payout: Payout,
    number: int,
    outcome: Outcome | Absent,
    source: Source,
    asked: Asked | None = None,
) -> Payout:
    """Commit whatever the outcome proves about attempt `number`, however the payout has moved.

    Safe to repeat: evidence that adds nothing writes nothing. `asked` lets silence count.
    """

    def judge(payout: Payout, attempt: Attempt, now: datetime) -> tuple[Event, ...]:
        return events_of(payout, attempt, outcome, source, now, asked)

    return await conclude(
        gateway,
        payout,
        number,
        judge,
        silent=isinstance(outcome, Absent),
        evidence=getattr(outcome, "evidence", None),
    )


Judge = Callable[[Payout, Attempt, datetime], tuple[Event, ...]]


async def conclude(
    gateway: Gateway,
    payout: Payout,
    number: int,
    judge: Judge,
    *,
    silent: bool,
    evidence: Evidence | None = None,
) -> Payout:
    """Commit what `judge` makes of attempt `number`.

    It judges anew whenever the payout has moved meanwhile, unless the channel was `silent`. While
    the attempt's channel is frozen, its word kills nothing (`certify.withheld`).
    """
    for _ in range(SETTLE_TRIES):
        now = gateway.clock.now()
        attempt = payout.attempts[number - 1]
        judged = await _unfrozen(gateway, payout, attempt, judge(payout, attempt, now))
        events = [event for event in judged if is_news(payout, event)]
        # One more absence may be worth noting and still leaves the attempt in doubt.
        still = all(isinstance(event, Doubted) for event in events)
        if payout.state is PayoutState.ATTEMPTING and still:
            channel = gateway.channels.get(attempt.channel)
            overdue = must_park(attempt, channel.traits.profile if channel else STICKY, now)
            if overdue is not None:
                events.append(Parked(overdue))
        if not events:
            return payout
        try:
            moved = await move(
                gateway, payout, events, actor=f"channel:{attempt.channel}", evidence=evidence
            )
        except StaleError:
            fresh = await gateway.store.payout(payout.id)
            if fresh is None:
                raise
            if silent:
                # "Not found" spoke of what the channel had when it was asked. Held against a
                # refusal or a send that came later, it would prove what it never said.
                return fresh
            payout = fresh
            continue
        for event in events:
            if event.kind in {"contradicted", "parked"}:
                gateway.observer.alarm(
                    f"payout.{event.kind}", payout_id=payout.id, channel=attempt.channel
                )
        return moved
    raise StaleError(f"{payout.id} keeps moving")


async def _unfrozen(
    gateway: Gateway, payout: Payout, attempt: Attempt, events: tuple[Event, ...]
) -> tuple[Event, ...]:
    """The events, or what is left of them while the attempt's channel is frozen."""
    reason = frozen_reason(attempt.channel)
    left = withheld(payout, events, reason)
    if left == events or attempt.channel not in await gateway.store.frozen():
        return events
    return left


async def _hold_back(gateway: Gateway, payout: Payout, channel: str) -> Payout:
    """It died on the word of a channel that is frozen now: a person must release that first."""
    event = Held(frozen_reason(channel))
    held = await move(gateway, payout, [event], actor="gateway")
    gateway.observer.alarm("payout.held_back", payout_id=payout.id, channel=channel)
    return held


def learn(
    gateway: Gateway,
    channel: str,
    told: Instruction,
    outcome: Outcome | Absent,
    sent_at: datetime,
    *,
    latency_ms: int | None = None,
) -> None:
    """Teach the health view what the channel, and not the beneficiary or we, caused."""
    segment = segment_of(told.instrument, told.amount)
    match outcome:
        case Paid():
            observed: Observed = "success"
        case Rejected(reason=reason) if reason.fault is Fault.CHANNEL:
            observed = "failure"
            if reason not in MAY_BE_THE_BANK:
                segment = rail_of(segment)
        case NotSent(cause=cause) if cause is not NotSentCause.PREPARE:
            # What never left us says nothing about where it was going.
            observed, segment = "failure", rail_of(segment)
        case Unknown():
            observed = "unknown"
        case _:
            return
    now = gateway.clock.now()
    if observed != "success" and _in_maintenance(gateway, channel, sent_at, now):
        return
    gateway.health.observe(
        channel,
        segment,
        observed,
        now,
        sent_at=sent_at,
        latency_ms=latency_ms,
        # The number of the attempt ends its id.
        again=not told.attempt_id.endswith("/1"),
    )


def _in_maintenance(gateway: Gateway, channel: str, sent_at: datetime, now: datetime) -> bool:
    """Whether it was sent, or answered, while the channel was planned to be away."""
    return any(gateway.maintenance_until(channel, at) is not None for at in (sent_at, now))


def attempt_of(
    payout: Payout, channel: Channel, chosen: Route, prepared: Prepared, now: datetime
) -> Attempt:
    candidate = chosen.decision.order[0]
    return Attempt(
        number=len(payout.attempts) + 1,
        channel=channel.name,
        reference=prepared.instruction.reference,
        instrument=candidate.instrument,
        state=AttemptState.ARMED,
        digest=prepared.digest,
        armed_at=now,
        signed_at=prepared.signed_at,
        not_after=prepared.not_after,
        quoted_fee_minor=chosen.quoted_fee_minor,
        arrival_at=candidate.arrival.at,
    )


async def _nowhere(gateway: Gateway, payout: Payout, chosen: Route, now: datetime) -> Payout:
    """No channel takes it now: wait for one, or fail it, as every attempt is proven dead."""
    limits = gateway.limits
    until = payout.deadline_at or payout.accepted_at + limits.give_up_after
    retry_at = chosen.decision.retry_at
    if retry_at is not None and retry_at < until and len(payout.attempts) < limits.attempts_max:
        await gateway.store.postpone(payout, retry_at, chosen.decision_json)
        return replace(payout, due_at=retry_at)
    reason = _why_nowhere(payout, chosen.decision)
    event = Failed(reason)
    return await move(gateway, payout, [event], actor="gateway", decision=chosen.decision_json)


def _why_nowhere(payout: Payout, decision: Decision) -> str:
    """The reason a merchant reads: the last attempt's, else the most common exclusion."""
    if payout.attempts:
        certificate = payout.attempts[-1].certificate
        if certificate is not None:
            return certificate.reason.value
    codes = [reason.code.value for one in decision.excluded for reason in one.reasons]
    return max(codes, key=codes.count) if codes else "no_channel"
