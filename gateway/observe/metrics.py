"""Counters, gauges and histograms under one prefix, in base units, in a registry of their own.

Labels are names from the configuration, routes and closed sets; never an id, so that their number
stays bounded.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)

from gateway.domain.floats import KeptBalance
from gateway.observe.series import Counted, Timed
from gateway.ports import ChannelUse

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "hangdao_"

_FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)
_CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PAID = (0.1, 0.5, 1, 5, 30, 60, 300, 1800, 7200, 21600, 86400, 259200)


class Metrics:
    """All metrics of one process."""

    def __init__(self, version: str) -> None:
        """Register everything at zero; `version` becomes the build info."""
        self.registry = CollectorRegistry()
        self._totals: dict[tuple[Counter, tuple[str, ...]], int] = {}
        self._banks: set[str] = set()
        self._watch_payouts()
        self._watch_channels()
        self._watch_process(version)

    def _watch_payouts(self) -> None:
        self.payouts = self._counted("payouts_total", "Payouts that reached a state.", "state")
        self.attempts = self._counted(
            "attempts_total", "Attempts that reached a state.", "channel", "outcome"
        )
        self.certificates = self._counted(
            "certificates_total", "Proofs that an attempt moved no money.", "channel", "kind"
        )
        self.to_paid = self._timed(
            "payout_to_paid_seconds",
            "From acceptance to the channel's word that it is paid.",
            _PAID,
        )
        self.route = self._timed("route_seconds", "One routing decision.", _FAST)
        self.policy = self._gauge(
            "policy_info",
            "1 for each policy that decides: `active`, `canary`, `shadow`.",
            *("hash", "name", "role"),
        )
        self.in_doubt = self._gauge("in_doubt", "Attempts of which nobody knows the outcome.")

    def _watch_channels(self) -> None:
        self.calls = self._timed(
            "channel_call_seconds", "One question, answered or not.", _CALL, "channel", "op"
        )
        self.answers = self._counted(
            "channel_answers_total", "What channels answered.", "channel", "op", "outcome"
        )
        self.inflight = self._gauge("inflight", "Attempts a channel is carrying.", "channel")
        self.tokens = self._counter(
            "send_tokens_total", "Sends let through: `shared` or `local`.", "channel", "bucket"
        )
        self.postponed = self._counter(
            "sends_postponed_total", "Sends that the channel's limit put off.", "channel"
        )
        self.success_ratio = self._gauge(
            "channel_success_ratio", "Believed chance that the next payout succeeds.", "channel"
        )
        self.frozen = self._gauge(
            "failover_frozen", "1 while nothing may leave a channel on its word.", "channel"
        )
        self.bank_down = self._gauge(
            "bank_down", "1 while a beneficiary's bank fails through every channel.", "bank"
        )
        self.killed = self._gauge(
            "channel_killed", "1 while a person has stopped the channel.", "channel"
        )
        self.runway = self._gauge(
            "float_runway_seconds",
            "How long the float lasts at its present pace, 30 days at most; absent while unknown.",
            "channel",
        )
        self.credential_expires = self._gauge(
            "channel_credential_expires_seconds",
            "Until a channel's key or certificate ends, negative after; absent if it never does.",
            *("channel", "name"),
        )
        self.waiting = self._gauge(
            "waiting_payouts", "Payouts that wait for a channel or a bank to recover."
        )
        self.short = self._gauge(
            "short_payouts", "Payouts that nothing keeps back but a float that is too short."
        )
        self.float_minor = self._gauge(
            "float_minor", "Free money there, in minor units.", "channel", "currency"
        )
        self.balance = self._gauge(
            "channel_balance_minor",
            "What the institution said last is on our account, in minor units.",
            *("channel", "currency"),
        )
        self.balance_age = self._gauge(
            "channel_balance_age_seconds", "Since the institution said so.", "channel"
        )
        self.plan_age = self._gauge(
            "plan_age_seconds", "Since the month's plan that is followed was made.", "currency"
        )
        self.tier_progress = self._gauge(
            "tier_progress_ratio", "What of the planned fee tier's floor is reached.", "channel"
        )

    def _watch_process(self, version: str) -> None:
        self.requests = self._timed(
            "http_request_seconds", "One request.", _CALL, "route", "method", "status"
        )
        self.shed = self._counter(
            "intake_shed_total", "Requests for payouts that were told to come again, unread."
        )
        self.intake_limit = self._gauge(
            "intake_limit", "How many requests for payouts are let in at a time now."
        )
        self.intake_in_flight = self._gauge(
            "intake_in_flight", "Requests for payouts that wait for their answer."
        )
        self.deliveries = self._counted(
            "webhook_deliveries_total", "Webhook tries by result.", "result"
        )
        self.alarms = self._counter("alarms_total", "Things a person should see.", "event")
        self.unobserved = self._counter("unobserved_total", "Observations lost to a defect.")
        self.redis_up = self._gauge("redis_up", "1 while limits are shared through Redis.")
        self.replicas = self._gauge("replicas", "Gateway processes, as far as this one knows.")
        self.news = self._counter("news_total", "What other replicas told, believed.", "kind")
        self.redis_dropped = self._counter(
            "redis_dropped_total", "News lost or not believed, by reason.", "reason"
        )
        self.quarantined = self._gauge("quarantined", "1 while nothing is sent after a restore.")
        self.calendar = self._gauge(
            "calendar_years_ahead",
            "Years after this one whose working days are known; -1: not even this one's.",
        )
        self.halted = self._gauge("halted", "1 once sending has stopped for good.")
        self.detached = self._gauge("detached", "1 while this process may arm and send nothing.")
        self.worker = self._gauge(
            "worker", "Which of several processes on one database this is; 0 for the only one."
        )
        self._gauge("build_info", "Always 1.", "version").labels(version).set(1)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, meaning, labels, registry=self.registry)

    def _counted(self, name: str, meaning: str, *labels: str) -> Counted:
        counted = Counted(PREFIX + name, meaning, labels)
        self.registry.register(counted)
        return counted

    def _timed(self, name: str, meaning: str, bounds_s: tuple[float, ...], *labels: str) -> Timed:
        timed = Timed(PREFIX + name, meaning, labels, bounds_s)
        self.registry.register(timed)
        return timed

    def stopped(self, why: str | None, worker: int | None = 0) -> None:
        """Take over whether sending has stopped, and who we are; called before a scrape."""
        self.detached.set(worker is None)
        self.worker.set(worker or 0)
        self.quarantined.set(why == "quarantined")
        self.halted.set(why == "halted")

    def carry(self, uses: Mapping[str, ChannelUse], currencies: Mapping[str, str]) -> None:
        """Take over what channels carry, as the store counts it; called before a scrape."""
        self.in_doubt.set(sum(use.in_doubt for use in uses.values()))
        for name, use in uses.items():
            self.inflight.labels(name).set(use.inflight)
            if name in currencies:
                self.float_minor.labels(name, currencies[name]).set(use.float_minor)

    def freeze(self, channels: Iterable[str], frozen: Container[str]) -> None:
        """Take over which channels' failover is frozen; called before a scrape."""
        for name in channels:
            self.frozen.labels(name).set(name in frozen)

    def follow(self, policies: Iterable[tuple[str, str, str]]) -> None:
        """Take over which policies decide: hash, name, role; called before a scrape."""
        self.policy.clear()
        for policy_hash, name, role in policies:
            self.policy.labels(policy_hash[:12], name, role).set(1)

    def ail(
        self,
        banks: Iterable[str],
        killed: Mapping[str, bool],
        runways: Mapping[str, int | None],
        *,
        waiting: int,
        short: int,
    ) -> None:
        """Take over which banks are down, which channels are stopped, how long floats last and how
        many payouts wait for them; called before a scrape."""
        self.waiting.set(waiting)
        self.short.set(short)
        # A bank that is back goes to 0 and stays, so that a graph shows both.
        self._banks.update(banks)
        down = set(banks)
        for bank in self._banks:
            self.bank_down.labels(bank).set(bank in down)
        for name, stopped in killed.items():
            self.killed.labels(name).set(stopped)
        for name, seconds in runways.items():
            if seconds is not None:
                self.runway.labels(name).set(seconds)

    def see(self, balances: Mapping[str, KeptBalance], now: datetime) -> None:
        """Take over what institutions say is on our accounts; called before a scrape."""
        for name, kept in balances.items():
            if kept.available_minor is not None and kept.said_at is not None:
                self.balance.labels(name, kept.currency).set(kept.available_minor)
                age_s = (now - kept.said_at).total_seconds()
                self.balance_age.labels(name).set(max(age_s, 0))

    def expire(self, seconds: Mapping[tuple[str, str], float]) -> None:
        """Take over how long channels' certificates last, by channel and key; before a scrape."""
        for (channel, name), left in seconds.items():
            self.credential_expires.labels(channel, name).set(left)

    def believe(self, ratios_ppm: Mapping[str, int]) -> None:
        """Take over channels' success ratios, in parts per million; called before a scrape."""
        for name, ppm in ratios_ppm.items():
            self.success_ratio.labels(name).set(ppm / 1_000_000)

    def plan(self, ages_s: Mapping[str, float], progress: Mapping[str, float]) -> None:
        """Take over the plans' ages by currency, tier progress by channel; before a scrape."""
        self.plan_age.clear()
        for currency, age in ages_s.items():
            self.plan_age.labels(currency).set(age)
        self.tier_progress.clear()
        for channel, ratio in progress.items():
            self.tier_progress.labels(channel).set(ratio)

    def admit(self, *, shed: int, limit: float, in_flight: int) -> None:
        """Take over who is let in; called before a scrape."""
        self.count(self.shed, [((), shed)])
        self.intake_limit.set(int(limit))
        self.intake_in_flight.set(in_flight)

    def share(self, *, up: bool, replicas: int) -> None:
        """Take over how this process stands with Redis; called before a scrape."""
        self.redis_up.set(up)
        self.replicas.set(replicas)

    def count(self, counter: Counter, totals: Iterable[tuple[tuple[str, ...], int]]) -> None:
        """Bring a counter, by labels, up to totals kept elsewhere; called before a scrape."""
        for labels, total in totals:
            before = self._totals.get((counter, labels), 0)
            (counter.labels(*labels) if labels else counter).inc(total - before)
            self._totals[counter, labels] = total

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the template, not the path."""
        self.requests.add(seconds, route, method, str(status))

    def render(self) -> bytes:
        """Everything in the text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)
