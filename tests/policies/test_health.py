"""Health estimates: fading, quarantine and probes, doubt, latency, segments, failovers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.facts import HealthView
from policies.health import WHOLE, Health, HealthSettings, Observed

BEGIN = datetime(2026, 11, 20, 4, tzinfo=UTC)
GOOD: Observed = "success"
MIXED: list[Observed] = [*[GOOD] * 19, "failure", *[GOOD] * 19]
"""A channel that fails now and then, ending well."""


def at(seconds: float) -> datetime:
    """A moment of the test's own clock."""
    return BEGIN + timedelta(seconds=seconds)


def feed(
    health: Health,
    outcomes: list[Observed],
    channel: str = "a",
    segment: str = WHOLE,
    begin: float = 0,
) -> float:
    """One outcome a second; returns the second after the last."""
    for second, outcome in enumerate(outcomes):
        now = at(begin + second)
        health.observe(channel, segment, outcome, now, sent_at=now)
    return begin + len(outcomes)


def sick(channel: str = "a", segment: str = WHOLE) -> tuple[Health, float]:
    """A channel that worked well and then failed until quarantined."""
    health = Health()
    now = feed(health, ["success"] * 50, channel, segment)
    while not health.view(channel, segment, at(now)).quarantined:
        now = feed(health, ["failure"], channel, segment, now)
    return health, now


def test_unknown_channel_starts_hopeful() -> None:
    """Before any evidence a channel is given the benefit of the doubt, so that it is tried."""
    view = Health().view("a", WHOLE, BEGIN)
    assert view == HealthView(success_ppm=990_000, observations=0, latency_ms=1000)


def test_evidence_moves_the_estimate() -> None:
    """Successes raise it, failures lower it, and doubt leaves it alone."""
    health = Health()
    feed(health, ["success"] * 100)
    good = health.view("a", WHOLE, at(100))
    feed(health, ["unknown"], begin=100)
    doubted = health.view("a", WHOLE, at(101))
    feed(health, ["failure"], begin=101)
    bad = health.view("a", WHOLE, at(102))
    assert good.success_ppm == pytest.approx(doubted.success_ppm, abs=100)
    assert good.unknown_ppm == 0 < doubted.unknown_ppm
    assert bad.success_ppm < doubted.success_ppm - 5_000
    assert bad.observations == 102


def test_an_idle_channel_is_doubted_less_and_less() -> None:
    """Old evidence fades as others are observed, so that the channel is tried again."""
    health = Health()
    now = feed(health, ["failure", *[GOOD] * 7] * 10, "idle")
    low = health.view("idle", WHOLE, at(now)).success_ppm
    now = feed(health, ["success"] * 20_000, "busy", begin=now)
    views = health.views(["idle", "busy"], WHOLE, at(now))
    assert low < 920_000
    assert 0 < views["busy"].success_ppm - views["idle"].success_ppm < 15_000


def test_time_alone_makes_evidence_fade() -> None:
    """Without traffic the half-life is at most a day, and an outage is over at some time."""
    health = Health()
    now = feed(health, ["failure"] * 3)
    soon = health.view("a", WHOLE, at(now)).success_ppm
    later = health.view("a", WHOLE, at(now + 10 * 86_400)).success_ppm
    assert soon < 880_000
    assert later > 975_000


def test_a_burst_does_not_wipe_out_memory() -> None:
    """However many outcomes come in a second, the half-life is at least a minute."""
    health = Health()
    for _ in range(3):
        health.observe("a", WHOLE, "failure", BEGIN, sent_at=BEGIN)
    before = health.view("a", WHOLE, BEGIN).success_ppm
    for n in range(20_000):
        health.observe("b", WHOLE, "success", at(n / 20_000), sent_at=BEGIN)
    # What is usual has gone up meanwhile, so a's own record alone does not say it all.
    assert health.view("a", WHOLE, at(1)).success_ppm == pytest.approx(before, abs=30_000)


