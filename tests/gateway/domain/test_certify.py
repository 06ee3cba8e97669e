"""Which answer proves what: every rule of `certify`, as a table."""

import pytest
from msgspec.structs import replace

from channels.contract import (
    Absent,
    NotSent,
    NotSentCause,
    Outcome,
    Paid,
    Pending,
    Profile,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from gateway.domain import ledger
from gateway.domain.certify import events_of
from gateway.domain.ledger import Book
from gateway.domain.lifecycle import apply
from gateway.domain.payout import (
    CameBack,
    Certificate,
    CertificateKind,
    Confirmed,
    Contradicted,
    Died,
    Doubted,
    Event,
    Payout,
    PayoutState,
    Pended,
    Refusal,
    Resent,
    Source,
)
from gateway.domain.silence import Asked
from tests.builders import NOW, after, cny, doubted, evidence, payee_action, payout, resent
from tests.gateway.domain.situations import FIRST, situation, through

SEND, INQUIRY, STATEMENT = Source.SEND, Source.INQUIRY, Source.STATEMENT
REASON = Reason.PAYEE_NOT_FOUND
NO = Rejected(REASON, "PAYEE_NOT_EXIST", "不存在")
NO_BUT_LOOK = replace(NO, confirm=True)
NEVER_LEFT = NotSent(NotSentCause.REFUSED, "connection refused")
PAID = Paid("CH1", after(3), cny(8))
PENDING = Pending("CH1", "DEALING", payee_action())
BACK = Returned("CH1", after(9), cny(10_000))
UNSURE = Unknown(UnknownCause.TIMEOUT, evidence())

ARMED = situation("attempting, armed")
IN_DOUBT = situation("attempting, in doubt")
IS_PENDING = situation("attempting, pending")
REFUSED = through(payout(), FIRST, Doubted(1, SEND, "rejected:X", Refusal(REASON, "X", "no")))
LOOKED_ONCE = through(REFUSED, Doubted(1, INQUIRY, "absent", absent=True, absent_at=after(3)))
RESENT = through(payout(), FIRST, doubted(), resent())
RESENT_AFTER_REFUSAL = through(REFUSED, resent())
REFUSED_AND_SENT_TWICE = replace(REFUSED, attempts=(replace(REFUSED.attempts[0], sends=2),))
"""No history leads here: a resend voids the refusal. The rule holds all the same."""
DEAD = situation("routing after a dead attempt")
CONFIRMED = situation("paid")
BACK_ALREADY = situation("returned")


def events(subject: Payout, outcome: Outcome | Absent, source: Source) -> tuple[Event, ...]:
    """What an answer about the first attempt justifies, ten seconds from now.

    Its channel's look may miss for seven seconds what was carried out in spite of a refusal.
    """
    asked = Asked(Profile(refusal_lag_s=7), after(10)) if source is INQUIRY else None
    return events_of(subject, subject.attempts[0], outcome, source, after(10), asked)


def proof(kind: CertificateKind, reason: Reason, code: str, message: str) -> Certificate:
    """The gateway's own certificate, dated when the answer was judged."""
    return Certificate(kind, reason, code, message, after(10))


C1 = proof(CertificateKind.DEFINITE_REJECT, REASON, "PAYEE_NOT_EXIST", "不存在")
C2 = proof(CertificateKind.TERMINAL_INQUIRY, REASON, "PAYEE_NOT_EXIST", "不存在")
C3 = proof(CertificateKind.NEVER_LEFT, Reason.NEVER_SENT, "refused", "connection refused")
C1_LOOKED = proof(CertificateKind.DEFINITE_REJECT, REASON, "X", "no")


# --- Open attempts: what proves death ------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "outcome", "source", "certificate"),
    [
        pytest.param(ARMED, NO, SEND, C1, id="C1: the only send was rejected"),
        pytest.param(LOOKED_ONCE, Absent(), INQUIRY, C1_LOOKED, id="C1: refused, looked twice"),
        pytest.param(IN_DOUBT, NO, INQUIRY, C2, id="C2: an inquiry says failed"),
        pytest.param(IS_PENDING, NO, INQUIRY, C2, id="C2: it was pending, now failed"),
        pytest.param(RESENT, NO, INQUIRY, C2, id="C2: also after a resend"),
        pytest.param(REFUSED, NO, INQUIRY, C2, id="C2: refused, looked, failed"),
        pytest.param(ARMED, NO, STATEMENT, C2, id="C2: from any verified source but the send"),
        pytest.param(ARMED, NEVER_LEFT, SEND, C3, id="C3: the only send never left"),
    ],
)
def test_proof_of_death(
    subject: Payout, outcome: Outcome | Absent, source: Source, certificate: Certificate
) -> None:
    """These answers, and no others, are certificates; who said what is kept with them."""
    assert events(subject, outcome, source) == (Died(1, source, certificate),)


