"""Suggestions: what only costs is found and proposed, what people must weigh is told."""

from collections.abc import Iterable
from dataclasses import replace

from policies.backtest.habits import habits, within_reach
from policies.backtest.record import Record
from policies.backtest.suggest import Advice, Suggestion, suggest
from policies.backtest.terms import Terms
from policies.backtest.world import World
from policies.document import load
from policies.facts import MICRO
from policies.fees import Commitment, Fee, Tier
from policies.policy import Parameters
from tests.policies.backtest.past import choice, option, record, terms
from tests.policies.builders import beijing

PLAIN = "version: 1\nname: plain\nparameters: {explore_ppm: 0}\n"
HABIT = f"{PLAIN}merchants:\n  '*':\n    prefer: [dear] # since ever\n"
YUAN = 100 * MICRO
CHANNELS = (terms("dear", Fee(flat_minor=300)), terms("cheap", Fee(flat_minor=100)))


def month(channel: str = "dear", days: int = 20, a_day: int = 5) -> list[Record]:
    """Payouts of ¥100 that all went to one of two like channels."""
    other = "cheap" if channel == "dear" else "dear"
    fees = {one.name: one.fees[0][1].flat_minor * MICRO for one in CHANNELS}
    return [
        record(
            choice(
                option(channel, MICRO, fee=fees[channel]),
                option(other, 0, fee=fees[other]),
                at=beijing(2026, 3, day, 8 + at),
            )
        )
        for day in range(1, days + 1)
        for at in range(a_day)
    ]


def advised(records: Iterable[Record], text: str, channels: tuple[Terms, ...] = CHANNELS) -> Advice:
    """Suggestions for a policy over a history."""
    kept = list(records)
    return suggest(lambda: kept, channels, text, load)


def kinds(advice: Advice, kind: str) -> list[Suggestion]:
    """The suggestions of a kind."""
    return [one for one in advice.suggestions if one.kind == kind]


def test_a_preference_that_only_costs_is_taken_out() -> None:
    """¥2 a payout, five a day, thirty days; certain, and the text keeps its comment."""
    advice = advised(month(), HABIT)
    (found,) = kinds(advice, "prefer")
    assert found.applied
    assert found.saving is not None
    assert (found.saving.micro, found.saving.sure) == (300 * YUAN, 1.0)
    assert found.saving.low == found.saving.high == 300 * YUAN
    assert "buys nothing measurable" in found.said.en
    assert "没有带来可测量的好处" in found.said.zh
    assert advice.text == HABIT.replace("[dear]", "[]")
    assert advice.whole is not None
    assert advice.whole.micro == 300 * YUAN


def test_a_preference_that_costs_nothing_stays() -> None:
    """Preferring the cheapest is no cost."""
    advice = advised(month("cheap"), HABIT.replace("[dear]", "[cheap]"))
    assert not kinds(advice, "prefer")
    assert not advice.changed
    assert advice.text == HABIT.replace("[dear]", "[cheap]")


def test_a_preference_that_buys_time_is_for_people() -> None:
    """Earlier arrival is told and weighed by nobody but them."""
    slow = replace(CHANNELS[1], cycle=replace(CHANNELS[1].cycle, days=3, instant=False))
    advice = advised(month(), HABIT, (CHANNELS[0], slow))
    (found,) = kinds(advice, "prefer")
    assert not found.applied
    assert "3.00 days of earlier arrival" in found.said.en
    assert advice.text == HABIT


def test_a_denial_is_never_lifted_by_itself() -> None:
    """Its cost is told; its reason may be the law."""
    text = HABIT.replace("prefer: [dear]", "deny: [cheap]")
    advice = advised(month(), text)
    (found,) = kinds(advice, "deny")
    assert not found.applied
    assert "people decide" in found.said.en
    assert advice.text == text


def test_what_the_first_part_of_history_praises_the_last_part_judges() -> None:
    """A saving that has gone by the end is not proposed."""
    early = month(days=12)
    gone = terms(
        "dear",
        fees=(
            (CHANNELS[0].fees[0][0], Fee(flat_minor=300)),
            (beijing(2026, 3, 13).date(), Fee(flat_minor=50)),
        ),
    )
    late = [one for one in month(days=20) if one.accepted_at > early[-1].accepted_at]
    advice = advised([*early, *late], HABIT, (gone, CHANNELS[1]))
    assert not [one for one in advice.suggestions if one.applied]
    assert not advice.changed


def test_too_few_days_judge_nothing() -> None:
    """Three days cannot choose and judge."""
    advice = advised(month(days=3), HABIT)
    assert (advice.judged_days, advice.changed) == (0, False)
    assert not kinds(advice, "prefer")


def test_an_empty_history_suggests_nothing() -> None:
    """And fails nowhere."""
    advice = advised([], HABIT)
    assert (advice.suggestions, advice.text) == ([], HABIT)


