"""Which candidate wins, which are out and why, in which order the others follow."""

import dataclasses
import os
import subprocess
import sys
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from policies.decide import decide, next_after
from policies.exclusions import Code
from policies.facts import (
    ChannelFacts,
    Cycle,
    Decision,
    HealthView,
    Hours,
    InstrumentFacts,
    PayoutFacts,
    Tried,
)
from policies.fees import Fee
from policies.policy import ChannelLists, Policy
from policies.waiting import waits
from tests.policies.builders import FRIDAY_NOON, T1, beijing, channel, payout, policy

NOW = FRIDAY_NOON
TWO = (InstrumentFacts(0, "alipay"), InstrumentFacts(1, "bank_card", "CCB"))


def run(
    channels: list[ChannelFacts],
    asked: PayoutFacts | None = None,
    rules: Policy | None = None,
    now: datetime = NOW,
    draw_ppm: int = 0,
) -> Decision:
    """Decide with defaults for what the test is not about."""
    return decide(asked or payout(), channels, rules or policy(), now, draw_ppm)


def winner(decision: Decision) -> tuple[str, int]:
    """The chosen channel and instrument."""
    assert decision.chosen is not None
    return decision.chosen.channel, decision.chosen.instrument


def codes(decision: Decision, name: str = "a", instrument: int = 0) -> list[Code]:
    """Why a candidate is out."""
    return [
        reason.code
        for one in decision.excluded
        if (one.channel, one.instrument) == (name, instrument)
        for reason in one.reasons
    ]


# --- who wins ----------------------------------------------------------------------------------


def test_cheapest_all_in_wins() -> None:
    """With all else equal the lower fee wins, and the rest follow by cost."""
    decision = run([channel("a", 120), channel("b", 80), channel("c", 100)])
    assert [one.channel for one in decision.order] == ["b", "c", "a"]
    assert (decision.outcome, decision.excluded, decision.retry_at) == ("cheapest", (), None)


def test_free_but_slow_loses_when_money_is_dear() -> None:
    """A free T+7 channel ties up ¥50,000 for longer than a ¥30 instant one costs."""
    slow = channel("slow", 0, cycle=Cycle(days=7, calendar="cn_statutory"))
    quick = channel("quick", 3_000)
    assert winner(run([slow, quick], payout(5_000_000))) == ("quick", 0)
    assert winner(run([slow, quick], payout(5_000_00))) == ("slow", 0)


def test_capital_saved_against_the_cheapest_sticker() -> None:
    """The report compares with the router that looks only at listed fees."""
    slow = channel("slow", 0, cycle=Cycle(days=7, calendar="cn_statutory"))
    decision = run([slow, channel("quick", 3_000)], payout(5_000_000))
    sticker = decision.cheapest_sticker
    assert sticker is not None
    assert sticker.channel == "slow"
    assert sticker.arrival.days_calendar == 11
    assert decision.capital_saved_micro == sticker.cost.capital == 18_082_191_781
    assert decision.saved_micro == 18_082_191_781 - 3_000_000_000


def test_reliability_is_worth_money() -> None:
    """Five points of success outweigh a fee that is 9 fen lower."""
    weak = channel("weak", 91, health=HealthView(success_ppm=940_000))
    assert winner(run([weak, channel("firm", 100)])) == ("firm", 0)


def test_lateness_is_worth_money() -> None:
    """A deadline tips the balance away from the slower channel."""
    slow = channel("slow", 0, cycle=T1)
    quick = channel("quick", 90)
    assert winner(run([slow, quick])) == ("slow", 0)
    asked = payout(deadline_at=NOW + timedelta(days=1))
    assert winner(run([slow, quick], asked)) == ("quick", 0)


def test_finer_health_decides_between_instruments() -> None:
    """A bank's own segment may be down while the channel is well."""
    down = HealthView(success_ppm=500_000)
    decision = run([channel(health_of={0: down})], payout(instruments=TWO))
    assert [one.instrument for one in decision.order] == [1, 0]


def test_equal_costs_go_to_the_quicker_queue() -> None:
    """Latency times the queue breaks ties, then the name."""
    busy = channel("a", inflight=5)
    assert winner(run([busy, channel("b", inflight=4)])) == ("b", 0)
    assert winner(run([channel("b"), channel("a")])) == ("a", 0)


def test_first_instrument_is_preferred_at_equal_cost() -> None:
    """The payout's own order of instruments is the last tie-break."""
    assert winner(run([channel()], payout(instruments=TWO))) == ("a", 0)


