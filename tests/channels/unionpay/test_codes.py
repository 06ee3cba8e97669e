"""Every row of UnionPay's table, by class; and that a code no table knows decides nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import (
    Evidence,
    Fault,
    Paid,
    Pending,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.unionpay import codes, wire
from channels.unionpay.envelope import Message
from tests.channels.unionpay.platform import QUERY_ID, found, inquiry, refused, taken
from tests.simulators.unionpay.merchant import MER_ID

DEFINITE = ["10", "13", "33", "44", "61", "62", "63", "64", "65", "66"]
NEEDS_A_LOOK = [
    *("14", "40", "43", "67", "68", "69", "71", "72", "73"),
    *("76", "77", "78", "79", "80", "81", "82", "84"),
]
SPEAKS_OF_MONEY_OR_OF_NOTHING_OURS = ["35", "36", "41", "42", "45", "70", "74", "75"]
UNSURE = ["01", "03", "04", "05", "06", "12", "34", "60", "83", "A1"]
SLOW_DOWN = ["37"]
CHANNEL = ["02", "11", "31", "32", "39", "90", "91", "92", "93", "94", "95", "96"]
CHANNEL_OR_RISK = ["30", "38"]
FIRST_A_DOUBT = ["98", "99"]
NOTHING = Evidence()


def sent(code: str) -> object:
    """What the reply to a payout with this code means."""
    return wire.read_submission(Message(refused(code)), inquiry(), MER_ID, NOTHING)


def asked(code: str) -> object:
    """What a query whose origRespCode is this means."""
    return wire.read_inquiry(Message(found(origRespCode=code)), inquiry(), MER_ID, NOTHING)


def test_every_row_stands_in_exactly_one_class() -> None:
    """The classes of this file and the table name the same codes."""
    named = [
        *(*DEFINITE, *NEEDS_A_LOOK, *SPEAKS_OF_MONEY_OR_OF_NOTHING_OURS, *UNSURE, *SLOW_DOWN),
        *(*CHANNEL, *CHANNEL_OR_RISK, *FIRST_A_DOUBT),
    ]
    assert len(named) == len(set(named))
    assert set(named) == set(codes.RESP_CODES)


@pytest.mark.parametrize("code", DEFINITE)
def test_refusal_of_payee_or_message_is_definite(code: str) -> None:
    """Class (a), signed and naming our order: no money moved."""
    outcome = sent(code)
    assert isinstance(outcome, Rejected)
    assert not outcome.confirm
    assert outcome.reason.fault in {Fault.BENEFICIARY, Fault.INSTRUCTION}


@pytest.mark.parametrize("code", NEEDS_A_LOOK + CHANNEL + CHANNEL_OR_RISK)
def test_refusal_by_the_channel_or_of_a_weak_source_wants_a_look(code: str) -> None:
    """Class (d), and (a) from a mirrored list: believed once a query agrees."""
    outcome = sent(code)
    assert isinstance(outcome, Rejected)
    assert outcome.confirm


@pytest.mark.parametrize("code", CHANNEL)
def test_channel_is_to_blame_for_its_own_refusals(code: str) -> None:
    """So that its health suffers and not the payee's."""
    means = codes.meaning(code).means
    assert isinstance(means, Reason)
    assert means.fault is Fault.CHANNEL


@pytest.mark.parametrize(
    "code", UNSURE[:3] + UNSURE[4:] + SPEAKS_OF_MONEY_OR_OF_NOTHING_OURS + FIRST_A_DOUBT
)
def test_doubt_in_a_reply_stays_doubt(code: str) -> None:
    """Class (b), and whatever speaks of a debit: may have moved."""
    outcome = sent(code)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.CHANNEL_UNSURE


def test_slow_down_is_no_refusal() -> None:
    """37: not taken in, as it says; only a look can tell."""
    outcome = sent("37")
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.THROTTLED


@pytest.mark.parametrize("code", ["00", "05"])
def test_taken_in_is_not_paid(code: str) -> None:
    """00 in a reply is "accepted"."""
    message = Message(taken(respCode=code))
    outcome = wire.read_submission(message, inquiry(), MER_ID, NOTHING)
    assert outcome == Pending(QUERY_ID, code)


@pytest.mark.parametrize("code", ["00", "A6"])
def test_success_and_flawed_success_are_paid(code: str) -> None:
    """Only as the payout's own fate."""
    assert isinstance(asked(code), Paid)


def test_flawed_success_in_a_reply_is_no_success() -> None:
    """A6 belongs into a query."""
    assert isinstance(sent("A6"), Unknown)


@pytest.mark.parametrize("code", ["03", "04", "05"])
def test_undecided_fate_is_pending(code: str) -> None:
    """The official logic keeps asking."""
    assert asked(code) == Pending(QUERY_ID, code)


@pytest.mark.parametrize("code", ["01", "12", "34", "60", "06", "83", "A1", "37"])
def test_fate_that_the_official_cadence_asks_on_stays_open(code: str) -> None:
    """01 and 60 say "failed" and are asked about all the same."""
    assert isinstance(asked(code), Unknown)


@pytest.mark.parametrize("code", SPEAKS_OF_MONEY_OR_OF_NOTHING_OURS + FIRST_A_DOUBT)
def test_fate_that_speaks_of_a_debit_is_no_failure(code: str) -> None:
    """扣款成功 is not a reason to pay elsewhere."""
    assert isinstance(asked(code), Unknown)


@pytest.mark.parametrize("code", DEFINITE + NEEDS_A_LOOK + CHANNEL + CHANNEL_OR_RISK)
def test_any_other_listed_fate_is_failure(code: str) -> None:
    """As origRespCode of a verified query it needs no further look."""
    outcome = asked(code)
    assert isinstance(outcome, Rejected)
    assert not outcome.confirm
    assert (outcome.code, outcome.channel_ref) == (code, QUERY_ID)


@given(st.text(max_size=4))
def test_any_other_code_is_unknown(code: str) -> None:
    """A code that is not in the table never refuses and never pays."""
    if code not in {*codes.RESP_CODES, *codes.PAID, *codes.PENDING}:
        assert isinstance(sent(code), Unknown)
        assert isinstance(asked(code), Unknown)


def test_every_row_names_its_source() -> None:
    """Somebody must be able to look it up."""
    assert all(row.source.startswith("§3.5") for row in codes.RESP_CODES.values())


@pytest.mark.parametrize("code", [*codes.RESP_CODES, "Z9"])
def test_refused_question_says_nothing_about_the_payout(code: str) -> None:
    """Not even a code that would refuse a payout; only 34 says that it is not there."""
    message = Message(found(respCode=code))
    outcome = wire.read_inquiry(message, inquiry(), MER_ID, NOTHING)
    assert isinstance(outcome, Unknown) == (code != codes.NOT_FOUND)


def test_too_many_questions_are_told_apart() -> None:
    """37 and 06: ask later."""
    causes = [codes.inquiry_error(code) for code in ("37", "06", "11", "Z9")]
    assert causes == [
        UnknownCause.THROTTLED,
        UnknownCause.THROTTLED,
        UnknownCause.CHANNEL_UNSURE,
        UnknownCause.UNKNOWN_CODE,
    ]
