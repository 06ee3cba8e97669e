"""What each event books, to the fen, and the laws every posting keeps."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
from msgspec.structs import replace

from channels.money import Currency, Money
from gateway.domain.ledger import (
    Account,
    Book,
    Entry,
    Posting,
    Side,
    UnbalancedError,
    balanced,
    charged_minor,
    funded,
    moved,
    posting,
    topped_up,
)
from gateway.domain.lifecycle import TransitionError, apply
from gateway.domain.payout import (
    Accepted,
    Contradicted,
    Event,
    FeeCorrected,
    MerchantId,
    Payout,
    Source,
)
from tests.builders import (
    CHANNEL,
    MERCHANT,
    NOW,
    came_back,
    cancelled,
    confirmed,
    died,
    failed,
    payout,
    settled,
)
from tests.gateway.domain.situations import FIRST, HISTORIES, every_event, situation, through

CNY = Currency.CNY
AVAILABLE = Account(Book.AVAILABLE, MERCHANT, CNY)
HELD = Account(Book.HELD, MERCHANT, CNY)
FLOAT = Account(Book.FLOAT, CHANNEL, CNY)
IN_TRANSIT = Account(Book.IN_TRANSIT, CHANNEL, CNY)
FEE_INCOME = Account(Book.FEE_INCOME, "", CNY)
CHANNEL_FEE = Account(Book.CHANNEL_FEE, CHANNEL, CNY)
SUSPENSE = Account(Book.SUSPENSE, CHANNEL, CNY)
DEPOSITS = Account(Book.DEPOSITS, "", CNY)


def debit(account: Account, minor: int) -> Entry:
    """A leg on the left."""
    return Entry(account, Side.DEBIT, minor)


def credit(account: Account, minor: int) -> Entry:
    """A leg on the right."""
    return Entry(account, Side.CREDIT, minor)


def booked(before: Payout, event: Event) -> set[Entry]:
    """What an event books in this situation; the order of legs does not matter."""
    return set(posting(before, apply(before, event, NOW), event))


# --- The worked example of the docstring: 100.00, our fee 0.30, quoted 0.10, charged 0.08 --------


def test_worked_example_to_the_fen() -> None:
    """Accepted, armed, paid, returned: every leg as the docstring shows it."""
    accepted = payout()
    event = Accepted(accepted.state)
    assert set(posting(None, accepted, event)) == {debit(AVAILABLE, 10_030), credit(HELD, 10_030)}
    assert booked(accepted, FIRST) == {debit(IN_TRANSIT, 10_010), credit(FLOAT, 10_010)}
    under_way = through(accepted, FIRST)
    assert booked(under_way, confirmed(fee_minor=8)) == {
        debit(HELD, 10_030),
        credit(IN_TRANSIT, 10_010),
        credit(FEE_INCOME, 30),
        debit(CHANNEL_FEE, 8),
        debit(FLOAT, 2),
    }
    paid = through(under_way, confirmed(fee_minor=8))
    assert booked(paid, came_back()) == {debit(FLOAT, 10_000), credit(AVAILABLE, 10_000)}


def test_worked_example_leaves_these_balances() -> None:
    """After the return the merchant has paid our fee, and we have paid the channel's."""
    balances = Counter[Account]()
    subject = payout()
    steps: list[tuple[Payout | None, Payout, Event]] = [(None, subject, Accepted(subject.state))]
    later: tuple[Event, ...] = (FIRST, confirmed(fee_minor=8), came_back())
    for event in later:
        after = apply(subject, event, NOW)
        steps.append((subject, after, event))
        subject = after
    for before, after, event in steps:
        for entry in posting(before, after, event):
            balances[entry.account] += entry.change_minor
    assert {account: minor for account, minor in balances.items() if minor} == {
        AVAILABLE: -30,
        FEE_INCOME: 30,
        CHANNEL_FEE: 8,
        FLOAT: -8,
    }


# --- Event by event ------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [cancelled(), failed()], ids=["cancelled", "failed"])
def test_stopped_payout_gives_the_whole_hold_back(event: Event) -> None:
    """Amount and our fee: nothing is charged for a payout that never went out."""
    assert booked(payout(), event) == {debit(HELD, 10_030), credit(AVAILABLE, 10_030)}


