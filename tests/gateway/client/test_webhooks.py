"""Webhooks: only what was signed with a known secret, in time, byte for byte."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from gateway.client import WebhookRefusedError
from gateway.client.webhooks import verify
from gateway.webhooks.signing import new_secret, signed_headers

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECRET, OTHER = new_secret(bytes(range(32))), new_secret(bytes(range(1, 33)))
SAID = {
    "type": "payout.paid",
    "id": "evt_1_5",
    "payout_id": "po_1",
    "merchant_ref": "order-1",
    "state": "paid",
    "seq": 5,
    "at": "2026-03-02T09:59:58.123Z",
    "data": {
        "amount_minor": 12_345,
        "currency": "CNY",
        "fee_minor": 0,
        "reason": None,
        "metadata": {"shop": "七"},
        "event": {"attempt": 1, "source": "send"},
    },
}
BODY = orjson.dumps(SAID)


def signed(body: bytes = BODY, *secrets: str, at: datetime = AT) -> dict[str, str]:
    """Headers as the gateway itself makes them."""
    return signed_headers("wd_1", body, secrets or (SECRET,), at)


def code(headers: Mapping[str, str], body: bytes = BODY, now: datetime = AT) -> str:
    """Why it is refused."""
    with pytest.raises(WebhookRefusedError) as raised:
        verify(headers, body, SECRET, now=now)
    assert raised.value.message_zh
    return raised.value.code


def test_what_the_gateway_signs_is_taken() -> None:
    """As a typed event, with the id to act on once."""
    message = verify(signed(), BODY, SECRET, now=AT)
    assert (message.delivery_id, message.type, message.seq) == ("wd_1", "payout.paid", 5)
    assert (message.data.amount_minor, message.data.metadata) == (12_345, {"shop": "七"})
    assert message.at == datetime(2026, 3, 2, 9, 59, 58, 123000, UTC)


@pytest.mark.parametrize("known", [[SECRET], [OTHER], [SECRET, OTHER], (OTHER, SECRET)])
def test_either_secret_is_enough_during_a_rotation(known: list[str]) -> None:
    """On either side: two sign, and two may be known."""
    assert verify(signed(BODY, SECRET, OTHER), BODY, known, now=AT).payout_id == "po_1"


def test_names_of_headers_are_read_in_any_case() -> None:
    """Frameworks write them as they like."""
    headers = {name.title(): value for name, value in signed().items()}
    assert verify(headers, BODY, SECRET, now=AT).payout_id == "po_1"


def test_another_secret_is_refused() -> None:
    """Somebody else signed it."""
    assert code(signed(BODY, OTHER)) == "webhook_signature_invalid"


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_changed_anywhere_is_refused(place: int, change: int) -> None:
    """One bit is enough, also one that breaks the text."""
    changed = bytearray(BODY)
    changed[place] ^= change
    assert code(signed(), bytes(changed)) == "webhook_signature_invalid"


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_changed_headers_are_refused(header: str) -> None:
    """Id and time are signed, too."""
    other = {"webhook-id": "wd_2", "webhook-timestamp": str(int(AT.timestamp()) + 1)}
    assert code({**signed(), header: other[header]}) == "webhook_signature_invalid"


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_missing_headers_are_refused(header: str, value: str | None) -> None:
    """Each of the three is needed."""
    headers = signed()
    del headers[header]
    if value is not None:
        headers[header] = value
    assert code(headers) == "webhook_headers_missing"


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=60))
def test_garbage_is_refused_and_never_stumbled_over(one: str, two: str, three: str) -> None:
    """Whatever stands in the headers."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    with pytest.raises(WebhookRefusedError):
        verify(dict(zip(names, (one, two, three), strict=True)), BODY, SECRET, now=AT)


@pytest.mark.parametrize("signature", ["v1", "v1,", "v1,%%%", "v2,abc", ",", "é", "v1,é v1,ü"])
def test_a_garbled_signature_is_refused(signature: str) -> None:
    """Without a version, without Base64, without ASCII."""
    headers = {**signed(), "webhook-signature": signature}
    assert code(headers) == "webhook_signature_invalid"


@pytest.mark.parametrize("stamp", ["-1", "1.5", "1e9", "٣", "99999999999999999", " 1772445600"])
def test_a_garbled_time_is_refused(stamp: str) -> None:
    """Plain digits of a time that exists."""
    assert code({**signed(), "webhook-timestamp": stamp}) == "webhook_headers_missing"


@pytest.mark.parametrize("off", [301, -301])
def test_outside_the_window_is_refused(off: int) -> None:
    """An old message played again, or one from the future."""
    assert code(signed(), now=AT + timedelta(seconds=off)) == "webhook_out_of_window"


@pytest.mark.parametrize("off", [300, -300, 0])
def test_inside_the_window_is_taken(off: int) -> None:
    """To the second."""
    assert verify(signed(), BODY, SECRET, now=AT + timedelta(seconds=off)).seq == 5


def test_the_window_can_be_chosen() -> None:
    """Narrower for the careful."""
    with pytest.raises(WebhookRefusedError):
        verify(signed(), BODY, SECRET, now=AT + timedelta(seconds=2), window=timedelta(seconds=1))


def test_without_a_time_it_is_now() -> None:
    """This machine's clock decides."""
    assert verify(signed(at=datetime.now(UTC)), BODY, SECRET).seq == 5
    with pytest.raises(WebhookRefusedError):
        verify(signed(), BODY, SECRET)


@pytest.mark.parametrize("body", [b"[]", b"{}", b"1", b'{"type": "payout.paid"}', b"{", b""])
def test_a_signed_message_of_another_kind_is_refused(body: bytes) -> None:
    """It is the gateway's, and nothing this client could act on."""
    assert code(signed(body), body) == "webhook_unreadable"


def test_a_message_that_says_more_is_taken() -> None:
    """A newer gateway may know more, and other events."""
    body = orjson.dumps({**SAID, "type": "payout.novel", "delivery_id": "not this", "new": 1})
    message = verify(signed(body), body, SECRET, now=AT)
    assert (message.type, message.delivery_id) == ("payout.novel", "wd_1")


@pytest.mark.parametrize("body", [BODY.decode(), SAID])
def test_a_parsed_body_is_a_type_error(body: object) -> None:
    """Its bytes are gone, and with them what was signed."""
    with pytest.raises(TypeError, match="raw bytes"):
        verify(signed(), body, SECRET, now=AT)  # type: ignore[arg-type]  # the mistake itself


@pytest.mark.parametrize("secrets", ["", [], [""], ["whsec_"], "whsec_é", [SECRET, "whsec_a"]])
def test_secrets_that_cannot_be_any_are_the_receivers_mistake(secrets: str | list[str]) -> None:
    """Not the sender's: a 401 would hide a bad configuration."""
    with pytest.raises(ValueError, match="secrets"):
        verify(signed(), BODY, secrets, now=AT)


def test_the_library_agrees() -> None:
    """What is taken here, the reference implementation takes."""
    now = datetime.now(UTC)
    headers = signed(at=now)
    assert Webhook(SECRET).verify(BODY, headers) == SAID
    assert verify(headers, BODY, SECRET, now=now).id == SAID["id"]
