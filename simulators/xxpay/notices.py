"""What a merchant is told: a POST to its address with everything in the query string.

Source: the interface description of 代付结果通知. The body `success`, in whatever case, ends it; a
stock notice names the order by the gateway's own number alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from simulators.actions import Stage as Moment
from simulators.faults import Faults
from simulators.kernel import Push, PushQueue
from simulators.keyed_md5 import SIGN, another
from simulators.notices import post
from simulators.orders import Order, Stage
from simulators.xxpay import replies
from simulators.xxpay.settings import Account, Settings

_FORM = (("content-type", "application/x-www-form-urlencoded"),)
FINAL = frozenset({Stage.PAID, Stage.FAILED, Stage.RETURNED})


@dataclass(slots=True)
class Notices:
    """The notices of all merchants, and the ladder of their repetitions."""

    settings: Settings
    faults: Faults
    accounts: Mapping[str, Account]
    queue: PushQueue = field(init=False)

    def __post_init__(self) -> None:
        """Nothing owed."""
        self.queue = PushQueue(self.settings.notice_ladder_s)

    def changed(self, order: Order, at: datetime, is_told: bool) -> None:
        """Owe a notice of a state that is final."""
        push = self._push(order, at) if is_told else None
        if push is None:
            return
        hits = self.faults.pick(
            Moment.NOTICE,
            op="notice",
            account=order.account,
            payee=order.payee,
            reference=order.reference,
            amount_minor=order.amount_minor,
            now=at,
        )
        post(self.queue, push, hits, lambda status: self._push(order, at, status) or push)

    def resend(self, order: Order, now: datetime) -> bool:
        """Tell it again, as a query with executeNotify asks for; False when it is not final."""
        push = self._push(order, now) if order.stage in FINAL else None
        if push is None:
            return False
        self.queue.add(push)
        return True

    def heard(self, push: Push, status: int | None, body: bytes, now: datetime) -> None:
        """Owe the next try unless it was taken."""
        if status is not None and body.lower() == b"success":
            return
        wait_s = self.queue.retry_wait_s(push)
        if wait_s is not None:
            later = now + timedelta(seconds=wait_s)
            self.queue.add(replace(push, attempt=push.attempt + 1, due_at=later))

    def _push(self, order: Order, at: datetime, lie: str = "") -> Push | None:
        account = self.accounts[order.account]
        url = order.asked.get("notifyUrl") or account.notify_url
        if url is None:
            return None
        fields = replies.told(order, names_reference=self.settings.notices_name_reference)
        if lie:
            fields["status"] = replies.status_of(lie)
        secret = account.private_key.get_secret_value()
        signature = replies.signed(fields, secret, self.settings)
        fields[SIGN] = another(signature) if lie else signature
        due_at = at + timedelta(seconds=self.settings.notice_after_s)
        target = f"{url}?{replies.query_of(fields)}"
        return Push(due_at, target, _FORM, b"", order.reference, order.account)
