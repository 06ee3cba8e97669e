"""One segment: what is believed of every channel in it, who is in quarantine, who is to be probed.

Two things are kept apart, because they move at different speeds. The *usual* success rate: a long,
slowly fading record, filled up with what is usual among all channels, read optimistically. And the
chance that the channel is in an *outage* right now, hard or partial: a filter over three states,
fed with every answer. Most probably ill, it is in quarantine, where nothing goes into the
record: after an outage a channel is what it used to be. Payouts in doubt raise a suspicion of
their own, because an unknown outcome is never a failure. Times are seconds; floats are fine here:
these are probabilities.
"""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Literal, TypeAlias

from msgspec import Struct

Observed: TypeAlias = Literal["success", "failure", "unknown"]


class HealthSettings(Struct, frozen=True):
    """Constants of the estimator.

    Where a comment names no other source, tuned on seeds 0-39 of the benchmark's six worlds and
    four others (rates 75-92 %, 98.5-99.9 %, all alike, two channels); the optimum is flat.
    """

    half_life_observations: float = 3500.0
    """Of the usual rate's record: long, because outages are told apart."""
    half_life_min_s: float = 60.0
    half_life_max_s: float = 86_400.0
    """The record of a thinly used channel should outlast its night."""
    prior_weight: float = 20.0
    """What is usual among all channels counts for so many observations."""
    part_weight: float = 5.0
    """In a segment its channel counts for so many: one failure at a bank sends the next payout
    there through another channel, which soon tells a bank's fault from a channel's."""
    usual_weight: float = 50.0
    """A channel has half a say in what is usual after so many observations."""
    first_mean: float = 0.97
    """Believed before anything is known."""
    optimism: float = 0.8
    """Standard errors added, so that what is little known is tried..."""
    optimism_max: float = 0.02
    """...but two points at most."""
    outage_every: float = 50_000.0
    """Observations between outages of a channel."""
    outage_first: float = 1e-4
    """The chance of one in a channel that was never seen: five failures then evict."""
    outage_part: float = 20.0
    """So much more seldom in one segment alone: there are many, and their channel is watched."""
    outage_length: float = 667.0
    """Observations an outage lasts."""
    outage_min_s: float = 10.0
    outage_max_s: float = 1800.0
    """The same in wall time, whatever the traffic."""
    outage_hard: float = 0.02
    """What is left of the usual rate in a hard outage..."""
    outage_partial: float = 0.65
    """...and in a partial one: the middle of 40-85 %."""
    hard_share: float = 0.5
    mean_max: float = 0.99
    """Nobody is trusted more when suspicion is weighed."""
    mean_min: float = 0.5
    quarantine_at: float = 0.75
    """Chance of an outage. At 0.5 regret is the same, but a weak channel is blamed now and then."""
    restore_at: float = 0.03
    doubt_usual: float = 0.01
    doubt_outage: float = 0.5
    doubt_weight: float = 5000.0
    """Doubt is rare and dear: what is usual among all channels counts for so many sends."""
    doubt_first: float = 1e-4
    """Odds of lost replies before any was lost: three in a row then evict."""
    probe_gain_min: float = 0.002
    """A recovered channel is worth so much at least, in points of success."""
    probe_patience: float = 2.0
    """Times the interval that would be best were outages memoryless."""
    probe_first: float = 50.0
    """Decisions: no outage is taken to be younger."""
    probe_every: float = 25.0
    probe_again: float = 5.0
    """Decisions after a probe that succeeded."""
    probe_after_s: float = 30.0
    probe_max_s: float = 480.0
    """A probe is due after so long, however thin the traffic (Envoy ejects for 30 s at first)."""
    latency_first_ms: float = 1000.0
    """Of a channel that was never asked (Finagle)."""
    latency_decay_s: float = 10.0


class Belief(Struct, frozen=True):
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
    usual: float = 0.0
    """Success when there is no outage."""


class _Cell:
    """One channel; counts are as of `age`, chances as of `outages`."""

    __slots__ = (
        "age",
        "bad",
        "doubt",
        "doubt_odds",
        "good",
        "hard",
        "ill_since",
        "outages",
        "partial",
        "probe_at",
        "probe_decision",
        "quarantined",
        "seen",
        "since",
    )

    def __init__(self, setting: HealthSettings, age: float, outages: float) -> None:
        self.age = age
        self.outages = outages
        self.good = self.bad = self.doubt = 0.0
        self.hard = setting.outage_first * setting.hard_share
        self.partial = setting.outage_first - self.hard
        """Chances of either kind of outage."""
        self.doubt_odds = setting.doubt_first
        """Odds that replies are being lost."""
        self.seen = 0
        self.quarantined = False
        self.since = float("-inf")
        """When the quarantine began or ended last: what was sent before says nothing any more."""
        self.ill_since = 0
        """The decision before which the quarantine began."""
        self.probe_at = 0.0
        self.probe_decision = 0.0


