"""Business days and arrival dates on the Chinese working calendar."""

from policies.calendars.arrivals import arrival, days_taken, is_open, next_open
from policies.calendars.workdays import (
    PUBLISHED,
    Almanac,
    Counted,
    Workday,
    add_business_days,
    is_workday,
    known_years,
)

__all__ = [
    "PUBLISHED",
    "Almanac",
    "Counted",
    "Workday",
    "add_business_days",
    "arrival",
    "days_taken",
    "is_open",
    "is_workday",
    "known_years",
    "next_open",
]
