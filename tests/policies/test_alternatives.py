"""What would have to change for another candidate to win: true when it is tried."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.alternatives import Alternative, alternatives
from policies.build import build
from policies.decide import decide
from policies.document import parse
from policies.exclusions import Code
from policies.facts import MICRO, ChannelFacts, Cycle, Decision, HealthView, Hours
from policies.fees import Fee
from policies.policy import ChannelLists
from tests.policies.builders import FRIDAY_NOON, LAW, channel, payout, policy

QUICK = channel("quick", 3_000)


def decided(*channels: ChannelFacts, amount: int = 5_000_000, draw: int = 0) -> Decision:
    """A decision without exploration."""
    return decide(payout(amount), channels, policy(), FRIDAY_NOON, draw)


def only(decision: Decision) -> Alternative:
    """The single alternative."""
    (one,) = alternatives(decision)
    return one


def test_fee_that_would_be_enough_is_told() -> None:
    """The gap in whole minor units, rounded up, and one more where the two would only be equal."""
    one = only(decided(QUICK, channel("dear", 4_000)))
    assert one.gap_micro == 1_000 * MICRO
    assert "its fee falls by at least ¥10.01" in one.sentence.en
    assert "手续费降低至少 ¥10.01" in one.sentence.zh


@given(
    st.integers(0, 5_000),
    st.integers(0, 5_000),
    st.integers(0, 9),
    st.integers(500_000, 999_999),
    st.integers(0, 400_000),
)
@LAW
def test_following_the_fee_lever_wins_and_a_fen_less_does_not(
    ours: int, theirs: int, days: int, success: int, unknown: int
) -> None:
    """With exactly that discount the alternative is chosen; with one minor unit less it is not."""
    best = channel("best", ours)
    other = channel(
        "other",
        theirs,
        cycle=Cycle(days=days),
        health=HealthView(success_ppm=success, unknown_ppm=unknown),
    )
    decision = decided(best, other)
    if decision.chosen is None or decision.chosen.channel != "best":
        return
    one = only(decision)
    assert one.gap_micro is not None
    less = one.gap_micro // MICRO + 1
    told = any("fee falls" in lever.en for lever in one.levers)
    assert told == (theirs >= less and one.gap_micro > 0)
    if not told:
        return
    enough = decided(best, replace(other, fee=Fee(theirs - less)))
    assert enough.chosen is not None
    assert enough.chosen.channel == "other"
    short = decided(best, replace(other, fee=Fee(theirs - less + 1)))
    assert short.chosen is not None
    assert short.order[0].cost.total <= short.order[1].cost.total
    assert short.chosen.channel == "best" or short.order[0].cost.total == short.order[1].cost.total


def test_success_and_days_that_would_be_enough_are_told() -> None:
    """A slow and a sick channel hear about arrival and record instead of a fee they do not have."""
    slow = channel("slow", 0, cycle=Cycle(days=7))
    assert "it arrives at least 6 calendar days sooner" in only(decided(QUICK, slow)).sentence.en
    sick = channel("sick", 2_950, health=HealthView(success_ppm=500_000))
    told = only(decided(QUICK, sick))
    assert "its success rate reaches 74.0001 %" in told.sentence.en
    for success, winner in ((740_001, "sick"), (739_999, "quick")):
        chosen = decided(QUICK, replace(sick, health=HealthView(success_ppm=success))).chosen
        assert chosen is not None
        assert chosen.channel == winner


def test_excluded_candidates_are_priced_and_told_what_lifts_them() -> None:
    """Every reason must go, and a price that would still lose is said."""
    shut = channel("shut", 9_000, hours=Hours(((time(13), time(14)),)), float_minor=1_000_000)
    one = only(decided(QUICK, shut))
    assert one.all_needed
    assert one.gap_micro == 6_000 * MICRO
    assert one.sentence.zh == (
        "shut：需同时满足：渠道开门（最早 2026-11-20 13:00）；资金池至少补充 ¥40,090.00；"
        "即使可用也比选中的渠道贵 ¥60.0000，价格还需降低。"
    )
    assert "it opens (at 2026-11-20 13:00 at the earliest)" in one.sentence.en


def test_what_never_pays_such_payouts_has_no_price() -> None:
    """Another currency cannot be compared."""
    one = only(decided(QUICK, channel("abroad", currency="HKD")))
    assert one.gap_micro is None
    assert "it pays CNY, not only HKD" in one.sentence.en


def test_preference_and_chance_are_named_as_such() -> None:
    """A cheaper candidate that lost to a list or to the draw is not told to become cheaper."""
    rules = policy(ChannelLists(prefer=frozenset({"dear"})))
    dear = channel("dear", 4_000)
    listed = decide(payout(5_000_000), [QUICK, dear], rules, FRIDAY_NOON, 0)
    told = only(listed)
    assert not told.all_needed
    assert told.sentence.zh == "quick：它排得同样靠前（dear：商户名单优先使用）。"
    assert "as high as dear (preferred by the merchant's list)" in told.sentence.en
    near = channel("near", 3_010)
    drawn = decide(
        payout(5_000_000), [QUICK, near], policy(explore_ppm=10_000), FRIDAY_NOON, 999_999
    )
    assert "whenever no exploration is drawn" in only(drawn).sentence.en


def by_rule(then: str, *channels: ChannelFacts) -> Decision:
    """A decision by one rule, which always applies."""
    rules = f"version: 2\nname: x\nrules:\n  - {{name: night, when: 'true', then: {{{then}}}}}\n"
    return decide(payout(5_000_000), channels, build(parse(rules)).policy, FRIDAY_NOON, 0)


def test_an_avoided_channel_is_told_which_rule_avoids_it() -> None:
    """Becoming cheaper would not help it; where it is dearer as well, both have to change."""
    cheap = only(by_rule("avoid: [cheap]", QUICK, channel("cheap", 2_000)))
    assert not cheap.all_needed
    assert cheap.sentence == (
        "cheap：规则“night”不再要求尽量不用它。",
        "cheap: night no longer avoids it.",
    )
    dear = only(by_rule("avoid: [dear]", QUICK, channel("dear", 4_000)))
    assert dear.all_needed
    assert "night no longer avoids it; even then it costs ¥10.0000 more" in dear.sentence.en


def test_a_weight_is_part_of_what_would_be_enough() -> None:
    """A rule makes the dearer one seem cheaper: the fee lever is exact, and the rule is named."""
    other = channel("other", 3_200)
    decision = by_rule("weight: {other: 900000}", QUICK, other)
    assert decision.chosen is not None
    assert decision.chosen.channel == "other"
    one = only(decision)
    assert one.gap_micro is not None
    assert one.gap_micro < 0
    assert "night no longer changes what costs are ranked by" in one.sentence.en
    enough = by_rule("weight: {other: 900000}", channel("quick", 2_879), other).chosen
    short = by_rule("weight: {other: 900000}", channel("quick", 2_881), other).chosen
    assert enough is not None
    assert short is not None
    assert (enough.channel, short.channel) == ("quick", "other")
    assert "its fee falls by at least ¥1.21" in one.sentence.en


def test_nobody_chosen_still_tells_what_would_help() -> None:
    """Without a winner there is no gap, only what has to lift."""
    one = only(decided(channel("a", status="paused")))
    assert one.gap_micro is None
    assert one.sentence == (
        "a：需同时满足：操作员恢复该渠道。",
        "a would need all of: an operator resumes it.",
    )


@pytest.mark.parametrize("code", list(Code))
def test_every_reason_has_a_lever(code: Code) -> None:
    """Whatever is against a candidate, the explanation says what would end it, in two languages."""
    from policies.alternatives import _lift
    from policies.exclusions import Exclusion

    lever = _lift(Exclusion(code, (3, 2)), "CNY")
    assert lever.zh
    assert lever.en
    assert lever.zh != lever.en
