"""Replays: exact money on both sides, state that follows each side's choices, and dead ends."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.backtest.record import Ending, Record
from policies.backtest.replay import Comparison
from policies.backtest.summary import headline
from policies.backtest.terms import ALWAYS
from policies.backtest.world import World
from policies.cost import capital_micro
from policies.document import load
from policies.facts import MICRO, Cycle
from policies.fees import Commitment, Fee, Tier
from policies.policy import EVERY_MERCHANT, ChannelLists, Parameters, Policy
from tests.policies.backtest.past import NOON, choice, option, record, run, terms
from tests.policies.builders import LAW, beijing, policy

YUAN = 100 * MICRO


def cost(compared: Comparison) -> tuple[int, int]:
    """Both sides' totals with shortfalls, micro units."""
    return (
        compared.old.total().total + compared.old.shortfall(),
        compared.new.total().total + compared.new.shortfall(),
    )


def test_an_empty_history_compares_nothing() -> None:
    """No record, no figure, no error."""
    compared = run([], [terms()])
    assert (compared.counts.payouts, compared.covered, cost(compared)) == (0, None, (0, 0))


def test_payouts_that_were_never_routed_are_counted_apart() -> None:
    """A held or cancelled payout has no decision to replay."""
    counts = run([record()], [terms()]).counts
    assert (counts.undecided, counts.payouts) == (1, 0)


def test_one_channel_leaves_nothing_to_change() -> None:
    """With a single channel both sides cost the same."""
    compared = run([record(choice("a")) for _ in range(3)], [terms("a")])
    assert cost(compared) == (3 * YUAN, 3 * YUAN)
    assert compared.counts.changed == 0


