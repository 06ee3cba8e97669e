"""One segment: what is believed of every channel in it, who is in quarantine, who is to be probed.

An optimistically decaying success rate. Successes and failures fade with a half-life; what has
faded is replaced by a prior just below the leader's mean, so that an idle channel drifts back to
*almost* the leader and is tried again when its evidence has expired: exploration without dice. A
CUSUM test on near-consecutive failures quarantines; rare probes, and then a run of successes,
bring back. Payouts in doubt are counted apart, with a CUSUM of their own, because an unknown
outcome is never a failure. Times are seconds; floats are fine here: these are probabilities.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log
from typing import Literal, NamedTuple, TypeAlias

Observed: TypeAlias = Literal["success", "failure", "unknown"]


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Constants of the estimator; defaults were tuned on the PAY benchmark (routing notes, 3)."""

    half_life_observations: float = 346.0
    """0.998 per observation."""
    half_life_min_s: float = 60.0
    half_life_max_s: float = 7200.0
    prior_weight: float = 5.0
    leader_gap: float = 0.005
    """The prior lies this far below the leader; 0.03 would starve exploration."""
    first_mean: float = 0.97
    """Believed of channels before anything is known."""
    cusum_limit: float = 10.0
    """About five failures in a row at a mean of 97 %."""
    cusum_drop: float = 0.7
    """The outage hypothesis: success falls to this share of its slow mean."""
    doubt_usual: float = 0.01
    doubt_outage: float = 0.3
    probe_every: int = 25
    probe_after_s: float = 30.0
    probe_doublings: int = 4
    probe_successes: int = 5
    restored_weight: float = 20.0
    latency_first_ms: float = 1000.0
    latency_decay_s: float = 10.0


class Belief(NamedTuple):
    """What is believed of one channel in one segment."""

    success: float
    """Among definite answers."""
    unknown: float
    """Among all sends."""
    observations: int
    quarantined: bool = False
    probing: bool = False
    """In quarantine, and due for a probe."""
    probe_at: float = 0.0
    """When the next probe is due at the latest, in seconds; 0 outside quarantine."""


@dataclass(slots=True)
class _Cell:
    """One channel; counts are as of `age`, in half-lives of the segment."""

    age: float = 0.0
    good: float = 0.0
    bad: float = 0.0
    doubt: float = 0.0
    seen: int = 0
    slow_good: float = 19.4
    slow_bad: float = 0.6
    cusum: float = 0.0
    doubt_cusum: float = 0.0
    quarantined_at: float | None = None
    probe_at: float = 0.0
    probe_decision: int = 0
    failed_probes: int = 0
    streak: int = 0


