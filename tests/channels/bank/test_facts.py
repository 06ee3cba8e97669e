"""Reading pain.002 and camt: inheritance, versions, amounts, and what a file does not say."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from channels.bank.documents import DocumentError
from channels.bank.facts import Status
from channels.bank.reading import minor, told
from channels.money import Currency, Money
from tests.channels.bank.house import ACCOUNT, REFERENCE, settings
from tests.channels.bank.letters import Booking, balance, camt, part, report, status, why

BANK = settings().bank


def only(raw: bytes) -> Status:
    """The one status of a message."""
    (found,) = told(raw, BANK).statuses
    return found


def test_a_transaction_says_its_status_with_everything_echoed() -> None:
    """Code, reasons, text, amount, payee and the bank's own number."""
    raw = report(
        status("RJCT", "AC04", "NARR", amount="123.45", payee="6222", service_ref="B1", text="销户")
    )
    found = only(raw)
    assert (found.code, found.reasons, found.service_ref) == ("RJCT", ("AC04", "NARR"), "B1")
    assert found.amount == Money(12_345, Currency.CNY)
    assert (found.payee_account, found.end_to_end_id) == ("6222", REFERENCE)
    assert found.created_at == datetime(2026, 11, 2, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("group", "block", "own", "code"),
    [
        ("ACTC", None, None, "ACTC"),
        ("ACTC", "ACSP", None, "ACSP"),
        ("ACTC", "ACSP", "ACSC", "ACSC"),
        ("PART", None, "RJCT", "RJCT"),
        ("ACCP", None, "RJCT", "RJCT"),
        ("RJCT", None, None, "RJCT"),
        ("RJCT", None, "RJCT", "RJCT"),
        ("RJCT", None, "ACSP", "RJCT/ACSP"),
        (None, "RJCT", "ACSC", "RJCT/ACSC"),
        ("ACSC", None, "RJCT", "ACSC/RJCT"),
        (None, None, None, ""),
    ],
)
def test_a_status_is_handed_down(
    group: str | None, block: str | None, own: str | None, code: str
) -> None:
    """The innermost one counts; a contradiction makes a code that no table knows."""
    assert only(report(status(own), group=group, block=block)).code == code


def test_reasons_are_handed_down_with_their_status() -> None:
    """A group's RJCT explains the transaction that inherits it."""
    found = only(report(status(None), group="RJCT", group_why=why("DU01")))
    assert found.reasons == ("DU01",)
    assert only(report(group="RJCT", group_why=why("FF01"))).end_to_end_id is None


@pytest.mark.parametrize("name", ["pain.002.001.12", "pain.002.001.10", "pain.002.001.03"])
def test_older_versions_are_read_alike(name: str) -> None:
    """Their names for what we read are the same."""
    assert only(report(status("ACSP"), name=name)).code == "ACSP"


def test_a_version_the_profile_does_not_name_is_not_read() -> None:
    """What was not agreed may mean something else."""
    with pytest.raises(DocumentError, match=r"pain\.002\.001\.14"):
        told(report(status("ACSP"), name="pain.002.001.14"), BANK)


def test_an_unknown_status_parses() -> None:
    """§4.5: from version 12 on a status is any word of four letters."""
    assert only(report(status("ZZZZ"))).code == "ZZZZ"


def test_another_kind_of_message_says_nothing() -> None:
    """A camt.029 is none of our affair, and no error."""
    raw = b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.029.001.09"><A/></Document>'
    assert told(raw, BANK).statuses == ()


def test_a_time_without_zone_is_the_banks() -> None:
    """Ten in Beijing."""
    found = only(report(status("ACSP"), at="2026-11-02T10:00:00"))
    assert found.created_at == datetime(2026, 11, 2, 2, 0, tzinfo=UTC)


def test_an_amount_that_cannot_be_read_equals_no_other() -> None:
    """It must not pass for one that was not echoed."""
    found = only(report(status("ACSP", amount="123.456")))
    assert found.amount is not None
    assert found.amount.minor < 0


@pytest.mark.parametrize("kind", ["camt.052", "camt.053", "camt.054"])
def test_entries_read_alike_in_all_three_messages(kind: str) -> None:
    """Account, amount, direction, status, day and references."""
    (found,) = told(camt(kind, Booking(payee="6222")), BANK).reports
    ((entry,),) = (booked.entries for booked in found.booked)
    assert (found.account, entry.account) == (ACCOUNT, ACCOUNT)
    assert (entry.amount, entry.credit, entry.status) == (
        Money(12_345, Currency.CNY),
        False,
        "BOOK",
    )
    assert (entry.end_to_end_id, entry.service_ref, entry.entry_ref) == (REFERENCE, "E1", "E1")
    assert entry.booked_at == datetime(2026, 11, 1, 16, 0, tzinfo=UTC)
    assert (entry.payee_account, entry.brings_back) == ("6222", False)


def test_a_return_is_known_by_its_reason_its_reversal_or_its_family() -> None:
    """A credit with RtrInf or of a sub-family of returns; a debit never is one."""
    bookings = [
        Booking(direction="CRDT", back_for="AC04", ref="E1"),
        Booking(direction="CRDT", family="RRTN", ref="E2"),
        Booking(direction="CRDT", ref="E3"),
        Booking(family="RRTN", ref="E4"),
    ]
    (found,) = told(camt("camt.054", *bookings), BANK).reports
    assert [one.entries[0].brings_back for one in found.booked] == [True, True, False, False]


def test_a_batch_is_taken_apart() -> None:
    """Each part with its own reference, amount and number."""
    batch = Booking(amount="30.00", inner=part("A", "10.00") + part("B", "20.00"))
    (found,) = told(camt("camt.053", batch), BANK).reports
    first, second = found.booked[0].entries
    assert (first.end_to_end_id, first.amount.minor, first.entry_ref) == ("A", 1_000, "E1-1")
    assert (second.end_to_end_id, second.amount.minor, second.entry_ref) == ("B", 2_000, "E1-2")


def test_a_batch_without_details_names_our_file() -> None:
    """BtchBookg made one line of it: the file's number stands for its only payment."""
    inner = f"<Btch><MsgId>{REFERENCE}</MsgId></Btch>"
    (found,) = told(camt("camt.053", Booking(inner=inner)), BANK).reports
    (entry,) = found.booked[0].entries
    assert (entry.end_to_end_id, entry.original_message_id) == (None, REFERENCE)


def test_balances_have_a_sign_and_a_day() -> None:
    """An overdrawn account is below zero."""
    raw = camt("camt.052", balances=balance("ITAV", "12.30", direction="DBIT"))
    (found,) = told(raw, BANK).reports
    told_balance = found.balance("ITAV")
    assert told_balance is not None
    assert (told_balance.amount.minor, told_balance.on) == (-1_230, date(2026, 11, 2))
    assert found.balance("CLBD") is None


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [("12.3", "CNY", 1_230), ("12.30000", "CNY", 1_230), ("7", "JPY", 7), ("0", "CNY", 0)],
)
def test_decimals_become_minor_units_exactly(text: str, code: str, expected: int) -> None:
    """Spare zeros are no decimals."""
    assert minor(Decimal(text), code).minor == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("12.345", "CNY"),
        ("0.5", "JPY"),
        ("-1", "CNY"),
        ("NaN", "CNY"),
        ("1", "ZZZ"),
        ("1E30", "CNY"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, code: str) -> None:
    """Nothing is rounded, and no currency guessed."""
    with pytest.raises(DocumentError):
        minor(Decimal(text), code)
