"""What this process believes about channels and banks, learned from outcomes."""

from policies.health.bank import BankSettings, BankView
from policies.health.estimator import HealthSettings, Observed
from policies.health.health import Health
from policies.health.segments import (
    BANKS,
    WHOLE,
    bank_of,
    is_segment,
    path_of,
    rail_of,
    segment_of,
)

__all__ = [
    "BANKS",
    "WHOLE",
    "BankSettings",
    "BankView",
    "Health",
    "HealthSettings",
    "Observed",
    "bank_of",
    "is_segment",
    "path_of",
    "rail_of",
    "segment_of",
]
