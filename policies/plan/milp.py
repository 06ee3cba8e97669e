"""The plan as a mixed-integer programme, solved by HiGHS through scipy (extra `planner`).

Payouts of each lot at each channel are continuous. A tiered fee has, per class and tier, the
payouts priced at that tier; a binary per all-units tier (exactly one on, the month's end within
its bounds) and ordered binaries for incremental tiers tie them to the volume. A commitment has a
shortfall that is paid for, a lot without capacity a slack that is far dearer than any channel.
Floats are only inside: prices come in and payouts go out as what the rest of the plan counts in.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_matrix, vstack

from policies.facts import ChannelFacts
from policies.fees import PPM, tier_reached
from policies.plan.layout import (
    UNSERVED_MICRO,
    UNSERVED_PPM,
    Layout,
    billed_micro,
    cliff_micro,
    fee_of,
    tier_fee_micro,
    unit,
    used_units,
)
from policies.plan.split import Marginal, Split

_MONEY = 1e8
"""Micro units of cost in one unit of the objective: ¥1 keeps the numbers near one."""
_VOLUME = 1e6
"""Minor units of money in one unit of a row that counts money."""
TIME_LIMIT_S = 5.0
GAP = 1e-4


class _Row(NamedTuple):
    terms: Mapping[int, float]
    low: float
    high: float


class _Programme:
    """Variables and rows while they are collected."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.high: list[float] = []
        self.binary: list[bool] = []
        self.rows: list[_Row] = []
        self.row_of: dict[tuple[str, int, int], int] = {}

    def variable(self, cost_micro: float, high: float = np.inf, *, binary: bool = False) -> int:
        self.cost.append(cost_micro / _MONEY)
        self.high.append(high)
        self.binary.append(binary)
        return len(self.cost) - 1

    def row(
        self,
        terms: Mapping[int, float],
        low: float = -np.inf,
        high: float = np.inf,
        name: tuple[str, int, int] | None = None,
    ) -> None:
        if name is not None:
            self.row_of[name] = len(self.rows)
        self.rows.append(_Row(terms, low, high))


def solve(layout: Layout) -> Split:
    """The cheapest split. Raises RuntimeError when the solver finds none in its time."""
    made = _Programme()
    x = [made.variable(offer.cost_micro) for offer in layout.offers]
    slack = _carry_every_lot(made, layout, x)
    _keep_caps(made, layout, x)
    switches = {
        at: _tiers(made, layout, x, at, channel)
        for at, channel in enumerate(layout.channels)
        if fee_of(channel).tiers
    }
    for at, channel in enumerate(layout.channels):
        _commit(made, layout, x, at, channel)
    values, marginals = _solve(made)
    tiers = {at: max(on, key=lambda j: values[on[j]]) for at, on in switches.items()}
    for at, on in switches.items():
        if fee_of(layout.channels[at]).scheme == "incremental":
            tiers[at] = max(j for j in on if values[on[j]] > 0.5)
    return Split(
        "milp",
        tuple(max(0.0, float(values[at])) for at in x),
        tiers,
        _marginals(made, layout, marginals),
        {lot: float(values[at]) for lot, at in slack.items() if values[at] > 0.01},
    )


def _carry_every_lot(made: _Programme, layout: Layout, x: Sequence[int]) -> dict[int, int]:
    terms: list[dict[int, float]] = [{} for _ in layout.lots]
    for offer, at in zip(layout.offers, x, strict=True):
        terms[offer.lot][at] = 1.0
    slack: dict[int, int] = {}
    for index, lot in enumerate(layout.lots):
        slack[index] = made.variable(UNSERVED_MICRO + lot.amount_minor * UNSERVED_PPM)
        terms[index][slack[index]] = 1.0
        made.row(terms[index], lot.payouts, lot.payouts)
    return slack