def test_fees_surcharges_and_capital_are_exact() -> None:
    """Both sides are the sums that the fee and cost functions give, to the micro unit."""
    dear = terms("dear", Fee(flat_minor=30, rate_ppm=600, min_minor=40, surcharge_ppm=1_000))
    slow = terms("slow", Fee(flat_minor=10), cycle=Cycle(days=3))
    amounts = [12_345, 999, 7_654_321]
    compared = run(
        [record(choice("dear", "slow"), amount_minor=amount) for amount in amounts],
        [dear, slow],
        policy(capital_rate_ppm=1),
    )
    charged = [
        (
            max((30 * MICRO + amount * 600 + MICRO // 2) // MICRO, 40),
            (amount * 1_000 + 500_000) // MICRO,
        )
        for amount in amounts
    ]
    old, new = compared.old.total(), compared.new.total()
    assert old.fee == sum(fee for fee, _ in charged) * MICRO
    assert old.surcharge == sum(surcharge for _, surcharge in charged) * MICRO
    assert old.capital == 0
    assert new.fee == 30 * MICRO
    assert new.capital == sum(capital_micro(amount, 1, 3) for amount in amounts)


def test_a_failure_is_expected_on_both_sides_alike() -> None:
    """The next channel carries what fails, at the logged probability; the penalty is counted."""
    failing = [option("a", MICRO, success_ppm=900_000), option("b", 0, success_ppm=950_000)]
    draft = policy(fail_penalty_minor=1_000)
    compared = run(
        [record(choice(*failing, ending=Ending.CHANNEL_FAILED))],
        [terms("a", Fee(flat_minor=100)), terms("b", Fee(flat_minor=300))],
        draft,
    )
    expected = int(0.9 * YUAN + 0.1 * 3 * YUAN) + int(0.1 * 10 * YUAN + 0.1 * 0.05 * 10 * YUAN)
    assert cost(compared) == (expected, expected)


def test_all_units_price_the_whole_month_at_the_tier_it_ends_in() -> None:
    """The third payout reaches the lower tier for the first two as well."""
    tiered = Fee(tiers=(Tier(0, 200), Tier(3, 50)), scheme="all_units")
    records = [record(choice("a")) for _ in range(3)]
    compared = run(records, [terms("a", tiered)])
    assert compared.old.total().fee == 150 * MICRO
    short = run(records[:2], [terms("a", tiered)])
    assert short.old.total().fee == 400 * MICRO


def test_incremental_tiers_price_each_payout_where_it_falls() -> None:
    """Only what comes after the threshold is cheaper."""
    tiered = Fee(tiers=(Tier(0, 200), Tier(2, 50)), scheme="incremental")
    compared = run([record(choice("a")) for _ in range(3)], [terms("a", tiered)])
    assert compared.old.total().fee == 450 * MICRO


def test_tiers_begin_anew_with_the_local_month() -> None:
    """A payout of 1 April in Shanghai, still 31 March in UTC, starts at the first tier."""
    tiered = Fee(tiers=(Tier(0, 200), Tier(1, 50)), scheme="incremental")
    moments = [beijing(2026, 3, 31, 23), beijing(2026, 4, 1, 1)]
    compared = run([record(choice("a", at=at)) for at in moments], [terms("a", tiered)])
    assert compared.old.total().fee == 400 * MICRO
    assert [line.month for line in compared.old.months] == [(2026, 3), (2026, 4)]


def _month_of(channel: str, count: int) -> list[Record]:
    """Payouts from the first to the last day of March."""
    days = [1 + at * 30 // max(count - 1, 1) for at in range(count)]
    return [record(choice(channel, at=beijing(2026, 3, day))) for day in days]


def test_a_missed_commitment_is_charged_at_the_months_end() -> None:
    """Five promised, three carried: two shortfalls, on the side that missed."""
    promised = Fee(flat_minor=300, commitment=Commitment(5, 1_000))
    compared = run(
        _month_of("promised", 3),
        [terms("promised", promised), terms("other")],
    )
    assert compared.old.shortfall() == 2 * 10 * YUAN
    assert compared.new.shortfall() == 5 * 10 * YUAN


def test_part_of_a_month_owes_part_of_a_commitment() -> None:
    """Ten of thirty-one days are charged for ten thirty-firsts, rounded down, and it is said."""
    promised = Fee(flat_minor=100, commitment=Commitment(31, 1_000))
    records = [record(choice("a", at=beijing(2026, 3, day))) for day in (1, 10)]
    (line,) = run(records, [terms("a", promised)]).old.months
    assert (line.least, line.shortfall, line.whole) == (10, 8 * 10 * YUAN, False)


def test_money_tiers_and_commitments_count_money() -> None:
    """The shortfall of a commitment in money is a share of what is missing."""
    fee = Fee(
        tiers=(Tier(0, 0, 1_000), Tier(10_000, 0, 500)),
        basis="amount",
        commitment=Commitment(1_000_000, 100_000),
    )
    records = [
        record(choice("a", at=beijing(2026, 3, day)), amount_minor=10_000) for day in (1, 31)
    ]
    compared = run(records, [terms("a", fee)])
    assert compared.old.total().fee == (10 + 5) * MICRO
    assert compared.old.shortfall() == (1_000_000 - 20_000) * 100_000


def test_a_fee_changes_on_its_date() -> None:
    """The old price holds until the local day before."""
    fees = ((ALWAYS, Fee(flat_minor=100)), (date(2026, 3, 3), Fee(flat_minor=70)))
    moments = [beijing(2026, 3, 2, 23, 59), beijing(2026, 3, 3, 0, 0)]
    compared = run([record(choice("a", at=at)) for at in moments], [terms("a", fees=fees)])
    assert compared.old.total().fee == 170 * MICRO


def test_a_day_cap_binds_the_draft_by_its_own_choices() -> None:
    """The second payout of the day does not fit into the cheap channel any more."""
    capped = terms("cheap", Fee(flat_minor=10), day_cap_minor=15_000)
    moments = [NOON, NOON, NOON + timedelta(days=1)]
    compared = run([record(choice("dear", at=at)) for at in moments], [capped, terms("dear")])
    assert compared.moves == {("dear", "cheap"): 2, ("dear", "dear"): 1}


def test_a_float_given_binds_the_draft_each_day() -> None:
    """A morning's money is spent once."""
    cheap = terms("cheap", Fee(flat_minor=10))
    compared = run(
        [record(choice("dear")) for _ in range(2)],
        [cheap, terms("dear")],
        floats={"cheap": 15_000},
    )
    assert compared.moves == {("dear", "cheap"): 1, ("dear", "dear"): 1}


@pytest.mark.parametrize(
    "code", ["paused", "quarantined", "in_flight_full", "problem", "bank_gone"]
)
def test_a_channel_that_was_out_for_its_own_reason_stays_out(code: str) -> None:
    """Nobody knows that it would have taken the payout; unknown codes count as such reasons."""
    logged = choice("dear", excluded=[("cheap", code)])
    compared = run([record(logged)], [terms("cheap", Fee(flat_minor=10)), terms("dear")])
    assert compared.moves == {("dear", "dear"): 1}


@pytest.mark.parametrize("code", ["policy_denies", "policy_only", "day_cap", "too_slow"])
def test_a_channel_that_the_old_policy_ruled_out_is_judged_anew(code: str) -> None:
    """What the draft, the payout and its own caps say is decided again."""
    logged = choice("dear", excluded=[("cheap", code)])
    compared = run([record(logged)], [terms("cheap", Fee(flat_minor=10)), terms("dear")])
    assert compared.moves == {("dear", "cheap"): 1}


def test_rates_of_a_channel_that_was_out_are_those_last_logged() -> None:
    """The draft takes the cheap channel only while it was last seen well."""
    seen = [
        choice("dear", option("cheap", 0, success_ppm=500_000)),
        choice("dear", excluded=[("cheap", "policy_denies")]),
    ]
    cheap = terms("cheap", Fee(flat_minor=10))
    compared = run(
        [record(one) for one in seen], [cheap, terms("dear")], policy(fail_penalty_minor=1_000)
    )
    assert compared.moves == {("dear", "dear"): 2}


def test_payouts_without_a_channel_are_counted_first() -> None:
    """A draft that denies the only channel fails them; a passing trouble would have waited."""
    denies = Policy("d", "d", Parameters(), {"*": ChannelLists(deny=frozenset({"a"}))})
    failed = run([record(choice("a"))], [terms("a")], denies)
    assert (failed.counts.fails, failed.counts.waits, failed.counts.compared) == (1, 0, 0)
    logged = choice("a", excluded=[("b", "quarantined")])
    waited = run([record(logged)], [terms("a"), terms("b")], denies)
    assert (waited.counts.fails, waited.counts.waits) == (0, 1)
    assert len(waited.counts.stuck) == 1


def test_a_payout_that_only_the_draft_can_carry_is_counted_and_not_compared() -> None:
    """History let it wait; nothing says what that cost."""
    logged = choice(excluded=[("a", "policy_denies")])
    counts = run([record(logged)], [terms("a")]).counts
    assert (counts.rescued, counts.compared) == (1, 0)


def test_a_channel_that_is_gone_counts_at_its_logged_price() -> None:
    """The old side keeps it; the draft cannot choose it."""
    compared = run([record(choice("gone", "a"))], [terms("a", Fee(flat_minor=70))])
    assert cost(compared) == (YUAN, 70 * MICRO)
    assert compared.counts.gone == {"gone": 1}


def test_what_came_before_the_question_moves_tiers_only() -> None:
    """Two payouts before the first counted one have used up the first tier on both sides."""
    tiered = Fee(tiers=(Tier(0, 200), Tier(2, 50)), scheme="incremental")
    records = [record(choice("a", at=beijing(2026, 3, day))) for day in (1, 2, 3)]
    compared = run(records, [terms("a", tiered)], counted_from=beijing(2026, 3, 3, 0))
    assert compared.counts.payouts == 1
    assert cost(compared) == (50 * MICRO, 50 * MICRO)


def test_a_clock_set_back_is_counted_and_harmless() -> None:
    """State is kept by date, so the sums are those of the right order."""
    capped = terms("cheap", Fee(flat_minor=10), day_cap_minor=15_000)
    moments = [NOON, NOON + timedelta(days=1), NOON + timedelta(hours=1)]
    compared = run([record(choice("dear", at=at)) for at in moments], [capped, terms("dear")])
    assert compared.counts.clock_backwards == 1
    assert compared.moves == {("dear", "cheap"): 2, ("dear", "dear"): 1}


def test_the_yardstick_prices_both_sides() -> None:
    """A draft that calls time free saves nothing by that alone."""
    slow = terms("slow", cycle=Cycle(days=10))
    free_time = policy(capital_rate_ppm=0)
    compared = run([record(choice("slow"))], [slow], free_time, yardstick=Parameters())
    assert cost(compared)[1] == YUAN + capital_micro(10_000, 120_000, 10)


def test_measured_arrivals_are_priced_on_both_sides() -> None:
    """A channel that is seen to arrive late is charged the days it takes."""
    late = terms("late", cycle=Cycle(days=1), arrivals=((1, 500_000), (3, 500_000)))
    compared = run([record(choice("late"))], [late], policy(capital_rate_ppm=120_000))
    assert compared.old.total().days == 2 * MICRO
    assert compared.new.arrivals == {1: 500_000, 3: 500_000}
    assert (
        compared.old.total().capital
        == compared.new.total().capital
        == capital_micro(10_000, 120_000, 2)
    )


@LAW
@given(seed=st.integers(0, 50), denied=st.sampled_from(["swift", "cheap", "none"]))
def test_days_merchants_and_channels_add_up_to_the_same(seed: int, denied: str) -> None:
    """Every cut through the bill has the same sum, to the micro unit, on both sides."""
    world = World(seed, 60)
    draft = Policy("d", "d", Parameters(), {"*": ChannelLists(deny=frozenset({denied}))})
    compared = run(world.records(), world.terms, draft)
    for side in (compared.old, compared.new):
        total = side.total()
        assert sum(part.payouts for part in side.by_merchant.values()) == total.payouts
        assert sum(part.fee for part in side.by_merchant.values()) == pytest.approx(
            total.fee, abs=len(side.by_merchant) + len(side.by_day)
        )
        assert sum(side.arrivals.values()) == total.payouts
    assert compared.old.total().payouts == compared.new.total().payouts
    assert compared.old.total().amount == compared.new.total().amount


def test_the_policy_that_made_a_month_finds_its_own_choices_again() -> None:
    """All that is left to differ are caps and tiers, which follow expected and not actual use."""
    world = World(3, 3_000)
    compared = run(world.records(), world.terms, world.policy)
    assert compared.counts.changed < 0.005 * compared.counts.compared
    old, new = cost(compared)
    assert abs(new - old) < 0.005 * old


def test_the_same_history_gives_the_same_comparison() -> None:
    """A replay has no randomness of its own."""
    world = World(5, 300)
    one, other = (run(world.records(), world.terms) for _ in range(2))
    assert one == other


RULED = """\
version: 2
name: ruled
rules:
  - name: large-goes-dear
    when: payout.amount_minor >= 50000
    then: {require: [dear]}
  - name: look-at-it
    when: merchant.id == "m_watched"
    then: {review: "new merchant"}
examples:
  - {name: large, payout: {amount_minor: 60000}, expect: {rules: [large-goes-dear]}}
  - {name: watched, merchant: m_watched, expect: {rules: [look-at-it]}}
"""


def test_a_draft_with_rules_is_replayed_as_it_would_decide() -> None:
    """A rule sends the large payout to the dear channel; the other goes where it is cheap."""
    draft = load(RULED)
    records = [record(choice("dear"), amount_minor=amount) for amount in (10_000, 60_000)]
    compared = run(records, [terms("dear"), terms("cheap", Fee(flat_minor=10))], draft)
    assert compared.moves == {("dear", "cheap"): 1, ("dear", "dear"): 1}


def test_payouts_that_a_rule_holds_for_people_are_counted() -> None:
    """Their waiting has no price here, so it is said."""
    compared = run([record(choice("a"), merchant="m_watched")], [terms("a")], load(RULED))
    assert compared.counts.reviews == 1
    assert any("review 1 payouts" in one.en for one in headline(compared))


def test_what_a_request_forbids_stays_forbidden() -> None:
    """The request's own lists bind the draft as they bound history."""
    logged = choice("dear", excluded=[("cheap", "request_denies")])
    compared = run(
        [record(logged, deny=("cheap",)), record(logged)],
        [terms("dear"), terms("cheap", Fee(flat_minor=10))],
    )
    assert compared.moves == {("dear", "dear"): 1, ("dear", "cheap"): 1}


def test_where_the_plan_chose_the_draft_follows_it() -> None:
    """The plan had sent it to the dearer channel, and is no difference between the policies."""
    channels = [terms("a"), terms("b", Fee(flat_minor=300))]
    planned = record(choice("b", "a", plan="pl_1", outcome="planned"))
    compared = run([planned], channels)
    assert cost(compared) == (3 * YUAN, 3 * YUAN)
    assert (compared.counts.changed, compared.counts.plans) == (0, {"pl_1": 1})
    assert run([record(choice("b", "a", plan="pl_1"))], channels).counts.changed == 1


def test_a_plan_does_not_outvote_the_drafts_rules() -> None:
    """A channel that the draft forbids is not used because the plan wanted it."""
    channels = [terms("a"), terms("b", Fee(flat_minor=300))]
    draft = Policy("t", "t", lists={EVERY_MERCHANT: ChannelLists(deny=frozenset({"b"}))})
    planned = record(choice("b", "a", plan="pl_1", outcome="planned"))
    assert cost(run([planned], channels, draft)) == (3 * YUAN, YUAN)
