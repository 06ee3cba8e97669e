"""Business days and arrival dates on the Chinese working calendar."""

from policies.calendars.arrivals import arrival, is_open, next_open
from policies.calendars.workdays import (
    Counted,
    Workday,
    add_business_days,
    is_workday,
    known_years,
)

__all__ = [
    "Counted",
    "Workday",
    "add_business_days",
    "arrival",
    "is_open",
    "is_workday",
    "known_years",
    "next_open",
]