def test_exploring_more_than_a_verdict_needs_is_cut_down() -> None:
    """The share follows from payouts a day, the pool, and the horizon."""
    explored = [
        replace(
            one,
            choices=(
                replace(
                    one.choices[0],
                    order=tuple(
                        replace(option, propensity_ppm=500_000) for option in one.choices[0].order
                    ),
                ),
            ),
        )
        for one in month("cheap", days=10, a_day=10)
    ]
    text = PLAIN.replace("explore_ppm: 0", "explore_ppm: 400000")
    kept = explored * 30
    advice = suggest(lambda: kept, CHANNELS, text, load, horizon_days=100)
    (found,) = kinds(advice, "explore")
    # 300 a day for 100 days, spread over 2: 1,000 x 2 / 30,000 of them.
    assert "explore_ppm from 400,000 to 67,000" in found.said.en
    assert found.applied
    assert found.saving is not None
    # A payout explored costs half of ¥2 on average: 300 x 30 x 0.333 x ¥1.
    assert found.saving.micro == 300 * 30 * 333_000 * YUAN // MICRO
    assert load(advice.text).parameters.explore_ppm == 67_000


def test_little_volume_is_told_how_long_a_verdict_takes() -> None:
    """Nobody should explore half of a small volume."""
    pooled = [
        replace(
            one,
            choices=(
                replace(
                    one.choices[0],
                    order=tuple(
                        replace(each, propensity_ppm=500_000) for each in one.choices[0].order
                    ),
                ),
            ),
        )
        for one in month("cheap")
    ]
    advice = advised(pooled, PLAIN.replace("explore_ppm: 0", "explore_ppm: 10000"))
    (found,) = kinds(advice, "explore")
    assert "about 40,000 days" in found.said.en
    assert not found.applied


def test_a_tier_within_reach_is_told_with_what_it_saves() -> None:
    """106 payouts at ¥3, 56 elsewhere at ¥1: from 110 on all of ours cost ¥1 less."""
    tiered = terms("dear", Fee(tiers=(Tier(0, 300), Tier(110, 200)), scheme="all_units"))
    history = [*month("dear", days=28, a_day=4)[6:], *month("cheap", days=28, a_day=2)]
    found = habits(history, {"dear": tiered}, Parameters())
    (goal,) = within_reach(found, {"dear": tiered})
    # Three per cent beyond the floor are moved as well; each of them costs ¥1 more there.
    assert (goal.tier, goal.moved, goal.sources) == (1, 113 - 106, (("cheap", 7),))
    assert goal.saving == 106 * YUAN - 7 * YUAN


def test_a_tier_that_costs_more_than_it_saves_is_not_told() -> None:
    """A floor far away takes more dear payouts than ours would save."""
    tiered = terms("dear", Fee(tiers=(Tier(0, 300), Tier(80, 290)), scheme="all_units"))
    history = [*month("dear", days=28, a_day=1), *month("cheap", days=28, a_day=4)]
    found = habits(history, {"dear": tiered}, Parameters())
    assert within_reach(found, {"dear": tiered}) == []


def test_a_commitment_within_reach_is_told() -> None:
    """What is missing costs more than carrying it."""
    promised = terms("dear", Fee(flat_minor=300, commitment=Commitment(120, 1_000)))
    history = [*month("dear", days=28, a_day=4), *month("cheap", days=28, a_day=2)]
    advice = advised(history, PLAIN, (promised, CHANNELS[1]))
    (found,) = kinds(advice, "tier")
    assert "keeps its commitment" in found.said.en
    assert "保底" in found.said.zh
    assert not found.applied


def test_a_generated_month_has_findings_in_both_languages() -> None:
    """Penalties and tiers of a month like a real one; the same month, the same advice."""
    world = World(3, 1_200)
    text = "version: 1\nname: g\nmerchants:\n  '*': {prefer: [dear]}\n"
    one, other = (suggest(world.records, world.terms, text, load) for _ in range(2))
    assert one == other
    assert {"fail_penalty", "tier", "prefer"} <= {found.kind for found in one.suggestions}
    assert all(found.said.zh and found.said.en for found in one.suggestions)


RULED = """\
version: 2
name: ruled
parameters: {explore_ppm: 0}
rules:
  # a habit
  - name: habit
    when: payout.amount_minor > 0
    then: {prefer: [dear]}
channels: {dear: {flat_minor: 50}, cheap: {flat_minor: 90}}
examples:
  - name: any
    payout: {amount_minor: 10000}
    EXPECT
"""


def test_a_rule_that_only_wishes_is_judged_as_lists_are() -> None:
    """It costs ¥2 a payout and buys nothing; its removal needs no example to change."""
    advice = advised(month(), RULED.replace("EXPECT", "expect: {chosen: dear}"))
    (found,) = kinds(advice, "rule")
    assert found.applied
    assert "the rule 'habit' costs about" in found.said.en
    assert load(advice.text).name == "ruled"
    assert advice.whole is not None
    assert advice.whole.micro == 300 * YUAN


def test_a_rule_that_an_example_insists_on_is_left_alone() -> None:
    """The policy's own examples say what must not change; that it was not tried is told."""
    advice = advised(month(), RULED.replace("EXPECT", "expect: {rules: [habit]}"))
    assert not kinds(advice, "rule")
    assert (advice.untried, advice.changed) == (1, False)
