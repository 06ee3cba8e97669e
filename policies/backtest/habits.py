"""What a history tells about itself, in one pass: exploration, failures, and tiers within reach.

No replay and no draft: these are facts about what was done, from which `suggest` computes what to
change. Sums are kept by local day, so that every figure has an interval by resampling days.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from statistics import median
from typing import Final

from msgspec import Struct

from policies.backtest.record import Ending, Record
from policies.backtest.terms import Terms, local_day
from policies.cost import capital_micro
from policies.facts import MICRO
from policies.fees import Fee, fee_minor
from policies.policy import Parameters

MARGIN_PPM: Final = 30_000
"""So much more than a floor is aimed at: who aims at the edge misses it in every other month."""
_DELAYS_MAX: Final = 100_000


@dataclass(slots=True)
class Day:
    """One local day's first attempts."""

    payouts: int = 0
    pools: int = 0
    """Payouts for which more than one candidate could be drawn."""
    pool_sizes: int = 0
    extra: int = 0
    """What exploring would cost if all of these explored, in micro units."""


@dataclass(slots=True)
class Reach:
    """A channel whose next tier, or commitment, other payouts could reach."""

    use: Counter[int] = field(default_factory=Counter)
    """Its own payouts by day (ordinal)."""
    moves: list[tuple[int, str, int]] = field(default_factory=list)
    """What each payout elsewhere would cost more here at the last tier (micro), where it is now,
    and its day."""


@dataclass(slots=True)
class Habits:
    """Everything found."""

    days: dict[date, Day] = field(default_factory=dict)
    failures: int = 0
    doubts: int = 0
    lost_by_failure: int = 0
    """Capital tied up between a failed first attempt and its payout's arrival at a channel."""
    failure_delays_s: list[float] = field(default_factory=list)
    doubt_delays_s: list[float] = field(default_factory=list)
    probes: int = 0
    probes_failed: int = 0
    reach: dict[str, Reach] = field(default_factory=dict)

    @property
    def pool(self) -> float:
        """Candidates that exploration is spread over, on average."""
        pools = sum(day.pools for day in self.days.values())
        sizes = sum(day.pool_sizes for day in self.days.values())
        return sizes / pools if pools else 0.0


def habits(records: Iterable[Record], terms: Mapping[str, Terms], parameters: Parameters) -> Habits:
    """Read a history once."""
    found = Habits()
    goals = {name: goal for name, one in terms.items() if (goal := _goal(one)) is not None}
    for record in records:
        first = record.first
        if first is None or not first.order:
            continue
        day = local_day("Asia/Shanghai", first.at)
        _explored(found.days.setdefault(day, Day()), record)
        _endured(found, record, parameters)
        for name, fee in goals.items():
            _reachable(found.reach.setdefault(name, Reach()), record, name, fee)
    return found


def _explored(day: Day, record: Record) -> None:
    first = record.first
    if first is None:
        return
    day.payouts += 1
    drawn = [one for one in first.order if one.propensity_ppm]
    if len(drawn) > 1:
        day.pools += 1
        day.pool_sizes += len(drawn)
        costs = sorted(
            one.fee + one.surcharge + one.capital + one.lateness + one.fail + one.unknown
            for one in drawn
        )
        day.extra += (sum(costs) - len(costs) * costs[0]) // len(costs)


