"""What this process believes about each channel, learned from outcomes: success, doubt, latency.

Estimator: an optimistically decaying success rate. Successes and failures fade with a half-life;
what has faded is replaced by a prior just below the leader's mean, so that an idle channel drifts
back to *almost* the leader and is tried again when its evidence has expired: exploration without
dice. A CUSUM test on near-consecutive failures quarantines; rare probes, and then a run of
successes, bring back. Payouts in doubt are counted apart, with a CUSUM of their own, because an
unknown outcome is never a failure.

Only outcomes the channel caused may be observed; the caller maps codes to faults. Time is an
argument throughout. Floats are fine here: these are probabilities, and views expose integer ppm.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import exp, log
from typing import Final, Literal, TypeAlias

from policies.facts import MICRO, HealthView, Rail

Observed: TypeAlias = Literal["success", "failure", "unknown"]

WHOLE: Final = ""
"""The segment of a channel's overall state, the parent of all its other segments."""


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


@dataclass(slots=True)
class _Cell:
    """One channel in one segment; counts are as of `age`, in half-lives of the segment."""

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
    latency_ms: float | None = None
    latency_at: float = 0.0


@dataclass(slots=True)
class _Segment:
    """What channels share in a segment: the clock of fading, and the count of decisions."""

    age: float = 0.0
    observed_at: float | None = None
    decisions: int = 0
    cells: dict[str, _Cell] = field(default_factory=dict)


