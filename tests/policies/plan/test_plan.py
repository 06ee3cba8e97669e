"""What plans say and do in months made for it."""

from collections import Counter
from datetime import date

import pytest
from msgspec.structs import replace

from policies.decide import decide
from policies.fees import PPM, Commitment, Fee, MonthUse, Tier
from policies.plan import make
from policies.plan.classes import PayoutClass, band_of, class_from, class_of
from policies.plan.drift import drifted
from policies.plan.follow import PlanView, lagging, owed, view_on
from policies.plan.forecast import Day, Forecast, Volume, from_history, level
from policies.plan.make import make_plan
from policies.plan.model import Plan
from policies.plan.split import Marginal, Method
from policies.plan.told import channel_told, shares_by_class, told
from policies.plan.written import from_json, to_json
from policies.policy import ChannelLists, Policy
from tests.policies.builders import payout
from tests.policies.plan.worlds import (
    HASTY,
    JUNE,
    LARGE,
    MONTH,
    NOW,
    PARAMETERS,
    SMALL,
    START,
    T1,
    channel,
    cliff,
    forecast,
)

METHODS: tuple[Method, ...] = ("milp", "greedy")
TIERED = channel("tiered", cliff(5_000))
FLAT = channel("flat", Fee(100))


def shares(plan: Plan, kind: PayoutClass) -> dict[str, int]:
    """The class's shares over the month."""
    return dict(shares_by_class(plan))[kind]


@pytest.mark.parametrize("method", METHODS)
def test_a_cliff_is_reached_although_its_first_tier_is_dearer(method: Method) -> None:
    """At ¥2 nobody would begin; everything there at ¥0.80 is the cheapest month."""
    plan = make_plan(MONTH, [TIERED, FLAT], PARAMETERS, START, method=method)
    tiered = plan.channels[1]
    assert (tiered.tier, tiered.planned, tiered.margin) == (1, 9_000, 4_000)
    assert plan.method == method
    assert plan.cost_micro == 9_000 * 80 * PPM
    assert plan.unplanned_micro == 9_000 * 100 * PPM


@pytest.mark.parametrize("method", METHODS)
def test_a_cliff_out_of_reach_is_left_alone(method: Method) -> None:
    """Ten thousand are not there to be had."""
    far = channel("tiered", cliff(10_000))
    plan = make_plan(MONTH, [far, FLAT], PARAMETERS, START, method=method)
    assert shares(plan, SMALL) == {"flat": PPM}
    assert [one.tier for one in plan.channels] == [None, 0]


@pytest.mark.parametrize("method", METHODS)
def test_what_has_been_used_counts(method: Method) -> None:
    """In mid-month a cliff is near that nine thousand payouts alone would not reach."""
    near = channel("tiered", cliff(10_000), month=MonthUse(4_000, 100_000_000))
    plan = make_plan(MONTH, [near, FLAT], PARAMETERS, START, method=method)
    assert plan.channels[1].tier == 1
    assert plan.channels[1].used == 4_000
    # The four thousand so far are billed again: that is the gain.
    assert plan.cost_micro == 13_000 * 80 * PPM


def test_an_unsure_month_keeps_a_margin_above_the_cliff() -> None:
    """Where more than the floor costs extra, the margin grows with what may fail to come."""
    cheap = channel("cheap", Fee(40), max_minor=100_000)
    margins = []
    for spread in (0, 50_000, 100_000):
        month = replace(MONTH, spread_ppm=spread)
        plan = make_plan(month, [TIERED, cheap], PARAMETERS, START)
        margins.append(plan.channels[1].margin)
        assert plan.channels[1].tier == 1
    assert margins[0] == 0
    assert [one is not None and one > 100 for one in margins] == [False, True, True]
    assert margins == sorted(margins, key=lambda one: one or 0)
    last = Forecast(MONTH.volumes, ((JUNE[-1], PPM),), 100_000)
    assert last.low_ppm < replace(MONTH, spread_ppm=100_000).low_ppm


@pytest.mark.parametrize("method", METHODS)
def test_a_commitment_is_kept_when_missing_it_costs_more(method: Method) -> None:
    """¥1 for each missing payout buys the dearer channel; a fen does not."""
    for shortfall, kept in ((100, True), (1, False)):
        fee = Fee(120, commitment=Commitment(2_000, shortfall))
        promised = channel("promised", fee)
        plan = make_plan(MONTH, [promised, FLAT], PARAMETERS, START, method=method)
        found = plan.channels[1]
        assert (found.shortfall == 0) is kept
        assert found.planned == (2_000 if kept else 0)
        assert found.shortfall_cost_minor == (0 if kept else 2_000)


@pytest.mark.parametrize("method", METHODS)
def test_day_caps_bound_every_group_of_days(method: Method) -> None:
    """The cheapest takes its cap on each day, today less what it has carried."""
    cap, used = 10_000_000, 4_000_000
    capped = channel("capped", Fee(10), day_cap_minor=cap, day_used_minor=used)
    plan = make_plan(MONTH, [capped, FLAT], PARAMETERS, START, method=method)
    planned = plan.channels[0].minor
    assert 0.98 * (30 * cap - used) <= planned <= 30 * cap - used + 100
    if method == "milp":
        assert any(one.channel == "capped" and one.marginal.amount_ppm > 0 for one in plan.bonuses)


