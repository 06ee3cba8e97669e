"""Fees as statements and channels tell them: lines kept once, sums of other days, corrections.

The store's machine has these rules too; they are here because they are about one thing.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from channels.contract import LineKind, StatementLine
from gateway.domain.payout import Attempt, AttemptState, Contradicted, FeeCorrected, Payout, Source
from gateway.domain.reconciliation import Booked
from tests import builders as build
from tests.proof.laws.moves import StoreMoves
from tests.proof.laws.shared import NUMBERS, SIDES, Shared

WHICH = st.integers(0, 5)
FEE = st.integers(0, 60)
ENDED = frozenset({AttemptState.CONFIRMED, AttemptState.RETURNED, AttemptState.DEAD})
LINE = st.tuples(
    st.sampled_from([*LineKind, LineKind.FEE, LineKind.FEE]),
    WHICH,
    st.integers(1, 60),
    st.booleans(),
    NUMBERS,
)
"""Kind, about which attempt (or none), amount, whether it is a credit, its own number."""


class FeeLaws(StoreMoves):
    """Two channels' statements of four days."""

    @rule(side=SIDES, day=NUMBERS, said=st.lists(LINE, max_size=4))
    def keep_statement(
        self, side: int, day: int, said: list[tuple[LineKind, int, int, bool, int]]
    ) -> None:
        """A statement, read again with more or fewer lines: each line is kept once, on its day."""
        channel, on = self.channels[side], self._day(day)
        lines = [self._line(side, one) for one in said]
        self.both(
            self.store.keep_statement(channel, on, lines, Shared.clock.at),
            lambda: self.model.keep_statement(channel, on, lines),
        )

    @rule(side=SIDES, day=NUMBERS)
    def read_statement(self, side: int, day: int) -> None:
        """The days that are there, and the lines of one."""
        channel, on = self.channels[side], self._day(day)
        kept = Shared.run(self.store.lines(channel, on))
        assert {one.line_ref: one for one in kept} == self.model.lines_of(channel, on)
        assert len(kept) == len(self.model.lines_of(channel, on))
        days = {day for owner, day in self.model.days if owner == channel}
        assert Shared.run(self.store.statement_days(channel)) == days

    @precondition(lambda self: self.model.payouts)
    @rule(which=WHICH, day=NUMBERS)
    def read_fees(self, which: int, day: int) -> None:
        """What other days' statements show of a payout's attempts, and how often."""
        known, on = self._known(which), self._day(day)
        for attempt in known.attempts:
            wanted = self.model.fees_shown(attempt, on)
            booked = _booked(known, attempt)
            assert Shared.run(self.store.fees_shown(attempt.channel, booked, on)) == wanted

    @precondition(lambda self: self._ended())
    @rule(which=WHICH, fee=FEE, amount=st.sampled_from((None, None, 0, 9_000)), free=st.booleans())
    def correct_fee(self, which: int, fee: int, amount: int | None, free: bool) -> None:
        """A later line corrects what was booked; or the channel says it paid, and for how much."""
        ended = self._ended()
        known, attempt = ended[which % len(ended)]
        if amount is None:
            event: FeeCorrected | Contradicted = FeeCorrected(attempt.number, self._day(0), fee)
        elif attempt.state is AttemptState.DEAD:
            charged = None if free else fee
            event = Contradicted(attempt.number, Source.INQUIRY, "paid", amount, charged)
        else:
            return
        moment = max(Shared.clock.at, known.updated_at)
        change = build.change(known, event, at=moment, due_at=known.due_at)
        self.both(self.store.record(change), lambda: self.model.record(change))

    def _ended(self) -> list[tuple[Payout, Attempt]]:
        return [(p, a) for p in self.model.payouts.values() for a in p.attempts if a.state in ENDED]

    def _day(self, number: int) -> date:
        return self.start.date() + timedelta(days=number)

    def _line(self, side: int, said: tuple[LineKind, int, int, bool, int]) -> StatementLine:
        kind, which, minor, credit, number = said
        about = list(self._attempts(self.channels[side]))
        known = about[which] if which < len(about) else None
        by_theirs = known is not None and known.channel_ref is not None and minor % 2
        return build.statement_line(
            f"L{number}",
            kind=kind,
            amount=build.cny(minor),
            credit=credit,
            booked_at=self.start,
            reference=None if known is None or by_theirs else known.reference,
            channel_ref=known.channel_ref if known is not None and by_theirs else None,
        )

    def _attempts(self, channel: str) -> Iterable[Attempt]:
        known = self.model.payouts.values()
        return (a for one in known for a in one.attempts if a.channel == channel)


def _booked(known: Payout, attempt: Attempt) -> Booked:
    return Booked(
        known.id,
        known.merchant_id,
        attempt.number,
        attempt.reference,
        attempt.channel_ref,
        known.amount.minor,
        known.amount.currency,
        attempt.state,
        settled=False,
    )