def test_preference_goes_before_cost() -> None:
    """A preferred channel is first even when dearer, and the outcome says so."""
    rules = policy(ChannelLists(prefer=frozenset({"b"})))
    decision = run([channel("a", 10), channel("b", 500), channel("c", 20)], rules=rules)
    assert decision.outcome == "preferred"
    assert [one.channel for one in decision.order] == ["b", "a", "c"]


def test_preference_that_costs_nothing_is_just_cheapest() -> None:
    """If the preferred channel is cheapest anyway, cost is the reason."""
    rules = policy(ChannelLists(prefer=frozenset({"a"})))
    assert run([channel("a", 10), channel("b", 500)], rules=rules).outcome == "cheapest"


def test_a_merchants_own_lists_replace_everybodys() -> None:
    """The `*` entry holds only for merchants without their own."""
    rules = Policy(
        "test",
        "0" * 64,
        lists={"*": ChannelLists(deny=frozenset({"a"})), "m_2": ChannelLists()},
    )
    assert codes(run([channel()], rules=rules)) == [Code.POLICY_DENIES]
    assert winner(run([channel()], payout(merchant_id="m_2"), rules)) == ("a", 0)


# --- who is out --------------------------------------------------------------------------------

QUARANTINED = HealthView(quarantined=True, probe_at=NOW + timedelta(seconds=7))
BANK_DOWN = HealthView(bank_down="ICBC", probe_at=NOW + timedelta(seconds=8))


@pytest.mark.parametrize(
    ("changes", "code", "lifts_after"),
    [
        ({"killed": True}, Code.KILLED, 60),
        ({"status": "paused"}, Code.PAUSED, 60),
        ({"status": "draining"}, Code.DRAINING, 60),
        ({"currency": "HKD"}, Code.CURRENCY, None),
        ({"rails": frozenset({"wechat"})}, Code.RAIL, None),
        ({"problems": {0: ("name too long",)}}, Code.PROBLEM, None),
        ({"min_minor": 50_001}, Code.AMOUNT_BELOW_MINIMUM, None),
        ({"max_minor": 49_999}, Code.AMOUNT_ABOVE_MAXIMUM, None),
        ({"day_cap_minor": 50_000, "day_used_minor": 1}, Code.DAY_CAP, 12 * 3600),
        ({"day_cap_minor": 49_999}, Code.DAY_CAP, None),
        ({"float_minor": 50_099}, Code.FLOAT_SHORT, 60),
        ({"inflight": 64}, Code.IN_FLIGHT_FULL, 1),
        ({"in_doubt": 200}, Code.IN_DOUBT_FULL, 30),
        ({"hours": Hours(((time(13), time(14)),))}, Code.CLOSED, 3600),
        ({"maintenance_until": NOW + timedelta(minutes=9)}, Code.MAINTENANCE, 540),
        ({"health": QUARANTINED}, Code.QUARANTINED, 7),
        ({"health": BANK_DOWN}, Code.BANK_DOWN, 8),
        ({"health": HealthView(quarantined=True)}, Code.QUARANTINED, 30),
    ],
)
def test_each_fact_that_excludes(
    changes: dict[str, object], code: Code, lifts_after: int | None
) -> None:
    """One fact out of bounds is one reason, with the time at which it may lift."""
    decision = run([channel(**changes)])  # type: ignore[arg-type]  # one field each, as listed
    assert decision.outcome == "none"
    assert decision.chosen is None
    assert decision.arrival is None
    assert decision.cheapest_sticker is None
    assert decision.capital_saved_micro == decision.saved_micro == 0
    assert codes(decision) == [code]
    expected = None if lifts_after is None else NOW + timedelta(seconds=lifts_after)
    assert decision.retry_at == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"min_minor": 50_000, "max_minor": 50_000},
        {"day_cap_minor": 50_000},
        {"float_minor": 50_100},
        {"float_minor": 50_000, "fee": Fee(flat_minor=100, mode="deducted")},
        {"inflight": 63},
        {"in_doubt": 199},
        {"hours": Hours(((time(12), time(13)),))},
        {"problems": {1: ("another instrument's",)}},
    ],
)
def test_bounds_are_inclusive(changes: dict[str, object]) -> None:
    """Exactly at a limit a channel still pays."""
    assert winner(run([channel(**changes)])) == ("a", 0)  # type: ignore[arg-type]  # as listed


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (payout(max_fee_minor=99), Code.FEE_OVER_MAXIMUM),
        (payout(speed="instant"), Code.TOO_SLOW),
        (payout(speed="fast"), Code.TOO_SLOW),
    ],
)
def test_what_the_payout_asks_for(asked: PayoutFacts, code: Code) -> None:
    """Fee ceiling and speed are hard bounds, and no waiting helps."""
    decision = run([channel(cycle=T1)], asked)
    assert codes(decision) == [code]
    assert decision.retry_at is None


