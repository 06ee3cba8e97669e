"""Notices: verified before they are read, opened with our key, naming a payout and no more."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import Notice, NoticeRefused
from channels.wechat_pay.notice import TAKEN, read
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import BILL_NO, NOW, REFERENCE

SETTINGS = platform.settings()


def refused(headers: dict[str, str], body: bytes) -> NoticeRefused:
    """Read, expecting a refusal."""
    answer = read(SETTINGS, headers, body, NOW)
    assert isinstance(answer, NoticeRefused)
    return answer


def test_a_finished_payout_is_named() -> None:
    """Envelope id, our number and theirs; the reply is an empty 204."""
    body = platform.notice_body()
    answer = read(SETTINGS, platform.proof(body), body, NOW)
    assert answer == Notice(
        "EV-2018022511223320873", REFERENCE, BILL_NO, "MCHTRANSFER.BILL.FINISHED", TAKEN
    )
    assert (TAKEN.status, TAKEN.body) == (204, b"")


def test_a_notice_under_a_certificate_is_taken() -> None:
    """In certificate mode the certificate's key proves it."""
    body = platform.notice_body()
    headers = platform.proof(body, key=platform.CERTIFIED, serial=platform.CERTIFICATE_SERIAL)
    assert isinstance(read(platform.certificate_settings(), headers, body, NOW), Notice)


def test_a_probe_is_refused_with_401() -> None:
    """A WECHATPAY/SIGNTEST/ signature must be answered with an error (§2.4)."""
    body = platform.notice_body()
    headers = platform.proof(body)
    headers["wechatpay-signature"] = "WECHATPAY/SIGNTEST/" + headers["wechatpay-signature"]
    answer = refused(headers, body)
    assert (answer.cause, answer.reply.status) == ("a signature probe", 401)


@pytest.mark.parametrize("header", list(platform.proof(b"")))
def test_a_notice_without_one_of_its_headers_is_refused(header: str) -> None:
    """All five headers are needed."""
    body = platform.notice_body()
    headers = platform.proof(body)
    del headers[header]
    assert refused(headers, body).reply.status == 401


def test_a_forged_notice_is_refused() -> None:
    """A signature by another key, or for another body, or too old."""
    body = platform.notice_body()
    for headers in (
        platform.proof(body, key=platform.MERCHANT),
        platform.proof(body + b" "),
        platform.proof(body, at=platform.later(seconds=-301)),
    ):
        assert refused(headers, body).reply.status == 401


def test_a_refusal_tells_the_caller_nothing() -> None:
    """The reply says FAIL and no reason; the cause is for our own log."""
    answer = refused({}, b"{}")
    assert json.loads(answer.reply.body) == {"code": "FAIL", "message": "refused"}
    assert answer.reply.content_type == "application/json"


def test_a_wrong_apiv3_key_keeps_the_notice_coming() -> None:
    """A true notice we cannot open is answered 500, so that the platform tries again."""
    body = platform.notice_body(apiv3_key="f" * 32)
    answer = refused(platform.proof(body), body)
    assert (answer.reply.status, answer.cause) == (
        500,
        "the resource does not open with this APIv3 key",
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"\xff", b'{"id":"","event_type":"X","resource":{}}'],
)
def test_a_verified_body_that_is_no_envelope_is_refused(body: bytes) -> None:
    """The platform's own nonsense is answered 400."""
    assert refused(platform.proof(body), body).reply.status == 400


@pytest.mark.parametrize("content", [[], "text", 1, {"out_bill_no": 7}])
def test_a_resource_of_another_shape_is_refused(content: object) -> None:
    """What opens but is no such object is answered 400."""
    body = platform.notice_body(content)
    assert refused(platform.proof(body), body).reply.status == 400


def test_a_notice_about_another_merchant_is_refused() -> None:
    """One platform key serves all merchants; the number inside decides whose it is."""
    body = platform.notice_body(platform.bill(mch_id="1900000110"))
    assert refused(platform.proof(body), body).cause == "about another merchant"


def test_an_unknown_event_is_still_a_notice() -> None:
    """A new kind of event names what it names and is acknowledged."""
    body = platform.notice_body({"something": "else"}, event="MCHTRANSFER.NEW.THING")
    answer = read(SETTINGS, platform.proof(body), body, NOW)
    assert isinstance(answer, Notice)
    assert (answer.event, answer.reference, answer.channel_ref) == (
        "MCHTRANSFER.NEW.THING",
        "",
        None,
    )


def test_a_batch_notice_names_the_batch() -> None:
    """The closed batch product's notices carry out_batch_no and batch_id."""
    content = {"mchid": platform.MCHID, "out_batch_no": "B202412", "batch_id": "103"}
    body = platform.notice_body(content, event="MCHTRANSFER.BATCH.FINISHED")
    answer = read(SETTINGS, platform.proof(body), body, NOW)
    assert isinstance(answer, Notice)
    assert (answer.reference, answer.channel_ref) == ("B202412", "103")


@given(body=st.binary(max_size=300), noise=st.text(max_size=40))
def test_random_notices_are_refused(body: bytes, noise: str) -> None:
    """Whatever arrives without the platform's signature is refused and never raises."""
    headers = {**platform.proof(b"another body"), "wechatpay-nonce": noise}
    for given_headers in ({}, headers):
        assert refused(given_headers, body).reply.status == 401