class Health:
    """The state, owned by one worker; every method is cheap and none blocks.

    `started` after each decision, `observe` for each channel-caused outcome, `views` before the
    next decision. Observations of other processes may be fed to `observe` as well.
    """

    def __init__(self, settings: HealthSettings | None = None) -> None:
        """Begin knowing nothing."""
        self._set = settings if settings is not None else HealthSettings()
        self._segments: dict[str, _Segment] = {WHOLE: _Segment()}

    def started(self, channel: str, segment: str, now: datetime) -> None:
        """A payout was sent to `channel`; if it is in quarantine, this is its probe."""
        at = now.timestamp()
        for part in self._parts(segment):
            part.decisions += 1
            cell = part.cells.get(channel)
            if cell is not None and cell.quarantined_at is not None:
                self._next_probe(part, cell, at)

    def observe(
        self,
        channel: str,
        segment: str,
        outcome: Observed,
        now: datetime,
        *,
        sent_at: datetime,
        latency_ms: int | None = None,
    ) -> None:
        """Learn one outcome in its segment and in the channel's overall state.

        `sent_at` keeps late answers to payouts sent before a quarantine from being mistaken for
        the results of its probes.
        """
        at = now.timestamp()
        sent = sent_at.timestamp()
        for part in self._parts(segment):
            part.age = self._age(part, at, observations=1)
            part.observed_at = at
            cell = part.cells.get(channel)
            if cell is None:
                cell = part.cells[channel] = _Cell(age=part.age)
            self._learn(part, cell, outcome, at, sent)
            if latency_ms is not None:
                self._learn_latency(cell, latency_ms, at)

    def view(self, channel: str, segment: str, now: datetime) -> HealthView:
        """One channel's view; the leader is looked for among all channels of the segment."""
        known = self._segments[WHOLE].cells.keys() | {channel}
        return self.views(known, segment, now)[channel]

    def views(self, channels: Iterable[str], segment: str, now: datetime) -> dict[str, HealthView]:
        """Every channel's view in a segment, shrunk towards its overall state."""
        at = now.timestamp()
        names = tuple(channels)
        whole = self._segments[WHOLE]
        part = self._segments.get(segment, whole)
        prior = self._prior(whole, names, at)
        whole_age = self._age(whole, at)
        part_age = self._age(part, at)
        result: dict[str, HealthView] = {}
        for name in names:
            parent = whole.cells.get(name)
            success, unknown = self._estimate(parent, whole_age, prior, 0.0)
            cells: tuple[tuple[_Segment, _Cell | None], ...] = ((whole, parent),)
            if part is not whole:
                own = part.cells.get(name)
                success, unknown = self._estimate(own, part_age, success, unknown)
                cells = ((whole, parent), (part, own))
            result[name] = self._view(cells, success, unknown, at)
        return result

    # --- learning --------------------------------------------------------------------------

    def _parts(self, segment: str) -> tuple[_Segment, ...]:
        whole = self._segments[WHOLE]
        if segment == WHOLE:
            return (whole,)
        part = self._segments.get(segment)
        if part is None:
            part = self._segments[segment] = _Segment()
        return (whole, part)

    def _age(self, part: _Segment, at: float, observations: int = 0) -> float:
        """The segment's age in half-lives: by observations, kept within bounds of wall time."""
        steps = observations / self._set.half_life_observations
        if part.observed_at is None:
            return part.age + steps
        passed = max(0.0, at - part.observed_at)
        at_least = passed / self._set.half_life_max_s
        at_most = passed / self._set.half_life_min_s
        return part.age + min(max(steps, at_least), at_most)

    def _learn(
        self, part: _Segment, cell: _Cell, outcome: Observed, at: float, sent: float
    ) -> None:
        fade: float = 0.5 ** (part.age - cell.age)
        cell.age = part.age
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
            self._test(part, cell, outcome, at)
        elif sent >= cell.quarantined_at:
            self._learn_probe(part, cell, outcome, at)

    def _test(self, part: _Segment, cell: _Cell, outcome: Observed, at: float) -> None:
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
            self._next_probe(part, cell, at)

    def _learn_probe(self, part: _Segment, cell: _Cell, outcome: Observed, at: float) -> None:
        """Count one probe's answer; enough successes in a row end the quarantine."""
        if outcome != "success":
            cell.streak = 0
            cell.failed_probes = min(cell.failed_probes + 1, self._set.probe_doublings)
            self._next_probe(part, cell, at)
            return
        cell.streak += 1
        cell.failed_probes = 0
        if cell.streak < self._set.probe_successes:
            # A success asks for the next probe at once: the channel seems to be back.
            cell.probe_at = at
            return
        mean = self._prior(part, part.cells, at)
        cell.good = mean * self._set.restored_weight
        cell.bad = (1.0 - mean) * self._set.restored_weight
        cell.doubt = cell.cusum = cell.doubt_cusum = 0.0
        cell.quarantined_at = None

    def _next_probe(self, part: _Segment, cell: _Cell, at: float) -> None:
        factor = 2**cell.failed_probes
        cell.probe_decision = part.decisions + self._set.probe_every * factor
        cell.probe_at = at + self._set.probe_after_s * factor

    def _learn_latency(self, cell: _Cell, latency_ms: int, at: float) -> None:
        """Peak-EWMA: up at once, down slowly."""
        last = cell.latency_ms
        if last is None or latency_ms >= last:
            cell.latency_ms = float(latency_ms)
        else:
            passed = max(0.0, at - cell.latency_at)
            keep = exp(-passed / self._set.latency_decay_s)
            cell.latency_ms = latency_ms + (last - latency_ms) * keep
        cell.latency_at = at

    # --- reading ---------------------------------------------------------------------------

    def _prior(self, part: _Segment, names: Iterable[str], at: float) -> float:
        """Just below the mean of the best channel that is not in quarantine."""
        weight, first = self._set.prior_weight, self._set.first_mean
        age = self._age(part, at)
        best = 0.0
        for name in names:
            cell = part.cells.get(name)
            if cell is not None and cell.quarantined_at is None:
                fade: float = 0.5 ** (age - cell.age)
                known = (cell.good + cell.bad) * fade
                best = max(best, (cell.good * fade + weight * first) / (known + weight))
        return (best or first) - self._set.leader_gap

    def _estimate(
        self, cell: _Cell | None, age: float, success: float, unknown: float
    ) -> tuple[float, float]:
        """Success and doubt ratios of a cell, filled up with the prior ones."""
        if cell is None:
            return success, unknown
        weight = self._set.prior_weight
        fade: float = 0.5 ** (age - cell.age)
        definite = (cell.good + cell.bad) * fade
        return (
            (cell.good * fade + weight * success) / (definite + weight),
            (cell.doubt * fade + weight * unknown) / (definite + cell.doubt * fade + weight),
        )

    def _view(
        self,
        cells: tuple[tuple[_Segment, _Cell | None], ...],
        success: float,
        unknown: float,
        at: float,
    ) -> HealthView:
        quarantined, probing, probe_at = False, True, 0.0
        seen, latency = 0, self._set.latency_first_ms
        for part, cell in cells:
            if cell is None:
                continue
            seen = cell.seen
            if cell.latency_ms is not None:
                latency = cell.latency_ms
            if cell.quarantined_at is not None:
                quarantined = True
                probing &= at >= cell.probe_at or part.decisions >= cell.probe_decision
                probe_at = max(probe_at, cell.probe_at)
        return HealthView(
            round(success * MICRO),
            round(unknown * MICRO),
            seen,
            quarantined,
            quarantined and probing,
            round(latency),
            datetime.fromtimestamp(probe_at, UTC) if quarantined else None,
        )


def keep_one_per_rail(
    views: Mapping[str, HealthView], rails: Mapping[str, Collection[Rail]]
) -> dict[str, HealthView]:
    """The views with the quarantine of each rail's best channel lifted where all are in it.

    When every channel of a rail "fails", the far side is down, and ejecting the last one would
    only stop payouts without proof. `rails` names the channels that are open for business.
    """
    result = dict(views)
    every = sorted({rail for name, reached in rails.items() if name in views for rail in reached})
    for rail in every:
        serving = [name for name in sorted(views) if rail in rails.get(name, ())]
        if all(result[name].quarantined for name in serving):
            best = max(serving, key=lambda name: result[name].success_ppm)
            result[best] = replace(result[best], quarantined=False, probing=False, probe_at=None)
    return result
