"""A statement is used only if it proves itself: balance equation, chain, pages."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bank import statement as statements
from channels.bank.facts import Report
from channels.bank.mailbox import Closing
from channels.bank.reading import told
from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money
from tests.channels.bank.house import REFERENCE, settings
from tests.channels.bank.letters import Booking, balance, camt, part, statement

BANK = settings().bank
DAY = date(2026, 11, 2)
BEFORE = date(2026, 10, 30)


def reports(*raws: bytes) -> list[Report]:
    """The reports of these messages."""
    return [one for raw in raws for one in told(raw, BANK).reports]


def lines(*raws: bytes, before: tuple[Closing, ...] = (), day: date = DAY) -> list[StatementLine]:
    """Read them as one day's statement."""
    return statements.lines(reports(*raws), day, Currency.CNY, BANK, before)


def closing(amount: str, on: date = BEFORE) -> Closing:
    """What an earlier statement closed with."""
    return Closing("S0", on, Money.parse(amount, Currency.CNY))


DEBIT = Booking("100.00", ref="E1")
FEE = Booking("0.50", ref="E2", family="CHRG")
BACK = Booking("100.00", "CRDT", ref="E3", back_for="AC04")
SALARY = Booking("5.00", "CRDT", ref="E4", reference=None)


def test_every_booking_is_a_line() -> None:
    """Kind, direction, amount, reference and serial number."""
    read = lines(statement(DEBIT, FEE, BACK, SALARY, closing="1004.50"))
    assert [(one.kind, one.credit, one.amount.minor, one.line_ref) for one in read] == [
        (LineKind.PAYOUT, False, 10_000, "E1"),
        (LineKind.FEE, False, 50, "E2"),
        (LineKind.RETURN, True, 10_000, "E3"),
        (LineKind.OTHER, True, 500, "E4"),
    ]
    assert [one.reference for one in read] == [REFERENCE, REFERENCE, REFERENCE, None]


def test_a_day_without_movements_is_empty_not_broken() -> None:
    """Opening and closing are one."""
    assert lines(statement(closing="1000.00")) == []


def test_what_is_not_booked_is_no_line() -> None:
    """Pending, announced and informational entries move nothing."""
    others = [Booking(status=one, ref=one) for one in ("PDNG", "INFO", "FUTR")]
    assert len(lines(statement(DEBIT, *others, closing="900.00"))) == 1


def test_a_foreign_status_breaks_it() -> None:
    """Who knows whether it moved the balance."""
    with pytest.raises(StatementBrokenError):
        lines(statement(Booking(status="ODD1"), closing="1000.00"))


@given(
    amounts=st.lists(st.tuples(st.integers(1, 10**9), st.booleans()), min_size=1, max_size=6),
    spoilt=st.integers(0, 5),
    delta=st.integers(-5, 5).filter(bool),
)
def test_no_line_can_be_lost_doubled_or_changed(
    amounts: list[tuple[int, bool]], spoilt: int, delta: int
) -> None:
    """The law of the equation: true lines are read, and any one difference is noticed."""
    opening = 10**11
    bookings = [
        Booking(str(Money(minor, Currency.CNY)), "CRDT" if credit else "DBIT", ref=f"E{number}")
        for number, (minor, credit) in enumerate(amounts)
    ]
    end = opening + sum(minor if credit else -minor for minor, credit in amounts)
    start, close = (str(Money(one, Currency.CNY)) for one in (opening, end))
    assert len(lines(statement(*bookings, opening=start, closing=close))) == len(bookings)
    at = spoilt % len(bookings)
    minor, credit = amounts[at]
    changed = Booking(
        str(Money(max(minor + delta, 0), Currency.CNY)), "CRDT" if credit else "DBIT", ref="E99"
    )
    for wrong in (
        bookings[:at] + bookings[at + 1 :],
        [*bookings, bookings[at]],
        [*bookings[:at], changed, *bookings[at + 1 :]],
    ):
        with pytest.raises(StatementBrokenError):
            lines(statement(*wrong, opening=start, closing=close))


def test_two_lines_that_cancel_out_with_one_number_are_noticed() -> None:
    """The sum holds, the serial numbers do not."""
    double = [Booking("1.00", ref="E1"), Booking("1.00", "CRDT", ref="E1")]
    with pytest.raises(StatementBrokenError, match="twice"):
        lines(statement(*double, closing="1000.00"))


def test_the_chain_with_the_day_before_holds() -> None:
    """PRCD is its CLBD."""
    raw = statement(DEBIT, closing="900.00", previous="1000.00", previous_day=str(BEFORE))
    assert len(lines(raw, before=(closing("1000.00"),))) == 1
    assert len(lines(raw)) == 1


