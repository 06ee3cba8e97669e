"""PR-COST: a month's all-in cost against the offline optimum, for the plan and for its rivals.

Ours are the product's own functions: forecast, plan, shares and deficits (`policies.plan`), fees
(`policies.fees`) and capital (`policies.cost`); only the wrapping of `decide` is left out, and a
test holds both to the same choices. Rivals price with the same functions.

The optimum is a MILP on the true month. Twice: on 18 classes with one price of time for the whole
month, as the benchmark was first defined, and on fine classes by single day with exact day caps,
which is the lower and thus harder bar. Gaps are stated against the harder one.
"""

import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from msgspec.structs import replace

from policies.calendars.arrivals import arrival
from policies.cost import capital_micro
from policies.facts import MICRO, ChannelFacts
from policies.fees import PPM, MonthUse, fee_minor, surcharge_minor
from policies.plan import milp
from policies.plan.classes import PayoutClass
from policies.plan.follow import PlanView, lagging, owed, view_on
from policies.plan.forecast import (
    Day,
    day_spread,
    from_history,
    level,
    weekday_payouts,
)
from policies.plan.greedy import cost_micro
from policies.plan.layout import DayGroup, Layout, Lot, Offer, fee_of
from policies.plan.make import make_plan
from policies.plan.model import Plan
from policies.plan.split import Method
from tests.bench.routing.month import BEFORE, PARAMETERS, RAIL, START, Month, channels, draw

SHANGHAI = ZoneInfo("Asia/Shanghai")
CHANNELS = channels()
NAMES = tuple(one.name for one in CHANNELS)
TIERED = tuple(at for at, one in enumerate(CHANNELS) if fee_of(one).tiers)
COARSE = tuple(int(100 * one) for one in (100, 300, 700, 1_500, 3_000, 7_000, 20_000, 60_000))
FINE = tuple(int(10 ** (3 + 0.1 * step)) for step in range(43))
FINER = tuple(int(10 ** (3 + 0.05 * step)) for step in range(85))


@dataclass
class Books:
    """What a month's payouts have used and cost so far, by channel."""

    payouts: list[int]
    minor: list[int]
    today: list[int]
    micro: int = 0
    """Everything but fees of all-units tiers, which are known at the end."""
    forced: int = 0
    """Payouts for which no day cap had room; they go to C1, charged for a day's wait."""

    def use(self, at: int) -> MonthUse:
        """The channel's month so far."""
        return MonthUse(self.payouts[at], self.minor[at])

    def close(self) -> int:
        """The whole month's cost, with the tiers it ended in and what commitments lack."""
        total = self.micro
        for at, channel in enumerate(CHANNELS):
            fee = fee_of(channel)
            if fee.scheme == "all_units" and fee.tiers:
                total += self.payouts[at] * fee_minor(fee, 1, self.use(at)) * MICRO
            if fee.commitment is not None:
                missing = max(0, fee.commitment.least - self.payouts[at])
                total += missing * fee.commitment.shortfall * MICRO
        return total


class Priced:
    """A month with every payout's price at every channel, tiers aside."""

    def __init__(self, month: Month) -> None:
        self.month = month
        rate = PARAMETERS.capital_rate_ppm
        self.stickers: list[list[int]] = []
        self.surcharges: list[list[int]] = []
        self.capitals: list[list[int]] = []
        noon = [datetime(on.year, on.month, on.day, 12, tzinfo=SHANGHAI) for on in month.days]
        for channel in CHANNELS:
            fee = fee_of(channel)
            self.stickers.append(
                [0 if fee.tiers else fee_minor(fee, one) * MICRO for one in month.amounts]
            )
            self.surcharges.append([surcharge_minor(fee, one) * MICRO for one in month.amounts])
            days = [arrival(channel.cycle, at).days_calendar for at in noon]
            capital, at = [], 0
            for size, long in zip(month.sizes, days, strict=True):
                capital += [capital_micro(one, rate, long) for one in month.amounts[at : at + size]]
                at += size
            self.capitals.append(capital)
        self.fixed = [
            [a + b + c for a, b, c in zip(*rows, strict=True)]
            for rows in zip(self.stickers, self.surcharges, self.capitals, strict=True)
        ]


Chooser = Callable[[int, Sequence[int], Books], int]
"""Payout's index, the channels that can take it, the books so far: the channel."""


