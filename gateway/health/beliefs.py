"""The health estimator, fed by this process and by the others: `ports.Health` over another one."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from gateway.health.news import Item, Probed, Seen
from gateway.ports import Health
from policies.facts import HealthView
from policies.health import BankView, Observed


class Beliefs:
    """Passes on what it is told, to the estimator within and to whoever tells the others."""

    def __init__(self, within: Health, tell: Callable[[Item], None]) -> None:
        """`tell` must neither block nor raise."""
        self._within = within
        self._tell = tell
        self._latest: datetime | None = None

    def started(self, channel: str, segment: str, now: datetime) -> None:
        """Count the decision; a probe of a channel in quarantine is everybody's probe."""
        self._within.started(channel, segment, now)
        if self._within.views((channel,), segment, now)[channel].ill:
            self._tell(Probed(channel, segment, now))

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
        """Learn from our own outcome."""
        self._within.observe(
            *(channel, segment, outcome, now),
            sent_at=sent_at,
            latency_ms=latency_ms,
            again=again,
        )
        self._latest = now
        self._tell(Seen(channel, segment, outcome, now, sent_at, latency_ms, again))

    def views(
        self, channels: Iterable[str], segment: str, now: datetime, *, again: bool = False
    ) -> Mapping[str, HealthView]:
        """As the estimator within sees them."""
        return self._within.views(channels, segment, now, again=again)

    def banks_down(self, now: datetime) -> Mapping[str, BankView]:
        """As the estimator within holds them to be; each replica concludes by itself."""
        return self._within.banks_down(now)

    def bank_well_since(self, bank: str) -> datetime | None:
        """As seen within."""
        return self._within.bank_well_since(bank)

    def forgive_bank(self, bank: str, now: datetime) -> bool:
        """Here; the others see in the store that its incident was closed."""
        return self._within.forgive_bank(bank, now)

    def adopt_bank(self, bank: str, now: datetime) -> None:
        """Here; each replica looks into the store as it begins."""
        self._within.adopt_bank(bank, now)

    def hear(self, item: Seen | Probed, now: datetime) -> None:
        """Learn from another replica, whose news may come late and out of order.

        The estimator's time must not run back, and never runs ahead of our own clock.
        """
        if isinstance(item, Probed):
            self._within.started(item.channel, item.segment, now)
            return
        at = min(now, item.at if self._latest is None else max(item.at, self._latest))
        self._latest = at
        self._within.observe(
            item.channel,
            item.segment,
            item.outcome,
            at,
            sent_at=item.sent_at,
            latency_ms=item.latency_ms,
            again=item.again,
        )
