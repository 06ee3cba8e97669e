"""How payouts read in other protocols: the table, and what it is made from."""

import pytest

from gateway.api.dialects.states import WORDS
from gateway.domain.dialect import (
    ENDED_UNPAID,
    DialectAccount,
    Standing,
    Switches,
    derived_digits,
    standing_of,
)
from gateway.domain.lifecycle import apply
from gateway.domain.payout import Event, Payout, PayoutState
from tests import builders as build
from tests.gateway.domain.situations import HISTORIES, situation

FAILURES = {("epay_query", 2), ("jeepay", 3), ("xxpay", 3), ("xxpay", 6)} | {
    *(("alipay", word) for word in ("FAIL", "CLOSED", "REFUND")),
}


def test_every_standing_has_words() -> None:
    """In every protocol."""
    assert set(WORDS) == set(Standing)


@pytest.mark.parametrize("standing", Standing)
def test_only_what_ended_unpaid_is_shown_as_failed(standing: Standing) -> None:
    """Jeepay's callers refund at anything but 1 and 2, so nothing else is said before that."""
    words = WORDS[standing]
    shown = {(name, getattr(words, name)) for name, _ in FAILURES}

    assert bool(shown & FAILURES) == (standing in ENDED_UNPAID)
    assert words.jeepay in {1, 2, 3}
    assert words.alipay in {"DEALING", "SUCCESS", "FAIL", "REFUND"}
    assert (words.alipay == "SUCCESS") == (standing is Standing.PAID)
    assert words.epay_submit in {0, 1}
    assert (words.epay_query == 1) == (standing is Standing.PAID)


@pytest.mark.parametrize("name", HISTORIES)
def test_no_payout_that_may_be_paid_reads_as_failed(name: str) -> None:
    """Over every situation there is: a live try that has not come back is never a failure."""
    payout = situation(name)
    unpaid = standing_of(payout) in ENDED_UNPAID
    live = payout.live

    if live is not None and payout.state is not PayoutState.RETURNED:
        assert not unpaid
    if any(one.contradictions for one in payout.attempts):
        assert not unpaid or payout.state is PayoutState.RETURNED


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ((), Standing.OPEN),
        ((build.armed(),), Standing.OPEN),
        ((build.armed(), build.died()), Standing.OPEN),
        ((build.armed(), build.died(), build.failed()), Standing.FAILED),
        ((build.armed(), build.died(), build.failed(), build.contradicted()), Standing.OPEN),
        ((build.armed(), build.died(), build.contradicted()), Standing.OPEN),
        ((build.cancelled(),), Standing.REJECTED),
    ],
)
def test_a_story_reads_as(events: tuple[Event, ...], standing: Standing) -> None:
    """One by one."""
    told: Payout = build.payout(state=PayoutState.ROUTING)
    for event in events:
        told = apply(told, event, build.NOW)

    assert standing_of(told) is standing


def test_references_are_apart_and_printable() -> None:
    """Whatever a caller numbers its orders with, its merchant_ref fits and is its alone."""
    account = DialectAccount(
        "da_0123456789", build.MERCHANT, "epay", "1", (), Switches(), build.NOW
    )
    numbers = ["A-1", "a-1", "单号", "~x", "x" * 64, "x" * 63 + "y", "a b", "~" + "0" * 48]
    refs = [account.ref_of(number) for number in numbers]

    assert len(set(refs)) == len(numbers)
    assert all(len(ref) <= 64 and ref.isascii() and " " not in ref for ref in refs)
    assert refs[0] == "da_0123456789:A-1"


def test_own_numbers_are_derived_and_salted() -> None:
    """The same for the same order, nineteen digits, never a leading zero."""
    account = DialectAccount("da_1", build.MERCHANT, "epay", "1", (), Switches(), build.NOW)
    made = {derived_digits(account, f"n{n}", salt, 19) for n in range(500) for salt in (0, 1)}

    assert len(made) == 1000
    assert all(len(one) == 19 and one[0] != "0" for one in made)
    assert derived_digits(account, "n0", 0, 19) in made