def test_fast_means_by_tomorrow() -> None:
    """T+1 is fast on a Thursday; instant channels always are."""
    asked = payout(speed="fast", max_fee_minor=100)
    assert winner(run([channel(cycle=T1)], asked, now=beijing(2026, 11, 19))) == ("a", 0)
    assert winner(run([channel()], asked)) == ("a", 0)
    assert winner(run([channel()], payout(speed="instant"))) == ("a", 0)


def test_policy_caps_payouts_in_doubt() -> None:
    """The policy's cap binds even where the channel's own is wider."""
    assert codes(run([channel(in_doubt=9)], rules=policy(in_doubt_max=9))) == [Code.IN_DOUBT_FULL]


def test_only_list() -> None:
    """Channels outside `only` are out."""
    rules = policy(ChannelLists(only=frozenset({"b"})))
    decision = run([channel("a", 1), channel("b")], rules=rules)
    assert winner(decision) == ("b", 0)
    assert codes(decision) == [Code.POLICY_ONLY]


def test_every_reason_is_told() -> None:
    """An operator sees all there is against a channel, not just the first."""
    bad = channel(
        status="paused",
        max_minor=1,
        float_minor=0,
        in_doubt=500,
        problems={0: ("first", "second")},
        health=QUARANTINED,
    )
    assert codes(run([bad], payout(max_fee_minor=0))) == [
        Code.PAUSED,
        Code.IN_DOUBT_FULL,
        Code.AMOUNT_ABOVE_MAXIMUM,
        Code.FLOAT_SHORT,
        Code.FEE_OVER_MAXIMUM,
        Code.PROBLEM,
        Code.PROBLEM,
        Code.QUARANTINED,
    ]


def test_every_candidate_is_accounted_for() -> None:
    """Each channel x instrument is either in the order or excluded, once."""
    decision = run(
        [channel("a", rails=frozenset({"alipay"})), channel("b")], payout(instruments=TWO)
    )
    told = [(one.channel, one.instrument) for one in decision.order]
    told += [(one.channel, one.instrument) for one in decision.excluded]
    assert sorted(told) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


# --- when nothing is eligible ------------------------------------------------------------------


def test_retry_waits_for_all_reasons_of_the_first_candidate() -> None:
    """A candidate returns when its last reason lifts; the earliest candidate counts."""
    slow = channel("a", status="paused", hours=Hours(((time(13), time(14)),)))
    soon = channel("b", in_doubt=200)
    never = channel("c", currency="HKD", inflight=64)
    assert run([slow, never]).retry_at == NOW + timedelta(hours=1)
    assert run([slow, soon, never]).retry_at == NOW + timedelta(seconds=30)
    assert run([never]).retry_at is None


def test_no_channels_at_all() -> None:
    """An empty installation routes nothing, for ever."""
    decision = run([])
    assert (decision.outcome, decision.order, decision.retry_at) == ("none", (), None)


# --- after a failed attempt --------------------------------------------------------------------


def failed(elsewhere: str = "any", fault: str = "channel", **changes: object) -> Tried:
    """A proven failure of channel a with instrument 0."""
    one = Tried("a", 0, fault, elsewhere)  # type: ignore[arg-type]  # as written in the tests
    return replace(one, **changes)


@pytest.mark.parametrize(
    ("tried", "left"),
    [
        (failed("never"), []),
        (failed("other_instrument", "beneficiary"), [("a", 1), ("b", 1)]),
        (failed("any", "channel"), [("b", 0), ("b", 1)]),
        (failed("any", "instruction"), [("b", 0), ("b", 1)]),
        (failed("any", "beneficiary"), [("a", 1), ("b", 0), ("b", 1)]),
    ],
)
def test_where_a_payout_may_go_next(tried: Tried, left: list[tuple[str, int]]) -> None:
    """Deciding again and walking the stored order agree on what is still open."""
    channels = [channel("a", 1), channel("b", 2)]
    before = run(channels, payout(instruments=TWO))
    after = run(channels, payout(instruments=TWO, tried=(tried,)))
    assert [(one.channel, one.instrument) for one in after.order] == left
    following = next_after(before, [tried], NOW)
    assert following == (after.order[0] if left else None)


