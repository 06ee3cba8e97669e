"""The benchmark's own worlds, in small: ours loses less than the window rule; its picks are ours.

`make bench-routing` measures in earnest.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.decide import decide
from policies.facts import MICRO, HealthView
from tests.bench.routing.ours import pick
from tests.bench.routing.sr import OURS, regrets_of, wins_of
from tests.bench.routing.world import HELD_OUT, VARIANTS
from tests.policies.builders import FRIDAY_NOON, channel, payout, policy

SEEDS = list(range(HELD_OUT, HELD_OUT + 4))
SMALL = replace(VARIANTS["PAY"], payouts=10_000, outages=0.7, median=600.0)
NAMES = ("a", "b", "c", "d")


def test_regret_is_well_below_a_sliding_window_rule() -> None:
    """On most fixed seeds ours loses less, and on average at most two thirds as much."""
    ours = regrets_of(OURS, SMALL, SEEDS)
    window = regrets_of("window", SMALL, SEEDS)
    assert wins_of(ours, window) >= 0.75, (ours, window)
    assert sum(ours) <= sum(window) * 2 / 3, (ours, window)


def test_a_seed_is_a_world() -> None:
    """The same seed gives the same regret, another one gives another."""
    tiny = replace(SMALL, payouts=500)
    first = regrets_of(OURS, tiny, [1, 2])
    assert regrets_of(OURS, tiny, [1, 2]) == first
    assert first[0] != first[1]


@st.composite
def view(draw: st.DrawFn) -> HealthView:
    """One in four is in quarantine."""
    sick = draw(st.integers(0, 3)) == 0
    return HealthView(
        draw(st.integers(0, MICRO)),
        draw(st.integers(0, MICRO)),
        quarantined=sick,
        probing=sick and draw(st.booleans()),
        probe_at=FRIDAY_NOON + timedelta(seconds=9) if sick else None,
    )


@settings(max_examples=200)
@given(st.tuples(view(), view(), view(), view()), st.integers(0, MICRO - 1))
def test_the_benchmark_picks_what_the_product_decides(
    views: tuple[HealthView, ...], draw_ppm: int
) -> None:
    """Whenever the product would send at all."""
    facts = [channel(name, health=one) for name, one in zip(NAMES, views, strict=True)]
    decision = decide(payout(100), facts, policy(explore_ppm=10_000), FRIDAY_NOON, draw_ppm)
    if decision.chosen is not None:
        assert (
            pick(NAMES, dict(zip(NAMES, views, strict=True)), draw_ppm) == decision.chosen.channel
        )
