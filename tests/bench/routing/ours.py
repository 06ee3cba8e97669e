"""Ours: the product's own `policies.health.Health`, asked and told as the gateway does it.

One payout a second. Of `decide` and `choose` only what is left when all channels cost the same is
written out here, for speed: a due probe, else 1 % exploration spread evenly over the candidates
within the money bound, else the lowest expected cost of failing and of doubt. A test holds this to
what `decide` chooses from the same views.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from policies.facts import MICRO, HealthView
from policies.health import WHOLE, Health, Observed
from policies.policy import Parameters
from tests.bench.routing.world import Variant, World, make

BANKS = ("ICBC", "CCB", "ABC", "BOC", "CMB", "COMM", "PSBC", "CIB")
PARAMETERS = Parameters()
MINDS = 1 << 40
"""Added to a seed for the rule's own draws, so that they are not those of its world."""
_BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


def pick(names: tuple[str, ...], views: Mapping[str, HealthView], draw_ppm: int) -> str:
    """The channel that `decide` would choose for a first attempt, all else being equal."""
    fail, unknown = PARAMETERS.fail_penalty_minor, PARAMETERS.unknown_penalty_minor
    cost = {
        name: (MICRO - view.success_ppm) * fail + view.unknown_ppm * unknown
        for name, view in views.items()
    }
    well = [n for n in names if not views[n].quarantined and views[n].bank_down is None]
    due = [name for name in names if views[name].probing]
    if due:
        return min(due, key=cost.__getitem__)
    if not well:
        # The product would let the payout wait; here it has to be sent.
        well = [name for name in names if not views[name].quarantined] or list(names)
    best = min(well, key=cost.__getitem__)
    if draw_ppm < MICRO - PARAMETERS.explore_ppm:
        return best
    bound = cost[best] + PARAMETERS.explore_cost_max_minor * MICRO
    pool = sorted((cost[name], name) for name in well if cost[name] <= bound)
    share = PARAMETERS.explore_ppm // len(pool)
    explored = draw_ppm - (MICRO - share * (len(pool) - 1))
    return best if explored < 0 else pool[1 + explored // share][1]


def regret(variant: Variant, seed: int) -> float:
    """Expected successes lost per 10,000 payouts."""
    world = make(variant, seed)
    health = Health()
    names = tuple(f"c{number}" for number in range(variant.channels))
    segments = [f"bank_card:{bank}" for bank in BANKS] if variant.banks > 1 else [WHOLE]
    draws = np.random.default_rng(seed + MINDS).integers(MICRO, size=variant.payouts).tolist()
    # Plain lists: indexing arrays by number would take as long as deciding.
    rates, best = world.rates.tolist(), world.rates.max(axis=1).tolist()
    left = np.take_along_axis(world.bank_rates, world.bank[:, None], 1)[:, 0].tolist()
    luck, delay, bank = world.luck.tolist(), world.delay.tolist(), world.bank.tolist()
    answers: dict[int, list[tuple[int, int, Observed]]] = {}
    lost = 0.0
    for step in range(variant.payouts):
        now = _BEGIN + timedelta(seconds=step)
        for channel, sent, outcome in answers.pop(step, ()):
            sent_at = _BEGIN + timedelta(seconds=sent)
            health.observe(names[channel], segments[bank[sent]], outcome, now, sent_at=sent_at)
        segment = segments[bank[step]]
        name = pick(names, health.views(names, segment, now), draws[step])
        health.started(name, segment, now)
        channel = int(name[1:])
        rate = rates[step][channel]
        lost += (best[step] - rate) * left[step]
        success = luck[step] < rate * left[step]
        if variant.real:
            _expect(answers, world, step, channel, delay[step], success=success)
        else:
            told: Observed = "success" if success else "failure"
            answers.setdefault(step + delay[step], []).append((channel, step, told))
    return lost / variant.payouts * 10_000


def _expect(
    answers: dict[int, list[tuple[int, int, Observed]]],
    world: World,
    sent: int,
    channel: int,
    delay: int,
    *,
    success: bool,
) -> None:
    """What will be observed of a payout in REAL, and when: nothing if the payee was at fault."""
    if world.payee[sent]:
        return
    at = sent + delay
    if world.lost(sent, channel, success=success):
        answers.setdefault(at, []).append((channel, sent, "unknown"))
        at += int(world.lost_for[sent])
    answers.setdefault(at, []).append((channel, sent, "success" if success else "failure"))
