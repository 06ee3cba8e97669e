"""History through a draft: the same payouts, the product's own `decide`, both sides priced alike.

The old side is what was chosen, the new side what the draft chooses; tiers, caps and commitments
follow each side's own choices. Whatever differs between the two sums is therefore the choices'
doing: neither side has the luck of what happened to fail. What happened is used for one question
only, how often attempts succeed (`estimate`).
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from heapq import heappush, heapreplace
from typing import Final, NamedTuple

from policies.arrivals_seen import arrivals_of
from policies.backtest.bill import Closed, Priced, Side, fees_by_tier
from policies.backtest.estimate import Evidence, Judged, expected_square
from policies.backtest.record import Choice, Option, Record, Way
from policies.backtest.standing import Standing, lasting
from policies.backtest.terms import Terms, local_day
from policies.calendars.workdays import PUBLISHED, Almanac
from policies.cost import Spread, price
from policies.decide import decide
from policies.facts import (
    FREE,
    MICRO,
    Candidate,
    Constraints,
    Decision,
    HealthView,
    InstrumentFacts,
    PayoutFacts,
)
from policies.fees import fee_minor, surcharge_minor, tier_reached
from policies.plan.classes import class_of
from policies.plan.follow import PlanView
from policies.plan.split import Marginal
from policies.policy import Parameters, Policy

MOVERS: Final = 20
"""So many payouts are named one by one."""
_WORTH_ITS_PRICE: Final = Marginal(-(10**18), 0)
_CLOCK_SLACK: Final = timedelta(seconds=5)


class Mover(NamedTuple):
    """A payout whose cost changes much; costs in micro units at the tier then reached."""

    change: int
    payout: str
    merchant: str
    old_channel: str
    new_channel: str
    amount_minor: int
    currency: str


@dataclass(slots=True)
class Counts:
    """What the history was made of, and what could not be compared."""

    payouts: int = 0
    compared: int = 0
    """Both sides found a channel."""
    undecided: int = 0
    """Never routed: held, cancelled, or still to come."""
    waits: int = 0
    """The draft finds no channel, but one might have come back."""
    fails: int = 0
    """The draft finds no channel, and no waiting helps."""
    rescued: int = 0
    """History found no channel, the draft does."""
    neither: int = 0
    reviews: int = 0
    """The draft has a person look at them first."""
    changed: int = 0
    """The two sides choose different channels."""
    stuck: list[str] = field(default_factory=list)
    """The first payouts without a channel under the draft."""
    gone: Counter[str] = field(default_factory=Counter)
    """Payouts of channels that the installation no longer has, at their logged price."""
    policies: Counter[str] = field(default_factory=Counter)
    plans: Counter[str] = field(default_factory=Counter)
    clock_backwards: int = 0
    no_propensity: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(slots=True)
class Comparison:
    """Everything a report says."""

    draft: Policy
    yardstick: Parameters
    terms: Mapping[str, Terms]
    counts: Counts
    old: Closed
    new: Closed
    success: Judged
    moves: Mapping[tuple[str, str], int]
    """Payouts by old and new channel."""
    movers: list[Mover]
    covered: tuple[date, date] | None
    """First and last local day of the history, the uncounted part included."""
    currencies: Mapping[str, str]
    """The currency of every channel that carried something."""


class Replay:
    """One pass over a history. Feed records in order, then `finish`."""

    def __init__(
        self,
        terms: Iterable[Terms],
        draft: Policy,
        *,
        yardstick: Parameters | None = None,
        floats: Mapping[str, int] | None = None,
        counted_from: datetime | None = None,
        almanac: Almanac = PUBLISHED,
    ) -> None:
        """`yardstick` prices both sides alike (default: the draft's own parameters).

        Payouts accepted before `counted_from` move tiers and caps by what was chosen for them, on
        both sides, and count no further: they are the part of the month before the question.
        """
        self._terms = {one.name: one for one in terms}
        self._zones = sorted({one.cycle.timezone for one in self._terms.values()}) or [
            "Asia/Shanghai"
        ]
        self._draft = draft
        self._yardstick = yardstick or draft.parameters
        self._same_prices = self._yardstick == draft.parameters
        self._counted_from = counted_from
        self._almanac = almanac
        self._standing = Standing(self._terms, floats or {})
        self._old, self._new = Side(self._terms), Side(self._terms)
        self._evidence = Evidence()
        self._counts = Counts()
        self._moves: Counter[tuple[str, str]] = Counter()
        self._gone: dict[str, str] = {}
        self._movers: list[tuple[int, int, Mover]] = []
        self._first_day: date | None = None
        self._last_day: date | None = None

    def feed(self, record: Record) -> None:
        """Take one payout through both sides."""
        counts = self._counts
        choice = record.first
        if choice is None:
            counts.undecided += 1
            return
        days = {zone: local_day(zone, choice.at) for zone in self._zones}
        self._cover(choice, days)
        trouble = self._standing.learn(record, choice)
        if self._counted_from is not None and record.accepted_at < self._counted_from:
            self._warm(record, choice, days)
            return
        counts.payouts += 1
        counts.policies[choice.policy] += 1
        if choice.plan is not None:
            counts.plans[choice.plan] += 1
        facts = self._standing.facts(record, trouble, self._new, days)
        asked = _asked(record)
        decision = decide(
            asked,
            facts,
            self._draft,
            choice.at,
            choice.draw_ppm,
            almanac=self._almanac,
            plan=_held_plan(asked, choice),
        )
        if not decision.order or not choice.order:
            passing = decision.retry_at is not None or not lasting(trouble)
            self._without(record, decision, choice, passing=passing)
            return
        counts.compared += 1
        counts.reviews += decision.review is not None
        old = self._priced_as_chosen(record, choice, days, self._old, decision)
        new = self._priced_as_decided(record, decision, choice.at, days)
        _carry(self._old, record, old, days, self._day_of)
        _carry(self._new, record, new, days, self._day_of)
        self._compare(record, old, new)
        self._judge(record, choice, decision, days[self._zones[0]])

    def finish(self) -> Comparison:
        """Close the months and judge the success."""
        covered = None
        if self._first_day is not None and self._last_day is not None:
            covered = (self._first_day, self._last_day)
        span = covered or (date(1970, 1, 1), date(1970, 1, 1))
        empty = covered is None
        return Comparison(
            self._draft,
            self._yardstick,
            self._terms,
            self._counts,
            Closed() if empty else self._old.close(span),
            Closed() if empty else self._new.close(span),
            self._evidence.judge(),
            dict(self._moves),
            [mover for _, _, mover in sorted(self._movers, reverse=True)],
            covered,
            {**self._gone, **{name: one.currency for name, one in self._terms.items()}},
        )

    # --- one payout ------------------------------------------------------------------------

    def _cover(self, choice: Choice, days: Mapping[str, date]) -> None:
        counts, day = self._counts, days[self._zones[0]]
        if counts.last_at is None or choice.at > counts.last_at:
            counts.last_at = choice.at
        elif choice.at < counts.last_at - _CLOCK_SLACK:
            # Payouts come by acceptance; one that was scheduled is decided later than its
            # successors, and a clock may have been set back. State is kept by date, not by order.
            counts.clock_backwards += 1
        if counts.first_at is None or choice.at < counts.first_at:
            counts.first_at = choice.at
        if self._first_day is None or day < self._first_day:
            self._first_day = day
        if self._last_day is None or day > self._last_day:
            self._last_day = day

    def _warm(self, record: Record, choice: Choice, days: Mapping[str, date]) -> None:
        if not choice.order:
            return
        for side in (self._old, self._new):
            legs = self._priced_as_chosen(record, choice, days, side)
            _carry(side, record, legs, days, self._day_of, counted=False)

    def _without(
        self, record: Record, decision: Decision, choice: Choice, *, passing: bool
    ) -> None:
        counts = self._counts
        if decision.order:
            counts.rescued += 1
        elif not choice.order:
            counts.neither += 1
        else:
            if passing:
                counts.waits += 1
            else:
                counts.fails += 1
            if len(counts.stuck) < MOVERS:
                counts.stuck.append(record.payout)

    def _day_of(self, channel: str, days: Mapping[str, date]) -> date:
        terms = self._terms.get(channel)
        return days[terms.cycle.timezone if terms else self._zones[0]]

    def _priced_as_chosen(
        self,
        record: Record,
        choice: Choice,
        days: Mapping[str, date],
        side: Side,
        decision: Decision | None = None,
    ) -> list["Leg"]:
        legs = []
        decided: tuple[Candidate, ...] = ()
        if decision is not None and self._comparable(record, decision):
            decided = decision.order
        for at, share, tried in _shares(choice.order):
            option = choice.order[at]
            terms = self._terms.get(option.channel)
            if terms is None or terms.period(self._day_of(option.channel, days)) < 0:
                self._counts.gone[option.channel] += at == 0
                self._gone[option.channel] = record.currency
                priced = Priced(
                    option.channel,
                    -1,
                    ((option.fee + MICRO // 2) // MICRO,),
                    0,
                    option.surcharge,
                    option.capital,
                    option.lateness,
                    option.fail + option.unknown,
                    ((option.days, MICRO),),
                )
            else:
                known = next(
                    (
                        one
                        for one in decided
                        if one.channel == option.channel and one.instrument == option.instrument
                    ),
                    None,
                )
                priced = self._price(record, terms, option, choice.at, side, days, known)
            legs.append(Leg(priced, share, tried))
        return legs

    def _priced_as_decided(
        self, record: Record, decision: Decision, at: datetime, days: Mapping[str, date]
    ) -> list["Leg"]:
        comparable = self._comparable(record, decision)
        return [
            Leg(
                self._price(
                    record,
                    self._terms[one.channel],
                    one,
                    at,
                    self._new,
                    days,
                    one if comparable else None,
                ),
                share,
                tried,
            )
            for one, share, tried in (
                (decision.order[at], share, tried) for at, share, tried in _shares(decision.order)
            )
        ]

    def _price(
        self,
        record: Record,
        terms: Terms,
        believed: Option | Candidate,
        at: datetime,
        side: Side,
        days: Mapping[str, date],
        known: Candidate | None = None,
    ) -> Priced:
        """By today's terms and the yardstick; `known` is what `decide` has made of the same."""
        day = days[terms.cycle.timezone]
        period = terms.period(day)
        fee = terms.fees[period][1]
        spread: Spread = ()
        if fee.tiers:
            use = side.use(terms.name, day)
            fees = fees_by_tier(fee, record.amount_minor, use)
            reached = tier_reached(fee, use) if len(fees) > 1 else 0
        else:
            fees, reached = (fee_minor(fee, record.amount_minor),), 0
        if known is not None and not terms.arrivals:
            parts, arrives = known.cost, known.arrival
        else:
            arrives, spread = arrivals_of(terms.cycle, terms.arrivals, at, self._almanac)
            parts = price(
                record.amount_minor,
                (0, surcharge_minor(fee, record.amount_minor)),
                arrives,
                deadline_at=record.deadline_at,
                health=HealthView(believed.success_ppm, believed.unknown_ppm),
                parameters=self._yardstick,
                spread=spread,
            )
        return Priced(
            terms.name,
            period,
            fees,
            reached,
            parts.surcharge,
            parts.capital,
            parts.lateness,
            parts.fail + parts.unknown,
            tuple((one.days_calendar, ppm) for one, ppm in spread)
            or ((arrives.days_calendar, MICRO),),
        )

    def _comparable(self, record: Record, decision: Decision) -> bool:
        """Whether a decision's prices are the yardstick's, for the payout's own deadline."""
        return self._same_prices and decision.deadline_at == record.deadline_at

    def _compare(self, record: Record, old: list["Leg"], new: list["Leg"]) -> None:
        before, after = old[0].priced.channel, new[0].priced.channel
        self._moves[before, after] += 1
        if before == after:
            return
        self._counts.changed += 1
        change = _expected(new) - _expected(old)
        weight = abs(change)
        if len(self._movers) == MOVERS and weight <= self._movers[0][0]:
            return
        mover = Mover(
            change,
            record.payout,
            record.merchant,
            before,
            after,
            record.amount_minor,
            record.currency,
        )
        entry = (weight, self._counts.payouts, mover)
        if len(self._movers) < MOVERS:
            heappush(self._movers, entry)
        else:
            heapreplace(self._movers, entry)

    def _judge(self, record: Record, choice: Choice, decision: Decision, day: date) -> None:
        logged = choice.order[0]
        if logged.propensity_ppm is None:
            self._counts.no_propensity += 1
            return
        support = {
            (one.channel, one.instrument): one.propensity_ppm
            for one in choice.order
            if one.propensity_ppm
        }
        would, model, supported = 0, 0, 0
        square = far = 0.0
        for one, propensity in zip(decision.order, decision.propensities_ppm, strict=True):
            if propensity:
                model += propensity * one.success_ppm
                had = support.get((one.channel, one.instrument))
                if had is not None:
                    supported += propensity
                    parts = expected_square(had, propensity)
                    square += parts[0]
                    far += parts[1]
                if one.channel == logged.channel and one.instrument == logged.instrument:
                    would = propensity
        result = choice.result
        self._evidence.add(
            day,
            None if result is None or result.censored else result.ending,
            explored_ppm=MICRO - max(support.values()),
            logged_ppm=logged.propensity_ppm,
            would_ppm=would,
            believed_ppm=logged.success_ppm,
            model=model,
            supported_ppm=supported,
            expected=(square, far),
        )


class Leg(NamedTuple):
    """A channel that carries a share of a payout, and the share with which it is tried."""

    priced: Priced
    share_ppm: int
    tried_ppm: int


def replay(
    records: Iterable[Record],
    terms: Sequence[Terms],
    draft: Policy,
    *,
    yardstick: Parameters | None = None,
    floats: Mapping[str, int] | None = None,
    counted_from: datetime | None = None,
    almanac: Almanac = PUBLISHED,
) -> Comparison:
    """Take a history through a draft; see `Replay`. One pass, memory does not grow with it.

    For a process that does nothing else meanwhile: it pauses the search for reference cycles, which
    finds none among a million records and takes a tenth of the time.
    """
    run = Replay(
        terms,
        draft,
        yardstick=yardstick,
        floats=floats,
        counted_from=counted_from,
        almanac=almanac,
    )
    searched = gc.isenabled()
    gc.disable()
    try:
        for record in records:
            run.feed(record)
    finally:
        if searched:
            gc.enable()
    return run.finish()


def _asked(record: Record) -> PayoutFacts:
    return PayoutFacts(
        record.payout,
        record.merchant,
        record.amount_minor,
        record.currency,
        tuple(_instrument(way) for way in record.ways),
        record.speed,
        record.deadline_at,
        record.max_fee_minor,
        accepted_at=record.accepted_at,
        constraints=(
            Constraints(frozenset(record.only), frozenset(record.deny), record.prefer)
            if record.only or record.deny or record.prefer
            else FREE
        ),
    )


def _held_plan(asked: PayoutFacts, choice: Choice) -> PlanView | None:
    """The month's plan as it was: where it chose, the draft follows it if its rules let it.

    A draft is judged by what its own rules and prices change, so the plan is no difference; how
    dear its choice may be was settled when it was made.
    """
    if choice.outcome != "planned":
        return None
    channel = choice.order[0].channel
    return PlanView(
        choice.plan or "",
        {class_of(asked): ((channel, MICRO),)},
        {},
        {channel: _WORTH_ITS_PRICE},
    )


def _instrument(way: Way) -> InstrumentFacts:
    return InstrumentFacts(way.index, way.rail, way.bank_code)


def _shares(order: Sequence[Option] | Sequence[Candidate]) -> list[tuple[int, int, int]]:
    """Who carries a payout with which probability: the first, else the next other channel.

    Places in the order with the share carried and the share tried. Without another channel the
    first one carries it all: it is asked again. A third one would carry less than a thousandth.
    """
    first = order[0]
    failing = MICRO - first.success_ppm
    if failing:
        for at in range(1, len(order)):
            if order[at].channel != first.channel:
                return [(0, first.success_ppm, MICRO), (at, failing, failing)]
    return [(0, MICRO, MICRO)]


def _carry(
    side: Side,
    record: Record,
    legs: list[Leg],
    days: Mapping[str, date],
    day_of: Callable[[str, Mapping[str, date]], date],
    *,
    counted: bool = True,
) -> None:
    for leg in legs:
        side.carry(
            leg.priced,
            leg.share_ppm,
            leg.tried_ppm,
            record.merchant,
            record.amount_minor,
            day_of(leg.priced.channel, days),
            counted=counted,
        )


def _expected(legs: list[Leg]) -> int:
    """Expected cost in micro units, at the tiers reached so far."""
    return sum(
        (leg.priced.certain * leg.share_ppm + leg.priced.risk * leg.tried_ppm) // MICRO
        for leg in legs
    )