def test_clock_that_steps_back_is_harmless() -> None:
    """An earlier time is taken as no time passed."""
    health = Health()
    feed(health, ["success"] * 10, begin=100)
    before = health.view("a", WHOLE, at(110))
    health.observe("a", WHOLE, "success", at(0), sent_at=BEGIN, latency_ms=5)
    health.observe("a", WHOLE, "success", at(-5), sent_at=BEGIN, latency_ms=4)
    assert health.view("a", WHOLE, at(-9)).success_ppm >= before.success_ppm


@pytest.mark.parametrize(("usual", "needed"), [([GOOD] * 200, 3), (MIXED * 10, 4)])
def test_consecutive_failures_quarantine_quickly(usual: list[Observed], needed: int) -> None:
    """A few failures in a row evict; the better a channel used to be, the fewer."""
    health = Health()
    now = feed(health, usual)
    feed(health, ["failure"] * (needed - 1), begin=now)
    assert not health.view("a", WHOLE, at(now + needed - 1)).quarantined
    feed(health, ["failure"], begin=now + needed - 1)
    view = health.view("a", WHOLE, at(now))
    assert view.quarantined
    assert not view.probing
    last = now + needed - 1
    assert view.probe_at == at(last + 30)


def test_usual_failures_do_not_quarantine() -> None:
    """One failure in forty, evenly, is a bad channel and not an outage."""
    health = Health()
    now = feed(health, MIXED * 30)
    assert not health.view("a", WHOLE, at(now)).quarantined


def test_lost_replies_quarantine_too() -> None:
    """Three payouts in doubt in a row evict, without counting as failures."""
    health = Health()
    now = feed(health, ["success"] * 100)
    good = health.view("a", WHOLE, at(now)).success_ppm
    feed(health, ["unknown"] * 3, begin=now)
    view = health.view("a", WHOLE, at(now + 3))
    assert view.quarantined
    assert view.success_ppm == pytest.approx(good, abs=2000)


def test_probe_is_due_after_decisions_or_time() -> None:
    """Every 25 decisions, or 30 seconds when traffic is thin."""
    health, now = sick()
    for _ in range(24):
        health.started("b", WHOLE, at(now))
    assert not health.view("a", WHOLE, at(now)).probing
    health.started("b", WHOLE, at(now))
    assert health.view("a", WHOLE, at(now)).probing
    patient, now = sick()
    assert not patient.view("a", WHOLE, at(now + 28)).probing
    assert patient.view("a", WHOLE, at(now + 29)).probing


def test_one_probe_at_a_time() -> None:
    """Sending the probe makes the next one wait."""
    health, now = sick()
    assert health.view("a", WHOLE, at(now + 30)).probing
    health.started("a", WHOLE, at(now + 30))
    assert not health.view("a", WHOLE, at(now + 60)).probing
    assert health.view("a", WHOLE, at(now + 30 + 61)).probing


def test_failed_probes_back_off() -> None:
    """Where nobody is well, each wait is twice the last, and at most eight minutes."""
    health, now = sick()
    waits: list[float] = []
    for _ in range(8):
        health.started("a", WHOLE, at(now))
        health.observe("a", WHOLE, "failure", at(now), sent_at=at(now))
        due = health.view("a", WHOLE, at(now)).probe_at
        assert due is not None
        waits.append((due - at(now)).total_seconds())
        now += waits[-1]
    # The quarantine began a second before the first of them.
    assert waits[:4] == [31, 62, 124, 248]
    assert waits[4:] == [480] * 4


