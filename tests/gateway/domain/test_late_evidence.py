"""Late, repeated and contradicting evidence: booked once, never a ticket to another attempt."""

import pytest
from msgspec.structs import replace

from channels.contract import (
    Absent,
    LineKind,
    Outcome,
    Paid,
    Pending,
    Profile,
    Reason,
    Rejected,
    Returned,
)
from channels.money import Currency, Money
from gateway.domain.certify import events_of
from gateway.domain.ledger import Book, posting
from gateway.domain.lifecycle import apply
from gateway.domain.pace import must_park
from gateway.domain.payout import (
    AttemptState,
    CameBack,
    Event,
    MerchantId,
    Payout,
    PayoutId,
    PayoutState,
    Source,
    Unparked,
)
from gateway.domain.reconciliation import Booked, BreakKind, reconcile
from tests.builders import CHANNEL, NOW, TODAY, after, cny, payout, statement_line
from tests.gateway.domain.situations import FIRST, situation, through

PAID = Paid("CH1", NOW, cny(8))


def hear(
    subject: Payout, number: int, outcome: Outcome | Absent, source: Source = Source.INQUIRY
) -> tuple[Payout, list[tuple[Payout, Payout, Event]]]:
    steps = []
    for event in events_of(subject, subject.attempts[number - 1], outcome, source, NOW):
        moved = apply(subject, event, NOW)
        steps.append((subject, moved, event))
        subject = moved
    return subject, steps


def test_absence_after_pending_completes_no_refusal() -> None:
    """Refused(confirm), then the channel says PENDING, then NOT_FOUND: not proof of death."""
    subject = through(payout(), FIRST)
    subject, _ = hear(subject, 1, Rejected(Reason.RAIL_DOWN, "X", confirm=True), Source.SEND)
    subject, _ = hear(subject, 1, Pending("CH1", "DEALING"))
    subject, _ = hear(subject, 1, Absent())
    assert subject.attempts[0].state is not AttemptState.DEAD


def test_send_rejection_after_pending_is_doubt() -> None:
    """A verified inquiry said PENDING before the send's own rejection was read."""
    subject = through(payout(), FIRST)
    subject, _ = hear(subject, 1, Pending("CH1", "DEALING"))
    subject, _ = hear(subject, 1, Rejected(Reason.RAIL_DOWN, "X"), Source.SEND)
    assert subject.attempts[0].state is not AttemptState.DEAD


def test_late_success_is_booked_to_suspense_once() -> None:
    """Two notices, or a notice and a statement, tell of one late payment."""
    subject = situation("failed")
    suspense = 0
    for _ in range(3):
        subject, steps = hear(subject, 1, PAID)
        suspense += sum(
            leg.change_minor
            for step in steps
            for leg in posting(*step)
            if leg.account.book is Book.SUSPENSE
        )
    assert suspense == 10_000


def test_regress_is_told_once() -> None:
    """Each poll or notice of a paid payout that the channel calls failed is not another webhook."""
    subject = situation("paid")
    for _ in range(3):
        subject, _ = hear(subject, 1, Rejected(Reason.RAIL_DOWN, "X"))
    assert subject.version == situation("paid").version + 1


def test_second_death_does_not_free_a_contradicted_payout() -> None:
    """Attempt 1 (dead) turned out paid while attempt 2 was open; attempt 2 dies: never a third."""
    subject = situation("attempting, the second in doubt")
    subject, _ = hear(subject, 1, PAID)
    subject, _ = hear(subject, 2, Rejected(Reason.RAIL_DOWN, "X"))
    assert subject.state is not PayoutState.ROUTING


@pytest.mark.parametrize("amount", [cny(10_001), Money(10_000, Currency.USD)])
def test_open_attempt_gives_back_no_more_than_was_sent(amount: Money) -> None:
    """Checked for paid attempts, not for open ones: the merchant is credited what is not ours."""
    subject = situation("attempting, in doubt")
    _, steps = hear(subject, 1, Returned("CH1", NOW, amount))
    assert not [event for _, _, event in steps if isinstance(event, CameBack)]


def test_unparked_payout_is_not_parked_by_the_next_silence() -> None:
    """`doubted_at` is still hours old, so the first answer without news parks it again."""
    subject = apply(situation("parked, in doubt"), Unparked("ops"), after(hours=5))
    assert must_park(subject.attempts[0], Profile(), after(hours=5)) is None


def booked(state: AttemptState = AttemptState.CONFIRMED) -> Booked:
    return Booked(
        PayoutId("po_R1"), MerchantId("m"), 1, "R1", "CH1", 10_000, Currency.CNY, state, False
    )


def test_order_of_two_lines_under_one_reference_does_not_matter() -> None:
    """A 100.00 and a 90.00 line under R1: settled or not must not depend on the file's order."""
    right = statement_line("L1", reference="R1")
    wrong = statement_line("L2", reference="R1", amount=cny(9_000))
    results = [
        reconcile(CHANNEL, TODAY, lines, {"R1": booked()}, (), NOW)
        for lines in ([right, wrong], [wrong, right])
    ]
    assert len(results[0].paid) == len(results[1].paid)


def test_dead_attempt_that_moved_another_amount_is_a_status_break() -> None:
    """Only STATUS leads to suspense and stops the payout; AMOUNT would leave it free."""
    line = statement_line("L1", reference="R1", amount=cny(9_000))
    result = reconcile(CHANNEL, TODAY, [line], {"R1": booked(AttemptState.DEAD)}, (), NOW)
    assert BreakKind.STATUS in {one.kind for one in result.breaks}


def test_other_debit_under_our_reference_is_looked_at() -> None:
    """A line whose word no table knows stays OTHER, and is still found by its reference."""
    line = statement_line("L1", kind=LineKind.OTHER, reference="R1")
    result = reconcile(CHANNEL, TODAY, [line], {"R1": booked()}, (booked(),), NOW)
    assert [match.line for match in result.paid] == [line]
    assert not result.breaks


def test_money_back_after_late_success_leaves_suspense() -> None:
    """Dead, paid after all (suspense), sent back: all is there again but the fee of 8."""
    subject = situation("failed")
    total = 0
    for outcome in (PAID, Returned("CH1", NOW, cny(10_000))):
        subject, steps = hear(subject, 1, outcome)
        total += sum(
            leg.change_minor
            for step in steps
            for leg in posting(*step)
            if leg.account.book is Book.FLOAT
        )
    assert total == -8


def test_statement_memo_and_channel_sentence_are_masked() -> None:
    """Both may name the payee; the store encrypts the one, the docstring of the other says so."""
    from channels.contract import Evidence

    assert "王五" not in repr(statement_line("L1", memo="代发 王五"))
    assert "王五" not in repr(Evidence(400, "X", "收款人王五不存在"))


def test_fee_in_another_currency_is_not_booked_as_ours() -> None:
    """`Paid.fee` and fee lines are added up without looking at their currency."""
    subject = situation("attempting, armed")
    _, steps = hear(subject, 1, replace(PAID, fee=Money(8, Currency.USD)))
    assert steps[0][1].attempts[0].fee_minor is None