class Estimator:
    """The state of one segment; every method is cheap. An earlier time is taken as no time."""

    def __init__(self, settings: HealthSettings) -> None:
        """Begin knowing nothing."""
        self._set = settings
        self._age = 0.0
        self._observed_at: float | None = None
        self._decisions = 0
        self._cells: dict[str, _Cell] = {}

    @property
    def channels(self) -> Iterable[str]:
        """Those of which anything was observed."""
        return self._cells.keys()

    def started(self, channel: str, at: float) -> None:
        """A payout was sent to `channel`; if it is in quarantine, this is its probe."""
        self._decisions += 1
        cell = self._cells.get(channel)
        if cell is not None and cell.quarantined_at is not None:
            self._next_probe(cell, at)

    def observe(self, channel: str, outcome: Observed, at: float, sent_at: float) -> None:
        """Learn one outcome.

        `sent_at` keeps late answers to payouts sent before a quarantine from being mistaken for
        the results of its probes.
        """
        self._age = self._age_at(at, observations=1)
        self._observed_at = at
        cell = self._cells.get(channel)
        if cell is None:
            cell = self._cells[channel] = _Cell(age=self._age)
        fade: float = 0.5 ** (self._age - cell.age)
        cell.age = self._age
        cell.good *= fade
        cell.bad *= fade
        cell.doubt *= fade
        cell.seen += 1
        if outcome == "success":
            cell.good += 1.0
        elif outcome == "failure":
            cell.bad += 1.0
        else:
            cell.doubt += 1.0
        if cell.quarantined_at is None:
            self._test(cell, outcome, at)
        elif sent_at >= cell.quarantined_at:
            self._learn_probe(cell, outcome, at)

    def beliefs(
        self, channels: Iterable[str], at: float, parent: Mapping[str, Belief] | None = None
    ) -> dict[str, Belief]:
        """What is believed of each channel, filled up from its parent or from the leader."""
        names = tuple(channels)
        age = self._age_at(at)
        prior = self._prior(names, at) if parent is None else 0.0
        result: dict[str, Belief] = {}
        for name in names:
            above = Belief(prior, 0.0, 0) if parent is None else parent[name]
            cell = self._cells.get(name)
            if cell is None:
                result[name] = above
                continue
            success, unknown = self._estimate(cell, age, above)
            if cell.quarantined_at is None:
                result[name] = Belief(success, unknown, cell.seen)
                continue
            due = at >= cell.probe_at or self._decisions >= cell.probe_decision
            result[name] = Belief(success, unknown, cell.seen, True, due, cell.probe_at)
        return result

    # --- learning --------------------------------------------------------------------------

    def _age_at(self, at: float, observations: int = 0) -> float:
        """The segment's age in half-lives: by observations, kept within bounds of wall time."""
        steps = observations / self._set.half_life_observations
        if self._observed_at is None:
            return self._age + steps
        passed = max(0.0, at - self._observed_at)
        at_least = passed / self._set.half_life_max_s
        at_most = passed / self._set.half_life_min_s
        return self._age + min(max(steps, at_least), at_most)

    def _test(self, cell: _Cell, outcome: Observed, at: float) -> None:
        """Move both CUSUMs one observation on, and quarantine when one passes its limit."""
        usual, outage = self._set.doubt_usual, self._set.doubt_outage
        if outcome == "unknown":
            cell.doubt_cusum += log(outage / usual)
        else:
            step = log((1.0 - outage) / (1.0 - usual))
            cell.doubt_cusum = max(0.0, cell.doubt_cusum + step)
            mean = cell.slow_good / (cell.slow_good + cell.slow_bad)
            mean = min(max(mean, 0.5), 0.99)
            drop = self._set.cusum_drop
            if outcome == "success":
                cell.cusum = max(0.0, cell.cusum + log(drop))
            else:
                cell.cusum += log((1.0 - mean * drop) / (1.0 - mean))
            slow = 0.5 ** (0.25 / self._set.half_life_observations)
            cell.slow_good = cell.slow_good * slow + (outcome == "success")
            cell.slow_bad = cell.slow_bad * slow + (outcome == "failure")
        if max(cell.cusum, cell.doubt_cusum) > self._set.cusum_limit:
            cell.quarantined_at = at
            cell.streak = cell.failed_probes = 0
            self._next_probe(cell, at)

    def _learn_probe(self, cell: _Cell, outcome: Observed, at: float) -> None:
        """Count one probe's answer; enough successes in a row end the quarantine."""
        if outcome != "success":
            cell.streak = 0
            cell.failed_probes = min(cell.failed_probes + 1, self._set.probe_doublings)
            self._next_probe(cell, at)
            return
        cell.streak += 1
        cell.failed_probes = 0
        if cell.streak < self._set.probe_successes:
            # A success asks for the next probe at once: the channel seems to be back.
            cell.probe_at = at
            return
        mean = self._prior(self._cells, at)
        cell.good = mean * self._set.restored_weight
        cell.bad = (1.0 - mean) * self._set.restored_weight
        cell.doubt = cell.cusum = cell.doubt_cusum = 0.0
        cell.quarantined_at = None

    def _next_probe(self, cell: _Cell, at: float) -> None:
        factor = 2**cell.failed_probes
        cell.probe_decision = self._decisions + self._set.probe_every * factor
        cell.probe_at = at + self._set.probe_after_s * factor

    # --- reading ---------------------------------------------------------------------------

    def _prior(self, names: Iterable[str], at: float) -> float:
        """Just below the mean of the best channel that is not in quarantine."""
        weight, first = self._set.prior_weight, self._set.first_mean
        age = self._age_at(at)
        best = 0.0
        for name in names:
            cell = self._cells.get(name)
            if cell is not None and cell.quarantined_at is None:
                fade: float = 0.5 ** (age - cell.age)
                known = (cell.good + cell.bad) * fade
                best = max(best, (cell.good * fade + weight * first) / (known + weight))
        return (best or first) - self._set.leader_gap

    def _estimate(self, cell: _Cell, age: float, above: Belief) -> tuple[float, float]:
        """Success and doubt ratios of a cell, filled up with those above it."""
        weight = self._set.prior_weight
        fade: float = 0.5 ** (age - cell.age)
        definite = (cell.good + cell.bad) * fade
        return (
            (cell.good * fade + weight * above.success) / (definite + weight),
            (cell.doubt * fade + weight * above.unknown) / (definite + cell.doubt * fade + weight),
        )
