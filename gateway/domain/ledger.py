"""Double entry: the accounts, and one function from an event to balanced entries.

An entry debits or credits, in positive minor units; there are no signed pluses. The entries of a
posting balance per currency by construction and are checked again here.

Worked example, 100.00 CNY, our fee 0.30, channel fee quoted 0.10 and charged 0.08:

    accepted   Dr merchant available 100.30   Cr merchant held     100.30
    armed      Dr in transit         100.10   Cr float             100.10
    paid       Dr merchant held      100.30   Cr in transit        100.00, fee income 0.30
               Dr channel fee          0.08   Dr float 0.02        Cr in transit 0.10
    returned   Dr float              100.00   Cr merchant available 100.00

Where it was agreed that a return (退票) gives the fee back: also Dr fee income 0.30, Cr available.
A fee that is deducted is booked alike: of 100.00 asked for, 99.70 is the amount and 0.30 the fee.

A dead attempt that was paid after all: Dr suspense 100.00, channel fee 0.08, Cr float 100.08.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, assert_never

from channels.money import Currency
from gateway.domain.payout import (
    Accepted,
    Adopted,
    Armed,
    Attempt,
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
    MerchantId,
    Parked,
    Payout,
    Pended,
    Released,
    Resent,
    Settled,
    Unparked,
)


class Book(StrEnum):
    """Kinds of account. The owner is a merchant id or a channel name, or empty."""

    AVAILABLE = "available"
    """Liability to a merchant: what it may spend."""
    HELD = "held"
    """Liability to a merchant: promised to payouts under way."""
    FLOAT = "float"
    """Asset: what lies at the institution, free to be used."""
    IN_TRANSIT = "in_transit"
    """Asset: given to a channel in an armed attempt, outcome not proven."""
    FEE_INCOME = "fee_income"
    """Income: what merchants pay us."""
    CHANNEL_FEE = "channel_fee"
    """Expense: what institutions charge us."""
    SUSPENSE = "suspense"
    """Asset: money that moved against a proven fact, until people clear it."""
    DEPOSITS = "deposits"
    """The outside world: merchants' funding and float top-ups come from and go to it."""

    @property
    def is_debit_normal(self) -> bool:
        """Whether a debit increases the balance."""
        return self in _DEBIT_NORMAL


_DEBIT_NORMAL = frozenset(
    {Book.FLOAT, Book.IN_TRANSIT, Book.CHANNEL_FEE, Book.SUSPENSE, Book.DEPOSITS}
)


class Side(StrEnum):
    """Debit or credit."""

    DEBIT = "debit"
    CREDIT = "credit"


# To look a member up in its enumeration takes as long as to make half an entry.
DEBIT, CREDIT = Side.DEBIT, Side.CREDIT
FLOAT, IN_TRANSIT = Book.FLOAT, Book.IN_TRANSIT
_GROWING = frozenset(
    (side, book) for book in Book for side in Side if (side is DEBIT) == book.is_debit_normal
)
"""On which side each book's balance goes up."""


class Account(NamedTuple):
    """One account in one currency."""

    book: Book
    owner: str
    currency: Currency

    def __str__(self) -> str:
        """Name it as in reports: `available:m_1:CNY`."""
        return f"{self.book}:{self.owner}:{self.currency}"


class Entry(NamedTuple):
    """One leg of a posting; `amount_minor` is positive."""

    account: Account
    side: Side
    amount_minor: int

    @property
    def change_minor(self) -> int:
        """By how much the account's own balance moves: up on its normal side."""
        account, side, minor = self
        return minor if (side, account.book) in _GROWING else -minor


Posting = tuple[Entry, ...]


class UnbalancedError(Exception):
    """A defect: debits and credits of a posting differ."""


def balanced(entries: Iterable[Entry]) -> Posting:
    """Drop zero legs and insist that the rest balances per currency."""
    posting = tuple([entry for entry in entries if entry.amount_minor])
    sums: dict[Currency, int] = {}
    for account, side, minor in posting:
        if minor < 0:
            raise UnbalancedError(f"negative leg on {account}")
        currency = account.currency
        sums[currency] = sums.get(currency, 0) + (minor if side is DEBIT else -minor)
    if any(sums.values()):
        raise UnbalancedError(f"posting off by {dict(sums)}")
    return posting


def moved(debit: Account, credit: Account, amount_minor: int) -> Posting:
    """Two legs: debit one account, credit the other."""
    legs = (Entry(debit, DEBIT, amount_minor), Entry(credit, CREDIT, amount_minor))
    if amount_minor > 0 and debit.currency is credit.currency:
        # One positive amount on both sides: there is nothing to drop and nothing to add up.
        return legs
    return balanced(legs)


