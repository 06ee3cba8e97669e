"""What the XxPay adapter makes of answers: proof first, then codes, then every field."""

from collections.abc import Mapping

import pytest

from channels.contract import (
    Absent,
    AlipayAccount,
    AlipayIdentity,
    Paid,
    Pending,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.xxpay import wire
from channels.xxpay.answers import Reader
from tests.channels.xxpay.gateway import (
    AMOUNT,
    CARD,
    NOW,
    NUMBER,
    compact,
    found,
    inquiry,
    instruction,
    refusal,
    reply,
    settings,
    signature,
    signed,
    taken,
)

READER = Reader(settings())


def asked(fields: Mapping[str, object], **trust: object) -> object:
    """What a query's answer means."""
    return Reader(settings(**trust)).inquired(reply(signed(fields)), inquiry(), NOW)


def sent(fields: Mapping[str, object], **trust: object) -> object:
    """What a submission's answer means."""
    return Reader(settings(**trust)).submitted(reply(signed(fields)), inquiry())


def test_a_paid_order_is_paid_with_its_fee() -> None:
    """Dated when it is first heard of, since they do not say when."""
    assert asked(found()) == Paid(NUMBER, NOW, Money(100, Currency.CNY))
    assert asked(found(fee=None)) == Paid(NUMBER, NOW)
    assert asked(found(retCode="0", status=2, amount=12345)) == asked(found())


def test_a_submissions_answer_proves_no_payment() -> None:
    """It does not name the amount; the query does."""
    assert sent(taken(status=2)) == Pending(NUMBER, "2")
    assert sent(taken(status=6)) == Pending(NUMBER, "6")


@pytest.mark.parametrize("status", ["0", "1", "4"])
def test_what_is_under_way_is_pending(status: str) -> None:
    """Also in the hands of a person there."""
    assert asked(found(status=status)) == Pending(NUMBER, status)
    assert sent(taken(status=int(status))) == Pending(NUMBER, status)


def test_a_reversal_is_a_return() -> None:
    """Clones write 6 after a success."""
    assert asked(found(status="6")) == Returned(NUMBER, NOW, AMOUNT)


@pytest.mark.parametrize("status", ["5", 7, "ARCHIVED"])
def test_a_status_no_table_knows_is_unknown(status: object) -> None:
    """Clones add their own."""
    for outcome in (asked(found(status=status)), sent(taken(status=status))):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNKNOWN_STATE


def test_a_failure_waits_for_a_person() -> None:
    """Stock servers write 3 when they did not understand the bank, and may pay it later."""
    text = f"账号{CARD.number}户名{CARD.name}不符"
    for outcome in (
        asked(found(status="3", transMsg=text)),
        sent(taken(status=3, transMsg=text)),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.CHANNEL_UNSURE
        assert outcome.evidence.message == "账号***户名***不符"


def test_an_operator_can_trust_failures() -> None:
    """Only the answer that names the amount counts at once; no cause is ever known."""
    final = asked(found(status="3"), trust_failures="all")
    first = sent(taken(status=3), trust_failures="all")
    for outcome, confirm in ((final, False), (first, True)):
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.confirm) == (Reason.UNEXPLAINED, confirm)
        assert outcome.channel_ref == NUMBER


# ---- proof ----


@pytest.mark.parametrize("sign", [None, "", "0" * 32, 7])
def test_a_success_that_is_not_signed_is_not_believed(sign: object) -> None:
    """Neither an order nor a balance."""
    body = compact({**found(), **({} if sign is None else {"sign": sign})})
    for outcome in (
        READER.inquired(reply(body), inquiry(), NOW),
        READER.submitted(reply(body), inquiry()),
        READER.proven(reply(body)),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.BAD_SIGNATURE


def test_one_changed_field_breaks_the_proof() -> None:
    """Whatever it is."""
    for name in ("agentpayOrderId", "mchOrderNo", "amount", "fee", "status"):
        body = compact({**found(), name: "7", "sign": signature(found())})
        outcome = READER.inquired(reply(body), inquiry(), NOW)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.BAD_SIGNATURE, name


def test_lower_hex_and_the_previous_secret_are_believed() -> None:
    """Clones and rotation."""
    lower = compact({**found(), "sign": signature(found()).lower()})
    assert isinstance(READER.inquired(reply(lower), inquiry(), NOW), Paid)
    old = compact({**found(), "sign": signature(found(), "the-previous-secret")})
    rotating = Reader(settings(previous_private_key="the-previous-secret"))
    assert isinstance(rotating.inquired(reply(old), inquiry(), NOW), Paid)


@pytest.mark.parametrize(
    ("changes", "at_fault"),
    [
        ({"mchOrderNo": "P7K2M9X4Q1A2"}, "mchOrderNo"),
        ({"mchOrderNo": None}, "mchOrderNo"),
        ({"extra": "P7K2M9X4Q1A2"}, "extra"),
        ({"amount": "12344"}, "amount"),
        ({"amount": None}, "amount"),
    ],
)
def test_an_answer_about_another_order_is_a_mismatch(
    changes: dict[str, object], at_fault: str
) -> None:
    """One that names no number of ours could be about any: replayed, it fits all."""
    outcome = asked(found(**changes))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH
    assert at_fault in (outcome.evidence.message or "")


def test_extra_ties_an_answer_as_well_as_the_number() -> None:
    """A query of a clone that repeats `extra` alone."""
    assert asked(found(mchOrderNo=None, extra="P7K2M9X4Q1A1")) == asked(found())


def test_a_submissions_answer_without_extra_is_not_tied() -> None:
    """Nothing says whose it is."""
    outcome = sent(taken(extra=None))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.MISMATCH


def test_another_order_of_theirs_is_a_mismatch() -> None:
    """Their number is compared once it is known."""
    got = READER.inquired(reply(signed(found())), inquiry(channel_ref="G1"), NOW)
    assert isinstance(got, Unknown)
    assert got.cause is UnknownCause.MISMATCH


@pytest.mark.parametrize(
    "changes",
    [
        {"agentpayOrderId": None},
        {"status": None},
        {"status": "2&amount=1"},
        {"amount": "123.45"},
        {"amount": -1},
        {"fee": "x"},
    ],
)
def test_an_order_that_cannot_be_read_is_unreadable(changes: dict[str, object]) -> None:
    """Signed, and still no order."""
    outcome = asked(found(**changes))
    assert isinstance(outcome, Unknown)
    assert outcome.cause is UnknownCause.UNREADABLE


# ---- refusals ----


@pytest.mark.parametrize("code", ["FAIL", "9999"])
def test_an_unsigned_refusal_never_proves_a_failure(code: str) -> None:
    """A free text; the transfer may have been carried out before it."""
    body = refusal(f"频繁代付,卡号:{CARD.number}", code)
    for outcome in (
        READER.submitted(reply(body), inquiry()),
        READER.inquired(reply(body), inquiry(), NOW),
        Reader(settings(trust_refusals=True)).submitted(reply(body), inquiry()),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.CHANNEL_UNSURE
        assert outcome.evidence.message == "频繁代付,卡号:***"


def test_a_signed_refusal_needs_trust_and_looks() -> None:
    """Clones that sign everything; the operator says whether that is worth something."""
    fields = {"retCode": "FAIL", "retMsg": "账户余额不足"}
    assert isinstance(sent(fields), Unknown)
    outcome = sent(fields, trust_refusals=True)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.confirm, outcome.channel_ref) == (
        Reason.UNEXPLAINED,
        True,
        None,
    )


def test_not_found_is_absence_only_when_it_is_signed() -> None:
    """And only in these words."""
    fields = {"retCode": "FAIL", "retMsg": "代付订单不存在"}
    assert isinstance(asked(fields), Absent)
    assert isinstance(READER.inquired(reply(compact(fields)), inquiry(), NOW), Unknown)
    assert isinstance(asked({**fields, "retMsg": "订单不存在"}), Unknown)


def test_a_code_no_table_knows_is_unknown() -> None:
    """Signed or not."""
    for outcome in (asked(found(retCode="0110")), sent({"retCode": 17, "retMsg": "?"})):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNKNOWN_CODE


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, signed(found())),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"status":"2"}'),
        (200, b'{"retCode":null}'),
        (200, b'{"retCode":"SUCCESS","retCode":"FAIL"}'),
    ],
)
def test_an_http_status_or_a_stranger_is_no_answer(status: int, body: bytes) -> None:
    """Only 200 with a return code is read at all."""
    for outcome in (
        READER.submitted(reply(body, status), inquiry()),
        READER.inquired(reply(body, status), inquiry(), NOW),
    ):
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNREADABLE


