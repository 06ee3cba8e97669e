"""The worlds of benchmark PR-SR: what every channel's success rate is at every payout, and luck.

K channels with base rates of their own and an OU drift; outages of log-normal length, half of them
hard (rate x 0.02), half partial (x 0.40-0.85), the worse one where two overlap; answers come after
a geometric number of payouts, one in a hundred after 1,000. All luck is drawn beforehand, per
seed, so that every rule meets the same world.

BANK: each payout goes to one of eight banks of unequal shares, and each bank has outages of the
same kinds (Poisson(1), the same lengths), which multiply the rates of all channels for that bank.
REAL: 2 % of payouts fail by the payee's fault, through any channel, and teach nothing; a reply is
lost for 0.5 % of sends, for a tenth of those failing in a partial outage and half of those failing
in a hard one. A lost reply is *unknown* when it is due; the truth comes out a geometric number of
payouts (mean 1,000) later.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int32]

BASE: Final = (0.985, 0.975, 0.965, 0.95, 0.93)
SHARES: Final = (0.30, 0.20, 0.15, 0.12, 0.09, 0.06, 0.05, 0.03)
"""Of the banks in BANK."""
LATE: Final = 1000
BATCH: Final = 100
"""Payouts between steps of the drift."""
HELD_OUT: Final = 1000
"""The first seed that nothing was ever tuned on."""


@dataclass(frozen=True)
class Variant:
    """One world's shape; `seeds` is the full count."""

    name: str
    seeds: int
    payouts: int = 100_000
    channels: int = 5
    outages: float = 3.0
    median: float = 1500.0
    sigma: float = 1.0
    delay: float = 30.0
    banks: int = 1
    real: bool = False


VARIANTS: Final = {
    one.name: one
    for one in (
        Variant("PAY", 60),
        Variant("CALM", 40, outages=0.0),
        Variant("SHORT", 40, outages=10.0, median=300.0, sigma=0.4),
        Variant("LOW", 100, payouts=10_000, outages=1.0, median=600.0, delay=5.0),
        Variant("SLOW", 40, delay=300.0),
        Variant("K8", 40, channels=8),
        Variant("BANK", 40, banks=len(SHARES)),
        Variant("REAL", 40, real=True),
    )
}


@dataclass(frozen=True)
class World:
    """One seed's world; arrays are indexed by payout, in the order they are sent."""

    rates: Floats
    """[payout, channel], whatever the bank."""
    luck: Floats
    """A payout succeeds where this is below its rate."""
    delay: Ints
    """Payouts until the answer."""
    bank: Ints
    bank_rates: Floats
    """[payout, bank]: what is left of every channel's rate for the bank."""
    payee: NDArray[np.bool_]
    """The payee's fault: fails through any channel."""
    loss: Floats
    """The reply is lost where this is below the chance of it."""
    lost_for: Ints
    """Payouts from when a lost reply was due until the truth comes out."""
    hard: NDArray[np.bool_]
    """[payout, channel] in a hard outage."""
    partial: NDArray[np.bool_]

    def lost(self, sent: int, channel: int, *, success: bool) -> bool:
        """Whether the reply is lost: seldom, but often where outages make payouts fail."""
        chance = 0.005
        if not success and self.hard[sent, channel]:
            chance = 0.5
        elif not success and self.partial[sent, channel]:
            chance = 0.1
        return bool(self.loss[sent] < chance)


def make(variant: Variant, seed: int) -> World:
    """The world of one seed; the same seed gives the same world on every machine."""
    random = np.random.default_rng(seed)
    count, channels = variant.payouts, variant.channels
    if channels == len(BASE):
        base = random.permutation(np.array(BASE))
    else:
        base = random.uniform(0.90, 0.99, channels)
    steps = -(-count // BATCH)
    noise = random.normal(0.0, 0.0014, (steps, channels))
    drift = np.zeros((steps, channels))
    drift[0] = noise[0]
    for step in range(1, steps):
        drift[step] = drift[step - 1] * 0.99 + noise[step]
    left = np.stack([_left(variant, random, variant.outages) for _ in range(channels)], axis=1)
    rates = np.minimum(0.999, base + np.repeat(drift, BATCH, axis=0)[:count]) * left
    delay = random.geometric(1.0 / variant.delay, count)
    delay[random.random(count) < 0.01] = LATE
    luck = random.random(count)
    banks = np.ones((count, 1))
    bank = np.zeros(count, dtype=np.int64)
    if variant.banks > 1:
        banks = np.stack([_left(variant, random, 1.0) for _ in SHARES], axis=1)
        bank = random.choice(len(SHARES), count, p=SHARES)
    real = variant.real
    return World(
        rates.astype(np.float32),
        luck.astype(np.float32),
        delay.astype(np.int32),
        bank.astype(np.int32),
        banks.astype(np.float32),
        random.random(count) < (0.02 if real else 0.0),
        (random.random(count) if real else np.ones(count)).astype(np.float32),
        random.geometric(1.0 / LATE, count).astype(np.int32),
        left < 0.1,
        (left > 0.1) & (left < 1.0),
    )


def _left(variant: Variant, random: np.random.Generator, mean: float) -> NDArray[np.float64]:
    """What outages leave of a rate at each payout."""
    left = np.ones(variant.payouts)
    for _ in range(random.poisson(mean)):
        begin = int(random.integers(variant.payouts))
        length = np.exp(random.normal(np.log(variant.median), variant.sigma))
        end = begin + int(np.clip(length, 100, 15_000))
        factor = 0.02 if random.random() < 0.5 else random.uniform(0.4, 0.85)
        left[begin:end] = np.minimum(left[begin:end], factor)
    return left