@pytest.mark.parametrize("method", METHODS)
def test_what_no_cap_has_room_for_is_named(method: Method) -> None:
    """With the caps in the way."""
    small = channel("small", Fee(10), day_cap_minor=20_000_000)
    plan = make_plan(MONTH, [small], PARAMETERS, START, method=method)
    assert plan.scarce
    assert plan.scarce[-1].channels == ("small",)
    lacking = sum(one.payouts for one in plan.scarce)
    assert 0 < lacking < 9_000
    assert any("small" in one.en and "day caps" in one.en for one in told(plan, {}))


def test_incremental_tiers_are_begun_for_what_lies_behind_them() -> None:
    """The first thousand cost more than elsewhere, the others less; all is priced at the end."""
    parts = channel("parts", Fee(tiers=(Tier(0, 120), Tier(1_000, 40))))
    plan = make_plan(MONTH, [parts, FLAT], PARAMETERS, START)
    assert plan.cost_micro == (1_000 * 120 + 8_000 * 40) * PPM
    assert all(one.marginal == Marginal(-80 * PPM, 0) for one in plan.bonuses)


def test_weekends_are_dear_for_working_day_channels() -> None:
    """Large payouts leave T+1 on Fridays and before a holiday, and return on Mondays."""
    t1, instant = channel("t1", Fee(0), T1), channel("instant", Fee(0, 600), NOW)
    plan = make_plan(MONTH, [t1, instant], PARAMETERS, START)
    where = {on: dict(view_on(plan, on, {}).shares[LARGE]) for on in (JUNE[7], JUNE[4], JUNE[17])}
    assert where == {JUNE[7]: {"t1": PPM}, JUNE[4]: {"instant": PPM}, JUNE[17]: {"instant": PPM}}


def test_hasty_payouts_have_no_share_at_slow_channels() -> None:
    """Instant ones only at instant channels; without any they are scarce."""
    hasty = forecast({HASTY: Volume(100, 5_700_000)})
    plan = make_plan(hasty, [channel("t1", Fee(0), T1), FLAT], PARAMETERS, START)
    assert shares(plan, HASTY) == {"flat": PPM}
    alone = make_plan(hasty, [channel("t1", Fee(0), T1)], PARAMETERS, START)
    assert alone.shares == ()
    assert alone.scarce[0].channels == ()


def test_two_currencies_make_no_plan() -> None:
    """Their amounts cannot be compared."""
    with pytest.raises(ValueError, match="one currency"):
        make_plan(MONTH, [FLAT, replace(TIERED, currency="USD")], PARAMETERS, START)


def test_without_the_solver_the_heuristic_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the plan says so."""
    monkeypatch.setattr(make, "find_spec", lambda _: None)
    plan = make_plan(MONTH, [TIERED, FLAT], PARAMETERS, START)
    assert plan.method == "greedy"
    assert "planner" in told(plan, {})[0].en


def test_decisions_follow_the_plan_and_price_its_tier() -> None:
    """The planned channel wins although its present tier is dearer; without a plan it does not."""
    plan = make_plan(MONTH, [TIERED, FLAT], PARAMETERS, START)
    policy = Policy("test", "0", PARAMETERS)
    asked = payout(25_000, instruments=(replace(payout().instruments[0], rail="bank_card"),))
    assert class_of(asked) == SMALL
    view = view_on(plan, JUNE[0], {})
    planned = decide(asked, [FLAT, TIERED], policy, START, 0, plan=view)
    assert planned.outcome == "planned"
    assert planned.order[0].channel == "tiered"
    assert planned.order[0].cost.fee == 80 * PPM
    alone = decide(asked, [FLAT, TIERED], policy, START, 0)
    assert (alone.outcome, alone.order[0].channel) == ("cheapest", "flat")


def test_exploration_goes_on_beside_the_plan() -> None:
    """The planned channel keeps the rest of the whole; a draw beyond it explores."""
    plan = make_plan(MONTH, [TIERED, FLAT], PARAMETERS, START)
    policy = Policy("test", "0", replace(PARAMETERS, explore_ppm=10_000))
    asked = payout(25_000, instruments=(replace(payout().instruments[0], rail="bank_card"),))
    view = view_on(plan, JUNE[0], {})
    planned = decide(asked, [FLAT, TIERED], policy, START, 0, plan=view)
    assert planned.propensities_ppm == (995_000, 5_000)
    explored = decide(asked, [FLAT, TIERED], policy, START, 999_999, plan=view)
    assert (explored.outcome, explored.order[0].channel) == ("explored", "flat")
    assert explored.propensities_ppm == (5_000, 995_000)


def test_preference_comes_before_the_plan() -> None:
    """Among preferred channels only, the plan's shares hold."""
    plan = make_plan(MONTH, [TIERED, FLAT], PARAMETERS, START)
    lists = {"*": ChannelLists(prefer=frozenset({"flat"}))}
    asked = payout(25_000, instruments=(replace(payout().instruments[0], rail="bank_card"),))
    policy = Policy("test", "0", PARAMETERS, lists)
    found = decide(asked, [FLAT, TIERED], policy, START, 0, plan=view_on(plan, JUNE[0], {}))
    assert (found.outcome, found.order[0].channel) == ("preferred", "flat")