# --- Open attempts: what sounds like proof and is none -------------------------------------------


@pytest.mark.parametrize(
    ("subject", "outcome", "source", "cause"),
    [
        pytest.param(
            RESENT, NO, SEND, "resend_rejected:PAYEE_NOT_EXIST", id="a resend was rejected"
        ),
        pytest.param(
            RESENT, NO_BUT_LOOK, SEND, "resend_rejected:PAYEE_NOT_EXIST", id="a resend, unsure"
        ),
        pytest.param(RESENT, NEVER_LEFT, SEND, "not_sent:refused", id="a resend never left"),
        pytest.param(
            ARMED, NEVER_LEFT, Source.RECOVERY, "not_sent:refused", id="another process's send"
        ),
        pytest.param(IN_DOUBT, NEVER_LEFT, INQUIRY, "not_sent:refused", id="a question unsent"),
        pytest.param(ARMED, UNSURE, SEND, "timeout", id="no answer to the send"),
        pytest.param(IN_DOUBT, UNSURE, INQUIRY, "timeout", id="no answer to the question"),
        pytest.param(REFUSED, UNSURE, INQUIRY, "timeout", id="refused, and no answer since"),
    ],
)
def test_doubt(subject: Payout, outcome: Outcome | Absent, source: Source, cause: str) -> None:
    """An answer about one send proves nothing about another; silence proves nothing at all."""
    assert events(subject, outcome, source) == (Doubted(1, source, cause),)


@pytest.mark.parametrize("cause", UnknownCause)
def test_no_unknown_is_a_failure(cause: UnknownCause) -> None:
    """Whatever the reason for not knowing, the attempt stays open."""
    for subject in (ARMED, IN_DOUBT, IS_PENDING, REFUSED, RESENT):
        for source in Source:
            (event,) = events(subject, Unknown(cause), source)
            assert event == Doubted(1, source, cause)


@pytest.mark.parametrize(
    "subject",
    [ARMED, IN_DOUBT, IS_PENDING, RESENT, RESENT_AFTER_REFUSAL, REFUSED_AND_SENT_TWICE],
    ids=["armed", "in doubt", "pending", "resent", "resent after a refusal", "refused, sent twice"],
)
def test_absence_alone_never_kills(subject: Payout) -> None:
    """The first bytes may still be travelling: not found is counted, not believed."""
    assert events(subject, Absent(), INQUIRY) == (Doubted(1, INQUIRY, "absent", absent=True),)


def test_a_look_without_its_circumstances_completes_nothing() -> None:
    """Who asks without knowing the channel's profile cannot tell how late is late enough."""
    found = events_of(LOOKED_ONCE, LOOKED_ONCE.attempts[0], Absent(), INQUIRY, after(500))
    assert found == (Doubted(1, INQUIRY, "absent", absent=True),)


def test_rejection_that_needs_a_look_waits_for_it() -> None:
    """`confirm=True` is kept as a refusal; the first look that finds nothing is only counted."""
    (event,) = events(ARMED, NO_BUT_LOOK, SEND)
    kept = Refusal(REASON, "PAYEE_NOT_EXIST", "不存在")
    assert event == Doubted(1, SEND, "rejected:PAYEE_NOT_EXIST", kept)
    moved = apply(ARMED, event, NOW)
    (first,) = events(moved, Absent(), INQUIRY)
    assert first == Doubted(1, INQUIRY, "absent", absent=True, absent_at=after(10))


