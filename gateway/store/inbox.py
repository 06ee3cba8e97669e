"""Channel notices, raw and sealed (`ports.InboxStore`)."""

import os
from collections.abc import Mapping
from datetime import datetime

import orjson

from gateway.ports import StoredNotice
from gateway.store.codec import micros, moment
from gateway.store.database import Unit
from gateway.store.part import Part


class Inbox(Part):
    """Everything about notices."""

    async def keep_notice(
        self, channel: str, headers: Mapping[str, str], body: bytes, at: datetime
    ) -> int:
        """Store before anything else; returns its id."""
        await self._may_seal()
        # The row's number is not known before it is written, so a token stands in for it.
        seal = os.urandom(16).hex()
        unit = Unit()
        unit.add(
            self._queries["insert_notice"],
            {
                "channel": channel,
                "seal": seal,
                "headers": self._vault.seal(
                    orjson.dumps(dict(headers)), channel, "notice_headers", seal
                ),
                "body": self._vault.seal(body, channel, "notice_body", seal),
                "received_at": micros(at),
            },
            lambda: RuntimeError("an insert returns its row"),
        )
        (((notice_id,),),) = await self._database.write(unit)
        return int(notice_id)

    async def notices(self, limit: int) -> list[StoredNotice]:
        """Unprocessed notices, oldest first."""
        found = await self._read("open_notices", {"limit": limit})
        await self._may_open(*(sealed for row in found for sealed in (row[3], row[4])))
        return [
            StoredNotice(
                id=row[0],
                channel=row[1],
                headers=orjson.loads(self._vault.open(row[3], row[1], "notice_headers", row[2])),
                body=self._vault.open(row[4], row[1], "notice_body", row[2]),
                received_at=moment(row[5]),
            )
            for row in found
        ]

    async def notice_done(self, notice_id: int, verdict: str) -> None:
        """Mark as processed with a one-word verdict."""
        unit = Unit()
        unit.add(self._queries["notice_done"], {"id": notice_id, "verdict": verdict})
        await self._database.write(unit)
