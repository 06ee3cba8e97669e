"""A small PAY-like world: the estimator must lose less than a sliding-window rule.

Five channels of drifting success (0.93 to 0.985), each with outages of log-normal length, half of
them hard (success x 0.02), half brown-outs; answers come late, one in a hundred very late. Regret
is first-attempt success lost against an oracle that knows every rate, per 10,000 payouts. The
reference is the openly documented rule of a card router: mean of the last 125 outcomes, started
optimistically, with 5 % of the traffic drawn at random.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import exp, log
from random import Random
from typing import Protocol

from policies.health import WHOLE, Health

BASE = (0.985, 0.975, 0.965, 0.95, 0.93)
PAYOUTS = 12_000
SEEDS = (1000, 1001, 1002)
BEGIN = datetime(2026, 11, 20, tzinfo=UTC)


class Router(Protocol):
    """Chooses a channel by number, and learns what came of it."""

    def choose(self, step: int, random: Random) -> int:
        """The channel for the payout at `step`."""

    def learn(self, channel: int, step: int, sent: int, *, success: bool) -> None:
        """The outcome at `step` of a payout sent at `sent`."""


class Ours:
    """The product's estimator with its default constants, one payout a second."""

    def __init__(self) -> None:
        """Nothing is known of any channel."""
        self.health = Health()
        self.names = [str(number) for number in range(len(BASE))]

    def choose(self, step: int, random: Random) -> int:
        """A due probe, else 1 % exploration, else the best estimate."""
        now = BEGIN + timedelta(seconds=step)
        views = self.health.views(self.names, WHOLE, now)
        probes = [name for name in self.names if views[name].probing]
        open_ones = [name for name in self.names if not views[name].quarantined] or self.names
        if probes:
            name = probes[0]
        elif random.random() < 0.01:
            name = random.choice(open_ones)
        else:
            name = max(open_ones, key=lambda one: views[one].success_ppm)
        self.health.started(name, WHOLE, now)
        return int(name)

    def learn(self, channel: int, step: int, sent: int, *, success: bool) -> None:
        """Pass the outcome on."""
        self.health.observe(
            str(channel),
            WHOLE,
            "success" if success else "failure",
            BEGIN + timedelta(seconds=step),
            sent_at=BEGIN + timedelta(seconds=sent),
        )


class Window:
    """The last 125 outcomes per channel, 5 % at random."""

    def __init__(self) -> None:
        """Optimistic: every window starts full of successes."""
        self.windows = [deque([True] * 125, maxlen=125) for _ in BASE]
        self.sums = [125] * len(BASE)

    def choose(self, _step: int, random: Random) -> int:
        """The best mean, or anything."""
        if random.random() < 0.05:
            return random.randrange(len(BASE))
        return self.sums.index(max(self.sums))

    def learn(self, channel: int, _step: int, _sent: int, *, success: bool) -> None:
        """The oldest outcome leaves the window."""
        self.sums[channel] += success - self.windows[channel][0]
        self.windows[channel].append(success)


def rates(seed: int) -> Iterator[list[float]]:
    """Each step's true success rates."""
    random = Random(seed)
    base = list(BASE)
    random.shuffle(base)
    outages = [
        [
            (
                start := random.randrange(PAYOUTS),
                start + min(3000, max(100, int(600 * exp(random.gauss(0, 1))))),
                0.02 if random.random() < 0.5 else random.uniform(0.4, 0.85),
            )
            for _ in range(random.choice((0, 1, 2)))
        ]
        for _ in base
    ]
    drift = [0.0] * len(base)
    for step in range(PAYOUTS):
        if step % 100 == 0:
            drift = [one * 0.99 + random.gauss(0, 0.0014) for one in drift]
        now = [min(0.999, one + shift) for one, shift in zip(base, drift, strict=True)]
        for channel, hits in enumerate(outages):
            for start, end, factor in hits:
                if start <= step < end:
                    now[channel] *= factor
        yield now


def regret(router: Router, seed: int) -> float:
    """Expected first-attempt successes lost per 10,000 payouts."""
    mind, luck = Random(seed + 1), Random(seed + 2)
    answers: dict[int, list[tuple[int, int, bool]]] = {}
    lost = 0.0
    for step, truth in enumerate(rates(seed)):
        for channel, sent, success in answers.pop(step, ()):
            router.learn(channel, step, sent, success=success)
        channel = router.choose(step, mind)
        lost += max(truth) - truth[channel]
        late = 1000 if luck.random() < 0.01 else 1 + int(log(1 - luck.random()) / log(1 - 1 / 30))
        answers.setdefault(step + late, []).append((channel, step, luck.random() < truth[channel]))
    return lost / PAYOUTS * 10_000


def test_regret_is_well_below_a_sliding_window_rule() -> None:
    """On every fixed seed ours loses less, and on average at most two thirds as much."""
    ours = [regret(Ours(), seed) for seed in SEEDS]
    window = [regret(Window(), seed) for seed in SEEDS]
    assert all(mine < theirs for mine, theirs in zip(ours, window, strict=True)), (ours, window)
    assert sum(ours) <= sum(window) * 2 / 3, (ours, window)
