"""Statements, line by line, and breaks (`ports.StatementStore`)."""

from collections.abc import Sequence
from datetime import date, datetime

import orjson

from channels.contract import LineKind, StatementLine
from channels.money import Currency, Money
from gateway.domain.incident import Incident
from gateway.domain.payout import AttemptState, MerchantId, PayoutId
from gateway.domain.reconciliation import Booked, Break, BreakKind
from gateway.store.codec import micros, moment
from gateway.store.database import Row, Unit
from gateway.store.part import Part
from gateway.store.rows import incident_params

_LINES_PER_COMMIT = 200
"""Small enough that payouts waiting for the same writer do not notice a big statement."""
_REFERENCES_PER_READ = 500


class KnownError(Exception):
    """The break is open already."""


class Statements(Part):
    """Everything about statements."""

    async def keep_statement(
        self, channel: str, on: date, lines: Sequence[StatementLine], at: datetime
    ) -> int:
        """Store a complete statement of a day; lines already stored (by line_ref) are kept once.

        The day counts as stored with the last commit; cut off before that, a repetition ends it.
        Returns how many lines were new.
        """
        await self._may_seal()
        fresh = 0
        for start in range(0, max(len(lines), 1), _LINES_PER_COMMIT):
            unit = Unit()
            for line in lines[start : start + _LINES_PER_COMMIT]:
                unit.add(self._queries["insert_statement_line"], self._line(channel, on, line))
            if start + _LINES_PER_COMMIT >= len(lines):
                unit.add(
                    self._queries["insert_statement_day"],
                    {"channel": channel, "day_on": on.isoformat(), "kept_at": micros(at)},
                )
            fresh += sum(map(len, await self._database.write(unit)))
        return fresh

    async def statement_days(self, channel: str) -> set[date]:
        """Days whose complete statement is stored."""
        found = await self._read("statement_days", {"channel": channel})
        return {date.fromisoformat(row[0]) for row in found}

    async def lines(self, channel: str, on: date) -> list[StatementLine]:
        """The stored lines of a day, in the order of booking."""
        found = await self._read("statement_lines", {"channel": channel, "day_on": on.isoformat()})
        await self._may_open(*(row[8] for row in found))
        return [
            StatementLine(
                kind=LineKind(row[0]),
                amount=Money(row[2], Currency(row[1])),
                credit=bool(row[3]),
                booked_at=moment(row[4]),
                reference=row[5],
                channel_ref=row[6],
                line_ref=row[7],
                memo=""
                if row[8] is None
                else self._vault.open(row[8], channel, "memo", row[7]).decode(),
            )
            for row in found
        ]

    async def attempts_by_references(
        self, channel: str, references: Sequence[str]
    ) -> dict[str, Booked]:
        """Attempts by our reference or the channel's own; keys are those asked for."""
        asked = list(dict.fromkeys(references))
        booked = {}
        for start in range(0, len(asked), _REFERENCES_PER_READ):
            chunk = orjson.dumps(asked[start : start + _REFERENCES_PER_READ]).decode()
            for row in await self._read(
                "attempts_by_references", {"channel": channel, "references": chunk}
            ):
                booked[row[0]] = _booked(row)
        return booked

    async def fees_shown(self, channel: str, attempt: Booked, except_on: date) -> tuple[int, int]:
        """Sum and number of an attempt's fee lines on the stored statements of other days."""
        ((minor, lines),) = await self._read(
            "fees_shown",
            {
                "channel": channel,
                "day_on": except_on.isoformat(),
                "reference": attempt.reference,
                "channel_ref": attempt.channel_ref,
            },
        )
        return int(minor), int(lines)

    async def unsettled(self, channel: str, paid_before: datetime) -> list[Booked]:
        """Confirmed attempts paid before a moment and not yet seen on a statement."""
        found = await self._read(
            "unsettled", {"channel": channel, "paid_before": micros(paid_before)}
        )
        return [_booked(row) for row in found]

    async def open_break(self, broken: Break, incident: Incident | None = None) -> bool:
        """Store a break once per channel, day, kind and reference/line; False when known."""
        unit = Unit()
        unit.add(
            self._queries["insert_break"],
            {
                "channel": broken.channel,
                "day_on": broken.on.isoformat(),
                "kind": broken.kind,
                "reference": broken.reference or "",
                "line_ref": broken.line_ref or "",
                "amount_minor": broken.amount_minor,
                "currency": broken.currency,
                "payout_id": broken.payout_id,
                "detail": broken.detail,
                "opened_at": micros(broken.opened_at),
            },
            KnownError,
        )
        if incident is not None:
            unit.add(self._queries["insert_incident"], incident_params(incident))
        try:
            await self._database.write(unit)
        except KnownError:
            return False
        return True

    async def breaks(self, channel: str | None = None) -> list[Break]:
        """Open breaks, oldest first."""
        return [
            Break(
                channel=row[0],
                on=date.fromisoformat(row[1]),
                kind=BreakKind(row[2]),
                reference=row[3] or None,
                line_ref=row[4] or None,
                amount_minor=row[5],
                currency=Currency(row[6]),
                payout_id=row[7],
                detail=row[8],
                opened_at=moment(row[9]),
            )
            for row in await self._read("breaks", {"channel": channel})
        ]

    def _line(self, channel: str, on: date, line: StatementLine) -> dict[str, object]:
        return {
            "channel": channel,
            "line_ref": line.line_ref,
            "day_on": on.isoformat(),
            "kind": line.kind,
            "currency": line.amount.currency,
            "amount_minor": line.amount.minor,
            "credit": int(line.credit),
            "booked_at": micros(line.booked_at),
            "reference": line.reference,
            "channel_ref": line.channel_ref,
            "memo": self._vault.seal(line.memo.encode(), channel, "memo", line.line_ref)
            if line.memo
            else None,
        }


def _booked(row: Row) -> Booked:
    return Booked(
        payout_id=PayoutId(row[1]),
        merchant_id=MerchantId(row[2]),
        number=row[3],
        reference=row[4],
        channel_ref=row[5],
        amount_minor=row[6],
        currency=Currency(row[7]),
        state=AttemptState(row[8]),
        settled=row[9] is not None,
    )
