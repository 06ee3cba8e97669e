"""UnionPay's backUrl notice: a form POST, verified, then read.

Pure. Source: wire-protocols.md §3.6. Failed payouts are not told, so silence after a submission
means nothing; and a notice only names an order: its fate is asked for, never taken from here.
"""

from datetime import datetime

from channels.contract import Notice, NoticeRefused, NoticeReply
from channels.unionpay.envelope import WireError, open_notice
from channels.unionpay.signing import Trust
from channels.unionpay.wire import PAYOUT

TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"ok")
"""§3.6: the status alone counts; anything but 200 (or 302) is told again."""
NOT_TAKEN = NoticeReply(400, "text/plain; charset=utf-8", b"fail")


def read_notice(body: bytes, mer_id: str, trust: Trust, now: datetime) -> Notice | NoticeRefused:
    """Verify, then read; whatever is not provably about one of our payouts is refused."""
    try:
        message = open_notice(body, trust, now)
    except WireError as error:
        return NoticeRefused(str(error), NOT_TAKEN)
    if message.get("merId") != mer_id:
        return NoticeRefused("for another merchant", NOT_TAKEN)
    if message.get("txnType") != PAYOUT:
        return NoticeRefused("genuine, but not about a payout", TAKEN)
    reference, txn_time = message.get("orderId"), message.get("txnTime")
    if reference is None or txn_time is None:
        return NoticeRefused("genuine, but names no order", NOT_TAKEN)
    return Notice(
        # A merchant's number may be used again on another day: only with its time it is one order.
        notice_id=f"{reference}.{txn_time}.{message.get('queryId') or ''}.{message.code}",
        reference=reference,
        channel_ref=message.get("queryId"),
        event=message.code,
        reply=TAKEN,
    )
