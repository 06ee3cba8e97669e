"""A bank that is down: found soon, blamed alone, probed one at a time, never found by mistake."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.facts import HealthView
from policies.health import WHOLE, Health, Observed, segment_of

BEGIN = datetime(2026, 11, 20, 4, tzinfo=UTC)
BANKS = ("ICBC", "ABC", "BOC", "CCB", "COMM", "PSBC", "CMB", "CITIC")
CHANNELS = ("a", "b", "c", "d", "e")
GOOD_RATES = (0.985, 0.975, 0.965, 0.95, 0.93)

Succeeds = Callable[[str, str, int], float]
"""How likely a payout is to go through: channel, bank, step."""


@dataclass
class World:
    """One payout a second to a random bank, failing over until it is paid or nobody is left."""

    rates: Succeeds
    seed: int
    channels: tuple[str, ...] = CHANNELS
    health: Health = field(default_factory=Health)
    step: int = 0
    queued: int = 0
    found: dict[str, int] = field(default_factory=dict)
    """Banks ever found down, and when."""
    blamed: set[str] = field(default_factory=set)
    """Channels ever quarantined as a whole, or on their rail."""

    def __post_init__(self) -> None:
        """One stream of chance for all."""
        self.random = Random(self.seed)

    def now(self, later: float = 0.0) -> datetime:
        """The world's clock."""
        return BEGIN + timedelta(seconds=self.step + later)

    def run(self, payouts: int) -> "World":
        """Let so many payouts come."""
        for _ in range(payouts):
            self._pay(self.random.choice(BANKS))
            for bank in self.health.banks_down(self.now()):
                self.found.setdefault(bank, self.step)
            views = self.health.views(self.channels, "bank_card", self.now())
            self.blamed |= {name for name, view in views.items() if view.quarantined}
            self.step += 1
        return self

    def _pay(self, bank: str) -> None:
        segment = segment_of("bank_card", bank, 50_000, "CNY")
        tried: list[str] = []
        while (name := self._route(segment, tried)) is not None:
            self.health.started(name, segment, self.now())
            good = self.random.random() < self.rates(name, bank, self.step)
            outcome: Observed = "success" if good else "failure"
            self.health.observe(
                name, segment, outcome, self.now(0.5), sent_at=self.now(), again=bool(tried)
            )
            if good:
                return
            tried.append(name)
        self.queued += 1

    def _route(self, segment: str, tried: list[str]) -> str | None:
        """A due probe, else the best of the well."""
        views = self.health.views(self.channels, segment, self.now(), again=bool(tried))
        left = {name: view for name, view in views.items() if name not in tried}
        due = [name for name, view in left.items() if view.ill and view.probing]
        well = [name for name, view in left.items() if not view.ill]
        if due and (not tried or not well):
            return due[0]
        return max(well, key=lambda name: left[name].success_ppm, default=None)


def usual(channel: str, _bank: str, _step: int) -> float:
    """Nobody is ill."""
    return GOOD_RATES[CHANNELS.index(channel)]


@pytest.mark.parametrize("channels", [CHANNELS, CHANNELS[:2]])
@pytest.mark.parametrize("seed", range(1000, 1005))
def test_a_bank_that_is_down_is_found_and_nobody_is_blamed(
    seed: int, channels: tuple[str, ...]
) -> None:
    """Within ten payouts to it, with five channels and with two; then it is found well again."""

    def rates(channel: str, bank: str, step: int) -> float:
        down = bank == "CCB" and 500 <= step < 1500
        return 0.02 if down else usual(channel, bank, step)

    world = World(rates, seed, channels).run(500)
    assert not world.found
    world.run(500)
    assert set(world.found) == {"CCB"}
    assert (world.found["CCB"] - 500) / len(BANKS) <= 10
    assert not world.blamed
    for name in channels:
        whole = world.health.view(name, WHOLE, world.now())
        assert whole.success_ppm / 1_000_000 > usual(name, "", 0) - 0.06
        for bank in BANKS:
            there = world.health.view(
                name, segment_of("bank_card", bank, 50_000, "CNY"), world.now()
            )
            assert not there.quarantined
            assert there.bank_down == ("CCB" if bank == "CCB" else None)
    world.run(2000)
    assert not world.health.banks_down(world.now())
    assert not world.blamed