def _keep_caps(made: _Programme, layout: Layout, x: Sequence[int]) -> None:
    rows: dict[tuple[int, int], dict[int, float]] = {key: {} for key in layout.caps_minor}
    for offer, at in zip(layout.offers, x, strict=True):
        lot = layout.lots[offer.lot]
        row = rows.get((lot.group, offer.channel))
        if row is not None:
            row[at] = lot.amount_minor / _VOLUME
    for (group, channel), row in rows.items():
        if row:
            cap = layout.caps_minor[group, channel] / _VOLUME
            made.row(row, high=cap, name=("cap", group, channel))


def _tiers(
    made: _Programme, layout: Layout, x: Sequence[int], at: int, channel: ChannelFacts
) -> dict[int, int]:
    """The binary of each tier; classes' payouts are tied to the tiers' volumes."""
    fee, used = fee_of(channel), used_units(channel)
    reached = tier_reached(fee, channel.month)
    open_tiers = range(reached, len(fee.tiers))
    scale = 1.0 if fee.basis == "payouts" else _VOLUME
    sums: dict[object, dict[int, float]] = {}
    for offer, variable in zip(layout.offers, x, strict=True):
        if offer.channel == at:
            sums.setdefault(layout.lots[offer.lot].kind, {})[variable] = 1.0
    volumes: dict[int, dict[int, float]] = {j: {} for j in open_tiers}
    most = sum(lot.payouts * unit(fee, lot.amount_minor) for lot in layout.lots) / scale + 1.0
    for kind in layout.kinds:
        if kind not in sums:
            continue
        amount = layout.amounts[kind]
        for j in open_tiers:
            y = made.variable(tier_fee_micro(fee, j, amount))
            sums[kind][y] = -1.0
            volumes[j][y] = unit(fee, amount) / scale
        made.row(sums[kind], 0.0, 0.0)
    on: dict[int, int] = {}
    for j in open_tiers:
        last = j + 1 == len(fee.tiers)
        room = most if last else max(0.0, (fee.tiers[j + 1].floor - used) / scale)
        if fee.scheme == "all_units":
            # What has been paid for already is billed again at the tier the month ends in.
            past = billed_micro(fee, j, channel.month.payouts, channel.month.minor)
            on[j] = made.variable(past, 1.0, binary=True)
            made.row(volumes[j] | {on[j]: -min(room, most)}, high=0.0)
            if fee.tiers[j].floor > used:
                _reach(made, layout, (at, j), volumes[j], on[j])
            continue
        on[j] = made.variable(0.0, 1.0, binary=True)
        made.row(volumes[j] | {on[j]: -min(room, most)}, high=0.0)
        if j > reached:
            width = (fee.tiers[j].floor - max(used, fee.tiers[j - 1].floor)) / scale
            made.row(volumes[j - 1] | {on[j]: -width}, low=0.0)
            made.row({on[j - 1]: 1.0, on[j]: -1.0}, low=0.0)
    if fee.scheme == "all_units":
        made.row(dict.fromkeys(on.values(), 1.0), 1.0, 1.0)
    else:
        made.row({on[reached]: 1.0}, 1.0, 1.0)
    return on


def _reach(
    made: _Programme, layout: Layout, tier: tuple[int, int], volume: Mapping[int, float], on: int
) -> None:
    """Reach an all-units floor even if little comes; what is less sure costs part of the cliff.

    At the low end of what may come the floor counts as safe, at the high end as missed.
    """
    at, j = tier
    channel = layout.channels[at]
    missing = fee_of(channel).tiers[j].floor - used_units(channel)
    scale = 1.0 if fee_of(channel).basis == "payouts" else _VOLUME
    safe = missing * PPM / layout.low_ppm / scale
    doubtful = safe - missing * PPM / layout.high_ppm / scale
    row = {**volume, on: -safe}
    if doubtful > 0:
        cliff = cliff_micro(channel, j, layout.mean_minor)
        row[made.variable(cliff / doubtful, doubtful)] = 1.0
    made.row(row, low=0.0, name=("floor", at, j))