class Estimator:
    """The state of one segment; every method is cheap. An earlier time is taken as no time."""

    def __init__(self, settings: HealthSettings) -> None:
        """Begin knowing nothing."""
        self._set = settings
        self._observed_at: float | None = None
        self._age = 0.0
        """The segment's age in half-lives of the record."""
        self._outages = 0.0
        """The same in lengths of an outage."""
        self._pace_s = 0.0
        """Seconds between observations, lately."""
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
        if cell is not None and cell.quarantined:
            self._next_probe(channel, cell, at)

    def observe(self, channel: str, outcome: Observed, at: float, sent_at: float) -> None:
        """Learn one outcome.

        Answers to payouts sent before a quarantine began neither end nor prolong it, and those
        sent before the probe that ended it are of another time as well.
        """
        self._age, self._outages = self._clocks(at, 1.0)
        if self._observed_at is not None:
            passed = min(max(at - self._observed_at, 0.0), self._set.probe_max_s)
            self._pace_s += (passed - self._pace_s) * 0.02
        self._observed_at = at
        cell = self._cells.get(channel)
        if cell is None:
            cell = _Cell(self._set, self._age, self._outages)
            self._cells[channel] = cell
        cell.seen += 1
        if sent_at < cell.since:
            return
        self._suspect(cell, outcome)
        if cell.quarantined:
            self._learn_probe(channel, cell, outcome, at, sent_at)
            return
        ill = cell.hard + cell.partial
        if ill > self._set.quarantine_at or cell.doubt_odds >= 1.0:
            cell.quarantined = True
            cell.since = at
            cell.ill_since = self._decisions
            self._next_probe(channel, cell, at)
            return
        fade: float = 0.5 ** (self._age - cell.age)
        cell.age = self._age
        cell.good = cell.good * fade + (outcome == "success")
        cell.bad = cell.bad * fade + (outcome == "failure")
        cell.doubt = cell.doubt * fade + (outcome == "unknown")

    def beliefs(
        self, channels: Iterable[str], at: float, parent: Mapping[str, Belief] | None = None
    ) -> dict[str, Belief]:
        """What is believed of each channel, filled up from its parent or from what is usual.

        Optimism is added without a parent only: a segment inherits it.
        """
        setting, weight = self._set, self._set.prior_weight
        age, outages = self._clocks(at, 0.0)
        optimism, most = setting.optimism, setting.optimism_max
        known, prior, usual_doubt = self._records(channels, age)
        doubt_weight = setting.doubt_weight
        hard_loss, partial_loss = 1.0 - setting.outage_hard, 1.0 - setting.outage_partial
        result: dict[str, Belief] = {}
        for name, cell, good, definite, fade in known:
            well = 1.0
            if parent is None:
                usual = (good + weight * prior) / definite
                # The less is known, the more is added.
                hope = optimism * sqrt(usual * (1.0 - usual) / (definite + 1.0))
                usual += hope if hope < most else most
                usual = usual if usual < 1.0 else 1.0
                unknown = doubt_weight * usual_doubt
            else:
                above = parent[name]
                if cell is None:
                    result[name] = above
                    continue
                usual = (good + weight * above.usual) / definite
                well = above.success / above.usual
                unknown = doubt_weight * above.unknown
            if cell is None:
                result[name] = Belief(usual, usual_doubt, 0, usual=usual)
                continue
            hard, partial = self._chances(cell, outages)
            here = 1.0 - hard * hard_loss - partial * partial_loss
            well = here if here < well else well
            doubt = cell.doubt * fade
            unknown = (unknown + doubt) / (definite - weight + doubt + doubt_weight)
            lost = cell.doubt_odds / (1.0 + outages - cell.outages) - setting.doubt_first
            if lost > 0.0:
                unknown = max(unknown, lost / (1.0 + lost) * setting.doubt_outage)
            sick = cell.quarantined
            due = sick and (at >= cell.probe_at or self._decisions >= cell.probe_decision)
            probe_at = cell.probe_at if sick else 0.0
            result[name] = Belief(usual * well, unknown, cell.seen, sick, due, probe_at, usual)
        return result

    def _records(
        self, channels: Iterable[str], age: float
    ) -> tuple[list[tuple[str, _Cell | None, float, float, float]], float, float]:
        """Each channel's successes, the observations they are of, and how far they have faded.

        Then what is usual among channels, in success and in doubt: each has a say as far as it is
        known.
        """
        setting, cells = self._set, self._cells
        weight, first, half = setting.prior_weight, setting.first_mean, setting.usual_weight
        known: list[tuple[str, _Cell | None, float, float, float]] = []
        total, says = first, 1.0
        doubt, sends = 0.0, setting.doubt_weight
        for name in channels:
            cell = cells.get(name)
            if cell is None:
                known.append((name, None, 0.0, weight, 1.0))
                continue
            fade: float = 0.5 ** (age - cell.age)
            good = cell.good * fade
            definite = good + cell.bad * fade
            doubt += cell.doubt * fade
            sends += definite
            say = definite / (definite + half)
            definite += weight
            total += say * (good + weight * first) / definite
            says += say
            known.append((name, cell, good, definite, fade))
        return known, total / says, doubt / (sends + doubt)

    # --- time ------------------------------------------------------------------------------

    def _clocks(self, at: float, observations: float) -> tuple[float, float]:
        """Both ages, moved on by observations, but kept within bounds of wall time."""
        setting = self._set
        fade = observations / setting.half_life_observations
        outage = observations / setting.outage_length
        if self._observed_at is not None:
            passed = max(0.0, at - self._observed_at)
            fade = min(
                max(fade, passed / setting.half_life_max_s), passed / setting.half_life_min_s
            )
            outage = min(max(outage, passed / setting.outage_max_s), passed / setting.outage_min_s)
        return self._age + fade, self._outages + outage

    def _chances(self, cell: _Cell, outages: float) -> tuple[float, float]:
        """The chances of a hard and a partial outage, after so long without an answer.

        They fall as 1 / (1 + time): an outage that has lasted will probably last again as long.
        """
        passed = outages - cell.outages
        if passed <= 0.0:
            return cell.hard, cell.partial
        setting = self._set
        # However long nobody looked: no more outages than there are on average.
        new = (1.0 - cell.hard - cell.partial) * min(passed, 1.0)
        new *= setting.outage_length / setting.outage_every
        keep = 1.0 / (1.0 + passed)
        share = setting.hard_share
        return cell.hard * keep + new * share, cell.partial * keep + new * (1.0 - share)

    # --- suspicion and quarantine ----------------------------------------------------------

    def _suspect(self, cell: _Cell, outcome: Observed) -> None:
        """Move the chances of an outage, or of lost replies, one answer on (Bayes)."""
        setting = self._set
        hard, partial = self._chances(cell, self._outages)
        cell.outages = self._outages
        if outcome == "unknown":
            cell.hard, cell.partial = hard, partial
            # The cap lets five straight answers clear what any number of lost ones has raised.
            odds = cell.doubt_odds * (setting.doubt_outage / setting.doubt_usual)
            cell.doubt_odds = min(odds, 1.0)
            return
        odds = cell.doubt_odds * ((1.0 - setting.doubt_outage) / (1.0 - setting.doubt_usual))
        cell.doubt_odds = max(odds, setting.doubt_first)
        up = 1.0 - hard - partial
        if outcome == "success":
            hard *= setting.outage_hard
            partial *= setting.outage_partial
        else:
            weight = setting.prior_weight
            mean = (cell.good + weight * setting.first_mean) / (cell.good + cell.bad + weight)
            mean = min(max(mean, setting.mean_min), setting.mean_max)
            up *= 1.0 - mean
            hard *= 1.0 - mean * setting.outage_hard
            partial *= 1.0 - mean * setting.outage_partial
        total = up + hard + partial
        cell.hard = hard / total
        cell.partial = partial / total

    def _learn_probe(
        self, channel: str, cell: _Cell, outcome: Observed, at: float, sent_at: float
    ) -> None:
        """End the quarantine when the channel is most probably well; else set the next probe."""
        setting = self._set
        if outcome != "success":
            self._next_probe(channel, cell, at)
        elif cell.hard + cell.partial > setting.restore_at or self._lost(cell) > setting.restore_at:
            # It seems to be back: ask again soon.
            soon = setting.probe_again
            cell.probe_decision = min(cell.probe_decision, self._decisions + soon)
            cell.probe_at = min(cell.probe_at, at + soon * self._pace_s)
        else:
            cell.quarantined = False
            cell.since = sent_at

    def _next_probe(self, channel: str, cell: _Cell, at: float) -> None:
        """Weigh what a failed probe costs against what the channel's return would be worth.

        With a gain of g a payout and a loss of l a probe, and an outage that has lasted for a
        payouts and may end at any, the best interval is sqrt(2 a l / g) payouts.
        """
        setting = self._set
        believed = self.beliefs(self._cells, at)
        best = max((one.success for one in believed.values() if not one.quarantined), default=0.0)
        own = believed[channel]
        loss = max(0.05, best - own.success)
        gain = max(setting.probe_gain_min, own.usual - best)
        lasted = max(setting.probe_first, float(self._decisions - cell.ill_since))
        wait = max(setting.probe_every, setting.probe_patience * sqrt(2.0 * lasted * loss / gain))
        cell.probe_decision = self._decisions + wait
        wait_s = max(setting.probe_after_s, wait * self._pace_s)
        if not best:
            # Nobody is well, and payouts wait for the probe: 30, 60, 120 seconds...
            wait_s = at - cell.since + setting.probe_after_s
        cell.probe_at = at + min(wait_s, setting.probe_max_s)

    def _lost(self, cell: _Cell) -> float:
        """The chance that replies are being lost."""
        return cell.doubt_odds / (1.0 + cell.doubt_odds)
