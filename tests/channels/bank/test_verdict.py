"""What became of a payout, judged from statuses and bookings: the rules, one by one."""

from datetime import UTC, datetime, timedelta

import pytest

from channels.bank.facts import Entry, Status
from channels.bank.profile import BankProfile
from channels.bank.reading import told
from channels.bank.verdict import judge, read_receipt
from channels.contract import (
    Absent,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from tests.channels.bank.house import CARD, REFERENCE, inquiry, settings
from tests.channels.bank.letters import Booking, camt, report, status, why

NOW = datetime(2026, 11, 9, 2, 0, tzinfo=UTC)
"""A week later: every booking has had its time."""
BANK = settings().bank
STRICT = BANK.model_copy(update={"paid": "ACCC"})


def at(minute: int) -> str:
    """A moment of the first morning."""
    return f"2026-11-02T10:{minute:02d}:00+08:00"


def statuses(*raws: bytes) -> list[Status]:
    """Everything these messages say."""
    return [one for raw in raws for one in told(raw, BANK).statuses]


def entries(*bookings: Booking) -> list[Entry]:
    """Everything these bookings say."""
    reports = told(camt("camt.054", *bookings), BANK).reports
    return [entry for one in reports for booked in one.booked for entry in booked.entries]


def verdict(
    *raws: bytes,
    booked: tuple[Booking, ...] = (),
    bank: BankProfile = BANK,
    unreadable: tuple[str, ...] = (),
    now: datetime = NOW,
) -> Outcome | Absent:
    """Judge the usual payout by these messages."""
    return judge(inquiry(), statuses(*raws), entries(*booked), unreadable, bank, now)


def said(code: str, *reasons: str, minute: int = 0, **echoes: str) -> bytes:
    """A pain.002 about our payment."""
    return report(status(code, *reasons, **echoes), at=at(minute), message_id=f"M{minute:02d}")


DEBIT = Booking()
BACK = Booking(direction="CRDT", back_for="AC04", ref="E2", on="2026-11-04")


@pytest.mark.parametrize(
    "code",
    [
        "RCVD",
        "ACTC",
        "ACCP",
        "ACFC",
        "ACFW",
        "PATC",
        "ACSP",
        "ACWC",
        "ACPD",
        "ACWP",
        "BLCK",
        "PDNG",
    ],
)
def test_what_is_under_way_is_pending(code: str) -> None:
    """The bank's own word is kept as the stage."""
    outcome = verdict(said(code))
    assert isinstance(outcome, Pending)
    assert outcome.stage == code


@pytest.mark.parametrize(
    ("code", "bank", "expected"),
    [("ACSC", BANK, Paid), ("ACSC", STRICT, Pending), ("ACCC", BANK, Paid), ("ACCC", STRICT, Paid)],
)
def test_the_profile_says_which_status_is_paid(
    code: str, bank: BankProfile, expected: type
) -> None:
    """Debited is not credited, unless the bank defines it so."""
    assert isinstance(verdict(said(code), bank=bank), expected)


def test_paid_names_the_banks_number_and_time() -> None:
    """Of the message that said so."""
    outcome = verdict(said("ACSC", service_ref="B77", minute=5))
    assert outcome == Paid("B77", datetime(2026, 11, 2, 2, 5, tzinfo=UTC))


def test_the_newest_status_wins_however_files_are_listed() -> None:
    """By the time the bank wrote, not by the order of reading."""
    outcome = verdict(said("ACSP", minute=9), said("ACTC", minute=3))
    assert isinstance(outcome, Pending)
    assert outcome.stage == "ACSP"


def test_of_one_second_the_later_stage_wins() -> None:
    """CreDtTm has whole seconds."""
    outcome = verdict(said("ACSC"), said("RCVD"))
    assert isinstance(outcome, Paid)


def test_a_stage_told_after_the_end_takes_nothing_back() -> None:
    """A late ACSP does not unmake ACSC."""
    assert isinstance(verdict(said("ACSC", minute=1), said("ACSP", minute=9)), Paid)


@pytest.mark.parametrize("code", ["ZZZZ", "RJCT/ACSP"])
def test_an_unknown_status_is_unknown(code: str) -> None:
    """Also when all before it was well."""
    newest = Status("M", datetime(2026, 11, 2, 3, tzinfo=UTC), REFERENCE, REFERENCE, code)
    outcome = judge(inquiry(), [*statuses(said("ACSP")), newest], [], (), BANK, NOW)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNKNOWN_STATE


def test_a_refusal_counts_by_its_reason() -> None:
    """Class (a): no confirmation is wanted."""
    outcome = verdict(said("RJCT", "AC04", minute=1), now=NOW - timedelta(days=7, hours=-1))
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.code) == (Reason.INSTRUMENT_INVALID, "AC04")


