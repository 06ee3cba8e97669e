"""The kill switch and planned maintenance (`ports.SwitchStore`).

Every change leaves an audit row in the same commit.
"""

from datetime import datetime

from gateway.ports import Kill, Maintenance
from gateway.store.codec import micros, moment, moment_or_none
from gateway.store.database import Row, Unit
from gateway.store.part import Part


class SameError(Exception):
    """It is so already."""


class Switches(Part):
    """What keeps a channel from being used, whoever asks."""

    async def kill(self, kill: Kill) -> bool:
        """Stop a channel, or all; False when it is stopped already."""
        unit = Unit()
        unit.add(self._queries["lock_payouts"], {})
        unit.add(
            self._queries["insert_kill"],
            {
                "id": kill.id,
                "channel": kill.channel,
                "reason": kill.reason,
                "killed_at": micros(kill.killed_at),
                "killed_by": kill.killed_by,
            },
            SameError,
        )
        detail = {"reason": kill.reason, "kill": kill.id}
        self._audit(unit, kill.killed_by, "channel.killed", kill.channel, detail)
        return await self._changed(unit)

    async def revive(self, channel: str, at: datetime, actor: str, person: str, note: str) -> bool:
        """End a kill, in a person's name; False when there is none."""
        unit = Unit()
        params = {
            "channel": channel,
            "revived_at": micros(at),
            "revived_by": actor,
            "person": person,
            "note": note,
        }
        unit.add(self._queries["revive"], params, SameError)
        self._audit(unit, actor, "channel.revived", channel, {"person": person, "note": note})
        return await self._changed(unit)

    async def kills(self, *, open_only: bool) -> list[Kill]:
        """Oldest first."""
        if open_only:
            return [_kill(row) for row in await self._read("open_kills", {})]
        return [_kill(row) for row in await self._read("kills", {"id": None})]

    async def has_kill(self, kill_id: str) -> bool:
        """Whether the database knows of it, ended or not."""
        return bool(await self._read("kills", {"id": kill_id}))

    async def add_maintenance(self, planned: Maintenance) -> None:
        """Plan it."""
        unit = Unit()
        unit.add(
            self._queries["insert_maintenance"],
            {
                "id": planned.id,
                "channel": planned.channel,
                "from_at": micros(planned.from_at),
                "until_at": micros(planned.until_at),
                "reason": planned.reason,
                "added_at": micros(planned.added_at),
                "added_by": planned.added_by,
            },
        )
        detail = {
            "maintenance": planned.id,
            "from_at": planned.from_at.isoformat(),
            "until_at": planned.until_at.isoformat(),
            "reason": planned.reason,
        }
        self._audit(unit, planned.added_by, "maintenance.added", planned.channel, detail)
        await self._database.write(unit)

    async def remove_maintenance(self, planned_id: str, at: datetime, actor: str) -> bool:
        """Plan it no more, or end it; False when there is none."""
        unit = Unit()
        params = {"id": planned_id, "removed_at": micros(at)}
        unit.add(self._queries["remove_maintenance"], params, SameError)
        self._audit(unit, actor, "maintenance.removed", planned_id, {})
        return await self._changed(unit)

    async def maintenance(self, now: datetime) -> list[Maintenance]:
        """What is planned or under way, by its beginning."""
        return [
            Maintenance(
                row[0], row[1], moment(row[2]), moment(row[3]), row[4], moment(row[5]), row[6]
            )
            for row in await self._read("maintenance", {"now": micros(now)})
        ]

    async def _changed(self, unit: Unit) -> bool:
        try:
            await self._database.write(unit)
        except SameError:
            return False
        return True


def _kill(row: Row) -> Kill:
    return Kill(
        id=row[0],
        channel=row[1],
        reason=row[2],
        killed_at=moment(row[3]),
        killed_by=row[4],
        revived_at=moment_or_none(row[5]),
        revived_by=row[6],
        revived_person=row[7],
        note=row[8],
    )
