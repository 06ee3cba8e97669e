"""XxPay's notices: a POST with everything in the query string, verified, then read. Pure.

Source: dialects.md §3.1 (Notify). Stock servers name the order by their own number and repeat
`extra`, which holds ours; some clones add `mchOrderNo`, others post a form. Where neither names our
number, the gateway looks theirs up. What a notice says about status or fee is not read: it only
makes the gateway ask.
"""

from collections.abc import Mapping

from channels.contract import NOTICE_QUERY, Notice, NoticeRefused, NoticeReply
from channels.keyed_md5.fields import FormError, read_form
from channels.xxpay import wire
from channels.xxpay.settings import XxPaySettings
from channels.xxpay.signing import is_proven

TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"success")
"""This word in whatever case, or it comes again, five times, after n minutes each."""
NOT_TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"fail")


def read(
    settings: XxPaySettings, headers: Mapping[str, str], body: bytes
) -> Notice | NoticeRefused:
    """A proven notice, or why it is none."""
    try:
        fields = read_form(headers.get(NOTICE_QUERY) or body, "utf-8")
    except FormError as error:
        return NoticeRefused(str(error), NOT_TAKEN)
    if not is_proven(fields, settings.secrets):
        return NoticeRefused("the signature does not fit", NOT_TAKEN)
    order = wire.order(fields)
    if order is None:
        return NoticeRefused("genuine, but names no order", NOT_TAKEN)
    references = {name for name in (order.mchOrderNo, order.extra) if name is not None}
    if len(references) > 1:
        return NoticeRefused("genuine, but names two numbers of ours", NOT_TAKEN)
    return Notice(
        # There is no id: an order tells each of its final states, however often.
        notice_id=f"{order.agentpayOrderId}:{order.status}",
        reference=next(iter(references), ""),
        channel_ref=order.agentpayOrderId,
        event=f"status {order.status}",
        reply=TAKEN,
    )
