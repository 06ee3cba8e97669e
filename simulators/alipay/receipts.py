"""Electronic receipts (电子回单): an application, a file that is made, an address for 30 seconds.

Source: alipay.data.bill.ereceipt.apply (types and keys; a file_id is good for two days) and
alipay.data.bill.ereceipt.query (INIT, PROCESS, SUCCESS, FAIL). Only FUND_DETAIL is made here; how
long that takes, and the codes of refusals, are not published: three seconds, and the platform's
INVALID_PARAMETER and ORDER_NOT_EXIST.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from simulators import pdf, wirefaults
from simulators.actions import Stage
from simulators.alipay.errors import RefusedError
from simulators.alipay.orders import Order, Status
from simulators.alipay.settings import Account, Settings
from simulators.alipay.statement import yuan
from simulators.alipay.transfers import Transfers
from simulators.faults import Faults
from simulators.kernel import Answer, Reply

_BEGUN = timedelta(seconds=1)
_MADE = timedelta(seconds=3)
_KEPT = timedelta(days=2)
_TEXT = (("content-type", "text/plain; charset=utf-8"),)


@dataclass(frozen=True, slots=True)
class _Application:
    account: str
    order: Order
    at: datetime


@dataclass(slots=True)
class Receipts:
    """The applications of every account of one simulator."""

    settings: Settings
    transfers: Transfers
    faults: Faults
    path: str = "/ereceipt/download"
    _applications: dict[str, _Application] = field(default_factory=dict)
    _tokens: dict[str, tuple[_Application, datetime]] = field(default_factory=dict)

    def apply(
        self, account: Account, biz: Mapping[str, object], now: datetime
    ) -> dict[str, object]:
        """A file_id; each application has its own. Raises RefusedError."""
        key = biz.get("key")
        if biz.get("type") != "FUND_DETAIL" or not isinstance(key, str) or not key:
            raise RefusedError("INVALID_PARAMETER", "参数有误：type,key")
        if biz.get("bill_user_id", account.user_id) != account.user_id:
            raise RefusedError("INVALID_PARAMETER", "参数有误：bill_user_id")
        order = self.order(account.account, key)
        if order is None or order.status not in {Status.SUCCESS, Status.REFUND}:
            raise RefusedError("ORDER_NOT_EXIST")
        count = len(self._applications) + 1
        file_id = hashlib.blake2b(
            f"{self.settings.name}|{account.account}|{key}|{count}".encode(), digest_size=16
        ).hexdigest()
        self._applications[file_id] = _Application(account.account, order, now)
        return {"file_id": file_id}

    def query(
        self, account: Account, biz: Mapping[str, object], base: str, now: datetime
    ) -> dict[str, object]:
        """How far the file is, and where. Raises RefusedError."""
        file_id = biz.get("file_id")
        found = self._applications.get(file_id) if isinstance(file_id, str) else None
        if found is None or found.account != account.account or now >= found.at + _KEPT:
            raise RefusedError("INVALID_PARAMETER", "参数有误：file_id")
        if now < found.at + _BEGUN:
            return {"status": "INIT"}
        if now < found.at + _MADE:
            return {"status": "PROCESS"}
        token = hashlib.blake2b(
            f"{self.settings.name}|{file_id}|{now.isoformat()}".encode(), digest_size=20
        ).hexdigest()
        self._tokens = {t: v for t, v in self._tokens.items() if v[1] > now}
        self._tokens[token] = (found, now + timedelta(seconds=self.settings.token_s))
        return {"status": "SUCCESS", "download_url": f"{base}{self.path}?token={token}"}

    def download(self, query: str, now: datetime) -> Answer:
        """The file behind an address; unsigned, and gone after its time."""
        token = parse_qs(query).get("token", [""])[0]
        found, until = self._tokens.get(token, (None, now))
        if found is None or now >= until:
            return Answer(Reply(403, _TEXT, "链接已失效".encode()), op="download")
        account, reference = found.account, found.order.reference
        hits = self.faults.pick(
            Stage.REQUEST, op="download", account=account, reference=reference, now=now
        )
        early = wirefaults.before(hits, op="download", account=account, reference=reference)
        if early:
            return early
        content = _document(found.order)
        headers = (
            ("content-type", "application/pdf"),
            ("content-disposition", f'attachment; filename="{found.order.fund_order_id}.pdf"'),
        )
        reply = Reply(200, headers, content)
        return wirefaults.after(reply, hits, op="download", account=account, reference=reference)

    def order(self, account: str, key: object) -> Order | None:
        """The account's order whose movement has this number."""
        return self.transfers.find(account, {"pay_fund_order_id": key})


def _document(order: Order) -> bytes:
    amount = yuan(order.submission.amount_minor)
    return pdf.page(f"Transfer {order.fund_order_id}  {order.reference}  CNY {amount}")
