"""What every endpoint is given: one admitted call, and the simulator's state it may use.

Endpoints return the JSON object of a 200 reply (or a raw Reply for downloads) and raise
RefusedError; they neither sign nor know faults of the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from simulators.books import Books
from simulators.faults import Faults, Hits
from simulators.kernel import Reply, Request
from simulators.wechat_pay.fund_bills import FundBills
from simulators.wechat_pay.gatekeeper import Caller, Gatekeeper
from simulators.wechat_pay.replies import Said
from simulators.wechat_pay.settings import Account, Settings
from simulators.wechat_pay.transfers import Transfers


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request."""

    request: Request
    caller: Caller
    number: str  # the last variable part of the path, empty when it has none
    now: datetime
    hits: Hits

    @property
    def account(self) -> Account:
        """The merchant that asks."""
        return self.caller.account


@dataclass(frozen=True, slots=True)
class File:
    """A file behind a short-lived address."""

    account: str
    content: bytes
    until: datetime


@dataclass(slots=True)
class Files:
    """Files offered for download, by token."""

    _by_token: dict[str, File] = field(default_factory=dict)

    def offer(self, token: str, file: File, now: datetime) -> None:
        """Makes the file available until its time; what has run out is dropped."""
        self._by_token = {t: f for t, f in self._by_token.items() if f.until >= now}
        self._by_token[token] = file

    def find(self, token: str, now: datetime) -> File | None:
        """The file while its address lives."""
        file = self._by_token.get(token)
        return file if file is not None and now <= file.until else None


@dataclass(slots=True)
class Desk:
    """The state behind the endpoints."""

    settings: Settings
    gatekeeper: Gatekeeper
    books: Books
    transfers: Transfers
    fund_bills: FundBills
    faults: Faults
    files: Files = field(default_factory=Files)
    _seconds: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def is_too_fast(self, op: str, account: Account, limit: int, now: datetime) -> bool:
        """Counts one request in this second of the simulator's time; True beyond `limit` (0 = no
        limit)."""
        if not limit:
            return False
        key, second = (op, account.account), int(now.timestamp())
        at, count = self._seconds.get(key, (second, 0))
        count = count + 1 if at == second else 1
        self._seconds[key] = (second, count)
        return count > limit


Endpoint = Callable[[Desk, Call], Said | Reply]
