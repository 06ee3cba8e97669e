"""Measured arrivals: a promise that is not kept costs what it really takes."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.arrivals_seen import ARRIVALS_MAX, arrivals_of, distribution, most_by
from policies.calendars.arrivals import DAYS_MAX, arrival, days_taken
from policies.cost import (
    capital_micro,
    expected_capital_micro,
    expected_lateness_micro,
    lateness_micro,
)
from policies.decide import decide
from policies.facts import Cycle
from policies.fees import Fee
from tests.policies.builders import FRIDAY_NOON, INSTANT, LAW, T1, beijing, channel, payout, policy

MICRO = 1_000_000
HOUR = timedelta(hours=1)
delays = st.lists(st.integers(1, 9), max_size=60)


def test_nothing_seen_is_the_promise() -> None:
    """So are arrivals that all kept it."""
    assert distribution([], 1) == ()
    assert distribution([1] * 500, 1) == ()


def test_t_plus_1_that_arrives_on_the_third_day_is_charged_three() -> None:
    """After a few hundred arrivals the promise hardly counts any more."""
    seen = distribution([3] * 1_000, 1)
    (promised, few), (real, many) = seen
    assert (promised, real, few + many) == (1, 3, MICRO)
    assert many > 930_000
    assert most_by(seen, 1) == 3


def test_a_few_late_ones_move_little() -> None:
    """The promise weighs as much as twenty arrivals."""
    seen = dict(distribution([3], 1))
    assert seen[3] == pytest.approx(MICRO / 21, abs=2)


def test_new_arrivals_count_twice_as_much_as_those_200_older() -> None:
    """A channel that has become punctual is believed soon."""
    newest, older = 2, 3
    seen = dict(distribution([newest, *[1] * 199, older], 1))
    assert seen[newest] / seen[older] == pytest.approx(2, rel=0.01)


def test_only_the_newest_are_read() -> None:
    """What is older weighs next to nothing."""
    assert distribution([1] * ARRIVALS_MAX + [9] * 50, 1) == ()


@LAW
@given(delays)
def test_shares_add_up_and_rise(seen: list[int]) -> None:
    """Exactly a million, without holes, by rising delay."""
    found = distribution(seen, 1)
    assert sum(ppm for _, ppm in found) in {0, MICRO}
    assert [days for days, _ in found] == sorted({days for days, _ in found})
    assert all(ppm > 0 for _, ppm in found)


@LAW
@given(delays.filter(bool), st.data(), st.integers(1, 10**10))
def test_later_arrivals_are_never_cheaper(
    seen: list[int], data: st.DataObject, amount: int
) -> None:
    """Putting any arrival off raises capital, lateness and the day shown, or leaves them."""
    at = data.draw(st.integers(0, len(seen) - 1))
    later = [*seen[:at], seen[at] + data.draw(st.integers(1, 5)), *seen[at + 1 :]]
    deadline = FRIDAY_NOON + timedelta(days=2)
    costs = []
    for one in (seen, later):
        shown, spread = arrivals_of(T1, distribution(one, 1), FRIDAY_NOON)
        if not spread:
            spread = ((shown, MICRO),)
        costs.append(
            (
                expected_capital_micro(amount, 120_000, spread),
                expected_lateness_micro(amount, 1_000, spread, deadline),
                shown.on,
            )
        )
    assert all(before <= after for before, after in zip(*costs, strict=True))


@LAW
@given(st.integers(1, 9), st.integers(1, 10**10))
def test_a_certain_arrival_costs_what_its_day_costs(days: int, amount: int) -> None:
    """One delay with the whole weight is priced as the plain formula prices it."""
    shown, spread = arrivals_of(T1, ((days, MICRO),), FRIDAY_NOON)
    assert shown == arrival(T1, FRIDAY_NOON, days=days)
    deadline = FRIDAY_NOON + timedelta(days=1)
    assert expected_capital_micro(amount, 120_000, spread) == capital_micro(
        amount, 120_000, shown.days_calendar
    )
    assert expected_lateness_micro(amount, 1_000, spread, deadline) == lateness_micro(
        amount, 1_000, shown, deadline
    )


@pytest.mark.parametrize(
    ("arrived", "days"),
    [
        (beijing(2026, 11, 20, 18), 1),  # before the promised Monday counts as on time
        (beijing(2026, 11, 23, 23), 1),
        (beijing(2026, 11, 24, 0, 1), 2),
        (beijing(2026, 11, 28), 6),  # on a Saturday: the working day that ends it
        (beijing(2027, 11, 20), 1 + DAYS_MAX),
        (beijing(2026, 11, 19), 1),  # before it was sent: clocks differ
    ],
)
def test_delays_count_as_the_cycle_does(arrived: object, days: int) -> None:
    """Working days from Friday noon, T+1 promised."""
    assert days_taken(T1, FRIDAY_NOON, arrived) == days  # type: ignore[arg-type]  # a moment each


def test_a_punctual_channel_stays_punctual_over_a_holiday() -> None:
    """Ten calendar days over Spring Festival are one working day."""
    sent = beijing(2026, 2, 14)
    assert days_taken(T1, sent, beijing(2026, 2, 24, 9)) == 1


def test_after_the_cut_off_counting_starts_a_day_later() -> None:
    """As the promise does."""
    assert days_taken(T1, beijing(2026, 11, 18, 17), beijing(2026, 11, 20, 9)) == 1


@pytest.mark.parametrize(("late", "days"), [(0, 0), (23, 0), (24, 1), (49, 2)])
def test_instant_money_counts_in_days_of_24_hours(late: int, days: int) -> None:
    """Midnight alone makes nothing late."""
    assert days_taken(INSTANT, FRIDAY_NOON, FRIDAY_NOON + late * HOUR) == days
    assert arrival(INSTANT, FRIDAY_NOON, days=days).days_calendar == days


def test_the_channel_that_breaks_its_promise_loses_to_an_honest_one() -> None:
    """Equal fees: T+1 arriving T+3 costs more than T+2 arriving T+2."""
    honest = channel("honest", cycle=Cycle(days=2, calendar="cn_statutory"))
    liar = channel("liar", cycle=Cycle(days=1, calendar="cn_statutory"))
    at = beijing(2026, 11, 16)
    big = payout(5_000_000)
    assert decide(big, [honest, liar], policy(), at, 0).order[0].channel == "liar"
    seen = distribution([3] * 500, 1)
    caught = channel("liar", cycle=liar.cycle, arrivals=seen)
    decision = decide(big, [honest, caught], policy(), at, 0)
    assert decision.order[0].channel == "honest"
    assert decision.order[1].arrival.on.isoformat() == "2026-11-19"


def test_an_instant_channel_that_takes_days_is_too_slow_for_instant_payouts() -> None:
    """It is judged by when 90 % arrive."""
    slow = channel("slow", arrivals=distribution([2] * 500, 0))
    decision = decide(payout(speed="instant"), [slow], policy(), FRIDAY_NOON, 0)
    assert [one.code for one in decision.excluded[0].reasons] == ["too_slow"]
    usual = channel("usual", arrivals=distribution([0] * 300 + [2] * 20, 0))
    assert decide(payout(speed="instant"), [usual], policy(), FRIDAY_NOON, 0).order


def test_a_channel_without_a_fee_cannot_win() -> None:
    """Out with the reason, however free it looks; a free one says so."""
    silent, free = channel("silent", fee=None), channel("free", fee=Fee())
    decision = decide(payout(), [silent, free, channel("dear", 500)], policy(), FRIDAY_NOON, 0)
    assert [one.channel for one in decision.order] == ["free", "dear"]
    assert [(one.channel, one.reasons[0].code) for one in decision.excluded] == [
        ("silent", "no_fee")
    ]
    assert "手续费" in decision.excluded[0].reasons[0].zh
