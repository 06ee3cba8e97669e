"""Fault rules: what is accepted, what they select, how often they strike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulators.actions import Stage
from simulators.faults import FaultRule, Faults, Hits, read_rule

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def pick(faults: Faults, reference: str = "r", now: datetime = NOW, **given: Any) -> Hits:
    """What strikes one submission."""
    return faults.pick(
        given.pop("stage", Stage.REQUEST),
        op="submit",
        account="a",
        reference=reference,
        now=now,
        **given,
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"action": "explode"}, "unknown action"),
        ({"action": "slow"}, "slow needs"),
        ({"action": "slow", "params": {"fixed": "soon"}}, "slow.fixed"),
        ({"action": "reject", "params": {"cod": "X"}}, "no parameter 'cod'"),
        ({"action": "reject", "params": {"executed": "yes"}}, "needs a flag"),
        ({"action": "throttle", "params": {"per_s": True}}, "needs a whole"),
        ({"action": "maintenance", "params": {"from_hour": 5}}, "time of day"),
        ({"action": "return_late", "params": {"after": None}}, "needs a duration"),
        ({"action": "refuse", "op": "submit"}, "op"),
        ({"action": "refuse", "probability": 0.5}, "probability"),
        ({"action": "reject", "times": 0}, "greater than or equal"),
        ({"action": "reject", "probability": 1.1}, "less than or equal"),
        ({"action": "reject", "colour": "red"}, "Extra inputs"),
        ({"action": "reject", "at": "+1s", "from_at": "+1s"}, "not both"),
        ({"action": "reject", "at": "+later"}, "not a duration"),
        ({"action": "reject", "from_at": "2026-01-01T00:00:00"}, "timezone"),
    ],
)
def test_a_broken_rule_is_refused_with_words(rule: dict[str, object], words: str) -> None:
    """The complaint names what is wrong."""
    with pytest.raises(ValueError, match=words):
        read_rule(rule, NOW)


def test_a_window_may_be_given_as_offsets() -> None:
    """`at: +10s` counts from now; the end is excluded."""
    faults = Faults()
    faults.add(read_rule({"action": "reject", "at": "+10s", "until_at": "+20s"}, NOW))
    seen = ["reject" in pick(faults, now=NOW + timedelta(seconds=s)) for s in (9, 10, 19, 20)]
    assert seen == [False, True, True, False]


def test_times_and_times_each() -> None:
    """`times` counts all hits, `times_each` those of one reference."""
    faults = Faults()
    faults.add(FaultRule(id="t", action="reject", times=3, times_each=2))
    seen = ["reject" in pick(faults, r) for r in ("a", "a", "a", "b", "b")]
    assert seen == [True, True, False, True, False]
    assert faults.hits_of("t") == 3


def test_a_rule_of_another_stage_is_not_used_up() -> None:
    """A request does not spend the hits of a notice rule."""
    faults = Faults()
    faults.add(FaultRule(action="notice_lost", times=1))
    assert not pick(faults)
    assert "notice_lost" in pick(faults, stage=Stage.NOTICE)


def test_the_first_matching_rule_of_an_action_wins() -> None:
    """And different actions strike together."""
    faults = Faults()
    for code in ("FIRST", "SECOND"):
        faults.add(FaultRule(action="reject", params={"code": code}))
    faults.add(FaultRule(action="slow", params={"fixed": "2s"}))
    hits = pick(faults)
    assert hits["reject"].text("code") == "FIRST"
    assert hits["slow"].delay_s == 2.0
    assert hits.ids == ("f1", "f3")


def test_an_amount_rule_does_not_strike_the_unknown() -> None:
    """Where no amount can be told, a rule by amount stays quiet."""
    faults = Faults()
    faults.add(FaultRule(action="reject", max_amount_fen=100))
    assert not pick(faults)
    assert "reject" in pick(faults, amount_minor=100)


def test_probability_follows_the_seed() -> None:
    """About the given share is struck, and the same for the same seed."""

    def struck(seed: int) -> list[bool]:
        faults = Faults(seed=seed)
        faults.add(FaultRule(action="reject", probability=0.3))
        return [bool(pick(faults, f"r{n}")) for n in range(1000)]

    assert 250 < sum(struck(1)) < 350
    assert struck(1) == struck(1) != struck(2)


def test_delays_are_drawn_from_their_distribution() -> None:
    """Uniform stays in bounds, log-normal keeps its median; each draw is its own."""
    faults = Faults(seed=3)
    faults.add(FaultRule(action="slow", op="submit", params={"low": "1s", "high": "3s"}))
    uniform = [pick(faults, f"r{n}")["slow"].delay_s for n in range(300)]
    assert min(uniform) >= 1
    assert max(uniform) <= 3
    assert len(set(uniform)) == 300
    faults.clear()
    faults.add(FaultRule(action="slow", params={"median": "200ms", "sigma": 0.5}))
    spread = sorted(pick(faults, f"r{n}")["slow"].delay_s for n in range(301))
    assert 0.17 < spread[150] < 0.23
    assert spread[-1] > 2 * spread[150]


def test_ids_are_unique() -> None:
    """A rule without id gets the next free one; a taken id is refused."""
    faults = Faults()
    assert [faults.add(FaultRule(action="reject", id=i)).id for i in ("f1", "", "")] == [
        "f1",
        "f2",
        "f3",
    ]
    with pytest.raises(ValueError, match="exists already"):
        faults.add(FaultRule(action="reject", id="f2"))
    assert faults.remove("f2")
    assert not faults.remove("f2")


def test_refusals_have_edges() -> None:
    """The shell is told when a port opens or shuts next."""
    faults = Faults()
    faults.add(read_rule({"action": "refuse", "at": "+10s", "until_at": "+20s"}, NOW))
    assert not faults.refuses("a", NOW)
    assert faults.next_edge_at(NOW) == NOW + timedelta(seconds=10)
    later = NOW + timedelta(seconds=10)
    assert faults.refuses("a", later)
    assert faults.next_edge_at(later) == NOW + timedelta(seconds=20)
    assert faults.next_edge_at(NOW + timedelta(seconds=20)) is None
