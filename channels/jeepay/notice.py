"""Jeepay's transfer notices: a form POST, verified, then read. Pure.

Source: dialects.md §1 (Merchant notify). The fields are those of a query's reply with `reqTime`,
signed together. They are told once per order and final state; a reversal later is never told. What
a notice says about state or amount is not read: it only makes the gateway ask.
"""

from channels.contract import Notice, NoticeRefused, NoticeReply
from channels.jeepay import wire
from channels.jeepay.settings import JeepaySettings
from channels.keyed_md5 import SIGN
from channels.keyed_md5.fields import FormError, read_form

TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"SUCCESS")
"""This word in whatever case, or it comes again: after 30, 60, 90, 120 and 150 seconds."""
NOT_TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"FAIL")


def read(settings: JeepaySettings, body: bytes) -> Notice | NoticeRefused:
    """A proven notice, or why it is none."""
    try:
        fields = read_form(body, "ascii")
    except FormError as error:
        return NoticeRefused(str(error), NOT_TAKEN)
    if not settings.secrets.proves(fields, fields.get(SIGN)):
        return NoticeRefused("the signature does not fit", NOT_TAKEN)
    order = wire.order(fields)
    if order is None:
        return NoticeRefused("genuine, but names no order", NOT_TAKEN)
    if (order.mchNo, order.appId) != (settings.mch_no, settings.app_id):
        return NoticeRefused("about another merchant or application", NOT_TAKEN)
    return Notice(
        # There is no id: an order tells each of its final states once.
        notice_id=f"{order.transferId}:{order.state}",
        reference=order.mchOrderNo,
        channel_ref=order.transferId,
        event=f"state {order.state}",
        reply=TAKEN,
    )