@pytest.mark.parametrize(
    ("first_at", "second_at", "dies"), [(3, 9, False), (3, 10, True), (3, 500, True)]
)
def test_looks_after_a_refusal_are_a_lag_apart(first_at: int, second_at: int, dies: bool) -> None:
    """Two looks close together may both be too early to see what was carried out."""
    seen = Doubted(1, INQUIRY, "absent", absent=True, absent_at=after(first_at))
    subject = through(REFUSED, seen)
    asked = Asked(Profile(refusal_lag_s=7), after(second_at))
    (event,) = events_of(subject, subject.attempts[0], Absent(), INQUIRY, after(second_at), asked)
    assert isinstance(event, Died) is dies


@pytest.mark.parametrize(
    "word",
    [
        Pended(1, INQUIRY, None, "noticed"),
        Doubted(1, INQUIRY, "timeout"),
        Resent(1, "e" * 64, NOW, None),
    ],
    ids=["the order exists", "a look without answer", "sent again"],
)
def test_looks_before_something_else_was_heard_do_not_count(word: Event) -> None:
    """What says that the order exists, or may, makes earlier looks worthless."""
    (event,) = events(through(LOOKED_ONCE, word), Absent(), INQUIRY)
    assert isinstance(event, Doubted)


def test_a_refusal_that_names_an_order_is_completed_by_no_look() -> None:
    """The channel has that order: only its failed state, found by asking, is proof."""
    (event,) = events(ARMED, replace(NO_BUT_LOOK, channel_ref="CH1"), SEND)
    assert event == Doubted(1, SEND, "rejected:PAYEE_NOT_EXIST")


# --- Open attempts: progress ---------------------------------------------------------------------


@pytest.mark.parametrize("subject", [ARMED, IN_DOUBT, IS_PENDING, REFUSED, RESENT])
@pytest.mark.parametrize("source", Source)
def test_channels_word_pays(subject: Payout, source: Source) -> None:
    """Paid is paid, whoever heard it and however unsure we were."""
    assert events(subject, PAID, source) == (Confirmed(1, source, "CH1", after(3), 8),)


def test_confirmation_without_a_fee_leaves_it_open() -> None:
    """A channel that does not say what it charged has not charged nothing."""
    (event,) = events(ARMED, replace(PAID, fee=None), SEND)
    assert isinstance(event, Confirmed)
    assert event.fee_minor is None


def test_confirmation_with_a_zero_fee_says_so() -> None:
    """A fee of nothing is a fee that was said."""
    (event,) = events(ARMED, replace(PAID, fee=cny(0)), SEND)
    assert isinstance(event, Confirmed)
    assert event.fee_minor == 0


def test_pending_carries_all_the_channel_said() -> None:
    """Reference, stage and the beneficiary's page are kept."""
    expected = Pended(1, SEND, "CH1", "DEALING", payee_action())
    assert events(ARMED, PENDING, SEND) == (expected,)


@pytest.mark.parametrize(("named", "kept"), [("CH7", "CH7"), (None, "CH1")])
def test_return_seen_before_the_payment_books_both(named: str | None, kept: str) -> None:
    """Money that came back was paid before; the reference known earlier stands in for none."""
    found = events(IS_PENDING, replace(BACK, channel_ref=named), INQUIRY)
    assert found == (
        Confirmed(1, INQUIRY, kept, after(9)),
        CameBack(1, INQUIRY, 10_000, after(9), Reason.BANK_RETURNED),
    )
    moved = through(IS_PENDING, *found)
    assert moved.state is PayoutState.RETURNED


def test_return_without_any_reference_is_booked_all_the_same() -> None:
    """A channel that named no reference before or now cannot hide a return."""
    confirmed, _ = events(IN_DOUBT, replace(BACK, channel_ref=None), INQUIRY)
    assert isinstance(confirmed, Confirmed)
    assert confirmed.channel_ref == ""


