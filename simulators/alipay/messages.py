"""The bytes this simulator says: signed reply envelopes and order.changed notices.

Source: open platform documentation, "返回结果", and alipay.fund.trans.order.changed. A reply's
signature covers the exact bytes of the node; a notice is signed over its parameters but `sign` and
`sign_type` (the classic variant; the platform's SDKs accept either).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from simulators.alipay.orders import Order, Status
from simulators.alipay.parameters import Application
from simulators.alipay.signing import encrypt, sign, sign_content
from simulators.alipay.statement import yuan
from simulators.clock import BEIJING
from simulators.kernel import Push, Reply

_NOTICE = "alipay.fund.trans.order.changed"


@dataclass(frozen=True, slots=True)
class Voice:
    """The platform's key, and its certificate's serial in certificate mode."""

    key: RSAPrivateKey
    certificate_serial: str | None = None


@dataclass(frozen=True, slots=True)
class Tone:
    """How one reply is said: charset, encryption, and what a fault does to the signature."""

    charset: str = "utf-8"
    aes_key: str | None = None
    names_certificate: bool = False
    is_signed: bool = True
    is_true: bool = True


def envelope(voice: Voice, method: str, node: Mapping[str, object], tone: Tone) -> Reply:
    """`{"<method>_response":node,"sign":"…"}`; without a method it is `error_response`."""
    name = f"{method.replace('.', '_')}_response" if method else "error_response"
    text = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    if tone.aes_key is not None:
        text = json.dumps(encrypt(tone.aes_key, text, tone.charset))
    raw = text.encode(tone.charset, errors="replace")
    parts = [b'{"' + name.encode() + b'":' + raw]
    if tone.names_certificate and voice.certificate_serial:
        parts.append(f'"alipay_cert_sn":"{voice.certificate_serial}"'.encode())
    if tone.is_signed:
        signature = sign(voice.key, raw if tone.is_true else raw + b" ")
        parts.append(f'"sign":"{signature}"'.encode())
    kind = f"text/html;charset={tone.charset}"
    return Reply(200, (("content-type", kind),), b",".join(parts) + b"}")


def stamp(at: datetime) -> str:
    """A moment as the platform writes it, in Beijing time."""
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def notice(
    voice: Voice,
    application: Application,
    order: Order,
    *,
    url: str,
    due_at: datetime,
    action: str,
    claims: str | None = None,
) -> Push:
    """One order.changed notice. With `claims`: a forgery, that status badly signed."""
    submission = order.submission
    biz: dict[str, str] = {
        "out_biz_no": order.reference,
        "product_code": submission.product,
        "biz_scene": submission.scene,
        "origin_interface": "alipay.fund.trans.uni.transfer",
        "order_id": order.order_id,
        "pay_fund_order_id": order.fund_order_id,
        "status": claims or order.status,
        "action_type": action,
        "trans_amount": yuan(submission.amount_minor),
    }
    if order.paid_at:
        biz["pay_date"] = stamp(order.paid_at)
    if order.returned_at:
        biz["refund_date"] = stamp(order.returned_at)
    if order.status in (Status.FAIL, Status.REFUND):
        biz |= {"error_code": order.error_code, "fail_reason": order.fail_reason}
    content = json.dumps(biz, ensure_ascii=False, separators=(",", ":"))
    identity = f"{order.order_id}{order.status}{claims}"
    parameters = {
        "app_id": application.app_id,
        "biz_content": content,
        "charset": "UTF-8",
        "msg_method": _NOTICE,
        "notify_id": hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
        "sign_type": "RSA2",
        "utc_timestamp": str(int(due_at.timestamp() * 1000)),
        "version": "1.1",
    }
    signed = sign_content(parameters, "sign_type")
    parameters["sign"] = sign(voice.key, (signed + (" " if claims else "")).encode())
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in parameters.items())
    return Push(
        due_at=due_at,
        url=url,
        headers=(("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),),
        body=body.encode(),
        reference=order.reference,
        account=order.account,
    )
