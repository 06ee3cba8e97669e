"""What UnionPay is asked, and what a verified answer means."""

import base64
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from msgspec.structs import replace

from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Evidence,
    Outcome,
    Paid,
    Pending,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.unionpay import wire
from channels.unionpay.envelope import Message
from tests.channels.unionpay.platform import (
    CARD,
    CORPORATE,
    NOW,
    QUERY_ID,
    REFERENCE,
    TXN_TIME,
    channel,
    found,
    inquiry,
    instruction,
    refused,
    settings,
    taken,
    usual,
)
from tests.simulators.keys import pair
from tests.simulators.unionpay.merchant import MER_ID, encrypt_pem, serial

NOTHING = Evidence()


def submitted(fields: dict[str, str]) -> Outcome:
    """Read a reply to the payout."""
    return wire.read_submission(Message(fields), inquiry(), MER_ID, NOTHING)


def asked(fields: dict[str, str], channel_ref: str | None = None) -> Outcome | Absent:
    """Read a reply to the query."""
    return wire.read_inquiry(Message(fields), inquiry(channel_ref=channel_ref), MER_ID, NOTHING)


def cause(outcome: object) -> UnknownCause:
    """Why it is unknown."""
    assert isinstance(outcome, Unknown), outcome
    return outcome.cause


def test_card_is_asked_for_as_documented() -> None:
    """Every field of a payout, with the name in customerInfo."""
    fields = wire.payout(instruction(), settings(), NOW)
    info = base64.b64decode(fields["customerInfo"]).decode()
    assert info == "{customerNm=张三丰}"
    assert {k: v for k, v in fields.items() if v and k != "customerInfo"} == {
        "txnType": "12",
        "txnSubType": "00",
        "bizType": "000401",
        "channelType": "07",
        "accessType": "0",
        "merId": MER_ID,
        "orderId": REFERENCE,
        "txnTime": TXN_TIME,
        "accType": "01",
        "accNo": CARD.number,
        "txnAmt": "12345",
        "currencyCode": "156",
        "backUrl": "http://127.0.0.1:1/notices/unionpay",
    }


def test_corporate_account_has_its_own_type() -> None:
    """04 instead of 01."""
    fields = wire.payout(instruction(CORPORATE), settings(), NOW)
    assert (fields["accType"], fields["accNo"]) == ("04", CORPORATE.number)


def test_account_number_goes_encrypted_where_configured() -> None:
    """With the serial of the certificate it can be opened by."""
    fields = wire.payout(instruction(), settings(encrypt_cert_file=usual().encrypt), NOW)
    key = pair("unionpay-encrypt").key
    opened = key.decrypt(base64.b64decode(fields["accNo"]), PKCS1v15()).decode()
    assert (opened, fields["encryptCertId"]) == (CARD.number, serial(encrypt_pem()))


def test_gateways_address_for_notices_goes_first() -> None:
    """The configured one is for gateways without an address."""
    fields = wire.payout(instruction(notify_url="http://127.0.0.1:2/n"), settings(), NOW)
    assert fields["backUrl"] == "http://127.0.0.1:2/n"


def test_query_carries_the_payouts_own_time() -> None:
    """Beijing time of the signature, whenever the question is asked."""
    fields = wire.query(replace(inquiry(), sent_at=datetime(2026, 1, 1, tzinfo=UTC)), settings())
    assert (fields["txnTime"], fields["orderId"]) == ("20260101080000", REFERENCE)


def test_time_of_query_is_time_of_payout() -> None:
    """To the second, also from a moment with fractions."""
    now = NOW + timedelta(microseconds=999_999)
    prepared = channel().prepare(instruction(), now)
    asked_about = replace(inquiry(), sent_at=prepared.signed_at)
    assert wire.query(asked_about, settings())["txnTime"] == TXN_TIME
    assert f"txnTime={TXN_TIME}".encode() in prepared.body


def test_paid_order_is_paid_at_its_trace_time() -> None:
    """traceTime without a year is the one closest to the payout."""
    assert asked(found()) == Paid(QUERY_ID, datetime(2026, 11, 2, 1, 30, 7, tzinfo=UTC))


@pytest.mark.parametrize("text", ["", "1332093007", "0601093007", "x"])
def test_impossible_trace_time_is_not_taken(text: str) -> None:
    """Then the order's own time is told."""
    assert asked(found(traceTime=text)) == Paid(QUERY_ID, NOW)


def test_new_year_lies_between_payout_and_trace() -> None:
    """31 December and 1 January are a day apart."""
    near = datetime(2026, 12, 31, 15, 59, 58, tzinfo=UTC)
    assert wire.short_moment("0101000005", near) == datetime(2026, 12, 31, 16, 0, 5, tzinfo=UTC)
    assert wire.short_moment("1231235955", near + timedelta(minutes=1)) == near - timedelta(
        seconds=3
    )
    assert wire.short_moment("0229000000", near) is None


def test_not_found_is_absent() -> None:
    """34, about our order."""
    assert isinstance(asked(refused("34", txnType="00")), Absent)


