"""On which day's statement a movement stands: its own, or a neighbour's (`statement_shifted_line`).

Institutions close a day before midnight, or after; what is booked around that moment stands in the
file of the day before or after. It is decided once for each movement, when the first statement that
may show it is made, so that no file lacks it and none shows it twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from simulators.actions import Stage
from simulators.books import Movement
from simulators.clock import BEIJING
from simulators.faults import Faults

DAYS_MAX = 7
"""No movement is shifted further."""


@dataclass(slots=True)
class Shifts:
    """Of one simulator's movements."""

    faults: Faults
    is_made: Callable[[str, date], bool]
    """Whether an account's file of a day exists already; nothing is added to it any more."""
    _days: dict[tuple[str, int], date] = field(default_factory=dict)

    def day_of(self, movement: Movement, near: date, now: datetime) -> date:
        """The day whose file shows the movement, for the file of `near` that is being made."""
        own = movement.at.astimezone(BEIJING).date()
        if abs((own - near).days) > DAYS_MAX:
            return own
        key = (movement.account, movement.number)
        if key in self._days:
            return self._days[key]
        if not any(rule.stage is Stage.BOOKING for rule in self.faults.rules):
            return own
        hit = self.faults.pick(
            Stage.BOOKING,
            op="statement",
            account=movement.account,
            payee=movement.payee,
            reference=movement.reference,
            amount_minor=movement.amount_minor,
            now=now,
        ).get("statement_shifted_line")
        days = 0 if hit is None else max(-DAYS_MAX, min(hit.whole("days"), DAYS_MAX))
        shifted = own + timedelta(days=days)
        taken = self.is_made(movement.account, shifted) or self.is_made(movement.account, own)
        self._days[key] = own if taken else shifted
        return self._days[key]
