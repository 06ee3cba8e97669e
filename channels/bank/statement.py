"""The lines of a day's camt.053, if it proves its own completeness.

Pure. CLBD = OPBD + credits - debits over the booked entries of all pages; PRCD, where it stands,
equals OPBD and the day before's CLBD (wire-protocols.md §4.7). Nothing is yielded of a statement
that breaks any of it: a missing payout could hide in the difference.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from channels.bank.documents import DocumentError
from channels.bank.facts import BalanceFact, Booked, Entry, Report
from channels.bank.mailbox import Closing
from channels.bank.profile import BankProfile
from channels.contract import LineKind, StatementBrokenError, StatementLine
from channels.money import Currency, Money, MoneyError

BOOKED = "BOOK"
NOT_BOOKED = frozenset({"PDNG", "INFO", "FUTR"})
NO_REFERENCE = frozenset({None, "", "NOTPROVIDED"})


def lines(
    reports: Sequence[Report],
    day: date,
    currency: Currency,
    bank: BankProfile,
    before: Sequence[Closing],
) -> list[StatementLine]:
    """Every movement of the day, or StatementBrokenError.

    `reports` are all pages of the day's statement, `before` every earlier statement known.
    """
    try:
        pages = _in_order(reports)
        opening, closing = _balances(pages, day, before)
        if {opening.currency, closing.currency} != {currency}:
            raise StatementBrokenError("balances in another currency than the account's")
        made: list[StatementLine] = []
        at = opening
        for booked in (one for page in pages for one in page.booked):
            if booked.status in NOT_BOOKED:
                continue
            if booked.status != BOOKED or booked.amount.currency is not currency:
                raise StatementBrokenError("an entry of another status or currency")
            at = at + booked.amount if booked.credit else at - booked.amount
            made += _lines(booked, bank)
    except (DocumentError, MoneyError) as error:
        raise StatementBrokenError(str(error)) from error
    if at != closing:
        raise StatementBrokenError(
            f"{day}: the entries lead from {opening} to {at}, the statement closes with {closing}"
        )
    if len({line.line_ref for line in made}) != len(made):
        raise StatementBrokenError(f"{day}: one serial number stands twice")
    return made


def _in_order(reports: Sequence[Report]) -> list[Report]:
    """The pages 1 to the last one, each once."""
    by_page: dict[int, Report] = {}
    for report in reports:
        known = by_page.setdefault(report.page, report)
        if (known.balances, known.booked) != (report.balances, report.booked):
            raise StatementBrokenError("one page came twice, with different contents")
    pages = [by_page[number] for number in sorted(by_page)]
    if [page.page for page in pages] != list(range(1, len(pages) + 1)):
        raise StatementBrokenError("a page is missing")
    if [page.is_last_page for page in pages] != [False] * (len(pages) - 1) + [True]:
        raise StatementBrokenError("the last page is missing, or is not the last")
    for page in pages:
        if page.told_count is not None and page.told_count != len(page.booked):
            raise StatementBrokenError(
                f"page {page.page} has {len(page.booked)} entries and tells {page.told_count}"
            )
    return pages


def _balances(pages: Sequence[Report], day: date, before: Sequence[Closing]) -> tuple[Money, Money]:
    """Opening and closing, held to each other's neighbours."""
    opened, previous = pages[0].balance("OPBD"), pages[0].balance("PRCD")
    closed = pages[-1].balance("CLBD")
    opening: BalanceFact | None = opened or previous
    if opening is None or closed is None:
        raise StatementBrokenError(f"{day}: no opening or no closing balance")
    if closed.on != day:
        raise StatementBrokenError(f"the statement of {closed.on}, not of {day}")
    if opened is not None and previous is not None and opened.amount != previous.amount:
        raise StatementBrokenError(f"{day}: opens with another balance than was closed with before")
    if previous is not None:
        closings = {one.amount for one in before if one.on == previous.on}
        if closings - {previous.amount}:
            raise StatementBrokenError(
                f"{day}: {previous.on} closed with another balance than is told here"
            )
    return opening.amount, closed.amount


def _lines(booked: Booked, bank: BankProfile) -> Iterator[StatementLine]:
    total = sum(entry.amount.minor for entry in booked.entries)
    rest = booked.amount.minor - total
    if rest and (len(booked.entries) != 1 or booked.credit or rest < 0):
        raise StatementBrokenError("a booking whose parts do not add up")
    for entry in booked.entries:
        yield _line(entry, entry.amount, _kind(entry, bank), entry.entry_ref)
    if rest:
        # Booked in one sum with the payment: the charges.
        entry = booked.entries[0]
        charges = Money(rest, booked.amount.currency)
        yield _line(entry, charges, LineKind.FEE, f"{entry.entry_ref}-charges")


def _line(entry: Entry, amount: Money, kind: LineKind, line_ref: str) -> StatementLine:
    named = entry.end_to_end_id
    return StatementLine(
        kind=kind,
        amount=amount,
        credit=entry.credit,
        booked_at=entry.booked_at,
        reference=entry.original_message_id if named in NO_REFERENCE else named,
        channel_ref=entry.service_ref,
        line_ref=line_ref,
        memo=entry.memo,
    )


def _kind(entry: Entry, bank: BankProfile) -> LineKind:
    if entry.brings_back:
        return LineKind.RETURN
    if entry.bank_code in bank.fee_codes:
        return LineKind.FEE
    named = {entry.end_to_end_id, entry.original_message_id} - NO_REFERENCE
    return LineKind.PAYOUT if named and not entry.credit else LineKind.OTHER
