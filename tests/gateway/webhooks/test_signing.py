"""Signatures and secrets of Standard Webhooks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.webhooks.signing import new_secret, signed_headers

OLD = new_secret(bytes(range(32)))
NEW = new_secret(bytes(range(32, 64)))
BODY = '{"type":"payout.paid","memo":"货款"}'.encode()


def real_now() -> datetime:
    """Give the time the library checks against; it has no clock to inject."""
    return datetime.now(UTC)


def test_signature_is_that_of_the_published_example() -> None:
    """The secret, id, time and body that the libraries of all languages test with."""
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_secret_of_a_rotation_verifies(secret: str) -> None:
    """A receiver that holds only one of two secrets accepts the webhook."""
    headers = signed_headers("msg_1", BODY, [NEW, OLD], real_now())
    assert Webhook(secret).verify(BODY, headers)["memo"] == "货款"


def test_a_retired_secret_no_longer_verifies() -> None:
    """After the rotation nothing is signed with the old secret."""
    headers = signed_headers("msg_1", BODY, [NEW], real_now())
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(OLD).verify(BODY, headers)


def test_another_body_does_not_verify() -> None:
    """The signature covers every byte."""
    headers = signed_headers("msg_1", BODY, [NEW], real_now())
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(NEW).verify(BODY + b" ", headers)


def test_time_in_another_zone_is_the_same_moment() -> None:
    """A clock that speaks Shanghai time signs what one in UTC signs."""
    moment = real_now()
    shanghai = moment.astimezone(timezone(timedelta(hours=8)))
    assert signed_headers("m", BODY, [NEW], shanghai) == signed_headers("m", BODY, [NEW], moment)


def test_endpoint_without_secrets_is_refused() -> None:
    """Nothing leaves unsigned."""
    with pytest.raises(ValueError, match="unsigned"):
        signed_headers("msg_1", BODY, [], real_now())


@pytest.mark.parametrize("size", [0, 23, 65])
def test_secret_of_a_wrong_length_is_refused(size: int) -> None:
    """The specification wants 24 to 64 bytes."""
    with pytest.raises(ValueError, match="24 to 64"):
        new_secret(bytes(size))
