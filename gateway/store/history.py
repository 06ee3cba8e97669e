"""Past payouts with the decisions about them, by acceptance (`ports.HistoryStore`)."""

from collections import defaultdict
from datetime import UTC, datetime

from gateway.domain.payout import PayoutId, sortable_id
from gateway.ports import Past
from gateway.store import rows
from gateway.store.codec import moment
from gateway.store.part import Part

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Ids have no earlier time."""
_ENTROPY_MIN = bytes(10)
_LAST_ID = "po_~"
"""After every id: these consist of letters and digits."""


class History(Part):
    """What was decided, and what became of it."""

    async def history(
        self,
        since: datetime | None,
        until: datetime | None,
        after: PayoutId | None,
        limit: int,
    ) -> list[Past]:
        """A page of payouts accepted from `since` on and before `until`, oldest first."""
        # One lower bound: of two, a database may search by the one that is further away. Ids have
        # one length, so nothing lies between an id and the same with a character more.
        begins = _first_id(since) if since else ""
        bounds = {
            "from_id": max(begins, f"{after}0") if after else begins,
            "until_id": _first_id(until) if until else _LAST_ID,
            "limit": limit,
        }
        found = await self._read("past_payouts", bounds)
        decisions: dict[str, list[tuple[datetime, bytes]]] = defaultdict(list)
        for row in await self._read("past_decisions", bounds):
            decisions[row[0]].append((moment(row[1]), bytes(row[2])))
        await self._may_open(*(row[column] for row in found for column in rows.SEALED))
        return [
            Past(payout, tuple(decisions.get(payout.id, ())))
            for payout in rows.payouts_of(self._vault, found)
        ]


def _first_id(at: datetime) -> str:
    """No id of a payout accepted at that moment or later sorts before it."""
    return sortable_id("po_", max(at, _EPOCH), _ENTROPY_MIN)
