"""What this process believes about each channel, learned from outcomes: success, doubt, latency."""

from policies.health.estimator import HealthSettings, Observed
from policies.health.health import WHOLE, Health, keep_one_per_rail

__all__ = ["WHOLE", "Health", "HealthSettings", "Observed", "keep_one_per_rail"]
