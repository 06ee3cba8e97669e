"""What each effect of a rule does to a decision, and how rules work together."""

import pickle
from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from policies.build import build
from policies.decide import decide
from policies.document import parse
from policies.exclusions import Code
from policies.facts import (
    ChannelFacts,
    Constraints,
    Decision,
    HealthView,
    InstrumentFacts,
    PayoutFacts,
    Tried,
)
from policies.policy import Policy
from tests.policies.builders import FRIDAY_NOON, T1, beijing, channel, payout

ABC = [channel("a", 100), channel("b", 110), channel("c", 120)]
HEAD = "version: 2\nname: x\nparameters: {explore_ppm: 0}\n"


def ruled(rules: str, more: str = "") -> Policy:
    """A policy of flow-style rules, without the examples that saving demands."""
    return build(parse(f"{HEAD}{more}rules:\n{rules}")).policy


def rule(then: str, when: str = "true", name: str = "r", more: str = "") -> str:
    """One rule as a line."""
    return f'  - {{name: {name}, when: "{when}", then: {{{then}}}{more}}}\n'


def run(
    rules: str,
    channels: Sequence[ChannelFacts] = ABC,
    asked: PayoutFacts | None = None,
    more: str = "",
    draw_ppm: int = 0,
) -> Decision:
    """Decide by rules alone."""
    return decide(asked or payout(), channels, ruled(rules, more), FRIDAY_NOON, draw_ppm)


def order(decision: Decision) -> str:
    """The channels in order, as one word."""
    return "".join(one.channel for one in decision.order)


def against(decision: Decision, name: str) -> list[tuple[str, tuple[object, ...]]]:
    """Why a channel is out."""
    return [
        (reason.code.value, reason.values)
        for one in decision.excluded
        if one.channel == name
        for reason in one.reasons
    ]


# --- effects ------------------------------------------------------------------------------------


def test_prefer_is_a_priority_list() -> None:
    """Earlier is better, whatever the cost; the others follow by cost."""
    decision = run(rule("prefer: [c, b]"))
    assert (order(decision), decision.outcome, decision.rules) == ("cba", "preferred", ("r",))
    assert [one.preferred for one in decision.order] == [True, True, False]


def test_the_earlier_rule_prefers_more_strongly() -> None:
    """A channel keeps the best place that any rule gives it."""
    rules = rule("prefer: [c]", name="one") + rule("prefer: [b, c]", name="two")
    assert order(run(rules)) == "cba"


def test_avoid_comes_last_even_if_preferred() -> None:
    """An avoided channel is used only when nothing else is left."""
    rules = rule("avoid: [a]") + rule("prefer: [a]", name="s")
    decision = run(rules)
    assert (order(decision), decision.outcome) == ("bca", "preferred")
    assert order(run(rules, ABC[:1])) == "a"


def test_deny_and_require_add_up_and_win() -> None:
    """No preference brings back what a rule rules out, and every rule is named."""
    rules = (
        rule("deny: [a]", name="no-a")
        + rule("require: [b, c]", name="only-bc")
        + rule("require: [a, b]", name="only-ab")
        + rule("prefer: [a, c]", name="wish")
    )
    decision = run(rules)
    assert order(decision) == "b"
    assert against(decision, "a") == [
        ("policy_rule_denies", ("no-a",)),
        ("policy_requires", ("only-bc",)),
    ]
    assert against(decision, "c") == [("policy_requires", ("only-ab",))]
    assert decision.rules == ("no-a", "only-bc", "only-ab", "wish")


def test_weights_change_the_ranking_and_not_the_cost() -> None:
    """A factor on the price decides, while the money told stays the truth."""
    rules = rule("weight: {c: 900000}") + rule("weight: {c: 900000}", name="again")
    decision = run(rules)
    assert (order(decision), decision.outcome) == ("cab", "preferred")
    assert decision.order[0].cost.fee == 120_000_000


def test_review_and_pass_stop_at_the_first_that_speaks() -> None:
    """A fast lane in front of a review keeps it off; behind it, it comes too late."""
    review, lane = rule("review: look"), rule("pass: true", name="lane")
    assert run(review).review == "look"
    assert run(lane + review).review is None
    assert run(review + lane).review == "look"
    assert run(review, asked=payout(released=True)).review is None