def _endured(found: Habits, record: Record, parameters: Parameters) -> None:
    """What failures and doubts cost in time."""
    first = record.first
    result = None if first is None else first.result
    if first is None or result is None:
        return
    if first.outcome == "probe":
        found.probes += 1
        found.probes_failed += result.ending is Ending.CHANNEL_FAILED
    if result.doubted:
        found.doubts += 1
        if result.ended_at is not None and len(found.doubt_delays_s) < _DELAYS_MAX:
            found.doubt_delays_s.append((result.ended_at - result.armed_at).total_seconds())
    if result.ending is not Ending.CHANNEL_FAILED:
        return
    found.failures += 1
    later = [one.result for one in record.choices if one.result is not None]
    if len(later) > 1:
        delay = (later[-1].armed_at - result.armed_at).total_seconds()
        whole_days = max(int(delay // 86_400), 0)
        found.lost_by_failure += capital_micro(
            record.amount_minor, parameters.capital_rate_ppm, whole_days
        )
        if len(found.failure_delays_s) < _DELAYS_MAX:
            found.failure_delays_s.append(max(delay, 0.0))


def middle(values: list[float]) -> float:
    """The median; 0 of nothing."""
    return median(values) if values else 0.0


# --- Tiers within reach ------------------------------------------------------------------------


def _goal(terms: Terms) -> Fee | None:
    """The fee in force, where it rewards a number of payouts by a lower flat fee for all."""
    if not terms.fees:
        return None
    fee = terms.fees[-1][1]
    flat_only = len({tier.rate_ppm for tier in fee.tiers}) <= 1
    rewards = (fee.tiers and fee.scheme == "all_units") or fee.commitment is not None
    return fee if rewards and flat_only and fee.basis == "payouts" else None


def _reachable(reach: Reach, record: Record, name: str, fee: Fee) -> None:
    first = record.first
    if first is None:
        return
    chosen = first.order[0]
    day = local_day("Asia/Shanghai", first.at).toordinal()
    if chosen.channel == name:
        reach.use[day] += 1
        return
    here = next((one for one in first.order if one.channel == name), None)
    if here is None:
        return
    # Everything but the fee is as logged; the fee is added for the tier in question later.
    there = chosen.fee + chosen.surcharge + chosen.capital + chosen.lateness
    there += chosen.fail + chosen.unknown
    without_fee = here.surcharge + here.capital + here.lateness + here.fail + here.unknown
    listed = fee_minor(fee, record.amount_minor, planned_tier=len(fee.tiers) - 1 or None)
    reach.moves.append((without_fee + listed * MICRO - there, chosen.channel, day))


class Within(Struct, frozen=True):
    """Moving `moved` payouts from other channels reaches a tier or keeps a commitment."""

    channel: str
    tier: int | None
    """None: it is the commitment that is kept."""
    floor: int
    moved: int
    sources: tuple[tuple[str, int], ...]
    saving: int
    """Over the history, in micro units."""
    per_day: tuple[tuple[int, int, int], ...]
    """Each day's own payouts, payouts moved, and what moving them costs (micro)."""
    goal: "Goal"

    @property
    def a_day(self) -> int:
        """Payouts to move each day."""
        return -(-self.moved // len(self.per_day))


class Goal(Struct, frozen=True):
    """A floor that pays: what a payout costs below and from it on, in flat fees."""

    tier: int | None
    floor: int
    now_minor: int
    then_minor: int
    least: int = 0
    price_minor: int = 0

    def saving(self, days: Iterable[tuple[int, int, int]]) -> int:
        """What the moves of these days save, in micro units; below the floor they only cost."""
        use = moved = paid = 0
        for own, more, cost in days:
            use, moved, paid = use + own, moved + more, paid + cost
        kept = min(use + moved, self.least) - min(use, self.least)
        found = kept * self.price_minor * MICRO - paid
        gain = (self.now_minor - self.then_minor) * MICRO
        return found + gain * use if use + moved >= self.floor else found - gain * moved


def within_reach(found: Habits, terms: Mapping[str, Terms]) -> list[Within]:
    """Every goal that pays for the moves it takes, the best first."""
    made = []
    days = [day.toordinal() for day in sorted(found.days)]
    for name, reach in found.reach.items():
        fee = terms[name].fees[-1][1]
        last = fee.tiers[-1].flat_minor if fee.tiers else fee.flat_minor
        use = sum(reach.use.values())
        moves = sorted(reach.moves)
        for goal in _goals(fee, use, len(days)):
            missing = goal.floor + goal.floor * MARGIN_PPM // MICRO - use
            if use >= goal.floor or not 0 < missing <= len(moves):
                continue
            taken = moves[:missing]
            moved: Counter[int] = Counter()
            paid: Counter[int] = Counter()
            for extra, _, day in taken:
                moved[day] += 1
                # Moves were priced at the last tier's flat fee.
                paid[day] += extra + (goal.then_minor - last) * MICRO
            per_day = tuple((reach.use[day], moved[day], paid[day]) for day in days)
            saving = goal.saving(per_day)
            if saving > 0:
                sources = Counter(channel for _, channel, _ in taken).most_common(3)
                made.append(
                    Within(
                        name, goal.tier, goal.floor, missing, tuple(sources), saving, per_day, goal
                    )
                )
    return sorted(made, key=lambda one: -one.saving)


def _goals(fee: Fee, use: int, days: int) -> list[Goal]:
    """Floors as they are for a history of about a month, in proportion for a shorter one."""
    share = 1.0 if days >= 28 else days / 30
    least = price = 0
    if fee.commitment is not None:
        least, price = int(fee.commitment.least * share), fee.commitment.shortfall
    steps = [(int(tier.floor * share), tier.flat_minor) for tier in fee.tiers]

    def flat_at(count: int) -> int:
        reached = [flat for floor, flat in steps if floor <= count]
        return reached[-1] if reached else fee.flat_minor

    goals = [
        Goal(at, floor, flat_at(use), flat, least, price)
        for at, (floor, flat) in enumerate(steps)
        if floor and fee.scheme == "all_units"
    ]
    if least:
        goals.append(Goal(None, least, flat_at(use), flat_at(least), least, price))
    return goals


def by_source(sources: Iterable[tuple[str, int]]) -> str:
    """`a (120), b (7)`."""
    totals: defaultdict[str, int] = defaultdict(int)
    for name, count in sources:
        totals[name] += count
    return ", ".join(f"{name} ({count:,})" for name, count in totals.items())
