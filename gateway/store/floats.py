"""What institutions say is on our accounts (`ports.FloatStore`)."""

from datetime import datetime

from channels.money import Currency
from gateway.domain.floats import Extent, KeptBalance
from gateway.domain.incident import Incident
from gateway.store.codec import micros, micros_or_none, moment, moment_or_none
from gateway.store.database import Row, Unit
from gateway.store.part import Part
from gateway.store.rows import incident_params


class NothingToDoError(Exception):
    """There is an open incident already, or none to close."""


class Floats(Part):
    """Everything about balances at institutions."""

    async def float_extent(self, channel: str, currency: Currency) -> Extent:
        """What may lie on a channel's account by our books, at one moment."""
        params = {"channel": channel, "currency": currency}
        ((free, in_transit, fees),) = await self._read("float_extent", params)
        return Extent(free, free + in_transit + fees)

    async def channel_balances(self) -> dict[str, KeptBalance]:
        """What each institution said last, by channel."""
        return {row[0]: _kept(row) for row in await self._read("channel_balances", {})}

    async def keep_channel_balance(self, kept: KeptBalance) -> None:
        """In place of what was kept before."""
        unit = Unit()
        unit.add(
            self._queries["keep_channel_balance"],
            {
                "channel": kept.channel,
                "currency": kept.currency,
                "available_minor": kept.available_minor,
                "said_at": micros_or_none(kept.said_at),
                "low_minor": kept.extent.low_minor,
                "high_minor": kept.extent.high_minor,
                "off_minor": kept.off_minor,
                "off_looks": kept.off_looks,
                "told_minor": kept.told_minor,
                "failures": kept.failures,
                "problem": kept.problem,
                "due_at": micros(kept.due_at),
            },
        )
        await self._database.write(unit)

    async def open_float_incident(self, incident: Incident) -> bool:
        """Open it unless that channel's float has an open one; False then."""
        unit = Unit()
        unit.add(self._queries["open_float_incident"], incident_params(incident), NothingToDoError)
        return await self._took(unit)

    async def close_float_incident(self, channel: str, at: datetime, by: str, note: str) -> bool:
        """Close a channel's; False when there is none. Leaves an audit row."""
        unit = Unit()
        unit.add(
            self._queries["close_float_incident"],
            {"channel": channel, "released_at": micros(at), "released_by": by, "note": note},
            NothingToDoError,
        )
        self._audit(unit, by, "incident.released", f"float:{channel}", {"note": note})
        return await self._took(unit)

    async def note_receipt(self, payout_id: str, channel: str, digest: str, actor: str) -> None:
        """Leave an audit row: somebody was handed the institution's receipt of a payout."""
        unit = Unit()
        detail = {"channel": channel, "sha256": digest}
        self._audit(unit, actor, "payout.receipt", payout_id, detail)
        await self._database.write(unit)

    async def _took(self, unit: Unit) -> bool:
        try:
            await self._database.write(unit)
        except NothingToDoError:
            return False
        return True


def _kept(row: Row) -> KeptBalance:
    return KeptBalance(
        channel=row[0],
        currency=Currency(row[1]),
        available_minor=row[2],
        said_at=moment_or_none(row[3]),
        extent=Extent(row[4], row[5]),
        off_minor=row[6],
        off_looks=row[7],
        told_minor=row[8],
        failures=row[9],
        problem=row[10],
        due_at=moment(row[11]),
    )
