"""A payout in every situation the tables allow, one event of every kind, and a channel's traits.

A situation is made by its history, so that none can be tested that could not come about.
"""

from collections.abc import Mapping
from datetime import time

from channels.contract import Rail, Reason, ReferenceRule, Resend, Terms, Traits
from channels.money import Currency
from gateway.domain.lifecycle import apply
from gateway.domain.payout import (
    Accepted,
    Adopted,
    Armed,
    CameBack,
    Cancelled,
    Confirmed,
    Contradicted,
    Died,
    Doubted,
    Event,
    Failed,
    FeeCorrected,
    Held,
    Parked,
    Payout,
    PayoutState,
    Pended,
    Released,
    Resent,
    Settled,
    Source,
    Unparked,
)
from tests.builders import (
    NOW,
    TODAY,
    armed,
    attempt,
    came_back,
    cancelled,
    certificate,
    confirmed,
    died,
    doubted,
    failed,
    held,
    parked,
    payout,
    pended,
    settled,
)

P = PayoutState

FIRST = armed(attempt(1, reference="FIRST"))
SECOND = armed(attempt(2, channel="wechat-main", reference="SECOND", quoted_fee_minor=6))
_LOST = (FIRST, died(1))

HISTORIES: Mapping[str, tuple[PayoutState, tuple[Event, ...]]] = {
    "held": (P.HELD, ()),
    "held after a dead attempt": (P.ROUTING, (*_LOST, held())),
    "scheduled": (P.SCHEDULED, ()),
    "routing": (P.ROUTING, ()),
    "routing after a dead attempt": (P.ROUTING, _LOST),
    "attempting, armed": (P.ROUTING, (FIRST,)),
    "attempting, pending": (P.ROUTING, (FIRST, pended())),
    "attempting, in doubt": (P.ROUTING, (FIRST, doubted())),
    "attempting, the second armed": (P.ROUTING, (*_LOST, SECOND)),
    "attempting, the second pending": (P.ROUTING, (*_LOST, SECOND, pended(2))),
    "attempting, the second in doubt": (P.ROUTING, (*_LOST, SECOND, doubted(2))),
    "parked, armed": (P.ROUTING, (FIRST, parked())),
    "parked, pending": (P.ROUTING, (FIRST, pended(), parked())),
    "parked, in doubt": (P.ROUTING, (FIRST, doubted(), parked())),
    "parked, the second in doubt": (P.ROUTING, (*_LOST, SECOND, doubted(2), parked())),
    "paid": (P.ROUTING, (FIRST, confirmed())),
    "paid by the second": (P.ROUTING, (*_LOST, SECOND, confirmed(2))),
    "settled": (P.ROUTING, (FIRST, confirmed(), settled())),
    "settled by the second": (P.ROUTING, (*_LOST, SECOND, confirmed(2), settled(2))),
    "returned": (P.ROUTING, (FIRST, confirmed(), came_back())),
    "returned after settlement": (P.ROUTING, (FIRST, confirmed(), settled(), came_back())),
    "failed": (P.ROUTING, (*_LOST, failed())),
    "failed without an attempt": (P.ROUTING, (failed(),)),
    "cancelled": (P.HELD, (cancelled(),)),
    "cancelled after a dead attempt": (P.ROUTING, (*_LOST, cancelled())),
}


def situation(name: str) -> Payout:
    """The payout as its history left it."""
    state, events = HISTORIES[name]
    return through(payout(state=state), *events)


def through(before: Payout, *events: Event) -> Payout:
    """The payout after these events, all at `NOW`."""
    for event in events:
        before = apply(before, event, NOW)
    return before


def every_event(number: int, armed_number: int) -> tuple[Event, ...]:
    """One event of every kind, about attempt `number`; the armed one is `armed_number`."""
    return (
        Accepted(P.ROUTING),
        Held("review"),
        Released("ops"),
        Cancelled("merchant"),
        Failed("no_channel"),
        Armed(attempt(armed_number, reference=f"R{armed_number}")),
        Adopted(attempt(armed_number, reference=f"R{armed_number}"), Source.RECOVERY),
        Resent(number, "e" * 64, NOW, None),
        Pended(number, Source.INQUIRY, "CH1", "DEALING"),
        Doubted(number, Source.INQUIRY, "timeout"),
        Confirmed(number, Source.INQUIRY, "CH1", NOW, 8),
        Died(number, Source.SEND, certificate()),
        CameBack(number, Source.STATEMENT, 10_000, NOW, Reason.BANK_RETURNED),
        Settled(number, TODAY, "L1"),
        Contradicted(number, Source.INQUIRY, "paid", 10_000),
        FeeCorrected(number, TODAY, 3),
        Parked("in_doubt_too_long"),
        Unparked("ops"),
    )


def traits(
    *,
    resend_window_s: int | None = 86_400,
    inquire_first_s: int = 10,
    inquire_max_s: int = 21_600,
) -> Traits:
    """A channel that honours its own reference for a day and may be asked after ten seconds."""
    return Traits(
        kind="alipay",
        rails=frozenset({Rail.ALIPAY}),
        terms=Terms(Currency.CNY, 1, 5_000_000),
        reference=ReferenceRule("0123456789", 1, 32),
        resend=None if resend_window_s is None else Resend(resend_window_s),
        inquire_first_s=inquire_first_s,
        inquire_max_s=inquire_max_s,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=None,
        notices=True,
        statement=True,
        statement_ready=time(9),
        payee_confirms=False,
    )
