"""When this bank works: business days, its opening, its cut-off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from simulators.clock import BEIJING

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Hours:
    """The bank's calendar."""

    opens: time
    cut_off: time
    holidays: frozenset[date]

    def is_business_day(self, day: date) -> bool:
        """Neither weekend nor holiday; make-up days are not known here."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def carried_out_from(self, received_at: datetime, requested_on: date) -> datetime:
        """When work on a file begins: at once, or when the value day opens.

        The value day is the day asked for, or the day of receipt if that is later; past its cut-off
        or without business it rolls to the next business day.
        """
        local = received_at.astimezone(BEIJING)
        day = max(requested_on, local.date())
        if day == local.date() and self.is_business_day(day) and local.time() <= self.cut_off:
            return received_at
        if day == local.date():
            day += timedelta(days=1)
        while not self.is_business_day(day):
            day += timedelta(days=1)
        return datetime.combine(day, self.opens, BEIJING)
