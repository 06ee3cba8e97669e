"""When silence proves that no money moved: certificates C4, C5 and C6 as tables and as laws."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.contract import (
    STICKY,
    Absent,
    Expiry,
    Finality,
    History,
    Profile,
    Reason,
    UnknownCause,
)
from channels.registry import KINDS
from gateway.domain.certify import CHANNELS_WORD, events_of, unseen, withheld
from gateway.domain.lifecycle import apply
from gateway.domain.payout import (
    Attempt,
    AttemptState,
    Certificate,
    CertificateKind,
    Died,
    Doubted,
    Held,
    Parked,
    Payout,
    PayoutState,
    Source,
)
from gateway.domain.silence import Asked, Statements, counted, statement_days, wait_of
from tests.builders import NOW, after, armed, attempt, contradicted, payout, resent
from tests.gateway.domain.situations import FIRST, situation, through

BEIJING = ZoneInfo("Asia/Shanghai")
PROVING = Profile(
    acceptance_window_s=300, dwell_s=60, visibility_lag_s=120, skew_s=120, absence_proves=True
)
"""Waits 600 s in all; absences count when they are 200 s apart."""
X = 600
IN_DOUBT = situation("attempting, in doubt")
IS_PENDING = situation("attempting, pending")


def after_absences(*seconds: float, subject: Payout = IN_DOUBT) -> Payout:
    """The payout after counted absences at these seconds."""
    for second in seconds:
        at = after(second)
        event = Doubted(1, Source.INQUIRY, "absent", absent=True, absent_at=at)
        subject = apply(subject, event, at)
    return subject


def judged(
    subject: Payout, second: float, *, profile: Profile = PROVING, canary: float | None = 0
) -> object:
    """What "not found" at this second makes of it; the canary sang so many seconds later."""
    at = after(second)
    sang = None if canary is None else at + timedelta(seconds=canary)
    asked = Asked(profile, at, sang)
    (event,) = events_of(subject, subject.attempts[0], Absent(), Source.INQUIRY, at, asked)
    return event


# --- C5 ------------------------------------------------------------------------------------------


def test_three_spaced_absences_after_the_wait_and_a_canary_prove_it() -> None:
    """C5, and its certificate says how often and when."""
    event = judged(after_absences(10, 210), X)
    assert isinstance(event, Died)
    assert event.certificate.kind is CertificateKind.ABSENT_AFTER_WINDOW
    assert event.certificate.reason is Reason.NEVER_ARRIVED
    assert "3 times" in event.certificate.message


ENOUGH = after_absences(10, 210)


@pytest.mark.parametrize(
    ("subject", "second", "profile", "canary"),
    [
        pytest.param(ENOUGH, X - 1, PROVING, 0, id="a second too early"),
        pytest.param(ENOUGH, X, PROVING, None, id="no canary"),
        pytest.param(ENOUGH, X, PROVING, 61, id="a canary of another minute"),
        pytest.param(ENOUGH, X, STICKY, 0, id="a sticky channel"),
        pytest.param(ENOUGH, X, replace(PROVING, absence_proves=False), 0, id="not allowed"),
        pytest.param(ENOUGH, X, replace(PROVING, acceptance_window_s=None), 0, id="no window"),
        pytest.param(after_absences(10), X, PROVING, 0, id="two absences"),
        pytest.param(after_absences(250, 450), X, PROVING, 0, id="the third is too close"),
        pytest.param(
            after_absences(10, 210, subject=IS_PENDING), X, PROVING, 0, id="it was seen there"
        ),
    ],
)
def test_anything_less_is_doubt(
    subject: Payout, second: float, profile: Profile, canary: float | None
) -> None:
    """One condition missing, and "not found" is only counted."""
    event = judged(subject, second, profile=profile, canary=canary)
    assert isinstance(event, Doubted)
    assert event.absent


def test_a_resend_starts_the_count_and_the_wait_anew() -> None:
    """The wait runs from the last signature: what was absent before says nothing about it."""
    subject = apply(after_absences(10, 210, 410), resent(at=after(420)), after(420))
    assert subject.attempts[0].absent_at == ()
    subject = apply(subject, Doubted(1, Source.SEND, "timeout"), after(421))
    subject = after_absences(430, 650, subject=subject)
    assert isinstance(judged(subject, 420 + X - 1), Doubted)
    assert isinstance(judged(subject, 420 + X), Died)


@pytest.mark.parametrize("cause", UnknownCause)
def test_an_unanswered_question_breaks_the_row(cause: UnknownCause) -> None:
    """Three in a row means in a row."""
    subject = apply(ENOUGH, Doubted(1, Source.INQUIRY, cause), after(300))
    assert isinstance(judged(subject, X), Doubted)


def test_absences_are_counted_only_when_far_enough_apart() -> None:
    """A hundred questions in a minute are one."""
    one = IN_DOUBT.attempts[0]
    first = counted(one, Asked(PROVING, after(10)))
    assert first == (after(10),)
    one = replace(one, absent_at=first)
    assert counted(one, Asked(PROVING, after(209))) == first
    assert counted(one, Asked(PROVING, after(210))) == (after(10), after(210))


@given(
    moments=st.lists(st.integers(0, 3 * X), min_size=1, max_size=8).map(sorted),
    canaries=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_no_order_of_absences_kills_too_early(moments: Sequence[int], canaries: list[bool]) -> None:
    """Law: C5 comes only at the end of the wait, after three spaced absences, with its canary."""
    subject = IN_DOUBT
    seen: list[datetime] = []
    for second, sang in zip(moments, canaries, strict=False):
        event = judged(subject, second, canary=0 if sang else None)
        seen.append(after(second))
        if isinstance(event, Died):
            assert sang
            assert second >= X
            assert seen[-1] - seen[0] >= timedelta(seconds=X * 2 // 3)
            assert len(seen) >= 3
            return
        assert isinstance(event, Doubted)
        subject = apply(subject, event, after(second))


@pytest.mark.parametrize("kind", KINDS)
def test_no_channel_that_is_shipped_lets_absence_prove(kind: str) -> None:
    """C5 and C4 are forbidden to all."""
    profile = import_module(f"channels.{kind}.profile").PROFILE
    assert not profile.absence_proves
    assert profile.expiry is None


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"wechat_pay"}))
def test_no_statement_of_other_channels_proves_absence(kind: str) -> None:
    """Only WeChat's window makes C6 possible."""
    profile = import_module(f"channels.{kind}.profile").PROFILE
    assert statement_days(IN_DOUBT.attempts[0], profile, BEIJING) == ()


