"""Laws that hold for every decision, whatever the facts."""

import dataclasses
from datetime import time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from policies.decide import decide, next_after
from policies.explain import explain, from_json, to_json
from policies.expression import Language
from policies.facts import (
    FREE,
    ChannelFacts,
    Constraints,
    Cycle,
    HealthView,
    Hours,
    InstrumentFacts,
    PayoutFacts,
    Tried,
)
from policies.fees import Fee
from policies.policy import ChannelLists, Parameters, Policy
from policies.rules import NO_RULES, THIS, Effects, Rule, RuleSet
from tests.policies.builders import FRIDAY_NOON
from tests.policies.builders import LAW as ANY_LAW

# Facts, rules and limits are drawn anew each time; fewer examples keep the file within seconds.
LAW = settings(ANY_LAW, max_examples=50)
NAMES = ("a", "b", "c", "d", "e")
RAILS = ("alipay", "wechat", "bank_card")
PPM = st.integers(0, 1_000_000)
DRAWS = st.integers(0, 999_999)
names = st.frozensets(st.sampled_from(NAMES), max_size=3)

healths = st.builds(
    HealthView,
    success_ppm=PPM,
    unknown_ppm=PPM,
    observations=st.just(0),
    quarantined=st.booleans(),
    bank_down=st.sampled_from((None, None, "ICBC")),
    probing=st.booleans(),
    latency_ms=st.integers(1, 5000),
    probe_at=st.none(),
)
cycles = st.one_of(
    st.just(Cycle(instant=True)),
    st.builds(
        Cycle,
        days=st.integers(0, 7),
        calendar=st.sampled_from(("natural", "cn_statutory", "cn_no_makeup")),
        cutoff=st.sampled_from((time(9), time(17), time(23, 59))),
    ),
)


@st.composite
def channel_sets(draw: st.DrawFn) -> list[ChannelFacts]:
    """Up to five channels of different names."""
    return [
        ChannelFacts(
            name=name,
            rails=draw(st.frozensets(st.sampled_from(RAILS), min_size=1)),
            currency=draw(st.sampled_from(("CNY", "CNY", "CNY", "HKD"))),
            fee=Fee(draw(st.integers(0, 300)), draw(st.integers(0, 2000))),
            cycle=draw(cycles),
            min_minor=draw(st.sampled_from((1, 1000))),
            max_minor=draw(st.sampled_from((None, None, 100_000))),
            float_minor=draw(st.sampled_from((None, None, 50_000))),
            inflight=draw(st.integers(0, 64)),
            in_doubt=draw(st.sampled_from((0, 0, 199, 200))),
            status=draw(st.sampled_from(("active", "active", "active", "paused"))),
            hours=draw(st.sampled_from((Hours(), Hours(((time(9), time(12)),))))),
            health=draw(healths),
            health_of=draw(st.dictionaries(st.integers(0, 2), healths, max_size=1)),
            problems=draw(st.sampled_from(({}, {}, {0: ("too long",)}))),
        )
        for name in sorted(draw(st.frozensets(st.sampled_from(NAMES))))
    ]


tries = st.builds(
    Tried,
    channel=st.sampled_from(NAMES),
    instrument=st.integers(0, 2),
    fault=st.sampled_from(("channel", "instruction", "beneficiary")),
    elsewhere=st.sampled_from(("any", "any", "other_instrument", "never")),
    retry_at=st.sampled_from((None, FRIDAY_NOON, FRIDAY_NOON + timedelta(seconds=9))),
)
payouts = st.builds(
    PayoutFacts,
    payout_id=st.just("po_1"),
    merchant_id=st.sampled_from(("m_1", "m_2")),
    amount_minor=st.integers(1, 500_000),
    currency=st.just("CNY"),
    instruments=st.lists(st.sampled_from(RAILS), min_size=1, max_size=3).map(
        lambda rails: tuple(InstrumentFacts(index, rail) for index, rail in enumerate(rails))
    ),
    speed=st.sampled_from(("standard", "standard", "fast", "instant")),
    deadline_at=st.sampled_from((None, FRIDAY_NOON + timedelta(days=1))),
    max_fee_minor=st.sampled_from((None, None, 200)),
    tried=st.lists(tries, max_size=2).map(tuple),
    waiting_since=st.sampled_from((None, None, FRIDAY_NOON - timedelta(minutes=20))),
    accepted_at=st.sampled_from((None, FRIDAY_NOON, FRIDAY_NOON - timedelta(hours=1))),
    constraints=st.one_of(
        st.just(FREE),
        st.builds(
            Constraints,
            only=st.sampled_from((frozenset(), frozenset("abc"))),
            deny=st.sampled_from((frozenset(), frozenset("b"))),
            prefer=st.sampled_from(((), ("c", "a"))),
            max_attempts=st.sampled_from((None, 2)),
        ),
    ),
    merchant_ref=st.none(),
    released=st.booleans(),
)