@pytest.mark.parametrize("name", ["orderId", "txnTime"])
def test_not_found_that_names_no_order_is_no_absence(name: str) -> None:
    """It may be about anything."""
    fields = refused("34", txnType="00")
    del fields[name]
    assert cause(asked(fields)) is UnknownCause.MISMATCH


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("merId", "777290058110098"),
        ("orderId", "P7K2M9X4Q1A2"),
        ("txnTime", "20261102093001"),
        ("txnAmt", "12346"),
        ("txnAmt", "123.45"),
        ("currencyCode", "840"),
        ("accNo", "6216261000000000019"),
        ("accNo", "621626*********0019"),
        ("accNo", "622222*********0018"),
        ("accNo", "not ours"),
        ("txnType", "01"),
    ],
)
def test_answer_about_something_else_proves_nothing(name: str, value: str) -> None:
    """Neither as a success, nor as a refusal, nor as an absence."""
    assert cause(submitted(taken() | {name: value})) is UnknownCause.MISMATCH
    assert cause(submitted(refused("61") | {name: value})) is UnknownCause.MISMATCH
    assert cause(asked(found() | {name: value})) is UnknownCause.MISMATCH
    assert cause(asked(refused("34", txnType="00") | {name: value})) is UnknownCause.MISMATCH


@pytest.mark.parametrize("number", [CARD.number, "621626*********0018", "A" * 344])
def test_payee_may_be_starred_out_or_encrypted(number: str) -> None:
    """As the merchant's contract has it."""
    assert isinstance(asked(found(accNo=number)), Paid)


def test_answer_about_another_order_of_theirs_proves_nothing() -> None:
    """Once their number is known it must be that one."""
    assert cause(asked(found(), "202611020930007654321")) is UnknownCause.MISMATCH
    assert isinstance(asked(found(), QUERY_ID), Paid)


@pytest.mark.parametrize("name", ["txnAmt", "queryId"])
def test_paid_needs_amount_and_number(name: str) -> None:
    """A success that does not say of what is none."""
    fields = found()
    del fields[name]
    assert cause(asked(fields)) is UnknownCause.MISMATCH


def test_query_without_a_fate_is_unknown() -> None:
    """00 says only that the question was answered."""
    fields = found()
    del fields["origRespCode"]
    assert cause(asked(fields)) is UnknownCause.UNKNOWN_STATE


def test_reply_to_a_payout_is_no_answer_to_a_query() -> None:
    """A recorded reply played back proves nothing."""
    assert cause(asked(taken())) is UnknownCause.MISMATCH
    assert cause(submitted(found())) is UnknownCause.MISMATCH


def test_definite_refusal_must_name_the_order() -> None:
    """One that a look must confirm need not: 11 comes before anything is read."""
    nameless = refused("61")
    del nameless["orderId"]
    assert cause(submitted(nameless)) is UnknownCause.MISMATCH
    signature = refused("11")
    del signature["orderId"]
    outcome = submitted(signature)
    assert isinstance(outcome, Rejected)
    assert outcome.confirm


def test_refusal_that_names_an_order_of_theirs_says_so() -> None:
    """Then only that order's failed state is proof."""
    outcome = submitted(refused("90", queryId=QUERY_ID))
    assert isinstance(outcome, Rejected)
    assert (outcome.channel_ref, outcome.confirm) == (QUERY_ID, True)


def test_taken_in_without_a_number_is_pending_all_the_same() -> None:
    """queryId is theirs to give."""
    fields = taken()
    del fields["queryId"]
    assert submitted(fields) == Pending(None, "00")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": "SHORT01"}, "reference"),
        ({"reference": "A" * 33}, "reference"),
        ({"reference": "PO-1234567"}, "reference"),
        ({"amount": Money(0, Currency.CNY)}, "amount"),
        ({"amount": Money(500_000_001, Currency.CNY)}, "amount"),
        ({"amount": Money(100, Currency.USD)}, "amount.currency"),
        ({"instrument": BankCard("622202", "张三丰")}, "instrument.number"),
        ({"instrument": BankCard("62220212345678901234", "张三丰")}, "instrument.number"),
        ({"instrument": dataclasses.replace(CORPORATE, number="02-00")}, "instrument.number"),
        ({"instrument": BankCard(CARD.number, " ")}, "instrument.name"),
        ({"instrument": BankCard(CARD.number, "A&B")}, "instrument.name"),
        ({"instrument": BankCard(CARD.number, "{A}")}, "instrument.name"),
        ({"instrument": BankCard(CARD.number, "A" * 61)}, "instrument.name"),
        ({"notify_url": "http://x/" + "a" * 250}, "notify_url"),
        ({"notify_url": "http://通知/"}, "notify_url"),
        (
            {"instrument": AlipayAccount("a@b.test", AlipayIdentity.LOGON_ID, "张")},
            "instrument",
        ),
    ],
)
def test_what_would_be_refused_for_ever_is_found_before(
    changes: dict[str, object], field: str
) -> None:
    """With the field's name, without its content."""
    (problem,) = channel().check(instruction(**changes))
    assert problem.field == field


def test_good_instructions_have_no_problems() -> None:
    """A card and a corporate account."""
    assert channel().check(instruction()) == channel().check(instruction(CORPORATE)) == ()


def test_notices_need_an_address() -> None:
    """backUrl is mandatory; either the gateway or the settings must have one."""
    (problem,) = channel(back_url=None).check(instruction())
    assert problem.field == "notify_url"


def test_rail_that_is_not_in_the_contract_is_refused() -> None:
    """A merchant for cards alone."""
    (problem,) = channel(rails=["bank_card"]).check(instruction(CORPORATE))
    assert problem.field == "instrument"
