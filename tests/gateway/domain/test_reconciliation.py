"""Every line ends as a match, a break or another movement; every overdue attempt as a break."""

import pytest

from channels.contract import LineKind, StatementLine
from channels.money import Currency, Money
from gateway.domain.payout import AttemptState, MerchantId, PayoutId
from gateway.domain.reconciliation import Booked, Break, BreakKind, Reconciled, find, reconcile
from tests.builders import CHANNEL, NOW, TODAY, cny, statement_line

PAID_STATES = [
    AttemptState.ARMED,
    AttemptState.PENDING,
    AttemptState.IN_DOUBT,
    AttemptState.CONFIRMED,
    AttemptState.RETURNED,
]


def booked(
    reference: str = "R1",
    *,
    channel_ref: str | None = "CH1",
    state: AttemptState = AttemptState.CONFIRMED,
    minor: int = 10_000,
    settled: bool = False,
) -> Booked:
    """A confirmed attempt of 100.00 that no statement has shown yet."""
    return Booked(
        PayoutId(f"po_{reference}"),
        MerchantId("m_acme"),
        1,
        reference,
        channel_ref,
        minor,
        Currency.CNY,
        state,
        settled,
    )


def line(
    line_ref: str = "L1",
    reference: str | None = "R1",
    *,
    kind: LineKind = LineKind.PAYOUT,
    amount: Money | None = None,
    credit: bool = False,
    channel_ref: str | None = None,
) -> StatementLine:
    """A payout line under our reference."""
    return statement_line(
        line_ref,
        kind=kind,
        amount=amount,
        credit=credit,
        reference=reference,
        channel_ref=channel_ref,
    )


def fee(line_ref: str, minor: int, *, credit: bool = False, reference: str = "R1") -> StatementLine:
    """A fee line under a payout's reference."""
    return line(line_ref, reference, kind=LineKind.FEE, amount=cny(minor), credit=credit)


def run(*lines: StatementLine, known: list[Booked], overdue: tuple[Booked, ...] = ()) -> Reconciled:
    """Reconcile a day, with attempts findable by both references, as the store gives them."""
    keys = {
        key: attempt for attempt in known for key in (attempt.reference, attempt.channel_ref) if key
    }
    return reconcile(CHANNEL, TODAY, lines, keys, overdue, NOW)


def test_matching_line_pays_and_settles() -> None:
    """Same reference, same amount: a match without a break."""
    attempt, found = booked(), line()
    result = run(found, known=[attempt])
    assert [(match.attempt, match.line, match.fee_minor) for match in result.paid] == [
        (attempt, found, None)
    ]
    assert not result.breaks
    assert result.other_lines == 0


@pytest.mark.parametrize("state", PAID_STATES)
def test_statement_is_believed_for_every_live_attempt(state: AttemptState) -> None:
    """What nobody knew yet, the statement proves."""
    result = run(line(), known=[booked(state=state)])
    assert len(result.paid) == 1
    assert not result.breaks


def test_fee_lines_are_summed_and_refunds_taken_off() -> None:
    """0.10 and 0.05 charged, 0.02 given back: 0.13, in whatever order they stand."""
    lines = (fee("F1", 10), line(), fee("F2", 5), fee("F3", 2, credit=True))
    for given in (lines, lines[::-1]):
        (match,) = run(*given, known=[booked()]).paid
        assert match.fee_minor == 13


def test_fees_belong_to_their_own_payout() -> None:
    """Another payout's fee is not counted in."""
    lines = (line(), line("L2", "R2"), fee("F1", 10), fee("F2", 7, reference="R2"))
    result = run(*lines, known=[booked(), booked("R2", channel_ref="CH2")])
    assert {match.attempt.reference: match.fee_minor for match in result.paid} == {
        "R1": 10,
        "R2": 7,
    }


def test_return_is_matched() -> None:
    """Money that came back is a match of its own, beside the payout's."""
    back = line("L2", kind=LineKind.RETURN, credit=True)
    result = run(line(), back, known=[booked()])
    assert [(match.attempt.reference, match.line) for match in result.returned] == [("R1", back)]
    assert len(result.paid) == 1


@pytest.mark.parametrize("kind", [LineKind.PAYOUT, LineKind.RETURN])
def test_unknown_reference_is_missing_here(kind: LineKind) -> None:
    """A payout or a return that is not ours: somebody else used the account, or we forgot."""
    result = run(line(kind=kind, credit=kind is LineKind.RETURN), known=[])
    (found,) = result.breaks
    assert (found.kind, found.reference, found.line_ref) == (BreakKind.MISSING_OURS, "R1", "L1")
    assert found.payout_id is None
    assert kind.value in found.detail


