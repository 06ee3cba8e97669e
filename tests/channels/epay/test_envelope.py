"""Requests as they leave, and replies verified by their values."""

import json
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.contract import UnknownCause
from channels.epay.envelope import WireError, open_reply, request
from channels.epay.signing import Keys
from tests.channels.epay.platform import (
    MD5_KEY,
    MERCHANT,
    NOW,
    PID,
    PLATFORM,
    STAMP,
    by_hand,
    content_of,
    encoded,
    signed,
    thrown,
)

KEYS = Keys((PLATFORM.public_key(),), private=MERCHANT)


def refusal(body: bytes) -> WireError:
    """Why a reply is none."""
    with pytest.raises(WireError) as refused:
        open_reply(body, KEYS, NOW)
    return refused.value


def test_everything_travels_in_the_body() -> None:
    """The site reads nothing else; the address carries no query."""
    made = request("https://pay.example.com", "query", PID, KEYS, {"out_biz_no": "7"}, NOW)
    assert made.url == "https://pay.example.com/api/transfer/query"
    assert dict(made.headers)["Content-Type"] == "application/x-www-form-urlencoded"
    sent = dict(parse_qsl(made.body.decode()))
    assert sent.pop("sign") == by_hand(content_of(sent), MERCHANT)
    assert sent == {"out_biz_no": "7", "pid": PID, "timestamp": STAMP, "sign_type": "RSA"}


def test_an_md5_request_says_so() -> None:
    """Signed with the shared key, which itself stays here."""
    keys = Keys((PLATFORM.public_key(),), md5=MD5_KEY)
    made = request("https://pay.example.com", "query", PID, keys, {}, NOW)
    sent = dict(parse_qsl(made.body.decode()))
    assert (sent["sign_type"], len(sent["sign"])) == ("MD5", 32)
    assert MD5_KEY.encode() not in made.body


def test_values_are_signed_raw_and_sent_encoded() -> None:
    """Chinese, plus signs and ampersands arrive as they were signed."""
    fields = {"name": "张 三&+=", "account": "a+b@x"}
    made = request("https://pay.example.com", "submit", PID, KEYS, fields, NOW)
    sent = dict(parse_qsl(made.body.decode(), strict_parsing=True))
    assert {name: sent[name] for name in fields} == fields


def test_the_digest_names_address_headers_and_body() -> None:
    """Equal for equal bytes alone."""
    first, same, other = (
        request("https://pay.example.com", "query", PID, KEYS, {"out_biz_no": n}, NOW)
        for n in ("1", "1", "2")
    )
    assert first.digest == same.digest != other.digest


def test_a_signed_reply_is_opened() -> None:
    """Numbers as they are written, null gone, arrays gone."""
    body = signed({"code": 0, "cost_money": 124.1, "paydate": None, "list": [1], "ok": True})
    answer = open_reply(body, KEYS, NOW)
    assert answer.signed_at == NOW
    assert (answer.code, answer.get("cost_money"), answer.get("paydate")) == ("0", "124.1", None)
    assert (answer.get("list"), answer.get("ok")) == (None, "1")


def test_a_number_is_signed_as_it_stands() -> None:
    """100 is not 100.0, though they are equal."""
    body = signed({"code": 0, "cost_money": 100})
    open_reply(body, KEYS, NOW)
    assert refusal(body.replace(b":100,", b":100.0,")).cause is UnknownCause.BAD_SIGNATURE


def test_false_and_blank_are_not_signed() -> None:
    """PHP turns false into nothing."""
    assert open_reply(signed({"code": 0, "x": False, "y": " "}), KEYS, NOW).get("x") is None


def test_an_unsigned_reply_is_handed_on_as_such() -> None:
    """It may be read, and proves nothing."""
    answer = open_reply(thrown("转账交易号不存在"), KEYS, NOW)
    assert (answer.signed_at, answer.code, answer.message) == (None, "-1", "转账交易号不存在")


@pytest.mark.parametrize("blank", ["", " ", None, False])
def test_an_empty_signature_is_none(blank: object) -> None:
    """Not a forged one."""
    assert open_reply(encoded({"code": 0, "sign": blank}), KEYS, NOW).signed_at is None


def test_a_reply_with_another_value_is_refused() -> None:
    """One status further than was signed."""
    body = signed({"code": 0, "status": 0}).replace(b'"status":0', b'"status":1')
    assert refusal(body).cause is UnknownCause.BAD_SIGNATURE


def test_a_field_that_was_not_signed_breaks_the_signature() -> None:
    """Nothing can be slipped in, and nothing taken out."""
    for change in (b'"code":0,"amount":"1.00"', b""):
        body = signed({"code": 0, "status": 0}).replace(b'"code":0', change or b'"c":0')
        assert refusal(body).cause is UnknownCause.BAD_SIGNATURE


def test_a_signature_by_somebody_else_is_refused() -> None:
    """Our own key does not sign replies."""
    fields: dict[str, object] = {"code": 0, "timestamp": STAMP}
    body = encoded({**fields, "sign": by_hand(content_of(fields), MERCHANT)})
    assert refusal(body).cause is UnknownCause.BAD_SIGNATURE


def test_an_md5_signature_on_a_reply_is_refused() -> None:
    """Whoever knows the shared key could make one; the site signs with RSA."""
    for body in (
        encoded({"code": 0, "timestamp": STAMP, "sign_type": "MD5", "sign": "0" * 32}),
        signed({"code": 0}).replace(b'"sign_type":"RSA"', b'"sign_type":"MD5"'),
    ):
        assert refusal(body).cause is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("off_s", "taken"), [(300, True), (-300, True), (301, False), (-301, False)]
)
def test_a_reply_may_be_300_seconds_off(off_s: int, taken: bool) -> None:
    """Both ways; an older one may have been played back."""
    stamp = str(int((NOW + timedelta(seconds=off_s)).timestamp()))
    body = signed({"code": 0}, stamp=stamp)
    if taken:
        assert open_reply(body, KEYS, NOW).code == "0"
    else:
        assert refusal(body).cause is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize("stamp", ["", "0", "17900000000", "yesterday", "１７９０００００００"])
def test_a_signed_reply_without_a_time_is_refused(stamp: str) -> None:
    """It could be of any day."""
    assert refusal(signed({"code": 0}, stamp=stamp)).cause is UnknownCause.BAD_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"x"',
        b'{"code":0,"code":-1}',
        b'{"code":NaN}',
        b'{"a":"\\ud800"}',
        b"\xff\xfe",
        b'{"code":0}{"code":0}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_reply_is_unreadable(body: bytes) -> None:
    """No name twice, no NaN, no half of a character, nothing behind."""
    assert refusal(body).cause is UnknownCause.UNREADABLE


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    """Whatever arrives is opened or refused."""
    try:
        answer = open_reply(body, KEYS, NOW)
    except WireError:
        return
    assert answer.signed_at is None


@given(
    st.dictionaries(
        st.sampled_from(("code", "msg", "status", "amount", "x", "sign", "timestamp")),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    )
)
def test_nothing_unsigned_passes_for_signed(fields: dict[str, object]) -> None:
    """Without the site's key no reply gets a time of signing."""
    try:
        answer = open_reply(json.dumps(fields).encode(), KEYS, NOW)
    except WireError:
        return
    assert answer.signed_at is None