# --- Dead attempts -------------------------------------------------------------------------------


def test_late_success_on_a_dead_attempt_goes_to_suspense() -> None:
    """Checklist 1: the money is booked against the proof, and the payout is stopped."""
    (event,) = events(DEAD, PAID, INQUIRY)
    assert event == Contradicted(1, INQUIRY, "paid", 10_000, 8)
    moved = apply(DEAD, event, NOW)
    assert moved.state is PayoutState.HELD
    assert moved.attempts[0].certificate == DEAD.attempts[0].certificate
    assert not moved.attempts[0].state.is_live
    booked = {leg.account.book: leg.change_minor for leg in ledger.posting(DEAD, moved, event)}
    assert booked == {Book.SUSPENSE: 10_000, Book.CHANNEL_FEE: 8, Book.FLOAT: -10_008}


def test_dead_attempt_that_stirs_is_reported() -> None:
    """A channel that works on a dead attempt contradicts the proof; no money is booked yet."""
    (event,) = events(DEAD, PENDING, INQUIRY)
    assert event == Contradicted(1, INQUIRY, "pending:DEALING", 0)
    assert ledger.posting(DEAD, apply(DEAD, event, NOW), event) == ()


@pytest.mark.parametrize("outcome", [NO, NO_BUT_LOOK, NEVER_LEFT, UNSURE, Absent(), BACK])
def test_nothing_else_about_a_dead_attempt_is_news(outcome: Outcome | Absent) -> None:
    """Agreement, silence, and a return that nets to nothing add nothing."""
    assert events(DEAD, outcome, INQUIRY) == ()


def test_dead_first_attempt_is_judged_by_itself() -> None:
    """That another attempt is live does not make an answer about the dead one its answer."""
    subject = situation("attempting, the second in doubt")
    (event,) = events(subject, PAID, INQUIRY)
    assert event == Contradicted(1, INQUIRY, "paid", 10_000, 8)
    assert apply(subject, event, NOW).state is PayoutState.ATTEMPTING


# --- Paid attempts -------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [10_000, 9_999, 1])
def test_return_after_payment(minor: int) -> None:
    """退票: all or part of the money is back."""
    back = replace(BACK, amount=cny(minor), reason=Reason.BANK_RETURNED)
    expected = CameBack(1, STATEMENT, minor, after(9), Reason.BANK_RETURNED)
    assert events(CONFIRMED, back, STATEMENT) == (expected,)


@pytest.mark.parametrize("amount", [cny(10_001), Money(10_000, Currency.USD)])
def test_return_of_something_else_is_not_booked(amount: Money) -> None:
    """More than was paid, or another currency, is not our money coming back."""
    (event,) = events(CONFIRMED, replace(BACK, amount=amount), STATEMENT)
    assert event == Contradicted(1, STATEMENT, f"returned:{amount.minor}", 0)


def test_second_return_is_not_news() -> None:
    """The statement repeats what a notice said; the merchant is credited once."""
    assert events(BACK_ALREADY, BACK, STATEMENT) == ()


@pytest.mark.parametrize("subject", [CONFIRMED, situation("settled")], ids=["paid", "settled"])
def test_regress_after_payment_is_a_contradiction(subject: Payout) -> None:
    """F9: a channel that paid and now says it failed is not believed; nothing is rewritten."""
    (event,) = events(subject, NO, INQUIRY)
    assert event == Contradicted(1, INQUIRY, "rejected:PAYEE_NOT_EXIST", 0)
    moved = apply(subject, event, NOW)
    assert moved.state is subject.state
    assert ledger.posting(subject, moved, event) == ()


@pytest.mark.parametrize("outcome", [PAID, PENDING, NEVER_LEFT, UNSURE, Absent()])
@pytest.mark.parametrize("subject", [CONFIRMED, BACK_ALREADY], ids=["paid", "returned"])
def test_nothing_else_about_a_paid_attempt_is_news(
    subject: Payout, outcome: Outcome | Absent
) -> None:
    """Repeated success, silence and "not found" do not touch what is proven."""
    assert events(subject, outcome, INQUIRY) == ()
