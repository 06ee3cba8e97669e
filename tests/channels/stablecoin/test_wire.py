"""What is asked, to the byte, and what an answer means for a payout."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import (
    Absent,
    BankCard,
    ChainAddress,
    Instrument,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.stablecoin import fields, wire
from channels.transport import Reply
from tests.channels.stablecoin.platform import (
    ADDRESS,
    AMOUNT,
    BANK,
    CONVERTING,
    IDEMPOTENCY_KEY,
    PAYOUT_ID,
    SETTINGS,
    WIRE_ID,
    compact,
    crypto,
    error,
    fiat,
    inquiry,
    instruction,
    returned,
    settings,
)

EUROS = Money(12_345, Currency.EUR)


def reply(content: object, status: int = 200) -> Reply:
    """Their answer."""
    return Reply(status, {}, content if isinstance(content, bytes) else compact(content))


def shown(
    payout: Mapping[str, object], instrument: Instrument = BANK, ref: str | None = PAYOUT_ID
) -> object:
    """What an inquiry by id makes of it."""
    return wire.read_inquiry(reply({"data": payout}), inquiry(instrument, ref), SETTINGS)


def test_a_fiat_payout_is_asked_for() -> None:
    """Key, registered bank account, amount: nothing else."""
    assert json.loads(wire.payout(instruction(), SETTINGS)) == {
        "idempotencyKey": IDEMPOTENCY_KEY,
        "destination": {"type": "wire", "id": WIRE_ID},
        "amount": {"amount": "123.45", "currency": "USD"},
    }


def test_a_crypto_payout_names_wallet_and_address_book() -> None:
    """Neither the address nor the chain is said again: the entry has them."""
    body = wire.payout(instruction(ADDRESS), settings(source_wallet_id="1000038499"))
    said = json.loads(body)
    assert said["source"] == {"type": "wallet", "id": "1000038499"}
    assert said["destination"] == {"type": "address_book", "id": ADDRESS.recipient_id}
    assert "toAmount" not in said


def test_a_conversion_names_what_the_payee_gets_and_no_estimate() -> None:
    """The same at any rate, so that the same key stands for the same body."""
    said = json.loads(wire.payout(instruction(ADDRESS, amount=EUROS), settings(**CONVERTING)))
    assert said["amount"] == {"currency": "USD"}
    assert said["toAmount"] == {"amount": "123.45", "currency": "EUR"}


@pytest.mark.parametrize(
    "instrument", [BankCard("6222020200112233445", "x"), ChainAddress("0x00", "ETH")]
)
def test_what_cannot_be_reached_is_not_asked_for(instrument: Instrument) -> None:
    """`check` says so before; asking all the same is a defect."""
    with pytest.raises(ValueError, match="no Circle Mint payout"):
        wire.payout(instruction(instrument), SETTINGS)


@pytest.mark.parametrize(
    ("payout", "outcome"),
    [
        (fiat(), Pending(PAYOUT_ID, "pending")),
        (
            fiat(status="complete"),
            Paid(PAYOUT_ID, datetime(2026, 11, 2, 1, 31, 0, 456000, UTC), Money(100, Currency.USD)),
        ),
        (
            fiat(status="failed", errorCode="invalid_wire_rtn"),
            Rejected(Reason.INSTRUMENT_INVALID, "invalid_wire_rtn", channel_ref=PAYOUT_ID),
        ),
        (
            fiat(status="failed", errorCode="insufficient_funds"),
            Rejected(Reason.FLOAT_SHORT, "insufficient_funds", channel_ref=PAYOUT_ID),
        ),
        (fiat(riskEvaluation={"decision": "review"}), Pending(PAYOUT_ID, "pending")),
    ],
)
def test_states_mean_what_the_table_says(payout: Mapping[str, object], outcome: object) -> None:
    """By id, destination and amount ours."""
    assert shown(payout) == outcome


@pytest.mark.parametrize(
    ("payout", "cause"),
    [
        (fiat(status="archived"), UnknownCause.UNKNOWN_STATE),
        (fiat(status="COMPLETE"), UnknownCause.UNKNOWN_STATE),
        (fiat(status="failed"), UnknownCause.UNKNOWN_CODE),
        (fiat(status="failed", errorCode="new_word"), UnknownCause.UNKNOWN_CODE),
        (fiat(status="failed", errorCode="transaction_failed"), UnknownCause.CHANNEL_UNSURE),
        (fiat(status="failed", errorCode="bank_transaction_error"), UnknownCause.CHANNEL_UNSURE),
        (fiat(status="failed", errorCode="transaction_returned"), UnknownCause.CHANNEL_UNSURE),
        (fiat(id="another"), UnknownCause.MISMATCH),
        (fiat(amount={"amount": "123.46", "currency": "USD"}), UnknownCause.MISMATCH),
        (fiat(amount={"amount": "123.45", "currency": "EUR"}), UnknownCause.MISMATCH),
        (fiat(amount={"amount": 12345, "currency": "USD"}), UnknownCause.MISMATCH),
        (fiat(amount={"amount": "123.455", "currency": "USD"}), UnknownCause.MISMATCH),
        (fiat(amount={"amount": "-123.45", "currency": "USD"}), UnknownCause.MISMATCH),
        (fiat(amount=None), UnknownCause.MISMATCH),
        (fiat(destination={"type": "wire", "id": "other"}), UnknownCause.MISMATCH),
        (fiat(destination={"type": "cbit", "id": WIRE_ID}), UnknownCause.MISMATCH),
        (fiat(destination="x"), UnknownCause.UNREADABLE),
        (fiat(status=1), UnknownCause.UNREADABLE),
        (fiat(id=""), UnknownCause.UNREADABLE),
        (fiat(updateDate="yesterday"), UnknownCause.UNREADABLE),
        (fiat(updateDate="2026-11-02T01:31:00"), UnknownCause.UNREADABLE),
        ({}, UnknownCause.UNREADABLE),
    ],
)
def test_what_is_not_provably_ours_or_not_listed_is_unknown(
    payout: Mapping[str, object], cause: UnknownCause
) -> None:
    """Never a failure, never a payment."""
    outcome = shown(payout)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is cause


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'{"data":[]}', b"<html>", b'{"data":1,"data":2}', b"[" * 9999, b"\xff"],
)
def test_bytes_that_are_no_payout_are_unreadable(body: bytes) -> None:
    """200 alone is no answer."""
    outcome = wire.read_inquiry(reply(body), inquiry(BANK, PAYOUT_ID), SETTINGS)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNREADABLE


@pytest.mark.parametrize("status", ["complete", "failed"])
def test_a_completed_return_is_a_return_whatever_the_payout_shows(status: str) -> None:
    """§5.2: after complete; whether the payout then shows failed is not told."""
    back = fiat(status=status, errorCode="transaction_returned", **{"return": returned()})
    expected = Returned(PAYOUT_ID, datetime(2026, 11, 4, 10, tzinfo=UTC), AMOUNT)
    assert shown(back) == expected


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"status": "pending"}, Pending(PAYOUT_ID, wire.RETURNING)),
        ({"status": "failed"}, None),
        ({"amount": {"amount": "100.00", "currency": "USD"}}, Returned),
        ({"amount": {"amount": "123.46", "currency": "USD"}}, UnknownCause.MISMATCH),
        ({"amount": {"amount": "0.00", "currency": "USD"}}, UnknownCause.MISMATCH),
        ({"amount": {"amount": "123.45", "currency": "EUR"}}, UnknownCause.MISMATCH),
        ({"amount": None}, UnknownCause.MISMATCH),
        ({"status": "lost"}, UnknownCause.UNKNOWN_STATE),
        ({"updateDate": None, "createDate": None}, UnknownCause.MISMATCH),
        ({"payoutId": "another"}, UnknownCause.UNREADABLE),
    ],
)
def test_a_return_counts_only_when_it_is_whole(
    change: Mapping[str, object], outcome: object
) -> None:
    """Under way it is under way; of another sum or payout it is none of ours; failed it is over."""
    read = shown(fiat(status="complete", **{"return": returned(**change)}))
    if isinstance(outcome, UnknownCause):
        assert isinstance(read, Unknown)
        assert read.cause is outcome
    elif outcome is None:
        assert isinstance(read, Paid)
    elif isinstance(outcome, type):
        assert isinstance(read, outcome)
    else:
        assert read == outcome


def test_what_the_payee_gets_is_the_amount_of_a_crypto_payout() -> None:
    """`toAmount` is ours; `amount` may be in the balance's currency."""
    payout = crypto(status="complete", amount={"amount": "135.80", "currency": "USD"})
    payout["toAmount"] = {"amount": "123.45", "currency": "EUR"}
    converting = settings(**CONVERTING)
    asked = inquiry(ADDRESS, PAYOUT_ID, EUROS)
    assert isinstance(wire.read_inquiry(reply({"data": payout}), asked, converting), Paid)
    wrong = payout | {"toAmount": {"amount": "123.46", "currency": "EUR"}}
    outcome = wire.read_inquiry(reply({"data": wrong}), asked, converting)
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize(
    ("change", "fee"),
    [
        ({}, Money(131, Currency.USD)),
        ({"networkFees": None}, Money(100, Currency.USD)),
        ({"fees": None, "networkFees": None}, None),
        ({"fees": {"amount": 3.0, "currency": "USD"}}, Money(331, Currency.USD)),
        ({"fees": {"amount": "1.00", "currency": "EUR"}}, None),
        ({"fees": {"amount": "-1.00", "currency": "USD"}}, None),
        ({"fees": "1.00"}, None),
        ({"fees": {"amount": "1", "currency": "BTC"}, "networkFees": None}, None),
    ],
)
def test_both_fees_are_added_and_rounded_up(change: Mapping[str, object], fee: object) -> None:
    """1.00 and 0.304 are 131 cents; what cannot be read names no fee."""
    paid = shown(crypto(status="complete", **change), ADDRESS)
    assert isinstance(paid, Paid)
    assert paid.fee == fee


