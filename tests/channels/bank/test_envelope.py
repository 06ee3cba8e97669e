"""The envelope around files over HTTPS: what counts as a receipt, and what as a whole list."""

from datetime import date

import orjson
import pytest

from channels.bank import envelope
from channels.bank.envelope import EnvelopeError
from channels.bank.profile import Https
from channels.contract import UnknownCause
from channels.transport import Reply
from tests.channels.bank.house import CUSTOMER, REFERENCE, settings

SETTINGS = settings(base_url="http://127.0.0.1:9/base/")
_delivery = SETTINGS.bank.delivery
assert isinstance(_delivery, Https)
HTTPS = _delivery


def reply(status: int = 202, body: object = None, kind: str = "application/json") -> Reply:
    """A reply with this body as JSON, or these bytes."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, {"content-type": kind}, raw)


def test_addresses_are_the_profiles() -> None:
    """Below the base, with day and name filled in."""
    assert envelope.upload_url(SETTINGS, HTTPS) == "http://127.0.0.1:9/base/h2h/v1/files"
    assert envelope.listing_url(SETTINGS, HTTPS, date(2026, 11, 2)).endswith("?since=2026-11-02")
    assert envelope.download_url(SETTINGS, HTTPS, "a.xml").endswith("/h2h/v1/files/a.xml")


def test_an_upload_says_who_and_what() -> None:
    """Type, customer and file name."""
    assert dict(envelope.upload_headers(SETTINGS, HTTPS, REFERENCE)) == {
        "content-type": "application/xml; charset=utf-8",
        "x-customer-id": CUSTOMER,
        "x-file-name": f"{REFERENCE}.xml",
    }


def test_a_receipt_repeats_our_number() -> None:
    """Then, and only then, the file is received."""
    assert envelope.not_received(reply(202, {"msgId": REFERENCE}), HTTPS, REFERENCE) is None


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (reply(202, b""), UnknownCause.UNREADABLE),
        (reply(202, b"<html>ok</html>"), UnknownCause.UNREADABLE),
        (reply(202, ["msgId"]), UnknownCause.UNREADABLE),
        (reply(202, {}), UnknownCause.MISMATCH),
        (reply(202, {"msgId": "OTHER"}), UnknownCause.MISMATCH),
        (reply(400, {"msgId": REFERENCE}), UnknownCause.UNREADABLE),
        (reply(403, {"error": "no"}), UnknownCause.UNREADABLE),
        (reply(500, b""), UnknownCause.UNREADABLE),
        (reply(301, b""), UnknownCause.UNREADABLE),
        (reply(429, b""), UnknownCause.THROTTLED),
    ],
)
def test_anything_else_leaves_it_unknown(answer: Reply, cause: UnknownCause) -> None:
    """No status is an answer, neither a good one nor a bad one."""
    unknown = envelope.not_received(answer, HTTPS, REFERENCE)
    assert unknown is not None
    assert unknown.cause is cause
    assert unknown.evidence.http_status == answer.status


def test_a_list_names_every_file() -> None:
    """In its order."""
    body = orjson.dumps({"files": [{"name": "a.xml"}, {"name": "B-2_c.xml"}], "more": False})
    assert [one.name for one in envelope.listed(body, HTTPS)] == ["a.xml", "B-2_c.xml"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files": {}}',
        b'{"files": ["a.xml"]}',
        b'{"files": [{"name": 1}]}',
        b'{"files": [{"name": "../a"}]}',
        b'{"files": [{"name": "a?b=c"}]}',
        b'{"files": [{"name": ""}]}',
        b'{"files": [], "more": true}',
        b'{"files": [], "more": "page2"}',
        b'{"files": [], "more": [1]}',
    ],
)
def test_a_list_that_may_lack_a_file_is_none(body: bytes) -> None:
    """Half a list would look like absence; a name is never a path."""
    with pytest.raises(EnvelopeError):
        envelope.listed(body, HTTPS)