def one_sick(seed: int, sick: str, rate: float) -> World:
    """A channel falls ill after 200 payouts; all others are as usual."""

    def rates(channel: str, bank: str, step: int) -> float:
        if channel == sick:
            return rate if step >= 200 else 1.0
        return usual(channel, bank, step)

    return World(rates, seed).run(700)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(CHANNELS), st.floats(0.0, 0.3))
def test_one_sick_channel_is_no_banks_fault(seed: int, sick: str, rate: float) -> None:
    """Whoever it is and however ill, no bank is found down."""
    assert not one_sick(seed, sick, rate).found


def test_one_sick_channel_gets_nobody_else_blamed() -> None:
    """Three failures in a row happen to the well, too: in one world of forty at most."""
    others = 0
    for seed in range(1000, 1040):
        sick = CHANNELS[seed % len(CHANNELS)]
        others += not one_sick(seed, sick, (seed % 4) / 10).blamed <= {sick}
    assert others <= 1


@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_in_ordinary_times_no_bank_is_found_down(seed: int) -> None:
    """Usual failures, as they fall."""
    assert not World(usual, seed).run(1500).found


def test_a_network_that_is_down_is_no_banks_fault() -> None:
    """Everything fails everywhere: that is us, or all of them."""
    world = World(lambda *_: 0.0, 7)
    for name in CHANNELS:
        teach(world.health, name, "success", 30)
    world.run(60)
    assert not world.found


def teach(
    health: Health, channel: str, outcome: Observed, count: int, bank: str = "ICBC", at: float = 0
) -> None:
    """So many outcomes at a bank, one a second."""
    for second in range(count):
        now = BEGIN + timedelta(seconds=at + second)
        health.observe(channel, f"bank_card:{bank}:b1", outcome, now, sent_at=now)


def outage(at: float = 100) -> tuple[Health, datetime]:
    """Two channels, well at ICBC, that fail at CCB until it is found down."""
    health = Health()
    for name in ("a", "b"):
        teach(health, name, "success", 30)
    for second in range(20):
        now = BEGIN + timedelta(seconds=at + second)
        teach(health, "ab"[second % 2], "failure", 1, "CCB", at + second)
        teach(health, "ab"[second % 2], "success", 1, "ICBC", at + second)
        if health.banks_down(now):
            return health, now
    raise AssertionError("not found down")


def ccb(health: Health, now: datetime, channel: str = "a") -> HealthView:
    """What is believed of the way to the bank."""
    return health.view(channel, "bank_card:CCB:b1", now)


def test_a_burst_at_one_bank_is_not_held_against_the_channel() -> None:
    """Twenty failures in a row there, while it is well elsewhere: only its way there is closed."""
    health = Health()
    teach(health, "a", "success", 50, "ICBC")
    teach(health, "a", "success", 50, "ABC")
    teach(health, "a", "failure", 20, "CCB", 50)
    now = BEGIN + timedelta(seconds=70)
    assert ccb(health, now).quarantined
    assert not health.view("a", "bank_card:ICBC:b1", now).quarantined
    assert not health.banks_down(now)


def test_a_channel_that_only_serves_one_bank_is_blamed() -> None:
    """Nothing tells its illness from the bank's."""
    health = Health()
    teach(health, "a", "success", 50, "CCB")
    teach(health, "a", "failure", 8, "CCB", 50)
    assert health.view("a", WHOLE, BEGIN + timedelta(seconds=58)).quarantined


def test_one_payout_at_a_time_probes_the_bank() -> None:
    """After half a minute one may go; the next waits again, for longer after each failure."""
    health, now = outage()
    assert not ccb(health, now).probing
    now += timedelta(seconds=30)
    assert ccb(health, now).probing
    assert ccb(health, now, "b").probing
    health.started("a", "bank_card:CCB:b1", now)
    assert not ccb(health, now).probing
    assert not ccb(health, now, "b").probing
    waits: list[float] = []
    for _ in range(6):
        health.observe("a", "bank_card:CCB:b1", "failure", now, sent_at=now)
        due = ccb(health, now).probe_at
        assert due is not None
        waits.append((due - now).total_seconds())
        now = due
    assert waits == [60, 120, 240, 480, 480, 480]


