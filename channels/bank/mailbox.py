"""Everything read so far from the bank's files, found again by our reference.

Pure. Each file is read once and only its facts are kept; the files stay where the bank keeps them,
so a mailbox that has grown too large simply forgets all and is filled anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from msgspec import Struct

from channels.bank.facts import BalanceFact, Entry, Status, Told
from channels.money import Money

FILES_MAX = 200_000


class Listed(Struct, frozen=True):
    """A file of the bank; another version under the same name is another file."""

    name: str
    version: str = ""


class Closing(Struct, frozen=True):
    """Where the last page of a statement was found, and what it closes with."""

    report_id: str
    on: date
    amount: Money


@dataclass(slots=True)
class Mailbox:
    """The facts about one account."""

    account: str
    _seen: set[Listed] = field(default_factory=set)
    _statuses: dict[str, list[Status]] = field(default_factory=dict)
    _entries: dict[str, list[Entry]] = field(default_factory=dict)
    _pages: dict[str, set[Listed]] = field(default_factory=dict)
    _closings: set[Closing] = field(default_factory=set)
    _balances: dict[tuple[str, str], BalanceFact] = field(default_factory=dict)

    def unseen(self, listed: Iterable[Listed]) -> list[Listed]:
        """Those of a listing that must be read."""
        if len(self._seen) > FILES_MAX:
            self._forget()
        return [one for one in listed if one not in self._seen]

    def take(self, listed: Listed, told: Told) -> None:
        """Remember what a file says."""
        self._seen.add(listed)
        for status in told.statuses:
            ours = status.original_message_id
            for key in {ours, status.end_to_end_id or ours}:
                self._statuses.setdefault(key, []).append(status)
        for report in told.reports:
            if report.account != self.account:
                continue
            for booked in report.booked:
                for entry in booked.entries:
                    named = entry.end_to_end_id or entry.original_message_id
                    if named is not None:
                        self._entries.setdefault(named, []).append(entry)
            if told.kind == "camt.053":
                self._pages.setdefault(report.report_id, set()).add(listed)
            for balance in report.balances:
                if told.kind == "camt.053" and balance.kind == "CLBD":
                    self._closings.add(Closing(report.report_id, balance.on, balance.amount))
                self._note(told.kind, balance)

    def statuses(self, reference: str) -> Sequence[Status]:
        """Every status that may be about this payment, in the order they were read."""
        return self._statuses.get(reference, ())

    def entries(self, reference: str) -> Sequence[Entry]:
        """Every booked, pending or announced entry that names this payment."""
        return self._entries.get(reference, ())

    def closings(self, on: date) -> list[Closing]:
        """The statements that close on a day: one, if all is well."""
        return sorted((one for one in self._closings if one.on == on), key=lambda c: c.report_id)

    def pages(self, report_id: str) -> list[Listed]:
        """The files in which pages of a statement were found."""
        return sorted(self._pages.get(report_id, ()), key=lambda one: one.name)

    def balance(self, kinds: Sequence[str], types: Sequence[str]) -> BalanceFact | None:
        """The newest balance of these messages; of equally new ones the first type."""
        found = [
            (one.at, -types.index(one.kind), one)
            for (kind, _), one in self._balances.items()
            if kind in kinds and one.kind in types
        ]
        return max(found, key=lambda each: each[:2])[2] if found else None

    def _note(self, kind: str, balance: BalanceFact) -> None:
        known = self._balances.get((kind, balance.kind))
        if known is None or known.at <= balance.at:
            self._balances[kind, balance.kind] = balance

    def _forget(self) -> None:
        for kept in (self._seen, self._statuses, self._entries, self._pages, self._closings):
            kept.clear()
