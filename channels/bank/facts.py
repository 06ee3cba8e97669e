"""What a bank's files say, as small facts: statuses of pain.002, and reports with entries of camt.

Pure values; `reading.py` makes them of messages.
"""

from dataclasses import dataclass, field
from datetime import date, datetime

from channels.bank.documents import DocumentError
from channels.money import Money


@dataclass(frozen=True, slots=True)
class Status:
    """One status of one payment, or of all in a file (`end_to_end_id` None)."""

    message_id: str
    created_at: datetime
    original_message_id: str
    end_to_end_id: str | None
    code: str
    reasons: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    amount: Money | None = None
    """As echoed; one that cannot be read is negative and equals no other."""
    payee_account: str | None = field(default=None, repr=False)
    service_ref: str | None = None
    """The bank's own number of the payment."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One payment in one booking on an account."""

    account: str = field(repr=False)
    created_at: datetime
    """When the message was made that tells it."""
    amount: Money
    """Of this payment, which in a batch is a part of the booking."""
    credit: bool
    status: str
    """BOOK, PDNG, INFO, FUTR."""
    booked_at: datetime
    end_to_end_id: str | None
    original_message_id: str | None
    service_ref: str | None
    entry_ref: str
    brings_back: bool
    """RtrInf, a reversal, or a sub-family of returns: a payment comes back."""
    payee_account: str | None = field(default=None, repr=False)
    bank_code: str = ""
    memo: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Booked:
    """One line on the account: what the balance moved by, and the payments in it."""

    amount: Money
    credit: bool
    status: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class BalanceFact:
    """One balance of a report; negative when the account is overdrawn."""

    kind: str
    amount: Money
    on: date
    at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """One camt report, statement or notification about one account."""

    kind: str
    message_id: str
    created_at: datetime
    report_id: str
    account: str = field(repr=False)
    page: int
    is_last_page: bool
    balances: tuple[BalanceFact, ...]
    booked: tuple[Booked, ...]
    told_count: int | None
    """TxsSummry/TtlNtries/NbOfNtries."""

    def balance(self, kind: str) -> BalanceFact | None:
        """The only balance of this type; None if there is none. DocumentError for two."""
        found = [one for one in self.balances if one.kind == kind]
        if len(found) > 1:
            raise DocumentError(f"two balances {kind}")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Told:
    """Everything one file says."""

    kind: str
    statuses: tuple[Status, ...] = ()
    reports: tuple[Report, ...] = ()