def test_wechat_proves_by_its_statements() -> None:
    """After its window, the payee's day and the grace."""
    from channels.wechat_pay.profile import PROFILE as WECHAT

    wait = wait_of(WECHAT)
    assert wait is not None
    assert wait > timedelta(days=1)


# --- C4 ------------------------------------------------------------------------------------------

CHAIN = Profile(expiry=Expiry(nodes_min=2))
EXPIRES = after(60)


def on_chain(history: History | None, *, profile: Profile = CHAIN, ends: bool = True) -> object:
    """What complete history without the instruction makes of it."""
    one = attempt(1, reference="TX", not_after=EXPIRES if ends else None)
    subject = through(payout(), armed(one), Doubted(1, Source.SEND, "timeout"))
    (event,) = events_of(
        subject,
        subject.attempts[0],
        Absent(history=history),
        Source.INQUIRY,
        after(99),
        Asked(profile, after(98)),
    )
    return event


def test_final_history_past_the_end_proves_expiry() -> None:
    """C4: the ledger's own time has passed the instruction's end, and two nodes agree."""
    event = on_chain(History(EXPIRES, 2))
    assert isinstance(event, Died)
    assert event.certificate.kind is CertificateKind.EXPIRED


@pytest.mark.parametrize(
    ("history", "profile", "ends"),
    [
        pytest.param(None, CHAIN, True, id="no history was searched"),
        pytest.param(History(after(59), 2), CHAIN, True, id="not final yet"),
        pytest.param(History(EXPIRES, 1), CHAIN, True, id="one node"),
        pytest.param(History(EXPIRES, 1), Profile(expiry=Expiry(1)), True, id="one is never two"),
        pytest.param(History(EXPIRES, 2), Profile(expiry=Expiry(3)), True, id="three are asked"),
        pytest.param(History(EXPIRES, 2), STICKY, True, id="it does not expire"),
        pytest.param(History(EXPIRES, 2), CHAIN, False, id="no end was signed"),
    ],
)
def test_expiry_needs_all_of_it(history: History | None, profile: Profile, *, ends: bool) -> None:
    """Anything less is an absence like any other."""
    assert isinstance(on_chain(history, profile=profile, ends=ends), Doubted)


