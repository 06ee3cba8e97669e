"""A generated month: payouts, channels with outages, and the decisions the product takes on them.

For installations without a history of their own yet, and for tests: here the true success rates
are known. Six channels as in PR-COST (an instant one with a cap, all-units tiers with a commitment,
incremental tiers, a free slow one, a cheap slow one, a dear instant one) and some with outages.
The same seed, count and policy give the same month. No payee exists.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from heapq import heappop, heappush
from math import exp, log
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from policies.backtest.bill import Priced, Side
from policies.backtest.record import Choice, Ending, Record, Result, Way, choice_of
from policies.backtest.terms import ALWAYS, Terms, local_day
from policies.decide import decide
from policies.facts import (
    MICRO,
    ChannelFacts,
    Cycle,
    Decision,
    HealthView,
    InstrumentFacts,
    PayoutFacts,
    Tried,
)
from policies.fees import Commitment, Fee, Tier
from policies.health import WHOLE, Health, Observed
from policies.policy import Policy

FULL: Final = 300_000
"""Payouts of a full month; a smaller one has smaller tiers, caps and commitments."""
_ZONE: Final = ZoneInfo("Asia/Shanghai")
_RAIL: Final = "bank_card"
_BANKS: Final = ("ICBC", "ABC", "BOC", "CCB", "CMB", "PSBC", "COMM", None)
_URGENT: Final = 0.15
_PEAK_DAYS: Final = (5, 10, 15, 25)
_PEAK: Final = 1.4
_HOURS: Final = (1, 1, 0, 0, 0, 1, 2, 4, 7, 9, 10, 9, 6, 8, 9, 10, 9, 8, 6, 5, 5, 4, 3, 2)
_PAYEE_FAULT: Final = 0.015
_DOUBT: Final = 0.001
_OUTAGES: Final = 3
_VIEWS_S: Final = 30
"""Health is looked at again after so many seconds, as gateways of one fleet do."""
_TRUE_RATES: Final = {
    "swift": 0.985,
    "volume": 0.975,
    "steps": 0.980,
    "free": 0.950,
    "cheap": 0.965,
    "dear": 0.985,
}


class Outage(Struct, frozen=True):
    """A channel succeeds less often for a while."""

    begins_at: datetime
    ends_at: datetime
    factor: float


@dataclass(frozen=True)
class World:
    """One month; `first_on` is its first day."""

    seed: int
    count: int = FULL
    policy: Policy = field(default_factory=lambda: Policy("generated", "generated"))
    first_on: date = date(2026, 3, 1)

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """The channels' contracts, tiers and caps in proportion to the month's size."""

        def scaled(full: int) -> int:
            return max(full * self.count // FULL, 1)

        def made(name: str, fee: Fee, cycle: Cycle, cap: int | None = None) -> Terms:
            return Terms(
                name,
                frozenset({_RAIL}),
                "CNY",
                ((ALWAYS, fee),),
                cycle,
                day_cap_minor=None if cap is None else max(scaled(cap), 50_000_000),
            )

        now, next_day = Cycle(instant=True), Cycle(days=1, calendar="cn_statutory")
        counted = (Tier(0, 200), Tier(scaled(50_000), 120), Tier(scaled(150_000), 80))
        weighed = (
            Tier(0, 50, 600),
            Tier(scaled(10_000_000_000), 50, 400),
            Tier(scaled(30_000_000_000), 50, 250),
        )
        return (
            made("swift", Fee(flat_minor=100, rate_ppm=1_000), now, 2_000_000_000),
            made(
                "volume",
                Fee(
                    tiers=counted,
                    basis="payouts",
                    scheme="all_units",
                    commitment=Commitment(scaled(60_000), 100),
                ),
                next_day,
            ),
            made("steps", Fee(tiers=weighed, basis="amount", scheme="incremental"), next_day),
            made("free", Fee(), Cycle(days=7, calendar="cn_statutory")),
            made("cheap", Fee(flat_minor=30), Cycle(days=3, calendar="cn_statutory")),
            made("dear", Fee(flat_minor=300, rate_ppm=300), now, 1_500_000_000),
        )

    @cached_property
    def outages(self) -> dict[str, tuple[Outage, ...]]:
        """When each channel is ill; half of the times it all but stops."""
        dice = Random(f"outages {self.seed}")  # noqa: S311 - a world, not a secret
        opens = datetime.combine(self.first_on, datetime.min.time(), _ZONE).astimezone(UTC)
        found: dict[str, tuple[Outage, ...]] = {}
        for name in _TRUE_RATES:
            times = []
            for _ in range(_poisson(dice, _OUTAGES)):
                begins = opens + timedelta(hours=dice.uniform(0, 24 * self._days))
                hours = min(max(dice.lognormvariate(log(4), 1), 0.3), 40)
                factor = 0.02 if dice.random() < 0.5 else dice.uniform(0.4, 0.85)
                times.append(Outage(begins, begins + timedelta(hours=hours), factor))
            found[name] = tuple(times)
        return found

    def truth(self, channel: str, at: datetime) -> float:
        """How likely the channel does its part at a moment."""
        rate = _TRUE_RATES[channel]
        for one in self.outages[channel]:
            if one.begins_at <= at < one.ends_at:
                rate *= one.factor
        return rate

    @property
    def _days(self) -> int:
        following = self.first_on.replace(day=28) + timedelta(days=4)
        return (following.replace(day=1) - self.first_on).days

    def records(self) -> Iterator[Record]:
        """The month, by acceptance."""
        return _Month(self).run()


class _Month:
    """A month under way: what channels carry, are believed to be, and have yet to say."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = Random(f"month {world.seed}")  # noqa: S311 - a world, not a secret
        self._terms = {one.name: one for one in world.terms}
        self._side = Side(self._terms)
        self._health = Health()
        self._views: dict[str, HealthView] = {}
        self._seen_at: datetime | None = None
        self._news: list[tuple[datetime, int, str, Observed, datetime]] = []
        self._told = 0

    def run(self) -> Iterator[Record]:
        for number, at in enumerate(self._moments()):
            yield self._payout(number, at)

    def _moments(self) -> list[datetime]:
        """When payouts are accepted: more on peak days, hardly any at night."""
        world, dice = self._world, self._dice
        days = [world.first_on + timedelta(days=at) for at in range(world._days)]
        weights = [_PEAK if day.day in _PEAK_DAYS else 1.0 for day in days]
        counts = dict.fromkeys(days, 0)
        for day in dice.choices(days, weights, k=world.count):
            counts[day] += 1
        found: list[datetime] = []
        for day, count in counts.items():
            opens = datetime.combine(day, datetime.min.time(), _ZONE).astimezone(UTC)
            seconds = sorted(
                hour * 3600 + dice.randrange(3600)
                for hour in dice.choices(range(24), _HOURS, k=count)
            )
            found += [opens + timedelta(seconds=second) for second in seconds]
        return found

    def _payout(self, number: int, at: datetime) -> Record:
        dice = self._dice
        yuan = min(max(exp(dice.gauss(6.6, 1.7)), 1), 200_000)
        bank = dice.choice(_BANKS)
        merchant = f"m-{min(int(dice.paretovariate(0.7)), 40):02d}"
        asked = PayoutFacts(
            f"po_{number:08d}",
            merchant,
            round(yuan * 100),
            "CNY",
            (InstrumentFacts(0, _RAIL, bank),),
            "instant" if dice.random() < _URGENT else "standard",
        )
        payee_errs = dice.random() < _PAYEE_FAULT
        choices: list[Choice] = []
        tried: tuple[Tried, ...] = ()
        now = at
        while len(choices) < 3:
            asked = PayoutFacts(
                asked.payout_id,
                merchant,
                asked.amount_minor,
                "CNY",
                asked.instruments,
                asked.speed,
                tried=tried,
            )
            decision = decide(
                asked, self._facts(now), self._world.policy, now, dice.randrange(MICRO)
            )
            result = self._tried(asked, decision, now, len(choices) + 1, payee_errs=payee_errs)
            choices.append(choice_of(decision, result))
            if result is None or result.ending is not Ending.CHANNEL_FAILED:
                break
            tried += (Tried(decision.order[0].channel, 0, "channel", "any"),)
            now = result.ended_at or now
        return Record(
            asked.payout_id,
            merchant,
            at,
            asked.amount_minor,
            "CNY",
            (Way(0, _RAIL, bank),),
            asked.speed,
            None,
            None,
            tuple(choices),
        )

    def _tried(
        self,
        asked: PayoutFacts,
        decision: Decision,
        now: datetime,
        number: int,
        *,
        payee_errs: bool,
    ) -> Result | None:
        """What becomes of the attempt; what the channel says is heard when it has happened."""
        chosen = decision.chosen
        if chosen is None:
            return None
        dice = self._dice
        good = dice.random() < self._world.truth(chosen.channel, now)
        doubted = dice.random() < _DOUBT
        heard_at = now + timedelta(seconds=dice.expovariate(1 / (1800 if doubted else 20)))
        self._health.started(chosen.channel, WHOLE, now)
        if not payee_errs:
            self._told += 1
            said: Observed = "success" if good else "failure"
            heappush(self._news, (heard_at, self._told, chosen.channel, said, now))
        if not good:
            ending = Ending.CHANNEL_FAILED
        elif payee_errs:
            ending = Ending.PAYEE_FAILED
        else:
            ending = Ending.PAID
            self._carry(asked, chosen.channel, now)
        fee = chosen.cost.fee + chosen.cost.surcharge
        return Result(
            number,
            ending,
            now,
            chosen.arrival.at,
            heard_at,
            fee // MICRO if ending is Ending.PAID else None,
            doubted,
            censored=False,
        )

    def _carry(self, asked: PayoutFacts, channel: str, now: datetime) -> None:
        day = local_day(self._terms[channel].cycle.timezone, now)
        nothing = Priced(channel, 0, (0,), 0, 0, 0, 0, 0, ())
        self._side.carry(
            nothing, MICRO, MICRO, asked.merchant_id, asked.amount_minor, day, counted=False
        )

    def _facts(self, now: datetime) -> list[ChannelFacts]:
        while self._news and self._news[0][0] <= now:
            heard_at, _, channel, said, sent_at = heappop(self._news)
            self._health.observe(channel, WHOLE, said, heard_at, sent_at=sent_at)
        if self._seen_at is None or abs((now - self._seen_at).total_seconds()) >= _VIEWS_S:
            self._views = self._health.views(self._terms, WHOLE, now)
            self._seen_at = now
        day = local_day("Asia/Shanghai", now)
        return [
            ChannelFacts(
                name=name,
                rails=terms.rails,
                currency=terms.currency,
                fee=terms.fees[0][1],
                cycle=terms.cycle,
                month=self._side.use(name, day),
                day_cap_minor=terms.day_cap_minor,
                day_used_minor=self._side.day_used(name, day),
                health=self._views[name],
            )
            for name, terms in self._terms.items()
        ]


def _poisson(dice: Random, mean: float) -> int:
    """Knuth's method; the mean is small."""
    limit, product, found = exp(-mean), dice.random(), 0
    while product > limit:
        product *= dice.random()
        found += 1
    return found
