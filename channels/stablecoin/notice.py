"""Circle's notices, in both ways of signing: verified, then read. Pure.

Mint's own come through Amazon SNS (wire-protocols.md §5.5): the signature fits the certificate of a
configured or fetched address, and the topic is one of ours. The v2 products sign the raw body with
ECDSA under a named key. A notice names a payout by Circle's id alone; its fate is asked for.

What a message asks to be fetched (a certificate, the confirmation of a subscription) is only noted
in `Errands`, and only if SNS itself would name such an address. The channel runs errands with its
next inquiry; until then the message is refused with 503, so that SNS brings it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from channels.contract import Notice, NoticeRefused, NoticeReply
from channels.stablecoin import signing
from channels.stablecoin.fields import WireError, parse
from channels.stablecoin.settings import StablecoinSettings, rsa_key

TAKEN = NoticeReply(200, "text/plain; charset=utf-8", b"ok")
NOT_TAKEN = NoticeReply(403, "text/plain; charset=utf-8", b"refused")
LATER = NoticeReply(503, "text/plain; charset=utf-8", b"later")
NO_PAYOUT = "genuine, but not about a payout"
ERRANDS_MAX = 8


@dataclass(slots=True)
class Errands:
    """What messages want fetched, and what has been."""

    certificates: dict[str, x509.Certificate] = field(default_factory=dict)
    """By the address they were fetched from."""
    wanted: set[str] = field(default_factory=set)
    to_confirm: dict[str, str] = field(default_factory=dict)
    """Addresses that confirm a subscription, by their tokens."""
    confirmed: set[str] = field(default_factory=set)
    """Tokens of subscriptions that are confirmed."""

    def want(self, url: str) -> None:
        """Note an address; a flood of them changes nothing."""
        if len(self.wanted) < ERRANDS_MAX:
            self.wanted.add(url)

    def confirm(self, token: str, url: str) -> None:
        """Note a subscription."""
        if len(self.to_confirm) < ERRANDS_MAX:
            self.to_confirm[token] = url


def read_notice(
    settings: StablecoinSettings,
    errands: Errands,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> Notice | NoticeRefused:
    """Verify by the scheme the message uses, then read."""
    if "x-circle-signature" in headers:
        return _signed_by_circle(settings, headers, body)
    try:
        fields = parse(body)
    except WireError:
        return NoticeRefused("not a message of either scheme", NOT_TAKEN)
    message = {name: value for name, value in fields.items() if isinstance(value, str)}
    refused = _unproven(settings, errands, message, now)
    if refused is not None:
        return refused
    if message["Type"] == "SubscriptionConfirmation":
        return _subscription(settings, errands, message)
    if message["Type"] != "Notification":
        return NoticeRefused(NO_PAYOUT, TAKEN)
    try:
        told = parse(message.get("Message", "").encode())
    except WireError:
        return NoticeRefused("genuine, but not readable", NOT_TAKEN)
    return _named(message.get("MessageId", ""), told.get("notificationType"), told.get("payout"))


def _unproven(
    settings: StablecoinSettings, errands: Errands, message: Mapping[str, str], now: datetime
) -> NoticeRefused | None:
    """Why an SNS message is worth nothing, or None if SNS verifiably said it for one of us."""
    if message.get("TopicArn") not in settings.sns_topic_arns:
        return NoticeRefused("not of a topic of ours", NOT_TAKEN)
    address = message.get("SigningCertURL", "")
    if not signing.is_sns_address(address, settings.sns_origins):
        return NoticeRefused("names a certificate that SNS would not name", NOT_TAKEN)
    known = errands.certificates.get(address)
    certificates = (*settings.certificates, *(() if known is None else (known,)))
    for one in certificates:
        if signing.sns_verifies(rsa_key(one), message):
            if one.not_valid_before_utc <= now <= one.not_valid_after_utc:
                return None
            return NoticeRefused("signed under an expired certificate", NOT_TAKEN)
    if known is None:
        errands.want(address)
        return NoticeRefused("its certificate is not known yet", LATER)
    return NoticeRefused("the signature does not fit", NOT_TAKEN)


def _subscription(
    settings: StablecoinSettings, errands: Errands, message: Mapping[str, str]
) -> NoticeRefused:
    token, url = message.get("Token", ""), message.get("SubscribeURL", "")
    if token in errands.confirmed:
        return NoticeRefused(NO_PAYOUT, TAKEN)
    if not token or not signing.is_sns_address(url, settings.sns_origins):
        return NoticeRefused("a subscription to confirm where SNS would not ask to", NOT_TAKEN)
    errands.confirm(token, url)
    return NoticeRefused("a subscription that is about to be confirmed", LATER)


def _signed_by_circle(
    settings: StablecoinSettings, headers: Mapping[str, str], body: bytes
) -> Notice | NoticeRefused:
    key = settings.verifiers.get(headers.get("x-circle-key-id", ""))
    if key is None:
        return NoticeRefused("signed under a key that is not configured", NOT_TAKEN)
    if not signing.ecdsa_verifies(key, body, headers["x-circle-signature"]):
        return NoticeRefused("the signature does not fit", NOT_TAKEN)
    try:
        told = parse(body)
    except WireError:
        return NoticeRefused("genuine, but not readable", NOT_TAKEN)
    content = told.get("notification")
    if isinstance(content, dict) and isinstance(content.get("payout"), dict):
        content = content["payout"]
    return _named(told.get("notificationId"), told.get("notificationType"), content)


def _named(notice_id: object, event: object, payout: object) -> Notice | NoticeRefused:
    if not isinstance(event, str) or not isinstance(notice_id, str) or not notice_id:
        return NoticeRefused("genuine, but not readable", NOT_TAKEN)
    if event.rpartition(".")[2] not in {"payouts", "payout"}:
        return NoticeRefused(NO_PAYOUT, TAKEN)
    number = payout.get("id") if isinstance(payout, dict) else None
    if not isinstance(payout, dict) or not isinstance(number, str) or not number:
        return NoticeRefused("genuine, but names no payout", NOT_TAKEN)
    return Notice(
        notice_id=notice_id,
        reference="",
        channel_ref=number,
        event=str(payout.get("status", "")),
        reply=TAKEN,
    )
