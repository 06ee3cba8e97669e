"""Reconciliation over any statement: every line accounted for, whatever their order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.contract import LineKind, StatementLine
from channels.money import Currency
from gateway.domain.payout import AttemptState, MerchantId, PayoutId
from gateway.domain.reconciliation import Booked, Break, BreakKind, Reconciled, reconcile
from tests.builders import CHANNEL, NOW, TODAY, cny, statement_line

REFERENCES = ("R1", "R2", "R3", "stranger")
CHANNEL_REFS = {"R1": "CH1", "R2": "CH2", "R3": None, "stranger": "CHX"}

BOOKED = st.sampled_from(AttemptState)


@st.composite
def attempts(draw: st.DrawFn) -> tuple[Booked, ...]:
    """Up to three attempts of ours in any state."""
    return tuple(
        Booked(
            PayoutId(f"po_{reference}"),
            MerchantId("m_acme"),
            1,
            reference,
            CHANNEL_REFS[reference],
            draw(st.sampled_from([10_000, 5_000])),
            Currency.CNY,
            draw(BOOKED),
            settled=draw(st.booleans()),
        )
        for reference in draw(st.sets(st.sampled_from(REFERENCES[:3])))
    )


@st.composite
def statements(draw: st.DrawFn, *, one_amount: bool) -> list[StatementLine]:
    """A day of lines: ours and strangers', doubled, short of a reference, in any direction."""
    lines = []
    for number in range(draw(st.integers(0, 12))):
        reference = draw(st.sampled_from(REFERENCES))
        kind = draw(st.sampled_from(LineKind))
        amount = 10_000 if one_amount else draw(st.sampled_from([10_000, 5_000, 1]))
        lines.append(
            statement_line(
                f"L{number}",
                kind=kind,
                amount=cny(amount),
                credit=draw(st.booleans()) if kind is LineKind.FEE else kind is LineKind.RETURN,
                reference=draw(st.sampled_from([reference, None])),
                channel_ref=CHANNEL_REFS[reference],
            )
        )
    return lines


def run(lines: list[StatementLine], known: tuple[Booked, ...]) -> Reconciled:
    """Reconcile with everything confirmed and unsettled overdue."""
    keys = {key: one for one in known for key in (one.reference, one.channel_ref) if key}
    overdue = [one for one in known if one.state is AttemptState.CONFIRMED and not one.settled]
    return reconcile(CHANNEL, TODAY, lines, keys, overdue, NOW)


def told(result: Reconciled) -> tuple[object, ...]:
    """What a result says, without the order it says it in, nor which of two equals is extra."""
    return (
        Counter((match.attempt.reference, match.fee_minor) for match in result.paid),
        Counter(match.line.line_ref for match in result.returned),
        Counter((one.kind, one.reference, one.amount_minor) for one in _named(result)),
        result.other_lines,
    )


def _named(result: Reconciled) -> list[Break]:
    owners = {"po_R1": "R1", "po_R2": "R2", "po_R3": "R3"}
    return [
        replace(one, reference=owners.get(str(one.payout_id), one.reference))
        for one in result.breaks
    ]


@given(lines=statements(one_amount=False), known=attempts())
def test_every_line_is_accounted_for(lines: list[StatementLine], known: tuple[Booked, ...]) -> None:
    """Each line is a match, a break, a fee of a payout, or another movement: just once."""
    result = run(lines, known)
    by_line = Counter(
        [match.line.line_ref for match in (*result.paid, *result.returned)]
        + [one.line_ref for one in result.breaks if one.line_ref is not None]
    )
    assert max(by_line.values(), default=1) == 1
    ours = {key for one in known for key in (one.reference, one.channel_ref) if key}
    fees = [
        one for one in lines if one.kind is LineKind.FEE and {one.reference, one.channel_ref} & ours
    ]
    assert len(by_line) + len(fees) + result.other_lines == len(lines)


@given(lines=statements(one_amount=False), known=attempts())
def test_every_overdue_attempt_is_accounted_for(
    lines: list[StatementLine], known: tuple[Booked, ...]
) -> None:
    """I15: on the statement, or an open break."""
    result = run(lines, known)
    for one in known:
        if one.state is AttemptState.CONFIRMED and not one.settled:
            matched = [match for match in result.paid if match.attempt == one]
            broken = [found for found in result.breaks if found.payout_id == one.payout_id]
            assert matched or broken


@given(lines=statements(one_amount=False), known=attempts())
def test_matches_are_right(lines: list[StatementLine], known: tuple[Booked, ...]) -> None:
    """Only a live attempt of the very amount is settled, and each at most once."""
    result = run(lines, known)
    for match in result.paid:
        assert match.line.amount.minor == match.attempt.amount_minor
        assert match.attempt.state.is_live
    settled = [match.attempt.reference for match in result.paid]
    assert len(settled) == len(set(settled))


@given(lines=statements(one_amount=False), known=attempts())
def test_breaks_name_a_payout_unless_it_is_nobodys(
    lines: list[StatementLine], known: tuple[Booked, ...]
) -> None:
    """Only what is missing here has no payout; only what is missing there has no line."""
    for one in run(lines, known).breaks:
        assert (one.payout_id is None) == (one.kind is BreakKind.MISSING_OURS)
        assert (one.line_ref is None) == (one.kind is BreakKind.MISSING_THEIRS)


@given(data=st.data(), lines=statements(one_amount=True), known=attempts())
def test_order_of_lines_does_not_matter(
    data: st.DataObject, lines: list[StatementLine], known: tuple[Booked, ...]
) -> None:
    """Pages may shift and files may be sorted otherwise: the result is the same."""
    shuffled = data.draw(st.permutations(lines))
    assert told(run(shuffled, known)) == told(run(lines, known))
