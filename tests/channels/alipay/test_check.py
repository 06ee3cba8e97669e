"""What Alipay would refuse for ever is found before anything is signed."""

from dataclasses import replace

import pytest

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    Instruction,
    Instrument,
    Rail,
    Resend,
    WechatWallet,
)
from channels.money import Currency, Money
from tests.channels.alipay.platform import (
    ACCOUNT,
    CARD,
    CORPORATE,
    LOGON,
    channel,
    instruction,
)

CHANNEL = channel()


def fields(given: Instruction) -> list[str]:
    """The fields at fault."""
    return [problem.field for problem in CHANNEL.check(given)]


def cny(fen: int) -> Money:
    """Fen."""
    return Money(fen, Currency.CNY)


@pytest.mark.parametrize("instrument", [ACCOUNT, LOGON, CARD, CORPORATE])
def test_complete_instruction_has_no_problems(instrument: Instrument) -> None:
    """Every rail this channel is configured for."""
    assert CHANNEL.check(instruction(instrument)) == ()


@pytest.mark.parametrize(
    "reference", ["", "x" * 65, "with space", "half.way", "中文", "a/b", "a+b"]
)
def test_reference_keeps_to_the_alphabet(reference: str) -> None:
    """Letters, digits, underscore and dash, at most 64."""
    assert fields(instruction(reference=reference)) == ["reference"]


@pytest.mark.parametrize("reference", ["x", "x" * 64, "A_b-9"])
def test_every_allowed_reference_passes(reference: str) -> None:
    """Up to the last character."""
    assert fields(instruction(reference=reference)) == []


@pytest.mark.parametrize("minor", [-1, 0, 9, 500_000_001])
def test_amount_keeps_to_product_and_terms(minor: int) -> None:
    """A tenth of a yuan at least, what the terms allow at most."""
    assert fields(instruction(amount=cny(minor))) == ["amount"]


@pytest.mark.parametrize("minor", [10, 500_000_000])
def test_bounds_themselves_pass(minor: int) -> None:
    """Both ends belong to the range."""
    assert fields(instruction(amount=cny(minor))) == []


def test_other_currencies_are_refused() -> None:
    """Alipay transfers are in CNY."""
    assert fields(instruction(amount=Money(100, Currency.USD))) == ["amount.currency"]


@pytest.mark.parametrize(("minor", "found"), [(4_999_999, []), (5_000_000, ["purpose"])])
def test_purpose_is_mandatory_from_fifty_thousand_yuan(minor: int, found: list[str]) -> None:
    """The platform wants a remark then."""
    assert fields(instruction(amount=cny(minor), purpose=" ")) == found


def test_purpose_fits_the_title() -> None:
    """128 characters, Chinese or not."""
    assert fields(instruction(purpose="佣" * 128)) == []
    assert fields(instruction(purpose="佣" * 129)) == ["purpose"]


@pytest.mark.parametrize(
    ("instrument", "field"),
    [
        (WechatWallet("openid"), "instrument"),
        (replace(ACCOUNT, identity="1088123456789012"), "instrument.identity"),
        (replace(ACCOUNT, identity="2088"), "instrument.identity"),
        (AlipayAccount(" ", AlipayIdentity.OPEN_ID), "instrument.identity"),
        (replace(LOGON, name=None), "instrument.name"),
        (replace(LOGON, name=" "), "instrument.name"),
        (replace(CARD, number="6222 0202"), "instrument.number"),
        (replace(CARD, number="1234567"), "instrument.number"),
        (replace(CARD, name=""), "instrument.name"),
        (replace(CORPORATE, bank_code="ICBC"), "instrument.bank_code"),
        (replace(CORPORATE, bank_name=" "), "instrument.bank_name"),
    ],
)
def test_instrument_is_complete(instrument: Instrument, field: str) -> None:
    """Each rail has its own rules."""
    assert fields(instruction(instrument)) == [field]


def test_rail_must_be_configured() -> None:
    """An application without the card product takes no cards."""
    only_accounts = channel(products={"alipay": "TRANS_ACCOUNT_NO_PWD"})
    assert [p.field for p in only_accounts.check(instruction(CARD))] == ["instrument"]
    assert only_accounts.traits.rails == {Rail.ALIPAY}


def test_problems_never_quote_the_payee() -> None:
    """They end up in answers and logs."""
    bad = instruction(replace(CARD, number="6222-0202-9999", name=""))
    assert "6222" not in repr(CHANNEL.check(bad))


@pytest.mark.parametrize(
    ("window_s", "resend"), [(None, Resend(86_400)), (600, Resend(600)), (0, None)]
)
def test_resend_window_is_a_day_unless_configured(
    window_s: int | None, resend: Resend | None
) -> None:
    """The same number may be sent again; 0 forbids it."""
    assert channel(resend_window_s=window_s).traits.resend == resend


def test_absence_never_proves() -> None:
    """Sticky: "not found" is not a failure here (reliability.md §4.4)."""
    assert not CHANNEL.traits.profile.absence_proves
    assert CHANNEL.traits.profile.acceptance_window_s is None
