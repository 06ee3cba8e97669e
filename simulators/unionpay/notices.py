"""What is told of an order: its settlement in replies, and the notice to its backUrl.

Source: the back-notice fields of ACP 5.1.0. Only successes are told; a failed or returned payout is
not. A notice goes to the backUrl of its own payout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulators.actions import Stage
from simulators.clock import BEIJING
from simulators.faults import Faults
from simulators.kernel import Push, PushQueue
from simulators.notices import post
from simulators.unionpay.errors import spoken, text_of
from simulators.unionpay.messages import FORM, Voice, form, mask, short_stamp
from simulators.unionpay.orders import Order
from simulators.unionpay.settings import Account, Settings


def settles_on(at: datetime, settings: Settings) -> datetime:
    """The settlement day of a movement, as a Beijing moment within it."""
    local = at.astimezone(BEIJING)
    shift = timedelta(days=1) if local.hour >= settings.settle_cutoff_hour else timedelta()
    return local + shift


def settlement(order: Order, settings: Settings) -> dict[str, str]:
    """The fields that a paid order has and no other."""
    if order.paid_at is None:
        return {}
    return {
        "settleAmt": str(order.submission.amount_minor),
        "settleCurrencyCode": "156",
        "settleDate": settles_on(order.paid_at, settings).strftime("%m%d"),
        "traceTime": short_stamp(order.paid_at),
    }


@dataclass(slots=True)
class Notices:
    """Everything owed to notify addresses."""

    settings: Settings
    faults: Faults
    voice: Voice
    accounts: Mapping[str, Account]
    queue: PushQueue = field(init=False)

    def __post_init__(self) -> None:
        """Start with nothing owed."""
        self.queue = PushQueue(self.settings.notice_ladder_s)

    def tell(self, order: Order, at: datetime) -> None:
        """Owe the notice of a success, as the notice faults will have it."""
        account = self.accounts[order.account]
        hits = self.faults.pick(
            Stage.NOTICE,
            op="notice",
            account=order.account,
            payee=order.submission.payee,
            reference=order.reference,
            amount_minor=order.submission.amount_minor,
            now=at,
        )

        def push(claims: str | None = None) -> Push:
            return Push(
                due_at=at + timedelta(seconds=self.settings.notice_after_s),
                url=account.notify_url or order.submission.back_url,
                headers=FORM,
                body=form(self._notice(order, account, claims)),
                reference=order.reference,
                account=order.account,
            )

        post(self.queue, push(), hits, push)

    def _notice(self, order: Order, account: Account, claims: str | None) -> dict[str, str]:
        """One notice. With `claims`: a forgery, that respCode badly signed."""
        code = order.fate if claims is None else spoken(claims)
        said = {
            "txnType": "12",
            "txnSubType": "00",
            "bizType": "000401",
            "accessType": "0",
            "merId": account.mer_id,
            "orderId": order.reference,
            "txnTime": order.submission.txn_time,
            "txnAmt": str(order.submission.amount_minor),
            "currencyCode": "156",
            "queryId": order.query_id,
            "respCode": code,
            "respMsg": text_of(code),
            "accNo": mask(order.submission.payee),
            "traceNo": order.trace,
        } | settlement(order, self.settings)
        if order.submission.reserved:
            said["reqReserved"] = order.submission.reserved
        return self.voice.completed(said, is_true=claims is None)