def test_attempts_are_limited_by_the_strictest() -> None:
    """Rules and the request each may set a limit; the smallest holds."""
    rules = rule("max_attempts: 3") + rule("max_attempts: 2", name="s")
    once = (Tried("a", 0, "channel", "any"),)
    decision = run(rules, asked=payout(tried=once))
    assert (decision.max_attempts, order(decision)) == (2, "bc")
    asked = payout(tried=once, constraints=Constraints(max_attempts=1))
    decision = run(rules, asked=asked)
    assert (decision.max_attempts, order(decision), decision.retry_at) == (1, "", None)
    assert against(decision, "b") == [("attempts_exhausted", (1,))]


def test_a_deadline_counts_from_acceptance_and_only_tightens() -> None:
    """The rule's deadline prices lateness; an earlier one of the payout stays."""
    accepted_at = FRIDAY_NOON - timedelta(hours=1)
    slow = [channel("slow", 0, cycle=T1), channel("quick", 300)]
    big = payout(200_000, accepted_at=accepted_at)
    assert run(rule("max_attempts: 9"), slow, big).order[0].channel == "slow"
    decision = run(rule("deadline: 2h"), slow, big)
    assert decision.deadline_at == accepted_at + timedelta(hours=2)
    assert decision.order[0].channel == "quick"
    earlier = replace(big, deadline_at=FRIDAY_NOON)
    assert run(rule("deadline: 2h"), slow, earlier).deadline_at == FRIDAY_NOON


# --- splits -------------------------------------------------------------------------------------

SHARES = rule("split: {b: 700000, c: 300000}")


@pytest.mark.parametrize(
    ("draw_ppm", "expected"), [(0, "bca"), (699_999, "bca"), (700_000, "cba"), (999_999, "cba")]
)
def test_a_split_draws_by_share(draw_ppm: int, expected: str) -> None:
    """The draw decides, the propensities are the shares, and the rest follows."""
    decision = run(SHARES, draw_ppm=draw_ppm)
    assert (order(decision), decision.outcome) == (expected, "split")
    chances = dict(zip(order(decision), decision.propensities_ppm, strict=True))
    assert chances == {"b": 700_000, "c": 300_000, "a": 0}


def test_who_is_out_passes_the_share_on() -> None:
    """The others' shares grow in proportion and still add up to one."""
    thirds = rule("split: {a: 500000, b: 300000, c: 200000}")
    out = [replace(ABC[0], status="paused"), *ABC[1:]]
    assert run(thirds, out).propensities_ppm == (600_000, 400_000)
    both_out = [replace(one, status="paused") for one in ABC[1:]]
    assert order(run(SHARES, [ABC[0], *both_out])) == "a"


def test_a_share_is_not_doubled_by_two_instruments() -> None:
    """The channel's share goes to the cheaper of its instruments."""
    asked = payout(instruments=(InstrumentFacts(0, "alipay"), InstrumentFacts(1, "bank_card")))
    decision = run(SHARES, asked=asked)
    told = dict(
        zip(
            [(one.channel, one.instrument) for one in decision.order],
            decision.propensities_ppm,
            strict=True,
        )
    )
    assert told["b", 0] == 700_000
    assert (told["b", 1], sum(told.values())) == (0, 1_000_000)


def test_a_split_stands_where_its_rule_stands() -> None:
    """A preference of an earlier rule goes before the split, one of a later rule behind it."""
    assert order(run(rule("prefer: [a]", name="s") + SHARES)) == "abc"
    assert order(run(SHARES + rule("prefer: [a]", name="s"))) == "bca"


@pytest.mark.parametrize(
    ("preferred", "draw_ppm", "expected"),
    [("a", 0, "abc"), ("a", 999_999, "abc"), ("c", 0, "cba"), ("c, b", 0, "cba")],
)
def test_a_rule_splits_behind_what_it_prefers(preferred: str, draw_ppm: int, expected: str) -> None:
    """Whether or not the preferred one has a share as well."""
    both = rule(f"prefer: [{preferred}], split: {{b: 700000, c: 300000}}")
    assert order(run(both, draw_ppm=draw_ppm)) == expected
    out = [replace(one, status="paused") if one.name in preferred else one for one in ABC]
    assert set(order(run(both, out, draw_ppm=draw_ppm))) == set("abc") - set(preferred)


