"""What a merchant is told: once per order, when it is paid or failed, and never again.

Source: the interface description of 转账通知: a form POST with the fields of a query's answer,
`reqTime` and `sign`; the body `SUCCESS`, in whatever case, ends it, whatever the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from simulators.actions import Stage as Moment
from simulators.faults import Faults
from simulators.jeepay import replies
from simulators.jeepay.settings import Account, Settings
from simulators.kernel import Push, PushQueue
from simulators.keyed_md5 import SIGN, another, sign
from simulators.notices import post
from simulators.orders import Order

_FORM = (("content-type", "application/x-www-form-urlencoded;charset=UTF-8"),)


@dataclass(slots=True)
class Notices:
    """The notices of all applications, and the ladder of their repetitions."""

    settings: Settings
    faults: Faults
    accounts: Mapping[str, Account]
    queue: PushQueue = field(init=False)
    _record: dict[str, Push] = field(default_factory=dict)
    """One per order: what was told once is told so for ever."""

    def __post_init__(self) -> None:
        """Nothing owed."""
        self.queue = PushQueue(self.settings.notice_ladder_s)

    def changed(self, order: Order, at: datetime, is_told: bool) -> None:
        """Owe the one notice of an order."""
        url = order.asked.get("notifyUrl") or self.accounts[order.account].notify_url
        if not is_told or url is None or order.number in self._record:
            return
        push = self._push(order, url, at + timedelta(seconds=self.settings.notice_after_s))
        self._record[order.number] = push
        hits = self.faults.pick(
            Moment.NOTICE,
            op="notice",
            account=order.account,
            payee=order.payee,
            reference=order.reference,
            amount_minor=order.amount_minor,
            now=at,
        )
        post(self.queue, push, hits, lambda status: self._push(order, url, push.due_at, status))

    def resend(self, order: Order, now: datetime) -> bool:
        """An operator has it told again; False when it was never told."""
        push = self._record.get(order.number)
        if push is None:
            return False
        self.queue.add(replace(push, due_at=now))
        return True

    def heard(self, push: Push, status: int | None, body: bytes, now: datetime) -> None:
        """Owe the next try unless it was taken."""
        if status is not None and body.upper() == b"SUCCESS":
            return
        wait_s = self.queue.retry_wait_s(push)
        if wait_s is not None:
            later = now + timedelta(seconds=wait_s)
            self.queue.add(replace(push, attempt=push.attempt + 1, due_at=later))

    def _push(self, order: Order, url: str, due_at: datetime, lie: str = "") -> Push:
        account = self.accounts[order.account]
        fields = replies.described(order, account, self.settings.site_url)
        fields["reqTime"] = replies.millis(due_at)
        if lie:
            fields["state"] = replies.state_of(lie)
        signature = sign(fields, account.app_secret.get_secret_value())
        fields[SIGN] = another(signature) if lie else signature
        body = urlencode({name: str(value) for name, value in fields.items()}).encode()
        return Push(due_at, url, _FORM, body, order.reference, order.account)