def test_a_failed_payout_in_the_first_reply_is_left_to_the_inquiry() -> None:
    """It is known by its id then, which is proof enough (C2)."""
    answer = reply({"data": fiat(status="failed", errorCode="invalid_wire_rtn")}, 201)
    assert wire.read_submission(answer, inquiry(), SETTINGS) == Pending(PAYOUT_ID, "failed")


def test_a_paid_payout_in_a_repeated_reply_is_paid() -> None:
    """It names destination and amount."""
    answer = reply({"data": fiat(status="complete")}, 201)
    assert isinstance(wire.read_submission(answer, inquiry(), SETTINGS), Paid)


@pytest.mark.parametrize(
    ("status", "body", "reason", "confirm"),
    [
        (400, error(2), Reason.PARAMETER_REFUSED, False),
        (
            400,
            error(2, errors=[{"error": "min_value", "location": "amount.amount"}]),
            Reason.AMOUNT_BELOW_MINIMUM,
            False,
        ),
        (
            400,
            error(2, errors=[{"error": "invalid_value", "location": "destination.id"}]),
            Reason.INSTRUMENT_INVALID,
            False,
        ),
        (401, error(401), Reason.SIGNATURE_REFUSED, True),
        (403, error(3), Reason.NOT_PERMITTED, True),
    ],
)
def test_refusals_are_told(status: int, body: object, reason: Reason, confirm: bool) -> None:
    """With the institution's own JSON; those of our key ask for a look."""
    outcome = wire.read_submission(reply(body, status), inquiry(), SETTINGS)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm, outcome.channel_ref) == (reason, confirm, None)


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (409, error(1083), UnknownCause.CHANNEL_UNSURE),
        (429, error(429), UnknownCause.THROTTLED),
        (500, error(-1), UnknownCause.CHANNEL_UNSURE),
        (400, error(-1), UnknownCause.CHANNEL_UNSURE),
        (400, error(5020), UnknownCause.UNKNOWN_CODE),
        (400, b"<html>", UnknownCause.UNREADABLE),
        (401, b"", UnknownCause.UNREADABLE),
        (400, {"code": "2", "message": "x"}, UnknownCause.UNREADABLE),
        (400, {"code": True, "message": "x"}, UnknownCause.UNREADABLE),
        (400, {"code": 2}, UnknownCause.UNREADABLE),
        (302, b"", UnknownCause.UNREADABLE),
    ],
)
def test_doubtful_refusals_are_unknown(status: int, body: object, cause: UnknownCause) -> None:
    """A status without their JSON is a box's in between."""
    outcome = wire.read_submission(reply(body, status), inquiry(), SETTINGS)
    assert isinstance(outcome, Unknown)
    assert outcome.cause is cause