def test_a_balance_must_be_proven_and_readable() -> None:
    """Signed fields of a success, holding whole fen."""
    fields = {"retCode": "SUCCESS", "availableAgentpayBalance": "4321"}
    proven = READER.proven(reply(signed(fields)))
    assert not isinstance(proven, Unknown)
    funds = wire.funds(proven)
    assert funds is not None
    assert funds.availableAgentpayBalance == 4321
    assert wire.funds({"availableAgentpayBalance": "43.21"}) is None
    for refused in (reply(refusal("商户账户不存在或冻结")), reply(b"<html>")):
        assert isinstance(READER.proven(refused), Unknown)


def test_only_banks_are_submitted() -> None:
    """`check` refuses others; whoever asks without it gets an error, not a request."""
    account = AlipayAccount("z@e.test", AlipayIdentity.LOGON_ID, "张三")
    with pytest.raises(TypeError, match="bank"):
        wire.submission(settings(), instruction(account), NOW)


def test_half_a_character_is_unreadable_and_never_an_error() -> None:
    """Whoever stands on the line can write it; a send must end in an outcome all the same."""
    body = b'{"retCode":"SUCCESS","status":1,"extra":"\\ud800","sign":"00"}'
    for answer in (
        READER.submitted(reply(body), inquiry()),
        READER.inquired(reply(body), inquiry(), NOW),
    ):
        assert isinstance(answer, Unknown)
        assert answer.cause is UnknownCause.UNREADABLE
