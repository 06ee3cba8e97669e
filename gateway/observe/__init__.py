"""What happened, told to logs and metrics, without a name, an account number or a key in either."""

from gateway.observe.events import EVENTS
from gateway.observe.log import Log, adopt_standard_logging, make_log, request_line
from gateway.observe.metrics import CONTENT_TYPE, Metrics
from gateway.observe.observer import Observe
from gateway.observe.redact import scan

__all__ = [
    "CONTENT_TYPE",
    "EVENTS",
    "Log",
    "Metrics",
    "Observe",
    "adopt_standard_logging",
    "make_log",
    "request_line",
    "scan",
]