def test_probes_are_weighed_by_what_the_channel_is_worth() -> None:
    """With an equal beside it a channel is probed seldom, with a poor one often."""

    def wait(beside: list[Observed]) -> int:
        health = Health()
        now = feed(health, [GOOD] * 300)
        now = feed(health, beside * 20, "b", begin=now)
        while not health.view("a", WHOLE, at(now)).quarantined:
            now = feed(health, ["failure"], begin=now)
        decisions = 0
        while not health.view("a", WHOLE, at(now)).probing:
            health.started("b", WHOLE, at(now))
            decisions += 1
        return decisions

    assert wait([GOOD] * 15) > 2 * wait([*[GOOD] * 14, "failure"])


def test_straight_successes_restore() -> None:
    """A success asks for the next probe at once; some in a row end the quarantine."""
    health, now = sick()
    for _ in range(10):
        health.started("a", WHOLE, at(now))
        health.observe("a", WHOLE, "success", at(now + 1), sent_at=at(now))
        view = health.view("a", WHOLE, at(now + 1))
        if view.probe_at is None:
            break
        wait = (view.probe_at - at(now)).total_seconds()
        assert wait <= 20
        now += wait
    assert not view.quarantined
    assert view.probe_at is None
    assert view.success_ppm > 950_000


def test_a_restored_channel_is_what_it_used_to_be() -> None:
    """An outage teaches nothing about ordinary times."""
    health = Health()
    now = feed(health, MIXED * 20)
    before = health.view("a", WHOLE, at(now)).success_ppm
    now = feed(health, ["failure"] * 30, begin=now)
    assert health.view("a", WHOLE, at(now)).quarantined
    while health.view("a", WHOLE, at(now)).quarantined:
        now = feed(health, ["success"], begin=now)
    now = feed(health, ["success"] * 3, begin=now)
    after = health.view("a", WHOLE, at(now)).success_ppm
    # The failures before the quarantine have been counted: nobody could know better.
    assert before - 15_000 < after <= before


def test_failures_from_before_the_recovery_come_too_late() -> None:
    """Answers to payouts sent before the probe that ended a quarantine are of another time."""
    health, now = sick()
    while health.view("a", WHOLE, at(now)).quarantined:
        now = feed(health, ["success"], begin=now)
    before = health.view("a", WHOLE, at(now))
    for _ in range(5):
        health.observe("a", WHOLE, "failure", at(now), sent_at=at(now - 10))
    after = health.view("a", WHOLE, at(now))
    assert not after.quarantined
    assert after.success_ppm == pytest.approx(before.success_ppm, abs=500)


def test_a_failed_probe_costs_successes() -> None:
    """More are needed after one than without it."""

    def needed(first: list[Observed]) -> int:
        health, now = sick()
        now = feed(health, first, begin=now)
        count = 0
        while health.view("a", WHOLE, at(now)).quarantined:
            now = feed(health, [GOOD], begin=now)
            count += 1
        return count

    assert needed(["failure"]) > needed([])


def test_late_answers_are_not_probes() -> None:
    """Outcomes of payouts sent before the quarantine neither end nor prolong it."""
    health, now = sick()
    due = health.view("a", WHOLE, at(now)).probe_at
    late: list[Observed] = ["failure", *[GOOD] * 5]
    for outcome in late:
        health.observe("a", WHOLE, outcome, at(now), sent_at=at(10))
    view = health.view("a", WHOLE, at(now))
    assert view.quarantined
    assert view.probe_at == due


def test_latency_jumps_up_and_decays() -> None:
    """A peak counts at once and is forgotten over tens of seconds."""
    health = Health()
    health.observe("a", WHOLE, "success", at(0), sent_at=BEGIN, latency_ms=100)
    health.observe("a", WHOLE, "success", at(1), sent_at=BEGIN, latency_ms=3000)
    assert health.view("a", WHOLE, at(1)).latency_ms == 3000
    health.observe("a", WHOLE, "success", at(11), sent_at=BEGIN, latency_ms=100)
    assert health.view("a", WHOLE, at(11)).latency_ms == pytest.approx(1167, abs=1)
    health.observe("a", WHOLE, "success", at(100), sent_at=BEGIN, latency_ms=100)
    assert health.view("a", WHOLE, at(100)).latency_ms == 100


