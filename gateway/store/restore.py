"""Positions, quarantines, waivers, backups, and the ledger's quick look (`ports.RestoreStore`)."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import apsw
import orjson

from gateway.domain.errors import ConflictError
from gateway.domain.payout import PayoutId
from gateway.ports import Backup, Position, Quarantine, Waiver
from gateway.store.codec import micros, moment, moment_or_none
from gateway.store.database import Unit
from gateway.store.part import Part
from gateway.store.schema import READ_VERSION

SAME = timedelta(minutes=1)
"""Processes that notice the same restore begin one quarantine together."""
_REFERENCES_PER_READ = 500


class _NoneError(Exception):
    """The statement touched no row."""


class Restore(Part):
    """Everything about having been restored."""

    async def position(self) -> Position:
        """How far the database has come."""
        ((installation, feed, attempts),) = await self._read("position", {})
        return Position(installation, feed, attempts)

    async def leap_feed(self, past: int) -> None:
        """Give out event positions beyond this one only: those before it may have been read."""
        unit = Unit()
        unit.add(self._queries["leap_feed"], {"past": past})
        await self._database.write(unit)

    async def last_event_at(self) -> datetime | None:
        """When its newest event happened."""
        found = await self._read("last_event_at", {})
        return moment(found[0][0]) if found else None

    async def quarantine(self) -> Quarantine | None:
        """The newest quarantine, ended or not; None when there never was one."""
        found = await self._read("quarantine", {})
        if not found:
            return None
        number, cause, backup_at, started_at, ended_at = found[0]
        return Quarantine(
            number, cause, moment(backup_at), moment(started_at), moment_or_none(ended_at)
        )

    async def begin_quarantine(
        self, cause: str, backup_at: datetime, at: datetime, actor: str
    ) -> Quarantine:
        """Begin one, in place of any that is open; one that began within a minute is the same."""
        known = await self.quarantine()
        if known is not None and known.ended_at is None:
            if abs(at - known.started_at) < SAME:
                return known
            # What the earlier one had not found out yet is still not known.
            backup_at = min(backup_at, known.backup_at)
        unit = Unit()
        number = 1 if known is None else known.id + 1
        if known is not None:
            unit.add(self._queries["end_quarantine"], {"id": known.id, "at": micros(at)})
        unit.add(
            self._queries["begin_quarantine"],
            {
                "id": number,
                "cause": cause,
                "backup_at": micros(backup_at),
                "started_at": micros(at),
            },
        )
        self._audit(unit, actor, "quarantine.begin", str(number), {"cause": cause})
        await self._database.write(unit)
        begun = await self.quarantine()
        if begun is None:
            raise LookupError("a quarantine that was just begun is gone")
        return begun

    async def end_quarantine(self, quarantine: int, at: datetime, actor: str) -> bool:
        """End it; False when it has ended already."""
        unit = Unit()
        unit.add(self._queries["end_quarantine"], {"id": quarantine, "at": micros(at)}, _NoneError)
        self._audit(unit, actor, "quarantine.end", str(quarantine), {})
        return await self._wrote(unit)

    async def mark_rebuilt(self, quarantine: int, payout_id: PayoutId, at: datetime) -> None:
        """The channels have told all there is about this payout."""
        unit = Unit()
        unit.add(
            self._queries["mark_rebuilt"],
            {"quarantine": quarantine, "payout_id": payout_id, "at": micros(at)},
        )
        await self._database.write(unit)

    async def is_rebuilt(self, quarantine: int, payout_id: PayoutId) -> bool:
        """Whether they have."""
        params = {"quarantine": quarantine, "payout_id": payout_id}
        return bool(await self._read("is_rebuilt", params))

    async def to_rebuild(
        self, quarantine: int, after: PayoutId | None, limit: int
    ) -> list[PayoutId]:
        """Payouts that may still be sent and are not rebuilt, by id."""
        params = {"quarantine": quarantine, "after": after or "", "limit": limit}
        return [PayoutId(row[0]) for row in await self._read("to_rebuild", params)]

    async def count_to_rebuild(self, quarantine: int) -> int:
        """How many there are."""
        ((count,),) = await self._read("count_to_rebuild", {"quarantine": quarantine})
        return int(count)

    async def unfinished(self, after: PayoutId | None, limit: int) -> list[PayoutId]:
        """Payouts that may still be sent, by id."""
        found = await self._read("unfinished", {"after": after or "", "limit": limit})
        return [PayoutId(row[0]) for row in found]

    async def waive(
        self, quarantine: int, channel: str, reason: str, actor: str, at: datetime
    ) -> Waiver:
        """Ask for a waiver, or agree to the one another person asked for."""
        params = {"quarantine": quarantine, "channel": channel, "actor": actor, "at": micros(at)}
        asked = Unit()
        asked.add(self._queries["ask_waiver"], params | {"reason": reason}, _NoneError)
        self._audit(asked, actor, "quarantine.ask_release", channel, {"reason": reason})
        if not await self._wrote(asked):
            agreed = Unit()
            agreed.add(self._queries["agree_waiver"], params, _NoneError)
            self._audit(agreed, actor, "quarantine.agree_release", channel, {"reason": reason})
            if not await self._wrote(agreed):
                raise ConflictError(
                    "same_person",
                    f"{channel} is released already, or you asked for it yourself: "
                    "another person must agree",
                    zh="该渠道已解除隔离，或申请人与复核人为同一人",
                )
        return next(one for one in await self.waivers(quarantine) if one.channel == channel)

    async def waivers(self, quarantine: int) -> list[Waiver]:
        """Those asked for, by channel."""
        found = await self._read("waivers", {"quarantine": quarantine})
        return [Waiver(*row) for row in found]

    async def days_of_references(self, channel: str, references: Sequence[str]) -> dict[str, date]:
        """On which day's stored statement each reference was paid, if on any."""
        days: dict[str, date] = {}
        for start in range(0, len(references), _REFERENCES_PER_READ):
            chunk = orjson.dumps(references[start : start + _REFERENCES_PER_READ]).decode()
            params = {"channel": channel, "references": chunk}
            for reference, day in await self._read("lines_by_references", params):
                days.setdefault(reference, date.fromisoformat(day))
        return days

    async def ledger_faults(self, after_feed: int | None) -> list[str]:
        """What does not add up, true at any moment."""
        faults = [
            f"debits and credits in {currency} differ by {off} over all accounts"
            for currency, off in await self._read("trial_balance", {})
            if off
        ]
        if after_feed is not None:
            return faults + [
                f"posting {posting} is off in {currency}"
                for posting, currency in await self._read("unbalanced_since", {"after": after_feed})
            ]
        faults += [
            f"posting {posting} is off: {currency} debit {debit}, credit {credit}"
            for posting, currency, debit, credit in await self._read("unbalanced_postings", {})
        ]
        return faults + [
            f"{book}:{owner}:{currency} is kept as {kept}, its entries say {booked}"
            for book, owner, currency, kept, booked in await self._read("accounts_off", {})
        ]

    async def backup(self, file: Path, at: datetime) -> Backup:
        """Write a consistent copy to a new file, checked, while all goes on."""
        await self._database.copy(file)
        return await asyncio.to_thread(described, file, at)

    async def _wrote(self, unit: Unit) -> bool:
        try:
            await self._database.write(unit)
        except _NoneError:
            return False
        return True


def described(file: Path, at: datetime) -> Backup:
    """What a copy holds, read from the copy itself, with the digest of its bytes."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        version: int = connection.execute(READ_VERSION).get
        installation: str = connection.execute("SELECT id FROM installation").get
        feed: int = connection.execute("SELECT COALESCE(MAX(feed), 0) FROM events").get
        attempts: int = connection.execute("SELECT COUNT(*) FROM attempts").get
    finally:
        connection.close()
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    position = Position(installation, feed, attempts)
    return Backup(version, position, at, file.stat().st_size, digest)
