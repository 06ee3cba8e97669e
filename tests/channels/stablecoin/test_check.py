"""What is refused for ever, with the field's name."""

from dataclasses import replace

import pytest

from channels.contract import AlipayAccount, AlipayIdentity, Instruction, Instrument, WireAccount
from channels.money import Currency, Money
from tests.channels.stablecoin.platform import ADDRESS, BANK, TERMS, channel, instruction


@pytest.mark.parametrize("instrument", [BANK, ADDRESS])
def test_ordinary_instructions_are_taken(instrument: Instrument) -> None:
    """Both rails."""
    assert channel().check(instruction(instrument)) == ()


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (instruction(reference=""), "reference"),
        (instruction(reference="a" * 33), "reference"),
        (instruction(reference="a-b"), "reference"),
        (instruction(amount=Money(0, Currency.USD)), "amount"),
        (instruction(amount=Money(TERMS.amount_max + 1, Currency.USD)), "amount"),
        (instruction(amount=Money(1, Currency.EUR)), "amount.currency"),
        (instruction(amount=Money(1, Currency.CNY)), "amount.currency"),
        (instruction(WireAccount("DE89370400440532013000", "x")), "instrument.account_id"),
        (instruction(replace(ADDRESS, chain="TRX")), "instrument.chain"),
        (instruction(replace(ADDRESS, recipient_id=None)), "instrument.recipient_id"),
        (instruction(replace(ADDRESS, recipient_id="0x00")), "instrument.recipient_id"),
        (instruction(AlipayAccount("x", AlipayIdentity.LOGON_ID, "x")), "instrument"),
    ],
)
def test_what_the_account_cannot_carry_is_named(order: Instruction, field: str) -> None:
    """And nothing of what is in the field is quoted."""
    found = channel().check(order)
    assert [problem.field for problem in found] == [field]
    assert order.reference == "" or order.reference not in found[0].message


def test_a_rail_that_is_not_activated_is_refused() -> None:
    """Fiat and crypto payouts are two products."""
    (problem,) = channel(rails=["wire"]).check(instruction(ADDRESS))
    assert problem.field == "instrument"