def test_a_broken_chain_breaks_the_statement() -> None:
    """Something was booked between the two."""
    raw = statement(DEBIT, closing="900.00", previous="1000.00", previous_day=str(BEFORE))
    with pytest.raises(StatementBrokenError, match="closed with another"):
        lines(raw, before=(closing("1000.01"),))
    other_day = closing("7.00", date(2026, 10, 29))
    assert len(lines(raw, before=(other_day,))) == 1


def test_opening_differs_from_previous_close() -> None:
    """In one and the same statement."""
    raw = statement(DEBIT, closing="900.00", previous="999.00", previous_day=str(BEFORE))
    with pytest.raises(StatementBrokenError, match="opens with another"):
        lines(raw)


def test_previous_close_stands_in_for_an_opening() -> None:
    """Some banks give PRCD alone."""
    balances = balance("PRCD", "1000.00", str(BEFORE)) + balance("CLBD", "900.00")
    assert len(lines(camt("camt.053", DEBIT, balances=balances))) == 1


@pytest.mark.parametrize(
    "balances",
    [
        balance("CLBD", "900.00"),
        balance("OPBD", "1000.00"),
        balance("OPBD", "1000.00") + balance("CLBD", "900.00", "2026-11-03"),
        balance("OPBD", "1000.00") + balance("CLBD", "900.00") * 2,
    ],
    ids=["no opening", "no closing", "another day", "two closings"],
)
def test_without_its_balances_a_statement_proves_nothing(balances: str) -> None:
    """Both are needed, once, and of the day."""
    with pytest.raises(StatementBrokenError):
        lines(camt("camt.053", DEBIT, balances=balances))


def _pages(*marks: tuple[int, bool]) -> list[bytes]:
    first = balance("OPBD", "1000.00")
    last = balance("CLBD", "800.00")
    return [
        camt(
            "camt.053",
            Booking("100.00", ref=f"E{number}"),
            balances=(first if number == 1 else "") + (last if is_last else ""),
            page=(number, is_last),
        )
        for number, is_last in marks
    ]


def test_pages_make_one_statement() -> None:
    """In whatever order they are found; the same page twice is one page."""
    first, second = _pages((1, False), (2, True))
    assert len(lines(second, first)) == 2
    assert len(lines(second, first, second)) == 2


@pytest.mark.parametrize("marks", [[(1, False)], [(2, True)], [(1, False), (3, True)]])
def test_a_missing_page_is_noticed(marks: list[tuple[int, bool]]) -> None:
    """First, last or in between."""
    with pytest.raises(StatementBrokenError):
        lines(*_pages(*marks))


def test_one_page_with_two_contents_is_noticed() -> None:
    """Nobody knows which is true."""
    with pytest.raises(StatementBrokenError, match="twice"):
        lines(statement(DEBIT, closing="900.00"), statement(closing="1000.00"))


def test_a_wrong_count_is_noticed() -> None:
    """TxsSummry, where it stands."""
    balances = balance("OPBD", "1000.00") + balance("CLBD", "900.00")
    assert len(lines(camt("camt.053", DEBIT, balances=balances, count=1))) == 1
    with pytest.raises(StatementBrokenError, match="tells 2"):
        lines(camt("camt.053", DEBIT, balances=balances, count=2))


def test_a_batch_is_a_line_for_each_payment() -> None:
    """If its parts add up to what was booked."""
    batch = Booking("30.00", ref="E1", inner=part("A", "10.00") + part("B", "20.00"))
    read = lines(statement(batch, closing="970.00"))
    assert [(one.reference, one.amount.minor) for one in read] == [("A", 1_000), ("B", 2_000)]
    short = Booking("30.00", ref="E1", inner=part("A", "10.00") + part("B", "10.00"))
    with pytest.raises(StatementBrokenError, match="add up"):
        lines(statement(short, closing="970.00"))


def test_charges_booked_with_the_payment_are_a_line_of_their_own() -> None:
    """The payment's own amount, and the rest as a fee."""
    read = lines(statement(Booking("100.50", part="100.00"), closing="899.50"))
    assert [(one.kind, one.amount.minor) for one in read] == [
        (LineKind.PAYOUT, 10_000),
        (LineKind.FEE, 50),
    ]
    assert len({one.line_ref for one in read}) == 2


def test_an_account_of_another_currency_is_not_ours() -> None:
    """Its statement is no statement of this channel."""
    with pytest.raises(StatementBrokenError, match="currency"):
        statements.lines(reports(statement(DEBIT, closing="900.00")), DAY, Currency.USD, BANK, ())


def test_movements_that_overflow_break_it() -> None:
    """Two entries that can be stored, and a sum that cannot."""
    most = Booking("92233720368547758.07", "CRDT", ref="E9", reference=None)
    with pytest.raises(StatementBrokenError, match="storable"):
        lines(statement(most, opening="1.00", closing="1.00"))
