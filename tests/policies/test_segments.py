"""Segments: a closed set of names, each within another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.health import BANKS, WHOLE, bank_of, is_segment, path_of, rail_of, segment_of
from tests.policies.builders import LAW

RAILS = ("alipay", "bank_card", "bank_account")


@pytest.mark.parametrize(
    ("fen", "band"),
    [
        (1, "b1"),
        (99_999, "b1"),
        (100_000, "b2"),
        (999_999, "b2"),
        (1_000_000, "b3"),
        (4_999_999, "b3"),
        (5_000_000, "b4"),
        (10**12, "b4"),
    ],
)
def test_bands_meet_at_round_sums(fen: int, band: str) -> None:
    """¥1,000, ¥10,000 and ¥50,000 begin the next band."""
    assert segment_of("bank_card", "ICBC", fen, "CNY") == f"bank_card:ICBC:{band}"


def test_what_has_no_known_bank_is_its_rail() -> None:
    """A wallet, a bank nobody knows; another currency has no bands."""
    assert segment_of("alipay", None, 5, "CNY") == "alipay"
    assert segment_of("bank_card", "EVIL", 5, "CNY") == "bank_card"
    assert segment_of("bank_card", "ICBC", 5, "USD") == "bank_card:ICBC"


def test_a_path_leads_from_the_whole_down() -> None:
    """Each segment lies within the one before."""
    assert path_of(WHOLE) == ("",)
    assert path_of("bank_card:ICBC:b2") == ("", "bank_card", "bank_card:ICBC", "bank_card:ICBC:b2")
    assert (rail_of("bank_card:ICBC:b2"), bank_of("bank_card:ICBC:b2")) == ("bank_card", "ICBC")
    assert (rail_of("alipay"), bank_of("alipay"), bank_of(WHOLE)) == ("alipay", None, None)


@LAW
@given(
    st.sampled_from(RAILS),
    st.sampled_from([None, "NOPE", *sorted(BANKS)]),
    st.integers(1, 10**13),
    st.sampled_from(["CNY", "USD"]),
)
def test_every_segment_is_known(rail: str, bank: str | None, fen: int, currency: str) -> None:
    """What is made is recognised, and so is everything around it but the whole."""
    for part in path_of(segment_of(rail, bank, fen, currency))[1:]:
        assert is_segment(part, RAILS)


@pytest.mark.parametrize(
    "text", ["", "x", "bank_card:", "bank_card:EVIL", "bank_card:ICBC:b5", "bank_card:ICBC:b1:b1"]
)
def test_other_names_are_not(text: str) -> None:
    """Each would take memory for ever."""
    assert not is_segment(text, RAILS)
