"""Write the recordings under tests/wire/bank: run `python -m tests.channels.bank.record`.

Each file shows one message as it stands on the wire, written by hand from the standard's shapes
(wire-protocols.md §4), and what the adapter makes of it. A change of any byte or meaning is a
change of a file, to be read as a diff.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lxml import etree

from channels.bank import statement as statements
from channels.bank import wire
from channels.bank.reading import told
from channels.bank.verdict import judge, read_receipt
from channels.contract import BankCard, ChannelError, Instrument
from channels.money import Currency
from tests.channels.bank.house import CARD, CORPORATE, NOW, WIRE, inquiry, instruction, settings
from tests.channels.bank.letters import Booking, balance, camt, part, report, statement, status, why

SETTINGS = settings()
BANK = SETTINGS.bank
LATER = NOW.replace(day=9)


@dataclass(frozen=True)
class Case:
    """One message and what it is read as."""

    about: str
    message: bytes
    read_as: str
    """file, verdict, receipt or statement."""

    def meaning(self) -> str:
        """What the adapter makes of it."""
        if self.read_as == "file":
            return "what is sent"
        said = told(self.message, BANK)
        if self.read_as == "receipt":
            return repr(read_receipt(inquiry(), said.statuses, BANK))
        if self.read_as == "statement":
            try:
                read = statements.lines(said.reports, date(2026, 11, 2), Currency.CNY, BANK, ())
            except ChannelError as error:
                return repr(error)
            return "\n".join(map(repr, read)) or "no lines"
        entries = [e for one in said.reports for booked in one.booked for e in booked.entries]
        return repr(judge(inquiry(), said.statuses, entries, (), BANK, LATER))

    def text(self) -> str:
        """The whole file; the message is indented, which changes nothing of what it means."""
        root = etree.fromstring(self.message)
        etree.indent(root)
        shown = etree.tostring(root, encoding="unicode")
        return f"# {self.about}\n\n=== message\n{shown}\n\n=== meaning\n{self.meaning()}\n"


def sent(about: str, instrument: Instrument) -> Case:
    """A file of ours."""
    return Case(about, wire.transfer(instruction(instrument), SETTINGS, NOW), "file")


def answered(about: str, message: bytes) -> Case:
    """What becomes of a payout by this message alone."""
    return Case(about, message, "verdict")


BOOKED = balance("OPBD", "1000.00") + balance("CLBD", "876.05")
FEE = Booking("0.50", ref="E2", family="CHRG")
CASES: Mapping[str, Case] = {
    "pain001-card": sent("A personal card; the bank is looked up by its short code.", CARD),
    "pain001-account": sent("A corporate account with its line number.", CORPORATE),
    "pain001-unknown-bank": sent(
        "A card of a bank without line number in the profile.",
        BankCard(CARD.number, CARD.name, None, "某某农村信用社"),
    ),
    "pain002-received": answered("Received, and no more.", report(group="RCVD")),
    "pain002-accepted": answered("Under way.", report(status("ACSP", amount="123.45"))),
    "pain002-settled": answered(
        "Settled, which this bank's profile calls paid.",
        report(status("ACSC", amount="123.45", payee=CARD.number, service_ref="B2026110200001")),
    ),
    "pain002-rolled": answered(
        "Accepted with another date: after the cut-off.", report(status("ACWC", "DT06"))
    ),
    "pain002-refused": answered(
        "The account is closed: class (a).", report(status("RJCT", "AC04", text="账户已销户"))
    ),
    "pain002-refused-group": answered(
        "The whole file is refused; the payment inherits it.",
        report(group="RJCT", group_why=why("AM04")),
    ),
    "pain002-duplicate": answered(
        "The bank has it already: the opposite of a failure.",
        report(group="RJCT", group_why=why("DU01")),
    ),
    "pain002-aborted": answered(
        "Broken off in clearing: class (b).", report(status("RJCT", "AB06"))
    ),
    "pain002-unknown-reason": answered(
        "A reason that no table knows.", report(status("RJCT", "HOUSE-RULE-7"))
    ),
    "pain002-unknown-status": answered("A status that no table knows.", report(status("ZZZZ"))),
    "pain002-contradiction": answered(
        "The group is refused and the payment accepted.", report(status("ACSP"), group="RJCT")
    ),
    "pain002-wrong-amount": answered(
        "It speaks of another amount.", report(status("ACSC", amount="123.46"))
    ),
    "pain002-version-03": answered(
        "An older version of the message.", report(status("ACSP"), name="pain.002.001.03")
    ),
    "pain002-answer-refused": Case(
        "In answer to the upload: short of money, to be confirmed.",
        report(status("RJCT", "AM04")),
        "receipt",
    ),
    "camt054-debit": answered("A booked debit: money has left.", camt("camt.054", Booking())),
    "camt054-return": answered(
        "A credit with RtrInf: it came back.",
        camt("camt.054", Booking(direction="CRDT", back_for="AC04", ref="E3", on="2026-11-04")),
    ),
    "camt053-day": Case(
        "A day: a payout and its fee. Opening, entries and closing add up.",
        camt("camt.053", Booking(), FEE, balances=BOOKED, count=2),
        "statement",
    ),
    "camt053-batch": Case(
        "One booking of two payments.",
        statement(
            Booking("123.95", inner=part("P7K2M9X4Q1A1", "123.45") + part("P8", "0.50")),
            closing="876.05",
        ),
        "statement",
    ),
    "camt053-broken": Case(
        "The fee is missing: nothing of it is used.",
        camt("camt.053", Booking(), balances=BOOKED),
        "statement",
    ),
}


def path(name: str) -> Path:
    """Where the recording of this name is."""
    return WIRE / f"{name}.txt"


def main() -> None:
    """Write every file."""
    for name, case in CASES.items():
        path(name).write_text(case.text(), encoding="utf-8")
    sys.stdout.write(f"{len(CASES)} recordings\n")


if __name__ == "__main__":
    main()