def test_three_successes_bring_the_bank_back() -> None:
    """Whichever channel they came through; a failure between them starts again."""
    health, now = outage()
    outcomes: list[Observed] = ["success", "success", "unknown", "success", "success"]
    for number, outcome in enumerate(outcomes):
        assert health.banks_down(now)
        health.observe("ab"[number % 2], "bank_card:CCB:b1", outcome, now, sent_at=now)
    assert ccb(health, now).probing
    health.observe("a", "bank_card:CCB:b1", "success", now, sent_at=now)
    assert not health.banks_down(now)
    assert not ccb(health, now).ill


def test_late_news_neither_ends_nor_prolongs_it() -> None:
    """Answers to payouts sent before it was found down, and failures after it was back."""
    health, found = outage()
    for _ in range(5):
        sent = found - timedelta(seconds=9)
        health.observe("a", "bank_card:CCB:b1", "success", found, sent_at=sent)
    assert health.banks_down(found)
    for _ in range(3):
        health.observe("a", "bank_card:CCB:b1", "success", found, sent_at=found)
    assert not health.banks_down(found)
    later = found + timedelta(seconds=60)
    for name in ("a", "b") * 20:
        teach(health, name, "success", 1, "ICBC", (later - BEGIN).total_seconds())
        sent = found - timedelta(seconds=1)
        health.observe(name, "bank_card:CCB:b1", "failure", later, sent_at=sent)
    assert not health.banks_down(later)
    assert not ccb(health, later).ill


def test_a_person_may_know_better() -> None:
    """Forgiven, the bank is used at once; it is found down again only by new failures."""
    health, now = outage()
    assert health.forgive_bank("CCB", now)
    assert not health.forgive_bank("CCB", now)
    assert not ccb(health, now).ill


def test_an_incident_of_an_earlier_process_is_gone_on_with() -> None:
    """Down from the start, with a probe at once; successes bring it back as ever."""
    health = Health()
    health.adopt_bank("CCB", BEGIN)
    assert ccb(health, BEGIN) == HealthView(990_000, probing=True, probe_at=BEGIN, bank_down="CCB")
    for _ in range(3):
        health.observe("a", "bank_card:CCB:b1", "success", BEGIN, sent_at=BEGIN)
    assert not health.banks_down(BEGIN)
    assert health.bank_well_since("CCB") == BEGIN


def test_a_clock_that_steps_back_does_not_keep_probes_away() -> None:
    """An hour earlier, the next probe is still due within what any probe waits."""
    health, now = outage()
    assert ccb(health, now - timedelta(hours=1)).probing
    assert health.banks_down(now - timedelta(hours=1))


def test_quarantine_and_a_bank_that_is_down_are_both_told() -> None:
    """A channel that is ill everywhere stays so, whatever the bank is."""
    health, now = outage()
    for second in range(12):
        teach(health, "a", "failure", 1, BANKS[second % 3], (now - BEGIN).total_seconds() + second)
    now += timedelta(seconds=12)
    view = ccb(health, now)
    assert (view.quarantined, view.bank_down) == (True, "CCB")
    assert not ccb(health, now, "b").quarantined


def test_doubt_is_evidence_against_no_bank() -> None:
    """Lost replies through every channel close each way there, and are called nobody's fault."""
    health = Health()
    for name in ("a", "b"):
        teach(health, name, "success", 30)
    for name in ("a", "b") * 10:
        teach(health, name, "unknown", 1, "CCB", 100)
        teach(health, name, "success", 1, "ICBC", 100)
    now = BEGIN + timedelta(seconds=101)
    assert not health.banks_down(now)
    assert ccb(health, now).quarantined
    assert not health.view("a", "bank_card", now).quarantined
