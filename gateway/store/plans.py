"""Plans, and the volumes they are made from (`ports.PlanStore`)."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from string import ascii_lowercase

from gateway.ports import PlanVolume, StoredPlan
from gateway.store.codec import micros, moment
from gateway.store.database import Row, Unit
from gateway.store.part import Part
from policies.plan.classes import BOUNDS_MINOR, PayoutClass

_EPOCH = date(1970, 1, 1)
_BANDS: Mapping[str, object] = {
    f"band_{letter}": bound for letter, bound in zip(ascii_lowercase, BOUNDS_MINOR, strict=False)
}


class Plans(Part):
    """Everything about plans."""

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan for all replicas to follow; leaves an audit row."""
        unit = Unit()
        unit.add(
            self._queries["insert_plan"],
            {
                "id": plan.id,
                "month_on": plan.month.isoformat(),
                "currency": plan.currency,
                "made_at": micros(plan.made_at),
                "actor": plan.actor,
                "reason": plan.reason,
                "basis": plan.basis,
                "plan": plan.plan.decode(),
            },
        )
        detail = {"month": plan.month.isoformat()[:7], "reason": plan.reason}
        self._audit(unit, plan.actor, "plan.made", plan.id, detail)
        await self._database.write(unit)

    async def newest_plan_id(self, currency: str) -> str | None:
        """Which plan is to be followed; cheap."""
        found = await self._read("newest_plan_id", {"currency": currency})
        return str(found[0][0]) if found else None

    async def newest_plan(self, currency: str) -> StoredPlan | None:
        """The plan to be followed."""
        found = await self._read("newest_plan", {"currency": currency})
        return _plan(found[0]) if found else None

    async def plans(self, limit: int) -> list[StoredPlan]:
        """Newest first."""
        return [_plan(row) for row in await self._read("plans", {"limit": limit})]

    async def plan_volumes(
        self, currency: str, since: datetime, until: datetime
    ) -> list[PlanVolume]:
        """What channels were given from `since` until before `until`, what died not counted."""
        found = await self._read("plan_volumes", {**_span(currency, since, until), **_BANDS})
        return [
            PlanVolume(
                _EPOCH + timedelta(days=int(row[0])),
                row[1],
                PayoutClass(row[2], row[3], int(row[4])),
                int(row[5]),
                int(row[6]),
            )
            for row in found
        ]

    async def plan_hours(self, currency: str, since: datetime, until: datetime) -> tuple[int, ...]:
        """How many payouts went out in each of the 24 local hours, over all days."""
        counted = {
            int(row[0]): int(row[1])
            for row in await self._read("plan_hours", _span(currency, since, until))
        }
        return tuple(counted.get(hour, 0) for hour in range(24))


def _span(currency: str, since: datetime, until: datetime) -> dict[str, object]:
    return {"currency": currency, "since": micros(since), "until": micros(until)}


def _plan(row: Row) -> StoredPlan:
    return StoredPlan(
        id=row[0],
        month=date.fromisoformat(row[1]),
        currency=row[2],
        made_at=moment(row[3]),
        actor=row[4],
        reason=row[5],
        basis=row[6],
        plan=row[7].encode(),
    )
