"""Laws of planning, on drawn months."""

from collections import Counter
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.facts import ChannelFacts
from policies.fees import PPM
from policies.plan import greedy, milp
from policies.plan.classes import PayoutClass, class_from
from policies.plan.follow import PlanView, lagging, owed, view_on
from policies.plan.forecast import Forecast, Volume, level, shares_of
from policies.plan.layout import Layout, lay_out
from policies.plan.make import make_plan
from policies.plan.split import Method, Split
from policies.plan.written import from_json, to_json
from tests.policies.builders import LAW
from tests.policies.plan.worlds import (
    JUNE,
    PARAMETERS,
    SMALL,
    START,
    T1,
    channel,
    cliff,
    forecast,
    months,
)

METHODS = st.sampled_from(["milp", "greedy"])
FEW = settings(LAW, max_examples=40)
Month = tuple[Forecast, tuple[ChannelFacts, ...]]


@FEW
@given(months(), METHODS)
def test_shares_are_a_whole_and_go_only_where_they_may(month: Month, method: Method) -> None:
    """Every class with a channel has exactly a million parts, at channels that can carry it."""
    expected, channels = month
    plan = make_plan(expected, channels, PARAMETERS, START, method=method)
    by_name = {one.name: one for one in channels}
    layout = lay_out(expected, channels, PARAMETERS, START)
    offered = {(layout.lots[one.lot].group, layout.lots[one.lot].kind) for one in layout.offers}
    assert {(one.group, one.kind) for one in plan.shares} == offered
    amounts = {kind: volume.minor // volume.payouts for kind, volume in expected.volumes}
    for share in plan.shares:
        assert sum(ppm for _, ppm in share.parts) == PPM
        for name, _ in share.parts:
            at = by_name[name]
            takes = [
                offer
                for offer in layout.offers
                if layout.channels[offer.channel] is at
                and layout.lots[offer.lot][:2] == (share.group, share.kind)
            ]
            assert takes
            assert at.max_minor is None or amounts[share.kind] <= at.max_minor + 1
            assert share.kind.speed != "instant" or at.cycle.instant


@FEW
@given(months(), METHODS)
def test_same_input_same_plan(month: Month, method: Method) -> None:
    """Byte for byte, whatever the order of the channels; and JSON loses nothing."""
    expected, channels = month
    one = make_plan(expected, channels, PARAMETERS, START, method=method)
    again = make_plan(expected, channels[::-1], PARAMETERS, START, method=method)
    assert to_json(one) == to_json(again)
    assert from_json(to_json(one)) == one


def brute(layout: Layout, parts: int = 4) -> float:
    """The cheapest cost over all ways to give each lot out in quarters."""
    by_lot: dict[int, list[int]] = {}
    for at, offer in enumerate(layout.offers):
        by_lot.setdefault(offer.lot, []).append(at)
    ways = []
    for lot, offers in by_lot.items():
        cuts = [cut for cut in product(range(parts + 1), repeat=len(offers)) if sum(cut) == parts]
        count = layout.lots[lot].payouts
        ways.append(
            [
                [(at, count * part / parts) for at, part in zip(offers, cut, strict=True)]
                for cut in cuts
            ]
        )
    best = float("inf")
    for choice in product(*ways):
        given = [0.0] * len(layout.offers)
        for lot_ways in choice:
            for at, payouts in lot_ways:
                given[at] = payouts
        best = min(best, greedy.cost_micro(layout, Split("greedy", tuple(given), {})))
    return best


@settings(LAW, max_examples=25)
@given(
    st.tuples(st.integers(50, 300), st.integers(50, 300), st.integers(0, 400)),
    st.tuples(st.integers(200, 2_500), st.integers(1, 250)),
    st.tuples(st.integers(50, 2_000), st.integers(50, 2_000)),
)
def test_the_programme_beats_every_coarse_division(
    flats: tuple[int, int, int], step: tuple[int, int], counts: tuple[int, int]
) -> None:
    """No division in quarters is cheaper than the MILP; the heuristic is not cheaper either."""
    large = SMALL._replace(band=9)
    expected = forecast(
        {
            SMALL: Volume(counts[0], counts[0] * 25_000),
            large: Volume(counts[1], counts[1] * 140_000),
        },
        days=JUNE[:1],
    )
    fee = cliff(step[0], above=flats[0] + step[1], below=flats[0])
    channels = (
        channel("a", fee, T1),
        channel("b", cliff(700, flats[1] + 40, flats[1])),
        channel("c", cliff(10_000, flats[2], 0)),
    )
    layout = lay_out(expected, channels, PARAMETERS, START)
    found = greedy.cost_micro(layout, milp.solve(layout))
    assert found <= brute(layout) * (1 + 1e-6) + 1e6
    assert found <= greedy.cost_micro(layout, greedy.solve(layout)) * (1 + 2e-4) + 1e6


@FEW
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=9).filter(any))
def test_shares_of_weights(weights: list[int]) -> None:
    """A million in all, each within one part of its exact share, none where there is no weight."""
    shares = shares_of(weights)
    assert sum(shares) == PPM
    for weight, share in zip(weights, shares, strict=True):
        assert abs(share * sum(weights) - weight * PPM) <= sum(weights)
        assert weight or share <= 1


