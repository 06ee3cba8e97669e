"""No sequence of answers that proves nothing ever kills an attempt."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Absent, NotSent, Outcome, Pending, Profile, Rejected
from gateway.domain.certify import events_of
from gateway.domain.lifecycle import apply
from gateway.domain.payout import (
    AttemptState,
    CertificateKind,
    Died,
    Payout,
    Resent,
    Source,
)
from gateway.domain.silence import Asked
from tests.builders import NOW, doubted, payout, resent
from tests.gateway.domain.situations import FIRST, through
from tests.properties.answers import ABSENT, ANYTHING, NOT_SENT, PENDING, REJECTED, SOURCES, UNKNOWN

A = AttemptState
RESEND = "resend"

Said = tuple[Outcome | Absent, Source] | str
"""An answer and where it was heard, or a resend."""


def said(outcomes: st.SearchStrategy[Outcome | Absent]) -> st.SearchStrategy[list[Said]]:
    """Histories of such answers, with resends in between."""
    one: st.SearchStrategy[Said] = st.tuples(outcomes, SOURCES) | st.just(RESEND)
    return st.lists(one, max_size=30)


def hear(subject: Payout, history: list[Said]) -> Payout:
    """Let the first attempt live through a history for as long as it is open."""
    for one in history:
        if subject.attempts[0].state not in {A.ARMED, A.PENDING, A.IN_DOUBT}:
            break
        if isinstance(one, str):
            if subject.attempts[0].state is A.IN_DOUBT:
                subject = apply(subject, resent(), NOW)
            continue
        outcome, source = one
        for event in events_of(subject, subject.attempts[0], outcome, source, NOW):
            subject = apply(subject, event, NOW)
    return subject


@given(history=said(st.one_of(UNKNOWN, ABSENT, PENDING)))
def test_silence_and_absence_never_kill(history: list[Said]) -> None:
    """Timeouts, garbage, "not found", "still working": the attempt stays open for ever."""
    assert hear(through(payout(), FIRST), history).attempts[0].state is not A.DEAD


@given(history=said(st.one_of(UNKNOWN, ABSENT, PENDING, NOT_SENT)))
def test_second_send_takes_never_left_off_the_table(history: list[Said]) -> None:
    """After a resend, not even a send that provably never left proves anything."""
    subject = through(payout(), FIRST, doubted(), resent())
    assert hear(subject, history).attempts[0].state is not A.DEAD


@given(history=said(st.one_of(UNKNOWN, ABSENT, PENDING, NOT_SENT, REJECTED)))
def test_after_a_resend_only_an_inquiry_kills(history: list[Said]) -> None:
    """Rejections of later sends say nothing about the first one."""
    subject = through(payout(), FIRST, doubted(), resent())
    about_sends: list[Said] = [
        (one[0], Source.SEND) if not isinstance(one, str) else one for one in history
    ]
    assert hear(subject, about_sends).attempts[0].state is not A.DEAD


@given(history=said(ANYTHING))
def test_every_death_has_the_answer_that_proves_it(history: list[Said]) -> None:
    """Whatever was said: a certificate of each kind comes from its own kind of evidence."""
    subject = through(payout(), FIRST)
    sends, refused = 1, False
    at, first_look = NOW, None
    for one in history:
        attempt = subject.attempts[0]
        if attempt.state not in {A.ARMED, A.PENDING, A.IN_DOUBT}:
            break
        if isinstance(one, str):
            if attempt.state is A.IN_DOUBT:
                subject, sends, refused = apply(subject, resent(), NOW), sends + 1, False
                first_look = None
            continue
        outcome, source = one
        at = at + timedelta(minutes=1)
        asked = Asked(Profile(refusal_lag_s=150), at)
        for event in events_of(subject, attempt, outcome, source, at, asked):
            if isinstance(event, Died):
                looked = (
                    refused and first_look is not None and at - first_look >= timedelta(seconds=150)
                )
                assert event.certificate.kind is _kind_proven(outcome, source, sends, looked)
            assert not isinstance(event, Resent)
            subject = apply(subject, event, NOW)
        if isinstance(outcome, Rejected) and source is Source.SEND and outcome.confirm:
            refused = refused or (sends == 1 and attempt.state is not A.PENDING)
        if isinstance(outcome, Pending):
            refused = False
        if isinstance(outcome, Absent):
            first_look = first_look or (at if refused else None)
        else:
            first_look = None


def _kind_proven(
    outcome: Outcome | Absent, source: Source, sends: int, looked: bool
) -> CertificateKind | None:
    """The rules of reliability.md §4.3, written down a second time."""
    only = sends == 1
    match outcome:
        case Rejected() if source is not Source.SEND:
            return CertificateKind.TERMINAL_INQUIRY
        case Rejected(confirm=False) if only:
            return CertificateKind.DEFINITE_REJECT
        case Absent() if only and looked:
            return CertificateKind.DEFINITE_REJECT
        case NotSent() if only and source is Source.SEND:
            return CertificateKind.NEVER_LEFT
        case _:
            return None


@given(history=said(st.one_of(UNKNOWN, ABSENT, PENDING)))
def test_pending_is_never_forgotten(history: list[Said]) -> None:
    """Once the channel has confirmed that it has the instruction, no silence undoes that."""
    seen = False
    subject = through(payout(), FIRST)
    for one in history:
        if isinstance(one, str):
            continue
        subject = hear(subject, [one])
        seen = seen or isinstance(one[0], Pending)
        assert (subject.attempts[0].state is A.PENDING) == seen
