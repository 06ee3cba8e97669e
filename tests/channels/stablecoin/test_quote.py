"""When a rate may be trusted enough to send at all."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.stablecoin.quote import Quote, Quotes, quotes_of
from tests.channels.stablecoin.platform import CONVERTING, NOW, settings


def watched(*quotes: tuple[str, int]) -> Quotes:
    """Rates, each so many seconds before now."""
    made = Quotes(timedelta(seconds=60), 10_000)
    for rate, age_s in quotes:
        made.keep(Quote(Decimal(rate), NOW - timedelta(seconds=age_s)))
    return made


@pytest.mark.parametrize(
    ("quotes", "said"),
    [
        ([], "no quote"),
        ([("1.10", 0)], None),
        ([("1.10", 60)], None),
        ([("1.10", 61)], "old"),
        ([("1.10", 600), ("1.10", 10)], None),
        ([("1.00", 600), ("1.0100", 10)], None),
        ([("1.00", 600), ("1.01001", 10)], "moved"),
        ([("1.01001", 600), ("1.00", 10)], "moved"),
        ([("1.00", 900), ("1.05", 600), ("1.00", 10)], "moved"),
        ([("2.00", 3700), ("1.00", 10)], None),
    ],
)
def test_an_old_or_moving_rate_stops_payouts(
    quotes: list[tuple[str, int]], said: str | None
) -> None:
    """Sixty seconds, and one percent within the hour."""
    objection = watched(*quotes).objection(NOW)
    assert (objection is None) == (said is None)
    assert said is None or said in str(objection)


@given(st.permutations([("1.00", 5000), ("1.10", 1800), ("1.00", 1200), ("1.001", 5)]))
def test_the_order_of_arrival_changes_nothing(quotes: list[tuple[str, int]]) -> None:
    """Late answers are put where they belong."""
    assert watched(*quotes).kept == watched(*sorted(quotes, key=lambda one: -one[1])).kept


def test_a_quote_of_the_same_moment_replaces_the_earlier_one() -> None:
    """The institution may repeat itself."""
    assert len(watched(("1.10", 5), ("1.10", 5)).kept) == 1


def test_without_conversion_nothing_is_watched() -> None:
    """USD out of USD needs no rate."""
    assert quotes_of(settings()) is None
    assert quotes_of(settings(**CONVERTING, quote_max_age_s=5)) == Quotes(
        timedelta(seconds=5), 10_000
    )