def test_break_carries_everything_a_person_needs() -> None:
    """Channel, day, both references, amount, payout and a sentence."""
    (found,) = run(line(amount=cny(9_000)), known=[booked()]).breaks
    assert found == Break(
        CHANNEL,
        TODAY,
        BreakKind.AMOUNT,
        "R1",
        "L1",
        9_000,
        Currency.CNY,
        PayoutId("po_R1"),
        "we sent 10000 CNY, they booked 9000",
        NOW,
    )


@pytest.mark.parametrize("amount", [cny(9_999), cny(10_001), Money(10_000, Currency.USD)])
def test_other_amount_or_currency_is_a_break(amount: Money) -> None:
    """Nothing is settled on a line that differs by a fen."""
    result = run(line(amount=amount), known=[booked()])
    assert [found.kind for found in result.breaks] == [BreakKind.AMOUNT]
    assert not result.paid


def test_movement_of_a_dead_attempt_is_a_break() -> None:
    """I10: late success on a dead attempt is found by the statement at the latest."""
    result = run(line(), known=[booked(state=AttemptState.DEAD)])
    (found,) = result.breaks
    assert (found.kind, found.payout_id) == (BreakKind.STATUS, "po_R1")
    assert not result.paid


def test_second_payout_under_one_reference_is_a_break() -> None:
    """The first settles; each further line may be money that went twice."""
    result = run(line("L1"), line("L2"), line("L3"), known=[booked()])
    assert [match.line.line_ref for match in result.paid] == ["L1"]
    assert [(found.kind, found.line_ref) for found in result.breaks] == [
        (BreakKind.DUPLICATE, "L2"),
        (BreakKind.DUPLICATE, "L3"),
    ]
    assert all("L1" in found.detail for found in result.breaks)


def test_overdue_attempt_on_no_statement_is_missing_there() -> None:
    """We have it as paid; the institution does not."""
    attempt = booked("R9", channel_ref=None)
    (found,) = run(line(), known=[booked()], overdue=(attempt,)).breaks
    assert (found.kind, found.reference, found.line_ref) == (BreakKind.MISSING_THEIRS, "R9", None)
    assert (found.amount_minor, found.payout_id) == (10_000, "po_R9")


@pytest.mark.parametrize("amount", [cny(10_000), cny(1)])
def test_overdue_attempt_on_this_statement_is_not_missing(amount: Money) -> None:
    """Late is not missing, and a wrong amount is one break, not two."""
    attempt = booked()
    result = run(line(amount=amount), known=[attempt], overdue=(attempt,))
    assert BreakKind.MISSING_THEIRS not in {found.kind for found in result.breaks}


def test_fee_alone_does_not_make_an_attempt_seen() -> None:
    """A fee without its payout leaves the payout missing."""
    attempt = booked()
    (found,) = run(fee("F1", 10), known=[attempt], overdue=(attempt,)).breaks
    assert found.kind is BreakKind.MISSING_THEIRS


def test_channels_own_reference_finds_the_attempt_too() -> None:
    """Some statements show only the institution's number; the break still names ours."""
    result = run(line(reference=None, channel_ref="CH1"), known=[booked()])
    assert [match.attempt.reference for match in result.paid] == ["R1"]
    dead = booked(state=AttemptState.DEAD)
    (found,) = run(line(reference=None, channel_ref="CH1"), known=[dead]).breaks
    assert found.reference == "R1"


def test_lines_found_by_either_reference_are_one_payouts() -> None:
    """A duplicate is found although one line shows our number and the other theirs."""
    theirs = line("L2", None, channel_ref="CH1")
    result = run(line("L1"), theirs, known=[booked()])
    assert [found.kind for found in result.breaks] == [BreakKind.DUPLICATE]


def test_attempt_known_by_their_reference_alone_is_matched() -> None:
    """The store was asked for what the lines name, so our own number need not be a key."""
    theirs = line(reference=None, channel_ref="CH1")
    result = reconcile(CHANNEL, TODAY, [theirs], {"CH1": booked()}, (), NOW)
    assert [match.attempt.reference for match in result.paid] == ["R1"]


def test_our_reference_wins_over_theirs() -> None:
    """Where a line's two references name two attempts, ours is unique for ever."""
    one, other = booked(), booked("R2", channel_ref="CH2")
    keys = {"R1": one, "CH2": other}
    assert find(line(reference="R1", channel_ref="CH2"), keys) is one
    assert find(line(reference="R7", channel_ref="CH2"), keys) is other
    assert find(line(reference="R7", channel_ref=None), keys) is None


def test_other_movements_are_counted() -> None:
    """Top-ups, and fees of nobody's payout, are no payout's lines."""
    result = run(line(kind=LineKind.OTHER, credit=True), fee("F1", 3), known=[])
    assert result.other_lines == 2
    assert not result.breaks


def test_empty_statement_leaves_everything_overdue_missing() -> None:
    """A day without lines is a statement too."""
    result = run(known=[], overdue=(booked(), booked("R2")))
    assert [found.reference for found in result.breaks] == ["R1", "R2"]
