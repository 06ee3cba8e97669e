"""The account's own files: camt.053 for each day, the next morning, and camt.052 in between.

Source: wire-protocols.md §4.7. Both are made when the customer next asks for its files: a statement
for every day since the bank began, also for one without movements; an intraday report whenever the
balance has moved since the last. A statement once made stays as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from simulators.actions import Stage
from simulators.bank.messages import BalanceWord, Line, account_report
from simulators.bank.outbox import Outbox
from simulators.bank.settings import Account, Settings
from simulators.bank.words import line_of, owner_of
from simulators.books import Books
from simulators.clock import BEIJING
from simulators.faults import Faults, Hits

_DAY = timedelta(days=1)


@dataclass(slots=True)
class Statements:
    """The statements of every account of one bank."""

    settings: Settings
    books: Books
    faults: Faults
    outbox: Outbox
    _next: dict[str, date] = field(default_factory=dict)
    """Account → the day whose statement comes next."""
    _numbers: dict[str, int] = field(default_factory=dict)
    _delays: dict[tuple[str, date], Hits] = field(default_factory=dict)
    _reported: dict[str, int] = field(default_factory=dict)

    def begin(self, now: datetime) -> None:
        """Remember the first day there was."""
        today = now.astimezone(BEIJING).date()
        for account in self.settings.accounts:
            self._next.setdefault(account.account, today)

    def make(self, account: Account, now: datetime) -> None:
        """Lay out every file that is due."""
        self.begin(now)
        while self._next[account.account] < now.astimezone(BEIJING).date():
            day = self._next[account.account]
            hits = self._hits(account, day, now)
            ready_at = datetime.combine(
                day + _DAY, time(self.settings.statement_from_hour), BEIJING
            )
            if late := hits.get("statement_late"):
                ready_at += late.duration("after")
            if now < ready_at:
                break
            self._statement(account, day, hits, ready_at, now)
            self._next[account.account] = day + _DAY
        self._intraday(account, now)

    def _hits(self, account: Account, day: date, now: datetime) -> Hits:
        key = (account.account, day)
        if key not in self._delays:
            self._delays[key] = self.faults.pick(
                Stage.STATEMENT,
                op="statement",
                account=account.account,
                reference=day.isoformat(),
                now=now,
            )
        return self._delays[key]

    def _statement(
        self, account: Account, day: date, hits: Hits, at: datetime, now: datetime
    ) -> None:
        number = self._numbers[account.account] = self._numbers.get(account.account, 0) + 1
        lines = self._lines(account, day, now)
        if extra := hits.get("statement_extra_line"):
            lines.append(_extra(extra.text("reference"), extra.whole("amount_fen"), day))
        opening = self._balance_after(account, day - _DAY)
        closing = self._balance_after(account, day)
        if self.settings.statement_balances == "lines":
            closing = opening + sum(o.amount_minor if o.credit else -o.amount_minor for o in lines)
        balances = [
            BalanceWord("PRCD", opening, day - _DAY),
            BalanceWord("OPBD", opening, day),
            BalanceWord("CLBD", closing, day),
            BalanceWord("CLAV", closing, day),
        ]
        message_id = self.outbox.number("camt.053", at)
        body = account_report(
            "camt.053", message_id, at, owner_of(account), balances, lines, number=number
        )
        self.outbox.put(account.account, "camt.053", message_id, body, at)

    def _intraday(self, account: Account, now: datetime) -> None:
        available = self.books.available_minor(account.account)
        if self._reported.get(account.account) == available:
            return
        self._reported[account.account] = available
        today = now.astimezone(BEIJING).date()
        balances = [
            BalanceWord("ITAV", available, today, now),
            BalanceWord("ITBD", self.books.balance_minor(account.account), today, now),
        ]
        message_id = self.outbox.number("camt.052", now)
        body = account_report("camt.052", message_id, now, owner_of(account), balances, ())
        self.outbox.put(account.account, "camt.052", message_id, body, now)

    def _balance_after(self, account: Account, day: date) -> int:
        """What the account held at the end of a day: the opening balance and all until then."""
        moved = sum(
            -movement.amount_minor if movement.is_outgoing else movement.amount_minor
            for movement in self.books.truth
            if movement.account == account.account and movement.at.astimezone(BEIJING).date() <= day
        )
        return account.balance_fen + moved

    def _lines(self, account: Account, day: date, now: datetime) -> list[Line]:
        lines: list[Line] = []
        for movement in self.books.truth:
            if movement.account != account.account:
                continue
            if movement.at.astimezone(BEIJING).date() != day:
                continue
            hits = self.faults.pick(
                Stage.LINE,
                op="statement",
                account=account.account,
                payee=movement.payee,
                reference=movement.reference,
                amount_minor=movement.amount_minor,
                now=now,
            )
            if "statement_missing_line" in hits:
                continue
            line = line_of(movement)
            if wrong := hits.get("statement_wrong_amount"):
                line = replace(line, amount_minor=line.amount_minor + wrong.whole("delta_fen"))
            lines += [line] * (2 if "statement_duplicate_line" in hits else 1)
        return lines


def _extra(reference: str, amount_minor: int, on: date) -> Line:
    number = int.from_bytes(hashlib.blake2b(reference.encode(), digest_size=4).digest())
    return Line(
        entry_ref=f"X{number:012d}",
        amount_minor=amount_minor,
        credit=False,
        booked_at=datetime.combine(on, time(12), BEIJING),
        family="ICDT",
        sub_family="DMCT",
        end_to_end_id=reference,
    )
