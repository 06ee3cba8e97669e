"""The rules that ours is measured against, each run on many seeds at once.

State arrays are [seed, channel]; `learn` is told of at most one answer per seed at a time.
Constants as published; the window rule is a model of an openly documented card router.
"""

from abc import ABC, abstractmethod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.bench.routing.world import Ints

Array = NDArray[np.float64]
Index = NDArray[np.intp]


class Rule(ABC):
    """Chooses for every seed, learns for some."""

    def __init__(self, best: Ints, random: np.random.Generator) -> None:
        """`best` lists each seed's channels, best first in hindsight; most rules only count it."""
        self.seeds, self.channels = best.shape
        self.every = np.arange(self.seeds)
        self.random = random

    @abstractmethod
    def choose(self, step: int, bank: Ints) -> Index:
        """A channel for each seed's payout to the given bank."""

    @abstractmethod
    def learn(self, seed: Index, channel: Index, bank: Ints, good: Array, step: int) -> None:
        """Answers for distinct seeds: 1 is a success, 0 a failure."""


class RoundRobin(Rule):
    """Each in turn."""

    def choose(self, step: int, bank: Ints) -> Index:
        """The next one."""
        return np.full(self.seeds, step % self.channels)

    def learn(self, seed: Index, channel: Index, bank: Ints, good: Array, step: int) -> None:
        """Nothing."""


class Discounted(Rule):
    """Successes and failures of all channels fade with every answer."""

    gamma = 1.0

    def __init__(self, best: Ints, random: np.random.Generator) -> None:
        """Nothing has been seen."""
        super().__init__(best, random)
        self.good = np.zeros((self.seeds, self.channels))
        self.all = np.zeros((self.seeds, self.channels))

    def learn(self, seed: Index, channel: Index, bank: Ints, good: Array, step: int) -> None:
        """Fade, and count."""
        if self.gamma < 1.0:
            self.good[seed] *= self.gamma
            self.all[seed] *= self.gamma
        self.good[seed, channel] += good
        self.all[seed, channel] += 1.0

    def ucb(self, xi: float, horizon: Array | float) -> Index:
        """The best mean plus sqrt(xi ln horizon / count); what was never seen comes first."""
        count = np.maximum(self.all, 1e-9)
        bonus = np.sqrt(xi * np.log(np.maximum(horizon, 1.0)) / count)
        return np.asarray(np.argmax(self.good / count + bonus, axis=1))

    def sample(self) -> Index:
        """The best draw from Beta(1 + successes, 1 + failures)."""
        bad = np.maximum(self.all - self.good, 0.0)
        return np.asarray(np.argmax(self.random.beta(1.0 + self.good, 1.0 + bad), axis=1))


class Ucb1(Discounted):
    """UCB1 with xi = 2: never forgets."""

    def choose(self, step: int, bank: Ints) -> Index:
        """By upper bound."""
        return self.ucb(2.0, step + 1.0)


class DiscountedUcb(Discounted):
    """D-UCB, gamma = 0.6, xi = 0.5."""

    gamma = 0.6

    def choose(self, step: int, bank: Ints) -> Index:
        """By upper bound; the horizon is what all counts add up to."""
        return self.ucb(0.5, self.all.sum(axis=1, keepdims=True))


class DiscountedTs(Discounted):
    """Discounted Thompson sampling, gamma = 0.999, Beta(1, 1)."""

    gamma = 0.999

    def choose(self, step: int, bank: Ints) -> Index:
        """By a draw."""
        return self.sample()


class Sliding(Discounted):
    """Counts over the last `tau` answers of any channel."""

    tau = 1

    def __init__(self, best: Ints, random: np.random.Generator) -> None:
        """The window is empty."""
        super().__init__(best, random)
        self.place = np.zeros(self.seeds, dtype=np.intp)
        self.whose = np.full((self.seeds, self.tau), -1)
        self.what = np.zeros((self.seeds, self.tau))

    def learn(self, seed: Index, channel: Index, bank: Ints, good: Array, step: int) -> None:
        """The oldest answer leaves."""
        place = self.place[seed]
        old = self.whose[seed, place]
        full = old >= 0
        leaves, channels = seed[full], old[full]
        self.all[leaves, channels] -= 1.0
        self.good[leaves, channels] -= self.what[leaves, place[full]]
        self.whose[seed, place] = channel
        self.what[seed, place] = good
        self.place[seed] = (place + 1) % self.tau
        super().learn(seed, channel, bank, good, step)


class SlidingUcb(Sliding):
    """SW-UCB, tau = 200, xi = 0.5."""

    tau = 200

    def choose(self, step: int, bank: Ints) -> Index:
        """By upper bound."""
        return self.ucb(0.5, float(min(step + 1, self.tau)))