def test_segment_shrinks_to_its_channel() -> None:
    """A segment without evidence is its channel; with evidence it goes its own way."""
    health = Health()
    now = feed(health, ["success"] * 300, "a", "bank_card:ICBC")
    rail = health.view("a", "bank_card", at(now))
    assert health.view("a", "bank_card:CCB", at(now)) == rail
    now = feed(health, ["failure"] * 2, "a", "bank_card:CCB", now)
    ccb = health.view("a", "bank_card:CCB", at(now))
    icbc = health.view("a", "bank_card:ICBC", at(now))
    assert ccb.success_ppm < 800_000
    assert ccb.observations == 2
    # Two failures in a row make the whole channel suspicious, but not as much.
    assert icbc.success_ppm > 890_000
    assert health.view("b", "bank_card:CCB", at(now)).observations == 0


def test_a_segments_outage_leaves_the_other_segments_alone() -> None:
    """A down bank evicts the channel for that bank only."""
    health = Health()
    now: float = 0
    for _ in range(30):
        now = feed(health, ["success"] * 9, "a", "bank_card:ICBC", now)
        now = feed(health, ["failure"], "a", "bank_card:CCB", now)
    assert health.view("a", "bank_card:CCB", at(now)).quarantined
    assert not health.view("a", "bank_card:ICBC", at(now)).quarantined


def test_a_channels_outage_covers_all_segments() -> None:
    """When the whole channel is in quarantine, so is every segment, until both are due."""
    health, now = sick("a", "bank_card:ICBC")
    assert health.view("a", WHOLE, at(now)).quarantined
    assert health.view("a", "bank_card:CCB", at(now)).quarantined
    assert health.view("a", "bank_card:ICBC", at(now + 30)).probing


def test_with_all_in_quarantine_a_new_channel_is_still_hoped_for() -> None:
    """The dead say what is usual in ordinary times, and nothing about a channel nobody tried."""
    health, now = sick()
    assert health.view("b", WHOLE, at(now)).success_ppm > 980_000


def test_settings_can_be_given() -> None:
    """A stricter limit quarantines on the first failure."""
    health = Health(HealthSettings(quarantine_at=0.0001))
    feed(health, ["success", "failure"])
    assert health.view("a", WHOLE, at(2)).quarantined


def test_a_band_shrinks_to_its_bank_and_that_to_its_rail() -> None:
    """Evidence counts in every segment around it, and each is filled up with the one above."""
    health = Health()
    now = feed(health, ["success"] * 300, "a", "bank_card:ICBC:b1")
    now = feed(health, ["failure"] * 2, "a", "bank_card:CCB:b4", now)
    seen = {
        segment: health.view("a", segment, at(now)).success_ppm
        for segment in ("bank_card:CCB:b4", "bank_card:CCB:b1", "bank_card:CCB", "bank_card", WHOLE)
    }
    assert seen["bank_card:CCB:b4"] < seen["bank_card:CCB"] < seen["bank_card"] < 995_000
    assert seen["bank_card:CCB:b1"] == seen["bank_card:CCB"]
    assert seen["bank_card"] == pytest.approx(seen[WHOLE], abs=5000)
    assert health.view("a", "wechat", at(now)).observations == 302


def test_a_bands_outage_leaves_the_other_bands_alone() -> None:
    """Large payouts to a bank fail here, small ones go through."""
    health = Health()
    now: float = 0
    for _ in range(30):
        now = feed(health, ["success"] * 9, "a", "bank_card:CCB:b1", now)
        now = feed(health, ["failure"], "a", "bank_card:CCB:b4", now)
    assert health.view("a", "bank_card:CCB:b4", at(now)).quarantined
    assert not health.view("a", "bank_card:CCB:b1", at(now)).quarantined


