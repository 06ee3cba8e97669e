"""Both kinds of notices: verified first, read second, and never believed."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from channels.contract import Notice, NoticeRefused
from channels.stablecoin.notice import ERRANDS_MAX, Errands, read_notice
from tests.channels.stablecoin.platform import (
    CERTIFICATE_URL,
    KEY_ID,
    KEYS,
    NOW,
    PAYOUT_ID,
    compact,
    ecdsa,
    fiat,
    settings,
    sns,
    sns_signature,
    told,
)
from tests.simulators.keys import pair

CONFIRM_URL = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t1"


def read(
    message: Mapping[str, str] | bytes, errands: Errands | None = None, /, **changes: object
) -> Notice | NoticeRefused:
    """What the channel makes of an SNS message."""
    body = message if isinstance(message, bytes) else compact(message)
    known = Errands() if errands is None else errands
    return read_notice(settings(**changes), known, {}, body, NOW)


def subscription(**changes: str) -> dict[str, str]:
    """SNS asks whether we want its messages."""
    given = {"Type": "SubscriptionConfirmation", "Token": "t1", "SubscribeURL": CONFIRM_URL}
    return sns("You have chosen to subscribe.", **(given | changes))


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_notice_by_sns_names_their_id(version: str) -> None:
    """Our reference is not in it, so it is empty."""
    message = sns(told(fiat(status="complete")), SignatureVersion=version)
    notice = read(message)
    assert isinstance(notice, Notice)
    assert (notice.reference, notice.channel_ref, notice.event) == ("", PAYOUT_ID, "complete")
    assert notice.notice_id == message["MessageId"]
    assert notice.reply.status == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Signature": "AAAA"}, 403),
        ({"TopicArn": "arn:aws:sns:us-east-1:1:anybody"}, 403),
        ({"SigningCertURL": "https://evil.test/x.pem"}, 403),
        ({"SigningCertURL": "https://sns.us-east-1.amazonaws.com.evil.test/x.pem"}, 403),
        ({"Type": "Other"}, 403),
        ({"SignatureVersion": "3"}, 403),
    ],
)
def test_what_sns_did_not_say_for_us_is_refused(change: dict[str, str], status: int) -> None:
    """A wrong signature, a topic or an address of somebody else."""
    errands = Errands(certificates={})
    known = read(sns(told(fiat()), **change), errands)
    assert isinstance(known, NoticeRefused)
    if change.keys() & {"Signature", "Type", "SignatureVersion"}:
        # Another certificate might fit: it is fetched once, and then the answer is final.
        assert errands.wanted == {CERTIFICATE_URL}
        assert known.reply.status == 503
    else:
        assert errands.wanted == set()
        assert known.reply.status == status


def test_a_certificate_that_is_not_known_is_asked_for_later() -> None:
    """503 brings the message again; once the certificate is there, it is read."""
    errands, message = Errands(), sns(told(fiat()))
    early = read(message, errands, sns_certificate_files=[])
    assert isinstance(early, NoticeRefused)
    assert early.reply.status == 503
    assert errands.wanted == {CERTIFICATE_URL}
    errands.certificates[CERTIFICATE_URL] = settings().certificates[0]
    assert isinstance(read(message, errands, sns_certificate_files=[]), Notice)
    forged = message | {"Signature": sns_signature(message, pair("stranger").key)}
    late = read(forged, errands, sns_certificate_files=[])
    assert isinstance(late, NoticeRefused)
    assert late.reply.status == 403


def test_a_flood_of_addresses_is_bounded() -> None:
    """Whoever sends thousands makes us fetch a handful."""
    errands = Errands()
    for number in range(100):
        url = CERTIFICATE_URL.replace("0123", f"{number:04d}")
        read(sns("x", SigningCertURL=url), errands, sns_certificate_files=[])
    assert len(errands.wanted) == ERRANDS_MAX


def test_an_expired_certificate_proves_nothing() -> None:
    """Even when its signature fits."""
    expired = read(sns(told(fiat())), sns_certificate_files=[KEYS / "sns_certificate_expired.pem"])
    assert isinstance(expired, NoticeRefused)
    assert "expired" in expired.cause
    late = read_notice(
        settings(), Errands(), {}, compact(sns(told(fiat()))), NOW + timedelta(days=40_000)
    )
    assert isinstance(late, NoticeRefused)


def test_a_subscription_is_confirmed_where_sns_asks_to() -> None:
    """Noted once verified; refused with 503 until somebody was there, then taken."""
    errands = Errands()
    first = read(subscription(), errands)
    assert isinstance(first, NoticeRefused)
    assert first.reply.status == 503
    assert errands.to_confirm == {"t1": CONFIRM_URL}
    errands.confirmed.add("t1")
    again = read(subscription(), errands)
    assert isinstance(again, NoticeRefused)
    assert again.reply.status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"SubscribeURL": "https://evil.test/?Action=ConfirmSubscription"},
        {"SubscribeURL": "http://sns.us-east-1.amazonaws.com/"},
        {"SubscribeURL": "file:///etc/passwd"},
        {"Token": ""},
        {"Signature": "AAAA"},
        {"TopicArn": "arn:aws:sns:us-east-1:1:anybody"},
    ],
)
def test_nothing_else_is_ever_visited(change: dict[str, str]) -> None:
    """Neither an address elsewhere nor one that was not signed for our topic."""
    errands = Errands()
    assert isinstance(read(subscription(**change), errands), NoticeRefused)
    assert errands.to_confirm == {}


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("no json", 403),
        (told({"no": "id"}), 403),
        ({"notificationType": "payouts"}, 403),
        ({"notificationType": 7, "payout": {}}, 403),
        (told({}, "transfers"), 200),
        (told({}, "wire"), 200),
    ],
)
def test_genuine_messages_about_nothing_of_ours(message: object, status: int) -> None:
    """Other topics are acknowledged; what should name a payout and does not is not."""
    text = message if isinstance(message, str) else json.dumps(message)
    refused = read(sns(text))
    assert isinstance(refused, NoticeRefused)
    assert refused.cause.startswith("genuine")
    assert refused.reply.status == status


def test_an_end_of_subscription_is_acknowledged() -> None:
    """Nothing is visited for it."""
    errands = Errands()
    ended = read(subscription(Type="UnsubscribeConfirmation"), errands)
    assert isinstance(ended, NoticeRefused)
    assert (ended.reply.status, errands.to_confirm) == (200, {})


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"Type":"Notification"}', b"{" * 5000])
def test_junk_is_refused(body: bytes) -> None:
    """Without a word of explanation to who sends it."""
    refused = read(body)
    assert isinstance(refused, NoticeRefused)
    assert refused.reply.status == 403


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_notice_by_circle_names_their_id(wrapped: bool) -> None:
    """v2: signed over the raw body under a named key."""
    payout = fiat(status="complete")
    body = compact(
        {
            "subscriptionId": "s",
            "notificationId": "n-1",
            "notificationType": "payouts",
            "notification": {"payout": payout} if wrapped else payout,
            "timestamp": "2026-11-02T01:31:00Z",
            "version": 2,
        }
    )
    notice = read_notice(settings(), Errands(), ecdsa(body), body, NOW)
    assert isinstance(notice, Notice)
    assert (notice.notice_id, notice.reference, notice.channel_ref) == ("n-1", "", PAYOUT_ID)


def test_circles_signature_must_fit_body_and_key() -> None:
    """Another body, an unknown key, a scheme that is not configured."""
    body = compact({"notificationId": "n", "notificationType": "payouts", "notification": fiat()})
    headers = ecdsa(body)
    for given, raw in (
        (headers, body + b" "),
        (headers | {"x-circle-key-id": "other"}, body),
        ({"x-circle-signature": headers["x-circle-signature"]}, body),
        (headers | {"x-circle-signature": "AAAA"}, body),
    ):
        assert isinstance(read_notice(settings(), Errands(), given, raw, NOW), NoticeRefused)
    off = settings(notice_keys=[])
    assert isinstance(read_notice(off, Errands(), headers, body, NOW), NoticeRefused)
    assert headers["x-circle-key-id"] == KEY_ID