def test_final_answer_beats_all_others() -> None:
    """One `never` rules out everything, whatever else was tried and whatever waits."""
    tried = (failed("any"), failed("never", channel="z", retry_at=NOW))
    decision = run([channel("a"), channel("b")], payout(tried=tried))
    assert codes(decision, "a") == codes(decision, "b") == [Code.TRIED_FINAL]
    assert decision.retry_at is None


def test_passing_trouble_comes_back() -> None:
    """With `retry_at` a candidate is out until then, and eligible from then on."""
    later = NOW + timedelta(seconds=5)
    asked = payout(tried=(failed(retry_at=later),))
    waiting = run([channel()], asked)
    assert (codes(waiting), waiting.retry_at) == ([Code.TRIED], later)
    assert winner(run([channel()], asked, now=later)) == ("a", 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_longest_bar_counts(*, reverse: bool) -> None:
    """Of two reasons against a candidate the one that holds longer is told."""
    tried = [failed(retry_at=NOW + timedelta(seconds=after)) for after in (5, 9)]

    def retried_at() -> datetime | None:
        given = tried[::-1] if reverse else tried
        return run([channel()], payout(tried=tuple(given))).retry_at

    assert retried_at() == NOW + timedelta(seconds=9)
    tried.append(failed())
    assert retried_at() is None


# --- quarantine and exploration ----------------------------------------------------------------

PROBING = HealthView(success_ppm=100_000, quarantined=True, probing=True)


def test_a_due_probe_takes_a_small_first_attempt() -> None:
    """The quarantined channel gets the payout, and the best healthy one is next."""
    decision = run([channel("a", health=PROBING), channel("b")], draw_ppm=999_999)
    assert decision.outcome == "probe"
    assert [(one.channel, one.probing) for one in decision.order] == [("a", True), ("b", False)]
    assert decision.propensities_ppm == (1_000_000, 0)


def test_large_payouts_are_not_risked_on_a_probe() -> None:
    """Above the probe limit the quarantined channel is out."""
    decision = run([channel("a", health=PROBING), channel("b")], payout(100_001))
    assert winner(decision) == ("b", 0)
    assert codes(decision) == [Code.QUARANTINED]


@pytest.mark.parametrize("health", [PROBING, replace(BANK_DOWN, probing=True)])
def test_a_large_payout_waits_although_a_probe_is_due(health: HealthView) -> None:
    """It is looked at again when the next probe is due: a small one may have cleared the way."""
    decision = run([channel("a", health=health)], payout(100_001))
    assert decision.outcome == "none"
    assert waits(decision)


@pytest.mark.parametrize("health", [QUARANTINED, BANK_DOWN])
def test_what_has_waited_long_enough_goes_to_the_best_of_the_ill(health: HealthView) -> None:
    """After `queue_max_s`, whatever its amount; a second before it still waits."""
    ill = [channel("a", 110, health=health), channel("b", health=health)]
    long_ago = NOW - timedelta(seconds=900)
    early = run(ill, payout(100_001, waiting_since=long_ago + timedelta(seconds=1)))
    assert (early.outcome, early.retry_at) == ("none", NOW + timedelta(seconds=1))
    late = run(ill, payout(100_001, waiting_since=long_ago))
    assert late.outcome == "forced"
    assert [one.channel for one in late.order] == ["b", "a"]
    assert late.propensities_ppm == (1_000_000, 0)


def test_waiting_ends_before_the_deadline() -> None:
    """Two minutes before it the payout is sent, however short it has waited."""
    ill = [channel("a", health=QUARANTINED)]
    soon = payout(deadline_at=NOW + timedelta(seconds=125))
    assert run(ill, soon).retry_at == NOW + timedelta(seconds=5)
    assert run(ill, payout(deadline_at=NOW + timedelta(seconds=120))).outcome == "forced"


def test_nobody_is_forced_upon_the_ill_while_somebody_is_well() -> None:
    """However long it has waited."""
    asked = payout(100_001, waiting_since=NOW - timedelta(days=1))
    decision = run([channel("a", 10, health=QUARANTINED), channel("b")], asked)
    assert (winner(decision), decision.outcome) == (("b", 0), "cheapest")


def test_waiting_since_the_future_is_waiting_from_now() -> None:
    """A clock that was set back does not make a payout wait longer."""
    asked = payout(waiting_since=NOW + timedelta(hours=5))
    health = replace(QUARANTINED, probe_at=NOW + timedelta(hours=1))
    assert run([channel("a", health=health)], asked).retry_at == NOW + timedelta(seconds=900)


def test_what_is_closed_is_not_forced() -> None:
    """Only illness may be overruled: a channel that is killed as well gets nothing."""
    asked = payout(waiting_since=NOW - timedelta(days=1))
    decision = run([channel("a", health=QUARANTINED, killed=True)], asked)
    assert codes(decision) == [Code.KILLED, Code.QUARANTINED]
    assert not waits(decision)


def test_failovers_do_not_probe() -> None:
    """A payout that has failed once goes to the best, with the probe as the last resort."""
    asked = payout(tried=(failed(channel="z"),))
    decision = run([channel("a", health=PROBING), channel("b")], asked)
    assert [one.channel for one in decision.order] == ["b", "a"]
    assert decision.outcome == "cheapest"
    assert run([channel("a", health=PROBING)], asked).outcome == "probe"


def test_probes_keep_within_the_money_bound() -> None:
    """A channel that is far dearer even when well is not worth probing; a second one may be."""
    dear = channel("a", 300, health=PROBING)
    assert winner(run([dear, channel("b")])) == ("b", 0)
    decision = run(
        [dear, channel("c", 150, health=replace(PROBING, success_ppm=0)), channel("b", 60)],
        rules=policy(explore_cost_max_minor=90, fail_penalty_minor=2000),
    )
    assert [one.channel for one in decision.order] == ["c", "b", "a"]


def test_probes_keep_within_the_preference() -> None:
    """A merchant's preference is not overruled for the sake of learning."""
    rules = policy(ChannelLists(prefer=frozenset({"b"})))
    assert winner(run([channel("a", health=PROBING), channel("b")], rules=rules)) == ("b", 0)


@pytest.mark.parametrize(
    ("draw_ppm", "name", "outcome"),
    [
        (0, "a", "cheapest"),
        (979_999, "a", "cheapest"),
        (980_000, "b", "explored"),
        (989_999, "b", "explored"),
        (990_000, "c", "explored"),
        (999_999, "c", "explored"),
    ],
)
def test_exploration_by_the_draw(draw_ppm: int, name: str, outcome: str) -> None:
    """3 % over three candidates: each gets 1 %, the best the rest."""
    decision = run(
        [channel("a", 10), channel("b", 20), channel("c", 30), channel("d", 900)],
        rules=policy(explore_ppm=30_000),
        draw_ppm=draw_ppm,
    )
    assert (winner(decision), decision.outcome) == ((name, 0), outcome)
    by_name = dict(
        zip([one.channel for one in decision.order], decision.propensities_ppm, strict=True)
    )
    assert by_name == {"a": 980_000, "b": 10_000, "c": 10_000, "d": 0}


def test_exploration_keeps_within_the_preference() -> None:
    """Only channels as preferred as the best are explored."""
    rules = dataclasses.replace(
        policy(explore_ppm=500_000), lists={"*": ChannelLists(prefer=frozenset({"b"}))}
    )
    decision = run([channel("a", 99), channel("b")], rules=rules, draw_ppm=999_999)
    assert decision.propensities_ppm == (1_000_000, 0)


def test_failovers_do_not_explore() -> None:
    """Later attempts go to the best candidate whatever the draw."""
    asked = payout(tried=(failed(channel="z"),))
    rules = policy(explore_ppm=500_000)
    decision = run([channel("a", 10), channel("b", 20)], asked, rules, draw_ppm=999_999)
    assert (winner(decision), decision.propensities_ppm) == (("a", 0), (1_000_000, 0))


# --- callers' defects, and speed ---------------------------------------------------------------


@pytest.mark.parametrize("draw_ppm", [-1, 1_000_000])
def test_draw_out_of_range(draw_ppm: int) -> None:
    """A draw outside the unit interval is a defect."""
    with pytest.raises(ValueError, match="draw_ppm"):
        run([channel()], draw_ppm=draw_ppm)


def test_two_channels_of_one_name() -> None:
    """Ambiguous names are a defect."""
    with pytest.raises(ValueError, match="same name"):
        run([channel(), channel()])


def test_the_time_of_a_decision_can_be_measured() -> None:
    """In a process of its own, beside a function that does nothing; the bench says how long."""
    measured = subprocess.run(
        [sys.executable, "-m", "tests.policies.speed"],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
        text=True,
    )
    figures = {name: float(value) for name, value in map(str.split, measured.stdout.splitlines())}
    assert figures["decision_us"] > figures["baseline_us"] > 0