def _commit(
    made: _Programme, layout: Layout, x: Sequence[int], at: int, channel: ChannelFacts
) -> None:
    fee, promised = fee_of(channel), fee_of(channel).commitment
    if promised is None:
        return
    missing = promised.least - used_units(channel)
    if missing <= 0:
        return
    counted = fee.basis == "payouts"
    scale = 1.0 if counted else _VOLUME
    # Per payout in minor units, or per million of the missing money.
    each = promised.shortfall * PPM if counted else promised.shortfall * _VOLUME
    row = {made.variable(each): 1.0}
    for offer, variable in zip(layout.offers, x, strict=True):
        if offer.channel == at:
            row[variable] = unit(fee, layout.lots[offer.lot].amount_minor) / scale
    made.row(row, low=missing / scale, name=("commitment", at, 0))


def _solve(made: _Programme) -> tuple[np.ndarray, np.ndarray]:
    """The best values, and each row's dual price once the binaries are fixed."""
    entries, rows, columns = [], [], []
    for index, row in enumerate(made.rows):
        for column, value in row.terms.items():
            rows.append(index)
            columns.append(column)
            entries.append(value)
    shape = (len(made.rows), len(made.cost))
    matrix = csr_matrix((entries, (rows, columns)), shape=shape)
    low = np.array([row.low for row in made.rows])
    high = np.array([row.high for row in made.rows])
    cost, upper = np.array(made.cost), np.array(made.high)
    binary = np.array(made.binary)
    found = milp(
        cost,
        integrality=binary.astype(int),
        bounds=Bounds(np.zeros(len(cost)), upper),
        constraints=LinearConstraint(matrix, low, high),
        options={"mip_rel_gap": GAP, "time_limit": TIME_LIMIT_S},
    )
    if found.x is None:
        raise RuntimeError(f"the solver found no plan: {found.message}")
    fixed = np.where(binary, np.round(found.x), 0.0)
    bounds = np.column_stack([fixed, np.where(binary, fixed, upper)])
    return _priced(cost, matrix, low, high, bounds, found.x)


def _priced(
    cost: np.ndarray,
    matrix: csr_matrix,
    low: np.ndarray,
    high: np.ndarray,
    bounds: np.ndarray,
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    equal = low == high
    above, below = ~equal & np.isfinite(high), ~equal & np.isfinite(low)
    lp = linprog(
        cost,
        A_ub=vstack([matrix[above], -matrix[below]], format="csr"),
        b_ub=np.concatenate([high[above], -low[below]]),
        A_eq=matrix[equal],
        b_eq=low[equal],
        bounds=bounds,
        method="highs",
    )
    duals = np.zeros(len(low))
    if lp.x is None:
        return values, duals
    marginals = lp.ineqlin.marginals
    duals[above] = marginals[: above.sum()]
    duals[below] -= marginals[above.sum() :]
    return lp.x, duals


def _marginals(
    made: _Programme, layout: Layout, duals: np.ndarray
) -> dict[tuple[int, int], Marginal]:
    """What caps, floors and commitments add to a payout's price, by group and channel.

    The dual of a row says how the optimum moves with its bound: a cap's is at most 0 (one more
    unit saves), a floor's at least 0 (one more unit asked for costs).
    """
    found: dict[tuple[int, int], Marginal] = {}
    for at, channel in enumerate(layout.channels):
        counted = fee_of(channel).basis == "payouts"
        floors = sum(
            float(duals[row])
            for (name, of, _), row in made.row_of.items()
            if of == at and name in {"floor", "commitment"}
        )
        for group in range(len(layout.groups)):
            row = made.row_of.get(("cap", group, at))
            scarce = -float(duals[row]) if row is not None else 0.0
            payout = -floors * _MONEY if counted else 0.0
            money = scarce - (0.0 if counted else floors)
            marginal = Marginal(round(payout), round(money * _MONEY / _VOLUME))
            if marginal != (0, 0):
                found[group, at] = marginal
    return found
