"""Find out what became of an attempt: at the channel's pace, backing off, never giving up."""

from datetime import datetime, timedelta
from time import perf_counter

from msgspec.structs import replace

from channels.contract import Absent, Inquiry, Outcome, Paid, Pending, Unknown, UnknownCause
from gateway.domain.pace import may_resend, next_inquiry
from gateway.domain.payout import Attempt, AttemptState, Doubted, Payout, Source
from gateway.domain.silence import Asked, may_prove
from gateway.engine.dispatch import learn, resend, settle
from gateway.engine.gateway import Gateway
from gateway.engine.hearing import heard
from gateway.engine.instruct import instruction_of
from gateway.engine.record import move
from gateway.engine.strange_words import notice_strange

CANARY_DAYS = 14
"""How old a canary may be twice over, where a channel names no horizon of its inquiries."""


WHILE_SHORT = timedelta(seconds=2)
"""How soon an inquiry is tried again that had to leave the channel to sends."""
NOTICED = "noticed"
"""The stage of an attempt of which a notice told, and the inquiry that it led to did not."""


async def inquire(
    gateway: Gateway,
    payout: Payout,
    attempt: Attempt,
    *,
    routine: bool = False,
    noticed: bool = False,
) -> Payout:
    """Ask the channel about one attempt and commit what the answer proves.

    A `routine` question, which nobody but its due time asks for, may have to wait while sends do.

    Works for open attempts (ours to settle) and for closed ones that a notice named (a return, or
    a contradiction). `noticed`: a verified notice has just named it, so the channel has it even if
    the answer does not say so. Raises `StaleError` when the payout moved.
    """
    channel = gateway.channels.get(attempt.channel)
    if channel is None:
        # Its configuration was removed while money was under way: nobody can ask.
        gateway.observer.alarm("channel.missing", channel=attempt.channel, payout_id=payout.id)
        later = gateway.clock.now() + gateway.limits.send_grace
        if payout.due_at is not None:
            await gateway.store.postpone(payout, later, None)
        return payout
    if attempt.state is AttemptState.ARMED:
        # Whoever armed it is gone without a word: what was sent, nobody knows.
        event = Doubted(attempt.number, Source.RECOVERY, UnknownCause.CRASHED)
        payout = await move(gateway, payout, [event], actor="gateway")
        attempt = payout.attempts[attempt.number - 1]
    at = gateway.clock.now()
    if routine and payout.due_at is not None and not gateway.throttle.may_ask(attempt.channel):
        await gateway.store.postpone(payout, at + WHILE_SHORT, None)
        return replace(payout, due_at=at + WHILE_SHORT)
    outcome = await ask(gateway, payout, attempt)
    if noticed and isinstance(outcome, Absent | Unknown) and attempt.state is AttemptState.IN_DOUBT:
        outcome = Pending(attempt.channel_ref, NOTICED)
    asked = await circumstances(gateway, attempt, outcome, at)
    version = payout.version
    payout = await settle(gateway, payout, attempt.number, outcome, Source.INQUIRY, asked)
    attempt = payout.attempts[attempt.number - 1]
    now = gateway.clock.now()
    resends = channel.traits.resend
    # Where a repetition is the question, a look that could not tell is a reason to put it.
    blind = resends is not None and resends.answers and isinstance(outcome, Unknown)
    unseen = (isinstance(outcome, Absent) or blind) and attempt.state is AttemptState.IN_DOUBT
    may_send = gateway.stopped() is None and not gateway.load.is_killed(attempt.channel)
    if unseen and may_send and may_resend(attempt, channel.traits, now):
        return await resend(gateway, payout, attempt)
    if payout.version == version and payout.due_at is not None:
        due_at = next_inquiry(payout, attempt, channel.traits, now)
        await gateway.store.postpone(payout, due_at, None)
    return payout


async def circumstances(
    gateway: Gateway, attempt: Attempt, outcome: Outcome | Absent, at: datetime
) -> Asked:
    """How an inquiry's silence may count; asks for a canary only where that alone is missing."""
    asked = Asked(gateway.channels[attempt.channel].traits.profile, at)
    if isinstance(outcome, Absent) and may_prove(attempt, asked):
        return replace(asked, canary_at=await _canary(gateway, attempt.channel))
    return asked


async def _canary(gateway: Gateway, name: str) -> datetime | None:
    """When the channel found a payout that it has paid for certain; None when it did not.

    A channel that answers "not found" about everything must not make us pay twice.
    """
    days = gateway.channels[name].traits.inquire_horizon_days or CANARY_DAYS
    known = await gateway.store.canary(name, gateway.clock.now() - timedelta(days=days) / 2)
    payout = await gateway.store.payout(known[0]) if known is not None else None
    if known is None or payout is None:
        return None
    attempt = payout.attempts[known[1] - 1]
    outcome = await ask(gateway, payout, attempt)
    found_at = gateway.clock.now()
    # What it says may be news about that payout as well: a return, or a word taken back.
    await settle(gateway, payout, attempt.number, outcome, Source.INQUIRY)
    return found_at if isinstance(outcome, Paid) else None


async def ask(gateway: Gateway, payout: Payout, attempt: Attempt) -> Outcome | Absent:
    """Put the question to the channel; a defect of its adapter is no answer."""
    channel = gateway.channels[attempt.channel]
    told = instruction_of(
        gateway,
        payout.id,
        payout,
        channel=channel.name,
        instrument=attempt.instrument,
        number=attempt.number,
    )
    question = Inquiry(
        attempt.reference, payout.amount, told.instrument, attempt.signed_at, attempt.channel_ref
    )
    started = perf_counter()
    try:
        outcome = heard(gateway, channel.name, await channel.inquire(question))
    except Exception as error:  # noqa: BLE001 - an adapter's defect must not stop the worker
        gateway.observer.defect("channel.defect", error, channel=channel.name)
        outcome = Unknown(UnknownCause.CRASHED)
    gateway.observer.called(
        channel.name, "inquire", type(outcome).__name__.lower(), perf_counter() - started
    )
    notice_strange(gateway, channel.name, outcome)
    if not isinstance(outcome, Unknown) and attempt.state in {
        AttemptState.IN_DOUBT,
        AttemptState.PENDING,
    }:
        # An unanswered question says nothing about the channel's ability to pay.
        learn(gateway, channel.name, told, outcome, attempt.signed_at)
    return outcome
