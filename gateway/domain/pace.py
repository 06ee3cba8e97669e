"""When to look again: backoff as pure functions of history and time.

An inquiry about an open attempt never stops by itself; it only slows down to the channel's
maximum. Delays are spread by a fraction derived from the id, so that a thousand payouts doubted in
the same outage do not come back in the same second.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil

from channels.contract import Profile, Traits
from gateway.domain.payout import Attempt, AttemptState, Payout
from gateway.domain.silence import is_refused, refusal_lag

DELIVERY_LADDER_S = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Webhook tries, after Standard Webhooks' advice: 3 days in all, then dead letter."""

NOTICE_TAIL_S = (1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Other platforms give a notice up after minutes; it goes on from there, about as long as ours."""

DEAD_LADDER_S = (3600, 6 * 3600, 24 * 3600)
"""How long after its death an attempt is asked about again: a proof may have been wrong."""


def jitter(seed: str, seconds: int) -> timedelta:
    """Stretch a delay by 0-10 %, always the same for the same seed."""
    share = sha256(seed.encode()).digest()[0]
    return timedelta(milliseconds=seconds * 1000 + seconds * 100 * share // 255)


def next_inquiry(payout: Payout, attempt: Attempt, traits: Traits, now: datetime) -> datetime:
    """When to ask about an open attempt: after as long again as it has been open.

    That doubles the gaps without counting anything: with a first delay of 10 s, asked after 10,
    20, 40, 80 … seconds, and at the channel's maximum pace for ever. Open since the first send: a
    resend must not bring the first gaps back, or a refused one would be repeated for ever.
    """
    open_s = int((now - attempt.armed_at).total_seconds())
    delay = min(max(open_s, traits.inquire_first_s), traits.inquire_max_s)
    if is_refused(attempt) and attempt.absent_at:
        # The second look, which would complete the refusal, is put as soon as it counts.
        wait = attempt.absent_at[0] + refusal_lag(traits.profile) - now
        delay = min(delay, max(ceil(wait.total_seconds()), 1))
    return now + jitter(f"{payout.id}{payout.version}", delay)


def must_park(attempt: Attempt, profile: Profile, now: datetime) -> str | None:
    """Why a person must look, when nobody has known for too long what became of an attempt.

    Counted from the first doubt, from when the attempt was armed if there was none, or from when a
    person has looked last.
    """
    allowed = timedelta(seconds=profile.escalate_after_s)
    match attempt.state:
        case AttemptState.IN_DOUBT if attempt.doubted_at is not None:
            return "in_doubt_too_long" if now - attempt.doubted_at >= allowed else None
        case AttemptState.PENDING:
            since = attempt.doubted_at or attempt.armed_at
            allowed += timedelta(seconds=profile.dwell_s)
            return "pending_too_long" if now - since >= allowed else None
        case _:
            return None


def may_resend(attempt: Attempt, traits: Traits, now: datetime) -> bool:
    """Whether the same reference may be signed and sent once more.

    Only where the channel promises to honour its own reference, only inside that promise counted
    from the first send, only after two inquiries in a row found nothing (unless the repetition is
    itself the inquiry: `Resend.answers`), and never close behind the last send: after as long
    again as the attempt had been open then, so that a reference that the channel will not take is
    sent a dozen times in a day and not a thousand.
    """
    if traits.resend is None or attempt.refusal is not None:
        # A refusal is completed by looks; a resend would void it, and its own refusal is no proof.
        return False
    if attempt.absences < 2 and not traits.resend.answers:
        return False
    fresh = now - attempt.armed_at < timedelta(seconds=traits.resend.window_s * 9 // 10)
    quiet = now - attempt.signed_at >= max(
        timedelta(seconds=traits.resend.quiet_s), attempt.signed_at - attempt.armed_at
    )
    return fresh and quiet


def next_look(payout: Payout, number: int, died_at: datetime, *, looks: int) -> datetime | None:
    """When to ask again about a dead attempt after `looks` answers; None after the last one."""
    if looks >= len(DEAD_LADDER_S):
        return None
    wait_s = DEAD_LADDER_S[looks]
    return died_at + jitter(f"{payout.id}/{number}", wait_s)


def next_delivery(
    tries: int, now: datetime, ladder_s: Sequence[int] = DELIVERY_LADDER_S
) -> datetime | None:
    """When to try a webhook again after `tries` failed tries; None when the ladder is used up."""
    if tries >= len(ladder_s):
        return None
    return now + timedelta(seconds=ladder_s[tries])