def test_a_refusal_to_be_confirmed_waits_for_bookings() -> None:
    """Class (d): in doubt until the lag is over, then believed."""
    told_at = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
    lag = timedelta(seconds=BANK.refusal_lag_s)
    early = verdict(said("RJCT", "AM04"), now=told_at + lag - timedelta(seconds=1))
    assert isinstance(early, Unknown)
    assert early.cause is UnknownCause.CHANNEL_UNSURE
    late = verdict(said("RJCT", "AM04"), now=told_at + lag)
    assert isinstance(late, Rejected)
    assert late.reason is Reason.FLOAT_SHORT


@pytest.mark.parametrize("code", ["AB01", "AB06", "MS03", "NARR", "ED05"])
def test_doubt_stays_doubt(code: str) -> None:
    """Class (b): no time makes a failure of it."""
    outcome = verdict(said("RJCT", code))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize("reasons", [(), ("XY99",), ("AC04", "XY99"), ("BRAND-NEW",)])
def test_a_refusal_for_an_unknown_reason_is_unknown(reasons: tuple[str, ...]) -> None:
    """A code in no table, beside a known one, or none at all."""
    outcome = verdict(said("RJCT", *reasons))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNKNOWN_CODE


def test_a_profile_may_read_a_reason_its_own_way() -> None:
    """Known to one bank alone."""
    bank = BankProfile.model_validate(
        BANK.model_dump() | {"reasons": {"XY99": {"means": "payee_blocked", "confirm": False}}}
    )
    outcome = verdict(said("RJCT", "XY99"), bank=bank)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.PAYEE_BLOCKED


@pytest.mark.parametrize("code", ["AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL", "RF01"])
def test_the_refusal_of_a_repeated_file_says_nothing_of_the_first(code: str) -> None:
    """Alone it is doubt; beside the first one's word that one counts."""
    alone = verdict(said("RJCT", code))
    assert isinstance(alone, Unknown)
    assert isinstance(verdict(said("ACSC"), said("RJCT", code, minute=9)), Paid)
    under_way = verdict(said("ACSP"), said("RJCT", code, minute=9))
    assert isinstance(under_way, Pending)
    debited = verdict(said("RJCT", code), booked=(DEBIT,))
    assert not isinstance(debited, Rejected | Absent)


def test_a_group_refused_as_duplicate_is_no_refusal() -> None:
    """The file had one payment; its MsgId is our reference."""
    outcome = verdict(report(group="RJCT", group_why=why("DU01")))
    assert isinstance(outcome, Unknown)


def test_a_debit_proves_that_money_left() -> None:
    """It is under way until a final status, or paid where the bank sends none."""
    outcome = verdict(said("ACSP"), booked=(DEBIT,))
    assert isinstance(outcome, Pending)
    assert outcome.stage == "BOOK"
    sends_none = BANK.model_copy(update={"debit_is_paid": True})
    assert isinstance(verdict(said("ACSP"), booked=(DEBIT,), bank=sends_none), Paid)
    assert isinstance(verdict(booked=(DEBIT,), bank=sends_none), Paid)


@pytest.mark.parametrize("code", ["AC04", "AM04", "AB06"])
def test_a_refusal_beside_a_debit_is_doubt(code: str) -> None:
    """Money left and nothing came back: nobody may pay it again."""
    outcome = verdict(said("RJCT", code), booked=(DEBIT,))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CHANNEL_UNSURE


def test_a_refusal_beside_a_debit_under_way_is_doubt() -> None:
    """A pending debit may still be booked."""
    outcome = verdict(said("RJCT", "AC04"), booked=(Booking(status="PDNG"),))
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("minutes", [(1, 9), (9, 1)])
def test_a_refusal_and_a_final_status_without_a_debit_are_doubt(minutes: tuple[int, int]) -> None:
    """Whichever is newer."""
    refused, settled = minutes
    outcome = verdict(said("RJCT", "AC04", minute=refused), said("ACSC", minute=settled))
    assert isinstance(outcome, Unknown)


def test_a_final_status_after_a_refusal_counts_with_its_debit() -> None:
    """The newest word, and the account agrees."""
    outcome = verdict(said("RJCT", "AB06"), said("ACSC", minute=9), booked=(DEBIT,))
    assert isinstance(outcome, Paid)


def test_what_comes_back_is_returned() -> None:
    """With the day and amount of the credit, whatever statuses say."""
    for raws in ((), (said("ACSC"),), (said("RJCT", "AC04"),)):
        outcome = verdict(*raws, booked=(DEBIT, BACK))
        assert isinstance(outcome, Returned)
        assert outcome.amount == Money(12_345, Currency.CNY)
        assert outcome.at == datetime(2026, 11, 3, 16, 0, tzinfo=UTC)


