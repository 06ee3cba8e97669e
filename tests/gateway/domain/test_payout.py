"""Identifiers that sort by time, references that fit the channel, and views of a payout."""

import string
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.alipay.channel import REFERENCE as ALIPAY_RULE
from channels.contract import ReferenceRule
from gateway.domain.payout import PayoutId, channel_reference, sortable_id
from tests.builders import NOW, bank_card, payout
from tests.gateway.domain.situations import situation

WECHAT_RULE = ReferenceRule(string.digits + string.ascii_letters, 1, 32)
NUMERIC_RULE = ReferenceRule(string.digits, 1, 19)
"""A channel that takes a 64-bit number."""
RULES = {"wechat": WECHAT_RULE, "alipay": ALIPAY_RULE, "numeric": NUMERIC_RULE}

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
IDS = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=40)


# --- Ids -----------------------------------------------------------------------------------------


@given(at=MOMENTS, later_ms=st.integers(2, 10**12), low=st.binary(min_size=10, max_size=10))
def test_ids_sort_by_time(at: datetime, later_ms: int, low: bytes) -> None:
    """A later id sorts later, whatever the random parts are."""
    first = sortable_id("po_", at, b"\xff" * 10)
    second = sortable_id("po_", at + timedelta(milliseconds=later_ms), low)
    assert first < second


@given(one=st.binary(min_size=10, max_size=10), other=st.binary(min_size=10, max_size=10))
def test_ids_of_one_moment_differ_by_their_entropy(one: bytes, other: bytes) -> None:
    """All 80 bits are in the id."""
    ids = (sortable_id("po_", NOW, one), sortable_id("po_", NOW, other))
    assert (ids[0] == ids[1]) is (one == other)


def test_id_is_short_lower_case_text() -> None:
    """A prefix and 26 characters that survive URLs, logs and case-blind databases."""
    made = sortable_id("po_", NOW, bytes(range(10)))
    assert len(made) == 29
    assert made.startswith("po_")
    assert set(made[3:]) <= set(string.digits + "abcdefghijklmnopqrstuv")


@pytest.mark.parametrize("count", [0, 9, 11])
def test_id_takes_exactly_its_entropy(count: int) -> None:
    """Too few random bytes are a defect, and so are too many."""
    with pytest.raises(ValueError, match="10 bytes"):
        sortable_id("po_", NOW, bytes(count))


def test_ids_of_consecutive_moments_sort_strictly() -> None:
    """A second of milliseconds, one by one."""
    made = [
        sortable_id("", NOW + timedelta(milliseconds=ms), bytes(10)) for ms in range(0, 2000, 2)
    ]
    assert all(one < other for one, other in pairwise(made))


# --- References ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@given(payout_id=IDS, number=st.integers(1, 99))
def test_reference_fits_the_channel(rule: ReferenceRule, payout_id: str, number: int) -> None:
    """Only its characters, as long as it allows up to 32, and no zero in front."""
    reference = channel_reference(PayoutId(payout_id), number, rule)
    assert set(reference) <= set(rule.alphabet)
    assert len(reference) == min(rule.length_max, 32)
    assert rule.length_min <= len(reference) <= rule.length_max
    assert reference[0] != rule.alphabet[0]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_reference_is_a_function_of_payout_and_attempt(rule: ReferenceRule) -> None:
    """The same for ever for one attempt, another for the next."""
    po = PayoutId("po_0k2j9")
    first = channel_reference(po, 1, rule)
    channel_reference.cache_clear()
    assert channel_reference(po, 1, rule) == first
    assert channel_reference(po, 2, rule) != first
    assert channel_reference(PayoutId("po_0k2j8"), 1, rule) != first


GOLDEN = {
    "wechat": "aSsOQnXGWg6vTiwfeDlqY49j2aAYlFHz",
    "alipay": "V2VY-lnooaauegi5WvjzrykgoszpMVjj",
    "numeric": "4744071536686592585",
}


def test_references_of_stored_attempts_never_change() -> None:
    """I4: these were given to channels; a change of the formula would ask about nothing."""
    po = PayoutId("po_06ah3q1mg000000000000001")
    made = {name: channel_reference(po, 1, rule) for name, rule in RULES.items()}
    assert made == GOLDEN


def test_numeric_reference_fits_a_64_bit_column() -> None:
    """Nineteen digits have room to overflow; the space is below 10^19 and above 10^18."""
    made = [int(channel_reference(PayoutId(f"po_{n}"), 1, NUMERIC_RULE)) for n in range(1000)]
    assert min(made) >= 10**18
    assert max(made) < 10**19


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_references_do_not_collide(rule: ReferenceRule) -> None:
    """A hundred thousand payouts with two attempts each, all different."""
    made = {
        channel_reference(PayoutId(f"po_{payout_number}"), number, rule)
        for payout_number in range(100_000)
        for number in (1, 2)
    }
    assert len(made) == 200_000


def test_references_use_the_whole_alphabet() -> None:
    """Every character occurs at every place (the zero never at the first)."""
    made = [channel_reference(PayoutId(f"po_{n}"), 1, NUMERIC_RULE) for n in range(2000)]
    places = [set(place) for place in zip(*made, strict=True)]
    assert places[0] == set("123456789")
    assert all(place == set(string.digits) for place in places[1:])


# --- Views ---------------------------------------------------------------------------------------


def test_hold_is_amount_and_our_fee() -> None:
    """100.00 and 0.30."""
    assert payout().hold_minor == 10_030


def test_live_attempt_is_the_one_that_may_have_moved_money() -> None:
    """None before the first and after a death; confirmed and returned ones count."""
    assert payout().live is None
    assert situation("routing after a dead attempt").live is None
    for name in ("attempting, the second armed", "paid by the second"):
        live = situation(name).live
        assert live is not None
        assert live.number == 2
    assert situation("returned").live is not None


def test_repr_shows_no_payee() -> None:
    """I21: a payout in a log or traceback tells neither number nor name."""
    text = repr(payout(instruments=(bank_card("6222021234567890123", "王五"),)))
    assert "po_" in text
    assert "6222021234567890123" not in text
    assert "王五" not in text
