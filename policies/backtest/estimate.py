"""How often first attempts would have succeeded under a draft, from logged exploration.

A payout counts with how much likelier the draft is to choose what was chosen: w = its propensity /
the logged one. SNIPS, sum(w r) / sum(w), is the answer; DR, which corrects a model (the success
believed at the time) by the weighed surprises, is its check. Both trust logged propensities only.
Floats are fine here: these are probabilities.

The interval is the delta method's at 95 %, for what would have happened in this history: the draws
of one payout and the next are independent, whatever outages the days had. How another month would
differ is another question. Under an effective sample size of 1,000 there is no verdict.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from math import ceil, sqrt
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from policies.backtest.record import SETTLES_SUCCESS, Ending
from policies.facts import MICRO

ESS_MIN: Final = 1_000
SUPPORT_MIN: Final = 0.99
"""What share of the draft's choices must have had a chance in the log."""
EXPLORE_MAX_PPM: Final = 500_000
_Z: Final = 1.959963985

Verdict: TypeAlias = Literal["better", "worse", "no_difference", "none"]
Doubt: TypeAlias = Literal["no_data", "ess", "support", "disagree"]


@dataclass(slots=True)
class _Sums:
    """A day's evidence; `w` are weights, `r` is 1 for success."""

    n: int = 0
    r: int = 0
    w: float = 0.0
    wr: float = 0.0
    ww: float = 0.0
    wwr: float = 0.0
    expected: float = 0.0
    """What `ww` would be on average over the log's draws."""
    expected_far: float = 0.0
    """The part of it from choices that the draft makes far more often than the log did."""
    model: float = 0.0
    wq: float = 0.0
    supported: float = 0.0
    explored: float = 0.0


class Advice(Struct, frozen=True):
    """How to get an effective sample of 1,000."""

    days: int | None
    """Days in all, exploring as so far; None when no time is enough."""
    explore_ppm: int | None
    """What exploration gives it in as many days as were read; None when none is enough."""


class Judged(Struct, frozen=True):
    """Rates from 0 to 1. Without data all of them are 0 and there is no verdict."""

    payouts: int = 0
    """Definite answers that the channel caused."""
    censored: int = 0
    """Still open or in doubt when the history was read."""
    not_the_channel: int = 0
    """Failed by payee, instruction or operator: says nothing of the channel."""
    days: int = 0
    ess: float = 0.0
    support: float = 0.0
    old: float = 0.0
    new: float = 0.0
    new_low: float = 0.0
    new_high: float = 0.0
    change_low: float = 0.0
    change_high: float = 0.0
    doubly_robust: float = 0.0
    mean_weight: float = 0.0
    explored_ppm: int = 0
    verdict: Verdict = "none"
    doubts: tuple[Doubt, ...] = ("no_data",)
    advice: Advice | None = None

    @property
    def change(self) -> float:
        """The draft's rate less the history's."""
        return self.new - self.old


