"""Books keep the truth: balances follow from movements, and short money moves nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.books import Books, FeeSchedule, MovementKind, ShortBalanceError

AT = datetime(2026, 1, 1, tzinfo=UTC)
KINDS: tuple[MovementKind, ...] = ("payout", "return", "fee", "topup")


MOVES = st.tuples(st.sampled_from(KINDS), st.integers(min_value=1, max_value=500))


@given(st.lists(MOVES, max_size=30))
def test_the_balance_follows_from_the_movements(moves: list[tuple[MovementKind, int]]) -> None:
    """Opening balance plus what the truth says is the balance, whatever was refused between."""
    books = Books()
    books.open("a", 1000)
    for kind, amount in moves:
        try:
            books.move(kind, at=AT, account="a", amount_minor=amount)
        except ShortBalanceError:
            assert amount > books.available_minor("a")
    net = sum(-m.amount_minor if m.is_outgoing else m.amount_minor for m in books.truth)
    assert books.balance_minor("a") == 1000 + net >= 0
    assert [m.number for m in books.truth] == list(range(1, len(books.truth) + 1))
    if books.truth:
        assert books.truth[-1].balance_minor == books.balance_minor("a")


def test_frozen_money_cannot_be_spent() -> None:
    """Freezing lowers what is available, not the balance, and cannot be exceeded."""
    books = Books()
    books.open("a", 100)
    books.freeze("a", 60)
    assert (books.balance_minor("a"), books.available_minor("a")) == (100, 40)
    with pytest.raises(ShortBalanceError):
        books.freeze("a", 41)
    with pytest.raises(ShortBalanceError):
        books.move("payout", at=AT, account="a", amount_minor=41)
    books.unfreeze("a", 60)
    assert books.available_minor("a") == 100
    with pytest.raises(ValueError, match="more than is frozen"):
        books.unfreeze("a", 1)
    assert books.truth == []


def test_a_movement_has_a_positive_amount_and_accounts_open_once() -> None:
    """Zero and negative amounts are mistakes, and so is opening twice."""
    books = Books()
    books.open("a", 100)
    with pytest.raises(ValueError, match="positive"):
        books.move("payout", at=AT, account="a", amount_minor=0)
    with pytest.raises(ValueError, match="already open"):
        books.open("a", 1)


@pytest.mark.parametrize(
    ("schedule", "amount", "fee"),
    [
        (FeeSchedule(rate_ppm=1000), 123_450, 123),
        (FeeSchedule(rate_ppm=1000, min_fen=200), 123_450, 200),
        (FeeSchedule(rate_ppm=1000), 500, 1),
        (FeeSchedule(rate_ppm=1000), 499, 0),
        (FeeSchedule(flat_fen=50, rate_ppm=6000, max_fen=100), 1_000_000, 100),
        (FeeSchedule(), 1_000_000, 0),
    ],
)
def test_a_fee_is_rounded_half_up_and_held_in_bounds(
    schedule: FeeSchedule, amount: int, fee: int
) -> None:
    """The worked example of the docstring, and its edges."""
    assert schedule.of(amount) == fee