LANGUAGE = Language()
WHOLE = [
    LANGUAGE.compile(text)
    for text in (
        "true",
        "payout.amount_minor > 50000",
        "payout.rail == 'alipay' || payout.attempt > 1",
        "pool.eligible < 3 && clock.hour == 12",
        "payout.max_fee_minor * 1000000 > 5",
        "merchant.id.matches('^m_1$')",
    )
]
EACH = [
    LANGUAGE.compile(text)
    for text in (
        "channel.success_ppm < 500000",
        "channel.fee_minor > 100 && payout.rail == channel.rail",
        "channel.name in ['a', 'b']",
        "channel.float_minor * 1000000 > 5",
        "channel.calendar.matches('cn')",
    )
]
whole_effects = st.builds(
    Effects,
    prefer=st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple),
    avoid=st.lists(st.sampled_from(NAMES), max_size=1).map(tuple),
    require=st.sampled_from(((), (), (), ("a", "b", "c"))),
    deny=st.sampled_from(((), (), ("d",))),
    weight=st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3_000_000), max_size=2),
    split=st.sampled_from(({}, {}, {"a": 700_000, "c": 300_000}, {"b": 1, "e": 999_999})),
    max_attempts=st.sampled_from((None, None, 1, 2)),
    deadline=st.sampled_from((None, timedelta(minutes=30))),
    review=st.sampled_from((None, None, "look")),
    passes=st.booleans(),
)
each_effects = st.sampled_from(
    (
        Effects(deny=(THIS,)),
        Effects(avoid=(THIS,)),
        Effects(prefer=(THIS,)),
        Effects(weight={THIS: 1_500_000}),
    )
)
rules = st.one_of(
    st.tuples(st.sampled_from(WHOLE), whole_effects, st.booleans(), st.none()),
    st.tuples(
        st.sampled_from(EACH), each_effects, st.just(value=False), st.sampled_from((None, "g"))
    ),
)
rule_sets = st.lists(rules, max_size=4).map(
    lambda parts: RuleSet(
        [
            Rule(f"r{at}", condition, effects, None, final, group)
            for at, (condition, effects, final, group) in enumerate(parts)
        ]
    )
)
policies = st.builds(
    lambda explore, bound, lists, rules: Policy(
        "law",
        "f" * 64,
        Parameters(explore_ppm=explore, explore_cost_max_minor=bound),
        lists,
        rules=rules,
    ),
    st.integers(0, 500_000),
    st.integers(0, 1000),
    st.dictionaries(
        st.sampled_from(("*", "m_2")), st.builds(ChannelLists, names, names, names), max_size=2
    ),
    st.one_of(st.just(NO_RULES), rule_sets),
)


