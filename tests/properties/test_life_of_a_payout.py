"""A payout driven by any answers in any order: what must hold after every single event.

The machine knows nothing of states but what the tables say. It plays merchant, operators, worker
and a channel that answers anything at any time about any attempt, dead ones included.
"""

from collections import Counter
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from channels.contract import Absent, Outcome
from channels.money import Currency
from gateway.domain.certify import events_of
from gateway.domain.ledger import Account, Book, Posting, Side, charged_minor, funded, posting
from gateway.domain.ledger import topped_up as topping_up
from gateway.domain.lifecycle import INITIAL_STATES, PAYOUT_EDGES, TransitionError, apply, check
from gateway.domain.payout import (
    Accepted,
    Armed,
    AttemptState,
    CameBack,
    Cancelled,
    Certificate,
    CertificateKind,
    Contradicted,
    Event,
    Failed,
    Held,
    MerchantId,
    Parked,
    Payout,
    PayoutState,
    Released,
    Resent,
    Settled,
    Source,
    Unparked,
)
from tests.builders import MERCHANT, NOW, TODAY, attempt, cny, payout
from tests.gateway.domain.situations import every_event
from tests.properties.answers import AMOUNT, ANYTHING, PAID, PENDING, SOURCES, UNKNOWN

P = PayoutState
A = AttemptState

OUR_FEE = 30
DEPOSIT = 50_000
TOP_UP = 200_000
CHANNELS = ("alipay-main", "wechat-main", "alipay-backup")
BEFORE_ARMING = {P.HELD, P.SCHEDULED, P.ROUTING}
OPEN = {P.ATTEMPTING, P.PARKED}