def test_a_channel_that_became_too_dear_is_passed_over() -> None:
    """Its share waits; when nobody of the plan is left, the cheapest goes."""
    plan = make_plan(MONTH, [TIERED, FLAT], PARAMETERS, START)
    view = view_on(plan, JUNE[0], {})
    far = 25_000 * PARAMETERS.plan_cost_max_ppm + PARAMETERS.plan_cost_max_minor * PPM
    near = [("flat", 100 * PPM), ("tiered", 100 * PPM + far)]
    assert lagging(SMALL, 25_000, near, view, PARAMETERS) == 1
    dear = [("flat", 100 * PPM), ("tiered", 100 * PPM + far + 1)]
    assert lagging(SMALL, 25_000, dear, view, PARAMETERS) is None
    assert lagging(SMALL, 25_000, [("flat", 100)], view, PARAMETERS) is None
    assert lagging(HASTY, 25_000, near, view, PARAMETERS) is None


def test_what_a_plan_owes_is_carried_to_the_next() -> None:
    """With one payout between two plans, a share of a third still gets every third."""
    half = {SMALL: (("a", 666_667), ("b", 333_333))}
    carried: dict[PayoutClass, dict[str, int]] = {}
    seen: Counter[str] = Counter()
    for _ in range(30):
        given: dict[PayoutClass, Counter[str]] = {}
        view = PlanView("p", half, {}, {}, given, carried)
        at = lagging(SMALL, 25_000, [("a", 1), ("b", 1)], view, PARAMETERS)
        name = "ab"[at or 0]
        given[SMALL] = Counter({name: 1})
        seen[name] += 1
        carried = owed(view)
    assert seen == {"a": 20, "b": 10}


def test_sentences_name_tier_margin_and_commitment() -> None:
    """In both languages; a tier that will probably be missed is said to be at risk."""
    fee = cliff(5_000, commitment=Commitment(12_000, 10))
    plan = make_plan(MONTH, [channel("tiered", fee), FLAT], PARAMETERS, START)
    one = next(one for one in plan.channels if one.name == "tiered")
    said = channel_told(one, 2_500, plan)
    assert "2,500 payouts reached of the planned tier's 5,000 payouts (50 %)" in said.en
    assert "cliff margin 4,000 payouts (80 %)" in said.en
    assert "falls short by 3,000 payouts, which costs ¥300.00" in said.en
    assert "悬崖余量 4,000 笔" in said.zh
    risky = channel_told(replace(one, margin=-10), 2_500, plan)
    assert "at risk" in risky.en
    assert "有风险" in risky.zh


def test_written_plans_are_refused_when_they_are_of_another_layout() -> None:
    """And class keys that name no band or speed."""
    text = to_json(make_plan(MONTH, [TIERED, FLAT], PARAMETERS, START))
    assert from_json(text).channels[1].name == "tiered"
    with pytest.raises(ValueError, match="layout"):
        from_json(text.replace(b'"layout":1', b'"layout":0'))
    for wrong in ("bank_card/standard/99", "bank_card/soon/1", "bank_card"):
        with pytest.raises(ValueError, match=r"."):
            class_from(wrong)


def test_forecasts_know_weekdays_and_what_is_left_of_today() -> None:
    """Weekends were half as large; half of today is gone; a level of 1.5 scales it all."""
    volume = {SMALL: Volume(100, 2_500_000)}
    half = {SMALL: Volume(50, 1_250_000)}
    may = [date(2026, 5, day) for day in range(4, 32)]
    history = [Day(on, half if on.weekday() > 4 else volume) for on in may]
    days = [(JUNE[0], PPM // 2), *((on, PPM) for on in JUNE[1:7])]
    found = from_history(history, days, level([]))
    assert found.payouts == 50 + 4 * 100 + 2 * 50
    assert found.minor == found.payouts * 25_000
    assert dict(found.days)[JUNE[0]] * 2 == pytest.approx(dict(found.days)[JUNE[1]], abs=2)
    more = from_history(history, days, level([(100, 150)] * 60))
    assert more.payouts == pytest.approx(1.5 * found.payouts, rel=0.01)
    with pytest.raises(ValueError, match="history"):
        from_history([], days, level([]))


def test_drift_is_what_chance_does_not_do() -> None:
    """A day off by its usual spread is none, by many times that it is, and few payouts prove
    nothing."""
    assert not drifted(1_000, 1_100, 60_000)
    assert drifted(1_000, 1_400, 60_000)
    assert drifted(1_000, 500, 60_000)
    assert not drifted(20, 120, 60_000)


def test_bands_cover_every_amount() -> None:
    """The first starts at one fen, the last has no end."""
    assert band_of(1) == 0
    last = PayoutClass("bank_card", "standard", band_of(10**12))
    assert last.end_minor is None
    assert last.floor_minor == 10_000_000