def test_dead_attempt_gives_its_reservation_back() -> None:
    """The amount and the quoted fee return to the float of the channel that did not pay."""
    assert booked(through(payout(), FIRST), died()) == {
        debit(FLOAT, 10_010),
        credit(IN_TRANSIT, 10_010),
    }


def test_each_attempt_is_booked_on_its_own_channel() -> None:
    """After a failover the second channel's float pays, with its own quote."""
    before = situation("attempting, the second armed")
    second = [one._replace(owner="wechat-main") for one in (IN_TRANSIT, CHANNEL_FEE, FLOAT)]
    assert booked(before, confirmed(2, fee_minor=6)) == {
        debit(HELD, 10_030),
        credit(second[0], 10_006),
        credit(FEE_INCOME, 30),
        debit(second[1], 6),
    }


@pytest.mark.parametrize(
    ("charged", "float_leg"),
    [
        (0, debit(FLOAT, 10)),
        (8, debit(FLOAT, 2)),
        (10, None),
        (None, None),
        (13, credit(FLOAT, 3)),
    ],
)
def test_fee_differs_from_the_quote(charged: int | None, float_leg: Entry | None) -> None:
    """What was reserved too much returns to the float; what is missing leaves it."""
    legs = booked(through(payout(), FIRST), confirmed(fee_minor=charged))
    assert [leg for leg in legs if leg.account == FLOAT] == ([float_leg] if float_leg else [])
    expense = 10 if charged is None else charged
    assert [leg.amount_minor for leg in legs if leg.account == CHANNEL_FEE] == (
        [expense] if expense else []
    )


@pytest.mark.parametrize(
    ("said", "statement", "expected"),
    [
        (8, None, set()),
        (8, 8, set()),
        (8, 11, {debit(CHANNEL_FEE, 3), credit(FLOAT, 3)}),
        (8, 0, {debit(FLOAT, 8), credit(CHANNEL_FEE, 8)}),
        (None, 10, set()),
        (None, 4, {debit(FLOAT, 6), credit(CHANNEL_FEE, 6)}),
    ],
)
def test_statement_corrects_the_fee(
    said: int | None, statement: int | None, expected: set[Entry]
) -> None:
    """Only the difference to what was booked so far moves."""
    paid = through(payout(), FIRST, confirmed(fee_minor=said))
    assert booked(paid, settled(fee_minor=statement)) == expected


def test_settlement_without_a_before_has_nothing_to_correct() -> None:
    """A posting derived from the state after alone books no difference."""
    subject = situation("settled")
    assert posting(None, subject, settled()) == ()


@pytest.mark.parametrize("minor", [1, 10_000])
def test_partial_return_credits_what_came_back(minor: int) -> None:
    """The merchant gets what the channel gave back, and no fee."""
    assert booked(situation("settled"), came_back(amount_minor=minor)) == {
        debit(FLOAT, minor),
        credit(AVAILABLE, minor),
    }


def test_contradiction_moves_money_to_suspense() -> None:
    """The float is short by what the channel paid against the proof; people clear it."""
    before = situation("failed")
    event = Contradicted(1, Source.STATEMENT, "paid", 10_000)
    assert booked(before, event) == {
        debit(SUSPENSE, 10_000),
        debit(CHANNEL_FEE, 10),
        credit(FLOAT, 10_010),
    }
    named = replace(event, fee_minor=3)
    assert booked(before, named) == {
        debit(SUSPENSE, 10_000),
        debit(CHANNEL_FEE, 3),
        credit(FLOAT, 10_003),
    }


@pytest.mark.parametrize("name", ["paid", "settled", "returned", "failed"])
def test_a_corrected_fee_books_the_difference(name: str) -> None:
    """Ten were quoted, or eight named: statements show three, and the rest is in the float."""
    before = situation(name)
    if name == "failed":
        before = apply(before, Contradicted(1, Source.STATEMENT, "paid", 10_000, 8), NOW)
    known = charged_minor(before.attempts[0])
    event = FeeCorrected(1, NOW.date(), 3)
    assert booked(before, event) == {debit(FLOAT, known - 3), credit(CHANNEL_FEE, known - 3)}
    assert apply(before, event, NOW).attempts[0].fee_minor == 3


