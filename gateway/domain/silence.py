"""From when on a channel's silence may count: pure arithmetic on times and days.

Every wait is counted from the signature of the attempt's last send, never from a lease, a doubt or
a takeover: the channel measures the age of what was signed, and a paused process may still hold
those bytes (reliability.md §4.4). Whether silence then proves anything is decided in `certify`.

A refusal that asks for a look is completed by two looks that find nothing, the profile's refusal
lag apart and both after it: one alone may have been too early.

Worked example: W 300 s, dwell 60 s, lag 120 s, skew 120 s make a wait of 600 s. Signed at 10:00,
"not found" counts from 10:10 on, if it was also said twice before, 200 s and more apart.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta, tzinfo

from msgspec import Struct

from channels.contract import Profile
from gateway.domain.payout import Attempt, AttemptState

ABSENCES_MIN = 3
CANARY_WITHIN = timedelta(minutes=1)


class Asked(Struct, frozen=True):
    """The circumstances of an inquiry, as far as its silence may count."""

    profile: Profile
    at: datetime
    """When the question was put: the answer may be that old."""
    canary_at: datetime | None = None
    """When the same channel found a payout that is known to be paid; None: not asked, not found."""


class Statements(Struct, frozen=True):
    """What a channel's complete statements say about one attempt."""

    profile: Profile
    zone: tzinfo
    """In which the channel's days begin."""
    read: Collection[date]
    """Days whose complete statement is stored."""
    suspects: int
    """Lines on the days that matter which are, or might be, this attempt's."""


def wait_of(profile: Profile) -> timedelta | None:
    """How long after the last signature nothing can change any more; None if nobody knows."""
    if profile.acceptance_window_s is None:
        return None
    return timedelta(
        seconds=profile.acceptance_window_s
        + profile.dwell_s
        + profile.visibility_lag_s
        + profile.skew_s
    )


def is_refused(attempt: Attempt) -> bool:
    """Whether only looks are missing to make a refusal of the only send a proof (C1).

    What says that the order exists, a stage or a notice, has voided the refusal before.
    """
    return (
        attempt.refusal is not None
        and attempt.sends == 1
        and attempt.state is AttemptState.IN_DOUBT
    )


def refusal_lag(profile: Profile) -> timedelta:
    """How far apart two looks after a refusal must be."""
    return timedelta(seconds=profile.refusal_lag_s)


def counted(attempt: Attempt, asked: Asked) -> tuple[datetime, ...]:
    """The absences that count, this one included if it is far enough from the one before.

    Empty where absence never proves: there nothing is counted at all.
    """
    wait = wait_of(asked.profile)
    gaps = [wait / ABSENCES_MIN] if wait is not None and asked.profile.absence_proves else []
    if is_refused(attempt):
        gaps.append(refusal_lag(asked.profile))
    known = attempt.absent_at
    if not gaps or (known and asked.at - known[-1] < min(gaps)):
        return known if gaps else ()
    return (*known, asked.at)


def completes_refusal(attempt: Attempt, asked: Asked) -> bool:
    """Whether "not found" now is the second look after a refusal, late enough after the first.

    Absences that are counted were all asked after the refusal: recording it voids earlier ones.
    """
    known = attempt.absent_at
    return is_refused(attempt) and bool(known) and asked.at - known[0] >= refusal_lag(asked.profile)


def may_prove(attempt: Attempt, asked: Asked) -> bool:
    """Whether only the canary is missing to make this absence a proof (C5).

    Never for an attempt that the channel was once seen to have.
    """
    wait = wait_of(asked.profile)
    return (
        wait is not None
        and asked.profile.absence_proves
        and attempt.state is AttemptState.IN_DOUBT
        and attempt.channel_ref is None
        and _apart(counted(attempt, asked), wait / ABSENCES_MIN) >= ABSENCES_MIN
        and asked.at >= attempt.signed_at + wait
    )


def _apart(times: Iterable[datetime], gap: timedelta) -> int:
    """How many of the times remain when each must be `gap` after the one before."""
    kept: datetime | None = None
    count = 0
    for at in times:
        if kept is None or at - kept >= gap:
            kept, count = at, count + 1
    return count


def canary_sang(asked: Asked) -> bool:
    """Whether the channel's view was proven to be alive in the same minute."""
    return asked.canary_at is not None and abs(asked.canary_at - asked.at) <= CANARY_WITHIN


def statement_days(attempt: Attempt, profile: Profile, zone: tzinfo) -> tuple[date, ...]:
    """Every day on which the attempt could have been booked, and the days of grace.

    From the first send to the end of the last send's wait; the cut-off of the last day lies after
    it by construction. Empty where statements never prove.
    """
    wait = wait_of(profile)
    if profile.finality is None or wait is None:
        return ()
    first = (attempt.armed_at - timedelta(seconds=profile.skew_s)).astimezone(zone).date()
    last = (attempt.signed_at + wait).astimezone(zone).date()
    last += timedelta(days=profile.finality.grace_days)
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


def is_on_none(attempt: Attempt, statements: Statements) -> bool:
    """Whether complete statements of all those days exist and none may show the attempt (C6).

    One that the channel was seen to have must have vanished from inquiries as well.
    """
    days = statement_days(attempt, statements.profile, statements.zone)
    gone = attempt.state is AttemptState.IN_DOUBT or (
        attempt.state is AttemptState.PENDING and attempt.absences > 0
    )
    return bool(days) and gone and statements.suspects == 0 and set(days) <= set(statements.read)
