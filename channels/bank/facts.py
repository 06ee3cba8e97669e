"""What a bank's files say, as small facts: statuses of pain.002, and reports with entries of camt.

Pure values; `reading.py` makes them of messages.
"""

from datetime import date, datetime

from msgspec import Struct

from channels.bank.documents import DocumentError
from channels.money import Money
from channels.unprinted import Unprinted


class Status(Unprinted, frozen=True):
    """One status of one payment, or of all in a file (`end_to_end_id` None)."""

    hidden = frozenset({"text", "payee_account"})

    message_id: str
    created_at: datetime
    original_message_id: str
    end_to_end_id: str | None
    code: str
    reasons: tuple[str, ...] = ()
    text: str = ""
    amount: Money | None = None
    """As echoed; one that cannot be read is negative and equals no other."""
    payee_account: str | None = None
    service_ref: str | None = None
    """The bank's own number of the payment."""


class Entry(Unprinted, frozen=True):
    """One payment in one booking on an account."""

    hidden = frozenset({"account", "payee_account", "memo"})

    account: str
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
    payee_account: str | None = None
    bank_code: str = ""
    memo: str = ""


class Booked(Struct, frozen=True):
    """One line on the account: what the balance moved by, and the payments in it."""

    amount: Money
    credit: bool
    status: str
    entries: tuple[Entry, ...]


class BalanceFact(Struct, frozen=True):
    """One balance of a report; negative when the account is overdrawn."""

    kind: str
    amount: Money
    on: date
    at: datetime


class Report(Unprinted, frozen=True):
    """One camt report, statement or notification about one account."""

    hidden = frozenset({"account"})

    kind: str
    message_id: str
    created_at: datetime
    report_id: str
    account: str
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


class Told(Struct, frozen=True):
    """Everything one file says."""

    kind: str
    statuses: tuple[Status, ...] = ()
    reports: tuple[Report, ...] = ()
