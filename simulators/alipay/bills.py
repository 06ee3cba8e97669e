"""Bills and the ledger: download addresses, the files behind them, and the account log query.

Source: alipay.data.dataservice.bill.downloadurl.query (a day's file from 09:00 the next day, a
month's from the 3rd; the address lives 30 s and needs no signature) and
alipay.data.bill.accountlog.query. A file once made stays as it is, whatever faults come and go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from urllib.parse import parse_qs

from simulators import wirefaults
from simulators.actions import Stage
from simulators.alipay.errors import RefusedError
from simulators.alipay.settings import Account, Settings
from simulators.alipay.statement import Line, bill_file, line_of, mask, yuan
from simulators.books import Books, Movement
from simulators.clock import BEIJING
from simulators.faults import Faults, Hits
from simulators.kernel import Answer, Reply
from simulators.shifts import Shifts

_DAY = timedelta(days=1)
_LOG_SPAN = timedelta(days=31)
_TEXT = (("content-type", "text/plain; charset=utf-8"),)


@dataclass(frozen=True, slots=True)
class _Made:
    content: bytes
    is_empty: bool


@dataclass(slots=True)
class Bills:
    """The files of every account of one simulator."""

    settings: Settings
    books: Books
    faults: Faults
    path: str = "/bill/download"
    _made: dict[tuple[str, date, date], _Made] = field(default_factory=dict)
    _delays: dict[tuple[str, date, date], Hits] = field(default_factory=dict)
    _tokens: dict[str, tuple[str, date, date, datetime]] = field(default_factory=dict)
    _shifts: Shifts = field(init=False)

    def __post_init__(self) -> None:
        """No file is made yet, and no line shifted."""
        self._shifts = Shifts(self.faults, lambda name, day: (name, day, day) in self._made)

    def address(
        self, account: Account, biz: Mapping[str, object], base: str, now: datetime
    ) -> dict[str, object]:
        """A short-lived download address. Raises RefusedError."""
        kind, named = biz.get("bill_type"), biz.get("bill_date")
        if not isinstance(kind, str) or not isinstance(named, str):
            raise RefusedError("INVAILID_ARGUMENTS")
        if kind != "signcustomer":
            raise RefusedError("TYPE_NOT_SUPPORTED")
        first, last = _days(named)
        registered = self.settings.registered_on
        if registered is not None and last < date.fromisoformat(registered):
            raise RefusedError("BILL_DATE_BEFORE_REGISTRATION")
        if last >= now.astimezone(BEIJING).date():
            raise RefusedError("INVAILID_ARGUMENTS")
        made = self._file(account, first, last, now)
        token = hashlib.blake2b(
            f"{self.settings.name}|{account.account}|{named}|{now.isoformat()}".encode(),
            digest_size=20,
        ).hexdigest()
        until = now + timedelta(seconds=self.settings.token_s)
        self._tokens = {t: v for t, v in self._tokens.items() if v[3] > now}
        self._tokens[token] = (account.account, first, last, until)
        said: dict[str, object] = {"bill_download_url": f"{base}{self.path}?token={token}"}
        if made.is_empty:
            said["bill_file_code"] = "EMPTY_DATA_WITH_BILL_FILE"
        return said

    def download(self, query: str, now: datetime) -> Answer:
        """The file behind an address; unsigned, and gone after its time."""
        token = parse_qs(query).get("token", [""])[0]
        account, first, last, until = self._tokens.get(token, ("", date.min, date.min, now))
        if now >= until:
            return Answer(Reply(403, _TEXT, "链接已失效".encode()), op="download", account=account)
        hits = self.faults.pick(Stage.REQUEST, op="download", account=account, now=now)
        if early := wirefaults.before(hits, op="download", account=account):
            return early
        name = f"{first.isoformat()}.zip"
        headers = (
            ("content-type", "application/zip"),
            ("content-disposition", f'attachment; filename="{name}"'),
        )
        reply = Reply(200, headers, self._made[account, first, last].content)
        return wirefaults.after(reply, hits, op="download", account=account)

    def ledger(self, account: Account, biz: Mapping[str, object]) -> dict[str, object]:
        """One page of the account log, oldest first. Raises RefusedError."""
        start, end = _moment(biz.get("start_time")), _moment(biz.get("end_time"))
        if not start <= end <= start + _LOG_SPAN:
            raise RefusedError("INVALID_PARAMETER", "参数有误：start_time,end_time")
        page, size = _count(biz.get("page_no", "1")), _count(biz.get("page_size", "1000"))
        if page < 1 or not 1000 <= size <= 2000:
            raise RefusedError("INVALID_PARAMETER", "参数有误：page_no,page_size")
        lines = [
            line_of(m)
            for m in self.books.truth
            if m.account == account.account and start <= m.at <= end
        ]
        shown = lines[(page - 1) * size : page * size]
        return {
            "page_no": str(page),
            "page_size": str(size),
            "total_size": str(len(lines)),
            "detail_list": [_logged(line) for line in shown],
        }

    def _file(self, account: Account, first: date, last: date, now: datetime) -> _Made:
        key = (account.account, first, last)
        if key in self._made:
            return self._made[key]
        if key not in self._delays:
            self._delays[key] = self.faults.pick(
                Stage.STATEMENT,
                op="statement",
                account=account.account,
                reference=first.isoformat(),
                now=now,
            )
        hits = self._delays[key]
        ready_at = _ready_at(first, last, self.settings.statement_from_hour)
        if late := hits.get("statement_late"):
            ready_at += late.duration("after")
        if now < ready_at:
            raise RefusedError("BILL_NOT_EXIST")
        lines = self._lines(account.account, first, last, now)
        if extra := hits.get("statement_extra_line"):
            lines.append(_extra(extra.text("reference"), extra.whole("amount_fen"), last))
        content = bill_file(account.user_id, first, last, lines, ready_at)
        self._made[key] = _Made(content, is_empty=not lines)
        return self._made[key]

    def _lines(self, account: str, first: date, last: date, now: datetime) -> list[Line]:
        lines: list[Line] = []
        for movement in self.books.truth:
            if movement.account != account:
                continue
            if not first <= self._day_of(movement, first, last, now) <= last:
                continue
            hits = self.faults.pick(
                Stage.LINE,
                op="statement",
                account=account,
                payee=movement.payee,
                reference=movement.reference,
                amount_minor=movement.amount_minor,
                now=now,
            )
            if "statement_missing_line" in hits:
                continue
            line = line_of(movement)
            if wrong := hits.get("statement_wrong_amount"):
                line = line.off_by(wrong.whole("delta_fen"))
            lines += [line] * (2 if "statement_duplicate_line" in hits else 1)
        return lines

    def _day_of(self, movement: Movement, first: date, last: date, now: datetime) -> date:
        on = movement.at.astimezone(BEIJING).date()
        return self._shifts.day_of(movement, min(max(on, first), last), now)


def _days(named: str) -> tuple[date, date]:
    """First and last day of yyyy-MM-dd or yyyy-MM. Raises RefusedError."""
    try:
        if len(named) == 7:
            first = date.fromisoformat(f"{named}-01")
            return first, (first + timedelta(days=31)).replace(day=1) - _DAY
        if len(named) == 10:
            day = date.fromisoformat(named)
            return day, day
    except ValueError:
        pass
    raise RefusedError("INVAILID_ARGUMENTS")


def _ready_at(first: date, last: date, hour: int) -> datetime:
    """A day's file comes the next morning, a month's on the morning of the 3rd."""
    wait = _DAY if first == last else 3 * _DAY
    return datetime.combine(last + wait, time(hour), BEIJING)


def _extra(reference: str, amount_minor: int, on: date) -> Line:
    number = int.from_bytes(hashlib.blake2b(reference.encode(), digest_size=6).digest())
    return Line(
        log_id=f"{on.strftime('%Y%m%d')}9{number:015d}",
        channel_ref=f"{on.strftime('%Y%m%d')}110070{number:018d}",
        reference=reference,
        at=datetime.combine(on, time(12), BEIJING),
        payee="",
        amount_minor=-amount_minor,
        balance_minor=0,
        kind="转账",
        remark="单笔转账",
    )


def _logged(line: Line) -> dict[str, object]:
    return {
        "account_log_id": line.log_id,
        "alipay_order_no": line.channel_ref,
        "merchant_order_no": line.reference,
        "trans_dt": line.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
        "trans_amount": yuan(abs(line.amount_minor)),
        "balance": yuan(line.balance_minor),
        "direction": "收入" if line.amount_minor >= 0 else "支出",
        "type": line.kind,
        "trans_memo": line.remark,
        "other_account": mask(line.payee),
    }


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            said = datetime.strptime(value, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the zone follows
            return said.replace(tzinfo=BEIJING)
        except ValueError:
            pass
    raise RefusedError("INVALID_PARAMETER", "参数有误：start_time,end_time")


def _count(value: object) -> int:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
