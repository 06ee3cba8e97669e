"""A balance held against our books: what is explained, what is told, and what ends it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Balance
from channels.money import Currency
from gateway.domain.floats import (
    BalancePace,
    Extent,
    KeptBalance,
    Verdict,
    compare,
    evidence,
    failed,
)
from gateway.domain.incident import IncidentKind, of_float
from tests.builders import NOW, cny

PACE = BalancePace(looks=3)
BEGIN = KeptBalance("alipay-a", Currency.CNY, NOW)
QUIET = Extent(10_000, 10_000)
MINOR = st.integers(-(10**9), 10**9)


def look(
    kept: KeptBalance, minor: int, extent: Extent = QUIET, pace: BalancePace = PACE
) -> tuple[KeptBalance, Verdict]:
    """One more look that hears `minor`."""
    return compare(kept, Balance(cny(minor), NOW + timedelta(minutes=5)), extent, pace)


def looks(kept: KeptBalance, *minors: int) -> tuple[KeptBalance, list[Verdict]]:
    """Several in a row."""
    verdicts = []
    for minor in minors:
        kept, verdict = look(kept, minor)
        verdicts.append(verdict)
    return kept, verdicts


@pytest.mark.parametrize(
    ("minor", "off"), [(9_999, -1), (10_000, 0), (12_000, 0), (14_000, 0), (14_001, 1)]
)
def test_what_is_in_flight_explains_either_end(minor: int, off: int) -> None:
    """Money in transit may have left or not; only what is beyond both is off."""
    assert Extent(10_000, 14_000).off(minor, 0) == off


def test_the_tolerance_is_forgiven_whole_or_not_at_all() -> None:
    """A difference beyond it is told in full."""
    assert Extent(100, 100).off(91, 9) == 0
    assert Extent(100, 100).off(90, 9) == -10
    assert Extent(100, 100).off(110, 9) == 10


def test_a_difference_is_told_once_it_has_lasted_and_once() -> None:
    """Three looks in a row, then silence while it stays what it is or shrinks."""
    kept, verdicts = looks(BEGIN, 9_000, 9_000, 9_000, 9_000, 9_500, 9_500, 9_500)
    assert verdicts == [Verdict.NOTHING, Verdict.NOTHING, Verdict.OFF, *[Verdict.NOTHING] * 4]
    assert kept.told_minor == -1_000
    assert kept.off_minor == -500


def test_one_agreeing_look_begins_the_count_anew() -> None:
    """As does a difference that turns round."""
    _, verdicts = looks(BEGIN, 9_000, 9_000, 10_000, 9_000, 9_000, 11_000, 11_000)
    assert set(verdicts) == {Verdict.NOTHING}


def test_a_difference_that_grows_is_told_again() -> None:
    """After as many looks; people knew of less."""
    _, verdicts = looks(BEGIN, *[9_000] * 3, *[8_000] * 3)
    assert [number for number, one in enumerate(verdicts) if one is Verdict.OFF] == [2, 5]


def test_its_end_is_seen_at_the_first_look_that_agrees() -> None:
    """And a new difference is told anew."""
    kept, verdicts = looks(BEGIN, *[9_000] * 3, 10_000)
    assert verdicts[-1] is Verdict.AGREES
    assert looks(kept, *[9_000] * 3)[1][-1] is Verdict.OFF


def test_what_is_in_flight_cannot_hide_that_it_ended() -> None:
    """While as much is under way as was told, an agreeing balance proves nothing."""
    kept, _ = looks(BEGIN, *[9_000] * 3)
    kept, verdict = look(kept, 10_000, Extent(10_000, 11_000))
    assert (verdict, kept.told_minor) == (Verdict.NOTHING, -1_000)
    kept, verdict = look(kept, 10_000, Extent(10_000, 10_999))
    assert (verdict, kept.told_minor) == (Verdict.AGREES, 0)


def test_a_look_that_hears_nothing_keeps_what_was_said() -> None:
    """With its age, so that nobody takes it for new; the next answer ends the count."""
    kept, _ = looks(BEGIN, 9_000)
    deaf = failed(failed(kept, "no answer"), "no answer")
    assert (deaf.available_minor, deaf.said_at) == (kept.available_minor, kept.said_at)
    assert (deaf.failures, deaf.problem, deaf.off_looks) == (2, "no answer", 1)
    assert look(deaf, 9_000)[0].failures == 0


@pytest.mark.parametrize(
    ("ours", "usable"),
    [(10_000, 7_000), (4_000, 1_000), (12_000, 7_000)],
)
def test_what_may_be_counted_on_is_the_smaller(ours: int, usable: int) -> None:
    """What was lacking still lacks, and a top-up counts once the institution shows it."""
    kept, _ = looks(BEGIN, 7_000)
    assert kept.free_minor(ours) == usable


@given(low=MINOR, width=st.integers(0, 10**9), said=MINOR, ours=MINOR)
def test_what_may_be_counted_on_is_never_more_than_either_says(
    low: int, width: int, said: int, ours: int
) -> None:
    """Whatever the institution says, it can only make us more careful."""
    kept, _ = look(BEGIN, said, Extent(low, low + width))
    assert kept.free_minor(ours) <= min(ours, said)


@given(low=MINOR, width=st.integers(0, 10**9), sent=st.data())
def test_any_part_of_what_is_in_flight_may_have_left(
    low: int, width: int, sent: st.DataObject
) -> None:
    """Honest books and an honest institution never differ, however far payouts have come."""
    left = sent.draw(st.integers(0, width))
    assert Extent(low, low + width).off(low + width - left, 0) == 0


def test_both_languages_say_what_is_off() -> None:
    """A person reads who has what, and by how much."""
    kept, _ = look(BEGIN, 9_000, Extent(10_000, 12_000))
    assert evidence(kept) == (
        "the channel has 90.00 CNY, our books say 100.00 CNY - 120.00 CNY: 10.00 CNY too little / "
        "机构余额 90.00 CNY，账面 100.00 CNY - 120.00 CNY：少 10.00 CNY"
    )
    assert "多 10.00 CNY" in evidence(look(BEGIN, 11_000)[0])


def test_the_incident_stops_nothing() -> None:
    """It is for people; no failover freezes, no money waits."""
    kept, _ = look(BEGIN, 9_000)
    incident = of_float(kept, NOW, "in_1")
    assert incident.kind is IncidentKind.FLOAT_OFF
    assert not incident.kind.freezes
    assert (incident.channel, incident.evidence) == ("alipay-a", evidence(kept))