@given(st.integers(-300, 300), st.integers(0, 5))
def test_expiry_is_exact(second: int, nodes: int) -> None:
    """Law: dead if and only if history is final at the end or later, by two nodes or more."""
    event = on_chain(History(after(60 + second), nodes))
    assert isinstance(event, Died) == (second >= 0 and nodes >= 2)


# --- C6 ------------------------------------------------------------------------------------------

FILES = Profile(
    acceptance_window_s=300, dwell_s=0, visibility_lag_s=0, skew_s=0, finality=Finality()
)
DAY = date(2026, 3, 2)
"""`NOW` is 10:00 in Beijing on this day."""


def days(first: int, last: int) -> list[date]:
    """Days after `DAY`, both ends included."""
    return [DAY + timedelta(days=n) for n in range(first, last + 1)]


def silent(
    subject: Payout,
    read: Sequence[date],
    *,
    suspects: int = 0,
    profile: Profile = FILES,
) -> bool:
    """Whether those statements prove the first attempt dead."""
    found = unseen(
        subject, subject.attempts[0], Statements(profile, BEIJING, read, suspects), after(days=4)
    )
    assert all(isinstance(event, Died) for event in found)
    return bool(found)


def test_complete_statements_of_every_day_prove_it() -> None:
    """The day of the send, and the day of grace."""
    (event,) = unseen(
        IN_DOUBT, IN_DOUBT.attempts[0], Statements(FILES, BEIJING, days(0, 1), 0), after(days=2)
    )
    assert isinstance(event, Died)
    assert event.certificate.kind is CertificateKind.ABSENT_FROM_STATEMENT
    assert event.source is Source.STATEMENT
    assert "2026-03-02 to 2026-03-03" in event.certificate.message


@pytest.mark.parametrize(
    ("subject", "read", "suspects", "profile"),
    [
        pytest.param(IN_DOUBT, days(0, 0), 0, FILES, id="no day of grace"),
        pytest.param(IN_DOUBT, days(1, 2), 0, FILES, id="the first day is missing"),
        pytest.param(IN_DOUBT, days(0, 1), 1, FILES, id="a line that might be it"),
        pytest.param(IN_DOUBT, days(0, 1), 0, replace(FILES, finality=None), id="no finality"),
        pytest.param(
            IN_DOUBT, days(0, 9), 0, replace(FILES, acceptance_window_s=None), id="no window"
        ),
        pytest.param(
            IN_DOUBT, days(0, 1), 0, replace(FILES, dwell_s=86_400), id="it may dwell a day more"
        ),
        pytest.param(IS_PENDING, days(0, 1), 0, FILES, id="the channel says it has it"),
        pytest.param(situation("paid"), days(0, 1), 0, FILES, id="paid"),
        pytest.param(situation("attempting, armed"), days(0, 1), 0, FILES, id="armed"),
    ],
)
def test_anything_less_is_no_certificate(
    subject: Payout, read: Sequence[date], suspects: int, profile: Profile
) -> None:
    """One day, one doubtful line or one promise missing, and files prove nothing."""
    assert not silent(subject, read, suspects=suspects, profile=profile)


