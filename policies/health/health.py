"""Every segment's estimator, each shrunk towards the one around it, as integer views.

whole channel → rail → bank → amount band; a segment without evidence is its parent. What a bank
explains is kept from the channels' own states (`bank`). How ill a channel is, is learned from every
attempt; how good it is for a first attempt, only from first attempts. Only outcomes the channel
caused may be observed; the caller maps codes to faults. Time is an argument throughout.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime

from msgspec.structs import replace

from policies.facts import MICRO, HealthView
from policies.health.bank import Banks, BankSettings, BankView
from policies.health.estimator import Belief, Estimator, HealthSettings, Observed
from policies.health.latency import PeakEwma
from policies.health.segments import WHOLE, bank_of, path_of, rail_of

_RAIL_DEPTH = 2
"""Ancestors that are the channel's own: whole and rail. What lies deeper is about a bank."""


class Health:
    """The state, owned by one worker; every method is cheap and none blocks.

    `started` after each decision, `observe` for each channel-caused outcome, `views` before the
    next decision. Observations of other processes may be fed to `observe` as well.
    """

    def __init__(
        self, settings: HealthSettings | None = None, banks: BankSettings | None = None
    ) -> None:
        """Begin knowing nothing."""
        self._set = settings if settings is not None else HealthSettings()
        self._part = replace(
            self._set,
            prior_weight=self._set.part_weight,
            outage_every=self._set.outage_every * self._set.outage_part,
        )
        self._all: dict[str, Estimator] = {WHOLE: Estimator(self._set)}
        """Fed by every attempt: who is ill."""
        self._first: dict[str, Estimator] = {}
        """Fed by first attempts alone; made as a copy when the first failover is learned."""
        self._latency: dict[tuple[str, str], PeakEwma] = {}
        self._banks = Banks(banks)

    def started(self, channel: str, segment: str, now: datetime) -> None:
        """A payout was sent to `channel`; if that or its bank is ill, this is its probe."""
        at = now.timestamp()
        for part in path_of(segment):
            self._estimator(part).started(channel, at)
            if part in self._first:
                self._first[part].started(channel, at)
        bank = bank_of(segment)
        if bank is not None:
            self._banks.started(bank, at)

    def observe(
        self,
        channel: str,
        segment: str,
        outcome: Observed,
        now: datetime,
        *,
        sent_at: datetime,
        latency_ms: int | None = None,
        again: bool = False,
    ) -> None:
        """Learn one outcome in its segment and in those around it.

        `again`: the payout had failed elsewhere before; what became of it says less about others.
        """
        at = now.timestamp()
        sent = sent_at.timestamp()
        bank = bank_of(segment)
        place = bank or rail_of(segment) or WHOLE
        verdict = self._banks.observe(channel, bank, place, outcome, at, sent, again=again)
        if verdict.turned and bank is not None:
            self._forget(bank)
        for depth, part in enumerate(path_of(segment)):
            if latency_ms is not None:
                key = (part, channel)
                if key not in self._latency:
                    self._latency[key] = PeakEwma(self._set.latency_decay_s)
                self._latency[key].learn(latency_ms, at)
            if verdict.channel if depth < _RAIL_DEPTH else verdict.bank:
                self._learn(part, channel, outcome, at, sent, again=again)

    def view(self, channel: str, segment: str, now: datetime) -> HealthView:
        """One channel's view; the leader is looked for among all channels there are."""
        return self.views({*self._all[WHOLE].channels, channel}, segment, now)[channel]

    def views(
        self, channels: Iterable[str], segment: str, now: datetime, *, again: bool = False
    ) -> dict[str, HealthView]:
        """Every channel's view in a segment; `again`: for a payout that has failed already."""
        at = now.timestamp()
        names = tuple(dict.fromkeys(channels))
        path = path_of(segment)
        everyone = _down_the_path(self._all, path, names, at)
        first = everyone
        if not again and any(part in self._first for part in path):
            first = _down_the_path({**self._all, **self._first}, path, names, at)
        bank = bank_of(segment)
        down = None if bank is None else self._banks.view(bank, at)
        return {
            name: self._view(
                name,
                path,
                first[-1][name],
                [level[name] for level in everyone],
                None if down is None or bank is None else (bank, down),
            )
            for name in names
        }

    # --- banks -----------------------------------------------------------------------------

    def banks_down(self, now: datetime) -> dict[str, BankView]:
        """Every bank that is held to be down, by name."""
        return self._banks.down(now.timestamp())

    def bank_well_since(self, bank: str) -> datetime | None:
        """Since when payouts to a bank have gone through, several in a row; None: not so."""
        since = self._banks.well_since(bank)
        return None if since is None else datetime.fromtimestamp(since, UTC)

    def forgive_bank(self, bank: str, now: datetime) -> bool:
        """A person knows that the bank is well; False when it was not held to be down."""
        if not self._banks.forgive(bank, now.timestamp()):
            return False
        self._forget(bank)
        return True

    def adopt_bank(self, bank: str, now: datetime) -> None:
        """An earlier process found the bank down, and nobody has closed that since."""
        self._banks.adopt(bank, now.timestamp())

    # --- parts -----------------------------------------------------------------------------

    def _learn(
        self, part: str, channel: str, outcome: Observed, at: float, sent: float, *, again: bool
    ) -> None:
        estimator = self._estimator(part)
        first = self._first.get(part)
        if again and first is None:
            self._first[part] = deepcopy(estimator)
        elif not again and first is not None:
            first.observe(channel, outcome, at, sent)
        estimator.observe(channel, outcome, at, sent)

    def _forget(self, bank: str) -> None:
        """What channels did at a bank that fell ill, or has recovered, is void."""
        for kept in (self._all, self._first):
            for part in [one for one in kept if bank_of(one) == bank]:
                del kept[part]

    def _estimator(self, segment: str) -> Estimator:
        part = self._all.get(segment)
        if part is None:
            part = self._all[segment] = Estimator(self._part)
        return part

    def _view(
        self,
        channel: str,
        path: tuple[str, ...],
        own: Belief,
        levels: list[Belief],
        down: tuple[str, BankView] | None,
    ) -> HealthView:
        """Quarantine of a part covers all within it; a probe has to be due in each that is ill."""
        if down is not None:
            # The bank is ill, not the channel's way to it.
            levels = levels[:_RAIL_DEPTH]
        sick = [one for one in levels if one.quarantined]
        probing, probe_at = False, 0.0
        if sick or down is not None:
            probing = all(one.probing for one in sick)
            probe_at = max((one.probe_at for one in sick), default=0.0)
        if down is not None:
            probe_at = max(probe_at, down[1].probe_at)
            probing = probing and down[1].probing
        ill = bool(sick) or down is not None
        latency_ms = self._set.latency_first_ms
        for part in reversed(path):
            known = self._latency.get((part, channel))
            if known is not None:
                latency_ms = known.ms
                break
        return HealthView(
            round(own.success * MICRO),
            round(own.unknown * MICRO),
            own.observations,
            bool(sick),
            probing,
            round(latency_ms),
            datetime.fromtimestamp(probe_at, UTC) if ill else None,
            None if down is None else down[0],
        )


def _down_the_path(
    kept: Mapping[str, Estimator], path: tuple[str, ...], names: tuple[str, ...], at: float
) -> list[dict[str, Belief]]:
    """What is believed at each level, from the whole channel down.

    A level without evidence repeats the one above.
    """
    levels = [kept[WHOLE].beliefs(names, at)]
    for part in path[1:]:
        estimator, above = kept.get(part), levels[-1]
        levels.append(above if estimator is None else estimator.beliefs(names, at, above))
    return levels