def posting(before: Payout | None, after: Payout, event: Event) -> Posting:
    """What an event books. `before` is None only for `Accepted`.

    Every hold is taken once at acceptance and given back or spent once; every float reservation is
    taken once when an attempt is armed and given back or spent once when its fate is proven.
    """
    currency = after.amount.currency
    available = Account(Book.AVAILABLE, after.merchant_id, currency)
    held = Account(Book.HELD, after.merchant_id, currency)
    match event:
        case Accepted():
            return moved(available, held, after.hold_minor)
        case Armed(attempt=attempt) | Adopted(attempt=attempt):
            return moved(
                _in_transit(attempt, currency), _float(attempt, currency), _reserved(after, attempt)
            )
        case Confirmed(number=number):
            return _paid(after, after.attempts[number - 1], held)
        case Cancelled() | Failed():
            return moved(held, available, after.hold_minor)
        case Died(number=number):
            attempt = after.attempts[number - 1]
            return moved(
                _float(attempt, currency), _in_transit(attempt, currency), _reserved(after, attempt)
            )
        case CameBack(number=number, amount_minor=amount):
            return _came_back(after, after.attempts[number - 1], available, amount)
        case Settled(number=number) | FeeCorrected(number=number):
            return _fee_corrected(before, after, number)
        case Contradicted(number=number, amount_minor=amount):
            attempt = after.attempts[number - 1]
            suspense = Account(Book.SUSPENSE, attempt.channel, currency)
            if amount < 0:
                return moved(_float(attempt, currency), suspense, -amount)
            return _paid_late(attempt, suspense, amount)
        case Held() | Released() | Resent() | Pended() | Doubted() | Parked() | Unparked():
            return ()
        case _:
            assert_never(event)


def funded(merchant: MerchantId, currency: Currency, amount_minor: int) -> Posting:
    """A merchant's deposit reached us."""
    return moved(
        Account(Book.DEPOSITS, "", currency),
        Account(Book.AVAILABLE, merchant, currency),
        amount_minor,
    )


def topped_up(channel: str, currency: Currency, amount_minor: int) -> Posting:
    """The operator's own money was put on the account at the institution."""
    return moved(
        Account(FLOAT, channel, currency), Account(Book.DEPOSITS, "", currency), amount_minor
    )


def charged_minor(attempt: Attempt) -> int:
    """The channel fee as far as known: what it charged, else what it quoted."""
    return attempt.quoted_fee_minor if attempt.fee_minor is None else attempt.fee_minor


def _float(attempt: Attempt, currency: Currency) -> Account:
    return Account(FLOAT, attempt.channel, currency)


def _in_transit(attempt: Attempt, currency: Currency) -> Account:
    return Account(IN_TRANSIT, attempt.channel, currency)


def _reserved(payout: Payout, attempt: Attempt) -> int:
    return payout.amount.minor + attempt.quoted_fee_minor


def _paid(payout: Payout, attempt: Attempt, held: Account) -> Posting:
    currency = payout.amount.currency
    charged = charged_minor(attempt)
    spare = attempt.quoted_fee_minor - charged
    return balanced(
        (
            Entry(held, DEBIT, payout.hold_minor),
            Entry(Account(Book.FEE_INCOME, "", currency), CREDIT, payout.fee.minor),
            Entry(Account(Book.CHANNEL_FEE, attempt.channel, currency), DEBIT, charged),
            Entry(_float(attempt, currency), DEBIT if spare > 0 else CREDIT, abs(spare)),
            Entry(_in_transit(attempt, currency), CREDIT, _reserved(payout, attempt)),
        )
    )


def _came_back(payout: Payout, attempt: Attempt, available: Account, amount_minor: int) -> Posting:
    """The money, and our fee with it where that was agreed and all of the money is back."""
    currency = payout.amount.currency
    refunded = payout.fee.minor if fee_refunded(payout, amount_minor) else 0
    return balanced(
        (
            Entry(_float(attempt, currency), DEBIT, amount_minor),
            Entry(Account(Book.FEE_INCOME, "", currency), DEBIT, refunded),
            Entry(available, CREDIT, amount_minor + refunded),
        )
    )


def fee_refunded(payout: Payout, returned_minor: int) -> bool:
    """Whether the merchant gets its fee back for money that came back (退票)."""
    charge = payout.charge
    return (
        charge is not None
        and charge.terms.on_return == "refunded"
        and returned_minor == payout.amount.minor
    )


def _paid_late(attempt: Attempt, suspense: Account, amount_minor: int) -> Posting:
    """Money of a dead attempt left the float after all, and its fee with it."""
    currency = suspense.currency
    fee = charged_minor(attempt) if amount_minor else 0
    return balanced(
        (
            Entry(suspense, DEBIT, amount_minor),
            Entry(Account(Book.CHANNEL_FEE, attempt.channel, currency), DEBIT, fee),
            Entry(_float(attempt, currency), CREDIT, amount_minor + fee),
        )
    )


def _fee_corrected(before: Payout | None, after: Payout, number: int) -> Posting:
    """The statement knows the fee better than the reply did: book only the difference."""
    attempt = after.attempts[number - 1]
    known = charged_minor(before.attempts[number - 1]) if before else charged_minor(attempt)
    more = charged_minor(attempt) - known
    currency = after.amount.currency
    expense = Account(Book.CHANNEL_FEE, attempt.channel, currency)
    if more >= 0:
        return moved(expense, _float(attempt, currency), more)
    return moved(_float(attempt, currency), expense, -more)
