"""Notices of WeChat Pay: verify, open, name the payout. Pure.

The five signature headers are checked before a byte of the body is parsed (wire-protocols.md §2.4);
a probe (`WECHATPAY/SIGNTEST/…`) fails that check like any forgery. What a notice says about state
or amount is not read at all: it only makes the gateway ask.
"""

from collections.abc import Mapping
from datetime import datetime

from channels.contract import Notice, NoticeRefused, NoticeReply
from channels.wechat_pay import wire
from channels.wechat_pay.settings import WechatPaySettings
from channels.wechat_pay.signing import UnsealError, open_resource

TAKEN = NoticeReply(204, "application/json", b"")
"""§2.4: 200 or 204 within five seconds ends the platform's retries."""


def read(
    settings: WechatPaySettings, headers: Mapping[str, str], body: bytes, now: datetime
) -> Notice | NoticeRefused:
    """A proven notice of whatever event, or why it is none.

    `reference` is the number of the payout or, for the closed batch product, of the batch; empty
    when a new kind of event names neither.
    """
    objection = settings.platform_keys.objection(headers, body, now)
    if objection is not None:
        return _refused(objection, 401)
    envelope = wire.read(wire.Envelope, body)
    if envelope is None:
        return _refused("not a notice envelope", 400)
    resource = envelope.resource
    try:
        plain = open_resource(
            settings.apiv3_key.get_secret_value(),
            resource.nonce,
            resource.associated_data,
            resource.ciphertext,
        )
    except UnsealError as error:
        # The signature fits, so the message is real and our key is wrong: 500 keeps it coming.
        return _refused(str(error), 500)
    content = wire.read(wire.NoticeContent, plain)
    if content is None:
        return _refused("the resource is not a JSON object of the documented shape", 400)
    if (content.mch_id or content.mchid or settings.mchid) != settings.mchid:
        return _refused("about another merchant", 400)
    return Notice(
        notice_id=envelope.id,
        reference=content.out_bill_no or content.out_batch_no or "",
        channel_ref=content.transfer_bill_no or content.batch_id,
        event=envelope.event_type,
        reply=TAKEN,
    )


def _refused(cause: str, status: int) -> NoticeRefused:
    body = b'{"code":"FAIL","message":"refused"}'
    return NoticeRefused(cause, NoticeReply(status, "application/json", body))
