"""Counters, gauges and histograms under one prefix, in base units, in a registry of their own.

Labels are names from the configuration, routes and closed sets; never an id, so that their number
stays bounded.
"""

from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from gateway.ports import ChannelUse

CONTENT_TYPE = CONTENT_TYPE_LATEST

_FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)
_CALL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PAID = (0.1, 0.5, 1, 5, 30, 60, 300, 1800, 7200, 21600, 86400, 259200)


class Metrics:
    """All metrics of one process."""

    def __init__(self, version: str) -> None:
        """Register everything at zero; `version` becomes the build info."""
        self.registry = registry = CollectorRegistry()
        self.payouts = Counter(
            "hangdao_payouts_total", "Payouts that reached a state.", ["state"], registry=registry
        )
        self.attempts = Counter(
            "hangdao_attempts_total",
            "Attempts that reached a state.",
            ["channel", "outcome"],
            registry=registry,
        )
        self.to_paid = Histogram(
            "hangdao_payout_to_paid_seconds",
            "From acceptance to the channel's word that it is paid.",
            buckets=_PAID,
            registry=registry,
        )
        self.route = Histogram(
            "hangdao_route_seconds", "One routing decision.", buckets=_FAST, registry=registry
        )
        self.calls = Histogram(
            "hangdao_channel_call_seconds",
            "One question to a channel, answered or not.",
            ["channel", "op"],
            buckets=_CALL,
            registry=registry,
        )
        self.answers = Counter(
            "hangdao_channel_answers_total",
            "What channels answered.",
            ["channel", "op", "outcome"],
            registry=registry,
        )
        self.in_doubt = Gauge(
            "hangdao_in_doubt", "Attempts of which nobody knows the outcome.", registry=registry
        )
        self.inflight = Gauge(
            "hangdao_inflight", "Attempts a channel is carrying.", ["channel"], registry=registry
        )
        self.success_ratio = Gauge(
            "hangdao_channel_success_ratio",
            "Believed chance that the next payout succeeds.",
            ["channel"],
            registry=registry,
        )
        self.float_minor = Gauge(
            "hangdao_float_minor",
            "Free money at the institution, in minor units.",
            ["channel", "currency"],
            registry=registry,
        )
        self.deliveries = Counter(
            "hangdao_webhook_deliveries_total",
            "Webhook tries by result.",
            ["result"],
            registry=registry,
        )
        self.requests = Histogram(
            "hangdao_http_request_seconds",
            "One request, from first byte read to last byte written.",
            ["route", "method", "status"],
            buckets=_CALL,
            registry=registry,
        )
        self.alarms = Counter(
            "hangdao_alarms_total", "Things a person should see.", ["event"], registry=registry
        )
        self.unobserved = Counter(
            "hangdao_unobserved_total", "Observations lost to a defect.", registry=registry
        )
        build = Gauge("hangdao_build_info", "Always 1.", ["version"], registry=registry)
        build.labels(version).set(1)

    def carry(self, uses: Mapping[str, ChannelUse], currencies: Mapping[str, str]) -> None:
        """Take over what channels carry, as the store counts it; called before a scrape."""
        self.in_doubt.set(sum(use.in_doubt for use in uses.values()))
        for name, use in uses.items():
            self.inflight.labels(name).set(use.inflight)
            if name in currencies:
                self.float_minor.labels(name, currencies[name]).set(use.float_minor)

    def believe(self, ratios_ppm: Mapping[str, int]) -> None:
        """Take over channels' success ratios, in parts per million; called before a scrape."""
        for name, ppm in ratios_ppm.items():
            self.success_ratio.labels(name).set(ppm / 1_000_000)

    def request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the template, not the path."""
        self.requests.labels(route, method, str(status)).observe(seconds)

    def render(self) -> bytes:
        """Everything in the text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)