class SlidingTs(Sliding):
    """SW-TS, tau = 1000."""

    tau = 1000

    def choose(self, step: int, bank: Ints) -> Index:
        """By a draw."""
        return self.sample()


class Ejection(Rule):
    """Hindsight-best priority; five failures in a row eject for 500 payouts x times ejected."""

    def __init__(self, best: Ints, random: np.random.Generator) -> None:
        """All are in service."""
        super().__init__(best, random)
        shape = (self.seeds, self.channels)
        self.rank = np.argsort(best, axis=1)
        self.run = np.zeros(shape, dtype=np.intp)
        self.times = np.zeros(shape, dtype=np.intp)
        self.until = np.zeros(shape, dtype=np.intp)

    def choose(self, step: int, bank: Ints) -> Index:
        """The first in service; of none, the first."""
        out = self.until > step
        return np.asarray(np.argmin(self.rank + out * self.channels, axis=1))

    def learn(self, seed: Index, channel: Index, bank: Ints, good: Array, step: int) -> None:
        """Count the failures in a row; answers that come while it is out change nothing."""
        run = np.where(good > 0, 0, self.run[seed, channel] + 1)
        ejected = (run >= 5) & (self.until[seed, channel] <= step)
        out, whose = seed[ejected], channel[ejected]
        self.times[out, whose] += 1
        self.until[out, whose] = step + 500 * self.times[out, whose]
        run[ejected] = 0
        self.run[seed, channel] = run


class Window(Rule):
    """Mean of each channel's last 125 answers, 5 % at random; laggards are lifted.

    Windows begin full of successes. A channel more than three of its own standard errors below the
    best is lifted to three of the best one's below it, its oldest failures first.
    """

    SIZE: Final = 125
    HEDGE: Final = 0.05
    banks = 1

    def __init__(self, best: Ints, random: np.random.Generator) -> None:
        """Optimistic."""
        super().__init__(best, random)
        shape = (self.seeds, self.banks, self.channels)
        self.seen = np.ones((*shape, self.SIZE), dtype=np.int8)
        self.place = np.zeros(shape, dtype=np.intp)
        self.good = np.full(shape, self.SIZE)
        self.bounds = np.array([self._bounds(best) for best in range(self.SIZE + 1)])

    def choose(self, step: int, bank: Ints) -> Index:
        """The best mean, or any."""
        chosen = np.argmax(self.good[self.every, bank % self.banks], axis=1)
        hedged = self.random.random(self.seeds) < self.HEDGE
        anyone = self.random.integers(self.channels, size=self.seeds)
        return np.where(hedged, anyone, chosen)

    def learn(self, seed: Index, channel: Index, bank: Ints, good: Array, step: int) -> None:
        """The oldest leaves; then lift who has fallen too far."""
        which = bank % self.banks
        at = (seed, which, channel)
        place = self.place[at]
        self.good[at] += good.astype(np.intp) - self.seen[(*at, place)]
        self.seen[(*at, place)] = good
        self.place[at] = (place + 1) % self.SIZE
        now = self.good[seed, which]
        bounds = self.bounds[now.max(axis=1)]
        for row, laggard in zip(*np.nonzero(now < bounds[:, :1]), strict=True):
            self._lift(int(seed[row]), int(which[row]), int(laggard), int(bounds[row, 1]))

    def _lift(self, seed: int, bank: int, channel: int, target: int) -> None:
        seen = self.seen[seed, bank, channel]
        oldest_first = (self.place[seed, bank, channel] + np.arange(self.SIZE)) % self.SIZE
        failures = oldest_first[seen[oldest_first] == 0]
        seen[failures[: target - int(self.good[seed, bank, channel])]] = 1
        self.good[seed, bank, channel] = target

    def _bounds(self, best: int) -> tuple[int, int]:
        """Successes below which a laggard is lifted, and to how many."""
        mean = best / self.SIZE
        own = 0.9
        for _ in range(8):
            own = max(0.0, mean - 3.0 * (own * (1.0 - own) / self.SIZE) ** 0.5)
        top = min(mean, 0.99)
        target = int((mean - 3.0 * (top * (1.0 - top) / self.SIZE) ** 0.5) * self.SIZE)
        return int(own * self.SIZE), max(0, target)


class WindowPerBank(Window):
    """The same with a window for each channel and bank."""

    banks = 8


RULES: Final[dict[str, type[Rule]]] = {
    "round-robin": RoundRobin,
    "SW-UCB": SlidingUcb,
    "D-UCB": DiscountedUcb,
    "UCB1": Ucb1,
    "SW-TS": SlidingTs,
    "discounted TS": DiscountedTs,
    "ejection": Ejection,
    "window": Window,
}
PER_BANK: Final[dict[str, type[Rule]]] = {"window per bank": WindowPerBank}