def test_a_due_probe_goes_before_the_split() -> None:
    """A quarantined member is probed as ever; otherwise its share could never come back."""
    sick = HealthView(success_ppm=500_000, quarantined=True, probing=True)
    decision = run(SHARES, [ABC[0], replace(ABC[1], health=sick), ABC[2]])
    assert (order(decision), decision.outcome) == ("bca", "probe")


# --- the channel at hand ------------------------------------------------------------------------


def test_rules_about_the_channel_act_on_this() -> None:
    """Each candidate is judged by its own facts."""
    weak = replace(ABC[0], health=HealthView(success_ppm=700_000))
    decision = run(rule("deny: this", "channel.success_ppm < 800000"), [weak, *ABC[1:]])
    assert order(decision) == "bc"
    assert against(decision, "a") == [("policy_rule_denies", ("r",))]
    assert decision.retry_at is None
    assert order(run(rule("avoid: this", "channel.fee_minor == 100"))) == "bca"
    assert order(run(rule("prefer: this", "channel.fee_minor == 120"))) == "cab"
    assert order(run(rule("weight: {this: 2000000}", "channel.fee_minor < 115"))) == "cab"


def test_what_changes_with_time_may_lift() -> None:
    """A night-time denial is worth waiting for; one by amount is not."""
    night = rule("deny: [a]", "clock.hour < 13")
    decision = run(night, ABC[:1])
    assert decision.retry_at == beijing(2026, 11, 20, 13)
    assert run(rule("deny: [a]", "payout.amount_minor > 1"), ABC[:1]).retry_at is None
    sick = rule("deny: this", "channel.success_ppm < 995000")
    assert run(sick, ABC[:1]).retry_at == FRIDAY_NOON + timedelta(minutes=1)
    until = rule("deny: [a]", more=", until: 2026-11-20 12:00:30")
    assert run(until, ABC[:1]).retry_at == FRIDAY_NOON + timedelta(seconds=30)


def test_rules_see_the_instrument() -> None:
    """With two ways to pay, the rule is asked for each of them."""
    asked = payout(instruments=(InstrumentFacts(0, "alipay"), InstrumentFacts(1, "bank_card")))
    decision = run(rule("deny: this", "channel.rail == 'bank_card'"), ABC[:1], asked)
    assert [one.instrument for one in decision.order] == [0]
    assert [one.instrument for one in decision.excluded] == [1]


# --- how rules work together --------------------------------------------------------------------


def test_final_hides_what_follows() -> None:
    """A final rule ends the reading, for rules about channels as well, but only if it matches."""
    later = rule("prefer: [c]", name="s") + rule("avoid: this", "channel.fee_minor > 0", name="t")
    assert run(rule("prefer: [b]", more=", final: true") + later).rules == ("r",)
    missed = rule("prefer: [b]", "payout.attempt > 1", more=", final: true")
    assert run(missed + later).rules == ("s", "t")


def test_of_a_group_the_first_match_applies() -> None:
    """So a table's rows exclude each other; for rules about channels, for each channel."""
    rows = rule("prefer: [b]", name="one", more=", group: g")
    rows += rule("prefer: [c]", name="two", more=", group: g")
    assert run(rows).rules == ("one",)
    rows = rule("avoid: this", "channel.fee_minor == 100", name="one", more=", group: g")
    rows += rule("weight: {this: 1500000}", "payout.attempt == 1", name="two", more=", group: g")
    decision = run(rows)
    assert (order(decision), decision.rules) == ("bca", ("one", "two"))


@pytest.mark.parametrize(
    ("until", "applies"),
    [
        ("2026-11-19", False),
        ("2026-11-20", True),
        ("2026-11-20 12:00:00", False),
        ("2026-11-20 12:00:01", True),
        ("2026-11-20T04:00:01Z", True),
        ("2026-11-20T04:00:00Z", False),
    ],
)
def test_until_ends_a_rule(until: str, applies: bool) -> None:
    """A date holds to its end in Shanghai, a time to the moment before it."""
    decision = run(rule("prefer: [c]", more=f", until: {until}"))
    assert (decision.rules == ("r",)) is applies


