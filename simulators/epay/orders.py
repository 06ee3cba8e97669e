"""The site's own table of transfers: rows, found by the number that stands in `biz_no`.

A row exists only after the channel behind the site has said yes, and shows what the site last heard
from it. Source: wire-protocols.md §6.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from simulators.clock import BEIJING
from simulators.epay.signing import Value, yuan
from simulators.epay.submission import Submission

UNDER_WAY, PAID, FAILED, QUEUED = 0, 1, 2, 3


@dataclass(slots=True)
class Row:
    """One transfer as the site has it."""

    number: int
    account: str
    biz_no: str
    out_biz_no: str
    submission: Submission
    cost_minor: int
    added_at: datetime
    visible_from: datetime
    status: int = UNDER_WAY
    paid_at: datetime | None = None
    """`paytime`: set once, and kept when the transfer is taken back."""
    result: str = ""
    held_minor: int = 0
    """What is set aside for it on the merchant's account."""
    fee_minor: int = 0
    """The fee that has been taken and not given back."""
    has_moved: bool = False
    """Whether its amount has left the merchant's account and not come back."""


@dataclass(slots=True)
class Table:
    """All rows of one site; `biz_no` is its key, across all merchants."""

    seed: int
    rows: dict[str, Row] = field(default_factory=dict)
    _minted: int = 0

    def mint(self, now: datetime) -> str:
        """A number of the site's own: the second and five digits, another one for each attempt."""
        self._minted += 1
        digest = hashlib.blake2b(f"{self.seed}/{self._minted}".encode(), digest_size=8).digest()
        drawn = 11111 + int.from_bytes(digest) % 88889
        return now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S") + str(drawn)

    def taken(self, account: str, out_biz_no: str) -> bool:
        """Whether this merchant has a row of this number."""
        return any(r.account == account and r.out_biz_no == out_biz_no for r in self.rows.values())

    def find(self, account: str, biz_no: str, out_biz_no: str, *, by_both: bool) -> Row | None:
        """The merchant's row. A stock site looks `out_biz_no` up in the column of `biz_no`."""
        row = self.rows.get(biz_no or out_biz_no)
        if row is not None and row.account == account:
            return row
        if by_both and not biz_no:
            for one in self.rows.values():
                if one.account == account and one.out_biz_no == out_biz_no:
                    return one
        return None

    def of_reference(self, reference: str) -> list[Row]:
        """Every merchant's rows with this number."""
        return [r for r in self.rows.values() if r.out_biz_no == reference]

    def paid_today(self, account: str, kind: str, payee: str, now: datetime) -> int:
        """How many transfers to one payee were paid on this Beijing day."""
        day = now.astimezone(BEIJING).date()
        return sum(
            r.account == account
            and (r.submission.type, r.submission.payee) == (kind, payee)
            and r.paid_at is not None
            and r.paid_at.astimezone(BEIJING).date() == day
            for r in self.rows.values()
        )


def stamp(at: datetime | None) -> str | None:
    """A time as the database gives it."""
    return None if at is None else at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def names(row: Row, *, old: bool) -> dict[str, Value]:
    """The numbers a query's reply names; an old site's names none."""
    return {} if old else {"biz_no": row.biz_no, "out_biz_no": row.out_biz_no}


def stored(row: Row, *, old: bool) -> dict[str, Value]:
    """How a finished row reads: a failed one shows the bare amount as its cost."""
    amount = yuan(row.submission.amount_minor)
    reason = row.result or "原因未知"
    failed = row.status == FAILED
    said: dict[str, Value] = {
        "code": 0,
        "msg": f"转账失败：{reason}" if failed else "转账成功！",
        **names(row, old=old),
        "status": row.status,
        "amount": amount,
        "cost_money": amount if failed else yuan(row.cost_minor),
        "paydate": stamp(row.paid_at),
        "remark": row.submission.remark,
    }
    return {**said, "errmsg": reason} if failed else said