def test_what_was_pending_and_vanished_can_be_certified() -> None:
    """Neither inquiries nor any file knows it any more."""
    gone = apply(IS_PENDING, Doubted(1, Source.INQUIRY, "absent", absent=True), after(9))
    assert gone.attempts[0].state is AttemptState.PENDING
    assert silent(gone, days(0, 1))


@given(
    sent=st.integers(0, 3 * 86_400),
    window=st.integers(1, 86_400),
    dwell=st.integers(0, 2 * 86_400),
    grace=st.integers(0, 3),
)
def test_the_last_cut_off_lies_after_everything_that_could_happen(
    sent: int, window: int, dwell: int, grace: int
) -> None:
    """Law: the days begin with the first send and end past signature, window, dwell and lag."""
    profile = Profile(window, dwell, 600, 60, finality=Finality(grace))
    one: Attempt = replace(
        IN_DOUBT.attempts[0], armed_at=NOW, signed_at=NOW + timedelta(seconds=sent)
    )
    found = statement_days(one, profile, BEIJING)
    wait = wait_of(profile)
    assert wait is not None
    end = datetime.combine(found[-1] + timedelta(days=1 - grace), datetime.min.time(), BEIJING)
    assert end > one.signed_at + wait
    assert found[0] <= NOW.astimezone(BEIJING).date()
    assert list(found) == [found[0] + timedelta(days=n) for n in range(len(found))]


# --- Frozen --------------------------------------------------------------------------------------


def died(kind: CertificateKind, source: Source = Source.INQUIRY) -> Died:
    """A death of the first attempt by this certificate."""
    return Died(1, source, Certificate(kind, Reason.PAYEE_NOT_FOUND, "NO", "no", NOW))


@pytest.mark.parametrize("kind", CertificateKind)
def test_only_the_channels_word_is_withheld(kind: CertificateKind) -> None:
    """C1, C2, C5 and C6 rest on it; what never left, has expired or was certified does not."""
    left = withheld(IN_DOUBT, (died(kind), Held("contradiction")), "failover_frozen:x")
    if kind in CHANNELS_WORD:
        assert left == (
            Doubted(1, Source.INQUIRY, f"frozen:{kind}"),
            Parked("failover_frozen:x"),
        )
    else:
        assert left == (died(kind), Held("contradiction"))
    assert {one.value for one in CHANNELS_WORD} == {"C1", "C2", "C5", "C6"}


def test_a_withheld_rejection_is_kept_and_completed_later() -> None:
    """The answer to the send cannot be had again: once released, looks complete it."""
    subject = through(payout(), FIRST)
    left = withheld(subject, (died(CertificateKind.DEFINITE_REJECT, Source.SEND),), "frozen")
    parked = through(subject, *left)
    assert parked.state is PayoutState.PARKED
    for seconds in (60, 600):
        asked = Asked(Profile(), after(seconds))
        (event,) = events_of(
            parked, parked.attempts[0], Absent(), Source.INQUIRY, after(seconds), asked
        )
        parked = through(parked, event)
    assert isinstance(event, Died)
    assert (event.certificate.kind, event.certificate.code) == (
        CertificateKind.DEFINITE_REJECT,
        "NO",
    )


def test_what_is_parked_already_is_not_parked_again() -> None:
    """It only stays in doubt."""
    parked = through(IN_DOUBT, Parked("in_doubt_too_long"))
    left = withheld(parked, (died(CertificateKind.TERMINAL_INQUIRY),), "frozen")
    assert left == (Doubted(1, Source.INQUIRY, "frozen:C2"),)


def test_what_kills_nothing_is_left_alone() -> None:
    """Contradictions and confirmations pass."""
    events = (contradicted(),)
    assert withheld(IN_DOUBT, events, "frozen") == events