def test_a_condition_that_cannot_be_computed_does_not_match() -> None:
    """The decision goes on and names the rule that was at fault."""
    rules = rule("deny: this", "channel.float_minor * 1000000 > 5", name="over")
    rules += rule("prefer: [c]", "payout.max_fee_minor * 1000000 > 5", name="also")
    decision = run(rules)
    assert order(decision) == "abc"
    assert decision.faults == ("over", "also")


def test_tiers_and_pool_and_constants() -> None:
    """Rules know the merchant's tier, the state of all channels, and the policy's own names."""
    more = "merchants: {m_1: {tier: vip, tags: [new]}}\nlists: {few: [1, 2]}\nvalues: {top: vip}\n"
    rules = rule("prefer: [c]", "merchant.tier == values.top && 'new' in merchant.tags", name="one")
    rules += rule("review: few", "pool.eligible in lists.few && pool.open == 2", name="two")
    paused = [*ABC[:2], replace(ABC[2], status="paused")]
    decision = run(rules, paused, more=more)
    assert (decision.rules, decision.review) == (("one", "two"), "few")
    other = run(rules, asked=payout(merchant_id="m_2"), more=more)
    assert (other.rules, other.review) == ((), None)


# --- what the request allows --------------------------------------------------------------------


def test_the_request_narrows_what_the_policy_allows() -> None:
    """Denials of both sides hold; the request's wishes come before the rules'."""
    limits = Constraints(only=frozenset("bc"), deny=frozenset("b"))
    decision = run(rule("prefer: [b]"), asked=payout(constraints=limits))
    assert order(decision) == "c"
    assert against(decision, "a") == [("request_only", ())]
    assert against(decision, "b") == [("request_denies", ())]
    wish = payout(constraints=Constraints(prefer=("c", "b")))
    assert order(run(rule("prefer: [a]"), asked=wish)) == "cba"
    denied = run(rule("deny: [c]"), asked=wish)
    assert (order(denied), against(denied, "c")) == ("ba", [("policy_rule_denies", ("r",))])


def test_a_policy_travels_to_another_process() -> None:
    """Replays run in several processes; the policy arrives whole, constants included."""
    more = "lists: {few: [1, 2]}\n"
    sent = ruled(rule("prefer: [c]", "payout.attempt in lists.few"), more)
    come = pickle.loads(pickle.dumps(sent))  # noqa: S301  # our own bytes
    assert come == sent
    assert come.rules.rules == sent.rules.rules
    assert order(decide(payout(), ABC, come, FRIDAY_NOON, 0)) == "cab"


# --- the edges ----------------------------------------------------------------------------------


def test_all_channels_down_is_explained() -> None:
    """Nobody can pay: every reason is there, the rules that applied as well."""
    down = [replace(one, status="paused") for one in ABC]
    decision = run(rule("prefer: [c]") + rule("review: few", "pool.open == 0", name="s"), down)
    assert (decision.outcome, decision.order) == ("none", ())
    assert decision.rules == ("r", "s")
    assert decision.retry_at == FRIDAY_NOON + timedelta(seconds=60)
    assert {Code.PAUSED} == {each.code for one in decision.excluded for each in one.reasons}


def test_one_channel_carries_everything_that_is_not_denied() -> None:
    """Avoided, dear and preferred are all the same with nobody else."""
    rules = rule("avoid: [a], weight: {a: 9000000}")
    assert order(run(rules, ABC[:1])) == "a"
    assert run(rules, []).outcome == "none"


def test_a_clock_that_goes_backwards_makes_nothing_younger() -> None:
    """A payout accepted in what is now the future has an age of zero, and a full deadline."""
    later = FRIDAY_NOON + timedelta(hours=3)
    rules = rule("deadline: 1h", "payout.age_minutes == 0")
    decision = run(rules, asked=payout(accepted_at=later))
    assert decision.deadline_at == later + timedelta(hours=1)
    assert order(decision) == "abc"