def test_failovers_do_not_spoil_what_first_attempts_expect() -> None:
    """A payout that has failed once is another kind; its second failure is for quarantine alone."""
    health = Health()
    now = feed(health, ["success"] * 100)
    before = health.view("a", WHOLE, at(now)).success_ppm
    for _ in range(2):
        health.observe("a", WHOLE, "failure", at(now), sent_at=at(now), again=True)
    first = health.views(["a"], WHOLE, at(now))["a"]
    again = health.views(["a"], WHOLE, at(now), again=True)["a"]
    assert first.success_ppm == before > again.success_ppm + 5_000
    for _ in range(3):
        health.observe("a", WHOLE, "failure", at(now), sent_at=at(now), again=True)
    assert health.views(["a"], WHOLE, at(now))["a"].quarantined


def test_first_attempts_go_on_counting_for_both() -> None:
    """After the two have parted, a first attempt is learned by each."""
    health = Health()
    health.observe("a", WHOLE, "failure", at(0), sent_at=at(0), again=True)
    feed(health, ["success"] * 50, begin=1)
    assert health.views(["a"], WHOLE, at(51))["a"].observations == 50
    assert health.views(["a"], WHOLE, at(51), again=True)["a"].observations == 51


# --- laws --------------------------------------------------------------------------------------

OUTCOMES: st.SearchStrategy[Observed] = st.sampled_from(["success", "failure", "unknown"])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([WHOLE, "bank_card:CCB", "bank_card:CCB:b1"]),
        OUTCOMES,
        st.floats(-100, 100_000),
        st.floats(0, 2000),
        st.booleans(),
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(EVENTS)
def test_whatever_comes_in_whatever_order_the_views_make_sense(
    events: list[tuple[str, str, Observed, float, float, bool]],
) -> None:
    """Chances stay chances, also when time jumps about; nobody is probed who is not ill."""
    health = Health()
    for channel, segment, outcome, seconds, late, started in events:
        if started:
            health.started(channel, segment, at(seconds))
        health.observe(channel, segment, outcome, at(seconds), sent_at=at(seconds - late))
        for view in health.views("abc", segment, at(seconds)).values():
            assert 0 <= view.success_ppm <= 1_000_000
            assert 0 <= view.unknown_ppm <= 1_000_000
            assert view.ill or not view.probing
            assert view.ill == (view.probe_at is not None)


@settings(max_examples=50)
@given(EVENTS, st.permutations("abc"))
def test_channels_are_alike_whatever_their_order(
    events: list[tuple[str, str, Observed, float, float, bool]], order: list[str]
) -> None:
    """Views do not depend on the order in which channels are asked about."""
    health = Health()
    for channel, segment, outcome, seconds, late, _ in events:
        health.observe(channel, segment, outcome, at(seconds), sent_at=at(seconds - late))
    now, segment = at(100_001), "bank_card:CCB"
    one, other = health.views("abc", segment, now), health.views(order, segment, now)
    for name, view in one.items():
        assert other[name].success_ppm == pytest.approx(view.success_ppm, abs=1)


@settings(max_examples=50)
@given(EVENTS, st.sampled_from("abc"))
def test_a_failure_never_raises_and_a_success_never_lowers_an_estimate(
    events: list[tuple[str, str, Observed, float, float, bool]], channel: str
) -> None:
    """One more answer at the same moment moves its channel's estimate the way it should."""
    worse, better = Health(), Health()
    for name, _, outcome, seconds, late, _ in events:
        for health in (worse, better):
            health.observe(name, WHOLE, outcome, at(seconds), sent_at=at(seconds - late))
    now = at(100_001)
    worse.observe(channel, WHOLE, "failure", now, sent_at=now)
    better.observe(channel, WHOLE, "success", now, sent_at=now)
    low, high = (h.views("abc", WHOLE, now)[channel].success_ppm for h in (worse, better))
    assert low <= high