@dataclass(slots=True)
class Evidence:
    """First attempts, added one by one; only sums by day are kept."""

    _days: dict[date, _Sums] = field(default_factory=dict)
    _censored: int = 0
    _not_the_channel: int = 0

    def add(
        self,
        day: date,
        ending: Ending | None,
        *,
        logged_ppm: int,
        would_ppm: int,
        believed_ppm: int,
        model: int,
        supported_ppm: int,
        explored_ppm: int,
        expected: tuple[float, float],
    ) -> None:
        """One first attempt; `ending` is None while it is open.

        `model` is what the draft believes of its own choice: the sum of propensity x success, in
        ppm squared; `expected` the mean square of the weight over the log's draws, and the part of
        it from far choices (`expected_square`). Raises ValueError for a choice whose logged
        propensity is 0: it cannot be.
        """
        if logged_ppm <= 0:
            raise ValueError("a chosen candidate has a positive propensity")
        if ending is None or ending in {Ending.OPEN, Ending.IN_DOUBT}:
            self._censored += 1
            return
        if ending not in SETTLES_SUCCESS:
            self._not_the_channel += 1
            return
        sums = self._days.get(day)
        if sums is None:
            sums = self._days[day] = _Sums()
        good = ending is not Ending.CHANNEL_FAILED
        weight = would_ppm / logged_ppm
        square = weight * weight
        sums.n += 1
        sums.w += weight
        sums.ww += square
        sums.expected += expected[0]
        sums.expected_far += expected[1]
        if good:
            sums.r += 1
            sums.wr += weight
            sums.wwr += square
        sums.model += model / (MICRO * MICRO)
        sums.wq += weight * believed_ppm / MICRO
        sums.supported += supported_ppm / MICRO
        sums.explored += explored_ppm

    def judge(self) -> Judged:
        """The verdict, or why there is none."""
        every = _total(self._days.values())
        if not every.n or not every.w:
            return Judged(
                payouts=every.n,
                censored=self._censored,
                not_the_channel=self._not_the_channel,
                days=len(self._days),
                old=every.r / every.n if every.n else 0.0,
                new=every.r / every.n if every.n else 0.0,
                doubts=("support",) if every.n else ("no_data",),
            )
        old, new = every.r / every.n, every.wr / every.w
        support = every.supported / every.n
        # Rare choices that happen not to be in the log would make the observed one look large.
        ess = min(every.w * every.w / every.ww, every.supported**2 / every.expected)
        robust = every.model / every.n + (every.wr - every.wq) / every.w
        spread_new, spread_change = self._spread(every, old, new)
        doubts: list[Doubt] = []
        if ess < ESS_MIN:
            doubts.append("ess")
        if support < SUPPORT_MIN:
            doubts.append("support")
        if not doubts and abs(robust - new) > max(spread_new, spread_change):
            doubts.append("disagree")
        low, high = new - old - spread_change, new - old + spread_change
        verdict: Verdict = "no_difference"
        if doubts:
            verdict = "none"
        # What the draft does and history never tried could hide as much as its whole share.
        elif low > 0 and new - old > 1 - support:
            verdict = "better"
        elif high < 0 and old - new > 1 - support:
            verdict = "worse"
        return Judged(
            every.n,
            self._censored,
            self._not_the_channel,
            len(self._days),
            ess,
            support,
            old,
            new,
            max(new - spread_new, 0.0),
            min(new + spread_new, 1.0),
            low,
            high,
            robust,
            every.w / every.n,
            round(every.explored / every.n),
            verdict,
            tuple(doubts),
            self._advice(every, ess) if "ess" in doubts else None,
        )

    def _spread(self, every: _Sums, old: float, new: float) -> tuple[float, float]:
        """Half the 95 % interval of the draft's rate, and of its change against history."""
        mean = every.w / every.n
        own = (1 - 2 * new) * every.wwr + new * new * every.ww
        cross = (1 - old - new) * every.wr + new * old * every.w
        change = own / (mean * mean) - 2 * cross / mean + every.n * old * (1 - old)
        return _Z * sqrt(max(own, 0.0)) / every.w, _Z * sqrt(max(change, 0.0)) / every.n

    def _advice(self, every: _Sums, ess: float) -> Advice:
        """The weights of payouts that the draft sends elsewhere shrink as exploration grows."""
        days = len(self._days)
        near = every.expected - every.expected_far
        explored = every.explored / every.n
        room = every.supported**2 / ESS_MIN - near
        share = None
        if room > 0 and explored > 0:
            wanted = ceil(explored * every.expected_far / room / 1_000) * 1_000
            share = wanted if wanted <= EXPLORE_MAX_PPM else None
        return Advice(ceil(days * ESS_MIN / ess) if ess else None, share)


def expected_square(logged_ppm: int, would_ppm: int) -> tuple[float, float]:
    """A candidate's part of the mean square of a payout's weight, and how much of it is far.

    Far is what the draft does more than twice as often as the log: only exploration has seen it.
    """
    part = would_ppm * would_ppm / (logged_ppm * MICRO)
    return part, part if would_ppm > 2 * logged_ppm else 0.0


def _total(days: Iterable[_Sums]) -> _Sums:
    found = _Sums()
    for one in days:
        for name in _Sums.__slots__:
            setattr(found, name, getattr(found, name) + getattr(one, name))
    return found
