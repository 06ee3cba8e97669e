"""Counters and histograms of what every payout does: plain numbers until somebody scrapes.

A series of prometheus_client costs some ten times as much for every value: a look-up of the labels,
a lock, checks of what the code alone decides. What is rendered is the same, but for `_created`.

Only the event loop's thread adds; any thread may read.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


def _check(values: Sequence[str], names: Sequence[str]) -> None:
    if len(values) != len(names):
        raise ValueError(f"{len(values)} values for the labels {', '.join(names) or 'none'}")


class Counted(Collector):
    """A counter of things that happen one at a time."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        """A series exists from its first `add` on."""
        self._name, self._meaning, self.labels = name, meaning, labels
        self._totals: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def add(self, *labels: str) -> None:
        """One more, by label values in order. Raises ValueError for more or fewer values."""
        if labels not in self._totals:
            _check(labels, self.labels)
        self._totals[labels] += 1

    def describe(self) -> Iterable[CounterMetricFamily]:
        """The counter without its series."""
        return [CounterMetricFamily(self._name, self._meaning, labels=self.labels)]

    def collect(self) -> Iterable[CounterMetricFamily]:
        """The counter as it stands."""
        (family,) = self.describe()
        for labels, total in list(self._totals.items()):
            family.add_metric(labels, total)
        return [family]


class Timed(Collector):
    """A histogram of durations."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str], bounds_s: Sequence[float]
    ) -> None:
        """`bounds_s` ascend; each belongs to the bucket below it. Without labels it is there from
        the start, else a series exists from its first `add` on."""
        self._name, self._meaning, self.labels = name, meaning, labels
        self._bounds_s = bounds_s
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums_s: defaultdict[tuple[str, ...], float] = defaultdict(float)
        self._written = [*(repr(float(bound)) for bound in bounds_s), "+Inf"]
        if not labels:
            self._counts[()] = [0] * len(self._written)

    def add(self, seconds: float, *labels: str) -> None:
        """One more that took so long, by label values in order. Raises ValueError as `Counted`."""
        counts = self._counts.get(labels)
        if counts is None:
            _check(labels, self.labels)
            counts = self._counts[labels] = [0] * len(self._written)
        counts[bisect_left(self._bounds_s, seconds)] += 1
        self._sums_s[labels] += seconds

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The histogram without its series."""
        return [HistogramMetricFamily(self._name, self._meaning, labels=self.labels)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The histogram as it stands."""
        (family,) = self.describe()
        for labels, counts in list(self._counts.items()):
            buckets = list(zip(self._written, accumulate(counts), strict=True))
            family.add_metric(labels, buckets, self._sums_s[labels])
        return [family]