@FEW
@given(st.integers(1, 400), st.integers(1, 999_999))
def test_following_converges_to_the_shares(count: int, share: int) -> None:
    """Every channel is always within one of its share, and what is owed is zero in all."""
    given_out: dict[PayoutClass, Counter[str]] = {SMALL: Counter()}
    view = PlanView("p", {SMALL: (("a", share), ("b", PPM - share))}, {}, {}, given_out)
    totals = [("a", 5), ("b", 7)]
    for _ in range(count):
        at = lagging(SMALL, 20_000, totals, view, PARAMETERS)
        assert at is not None
        given_out[SMALL][totals[at][0]] += 1
    assert abs(given_out[SMALL]["a"] * PPM - share * count) <= PPM
    assert abs(sum(owed(view).get(SMALL, {}).values())) <= 2


@FEW
@given(st.floats(0.3, 3.0), st.integers(1, 20))
def test_level_follows_what_is_seen(ratio: float, days: int) -> None:
    """Between one and what was seen, nearer with every day, and surer."""
    seen = [(10_000, int(10_000 * ratio))] * days
    now, later = level(seen), level([*seen, seen[0]])
    low, high = sorted((PPM, int(PPM * ratio)))
    assert low - 200 <= now.ratio_ppm <= high + 200
    assert abs(later.ratio_ppm - ratio * PPM) <= abs(now.ratio_ppm - ratio * PPM) + 200
    assert later.spread_ppm <= now.spread_ppm


@given(
    st.sampled_from(["alipay", "bank_card"]),
    st.sampled_from(["fast", "instant"]),
    st.integers(0, 19),
)
def test_class_keys_come_back(rail: str, speed: str, band: int) -> None:
    """`class_from` reads what `text` wrote."""
    kind = PayoutClass(rail, speed, band)  # type: ignore[arg-type]  # drawn as such
    assert class_from(kind.text) == kind
    assert kind.end_minor is None or kind.floor_minor < kind.end_minor


def test_the_view_of_a_day_has_that_days_shares() -> None:
    """Weekend eves are a group of their own where T+1 is dear then."""
    expected = forecast({SMALL: Volume(3_000, 75_000_000)})
    channels = (channel("now", cliff(10**6, 3, 3)), channel("t1", cliff(10**6, 0, 0), T1))
    plan = make_plan(expected, channels, PARAMETERS, START)
    monday, friday = (view_on(plan, JUNE[at], {}) for at in (7, 4))
    assert monday.plan_id == plan.id
    assert plan.group_on(JUNE[7]) != plan.group_on(JUNE[4])
    assert friday.shares.keys() == monday.shares.keys()
