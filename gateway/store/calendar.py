"""Days that people say are worked or not, over the published calendar (`ports.CalendarStore`)."""

from collections.abc import Sequence
from datetime import date, datetime

from gateway.ports import CalendarDay, CalendarYear
from gateway.store.codec import micros, moment
from gateway.store.database import Unit
from gateway.store.part import Part

_NAMED_MAX = 40
"""So many days are named in the audit row of a change; a year has fewer."""


class Calendar(Part):
    """Everything about overridden days."""

    async def calendar_mark(self) -> tuple[int, int]:
        """Moves whenever somebody has said something; cheap enough for every second."""
        ((days, years),) = await self._read("calendar_mark", {})
        return days, years

    async def calendar_days(self) -> list[CalendarDay]:
        """What was said last of each day, by day."""
        return [
            CalendarDay(date.fromisoformat(row[0]), bool(row[1]), row[2], row[3], moment(row[4]))
            for row in await self._read("calendar_days", {})
        ]

    async def calendar_years(self) -> list[CalendarYear]:
        """Years declared complete."""
        return [
            CalendarYear(row[0], row[1], row[2], moment(row[3]))
            for row in await self._read("calendar_years", {})
        ]

    async def set_calendar(
        self,
        days: Sequence[tuple[date, bool]],
        note: str,
        actor: str,
        at: datetime,
        complete: int | None = None,
    ) -> None:
        """Say of days that they are worked or not, all at once; `complete` names a year of which
        every day is now given.
        """
        unit = Unit()
        said = {"note": note, "actor": actor, "at": micros(at)}
        for day, works in days:
            row = {"day_on": day.isoformat(), "works": int(works), **said}
            unit.add(self._queries["insert_calendar_day"], row)
        if complete is not None:
            unit.add(self._queries["insert_calendar_year"], {"year": complete, **said})
        subject = str(complete) if complete is not None else days[0][0].isoformat()
        detail = {
            "rest": [day.isoformat() for day, works in days if not works][:_NAMED_MAX],
            "work": [day.isoformat() for day, works in days if works][:_NAMED_MAX],
            "complete": complete,
            "note": note,
        }
        self._audit(unit, actor, "calendar.set", subject, detail)
        await self._database.write(unit)