class LifeOfAPayout(RuleBasedStateMachine):
    """One payout, its ledger, and everybody who may move it."""

    def __init__(self) -> None:
        """Begin with money on both sides and no payout."""
        super().__init__()
        self.events: list[Event] = []
        self.postings: list[Posting] = []
        self.balances: Counter[Account] = Counter()
        self.certificates: dict[int, Certificate] = {}
        self.references: dict[int, str] = {}
        self.subject: Payout | None = None
        self._book(funded(MerchantId(MERCHANT), Currency.CNY, DEPOSIT))
        for name in CHANNELS:
            self._book(topping_up(name, Currency.CNY, TOP_UP))

    @property
    def it(self) -> Payout:
        """The payout."""
        if self.subject is None:
            raise AssertionError("not accepted yet")
        return self.subject

    def _book(self, legs: Posting) -> None:
        self.postings.append(legs)
        for leg in legs:
            self.balances[leg.account] += leg.change_minor

    def _move(self, event: Event) -> None:
        before = self.it
        self.subject = apply(before, event, before.updated_at + timedelta(seconds=1))
        self.events.append(event)
        self._book(posting(before, self.subject, event))

    def _of(self, book: Book) -> int:
        return sum(minor for account, minor in self.balances.items() if account.book is book)

    # --- Everybody who may move it ---

    @initialize(state=st.sampled_from(sorted(INITIAL_STATES)))
    def accept(self, state: PayoutState) -> None:
        """A merchant's request becomes a payout with a hold."""
        self.subject = payout(state=state, amount=cny(AMOUNT), fee=cny(OUR_FEE))
        event = Accepted(state)
        self.events.append(event)
        self._book(posting(None, self.subject, event))

    @precondition(lambda self: self.it.state in {P.HELD, P.SCHEDULED})
    @rule()
    def release(self) -> None:
        """The time has come, or a person lets it go."""
        self._move(Released("ops"))

    @precondition(lambda self: self.it.state in {P.SCHEDULED, P.ROUTING})
    @rule()
    def hold(self) -> None:
        """A person stops it."""
        self._move(Held("review"))

    @precondition(lambda self: self.it.state in BEFORE_ARMING and len(self.events) > 6)
    @rule()
    def cancel(self) -> None:
        """The merchant changed its mind in time."""
        self._move(Cancelled("merchant"))

    @precondition(lambda self: self.it.state in {P.HELD, P.ROUTING} and len(self.events) > 6)
    @rule()
    def give_up(self) -> None:
        """No channel is left."""
        self._move(Failed("no_channel"))

    @precondition(lambda self: self.it.state is P.ROUTING)
    @rule(channel=st.sampled_from(CHANNELS), quoted=st.integers(0, 20))
    def arm(self, channel: str, quoted: int) -> None:
        """The router found a channel."""
        number = len(self.it.attempts) + 1
        made = attempt(number, channel=channel, reference=f"R{number}", quoted_fee_minor=quoted)
        self._move(Armed(made))

    @precondition(lambda self: self.it.state in OPEN)
    @rule(outcome=ANYTHING, source=SOURCES)
    def answer(self, outcome: Outcome | Absent, source: Source) -> None:
        """The channel says something about the open attempt."""
        self._hear(len(self.it.attempts), outcome, source)

    @precondition(lambda self: self.it.state in OPEN)
    @rule(outcome=UNKNOWN | PENDING | PAID, source=SOURCES)
    def answer_without_denying(self, outcome: Outcome, source: Source) -> None:
        """As above, so that histories do not end in death too often."""
        self._hear(len(self.it.attempts), outcome, source)

    @precondition(lambda self: bool(self.it.attempts))
    @rule(data=st.data(), outcome=ANYTHING, source=SOURCES)
    def late_word(self, data: st.DataObject, outcome: Outcome | Absent, source: Source) -> None:
        """A channel says something about any attempt, dead and returned ones included."""
        number = data.draw(st.integers(1, len(self.it.attempts)), label="number")
        self._hear(number, outcome, source)

    def _hear(self, number: int, outcome: Outcome | Absent, source: Source) -> None:
        before = self.it
        found = events_of(before, before.attempts[number - 1], outcome, source, before.updated_at)
        for event in found:
            self._move(event)

    @precondition(lambda self: self.it.live is not None and self.it.live.state is A.IN_DOUBT)
    @rule()
    def resend(self) -> None:
        """The worker signs and sends the same reference again."""
        number = len(self.it.attempts)
        self._move(Resent(number, "e" * 64, self.it.updated_at, None))

    @precondition(lambda self: self.it.state is P.ATTEMPTING)
    @rule()
    def park(self) -> None:
        """In doubt for too long."""
        self._move(Parked("in_doubt_too_long"))

    @precondition(lambda self: self.it.state is P.PARKED)
    @rule()
    def unpark(self) -> None:
        """Its owner hands it back."""
        self._move(Unparked("ops"))

    @precondition(lambda self: self.it.state is P.PAID)
    @rule(fee=st.none() | st.integers(0, 30))
    def settle(self, fee: int | None) -> None:
        """The statement shows it."""
        self._move(Settled(len(self.it.attempts), TODAY, "L1", fee))

    @rule(number=st.integers(1, 3), kind=st.integers(0, len(get_args(Event)) - 1))
    def stray_event(self, number: int, kind: int) -> None:
        """An event without an edge raises, and leaves everything as it was."""
        before = self.it
        event = every_event(number, len(before.attempts) + 1)[kind]
        if (before.state, type(event)) not in PAYOUT_EDGES:
            with pytest.raises(TransitionError):
                apply(before, event, NOW)
        assert self.it is before

    # --- What must hold ---

    @invariant()
    def is_consistent(self) -> None:
        """The domain's own assertions hold, and one event is one version."""
        check(self.it)
        assert self.it.version == len(self.events)

    @invariant()
    def at_most_one_attempt_may_have_moved_money(self) -> None:
        """I1; and it is the last one."""
        live = [one for one in self.it.attempts if one.state.is_live]
        assert len(live) <= 1
        assert not live or live[0] is self.it.attempts[-1]

    @invariant()
    def every_earlier_attempt_is_proven_dead_for_ever(self) -> None:
        """I2: a certificate each, and none ever changes."""
        for one in self.it.attempts[:-1]:
            assert one.certificate is not None
        for one in self.it.attempts:
            if one.certificate is not None:
                assert self.certificates.setdefault(one.number, one.certificate) == one.certificate
            assert (one.number in self.certificates) == (one.state is A.DEAD)

    @invariant()
    def attempts_keep_their_names(self) -> None:
        """I4: one reference per attempt, for ever; numbers without a gap."""
        assert [one.number for one in self.it.attempts] == [*range(1, len(self.it.attempts) + 1)]
        for one in self.it.attempts:
            assert self.references.setdefault(one.number, one.reference) == one.reference

    @invariant()
    def resends_are_certified_by_inquiries_only(self) -> None:
        """A rejection of the only send, a send that never left: neither after a second send."""
        for one in self.it.attempts:
            if one.certificate is not None and one.sends > 1:
                assert one.certificate.kind is CertificateKind.TERMINAL_INQUIRY

    @invariant()
    def failed_means_that_everything_is_dead(self) -> None:
        """I8, and the same for a payout that was cancelled."""
        if self.it.state in {P.FAILED, P.CANCELLED}:
            assert all(one.state is A.DEAD for one in self.it.attempts)

    @invariant()
    def postings_balance(self) -> None:
        """I7: each by itself, and so the books as a whole."""
        for legs in self.postings[-3:]:
            sides = Counter[Side]()
            for leg in legs:
                sides[leg.side] += leg.amount_minor
            assert sides[Side.DEBIT] == sides[Side.CREDIT]
        debits = sum(m for account, m in self.balances.items() if account.book.is_debit_normal)
        assert debits == sum(self.balances.values()) - debits

    @invariant()
    def hold_is_taken_once_and_given_back_or_spent_once(self) -> None:
        """I7: never twice, never while the outcome is open."""
        moves = [
            leg.change_minor
            for legs in self.postings
            for leg in legs
            if leg.account.book is Book.HELD
        ]
        over = self.it.state.is_final or self.it.state in {P.PAID, P.SETTLED}
        hold = AMOUNT + OUR_FEE
        assert moves == ([hold, -hold] if over else [hold])

    @invariant()
    def money_in_transit_is_that_of_the_open_attempt(self) -> None:
        """Amount and quote, on its channel; nothing once its fate is proven."""
        live = self.it.live
        is_open = self.it.state in OPEN
        for name in CHANNELS:
            mine = live is not None and is_open and live.channel == name
            expected = AMOUNT + live.quoted_fee_minor if mine and live is not None else 0
            assert self.balances[Account(Book.IN_TRANSIT, name, Currency.CNY)] == expected

    @invariant()
    def books_say_what_the_state_says(self) -> None:
        """Every account's total follows from state, fees and what came back."""
        state, live = self.it.state, self.it.live
        paid = state in {P.PAID, P.SETTLED, P.RETURNED}
        back = sum(one.amount_minor for one in self.events if isinstance(one, CameBack))
        astray = sum(one.amount_minor for one in self.events if isinstance(one, Contradicted))
        late = {o.number for o in self.events if isinstance(o, Contradicted) and o.amount_minor > 0}
        fee = sum(charged_minor(one) for one in self.it.attempts if one.number in late)
        fee += charged_minor(live) if paid and live is not None else 0
        kept = 0 if state in {P.FAILED, P.CANCELLED} else AMOUNT + OUR_FEE
        reserved = AMOUNT + live.quoted_fee_minor if state in OPEN and live is not None else 0
        assert self._of(Book.AVAILABLE) == DEPOSIT - kept + back
        assert self._of(Book.FEE_INCOME) == (OUR_FEE if paid else 0)
        assert self._of(Book.CHANNEL_FEE) == fee
        assert self._of(Book.SUSPENSE) == astray
        assert self._of(Book.FLOAT) == (
            TOP_UP * len(CHANNELS) - reserved - (AMOUNT if paid else 0) - fee + back - astray
        )

    @invariant()
    def money_comes_back_once_and_after_it_was_paid(self) -> None:
        """A payout is returned by one event; a merchant never gets more than it gave."""
        returns = [one for one in self.events if isinstance(one, CameBack)]
        assert len(returns) == (self.it.state is P.RETURNED)
        assert self._of(Book.AVAILABLE) <= DEPOSIT

    @invariant()
    def time_stands_in_the_row(self) -> None:
        """The last event's moment is the payout's."""
        assert self.it.updated_at == NOW + timedelta(seconds=len(self.events) - 1)


TestLifeOfAPayout = LifeOfAPayout.TestCase
TestLifeOfAPayout.settings = settings(max_examples=100, stateful_step_count=40)