def play(priced: Priced, choose: Chooser, begin: Callable[[int, int, Books], None]) -> Books:
    """Give out a month's payouts; `begin` hears of every day's quarter (day, quarter)."""
    month = priced.month
    books = Books([0] * 6, [0] * 6, [0] * 6)
    caps = [one.day_cap_minor for one in CHANNELS]
    instant = [at for at, one in enumerate(CHANNELS) if one.cycle.instant]
    every = list(range(len(CHANNELS)))
    index = 0
    for day, size in enumerate(month.sizes):
        books.today = [0] * len(CHANNELS)
        for number in range(size):
            if number * 4 % size < 4:
                begin(day, number * 4 // size, books)
            amount = month.amounts[index]
            can = [
                at
                for at in (instant if month.urgent[index] else every)
                if (cap := caps[at]) is None or books.today[at] + amount <= cap
            ]
            if can:
                at = choose(index, can, books)
            else:
                # It waits for the next day's caps, and its money with it.
                at, books.forced = 0, books.forced + 1
                books.micro += capital_micro(amount, PARAMETERS.capital_rate_ppm, 1)
            books.micro += priced.fixed[at][index]
            fee = fee_of(CHANNELS[at])
            if fee.tiers and fee.scheme == "incremental":
                books.micro += fee_minor(fee, amount, books.use(at)) * MICRO
            books.payouts[at] += 1
            books.minor[at] += amount
            books.today[at] += amount
            index += 1
    return books


def _idle(_day: int, _quarter: int, _books: Books) -> None:
    return


# --- Rivals ------------------------------------------------------------------------------------


def _by(prices: Sequence[Sequence[int]], priced: Priced, tiers: Mapping[int, int]) -> Chooser:
    """The cheapest by some of the prices, with tiered fees at the tier reached (or `tiers`)."""
    amounts = priced.month.amounts

    def choose(index: int, can: Sequence[int], books: Books) -> int:
        best, lowest = can[0], None
        for at in can:
            cost = prices[at][index]
            if at in TIERED:
                fee = fee_of(CHANNELS[at])
                cost += fee_minor(fee, amounts[index], books.use(at), tiers.get(at)) * MICRO
            if lowest is None or cost < lowest:
                best, lowest = at, cost
        return best

    return choose


def rival(name: str, priced: Priced, seed: int, plan: Plan) -> int:
    """The month's cost of one of the other ways to route."""
    if name == "uniform":
        rng = random.Random(seed)
        return play(priced, lambda _, can, __: rng.choice(can), _idle).close()
    tiers: dict[int, int] = {}
    prices: Sequence[Sequence[int]] = priced.fixed
    if name == "sticker":
        prices = priced.stickers
    elif name == "surcharge":
        prices = [
            [a + b for a, b in zip(*rows, strict=True)]
            for rows in zip(priced.stickers, priced.surcharges, strict=True)
        ]
    elif name == "planned_tier":
        planned = {one.name: one.tier for one in plan.channels}
        tiers = {at: planned[CHANNELS[at].name] or 0 for at in TIERED}
    return play(priced, _by(prices, priced, tiers), _idle).close()


RIVALS = ("sticker", "surcharge", "uniform", "current_tier", "planned_tier")


# --- Ours --------------------------------------------------------------------------------------


class Planned:
    """The plan followed, with as many re-plans a day as asked for (0: the first plan stays)."""

    def __init__(
        self, priced: Priced, history: Sequence[Day], replans: int, method: Method = "milp"
    ) -> None:
        self.priced, self.history, self.replans, self.method = priced, history, replans, method
        self.kinds = priced.month.kinds
        self.by_day = weekday_payouts(history)
        self.noise = day_spread(history)
        self.given: dict[PayoutClass, Counter[str]] = {}
        self.plan: Plan | None = None
        self.view: PlanView | None = None
        self.longest_s = 0.0

    def begin(self, day: int, quarter: int, books: Books) -> None:
        """A new quarter of a day: plan anew if it is time."""
        if self.plan is None or (self.replans and quarter % (4 // self.replans) == 0):
            self._plan(day, quarter, books)
        if self.plan is not None:
            self.view = view_on(self.plan, self.priced.month.days[day], self.given)

    def _plan(self, day: int, quarter: int, books: Books) -> None:
        month = self.priced.month
        on = month.days[day]
        now = datetime(on.year, on.month, on.day, quarter * 6, tzinfo=SHANGHAI)
        seen = [
            (self.by_day[past.weekday()], size)
            for past, size in zip(month.days[:day], month.sizes[:day], strict=True)
        ]
        left = [(one, PPM) for one in month.days[day:]]
        left[0] = (on, PPM * (4 - quarter) // 4)
        forecast = from_history(self.history, left, level(seen, day_ppm=self.noise))
        facts = [
            replace(one, month=books.use(at), day_used_minor=books.today[at])
            for at, one in enumerate(CHANNELS)
        ]
        started = perf_counter()
        self.plan = make_plan(
            forecast,
            facts,
            PARAMETERS,
            now,
            method=self.method,
            carried=owed(self.view) if self.view is not None else None,
            whole=False,
        )
        self.longest_s = max(self.longest_s, perf_counter() - started)
        self.given = {}

    def choose(self, index: int, can: Sequence[int], books: Books) -> int:
        """The channel that the plan wants, by the product's rule."""
        view = self.view
        if view is None:
            raise RuntimeError("no plan")
        amount, kind = self.priced.month.amounts[index], self.kinds[index]
        fixed = self.priced.fixed
        totals = []
        for at in can:
            cost = fixed[at][index]
            fee = fee_of(CHANNELS[at])
            if fee.tiers:
                tier = view.tiers[NAMES[at]]
                cost += fee_minor(fee, amount, books.use(at), tier) * MICRO
            totals.append((cost, at))
        totals.sort()
        ranked = [(NAMES[at], cost) for cost, at in totals]
        found = totals[lagging(kind, amount, ranked, view, PARAMETERS) or 0][1]
        self.given.setdefault(kind, Counter())[NAMES[found]] += 1
        return found


# --- The optimum -------------------------------------------------------------------------------


def optimum(month: Month, bounds: Sequence[int], *, by_day: bool) -> int:
    """The cheapest split of the true month over classes of these bounds, in micro units."""
    amounts, urgent = np.array(month.amounts), np.array(month.urgent)
    band = np.searchsorted(np.array(bounds), amounts, side="right")
    day = np.repeat(np.arange(len(month.days)), month.sizes)
    noon = [datetime(on.year, on.month, on.day, 12, tzinfo=SHANGHAI) for on in month.days]
    takes = [[arrival(one.cycle, at).days_calendar for at in noon] for one in CHANNELS]
    spans = [[at] for at in range(len(noon))] if by_day else [list(range(len(noon)))]
    groups = tuple(DayGroup(tuple(month.days[at] for at in span), 0) for span in spans)
    lots: list[Lot] = []
    offers: list[Offer] = []
    for index, span in enumerate(spans):
        on_days = np.isin(day, span)
        for fast in (False, True):
            for one in range(len(bounds) + 1):
                chosen = on_days & (urgent == fast) & (band == one)
                count = int(chosen.sum())
                if not count:
                    continue
                kind = PayoutClass(RAIL, "instant" if fast else "standard", one)
                mean = round(int(amounts[chosen].sum()) / count)
                lots.append(Lot(index, kind, count, mean))
                for k, channel in enumerate(CHANNELS):
                    if fast and not channel.cycle.instant:
                        continue
                    sizes = [month.sizes[at] for at in span]
                    held = math.fsum(
                        takes[k][at] * size for at, size in zip(span, sizes, strict=True)
                    ) / sum(sizes)
                    offers.append(Offer(len(lots) - 1, k, _at_mean(channel, mean, held)))
    caps = {
        (index, k): channel.day_cap_minor * len(span)
        for index, span in enumerate(spans)
        for k, channel in enumerate(CHANNELS)
        if channel.day_cap_minor is not None
    }
    layout = Layout(CHANNELS, groups, tuple(lots), tuple(offers), caps)
    return round(cost_micro(layout, milp.solve(layout)))


def _at_mean(channel: ChannelFacts, amount: int, days: float) -> int:
    fee = fee_of(channel)
    listed = 0 if fee.tiers else fee.flat_minor * MICRO + fee.rate_ppm * amount
    capital = amount * PARAMETERS.capital_rate_ppm * days / 365
    return listed + fee.surcharge_ppm * amount + round(capital)


# --- The run -----------------------------------------------------------------------------------

SIZES = {"on": 1.0, "below": 0.7, "above": 1.3}
OTHER = 10_000
"""Added to a seed: the month its forecast comes from."""


def one_seed(seed: int, replans: int = 4, *, rivals: bool = True) -> dict[str, Any]:
    """Everything about one seed: costs in basis points and gaps in per cent.

    `rivals` adds the other ways, and what the optimum's classes and the re-plans are worth.
    """
    history = draw(seed + OTHER, BEFORE, START).history()
    found: dict[str, Any] = {"seed": seed}
    for name, size in SIZES.items():
        priced = Priced(draw(seed, size=size))
        best = optimum(priced.month, FINE, by_day=True)
        rows: dict[str, int] = {"optimum": best}
        ways: dict[str, tuple[int, Method]] = {"plan": (replans, "milp")}
        if rivals:
            ways |= {"no_replan": (0, "milp"), "daily": (1, "milp")}
        if rivals and name == "on":
            rows["optimum_18"] = optimum(priced.month, COARSE, by_day=False)
            rows["optimum_18_by_day"] = optimum(priced.month, COARSE, by_day=True)
            rows["optimum_finer"] = optimum(priced.month, FINER, by_day=True)
            ways["daily_without_solver"] = (1, "greedy")
        for way, (often, method) in ways.items():
            ours = Planned(priced, history, often, method)
            books = play(priced, ours.choose, ours.begin)
            rows[way] = books.close()
            if way == "plan":
                found[f"{name}_c2"] = books.payouts[1]
                found[f"{name}_forced"] = books.forced
                found[f"{name}_plan_s"] = ours.longest_s
        if name == "on" and rivals:
            first = Planned(priced, history, 0)
            first.begin(0, 0, Books([0] * 6, [0] * 6, [0] * 6))
            if first.plan is not None:
                for one in RIVALS:
                    rows[one] = rival(one, priced, seed, first.plan)
        found[f"{name}_gap"] = 100 * (rows["plan"] / best - 1)
        found[name] = {
            way: {"bp": cost / priced.month.minor / 100, "gap": 100 * (cost / best - 1)}
            for way, cost in rows.items()
        }
    return found


def run(options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Run all seeds; options `seeds` (a count), `first`, `processes`, `replans`, `rivals`.

    `rivals` is how many of the seeds also play the other ways.

    `cost_gap_pct` holds the means of `on` and of `off` (below and above together) and the worst
    single month of all of them; `detail` has every mean, standard error and maximum.
    """
    asked = dict(options or {})
    first = int(asked.get("first", 1000))
    seeds = range(first, first + int(asked.get("seeds", 2 if asked.get("quick") else 8)))
    with ProcessPoolExecutor(int(asked.get("processes", 2))) as pool:
        jobs = [
            pool.submit(
                one_seed,
                seed,
                int(asked.get("replans", 4)),
                rivals=seed - first < int(asked.get("rivals", 4)),
            )
            for seed in seeds
        ]
        found = [job.result() for job in jobs]
    detail: dict[str, Any] = {}
    for name in SIZES:
        for way in found[0][name]:
            played = [one[name][way] for one in found if way in one[name]]
            gaps = [one["gap"] for one in played]
            costs = [one["bp"] for one in played]
            detail[f"{name}.{way}"] = _row(gaps) | {"bp": round(statistics.fmean(costs), 3)}
    ours = {name: [one[name]["plan"]["gap"] for one in found] for name in SIZES}
    off = ours["below"] + ours["above"]
    return {
        "cost_gap_pct": {
            "on": round(statistics.fmean(ours["on"]), 3),
            "off": round(statistics.fmean(off), 3),
            "worst": round(max(*ours["on"], *off), 3),
        },
        "detail": detail,
        "by_seed": {one["seed"]: [round(one[f"{name}_gap"], 3) for name in SIZES] for one in found},
        "forced": sum(one[f"{name}_forced"] for one in found for name in SIZES),
        "plan_s": round(max(one[f"{name}_plan_s"] for one in found for name in SIZES), 3),
        "seeds": len(found),
    }


def _row(values: Iterable[float]) -> dict[str, float]:
    listed = list(values)
    error = statistics.stdev(listed) / math.sqrt(len(listed)) if len(listed) > 1 else 0.0
    return {
        "mean": round(statistics.fmean(listed), 3),
        "se": round(error, 3),
        "worst": round(max(listed), 3),
    }