def test_an_unknown_id_is_absent_and_a_proxys_404_is_not() -> None:
    """Only with their own JSON, and even that proves nothing."""
    asked = inquiry(BANK, PAYOUT_ID)
    assert isinstance(wire.read_inquiry(reply(error(2), 404), asked, SETTINGS), Absent)
    assert isinstance(wire.read_inquiry(reply(b"not found", 404), asked, SETTINGS), Unknown)


@given(st.integers(1, 10**14), st.sampled_from(["USD", "EUR"]), st.integers(0, 4))
def test_amounts_are_read_as_they_are_written(minor: int, currency: str, zeros: int) -> None:
    """To the cent, spare zeros or not."""
    money = Money(minor, Currency(currency))
    said = {"amount": f"{money}{'0' * zeros}", "currency": currency}
    assert fields.money_of(said) == money


@given(st.text(max_size=12))
def test_no_text_makes_an_amount_that_it_does_not_say(text: str) -> None:
    """What is read is a plain decimal of at most two places."""
    read = fields.money_of({"amount": text, "currency": "USD"})
    if read is not None:
        assert text.isascii()
        assert Decimal(text) * 100 == read.minor


@pytest.mark.parametrize("odd", [[], {}, ["USD"], {"currency": "USD"}, 0, None])
def test_whatever_stands_for_a_currency_or_a_number_is_only_read(odd: object) -> None:
    """A list or an object in its place is no currency and no id, and no exception either."""
    assert fields.money_of({"amount": "1.00", "currency": odd}) is None
    assert fields.fee_of({"fees": {"amount": "1.00", "currency": odd}}) is None
    shown = {"data": fiat(status="complete", **{"return": returned(payoutId=odd)})}
    outcome = wire.read_inquiry(reply(shown), inquiry(BANK, PAYOUT_ID), SETTINGS)
    assert isinstance(outcome, Returned if odd is None else Unknown)
