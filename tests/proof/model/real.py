"""The bridge: a model state becomes a real `Payout`, the real rule decides, and back.

Nothing is mirrored here. `certify.events_of`, `record.is_news`, `lifecycle.apply` (with its own
`check`), `pace.may_resend` and `pace.must_park` are the functions that ship; results are kept per
distinct question, so that a search of a million states asks each only once. The only certificates
the model issues itself are those from absence (C5, C6), as written in reliability.md §4.3-4.4;
they too are applied by the real `lifecycle.apply`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from channels.contract import (
    STICKY,
    Absent,
    NotSent,
    NotSentCause,
    Outcome,
    Paid,
    Pending,
    Rail,
    Reason,
    ReferenceRule,
    Rejected,
    Resend,
    Returned,
    Tariff,
    Terms,
    Traits,
    Unknown,
    UnknownCause,
)
from channels.contract import Profile as ChannelProfile
from channels.money import Currency, Money
from gateway.domain.certify import events_of
from gateway.domain.lifecycle import apply
from gateway.domain.pace import may_resend, must_park
from gateway.domain.payout import (
    Armed,
    Attempt,
    AttemptState,
    Certificate,
    CertificateKind,
    Died,
    Doubted,
    Event,
    Failed,
    MerchantId,
    Payout,
    PayoutId,
    PayoutState,
    Refusal,
    Released,
    Resent,
    Source,
)
from gateway.domain.silence import Asked
from gateway.engine.record import is_news
from tests.proof.model.world import NEVER, TICK_S, Answer, Group, Pay, Profile, Row, Slot

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
AMOUNT = Money(10_000, Currency.CNY)

OUTCOMES: dict[Answer, Outcome | Absent] = {
    Answer.PAID: Paid("CH", NOW),
    Answer.PENDING: Pending("CH"),
    Answer.REJECTED: Rejected(Reason.FLOAT_SHORT, "NO"),
    Answer.REFUSED: Rejected(Reason.FLOAT_SHORT, "NO?", confirm=True),
    Answer.NOT_SENT: NotSent(NotSentCause.REFUSED),
    Answer.TIMEOUT: Unknown(UnknownCause.TIMEOUT),
    Answer.UNSURE: Unknown(UnknownCause.CHANNEL_UNSURE),
    Answer.ODD: Unknown(UnknownCause.UNKNOWN_CODE),
    Answer.ABSENT: Absent(),
    Answer.RETURNED: Returned("CH", NOW, AMOUNT),
}

ROWS = {
    Row.ARMED: AttemptState.ARMED,
    Row.PENDING: AttemptState.PENDING,
    Row.IN_DOUBT: AttemptState.IN_DOUBT,
    Row.CONFIRMED: AttemptState.CONFIRMED,
    Row.DEAD: AttemptState.DEAD,
    Row.RETURNED: AttemptState.RETURNED,
}
STATES = {state: row for row, state in ROWS.items()}


class Entry(NamedTuple):
    """What our database knows of one attempt, and how long ago it was signed."""

    profile: Profile
    row: Row
    sends: int
    absences: int
    refused: bool
    age: int
    said: tuple[str, ...] = ()
    looked: int = NEVER


class View(NamedTuple):
    """What our database knows of the payout; rows that are missing are left out."""

    pay: Pay
    entries: tuple[Entry, ...]


def view_of(group: Group, profiles: tuple[Profile, ...]) -> View:
    """Leave out what only the network and the channels know."""
    return View(
        group.pay,
        tuple(
            Entry(
                profiles[s.profile],
                s.row,
                s.sends,
                s.absences,
                s.refused,
                s.age,
                s.said,
                s.looked,
            )
            for s in group.slots
            if s.row is not Row.MISSING
        ),
    )


def merged(group: Group, view: View) -> Group:
    """Put a new view of our database back beside what the network and the channels know."""
    entries = iter(view.entries)
    slots: list[Slot] = []
    for slot in group.slots:
        if slot.row is Row.MISSING:
            slots.append(slot)
            continue
        entry = next(entries)
        slots.append(
            slot._replace(
                row=entry.row,
                sends=entry.sends,
                absences=entry.absences,
                refused=entry.refused,
                age=entry.age,
                said=entry.said,
                looked=entry.looked,
            )
        )
    return Group(view.pay, tuple(slots))


def traits_of(profile: Profile) -> Traits:
    """The real traits of a channel with that profile."""
    return Traits(
        kind="model",
        rails=frozenset({Rail.ALIPAY}),
        terms=Terms(Currency.CNY, 1, 10**9, (Tariff(),)),
        reference=ReferenceRule("0123456789abcdef", 32, 32),
        resend=Resend(30 * 86_400) if profile.resend else None,
        inquire_first_s=10,
        inquire_max_s=600,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=None,
        notices=True,
        statement=True,
        statement_ready=None,
        payee_confirms=False,
        profile=ChannelProfile(
            acceptance_window_s=None if profile.window is None else profile.window * TICK_S,
            absence_proves=profile.absence_proves,
        ),
    )


def _ticks(count: int) -> timedelta:
    return timedelta(seconds=count * TICK_S)


def _age(at: datetime) -> int:
    return int((NOW - at).total_seconds()) // TICK_S


def _attempt(number: int, entry: Entry) -> Attempt:
    signed_at = NOW - _ticks(entry.age)
    window = entry.profile.window
    dead = entry.row is Row.DEAD
    return Attempt(
        number=number,
        channel=f"channel-{number}",
        reference=f"{number:032x}",
        instrument=0,
        state=ROWS[entry.row],
        digest="0" * 64,
        armed_at=signed_at,
        signed_at=signed_at,
        not_after=None if window is None else signed_at + timedelta(seconds=window * TICK_S),
        quoted_fee_minor=0,
        arrival_at=None,
        sends=entry.sends,
        absences=entry.absences,
        absent_at=() if entry.looked == NEVER else (NOW - _ticks(entry.looked),),
        channel_ref="CH" if entry.row in {Row.PENDING, Row.CONFIRMED, Row.RETURNED} else None,
        contradictions=entry.said,
        refusal=Refusal(Reason.FLOAT_SHORT, "NO?", "") if entry.refused else None,
        certificate=_certificate(CertificateKind.DEFINITE_REJECT) if dead else None,
        doubted_at=NOW if entry.row is Row.IN_DOUBT else None,
    )


def payout_of(view: View) -> Payout:
    """The real payout a view stands for."""
    return Payout(
        id=PayoutId("po_model"),
        merchant_id=MerchantId("m_model"),
        merchant_ref="model",
        amount=AMOUNT,
        fee=Money(0, Currency.CNY),
        instruments=(),
        purpose="",
        speed="standard",
        deadline_at=None,
        release_at=None,
        max_fee_minor=None,
        metadata={},
        state=PayoutState(view.pay),
        version=1,
        accepted_at=NOW,
        updated_at=NOW,
        due_at=NOW,
        attempts=tuple(_attempt(number, entry) for number, entry in enumerate(view.entries, 1)),
    )


def _back(view: View, payout: Payout) -> View:
    entries: list[Entry] = []
    for number, attempt in enumerate(payout.attempts):
        known = view.entries[number] if number < len(view.entries) else None
        if known is None:
            raise AssertionError("only `arm` adds attempts")
        entries.append(
            Entry(
                known.profile,
                STATES[attempt.state],
                attempt.sends,
                attempt.absences,
                attempt.refusal is not None,
                _age(attempt.signed_at),
                attempt.contradictions,
                _age(attempt.absent_at[0]) if attempt.absent_at else NEVER,
            )
        )
    return View(Pay(payout.state), tuple(entries))


def _applied(view: View, events: Iterable[Event]) -> View:
    payout = payout_of(view)
    for event in events:
        payout = apply(payout, event, NOW)
    return _back(view, payout)


def _certificate(kind: CertificateKind) -> Certificate:
    return Certificate(kind, Reason.NEVER_SENT, "model", "", NOW)


@cache
def settled(
    view: View, number: int, answer: Answer, source: Source, refusal_lag: int = 1
) -> tuple[View, tuple[Event, ...]]:
    """What `engine.dispatch.settle` commits for an answer: the new view and its events.

    Silence counts towards a refusal only: C5 is the model's own. `refusal_lag` is in ticks.
    """
    payout = payout_of(view)
    attempt = payout.attempts[number - 1]
    asked = Asked(ChannelProfile(refusal_lag_s=refusal_lag * TICK_S), NOW)
    events = tuple(
        event
        for event in events_of(payout, attempt, OUTCOMES[answer], source, NOW, asked)
        if is_news(payout, event)
    )
    return (_applied(view, events), events) if events else (view, ())


@cache
def died(view: View, number: int, kind: CertificateKind) -> View:
    """The attempt is certified dead: by absence under the shipped rule, else by a wrong one."""
    return _applied(view, [Died(number, Source.INQUIRY, _certificate(kind))])


@cache
def doubted(view: View, number: int) -> View:
    """What `engine.inquire` commits first for an attempt it finds armed."""
    return _applied(view, [Doubted(number, Source.RECOVERY, UnknownCause.CRASHED)])


@cache
def armed(view: View, profile: Profile) -> View:
    """A new attempt, signed now."""
    number = len(view.entries) + 1
    entry = Entry(profile, Row.ARMED, 1, 0, refused=False, age=0)
    payout = apply(payout_of(view), Armed(_attempt(number, entry)), NOW)
    return _back(View(view.pay, (*view.entries, entry)), payout)


@cache
def resent(view: View, number: int) -> View:
    """The same reference, signed again now."""
    window = view.entries[number - 1].profile.window
    not_after = None if window is None else NOW + timedelta(seconds=window * TICK_S)
    return _applied(view, [Resent(number, "1" * 64, NOW, not_after)])


@cache
def failed(view: View) -> View:
    """No channel is left."""
    return _applied(view, [Failed("no_channel")])


@cache
def released(view: View) -> View:
    """A person lets a held payout go on."""
    return _applied(view, [Released("operator")])


@cache
def resendable(entry: Entry) -> bool:
    """`pace.may_resend` for an attempt in doubt."""
    return may_resend(_attempt(1, entry), traits_of(entry.profile), NOW)


@cache
def parkable(entry: Entry) -> bool:
    """`pace.must_park`, four hours on."""
    return must_park(_attempt(1, entry), STICKY, NOW + timedelta(hours=4)) is not None


def questions() -> dict[str, int]:
    """How many distinct questions each real function was asked so far."""
    asked = {
        "events_of": settled,
        "apply": died,
        "doubted": doubted,
        "armed": armed,
        "resent": resent,
        "failed": failed,
        "released": released,
        "may_resend": resendable,
        "must_park": parkable,
    }
    return {name: function.cache_info().misses for name, function in asked.items()}
