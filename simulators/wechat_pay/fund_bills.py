"""The fund-flow bills a simulator has made: when one is ready, what stands in it, what is wrong
with it.

A bill is made at the first request after its promised time and never changes afterwards: asking
again gives the same bytes, whatever happened to the books or to the fault rules since.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from simulators.actions import Stage
from simulators.books import Books
from simulators.clock import BEIJING
from simulators.faults import Faults, Hits
from simulators.shifts import Shifts
from simulators.wechat_pay import statement
from simulators.wechat_pay.errors import refused
from simulators.wechat_pay.settings import Account

KEPT_DAYS = 92  # 三个月以内的账单


@dataclass(slots=True)
class FundBills:
    """Bills by account and Beijing day."""

    books: Books
    faults: Faults
    from_hour: int
    _hits: dict[tuple[str, date], Hits] = field(default_factory=dict)
    _files: dict[tuple[str, date], bytes] = field(default_factory=dict)
    _shifts: Shifts = field(init=False)

    def __post_init__(self) -> None:
        """No bill is made yet, and no line shifted."""
        self._shifts = Shifts(self.faults, lambda name, day: (name, day) in self._files)

    def content(self, account: Account, day: date, now: datetime) -> bytes:
        """The CSV file; RefusedError STATEMENT_CREATING while it is late, NO_STATEMENT_EXIST when
        there is nothing."""
        today = now.astimezone(BEIJING).date()
        if day >= today or (today - day).days > KEPT_DAYS:
            raise refused("NO_STATEMENT_EXIST")
        promised_at = datetime.combine(day + timedelta(days=1), time(self.from_hour), BEIJING)
        if now < promised_at:
            raise refused("STATEMENT_CREATING")
        key = (account.account, day)
        if key not in self._hits:
            self._hits[key] = self._pick(account, day, now)
        late = self._hits[key].get("statement_late")
        if late is not None and now < promised_at + late.duration("after"):
            raise refused("STATEMENT_CREATING")
        if key not in self._files:
            lines = self._lines(account, day, now)
            self._files[key] = statement.write(lines, account.mchid) if lines else b""
        if not self._files[key]:
            raise refused("NO_STATEMENT_EXIST")
        return self._files[key]

    def _pick(self, account: Account, day: date, now: datetime) -> Hits:
        return self.faults.pick(
            Stage.STATEMENT,
            op="statement",
            account=account.account,
            now=now,
            reference=day.isoformat(),
        )

    def _lines(self, account: Account, day: date, now: datetime) -> list[statement.Line]:
        lines: list[statement.Line] = []
        for movement in self.books.truth:
            if movement.account != account.account:
                continue
            if self._shifts.day_of(movement, day, now) != day:
                continue
            hits = self.faults.pick(
                Stage.LINE,
                op="statement",
                account=movement.account,
                now=now,
                payee=movement.payee,
                reference=movement.reference,
                amount_minor=movement.amount_minor,
            )
            lines.extend(_told(statement.line_of(movement), hits))
        extra = self._hits[(account.account, day)].get("statement_extra_line")
        if extra is not None:
            lines.append(
                _invented(account, day, extra.text("reference"), extra.whole("amount_fen"))
            )
        return lines


def _told(line: statement.Line, hits: Hits) -> tuple[statement.Line, ...]:
    if "statement_missing_line" in hits:
        return ()
    if wrong := hits.get("statement_wrong_amount"):
        line = replace(line, amount_fen=line.amount_fen + wrong.whole("delta_fen"))
    return (line, line) if "statement_duplicate_line" in hits else (line,)


def _invented(account: Account, day: date, reference: str, amount_fen: int) -> statement.Line:
    return statement.Line(
        at=datetime.combine(day, time(23, 59, 59), BEIJING),
        transfer_bill_no=f"1330{account.mchid[-12:]:0>12}{day:%Y%m%d}{'9' * 16}",
        flow_no=f"{day:%Y%m%d}{'9' * 12}",
        kind="payout",
        amount_fen=amount_fen,
        balance_fen=0,
        out_bill_no=reference,
    )
