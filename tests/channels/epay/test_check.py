"""What is refused before anything is signed: the field is named, its content is not."""

from dataclasses import replace
from typing import Any

import pytest

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    Instruction,
    Instrument,
    WechatWallet,
)
from channels.money import Currency, Money
from tests.channels.epay.platform import ACCOUNT, CARD, NOW, REFERENCE, WALLET, channel, instruction


def fields(made: Instruction, **changes: Any) -> list[str]:
    """The fields at fault."""
    return [problem.field for problem in channel(**changes).check(made)]


@pytest.mark.parametrize("instrument", [ACCOUNT, WALLET, CARD])
def test_an_ordinary_payout_has_no_problem(instrument: Instrument) -> None:
    """On each of the three rails."""
    assert fields(instruction(instrument)) == []


@pytest.mark.parametrize(
    "reference",
    ["", "1", REFERENCE[:-1], REFERENCE + "1", REFERENCE[:-1] + "A", " " + REFERENCE[1:],
     "４８１５１６２３４２１０８００００01", "-" + REFERENCE[1:]],
)  # fmt: skip
def test_hazard_2_only_19_digits_may_be_our_number(reference: str) -> None:
    """With any other the site pays under a number of its own, another one for each attempt."""
    assert fields(instruction(reference=reference)) == ["reference"]
    with pytest.raises(ValueError, match="reference"):
        channel().prepare(instruction(reference=reference), NOW)


@pytest.mark.parametrize(
    ("fen", "fits"), [(9, False), (10, True), (500_000_001, False), (0, False)]
)
def test_amounts_stay_within_the_terms(fen: int, fits: bool) -> None:
    """The operator's bounds; never nothing."""
    made = instruction(amount=Money(fen, Currency.CNY))
    assert fields(made) == ([] if fits else ["amount"])


def test_only_yuan_are_paid() -> None:
    """No other currency."""
    assert fields(instruction(amount=Money(100, Currency.USD))) == ["amount.currency"]


@pytest.mark.parametrize(
    ("purpose", "fits"), [("字" * 32, True), ("字" * 33, False), ("&" * 6, True), ("&" * 7, False)]
)
def test_the_remark_is_counted_as_the_site_counts_it(purpose: str, fits: bool) -> None:
    """After it was escaped for HTML."""
    assert fields(instruction(purpose=purpose)) == ([] if fits else ["purpose"])


def test_only_configured_rails_are_paid() -> None:
    """What the operator does not name is not there."""
    assert fields(instruction(CARD), rails=("alipay",)) == ["instrument"]
    corporate = BankAccount("0200004509022100123", "某公司", "102100000450", "工商银行")
    assert fields(instruction(corporate)) == ["instrument"]


@pytest.mark.parametrize(
    ("instrument", "field"),
    [
        (replace(ACCOUNT, identity=""), "instrument.identity"),
        (replace(ACCOUNT, identity=" zhang@example.com"), "instrument.identity"),
        (replace(ACCOUNT, identity="a&b@example.com"), "instrument.identity"),
        (AlipayAccount("2088", AlipayIdentity.USER_ID, "张"), "instrument.identity"),
        (AlipayAccount("074a1", AlipayIdentity.OPEN_ID, "张"), "instrument.identity_type"),
        (replace(WALLET, openid="o p"), "instrument.openid"),
        (replace(CARD, number="6222 0202"), "instrument.number"),
        (replace(CARD, name=""), "instrument.name"),
        (replace(ACCOUNT, name=None), "instrument.name"),
        (replace(ACCOUNT, name="O'Neill"), "instrument.name"),
        (replace(ACCOUNT, name="张三 "), "instrument.name"),
        (replace(ACCOUNT, name="张<三>"), "instrument.name"),
    ],
)  # fmt: skip
def test_what_the_site_would_refuse_or_change_is_a_problem(
    instrument: Instrument, field: str
) -> None:
    """It trims and escapes, and then pays somebody of that other name."""
    problems = channel().check(instruction(instrument))
    assert [problem.field for problem in problems] == [field]
    assert "zhang@" not in problems[0].message


def test_a_user_id_is_16_digits() -> None:
    """Beginning with 2088."""
    account = AlipayAccount("2088123456789012", AlipayIdentity.USER_ID, "张三丰")
    assert fields(instruction(account)) == []


def test_names_may_be_optional_but_not_for_cards() -> None:
    """Forks take an empty name; a card is never paid without one."""
    nameless = replace(WALLET, name=None)
    assert fields(instruction(nameless)) == ["instrument.name"]
    assert fields(instruction(nameless), name_required=False) == []
    card = replace(CARD, name=" ")
    assert fields(instruction(card), name_required=False) == ["instrument.name"]


def test_openids_belong_to_an_appid() -> None:
    """Checked where the operator knows the site's; else it is the site's to refuse."""
    wallet = WechatWallet(WALLET.openid, "wx0000000000000001", "张三丰")
    assert fields(instruction(wallet)) == []
    assert fields(instruction(wallet), wechat_appid="wx0000000000000002") == ["instrument.appid"]
    assert fields(instruction(WALLET), wechat_appid="wx0000000000000002") == []
