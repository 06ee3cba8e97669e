"""What is asked for: amounts without floats, every rail, and the same bytes for ever."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Instrument, Rail
from channels.money import INT64_MAX
from gateway.api.schemas import PayoutIn
from gateway.client import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    ChannelLimits,
    Currency,
    Money,
    PayoutRequest,
    WechatWallet,
    WireAccount,
    calls,
)
from tests.gateway.client.stand_in import REQUEST

EVERY_RAIL: list[Instrument] = [
    AlipayAccount("payee@example.test", AlipayIdentity.LOGON_ID, "张三丰"),
    WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "wx8888888888888888", "张三丰"),
    BankCard("6222021234567890123", "王小五", "ICBC", "工商银行"),
    BankAccount(
        "110902556610403",
        "某某商贸有限公司",
        "308100005027",
        "招商银行",
        "朝阳支行",
        "北京",
        "北京",
    ),
    WireAccount("b8627ae8-732b-4d25-b947-1df8f4007a29", "Acme Ltd"),
    ChainAddress("0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "ETH", "a1b2c3d4-0000", "Acme Ltd"),
]


def asked(**changes: Any) -> PayoutRequest:
    """A request with something else in it."""
    given = {"amount": 1230, "currency": "CNY", "beneficiary": EVERY_RAIL[2], "purpose": "货款"}
    return PayoutRequest(**{**given, **changes})


@given(st.integers(1, INT64_MAX // 4), st.sampled_from(Currency))
def test_every_way_to_write_an_amount_is_the_same_request(minor: int, currency: Currency) -> None:
    """Money, text and minor units make the same bytes, which the gateway reads as that money."""
    money = Money(minor, currency)
    ways = (
        asked(amount=money, currency=None),
        asked(amount=str(money), currency=currency),
        asked(amount=minor, currency=currency.value),
    )
    (body,) = {calls.create(one, "k" * 16).body for one in ways}
    assert body is not None
    assert PayoutIn.model_validate_json(body).money == money


@pytest.mark.parametrize("amount", [12.3, 1230.0, True, None, b"12.30", [1]])
def test_what_is_no_amount_is_a_type_error(amount: object) -> None:
    """A float has been rounded before anybody looked."""
    with pytest.raises(TypeError, match="amount"):
        asked(amount=amount)


@pytest.mark.parametrize(
    "amount", ["12.345", "1e3", "-1", "+1", " 1", "1,000", "", "0", "0.00", 0, -1]
)
def test_an_amount_nobody_can_pay_is_a_value_error(amount: object) -> None:
    """Too many decimals, signs, exponents, nothing at all."""
    with pytest.raises(ValueError, match=r"decimal|more than zero"):
        asked(amount=amount)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"currency": None}, "currency: give it"),
        ({"currency": "XYZ"}, "XYZ"),
        ({"amount": Money(1, Currency.USD)}, "not the amount's"),
        ({"deadline": datetime(2026, 3, 2, 10)}, "deadline: a time needs a zone"),  # noqa: DTZ001 - the mistake itself
    ],
)
def test_a_request_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    """At once, in words for whoever wrote it."""
    with pytest.raises(ValueError, match=words):
        asked(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_fee_minor": 1.5},
        {"beneficiary": "payee@example.test"},
        {"beneficiary": ({"rail": "alipay"},)},
    ],
)
def test_a_value_of_another_type_is_refused(changes: dict[str, Any]) -> None:
    """Before a key is made and anything is sent."""
    with pytest.raises(TypeError):
        asked(**changes)


def test_one_channel_name_is_no_list_of_letters() -> None:
    """`only="abc"` would ask for the channels a, b and c."""
    with pytest.raises(TypeError, match="only"):
        ChannelLimits(only="alipay-main")


@pytest.mark.parametrize("one", EVERY_RAIL, ids=lambda one: str(one.rail))
def test_every_rail_is_read_as_it_was_meant(one: Instrument) -> None:
    """The gateway's own models make the same instrument of it."""
    body = calls.create(asked(beneficiary=one), None).body
    assert body is not None
    (read,) = PayoutIn.model_validate_json(body).beneficiary.instruments
    assert read.instrument() == one


def test_there_is_a_builder_for_every_rail() -> None:
    """None is missing above."""
    assert {one.rail for one in EVERY_RAIL} == set(Rail)


def test_everything_optional_arrives() -> None:
    """Several ways to the payee, limits, times, metadata."""
    release = datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=8)))
    request = asked(
        beneficiary=EVERY_RAIL,
        merchant_ref="order-7",
        speed="instant",
        release_after=release,
        deadline=release + timedelta(days=1),
        max_fee_minor=50,
        channels=ChannelLimits(only=["a-1", "b-1"], prefer=("b-1",), max_attempts=2),
        metadata={"shop": "7"},
    )
    body = calls.create(request, None).body
    assert body is not None
    read = PayoutIn.model_validate_json(body)
    assert tuple(one.instrument() for one in read.beneficiary.instruments) == tuple(EVERY_RAIL)
    assert (read.merchant_ref, read.speed, read.max_fee_minor) == ("order-7", "instant", 50)
    assert read.release_after == release.astimezone(UTC)
    assert read.channels.constraints.only == ("a-1", "b-1")
    assert read.channels.constraints.prefer == ("b-1",)
    assert read.channels.constraints.max_attempts == 2
    assert read.metadata == {"shop": "7"}


def test_what_was_not_given_is_not_sent() -> None:
    """A later version that knows more must repeat a request in the same bytes."""
    assert set(asked().as_json()) == {"amount_minor", "currency", "beneficiary", "purpose"}


def test_lists_changed_later_change_nothing() -> None:
    """A request repeated tomorrow is the one of today."""
    payees, metadata = [EVERY_RAIL[0]], {"a": "1"}
    request = asked(beneficiary=payees, metadata=metadata)
    before = request.as_json()
    payees.append(EVERY_RAIL[1])
    metadata["b"] = "2"
    assert request.as_json() == before


def test_a_request_shows_no_payee() -> None:
    """Neither account nor name appears where requests are logged."""
    shown = repr(REQUEST)
    payee = cast("BankCard", REQUEST.instruments[0])
    assert payee.number not in shown
    assert payee.name not in shown
