"""What a bank would refuse for ever is a problem with a field's name."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bank import wire
from channels.bank.build import build
from channels.contract import AlipayAccount, AlipayIdentity, Instruction
from channels.money import Currency, Money
from tests.channels.bank.house import CARD, CORPORATE, NOW, TERMS, folders, instruction, settings

CHANNEL = build("bank-main", settings(), TERMS, lambda: NOW)


def fields(asked: Instruction) -> list[str]:
    """The fields at fault."""
    return [one.field for one in CHANNEL.check(asked)]


def test_ordinary_payouts_have_no_problem() -> None:
    """To a card and to a corporate account."""
    assert fields(instruction()) == fields(instruction(CORPORATE)) == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (instruction(reference=""), "reference"),
        (instruction(reference="A" * 34), "reference"),
        (instruction(reference="A-1"), "reference"),
        (instruction(amount=Money(0, Currency.CNY)), "amount"),
        (instruction(amount=Money(500_000_001, Currency.CNY)), "amount"),
        (instruction(amount=Money(100, Currency.USD)), "amount.currency"),
        (instruction(AlipayAccount("2088", AlipayIdentity.USER_ID)), "instrument"),
        (instruction(replace(CARD, number="6222-0202")), "instrument.number"),
        (instruction(replace(CARD, number="６２２２０２０２００１１")), "instrument.number"),
        (instruction(replace(CORPORATE, number="12")), "instrument.number"),
        (instruction(replace(CARD, name="  ")), "instrument.name"),
        (instruction(replace(CARD, name="长" * 141)), "instrument.name"),
        (instruction(replace(CARD, name="a\x00b")), "instrument.name"),
        (instruction(replace(CARD, bank_code="NOWHERE")), "instrument.bank_code"),
        (instruction(replace(CORPORATE, bank_code="1021")), "instrument.bank_code"),
        (instruction(purpose="备" * 141), "purpose"),
        (instruction(purpose="a\ud800b"), "purpose"),
    ],
)
def test_what_cannot_be_carried_is_named(asked: Instruction, field: str) -> None:
    """Once, by its field."""
    assert fields(asked) == [field]


def test_a_profile_may_do_without_line_numbers_for_cards(tmp_path: Path) -> None:
    """A corporate account never does."""
    lenient = build("bank-main", folders(tmp_path), TERMS, lambda: NOW)
    assert lenient.check(instruction(replace(CARD, bank_code=None))) == ()
    assert lenient.check(instruction(replace(CORPORATE, bank_code="1021")))


def test_problems_quote_nothing() -> None:
    """Neither number nor name."""
    told = CHANNEL.check(instruction(replace(CARD, number="6222x", name="")))
    assert told
    assert "6222" not in repr(told)


@given(
    name=st.text(max_size=145),
    number=st.text("0123456789- ", max_size=40),
    note=st.text(max_size=145),
)
def test_whatever_passes_can_be_written(name: str, number: str, note: str) -> None:
    """The check promises what the schema demands."""
    asked = instruction(replace(CARD, name=name, number=number), purpose=note)
    if not CHANNEL.check(asked):
        assert wire.transfer(asked, settings(), NOW)
