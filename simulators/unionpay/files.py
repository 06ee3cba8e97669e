"""Settlement files on request (txnType 76): when they are there, and what stands in them.

Source: the file download sample of ACP 5.1.0; 98 is "no such file (yet)". A file once made stays as
it is, whatever faults come and go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from simulators.actions import Stage
from simulators.books import Books, Movement
from simulators.clock import BEIJING
from simulators.faults import Faults, Hits
from simulators.unionpay.errors import RefusedError
from simulators.unionpay.notices import settles_on
from simulators.unionpay.payouts import Payouts
from simulators.unionpay.settings import Account, Settings
from simulators.unionpay.statement import Line, content, extra
from simulators.unionpay.submission import check_time

_FIXED = {"txnSubType": "01", "bizType": "000000", "accessType": "0", "fileType": "00"}


@dataclass(slots=True)
class Files:
    """The files of every merchant of one simulator."""

    settings: Settings
    books: Books
    faults: Faults
    payouts: Payouts
    _made: dict[tuple[str, date], str] = field(default_factory=dict)
    _picked: dict[tuple[str, date], Hits] = field(default_factory=dict)

    def fetch(self, account: Account, fields: Mapping[str, str], now: datetime) -> dict[str, str]:
        """The files of a settlement day. Raises RefusedError."""
        if any(not fields.get(name) for name in (*_FIXED, "settleDate", "txnTime")):
            raise RefusedError("13")
        if any(fields[name] != value for name, value in _FIXED.items()):
            raise RefusedError("10")
        check_time(fields["txnTime"], now, self.settings.txn_time_tolerance_s)
        day = _latest(fields["settleDate"], now)
        return {
            "fileName": f"{account.mer_id}_{day:%Y%m%d}.zip",
            "fileContent": self._file(account, day, now),
        }

    def _file(self, account: Account, day: date, now: datetime) -> str:
        key = (account.account, day)
        if key in self._made:
            return self._made[key]
        if key not in self._picked:
            self._picked[key] = self.faults.pick(
                Stage.STATEMENT,
                op="statement",
                account=account.account,
                reference=day.isoformat(),
                now=now,
            )
        hits = self._picked[key]
        from_hour = time(self.settings.statement_from_hour)
        ready_at = datetime.combine(day + timedelta(days=1), from_hour, BEIJING)
        if late := hits.get("statement_late"):
            ready_at += late.duration("after")
        if now < ready_at:
            raise RefusedError("98")
        lines = self._lines(account, day, now)
        if more := hits.get("statement_extra_line"):
            reference, amount = more.text("reference"), more.whole("amount_fen")
            lines.append(extra(account.mer_id, reference, amount, day))
        by_letters = self.settings.widths_count == "letters"
        self._made[key] = content(account.mer_id, day, lines, by_letters=by_letters)
        return self._made[key]

    def _lines(self, account: Account, day: date, now: datetime) -> list[Line]:
        lines: list[Line] = []
        for movement in self.books.truth:
            if movement.account != account.account or movement.kind not in ("payout", "return"):
                continue
            if settles_on(movement.at, self.settings).date() != day:
                continue
            hits = self.faults.pick(
                Stage.LINE,
                op="statement",
                account=account.account,
                payee=movement.payee,
                reference=movement.reference,
                amount_minor=movement.amount_minor,
                now=now,
            )
            if "statement_missing_line" in hits:
                continue
            line = self._line(account, movement)
            if wrong := hits.get("statement_wrong_amount"):
                line = line.off_by(wrong.whole("delta_fen"))
            lines += [line] * (2 if "statement_duplicate_line" in hits else 1)
        return lines

    def _line(self, account: Account, movement: Movement) -> Line:
        order = self.payouts.book.by_query_id[movement.channel_ref]
        came_back = movement.kind == "return"
        original = None
        if came_back and order.paid_at is not None:
            original = (order.trace, order.paid_at)
        return Line(
            mer_id=account.mer_id,
            # A return is a message of its own, with a number of its own.
            trace=f"{(int(order.trace) + 500_000) % 10**6:06d}" if came_back else order.trace,
            at=movement.at,
            number=movement.payee,
            amount_minor=movement.amount_minor,
            fee_minor=0 if came_back else order.fee_minor,
            query_id=order.query_id,
            order_id=movement.reference,
            account_type=order.submission.account_type,
            short_name=account.short_name,
            original=original,
        )


def _latest(text: str, now: datetime) -> date:
    """The last day of this MMDD up to today. Raises RefusedError."""
    today = now.astimezone(BEIJING).date()
    for year in range(today.year, today.year - 5, -1):
        try:
            day = date(year, int(text[:2]), int(text[2:]))
        except ValueError:
            continue
        if len(text) == 4 and text.isascii() and text.isdigit() and day <= today:
            return day
    raise RefusedError("10")
