"""Every segment's estimator, each shrunk towards the channel's overall state, as integer views.

Only outcomes the channel caused may be observed; the caller maps codes to faults. Time is an
argument throughout.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from policies.facts import MICRO, HealthView, Rail
from policies.health.estimator import Belief, Estimator, HealthSettings, Observed
from policies.health.latency import PeakEwma

WHOLE: Final = ""
"""The segment of a channel's overall state, the parent of all its other segments."""


class Health:
    """The state, owned by one worker; every method is cheap and none blocks.

    `started` after each decision, `observe` for each channel-caused outcome, `views` before the
    next decision. Observations of other processes may be fed to `observe` as well.
    """

    def __init__(self, settings: HealthSettings | None = None) -> None:
        """Begin knowing nothing."""
        self._set = settings if settings is not None else HealthSettings()
        self._whole = Estimator(self._set)
        self._segments: dict[str, Estimator] = {WHOLE: self._whole}
        self._latency: dict[tuple[str, str], PeakEwma] = {}

    def started(self, channel: str, segment: str, now: datetime) -> None:
        """A payout was sent to `channel`; if it is in quarantine, this is its probe."""
        at = now.timestamp()
        for part in self._parts(segment):
            self._estimator(part).started(channel, at)

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
        """Learn one outcome in its segment and in the channel's overall state."""
        at = now.timestamp()
        sent = sent_at.timestamp()
        for part in self._parts(segment):
            self._estimator(part).observe(channel, outcome, at, sent)
            if latency_ms is not None:
                key = (part, channel)
                if key not in self._latency:
                    self._latency[key] = PeakEwma(self._set.latency_decay_s)
                self._latency[key].learn(latency_ms, at)

    def view(self, channel: str, segment: str, now: datetime) -> HealthView:
        """One channel's view; the leader is looked for among all channels of the segment."""
        return self.views({*self._whole.channels, channel}, segment, now)[channel]

    def views(self, channels: Iterable[str], segment: str, now: datetime) -> dict[str, HealthView]:
        """Every channel's view in a segment, shrunk towards its overall state."""
        at = now.timestamp()
        whole = self._whole.beliefs(channels, at)
        part = self._segments.get(segment, self._whole)
        own = whole if part is self._whole else part.beliefs(whole, at, whole)
        return {name: self._view(name, segment, whole[name], own[name]) for name in whole}

    def _parts(self, segment: str) -> tuple[str, ...]:
        return (WHOLE,) if segment == WHOLE else (WHOLE, segment)

    def _estimator(self, segment: str) -> Estimator:
        part = self._segments.get(segment)
        if part is None:
            part = self._segments[segment] = Estimator(self._set)
        return part

    def _view(self, channel: str, segment: str, whole: Belief, own: Belief) -> HealthView:
        """Quarantine of the channel covers all its segments; a probe has to be due in both."""
        sick = [one for one in (whole, own) if one.quarantined]
        latency = self._latency.get((segment, channel)) or self._latency.get((WHOLE, channel))
        probe_at = max((one.probe_at for one in sick), default=0.0)
        return HealthView(
            round(own.success * MICRO),
            round(own.unknown * MICRO),
            own.observations,
            bool(sick),
            bool(sick) and all(one.probing for one in sick),
            round(self._set.latency_first_ms if latency is None else latency.ms),
            datetime.fromtimestamp(probe_at, UTC) if sick else None,
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