def test_a_return_may_be_less_but_never_more() -> None:
    """Banks keep charges back; more than was paid is not ours."""
    less = verdict(booked=(DEBIT, Booking("120.00", "CRDT", back_for="AC04", ref="E2")))
    assert isinstance(less, Returned)
    assert less.amount.minor == 12_000
    more = verdict(booked=(DEBIT, Booking("123.46", "CRDT", back_for="AC04", ref="E2")))
    assert isinstance(more, Unknown)
    assert more.cause is UnknownCause.MISMATCH


def test_an_announced_return_is_none_yet() -> None:
    """Only what is booked is back."""
    pending = Booking(direction="CRDT", back_for="AC04", ref="E2", status="PDNG")
    assert isinstance(verdict(said("ACSC"), booked=(DEBIT, pending)), Paid)


@pytest.mark.parametrize(
    ("amount", "payee"), [("123.46", ""), ("", "6222020200112233446"), ("0.001", "")]
)
@pytest.mark.parametrize("code", ["ACSP", "ACSC", "RJCT"])
def test_a_status_about_something_else_is_a_mismatch(code: str, amount: str, payee: str) -> None:
    """Amount and payee are compared where they are echoed."""
    reasons = ["AC04"] if code == "RJCT" else []
    outcome = verdict(said(code, *reasons, amount=amount, payee=payee))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH


def test_another_payment_in_our_file_is_a_mismatch() -> None:
    """We send one payment a file."""
    outcome = verdict(said("ACSC", reference="ANOTHER"))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH


def test_an_older_mismatch_spoils_a_refusal_and_no_payment() -> None:
    """Who once spoke of something else is believed about money that left, not about failure."""
    strange = said("ACTC", amount="1.00")
    assert isinstance(verdict(strange, said("ACSC", minute=5)), Paid)
    refused = verdict(strange, said("RJCT", "AC04", minute=5))
    assert isinstance(refused, Unknown)
    assert refused.cause is UnknownCause.MISMATCH


def test_a_debit_of_another_amount_is_a_mismatch() -> None:
    """Whatever the statuses say."""
    outcome = verdict(said("ACSC"), booked=(Booking("123.44"),))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH


def test_a_masked_number_compares_nothing() -> None:
    """Some banks star out accounts in their messages."""
    assert isinstance(verdict(said("ACSC", payee="622202******3445")), Paid)
    assert isinstance(verdict(said("ACSC", payee=CARD.number)), Paid)


def test_charges_under_our_reference_prove_nothing() -> None:
    """A fee of its own is no debit of the payment."""
    fee = Booking("0.50", family="CHRG", ref="E9")
    refused = verdict(said("RJCT", "AC04"), booked=(fee,))
    assert isinstance(refused, Rejected)
    assert isinstance(verdict(booked=(fee,)), Absent)


def test_an_unreadable_file_spoils_refusal_and_absence_only() -> None:
    """It may hold the debit; what is paid is paid."""
    for raws in ((), (said("RJCT", "AC04"),)):
        outcome = verdict(*raws, unreadable=("x.xml",))
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNREADABLE
    assert isinstance(verdict(said("ACSC"), unreadable=("x.xml",)), Paid)
    assert isinstance(verdict(said("ACSP"), unreadable=("x.xml",)), Pending)


def test_nothing_at_all_is_absent() -> None:
    """Which proves nothing; a debit under way is something."""
    assert isinstance(verdict(), Absent)
    assert isinstance(verdict(booked=(Booking(status="PDNG"),)), Pending)


def test_cancelled_is_recalled_once_bookings_agree() -> None:
    """This adapter asks for no cancellation: a person did, at the bank."""
    outcome = verdict(said("CANC"))
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Reason.RECALLED
    early = verdict(said("CANC"), now=datetime(2026, 11, 2, 2, 1, tzinfo=UTC))
    assert isinstance(early, Unknown)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (said("RCVD"), Pending),
        (said("ACSC"), Pending),
        (said("RJCT", "AC04"), Rejected),
        (said("RJCT", "DU01"), Unknown),
        (said("RJCT", "AB06"), Unknown),
        (said("RJCT", "XY99"), Unknown),
        (said("ZZZZ"), Unknown),
        (said("RCVD", amount="1.00"), Unknown),
        (report(status("RCVD", reference="OTHER"), original="OTHER"), Unknown),
        (report(group="RJCT", group_why=why("DU01")), Unknown),
        (report(group="ACTC"), Pending),
    ],
)
def test_a_pain_002_in_answer_to_the_file(raw: bytes, expected: type) -> None:
    """It is never more than received, and refused only for a reason that says so."""
    assert isinstance(read_receipt(inquiry(), statuses(raw), BANK), expected)


def test_a_refusal_in_the_answer_may_want_confirming() -> None:
    """By its reason's class."""
    short = read_receipt(inquiry(), statuses(said("RJCT", "AM04")), BANK)
    closed = read_receipt(inquiry(), statuses(said("RJCT", "AC04")), BANK)
    assert isinstance(short, Rejected)
    assert isinstance(closed, Rejected)
    assert (short.confirm, closed.confirm) == (True, False)
