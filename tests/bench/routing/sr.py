"""PR-SR: mean regret per 10,000 payouts against an oracle that knows every rate, in every world.

Ours and the other rules meet the same worlds, seed by seed; a win is a lower regret on one seed.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from math import sqrt
from statistics import fmean, stdev
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.routing import ours
from tests.bench.routing.rules import PER_BANK, RULES
from tests.bench.routing.world import HELD_OUT, VARIANTS, Variant, World, make

CHUNK: Final = 5
"""Seeds of ours in one task: small, so that the last one does not keep a core waiting."""
QUICK: Final = 10_000
"""Payouts in a quick world."""
OURS: Final = "ours"
Regrets = dict[str, dict[str, list[float]]]
"""By variant and rule, one for each seed."""


def run(options: Mapping[str, int]) -> dict[str, object]:
    """Measure, and show a table; `regret` and `wins_vs_window` are those of ours."""
    variants = _variants(options)
    tasks = list(_tasks(variants))
    found: dict[tuple[str, str], dict[int, float]] = {}
    with ProcessPoolExecutor(options["jobs"]) as pool:
        running = [(task, pool.submit(_measure, *task)) for task in tasks]
        for (variant, rule, seeds), future in running:
            part = dict(zip(seeds, future.result(), strict=True))
            found.setdefault((variant.name, rule), {}).update(part)
    regrets: Regrets = {}
    for (name, rule), by_seed in found.items():
        regrets.setdefault(name, {})[rule] = [by_seed[seed] for seed in sorted(by_seed)]
    wins = {
        name: {rule: wins_of(of[OURS], of[rule]) for rule in of if rule != OURS}
        for name, of in regrets.items()
    }
    _show(regrets, wins)
    return {
        "regret": {name: round(fmean(of[OURS]), 1) for name, of in regrets.items()},
        "wins_vs_window": {name: round(of["window"], 3) for name, of in wins.items()},
        "all_rules": {
            name: {rule: _figures(values) for rule, values in of.items()}
            for name, of in regrets.items()
        },
        "wins": wins,
        "seeds": {variant.name: variant.seeds for variant in variants},
    }


def wins_of(mine: list[float], theirs: list[float]) -> float:
    """The share of paired seeds on which mine is lower."""
    return fmean(one < other for one, other in zip(mine, theirs, strict=True))


def regrets_of(rule: str, variant: Variant, seeds: list[int]) -> list[float]:
    """One rule's regret on each seed."""
    if rule == OURS:
        return [ours.regret(variant, seed) for seed in seeds]
    return _together(rule, variant, [make(variant, seed) for seed in seeds], seeds[0])


def _variants(options: Mapping[str, int]) -> list[Variant]:
    chosen = list(VARIANTS.values())
    if options.get("quick"):
        chosen = [_shortened(one) for one in chosen]
    if "seeds" in options:
        chosen = [replace(one, seeds=options["seeds"]) for one in chosen]
    return chosen


def _shortened(variant: Variant) -> Variant:
    """As many outages in proportion, in fewer payouts and seeds."""
    payouts = min(variant.payouts, QUICK)
    outages = variant.outages * payouts / variant.payouts
    return replace(variant, seeds=4, payouts=payouts, outages=outages)


def _tasks(variants: list[Variant]) -> Iterator[tuple[Variant, str, list[int]]]:
    for variant in variants:
        seeds = list(range(HELD_OUT, HELD_OUT + variant.seeds))
        for begin in range(0, len(seeds), CHUNK):
            yield variant, OURS, seeds[begin : begin + CHUNK]
        for rule in RULES if variant.banks == 1 else {**RULES, **PER_BANK}:
            yield variant, rule, seeds


def _measure(variant: Variant, rule: str, seeds: list[int]) -> list[float]:
    return regrets_of(rule, variant, seeds)


def _together(rule: str, variant: Variant, worlds: list[World], seed: int) -> list[float]:
    """Many seeds at once, step by step; what was sent first is answered first.

    A rule that has no notion of doubt learns of a lost reply when the truth comes out.
    """
    count, steps = len(worlds), variant.payouts
    every = np.arange(count)
    rates = np.stack([world.rates for world in worlds])
    luck = np.stack([world.luck for world in worlds])
    payee = np.stack([world.payee for world in worlds])
    bank = np.stack([world.bank for world in worlds])
    left = np.stack([np.take_along_axis(w.bank_rates, w.bank[:, None], 1)[:, 0] for w in worlds])
    best = np.argsort(-rates.mean(axis=1), axis=1).astype(np.int32)
    player = {**RULES, **PER_BANK}[rule](best, np.random.default_rng(seed + ours.MINDS))
    answers: list[list[list[tuple[int, int]]]] = [[] for _ in range(steps)]
    channels = np.zeros((count, steps), dtype=np.int8)
    outcome = np.zeros((count, steps), dtype=np.float64)
    lost = np.zeros(count)
    delay = np.stack([world.delay for world in worlds])
    real = variant.real
    for step in range(steps):
        for group in answers[step]:
            whose = np.array([one for one, _ in group])
            sent = np.array([one for _, one in group])
            channel = channels[whose, sent].astype(np.intp)
            player.learn(whose, channel, bank[whose, sent], outcome[whose, sent], step)
        answers[step] = []
        chosen = player.choose(step, bank[:, step])
        now = rates[:, step]
        rate = now[every, chosen]
        lost += (now.max(axis=1) - rate) * left[:, step]
        good = (luck[:, step] < rate * left[:, step]) & ~payee[:, step]
        channels[:, step] = chosen
        outcome[:, step] = good
        due = step + delay[:, step]
        for one in range(count):
            if real and payee[one, step]:
                continue
            if real and worlds[one].lost(step, int(chosen[one]), success=bool(good[one])):
                due[one] += worlds[one].lost_for[step]
            at = int(due[one])
            if at < steps:
                _queue(answers[at], one, step)
    return [float(one) for one in lost / steps * 10_000]


def _queue(groups: list[list[tuple[int, int]]], seed: int, sent: int) -> None:
    """Into the first group that has no answer of this seed yet: a group is learned at once."""
    for group in groups:
        if all(other != seed for other, _ in group):
            group.append((seed, sent))
            return
    groups.append([(seed, sent)])


def _figures(values: list[float]) -> dict[str, float]:
    return {"mean": round(fmean(values), 1), "se": round(_error(values), 1)}


def _error(values: list[float]) -> float:
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0


def _show(regrets: Regrets, wins: Mapping[str, Mapping[str, float]]) -> None:
    table = Table(title="Regret per 10,000 payouts ± s.e. (seeds on which ours is better)")
    table.add_column("rule")
    for name, of in regrets.items():
        table.add_column(f"{name} ({len(of[OURS])})", justify="right")
    for rule in (OURS, *RULES, *PER_BANK):
        row = [rule]
        for name, of in regrets.items():
            if rule not in of:
                row.append("")
                continue
            text = f"{fmean(of[rule]):.1f} ± {_error(of[rule]):.1f}"
            won = "" if rule == OURS else f" ({wins[name][rule]:.0%})"
            row.append(text + won)
        table.add_row(*row)
    Console(width=200, stderr=True).print(table)
