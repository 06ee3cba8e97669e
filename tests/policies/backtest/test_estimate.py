"""Success estimates against known truth: error, coverage, and when to say nothing."""

from datetime import date, timedelta
from math import sqrt
from random import Random
from typing import NamedTuple

import pytest

from policies.backtest.estimate import ESS_MIN, Evidence, Judged, expected_square
from policies.backtest.record import Ending

FIRST = date(2026, 3, 1)
MICRO = 1_000_000


class Trial(NamedTuple):
    """What was estimated of a world, and what is true there."""

    judged: Judged
    truth: float


def trial(
    seed: int,
    *,
    payouts: int = 4_000,
    days: int = 20,
    hedge_ppm: int = 300_000,
    target_ppm: int = 1_000_000,
    good: float = 0.97,
    better: float = 0.0,
    bad_days: float = 0.1,
) -> Trial:
    """A favourite and a rival with bad days; the draft sends `target_ppm` to the rival.

    What is believed lags a day behind, so the model is wrong about bad days.
    """
    dice = Random(seed)
    evidence = Evidence()
    truth = 0.0
    believed = [970_000, 960_000]
    for at in range(days):
        rates = [
            rate * (dice.uniform(0.4, 0.85) if dice.random() < bad_days else 1)
            for rate in (good, min(good + better, 0.999))
        ]
        for _ in range(payouts // days):
            rival = dice.random() < hedge_ppm / MICRO
            logged = hedge_ppm if rival else MICRO - hedge_ppm
            would = target_ppm if rival else MICRO - target_ppm
            paid = dice.random() < rates[rival]
            truth += target_ppm / MICRO * rates[1] + (1 - target_ppm / MICRO) * rates[0]
            evidence.add(
                FIRST + timedelta(days=at),
                Ending.PAID if paid else Ending.CHANNEL_FAILED,
                logged_ppm=logged,
                would_ppm=would,
                believed_ppm=believed[rival],
                model=target_ppm * believed[1] + (MICRO - target_ppm) * believed[0],
                supported_ppm=MICRO,
                explored_ppm=hedge_ppm,
                expected=_expected(hedge_ppm, target_ppm),
            )
        believed = [round(rate * MICRO) for rate in rates]
    return Trial(evidence.judge(), truth / (payouts // days * days))


def _expected(hedge_ppm: int, target_ppm: int) -> tuple[float, float]:
    pairs = ((hedge_ppm, target_ppm), (MICRO - hedge_ppm, MICRO - target_ppm))
    parts = [expected_square(*pair) for pair in pairs]
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def test_the_interval_contains_the_truth_in_about_95_of_100_worlds() -> None:
    """Over 200 small worlds the 95 % interval covers the draft's true rate."""
    inside = 0
    for seed in range(200):
        judged, truth = trial(seed, payouts=1_000)
        inside += judged.new_low <= truth <= judged.new_high
    assert 184 <= inside <= 199


def test_a_change_that_is_not_there_is_rarely_found() -> None:
    """Two channels of one true rate: a verdict of better or worse in about one world of twenty."""
    wrong = sum(
        trial(seed, payouts=2_000, hedge_ppm=500_000, target_ppm=600_000, bad_days=0).judged.verdict
        in {"better", "worse"}
        for seed in range(100)
    )
    assert wrong <= 11


def test_the_errors_are_those_of_the_literature_for_this_sample() -> None:
    """At an effective sample of about 1,200 both estimators are within 0.65 points (RMSE)."""
    errors: list[tuple[float, float]] = []
    sizes = []
    for seed in range(30):
        judged, truth = trial(1_000 + seed, payouts=10_000, hedge_ppm=122_000, bad_days=0.03)
        errors.append((judged.new - truth, judged.doubly_robust - truth))
        sizes.append(judged.ess)
    snips, robust = (sqrt(sum(error[at] ** 2 for error in errors) / 30) for at in (0, 1))
    assert 1_100 < sum(sizes) / 30 < 1_350
    assert snips < 0.0065
    assert robust < 0.0065
    bias = abs(sum(error[0] for error in errors)) / 30
    assert bias < 2 * 0.0065 / sqrt(30)


def test_a_real_gain_is_found() -> None:
    """Eight points more of success cannot hide in an effective sample of thousands."""
    judged, _ = trial(1, payouts=10_000, good=0.90, better=0.08, hedge_ppm=500_000)
    assert judged.verdict == "better"
    assert judged.change_low > 0


def test_the_logged_policy_itself_has_weights_of_one() -> None:
    """Nothing changes: the effective sample is the sample and the change is zero."""
    judged, _ = trial(1, hedge_ppm=300_000, target_ppm=300_000)
    assert judged.ess == pytest.approx(judged.payouts)
    assert judged.change == pytest.approx(0)
    assert judged.verdict == "no_difference"


def test_no_verdict_under_an_effective_sample_of_a_thousand() -> None:
    """Little exploration: no verdict, and what would give one is computed."""
    judged, _ = trial(1, payouts=4_000, hedge_ppm=20_000)
    assert judged.ess < ESS_MIN
    assert (judged.verdict, judged.doubts) == ("none", ("ess",))
    assert judged.advice is not None
    assert judged.advice.days is not None
    assert judged.advice.days > judged.days


def test_the_advice_gives_the_sample_it_promises() -> None:
    """Exploring as much as advised, over as many days, reaches a thousand within sampling error."""
    judged, _ = trial(1, payouts=4_000, hedge_ppm=100_000)
    assert judged.advice is not None
    assert judged.advice.explore_ppm is not None
    again, _ = trial(2, payouts=4_000, hedge_ppm=judged.advice.explore_ppm)
    assert again.ess == pytest.approx(ESS_MIN, rel=0.15)


def test_a_log_that_missed_the_rare_choices_does_not_look_large() -> None:
    """Without one explored payout among two thousand, the effective sample is the expected one."""
    evidence = Evidence()
    for _ in range(2_000):
        evidence.add(
            FIRST,
            Ending.PAID,
            logged_ppm=999_000,
            would_ppm=500_000,
            believed_ppm=990_000,
            model=MICRO * 990_000,
            supported_ppm=MICRO,
            explored_ppm=1_000,
            expected=_expected(1_000, 500_000),
        )
    judged = evidence.judge()
    assert judged.ess == pytest.approx(2_000 / (0.25 / 0.001 + 0.25 / 0.999), rel=1e-6)
    assert "ess" in judged.doubts


def test_choices_that_history_never_tried_forbid_a_verdict() -> None:
    """A weight of zero says nothing of what was never possible."""
    evidence = Evidence()
    for at in range(2_000):
        evidence.add(
            FIRST,
            Ending.PAID,
            logged_ppm=MICRO,
            would_ppm=MICRO if at % 4 else 0,
            believed_ppm=990_000,
            model=MICRO * 990_000,
            supported_ppm=MICRO if at % 4 else 0,
            explored_ppm=0,
            expected=(1.0 if at % 4 else 0.0, 0.0),
        )
    judged = evidence.judge()
    assert (judged.verdict, judged.doubts) == ("none", ("support",))
    assert judged.support == pytest.approx(0.75)


def test_only_what_the_channel_caused_is_counted() -> None:
    """A closed account is no failure of the channel, doubt is no failure at all."""
    evidence = Evidence()
    for ending in (*Ending, None):
        evidence.add(
            FIRST,
            ending,
            logged_ppm=MICRO,
            would_ppm=MICRO,
            believed_ppm=990_000,
            model=MICRO * 990_000,
            supported_ppm=MICRO,
            explored_ppm=0,
            expected=(1.0, 0.0),
        )
    judged = evidence.judge()
    assert (judged.payouts, judged.censored, judged.not_the_channel) == (3, 3, 3)
    assert judged.old == pytest.approx(2 / 3)


def test_a_chosen_candidate_without_a_propensity_is_a_defect() -> None:
    """Dividing by it would make one payout weigh as much as all others."""
    with pytest.raises(ValueError, match="positive propensity"):
        Evidence().add(
            FIRST,
            Ending.PAID,
            logged_ppm=0,
            would_ppm=1,
            believed_ppm=0,
            model=0,
            supported_ppm=0,
            explored_ppm=0,
            expected=(1.0, 0.0),
        )


def test_no_data_has_no_verdict() -> None:
    """An empty history is not a tie."""
    judged = Evidence().judge()
    assert (judged.verdict, judged.doubts, judged.payouts) == ("none", ("no_data",), 0)
