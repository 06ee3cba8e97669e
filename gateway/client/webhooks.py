"""Webhooks: whether a message is the gateway's and fresh, and what it says.

Standard Webhooks. The `standardwebhooks` library computes the signatures; its own `verify` knows
one secret and the system's clock, and raises whatever a garbled header makes it stumble over.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from gateway.client.answers import PayoutState
from gateway.client.calls import parsed
from gateway.client.clock import SystemClock
from gateway.client.errors import Facts, WebhookRefusedError
from gateway.client.reading import UnreadableError, read

WINDOW = timedelta(minutes=5)
_STAMP = re.compile(r"[0-9]{1,11}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WebhookFacts:
    """The payout's own figures after the event; `event` is what the timeline says of it."""

    amount_minor: int
    currency: str
    fee_minor: int
    reason: str | None
    metadata: Mapping[str, str]
    event: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One event of one payout. Messages come at least once, and in the order of `seq`."""

    delivery_id: str
    """Of this webhook, the same over all its tries: keep it, and act on it once."""
    id: str
    type: str
    """`payout.paid` and the like; a newer gateway may send others."""
    payout_id: str
    merchant_ref: str
    state: PayoutState
    seq: int
    at: datetime
    data: WebhookFacts


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: str | Sequence[str],
    *,
    window: timedelta = WINDOW,
    now: datetime | None = None,
) -> WebhookMessage:
    """The message, if one of the secrets signed it within `window` of now; else raises.

    `body` is what came, byte for byte: JSON read and written again is another text. During a
    rotation give the old secret and the new one. Raises `WebhookRefusedError`, and `ValueError`
    for secrets that cannot be any.
    """
    if not isinstance(body, bytes):
        raise TypeError("body: give the raw bytes of the request, not text or parsed JSON")
    signers = _signers(secrets)
    given = {name.lower(): value for name, value in headers.items()}
    message_id = given.get("webhook-id", "")
    stamp = given.get("webhook-timestamp", "")
    signatures = given.get("webhook-signature", "")
    if not message_id or not signatures or _STAMP.fullmatch(stamp) is None:
        raise _refused(
            "webhook_headers_missing",
            "webhook-id, webhook-timestamp and webhook-signature are needed",
            "缺少 webhook-id、webhook-timestamp 或 webhook-signature 头",
        )
    signed_at = datetime.fromtimestamp(int(stamp), UTC)
    if not _is_signed(signers, message_id, signed_at, body, signatures):
        raise _refused(
            "webhook_signature_invalid",
            "no signature is of one of these secrets: check that they are this endpoint's, and "
            "that the body is the raw bytes",
            "签名与所给密钥均不匹配：请确认密钥属于该通知地址，且使用的是原始请求体",
        )
    current = SystemClock().now() if now is None else now
    if abs(current - signed_at) > window:
        raise _refused(
            "webhook_out_of_window",
            f"it was signed at {signed_at.isoformat()}, more than {window} away from this "
            "machine's clock: a replay, or a clock that is wrong",
            "签名时间超出允许范围：可能是重放，或本机时钟不准",
        )
    return _message(message_id, body)


def _signers(secrets: str | Sequence[str]) -> list[Webhook]:
    many = [secrets] if isinstance(secrets, str) else list(secrets)
    if not many:
        raise ValueError("secrets: at least one is needed")
    try:
        return [Webhook(one) for one in many]
    except (ValueError, RuntimeError, EmptyWebhookSecretError):
        raise ValueError("secrets: must look like whsec_<Base64>") from None


def _is_signed(
    signers: Sequence[Webhook], message_id: str, at: datetime, body: bytes, signatures: str
) -> bool:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    given = [one.encode("utf-8", "replace") for one in signatures.split(" ")]
    expected = [signer.sign(message_id, at, text).encode() for signer in signers]
    return any(hmac.compare_digest(one, other) for one in expected for other in given)


def _message(message_id: str, body: bytes) -> WebhookMessage:
    try:
        said = parsed(body)
        if isinstance(said, dict):
            said["delivery_id"] = message_id
        return read(WebhookMessage, said)
    except UnreadableError as wrong:
        raise _refused(
            "webhook_unreadable",
            f"it is signed, and not a message this client knows: {wrong}",
            "签名有效，但消息格式无法识别，请升级客户端",
        ) from None


def _refused(code: str, message: str, zh: str) -> WebhookRefusedError:
    return WebhookRefusedError(Facts(code=code, message=message, message_zh=zh))