@LAW
@given(payouts, channel_sets(), policies, DRAWS, st.randoms(use_true_random=False))
def test_same_facts_same_decision(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int, random: object
) -> None:
    """The order in which channels are configured changes nothing at all."""
    first = decide(payout, channels, policy, FRIDAY_NOON, draw)
    shuffled = list(channels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    # Compiled afresh, so that nothing an earlier decision left behind can matter.
    fresh = dataclasses.replace(policy, rules=RuleSet(policy.rules.rules))
    assert decide(payout, shuffled, fresh, FRIDAY_NOON, draw) == first


@LAW
@given(payouts, channel_sets(), policies, DRAWS)
def test_every_candidate_is_ranked_or_excluded(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int
) -> None:
    """No candidate is both, none is forgotten, and nothing is excluded without a reason."""
    decision = decide(payout, channels, policy, FRIDAY_NOON, draw)
    ranked = {(one.channel, one.instrument) for one in decision.order}
    out = {(one.channel, one.instrument) for one in decision.excluded}
    every = {(one.name, way.index) for one in channels for way in payout.instruments}
    assert not ranked & out
    assert ranked | out == every
    assert len(decision.order) + len(decision.excluded) == len(every)
    assert all(one.reasons for one in decision.excluded)


@LAW
@given(payouts, channel_sets(), policies, DRAWS)
def test_propensities_are_a_distribution(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int
) -> None:
    """They add up to one, and what was chosen was possible."""
    decision = decide(payout, channels, policy, FRIDAY_NOON, draw)
    assert len(decision.propensities_ppm) == len(decision.order)
    assert min(decision.propensities_ppm, default=0) >= 0
    assert sum(decision.propensities_ppm) == (1_000_000 if decision.order else 0)
    assert not decision.order or decision.propensities_ppm[0] > 0


@LAW
@given(payouts, channel_sets(), policies)
def test_propensities_do_not_depend_on_the_draw(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy
) -> None:
    """What is logged is the chance before the draw, the same whichever way it falls."""

    def chances(draw: int) -> dict[tuple[str, int], int]:
        decision = decide(payout, channels, policy, FRIDAY_NOON, draw)
        return {
            (one.channel, one.instrument): chance
            for one, chance in zip(decision.order, decision.propensities_ppm, strict=True)
        }

    assert chances(0) == chances(999_999)


@LAW
@given(payouts, channel_sets(), policies)
def test_the_best_is_no_dearer_than_its_equals(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy
) -> None:
    """Without rules or wishes the winner is the cheapest among the equally preferred."""
    plain, free = (
        dataclasses.replace(policy, rules=NO_RULES),
        replace(payout, constraints=FREE),
    )
    decision = decide(free, channels, plain, FRIDAY_NOON, 0)
    if decision.outcome in ("cheapest", "preferred"):
        best = decision.order[0]
        rivals = [one for one in decision.order if not one.probing]
        assert best.preferred == any(one.preferred for one in rivals)
        assert all(
            best.cost.total <= one.cost.total for one in rivals if one.preferred == best.preferred
        )


@LAW
@given(payouts, channel_sets(), policies, DRAWS)
def test_no_effect_brings_back_what_is_ruled_out(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int
) -> None:
    """Rules that apply deny and require for good; requests and attempts are limited likewise."""
    decision = decide(payout, channels, policy, FRIDAY_NOON, draw)
    applied = [one.effects for one in policy.rules.rules if one.name in decision.rules]
    ranked = {one.channel for one in decision.order}
    for effects in applied:
        assert not ranked & set(effects.deny)
        assert not effects.require or ranked <= set(effects.require)
    assert not ranked & payout.constraints.deny
    assert not payout.constraints.only or ranked <= payout.constraints.only
    limit = decision.max_attempts
    assert not ranked or limit is None or len(payout.tried) < limit
    assert decision.review is None or not payout.released


@LAW
@given(payouts, channel_sets(), policies, DRAWS)
def test_quarantine_is_respected(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int
) -> None:
    """Who is ill is in the order only as a due probe, or where everybody is and it waited long."""
    decision = decide(payout, channels, policy, FRIDAY_NOON, draw)
    by_name = {one.name: one for one in channels}
    for one in decision.order:
        health = by_name[one.channel].health_of.get(one.instrument, by_name[one.channel].health)
        assert one.probing == health.ill
        assert not health.ill or health.probing or decision.outcome == "forced"
    if decision.outcome == "forced":
        assert all(one.probing for one in decision.order)
        assert payout.waiting_since is not None or payout.deadline_at is not None


@LAW
@given(payouts, channel_sets(), policies, DRAWS)
def test_waiting_until_retry_at_is_never_in_the_past(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int
) -> None:
    """A decision without a candidate asks to be repeated later, or never."""
    decision = decide(payout, channels, policy, FRIDAY_NOON, draw)
    assert (decision.outcome == "none") == (decision.order == ())
    if decision.retry_at is not None:
        assert decision.outcome == "none"
        assert decision.retry_at > FRIDAY_NOON


@LAW
@given(payouts, channel_sets(), policies, DRAWS)
def test_failing_over_ends(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int
) -> None:
    """If every attempt fails for good, no candidate is tried twice and the payout comes to rest."""
    asked = replace(payout, tried=())
    seen: set[tuple[str, int]] = set()
    while (chosen := decide(asked, channels, policy, FRIDAY_NOON, draw).chosen) is not None:
        pair = (chosen.channel, chosen.instrument)
        assert pair not in seen
        seen.add(pair)
        asked = replace(asked, tried=(*asked.tried, Tried(*pair, "beneficiary", "any")))
    first = decide(replace(payout, tried=()), channels, policy, FRIDAY_NOON, draw)
    assert next_after(first, asked.tried, FRIDAY_NOON) is None


@LAW
@given(payouts, channel_sets(), policies, DRAWS)
def test_a_stored_decision_comes_back_whole(
    payout: PayoutFacts, channels: list[ChannelFacts], policy: Policy, draw: int
) -> None:
    """JSON and back is the same Decision, and its explanation the same words."""
    decision = decide(payout, channels, policy, FRIDAY_NOON, draw)
    again = from_json(to_json(decision))
    assert again == decision
    assert explain(again) == explain(decision)
