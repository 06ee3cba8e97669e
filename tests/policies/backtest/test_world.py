"""The generated month: seeded, priced as the product prices, and with a truth to compare with."""

from collections import Counter

from policies.backtest.record import Ending
from policies.backtest.world import World


def test_the_same_seed_makes_the_same_month() -> None:
    """And another seed another one."""
    assert list(World(1, 200).records()) == list(World(1, 200).records())
    assert list(World(1, 200).records()) != list(World(2, 200).records())


def test_a_month_is_a_month() -> None:
    """Payouts come in order, within March in Shanghai, at least 15 % of them in a hurry."""
    month = list(World(1, 3_000).records())
    times = [one.accepted_at for one in month]
    assert len(month) == 3_000
    assert times == sorted(times)
    assert 0.12 < sum(one.speed == "instant" for one in month) / 3_000 < 0.18
    assert min(one.amount_minor for one in month) >= 100
    assert max(one.amount_minor for one in month) <= 20_000_000


def test_exploration_is_logged_with_its_propensities() -> None:
    """About 1 % of first attempts explore, and each says how likely it was."""
    firsts = [one.choices[0] for one in World(1, 6_000).records()]
    outcomes = Counter(one.outcome for one in firsts)
    assert 0.001 < outcomes["explored"] / len(firsts) < 0.012
    assert all(
        sum(one.propensity_ppm or 0 for one in choice.order) == 1_000_000 for choice in firsts
    )


def test_success_is_as_true_as_the_world_says() -> None:
    """What happened agrees with the true rates of the channels chosen, within sampling error."""
    world = World(4, 6_000)
    expected = happened = 0.0
    for one in world.records():
        first = one.choices[0]
        expected += world.truth(first.order[0].channel, first.at)
        happened += first.result is not None and first.result.ending is not Ending.CHANNEL_FAILED
    assert abs(happened - expected) / 6_000 < 0.01


def test_a_failed_first_attempt_is_followed_by_another_channel() -> None:
    """The decision after a channel's failure does not go back to it."""
    failed = [one for one in World(1, 2_000).records() if len(one.choices) > 1]
    assert failed
    assert all(
        one.choices[0].order[0].channel != one.choices[1].order[0].channel
        for one in failed
        if one.choices[1].order
    )


def test_small_months_keep_the_shape_of_large_ones() -> None:
    """Tiers and commitments shrink with the count, so that both matter as much."""
    full, small = (
        {one.name: one.fees[0][1] for one in World(1, count).terms} for count in (300_000, 3_000)
    )
    assert [tier.floor for tier in full["volume"].tiers] == [0, 50_000, 150_000]
    assert [tier.floor for tier in small["volume"].tiers] == [0, 500, 1_500]
    assert small["volume"].commitment is not None
    assert small["volume"].commitment.least == 600
