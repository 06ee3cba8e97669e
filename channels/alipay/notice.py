"""Alipay's order.changed notice: a form POST to the application gateway, verified, then read.

Pure. Source: wire-protocols.md §1.7. `sign_type` is part of the signed text in one variant of the
platform's rules and not in the other, so either may fit. A notice only names an order; its
fate is asked for, never taken from here.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from channels.alipay import signing
from channels.alipay.envelope import WireError, parse_object, text_fields
from channels.alipay.signing import Keys
from channels.alipay.wire import ORDER_CHANGED
from channels.contract import Notice, NoticeRefused, NoticeReply

TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"success")
"""§1.7: exactly this word, or the platform tells it again."""
NOT_TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"fail")

CHARSETS: Mapping[str, str] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
}
"""What the platform may write in, and the superset it is read with."""
FIELDS_MAX = 64


def read_notice(body: bytes, app_id: str, keys: Keys) -> Notice | NoticeRefused:
    """Verify, then read; whatever is not provably about one of our orders is refused."""
    try:
        charset, params = _form(body)
    except ValueError:  # its text would quote the body
        return NoticeRefused("not an unambiguous form in a known charset", NOT_TAKEN)
    if not _verifies(params, charset, keys):
        return NoticeRefused("the signature does not fit", NOT_TAKEN)
    if params.get("app_id") != app_id:
        return NoticeRefused("for another application", NOT_TAKEN)
    if params.get("msg_method") != ORDER_CHANGED:
        return NoticeRefused("genuine, but not about a payout", TAKEN)
    try:
        content = text_fields(parse_object(_content(params, keys)))
    except (ValueError, WireError):
        return NoticeRefused("genuine, but not readable", NOT_TAKEN)
    reference, notice_id = content.get("out_biz_no"), params.get("notify_id")
    if not reference or not notice_id:
        return NoticeRefused("genuine, but names no order", NOT_TAKEN)
    return Notice(
        notice_id=notice_id,
        reference=reference,
        channel_ref=content.get("order_id") or None,
        event=content.get("status") or content.get("action_type") or "",
        reply=TAKEN,
    )


def _form(body: bytes) -> tuple[str, Mapping[str, str]]:
    """Decode the form in the charset it names; a name given twice makes it ambiguous."""
    text = body.decode("ascii")
    named = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    charset = CHARSETS.get(named.get("charset", "utf-8").lower())
    if charset is None:
        raise ValueError("unknown charset")
    pairs = parse_qsl(
        text,
        keep_blank_values=True,
        strict_parsing=True,
        encoding=charset,
        errors="strict",
        max_num_fields=FIELDS_MAX,
    )
    params = dict(pairs)
    if len(params) != len(pairs):
        raise ValueError("a field stands twice")
    return charset, params


def _verifies(params: Mapping[str, str], charset: str, keys: Keys) -> bool:
    signature = params.get("sign", "")
    variants = (
        signing.string_to_sign(params, "sign", "sign_type", charset=charset),
        signing.string_to_sign(params, "sign", charset=charset),
    )
    return any(
        signing.verifies(key, content, signature)
        for key in keys.platform.values()
        for content in variants
    )


def _content(params: Mapping[str, str], keys: Keys) -> str | bytes:
    content = params.get("biz_content", "")
    if params.get("encrypt_type", "").upper() != "AES":
        return content
    if keys.aes is None:
        raise ValueError("encrypted, but no AES key is configured")
    return signing.decrypt(keys.aes, content)
