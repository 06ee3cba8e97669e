"""Our own signatures, made by the libraries that receivers use and by hand, rightly and wrongly."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from gateway.api.explain.keys import Key
from gateway.api.explain.native import explain_native
from gateway.api.explain.sent import UnreadableError, read_message
from gateway.api.explain.views import ExplanationView

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()
BODY = '{"type": "payout.paid", "memo": "货款"}'
ID, STAMP, NONCE = "evt_1", 1772416800, "n-0123456789abcdef"
Mac = Callable[[bytes], bytes]


def mac(text: str | bytes, key: bytes = KEY) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(key, text.encode() if isinstance(text, str) else text, "sha256")


def webhook(signature: str, body: str = BODY) -> bytes:
    """As it arrives."""
    return (
        f"POST /hook HTTP/1.1\r\nHost: shop.example\r\nwebhook-id: {ID}\r\n"
        f"webhook-timestamp: {STAMP}\r\nwebhook-signature: {signature}\r\n\r\n{body}"
    ).encode()


def request(signature: str, target: str = "/v1/payouts?a=1", body: str = BODY) -> bytes:
    """A signed request to the API."""
    return (
        f"POST {target} HTTP/1.1\nHost: pay.example\nHangdao-Timestamp: {STAMP}\n"
        f"Hangdao-Nonce: {NONCE}\nHangdao-Signature: {signature}\n\n{body}"
    ).encode()


def v1(text: str | bytes, key: bytes = KEY) -> str:
    """A webhook's signature."""
    return "v1," + base64.b64encode(mac(text, key)).decode()


def hexed(text: str | bytes, key: bytes = KEY) -> str:
    """A request's signature."""
    return "v1=" + mac(text, key).hex()


HASH = hashlib.sha256(BODY.encode()).hexdigest()
RIGHT = f"POST\n/v1/payouts?a=1\n{STAMP}\n{NONCE}\n{HASH}"
COMPACT = '{"type":"payout.paid","memo":"货款"}'

WEBHOOKS: list[tuple[str, bytes]] = [
    ("body_line_end", webhook(v1(f"{ID}.{STAMP}.{BODY}"), BODY + "\n")),
    ("body_rewritten", webhook(v1(f"{ID}.{STAMP}.{COMPACT}"))),
    ("secret_not_decoded", webhook(v1(f"{ID}.{STAMP}.{BODY}", TEXT.encode()))),
    ("secret_prefix", webhook(v1(f"{ID}.{STAMP}.{BODY}", f"whsec_{TEXT}".encode()))),
    ("part_missing", webhook(v1(f"{STAMP}.{BODY}"))),
    ("separator", webhook(v1(f"{ID}\n{STAMP}\n{BODY}"))),
    ("time_unit", webhook(v1(f"{ID}.{STAMP}000.{BODY}"))),
    ("hex_and_base64", webhook("v1," + mac(f"{ID}.{STAMP}.{BODY}").hex())),
    ("version_missing", webhook(v1(f"{ID}.{STAMP}.{BODY}").removeprefix("v1,"))),
    ("wrong_key", webhook(v1(f"{ID}.{STAMP}.{BODY}", bytes(32)))),
]
REQUESTS: list[tuple[str, bytes]] = [
    ("query_left_out", request(hexed(RIGHT.replace("?a=1", "")))),
    ("whole_address", request(hexed(RIGHT.replace("/v1", "https://pay.example/v1")))),
    ("method_case", request(hexed(RIGHT.replace("POST", "post")))),
    ("body_not_hashed", request(hexed(RIGHT.replace(HASH, BODY)))),
    ("secret_not_decoded", request(hexed(RIGHT, TEXT.encode()))),
    ("separator", request(hexed(RIGHT + "\n"))),
    ("part_missing", request(hexed(RIGHT.replace(f"\n{NONCE}", "")))),
    ("hex_and_base64", request("v1=" + base64.b64encode(mac(RIGHT)).decode())),
    ("version_missing", request(hexed(RIGHT).removeprefix("v1="))),
]
CODES = {code for code, _ in (*WEBHOOKS, *REQUESTS)}


def explained(kind: str, sent: bytes, *secrets: str, show_ours: bool = True) -> ExplanationView:
    """By somebody with the secret."""
    keys = tuple(
        Key(f"key {place}", secret=one, newest=place == 0)
        for place, one in enumerate(secrets or (f"whsec_{TEXT}" if kind == "webhook" else TEXT,))
    )
    return explain_native(kind, read_message(sent), keys, show_ours=show_ours)


def test_a_webhook_as_the_library_signs_it_verifies() -> None:
    """One of several signatures is enough, and of several secrets the one is named."""
    at = datetime.fromtimestamp(STAMP, UTC)
    made = Webhook(f"whsec_{TEXT}").sign(ID, at, BODY)
    sent = webhook(f"v1,{base64.b64encode(bytes(32)).decode()} {made}")

    assert explained("webhook", sent)["verifies"]
    other = base64.b64encode(bytes(32)).decode()
    found = explained("webhook", sent, f"whsec_{other}", f"whsec_{TEXT}")
    assert found["verifies"]
    assert found["key"] == "key 1"
    assert [one["code"] for one in found["notes"]] == ["older_key"]


def test_a_signed_request_verifies() -> None:
    """Path and query as on the wire."""
    found = explained("native", request(hexed(RIGHT)))

    assert found["verifies"]
    assert found["string"] == RIGHT.replace("\n", "\\n\n")
    assert found["ours"] == hexed(RIGHT)


@pytest.mark.parametrize(("code", "sent"), WEBHOOKS)
def test_a_receivers_mistake_is_named(code: str, sent: bytes) -> None:
    """What makes a receiver compute another signature than ours."""
    found = explained("webhook", sent)
    assert code in [one["code"] for one in found["mistakes"]]
    assert not found["verifies"]


@pytest.mark.parametrize(("code", "sent"), REQUESTS)
def test_a_clients_mistake_is_named(code: str, sent: bytes) -> None:
    """What a client of the API does wrong."""
    found = explained("native", sent)
    assert code in [one["code"] for one in found["mistakes"]]
    assert not found["verifies"]


def test_what_is_missing_is_asked_for() -> None:
    """A body alone is not what was signed; a secret that is none is said to be none."""
    with pytest.raises(UnreadableError, match="webhook-id"):
        explained("webhook", BODY.encode())
    with pytest.raises(UnreadableError, match="base64"):
        explained("native", request(hexed(RIGHT)), "n o t  b a s e")


def test_our_signature_is_kept_back() -> None:
    """A webhook that is not proven is told nothing that could be sent to a receiver."""
    right = v1(f"{ID}.{STAMP}.{BODY}")
    found = explained("webhook", webhook(v1(BODY)), show_ours=False)
    assert found["ours"] is None
    assert right not in str(found)
    assert mac(f"{ID}.{STAMP}.{BODY}").hex() not in str(found)
    assert [one["code"] for one in found["notes"]] == ["ours_hidden"]
    assert explained("webhook", webhook(right), show_ours=False)["ours"] == right