def test_all_other_events_book_nothing() -> None:
    """Waiting, asking, doubting and parking move no money, in any situation."""
    silent = {"held", "released", "resent", "pending", "in_doubt", "parked", "unparked"}
    seen = set()
    for before, after, event in possible():
        if event.kind in silent:
            seen.add(event.kind)
            assert posting(before, after, event) == ()
    assert seen == silent


def test_money_from_outside() -> None:
    """Deposits fund a merchant's balance, top-ups a channel's float."""
    assert set(funded(MerchantId(MERCHANT), CNY, 500)) == {
        debit(DEPOSITS, 500),
        credit(AVAILABLE, 500),
    }
    assert set(topped_up(CHANNEL, CNY, 700)) == {debit(FLOAT, 700), credit(DEPOSITS, 700)}


def test_currency_is_the_payouts() -> None:
    """A dollar payout is booked in dollars, every leg."""
    dollars = payout(amount=Money(5_000, Currency.USD))
    legs = booked(through(dollars, FIRST), confirmed(fee_minor=3))
    assert {leg.account.currency for leg in legs} == {Currency.USD}


# --- Laws ----------------------------------------------------------------------------------------


def possible() -> Iterator[tuple[Payout, Payout, Event]]:
    """Every event that some situation allows, with the payout before and after it."""
    for name in HISTORIES:
        before = situation(name)
        for number in range(1, len(before.attempts) + 1) or (1,):
            for event in every_event(number, len(before.attempts) + 1):
                with suppress(TransitionError):
                    yield before, apply(before, event, NOW), event


def test_every_posting_balances_and_is_whole() -> None:
    """Debits equal credits, legs are positive integers of minor units, no account occurs twice."""
    checked = 0
    for before, after, event in possible():
        legs = posting(before, after, event)
        assert total(legs, Side.DEBIT) == total(legs, Side.CREDIT)
        assert all(type(leg.amount_minor) is int and leg.amount_minor > 0 for leg in legs)
        assert len({leg.account for leg in legs}) == len(legs)
        checked += bool(legs)
    assert checked > 30


def total(legs: Posting, side: Side) -> int:
    """The sum of one side."""
    return sum(leg.amount_minor for leg in legs if leg.side is side)


def test_change_is_up_on_the_normal_side() -> None:
    """Assets and expenses grow by debits, liabilities and income by credits."""
    debits = {book for book in Book if debit(Account(book, "", CNY), 5).change_minor == 5}
    assert debits == {Book.FLOAT, Book.IN_TRANSIT, Book.CHANNEL_FEE, Book.SUSPENSE, Book.DEPOSITS}
    for book in Book:
        account = Account(book, "", CNY)
        assert debit(account, 5).change_minor == -credit(account, 5).change_minor
        assert book.is_debit_normal == (book in debits)


def test_unbalanced_legs_are_refused() -> None:
    """A posting that is off by a fen is a defect, not a rounding."""
    with pytest.raises(UnbalancedError, match="off by"):
        balanced([debit(FLOAT, 101), credit(IN_TRANSIT, 100)])


def test_currencies_do_not_balance_each_other() -> None:
    """A hundred dollars against a hundred yuan is no posting."""
    dollars = IN_TRANSIT._replace(currency=Currency.USD)
    with pytest.raises(UnbalancedError, match="off by"):
        balanced([debit(FLOAT, 100), credit(dollars, 100)])


def test_negative_legs_are_refused() -> None:
    """There are no signed pluses: a refund is a posting of its own."""
    with pytest.raises(UnbalancedError, match="negative leg on float:alipay-main:CNY"):
        moved(FLOAT, IN_TRANSIT, -1)


def test_nothing_is_booked_as_nothing() -> None:
    """Zero legs vanish."""
    assert moved(FLOAT, IN_TRANSIT, 0) == ()


def test_known_fee_beats_the_quote() -> None:
    """The quote stands in until the channel has said what it charged, be it nothing."""
    subject = FIRST.attempt
    assert charged_minor(subject) == 10
    assert charged_minor(replace(subject, fee_minor=0)) == 0


def test_accounts_have_names() -> None:
    """Reports and audits name book, owner and currency."""
    assert str(AVAILABLE) == "available:m_acme:CNY"
    assert str(DEPOSITS) == "deposits::CNY"
